"""Inputs on which an export is traced, and on which it and PyTorch must agree."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle

import torch
from torch import Tensor

from ganvas.inputs import Given
from ganvas.model import Model
from ganvas.spaces import FREE
from ganvas.training import seed_from

BATCHES = (1, 5, 16)
SIZES = ((1, 45, 33), (3, 18, 64))
"""Batches of samples; (batch, height, width) where the sides of what is given are free. None has the size of
`traced`."""


def draws(model: Model, n: int, seed: int, size: tuple[int, int] = (24, 20)) -> dict[str, Tensor]:
    """The inputs of `generate` for `n` samples, as each has its examples; the same for the same seed. What must be
    given is noise, its free sides being those of `size`."""
    with torch.random.fork_rng():
        seed_from(seed)
        given = {name: _noise(each, n, size) for name, each in model.given.items()}
        others = {name: each for name, each in model.recipe.inputs().items() if name not in given}
        given |= {name: each.example(n, model.recipe.device) for name, each in others.items()}
        return {name: each.cpu() for name, each in model.recipe.draw(n, given).items()}


def traced(model: Model) -> dict[str, Tensor]:
    """The inputs that a graph is traced with."""
    return draws(model, 2, seed=0)


def compared(model: Model) -> Iterator[dict[str, Tensor]]:
    """The inputs on which an export and PyTorch must agree."""
    if model.any_size:
        yield from (draws(model, n, seed=n, size=(height, width)) for n, height, width in SIZES)
    else:
        yield from (draws(model, n, seed=n) for n in BATCHES)


def _noise(each: Given, n: int, size: tuple[int, int]) -> Tensor:
    sides = cycle(size)
    shape = [next(sides) if side == FREE else side for side in each.shape]
    if each.space.bounds is None:
        return torch.randn(n, *shape)
    low, high = each.space.bounds
    return (high - low) * torch.rand(n, *shape) + low
