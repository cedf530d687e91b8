"""Networks that enlarge images: generators of super-resolution, (B, C, h, w) to (B, C, scale * h, scale * w).

All of them take images of any size in [-1, 1] and add what they find out to a bicubic interpolation of their input
(`SRResNet` excepted, which is as in its paper). Where `first` is set they work behind that interpolation, at the size
of the output: the textbook variant, which costs scale^2 times the arithmetic for the same layers.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ganvas.data.bicubic import cubic


class Bicubic(nn.Module):
    """Bicubic interpolation by a whole factor as one convolution whose weights can be trained on.

    Each output pixel is a weighted sum of at most 5x5 input pixels, with weights that depend only on its place within
    its input pixel; so scale^2 output channels, shuffled to their places (Shi et al. 2016), hold the enlarged image.
    It computes in float32 under autocast: bf16 has too few digits for a whole image.
    """

    def __init__(self, channels: int, scale: int) -> None:
        super().__init__()
        self.scale = scale
        line = np.array([[cubic(np.array((p + 0.5) / scale - 0.5 - k)) for k in range(-2, 3)] for p in range(scale)])
        kernel = torch.from_numpy(np.einsum("ai,bj->abij", line, line).reshape(scale**2, 5, 5)).float()
        weight = torch.zeros(channels, scale**2, channels, 5, 5)
        for channel in range(channels):
            weight[channel, :, channel] = kernel
        self.weight = nn.Parameter(weight.flatten(0, 1))

    def forward(self, low: Tensor) -> Tensor:
        with torch.autocast(low.device.type, enabled=False):
            padded = functional.pad(low.to(self.weight.dtype), (2, 2, 2, 2), mode="replicate")
            return functional.pixel_shuffle(functional.conv2d(padded, self.weight), self.scale)


class Enlarger(nn.Module):
    """A network that takes images (B, C, h, w) of any size in [-1, 1] to (B, C, scale * h, scale * w).

    channels: C. reach: how many low-resolution pixels away an output pixel can see. fold: pieces of an image must begin
    at multiples of this many pixels, so that they are enlarged as the whole image is.
    """

    channels: int
    scale: int
    reach: int
    fold: int


class CompactUpscaler(Enlarger):
    """Residual blocks without normalisation (Lim et al. 2017, figure 2c) at low resolution throughout, one sub-pixel
    step at the end, and the bicubic interpolation beside them.

    fold: 2 works at half the low resolution, four times as many values in a pixel (Shi et al. 2016, section 2, the
    other way round). The same arithmetic then goes into fewer, wider layers, which CPUs are quicker at.
    """

    def __init__(
        self, *, channels: int, scale: int, width: int, blocks: int, fold: int = 1, first: bool = False
    ) -> None:
        super().__init__()
        self.channels, self.scale, self.fold, self.first = channels, scale, fold, first
        self.enlarge = Bicubic(channels, scale)
        step = fold if first else fold * scale
        self.head = nn.Conv2d(channels * fold**2, width, 3, padding=1)
        self.blocks = nn.ModuleList(_Plain(width) for _ in range(blocks))
        self.end = nn.Conv2d(width, width, 3, padding=1)
        self.tail = nn.Conv2d(width, channels * step**2, 3, padding=1)
        self.step = step
        reach = (4 + 2 * blocks) * fold - 1
        self.reach = -(-reach // scale) + 2 if first else reach
        nn.init.zeros_(self.tail.weight)  # training begins at the bicubic interpolation
        nn.init.zeros_(_bias(self.tail))

    def forward(self, low: Tensor) -> Tensor:
        base = self.enlarge(low)
        x = base if self.first else low
        height, width = x.shape[2:]
        x = functional.pad(x, (0, -width % self.fold, 0, -height % self.fold), mode="replicate")
        start = hidden = self.head(functional.pixel_unshuffle(x, self.fold))
        for block in self.blocks:
            hidden = block(hidden)
        detail = functional.pixel_shuffle(self.tail(self.end(hidden) + start), self.step)
        result: Tensor = base + detail[:, :, : base.shape[2], : base.shape[3]]
        return result


class _Plain(nn.Module):
    """x + convolution(relu(convolution(x)))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(width, width, 3, padding=1), nn.Conv2d(width, width, 3, padding=1)
        with torch.no_grad():
            self.two.weight.mul_(0.3)  # so that the sum over many blocks does not grow

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = x + self.two(functional.relu(self.one(x), inplace=True))
        return result


def _bias(layer: nn.Conv2d) -> Tensor:
    assert layer.bias is not None
    return layer.bias
