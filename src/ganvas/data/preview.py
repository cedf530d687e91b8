"""What a training will learn from, as people see it: items side by side, in the rows that their batch shows. Columns
that share one plot are shown where there is nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ganvas.data.batch import Batch
from ganvas.data.columns import spaces_of
from ganvas.data.dataset import Data, Split
from ganvas.spaces import GAP
from ganvas.text import shown

Cells = list[Image.Image] | list[str]
"""A row: pictures, or words in place of them."""

_BETWEEN = 6 * GAP  # pixels between two rows of items that have several pictures each

_LETTERS, _STEP, _LINES = 11, 13, 4  # of words: the height of letters and lines, and how many lines there are
_WIDE, _SIDE = 120, 1280  # pixels: the width of a cell with words at least, and of all such cells side by side at most


@dataclass(frozen=True)
class Preview:
    """picture: all of it. rows: by what they hold, such as `source` and `image`, what stands in the first rows, for
    whoever has no room for more: pictures, or words below them. columns: the labels of its columns, () where they are
    no labels."""

    picture: Image.Image
    rows: Mapping[str, Cells]
    columns: tuple[str, ...] = ()


def preview(data: Data) -> Preview:
    """Of items of the training split, spread over all of it, as a batch of training has them. What is given stands
    above what is to be made of it, and words below what they are said of."""
    spaces = spaces_of(data.columns)
    split = data.split("train")
    widths = [space.tile[1] for space in spaces.values() if space.tile]
    if not widths:
        batch = _gathered(split, _spread(split, data.space.layout(0)[0]))
        plots: dict[str, Cells] = {name: [space.show(getattr(batch, name))] for name, space in spaces.items()}
        return Preview(_sheet([plots]), plots)
    rows, columns = data.space.layout(len(data.labels))
    one = _gathered(split, np.zeros(1, np.int64)).shown(spaces)
    if any(_is_text(row) for row in one.values()):
        columns = max(2, min(columns, _SIDE // (_times(max(widths)) * max(widths))))
    bands, labels = max(1, rows // len(one)), _labels(split, columns)
    chosen = _by_label(split, labels, bands) if labels else _spread(split, bands * columns)
    cells = _gathered(split, chosen).shown(spaces)
    lines: list[dict[str, Cells]] = [
        {name: row[start : start + columns] for name, row in cells.items()} for start in range(0, len(chosen), columns)
    ]
    first_rows = {} if data.space.written else lines[0]  # what is written is no picture for a terminal
    return Preview(_sheet(lines), first_rows, tuple(data.labels[label] for label in labels))


def _is_text(row: Cells) -> bool:
    return isinstance(row[0], str)


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


def _sheet(bands: list[dict[str, Cells]]) -> Image.Image:
    """All rows of all bands below one another, each picture as large as the largest, and words as wide as that."""
    pictures = [cell for band in bands for row in band.values() for cell in row if isinstance(cell, Image.Image)]
    width, height = (max(picture.size[axis] for picture in pictures) for axis in (0, 1))
    texts = [name for name, row in bands[0].items() if _is_text(row)]
    times = _times(width) if texts else 1
    width, height = times * width, times * height
    heights = {name: _LINES * _STEP if name in texts else height for name in bands[0]}
    across = max(len(row) for band in bands for row in band.values())
    between = _BETWEEN if len(heights) > 1 else GAP
    high = sum(heights.values()) + GAP * (len(heights) - 1)
    whole = Image.new(
        "L" if all(picture.mode == "L" for picture in pictures) else "RGB",
        (across * (width + GAP) - GAP, len(bands) * (high + between) - between),
        "white",
    )
    for number, band in enumerate(bands):
        top = number * (high + between)
        for name, row in band.items():
            cells: Sequence[Image.Image | str] = row
            for column, cell in enumerate(cells):
                drawn = _as_large(cell, width, height) if isinstance(cell, Image.Image) else _written(cell, width)
                whole.paste(drawn, (column * (width + GAP), top), drawn if drawn.mode == "RGBA" else None)
            top += heights[name] + GAP
    return whole


def _times(width: int) -> int:
    """By how much pictures of this width are enlarged, so that there is room for words below them."""
    return -(-_WIDE // width)


def _written(words: str, width: int) -> Image.Image:
    """Words on white, in as many lines as there is room for."""
    font = ImageFont.load_default(_LETTERS)
    lines, line = list[str](), ""
    for word in shown(words).split() or ["—"]:
        longer = f"{line} {word}".strip()
        if line and font.getlength(longer) > width - 4:
            lines.append(line)
            line = word
        else:
            line = longer
    lines.append(line)
    if len(lines) > _LINES:
        lines = [*lines[: _LINES - 1], lines[_LINES - 1] + " …"]
    picture = Image.new("L", (width, _LINES * _STEP), "white")
    draw = ImageDraw.Draw(picture)
    for place, each in enumerate(lines):
        draw.text((2, place * _STEP), each, fill=0, font=font)
    return picture


def _as_large(picture: Image.Image, width: int, height: int) -> Image.Image:
    """The picture in the whole of a place, with sharp pixels, so that one sees how few there are of it."""
    scale = min(width / picture.width, height / picture.height)
    if scale <= 1:
        return picture
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.NEAREST)
