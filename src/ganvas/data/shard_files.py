"""Files that are shards: WebDataset's tar files, Parquet, and the Arrow files of Hugging Face's `datasets`.

Each opens its samples in any order without reading the others: a sample is named fields, each of bytes (an encoded
picture, a `.npy` file, text) or, of a table, a value. Where the members of a tar file begin is read from their headers
and kept while the shard is in use; nothing is mapped, since a mapped file that is cut short ends the process.
"""

from __future__ import annotations

import io
import math
import os
from array import array
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol
from weakref import finalize

import numpy as np

from ganvas.data.decode import MAX_BYTES, Damaged
from ganvas.errors import GanvasError, UsageError, needed
from ganvas.files import open_regular
from ganvas.text import shown

TAR, PARQUET, ARROW = ".tar", ".parquet", ".arrow"
ENDINGS = frozenset({TAR, PARQUET, ARROW})

WINDOW = 1024
"""Items that lie side by side in a shard and are read about the same time."""

_BLOCK, _AHEAD = 512, 1 << 16
_MOST_FIELDS = 32
_MOST_NAME = 1 << 16
_MEMBER, _LONG_NAME, _ABOUT_NEXT = frozenset(b"0\0" + b"7"), ord("L"), ord("x")


class Lost(Exception):
    """A shard that cannot be used; `str` is the reason, a few words."""


class Shard(Protocol):
    """An open shard. count: its samples. fields: their names in the shard. window: samples that are read together."""

    count: int
    fields: Sequence[str]
    window: int

    def read(self, place: int, field: int) -> Any:
        """What a sample has in a field, None for nothing. Raises Damaged, or Lost where it is the shard that is."""

    def close(self) -> None: ...


def open_shard(path: Path) -> Shard:
    """Raises Lost."""
    kinds: Mapping[str, type[Any]] = {TAR: TarShard, PARQUET: ParquetShard, ARROW: ArrowShard}
    try:
        shard: Shard = kinds[path.suffix.lower()](path)
    except (Lost, UsageError):
        raise
    except Exception as error:  # whatever a library makes of hostile bytes
        raise Lost(_why(error)) from error
    return shard


class TarShard:
    """Members whose names agree up to the first dot of the last part are one sample: `a/000017.jpg`, `a/000017.cls`.
    What stands behind that dot is the field."""

    window = WINDOW

    def __init__(self, path: Path) -> None:
        file = open_regular(path)
        self._closing = finalize(self, file.close)  # at the latest when nobody reads of it any more
        self._number = file.fileno()
        try:
            self.fields, self._places = _members(self._number)
        except BaseException:
            self.close()
            raise
        self._width = max(1, len(self.fields))
        self.count = len(self._places) // (2 * self._width)

    def read(self, place: int, field: int) -> bytes | None:
        at = 2 * (place * self._width + field)
        start, size = self._places[at], self._places[at + 1]
        if start < 0:
            return None
        if size > MAX_BYTES:
            raise Damaged(f"larger than {MAX_BYTES >> 20} MB")
        content = os.pread(self._number, size, start)
        if len(content) < size:
            raise Lost("cut short")
        return content

    def close(self) -> None:
        self._closing()


def _members(file: int) -> tuple[list[str], array[int]]:
    """The fields, and of each sample and field where it begins and its bytes, -1 for none. Raises Lost."""
    size, at = os.fstat(file).st_size, 0
    fields: dict[str, int] = {}
    samples: list[dict[int, tuple[int, int]]] = []
    last, renamed = None, ""
    ahead, begins = b"", 0
    while at + _BLOCK <= size:
        if at + _BLOCK > begins + len(ahead):
            begins, ahead = at, os.pread(file, _AHEAD, at)
        head = ahead[at - begins : at - begins + _BLOCK]
        if not any(head[:100]):
            break
        if head[257:262] != b"ustar":
            raise Lost(f"damaged at byte {at:,}, or no plain tar file" if at else "no plain tar file")
        length, kind, start = _octal(head[124:136]), head[156], at + _BLOCK
        if start + length > size:
            raise Lost("cut short")
        at = start + -(-length // _BLOCK) * _BLOCK
        if kind in (_LONG_NAME, _ABOUT_NEXT):
            if length > _MOST_NAME:
                raise Lost(f"a header of {length:,} bytes")
            renamed = _renamed(os.pread(file, length, start), kind)
            continue
        name, renamed = renamed or _name(head), ""
        if kind not in _MEMBER:
            continue
        folder, _, own = name.rpartition("/")
        stem, _, field = own.partition(".")
        if not stem or not field:
            continue
        if (folder, stem) != last:
            samples.append({})
            last = (folder, stem)
        if len(fields) == _MOST_FIELDS and field not in fields:
            raise Lost(f"more than {_MOST_FIELDS} fields: are its samples named as WebDataset's are?")
        samples[-1][fields.setdefault(field.lower(), len(fields))] = (start, length)
    else:  # no empty block, which is the end
        if at != size or not size:
            raise Lost("cut short" if size else "empty")
    places = array("q")
    for sample in samples:
        for number in range(max(1, len(fields))):
            places.extend(sample.get(number, (-1, -1)))
    return list(fields), places


def _octal(digits: bytes) -> int:
    if digits[0] & 0x80:  # a large number, as GNU writes it
        return int.from_bytes(bytes([digits[0] & 0x7F]) + digits[1:], "big")
    try:
        number = int(digits.strip(b" \0") or b"0", 8)
    except ValueError:
        raise Lost("a header that is damaged") from None
    if number < 0:
        raise Lost("a header that is damaged")
    return number


def _name(head: bytes) -> str:
    name, prefix = head[:100].partition(b"\0")[0], head[345:500].partition(b"\0")[0]
    whole = prefix + b"/" + name if prefix and head[257:263] == b"ustar\0" else name
    return whole.decode("utf-8", "replace")


def _renamed(content: bytes, kind: int) -> str:
    """The name of the next member, as a header before it says; "" where it says none."""
    if kind == _LONG_NAME:
        return content.partition(b"\0")[0].decode("utf-8", "replace")
    for record in content.split(b"\n"):
        _, _, said = record.partition(b" ")
        if said.startswith(b"path="):
            return said[5:].decode("utf-8", "replace")
    return ""


class TableShard:
    """Rows of a table of pyarrow; a picture is a column of bytes, or of `bytes` beside a `path`."""

    count: int
    fields: Sequence[str]

    def _table(self, place: int) -> tuple[Any, int]:
        """The piece of the table in which a row lies, and where in it."""
        raise NotImplementedError

    def read(self, place: int, field: int) -> Any:
        try:
            table, row = self._table(place)
            value = table.column(field)[row].as_py()
        except Exception as error:  # as in `open_shard`
            raise Lost(_why(error)) from error
        if isinstance(value, dict):
            value = value.get("bytes")
            if value is None:
                raise Damaged("no bytes, but the path of a file elsewhere")
        return value

    def column(self, field: int) -> list[Any]:
        """A column of all rows. Raises Lost."""
        raise NotImplementedError


class ParquetShard(TableShard):
    def __init__(self, path: Path) -> None:
        parquet = needed("pyarrow.parquet", "tables")
        file = open_regular(path)
        self._closing = finalize(self, file.close)
        try:
            self._file = parquet.ParquetFile(file)
        except BaseException:
            self.close()
            raise
        about = self._file.metadata
        lengths = [about.row_group(number).num_rows for number in range(about.num_row_groups)]
        self._ends, self.count = np.cumsum(lengths, dtype=np.int64), about.num_rows
        self.window = max(1, max(lengths, default=1))
        self.fields = self._file.schema_arrow.names
        self.metadata = self._file.schema_arrow.metadata or {}
        self._group = lru_cache(1)(self._file.read_row_group)

    def _table(self, place: int) -> tuple[Any, int]:
        group = int(np.searchsorted(self._ends, place, "right"))
        table = self._group(group)
        return table, place - int(self._ends[group]) + table.num_rows

    def column(self, field: int) -> list[Any]:
        try:
            return list(self._file.read(columns=[self.fields[field]]).column(0).to_pylist())
        except Exception as error:
            raise Lost(_why(error)) from error

    def close(self) -> None:
        self._closing()


class ArrowShard(TableShard):
    """A stream of record batches, of which one at a time is read."""

    def __init__(self, path: Path) -> None:
        pyarrow = needed("pyarrow", "tables")
        with open_regular(path):  # and nothing else
            self._file = pyarrow.OSFile(str(path))
        stream = pyarrow.ipc.open_stream(self._file)
        schema, self._starts, lengths = stream.schema, [self._file.tell()], []
        for batch in stream:
            lengths.append(batch.num_rows)
            self._starts.append(self._file.tell())
        self._ends, self.count = np.cumsum(lengths, dtype=np.int64), sum(lengths)
        self.window = max(1, max(lengths, default=1))
        self.fields, self.metadata = schema.names, schema.metadata or {}
        self._schema, self._ipc = schema, pyarrow.ipc
        self._batch = lru_cache(1)(self._read_batch)

    def _read_batch(self, number: int) -> Any:
        self._file.seek(self._starts[number])
        return self._ipc.read_record_batch(self._ipc.read_message(self._file), self._schema)

    def _table(self, place: int) -> tuple[Any, int]:
        number = int(np.searchsorted(self._ends, place, "right"))
        batch = self._batch(number)
        return batch, place - int(self._ends[number]) + batch.num_rows

    def column(self, field: int) -> list[Any]:
        return [value for number in range(len(self._ends)) for value in self._batch(number).column(field).to_pylist()]

    def close(self) -> None:
        self._file.close()


def npy(values: np.ndarray) -> bytes:
    """The array as the bytes of a `.npy` file."""
    return _head(values.dtype.str, values.shape) + np.ascontiguousarray(values).tobytes()


def from_npy(content: bytes, dtype: np.dtype[Any], shape: tuple[int, ...]) -> np.ndarray:
    """The array of a `.npy` file, of this type and of a shape that broadcasts to this one. Raises Damaged."""
    expected, size = _expected(dtype, shape)
    if len(content) == size and content.startswith(expected):
        return np.frombuffer(content, dtype, offset=len(expected)).reshape(shape)
    try:
        found: np.ndarray = np.load(io.BytesIO(content), allow_pickle=False)
        if found.dtype != dtype:
            raise ValueError
        return np.broadcast_to(found, shape)
    except Exception:
        raise Damaged(f"no array of {dtype} of shape {shape}") from None


@lru_cache(64)
def _expected(dtype: np.dtype[Any], shape: tuple[int, ...]) -> tuple[bytes, int]:
    """The header of such an array, and the bytes of its file."""
    head = _head(dtype.str, shape)
    return head, len(head) + dtype.itemsize * math.prod(shape)


@lru_cache(64)
def _head(dtype: str, shape: tuple[int, ...]) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": dtype, "fortran_order": False, "shape": shape})
    return buffer.getvalue()


def _why(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "gone"
    if isinstance(error, GanvasError):
        return str(error)
    text = error.strerror if isinstance(error, OSError) and error.strerror else " ".join(str(error).split())
    return shown(text)[:120] or type(error).__name__
