"""How near is each image to the one that it should be? Scores of pairs, one value for each.

Images are (B, C, H, W) floats; `data_range` is the distance between the smallest and the largest possible value, 2 for
images in [-1, 1] and 255 for pixel levels.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ganvas.errors import DataError
from ganvas.features.base import ImageExtractor


def psnr(images: Tensor, targets: Tensor, data_range: float = 2.0) -> Tensor:
    """(B,) float64 peak signal-to-noise ratio in decibels, infinite for equal images."""
    _check_pairs(images, targets)
    error = (images.double() - targets.double()).square().flatten(1).mean(1)
    return 10 * torch.log10(data_range**2 / error)


def ssim(images: Tensor, targets: Tensor, data_range: float = 2.0) -> Tensor:
    """(B,) float64 structural similarity (Wang et al. 2004), with its Gaussian window of standard deviation 1.5."""
    _check_pairs(images, targets)
    return _similarity(images.double(), targets.double(), data_range)[0].flatten(1).mean(1)


def ms_ssim(images: Tensor, targets: Tensor, data_range: float = 2.0) -> Tensor:
    """(B,) float64 multi-scale structural similarity (Wang, Simoncelli and Bovik 2003) over five scales."""
    raise NotImplementedError


def luminance(images: Tensor) -> Tensor:
    """(B, 1, H, W): BT.601's Y of RGB images (B, 3, H, W) in [-1, 1], in levels from 16 to 235."""
    raise NotImplementedError


def shaved(images: Tensor, border: int) -> Tensor:
    """The images without `border` pixels on each side."""
    raise NotImplementedError


def perceptual_distance(images: Tensor, targets: Tensor, extractor: ImageExtractor) -> Tensor:
    """(B,) distance in the extractor's feature maps, images in [-1, 1]."""
    raise NotImplementedError


def _similarity(images: Tensor, targets: Tensor, data_range: float) -> tuple[Tensor, Tensor]:
    """The maps (B, C, h, w) of structural similarity and of its contrast and structure part, where the window fits."""
    radius = 5
    offsets = torch.arange(-radius, radius + 1, dtype=torch.float64)
    window = torch.exp(-0.5 * (offsets / 1.5) ** 2)
    window /= window.sum()

    def blur(x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        x = functional.conv2d(x.reshape(b * c, 1, h, w), window.view(1, 1, -1, 1))
        return functional.conv2d(x, window.view(1, 1, 1, -1)).reshape(b, c, h - 2 * radius, w - 2 * radius)

    mean_x, mean_y = blur(images), blur(targets)
    var_x = blur(images * images) - mean_x * mean_x
    var_y = blur(targets * targets) - mean_y * mean_y
    covariance = blur(images * targets) - mean_x * mean_y
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    contrast = (2 * covariance + c2) / (var_x + var_y + c2)
    return (2 * mean_x * mean_y + c1) / (mean_x * mean_x + mean_y * mean_y + c1) * contrast, contrast


def _check_pairs(images: Tensor, targets: Tensor) -> None:
    if images.shape != targets.shape or images.ndim != 4:
        raise DataError(f"pairs must have equal shapes (B, C, H, W), not {tuple(images.shape)}, {tuple(targets.shape)}")
