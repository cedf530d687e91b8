"""Something large made tile by tile, so that its size costs time and no memory.

A tile is read with a margin as wide as the network can see, so that what comes out of it is what the whole would give,
and there is no seam. Tiles are laid side by side into strips, and strips are handed on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any

from torch import Tensor

from ganvas.inputs import Given

TILE = 384
"""Side of a tile in numbers of what is given, at least."""

MARGINS = 4
"""Margins that a tile is wide at least, so that more is made than is thrown away."""


def multiple_of(each: Given, length: int) -> int:
    """The next larger length at whose multiples tiles may begin."""
    return -(-length // each.multiple) * each.multiple


def count(sizes: Sequence[int], tile: int) -> int:
    """How many tiles `strips` makes."""
    return math.prod(-(-size // tile) for size in sizes)


def strips(
    sizes: Sequence[int],
    make: Callable[[tuple[slice, ...]], Tensor],
    *,
    scale: int,
    tile: int,
    margin: int,
    tick: Callable[[], None] = lambda: None,
) -> Iterator[Tensor]:
    """What `make` gives of something with these sizes, as strips across its first dimension, in order.

    make: of a window, one slice for each dimension, it gives a tensor whose last dimensions are `scale` times the
    window's. margin: how far a window goes beyond its tile, where there is more. tick: called for each tile.
    """
    dimensions = len(sizes)
    for top in range(0, sizes[0], tile):
        rows = min(tile, sizes[0] - top) * scale
        strip: Tensor | None = None
        for corner in product([top], *(range(0, size, tile) for size in sizes[1:])):
            sides = list(zip(corner, sizes, strict=True))
            window = tuple(slice(max(0, at - margin), min(size, at + tile + margin)) for at, size in sides)
            made = make(window)
            lengths = [min(tile, size - at) * scale for at, size in sides]
            begins = [(at - seen.start) * scale for (at, _), seen in zip(sides, window, strict=True)]
            inner: Any = (..., *(slice(b, b + length) for b, length in zip(begins, lengths, strict=True)))
            if strip is None:
                strip = made.new_empty(*made.shape[:-dimensions], rows, *(size * scale for size in sizes[1:]))
            places = [0, *(at * scale for at in corner[1:])]
            outer: Any = (..., *(slice(p, p + length) for p, length in zip(places, lengths, strict=True)))
            strip[outer] = made[inner]
            tick()
        assert strip is not None
        yield strip
