"""Translation, with what needs no model beside every figure.

    python -m benchmarks.translate [--data ../shared/data] [--out runs/translate] [--only ageing,emoji]

Trains what is not there yet, each on what the processor has for the minutes that `TRAININGS` says, and judges it:
facades from labels with a game and without, emoji of another design without pairs, attributes and ages of faces, and
holes in photos. A run `inversion`, of any recipe with a latent, is judged where it is in the folder.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import ganvas

ATTRIBUTES = "glasses,beard,hat,smile,long_hair,hair_colour"


@dataclass(frozen=True)
class Task:
    """data: below the folder of archives. flags: of the training. judge: the module and its words, given the run and
    the archives; None for `ganvas.evaluate` with these options."""

    recipe: str
    data: str
    flags: str
    judge: Callable[[Path, Path], list[str]] | None = None
    split: str | None = None


def _emoji_data(archives: Path, out: Path) -> Path:
    folder = out / "emoji-data"
    if not folder.exists():
        words = ["--prepare", str(folder), "--data", str(archives / "emoji-pairs.zip")]
        subprocess.run([sys.executable, "-m", "benchmarks.translate_unpaired", *words], check=True)
    return folder


TASKS = {
    "facades": Task("pix2pix", "facades.zip", "--size 128 --minutes 30 --content lite2"),
    "facades-l1": Task("pix2pix", "facades.zip", "--size 128 --minutes 8 --warmup 1"),
    "emoji": Task(
        "cut",
        "emoji-pairs.zip",
        "--size 64 --partners lite2 --content lite2 --sees lite2 --width 32 --minutes 45",
        lambda run, data: ["benchmarks.translate_unpaired", str(run), "--folder", str(run.parent / "emoji-data")],
    ),
    "avatars": Task(
        "stargan",
        "avatars.zip",
        f"--attributes {ATTRIBUTES} --d-steps 1 --sees lite2 --r1 0.1 --cycle 0.1 --minutes 40",
        lambda run, data: ["benchmarks.attributes", str(run), str(data / "avatars.zip")],
    ),
    "ageing": Task("ageing", "faces-age.zip", "--attributes age --minutes 50", split="test"),
    "inpainting": Task(
        "inpainting",
        "super-resolution.zip/train",
        "--minutes 60 --warmup 0.6",
        lambda run, data: ["benchmarks.inpainting", str(run), "--data", str(data / "super-resolution.zip" / "BSD100")],
    ),
}
"""By the name of the run."""


def trained(name: str, task: Task, archives: Path, out: Path) -> Path:
    """A run that is there already is taken as it is."""
    run = out / name
    if not (run / "config.json").exists():
        data = _emoji_data(archives, out) if name == "emoji" else archives / task.data
        words = ["train", task.recipe, "--data", str(data), "--out", str(run), *task.flags.split()]
        subprocess.run([sys.executable, "-m", "ganvas", *words], check=True)
    return run


def judged(run: Path, task: Task, archives: Path) -> None:
    print(f"\n{run.name}", flush=True)
    if task.judge is None:
        print(ganvas.evaluate(run, split=task.split, progress=False))
    else:
        subprocess.run([sys.executable, "-m", *task.judge(run, archives)], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="where the archives lie")
    parser.add_argument("--out", type=Path, default=Path("runs/translate"), help="where the runs are, or go")
    parser.add_argument("--only", help="tasks, with commas between them (default: all)")
    asked = parser.parse_args()
    chosen = asked.only.split(",") if asked.only else list(TASKS)
    for name in chosen:
        if name not in TASKS:
            parser.error(f"there is no task {name!r}; known: {', '.join(TASKS)}")
        judged(trained(name, TASKS[name], asked.data, asked.out), TASKS[name], asked.data)
    if (asked.out / "inversion" / "config.json").exists():
        subprocess.run([sys.executable, "-m", "benchmarks.inversion", str(asked.out / "inversion")], check=True)


if __name__ == "__main__":
    main()
