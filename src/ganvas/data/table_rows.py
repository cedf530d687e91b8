"""Rows of tables: mixed columns of CSV, Parquet and Excel files and of frames, each with the kind that its cells show.

customers.csv                      a line of names, and a line for each row
train/a.csv  test/b.csv            folders that are splits

number, whole    what Python reads as one; few different ones are choices beside that
date             all cells in one of the usual forms
yes/no           true and false, yes and no
category         any other text of at most 500 different ones
identifier, text what nearly every row has another one of: left out, since it can only be learned by heart
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, get_args

import numpy as np

from ganvas.data.batch import Batch
from ganvas.data.columns import Column
from ganvas.data.decode import Damaged
from ganvas.data.image_files import Files
from ganvas.data.layout import layout
from ganvas.data.readers import Reader
from ganvas.data.rows import SPLITS, Row, RowStream, Source, too_few
from ganvas.data.table_files import ENDINGS, MOST_BYTES, TEXT, Cells, Frame, add_binary, add_csv, add_frame
from ganvas.data.table_kinds import FEW_NUMBERS, LEFT_OUT, column_of
from ganvas.data.table_samples import encoded
from ganvas.errors import DataError, UsageError, near_miss
from ganvas.options import Parsed
from ganvas.spaces import SOUNDS, ColumnKind, TableColumn, TableSpace
from ganvas.text import counted, listed, quoted, shown

if TYPE_CHECKING:
    from torch import Tensor

KINDS = (*get_args(ColumnKind), LEFT_OUT)

_TOLD = 60
_TARGETS = ("target", "label", "class", "churn", "outcome", "y", "status")


class Types(Parsed, tuple[Any, ...]):
    """Kinds of columns, as `age=number,zip=category`; or just these columns, as `TableColumn.to_json` has them."""

    metavar = "NAME=KIND,..."
    noun = f"columns with their kind, such as zip=category, of {', '.join(KINDS)}"

    def __new__(cls, value: Any) -> Self:
        some = (
            value.split(",") if isinstance(value, str) else list(value.items() if isinstance(value, Mapping) else value)
        )
        made: list[Any] = []
        for each in some:
            if isinstance(each, Mapping):
                try:
                    made.append(TableColumn.from_json(each).to_json())
                except (KeyError, UsageError):
                    raise ValueError(value) from None
                continue
            name, kind = each.rpartition("=")[::2] if isinstance(each, str) else each
            if not str(name).strip() or str(kind).strip() not in KINDS:
                raise ValueError(value)
            made.append([str(name).strip(), str(kind).strip()])
        if not made or len({isinstance(each, dict) for each in made}) > 1:
            raise ValueError(value)
        return super().__new__(cls, made)

    @property
    def kinds(self) -> dict[str, str]:
        """By name, {} where the columns themselves are told."""
        return {} if isinstance(self[0], dict) else dict(self)

    @property
    def columns(self) -> tuple[TableColumn, ...]:
        return tuple(TableColumn.from_json(each) for each in self) if isinstance(self[0], dict) else ()

    def __str__(self) -> str:
        return ",".join(f"{name}={kind}" for name, kind in self.kinds.items()) or f"as {counted(len(self), 'column')}"


class Demands(Parsed, tuple[str, ...]):
    """Constraints, from `start <= end; age >= 18` or a list of them."""

    metavar = "A<=B;..."
    noun = "comparisons such as 'start <= end'"

    def __new__(cls, value: Any) -> Self:
        some = [each.strip() for each in value.split(";")] if isinstance(value, str) else list(value)
        if not some or not all(isinstance(each, str) and each for each in some):
            raise ValueError(value)
        return super().__new__(cls, some)

    def __str__(self) -> str:
        return "; ".join(self)


@dataclass(frozen=True, kw_only=True)
class TableReader(Reader):
    """Rows of tables. What is None, the data decides."""

    wants = "a table (.csv, .tsv, .parquet, .xlsx), a folder of them, or a frame of pandas"

    column: Annotated[
        Types | None, f"kinds of columns that are not as they seem, of {', '.join(KINDS)} (default: by their cells)"
    ] = None
    target: Annotated[
        str | None, "the column that scores tell from the others (default: by its name, else the last)"
    ] = None
    constraint: Annotated[Demands | None, "what holds of every row that is ever given out, such as 'start <= end'"] = (
        None
    )

    @classmethod
    def example(cls, folder: Path) -> tuple[str | Path, dict[str, Any]]:
        """80 rows of two sorts, with a number, a choice, a yes or no, and gaps."""
        random = np.random.RandomState(0)
        lines = ["size,colour,sold"]
        for number in range(80):
            large = number % 2
            size = "" if number % 10 == 9 else f"{(20 if large else 5) + random.rand():.2f}"
            lines.append(f"{size},{('green', 'red')[large]},{('no', 'yes')[large]}")
        (folder / "goods.csv").write_text("\n".join(lines))
        return folder / "goods.csv", {}

    @classmethod
    def reads(cls, source: Source) -> bool:
        """Whether it is a frame, or holds tables and neither pictures nor sounds, beside which they are about these."""
        if isinstance(source, Frame):
            return True
        if not isinstance(source, Files):
            return False
        of = source.container.reading
        others = source.container.holds_any() or of(frozenset(SOUNDS)).holds_any()
        return not others and of(ENDINGS, MOST_BYTES).holds_any()

    @classmethod
    def recognises(cls, source: Source) -> str:
        return "a table, for tablegan" if cls.reads(source) else ""

    def has_form(self, source: Source) -> bool:
        return self.reads(source)

    def read(self, source: Source) -> RowStream:
        found = _Found()
        found.collect(source)
        title = shown(source.name)
        if found.count < 2:
            raise too_few(source.name, found.count, "row")
        like = self.column.columns if self.column else ()
        taught = np.array([split in (None, "train") for split in found.splits])
        columns, notes = (list(like), list[str]()) if like else self._inferred(found, taught, title)
        if like:
            _check_like(columns, found, title)
        space = TableSpace(tuple(columns), self.target or _target(columns), tuple(self.constraint or ()))
        cells = {each.name: each for each in found.columns}
        samples, odd = encoded(space, cells)
        for place, check in zip(space.constraints, space.checks, strict=True):
            import torch

            fields = space.fields(torch.from_numpy(samples))
            met = check.holds({name: each.values for name, each in fields.items()}, space.columns)
            if not met.any():
                raise DataError(
                    f"--constraint {quoted(place)} holds of none of the {found.count:,} rows of {title}, so there is "
                    "nothing to learn"
                )
            notes.append(
                f"constraint {shown(place)}: holds of {100 * met.mean():.4g}% of the rows; others are left out"
            )
            odd |= {int(number): f"it breaks {place}" for number in np.flatnonzero(~met) if int(number) not in odd}

        def rows() -> Iterator[Row]:
            for number in range(found.count):
                name, split = found.name(number), found.splits[number]
                if number in odd:
                    yield Row(name, None, split=split, reason=odd[number])
                    continue
                digest = hashlib.sha256(samples[number].tobytes()).digest()
                yield Row(name, {"row": samples[number]}, digest, split)

        own = frozenset(SPLITS) if all(found.splits) else frozenset(each for each in found.splits if each)
        known: dict[str, Column] = {"row": space}
        return RowStream(known, found.count, rows(), own, lambda: [*found.notes, *notes])

    def _inferred(self, found: _Found, taught: np.ndarray, title: str) -> tuple[list[TableColumn], list[str]]:
        """The columns that can be learned, and what the plan says of them all."""
        wanted = self.column.kinds if self.column else {}
        names = [each.name for each in found.columns]
        for name in wanted:
            if name not in names:
                raise DataError(f"{title} has no column {quoted(name)}{near_miss(name, names)}")
        columns, out = [], []
        for cells in found.columns:
            kind = wanted.get(cells.name)
            try:
                made = column_of(cells, taught, kind)
            except ValueError as error:
                raise DataError(f"the column {quoted(cells.name)} of {title} cannot be a {kind}: {error}") from None
            if isinstance(made, str):
                out.append(f"{shown(cells.name)} ({made})")
            else:
                columns.append(made)
        if not columns:
            raise DataError(
                f"{title} has no column that can be learned: {listed(out, 4)}; name a kind with --column NAME=KIND"
            )
        notes = [f"columns: {listed((each.told() for each in columns), _TOLD)}"]
        if out:
            notes.append(f"left out: {listed(out, _TOLD)}; --column NAME=category keeps one")
        return columns, notes


@dataclass(frozen=True)
class Tables(Batch):
    """row: (B, S) float32, the numbers of the cells as `TableSpace` has them."""

    reader: ClassVar = TableReader

    row: Tensor


class _Found:
    """The cells of a source, and where each row stands."""

    def __init__(self) -> None:
        self.columns: list[Cells] = []
        self.splits: list[str | None] = []
        self.notes: list[str] = []
        self._files: list[tuple[str, list[int]]] = []
        self._starts: list[int] = []

    @property
    def count(self) -> int:
        return len(self.splits)

    def name(self, number: int) -> str:
        """Of a row: its file and its line in that."""
        place = int(np.searchsorted(self._starts, number, side="right")) - 1
        title, lines = self._files[place]
        return f"{title}:{lines[number - self._starts[place]]}"

    def collect(self, source: Source) -> None:
        if isinstance(source, Frame):
            self._add(source.name, add_frame(source.frame, "the frame", self.columns), None)
            return
        assert isinstance(source, Files)
        tables = source.container.reading(ENDINGS, MOST_BYTES)
        names = tables.names()
        where = layout(names)
        self.notes += where.notes
        for name, opener in tables.files(set(names)):
            title, ending = shown(name), PurePosixPath(name).suffix.lower()
            try:
                with opener() as file:
                    lines = (
                        add_csv(file, title, self.columns)
                        if ending in TEXT
                        else add_binary(file, title, ending, self.columns)
                    )
            except (Damaged, OSError) as error:
                raise DataError(f"{title} cannot be read: {error}") from None
            self._add(name, lines, where.splits.get(name))

    def _add(self, name: str, lines: list[int], split: str | None) -> None:
        self._files.append((name, lines))
        self._starts.append(self.count)
        self.splits += [split] * len(lines)


def _target(columns: Sequence[TableColumn]) -> str:
    """The column that most likely is to be told from the others: one of the usual names, else the last with choices."""
    named = [each.name for each in columns if each.name.lower() in _TARGETS and len(each.choices) > 1]
    chosen = [each.name for each in columns if 2 <= len(each.choices) <= FEW_NUMBERS]
    return (named or chosen or [""])[-1]


def _check_like(columns: Sequence[TableColumn], found: _Found, title: str) -> None:
    names = [each.name for each in found.columns]
    lacking = next((each.name for each in columns if each.name not in names), None)
    if lacking is not None:
        raise DataError(f"{title} has no column {quoted(lacking)}{near_miss(lacking, names)}")
