"""Prepared data on the disk: one folder for each source and way of reading it, complete or not there.

    columns/*.npy   the values, one file a column, in the order in which they were read
    index.npy       int64 (N, 2), sorted by name: row in the columns, split (0 train, 1 validation, 2 test)
    items.json      names and content hashes, in the same order
    manifest.json   everything else, with the size and hash of the files above and of itself

A folder is filled under a temporary name and renamed when it is complete, so whoever finds it finds all of it.
Values are written, not mapped, because a full disk under a map is a crash and not an error.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
import math
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from ganvas.data.order import Order, Shuffled
from ganvas.data.rows import SPLITS
from ganvas.errors import DataError
from ganvas.files import flush_folder
from ganvas.locks import holding
from ganvas.text import shown

FORMAT = 5
"""Counts changes of how data are prepared: of what is read of a source, and of the files here."""
_COLUMNS = "columns"
_CHUNK = 4096  # rows that are broadcast at a time
_STALE = 24 * 3600.0  # seconds after which a temporary folder belongs to nobody any more


def cache_folder() -> Path:
    """`$GANVAS_CACHE`, or the user's cache folder of the operating system."""
    import platformdirs

    return Path(os.environ.get("GANVAS_CACHE") or platformdirs.user_cache_dir("ganvas")).expanduser()


Places = Sequence[int] | np.ndarray
"""Of items in an entry's index."""


@dataclass(frozen=True)
class Entry:
    """A complete prepared set."""

    folder: Path
    manifest: dict[str, Any]
    index: np.ndarray

    @cached_property
    def columns(self) -> dict[str, np.ndarray]:
        """The rows of each column, mapped from the disk and read-only."""
        files = [Path(name) for name in self.manifest["files"] if name.startswith(f"{_COLUMNS}/")]
        return {file.stem: _mapped(self.folder / file) for file in files}

    @cached_property
    def names(self) -> list[str]:
        names: list[str] = json.loads((self.folder / "items.json").read_bytes())["names"]
        return names

    def __len__(self) -> int:
        return len(self.index)

    def places(self, split: str) -> Places:
        """Of the items of a split, in the index."""
        return np.flatnonzero(self.index[:, 1] == SPLITS.index(split))

    def stored_at(self, places: Places) -> np.ndarray:
        """The rows of these items in the columns."""
        rows: np.ndarray = self.index[places, 0]
        return rows

    def at(self, places: Places, indices: np.ndarray) -> np.ndarray:
        """The rows of some of these items, by their numbers among them."""
        return self.stored_at(np.asarray(places)[indices])

    def rows(self, columns: Sequence[str], rows: np.ndarray) -> dict[str, np.ndarray]:
        """These rows of some columns."""
        return {name: self.columns[name][rows] for name in columns}

    def order(self, places: Places, count: int, seed: int, batch_size: int) -> Order:
        """In which training reads a split of so many items, which are at these places."""
        return Shuffled(count, seed)


def open_entry(folder: Path) -> Entry | None:
    """The entry, or None where there is none or it is damaged."""
    try:
        wrapped = json.loads((folder / "manifest.json").read_bytes())
        manifest = wrapped["manifest"]
        if wrapped["sha256"] != _hash_of(manifest) or manifest["format"] != FORMAT:
            return None
        for name, stated in manifest["files"].items():
            status = (folder / name).stat()
            if status.st_size != stated["bytes"]:
                return None
            # Large data is hashed again only where somebody has written to it since.
            untouched = name.startswith(f"{_COLUMNS}/") and status.st_mtime_ns == stated["mtime_ns"]
            if not untouched and _hash_file(folder / name) != stated["sha256"]:
                return None
        index = np.load(folder / "index.npy", allow_pickle=False)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Entry(folder, manifest, index)


class Writer:
    """Fills a folder of the cache. Leave the `with` block without `finish` and nothing remains.

    columns: type and shape of a row, by the column's name.
    Raises DataError where the disk is full or the cache cannot be written to.
    """

    def __init__(self, folder: Path, columns: Mapping[str, tuple[np.dtype[Any], tuple[int, ...]]]) -> None:
        self.folder = folder
        self._files: dict[str, _ColumnFile] = {}
        with self._failing():
            folder.parent.mkdir(parents=True, exist_ok=True)
            _sweep(folder.parent)
            self._temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".tmp", dir=folder.parent))
            try:
                (self._temporary / _COLUMNS).mkdir()
                for name, (dtype, shape) in columns.items():
                    self._files[name] = self._column(name, dtype, shape)
            except BaseException:
                self._drop()
                raise

    def add(self, values: Mapping[str, np.ndarray]) -> None:
        """Appends a row to each column. One of a larger shape makes the column larger: the rows written so far are
        broadcast to it."""
        for name, row in values.items():
            if row.shape != self._files[name].shape:
                self._grow(name, row.shape)
            self.extend(name, row, 1)

    def extend(self, name: str, rows: np.ndarray, count: int) -> None:
        """Appends `count` rows that lie one behind the other to a column."""
        with self._failing():
            self._files[name].write(rows, count)

    def finish(
        self, columns: Mapping[str, np.ndarray], index: np.ndarray, items: dict[str, Any], manifest: dict[str, Any]
    ) -> None:
        """Completes the folder and gives it its name. columns: further ones, which are known at the end only."""
        with self._failing():
            for file in self._files.values():
                file.close()
            for name, values in columns.items():
                self._put_array(f"{_COLUMNS}/{name}.npy", values)
            self._put_array("index.npy", index)
            self._put("items.json", json.dumps(items).encode())
            paths = sorted(path for path in self._temporary.rglob("*") if path.is_file())
            files = {path.relative_to(self._temporary).as_posix(): _stated(path) for path in paths}
            manifest = {"format": FORMAT, **manifest, "files": files}
            wrapped = {"manifest": manifest, "sha256": _hash_of(manifest)}
            self._put("manifest.json", json.dumps(wrapped, indent=1).encode())
            self._temporary.chmod(0o755)
            (self._temporary / _COLUMNS).chmod(0o755)
            _flush_folder(self._temporary / _COLUMNS)
            _flush_folder(self._temporary)
            self._take_place()
            _flush_folder(self.folder.parent)

    def _take_place(self) -> None:
        for _ in range(10):
            try:
                self._temporary.rename(self.folder)
                return
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
            if open_entry(self.folder) is not None:
                return  # somebody else was quicker; theirs is as good
            _discard(self.folder)
        raise DataError(f"the prepared data in {shown(str(self.folder))} is in the way: remove that folder")

    def _grow(self, name: str, shape: tuple[int, ...]) -> None:
        file = self._files[name]
        with self._failing():
            file.close()
            narrow = file.path.rename(file.path.with_suffix(".narrow"))
            self._files[name] = self._column(name, file.dtype, shape)
            self._files[name].copy(narrow)
            narrow.unlink()

    def _column(self, name: str, dtype: np.dtype[Any], shape: tuple[int, ...]) -> _ColumnFile:
        return _ColumnFile(self._temporary / _COLUMNS / f"{name}.npy", dtype, shape)

    def _put_array(self, name: str, values: np.ndarray) -> None:
        buffer = io.BytesIO()
        np.save(buffer, values, allow_pickle=False)
        self._put(name, buffer.getvalue())

    def _put(self, name: str, content: bytes) -> None:
        with open(self._temporary / name, "wb") as file:
            file.write(content)
            _flush(file)

    @contextlib.contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self._failure(error) from error

    def _failure(self, error: OSError) -> DataError:
        where = shown(str(self.folder.parent))
        return DataError(
            f"prepared data cannot be written to {where}: {error.strerror or error}; make room there, or let "
            "GANVAS_CACHE name another folder"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._drop()

    def _drop(self) -> None:
        for file in self._files.values():
            file.drop()
        shutil.rmtree(self._temporary, ignore_errors=True)


class _ColumnFile:
    """A `.npy` file that grows by rows. Raises OSError."""

    def __init__(self, path: Path, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
        self.path, self.dtype, self.shape = path, dtype, shape
        self._count = 0
        self._file = open(path, "wb")  # noqa: SIM115 (closed in close and drop)
        self._file.write(self._header())

    def write(self, rows: np.ndarray, count: int) -> None:
        self._file.write(np.ascontiguousarray(rows, self.dtype).data)
        self._count += count

    def copy(self, other: Path) -> None:
        """Writes the rows of another file, broadcast to the shape of this one's."""
        with open(other, "rb") as file:
            np.lib.format.read_magic(file)
            (count, *narrow), _, _ = np.lib.format.read_array_header_1_0(file)
            size = self.dtype.itemsize * math.prod(narrow)
            for start in range(0, count, _CHUNK):
                length = min(_CHUNK, count - start)
                rows = np.frombuffer(file.read(length * size), self.dtype).reshape(length, *narrow)
                self.write(np.broadcast_to(rows, (length, *self.shape)), length)

    def close(self) -> None:
        self._file.seek(0)
        self._file.write(self._header())
        _flush(self._file)
        self._file.close()

    def drop(self) -> None:
        with contextlib.suppress(OSError):
            self._file.close()  # flushes, which fails again on a full disk

    def _header(self) -> bytes:
        # The header is as long for no rows as for all: NumPy leaves room for the first axis to grow.
        buffer = io.BytesIO()
        described = {
            "descr": np.lib.format.dtype_to_descr(self.dtype),
            "fortran_order": False,
            "shape": (self._count, *self.shape),
        }
        np.lib.format.write_array_header_1_0(buffer, described)
        return buffer.getvalue()


@contextlib.contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Lets one process prepare a folder while the others wait, where the system can; harmless where it cannot."""
    path = folder.with_suffix(".lock")
    with holding(path) as held:
        try:
            yield
        finally:
            if held:  # those that wait for the file that is removed here see that it is gone, and make a new one
                with contextlib.suppress(OSError):
                    path.unlink()


def _mapped(path: Path) -> np.ndarray:
    mapped: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    return mapped.view(np.ndarray)  # indexing a memmap costs more than indexing an array


def _stated(path: Path) -> dict[str, Any]:
    status = path.stat()
    return {"bytes": status.st_size, "mtime_ns": status.st_mtime_ns, "sha256": _hash_file(path)}


def _hash_file(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _hash_of(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _flush(file: Any) -> None:
    file.flush()
    os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    with contextlib.suppress(OSError):  # not every file system can, and what is lost is prepared again
        flush_folder(folder)


def _discard(folder: Path) -> None:
    """Renames before removing, so that nobody meets half a folder."""
    with contextlib.suppress(OSError):
        grave = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".tmp", dir=folder.parent))
        folder.rename(grave / "damaged")
        shutil.rmtree(grave, ignore_errors=True)


def _sweep(cache: Path) -> None:
    """Removes what preparations that were killed have left."""
    for left in cache.glob(".*.tmp"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > _STALE:
                shutil.rmtree(left, ignore_errors=True)
