"""What `Recipe.draw` draws, in words that a program without PyTorch can follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from ganvas.model import Model
from ganvas.train import seed_from

LOOKED_AT = 1024
"""Draws that an input is judged by: a mean is then within 0.1 of the true one but for 1 case in 1,000."""


@dataclass(frozen=True)
class Input:
    """One input of `generate`. shape: of one sample, without the batch. kind: each number is from N(0, 1) (`normal`),
    from [-1, 1] evenly (`uniform`), one of `classes` numbers from 0 (`class`), or something else (`other`)."""

    name: str
    shape: tuple[int, ...]
    kind: Literal["normal", "uniform", "class", "other"]
    classes: int = 0

    def to_json(self) -> dict[str, Any]:
        return {key: value for key, value in asdict(self).items() if key != "classes" or value}


def inputs_of(model: Model) -> list[Input]:
    """The inputs of a model's `generate`, in the order of its `draw`. Kinds are judged by what `draw` gives."""
    return [_judged(name, drawn, len(model.labels)) for name, drawn in draws(model, LOOKED_AT, seed=0).items()]


def draws(model: Model, n: int, seed: int) -> dict[str, Tensor]:
    """The inputs of `generate` for `n` samples, all labels in turn; the same for the same seed."""
    given: Mapping[str, Any] = {} if not model.labels else {"label": model.label_numbers(n)}
    with torch.random.fork_rng():
        seed_from(seed)
        return {name: drawn.cpu() for name, drawn in model.recipe.draw(n, given).items()}


def _judged(name: str, drawn: Tensor, labels: int) -> Input:
    shape = tuple(drawn.shape[1:])
    if not drawn.is_floating_point():
        return Input(name, shape, "class", labels if name == "label" and labels else int(drawn.max()) + 1)
    mean, deviation = float(drawn.mean()), float(drawn.std())
    if abs(mean) < 0.1 and abs(deviation - 1) < 0.1 and float(drawn.abs().max()) > 1.5:
        return Input(name, shape, "normal")
    if abs(mean) < 0.1 and abs(deviation - 3**-0.5) < 0.05 and float(drawn.abs().max()) <= 1:
        return Input(name, shape, "uniform")
    return Input(name, shape, "other")
