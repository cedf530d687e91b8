"""How well a model changes attributes, by exact twins: pictures of the data in which one attribute differs.

Two numbers for each attribute. Inside the region that truly changes: how far the model's picture is from the twin,
beside how far the source is, which is what doing nothing costs (1 is no better than that, 0 the twin itself). Outside:
how far it is from what should have stayed, in levels of 255.

Which of all beards the twin has is chance, and no model knows it. What that costs is told by the changes that other
twins show, put into the source: one of them at random is a draw as good as real ones are. Their median at each pixel
is the best guess that a few twins allow; a model that has seen more can be better.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganvas.attributes import STAYS
from ganvas.data.dataset import Data
from ganvas.data.readers import Twin
from ganvas.data.rows import spread
from ganvas.data.sources import find
from ganvas.inputs import Attributes, Input
from ganvas.metrics.passport import Score
from ganvas.model import Model
from ganvas.spaces import Space

_AT_A_TIME = 64

_LIKE = 9
"""Twins, those whose sources are most alike where they change, whose changes are put into another source."""


@dataclass(frozen=True)
class TwinErrors:
    """Of one attribute. model, nothing: mean absolute error inside the changed region, averaged over the twins in which
    anything changes, for the model and for doing nothing; draw, guess: the same for a change that another twin shows,
    and for the median of such changes, NaN where no twin has another of its kind; outside: the model's elsewhere, over
    all twins. All in levels of 255. pairs: how many twins there are; visible: those in which anything changes."""

    pairs: int
    visible: int
    model: float
    nothing: float
    outside: float
    draw: float
    guess: float

    @property
    def share(self) -> float:
        """What is left of the error that doing nothing has."""
        return self.of_nothing(self.model)

    def of_nothing(self, levels: float) -> float:
        """An error inside as a share of doing nothing's."""
        return levels / self.nothing if self.nothing else float("nan")


def twin_scores(model: Model, data: Data, *, most: int | None = None) -> dict[str, Score]:
    """`inside[NAME]`, as a share of doing nothing's error, beside those of a real draw and of the best guess, and
    `outside[NAME]`, in levels, for each attribute that the model can change and the data has twins for; {} where it has
    none. most: twins of each attribute, spread evenly."""
    scores: dict[str, Score] = {}
    for name, errors in twin_errors(model, data, most=most).items():
        told: dict[str, Any] = {"do nothing": errors.nothing, "levels": errors.model, "visible": errors.visible}
        chance = {"real draw": errors.of_nothing(errors.draw), "best guess": errors.of_nothing(errors.guess)}
        told["beside"] = {
            who: {"value": share, "interval": None} for who, share in chance.items() if not math.isnan(share)
        }
        inside = Score("inside", name, errors.share, None, "lower", errors.pairs, errors.visible, told)
        outside = Score("outside", name, errors.outside, None, "lower", errors.pairs, errors.pairs)
        scores |= {each.key: each for each in (inside, outside)}
    return scores


def twin_errors(model: Model, data: Data, *, most: int | None = None) -> dict[str, TwinErrors]:
    """By attribute, in the model's order; {} where there are no twins of any."""
    change = changing(model.inputs)
    space = data.space
    if change is None:
        return {}
    name, attributes = change
    found: dict[str, list[Twin]] = {each.name: [] for each in attributes.attributes}
    with closing(find(data.source, data.data_root)) as source:
        for twin in data.reader.twins(source, space):
            if twin.attribute in found:
                found[twin.attribute].append(twin)
    return {
        attribute: _errors(model, name, list(found), spread(twins, most), space)
        for attribute, twins in found.items()
        if twins
    }


def changing(inputs: Mapping[str, Input]) -> tuple[str, Attributes] | None:
    """The input by which attributes are changed, with its name; None where there is none."""
    return next(((name, each) for name, each in inputs.items() if isinstance(each, Attributes)), None)


def _errors(model: Model, name: str, known: list[str], twins: Sequence[Twin], space: Space) -> TwinErrors:
    inside, nothing, outside = [], [], []
    for start in range(0, len(twins), _AT_A_TIME):
        some = twins[start : start + _AT_A_TIME]
        source, right = (
            space.decode(np.stack(rows)) for rows in zip(*((t.source, t.image) for t in some), strict=True)
        )
        wanted = torch.full((len(some), len(known)), STAYS)
        for row, twin in enumerate(some):
            wanted[row, known.index(twin.attribute)] = twin.value
        given: dict[str, Any] = {name: wanted}
        made = model.transform(source, seed=0, **given)
        changed = (source != right).any(1)
        error, still = _levels(made, right), _levels(source, right)
        for place in range(len(some)):
            where = changed[place]
            if where.any():
                inside.append(float(error[place][where].mean()))
                nothing.append(float(still[place][where].mean()))
            outside.append(float(error[place][~where].mean()) if not where.all() else 0.0)
    draw, guess = _chance(twins, space)
    return TwinErrors(len(twins), len(inside), _mean(inside), _mean(nothing), _mean(outside), draw, guess)


def _chance(twins: Sequence[Twin], space: Space) -> tuple[float, float]:
    """Errors inside, in levels: of the changes of other twins to the same value, on average, and of their median."""
    stored = (np.stack(rows) for rows in zip(*((t.source, t.image) for t in twins), strict=True))
    sources, right = (space.decode(rows) for rows in stored)
    changed = (sources != right).any(1)
    values = torch.tensor([twin.value for twin in twins])
    draws: list[float] = []
    guesses: list[float] = []
    for place in range(len(twins)):
        others = ((values == values[place]) & changed.flatten(1).any(1)).nonzero().flatten()
        others = others[others != place]
        if not changed[place].any() or not len(others):
            continue
        apart = _levels(sources[others], sources[place]) * changed[others]
        apart = apart.sum((1, 2)) / changed[others].sum((1, 2))
        others = others[apart.argsort()[:_LIKE]]
        shown = torch.where(changed[others, None], right[others], sources[place])
        guess = shown.quantile(0.5, dim=0, keepdim=True)
        for found, pictures in ((draws, shown), (guesses, guess)):
            found.append(float(_levels(pictures, right[place])[:, changed[place]].mean()))
    return (_mean(draws), _mean(guesses)) if draws else (math.nan, math.nan)


def _levels(a: Tensor, b: Tensor) -> Tensor:
    """(B, H, W): the mean absolute difference over the channels, in levels of 255."""
    return (a - b).abs().mean(1) * 127.5


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else 0.0
