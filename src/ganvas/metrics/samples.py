"""What is judged, and what it is judged by: samples in the form that a file would hold.

Images are rounded to 8 bits and sounds to 16, because that is what a user gets, and what the data itself is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganvas.data.dataset import Data, Split
from ganvas.data.rows import SPLITS
from ganvas.errors import DataError, RunError, UsageError, near_miss
from ganvas.features.weights import weights_hash
from ganvas.model import Model, folders_of
from ganvas.progress_bar import steps
from ganvas.text import quoted, shown

HELD_OUT = "validation+test"
ALL = "all"
"""All splits together, in the place of one."""


@dataclass(frozen=True)
class Samples:
    """values: (N, ...) as their space encodes them: uint8 (N, C, H, W) for images, float32 (N, D) for points, int16
    (N, C, T) for sounds. labels: (N,) int64, numbers among the labels of the data that judges, or None. about: where
    they come from, for the passport."""

    values: Tensor
    labels: Tensor | None
    about: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, chosen: Tensor) -> Samples:
        return replace(self, values=self.values[chosen], labels=None if self.labels is None else self.labels[chosen])


def of_model(
    model: Model,
    name: str,
    n: int,
    *,
    labels: Sequence[str] = (),
    seed: int = 0,
    truncation: float | None = None,
    progress: bool = False,
) -> Samples:
    """`n` samples of a model, of all its labels in turn. labels: of the data that judges.

    Raises RunError, naming the model, where a sample is not finite.
    """
    done, pieces = 0, []
    blocks = model.blocks(n, seed=seed, truncation=truncation)
    for block in steps(blocks, -(-n // model.space.block), f"sampling {n:,}", progress):
        broken = int((~block.isfinite()).flatten(1).any(1).sum())
        if broken:
            raise RunError(
                f"{name} (step {model.step:,}) cannot be judged: {broken:,} of its samples {done + 1:,} to "
                f"{done + len(block):,} hold NaN or infinities, so its weights are broken"
            )
        pieces.append(model.space.encode(block))
        done += len(block)
    numbers = model.classes(n, {}).get("label")
    about = {
        "kind": "model",
        "name": name,
        "recipe": type(model.recipe).__name__,
        "step": model.step,
        "weights": weights_hash(model.recipe.state_dict()),
        "truncation": truncation,
        "seed": seed,
        "count": n,
    }
    return Samples(torch.cat(pieces), _renumbered(numbers, model.labels, labels), about)


def of_data(data: Data, split: str, n: int | None = None, seed: int = 0) -> tuple[Samples, np.ndarray]:
    """Items of a split, of several such as `validation+test`, or of `all`, with their places in it: all of them, or `n`
    that are drawn by `seed`."""
    items = split_of(data, split)
    places = np.arange(len(items))
    if n is not None and n < len(items):
        bits = np.random.PCG64(np.random.SeedSequence(seed)).random_raw(len(items))
        places = np.sort(np.argsort(bits, kind="stable")[:n])
    pieces = []
    for start in range(0, len(places), 1024):
        pieces.append(data.space.encode(items.gather(places[start : start + 1024]).value))
    shape = (0, *data.space.shape)
    values = torch.cat(pieces) if pieces else torch.empty(shape)
    labels = None if items.labels is None else torch.from_numpy(items.labels[places])
    return Samples(values, labels), places


def of_source(judged: Data, n: int | None, *, labels: Sequence[str] = (), seed: int = 0) -> Samples:
    """The items of a folder, an archive or an array file as samples: all, or `n` drawn by `seed`."""
    samples, _ = of_data(judged, ALL, n, seed)
    about = {
        "kind": "files",
        "name": judged.name,
        "source": judged.source,
        "fingerprint": judged.fingerprint,
        "seed": seed,
        "count": len(samples),
    }
    # Names as labels have them, or as `ganvas sample` calls their folders.
    names = labels if set(judged.labels) <= set(labels) else folders_of(labels)
    return Samples(samples.values, _renumbered(samples.labels, judged.labels, names), about)


def count_of(data: Data, split: str) -> int:
    """Items in a split, or in several. Raises UsageError for a split that does not exist."""
    return sum(data.counts[part] for part in _parts(split))


def in_order(split: str) -> str:
    """A split, or several, as passports have it: `validation+test`, and `all` where none is left out."""
    parts = _parts(split)
    return ALL if len(parts) == len(SPLITS) else "+".join(parts)


def check_same_space(judged: Data, data: Data) -> None:
    """Raises DataError, with what to do, unless both hold the same kind of items."""
    if judged.space == data.space:
        return
    mine, other = judged.space, data.space
    if flags := other.matching(mine):
        raise DataError(
            f"{shown(judged.source)} gives {mine}, and {shown(data.source)} gives {other}: bring both to the same form "
            f"with {flags}"
        )
    raise DataError(f"{shown(judged.source)} holds {mine}, and {shown(data.source)} holds {other}: not comparable")


def split_of(data: Data, split: str) -> Split:
    """The items of a split, of several, or of all, in the order of their names."""
    places = [data.split(part).places for part in _parts(split)]
    return replace(data.split("train"), places=np.sort(np.concatenate(places)))


def _parts(split: str) -> list[str]:
    if split == ALL:
        return list(SPLITS)
    parts = sorted(set(split.split("+")), key=lambda part: (SPLITS.index(part) if part in SPLITS else -1, part))
    if parts[0] not in SPLITS:
        raise UsageError(
            f"there is no split {quoted(parts[0])}{near_miss(parts[0], (*SPLITS, ALL))}; join several with +"
        )
    return parts


def _renumbered(numbers: Tensor | None, own: Sequence[str], theirs: Sequence[str]) -> Tensor | None:
    """Labels by the numbers that the data gives to the same names; None where it does not have all of them."""
    if numbers is None or not set(own) <= set(theirs):
        return None
    table = torch.tensor([list(theirs).index(name) for name in own])
    return table[numbers]
