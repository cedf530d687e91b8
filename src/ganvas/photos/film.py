"""Pictures that move: GIF, animated PNG and animated WebP, frame by frame."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ganvas.data.decode import MAX_BYTES, MAX_PIXELS, quiet
from ganvas.files import read_regular

_FORMATS = ("GIF", "PNG", "WEBP")
_USUAL = 100  # milliseconds of a frame that says nothing


@dataclass(frozen=True)
class Film:
    """content: the file's. milliseconds: that each frame is shown. plays: how often in all, 0 for ever. alpha: whether
    a frame is transparent somewhere."""

    content: bytes
    milliseconds: tuple[int, ...]
    plays: int
    alpha: bool

    def frames(self) -> Iterator[np.ndarray]:
        """Each as it is seen, (H, W, C) uint8; C is 4 with alpha, else 3."""
        for frame, _ in _read(self.content):
            yield np.asarray(frame if self.alpha else frame.convert("RGB"))


def film_of(path: Path) -> Film | None:
    """The film that a file holds; None for one picture, and for what cannot be read to its end or is too long."""
    times, alpha = [], False
    try:
        content = read_regular(path, MAX_BYTES)
        for frame, milliseconds in _read(content):
            times.append(milliseconds)
            alpha = alpha or bool((np.asarray(frame)[:, :, 3] < 255).any())
        plays = _plays(content)
    except Exception:  # whatever a hostile or broken file makes the decoder raise
        return None
    return Film(content, tuple(times), plays, alpha) if len(times) > 1 else None


def _read(content: bytes) -> Iterator[tuple[Image.Image, int]]:
    """The frames in mode RGBA, and the milliseconds of each."""
    with quiet(), Image.open(io.BytesIO(content), formats=_FORMATS) as image:
        count = int(getattr(image, "n_frames", 1))
        if count * image.width * image.height > MAX_PIXELS:
            raise ValueError("too long")
        first = 1 if image.info.get("default_image") else 0  # which is for viewers that know no animation
        for number in range(first, count):
            image.seek(number)
            yield image.convert("RGBA"), round(float(image.info.get("duration") or _USUAL))


def _plays(content: bytes) -> int:
    with quiet(), Image.open(io.BytesIO(content), formats=_FORMATS) as image:
        if image.format == "GIF":  # which counts repetitions, and without a count plays once
            loop = image.info.get("loop")
            return 1 if loop is None else int(loop) and int(loop) + 1
        return int(image.info.get("loop", 0))
