"""Lost modes: the 25-Gaussian grid with every objective, and stacked MNIST with every recipe.

    python -m benchmarks.modes [--out runs/modes] [--only grid|stacked] [--minutes 10] [--best-minutes 60] [--quick]

Grid: `vanilla` with every objective, once with R1 and R2 and once without, 5,000 samples; relativistic pairing with
both penalties on seeds 0 to 4, all others on seed 0. A sample is good within 3 standard deviations of a centre, and one
good sample finds a mode; beside it the modes with at least a fifth of their share of all samples.
Stacked MNIST: every recipe of images for --minutes, the best combination for --best-minutes, 26,000 samples; a
classifier trained on MNIST alone reads the digits. Labels are left out where a recipe can do without; those that can't
have a label for every mode, which makes losing one much harder, and the table says so. MNIST is looked for in
--data-root, in $GANVAS_SHARED/data/mnist, and in ../shared/data/mnist beside the repository. What is finished is kept
in --out, what was interrupted goes on.
`--quick` tries everything in a minute or two; its numbers mean nothing.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from torch import Tensor

from benchmarks.trainings import kept, table, trained
from ganvas import objectives, recipes
from ganvas.data.batches import Images
from ganvas.metrics.evaluate import evaluate
from ganvas.metrics.modes import modes
from ganvas.model import load
from ganvas.options import read_options
from ganvas.spaces import save_picture

SEEDS = range(5)

# What lets relativistic pairing find the grid; every objective gets the same.
GRID: dict[str, Any] = {
    "latent": 2,
    "width": 128,
    "layers": 3,
    "batch_size": 128,
    "lr": 1e-3,
    "beta1": 0.0,
    "beta2": 0.99,
    "decay": True,
    "ema": 50_000,
    "steps": 20_000,
}
PENALTIES = {"r1": 0.01, "r2": 0.01}

FIFTH = "with a fifth of their share"

BEST: dict[str, Any] = {"minibatch_deviation": True, "batch_size": 32}
"""Added to `r3gan` for the longest training."""


def grid(out: Path, seeds: range, changes: Mapping[str, Any]) -> str:
    rows = []
    for penalties in (PENALTIES, {}):
        for objective in get_args(objectives.Name):
            found = []
            for seed in seeds if penalties and objective == "relativistic" else seeds[:1]:
                name = f"grid-{objective}-{'penalties' if penalties else 'plain'}-{seed}"
                options = {**GRID, **penalties, "objective": objective, "seed": seed, **changes}
                found.append(_judged(out / name, "vanilla", "grid", options, 5000))
            found_modes, good, shares = (
                [each[key] for each in found] for key in ("modes[coordinates]", "good[coordinates]", FIFTH)
            )
            rows.append(
                [
                    objective,
                    "R1 + R2" if penalties else "none",
                    ", ".join(f"{count:.0f}" for count in found_modes),
                    ", ".join(f"{count:.0f}" for count in shares),
                    ", ".join(f"{100 * share:.1f}" for share in good),
                ]
            )
    return table(["objective", "penalties", "modes of 25, each seed", FIFTH, "good samples, %, each seed"], rows)


def stacked(out: Path, root: Path, minutes: float, best_minutes: float, n: int) -> str:
    every: list[tuple[str, str, str, dict[str, Any]]] = []
    for name in recipes.names():
        if Images not in recipes.find(name).accepts:
            continue
        flags = {option.name for option in read_options(recipes.find(name))}
        labels = "1,000" if "classes" in flags and "conditional" not in flags else "none"
        options: dict[str, Any] = {"minutes": minutes} | ({"conditional": False} if "conditional" in flags else {})
        every.append((name, name, labels, options))
    every.append(("best", "r3gan", "none", {"minutes": best_minutes, "conditional": False, **BEST}))
    rows = []
    for title, recipe, labels, options in every:
        options = {**options, "data_root": root}
        found = _judged(out / f"stacked-{title}", recipe, "stacked-mnist", options, n)
        count, divergence = (_of(found, key) for key in ("modes", "modes KL"))
        rows.append([title, labels, f"{options['minutes']:g}", f"{count:.0f}", f"{divergence:.3f}"])
    return table(["recipe", "labels", "minutes", "modes of 1,000", "KL"], rows)


def _of(found: Mapping[str, Any], name: str) -> float:
    return float(next(value for key, value in found.items() if key.partition("[")[0] == name))


def _judged(run: Path, recipe: str, data: str, options: Mapping[str, Any], n: int) -> dict[str, Any]:
    def judge() -> dict[str, Any]:
        trained(run, recipe, data, options)
        model = load(run)
        save_picture(model.space.show(model.sample(64, seed=1)), run / "grid.jpg")
        report = evaluate(run, metrics=["modes"], n=n, seed=1, progress=False)
        found = {key: score.value for key, score in report.scores.items()}
        return found | {FIFTH: _with_a_fifth(model.sample(n, seed=1))} if data == "grid" else found

    return kept(run.with_suffix(".json"), judge)


def _with_a_fifth(points: Tensor) -> int:
    """Modes of the grid with at least a fifth of their share of points (N, 2), good ones alone counted."""
    counts = modes(points, "grid").counts
    return int((counts >= len(points) / len(counts) / 5).sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/modes"))
    parser.add_argument("--only", choices=["grid", "stacked"])
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--best-minutes", type=float, default=60)
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    shared = Path(os.environ.get("GANVAS_SHARED") or Path(__file__).resolve().parents[2] / "shared")
    root = arguments.data_root or shared / "data" / "mnist"
    out = arguments.out / "quick" if arguments.quick else arguments.out
    out.mkdir(parents=True, exist_ok=True)
    if arguments.only != "stacked":
        changes = {"steps": 20, "batch_size": 16} if arguments.quick else {}
        print(grid(out, range(1) if arguments.quick else SEEDS, changes), flush=True)
    if arguments.only != "grid":
        lengths = (0.02, 0.02, 300) if arguments.quick else (arguments.minutes, arguments.best_minutes, 26_000)
        print(stacked(out, root, *lengths), flush=True)


if __name__ == "__main__":
    main()
