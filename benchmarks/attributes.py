"""How well a run changes each attribute of a table with twins: the error to the exact twin inside the region that
changes, as a share of doing nothing's, and outside it in levels of 255; and a sheet to look at. Beside the share are
those of a real draw and of the best guess, see `ganvas.metrics.attributes`.

With `--reads`, a classifier that learned from real pictures alone tells how often what is made has what was asked for,
and how often real twins have it. It reads the attributes of the drawn faces (see `benchmarks.captions --prepare`).

    python -m benchmarks.attributes runs/stargan-avatars avatars.zip --sheet sheet.png --reads avatars-captioned/
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import ganvas
from benchmarks.captions import COLOURS, SWITCHES, Reader, Real, judge_of
from ganvas.attributes import STAYS
from ganvas.data.batches import Attributed
from ganvas.data.dataset import Data
from ganvas.data.opening import open_data
from ganvas.data.readers import Twin
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
    parser.add_argument("--reads", type=Path, help="a folder that `benchmarks.captions --prepare` wrote")
    asked = parser.parse_args()
    model = ganvas.load(asked.run)
    name, change = changing(model.inputs) or parser.error(f"{asked.run} changes no attributes")
    known = [each.name for each in change.attributes]
    data = open_data(asked.data, Attributed, attributes=",".join(known))
    print(f"{asked.run}, step {model.step:,}")
    heads = f"{'attribute':16} {'pairs':>5} {'visible':>7} {'inside':>7} {'do nothing':>10} {'share':>6} {'outside':>7}"
    print(f"{heads} {'a draw':>7} {'guess':>6}")
    for each, errors in twin_errors(model, data, most=asked.most).items():
        print(
            f"{each:16} {errors.pairs:5} {errors.visible:7} {errors.model:7.1f} {errors.nothing:10.1f} "
            f"{errors.share:6.2f} {errors.outside:7.2f} "
            f"{errors.of_nothing(errors.draw):7.2f} {errors.of_nothing(errors.guess):6.2f}"
        )
    if asked.reads:
        for line in read(model, data, judge_of(Real(asked.reads)), asked.strength):
            print(line)
    if asked.sheet:
        sources, wanted, right = stacked(list(islice(twins_of(data), 48)), data, known)
        made = model.transform(sources, seed=0, **{name: wanted, "strength": asked.strength}).clamp(-1, 1)
        rows = [
            row for start in range(0, 48, 12) for row in (sources, made, right) for row in [row[start : start + 12]]
        ]
        save_picture(data.space.show(torch.cat(rows), columns=12), Path(asked.sheet))


def twins_of(data: Data) -> Iterator[Twin]:
    with closing(find(data.source)) as source:
        yield from data.reader.twins(source, data.space)


def stacked(twins: Sequence[Twin], data: Data, known: Sequence[str]) -> tuple[Tensor, Tensor, Tensor]:
    """Sources, the numbers of what is to change in each, and the twins."""
    wanted = torch.full((len(twins), len(known)), STAYS)
    for row, twin in enumerate(twins):
        wanted[row, known.index(twin.attribute)] = twin.value
    sources, right = (
        data.space.decode(np.stack(each)) for each in zip(*((t.source, t.image) for t in twins), strict=True)
    )
    return sources, wanted, right


def read(model: ganvas.Model, data: Data, judge: Reader, strength: float) -> Iterator[str]:
    """Of each attribute: how often it reads as was asked, for the model, for real twins and for doing nothing."""
    name, change = changing(model.inputs) or ("", None)
    assert change is not None
    known = [each.name for each in change.attributes]
    kinds = [*SWITCHES, "hair_colour"]
    found: dict[str, list[Twin]] = {each: [] for each in known}
    for twin in twins_of(data):
        found[twin.attribute].append(twin)
    for each, twins in found.items():
        column, attribute = kinds.index(each), change.attributes[known.index(each)]
        sources, wanted, right = stacked(twins, data, known)
        numbers = wanted[:, known.index(each)]
        places = [COLOURS.index(attribute.word(number)) if attribute.choices else int(number) for number in numbers]
        visible = (sources != right).flatten(1).any(1)
        made = torch.cat(
            [
                model.transform(part, seed=0, **{name: asked, "strength": strength}).clamp(-1, 1)
                for part, asked in zip(sources.split(64), wanted.split(64), strict=True)
            ]
        )
        told = (torch.tensor(places) == judge.read(pictures)[:, column] for pictures in (made, right, sources))
        shares = [float(row[visible].double().mean()) for row in told]
        yield f"{each:16} reads as asked {shares[0]:.3f}, real twins {shares[1]:.3f}, do nothing {shares[2]:.3f}"


if __name__ == "__main__":
    main()
