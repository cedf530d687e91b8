"""The commands of the README and of docs/ are run as they stand, on tiny budgets."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"<!-- test -->\n```(bash|python)\n(.*?)```", re.DOTALL)
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCKS = [(page.name, *block) for page in PAGES for block in BLOCK.findall(page.read_text(encoding="utf-8"))]

# The same commands, made quick: lengths shrink, and nothing else changes.
SHORTER = [(r"--minutes \d+", "--steps 3"), (r"minutes=\d+", "steps=3"), (r"--steps 2000", "--steps 3"),
           (r"--steps 4000", "--steps 5"), (r"-n 1000\b", "-n 80")]  # fmt: skip


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """A folder with photos in it, from which the commands are run one after the other."""
    folder = tmp_path_factory.mktemp("docs")
    random = np.random.default_rng(0)
    for label in ("lakes", "woods"):
        (folder / "photos" / label).mkdir(parents=True)
        for number in range(8):
            pixels = random.integers(0, 256, (40, 50, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / "photos" / label / f"{number}.jpg")
    (folder / "docs").symlink_to(ROOT / "docs")
    return folder


def test_there_are_blocks_to_test():
    assert {page for page, _, _ in BLOCKS} >= {"README.md", "your-own-recipe.md"}


def test_each_of_the_ten_tasks_takes_two_commands_at_most():
    parts = (ROOT / "docs" / "tasks.md").read_text(encoding="utf-8").split("\n## ")[1:]
    assert [part.partition(".")[0] for part in parts] == [str(number) for number in range(1, 11)]
    for part in parts:
        ((language, code),) = BLOCK.findall(part)
        commands = code.splitlines()
        assert language == "bash" and 1 <= len(commands) <= 2 and part.count("```") == 2
        assert all(command.startswith("ganvas ") for command in commands)


@pytest.mark.parametrize(("page", "language", "code"), BLOCKS)
def test_the_documented_commands_work(page, language, code, elsewhere):
    for pattern, shorter in SHORTER:
        code = re.sub(pattern, shorter, code)
    # A resumption by a new total needs one that is larger than the first.
    code = re.sub(r"(--resume \S+) --steps 3", r"\1 --steps 5", code)
    script = elsewhere / ("example.py" if language == "python" else "example.sh")
    script.write_text(f"set -e\n{code}" if language == "bash" else code)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    run = subprocess.run(
        [sys.executable if language == "python" else "bash", str(script)],
        cwd=elsewhere,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr


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
    run = subprocess.run(
        [sys.executable, "-m", "ganvas", *train],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "src")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    assert "--objective pearson" in run.stdout
