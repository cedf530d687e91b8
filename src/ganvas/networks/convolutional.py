"""The DCGAN networks (Radford et al. 2015, section 3 and figure 1), for any channel count and size."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from ganvas.networks.convolution import Conv2d, ConvTranspose2d
from ganvas.networks.shapes import pyramid

LOUDNESS = 0.1
"""Root mean square of a label's embedding in the generator, whose latent vector has 1. Left to itself, the embedding of
a label grows until the latent vector is not heard beside it, and the generator makes one picture of that label."""


class ConvolutionalGenerator(nn.Module):
    """Latent vectors to images: a projection, then one stride-2 transposed convolution for each doubling.

    BatchNorm and ReLU behind every layer but the last, tanh at the end. With `classes`, an embedding of the label is
    concatenated to the latent vector, of a length that training cannot change. `width` is the number of feature maps
    before the last layer; each earlier layer has twice as many, up to 16 times `width`.
    """

    def __init__(self, *, latent: int, channels: int, size: tuple[int, int], width: int, classes: int = 0) -> None:
        super().__init__()
        self.pyramid = pyramid(size)
        self.embedding = nn.Embedding(classes, latent) if classes else None
        widths = [width * min(16, 2**level) for level in range(max(self.pyramid.doublings, 1))][::-1]
        self.first = widths[0]
        height, breadth = self.pyramid.base
        self.project = nn.Linear(latent * (2 if classes else 1), widths[0] * height * breadth, bias=False)
        layers: list[nn.Module] = [nn.BatchNorm2d(widths[0]), nn.ReLU(inplace=True)]
        for before, after in pairwise(widths):
            layers += [
                ConvTranspose2d(before, after, 4, 2, 1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(inplace=True),
            ]
        if self.pyramid.doublings:
            layers.append(ConvTranspose2d(widths[-1], channels, 4, 2, 1))
        else:
            layers.append(Conv2d(widths[-1], channels, 3, padding=1))
        self.layers = nn.Sequential(*layers)
        self.apply(_initialise)

    def notes(self) -> list[str]:
        """What a plan should say of the size of its images."""
        return self.pyramid.notes()

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        """latent: (B, latent), label: (B,) int64 where conditional. Returns (B, C, H, W) in [-1, 1]."""
        if self.embedding is not None:
            told = nn.functional.normalize(self.embedding(label), dim=1) * (LOUDNESS * math.sqrt(latent.shape[1]))
            latent = torch.cat([latent, told], dim=1)
        hidden = self.project(latent).unflatten(1, (self.first, *self.pyramid.base))
        hidden = hidden.contiguous(memory_format=torch.channels_last)
        return torch.tanh(self.pyramid.crop(self.layers(hidden)))


class ConvolutionalDiscriminator(nn.Module):
    """Images to logits: one stride-2 convolution for each halving, LeakyReLU 0.2, BatchNorm except in the first.

    With `classes`, the inner product of the label's embedding and a linear map of the features is added to the logit
    (the projection condition of Miyato and Koyama 2018, eq. 3, on features that keep their place in the image).
    """

    def __init__(self, *, channels: int, size: tuple[int, int], width: int, classes: int = 0) -> None:
        super().__init__()
        shape = pyramid(size)
        self.padding = (0, shape.made[1] - size[1], 0, shape.made[0] - size[0])
        layers: list[nn.Module] = []
        before = channels
        for level in range(max(shape.doublings, 1)):
            after = width * min(16, 2**level)
            halving = shape.doublings > 0
            layers.append(Conv2d(before, after, 4 if halving else 3, 2 if halving else 1, 1, bias=level == 0))
            if level:
                layers.append(nn.BatchNorm2d(after))
            layers.append(nn.LeakyReLU(0.2, inplace=True))
            before = after
        self.layers = nn.Sequential(*layers)
        self.outputs = before * math.prod(shape.base)
        self.head = nn.Linear(self.outputs, 1)
        self.embedding = nn.Embedding(classes, before) if classes else None
        self.reading = nn.Linear(self.outputs, before) if classes else None
        self.apply(_initialise)

    def forward(self, images: Tensor, label: Tensor | None = None) -> Tensor:
        """images: (B, C, H, W) in [-1, 1], label: (B,) int64 where conditional. Returns logits (B,)."""
        return self.judge(self.features(images), label)

    def features(self, images: Tensor) -> Tensor:
        """(B, C, H, W) in [-1, 1] to (B, outputs), what the last layer reads; others may read it too."""
        if any(self.padding):
            images = nn.functional.pad(images, self.padding, mode="replicate")
        features: Tensor = self.layers(images).flatten(1)
        return features

    def judge(self, features: Tensor, label: Tensor | None = None) -> Tensor:
        """Features (B, outputs) to logits (B,)."""
        logits: Tensor = self.head(features).squeeze(1)
        if self.embedding is not None and self.reading is not None:
            wanted = self.embedding(label)
            logits = logits + (self.reading(features) * wanted).sum(1) / math.sqrt(wanted.shape[1])
        return logits


def _initialise(module: nn.Module) -> None:
    """Weights from N(0, 0.02), as in the paper's section 4; BatchNorm scales from N(1, 0.02).

    Embeddings of labels begin small (the paper has none).
    """
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Embedding):
        nn.init.normal_(module.weight, 0.0, LOUDNESS)
