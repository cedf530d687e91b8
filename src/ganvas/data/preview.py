"""What a training will learn from, as people see it: items side by side, one row for each column that has a picture of
each item. Columns that share one plot are shown where there is nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image

from ganvas.data.batch import Batch
from ganvas.data.columns import spaces_of
from ganvas.data.dataset import Data, Split
from ganvas.spaces import GAP

_BETWEEN = 6 * GAP  # pixels between two rows of items that have several pictures each


@dataclass(frozen=True)
class Preview:
    """picture: all of it. rows: by what they hold, such as `source` and `image`, what stands in the first rows, for
    whoever has no room for more; the last one is what is to be made. columns: the labels of its columns, () where they
    are no labels."""

    picture: Image.Image
    rows: Mapping[str, list[Image.Image]]
    columns: tuple[str, ...] = ()


def preview(data: Data) -> Preview:
    """Of items of the training split, spread over all of it, as a batch of training has them. What is given stands
    above what is to be made of it."""
    spaces = spaces_of(data.columns)
    first, *rest = [name for name, space in spaces.items() if space.tile] or list(spaces)
    names = [*rest, first]
    split = data.split("train")
    if spaces[first].tile is None:
        batch = _gathered(split, _spread(split, data.space.layout(0)[0]))
        plots = {name: [spaces[name].show(getattr(batch, name))] for name in names}
        return Preview(_sheet([plots]), plots)
    rows, columns = data.space.layout(len(data.labels))
    bands, labels = max(1, rows // len(names)), _labels(split, columns)
    chosen = _by_label(split, labels, bands) if labels else _spread(split, bands * columns)
    batch = _gathered(split, chosen)
    cells = {name: spaces[name].pictures(getattr(batch, name)) for name in names}
    lines = [
        {name: pictures[start : start + columns] for name, pictures in cells.items()}
        for start in range(0, len(chosen), columns)
    ]
    first_rows = {} if data.space.written else lines[0]  # what is written is no picture for a terminal
    return Preview(_sheet(lines), first_rows, tuple(data.labels[label] for label in labels))


def _gathered(split: Split, chosen: np.ndarray) -> Batch:
    return split.gather(chosen, seeds=[(0, place) for place in range(len(chosen))])


def _spread(split: Split, count: int) -> np.ndarray:
    return np.linspace(0, len(split) - 1, min(count, len(split))).astype(np.int64)


def _labels(split: Split, columns: int) -> list[int]:
    """The label of each column; [] where the items have none, or none for training of some label."""
    names = split.data.labels
    if not names or split.labels is None or len(np.unique(split.labels)) < len(names):
        return []
    return [column * len(names) // columns for column in range(columns)]


def _by_label(split: Split, labels: list[int], bands: int) -> np.ndarray:
    """Row by row the items of these labels, some again where a label has fewer."""
    own = [np.flatnonzero(split.labels == label) for label in labels]
    return np.array([items[band % len(items)] for band in range(bands) for items in own])


def _sheet(bands: list[dict[str, list[Image.Image]]]) -> Image.Image:
    """All rows of all bands below one another, each picture as large as the largest."""
    pictures = [picture for band in bands for row in band.values() for picture in row]
    width, height = (max(picture.size[axis] for picture in pictures) for axis in (0, 1))
    across, rows = max(len(row) for band in bands for row in band.values()), len(bands[0])
    between = _BETWEEN if rows > 1 else GAP
    whole = Image.new(
        "L" if all(picture.mode == "L" for picture in pictures) else "RGB",
        (across * (width + GAP) - GAP, len(bands) * (rows * (height + GAP) - GAP + between) - between),
        "white",
    )
    for number, band in enumerate(bands):
        for place, row in enumerate(band.values()):
            top = number * (rows * (height + GAP) - GAP + between) + place * (height + GAP)
            for column, picture in enumerate(row):
                shown = _as_large(picture, width, height)
                whole.paste(shown, (column * (width + GAP), top), shown if shown.mode == "RGBA" else None)
    return whole


def _as_large(picture: Image.Image, width: int, height: int) -> Image.Image:
    """The picture in the whole of a place, with sharp pixels, so that one sees how few there are of it."""
    scale = min(width / picture.width, height / picture.height)
    if scale <= 1:
        return picture
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.NEAREST)
