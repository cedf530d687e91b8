"""Whether pictures are two halves side by side: what they show then breaks off in the middle of each."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import numpy as np

from ganvas.data.decode import Damaged, decode

HALVES = "pairs, two halves side by side, of which pix2pix learns to make one from the other"

_LOOKED_AT = 24
_WIDE = 1.5  # times the height, at least
_BREAK, _SOME_BREAK = 5.0, 2.0  # times the usual difference of two columns of pixels: in most, and in nearly all


def spread(names: list[str]) -> list[str]:
    """Some of the names, as many as are looked at."""
    return names[:: max(1, len(names) // _LOOKED_AT)][:_LOOKED_AT]


def may_be_halves(sizes: Collection[tuple[int, int]]) -> bool:
    """Whether pictures of these (height, width) have one shape, a wide one that has a middle."""
    shapes = {width / height for height, width in sizes}
    return len(shapes) == 1 and min(shapes) >= _WIDE and all(width % 2 == 0 for _, width in sizes)


def look_halved(contents: Iterable[tuple[str, bytes | Damaged]]) -> bool:
    """Whether nearly all of these files break off in their middle. Of the facades' pairs the middle breaks 2 to 32
    times as much as the median of all columns does, of photos about once."""
    breaks = []
    for _, content in contents:
        if isinstance(content, Damaged):
            continue
        try:
            image = decode(content).image.convert("L")
        except Damaged:
            continue
        steps = np.abs(np.diff(np.asarray(image, np.float32), axis=1)).mean(0)
        breaks.append(steps[image.width // 2 - 1] / max(float(np.median(steps)), 0.5))
    found = np.array(breaks)
    return len(found) >= 4 and float(np.median(found)) >= _BREAK and float((found >= _SOME_BREAK).mean()) >= 0.9
