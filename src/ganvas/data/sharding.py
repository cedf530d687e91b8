"""Writes a source as shards: tar files as WebDataset reads them, with `shards.json` and `labels.npy` beside them.

    train-000000.tar   000000000.image.npy  000000000.label.txt  000000001.image.npy ...
    shards.json        what the columns are, and each shard's samples, bytes and SHA-256

Items are written as they are read, and none is kept: a source may be larger than the memory, and no disk but that of
the shards is needed. To mix them, items go to one of 16 shards that are filled side by side, by a hash of their names.
Pictures of more than 64 x 64 pixels are written as PNG, everything else as it is prepared.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tarfile
import tempfile
from array import array
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image

from ganvas.data.columns import Labels, arrays_of, column_to_config
from ganvas.data.manifest import nothing_left
from ganvas.data.readers import Reader
from ganvas.data.rows import SPLITS, Row, RowStream, Source, split_of
from ganvas.data.shard_files import npy
from ganvas.data.shards import CONTENTS, FORMAT, LABELS, Shards
from ganvas.errors import DataError, UsageError
from ganvas.files import flush_folder
from ganvas.progress_bar import steps
from ganvas.spaces import ImageSpace, Space
from ganvas.text import counted, listed, natural, quoted, shown

SIDE_BY_SIDE = 16
"""Shards of the training split that are filled at a time."""

SMALLEST, LARGEST = 10**5, 10**12
_PLAIN = 64 * 64  # pixels of a picture up to which it is not encoded
_UNITS = {"kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12, "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}


def size_of(text: str) -> int:
    """The bytes that a text such as 1GB or 256MB says. Raises UsageError for what no shard can have."""
    plain = text.strip().lower().replace(" ", "")
    unit = next((unit for unit in sorted(_UNITS, key=len, reverse=True) if plain.endswith(unit)), "")
    try:
        size = int(float(plain.removesuffix(unit)) * _UNITS.get(unit, 1))
    except (ValueError, OverflowError):
        size = 0
    if not SMALLEST <= size <= LARGEST:
        raise UsageError(f"--shard takes a size such as 1GB or 256MB, from 100KB to 1TB, not {quoted(text)}")
    return size


def write_shards(reader: Reader, source: Source, size: int, out: Path, progress: bool) -> Path:
    """The items of a source as shards of about `size` bytes in the folder `out`, which is there whole or not at all.

    Raises UsageError where the folder is there, and for kinds whose items have no fixed shape; DataError where the
    source or the disk fails.
    """
    plain = (Reader.write, Reader.items, Reader.columns)
    own = type(reader)
    if isinstance(source, Shards):
        raise UsageError(f"{shown(str(source.folder))} holds shards already")
    if (own.write, own.items, own.columns) != plain:
        raise UsageError(f"what {own.__name__} reads has no fixed shape and cannot be written as shards")
    if out.exists() or out.is_symlink():
        raise UsageError(f"{shown(str(out))} is there already: name a new folder for the shards")
    stream = reader.read(source)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".tmp", dir=out.parent))
    except OSError as error:
        raise DataError(f"shards cannot be written to {shown(str(out))}: {error.strerror or error}") from error
    try:
        _fill(folder, reader, source, stream, size, progress)
        folder.chmod(0o755)
        flush_folder(folder)
        os.rename(folder, out)
        flush_folder(out.parent)
    except OSError as error:
        raise DataError(f"shards cannot be written to {shown(str(out))}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return out


def _fill(folder: Path, reader: Reader, source: Source, stream: RowStream, size: int, progress: bool) -> None:
    if stream.further is not dict:
        raise UsageError(f"what {type(reader).__name__} reads cannot be written as shards")
    writer = _Writer(folder, size)
    damaged: dict[str, str] = {}
    rows = steps(stream.rows, stream.total, f"writing {source.name}", progress, line=False)
    try:
        for number, row in enumerate(rows):
            if row.values is None:
                damaged[row.name] = row.reason
                continue
            split = row.split or SPLITS[0]
            if split == SPLITS[0] and (drawn := split_of(row.name)) not in stream.splits:
                split = drawn
            writer.add(number, row, split, stream.columns)
        shards = writer.finish()
    finally:
        writer.drop()
    counts = Counter[str]()
    for shard in shards:
        counts[shard.split] += shard.count
    if counts.total() < 2:
        raise nothing_left(source.name, counts.total(), damaged)
    if not counts[SPLITS[0]]:
        raise DataError(f"{shown(source.name)} has no item to train on: it is too small for shards")
    columns, label_counts = dict(stream.columns), dict[str, dict[str, int]]()
    notes = stream.notes()
    for name in [name for name, column in columns.items() if isinstance(column, Labels)]:
        made = _numbers([shard.labels for shard in shards], writer.texts) if name == "label" else None
        if made is None:
            del columns[name]
            continue
        numbers, names, label_counts[name] = made
        columns[name] = Labels(names)
        with open(folder / LABELS, "wb") as file:
            np.lib.format.write_array(file, numbers, allow_pickle=False)
            _flush(file)
    if damaged:
        told = listed(f"{shown(name)} ({reason})" for name, reason in sorted(damaged.items()))
        notes.insert(0, f"{counted(len(damaged), 'damaged item')} left out: {told}")
    contents = {
        "format": FORMAT,
        "reader": type(reader).__name__,
        "options": reader.options(),
        "columns": {name: column_to_config(column) for name, column in columns.items()},
        "label_counts": label_counts,
        "notes": notes,
        "damaged": dict(list(damaged.items())[:1000]),
        "shards": [
            {"name": s.name, "split": s.split, "count": s.count, "bytes": s.bytes, "sha256": s.sha256} for s in shards
        ],
    }
    with open(folder / CONTENTS, "wb") as file:
        file.write(json.dumps(contents, indent=1).encode())
        _flush(file)


def _numbers(
    labels: list[array[int]], texts: Mapping[str, int]
) -> tuple[np.ndarray, tuple[str, ...], dict[str, int]] | None:
    """Class numbers of all samples, the names in natural order and how many there are of each; None where a sample has
    no label, or all have the same one."""
    names = sorted(texts, key=natural)
    new = np.zeros(len(texts) + 1, np.int64)
    for place, name in enumerate(names):
        new[texts[name]] = place
    found = np.concatenate([np.frombuffer(each, np.int64) for each in labels])
    if len(names) < 2 or (found < 0).any():
        return None
    numbers = new[found]
    counts = np.bincount(numbers, minlength=len(names))
    return numbers, tuple(names), {name: int(count) for name, count in zip(names, counts, strict=True)}


@dataclass
class _Shard:
    """A shard that is filled, and what is known of it then."""

    name: str
    split: str
    file: _Hashing
    archive: tarfile.TarFile
    count: int = 0
    bytes: int = 0
    sha256: str = ""
    labels: array[int] = field(default_factory=lambda: array("q"))


class _Writer:
    """Several shards of each split, filled side by side. texts: of labels, numbered as they came."""

    def __init__(self, folder: Path, size: int) -> None:
        self._folder, self._size = folder, size
        self._open: dict[tuple[str, int], _Shard] = {}
        self._full: list[_Shard] = []
        self._made = Counter[str]()
        self.texts: dict[str, int] = {}

    def add(self, number: int, row: Row, split: str, columns: Mapping[str, Any]) -> None:
        assert row.values is not None
        place = hashlib.sha256(row.name.encode("utf-8", "surrogatepass")).digest()[8] % SIDE_BY_SIDE
        lane = (split, place if split == SPLITS[0] else 0)
        if lane not in self._open:
            name = f"{split}-{self._made[split]:06d}.tar"
            self._made[split] += 1
            file = _Hashing(open(self._folder / name, "wb"))  # noqa: SIM115 (`_close`)
            archive = tarfile.open(fileobj=file, mode="w|", format=tarfile.USTAR_FORMAT)  # type: ignore[call-overload]  # noqa: SIM115
            self._open[lane] = _Shard(name, split, file, archive)
        shard = self._open[lane]
        for name, space in arrays_of(columns).items():
            ending, content = _encoded(np.asarray(row.values[name]), space)
            _put(shard.archive, f"{number:09d}.{name}.{ending}", content)
        label = row.values.get("label")
        if isinstance(label, str):
            _put(shard.archive, f"{number:09d}.label.txt", label.encode("utf-8", "replace"))
            shard.labels.append(self.texts.setdefault(label, len(self.texts)))
        else:
            shard.labels.append(-1)
        shard.count += 1
        if shard.file.written >= self._size:
            self._close(self._open.pop(lane))

    def finish(self) -> list[_Shard]:
        """All of them, in the order of splits and names."""
        while self._open:
            self._close(self._open.popitem()[1])
        return sorted(self._full, key=lambda shard: (SPLITS.index(shard.split), shard.name))

    def drop(self) -> None:
        """Lets go of the files of shards that are not full."""
        for shard in self._open.values():
            shard.file.inner.close()

    def _close(self, shard: _Shard) -> None:
        shard.archive.close()
        _flush(shard.file.inner)
        shard.bytes, shard.sha256 = shard.file.written, shard.file.digest.hexdigest()
        shard.file.inner.close()
        self._full.append(shard)


class _Hashing:
    """A file that is written, and the hash of what was."""

    def __init__(self, inner: IO[bytes]) -> None:
        self.inner, self.digest, self.written = inner, hashlib.sha256(), 0

    def write(self, content: bytes) -> int:
        self.digest.update(content)
        self.written += len(content)
        return self.inner.write(content)


def _encoded(values: np.ndarray, space: Space) -> tuple[str, bytes]:
    if isinstance(space, ImageSpace) and space.height * space.width > _PLAIN and values.shape[2] in (1, 3):
        buffer = io.BytesIO()
        pixels = values[..., 0] if values.shape[2] == 1 else values
        Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "png")
        return "png", buffer.getvalue()
    return "npy", npy(values)


def _put(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def _flush(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())
