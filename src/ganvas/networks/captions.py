"""Networks for pictures of captions, without normalisation over the batch, for any channel count and size.

The generator's blocks are scaled and shifted, channel by channel, by what a small network makes of the latent vector
and the caption together (Tao et al. 2022, section 3.3). In the discriminator a caption enters by an inner product with
the picture's features (Miyato and Koyama 2018, eq. 3): what is asked for by one word adds to what is by another, so
that combinations that were never seen together are judged by their parts.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, pixel_shuffle

from ganvas.networks.convolution import ConvTranspose2d
from ganvas.networks.plain import LEAK
from ganvas.networks.shapes import Pyramid, pyramid

_SLOPE = 0.2
_SMALL = 16
"""Side up to which maps get a second convolution: larger ones would cost most and gain least."""


def _widths(shape: Pyramid, width: int) -> list[int]:
    """Feature maps from the finest level to the base: doubled at each halving, up to 8 times `width`."""
    return [width * min(8, 2**level) for level in range(shape.doublings + 1)]


class CaptionedGenerator(nn.Module):
    """Latent vectors and captions to images: a projection to the base, one modulated stride-2 transposed convolution
    for each doubling, followed by a modulated residual 3x3 convolution where maps are small, and a 3x3 convolution to
    the image. A leaky tanh at the end, as in `PlainGenerator`.

    fold: 2 has the last convolution make 2x2 pixels of each place, in place of the last doubling, at half the cost.
    """

    def __init__(
        self,
        *,
        latent: int,
        caption: int,
        channels: int,
        size: tuple[int, int],
        width: int,
        condition: int,
        fold: int = 1,
    ) -> None:
        super().__init__()
        self.pyramid = pyramid(size)
        self.fold = fold if self.pyramid.doublings else 1
        widths = _widths(self.pyramid, width)[::-1][: self.pyramid.doublings + 2 - self.fold]
        sides = [min(self.pyramid.base) << level for level in range(1, len(widths))]
        self.first = (widths[0], *self.pyramid.base)
        self.read = nn.Linear(caption, condition, bias=False)
        self.mix = nn.Linear(latent + condition, condition)
        self.project = nn.Linear(latent + condition, math.prod(self.first))
        self.blocks = nn.ModuleList(
            _Up(before, after, condition, further=side <= _SMALL)
            for side, (before, after) in zip(sides, pairwise(widths), strict=True)
        )
        self.output = nn.Conv2d(widths[-1], channels * self.fold**2, 3, padding=1)
        self._begin_without_checkerboards(channels)

    def _begin_without_checkerboards(self, channels: int) -> None:
        """The pixels of one place begin equal (Aitken et al. 2017)."""
        for values in (self.output.weight, self.output.bias):
            assert values is not None
            values.data = values.data[:channels].repeat_interleave(self.fold**2, 0)

    def notes(self) -> list[str]:
        """What a plan should say of the size of its images."""
        return self.pyramid.notes()

    def forward(self, latent: Tensor, caption: Tensor) -> Tensor:
        """latent: (B, latent) and caption: (B, caption), both of about unit mean square. Returns (B, C, H, W), about in
        [-1, 1]."""
        both = torch.cat([latent, self.read(caption)], dim=1)
        condition = leaky_relu(self.mix(both), _SLOPE)
        hidden = self.project(both).unflatten(1, self.first).contiguous(memory_format=torch.channels_last)
        hidden = leaky_relu(hidden, _SLOPE)
        for block in self.blocks:
            hidden = block(hidden, condition)
        image: Tensor = self.pyramid.crop(pixel_shuffle(self.output(hidden), self.fold))
        return torch.tanh(image) + LEAK * image


class _Affine(nn.Module):
    """A scale and a shift for each channel; it begins near to none."""

    def __init__(self, condition: int, channels: int) -> None:
        super().__init__()
        self.scale, self.shift = nn.Linear(condition, channels), nn.Linear(condition, channels)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        scale, shift = self.scale(condition)[:, :, None, None], self.shift(condition)[:, :, None, None]
        moved: Tensor = x * (1 + scale) + shift
        return moved


class _Up(nn.Module):
    """(B, before, H, W) to (B, after, 2H, 2W)."""

    def __init__(self, before: int, after: int, condition: int, *, further: bool) -> None:
        super().__init__()
        self.up, self.affine = ConvTranspose2d(before, after, 4, 2, 1), _Affine(condition, after)
        self.further = _Further(after, condition) if further else None

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        hidden = leaky_relu(self.affine(self.up(x), condition), _SLOPE)
        result: Tensor = hidden if self.further is None else self.further(hidden, condition)
        return result


class _Further(nn.Module):
    """A modulated convolution, added to what it is given."""

    def __init__(self, channels: int, condition: int) -> None:
        super().__init__()
        self.convolution, self.affine = nn.Conv2d(channels, channels, 3, padding=1), _Affine(condition, channels)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        return x + leaky_relu(self.affine(self.convolution(x), condition), _SLOPE)


class CaptionedDiscriminator(nn.Module):
    """Images to logits for captions: stride-2 convolutions to the base, a 3x3 convolution there, a linear head, and the
    inner product of a linear map of the features with the caption's.

    fine: a 3x3 convolution at full size comes first, of half the width. One of stride 2 sees pixels of even and of odd
    places by different weights. Where nothing before it compares neighbours, a weave of single pixels passes, and
    generators that end in a transposed convolution make one.
    """

    def __init__(
        self, *, caption: int, channels: int, size: tuple[int, int], width: int, condition: int, fine: bool = False
    ) -> None:
        super().__init__()
        shape = pyramid(size)
        self.padding = (0, shape.made[1] - size[1], 0, shape.made[0] - size[0])
        first = max(1, width // 2) if fine else channels
        layers: list[nn.Module] = []
        if fine:
            layers = [nn.Conv2d(channels, first, 3, padding=1), nn.LeakyReLU(_SLOPE)]
        widths = [first, *_widths(shape, width)]
        for before, after in pairwise(widths[:-1]):
            layers += [nn.Conv2d(before, after, 4, 2, 1), nn.LeakyReLU(_SLOPE)]
        last = widths[-2]
        self.layers = nn.Sequential(*layers, nn.Conv2d(last, widths[-1], 3, padding=1), nn.LeakyReLU(_SLOPE))
        features = widths[-1] * math.prod(shape.base)
        self.head, self.reading = nn.Linear(features, 1), nn.Linear(features, condition)
        self.read = nn.Linear(caption, condition, bias=False)

    def seen(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """images: (B, C, H, W) in [-1, 1]. Returns what `logits` takes: (B,), (B, condition)."""
        if any(self.padding):
            images = nn.functional.pad(images, self.padding, mode="replicate")
        features = self.layers(images).flatten(1)
        return self.head(features).squeeze(1), self.reading(features)

    def logits(self, seen: tuple[Tensor, Tensor], caption: Tensor) -> Tensor:
        """(B,): how real these images are, and how much they are what the captions (B, caption) say."""
        score, features = seen
        said: Tensor = self.read(caption)
        return score + (features * said).sum(1) / math.sqrt(said.shape[1])

    def forward(self, images: Tensor, caption: Tensor) -> Tensor:
        return self.logits(self.seen(images), caption)
