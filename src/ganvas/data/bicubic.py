"""Bicubic resizing with antialiasing, level for level as benchmarks of super-resolution were made.

That is MATLAB's `imresize` of 8-bit images: the cubic kernel of Keys (1981) with a = -1/2, made wider by the factor
when an image shrinks; the border repeated; rows first, then columns, and rounded to levels after each. With it the
`_LR` files of Set5 come out of the `_HR` files without a single different level. (Pillow's and PyTorch's filters have
the same kernel, but cut it off at the border: up to 9 levels of difference there.)
"""

from __future__ import annotations

import math

import numpy as np


def resized(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(H, W, C) uint8 to (height, width, C) uint8 for `size` (height, width)."""
    height, width = size
    return _along(_along(image, height, 0), width, 1)


def shrunk(image: np.ndarray, scale: int) -> np.ndarray:
    """(H, W, C) uint8 to (H / scale, W / scale, C) uint8; `scale` divides both sides."""
    return resized(image, (image.shape[0] // scale, image.shape[1] // scale))


def taps(before: int, after: int) -> tuple[np.ndarray, np.ndarray]:
    """Where each of `after` samples comes from in a line of `before`: indices (after, K) int64 and weights (after, K)
    float64 whose sum is 1."""
    scale = after / before
    widening = max(1.0, 1 / scale)
    reach = math.ceil(4 * widening) + 1
    centre = (np.arange(after) + 0.5) / scale - 0.5
    places = np.floor(centre - 2 * widening).astype(np.int64)[:, None] + np.arange(reach)
    weights = cubic((centre[:, None] - places) / widening)
    used = (weights != 0).any(0)
    weights = weights[:, used] / weights.sum(1, keepdims=True)
    return places[:, used].clip(0, before - 1), weights


def cubic(x: np.ndarray) -> np.ndarray:
    """Keys' kernel with a = -1/2 (1981, equation 15)."""
    x = np.abs(x)
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, near, np.where(x <= 2, far, 0.0))


def _along(image: np.ndarray, after: int, axis: int) -> np.ndarray:
    indices, weights = taps(image.shape[axis], after)
    shape = [1, 1, 1]
    shape[axis] = after
    result = np.zeros(1)
    for tap in range(indices.shape[1]):  # in float64, because ties must round as they do there
        result = result + np.take(image, indices[:, tap], axis) * weights[:, tap].reshape(shape)
    return np.clip(np.floor(result + 0.5), 0, 255).astype(np.uint8)
