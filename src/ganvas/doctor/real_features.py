"""What samples are compared with while a run trains: real items, in a small space that needs no download.

Pictures are shrunk, and seen among the leading principal components of the training pictures, which takes about a
second to find; points are used as they are. `RealFeatures` keeps what of the real items a look needs again and again;
`looks.py` looks.
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
from ganvas.spaces import ImageSpace

SAMPLES = 256
"""Samples of a look, from the averaged weights."""

LIVE = 64
"""Samples of a look from the live weights."""

NUMBERS = 1 << 27
"""Numbers in all samples of a look together, half a gigabyte as float32: of large samples there are fewer."""

FEWEST = 32
"""Samples below which a look tells nothing: where NUMBERS has no room for so many, there is no look."""

COMPONENTS = 64
SIDE = 16
"""Pictures are shrunk to at most this many pixels a side before their principal components are sought."""

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
    grid: dict[int, tuple[float, float]]

    @staticmethod
    def of(data: Data, device: torch.device, samples: int = SAMPLES) -> RealFeatures:
        """Of the data's splits, for looks at so many samples. Deterministic, and without training's randomness."""
        flat, labels = _seen(data.split("train"), ITEMS, _shrunk)
        held = torch.cat([_seen(data.split(name), 512, _shrunk)[0] for name in ("validation", "test")])
        mean = components = None
        grid: dict[int, tuple[float, float]] = {}
        if isinstance(data.space, ImageSpace):
            mean = flat.mean(0)
            some = flat[:2048] - mean
            values, vectors = torch.linalg.eigh(some.T @ some / len(some))
            components = vectors[:, values.argsort(descending=True)[:COMPONENTS]]
            flat, held = (flat - mean) @ components, (held - mean) @ components
            grid = grid_pattern(_seen(data.split("train"), LIVE, lambda pictures: pictures)[0])
        return RealFeatures._made(flat, held, labels, mean, components, grid, device, samples)

    @staticmethod
    def _made(
        train: Tensor,
        held: Tensor,
        labels: Tensor | None,
        mean: Tensor | None,
        components: Tensor | None,
        grid: dict[int, tuple[float, float]],
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
            grid=grid,
        )

    def project(self, samples: Tensor) -> Tensor:
        """Samples (B, ...) as features (B, D)."""
        flat = _shrunk(samples)
        return flat if self.components is None or self.mean is None else (flat - self.mean) @ self.components


def mean_distance(features: Tensor) -> float:
    """Mean Euclidean distance between two different rows of (N, D)."""
    count = len(features)
    return float(torch.cdist(features, features).sum()) / max(count * (count - 1), 1)


def nearest_other(features: Tensor) -> float:
    """Median over the rows of (N, D) of the distance to the nearest other row."""
    return float(torch.cdist(features, features).fill_diagonal_(math.inf).amin(1).median())


def grid_pattern(pictures: Tensor) -> dict[int, tuple[float, float]]:
    """Of pictures (B, C, H, W), by the period of a grid in pixels: the share of their energy at its frequency, and how
    far that sticks out from the frequencies beside it.

    A transposed convolution whose kernel is no multiple of its stride draws a pattern that repeats every stride pixels
    (Odena et al. 2016), with its energy at 1/stride. Noise has much there, and no more than beside it; pictures that
    are smoother than real ones may have a tiny peak. So both numbers count, each as the larger one of rows and columns.
    """
    gray = pictures[:LIVE].float().mean(1)
    found = {}
    for period in (2, 4, 8):
        height, width = (side // (2 * period) * 2 * period for side in gray.shape[1:])
        if min(height, width) < 4 * period:
            continue
        part = gray[:, :height, :width]
        part = part - part.mean((1, 2), keepdim=True)
        window = torch.hann_window(height, device=part.device)[:, None] * torch.hann_window(width, device=part.device)
        power = torch.fft.fft2(part * window).abs().square().mean(0)
        power = power / power.sum().clamp(min=1e-12)
        shares, contrasts = [], []
        for lines, along in ((power.sum(1), power[:, :2].mean(1)), (power.sum(0), power[:2].mean(0))):
            peak = len(lines) // period
            beside = [along[peak - 3], along[peak - 2]] if period == 2 else [along[peak - 2], along[peak + 2]]
            shares.append(float(lines[peak]))
            contrasts.append(float(along[peak] / (torch.stack(beside).mean() + 1e-6 * power.mean())))
        found[period] = (max(*shares, 1e-6), max(*contrasts, 1e-6))
    return found


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


def _shrunk(samples: Tensor) -> Tensor:
    """(B, C, H, W) to (B, C * h * w) with sides of at most SIDE pixels, each the mean of those it replaces."""
    if samples.dim() < 4:
        return samples.flatten(1).float()
    height, width = (min(side, SIDE) for side in samples.shape[2:])
    return torch.nn.functional.adaptive_avg_pool2d(samples.float(), (height, width)).flatten(1)


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
