"""Layers with equalised learning rates (Karras et al. 2018, section 4.1; Karras et al. 2019, appendix C).

Stored weights are from N(0, 1) and each forward pass scales them by He's constant, 1 / sqrt(inputs), so an optimizer
like Adam, whose steps do not depend on the size of gradients, moves all layers at one speed. A layer with a multiplier
stores its parameters that much larger and scales them back: it learns at that share of the rate.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

SLOPE = 0.2
"""Of all LeakyReLUs."""

GAIN = math.sqrt(2)
"""Keeps the mean square behind a LeakyReLU about what it was. LeakyReLUs are homogeneous, so it can stand anywhere
between two of them: here always in the scale of the next weights, where it costs nothing."""


class EqualisedLinear(nn.Module):
    """A linear layer. multiplier: of its learning rate. gain: on its output, but for the bias. bias: at the start."""

    def __init__(self, inputs: int, outputs: int, *, multiplier: float = 1.0, gain: float = 1.0, bias: float = 0.0):
        super().__init__()
        self.multiplier, self.scale = multiplier, gain * multiplier / math.sqrt(inputs)
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / multiplier)
        self.bias = nn.Parameter(torch.full((outputs,), bias / multiplier))

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs) to (B, outputs)."""
        return functional.linear(x, self.weight * self.scale, self.bias * self.multiplier)


class EqualisedConv2d(nn.Module):
    """A convolution with a square kernel that keeps the size. gain: on its output, but for the bias."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, gain: float = 1.0, bias: bool = True) -> None:
        super().__init__()
        self.scale, self.padding = gain / (kernel * math.sqrt(inputs)), kernel // 2
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H, W)."""
        return functional.conv2d(x, self.weight * self.scale, self.bias, padding=self.padding)
