"""Translation, with what needs no model beside every figure.

    python -m benchmarks.translate [--data ../shared/data] [--out runs/translate] [--only ageing,emoji] [--seed 1]

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

EMOJI = "emoji-data"
ATTRIBUTES = "glasses,beard,hat,smile,long_hair,hair_colour"


@dataclass(frozen=True)
class Task:
    """data: below the folder of archives. flags: of the training. judge: the module and its words, given the run and
    the archives; None for `ganvas.evaluate` with these options. start: the task whose run this one goes on from."""

    recipe: str
    data: str
    flags: str
    judge: Callable[[Path, Path], list[str]] | None = None
    split: str | None = None
    start: str | None = None


def _emoji_data(archives: Path, out: Path) -> Path:
    folder = out / EMOJI
    if not folder.exists():
        words = ["--prepare", str(folder), "--data", str(archives / "emoji-pairs.zip")]
        subprocess.run([sys.executable, "-m", "benchmarks.translate_unpaired", *words], check=True)
    return folder


def _of_emoji(run: Path, archives: Path) -> list[str]:
    return ["benchmarks.translate_unpaired", str(run), "--folder", str(run.parent / EMOJI)]


def _of_avatars(run: Path, archives: Path) -> list[str]:
    return ["benchmarks.attributes", str(run), str(archives / "avatars.zip")]


TASKS = {
    "facades": Task("pix2pix", "facades.zip", "--size 128 --minutes 30 --content lite2"),
    "facades-sharp": Task(
        "pix2pix",
        "facades.zip",
        "--size 128 --minutes 12 --content lite2 --warmup 0 --content-weight 0.4 --l1 2",
        start="facades",
    ),
    "facades-l1": Task("pix2pix", "facades.zip", "--size 128 --minutes 8 --warmup 1"),
    "emoji": Task(
        "cut", EMOJI, "--size 64 --partners lite2 --content lite2 --sees lite2 --width 32 --minutes 45", _of_emoji
    ),
    "emoji-cyclegan": Task("cyclegan", EMOJI, "--size 64 --minutes 45", _of_emoji),
    "avatars-first": Task(
        "stargan",
        "avatars.zip",
        f"--attributes {ATTRIBUTES} --sees lite2 --mismatch 0 --minutes 36",
        _of_avatars,
    ),
    "avatars": Task(
        "stargan",
        "avatars.zip",
        f"--attributes {ATTRIBUTES} --sees lite2 --warmup 0 --minutes 30",
        _of_avatars,
        start="avatars-first",
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


def trained(name: str, archives: Path, out: Path, seed: int) -> Path:
    """A run that is there already is taken as it is."""
    task, run = TASKS[name], out / (f"{name}-{seed}" if seed else name)
    if not (run / "config.json").exists():
        data = _emoji_data(archives, out) if task.data == EMOJI else archives / task.data
        words = ["train", task.recipe, "--data", str(data), "--out", str(run), "--seed", str(seed), *task.flags.split()]
        if task.start is not None:
            words += ["--start", str(trained(task.start, archives, out, seed))]
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
    parser.add_argument(
        "--seed", type=int, default=0, help="of the trainings; runs of others than 0 have it in their names"
    )
    asked = parser.parse_args()
    chosen = asked.only.split(",") if asked.only else list(TASKS)
    for name in chosen:
        if name not in TASKS:
            parser.error(f"there is no task {name!r}; known: {', '.join(TASKS)}")
        judged(trained(name, asked.data, asked.out, asked.seed), TASKS[name], asked.data)
    if (asked.out / "inversion" / "config.json").exists():
        subprocess.run([sys.executable, "-m", "benchmarks.inversion", str(asked.out / "inversion")], check=True)


if __name__ == "__main__":
    main()
