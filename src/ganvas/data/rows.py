"""What a source of data is, and what is read from any: named rows, one for each item, and a few words about them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Protocol, TypeVar

import numpy as np

from ganvas.data.columns import Column
from ganvas.errors import DataError
from ganvas.text import counted, shown

T = TypeVar("T")

SPLITS = ("train", "validation", "test")
_SHARES = (0.90, 0.95, 1.0)  # cumulative


class Source(Protocol):
    """A source that was found: files or arrays. Readers know which of the two they can read."""

    @property
    def name(self) -> str:
        """Short, for titles."""

    def identity(self) -> object:
        """Anything that JSON can hold and that changes when the data does; quick to tell."""

    def close(self) -> None: ...


@dataclass(frozen=True)
class Row:
    """One item.

    values: by the column's name, arrays as `columns.stored` says, or text for a label that the item has; None where the
    item is damaged, for `reason`. digest: of all of the item's content except labels, before it was resized. split:
    where the data itself says it.
    """

    name: str
    values: Mapping[str, np.ndarray | str] | None
    digest: bytes = b""
    split: str | None = None
    reason: str = ""


@dataclass
class RowStream:
    """The rows to come, `total` of them.

    columns: the first is what a generator must imitate. A column may be given a larger shape while rows are read:
    earlier rows are then broadcast to it. splits: those that the data brings itself. notes: sentences for the plan,
    asked for when all rows are read. further: asked for then, too: columns that no row alone can tell, beside those
    that items consist of, for what `Reader.items` makes of them.
    """

    columns: dict[str, Column]
    total: int
    rows: Iterator[Row]
    splits: frozenset[str] = frozenset()
    notes: Callable[[], list[str]] = list
    further: Callable[[], dict[str, np.ndarray]] = dict


def split_of(name: str) -> str:
    """The split of an item by its name alone, so that it stays what it is when others come or go: about 90 / 5 / 5."""
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64
    return next(split for split, share in zip(SPLITS, _SHARES, strict=True) if place < share)


def spread(things: Sequence[T], most: int | None) -> Sequence[T]:
    """At most so many of them, spread evenly over all; None for all."""
    if most is None or len(things) <= most:
        return things
    return [things[place] for place in np.linspace(0, len(things) - 1, most).astype(int)]


def stem_of(name: str) -> str:
    """The name without its ending, by which files of two folders go together."""
    return str(PurePosixPath(name).with_suffix(""))


def too_few(name: str, count: int, noun: str) -> DataError:
    return DataError(f"{shown(name)} holds {counted(count, noun)}: at least 2 are needed to train on")
