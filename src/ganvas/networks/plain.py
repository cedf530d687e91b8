"""Convolutional networks without normalisation, for objectives that keep the game stable by penalties alone.

BatchNorm ties the samples of a batch together and hides the gradient that R1 and R2 act on, so none is used here; the
latent vector is of unit mean square instead (`Normal(..., sphere=True)`), and PyTorch's default initialisation keeps
activations in range.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from ganvas.networks.convolution import ConvTranspose2d
from ganvas.networks.doubling import Doubling
from ganvas.networks.minibatch import MinibatchDeviation
from ganvas.networks.shapes import Pyramid, pyramid

LEAK = 0.01
"""The slope that is left where a generator's tanh has none."""


def _widths(shape: Pyramid, width: int) -> list[int]:
    """Feature maps from the finest level to the base: doubled at each halving, up to 8 times `width`."""
    return [width * min(8, 2**level) for level in range(shape.doublings + 1)]


class PlainGenerator(nn.Module):
    """Latent vectors to images: a projection to the base, one layer for each doubling, and a 3x3 convolution to the
    image. LeakyReLU 0.2 between layers, a leaky tanh at the end: without normalisation a plain one saturates in the
    first steps of some trainings, and a generator of black images gets no gradient ever again.

    even: sizes are doubled by `Doubling`, not by transposed convolutions.
    """

    def __init__(
        self, *, latent: int, channels: int, size: tuple[int, int], width: int, classes: int = 0, even: bool = False
    ) -> None:
        super().__init__()
        self.pyramid = pyramid(size)
        widths = _widths(self.pyramid, width)[::-1]
        self.first = (widths[0], *self.pyramid.base)
        self.embedding = nn.Embedding(classes, latent) if classes else None
        self.project = nn.Linear(latent * (2 if classes else 1), math.prod(self.first))
        layers: list[nn.Module] = [nn.LeakyReLU(0.2)]
        for before, after in pairwise(widths):
            double = Doubling(before, after) if even else ConvTranspose2d(before, after, 4, 2, 1)
            layers += [double, nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(widths[-1], channels, 3, padding=1))

    def notes(self) -> list[str]:
        """What a plan should say of the size of its images."""
        return self.pyramid.notes()

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        """latent: (B, latent) of unit mean square, or nearer to 0 where it is truncated; label: (B,) int64 where
        conditional. Returns (B, C, H, W), about in [-1, 1]."""
        if self.embedding is not None:
            latent = torch.cat([latent, self.embedding(label)], dim=1)
        hidden = self.project(latent).unflatten(1, self.first).contiguous(memory_format=torch.channels_last)
        image: Tensor = self.pyramid.crop(self.layers(hidden))
        return torch.tanh(image) + LEAK * image


class Trunk(nn.Module):
    """Images to feature maps of ever smaller sides: one stride-2 convolution for each halving and a 3x3 convolution at
    the base, LeakyReLU 0.2 behind each. With `deviation`, the last one also sees the minibatch's deviation.

    maps: how many there are. outputs: how many numbers the last one has.
    """

    def __init__(self, *, channels: int, size: tuple[int, int], width: int, deviation: bool = False) -> None:
        super().__init__()
        shape = pyramid(size)
        self.padding = (0, shape.made[1] - size[1], 0, shape.made[0] - size[0])
        widths = _widths(shape, width)
        layers: list[nn.Module] = []
        before = channels
        for after in widths[:-1]:
            layers += [nn.Conv2d(before, after, 4, 2, 1), nn.LeakyReLU(0.2, inplace=True)]
            before = after
        if deviation:
            layers.append(MinibatchDeviation())
            before += 1
        layers += [nn.Conv2d(before, widths[-1], 3, padding=1), nn.LeakyReLU(0.2, inplace=True)]
        self.layers = nn.Sequential(*layers)
        self.maps, self.widest = len(widths), widths[-1]
        self.outputs = widths[-1] * math.prod(shape.base)

    def features(self, images: Tensor) -> list[Tensor]:
        """(B, C, H, W) in [-1, 1] to what each LeakyReLU gives, the finest first."""
        if any(self.padding):
            images = nn.functional.pad(images, self.padding, mode="replicate")
        maps = []
        for layer in self.layers:
            images = layer(images)
            if isinstance(layer, nn.LeakyReLU):
                maps.append(images)
        return maps


class PlainDiscriminator(Trunk):
    """Images to logits: a trunk and a linear head.

    With `classes`, the inner product of the label's embedding and a linear map of the features is added to the logit
    (the projection condition of Miyato and Koyama 2018, eq. 3, on features that keep their place in the image).
    """

    def __init__(
        self, *, channels: int, size: tuple[int, int], width: int, classes: int = 0, deviation: bool = False
    ) -> None:
        super().__init__(channels=channels, size=size, width=width, deviation=deviation)
        self.head = nn.Linear(self.outputs, 1)
        self.embedding = nn.Embedding(classes, self.widest) if classes else None
        self.reading = nn.Linear(self.outputs, self.widest) if classes else None

    def forward(self, images: Tensor, label: Tensor | None = None) -> Tensor:
        """images: (B, C, H, W) in [-1, 1], label: (B,) int64 where conditional. Returns logits (B,)."""
        return self.judge(self.features(images)[-1], label)

    def judge(self, features: Tensor, label: Tensor | None = None) -> Tensor:
        """The last of the features to logits (B,)."""
        features = features.flatten(1)
        logits: Tensor = self.head(features).squeeze(1)
        if self.embedding is not None and self.reading is not None:
            wanted = self.embedding(label)
            logits = logits + (self.reading(features) * wanted).sum(1) / math.sqrt(wanted.shape[1])
        return logits
