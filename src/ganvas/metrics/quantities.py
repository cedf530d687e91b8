"""How far apart the distributions of one quantity are, such as the pitch of sounds: Wasserstein's distance of order 1,
which is in the quantity's own unit."""

from __future__ import annotations

import torch
from torch import Tensor

from ganvas.metrics import bootstrap
from ganvas.spaces import Space

UNITS = {"loudness": "dB", "pitch": "semitones"}
"""Of what `Space.quantities` may hold."""

BINS = 1024


def told_of(space: Space, name: str) -> bool:
    """Whether samples of this space have the quantity."""
    return name in space.quantities(torch.zeros(1, *map(abs, space.shape)))


def wasserstein(real: Tensor, made: Tensor, *, seed: int = 0) -> tuple[float, bootstrap.Interval]:
    """Between the numbers of samples (N, n) and (M, m), with its interval over samples; NaN stands for none. NaN where
    one side has no number."""
    found = [each.double() for each in (real, made)]
    numbers = torch.cat([each[each.isfinite()] for each in found])
    if not all(bool(each.isfinite().any()) for each in found):
        return float("nan"), bootstrap.Interval(float("nan"), float("nan"))
    low, high = float(numbers.min()), float(numbers.max())
    width = max(high - low, 1e-9) / BINS
    counts = [_counts(each, low, width) for each in found]
    one, other = ((each.sum(0) / each.sum()).cumsum(0) for each in counts)
    apart = other - one
    value = float(apart.abs().sum()) * width
    parts = []
    for sign, each, share in ((-1, counts[0], one), (1, counts[1], other)):
        # By how much more of a sample the distance grows, per mean sample (the derivative of a ratio of two sums).
        moved = each.cumsum(1) - each.sum(1, keepdim=True) * share
        parts.append(sign * width * (moved @ apart.sign()) / each.sum(1).mean())
    low, high = bootstrap.around(value, *parts, seed=seed)
    return value, bootstrap.Interval(max(0.0, low), high)


def _counts(values: Tensor, low: float, width: float) -> Tensor:
    """(N, BINS) float64: of each sample, how many numbers lie in each bin."""
    places = ((values - low) / width).nan_to_num(nan=0.0).long().clamp(0, BINS - 1)
    return torch.zeros(len(values), BINS, dtype=torch.float64).scatter_add_(1, places, values.isfinite().double())
