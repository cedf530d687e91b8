"""What a model's `generate` takes, in words that a program without PyTorch can follow: what `Recipe.draw` draws, or a
picture where the model enlarges."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from ganvas.model.trained import Model
from ganvas.training import seed_from

LOOKED_AT = 1024
"""Draws that an input is judged by: a mean is then within 0.1 of the true one but for 1 case in 1,000."""

FREE = -1
"""In a shape: any size."""

BATCHES = (1, 5, 16)
SIZES = ((1, 45, 33), (3, 18, 64))
"""What an export is compared with PyTorch on: batches of samples, or (batch, height, width) of pictures to enlarge.
None of them has the size of `traced`."""


@dataclass(frozen=True)
class Input:
    """One input of `generate`. shape: of one sample, without the batch. kind: each number is from N(0, 1) (`normal`),
    from [-1, 1] evenly (`uniform`), one of `classes` numbers from 0 (`class`), something else (`other`); or all of it
    is a picture in [-1, 1] (`image`), which is given and not drawn."""

    name: str
    shape: tuple[int, ...]
    kind: Literal["normal", "uniform", "class", "image", "other"]
    classes: int = 0

    def to_json(self) -> dict[str, Any]:
        return {key: value for key, value in asdict(self).items() if key != "classes" or value}


def inputs_of(model: Model) -> list[Input]:
    """The inputs of a model's `generate`, in the order of its `draw`. Kinds are judged by what `draw` gives."""
    if model.enlarges:
        return [Input("low", (model.space.shape[0], FREE, FREE), "image")]
    return [_judged(name, drawn, len(model.labels)) for name, drawn in draws(model, LOOKED_AT, seed=0).items()]


def draws(model: Model, n: int, seed: int, size: tuple[int, int] = (24, 20)) -> dict[str, Tensor]:
    """The inputs of `generate` for `n` samples, all labels in turn; the same for the same seed. Of a model that
    enlarges: `n` pictures of noise of (height, width) `size`."""
    given: dict[str, Any] = {} if not model.labels else {"label": model.label_numbers(n)}
    with torch.random.fork_rng():
        seed_from(seed)
        if model.enlarges:
            given["low"] = 2 * torch.rand(n, model.space.shape[0], *size) - 1
        return {name: drawn.cpu() for name, drawn in model.recipe.draw(n, given).items()}


def traced(model: Model) -> dict[str, Tensor]:
    """The inputs that a graph is traced with."""
    return draws(model, 2, seed=0)


def compared(model: Model) -> Iterator[dict[str, Tensor]]:
    """The inputs on which an export and PyTorch must agree."""
    if model.enlarges:
        yield from (draws(model, n, seed=n, size=(height, width)) for n, height, width in SIZES)
    else:
        yield from (draws(model, n, seed=n) for n in BATCHES)


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
