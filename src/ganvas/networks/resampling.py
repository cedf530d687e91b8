"""Halving and doubling of images with the low-pass filter [1, 3, 3, 1] (Karras et al. 2019, section 3.1; Zhang 2019).

Doubling bilinearly is that filter on zeros between the pixels, and halving is its transpose, so each is one kernel of
PyTorch and the derivative of the other. Beyond the border lie the pixels of the border, so it does not darken.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import interpolate

SUMMED = 4
"""How many pixels become one."""


def doubled(x: Tensor) -> Tensor:
    """(B, C, H, W) to (B, C, 2H, 2W)."""
    return interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


def halved(x: Tensor) -> Tensor:
    """(B, C, H, W), both even, to (B, C, H/2, W/2)."""
    return halved_sums(x) / SUMMED


def halved_sums(x: Tensor) -> Tensor:
    """The same, `SUMMED` times as large: for where the scale of the next weights can take that off at no cost."""
    count, channels, height, width = x.shape
    shape = [count, channels, height // 2, width // 2]
    # A depthwise convolution with stride 2 is as quick, but its derivative takes a hundred times as long.
    sums: Tensor = torch.ops.aten.upsample_bilinear2d_backward(x, [height, width], shape, False, 2.0, 2.0)
    return sums
