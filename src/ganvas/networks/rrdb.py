"""ESRGAN's generator (Wang et al. 2018, section 3.1): residual-in-residual dense blocks without normalisation."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganvas.networks.srresnet import subpixel_steps
from ganvas.networks.upscaling import Bicubic, Enlarger

RESIDUAL = 0.2
"""What every residual is multiplied with before it is added (section 3.1)."""


class RRDBNet(Enlarger):
    """(B, C, h, w) to (B, C, scale * h, scale * w). Each of `blocks` is three dense blocks of five convolutions, which
    grow by `growth` feature maps; images grow by repetition of pixels and a convolution.

    first: the image is enlarged by bicubic interpolation in front of all layers instead.
    """

    def __init__(
        self, *, channels: int, scale: int, width: int = 64, growth: int = 32, blocks: int = 23, first: bool = False
    ) -> None:
        super().__init__()
        self.channels, self.scale, self.fold = channels, scale, 1
        self.enlarge = Bicubic(channels, scale).requires_grad_(False) if first else None
        self.head = nn.Conv2d(channels, width, 3, padding=1)
        self.blocks = nn.ModuleList(nn.Sequential(*(_Dense(width, growth) for _ in range(3))) for _ in range(blocks))
        self.end = nn.Conv2d(width, width, 3, padding=1)
        self.steps = [] if first else subpixel_steps(scale)
        self.up = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in self.steps)
        self.last = nn.Conv2d(width, width, 3, padding=1)
        self.tail = nn.Conv2d(width, channels, 3, padding=1)
        layers = 2 + 15 * blocks + len(self.steps) + 2
        self.reach = -(-layers // scale) + 2 if first else layers

    def forward(self, low: Tensor) -> Tensor:
        start = hidden = self.head(low if self.enlarge is None else self.enlarge(low))
        for block in self.blocks:
            hidden = hidden + RESIDUAL * block(hidden)
        hidden = start + self.end(hidden)
        for step, convolution in zip(self.steps, self.up, strict=True):
            hidden = _leaky(convolution(functional.interpolate(hidden, scale_factor=step, mode="nearest")))
        result: Tensor = self.tail(_leaky(self.last(hidden)))
        return result


class _Dense(nn.Module):
    """Five convolutions, each of which sees the input and all that came before it."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Conv2d(width + number * growth, growth if number < 4 else width, 3, padding=1) for number in range(5)
        )
        for layer in self.layers:
            assert isinstance(layer, nn.Conv2d) and layer.bias is not None
            nn.init.kaiming_normal_(layer.weight)
            layer.weight.data *= 0.1  # smaller than usual (section 3.1), since there are many in a row
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        seen = [x]
        for layer in self.layers:
            hidden = layer(torch.cat(seen, 1))
            seen.append(_leaky(hidden))
        result: Tensor = x + RESIDUAL * hidden
        return result


def _leaky(x: Tensor) -> Tensor:
    return functional.leaky_relu(x, 0.2)
