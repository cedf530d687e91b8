"""Arrays as a source: `.npy` and `.npz` files, arrays in memory, and whatever the built-in sets make.

What their shapes mean is the readers' business. Nothing is ever unpickled. A header is judged by what it heads before
any memory is asked for, and large arrays are never in memory whole.
"""

from __future__ import annotations

import hashlib
import io
import math
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np

from ganvas.data.cache import cache_folder
from ganvas.data.rows import Row, too_few
from ganvas.errors import DataError
from ganvas.files import open_regular
from ganvas.text import counted, listed, shown

_CHUNK = 1024  # rows converted at a time, fewer of large ones
_NUMBERS = 1 << 21  # in them
_MOST_NUMBERS = 1 << 27  # in one item
_ZIP = b"PK\x03\x04"
_HEAD = 1 << 16  # bytes in which a header must lie; NumPy reads none of more than 10,000
_IN_MEMORY, _PIECE = 1 << 27, 1 << 24  # bytes of an array that is unpacked
_LARGE, _DENSE = 1 << 30, 200  # bytes, and how many times fewer they may be packed
_VALUES = frozenset({"image", "images", "x", "data", "sample", "samples", "point", "points", "arr 0"})
_LABELS = frozenset({"label", "labels", "y", "target", "targets", "class", "classes", "arr 1"})
_SPLITS = {"train": "train", "val": "validation", "valid": "validation", "validation": "validation", "test": "test"}


@dataclass(frozen=True)
class Part:
    """Some items of an array source: their values, their labels as text, and the split where the source says it."""

    values: np.ndarray
    labels: Sequence[str] | None = None
    split: str | None = None


@dataclass
class Arrays:
    """A source that is arrays already. `load` is called when nothing is prepared yet.

    axes: how many axes the arrays have, the items' own among them, told without loading them; None where only loading
    tells. where: how errors call the source.
    """

    name: str
    key: Callable[[], object]
    load: Callable[[], list[Part]]
    axes: Callable[[], int | None]
    where: str

    def identity(self) -> object:
        return self.key()

    def close(self) -> None:
        """Nothing is kept open."""

    def parts(self) -> list[Part]:
        """What there is, 2 items or more. Raises DataError."""
        parts = [part for part in self.load() if len(part.values)]
        total = sum(len(part.values) for part in parts)
        if total < 2:
            raise too_few(self.where, total, "item")
        return parts


def rows_of(
    parts: Sequence[Part],
    column: str,
    plain: Callable[[np.ndarray], np.ndarray],
    fitted: Callable[[np.ndarray], np.ndarray] | None = None,
) -> Iterator[Row]:
    """A row for each item, named by its number, behind `train/` and the like where the source brings its own splits.

    plain: brings some items at a time to the type by which they are known, however they were given. fitted: makes of
    one of them what is prepared in the column; by default it is that already.
    """
    for part in parts:
        rows = _rows_at_a_time(part.values)
        for start in range(0, len(part.values), rows):
            for place, item in enumerate(plain(part.values[start : start + rows]), start):
                name = f"{part.split}/{place}" if part.split else str(place)
                values: dict[str, np.ndarray | str] = {column: item if fitted is None else fitted(item)}
                if part.labels is not None:
                    values["label"] = part.labels[place]
                yield Row(name, values, hashlib.sha256(item.tobytes()).digest(), part.split)


def splits_of(parts: Iterable[Part]) -> frozenset[str]:
    """The splits that the source brings itself."""
    return frozenset(part.split for part in parts if part.split is not None)


def value_range(array: np.ndarray, where: str) -> tuple[float, float]:
    """Least and greatest value. Raises DataError, with the number of them, where values are not finite numbers."""
    if array.dtype.kind not in "iufb":
        raise DataError(f"{where}: values are {array.dtype}, not numbers")
    low, high, bad = np.inf, -np.inf, 0
    rows = _rows_at_a_time(array)
    for start in range(0, len(array), rows):
        chunk = array[start : start + rows].astype(np.float64)
        bad += int(np.count_nonzero(~np.isfinite(chunk)))
        if not bad:
            low, high = min(low, float(chunk.min())), max(high, float(chunk.max()))
    if bad:
        raise DataError(f"{where}: {counted(bad, 'value')} not finite (NaN or infinite): remove them first")
    return low, high


def _rows_at_a_time(array: np.ndarray) -> int:
    return min(_CHUNK, max(1, _NUMBERS // max(1, math.prod(array.shape[1:]))))


def from_memory(array: np.ndarray) -> Arrays:
    """An array that the user holds."""
    name = f"the array {array.shape} of {array.dtype}"
    if array.dtype.hasobject:
        raise DataError(f"{name} holds Python objects, not numbers: all images must have one shape")
    digest = hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
    key = ["memory", str(array.dtype), list(array.shape), digest]
    return Arrays("array", lambda: key, lambda: [Part(_checked(array, name))], lambda: array.ndim, name)


def from_file(path: Path) -> Arrays:
    """A `.npy` file, or a `.npz` file with `images` (or x, data, ...) and perhaps `labels` (or y, ...).

    Names with a split in them (`x_train`, `test_images`) are that split.
    """
    status = path.stat()
    key = ["array file", str(path.resolve()), status.st_size, status.st_mtime_ns, status.st_ctime_ns]
    return Arrays(path.stem, lambda: key, lambda: _load(path), lambda: _axes(path), shown(str(path)))


def _load(path: Path) -> list[Part]:
    where = shown(str(path))
    try:
        with open_regular(path) as file:
            beginning = file.read(4)
            file.seek(0)
            if beginning == _ZIP:
                with zipfile.ZipFile(file) as archive:
                    return _parts(archive, where)
            if beginning != b"\x93NUM":
                raise DataError(f"{where} is no array file: NumPy's save, savez or savez_compressed writes them")
            stated = _stated(file, os.fstat(file.fileno()).st_size, where)
            return [Part(_mapped(file, stated, stated.start))]
    except DataError:
        raise
    except Exception as error:  # whatever a damaged header or archive makes of it
        why = error.strerror if isinstance(error, OSError) and error.strerror else " ".join(str(error).split())[:80]
        raise DataError(f"{where} cannot be read as an array file: {why or type(error).__name__}") from error


def _axes(path: Path) -> int | None:
    """The number of axes, from the headers alone; None where they cannot be read, which loading explains."""
    try:
        with open_regular(path) as file:
            if not zipfile.is_zipfile(file):
                file.seek(0)
                return len(_header(file).shape)
            with zipfile.ZipFile(file) as archive:
                values, _ = _roles(info.filename.removesuffix(".npy") for info in _arrays_in(archive))
                with archive.open(f"{next(iter(values.values()))}.npy") as member:
                    return len(_header(member).shape)
    except Exception:  # whatever damaged files make of it
        return None


def _arrays_in(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    return [info for info in archive.infolist() if info.filename.endswith(".npy")]


@dataclass(frozen=True)
class _Stated:
    """What a header says. start: where the values begin."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    order: Literal["C", "F"]
    start: int

    @property
    def bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


def _header(file: IO[bytes]) -> _Stated:
    """Raises ValueError, or whatever NumPy makes of hostile ones."""
    head = io.BytesIO(file.read(_HEAD))  # so that one that claims to be long is not read
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    version = np.lib.format.read_magic(head)
    if version not in readers:
        raise ValueError(f"version {version} of its format holds no plain numbers")
    shape, fortran, dtype = readers[version](head)
    return _Stated(shape, dtype, "F" if fortran else "C", head.tell())


def _stated(file: IO[bytes], size: int, where: str, kinds: str = "iufb") -> _Stated:
    """The header of a file of so many bytes, before anything of the size that it claims is asked for. kinds: of types
    that can be meant. Raises DataError."""
    stated = _header(file)
    if stated.dtype.hasobject:  # unpickling runs whatever code the file holds
        raise DataError(f"{where} holds pickled Python objects, which are never loaded: save numbers")
    if stated.dtype.kind not in kinds or not stated.dtype.itemsize:
        raise DataError(f"{where}: values are {shown(str(stated.dtype))[:80]}, not numbers")
    if any(type(side) is not int or side < 0 for side in stated.shape):
        raise DataError(f"{where}: there are no arrays of shape {shown(str(stated.shape))[:80]}")
    _check_shape(stated.shape, where)
    if math.prod(stated.shape[1:]) > _MOST_NUMBERS:
        raise DataError(f"{where}: an array of shape {stated.shape} has items of more than {_MOST_NUMBERS:,} numbers")
    if stated.bytes > size - stated.start:
        raise DataError(
            f"{where} cannot be read as an array file: its header tells of {stated.bytes:,} bytes, and there are "
            f"{max(0, size - stated.start):,}"
        )
    return stated


def _mapped(file: IO[bytes], stated: _Stated, start: int) -> np.ndarray:
    if not stated.bytes:
        return np.empty(stated.shape, stated.dtype)
    return np.memmap(file, stated.dtype, "r", start, stated.shape, stated.order)


def _unpacked(archive: zipfile.ZipFile, info: zipfile.ZipInfo, where: str, kinds: str = "iufb") -> np.ndarray:
    """An array of an `.npz` file: a small one in memory, a large one piece by piece in a file without a name, which the
    system removes when nobody uses it any more."""
    if info.file_size > _LARGE and info.file_size > _DENSE * info.compress_size:
        raise DataError(
            f"{where} would unpack to {info.file_size:,} bytes from {info.compress_size:,}, as files do that are made "
            f"to do harm: if it is meant, unpack it and give {shown(info.filename)}"
        )
    with archive.open(info) as member:
        stated = _stated(member, info.file_size, where, kinds)
    with archive.open(info) as member:
        member.read(stated.start)
        if stated.bytes <= _IN_MEMORY:
            values = np.frombuffer(_exactly(member, stated.bytes), stated.dtype)
            return values.reshape(stated.shape, order=stated.order)
        cache_folder().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=cache_folder()) as file:
            for start in range(0, stated.bytes, _PIECE):
                file.write(_exactly(member, min(_PIECE, stated.bytes - start)))
            file.flush()
            return _mapped(file, stated, 0)


def _exactly(file: IO[bytes], count: int) -> bytes:
    content = file.read(count)
    if len(content) < count:
        raise ValueError("it is cut short")
    return content


def _roles(names: Iterable[str]) -> tuple[dict[str | None, str], dict[str | None, str]]:
    """Which arrays of an `.npz` file hold the values, and which the labels, by split."""
    values: dict[str | None, str] = {}
    labels: dict[str | None, str] = {}
    names = list(names)
    for name in names:
        words = name.lower().replace("-", "_").split("_")
        split = next((_SPLITS[word] for word in words if word in _SPLITS), None)
        role = " ".join(word for word in words if word not in _SPLITS)
        if role in _VALUES:
            values[split] = name
        elif role in _LABELS:
            labels[split] = name
    if not values and len(names) == 1:
        values = {None: names[0]}
    if len(values) > 1:
        values.pop(None, None)
    return values, labels


def _parts(archive: zipfile.ZipFile, where: str) -> list[Part]:
    arrays = {info.filename.removesuffix(".npy"): info for info in _arrays_in(archive)}
    values, labels = _roles(arrays)
    if not values:
        raise DataError(
            f"{where} has no array named images, x or data; it has {listed(map(shown, arrays), 8) or 'none'}"
        )
    if "train" not in values and None not in values:
        raise DataError(f"{where} has no training images; it has {listed(map(shown, arrays), 8)}")
    parts = []
    for split, name in values.items():
        array = _unpacked(archive, arrays[name], where)
        names = None
        if split in labels:
            names = _label_names(_unpacked(archive, arrays[labels[split]], where, "iufbUS"), len(array), where)
        parts.append(Part(array, names, split))
    return parts


def _label_names(labels: np.ndarray, count: int, where: str) -> list[str]:
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.shape != (count,):
        raise DataError(
            f"{where}: labels have the shape {labels.shape}, but there are {counted(count, 'item')}: one each"
        )
    if labels.dtype.kind == "f" and np.isfinite(labels).all() and (labels == np.rint(labels)).all():
        labels = labels.astype(np.int64)
    if labels.dtype.kind not in "iubUS":
        raise DataError(f"{where}: labels are {labels.dtype}, but must be whole numbers or text")
    if labels.dtype.kind == "S":
        labels = np.char.decode(labels, "utf-8", "replace")
    return [str(label) for label in labels]


def _checked(array: np.ndarray, where: str) -> np.ndarray:
    _check_shape(array.shape, where)
    return array


def _check_shape(shape: tuple[int, ...], where: str) -> None:
    if not shape or 0 in shape[1:]:
        raise DataError(f"{where}: an array of shape {shape} is {'empty' if shape else 'a single number'}")
