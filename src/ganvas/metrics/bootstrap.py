"""95% confidence intervals of the scores.

Every score is, to first order, a constant plus a mean of one contribution for each sample (its influence function), so
the bootstrap resamples those contributions: a thousand replicates cost a fraction of a second, and unlike replicates
of the score itself they are not shifted by its bias.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Interval(NamedTuple):
    """95% confidence interval."""

    low: float
    high: float


def mean_interval(values: Tensor, *, seed: int = 0) -> Interval:
    """Of the mean of (N,) values, one for each pair or sample."""
    raise NotImplementedError


def frechet_interval(real: Tensor, fake: Tensor, *, seed: int = 0) -> Interval:
    """Of `frechet_distance` between features (N, D) and (M, D)."""
    raise NotImplementedError


def kernel_interval(real: Tensor, fake: Tensor, *, seed: int = 0) -> Interval:
    """Of the mean of `kernel_distance`."""
    raise NotImplementedError


def inception_interval(logits: Tensor, *, splits: int = 10, seed: int = 0) -> Interval:
    """Of the mean of `inception_score`."""
    raise NotImplementedError


def precision_recall_intervals(real: Tensor, fake: Tensor, k: int = 3, *, seed: int = 0) -> tuple[Interval, Interval]:
    raise NotImplementedError


def density_coverage_intervals(real: Tensor, fake: Tensor, k: int = 5, *, seed: int = 0) -> tuple[Interval, Interval]:
    raise NotImplementedError


def diversity_interval(fake: Tensor, real: Tensor, *, seed: int = 0) -> Interval:
    raise NotImplementedError
