"""How near is each image to the one that it should be? Scores of pairs, one value for each.

Images are (B, C, H, W) floats; `data_range` is the distance between the smallest and the largest possible value, 2 for
images in [-1, 1] and 255 for pixel levels.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ganvas.errors import DataError, UsageError
from ganvas.features.base import ImageExtractor
from ganvas.features.content import unit_distance

WINDOW = 11

SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Of the five scales, from section 3.2 of Wang, Simoncelli and Bovik 2003."""


def psnr(images: Tensor, targets: Tensor, data_range: float = 2.0) -> Tensor:
    """(B,) float64 peak signal-to-noise ratio in decibels, infinite for equal images."""
    _check_pairs(images, targets)
    error = (images.double() - targets.double()).square().flatten(1).mean(1)
    return 10 * torch.log10(data_range**2 / error)


def ssim(images: Tensor, targets: Tensor, data_range: float = 2.0) -> Tensor:
    """(B,) float64 structural similarity (Wang et al. 2004): Gaussian window of standard deviation 1.5 and 11 pixels,
    population variances, the mean over channels and over the places where the window fits.

    It is scikit-image's with `gaussian_weights=True, sigma=1.5, use_sample_covariance=False`. Raises DataError for
    images below 11 pixels a side.
    """
    _check_pairs(images, targets, WINDOW)
    return _similarity(images.double(), targets.double(), data_range)[0].flatten(1).mean(1)


def ms_ssim(images: Tensor, targets: Tensor, data_range: float = 2.0) -> Tensor:
    """(B,) float64 multi-scale structural similarity (Wang, Simoncelli and Bovik 2003, equation 7 and section 3.2):
    contrast and structure at five scales, each the 2x2 mean of the one before, luminance at the last. Negative values
    count as 0; channels are averaged at the end.

    Raises DataError for images below 176 pixels a side, where the window does not fit at the last scale.
    """
    _check_pairs(images, targets, WINDOW * 2 ** (len(SCALE_WEIGHTS) - 1))
    images, targets = images.double(), targets.double()
    product = torch.ones(images.shape[:2], dtype=torch.float64, device=images.device)
    for scale, weight in enumerate(SCALE_WEIGHTS):
        if scale:
            images, targets = functional.avg_pool2d(images, 2), functional.avg_pool2d(targets, 2)
        maps = _similarity(images, targets, data_range)
        last = scale == len(SCALE_WEIGHTS) - 1
        product *= maps[0 if last else 1].mean((2, 3)).clamp(min=0) ** weight
    return product.mean(1)


def luminance(images: Tensor) -> Tensor:
    """(B, 1, H, W): the Y of ITU-R BT.601 in levels from 16 to 235, of images (B, 1 or 3, H, W) in [-1, 1]. What
    super-resolution is scored on, with `data_range` 255."""
    weights = torch.tensor([65.481, 128.553, 24.966], dtype=images.dtype, device=images.device)
    return 16 + ((images.expand(-1, 3, -1, -1) + 1) / 2 * weights.view(1, 3, 1, 1)).sum(1, keepdim=True)


def shaved(images: Tensor, border: int) -> Tensor:
    """The images without `border` pixels on each side, as super-resolution by a factor is scored without as many.

    Raises UsageError where nothing would be left.
    """
    height, width = images.shape[2:]
    if border < 0 or 2 * border >= min(height, width):
        raise UsageError(f"a border of {border} cannot be cut off images of {height}x{width}")
    return images[:, :, border : height - border, border : width - border]


def perceptual_distance(images: Tensor, targets: Tensor, extractor: ImageExtractor) -> Tensor:
    """(B,) distance in an extractor's feature maps, of images in [-1, 1]; differentiable.

    As LPIPS (Zhang et al. 2018, equation 1) with all weights 1: at each place of each map, the feature vectors are
    scaled to length 1; the squared distances are averaged over the places and added over the maps. Its numbers depend
    on the extractor, so its name belongs beside them.
    """
    _check_pairs(images, targets)
    return unit_distance(extractor.maps(images), extractor.maps(targets))


def _similarity(images: Tensor, targets: Tensor, data_range: float) -> tuple[Tensor, Tensor]:
    """The maps (B, C, h, w) of structural similarity and of its contrast and structure part, where the window fits."""
    offsets = torch.arange(WINDOW, dtype=images.dtype, device=images.device) - WINDOW // 2
    window = torch.exp(-0.5 * (offsets / 1.5) ** 2)
    window /= window.sum()

    def blurred(x: Tensor) -> Tensor:
        planes = x.flatten(0, 1).unsqueeze(1)
        planes = functional.conv2d(functional.conv2d(planes, window.view(1, 1, -1, 1)), window.view(1, 1, 1, -1))
        return planes.view(*x.shape[:2], *planes.shape[2:])

    mean_x, mean_y = blurred(images), blurred(targets)
    variance_x = blurred(images * images) - mean_x * mean_x
    variance_y = blurred(targets * targets) - mean_y * mean_y
    covariance = blurred(images * targets) - mean_x * mean_y
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    contrast = (2 * covariance + c2) / (variance_x + variance_y + c2)
    return (2 * mean_x * mean_y + c1) / (mean_x * mean_x + mean_y * mean_y + c1) * contrast, contrast


def _check_pairs(images: Tensor, targets: Tensor, side: int = 1) -> None:
    if images.shape != targets.shape or images.ndim != 4:
        raise DataError(f"pairs must have equal shapes (B, C, H, W), not {tuple(images.shape)}, {tuple(targets.shape)}")
    if min(images.shape[2:]) < side:
        raise DataError(f"this score needs images of at least {side} pixels a side, not {tuple(images.shape[2:])}")
