"""Tables as they are found: cells as text, whatever file or frame they come from.

CSV is read by Python itself, line by line; Parquet, Excel and frames by pandas. What a cell holds is not asked here.
"""

from __future__ import annotations

import csv
import hashlib
import io
import sys
import zipfile
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Any

import numpy as np

from ganvas.errors import DataError, UsageError
from ganvas.spaces import LONGEST_NAME, MOST_COLUMNS
from ganvas.text import counted, cut, quoted, shown

TEXT, BINARY = frozenset({".csv", ".tsv"}), frozenset({".parquet", ".xlsx"})
ENDINGS = TEXT | BINARY

MOST_BYTES, MOST_UNPACKED = 1 << 30, 1 << 31
"""Of a file of a table, and of what one that is packed says that it unpacks to."""

MOST_ROWS, LONGEST_CELL = 5_000_000, 10_000
"""Rows of all files together; letters of a cell."""

MISSING = frozenset({"", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "#N/A", "<NA>"})
"""What stands in a cell where nothing does."""


@dataclass
class Cells:
    """A column: for each row the number of its text among `texts`, which are different ones. dtype: of a frame."""

    name: str
    codes: array[int] = field(default_factory=lambda: array("i"))
    texts: dict[str, int] = field(default_factory=dict)
    dtype: str = ""

    def add(self, text: str) -> None:
        self.codes.append(self.texts.setdefault(text, len(self.texts)))

    @property
    def rows(self) -> np.ndarray:
        return np.frombuffer(self.codes, np.int32)


@dataclass
class Frame:
    """A frame of pandas as a source of data."""

    frame: Any
    name: str = "frame"

    def identity(self) -> object:
        """A hash of all that it holds."""
        import pandas

        told = hashlib.sha256(repr([*map(str, self.frame.columns), *map(str, self.frame.dtypes)]).encode())
        told.update(pandas.util.hash_pandas_object(self.frame, index=False).to_numpy().tobytes())
        return ["frame", told.hexdigest()]

    def close(self) -> None:
        """Nothing is open."""


def is_frame(source: Any) -> bool:
    """Whether it is a frame of pandas, which nobody can have who has not imported that."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(source, pandas.DataFrame)


def add_csv(file: IO[bytes], title: str, columns: list[Cells]) -> list[int]:
    """Appends the rows of a file to the columns, which are made where there are none yet. Returns the lines that the
    rows begin in. Raises DataError for anything else than a table."""
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    try:
        first = text.readline(1 << 20)
    except UnicodeDecodeError as error:
        raise _no_text(title, 1, error) from None
    signs = {"excel-tab": first.count("\t"), "excel": first.count(","), ";": first.count(";")}
    best = max(signs, key=lambda sign: signs[sign])
    how: dict[str, Any] = {"delimiter": ";"} if best == ";" else {"dialect": best}
    if not first.strip():
        raise DataError(f"{title} is empty: it needs a line with the names of the columns, and a line for each row")
    read = csv.reader(_lines(first, text), strict=True, **how)
    lines: list[int] = []
    at = 1
    try:
        head = list(map(_plain, next(read)))
        at = read.line_num + 1
        into = _columns(head, title, columns)
        for row in read:
            if row:
                _add(row, into, f"{title}, line {at:,}")
                lines.append(at)
            at = read.line_num + 1
    except csv.Error as error:
        raise DataError(f"{title} is no table of comma-separated values: line {at:,}: {error}") from None
    except UnicodeDecodeError as error:
        raise _no_text(title, at, error) from None
    finally:
        text.detach()
    return lines


def add_binary(file: IO[bytes], title: str, ending: str, columns: list[Cells]) -> list[int]:
    """As `add_csv`, of a Parquet or an Excel file; the numbers of its rows."""
    with _needing(title):
        frame = _of_parquet(file, title) if ending == ".parquet" else _of_excel(file, title)
    return add_frame(frame, title, columns)


def add_frame(frame: Any, title: str, columns: list[Cells]) -> list[int]:
    """As `add_csv`, of a frame of pandas."""
    import pandas

    into = _columns([_plain(str(name)) for name in frame.columns], title, columns)
    _check_rows(len(frame) + (len(into[0].codes) if into else 0))
    for place, column in enumerate(into):
        series = frame.iloc[:, place]
        codes, different = pandas.factorize(series)
        column.dtype = str(series.dtype)
        texts = [_text(each) for each in different]
        numbers = np.array([column.texts.setdefault(text, len(column.texts)) for text in texts], np.int32)
        gap = column.texts.setdefault("", len(column.texts)) if (codes < 0).any() else 0
        told = np.where(codes < 0, gap, numbers[codes] if len(numbers) else 0).astype(np.int32)
        column.codes.frombytes(told.tobytes())
    return list(range(1, len(frame) + 1))


def _lines(first: str, rest: io.TextIOWrapper) -> Iterator[str]:
    """No longer than any line is that somebody means, so that one without an end is not read whole."""
    yield first
    while line := rest.readline(1 << 24):
        if len(line) == 1 << 24:
            raise csv.Error("it goes on for more than 16 million letters")
        yield line


def _columns(head: Sequence[str], title: str, columns: list[Cells]) -> list[Cells]:
    """The columns in the order of this file."""
    if len(head) > MOST_COLUMNS:
        raise DataError(f"{title} has {len(head):,} columns: at most {MOST_COLUMNS:,} can be learned")
    twice = next((name for place, name in enumerate(head) if name in head[:place]), None)
    if twice is not None or not all(head):
        which = f"two columns called {quoted(twice)}" if twice else "a column without a name"
        raise DataError(f"{title} has {which}: give each a name of its own, in the first line")
    long = next((name for name in head if len(name) > LONGEST_NAME), None)
    if long is not None:
        raise DataError(f"{title} has a column whose name has {len(long):,} letters: at most {LONGEST_NAME}")
    if not columns:
        columns += [Cells(name) for name in head]
        return columns
    known = {each.name: each for each in columns}
    if known.keys() != set(head):
        other = next(name for name in [*head, *known] if (name in known) != (name in head))
        raise DataError(f"{title} has other columns than the files before it: {quoted(other)} is not in both")
    return [known[name] for name in head]


def _add(row: Sequence[str], columns: Sequence[Cells], where: str) -> None:
    if len(row) != len(columns):
        raise DataError(f"{where} has {counted(len(row), 'cell')}, and there are {counted(len(columns), 'column')}")
    _check_rows(len(columns[0].codes) + 1)
    for cell, column in zip(row, columns, strict=True):
        text = _plain(cell)
        if len(text) > LONGEST_CELL:
            raise DataError(
                f"{where}: a cell of {quoted(column.name)} has {len(text):,} letters: at most {LONGEST_CELL:,}"
            )
        column.add("" if text in MISSING else text)


def _plain(cell: str) -> str:
    """On one line, and without what cannot be printed, since cells are shown on terminals."""
    text = cell.strip()
    if not text.isprintable():
        text = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return text


def _check_rows(count: int) -> None:
    if count > MOST_ROWS:
        raise DataError(f"at most {MOST_ROWS:,} rows can be read: give a part of them")


def _no_text(title: str, line: int, error: UnicodeDecodeError) -> DataError:
    odd = error.object[error.start]
    return DataError(
        f"{title} is no text in UTF-8: in line {line:,} or soon after stands the byte {odd:#04x}; save it as UTF-8"
    )


@contextmanager
def _needing(title: str) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        needed = error.name or "pandas"
        raise UsageError(
            f"{title} needs {needed.partition('.')[0]}: pip install ganvas[tables], or give it as .csv"
        ) from None
    except (DataError, UsageError):
        raise
    except Exception as error:  # whatever such libraries make of hostile bytes
        raise DataError(f"{title} cannot be read: {cut(shown(str(error) or type(error).__name__), 120)}") from None


def _of_parquet(file: IO[bytes], title: str) -> Any:
    import pandas
    import pyarrow.parquet

    _ = pandas
    opened = pyarrow.parquet.ParquetFile(file)
    about = opened.metadata
    _check_rows(about.num_rows)
    unpacked = sum(int(about.row_group(place).total_byte_size) for place in range(about.num_row_groups))
    if about.num_columns > MOST_COLUMNS or unpacked > MOST_UNPACKED:
        raise DataError(
            f"{title} has {about.num_columns:,} columns and {unpacked >> 20:,} MB unpacked: at most {MOST_COLUMNS:,} "
            f"and {MOST_UNPACKED >> 20:,} MB"
        )
    return opened.read().to_pandas()


def _of_excel(file: IO[bytes], title: str) -> Any:
    import openpyxl
    import pandas

    with zipfile.ZipFile(file) as packed:
        unpacked = sum(member.file_size for member in packed.infolist())
    if unpacked > MOST_UNPACKED // 8:
        raise DataError(f"{title} unpacks to {unpacked >> 20:,} MB, more than {MOST_UNPACKED >> 23:,}: save it as .csv")
    file.seek(0)
    book = openpyxl.load_workbook(file, read_only=True, data_only=True)
    rows = book.worksheets[0].iter_rows(values_only=True)
    head = [("" if each is None else str(each)).strip() for each in next(rows, ())]
    while head and not head[-1]:
        head.pop()
    if not head:
        raise DataError(f"{title} is empty: its first sheet needs a row with the names of the columns")
    if len(head) > MOST_COLUMNS:
        raise DataError(f"{title} has {len(head):,} columns: at most {MOST_COLUMNS:,} can be learned")
    kept = []
    for row in rows:
        if any(each is not None for each in row):
            kept.append(row[: len(head)])
            _check_rows(len(kept))
    return pandas.DataFrame(kept, columns=head)


def _text(value: Any) -> str:
    """A cell of a frame as a file would have it."""
    if hasattr(value, "isoformat"):
        told = value.isoformat(sep=" ") if hasattr(value, "hour") else value.isoformat()
        return str(told).removesuffix(" 00:00:00")
    if isinstance(value, (float, np.floating)):
        number = float(value)
        return str(int(number)) if number.is_integer() and abs(number) < 2**53 else repr(number)
    text = _plain(str(value))
    return "" if text in MISSING else text[:LONGEST_CELL]
