"""How near is one set of samples to another, in an extractor's features?

Pure functions of features (N, D). `real` is the data, `fake` what is judged. Means, covariances and kernels are
computed in float64; distances in the features' own precision. Memory is bounded by blocks, and `Moments` streams.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from ganvas.errors import DataError, UsageError

BLOCK = 2**24
"""Entries of a distance matrix that are held at once."""


@dataclass
class Moments:
    """Mean and covariance of features that arrive in batches; memory does not grow with their number.

    Batches are merged by the pairwise update of Chan, Golub and LeVeque (1983), in float64. Start with `Moments()`;
    count, mean (D,) and scatter (D, D), the sum of outer products about the mean, are all that it remembers.
    """

    count: int = 0
    mean: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.float64))
    scatter: Tensor = field(default_factory=lambda: torch.zeros(0, 0, dtype=torch.float64))

    @classmethod
    def of(cls, features: Tensor) -> Moments:
        """The moments of features (N, D) that are all there."""
        moments = cls()
        for part in features.split(8192):
            moments.add(part)
        return moments

    def add(self, features: Tensor) -> None:
        """Takes in a batch (B, D). Raises DataError where a value is not finite, UsageError for another D."""
        check_finite(features, "samples")
        values = features.detach().to("cpu", torch.float64)
        if not len(values):
            return
        if not self.count:
            self.mean, self.scatter = values.new_zeros(values.shape[1]), values.new_zeros((values.shape[1],) * 2)
        _equal_lengths(values, self.mean[None])
        count, mean = self.count + len(values), values.mean(0)
        centred, apart = values - mean, mean - self.mean
        self.scatter.addmm_(centred.T, centred)
        self.scatter.add_(torch.outer(apart, apart), alpha=self.count * len(values) / count)
        self.mean = self.mean + apart * (len(values) / count)
        self.count = count

    @property
    def covariance(self) -> Tensor:
        """(D, D) float64, unbiased. Raises DataError for fewer than 2 samples."""
        _need(self.count, 2, "FID")
        return self.scatter / (self.count - 1)


def frechet_distance(real: Moments, fake: Moments) -> float:
    """Squared Frechet distance of the two Gaussians (FID: Heusel et al. 2017, section 2):
    |m1 - m2|^2 + tr(C1 + C2 - 2 (C1^(1/2) C2 C1^(1/2))^(1/2)).

    Where a count is not above D, its covariance has not full rank, and the distance is biased far upwards.
    Raises DataError for fewer than 2 samples on a side, UsageError for features of different lengths.
    """
    first, second = real.covariance, fake.covariance
    _equal_lengths(real.mean[None], fake.mean[None])
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
    _check(real, fake, subset_size, f"KID with subsets of {subset_size:,}")
    random = np.random.RandomState(seed)
    found = []
    for _ in range(subsets):
        y = fake[random.choice(len(fake), subset_size, replace=False)].double()
        x = real[random.choice(len(real), subset_size, replace=False)].double()
        within = sum(float(kernel(each, each).fill_diagonal_(0).sum()) for each in (x, y))
        found.append(within / (subset_size * (subset_size - 1)) - 2 * float(kernel(x, y).mean()))
    return float(np.mean(found)), float(np.std(found))


def kernel(x: Tensor, y: Tensor) -> Tensor:
    """(N, M): KID's polynomial kernel."""
    return (x @ y.T / x.shape[1] + 1) ** 3


def inception_score(logits: Tensor, splits: int = 10, seed: int = 2020) -> tuple[float, float]:
    """Inception Score (Salimans et al. 2016, section 4): mean and standard deviation over `splits` of
    exp(E KL(p(y|x) || p(y))). Splits are drawn as torch-fidelity draws them, with `seed` as its `rng_seed`.

    Raises DataError for fewer samples than splits.
    """
    check_finite(logits, "samples")
    if len(logits) < splits:
        raise DataError(
            f"the Inception Score with {splits} splits needs {splits:,} samples, and there are {len(logits):,}"
        )
    shuffled = logits[np.random.RandomState(seed).permutation(len(logits))]
    cuts = [i * len(logits) // splits for i in range(splits + 1)]
    scores = [float(divergences(shuffled[low:high]).mean().exp()) for low, high in pairwise(cuts)]
    return float(np.mean(scores)), float(np.std(scores))


def divergences(logits: Tensor) -> Tensor:
    """(N,) float64: KL(p(y|x) || p(y)) of each sample x, with p(y) from all of them."""
    log_p = logits.double().log_softmax(1)
    p = log_p.exp()
    return (p * (log_p - p.mean(0).log())).sum(1)


def precision_recall(real: Tensor, fake: Tensor, k: int = 3) -> tuple[float, float]:
    """Improved precision and recall (Kynkaanniemi et al. 2019, section 2): the share of fake samples no farther from
    some real one than its k-th neighbour is, and the share of real ones as near to some fake one.

    Raises DataError for fewer than k + 1 samples on a side.
    """
    precise, recalled = precision_recall_each(real, fake, k)
    return float(precise.mean()), float(recalled.mean())


def precision_recall_each(real: Tensor, fake: Tensor, k: int = 3) -> tuple[Tensor, Tensor]:
    """(M,) and (N,) float64 ones and zeros, whose means are precision and recall."""
    _check(real, fake, k + 1, f"precision and recall with {k} neighbours")
    real_radii, fake_radii = _radii(real, k), _radii(fake, k)
    precise, recalled = [], torch.zeros(len(real), dtype=torch.bool, device=real.device)
    for rows, distances in _distances(fake, real):
        precise.append((distances <= real_radii).any(1))
        recalled |= (distances <= fake_radii[rows, None]).any(0)
    return torch.cat(precise).double(), recalled.double()


def density_coverage(real: Tensor, fake: Tensor, k: int = 5) -> tuple[float, float]:
    """Density and coverage (Naeem et al. 2020, equations 4 and 5): of the neighbourhoods that reach from real samples
    to their k-th neighbour, how many hold a fake sample, over k; and the share of them that hold any.

    Raises DataError for fewer than k + 1 samples on a side.
    """
    dense, covered = density_coverage_each(real, fake, k)
    return float(dense.mean()), float(covered.mean())


def density_coverage_each(real: Tensor, fake: Tensor, k: int = 5) -> tuple[Tensor, Tensor]:
    """(M,) and (N,) float64 contributions, whose means are density and coverage."""
    _check(real, fake, k + 1, f"density and coverage with {k} neighbours")
    radii = _radii(real, k)
    dense, covered = [], torch.zeros(len(real), dtype=torch.bool, device=real.device)
    for _, distances in _distances(fake, real):
        inside = distances < radii
        dense.append(inside.sum(1).double() / k)
        covered |= inside.any(0)
    return torch.cat(dense), covered.double()


def diversity(fake: Tensor, real: Tensor) -> float:
    """Mean distance between two fake samples, over that between two real ones: 1 where they are as varied, 0 where one
    sample is repeated. Raises DataError for fewer than 2 samples on a side."""
    _check(real, fake, 2, "diversity")
    return float(mean_distances(fake).mean() / mean_distances(real).mean())


def mean_distances(features: Tensor) -> Tensor:
    """(N,) float64: each sample's mean distance to others, 2,500 of them at most, so that time grows like N."""
    found = []
    for part in mixed_blocks(features):
        distances = torch.cat([each for _, each in _distances(part, part)]).fill_diagonal_(0)
        found.append(distances.double().sum(1) / (len(part) - 1))
    return torch.cat(found)


def mixed_blocks(features: Tensor, size: int = 2500) -> list[Tensor]:
    """The samples in an order that mixes labels, the same at each call, in equal parts of about `size` or fewer."""
    order = torch.randperm(len(features), generator=torch.Generator().manual_seed(0))
    return list(features[order].tensor_split(-(-len(features) // size)))


def nearest(queries: Tensor, references: Tensor) -> tuple[Tensor, Tensor]:
    """Distance to, and index of, the nearest reference for each query: (Q,) and (Q,) int64."""
    _check(queries, references, 1, "a nearest neighbour")
    found = [distances.min(1) for _, distances in _distances(queries, references)]
    return torch.cat([each.values for each in found]), torch.cat([each.indices for each in found])


def check_finite(features: Tensor, what: str) -> None:
    """Raises DataError where features hold NaN or an infinity."""
    broken = int((~features.isfinite()).any(1).sum())
    if broken:
        raise DataError(f"the features of {broken:,} of {len(features):,} {what} are not finite (NaN or infinite)")


def _radii(features: Tensor, k: int) -> Tensor:
    """(N,) distances to the k-th nearest other sample."""
    return torch.cat([distances.kthvalue(k + 1).values for _, distances in _distances(features, features)])


def _distances(queries: Tensor, references: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Rows of the distance matrix, as many at a time as fit into a block, and which they are."""
    centre = references.mean(0)  # distances do not change, and their rounding errors shrink
    queries, references = queries - centre, references - centre
    step = max(1, BLOCK // len(references))
    for start in range(0, len(queries), step):
        rows = slice(start, start + step)
        yield rows, torch.cdist(queries[rows], references)


def _check(one: Tensor, other: Tensor, needed: int, what: str) -> None:
    _equal_lengths(one, other)
    for side in (one, other):
        check_finite(side, "samples")
        _need(len(side), needed, what)


def _equal_lengths(one: Tensor, other: Tensor) -> None:
    if one.shape[1] != other.shape[1]:
        raise UsageError(f"features of lengths {one.shape[1]:,} and {other.shape[1]:,} cannot be compared")


def _need(count: int, needed: int, what: str) -> None:
    if count < needed:
        raise DataError(f"{what} needs at least {needed:,} samples on each side, and one has {count:,}")
