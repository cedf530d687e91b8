"""Pictures with a table of their attributes: a CSV file, or CelebA's list, beside the pictures or given by itself.

A row with something in its column `of` is a twin: the picture named there, drawn with one attribute changed (the column
`changed`). Nobody trains on twins; they are the right answers that a model is judged by.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from PIL import Image

from ganvas.attributes import STAYS, Attribute
from ganvas.data.batch import Batch
from ganvas.data.cache import Entry, Places
from ganvas.data.captioned import COLUMNS
from ganvas.data.columns import Column
from ganvas.data.decode import Damaged, decode, fit
from ganvas.data.image_files import Files
from ganvas.data.layout import layout
from ganvas.data.readers import Items, Reader, SourceName, Twin
from ganvas.data.rows import Row, RowStream, Source
from ganvas.data.tables import CHANGED, ENDINGS, OF, Table, named_otherwise, placed, read_table, told, write_example
from ganvas.errors import DataError
from ganvas.files import read_regular
from ganvas.options import Parsed, Range, Size2D
from ganvas.spaces import AttributeSpace, ImageSpace, Space
from ganvas.text import counted, listed, shown

if TYPE_CHECKING:
    from torch import Tensor


class Names(Parsed, tuple[str, ...]):
    """Names with commas between them, or a list of names."""

    metavar = "A,B,C"
    noun = "names with commas between them"

    def __new__(cls, value: Any) -> Names:
        words = value.split(",") if isinstance(value, str) else list(value)
        if not words or not all(isinstance(word, str) and word.strip() for word in words):
            raise ValueError(value)
        return super().__new__(cls, dict.fromkeys(word.strip() for word in words))

    def __str__(self) -> str:
        return ",".join(self)


@dataclass(frozen=True, kw_only=True)
class AttributedReader(Reader):
    """Pictures brought to one size and kept as uint8 (H, W, C), each with a number for every attribute."""

    wants = "a folder or an archive of pictures with a table of their attributes (CSV: a name, then a column for each)"
    shrinks = True

    attributes: Annotated[Names | None, "columns of the table to learn (default: all)"] = None
    table: Annotated[SourceName | None, "the table: its name beside the pictures, or a file (default: the one)"] = None
    size: Annotated[Size2D | None, Range(4, 4096), "of all pictures (default: the data decides)"] = None
    channels: Annotated[Literal[1, 3], "1 for gray, 3 for colour"] = 3

    @classmethod
    def example(cls, folder: Path) -> tuple[str | Path, dict[str, Any]]:
        """40 pictures of 16 x 16 pixels: a square on gray ground, as light as the only attribute says."""

        def square(light: int) -> np.ndarray:
            pixels = np.full((16, 16, 3), 110, np.uint8)
            pixels[4:12, 4:12] = light
            return pixels

        lights = (30 if number % 2 else 220 for number in range(40))
        write_example(folder, "attributes.csv", "light", ((square(light), light) for light in lights))
        return folder, {}

    @classmethod
    def reads(cls, source: Source) -> bool:
        return isinstance(source, Files)

    @classmethod
    def recognises(cls, source: Source) -> str:
        """By a table that is there for most of the pictures, and is none of captions."""
        if not isinstance(source, Files) or not source.container.passes_over(ENDINGS):
            return ""
        try:
            names, reader = source.names(), cls()
            table = reader._table(source)
            if any(name.lower() in COLUMNS for name in table.columns):
                return ""
            rows = _items(table, placed(table, names), source)
            reader._attributes(table, list(rows.values()))
        except DataError:
            return ""
        return "pictures with a table of their attributes, for stargan" if 2 * len(rows) > len(names) else ""

    def identity(self, source: Source) -> Any:
        assert isinstance(source, Files)
        beside = source.container.reading(ENDINGS).identity()
        stated = hashlib.sha256(self._content(source)[0]).hexdigest()
        return [source.identity(), beside, stated, self.options()]

    def read(self, source: Source) -> RowStream:
        assert isinstance(source, Files)
        names = source.names()
        table = self._table(source)
        rows = _items(table, placed(table, names), source)
        attributes, numbers = self._attributes(table, list(rows.values()))
        values = dict(zip(rows, np.array(numbers, np.float32).T, strict=True))
        of_twins = {name for row, name in placed(table, names).items() if _twin_of(table, row)}
        found = layout(list(rows))
        size = self.size or source.suggested_size(list(rows))
        splits = found.splits

        def stream() -> Iterator[Row]:
            for name, content in source.contents(list(rows)):
                try:
                    pixels = self._pixels(content, size)
                except Damaged as error:
                    yield Row(name, None, split=splits.get(name), reason=str(error))
                    continue
                digest = hashlib.sha256(content if isinstance(content, bytes) else b"")
                digest.update(values[name].tobytes())
                yield Row(name, {"image": pixels, "attributes": values[name]}, digest.digest(), splits.get(name))

        notes = [*found.notes, "attributes: " + "; ".join(map(told, attributes, numbers))]
        if of_twins:
            notes.append(f"{counted(len(of_twins), 'twin')} kept for judging: pictures in which one attribute differs")
        lacking = len(names) - len(rows) - len(of_twins)
        if lacking:
            notes.append(f"{counted(lacking, 'picture')} left out, of which {table.title} says nothing")
        columns: dict[str, Column] = {
            "image": ImageSpace(self.channels, *size),
            "attributes": AttributeSpace(attributes),
        }
        told_of = frozenset(splits.values())
        return RowStream(columns, len(rows), stream(), told_of, lambda: [*notes, *source.container.notes()])

    def facts(self, columns: dict[str, Column]) -> dict[str, Any]:
        attributes = columns["attributes"]
        assert isinstance(attributes, AttributeSpace)
        return super().facts(columns) | attributes.facts()

    def columns(self, entry: Entry) -> dict[str, Column]:
        own = super().columns(entry)
        image, attributes = own["image"], own["attributes"]
        return own | {"source": image, "present": attributes, "change": attributes}

    def items(self, entry: Entry, places: Places) -> Items:
        return AttributedItems(entry, places, ("image", "attributes", "source", "present", "change"))

    def twins(self, source: Source, space: Space) -> Iterator[Twin]:
        assert isinstance(source, Files) and isinstance(space, ImageSpace)
        table = self._table(source)
        place_of = placed(table, source.names())
        attributes, _ = self._attributes(table, list(_items(table, place_of, source).values()))
        known = {each.name: each for each in attributes}
        row_of = {name: row for row, name in enumerate(table.names)}
        wanted = [
            (row, row_of[of], known[changed])
            for row in place_of
            if (of := _twin_of(table, row)) in row_of
            and row_of[of] in place_of
            and (changed := table.columns.get(CHANGED, [""] * len(table.names))[row].strip()) in known
        ]
        pictures = {place_of[row] for pair in wanted for row in pair[:2]}
        pixels: dict[str, np.ndarray] = {}
        for name, content in source.contents(pictures):
            try:
                pixels[name] = self._pixels(content, (space.height, space.width))
            except Damaged:
                continue
        for row, original, attribute in wanted:
            if place_of[row] in pixels and place_of[original] in pixels:
                value = attribute.number(table.columns[attribute.name][row])
                yield Twin(place_of[row], pixels[place_of[original]], pixels[place_of[row]], attribute.name, value)

    def _pixels(self, content: bytes | Damaged, size: tuple[int, int]) -> np.ndarray:
        if isinstance(content, Damaged):
            raise content
        return fit(decode(content, max(size)).image, size, self.channels)

    def _attributes(self, table: Table, rows: Sequence[int]) -> tuple[tuple[Attribute, ...], list[list[float]]]:
        pairs = [table.attribute(column, rows) for column in table.chosen(self.attributes)]
        return tuple(attribute for attribute, _ in pairs), [numbers for _, numbers in pairs]

    def _table(self, source: Files) -> Table:
        return read_table(*self._content(source))

    def _content(self, source: Files) -> tuple[bytes, str]:
        """The table's content, and what errors call it. Raises DataError."""
        beside = Files(source.container.reading(ENDINGS), source.name)
        names = beside.container.names()
        name = _named(names, self.table) if self.table is not None else _only(names, source)
        if name is None:
            path = Path(str(self.table))
            try:
                return read_regular(path), path.name
            except OSError as error:
                has = f"; beside the pictures lies {listed(map(shown, names))}" if names else ""
                why = error.strerror or error
                raise DataError(f"the table {shown(str(self.table))} cannot be read: {why}{has}") from None
        (_, content) = next(iter(beside.contents([name])))
        if isinstance(content, Damaged):
            raise DataError(f"the table {shown(name)} in {shown(source.name)} cannot be read: {content}")
        return content, name


@dataclass(frozen=True)
class Attributed(Batch):
    """image: (B, C, H, W) float32 in [-1, 1]; attributes: (B, K) its numbers.

    source: (B, C, H, W) other items; present: (B, K) their numbers; change: (B, K) the numbers of `image`, which the
    sources are to get, so that what is made is distributed as what there is; NaN for those that are to stay.
    """

    reader: ClassVar = AttributedReader

    image: Tensor
    attributes: Tensor
    source: Tensor
    present: Tensor
    change: Tensor

    def given(self) -> dict[str, Tensor]:
        return {"source": self.source, "change": self.change}

    def shown(self, columns: Mapping[str, Space]) -> dict[str, list[Image.Image] | list[str]]:
        """The pictures, and what the table says of each."""
        pictures, words = columns["image"].pictures(self.image), columns["attributes"].words(self.attributes)
        return {"image": pictures, "attributes": words}


@dataclass(frozen=True)
class AttributedItems(Items):
    """The items of one split, each with a source. In training it is any other item, which the item's seed chooses, and
    is to get all its attributes. Without seeds it gets one, each in turn, and is the next item that differs in it."""

    def rows(self, indices: np.ndarray, seeds: Sequence[tuple[int, int]] | None) -> dict[str, np.ndarray]:
        attributes = self._numbers[indices]
        if seeds is None:
            places = indices % attributes.shape[1]
            others = np.array([self._next(*pair) for pair in zip(indices, places, strict=True)], dtype=np.int64)
            change = np.full_like(attributes, STAYS)
            which = np.arange(len(indices))
            change[which, places] = attributes[which, places]
        else:
            bits = [np.random.SeedSequence(seed).generate_state(1, np.uint64)[0] for seed in seeds]
            others = np.array([int(each % np.uint64(len(self))) for each in bits], dtype=np.int64)
            change = attributes
        pictures = self.entry.columns["image"]
        return {
            "image": pictures[self.stored_at[indices]],
            "attributes": attributes,
            "source": pictures[self.stored_at[others]],
            "present": self._numbers[others],
            "change": change,
        }

    @cached_property
    def _numbers(self) -> np.ndarray:
        numbers: np.ndarray = self.entry.columns["attributes"][self.stored_at]
        return numbers

    def _next(self, index: int, place: int) -> int:
        """The next item that differs in an attribute; the item itself where none does."""
        column = np.roll(self._numbers[:, place], -index)
        others = np.flatnonzero(column != column[0])
        return int((index + others[0]) % len(self)) if len(others) else int(index)


def _items(table: Table, place_of: dict[int, str], source: Files) -> dict[str, int]:
    """The rows of the pictures that are no twins, by the pictures' names. Raises DataError where there are none, and
    where a picture has two rows."""
    rows: dict[str, int] = {}
    for row, name in place_of.items():
        if _twin_of(table, row):
            continue
        if name in rows:
            raise DataError(f"{table.title} has two rows for the picture {shown(name)}: leave one of them")
        rows[name] = row
    if not rows:
        none = f"{table.title} names none of the pictures in {shown(source.name)}"
        raise DataError(f"{none}: {named_otherwise(table, source.names())}")
    return dict(sorted(rows.items()))


def _twin_of(table: Table, row: int) -> str:
    """The name of the picture that a row is a twin of; "" where it is none."""
    return table.columns[OF][row].strip() if OF in table.columns else ""


def _named(names: Sequence[str], wanted: str) -> str | None:
    return next((name for name in names if wanted in (name, PurePosixPath(name).name)), None)


def _only(names: Sequence[str], source: Files) -> str:
    """The one table that can be meant. Raises DataError."""
    tables = [name for name in names if not name.lower().endswith(".txt")]
    lists = [name for name in names if PurePosixPath(name).name.lower().startswith("list_attr")]
    for found in (tables, [name for name in tables if PurePosixPath(name).stem == "attributes"], lists):
        if len(found) == 1:
            return found[0]
    where = shown(source.name)
    if tables:
        raise DataError(f"{where} has the tables {listed(map(shown, tables), 8)}: choose one with --table")
    raise DataError(
        f"{where} has no table of attributes: lay a CSV file (a name, then a column for each attribute) beside the "
        "pictures, or give one with --table"
    )
