"""What samples are compared with while a run trains: real items, in a small space that needs no download.

Items are seen as their own space looks at them (`Space.look`); where that gives many numbers, among the leading
principal components of the training items, which takes about a second to find. `RealFeatures` keeps what of the real
items a look needs again and again; `looks.py` looks.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ganvas.data.batches import Batch
from ganvas.data.dataset import Data, Split
from ganvas.metrics.distributions import Moments
from ganvas.spaces import Space

SAMPLES = 256
"""Samples of a look, from the averaged weights."""

LIVE = 64
"""Samples of a look from the live weights."""

NUMBERS = 1 << 27
"""Numbers in all samples of a look together, half a gigabyte as float32: of large samples there are fewer."""

FEWEST = 32
"""Samples below which a look tells nothing: where NUMBERS has no room for so many, there is no look."""

COMPONENTS = 64
"""Features beyond which principal components are sought, and how many of these there are."""

ITEMS = 4096
"""Training items that samples are compared with."""

READ = 1 << 29
"""Numbers in all items that are read of a split: of large items there are fewer, as reading them takes long."""

CELLS = 24
"""Regions of the data in which samples are counted; fewer where there are fewer than 10 samples for each."""

NEIGHBOURS = 5
"""A real item is reached by samples that are nearer than so many of its neighbours."""

_PART = 1 << 24
"""Numbers in the items that are held in memory at a time."""


@dataclass(frozen=True)
class RealFeatures:
    """Real items in the space of features, and what of them samples are compared with.

    train: (N, D), and `moments` their mean and covariance. held_out: (M, D), items that no generator learns from; empty
    where there are fewer than 32. real: (S, D), as many as a look has samples, whose neighbourhoods these should reach;
    held-out ones where there are enough. radii: (S,) of the neighbourhoods. cells: (K, D) centres of regions, `weights`
    (K,) their share of real items. label_means: label to mean (D,). within: label to the mean distance between two of
    its items.
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
    def of(data: Data, device: torch.device, samples: int = SAMPLES) -> RealFeatures:
        """Of the data's splits, for looks at so many samples. Deterministic, and without training's randomness."""
        space, train = data.space, data.split("train")
        flat, labels = _seen(train, ITEMS, space.look)
        held = torch.cat([_seen(data.split(name), 512, space.look)[0] for name in ("validation", "test")])
        mean = components = None
        if flat.shape[1] > COMPONENTS:
            mean = flat.mean(0)
            some = flat[:2048] - mean
            # In float64, as in float32 it need not converge where many directions have no variance at all.
            values, vectors = torch.linalg.eigh((some.T @ some / len(some)).double())
            components = vectors[:, values.argsort(descending=True)[:COMPONENTS]].to(flat.dtype)
            flat, held = (flat - mean) @ components, (held - mean) @ components
        patterns = space.patterns(train.gather(chosen(len(train), LIVE)).value.float())
        return RealFeatures._made(space, flat, held, labels, mean, components, patterns, device, samples)

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
        samples: int = SAMPLES,
    ) -> RealFeatures:
        enough = len(held) >= 32
        held_out = held if enough else held[:0]
        pool = held if len(held) >= 128 else train
        real = pool[:samples]
        between = torch.cdist(real, real)
        radii = between.fill_diagonal_(math.inf).sort(1).values[:, min(NEIGHBOURS, len(real) - 1) - 1]
        cells = _k_means(train[:2048], min(CELLS, samples // 10))
        place = torch.cdist(train, cells).argmin(1)
        weights = torch.bincount(place, minlength=len(cells)).float() / len(train)
        label_means, within = _by_label(train, labels)
        some = train[:samples]
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


def affordable(shape: tuple[int, ...]) -> int:
    """How many samples of this shape a look has, so that it costs no more memory and time however large they are; 0
    where that is too few to tell anything."""
    count = min(SAMPLES, NUMBERS // math.prod(shape))
    return count if count >= FEWEST else 0


def chosen(length: int, most: int) -> np.ndarray:
    """Up to `most` places among so many, spread evenly in an order that is mixed and always the same. Takes no longer
    for a split with very many items."""
    return np.random.default_rng(0).choice(length, min(length, most), replace=False)


def _seen(split: Split, most: int, see: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor | None]:
    """Up to `most` items of a split as `see` gives them, from (B, ...) float32, and their labels. Read in parts, as
    items may be large."""
    numbers = math.prod(split.data.space.shape)
    places = chosen(len(split), min(most, max(FEWEST, READ // numbers)))
    size = max(1, _PART // numbers)
    parts: list[Batch] = [split.gather(places[start : start + size]) for start in range(0, max(1, len(places)), size)]
    labels = [label for part in parts if (label := getattr(part, "label", None)) is not None]
    return torch.cat([see(part.value.float()) for part in parts]), torch.cat(labels) if labels else None


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
