"""Residual networks for GANs (Miyato et al. 2018, appendix B.4), for any channel count and size.

The generator's blocks begin with BatchNorm, whose scale and shift a label chooses where there are labels (conditional
BatchNorm; Dumoulin et al. 2017). Every layer of the discriminator is spectrally normalised, and the label enters as a
projection (Miyato and Koyama 2018, eq. 3).
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, relu

from ganvas.networks.convolution import Conv2d
from ganvas.networks.shapes import Pyramid, pyramid
from ganvas.networks.spectral import spectral_norm


class ResidualGenerator(nn.Module):
    """Latent vectors to images: a projection to the base, one residual block for each doubling, BatchNorm, ReLU, a 3x3
    convolution, tanh. `width` is the number of feature maps at full size; each earlier level has twice as many, up to
    16 times `width`."""

    def __init__(self, *, latent: int, channels: int, size: tuple[int, int], width: int, classes: int = 0) -> None:
        super().__init__()
        self.pyramid = pyramid(size)
        widths = _widths(self.pyramid, width)[::-1]
        self.first = (widths[0], *self.pyramid.base)
        height, breadth = self.pyramid.base
        self.project = nn.Linear(latent, widths[0] * height * breadth)
        self.blocks = nn.ModuleList(_Up(before, after, classes) for before, after in pairwise(widths))
        self.normalise = nn.BatchNorm2d(widths[-1])
        self.output = Conv2d(widths[-1], channels, 3, padding=1)
        self.apply(_initialise)

    def notes(self) -> list[str]:
        """What a plan should say of the size of its images."""
        return self.pyramid.notes()

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        """latent: (B, latent), label: (B,) int64 where conditional. Returns (B, C, H, W) in [-1, 1]."""
        hidden = self.project(latent).unflatten(1, self.first).contiguous(memory_format=torch.channels_last)
        for block in self.blocks:
            hidden = block(hidden, label)
        return torch.tanh(self.pyramid.crop(self.output(relu(self.normalise(hidden)))))


class ResidualDiscriminator(nn.Module):
    """Images to logits: one residual block for each halving, another at the base, ReLU, the sum over all places, and a
    linear layer. Spectrally normalised; whoever trains it calls `networks.spectral.advance` in `after`."""

    def __init__(self, *, channels: int, size: tuple[int, int], width: int, classes: int = 0) -> None:
        super().__init__()
        shape = pyramid(size)
        self.padding = (0, shape.made[1] - size[1], 0, shape.made[0] - size[0])
        # The first block brings the image to the width of the finest level, and no block keeps that resolution.
        widths = [channels, *_widths(shape, width)[: max(shape.doublings, 1)]]
        blocks = [
            _Down(before, after, first=level == 0, halving=shape.doublings > 0)
            for level, (before, after) in enumerate(pairwise(widths))
        ]
        self.blocks = nn.Sequential(*blocks, _Down(widths[-1], widths[-1], first=False, halving=False))
        self.head = nn.Linear(widths[-1], 1)
        self.embedding = nn.Embedding(classes, widths[-1]) if classes else None
        self.apply(_initialise)
        for module in list(self.modules()):
            if isinstance(module, nn.Conv2d | nn.Linear | nn.Embedding):
                spectral_norm(module)

    def forward(self, images: Tensor, label: Tensor | None = None) -> Tensor:
        """images: (B, C, H, W) in [-1, 1], label: (B,) int64 where conditional. Returns logits (B,)."""
        if any(self.padding):
            images = nn.functional.pad(images, self.padding, mode="replicate")
        features = relu(self.blocks(images)).sum((2, 3))
        logits: Tensor = self.head(features).squeeze(1)
        if self.embedding is not None:
            logits = logits + (self.embedding(label) * features).sum(1)
        return logits


class ConditionalBatchNorm2d(nn.Module):
    """BatchNorm with a scale and a shift for each label; an ordinary one where there are no classes."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.normalise = nn.BatchNorm2d(channels, affine=not classes)
        self.scale = nn.Embedding(classes, channels) if classes else None
        self.shift = nn.Embedding(classes, channels) if classes else None

    def forward(self, x: Tensor, label: Tensor | None) -> Tensor:
        """x: (B, C, H, W), label: (B,) int64 where conditional."""
        normal: Tensor = self.normalise(x)
        if self.scale is None or self.shift is None:
            return normal
        scale: Tensor = 1 + self.scale(label)[:, :, None, None]
        shift: Tensor = self.shift(label)[:, :, None, None]
        return normal * scale + shift


class _Up(nn.Module):
    """(B, before, H, W) to (B, after, 2H, 2W)."""

    def __init__(self, before: int, after: int, classes: int) -> None:
        super().__init__()
        self.first, self.second = ConditionalBatchNorm2d(before, classes), ConditionalBatchNorm2d(after, classes)
        self.one, self.two = Conv2d(before, after, 3, padding=1), Conv2d(after, after, 3, padding=1)
        self.shortcut = Conv2d(before, after, 1)

    def forward(self, x: Tensor, label: Tensor | None) -> Tensor:
        hidden = self.one(_doubled(relu(self.first(x, label))))
        hidden = self.two(relu(self.second(hidden, label)))
        # A 1x1 convolution and a doubling by repetition commute; in this order the convolution is four times cheaper.
        result: Tensor = hidden + _doubled(self.shortcut(x))
        return result


class _Down(nn.Module):
    """(B, before, H, W) to (B, after, H/2, W/2), or at the same size. The first block has no ReLU in front, which would
    cut the image's dark half off."""

    def __init__(self, before: int, after: int, *, first: bool, halving: bool) -> None:
        super().__init__()
        self.is_first, self.halving = first, halving
        self.one, self.two = Conv2d(before, after, 3, padding=1), Conv2d(after, after, 3, padding=1)
        self.shortcut = Conv2d(before, after, 1) if halving or before != after else None

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.two(relu(self.one(x if self.is_first else relu(x))))
        if self.halving:
            hidden, x = avg_pool2d(hidden, 2), avg_pool2d(x, 2)  # the pooling and the 1x1 convolution commute
        result: Tensor = hidden + (x if self.shortcut is None else self.shortcut(x))
        return result


def _widths(shape: Pyramid, width: int) -> list[int]:
    """Feature maps from the finest level to the base."""
    return [width * min(16, 2**level) for level in range(shape.doublings + 1)]


def _doubled(x: Tensor) -> Tensor:
    return interpolate(x, scale_factor=2, mode="nearest")


def _initialise(module: nn.Module) -> None:
    """Glorot's uniform weights, as in the paper's code; the labels of conditional BatchNorm begin equal."""
    if isinstance(module, nn.Conv2d | nn.Linear | nn.Embedding):
        nn.init.xavier_uniform_(module.weight)
    if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
    if isinstance(module, ConditionalBatchNorm2d) and module.scale is not None and module.shift is not None:
        nn.init.zeros_(module.scale.weight)
        nn.init.zeros_(module.shift.weight)
