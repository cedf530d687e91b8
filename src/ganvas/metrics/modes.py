"""Modes: how many of those that the data has were found.

Of the built-in mixtures, `ring` and `grid`, after Srivastava et al. 2017, section 4.1: a sample is good within 3
standard deviations of the nearest centre, and a mode is found where at least one good sample is its own. Of stacked
digits, after Metz et al. 2017, section 3.3.1: a classifier reads the digit in each channel, and the 1,000 combinations
are the modes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from ganvas.data.builtin import mixture


class Modes(NamedTuple):
    """found: modes with at least one good sample. total: modes that there are. good: (N,) whether a sample is good.
    counts: (total,) the good samples of each mode."""

    found: int
    total: int
    good: Tensor
    counts: Tensor


def modes(points: Tensor, name: str) -> Modes:
    """points: (N, 2). name: `ring` or `grid`."""
    centres, deviation = mixture(name)
    distance, nearest = torch.cdist(points.double(), torch.from_numpy(centres)).min(1)
    good = distance <= 3 * deviation
    counts = nearest[good].bincount(minlength=len(centres))
    return Modes(int((counts > 0).sum()), len(centres), good, counts)


class StackedModes(NamedTuple):
    """found: combinations that at least one sample shows. total: those that the data has. kl: KL(samples || data) in
    nats, between the frequencies of all combinations. read: (N,) the combination that each sample shows, 0 to 999."""

    found: int
    total: int
    kl: float
    read: Tensor


def stacked_modes(
    images: Tensor, read_digits: Callable[[Tensor], Tensor], frequencies: Mapping[str, int]
) -> StackedModes:
    """images: (N, 3, H, W). read_digits: a channel of some of them (B, 1, H, W) to digits (B,). frequencies: how often
    the data has each combination, by its three figures. A combination that the data lacks is no mode, and counts in the
    divergence as if the data had it once."""
    parts = [torch.stack([read_digits(part[:, [channel]]) for channel in range(3)]) for part in images.split(256)]
    hundreds, tens, ones = torch.cat(parts, dim=1)
    read = 100 * hundreds + 10 * tens + ones
    real = torch.zeros(1000, dtype=torch.float64)
    for figures, count in frequencies.items():
        real[int(figures)] += count
    made = read.bincount(minlength=1000).double() / len(read)
    terms = made * (made / (real.clamp(min=1) / real.sum())).log()
    there = made > 0
    return StackedModes(int((there & (real > 0)).sum()), int((real > 0).sum()), float(terms[there].sum()), read)
