"""The commands of the README and of docs/, run as they stand on tiny budgets, in two halves that need nothing of each
other: pages that use the README's run (`test_docs.py`), and the others (`test_docs_apart.py`)."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"<!-- test -->\n```(bash|python)\n(.*?)```", re.DOTALL)
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCKS = [(page.name, *block) for page in PAGES for block in BLOCK.findall(page.read_text(encoding="utf-8"))]

READMES_RUN = "runs/digits"
TOGETHER = {page for page, _, code in BLOCKS if READMES_RUN in code}
"""Pages that use the README's run, which come behind it in one folder."""

# The same commands, made quick: lengths shrink, and nothing else changes.
SHORTER = [(r"--minutes \d+", "--steps 3"), (r"minutes=\d+", "steps=3"), (r"--steps 2000", "--steps 3"),
           (r"--steps 4000", "--steps 5"), (r"-n 1000\b", "-n 80")]  # fmt: skip


def furnish(folder: Path) -> Path:
    """The folder, with photos in it, from which the commands are run one after the other."""
    random = np.random.default_rng(0)
    for label in ("lakes", "woods"):
        (folder / "photos" / label).mkdir(parents=True)
        for number in range(8):
            pixels = random.integers(0, 256, (40, 50, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / "photos" / label / f"{number}.jpg")
    (folder / "docs").symlink_to(ROOT / "docs")
    return folder


def run(language: str, code: str, folder: Path) -> None:
    """Runs a block there, made quick, and asserts that it ends well."""
    for pattern, shorter in SHORTER:
        code = re.sub(pattern, shorter, code)
    # A resumption by a new total needs one that is larger than the first.
    code = re.sub(r"(--resume \S+) --steps 3", r"\1 --steps 5", code)
    script = folder / ("example.py" if language == "python" else "example.sh")
    script.write_text(f"set -e\n{code}" if language == "bash" else code)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [sys.executable if language == "python" else "bash", str(script)],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
