"""What a run says of its samples while it trains: a cheap look at some 256 of them, every 100 steps.

`Looks` is a watcher. At a look it draws samples from the averaged weights (and some from the live ones), with seeds
of its own, and compares them with real items of the training data as their space looks at them (`real_features.py`),
which needs no download. The numbers go into the rows of `metrics.jsonl` as `signal/...`, and `diagnosis.py` reads them
there.

A look costs about as much as a step, however many items the data has and however large they are: of large samples
there are fewer, and those of which not even 32 are affordable are not looked at.

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

import torch
from torch import Tensor

from ganvas.doctor.real_features import (
    LIVE,
    SAMPLES,
    RealFeatures,
    affordable,
    mean_distance,
    nearest_other,
)
from ganvas.metrics.distributions import Moments, frechet_distance
from ganvas.schema import any_number, record, several
from ganvas.spaces import stronger
from ganvas.training import Game, Watcher, seed_from

LOOK_EVERY = 100
"""Steps between two looks. A function of the step alone, so that a resumed training looks at the same moments."""

MOST_LABELS = 32
"""Labels that a look asks for, each at 8 latents or more."""

_SEED = 1_000_033
"""Seeds the latents of a look, together with the run's seed."""


class Looks(Watcher):
    """Measures samples every 100 steps, where these are made from noise and a label alone and are not too large. Costs
    training none of its randomness."""

    memory = record({}, {"centre": several(any_number)})

    def __init__(self) -> None:
        super().__init__()
        self._reference: RealFeatures | None = None
        self._samples = 0
        self._labels = torch.zeros(0, dtype=torch.long)

    def started(self, training: Game) -> None:
        # Samples with a right answer are as diverse as what they are made of.
        answered = training.recipe.given() and training.data.batch_type.answers
        self._samples = 0 if answered else affordable(training.data.space.shape)
        if self._samples:
            self._labels = labels_shown(training.recipe.classes, self._samples).to(training.device)
            self._reference = RealFeatures.of(training.data, training.device, self._samples)

    def measure(self, training: Game) -> Mapping[str, float]:
        if training.steps_done % LOOK_EVERY or self._reference is None:
            return {}
        reference = self._reference
        with training.averaged_weights():
            samples, labels = _drawn(training, self._samples, self._labels, _SEED)
            found = compare(samples, labels, reference)
        live = min(LIVE, self._samples)
        if training.averaged:
            with training.live_weights():
                samples, _ = _drawn(training, live, self._labels, _SEED + 1)
        if samples.isfinite().all():
            centre = reference.project(samples[:live]).mean(0)
            before = self.state.get("centre")
            if before is not None and len(before) == len(centre):
                found["shift"] = float((centre - centre.new_tensor(before)).norm()) / reference.deviation
            self.state["centre"] = centre.tolist()
        # All processes see the same numbers, whatever each one's BatchNorm has seen.
        values = torch.tensor(list(found.values()), dtype=torch.float64, device=training.device)
        shared = training.processes.sum(values) / training.processes.world
        return {f"signal/{name}": value for name, value in zip(found, shared.tolist(), strict=True)}


def _drawn(training: Game, count: int, shown: Tensor, seed: int) -> tuple[Tensor, Tensor | None]:
    """Samples, and their labels (n,) where the recipe is conditional: each latent then goes with every label shown, in
    turn.

    As many blocks as the training's batches need, so that a look takes no more memory than a step.
    """
    recipe = training.recipe
    each = max(1, len(shown))
    latents = max(2, count // each)
    seed_from(training.settings.seed, seed)
    given = recipe.conditions(training.data, latents)
    if each > 1:
        given["label"] = shown.new_zeros(latents)
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


def labels_shown(classes: int, samples: int = SAMPLES) -> Tensor:
    """(K,) the labels that a look at so many samples asks for: all of them, or 32 spread evenly over them (fewer where
    there are fewer samples); empty where there are none."""
    count = min(classes, MOST_LABELS, samples // 8)
    return torch.arange(count) * classes // max(count, 1)


def compare(samples: Tensor, labels: Tensor | None, reference: RealFeatures) -> dict[str, float]:
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
        "distance": frechet_distance(reference.moments, Moments.of(features)) / reference.deviation**2,
        "copying": _copying(features, reference),
    }
    if labels is not None:
        found |= _label_signals(features, labels, reference)
    if reference.patterns:
        found["checkerboard"] = stronger(reference.space.patterns(samples), reference.patterns)
    return found


def _missed(features: Tensor, reference: RealFeatures) -> float:
    """Share of real items in cells where samples are a fifth as frequent as they are, or less."""
    place = torch.cdist(features, reference.cells).argmin(1)
    mine = torch.bincount(place, minlength=len(reference.cells)).float() / len(features)
    return float(reference.weights[mine <= reference.weights / 5].sum())


def _copying(features: Tensor, reference: RealFeatures) -> float:
    """Median over samples of a ratio that copies bring to 0, divided by the same of fresh real items."""
    return _nearness(features, reference.train, reference.held_out) / reference.copying


def _nearness(features: Tensor, train: Tensor, held_out: Tensor) -> float:
    """Median distance to the nearest training item, divided by that to the nearest held-out item; where there are too
    few of those, by that to the second nearest training item."""
    apart = torch.cdist(features, train)
    if len(held_out):
        return float((apart.amin(1) / torch.cdist(features, held_out).amin(1).clamp(min=1e-12)).median())
    two = apart.topk(min(2, apart.shape[1]), largest=False).values
    return float((two[:, 0] / two[:, -1].clamp(min=1e-12)).median())


def _label_signals(features: Tensor, labels: Tensor, reference: RealFeatures) -> dict[str, float]:
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
