"""Whether `ganvas tune` finds settings at least as good as a recipe's defaults, and rescues a bad start.

    python -m benchmarks.tuning ring        vanilla on the ring of Gaussians, from its defaults
    python -m benchmarks.tuning ring --rescue        the same, begun with a learning rate 30 times as high
    python -m benchmarks.tuning digits               r3gan on digits
    python -m benchmarks.tuning digits --rescue

A study of short trials is judged by validation items. Then the settings that it found, those that it began with and the
recipe's defaults are trained with seeds that the study never saw, for the same budget, and judged by test items. Seed
by seed the winner is named; the processor's seconds are those of this process. A study that is there already is used.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ganvas
from ganvas.metrics.passport import shortfall

SEEDS = (10, 11, 12)
TIMES = 30


@dataclass(frozen=True)
class Case:
    recipe: str
    budget: dict[str, Any]
    lr: float
    metric: str
    extractor: str


CASES = {
    "ring": Case("vanilla", {"steps": 1500}, 1e-3, "coverage", "coordinates"),
    "digits": Case("r3gan", {"steps": 150, "width": 16}, 1e-3, "kid", "native"),
}


def scored(case: Case, data: str, run: Path, seed: int, options: dict[str, Any]) -> tuple[float, float]:
    """(the score of test items, how far it is from the best) of a training with these options."""
    told = run / "test.json"
    if not told.is_file():
        try:
            ganvas.train(case.recipe, data=data, out=run, quiet=True, keep=1, **{**options, "seed": seed})
        except ganvas.GanvasError as error:
            run.mkdir(parents=True, exist_ok=True)
            told.write_text(json.dumps({"broken": str(error)}))
            print(f"    {run.name}: {error}")
        else:
            report = ganvas.evaluate(
                run, metrics=[case.metric], extractor=case.extractor, split="test", n=1000, progress=False
            )
            report.save(told)
    content = json.loads(told.read_text())
    if "broken" in content:
        return float("nan"), float("inf")
    ((_, score),) = list(content["scores"].items())[:1]
    value = float(score["value"])
    return value, float(shortfall(score["better"], value) or 0.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", choices=CASES)
    parser.add_argument("--rescue", action="store_true")
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--finalists", type=int, default=5)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/tuning"))
    parsed = parser.parse_args()
    case, began = CASES[parsed.data], time.process_time()
    budget = {**case.budget, **({} if parsed.steps is None else {"steps": parsed.steps})}
    start = {"lr": TIMES * case.lr} if parsed.rescue else {}
    folder = parsed.out / f"{parsed.data}{'-rescue' if parsed.rescue else ''}-{parsed.seed}"
    found = ganvas.tune(
        case.recipe, data=parsed.data, trials=parsed.trials, out=folder / "study", score=case.metric,
        extractor=case.extractor, finalists=parsed.finalists, quiet=True, tell=print, seed=parsed.seed,
        **{**budget, **start},
    )  # fmt: skip
    print(found)
    print(f"searched in {time.process_time() - began:,.0f} s of the processor")
    sides = {"defaults": budget, "start": {**budget, **start}, "best": dict(found.best)}
    if not parsed.rescue:
        del sides["start"]
    wins = 0
    for seed in SEEDS:
        told = {
            name: scored(case, parsed.data, folder / f"{name}-{seed}", seed, options) for name, options in sides.items()
        }
        wins += told["best"][1] <= told["defaults"][1]
        print(f"seed {seed}: " + ", ".join(f"{name} {value:.4g}" for name, (value, _) in told.items()))
    print(f"the best is at least as good as the defaults on {wins} of {len(SEEDS)} seeds ({case.metric}, test items)")
    print(f"{time.process_time() - began:,.0f} s of the processor")


if __name__ == "__main__":
    main()
