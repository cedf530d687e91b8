"""Sheets of pixels: many small pictures side by side, and how any picture becomes a file."""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np
from PIL import Image

from ganvas.files import write_atomically


def sheet(pixels: np.ndarray, columns: int | None, gap: int) -> Image.Image:
    """(N, H, W, C) uint8 as one picture, in rows of `columns` (None: as square as possible), `gap` pixels apart."""
    count, height, width, channels = pixels.shape
    columns = columns or math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    whole = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, channels), 255, dtype=np.uint8)
    for index in range(count):
        top, left = (index // columns) * (height + gap), (index % columns) * (width + gap)
        whole[top : top + height, left : left + width] = pixels[index]
    return to_pil(whole)


def to_pil(pixels: np.ndarray) -> Image.Image:
    """(H, W, C) uint8 as a picture: 1 channel is gray, 3 are RGB, 4 are RGBA; of any other number the first three."""
    channels = pixels.shape[2]
    if channels == 1:
        return Image.fromarray(pixels[:, :, 0])
    if channels in (3, 4):
        return Image.fromarray(pixels)
    if channels == 2:
        pixels = np.concatenate([pixels, np.zeros_like(pixels[:, :, :1])], axis=2)
    return Image.fromarray(np.ascontiguousarray(pixels[:, :, :3]))


def encoded(picture: Image.Image, kind: str = "PNG") -> bytes:
    """The picture as a file of this kind."""
    buffer = io.BytesIO()
    picture.save(buffer, format=kind)
    return buffer.getvalue()


def save_picture(picture: Image.Image, path: Path) -> None:
    """Writes the picture atomically; the format follows the path's ending (default PNG)."""
    formats = {".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
    write_atomically(path, encoded(picture, formats.get(path.suffix.lower(), "PNG")))
