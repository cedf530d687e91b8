"""Typed batches: what a recipe's `losses` receive.

Every field is a tensor whose first dimension is the batch, or None where the data does not have it. A batch has
`len`, takes slices, splits with `.chunk(n)` and moves with `.to(device)`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Self

import torch
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Base of all batches. The first field is what a generator must imitate, `value` names it whatever its kind."""

    @property
    def value(self) -> Tensor:
        tensor: Tensor = getattr(self, fields(self)[0].name)
        return tensor

    @property
    def device(self) -> torch.device:
        return self.value.device

    def _tensors(self) -> dict[str, Tensor]:
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) is not None}

    def __len__(self) -> int:
        return len(self.value)

    def __getitem__(self, index: slice) -> Self:
        return replace(self, **{name: tensor[index] for name, tensor in self._tensors().items()})

    def chunk(self, parts: int) -> list[Self]:
        """`parts` batches of equal length, in order. Raises ValueError where the length does not divide."""
        if len(self) % parts:
            raise ValueError(f"a batch of {len(self)} does not divide into {parts} equal parts")
        length = len(self) // parts
        return [self[start : start + length] for start in range(0, len(self), length)]

    def given(self) -> dict[str, Tensor]:
        """What generation can be conditioned on, by the names that recipes give their inputs."""
        return {}

    def to(self, device: torch.device | str) -> Self:
        return replace(self, **{name: tensor.to(device, non_blocking=True) for name, tensor in self._tensors().items()})


@dataclass(frozen=True)
class Images(Batch):
    """image: (B, C, H, W) float32 in [-1, 1], channels-last in memory; label: (B,) int64 class numbers, or None."""

    image: Tensor
    label: Tensor | None = None

    def given(self) -> dict[str, Tensor]:
        return {} if self.label is None else {"label": self.label}


@dataclass(frozen=True)
class Points(Batch):
    """point: (B, D) float32 in the data's own units; label: (B,) int64 class numbers, or None."""

    point: Tensor
    label: Tensor | None = None

    def given(self) -> dict[str, Tensor]:
        return {} if self.label is None else {"label": self.label}


@dataclass(frozen=True)
class Photos(Batch):
    """Pieces of photos at two sizes. image: (B, C, H, W) float32 in [-1, 1], channels-last in memory; low: the same
    pieces in low resolution, (B, C, H / scale, W / scale)."""

    image: Tensor
    low: Tensor

    def given(self) -> dict[str, Tensor]:
        return {"low": self.low}
