"""`ganvas new` writes a recipe that keeps the contract, and `ganvas check` says so, a line for each check."""

import ast
import json
import subprocess
import sys

import pytest

from commands import ganvas
from ganvas import recipes
from ganvas.testing import CHECKS


def refused(capsys, *words):
    capsys.readouterr()
    assert ganvas(*words) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("loading ")]
    return line


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("new")
    assert ganvas("new", folder / "my_gan.py") == 0
    return folder / "my_gan.py"


def test_what_is_written_keeps_the_contract_and_says_how_to_use_it(written, capsys):
    assert ganvas("check", f"{written}:MyGAN") == 0
    captured = capsys.readouterr()
    *lines, last = captured.out.splitlines()
    assert [line.split(":")[0] for line in lines] == [f"ok     {name}" for name in CHECKS]
    assert last == "MyGAN keeps the contract" and captured.err.startswith("loading ")
    told = ast.get_docstring(ast.parse(written.read_text()))
    assert "ganvas train my_gan.py:MyGAN --data digits" in told and "ganvas check my_gan.py:MyGAN" in told


def test_what_is_written_trains_with_flags_of_its_own(written, tmp_path, capsys):
    words = ["--data", "digits", "--steps", "2", "--batch-size", "4", "--width", "8", "--r1", "0.5"]
    assert ganvas("train", f"{written}:MyGAN", *words, "--out", tmp_path / "run", "--quiet") == 0
    arguments = json.loads((tmp_path / "run" / "config.json").read_text())["arguments"]
    assert arguments["r1"] == 0.5 and arguments["width"] == 8


def test_the_written_test_runs(written):
    words = ["-q", "-p", "no:cacheprovider", "-k", "optimizers or sampling", written.with_name("test_my_gan.py")]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *map(str, words)], cwd=written.parent, capture_output=True, text=True
    )
    assert run.returncode == 0 and "2 passed" in run.stdout, run.stdout


def test_a_broken_promise_is_found_and_the_others_are_checked(written, tmp_path, capsys):
    broken = tmp_path / "broken.py"
    text = written.read_text()
    assert "discriminator=self.discriminator, generator=self.generator)" in text
    broken.write_text(
        text.replace("return self.generator(latent)", "return self.generator(latent + latent.rand_like())")
    )
    words = ["check", f"{broken}:MyGAN", "--only", "optimizers", "--only", "sampling"]
    assert ganvas(*words) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("ok     optimizers") and lines[1].startswith("FAILED sampling: AttributeError")
    assert lines[2] == "1 check of 2 failed"
    assert ganvas(*words, "--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert [(each["name"], each["passed"]) for each in told["checks"]] == [("optimizers", True), ("sampling", False)]


def test_data_and_the_number_of_steps_can_be_said(written, capsys):
    assert ganvas("check", f"{written}:MyGAN", "--only", "fit", "--fit-steps", "1", "--data", "digits") == 1
    assert "at best in 1 steps" in capsys.readouterr().out
    assert ganvas("check", "vanilla", "--only", "optimizers") == 0


def test_what_cannot_be_checked_or_written_is_one_line(written, tmp_path, capsys):
    before = written.read_text()
    assert "exists" in refused(capsys, "new", written) and written.read_text() == before
    (tmp_path / "test_mine.py").write_text("mine")
    assert "test_mine.py exists" in refused(capsys, "new", tmp_path / "mine.py")
    assert not (tmp_path / "mine.py").exists()
    for name in ("my-gan.py", "gan.txt", "class.py", "print.py", "gan"):
        assert "as Python's modules are" in refused(capsys, "new", tmp_path / name)
    assert "--class cannot be" in refused(capsys, "new", tmp_path / "a.py", "--class", "1")
    assert "which file" in refused(capsys, "new")
    assert "which recipe" in refused(capsys, "check")
    assert "did you mean 'dcgan'" in refused(capsys, "check", "dcgn")
    assert "did you mean 'resume'" in refused(capsys, "check", "vanilla", "--only", "resum")
    assert "--fit-steps" in refused(capsys, "check", "vanilla", "--fit-steps", "0")
    assert "there is no file" in refused(capsys, "check", tmp_path / "none.py:X")


def test_names_of_classes_follow_the_file(tmp_path):
    for stem, name in {"edges": "Edges", "wgan_for_cats": "WganForCats", "gan": "GAN"}.items():
        assert ganvas("new", tmp_path / f"{stem}.py") == 0
        assert recipes.find(str(tmp_path / f"{stem}.py")).__name__ == name
    assert ganvas("new", tmp_path / "other.py", "--class", "Mine") == 0
    assert "import Mine" in (tmp_path / "test_other.py").read_text()
