"""Translation, with what needs no model beside every figure.

    python -m benchmarks.translate [--data ../shared/data] [--out runs/translate]

Trains pix2pix on facades for half an hour, and for eight minutes without a game, where these runs are not there yet,
and judges both by `ganvas evaluate`. Runs of other tasks are judged where they are in the folder: `emoji`, `avatars`,
`inpainting`, `inversion`; how they were trained is told in docs/translation.md and docs/editing.md.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import ganvas

TRAININGS = {
    "facades": ["--minutes", "30", "--content", "lite2"],
    "facades-l1": ["--minutes", "8", "--warmup", "1"],
}
"""Flags of pix2pix at 128 pixels, by the name of the run: the whole, and the absolute differences alone."""


def _emoji(run: Path, data: Path) -> list[str]:
    folder = run.parent / "emoji-data"
    if not folder.exists():
        words = ["--prepare", str(folder), "--data", str(data / "emoji-pairs.zip")]
        subprocess.run([sys.executable, "-m", "benchmarks.translate_unpaired", *words], check=True)
    return ["benchmarks.translate_unpaired", str(run), "--folder", str(folder)]


TASKS: dict[str, Callable[[Path, Path], list[str]]] = {
    "emoji": _emoji,
    "avatars": lambda run, data: ["benchmarks.attributes", str(run), str(data / "avatars.zip")],
    "inpainting": lambda run, data: [
        "benchmarks.inpainting", str(run), "--data", str(data / "super-resolution.zip" / "BSD100")
    ],
    "inversion": lambda run, data: ["benchmarks.inversion", str(run)],
}  # fmt: skip
"""The benchmark of each other task, by the name of its run."""


def trained(data: Path, folder: Path) -> list[Path]:
    """Runs that are there already are taken as they are."""
    runs = []
    for name, flags in TRAININGS.items():
        run = folder / name
        if not (run / "config.json").exists():
            words = ["train", "pix2pix", "--data", str(data), "--size", "128", "--out", str(run), *flags]
            subprocess.run([sys.executable, "-m", "ganvas", *words], check=True)
        runs.append(run)
    return runs


def judged(run: Path) -> None:
    print(f"\n{run.name}")
    print(ganvas.evaluate(run, progress=False))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="where the archives lie")
    parser.add_argument("--out", type=Path, default=Path("runs/translate"), help="where the runs are, or go")
    asked = parser.parse_args()
    for run in trained(asked.data / "facades.zip", asked.out):
        judged(run)
    for name, words in TASKS.items():
        run = asked.out / name
        if (run / "config.json").exists():
            print(f"\n{name}", flush=True)
            subprocess.run([sys.executable, "-m", *words(run, asked.data)], check=True)


if __name__ == "__main__":
    main()
