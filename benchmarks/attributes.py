"""How well a run changes each attribute of a table with twins: the error to the exact twin inside the region that
changes, as a share of doing nothing's, and outside it in levels of 255; and a sheet to look at.

    python -m benchmarks.attributes runs/stargan-avatars avatars.zip --sheet sheet.png
"""

from __future__ import annotations

import argparse
from contextlib import closing
from itertools import islice
from pathlib import Path

import numpy as np
import torch

import ganvas
from ganvas.attributes import STAYS
from ganvas.data.batches import Attributed
from ganvas.data.opening import open_data
from ganvas.data.sources import find
from ganvas.metrics.attributes import changing, twin_errors
from ganvas.spaces import save_picture


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("data")
    parser.add_argument("--most", type=int, help="twins of each attribute (default: all)")
    parser.add_argument("--sheet", help="a picture: each source, what is made of it, and the twin below")
    parser.add_argument("--strength", type=float, default=1.0)
    asked = parser.parse_args()
    model = ganvas.load(asked.run)
    name, change = changing(model.inputs) or parser.error(f"{asked.run} changes no attributes")
    known = [each.name for each in change.attributes]
    data = open_data(asked.data, Attributed, attributes=",".join(known))
    print(f"{asked.run}, step {model.step:,}")
    print(f"{'attribute':16} {'pairs':>5} {'visible':>7} {'inside':>7} {'do nothing':>10} {'share':>6} {'outside':>7}")
    for each, errors in twin_errors(model, data, most=asked.most).items():
        print(
            f"{each:16} {errors.pairs:5} {errors.visible:7} {errors.model:7.1f} {errors.nothing:10.1f} "
            f"{errors.share:6.2f} {errors.outside:7.2f}"
        )
    if asked.sheet:
        space = data.space
        with closing(find(data.source)) as source:
            twins = list(islice(data.reader.twins(source, space), 48))
        wanted = torch.full((len(twins), len(known)), STAYS)
        for row, twin in enumerate(twins):
            wanted[row, known.index(twin.attribute)] = twin.value
        sources, right = (
            space.decode(np.stack(each)) for each in zip(*((t.source, t.image) for t in twins), strict=True)
        )
        made = model.transform(sources, seed=0, **{name: wanted, "strength": asked.strength}).clamp(-1, 1)
        rows = [
            row for start in range(0, 48, 12) for row in (sources, made, right) for row in [row[start : start + 12]]
        ]
        save_picture(space.show(torch.cat(rows), columns=12), Path(asked.sheet))


if __name__ == "__main__":
    main()
