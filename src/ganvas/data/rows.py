"""What every source of data gives, whatever it is: named rows, one for each item, and a few words about them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Protocol

import numpy as np

from ganvas.errors import DataError, UsageError
from ganvas.spaces import ImageSpace, Space
from ganvas.text import counted, shown, sized

SPLITS = ("train", "validation", "test")
_SHARES = (0.90, 0.95, 1.0)  # cumulative


@dataclass(frozen=True)
class Wish:
    """What the user asked for; None leaves it to the data. size is (height, width)."""

    size: tuple[int, int] | None = None
    channels: int | None = None


@dataclass(frozen=True)
class Row:
    """One item: uint8 (H, W, C) for images, float32 (D,) for points; None where it is damaged, for `reason`.

    digest: of the item's content before it was resized. split: where the data itself says it.
    """

    name: str
    values: np.ndarray | None
    digest: bytes = b""
    label: str | None = None
    split: str | None = None
    reason: str = ""


@dataclass(frozen=True)
class Reading:
    """The rows to come. splits: those that the data brings itself."""

    space: Space
    total: int
    rows: Iterator[Row]
    splits: frozenset[str] = frozenset()


class Coloured(Exception):
    """An image with colours turned up where the ones looked at had none: read again, with three channels."""


class Origin(Protocol):
    """A source that was found. `read` may be called again; `notes` is asked for when all rows are read."""

    @property
    def name(self) -> str: ...

    def identity(self) -> object:
        """Anything that JSON can hold and that changes when the data does; quick to tell."""

    def read(self, wish: Wish) -> Reading: ...

    def notes(self) -> list[str]: ...

    def close(self) -> None: ...


def split_of(name: str) -> str:
    """The split of an item by its name alone, so that it stays what it is when others come or go: about 90 / 5 / 5."""
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64
    return next(split for split, share in zip(SPLITS, _SHARES, strict=True) if place < share)


def stem_of(name: str) -> str:
    """The name without its ending, by which files of two folders go together."""
    return str(PurePosixPath(name).with_suffix(""))


def choose_size(sizes: list[tuple[int, int]]) -> tuple[int, int]:
    """A size (height, width) for images of these sizes that a laptop can train at, keeping a shape that all share.

    Kept as they are: up to 128 on both sides, where nine in ten agree. Otherwise the shorter side is the largest
    power of two that is neither above the median shorter side nor above 64, and the longer one follows the shape
    that all share within 2 per cent, to the nearest multiple of 8; images of different shapes become square.
    """
    values, counts = np.unique(np.array(sizes), axis=0, return_counts=True)
    height, width = (int(side) for side in values[counts.argmax()])
    if counts.max() >= 0.9 * len(sizes) and max(height, width) <= 128:
        return height, width
    shorter = float(np.median([min(size) for size in sizes]))
    side = min(64, 2 ** max(0, int(np.log2(shorter))))
    shapes = np.array([high / wide for high, wide in sizes])
    middle = float(np.median(shapes))
    if (abs(shapes / middle - 1) > 0.02).mean() > 0.1:
        return side, side
    longer = max(1, round(side * max(middle, 1 / middle) / 8)) * 8 if side >= 8 else side
    return (longer, side) if middle > 1 else (side, longer)


def check_wish(wish: Wish) -> None:
    """Raises UsageError for a size or a number of channels that makes no sense."""
    if wish.size is not None and not all(4 <= side <= 4096 for side in wish.size):
        raise UsageError(f"a size of {sized(wish.size)} is not possible: each side must be 4 to 4096 pixels")
    if wish.channels not in (None, 1, 3, 4):
        raise UsageError(f"channels can be 1 (gray), 3 (RGB) or 4 (RGBA), not {wish.channels}")


def check_points(wish: Wish, name: str) -> None:
    if wish.size is not None or wish.channels is not None:
        raise UsageError(f"{name} holds points, which have neither a size nor channels: leave them out")


def resizing_notes(sizes: dict[tuple[int, int], int], space: ImageSpace) -> list[str]:
    """How images of these original sizes (with how many there are of each) came to the one they have now."""
    target = (space.height, space.width)
    others = [size for size in sizes if size != target]
    if not others:
        return []
    notes = []
    same_shape = all(high * target[1] == wide * target[0] for high, wide in others)
    how = "resized" if same_shape else "resized and centre-cropped"
    if len(sizes) <= 3:
        known = " and ".join(sized(size) for size in sorted(sizes))
        notes.append(f"images of {known} (height x width) {how} to {sized(target)}")
    else:
        low, high = min(sizes, key=lambda s: s[0] * s[1]), max(sizes, key=lambda s: s[0] * s[1])
        span = f"{sized(low)} to {sized(high)} (height x width)"
        notes.append(f"images of {len(sizes):,} different sizes, {span}, {how} to {sized(target)}")
    enlarged = sum(n for (high, wide), n in sizes.items() if high < target[0] or wide < target[1])
    if enlarged:
        notes.append(f"{counted(enlarged, 'image')} smaller than {sized(target)} enlarged")
    return notes


def too_few(name: str, count: int, noun: str) -> DataError:
    return DataError(f"{shown(name)} holds {counted(count, noun)}: at least 2 are needed to train on")
