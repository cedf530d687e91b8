"""Residual networks of bottlenecks without normalisation (Huang et al. 2024, section 3.3 and figure 4).

A block is a 1x1 convolution to twice the width, a 3x3 convolution in groups of 16 maps, and a 1x1 convolution back,
with leaky ReLUs between them and none at its end. Its last convolution begins at zero and the others smaller by
L^(-1/4) for L blocks, which keeps a network without normalisation in range (fix-up: Zhang, Dauphin and Ma 2019,
section 4, with three layers in a branch). Maps change their size by bilinear interpolation, and their number by a 1x1
convolution.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, leaky_relu

from ganvas.networks.resampling import doubled
from ganvas.networks.shapes import Pyramid, pyramid

BLOCKS = 2
"""Blocks at each size."""

GROUP = 16
"""Maps of a group."""

EXPANSION = 2
_SLOPE = 0.2


def widths(shape: Pyramid, width: int) -> list[int]:
    """Feature maps from the base to the finest size: `width` for three doublings, which is up to 32 pixels, and then
    half as many at each."""
    return [max(1, width >> max(0, level - 3)) for level in range(shape.doublings + 1)]


class BottleneckGenerator(nn.Module):
    """Latent vectors to images: learned maps at the base, each as strong as a linear map of the latent vector says,
    then blocks and doublings, and a 1x1 convolution to the image."""

    def __init__(self, *, latent: int, channels: int, size: tuple[int, int], width: int, classes: int = 0) -> None:
        super().__init__()
        self.pyramid = pyramid(size)
        wide = widths(self.pyramid, width)
        self.embedding = nn.Embedding(classes, latent) if classes else None
        self.basis = nn.Parameter(torch.randn(wide[0], *self.pyramid.base))
        self.strength = _begun(nn.Linear(latent * (2 if classes else 1), wide[0], bias=False))
        count = BLOCKS * len(wide)
        self.first = nn.Sequential(*(Bottleneck(wide[0], count) for _ in range(BLOCKS)))
        self.stages = nn.ModuleList(
            nn.Sequential(Resized(before, after, 2), *(Bottleneck(after, count) for _ in range(BLOCKS)))
            for before, after in pairwise(wide)
        )
        self.output = _begun(nn.Conv2d(wide[-1], channels, 1))

    def notes(self) -> list[str]:
        """What a plan should say of the size of its images."""
        return self.pyramid.notes()

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        """latent: (B, latent), label: (B,) int64 where conditional. Returns (B, C, H, W), about in [-1, 1]."""
        if self.embedding is not None:
            latent = torch.cat([latent, self.embedding(label)], dim=1)
        strength = self.strength(latent)
        hidden = strength[:, :, None, None] * self.basis.to(strength.dtype)
        hidden = self.first(hidden.contiguous(memory_format=torch.channels_last))
        for stage in self.stages:
            hidden = stage(hidden)
        image: Tensor = self.pyramid.crop(self.output(hidden))
        return image


class BottleneckDiscriminator(nn.Module):
    """Images to logits: the generator's way back, to one number for each map at the base and a linear head. With
    `classes`, the inner product of the label's embedding and a linear map of these is added (Miyato and Koyama 2018,
    eq. 3)."""

    def __init__(self, *, channels: int, size: tuple[int, int], width: int, classes: int = 0) -> None:
        super().__init__()
        shape = pyramid(size)
        self.padding = (0, shape.made[1] - size[1], 0, shape.made[0] - size[0])
        wide = widths(shape, width)[::-1]
        count = BLOCKS * len(wide)
        self.input = _begun(nn.Conv2d(channels, wide[0], 1))
        self.stages = nn.Sequential(
            *(
                nn.Sequential(*(Bottleneck(before, count) for _ in range(BLOCKS)), Resized(before, after, 0.5))
                for before, after in pairwise(wide)
            ),
            *(Bottleneck(wide[-1], count) for _ in range(BLOCKS)),
        )
        self.basis = _begun(nn.Conv2d(wide[-1], wide[-1], shape.base, groups=wide[-1], bias=False))
        self.head = _begun(nn.Linear(wide[-1], 1))
        self.reading = _begun(nn.Linear(wide[-1], wide[-1])) if classes else None
        self.embedding = nn.Embedding(classes, wide[-1]) if classes else None

    def forward(self, images: Tensor, label: Tensor | None = None) -> Tensor:
        """images: (B, C, H, W) about in [-1, 1], label: (B,) int64 where conditional. Returns logits (B,)."""
        if any(self.padding):
            images = nn.functional.pad(images, self.padding, mode="replicate")
        features = self.basis(self.stages(self.input(images))).flatten(1)
        logits: Tensor = self.head(features).squeeze(1)
        if self.embedding is not None and self.reading is not None:
            wanted = self.embedding(label)
            logits = logits + (self.reading(features) * wanted).sum(1) / math.sqrt(wanted.shape[1])
        return logits


class Bottleneck(nn.Module):
    """Maps (B, C, H, W) to as many. count: blocks of the whole network."""

    def __init__(self, width: int, count: int) -> None:
        super().__init__()
        inner = EXPANSION * width
        shrunk = count**-0.25
        self.one = _begun(nn.Conv2d(width, inner, 1), shrunk)
        self.two = _begun(nn.Conv2d(inner, inner, 3, padding=1, groups=inner // math.gcd(inner, GROUP)), shrunk)
        self.three = _begun(nn.Conv2d(inner, width, 1, bias=False), 0.0)

    def forward(self, x: Tensor) -> Tensor:
        hidden = leaky_relu(self.two(leaky_relu(self.one(x), _SLOPE)), _SLOPE)
        result: Tensor = x + self.three(hidden)
        return result


class Resized(nn.Module):
    """Maps (B, before, H, W) to `after` maps of twice (2) or half (0.5) the size."""

    def __init__(self, before: int, after: int, scale: float) -> None:
        super().__init__()
        self.scale = scale
        self.change = _begun(nn.Conv2d(before, after, 1, bias=False)) if before != after else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        # Both ways round they are the same, and the convolution is cheapest on small maps.
        if self.scale < 1:
            small: Tensor = self.change(avg_pool2d(x, 2))  # what bilinear interpolation is at exactly half the size
            return small
        return doubled(self.change(x))


def _begun(layer: nn.Conv2d | nn.Linear, gain: float = 1.0) -> nn.Conv2d | nn.Linear:
    """The layer with weights that keep the size of what passes a leaky ReLU (He et al. 2015), times `gain`, and without
    biases at first."""
    fan = layer.weight[0].numel()
    nn.init.normal_(layer.weight, std=gain * math.sqrt(2 / (1 + _SLOPE**2) / fan))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
