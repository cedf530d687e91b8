"""How near is one set of samples to another, in an extractor's features?

Pure functions of features (N, D). `real` is the data, `fake` what is judged. Means, covariances and kernels are
computed in float64; distances in the features' own precision. Memory is bounded by blocks, and `Moments` streams.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from ganvas.errors import DataError, UsageError

BLOCK = 2**24
"""Entries of a distance matrix that are held at once."""


class Moments:
    """Mean and covariance of features that arrive in batches; memory does not grow with their number.

    Batches are merged by the pairwise update of Chan, Golub and LeVeque (1983), in float64.
    """

    def __init__(self, dimensions: int) -> None:
        self.count = 0
        self.mean = torch.zeros(dimensions, dtype=torch.float64)
        self._scatter = torch.zeros(dimensions, dimensions, dtype=torch.float64)

    @classmethod
    def of(cls, features: Tensor) -> Moments:
        """The moments of features (N, D) that are all there."""
        moments = cls(features.shape[1])
        for part in features.split(8192):
            moments.add(part)
        return moments

    def add(self, features: Tensor) -> None:
        """Takes in a batch (B, D). Raises DataError where a value is not finite."""
        check_finite(features, "samples")
        values = features.detach().to("cpu", torch.float64)
        count = self.count + len(values)
        if not len(values):
            return
        mean = values.mean(0)
        centred = values - mean
        apart = mean - self.mean
        self._scatter.addmm_(centred.T, centred)
        self._scatter.add_(torch.outer(apart, apart), alpha=self.count * len(values) / count)
        self.mean += apart * (len(values) / count)
        self.count = count

    @property
    def covariance(self) -> Tensor:
        """(D, D) float64, unbiased. Raises DataError for fewer than 2 samples."""
        _need(self.count, 2, "a covariance")
        return self._scatter / (self.count - 1)


def frechet_distance(real: Moments, fake: Moments) -> float:
    """Squared Frechet distance of the two Gaussians (FID: Heusel et al. 2017, section 2):
    |m1 - m2|^2 + tr(C1 + C2 - 2 (C1^(1/2) C2 C1^(1/2))^(1/2)).

    Where a count is not above D, its covariance has not full rank, and the distance is biased far upwards.
    Raises DataError for fewer than 2 samples on a side, UsageError for features of different lengths.
    """
    first, second = real.covariance, fake.covariance
    values, vectors = torch.linalg.eigh(first)
    root = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    product = root @ second @ root
    shared = torch.linalg.eigvalsh((product + product.T) / 2).clamp(min=0).sqrt().sum()
    return float((real.mean - fake.mean).square().sum() + first.trace() + second.trace() - 2 * shared)


def kernel_distance(
    real: Tensor, fake: Tensor, subsets: int = 100, subset_size: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """KID (Binkowski et al. 2018, section 4): mean and standard deviation, over random subsets, of the unbiased squared
    MMD with the kernel (x.y / D + 1)^3. Subsets are drawn as torch-fidelity draws them, with `seed` as its `rng_seed`.

    Raises DataError where a side has fewer samples than `subset_size`: the mean does not depend on the size, so a
    smaller one may be asked for, but that must be said beside the score.
    """
    for side in (real, fake):
        _need(len(side), subset_size, f"KID with subsets of {subset_size:,}")
    random = np.random.RandomState(seed)
    found = []
    for _ in range(subsets):
        y = fake[random.choice(len(fake), subset_size, replace=False)].double()
        x = real[random.choice(len(real), subset_size, replace=False)].double()
        within = sum(_kernel(each, each).fill_diagonal_(0).sum() for each in (x, y)) / (subset_size * (subset_size - 1))
        found.append(float(within - 2 * _kernel(x, y).mean()))
    return float(np.mean(found)), float(np.std(found))


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    return (x @ y.T / x.shape[1] + 1) ** 3


def inception_score(logits: Tensor, splits: int = 10, seed: int = 2020) -> tuple[float, float]:
    """Inception Score (Salimans et al. 2016, section 4): mean and standard deviation over `splits` of
    exp(E KL(p(y|x) || p(y))). Splits are drawn as torch-fidelity draws them, with `seed` as its `rng_seed`.

    Raises DataError for fewer samples than splits.
    """
    _need(len(logits), splits, f"the Inception Score with {splits} splits")
    shuffled = logits[np.random.RandomState(seed).permutation(len(logits))].double()
    scores = []
    for i in range(splits):
        log_p = shuffled[i * len(logits) // splits : (i + 1) * len(logits) // splits].log_softmax(1)
        p = log_p.exp()
        divergence = (p * (log_p - p.mean(0).log())).sum(1)
        scores.append(float(divergence.mean().exp()))
    return float(np.mean(scores)), float(np.std(scores))


def precision_recall(real: Tensor, fake: Tensor, k: int = 3) -> tuple[float, float]:
    """Improved precision and recall (Kynkaanniemi et al. 2019, section 2): the share of fake samples within the
    distance of some real one to its k-th neighbour, and the share of real ones within that of some fake one."""
    real_radii, fake_radii = _radii(real, k), _radii(fake, k)
    precision = torch.cat([(d <= real_radii).any(1) for d in _distances(fake, real)])
    recall = torch.cat([(d <= fake_radii).any(1) for d in _distances(real, fake)])
    return float(precision.double().mean()), float(recall.double().mean())


def density_coverage(real: Tensor, fake: Tensor, k: int = 5) -> tuple[float, float]:
    """Density and coverage (Naeem et al. 2020, equations 4 and 5), both 1 in expectation or near it for equal
    distributions: how many real neighbourhoods hold a fake sample, over k; the share of them that hold any."""
    radii = _radii(real, k)
    inside = torch.zeros(len(real), dtype=torch.int64)
    for distances in _distances(fake, real):
        inside += (distances < radii).sum(0)
    return float(inside.sum()) / (k * len(fake)), float((inside > 0).double().mean())


def diversity(fake: Tensor, real: Tensor) -> float:
    """Mean distance between two fake samples, over that between two real ones: 1 where they are as varied, 0 where one
    sample is repeated."""
    return _mean_distance(fake) / _mean_distance(real)


def nearest(queries: Tensor, references: Tensor) -> tuple[Tensor, Tensor]:
    """Distance to, and index of, the nearest reference for each query: (Q,) and (Q,) int64."""
    found = [distances.min(1) for distances in _distances(queries, references)]
    return torch.cat([each.values for each in found]), torch.cat([each.indices for each in found])


def check_finite(features: Tensor, what: str) -> None:
    """Raises DataError where features hold NaN or an infinity."""
    broken = int((~features.isfinite()).any(1).sum())
    if broken:
        raise DataError(f"the features of {broken:,} of {len(features):,} {what} are not finite (NaN or infinite)")


def _mean_distance(features: Tensor) -> float:
    _need(len(features), 2, "diversity")
    total = sum(float(distances.double().sum()) for distances in _distances(features, features))
    return total / (len(features) * (len(features) - 1))


def _radii(features: Tensor, k: int) -> Tensor:
    """(N,) distances to the k-th nearest other sample."""
    _need(len(features), k + 1, f"the distance to neighbour {k}")
    return torch.cat([distances.kthvalue(k + 1).values for distances in _distances(features, features)])


def _distances(queries: Tensor, references: Tensor) -> Iterator[Tensor]:
    """Rows of the distance matrix, as many as fit into a block."""
    if queries.shape[1] != references.shape[1]:
        raise UsageError(f"features of length {queries.shape[1]} and {references.shape[1]} cannot be compared")
    centre = references.mean(0)  # distances do not change, and their rounding errors shrink
    for part in (queries - centre).split(max(1, BLOCK // len(references))):
        yield torch.cdist(part, references - centre)


def _need(count: int, needed: int, what: str) -> None:
    if count < needed:
        raise DataError(f"{what} needs at least {needed:,} samples on each side, and one has {count:,}")
