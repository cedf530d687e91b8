"""Arrays as a source: `.npy` and `.npz` files, arrays in memory, and whatever the built-in sets make.

What their shapes mean is the readers' business. Nothing is ever unpickled.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from ganvas.data.rows import Row, too_few
from ganvas.errors import DataError
from ganvas.text import counted, listed, shown

_CHUNK = 1024  # rows converted at a time
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
        for start in range(0, len(part.values), _CHUNK):
            for place, item in enumerate(plain(part.values[start : start + _CHUNK]), start):
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
    for start in range(0, len(array), _CHUNK):
        chunk = array[start : start + _CHUNK].astype(np.float64)
        bad += int(np.count_nonzero(~np.isfinite(chunk)))
        if not bad:
            low, high = min(low, float(chunk.min())), max(high, float(chunk.max()))
    if bad:
        raise DataError(f"{where}: {counted(bad, 'value')} not finite (NaN or infinite): remove them first")
    return low, high


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
        with path.open("rb") as file:
            beginning = file.read(4)
            file.seek(0)
            # allow_pickle stays off because unpickling runs whatever code the file holds.
            if beginning == b"PK\x03\x04":
                with np.load(file, allow_pickle=False) as arrays:
                    return _parts(arrays, where)
            if beginning != b"\x93NUM":
                raise DataError(f"{where} is no array file: NumPy's save, savez or savez_compressed writes them")
        return [Part(_checked(np.load(path, mmap_mode="r", allow_pickle=False), where))]
    except DataError:
        raise
    except Exception as error:  # whatever NumPy makes of a damaged header
        if "pickle" in str(error).lower() or "object" in str(error).lower():
            raise DataError(f"{where} holds pickled Python objects, which are never loaded: save numbers") from error
        why = error.strerror if isinstance(error, OSError) and error.strerror else " ".join(str(error).split())[:80]
        raise DataError(f"{where} cannot be read as an array file: {why or type(error).__name__}") from error


def _axes(path: Path) -> int | None:
    """The number of axes, from the headers alone; None where they cannot be read, which loading explains."""
    try:
        with path.open("rb") as file:
            if not zipfile.is_zipfile(file):
                file.seek(0)
                return _axes_of(file)
            with zipfile.ZipFile(file) as archive:
                values, _ = _roles(name.removesuffix(".npy") for name in archive.namelist())
                with archive.open(f"{next(iter(values.values()))}.npy") as member:
                    return _axes_of(member)
    except Exception:  # whatever damaged files make of it
        return None


def _axes_of(file: IO[bytes]) -> int:
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    shape, _, _ = readers[np.lib.format.read_magic(file)](file)
    return len(shape)


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


def _parts(arrays: Mapping[str, np.ndarray], where: str) -> list[Part]:
    values, labels = _roles(arrays)
    if not values:
        raise DataError(
            f"{where} has no array named images, x or data; it has {listed(map(shown, arrays), 8) or 'none'}"
        )
    if "train" not in values and None not in values:
        raise DataError(f"{where} has no training images; it has {listed(map(shown, arrays), 8)}")
    parts = []
    for split, name in values.items():
        array = _checked(arrays[name], where)
        names = _label_names(arrays[labels[split]], len(array), where) if split in labels else None
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
    if not array.ndim or 0 in array.shape[1:]:
        raise DataError(f"{where}: an array of shape {array.shape} is {'empty' if array.ndim else 'a single number'}")
    return array
