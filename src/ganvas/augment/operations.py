"""Operations whose parameters are drawn apart from being applied.

A draw is a matrix of numbers from [0, 1), a row for each sample; what an operation does to a sample is a function of
its row alone. So real and generated samples can be changed alike, one change can be repeated, and the n-th row is the
same however many rows are drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

How = Literal["diff", "ada"]
"""Differentiable augmentation (Zhao et al. 2020), which changes all samples, and adaptive discriminator augmentation
(Karras et al. 2020), which changes each in some ways, with a probability that follows how much is needed."""


@dataclass(frozen=True)
class Operation:
    """One way to change samples.

    decide: of numbers (B, `numbers`), a probability (a tensor without dimensions) and the shape of one sample, what
    will be done, as tensors. apply: of samples (B, ...) and these, the changed samples, differentiable twice. numbers:
    how many it takes for a sample. moves: whether it only moves or hides what there is, so that it does the same to
    anything on the same grid, such as a picture and its source. usual: whether it is among those that are taken where
    nobody chooses.
    """

    decide: Callable[[Tensor, Tensor, torch.Size], Decided]
    apply: Callable[..., Tensor]
    numbers: int
    moves: bool = False
    usual: bool = True


Decided = tuple[Tensor, ...]

Operations = Mapping[str, Operation]
"""By name, in the order in which they are applied."""


def drawn(operations: Operations, count: int, seed: int) -> Tensor:
    """(count, N): what decides about `count` samples, as a function of the seed, on any device the same. The first rows
    are those of a smaller count."""
    numbers = sum(each.numbers for each in operations.values())
    return torch.rand(count, numbers, generator=torch.Generator().manual_seed(seed))


def decided(operations: Operations, draw: Tensor, probability: Tensor, shape: torch.Size) -> list[Decided]:
    """What will be done to each of B samples of this shape. draw: (B, N) of `drawn`. probability: of each change."""
    parts = draw.split([each.numbers for each in operations.values()], dim=1)
    with torch.autocast(draw.device.type, enabled=False):
        return [each.decide(part, probability, shape) for each, part in zip(operations.values(), parts, strict=True)]


def shown(operations: Operations, samples: Tensor, changes: list[Decided]) -> Tensor:
    """Samples (B, ...) after all operations, float32, with `changes` of `decided`.

    In float32 also within autocast: a sample that few bits hold is another one.
    """
    with torch.autocast(samples.device.type, enabled=False):
        samples = samples.float()
        for operation, change in zip(operations.values(), changes, strict=True):
            samples = operation.apply(samples, *change)
    return samples
