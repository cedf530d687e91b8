"""How photos in the world lose their resolution: blurred, shrunk, noisy, compressed, and all of it once more.

A second-order degradation (Wang et al. 2021, Real-ESRGAN, section 3): what a camera does to a scene, and what sharing
does to the file. Every photo of a batch gets its own strengths, from torch's random state; the factor of the first
shrinking is one for the batch. On the data's device, within a turn's `losses`, so nothing is decoded or encoded.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

KERNEL = 13
"""Side of the blur's kernels."""

FIRST, SECOND = ((0.2, 2.5), (0.0, 0.10), (40.0, 95.0)), ((0.2, 1.2), (0.0, 0.05), (50.0, 95.0))
"""Ranges of each round: standard deviation of the blur in pixels, of the noise as a part of the range of values, and
quality of the JPEG compression."""

# The tables of the JPEG standard (ITU-T T.81, annex K.1) for luminance and chrominance, row by row.
_LUMINANCE = """16 11 10 16 24 40 51 61 12 12 14 19 26 58 60 55 14 13 16 24 40 57 69 56 14 17 22 29 51 87 80 62
18 22 37 56 68 109 103 77 24 35 55 64 81 104 113 92 49 64 78 87 103 121 120 101 72 92 95 98 112 100 103 99"""
_CHROMINANCE = """17 18 24 47 99 99 99 99 18 21 26 66 99 99 99 99 24 26 56 99 99 99 99 99 47 66 99 99 99 99 99 99
99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99"""


def degraded(images: Tensor, scale: int) -> Tensor:
    """(B, C, H, W) in [-1, 1] to (B, C, H / scale, W / scale) in [-1, 1], at 8 bits, from torch's random state."""
    count, _, height, width = images.shape
    low = height // scale, width // scale
    factor = float(torch.empty(()).uniform_(1.0, float(scale)))
    middle = max(low[0], round(height / factor)), max(low[1], round(width / factor))
    with torch.no_grad(), torch.autocast(images.device.type, enabled=False):
        for size, (blur, noise, quality) in ((middle, FIRST), (low, SECOND)):
            images = blurred(images, _uniform(count, blur, images), _uniform(count, blur, images), _angle(images))
            images = functional.interpolate(images, size, mode="bicubic", antialias=True)
            images = images + torch.randn_like(images) * 2 * _uniform(count, noise, images).view(-1, 1, 1, 1)
            images = compressed(images.clamp(-1, 1), _uniform(count, quality, images))
        return ((images.clamp(-1, 1) + 1) * 127.5).round() / 127.5 - 1


def blurred(images: Tensor, across: Tensor, along: Tensor, angle: Tensor) -> Tensor:
    """Each image by its own Gaussian kernel: standard deviations (B,) in pixels along two axes, turned by an angle."""
    places = torch.arange(KERNEL, device=images.device, dtype=images.dtype) - KERNEL // 2
    y, x = torch.meshgrid(places, places, indexing="ij")
    sine, cosine = angle.sin().view(-1, 1, 1), angle.cos().view(-1, 1, 1)
    u, v = cosine * x + sine * y, cosine * y - sine * x
    kernel = torch.exp(-0.5 * ((u / across.view(-1, 1, 1)) ** 2 + (v / along.view(-1, 1, 1)) ** 2))
    kernel = kernel / kernel.sum((1, 2), keepdim=True)
    count, channels, height, width = images.shape
    reach = KERNEL // 2
    padded = functional.pad(images, (reach,) * 4, mode="replicate").reshape(
        1, count * channels, *(height + 2 * reach, width + 2 * reach)
    )
    kernels = kernel.repeat_interleave(channels, 0).unsqueeze(1)
    return functional.conv2d(padded, kernels, groups=count * channels).view(count, channels, height, width)


def compressed(images: Tensor, quality: Tensor) -> Tensor:
    """What JPEG leaves of images (B, 1 or 3, H, W) in [-1, 1] at a quality (B,) of 1 to 100: colours at half the
    resolution, coefficients of 8x8 blocks rounded to multiples of the standard's tables (ITU-T T.81, annexes A and K),
    scaled by quality as the Independent JPEG Group's encoder does."""
    levels = (images + 1) * 127.5
    factor = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality) / 100
    if levels.shape[1] == 1:
        result = _quantised(levels, _LUMINANCE, factor)
    else:
        red, green, blue = levels.unbind(1)
        y = 0.299 * red + 0.587 * green + 0.114 * blue
        colours = torch.stack([(blue - y) / 1.772 + 128, (red - y) / 1.402 + 128], 1)
        height, width = levels.shape[2:]
        halved = functional.avg_pool2d(_to_multiple(colours, 2), 2)
        halved = _quantised(halved, _CHROMINANCE, factor) - 128
        blue_, red_ = functional.interpolate(halved, scale_factor=2, mode="bilinear")[:, :, :height, :width].unbind(1)
        y = _quantised(y.unsqueeze(1), _LUMINANCE, factor).squeeze(1)
        result = torch.stack([y + 1.402 * red_, y - 0.344136 * blue_ - 0.714136 * red_, y + 1.772 * blue_], 1)
    return result.clamp(0, 255).round() / 127.5 - 1


def _quantised(planes: Tensor, table: str, factor: Tensor) -> Tensor:
    count, channels, height, width = planes.shape
    padded = _to_multiple(planes, 8)
    rows, columns = padded.shape[2] // 8, padded.shape[3] // 8
    blocks = padded.view(count, channels, rows, 8, columns, 8).transpose(3, 4) - 128
    steps = torch.tensor([float(word) for word in table.split()], device=planes.device).view(8, 8)
    steps = (steps * factor.view(-1, 1, 1, 1, 1, 1) + 0.5).floor().clamp(1, 255)
    basis = _cosines(planes)
    coefficients = ((basis @ blocks @ basis.t()) / steps).round() * steps
    restored = (basis.t() @ coefficients @ basis + 128).transpose(3, 4).reshape(count, channels, rows * 8, columns * 8)
    return restored[:, :, :height, :width]


def _cosines(like: Tensor) -> Tensor:
    """(8, 8) the orthonormal discrete cosine transform of a line."""
    frequency, place = (torch.arange(8, device=like.device, dtype=like.dtype).view(shape) for shape in ((8, 1), (1, 8)))
    basis = torch.cos((2 * place + 1) * frequency * math.pi / 16) / 2
    basis[0] /= math.sqrt(2)
    return basis


def _to_multiple(planes: Tensor, side: int) -> Tensor:
    height, width = planes.shape[2:]
    return functional.pad(planes, (0, -width % side, 0, -height % side), mode="replicate")


def _uniform(count: int, bounds: tuple[float, float], like: Tensor) -> Tensor:
    return torch.empty(count, device=like.device, dtype=like.dtype).uniform_(*bounds)


def _angle(like: Tensor) -> Tensor:
    return _uniform(len(like), (0.0, math.pi), like)
