"""What samples are compared with while a run trains: real items, in a small space that needs no download.

Items are seen as their own space looks at them (`Space.look`); where that gives many numbers, among the leading
principal components of the training items, which takes about a second to find. `RealFeatures` keeps what of the real
items a look needs again and again; `looks.py` looks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ganvas.data.batches import Batch
from ganvas.data.dataset import Data, Split
from ganvas.metrics.distributions import Moments
from ganvas.spaces import Space

SAMPLES, LIVE = 256, 64
"""Samples of a look, from the averaged weights and from the live ones."""

COMPONENTS = 64
"""Features beyond which principal components are sought, and how many of these there are."""

ITEMS = 4096
"""Training items that samples are compared with; fewer where they are so large that reading them takes long."""

CELLS = 24
NEIGHBOURS = 5
_BYTES = 1 << 28


@dataclass(frozen=True)
class RealFeatures:
    """Real items in the space of features, and what of them samples are compared with.

    train: (N, D), and `moments` their mean and covariance. held_out: (M, D), items that no generator learns from; empty
    where there are fewer than 32. real: (256, D), those whose neighbourhoods samples should reach, held-out ones where
    there are enough. cells: (K, D) centres of regions, `weights` (K,) their share of real items. label_means: label to
    mean (D,). within: label to the mean distance between two of its items.
    """

    space: Space
    mean: Tensor | None
    components: Tensor | None
    train: Tensor
    moments: Moments
    held_out: Tensor
    real: Tensor
    radii: Tensor
    cells: Tensor
    weights: Tensor
    label_means: dict[int, Tensor]
    within: dict[int, float]
    between_items: float
    nearest: float
    deviation: float
    copying: float
    patterns: dict[int, tuple[float, float]]

    @staticmethod
    def of(data: Data, device: torch.device) -> RealFeatures:
        """Of the data's splits. Deterministic, and without training's randomness."""
        space = data.space
        items, labels = _items(data.split("train"), ITEMS)
        held_items, _ = _items(data.split("validation"), 512)
        more, _ = _items(data.split("test"), 512)
        flat, held = space.look(items), space.look(torch.cat([held_items, more]))
        mean = components = None
        if flat.shape[1] > COMPONENTS:
            mean = flat.mean(0)
            some = flat[:2048] - mean
            values, vectors = torch.linalg.eigh(some.T @ some / len(some))
            components = vectors[:, values.argsort(descending=True)[:COMPONENTS]]
            flat, held = (flat - mean) @ components, (held - mean) @ components
        return RealFeatures._made(space, flat, held, labels, mean, components, space.patterns(items), device)

    @staticmethod
    def _made(
        space: Space,
        train: Tensor,
        held: Tensor,
        labels: Tensor | None,
        mean: Tensor | None,
        components: Tensor | None,
        patterns: dict[int, tuple[float, float]],
        device: torch.device,
    ) -> RealFeatures:
        enough = len(held) >= 32
        held_out = held if enough else held[:0]
        pool = held if len(held) >= 128 else train
        real = pool[:SAMPLES]
        between = torch.cdist(real, real)
        radii = between.fill_diagonal_(math.inf).sort(1).values[:, min(NEIGHBOURS, len(real) - 1) - 1]
        cells = _k_means(train[:2048], CELLS)
        place = torch.cdist(train, cells).argmin(1)
        weights = torch.bincount(place, minlength=len(cells)).float() / len(train)
        label_means, within = _by_label(train, labels)
        some = train[:SAMPLES]
        return RealFeatures(
            space=space,
            mean=None if mean is None else mean.to(device),
            components=None if components is None else components.to(device),
            train=train.to(device),
            moments=Moments.of(train),
            held_out=held_out.to(device),
            real=real.to(device),
            radii=radii.to(device),
            cells=cells.to(device),
            weights=weights.to(device),
            label_means={label: each.to(device) for label, each in label_means.items()},
            within=within,
            between_items=mean_distance(some),
            nearest=nearest_other(some),
            deviation=max(float((train - train.mean(0)).square().sum(1).mean().sqrt()), 1e-12),
            copying=_copying_of_real(train, held_out),
            patterns=patterns,
        )

    def project(self, samples: Tensor) -> Tensor:
        """Samples (B, ...) as features (B, D)."""
        flat = self.space.look(samples)
        return flat if self.components is None or self.mean is None else (flat - self.mean) @ self.components


def mean_distance(features: Tensor) -> float:
    """Mean Euclidean distance between two different rows of (N, D)."""
    count = len(features)
    return float(torch.cdist(features, features).sum()) / max(count * (count - 1), 1)


def nearest_other(features: Tensor) -> float:
    """Median over the rows of (N, D) of the distance to the nearest other row."""
    return float(torch.cdist(features, features).fill_diagonal_(math.inf).amin(1).median())


def _items(split: Split, most: int) -> tuple[Tensor, Tensor | None]:
    """Items of a split, spread evenly over it in an order that is mixed and always the same: float32, and labels."""
    count = min(len(split), most, max(64, _BYTES // (4 * math.prod(split.data.space.shape))))
    order = np.random.RandomState(0).permutation(len(split))[:count]
    batch: Batch = split.gather(order)
    label = getattr(batch, "label", None)
    return batch.value.float(), None if label is None else label


def _k_means(features: Tensor, count: int, rounds: int = 10) -> Tensor:
    """(K, D) centres, from starts that are far apart."""
    centres = features[:1]
    for _ in range(min(count, len(features)) - 1):
        farthest = torch.cdist(features, centres).amin(1).argmax()
        centres = torch.cat([centres, features[farthest : farthest + 1]])
    for _ in range(rounds):
        place = torch.cdist(features, centres).argmin(1)
        sums = torch.zeros_like(centres).index_add_(0, place, features)
        counts = torch.bincount(place, minlength=len(centres)).clamp(min=1)
        centres = sums / counts[:, None]
    return centres


def _copying_of_real(train: Tensor, held_out: Tensor) -> float:
    """The median ratio of real items that are not among the training items (or left out of them)."""
    if len(held_out):
        here = torch.cdist(held_out, train).amin(1)
        there = torch.cdist(held_out, held_out).fill_diagonal_(math.inf).amin(1)
        return max(float((here / there.clamp(min=1e-12)).median()), 1e-3)
    some = train[:512]
    two = torch.cdist(some, train).sort(1).values[:, 1:3]  # the first one is itself
    return max(float((two[:, 0] / two[:, 1].clamp(min=1e-12)).median()), 1e-3) if two.shape[1] == 2 else 1.0


def _by_label(train: Tensor, labels: Tensor | None) -> tuple[dict[int, Tensor], dict[int, float]]:
    """Means by label, and the mean distance between two items of each label that has two different ones."""
    means: dict[int, Tensor] = {}
    distances: dict[int, float] = {}
    for label in [] if labels is None else labels.unique().tolist():
        mine = train[labels == label]
        means[label] = mine.mean(0)
        distance = mean_distance(mine[:128])
        if distance:
            distances[label] = distance
    return means, distances
