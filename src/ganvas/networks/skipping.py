"""A light generator in which coarse maps gate fine ones (Liu, Zhu, Song and Elgammal 2021, section 3.1).

A skip-layer excitation multiplies each channel of a fine map by a number that two convolutions make of a coarse one
(eq. 1 and 2): a short way for gradients, and for what a coarse map decides of the whole image. Each doubling is a
transposed convolution with LeakyReLU, a quarter of the arithmetic of the paper's, which enlarges first and has a gated
linear unit. The paper's added noise is left out: an image is a function of its latent vector.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganvas.networks.plain import LEAK
from ganvas.networks.shapes import pyramid

FURTHEST = 4
"""Doublings between a coarse map and the fine one that it gates: the paper's of 256 pixels, fewer of small images."""


class SkippingGenerator(nn.Module):
    """Latent vectors to images of any size: a projection to the base, and a doubling for each level."""

    def __init__(self, *, latent: int, channels: int, size: tuple[int, int], width: int, classes: int = 0) -> None:
        super().__init__()
        self.pyramid = pyramid(size)
        levels = self.pyramid.doublings
        widths = [width * min(8, 2 ** (levels - level)) for level in range(levels + 1)]
        self.first = (widths[0], *self.pyramid.base)
        self.embedding = nn.Embedding(classes, latent) if classes else None
        self.project = nn.Linear(latent * (2 if classes else 1), math.prod(self.first))
        self.start = nn.BatchNorm2d(widths[0])
        self.doublings = nn.ModuleList(_Doubling(before, after) for before, after in pairwise(widths))
        self.apart = max(1, min(FURTHEST, levels - 1))
        gated = range(self.apart, levels + 1)
        self.gates = nn.ModuleList(Excitation(widths[level - self.apart], widths[level]) for level in gated)
        self.output = nn.Conv2d(widths[-1], channels, 3, padding=1)

    def notes(self) -> list[str]:
        """What a plan should say of the size of its images."""
        return self.pyramid.notes()

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        """latent: (B, latent) of unit mean square; label: (B,) int64 where conditional. Returns (B, C, H, W), about in
        [-1, 1]."""
        if self.embedding is not None:
            latent = torch.cat([latent, self.embedding(label)], dim=1)
        hidden = self.project(latent).unflatten(1, self.first).contiguous(memory_format=torch.channels_last)
        maps = [functional.leaky_relu(self.start(hidden), 0.2)]
        for level, doubling in enumerate(self.doublings, 1):
            hidden = doubling(maps[-1])
            if level >= self.apart:
                hidden = hidden * self.gates[level - self.apart](maps[level - self.apart])
            maps.append(hidden)
        image: Tensor = self.pyramid.crop(self.output(maps[-1]))
        return torch.tanh(image) + LEAK * image


class _Doubling(nn.Module):
    """(B, before, H, W) to (B, after, 2H, 2W)."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.convolution = nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False)
        self.norm = nn.BatchNorm2d(after)

    def forward(self, x: Tensor) -> Tensor:
        return functional.leaky_relu(self.norm(self.convolution(x)), 0.2)


class Excitation(nn.Module):
    """A coarse map (B, coarse, h, w) to a factor for each channel of a fine one, (B, fine, 1, 1) in [0, 1]."""

    def __init__(self, coarse: int, fine: int) -> None:
        super().__init__()
        self.gather, self.decide = nn.Conv2d(coarse, fine, 4), nn.Conv2d(fine, fine, 1)

    def forward(self, x: Tensor) -> Tensor:
        seen = functional.leaky_relu(self.gather(_four(x)), 0.1)
        return torch.sigmoid(self.decide(seen))


def _four(x: Tensor) -> Tensor:
    """(B, C, h, w) to (B, C, 4, 4): the means of four parts of each side, as an interpolation that every exporter knows
    where sides are no multiples of four."""
    height, width = x.shape[2:]
    if height % 4 == 0 and width % 4 == 0:
        return functional.avg_pool2d(x, (height // 4, width // 4))
    return functional.interpolate(x, (4, 4), mode="bilinear", align_corners=False)
