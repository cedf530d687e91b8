"""`native`: a small classifier, trained on the data's own labels, as the judge of just this data.

For digits, tiles and the like it sees what matters to these labels, where an ImageNet network sees texture. It is
trained at first use, on the training split alone, and kept in the cache by the data's content. It also reads labels off
conditional samples.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional

from ganvas.data.cache import cache_folder, only_one
from ganvas.data.dataset import Data, Split
from ganvas.errors import DataError, TrainingError, UsageError
from ganvas.features.base import Features, ImageExtractor
from ganvas.features.weights import check_shapes, read_weights, weights_hash
from ganvas.files import write_atomically, write_json
from ganvas.progress_bar import steps as steps_shown
from ganvas.spaces import Space
from ganvas.text import shown
from ganvas.training import has_native_bf16

VERSION = 1
"""Of the network and its training; another one makes other scores."""

DIMENSIONS, LARGEST, BATCH = 128, 64, 128

SEEN, FEWEST_PASSES, MOST_PASSES, MOST_IMAGES = 250_000, 3, 10, 60_000
"""The training's length: about as many pictures as `SEEN`, within so many passes, over so many different pictures."""


class Native(ImageExtractor):
    """channels: of the pictures. space: of samples that become pictures by its `levels`; None of pictures themselves.
    features: the layer below the logits (128). logits: one for each label.

    accuracy: the share of held-out data that it reads rightly (NaN where none is held out). steps and seconds: of its
    training.
    """

    def __init__(self, channels: int, classes: int, space: Space | None = None) -> None:
        super().__init__()
        self.space = space
        self.name, self.dimensions = "native", DIMENSIONS
        self.resizing = f"as they are, or shrunk with antialiasing to {LARGEST} pixels a side; (x - 127.5) / 127.5"
        self.accuracy, self.steps, self.seconds = math.nan, 0, 0.0
        self.channels = channels
        layers = [(channels, 32, 5, 2), (32, 64, 3, 1), (64, 128, 3, 2), (128, 128, 3, 1)]
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Conv2d(n, m, k, stride, padding=k // 2, bias=False), nn.BatchNorm2d(m), nn.ReLU())
            for n, m, k, stride in layers
        )
        self.hidden = nn.Linear(128 * 16, DIMENSIONS)
        self.head = nn.Linear(DIMENSIONS, classes)
        self.to(memory_format=torch.channels_last)

    def forward(self, samples: Tensor) -> Features:
        return super().forward(samples if self.space is None else self.space.levels(samples))

    def prepare(self, levels: Tensor) -> Tensor:
        if levels.shape[1] != self.channels:
            if self.channels == 1:
                raise DataError("native was trained on gray images, and these have 3 channels")
            levels = levels.expand(-1, self.channels, -1, -1)
        larger = max(levels.shape[2:])
        if larger > LARGEST:
            size = [max(1, round(side * LARGEST / larger)) for side in levels.shape[2:]]
            levels = functional.interpolate(levels, size, mode="bilinear", align_corners=False, antialias=True)
        return ((levels - 127.5) / 127.5).contiguous(memory_format=torch.channels_last)

    def maps_of(self, prepared: Tensor) -> list[Tensor]:
        """32, 64, 128 and 128 channels."""
        maps = [prepared]
        for block in self.blocks:
            maps.append(block(maps[-1]))
        return maps[1:]

    def _pooled(self, deepest: Tensor) -> Features:
        features = self.hidden(functional.adaptive_avg_pool2d(deepest, 4).flatten(1)).relu()
        return Features(features, self.classify(features))

    def classify(self, features: Tensor) -> Tensor:
        logits: Tensor = self.head(features)
        return logits


def native(data: Data, *, progress: bool = True) -> Native:
    """The classifier of this data, from the cache or trained now (a minute for 5,000 digits, some for 50,000 pictures).

    progress: say so, and show a bar on a terminal. Raises UsageError for points, DataError for data with fewer than two
    labels.
    """
    if "native" not in data.space.extractors:
        raise UsageError(f"the extractor native is for images and sounds, and {data.name} has {data.space}")
    if len(data.labels) < 2:
        what = "only one label" if data.labels else "no labels"
        raise DataError(
            f"the extractor native learns from labels, and {shown(data.source)} has {what}; take lite0, or put each "
            "class into a sub-folder"
        )
    key = hashlib.sha256(f"{VERSION} {data.fingerprint}".encode()).hexdigest()[:32]
    path = cache_folder() / "native" / f"{key}.safetensors"
    with only_one(path):
        found = _kept(path, data)
        if found is None:
            found = _trained(data, progress)
            with contextlib.suppress(TrainingError):  # a cache that cannot be written to costs time, nothing else
                write_atomically(path, save({name: tensor.contiguous() for name, tensor in found.state_dict().items()}))
                about = {name: getattr(found, name) for name in ("weights_hash", "accuracy", "steps", "seconds")}
                write_json(path.with_suffix(".json"), about)
    return found


def train_classifier(
    values: Tensor,
    labels: Tensor,
    classes: int,
    *,
    space: Space | None = None,
    seed: int = 0,
    progress: bool = False,
    title: str = "classifier",
) -> Native:
    """The same classifier, of these images (N, C, H, W) uint8 with labels (N,) in 0 ... classes - 1; the same seed
    gives the same one. Images are shifted by up to an eighth of their side, and coloured ones also mirrored. space:
    where values are samples of it, encoded, and become images by its `levels`.
    """
    pictures = values if space is None else torch.cat([space.levels(part) for part in values.split(256)])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        classifier = Native(pictures.shape[1], classes, space)
        classifier.steps, classifier.seconds = _train(classifier, pictures, labels, progress, title)
    classifier.requires_grad_(False).train(False)
    classifier.weights_hash = weights_hash(classifier.state_dict())
    return classifier


def _train(classifier: Native, values: Tensor, labels: Tensor, progress: bool, title: str) -> tuple[int, float]:
    batch = min(BATCH, len(values))
    passes = min(MOST_PASSES, max(FEWEST_PASSES, SEEN // len(values)))
    steps = passes * (len(values) // batch)
    optimizer = torch.optim.AdamW(classifier.parameters(), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps + 1)
    bf16 = has_native_bf16(torch.device("cpu"))
    classifier.blocks.train()  # these alone: the extractor itself stays in evaluation mode
    began = time.monotonic()
    orders = (torch.randperm(len(values))[: len(values) // batch * batch].split(batch) for _ in range(passes))
    for chosen in steps_shown((part for order in orders for part in order), steps, title, progress):
        prepared = classifier.prepare(_varied(values[chosen]).float())
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            deepest = classifier.maps_of(prepared)[-1]
        logits = classifier._pooled(deepest.float()).logits
        assert logits is not None
        optimizer.zero_grad()
        functional.cross_entropy(logits, labels[chosen], label_smoothing=0.05).backward()
        optimizer.step()
        schedule.step()
    return steps, round(time.monotonic() - began, 1)


def _varied(levels: Tensor) -> Tensor:
    """Shifted by up to an eighth of a side, all of a batch alike; half of the coloured ones mirrored. What is gray is
    often a character, and mirrored characters are others."""
    height, width = levels.shape[2:]
    down, right = (int(torch.randint(-(side // 8), side // 8 + 1, ())) for side in (height, width))
    padded = functional.pad(levels.float(), (width // 8,) * 2 + (height // 8,) * 2, mode="replicate")
    shifted = padded[:, :, height // 8 + down :, width // 8 + right :][:, :, :height, :width]
    if levels.shape[1] == 1:
        return shifted
    return torch.where(torch.rand(len(levels), 1, 1, 1) < 0.5, shifted, shifted.flip(3))


def _trained(data: Data, progress: bool) -> Native:
    values, labels = _items(data.split("train"), MOST_IMAGES)
    if len(labels.unique()) < 2:
        raise DataError(f"the extractor native needs two labels to learn from, and {shown(data.source)} has one")
    classifier = train_classifier(
        values, labels, len(data.labels), space=data.space, progress=progress, title=f"training native on {data.name}"
    )
    held_out = next((data.split(name) for name in ("validation", "test") if len(data.split(name))), None)
    if held_out is not None:
        values, labels = _items(held_out, MOST_IMAGES)
        logits = torch.cat([classifier.classify(classifier(part).features) for part in values.split(256)])
        classifier.accuracy = float((logits.argmax(1) == labels).double().mean())
    return classifier


def _items(split: Split, most: int) -> tuple[Tensor, Tensor]:
    """uint8 images and labels of a split, at most so many, drawn at random where there are more."""
    places = np.arange(len(split))
    if len(places) > most:
        places = np.sort(np.random.RandomState(0).permutation(len(places))[:most])
    pieces = []
    for start in range(0, len(places), 1024):
        pieces.append(split.data.space.encode(split.gather(places[start : start + 1024]).value).contiguous())
    assert split.labels is not None
    return torch.cat(pieces), torch.from_numpy(split.labels[places])


def _kept(path: Path, data: Data) -> Native | None:
    """What the cache has, or None where that is nothing, damaged or another's."""
    try:
        about = json.loads(path.with_suffix(".json").read_bytes())
        weights = read_weights(path)
        pictures = data.space.levels(data.space.encode(torch.zeros(1, *data.space.shape)))
        found = Native(pictures.shape[1], len(data.labels), data.space)
        check_shapes(weights, {name: tuple(tensor.shape) for name, tensor in found.state_dict().items()}, "native")
        if weights_hash(weights) != about["weights_hash"]:
            return None
        found.load_state_dict(weights)
        found.accuracy, found.steps = float(about["accuracy"]), int(about["steps"])
        found.seconds, found.weights_hash = float(about["seconds"]), str(about["weights_hash"])
    except (OSError, ValueError, KeyError, TypeError, DataError):
        return None
    found.requires_grad_(False).train(False)
    return found
