"""What a run says of its samples while it trains: a cheap look at some 256 of them, every 100 steps.

`Signals` is a watcher. At a look it draws samples from the averaged weights (and some from the live ones), with seeds
of its own, and compares them with real items of the training data. The comparison happens among the leading principal
components of the (shrunken) training pictures, which need no download and take about a second to find; points are used
as they are. The numbers go into the rows of `metrics.jsonl` as `signal/...`, and `doctor.py` reads them there.

    diversity           mean distance between two samples, as a ratio to that between two training items
    diversity_within    the same, between samples of one label
    diversity_least     the lowest such ratio of a label to its own real items
    spread              median distance to the nearest other sample, as a ratio to that of as many training items
    coverage            share of real items that have a sample nearer than their 5th nearest real one (Naeem et al.
                        2020, eq. 9); for held-out items beside fresh real ones it would be about 0.97
    missed              share of the real items that lie in regions (24, by k-means) with hardly any sample
    distance            Frechet distance to the training items, as a ratio to their total variance
    copying             how much nearer samples are to training items than to others, as a ratio to fresh items (1)
    labels_agree        how far the samples of a label lie where that label's real items lie: 0 not at all, 1 as far
    labels_agree_error  its standard error
    labels_move         share of the samples' variance that the labels make at one and the same latent
    checkerboard        energy at the frequencies of 2-, 4- and 8-pixel grids, as a ratio to real pictures
    shift               way of the live samples' centre since the last look, in real standard deviations
    not_finite          share of samples that are not finite (and then nothing else is said)
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ganvas.data.batches import Batch
from ganvas.data.prepare import Data, Split
from ganvas.recipe import Watcher
from ganvas.spaces import ImageSpace
from ganvas.train import seed_from

if TYPE_CHECKING:
    from ganvas.train import Training

LOOK_EVERY = 100
"""Steps between two looks. A function of the step alone, so that a resumed training looks at the same moments."""

SAMPLES, LIVE = 256, 64
"""Samples of a look, from the averaged weights and from the live ones."""

COMPONENTS = 64
SIDE = 16
"""Pictures are shrunk to at most this many pixels a side before their principal components are sought."""

REFERENCE = 4096
"""Training items that samples are compared with; fewer where pictures are so large that reading them takes long."""

MOST_LABELS = 32
CELLS = 24
NEIGHBOURS = 5
_BYTES = 1 << 28
_SEED = 1_000_033
"""Seeds the latents of a look, together with the run's seed."""


class Signals(Watcher):
    """Measures samples every 100 steps. Costs training none of its randomness."""

    def __init__(self) -> None:
        super().__init__()
        self._reference: Reference | None = None

    def started(self, training: Training) -> None:
        # Samples that are made from given images are as diverse as these are; `given` of one tells.
        free = not training.data.given(1)
        self._reference = Reference.of(training.data, training.device) if free else None

    def measure(self, training: Training) -> Mapping[str, float]:
        if training.steps_done % LOOK_EVERY or self._reference is None:
            return {}
        reference = self._reference
        with training.averaged_weights():
            samples, labels = _drawn(training, SAMPLES, _SEED)
            found = compare(samples, labels, reference)
        if training.averaged:
            with training.live_weights():
                samples, _ = _drawn(training, LIVE, _SEED + 1)
        if samples.isfinite().all():
            centre = reference.project(samples[:LIVE]).mean(0)
            before = self.state.get("centre")
            if before is not None:
                found["shift"] = float((centre - centre.new_tensor(before)).norm()) / reference.deviation
            self.state["centre"] = centre.tolist()
        # All processes see the same numbers, whatever each one's BatchNorm has seen.
        values = torch.tensor(list(found.values()), dtype=torch.float64, device=training.device)
        shared = training.processes.sum(values) / training.processes.world
        return {f"signal/{name}": value for name, value in zip(found, shared.tolist(), strict=True)}


def _drawn(training: Training, count: int, seed: int) -> tuple[Tensor, Tensor | None]:
    """Samples, and their labels (n,) where the recipe is conditional: each latent then goes with every label in turn.

    As many blocks as the training's batches need, so that a look takes no more memory than a step.
    """
    recipe = training.recipe
    shown = labels_shown(recipe.classes).to(training.device)
    each = max(1, len(shown))
    latents = max(2, count // each)
    seed_from(training.settings.seed, seed)
    given = {"label": shown.new_zeros(latents)} if each > 1 else None
    inputs = recipe.draw(latents, given)
    conditional = each > 1 and "label" in inputs
    if conditional:
        inputs = {name: value.repeat_interleave(each, 0) for name, value in inputs.items()}
        inputs["label"] = shown.repeat(latents)
    total = latents * each if conditional else latents
    block = max(1, training.batch_size)
    with torch.autocast(training.device.type, torch.bfloat16, enabled=training.precision == "bf16"):
        blocks = [
            recipe.generate(**{name: value[start : start + block] for name, value in inputs.items()}).float()
            for start in range(0, total, block)
        ]
    return torch.cat(blocks), inputs["label"] if conditional else None


def labels_shown(classes: int) -> Tensor:
    """(K,) the labels that a look asks for: all of them, or 32 spread evenly over them; empty where there are none."""
    count = min(classes, MOST_LABELS)
    return torch.arange(count) * classes // max(count, 1)


@dataclass(frozen=True)
class Reference:
    """Real items in the space of features, and what of them samples are compared with.

    train: (N, D). held_out: (M, D), items that no generator learns from; empty where there are fewer than 32.
    real: (256, D), those whose neighbourhoods samples should reach, held-out ones where there are enough.
    cells: (K, D) centres of regions, `weights` (K,) their share of real items. label_means: label to
    mean (D,). within: label to the mean distance between two of its items.
    """

    mean: Tensor | None
    components: Tensor | None
    train: Tensor
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
    def of(data: Data, device: torch.device) -> Reference:
        """Of the data's splits. Deterministic, and without training's randomness."""
        pictures, labels = _items(data.split("train"), REFERENCE)
        held_pictures, _ = _items(data.split("validation"), 512)
        more, _ = _items(data.split("test"), 512)
        held_pictures = torch.cat([held_pictures, more])
        mean = components = None
        flat, held = _shrunk(pictures), _shrunk(held_pictures)
        grid: dict[int, tuple[float, float]] = {}
        if isinstance(data.space, ImageSpace):
            mean = flat.mean(0)
            some = flat[:2048] - mean
            values, vectors = torch.linalg.eigh(some.T @ some / len(some))
            components = vectors[:, values.argsort(descending=True)[:COMPONENTS]]
            flat, held = (flat - mean) @ components, (held - mean) @ components
            grid = grid_pattern(pictures)
        return Reference._made(flat, held, labels, mean, components, grid, device)

    @staticmethod
    def _made(
        train: Tensor,
        held: Tensor,
        labels: Tensor | None,
        mean: Tensor | None,
        components: Tensor | None,
        grid: dict[int, tuple[float, float]],
        device: torch.device,
    ) -> Reference:
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
        return Reference(
            mean=None if mean is None else mean.to(device),
            components=None if components is None else components.to(device),
            train=train.to(device),
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


def compare(samples: Tensor, labels: Tensor | None, reference: Reference) -> dict[str, float]:
    """The signals of samples (B, ...) with their labels (B,), by name; see the module's docstring."""
    share = float((~samples.flatten(1).isfinite().all(1)).float().mean())
    if share:
        return {"not_finite": share}
    features = reference.project(samples)
    found = {
        "diversity": mean_distance(features) / reference.between_items,
        "spread": nearest_other(features) / max(reference.nearest, 1e-12),
        "coverage": float((torch.cdist(reference.real, features).amin(1) <= reference.radii).float().mean()),
        "missed": _missed(features, reference),
        "distance": _frechet(features, reference.train) / reference.deviation**2,
        "copying": _copying(features, reference),
    }
    if labels is not None:
        found |= _label_signals(features, labels, reference)
    if reference.grid:
        ours = grid_pattern(samples)
        found["checkerboard"] = max(
            min(mine / real for mine, real in zip(ours[period], grid, strict=True))
            for period, grid in reference.grid.items()
        )
    return found


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


def _items(split: Split, most: int) -> tuple[Tensor, Tensor | None]:
    """Items of a split, spread evenly over it in an order that is mixed and always the same: float32, and labels."""
    count = min(len(split), most, max(64, _BYTES // (4 * math.prod(split.data.space.shape))))
    order = np.random.RandomState(0).permutation(len(split))[:count]
    batch: Batch = split.gather(order)
    label = getattr(batch, "label", None)
    return batch.value.float(), None if label is None else label


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


def _missed(features: Tensor, reference: Reference) -> float:
    """Share of real items in cells where samples are a fifth as frequent as they are, or less."""
    place = torch.cdist(features, reference.cells).argmin(1)
    mine = torch.bincount(place, minlength=len(reference.cells)).float() / len(features)
    return float(reference.weights[mine <= reference.weights / 5].sum())


def _frechet(features: Tensor, real: Tensor) -> float:
    one, other = features.double(), real.double()
    first, second = one.T.cov(correction=0), other.T.cov(correction=0)
    values, vectors = torch.linalg.eigh(first)
    root = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    shared = torch.linalg.eigvalsh(root @ second @ root).clamp(min=0).sqrt().sum()
    return float((one.mean(0) - other.mean(0)).square().sum() + first.trace() + second.trace() - 2 * shared)


def _copying(features: Tensor, reference: Reference) -> float:
    """Median over samples of a ratio that copies bring to 0, divided by the same of fresh real items."""
    return _nearness(features, reference.train, reference.held_out) / reference.copying


def _copying_of_real(train: Tensor, held_out: Tensor) -> float:
    """The median ratio of real items that are not among the training items (or left out of them)."""
    if len(held_out):
        here = torch.cdist(held_out, train).amin(1)
        there = torch.cdist(held_out, held_out).fill_diagonal_(math.inf).amin(1)
        return max(float((here / there.clamp(min=1e-12)).median()), 1e-3)
    some = train[:512]
    two = torch.cdist(some, train).sort(1).values[:, 1:3]  # the first one is itself
    return max(float((two[:, 0] / two[:, 1].clamp(min=1e-12)).median()), 1e-3) if two.shape[1] == 2 else 1.0


def _nearness(features: Tensor, train: Tensor, held_out: Tensor) -> float:
    """Median distance to the nearest training item, divided by that to the nearest held-out item; where there are too
    few of those, by that to the second nearest training item."""
    apart = torch.cdist(features, train)
    if len(held_out):
        return float((apart.amin(1) / torch.cdist(features, held_out).amin(1).clamp(min=1e-12)).median())
    two = apart.topk(min(2, apart.shape[1]), largest=False).values
    return float((two[:, 0] / two[:, -1].clamp(min=1e-12)).median())


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


def _label_signals(features: Tensor, labels: Tensor, reference: Reference) -> dict[str, float]:
    """labels: each latent with every label in turn, as `_drawn` gives them."""
    shown = labels[: len(labels.unique())]
    known = [place for place, label in enumerate(shown.tolist()) if label in reference.label_means]
    if len(known) < 2:
        return {}
    by_latent = features.unflatten(0, (-1, len(shown)))[:, known]  # (latents, labels, D)
    real = torch.stack([reference.label_means[int(shown[place])] for place in known])
    real = real - real.mean(0)
    scale = float(real.square().sum())
    agreement = (by_latent * real).sum((1, 2)) / max(scale, 1e-12)
    moved = (by_latent - by_latent.mean(1, keepdim=True)).square().sum(2).mean()
    found = {
        "labels_agree": float(agreement.mean()),
        "labels_agree_error": float(agreement.std()) / math.sqrt(len(agreement)),
    }
    whole = (features - features.mean(0)).square().sum(1).mean()
    if whole > 1e-6 * reference.deviation**2:
        found["labels_move"] = float(moved / whole)
    apart = [
        (mean_distance(by_latent[:, place]), reference.within[label])
        for place, label in enumerate(shown[known].tolist())
        if label in reference.within
    ]
    if apart:
        found["diversity_within"] = sum(ours for ours, _ in apart) / sum(real for _, real in apart)
        found["diversity_least"] = min(ours / real for ours, real in apart)
    return found
