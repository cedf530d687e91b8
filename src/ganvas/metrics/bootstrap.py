"""95% confidence intervals of the scores.

To first order, every score is its expectation plus a mean of one contribution for each sample (von Mises' expansion;
the contributions are values of its influence function). The bootstrap resamples these contributions. A thousand
replicates then cost a fraction of a second, and they centre on the estimate, while replicates of FID itself lie far
above it: a resampled set holds fewer different samples, and FID is the more biased the fewer there are.

An interval says where the score would lie with other samples, as many of them. It does not take away the bias that a
score has at a small number of samples. Precision, recall, density and coverage are resampled with the neighbourhoods
held fixed, so that their intervals are too narrow: in the simulation of tests/test_bootstrap.py, those of 95% hold the
expectation in 82% (density) to 91% of cases.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ganvas.metrics.distributions import (
    Moments,
    divergences,
    frechet_distance,
    inception_score,
    kernel,
    mean_distances,
    mixed_blocks,
)

REPLICATES = 1000


class Interval(NamedTuple):
    """95% confidence interval."""

    low: float
    high: float


def mean_interval(values: Tensor, *, seed: int = 0) -> Interval:
    """Of the mean of (N,) values, one for each sample or pair; values that are not finite make it that, too."""
    return around(float(values.double().mean()), values, seed=seed)


def frechet_interval(real: Tensor, fake: Tensor, *, seed: int = 0) -> Interval:
    """Of `frechet_distance` between features (N, D) and (M, D)."""
    one, other = Moments.of(real), Moments.of(fake)
    contributions = frechet_contributions(one, other, real, fake)
    low, high = around(frechet_distance(one, other), *contributions, seed=seed)
    return Interval(max(0.0, low), high)


def frechet_contributions(one: Moments, other: Moments, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """(N,) and (M,) float64: what each sample adds to FID, but for a constant.

    It is what the sample adds to a mean and a covariance, times the derivative of the distance with respect to them.
    With T the optimal transport map between the Gaussians, a fake x adds
    2 (m2 - m1).(x - m2) + (x - m2)'(1 - T)(x - m2).
    """
    there, back = _transports(one.covariance, other.covariance)
    apart = other.mean - one.mean
    found = []
    for features, moments, transport, towards in ((real, one, back, -apart), (fake, other, there, apart)):
        each = []
        for part in features.split(4096):
            centred = part.double() - moments.mean
            each.append(2 * centred @ towards + (centred * (centred - centred @ transport)).sum(1))
        found.append(torch.cat(each))
    return found[0], found[1]


def _transports(one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """The linear maps that carry N(0, other) to N(0, one), and back; on their common range where rank is not full."""
    root, inverse = _roots(one)
    inner, inner_inverse = _roots(root @ other @ root)
    return root @ inner_inverse @ root, inverse @ inner @ inverse


def _roots(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """The square root of a positive semidefinite matrix, and that root's pseudo-inverse."""
    values, vectors = torch.linalg.eigh((matrix + matrix.T) / 2)
    kept = values > values[-1].clamp(min=0) * 1e-10
    roots = torch.where(kept, values, 0).sqrt()
    inverses = torch.where(kept, 1 / roots, 0)
    return (vectors * roots) @ vectors.T, (vectors * inverses) @ vectors.T


def kernel_interval(real: Tensor, fake: Tensor, *, seed: int = 0) -> Interval:
    """Of the mean of `kernel_distance`, around the unbiased estimate from all pairs within blocks of 2,500 samples."""
    blocks = max(len(mixed_blocks(real)), len(mixed_blocks(fake)))
    estimates, real_parts, fake_parts = [], [], []
    order = [mixed_blocks(side, len(side))[0].tensor_split(blocks) for side in (real, fake)]
    for x, y in zip(*order, strict=True):
        (xx, yy), xy = (kernel(each, each).double().fill_diagonal_(0) for each in (x, y)), kernel(x, y).double()
        of_x = 2 * (xx.sum(1) / (len(x) - 1) - xy.mean(1))
        of_y = 2 * (yy.sum(1) / (len(y) - 1) - xy.mean(0))
        estimates.append(float(of_x.mean() + of_y.mean()) / 2)
        real_parts.append(of_x - of_x.mean())
        fake_parts.append(of_y - of_y.mean())
    return around(sum(estimates) / blocks, torch.cat(real_parts), torch.cat(fake_parts), seed=seed)


def inception_interval(logits: Tensor, *, splits: int = 10, seed: int = 0) -> Interval:
    """Of the mean of `inception_score`, by resampling its logarithm, a mean of divergences."""
    score = torch.tensor(inception_score(logits, splits)[0]).log()
    low, high = around(float(score), divergences(logits), seed=seed)
    return Interval(*torch.tensor([low, high], dtype=torch.float64).exp().tolist())


def diversity_interval(fake: Tensor, real: Tensor, *, seed: int = 0) -> Interval:
    """Of `diversity`, a ratio of two means over pairs, to which each sample adds twice its mean distance to others."""
    mine, theirs = mean_distances(fake), mean_distances(real)
    ratio = mine.mean() / theirs.mean()
    return around(float(ratio), 2 * mine / theirs.mean(), -2 * ratio * theirs / theirs.mean(), seed=seed)


def around(estimate: float, *contributions: Tensor, seed: int) -> Interval:
    """The percentile interval of the estimate plus resampled means of the contributions of one or two sides."""
    generator = torch.Generator().manual_seed(seed)
    deviations = torch.zeros(REPLICATES, dtype=torch.float64)
    for values in contributions:
        centred = (values.double() - values.double().mean()).cpu()
        for replicate in range(REPLICATES):
            drawn = torch.randint(len(centred), (len(centred),), generator=generator)
            deviations[replicate] += centred[drawn].mean()
    low, high = (estimate + deviations.quantile(torch.tensor([0.025, 0.975], dtype=torch.float64))).tolist()
    return Interval(low, high)
