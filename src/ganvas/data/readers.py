"""Readers: how a source becomes prepared columns, and these become items.

A kind of data is a batch type (`batch.py`) with its reader, in one file. A reader is a frozen dataclass, and its
annotated fields are the flags of the command line, the keywords of `open_data`, and what a run stores:

    @dataclass(frozen=True, kw_only=True)
    class WaveReader(Reader):
        wants = "a folder or an archive of sound files"
        rate: Annotated[int, Range(1000, 192_000), "samples a second"] = 16_000

        @classmethod
        def reads(cls, source: Source) -> bool: ...
        def read(self, source: Source) -> RowStream: ...

Most readers need no more than these two. One whose items have no fixed shape, or are varied as they are read, says how
they are written (`write`), what they are in the end (`columns`) and how they are picked (`items`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from ganvas.data.cache import FORMAT, Entry, Places, Writer, cache_folder, only_one, open_entry
from ganvas.data.columns import Column, Labels, arrays_of, column_from_config, value_space
from ganvas.data.manifest import contents, nothing_left
from ganvas.data.order import Order
from ganvas.data.rows import Row, RowStream, Source
from ganvas.data.shards import ShardedEntry, Shards
from ganvas.errors import DataError, GanvasError, UsageError
from ganvas.files import at_home
from ganvas.options import Option, Parsed, read_options
from ganvas.progress_bar import steps
from ganvas.spaces import Space
from ganvas.text import shown


class SourceName(Parsed, str):
    """An option that names another source. A path is stored so that it leads there from any folder."""

    metavar = "SOURCE"
    noun = "a source"

    def __new__(cls, value: Any) -> Self:
        if not isinstance(value, (str, Path)) or not str(value):
            raise ValueError(value)
        path = at_home(value)
        return super().__new__(cls, path.absolute() if is_there(str(path)) else value)


def is_there(source: str) -> bool:
    """Whether a source leads to a file or a folder, or into an archive, whatever text it is."""
    path = at_home(source)
    try:
        return path.exists() or any(parent.is_file() for parent in path.parents)
    except (OSError, ValueError):
        return False


@dataclass(frozen=True)
class Items:
    """The items of one split as they are prepared. places: theirs in the entry's index, in the order of their names."""

    entry: Entry
    places: Places
    columns: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.places)

    @property
    def names(self) -> Sequence[str]:
        return [self.entry.names[place] for place in self.places]

    def rows(self, indices: np.ndarray, seeds: Sequence[tuple[int, int]] | None) -> dict[str, np.ndarray]:
        """By column, the rows of the items with these numbers within the split, as `columns.stored` says of each.

        seeds: of what is random about each of them; None for what an item is when nothing is.
        """
        return self.entry.rows(self.columns, self.entry.at(self.places, indices))

    def order(self, seed: int, batch_size: int) -> Order:
        """In which training reads them, in batches of this size."""
        return self.entry.order(self.places, len(self), seed, batch_size)

    @property
    def conditions(self) -> int:
        """How many different things are given in this split, where something is: by default one by each item."""
        return len(self)

    def rows_given(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        """As `rows`, each with another thing that is given, by its number, and the right answer where it is known."""
        return self.rows(indices, None)

    def known(self, answers: bool) -> np.ndarray:
        """(conditions,) bool: of which things that are given `rows_given` holds the right answer. answers: whether the
        value of an item is what should be made of the rest of it."""
        return np.full(self.conditions, answers)

    @cached_property
    def stored_at(self) -> np.ndarray:
        """The rows of the items in the entry's columns."""
        return self.entry.stored_at(self.places)


@dataclass(frozen=True)
class Twin:
    """An item, and what it should become when one attribute gets this value: rows as `columns.stored` says."""

    name: str
    source: np.ndarray
    image: np.ndarray
    attribute: str
    value: float


@dataclass(frozen=True, kw_only=True)
class Reader:
    """Base of all readers. wants: what to give where a source is not what this reader reads. shrinks: whether its items
    are wholes that stay what they are when they are brought to a smaller form, such as pictures and not pieces of them.
    """

    wants: ClassVar[str]
    shrinks: ClassVar[bool] = False

    @classmethod
    def flags(cls) -> list[Option]:
        """The fields as options."""
        return read_options(cls)

    @classmethod
    def option_names(cls) -> tuple[str, ...]:
        return tuple(option.name for option in cls.flags())

    @classmethod
    def reads(cls, source: Source) -> bool:
        """Whether it can read such a source at all; told quickly, and not by reading it."""
        raise NotImplementedError

    @classmethod
    def takes(cls, source: Source) -> bool:
        """Whether it can read such a source, or its shards."""
        return cls.reads_shards(source) if isinstance(source, Shards) else cls.reads(source)

    @classmethod
    def reads_shards(cls, source: Shards) -> bool:
        """Whether it can read such shards: by default those that were written of what it had read."""
        return source.own is not None and source.own["reader"] == cls.__name__

    @classmethod
    def is_likely(cls, source: Source) -> bool:
        """Whether a source that it can read, and that nobody says the kind of, is likely meant as this kind."""
        return True

    @classmethod
    def recognises(cls, source: Source) -> str:
        """What a source of this kind looks like, in words that end `it looks like ...`, where that is as good as
        certain: for whoever has read it as another kind, and could not."""
        return ""

    @classmethod
    def form_of(cls, space: Space) -> dict[str, Any]:
        """The options with which a source comes in the form of this space, where it can: those of the space that the
        reader has."""
        options = space.options()
        return {name: options[name] for name in cls.option_names() if name in options}

    def options(self) -> dict[str, Any]:
        """The fields, fit for JSON, without those that leave something to the data."""
        return {each.name: value for each in fields(self) if (value := getattr(self, each.name)) is not None}

    def read(self, source: Source) -> RowStream:
        """The columns and rows of the source. Raises DataError where it holds nothing of this kind, UsageError for
        options that do not fit it."""
        raise NotImplementedError

    def has_form(self, source: Source) -> bool:
        """Whether the source holds what it reads, as far as its form tells: no item is decoded for it."""
        if isinstance(source, Shards):
            return True
        try:
            self.read(source)
        except GanvasError:
            return False
        return True

    def prepare(self, source: Source, progress: bool) -> Entry:
        """The source as columns on the disk, found in the cache or written there; shards stay where they are, and are
        looked through once. progress: a bar on a terminal."""
        if isinstance(source, Shards):
            return self.sharded(source, progress)
        folder = self.folder(source)
        entry = open_entry(folder)
        if entry is not None:
            return entry
        with only_one(folder):
            entry = open_entry(folder)
            if entry is None:
                folder = self.write(source, progress)
                entry = open_entry(folder)
        if entry is None:
            raise DataError(f"prepared data cannot be read back from {shown(str(folder))}: is the disk sound?")
        return entry

    def folder(self, source: Source) -> Path:
        """Where the source is prepared. Another place once the source has been read, where reading fetches it."""
        key = json.dumps([FORMAT, type(self).__module__, type(self).__qualname__, self.identity(source)])
        return cache_folder() / "data" / hashlib.sha256(key.encode()).hexdigest()[:32]

    def identity(self, source: Source) -> Any:
        """Anything that JSON can hold and that differs where what is prepared differs."""
        return [source.identity(), self.options()]

    def write(self, source: Source, progress: bool) -> Path:
        """Prepares the source, all of whose items have the same shape, and returns the folder. Raises DataError where
        fewer than 2 items are left."""
        stream, folder = self.read(source), self.folder(source)
        with Writer(folder, {name: space.stored() for name, space in arrays_of(stream.columns).items()}) as writer:
            kept: list[Row] = []
            damaged: dict[str, str] = {}
            for row in steps(stream.rows, stream.total, f"preparing {source.name}", progress, line=False):
                if row.values is None:
                    damaged[row.name] = row.reason
                    continue
                writer.add({name: value for name, value in row.values.items() if not isinstance(value, str)})
                kept.append(without_arrays(row))
            if len(kept) < 2:
                raise nothing_left(source.name, len(kept), damaged)
            made = contents(kept, damaged, stream)
            writer.finish(made.labels | stream.further(), made.index, made.items, made.manifest)
        return folder

    def sharded(self, source: Shards, progress: bool) -> ShardedEntry:
        """The samples of shards. Raises DataError, UsageError."""
        return source.as_written(self.options())

    def columns(self, entry: Entry) -> dict[str, Column]:
        """What the columns of a batch hold; the first is what a generator must imitate."""
        return {name: column_from_config(config) for name, config in entry.manifest["columns"].items()}

    def items(self, entry: Entry, places: Places) -> Items:
        """The items at these places of the entry's index."""
        return Items(entry, places, tuple(self.columns(entry)))

    def facts(self, columns: dict[str, Column]) -> dict[str, Any]:
        """What recipes may ask for by name."""
        return value_space(columns).facts() | columns.get("label", Labels()).facts()

    @classmethod
    def example(cls, folder: Path) -> tuple[str | Path, dict[str, Any]]:
        """A tiny source of this kind, written into the folder or built in, and the options that it is read with: easy
        to learn, in two or more sorts, so that a generator that makes one thing only has not learned it. It is what
        `ganvas.testing` plays a recipe on. Raises UsageError where the kind has none."""
        raise UsageError(f"{cls.__name__} has no example to try a recipe on: give data of your own")

    def twins(self, source: Source, space: Space) -> Iterator[Twin]:
        """Items of the source whose right answer is known, beside those that it is trained on, in the form of the
        space; none here. Raises DataError."""
        return iter(())

    def notes(self, entry: Entry) -> list[str]:
        """Sentences for the plan that depend on more than what is prepared."""
        return []


def without_arrays(row: Row) -> Row:
    """The row with the text of its labels alone."""
    texts = {name: value for name, value in (row.values or {}).items() if isinstance(value, str)}
    return Row(row.name, texts, row.digest, row.split)
