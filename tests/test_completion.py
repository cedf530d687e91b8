"""`ganvas completion`: a shell that has read it completes commands, recipes, flags and files."""

import json
import shutil
import subprocess
import sys

import pytest

from ganvas import cli, recipes
from ganvas.cli.completion import flags_of


@pytest.fixture(scope="module")
def scripts():
    """What is printed for each shell, in one process that must not load PyTorch."""
    code = """
import contextlib, io, json, sys
from ganvas import cli
found = {}
for shell in ("bash", "zsh", "fish"):
    with contextlib.redirect_stdout(io.StringIO()) as told, contextlib.suppress(SystemExit):
        cli.main(["completion", shell])
    found[shell] = told.getvalue()
assert "torch" not in sys.modules
print(json.dumps(found))
"""
    return json.loads(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)


def completed(script, *words):
    """What bash offers for the last of the words."""
    typed = " ".join(f"'{word}'" for word in words)
    code = f"{script}\nCOMP_WORDS=({typed}); COMP_CWORD={len(words) - 1}; _ganvas; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    run = subprocess.run(["bash", "-c", code], check=True, capture_output=True, text=True)
    return run.stdout.split()


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_bash_completes(scripts):
    script = scripts["bash"]
    assert completed(script, "ganvas", "") == list(cli.COMMANDS)
    assert completed(script, "ganvas", "ru") == ["runs"]
    assert completed(script, "ganvas", "train", "wg") == ["wgan", "wgan-gp"]
    assert completed(script, "ganvas", "train", "") == recipes.names()
    assert completed(script, "ganvas", "train", "dcgan", "--batch") == ["--batch-size"]
    assert completed(script, "ganvas", "train", "--no-look") == ["--no-looks"]
    assert completed(script, "ganvas", "film", "--w") == ["--width"]
    assert completed(script, "ganvas", "completion", "") == ["bash", "zsh", "fish"]
    assert completed(script, "ganvas", "sample", "runs/x") == []  # then the shell offers files
    assert completed(script, "ganvas", "nothing", "--") == []


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_can_read_theirs(shell, scripts, tmp_path):
    text = scripts[shell]
    for name in cli.COMMANDS:
        assert name in text
    assert "r3gan" in text and "batch-size" in text
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell}")
    (tmp_path / "script").write_text(text)
    subprocess.run([shell, "-n", str(tmp_path / "script")], check=True)


def test_flags_are_those_of_the_help():
    assert flags_of("film") == ["--fps", "--help", "--out", "--overwrite", "--plain", "--seconds", "--width"]
    assert {"--steps", "--data", "--heal", "--no-heal", "--config"} <= set(flags_of("train"))


def test_a_shell_that_is_not_known_is_one_line(capsys):
    for words, says in ((["bsh"], "did you mean 'bash'"), ([], "for which shell")):
        with pytest.raises(SystemExit) as caught:
            cli.main(["completion", *words])
        (line,) = capsys.readouterr().err.splitlines()
        assert caught.value.code == 2 and says in line
