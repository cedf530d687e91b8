"""The film of a run: the same samples again and again while training goes on.

    samples/step-00001234.png    all of them at that step, in a grid (or one plot, for points)
    samples/step-00001234-1.wav  the first ones to be played, where samples of their kind are
    samples/strip.png            the first few of them, one column for each moment, time going right
    samples/reconstructions.png  held-out items above what is made of their encodings, of recipes that can encode
    data.png                     what it learns from, as the data was before the first step

Whoever draws the pictures and whoever shows them later agree here on names and layout.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from PIL import Image

from ganvas.files import open_regular
from ganvas.spaces import GAP, Space

FOLDER = "samples"
STRIP = "strip.png"
RECONSTRUCTIONS = "reconstructions.png"
DATA = "data.png"
MOMENTS = 24
"""Pictures that a run of any length is told by."""

_NAME = re.compile(r"step-(\d{8,12})\.png")
_PLAYED = re.compile(r"step-(\d{8,12})-(\d{1,2})\.\w{1,8}")
_CELL, _PIXELS = 96, 1 << 24
_T = TypeVar("_T")


def picture_path(run: Path, step: int) -> Path:
    return run / FOLDER / f"step-{step:08d}.png"


def pictures(run: Path) -> list[tuple[int, Path]]:
    """The steps of which there is a picture, the first one first; whether it can be read is for `read` to say."""
    folder = run / FOLDER
    if not folder.is_dir():
        return []
    return sorted((int(match[1]), path) for path in folder.iterdir() if (match := _NAME.fullmatch(path.name)))


def played_path(run: Path, step: int, number: int, suffix: str) -> Path:
    return run / FOLDER / f"step-{step:08d}-{number}{suffix}"


def played(run: Path) -> list[tuple[int, Path]]:
    """The steps of which there are files to be played, and these, in order."""
    folder = run / FOLDER
    if not folder.is_dir():
        return []
    matches = ((_PLAYED.fullmatch(path.name), path) for path in folder.iterdir())
    found = sorted((int(match[1]), int(match[2]), path) for match, path in matches if match)
    return [(step, path) for step, _, path in found]


def read(path: Path) -> Image.Image | None:
    """The picture, or None where the file is damaged, no PNG, or larger than any picture that Ganvas draws."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with open_regular(path) as file, Image.open(file, formats=["PNG"]) as picture:
                if picture.width * picture.height > _PIXELS:
                    return None
                picture.load()
                return picture.copy()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def spread(items: Sequence[_T], count: int = MOMENTS) -> list[_T]:
    """At most `count` of the items, evenly spread, always with the first and the last."""
    if len(items) <= count:
        return list(items)
    return [items[round(place * (len(items) - 1) / (count - 1))] for place in range(count)]


def labels_shown(classes: int, columns: int) -> list[int]:
    """The class of each column, evenly spread over all of them where there is not room for all."""
    return [column * classes // columns for column in range(columns)]


def strip(frames: Sequence[Image.Image], space: Space, columns: int) -> Image.Image | None:
    """The first samples of every frame (a picture with `columns`), one column for each frame; None without samples.

    Frames of another size than the last one are left out: they are not of this run.
    """
    frames = [frame for frame in frames if frame.size == frames[-1].size]
    cells = [space.cells(frame, columns) for frame in frames]
    if not cells or not cells[0]:
        return None
    width, height = cells[0][0].size
    scale = min(1.0, _CELL / max(width, height))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    mode = frames[-1].mode
    across, down = len(cells) * (size[0] + GAP) - GAP, len(cells[0]) * (size[1] + GAP) - GAP
    sheet = Image.new(mode, (across, down), "white")
    for column, samples in enumerate(cells):
        for row, sample in enumerate(samples):
            small = sample if scale == 1 else sample.resize(size, Image.Resampling.LANCZOS)
            sheet.paste(small.convert(mode), (column * (size[0] + GAP), row * (size[1] + GAP)))
    return sheet
