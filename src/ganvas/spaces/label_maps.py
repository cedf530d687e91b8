"""Label maps: pictures of a few colours that each stand for something.

Between two of them a smooth filter makes a third, which may stand for a third thing: of 4 pixels in 100 of facades'
labels that are brought from 256 to 64 pixels the nearest colour is one that their area has nothing of. So each pixel
becomes what most of its area was.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

MOST_COLOURS = 32
"""Beyond which a picture is none."""

_KEPT = 0.75  # of what is not background; drawings of thin lines keep less, and are smoothed as other pictures are


def by_majority(
    image: Image.Image, size: tuple[int, int], box: tuple[float, float, float, float] | None = None
) -> Image.Image | None:
    """A label map of mode L or RGB at another (height, width), of colours that it had. None where the picture is no
    label map, and where its areas are too thin to be kept.

    box: the part of it that is meant: left, top, right, bottom.
    """
    colours = image.getcolors(MOST_COLOURS)
    if colours is None:
        return None
    palette = np.array([colour for _, colour in sorted(colours, key=lambda each: each[0])], np.uint8)
    weights = np.array([1, 256, 65536])[: len(image.getbands())]
    codes = np.asarray(image).reshape(image.height, image.width, -1) @ weights
    shares = np.stack([_shares(codes == code, size, box) for code in palette.reshape(len(palette), -1) @ weights])
    chosen = shares.argmax(0)
    before, after = shares.mean((1, 2))[:-1], np.bincount(chosen.ravel(), minlength=len(palette))[:-1] / chosen.size
    if np.minimum(before, after).sum() < _KEPT * before.sum():
        return None
    return Image.fromarray(palette[chosen])


def _shares(place: np.ndarray, size: tuple[int, int], box: tuple[float, float, float, float] | None) -> np.ndarray:
    """(height, width) float32: how much of the area of each pixel to be lies in the place."""
    mask = Image.fromarray(place.astype(np.float32))
    return np.asarray(mask.resize(size[::-1], Image.Resampling.BOX, box=box))
