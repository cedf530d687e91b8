"""The commands of the README, and of pages of docs/ that use its run, and what must hold of all pages."""

import os
import re
import shutil
import subprocess
import sys

import pytest
from PIL import Image

from documented import BLOCK, BLOCKS, PAGES, READMES_RUN, ROOT, TOGETHER, furnish, run


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    return furnish(tmp_path_factory.mktemp("docs"))


def test_there_are_blocks_to_test():
    assert {page for page, _, _ in BLOCKS} >= {"README.md", "your-own-recipe.md"}
    first = next(code for page, _, code in BLOCKS if page in TOGETHER)
    assert f"--out {READMES_RUN}" in first  # made by the README, before another page uses it
    assert "README.md" in TOGETHER and "your-own-recipe.md" not in TOGETHER


def test_each_of_the_ten_tasks_takes_two_commands_at_most():
    parts = (ROOT / "docs" / "tasks.md").read_text(encoding="utf-8").split("\n## ")[1:]
    assert [part.partition(".")[0] for part in parts] == [str(number) for number in range(1, 11)]
    for part in parts:
        ((language, code),) = BLOCK.findall(part)
        commands = code.splitlines()
        assert language == "bash" and 1 <= len(commands) <= 2 and part.count("```") == 2
        assert all(command.startswith("ganvas ") for command in commands)


@pytest.mark.parametrize(("page", "language", "code"), [block for block in BLOCKS if block[0] in TOGETHER])
def test_the_documented_commands_work(page, language, code, elsewhere):
    run(language, code, elsewhere)


def test_the_pictures_of_the_pages_are_there_are_pictures_and_are_small():
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        named = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text) + re.findall(r'<img src="([^"]+)"', text)
        found += [(page.parent / name).resolve() for name in named if not name.startswith("http")]
    for picture in found:
        if picture.suffix != ".svg":
            with Image.open(picture) as opened:
                opened.load()
    own = set((ROOT / "docs" / "pictures").iterdir())
    assert own and own <= set(found) and sum(path.stat().st_size for path in own) < 600_000


def test_every_recipe_is_in_the_readme_and_the_other_way_round():
    from ganvas import recipes

    named = set(re.findall(r"^\| `([\w-]+)`", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE))
    assert named == set(recipes.names())


def test_the_public_names_are_these():
    """Removing a public name must be a decision, not an accident."""
    import ganvas

    assert set(ganvas.__all__) == {
        "train", "resume", "Run", "open_run", "load", "evaluate", "upscale", "export", "Report", "Model", "open_data",
        "Recipe", "Turn", "Losses", "Progress", "Results", "Watcher", "Verdict", "GanvasError", "Comparison", "compare",
        "Tuned", "tune", "__version__",
    }  # fmt: skip


def test_the_documented_objective_takes_ten_lines_in_one_file_and_trains(tmp_path):
    text = (ROOT / "docs" / "adding-an-objective.md").read_text(encoding="utf-8")
    (diff,) = re.findall(r"<!-- patch -->\n```diff\n(.*?)```", text, re.DOTALL)
    added = [line for line in diff.splitlines() if line.startswith("+") and not line.startswith("+++")]
    assert len(added) <= 10 and diff.count("+++") == 1
    shutil.copytree(ROOT / "src", tmp_path / "src")
    subprocess.run(["git", "apply"], input=diff, text=True, cwd=tmp_path, check=True)
    train = ["train", "vanilla", "--data", "ring", "--steps", "3", "--objective", "pearson", "--out", "run"]
    done = subprocess.run(
        [sys.executable, "-m", "ganvas", *train],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "src")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "--objective pearson" in done.stdout
