"""Modes of the built-in mixtures, `ring` and `grid`: how many were found, and how many samples lie on one.

The standard test for lost modes (Srivastava et al. 2017, section 4.1): a sample is good within 3 standard deviations of
the nearest centre, and a mode is found where at least one good sample is its own.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ganvas.data.builtin import mixture


class Modes(NamedTuple):
    """found: modes with at least one good sample. total: modes that there are. good: (N,) whether a sample is good."""

    found: int
    total: int
    good: Tensor


def modes(points: Tensor, name: str) -> Modes:
    """points: (N, 2). name: `ring` or `grid`."""
    centres, deviation = mixture(name)
    distance, nearest = torch.cdist(points.double(), torch.from_numpy(centres)).min(1)
    good = distance <= 3 * deviation
    return Modes(len(nearest[good].unique()), len(centres), good)
