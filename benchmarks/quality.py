"""Every recipe on real colour pictures, for the same time, judged by a classifier that saw real pictures only.

    python -m benchmarks.quality [--out runs/quality] [--data FOLDER|ARCHIVE] [--minutes 10] [--long 30] [--quick]

The data is CIFAR-10 as JPEG files (`cifar10-jpeg.zip` in $GANVAS_SHARED/data or ../shared/data beside the repository).
Every recipe trains --minutes with its defaults (conditional where it can be by `--conditional`), averaged weights; the
score is FID in the features of `native`, of 10,000 samples beside 10,000 training pictures. Then the best combination
that was found (`BEST`) trains --minutes too, it and `dcgan` train --long minutes on two seeds, and `cgan` with as many
parameters as `lapgan` trains --minutes. Grids of 60 samples lie beside the runs. What is finished is kept in --out,
what was interrupted goes on. `--quick` tries everything in a minute or two; its numbers mean nothing.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.trainings import kept, table, trained
from ganvas import recipes
from ganvas.data.opening import open_data
from ganvas.metrics.evaluate import evaluate
from ganvas.model import load
from ganvas.options import checked, read_options
from ganvas.spaces import save_picture

SCORE = "FID[native]"

BEST: dict[str, Any] = {"batch_size": 32}
"""Added to `r3gan`: more steps in the same time (docs/benchmarks.md)."""


def quality(out: Path, data: str, minutes: float, long: float, n: int) -> str:
    every = {name: _judged(out / name, name, data, {"minutes": minutes, **_conditional(name)}, n) for name in _suited()}
    rows = [[name, _told(found), f"{found['step']:,}", f"{minutes:g}"] for name, found in every.items()]
    found = _judged(out / "best", "r3gan", data, {"minutes": minutes, **_conditional("r3gan"), **BEST}, n)
    rows.append(["best", _told(found), f"{found['step']:,}", f"{minutes:g}"])
    for title, name, added in (("best", "r3gan", BEST), ("dcgan", "dcgan", {})):
        for seed in range(2):
            options = {"minutes": long, "seed": seed, **_conditional(name), **added}
            found = _judged(out / f"{title}-long-{seed}", name, data, options, n)
            rows.append([f"{title}, seed {seed}", _told(found), f"{found['step']:,}", f"{long:g}"])
    width = equal_width(data)
    found = _judged(out / "cgan-as-lapgan", "cgan", data, {"minutes": minutes, "width": width, "d_width": width}, n)
    rows.append([f"cgan, width {width} (lapgan's parameters)", _told(found), f"{found['step']:,}", f"{minutes:g}"])
    return table(["recipe", f"{SCORE} and its 95% interval", "steps", "minutes"], rows)


def equal_width(data: str) -> int:
    """The width at which `cgan` has about as many parameters as `lapgan`."""
    facts = open_data(data, progress=False).facts()
    wanted = _parameters("lapgan", facts, {})
    return min(range(8, 512, 4), key=lambda w: abs(_parameters("cgan", facts, {"width": w, "d_width": w}) - wanted))


def _parameters(name: str, facts: Mapping[str, Any], arguments: Mapping[str, Any]) -> int:
    recipe = recipes.find(name)
    known = {option.name for option in read_options(recipe)}
    made = recipe(**checked(recipe, {k: v for k, v in facts.items() if k in known} | dict(arguments)))
    return sum(parameter.numel() for parameter in made.parameters())


def _suited() -> list[str]:
    """The recipes that learn from single images."""
    from ganvas.data.batches import Images

    return [name for name in recipes.names() if Images in recipes.find(name).accepts]


def _conditional(name: str) -> dict[str, Any]:
    flags = {option.name for option in read_options(recipes.find(name))}
    return {"conditional": True} if "conditional" in flags else {}


def _judged(run: Path, recipe: str, data: str, options: Mapping[str, Any], n: int) -> dict[str, Any]:
    def judge() -> dict[str, Any]:
        trained(run, recipe, data, options)
        model = load(run)
        save_picture(model.space.show(model.sample(60, seed=1), columns=10), run / "grid.jpg")
        report = evaluate(run, metrics=["fid"], extractor="native", n=n, seed=1, progress=False)
        score = report.scores[SCORE]
        bounds = None if score.interval is None else [score.interval.low, score.interval.high]
        return {SCORE: score.value, "interval": bounds, "step": model.step}

    return kept(run.with_suffix(".json"), judge)


def _told(found: Mapping[str, Any]) -> str:
    bounds = "" if found["interval"] is None else " ({:.4g} to {:.4g})".format(*found["interval"])
    return f"{found[SCORE]:.4g}{bounds}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/quality"))
    parser.add_argument("--data", help="a folder or archive with a sub-folder for each class")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--long", type=float, default=30)
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    shared = Path(os.environ.get("GANVAS_SHARED") or Path(__file__).resolve().parents[2] / "shared")
    data = arguments.data or str(shared / "data" / "cifar10-jpeg.zip")
    out = arguments.out / "quick" if arguments.quick else arguments.out
    out.mkdir(parents=True, exist_ok=True)
    lengths = (0.02, 0.02, 300) if arguments.quick else (arguments.minutes, arguments.long, 10_000)
    print(quality(out, data, *lengths), flush=True)


if __name__ == "__main__":
    main()
