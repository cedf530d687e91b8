"""How near inversion comes to held-out pictures, beside the nearest of 1,000 draws.

    python -m benchmarks.inversion RUN [--data SOURCE] [--count 12] [--steps 200 | --seconds 5] [--grid PICTURE]

Pictures of the test split, which the run has not seen; their labels are not given. Distances are by lite2, under which
the search goes downhill, by lite0, which takes no part in it, and by pixels (mean square). Each is divided by that of
the draw that is nearest by the same measure, of all 1,000 and not only of those that the search looks at. Seconds are
of the processor, the draws included. The picture has a column for each: what was asked for, the nearest draw by lite2,
what was found.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import ganvas
from benchmarks.trainings import table
from ganvas.data.opening import reopen
from ganvas.features.likeness import Likeness
from ganvas.run import read_config
from ganvas.spaces import save_picture

DRAWS, MEASURES = 1000, ("lite2", "lite0", "pixels")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--data", help="where the run's data lie now")
    parser.add_argument("--count", type=int, default=12)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--grid", type=Path)
    asked = parser.parse_args()
    model = ganvas.load(asked.run)
    data = reopen(read_config(asked.run)["data"], accepts=model.recipe.accepts, source=asked.data, progress=False)
    held_out = data.split("test")
    count = min(asked.count, len(held_out))
    targets = held_out.gather(np.linspace(0, len(held_out) - 1, count).astype(int)).value
    drawn = model.sample(DRAWS, seed=1)
    model.invert(targets[:1], steps=1)  # loads the network
    ratios, seconds, steps, columns = [], [], [], []
    for target in targets.split(1):
        wall, began = time.monotonic(), time.process_time()
        found = model.invert(target, steps=asked.steps, seconds=asked.seconds, draws=DRAWS)
        seconds.append((time.process_time() - began, time.monotonic() - wall))
        steps.append(int(found.steps))
        apart = [(_distances(model, target, found.samples, m), _distances(model, target, drawn, m)) for m in MEASURES]
        ratios.append([float(one.min() / best.min()) for one, best in apart])
        columns.append(torch.cat([target, drawn[apart[0][1].argmin()][None], found.samples]))
        print(" ".join(f"{ratio:.3f}" for ratio in ratios[-1]), f"{seconds[-1][0]:.1f} s", flush=True)
    middle, mean = torch.tensor(ratios).median(0).values, torch.tensor(ratios).mean(0)
    rows = [[name, *(f"{ratio:.3f}" for ratio in each.tolist())] for name, each in (("median", middle), ("mean", mean))]
    print(f"\n{asked.run}, {count} held-out pictures, distance beside the nearest of {DRAWS:,} draws")
    print(table(["", *MEASURES], rows))
    spent, waited = np.median(np.array(seconds), 0)
    print(f"{np.median(steps):.0f} steps, {spent:.1f} s of the processor, {waited:.1f} s in all, medians")
    if asked.grid is not None:
        rows_of = torch.stack(columns, 1).flatten(0, 1)
        save_picture(model.space.show(rows_of, columns=count), asked.grid)


def _distances(model: ganvas.Model, target: Tensor, samples: Tensor, measure: str) -> Tensor:
    with torch.no_grad():
        if measure == "pixels":
            return (samples - target).square().flatten(1).mean(1)
        like = Likeness(model.space, target, network=measure)
        return torch.cat([like(part) for part in samples.split(100)])


if __name__ == "__main__":
    main()
