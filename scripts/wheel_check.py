"""Does the wheel work alone? It is built, installed into a bare environment by the README's line for CPUs, and trains,
samples and enlarges there, in a folder with nothing of this repository.

    python scripts/wheel_check.py [FOLDER [INDEX]]

FOLDER, by default build/wheel-check, must not exist or be from an earlier check; it is made anew. INDEX: where PyTorch
for CPUs comes from, by default what the README says. The exit status is 1 where anything fails, or where the installed
packages take more than 1.5 GB.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
MOST_BYTES = 1_500_000_000
MARK = ".wheel-check"

PHOTO = "from PIL import Image; Image.linear_gradient('L').resize((40, 30)).convert('RGB').save('photo.png')"

COMMANDS = (
    ("ganvas", "train", "dcgan", "--data", "digits", "--width", "4", "--steps", "3", "--out", "run"),
    ("ganvas", "sample", "run", "-n", "4", "--out", "grid.png"),
    ("python", "-c", PHOTO),
    ("ganvas", "upscale", "photo.png", "--out", "large.png"),
    ("ganvas", "runs", ".", "--json"),
)


def cpu_index() -> str:
    """Where the README says that PyTorch for CPUs comes from."""
    told = (ROOT / "README.md").read_text(encoding="utf-8")
    (index,) = set(re.findall(r"^pip install \. --extra-index-url (\S+)", told, re.MULTILINE))
    return index


def main(folder: Path, index: str) -> int:
    if folder.exists() and not (folder / MARK).exists():
        print(f"{folder} is not from an earlier check; name another folder", file=sys.stderr)
        return 1
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / MARK).touch()
    run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT])
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "env", with_pip=True)
    programs = folder / "env" / ("Scripts" if os.name == "nt" else "bin")
    run([programs / "python", "-m", "pip", "install", "--quiet", "--extra-index-url", index, wheel])
    size = sum(path.stat().st_size for path in (folder / "env").rglob("*") if path.is_file() and not path.is_symlink())
    print(f"{wheel.name}: {wheel.stat().st_size / 1e6:.1f} MB; installed with all it needs: {size / 1e9:.2f} GB")
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    alone = {**kept, "GANVAS_CACHE": str(folder / "cache")}
    for program, *words in COMMANDS:
        run([programs / program, *words], cwd=elsewhere, env=alone)
    made = [name for name in ("run/report.html", "grid.png", "large.png") if not (elsewhere / name).is_file()]
    if made or size > MOST_BYTES:
        print(f"missing: {', '.join(made)}" if made else f"more than {MOST_BYTES / 1e9} GB", file=sys.stderr)
        return 1
    print("the wheel trains, samples and enlarges alone")
    return 0


def run(command: list[object], **more: object) -> None:
    print("+", " ".join(map(str, command)), flush=True)
    subprocess.run([str(word) for word in command], check=True, **more)  # type: ignore[call-overload]


if __name__ == "__main__":
    given = dict(enumerate(sys.argv))
    sys.exit(main(Path(given.get(1, ROOT / "build" / "wheel-check")).resolve(), given.get(2) or cpu_index()))
