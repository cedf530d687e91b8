"""Random masks for pictures with a hole: wide strokes and boxes.

A generator that learns on narrow or few holes fills no others: masks are large (Suvorov et al. 2022, section 2.3), of
strokes that turn as a brush does (Yu et al. 2019, algorithm 1) and of boxes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

SHARE = (0.1, 0.5)
"""Least and largest part of a picture that is masked."""

_WIDE = (0.08, 0.25)  # of strokes, and the next two: as parts of the picture's shorter side
_LONG = (0.15, 0.6)
_BOX = (0.15, 0.5)
_TURNS = (1, 5)  # straight pieces of a stroke
_SMALLER = 0.8  # what is tried next, where a shape would have covered too much


def random_mask(seed: Sequence[int], height: int, width: int, share: tuple[float, float] = SHARE) -> np.ndarray:
    """(height, width) bool, True where something is to be made: a function of the seed, a few whole numbers from 0 on.

    Shapes are added until a random part of the picture within `share` is covered, and no shape that covers more than
    that.
    """
    random = _Random(seed)
    wanted, most = random.between(*share) * height * width, math.floor(share[1] * height * width)
    mask, size = np.zeros((height, width), bool), 1.0
    while mask.sum() < min(wanted, most):  # no whole number of pixels may lie between the two
        shape = _box if random.between(0, 1) < 0.5 else _stroke
        more = mask | shape(random, height, width, size)
        if more.sum() <= most:
            mask = more
        else:
            size *= _SMALLER
    return mask


class _Random:
    """Numbers from raw bits, since NumPy promises only these to stay what they are."""

    def __init__(self, seed: Sequence[int]) -> None:
        self.bits = np.random.PCG64(np.random.SeedSequence([each % 2**64 for each in seed]))

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * float(self.bits.random_raw() >> 11) / 2**53


def _box(random: _Random, height: int, width: int, size: float) -> np.ndarray:
    side = size * min(height, width)
    high, wide = (max(1, round(side * random.between(*_BOX))) for _ in range(2))
    top, left = (int(random.between(1 - length, whole)) for length, whole in ((high, height), (wide, width)))
    box = np.zeros((height, width), bool)
    box[max(0, top) : top + high, max(0, left) : left + wide] = True
    return box


def _stroke(random: _Random, height: int, width: int, size: float) -> np.ndarray:
    side = size * min(height, width)
    radius = max(0.5, side * random.between(*_WIDE) / 2)
    y, x, angle = random.between(0, height), random.between(0, width), random.between(0, 2 * math.pi)
    rows, columns = np.ogrid[:height, :width]
    stroke = np.zeros((height, width), bool)
    for _ in range(int(random.between(_TURNS[0], _TURNS[1] + 1))):
        length = side * random.between(*_LONG)
        down, right = length * math.sin(angle), length * math.cos(angle)
        # How far along the piece the nearest of its points lies, 0 to 1.
        along = (((rows - y) * down + (columns - x) * right) / (length**2 + 1e-9)).clip(0, 1)
        stroke |= (rows - y - along * down) ** 2 + (columns - x - along * right) ** 2 <= radius**2
        y, x = min(max(y + down, 0), height), min(max(x + right, 0), width)
        angle += random.between(-1, 1) * 2 * math.pi / 3
    return stroke
