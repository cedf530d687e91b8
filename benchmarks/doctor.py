"""Does the doctor name what ails a run, and does it leave healthy runs alone?

    python benchmarks/doctor.py runs [--seed 0] [--only WORD]    trains the labelled runs that are not there yet
    python benchmarks/doctor.py table [--seed 0]                 what the doctor says of them
    python benchmarks/doctor.py cost                             what looking costs, by turns with not looking

Each run takes less than a minute on one core. Of each its `config.json`, its `metrics.jsonl` and its last picture are
kept under --out, so that the table can be made again without training. Seed 0 is the half that thresholds were set on.
"""

from __future__ import annotations

import argparse
import io
import os
import random
import shutil
import sys
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ganvas import film
from ganvas.api import train as train_gan
from ganvas.errors import GanvasError

CLIPPED = str(Path(__file__).parents[1] / "docs" / "examples" / "clipped_gan.py:ClippedGAN")
FAULTY = Path(__file__).with_name("faulty.py")


@dataclass(frozen=True)
class Case:
    """What was done to a run: `ails` is the diagnosis that must come first, "healthy" for none."""

    name: str
    ails: str
    recipe: str
    data: str
    options: dict[str, Any] = field(default_factory=dict)
    seeds: tuple[int, ...] = (0, 1)


SMALL = {"width": 12, "batch_size": 32, "ema": 2000, "precision": "float32"}
R3 = {**SMALL, "steps": 400}
DC = {**SMALL, "steps": 400, "lr": 5e-4}
MLP = {"steps": 600, "width": 128, "ema": 2000, "precision": "float32"}
RING = {**MLP, "lr": 1e-3, "r1": 0.1, "r2": 0.1}
STRONG = {"objective": "minimax", "d_steps": 5, "steps": 200}
HASTY = {"beta1": 0.95, "lr": 2e-3}


def faulty(name: str) -> str:
    return f"{FAULTY}:{name}"


FAILURES = [
    Case("collapse-vanilla-digits", "collapse", "vanilla", "digits", {**MLP, **HASTY}),
    Case("collapse-vanilla-tiles", "collapse", "vanilla", "tiles", {**MLP, **HASTY}, (0,)),
    Case(
        "collapse-r3gan-digits",
        "collapse",
        "r3gan",
        "digits",
        {**R3, "r1": 0.0, "r2": 0.0, "objective": "non-saturating", "lr": 1e-3},
    ),
    Case("overpowering-vanilla-digits", "overpowering", "vanilla", "digits", {**MLP, **STRONG, "dropout": 0.0}, (1,)),
    Case("overpowering-dcgan-digits", "overpowering", "dcgan", "digits", {**DC, **STRONG, "lr": 1e-3}),
    Case("overpowering-dcgan-pets", "overpowering", "dcgan", "pets", {**DC, **STRONG, "lr": 1e-3}),
    Case("weak-vanilla-digits", "weak", faulty("SlowVanilla"), "digits", MLP, (0,)),
    Case("weak-dcgan-digits", "weak", faulty("SlowDCGAN"), "digits", DC),
    Case("weak-vanilla-ring", "weak", "vanilla", "ring", {**MLP, "lr": 1e-3, "g_steps": 8, "steps": 400}),
    Case("oscillation-vanilla-ring", "oscillation", "vanilla", "ring", {**MLP, "beta1": 0.95, "lr": 1e-3}),
    Case("oscillation-vanilla-grid", "oscillation", "vanilla", "grid", {**MLP, "beta1": 0.98, "lr": 2e-3}),
    Case(
        "oscillation-rmsprop-ring", "oscillation", "vanilla", "ring", {**MLP, "optimizer": "rmsprop", "lr": 5e-3}, (1,)
    ),
    Case("divergence-dcgan-digits", "divergence", "dcgan", "digits", {**DC, "optimizer": "sgd", "lr": 1.0}),
    Case(
        "divergence-vanilla-ring",
        "divergence",
        "vanilla",
        "ring",
        {**MLP, "optimizer": "sgd", "lr": 0.05, "beta1": 0.98},
    ),
    Case(
        "divergence-dcgan-tiles", "divergence", "dcgan", "tiles", {**DC, "objective": "wasserstein", "lr": 1e-2}, (0,)
    ),
    Case("memorisation-r3gan-digits", "memorisation", "r3gan", "few-digits", {**R3, "steps": 800, "lr": 1e-3}),
    Case("memorisation-dcgan-digits", "memorisation", "dcgan", "few-digits", {**DC, "steps": 800, "lr": 1e-3}, (1,)),
    Case("memorisation-r3gan-tiles", "memorisation", "r3gan", "few-tiles", {**R3, "steps": 800, "lr": 1e-3}),
    Case("labels-deaf-digits", "labels", faulty("DeafR3GAN"), "digits", R3),
    Case("labels-unlabelled-dcgan", "labels", faulty("UnlabelledDCGAN"), "digits", {**DC, "conditional": True}),
    Case("labels-unlabelled-r3gan", "labels", faulty("UnlabelledR3GAN"), "digits", R3, (0,)),
    Case("checkerboard-dcgan-digits", "checkerboard", faulty("CheckeredDCGAN"), "digits", DC, (1,)),
    Case("checkerboard-r3gan-tiles", "checkerboard", faulty("CheckeredR3GAN"), "tiles", {**R3, "conditional": False}),
    Case("checkerboard-dcgan-pets", "checkerboard", faulty("CheckeredDCGAN"), "pets", DC),
]

HEALTHY = [
    Case("healthy-r3gan-digits", "healthy", "r3gan", "digits", R3),
    Case("healthy-r3gan-digits-free", "healthy", "r3gan", "digits", {**R3, "conditional": False}),
    Case("healthy-r3gan-digits-hinge", "healthy", "r3gan", "digits", {**R3, "objective": "hinge"}),
    Case("healthy-r3gan-digits-one-by-one", "healthy", "r3gan", "digits", {**R3, "objective": "non-saturating"}),
    Case("healthy-r3gan-digits-slow", "healthy", "r3gan", "digits", {**R3, "lr": 3e-4}),
    Case("healthy-r3gan-digits-fast", "healthy", "r3gan", "digits", {**R3, "lr": 1e-3}),
    Case("healthy-r3gan-tiles", "healthy", "r3gan", "tiles", R3),
    Case("healthy-r3gan-tiles-free", "healthy", "r3gan", "tiles", {**R3, "conditional": False}),
    Case("healthy-dcgan-digits", "healthy", "dcgan", "digits", DC),
    Case("healthy-dcgan-digits-wide", "healthy", "dcgan", "digits", {**DC, "lr": 2e-4, "width": 24}),
    Case("healthy-dcgan-digits-squares", "healthy", "dcgan", "digits", {**DC, "objective": "least-squares"}),
    Case("healthy-dcgan-digits-smooth", "healthy", "dcgan", "digits", {**DC, "smoothing": 0.1}),
    Case("healthy-dcgan-tiles", "healthy", "dcgan", "tiles", DC),
    Case("healthy-dcgan-pets", "healthy", "dcgan", "pets", DC),
    Case("healthy-dcgan-pets-wide", "healthy", "dcgan", "pets", {**DC, "width": 24}),
    Case("healthy-clipped-ring", "healthy", CLIPPED, "ring", {"steps": 500, "batch_size": 128, "ema": 2000}),
    Case("healthy-vanilla-ring", "healthy", "vanilla", "ring", RING),
    Case("healthy-vanilla-grid", "healthy", "vanilla", "grid", RING),
    Case("healthy-vanilla-ring-pairs", "healthy", "vanilla", "ring", {**RING, "objective": "relativistic"}),
    Case("healthy-vanilla-digits", "healthy", "vanilla", "digits", {**MLP, "steps": 800}),
]


def shared() -> Path:
    found = Path(os.environ.get("GANVAS_SHARED") or Path(__file__).resolve().parents[2] / "shared") / "data"
    if not found.is_dir():
        sys.exit(f"doctor.py: the archives of tiles and photos are not in {found}; say where with GANVAS_SHARED")
    return found


TILES = ("dngn/wall", "player/hand1", "item/weapon", "dngn/floor")
PETS = ("train/cat", "train/dog")


def source(name: str, folder: Path) -> str:
    """A built-in set, or a folder that is made of the shared archives: some classes, all of them or few items."""
    if name in ("digits", "ring", "grid"):
        return name
    target = folder / name
    if not target.is_dir():
        making = folder / f".{name}"
        shutil.rmtree(making, ignore_errors=True)
        counts = {"few": 12, "hundred": 100}
        amount, _, kind = name.rpartition("-")
        for member, content in _members(kind, counts.get(amount, 4000)):
            (making / member).parent.mkdir(parents=True, exist_ok=True)
            (making / member).write_bytes(content)
        making.rename(target)
    return str(target)


def _members(kind: str, most: int) -> Iterator[tuple[str, bytes]]:
    if kind == "digits":
        from PIL import Image

        from ganvas.data.builtin import digits

        (part,) = digits()
        order = random.Random(0).sample(range(len(part.values)), most)
        for place in order:
            stream = io.BytesIO()
            Image.fromarray(part.values[place].reshape(28, 28)).save(stream, "PNG")
            yield f"{(part.labels or [])[place]}/{place}.png", stream.getvalue()
        return
    archive, classes = ("dungeon-tiles-cc0.zip", TILES) if kind == "tiles" else ("cifar10-jpeg.zip", PETS)
    with zipfile.ZipFile(shared() / archive) as held:
        names = [n for n in held.namelist() if n.startswith(tuple(f"{c}/" for c in classes)) and not n.endswith("/")]
        for member in random.Random(0).sample(sorted(names), min(most, len(names))):
            parts = member.split("/")
            yield f"{parts[0]}-{parts[1]}/{parts[-1]}", held.read(member)


def train(case: Case, seed: int, out: Path) -> None:
    """Trains the run and keeps what the doctor reads."""
    kept = out / f"{case.name}-{seed}"
    if kept.is_dir():
        return
    run = out / f".{case.name}-{seed}"
    shutil.rmtree(run, ignore_errors=True)
    data = source(case.data, out.parent / "doctor-data")
    size = None if case.data in ("ring", "grid") else 16
    options = {"sample_every": 100_000, "checkpoint_every": 100_000, **case.options, "seed": seed}
    began = time.monotonic()
    try:
        train_gan(case.recipe, data=data, out=run, size=size, quiet=True, **options)
    except GanvasError as error:
        print(f"  {error}")
    shutil.rmtree(run / "checkpoints", ignore_errors=True)
    shutil.rmtree(run / "tensorboard", ignore_errors=True)
    for _, path in film.pictures(run)[:-1]:
        path.unlink()
    run.rename(kept)
    print(f"{case.name}-{seed}: {time.monotonic() - began:.0f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["runs", "table", "cost"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="cases whose name has this in it")
    parser.add_argument("--out", type=Path, default=Path("runs/doctor"))
    arguments = parser.parse_args()
    for case in [*FAILURES, *HEALTHY]:
        if arguments.only in case.name and arguments.seed in case.seeds:
            train(case, arguments.seed, arguments.out)


if __name__ == "__main__":
    main()
