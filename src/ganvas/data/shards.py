"""Shards as a source: a folder of files of samples, of which nothing is prepared and only what is needed is read.

train-000000.tar ...  shards.json  labels.npy     as `ganvas data SOURCE --shard 1GB --out FOLDER` writes them
train/000000.tar  val/000000.tar                  WebDataset's: samples of one picture each, labels in `.cls` or `.json`
train-00000-of-00008.parquet                      Parquet with a column of pictures, as Hugging Face keeps data sets
data-00000-of-00004.arrow  state.json             what `datasets.save_to_disk` writes

A split is whole shards. `ShardedEntry` stands where other data have prepared columns: it knows how many samples each
shard has and what their labels are, and opens a shard when a sample of it is asked for. A shard that is gone, cut short
or altered is named and passed over: for each of its samples comes one of the next shard of its split, always the same;
for a damaged sample the next one. So neither the length of an epoch nor the order of what is left depends on it.
"""

from __future__ import annotations

import hashlib
import json
import os
from bisect import bisect_right
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from pathlib import Path, PurePosixPath
from typing import Any, overload

import numpy as np

from ganvas.data.cache import Entry, Places
from ganvas.data.columns import Labels, arrays_of, column_from_config
from ganvas.data.containers import IMAGES
from ganvas.data.decode import Damaged, decoding, fit, reason
from ganvas.data.layout import SPLIT_FOLDERS
from ganvas.data.order import LANES, Order, Sharded, Shuffled
from ganvas.data.rows import SPLITS
from ganvas.data.shard_files import ENDINGS, PARQUET, TAR, WINDOW, Lost, Shard, from_npy, open_shard
from ganvas.errors import DataError, RunError, UsageError, installed
from ganvas.files import open_regular, read_json
from ganvas.options import flag_of
from ganvas.progress_bar import say
from ganvas.schema import Misfit, check, record, several, table, text, whole
from ganvas.spaces import ImageSpace, Space
from ganvas.text import counted, listed, natural, shown
from ganvas.threads import core_count

CONTENTS, LABELS = "shards.json", "labels.npy"
FORMAT = 1
_OPEN = 2 * LANES
_MOST_JSON = 1 << 26
_SAID = 5  # damaged samples that are named
_SCHEMA = record(
    {
        "format": whole(),
        "reader": text(),
        "options": table(),
        "columns": table(),
        "label_counts": table(table(whole())),
        "notes": several(text(1 << 16), 1000),
        "damaged": table(text()),
        "shards": several(
            record({"name": text(255), "split": text(20), "count": whole(1), "bytes": whole(1), "sha256": text(64)})
        ),
    }
)


@dataclass(frozen=True)
class ShardFile:
    """name: below the folder. sha256: "" where nobody has written it down."""

    path: Path
    name: str
    split: str | None
    count: int = 0
    bytes: int = 0
    sha256: str = ""


@dataclass
class Shards:
    """A source: a folder of shards. own: what `shards.json` says, None where Ganvas has not written them."""

    folder: Path
    name: str
    files: list[ShardFile]
    own: dict[str, Any] | None = None

    def identity(self) -> object:
        return ["shards", *([file.name, *_stamp(file.path)] for file in self.files)]

    def close(self) -> None:
        """Shards are opened by whoever reads items of them."""

    def as_written(self, options: Mapping[str, Any]) -> ShardedEntry:
        """Those that Ganvas has written, whose items are what they are. Raises DataError for damaged files, UsageError
        for options that they were not written with."""
        assert self.own is not None
        where, own = shown(str(self.folder)), self.own
        for name, value in options.items():
            if json.loads(json.dumps(value)) != own["options"].get(name) and not _says(own, name, value):
                stated = own["options"].get(name)
                with_ = f"with {flag_of(name)} {stated}" if stated is not None else f"without {flag_of(name)}"
                raise UsageError(f"the shards in {where} were written {with_}: leave it out, or write them anew")
        try:
            columns = {name: column_from_config(config) for name, config in own["columns"].items()}
        except (RunError, KeyError, TypeError, ValueError):
            raise DataError(f"{where}/{CONTENTS} is damaged: its columns are none") from None
        if not arrays_of(columns):
            raise DataError(f"{where}/{CONTENTS} is damaged: its samples hold nothing")
        named = columns.get("label")
        labels = None
        if isinstance(named, Labels):
            labels = stored_labels(self.folder / LABELS, sum(file.count for file in self.files), len(named.names))
        told = json.dumps([own["columns"], [[f.name, f.count, f.sha256] for f in self.files]], sort_keys=True)
        manifest = {
            **{name: own[name] for name in ("columns", "label_counts", "notes", "damaged")},
            "fingerprint": hashlib.sha256(told.encode()).hexdigest(),
        }
        return ShardedEntry.of(self.folder, self.files, manifest, labels, {})


def _says(own: Mapping[str, Any], name: str, value: Any) -> bool:
    """Whether the columns themselves have what is asked for, such as their size."""
    try:
        first = next(iter(arrays_of({k: column_from_config(c) for k, c in own["columns"].items()}).values()))
    except (RunError, StopIteration, KeyError, TypeError, ValueError):
        return False
    return bool(first.options().get(name) == value)


@dataclass(frozen=True)
class ShardedEntry(Entry):
    """Samples of shards, by numbers that count those of all shards one behind the other: train, validation, test.

    files: in this order. labels: class numbers of all, mapped. fields: of columns that are not named as Ganvas names
    them, the name of the field.
    """

    files: Sequence[ShardFile] = ()
    labels: np.ndarray | None = None
    fields: Mapping[str, str] = field(default_factory=dict)

    @staticmethod
    def of(
        folder: Path,
        files: Sequence[ShardFile],
        manifest: Mapping[str, Any],
        labels: np.ndarray | None,
        fields: Mapping[str, str],
    ) -> ShardedEntry:
        counts = Counter[str]()
        for file in files:
            counts[file.split or SPLITS[0]] += file.count
        if counts.total() < 2 or not counts[SPLITS[0]]:
            raise DataError(f"{shown(str(folder))} holds {counted(counts[SPLITS[0]], 'sample')} to train on")
        told = {**manifest, "counts": {split: counts[split] for split in SPLITS}}
        return ShardedEntry(folder, told, np.empty((0, 2), np.int64), files, labels, fields)

    def __len__(self) -> int:
        return sum(file.count for file in self.files)

    @cached_property
    def columns(self) -> dict[str, np.ndarray]:
        """The labels alone: arrays are read a few samples at a time, by `rows`."""
        return {} if self.labels is None else {"label": self.labels}

    @cached_property
    def names(self) -> Sequence[str]:  # type: ignore[override]
        return _Names(self.files)

    def places(self, split: str) -> Sequence[int]:
        start = 0
        for each in SPLITS:
            stop = start + sum(file.count for file in self.files if (file.split or SPLITS[0]) == each)
            if each == split:
                return range(start, stop)
            start = stop
        raise ValueError(split)

    def stored_at(self, places: Places) -> np.ndarray:
        return np.asarray(places, np.int64)

    def at(self, places: Places, indices: np.ndarray) -> np.ndarray:
        return places.start + indices if isinstance(places, range) else np.asarray(places)[indices]

    def rows(self, columns: Sequence[str], rows: np.ndarray) -> dict[str, np.ndarray]:
        return self._reading.rows(columns, rows)

    def order(self, places: Places, count: int, seed: int, batch_size: int) -> Order:
        if not isinstance(places, range):
            return Shuffled(count, seed)
        ends = np.cumsum([file.count for file in self.files])
        first, last = np.searchsorted(ends, [places.start, places.stop - 1], "right")
        own = self.files[first : last + 1]
        windows = [self._reading.window(int(number)) for number in range(first, last + 1)]
        return Sharded([file.count for file in own], windows, seed, batch_size)

    @cached_property
    def _reading(self) -> _Reading:
        return _Reading(self)


class _Names(Sequence[str]):
    """`shard/number` of each sample, made when they are asked for."""

    def __init__(self, files: Sequence[ShardFile]) -> None:
        self._files, self._ends = files, np.cumsum([file.count for file in files])

    def __len__(self) -> int:
        return int(self._ends[-1])

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> list[str]: ...
    def __getitem__(self, at: int | slice) -> str | list[str]:
        if isinstance(at, slice):
            return [self[number] for number in range(*at.indices(len(self)))]
        shard = int(np.searchsorted(self._ends, at, "right"))
        return f"{self._files[shard].name}/{at - int(self._ends[shard]) + self._files[shard].count}"


class _Reading:
    """Reads samples of an entry's shards, and knows which ones cannot be."""

    def __init__(self, entry: ShardedEntry) -> None:
        self._files, self._fields, self._labels = entry.files, entry.fields, entry.labels
        self._columns = {name: column_from_config(config) for name, config in entry.manifest["columns"].items()}
        self._ends = list(accumulate(file.count for file in self._files))
        self._open: OrderedDict[int, tuple[Shard, dict[str, list[tuple[int, bool]]]]] = OrderedDict()
        self._checked: set[int] = set()
        self._lost: dict[int, str] = {}
        self._damaged: dict[int, set[int]] = {}
        self._pool: ThreadPoolExecutor | None = None
        large = any(isinstance(c, ImageSpace) and c.height * c.width > 64 * 64 for c in self._columns.values())
        self._threads = core_count() if large else 1

    def rows(self, columns: Sequence[str], numbers: np.ndarray) -> dict[str, np.ndarray]:
        spaces = {name: space for name, space in arrays_of(self._columns).items() if name in columns}
        made = {name: np.empty((len(numbers), *shape), dtype) for name, (dtype, shape) in _stored(spaces).items()}
        found = np.empty(len(numbers), np.int64)
        read: Callable[[int], tuple[int, list[np.ndarray]]] = lambda number: self._sample(number, spaces)  # noqa: E731
        for place, (number, values) in enumerate(self._side_by_side(read, numbers.tolist())):
            found[place] = number
            for rows, value in zip(made.values(), values, strict=True):
                rows[place] = value
        while len(self._open) > _OPEN:
            self._open.popitem(last=False)
        if "label" in columns and self._labels is not None:
            made["label"] = np.asarray(self._labels[found])
        return made

    def window(self, shard: int) -> int:
        """How many samples of a shard are read together; of tar files it is known without opening them."""
        if self._files[shard].path.suffix.lower() == TAR or shard in self._lost:
            return WINDOW
        try:
            return self._opened(shard)[0].window
        except Lost as error:
            self._lose(shard, str(error))
            return WINDOW

    def _side_by_side(
        self, read: Callable[[int], tuple[int, list[np.ndarray]]], numbers: Sequence[int]
    ) -> Iterator[tuple[int, list[np.ndarray]]]:
        if self._threads == 1 or len(numbers) == 1:
            return map(read, numbers)
        if self._pool is None:
            self._pool = ThreadPoolExecutor(min(8, self._threads), "shards")
        return self._pool.map(read, numbers)

    def _sample(self, number: int, spaces: Mapping[str, Space]) -> tuple[int, list[np.ndarray]]:
        """The sample with this number, or the one that stands for it, and its number."""
        while True:
            shard = bisect_right(self._ends, number)
            first = self._ends[shard] - self._files[shard].count
            if shard in self._lost:
                number = self._elsewhere(shard, number - first)
                continue
            try:
                opened, fields = self._opened(shard)
                return number, [_value(opened, number - first, fields[name], spaces[name]) for name in spaces]
            except Lost as error:
                self._lose(shard, str(error))
            except Damaged as error:
                self._pass_over(shard, number - first, str(error))
                number = first + (number - first + 1) % self._files[shard].count

    def _opened(self, shard: int) -> tuple[Shard, dict[str, list[tuple[int, bool]]]]:
        """An open shard, and of each column its fields and whether these are `.npy` files. Raises Lost."""
        if shard in self._open:
            self._open.move_to_end(shard)
            return self._open[shard]
        file = self._files[shard]
        if file.sha256 and shard not in self._checked:
            _check(file)
            self._checked.add(shard)
        opened = open_shard(file.path)
        if opened.count != file.count:
            raise Lost(f"it has {opened.count:,} samples, and had {file.count:,}")
        fields = {name: fields_of(opened, name, self._fields.get(name)) for name in arrays_of(self._columns)}
        self._open[shard] = opened, fields
        return opened, fields

    def _elsewhere(self, shard: int, place: int) -> int:
        """The number of the sample that stands for one of a shard that is lost."""
        split = self._files[shard].split
        alike = [number for number, file in enumerate(self._files) if file.split == split]
        behind = alike[alike.index(shard) + 1 :] + alike[: alike.index(shard)]
        for other in behind:
            if other not in self._lost:
                count = self._files[other].count
                return self._ends[other] - count + place % count
        raise DataError(
            f"no shard of {split or SPLITS[0]} can be read any more: {shown(self._files[shard].name)} is "
            f"{self._lost[shard]}"
        )

    def _lose(self, shard: int, why: str) -> None:
        if shard not in self._lost:
            self._lost[shard] = why
            self._open.pop(shard, None)
            say(f"note: the shard {shown(self._files[shard].name)} is passed over: {why}", True)

    def _pass_over(self, shard: int, place: int, why: str) -> None:
        damaged = self._damaged.setdefault(shard, set())
        if place in damaged:
            return
        damaged.add(place)
        name = shown(self._files[shard].name)
        if len(damaged) <= _SAID:
            say(f"note: sample {place:,} of the shard {name} is passed over: {why}", True)
        if 2 * len(damaged) > self._files[shard].count:
            self._lose(shard, f"most of its samples are damaged ({why})")


def _stored(spaces: Mapping[str, Space]) -> dict[str, tuple[np.dtype[Any], tuple[int, ...]]]:
    return {name: space.stored() for name, space in spaces.items()}


def _value(shard: Shard, place: int, fields: Sequence[tuple[int, bool]], space: Space) -> np.ndarray:
    """A sample's row of a column. Raises Damaged, Lost."""
    content, plain = None, False
    for number, plain in fields:  # noqa: B007
        content = shard.read(place, number)
        if content is not None:
            break
    if content is None:
        raise Damaged("nothing that is read here")
    if not isinstance(content, bytes):
        raise Damaged(f"{type(content).__name__} where bytes are expected")
    if plain:
        return from_npy(content, *space.stored())
    assert isinstance(space, ImageSpace)
    try:
        with decoding(content, max(space.height, space.width)) as picture:
            return fit(picture.image, (space.height, space.width), space.channels)
    except Damaged:
        raise
    except Exception as error:
        raise Damaged(reason(error)) from error


def fields_of(shard: Shard, column: str, named: str | None) -> list[tuple[int, bool]]:
    """The fields in which a column may be, and whether each is a `.npy` file. Raises Lost where there is none."""
    found = []
    for number, name in enumerate(shard.fields):
        ending = PurePosixPath(f"x.{name}").suffix
        if name == f"{column}.npy":
            found.append((number, True))
        elif name == named or (column == "image" and named is None and ending in IMAGES):
            found.append((number, False))
    if not found:
        raise Lost(f"no {named or column} among its fields ({listed(map(shown, shard.fields), 6)})")
    return found


def stored_labels(path: Path, count: int, classes: int) -> np.ndarray:
    """The class numbers of all samples. Raises DataError."""
    try:
        with open_regular(path):
            labels: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:
        raise DataError(f"{shown(str(path))} cannot be read: {shown(reason(error))}") from error
    if labels.dtype != np.int64 or labels.shape != (count,) or labels.min() < 0 or labels.max() >= classes:
        raise DataError(f"{shown(str(path))} does not hold the {count:,} labels of its shards")
    return labels


def find_shards(path: Path) -> Shards | None:
    """The folder as shards, None where it holds others. Raises DataError where `shards.json` is damaged."""
    name = path.resolve().name or "data"
    if (path / CONTENTS).is_file():
        own = _own(path)
        files = [
            ShardFile(path / each["name"], each["name"], each["split"], each["count"], each["bytes"], each["sha256"])
            for each in own["shards"]
        ]
        return Shards(path, name, sorted(files, key=lambda file: SPLITS.index(file.split or SPLITS[0])), own)
    found = [each for pattern in ("*", "*/*") for each in path.glob(pattern) if each.suffix.lower() in ENDINGS]
    kept = sorted((each for each in found if each.is_file()), key=lambda each: natural(str(each.relative_to(path))))
    endings = Counter(each.suffix.lower() for each in kept)
    if not endings or (endings.get(PARQUET) and not _has_pictures(kept)):
        return None
    if any(each.suffix.lower() in IMAGES for pattern in ("*", "*/*") for each in path.glob(pattern)):
        return None
    return Shards(
        path, name, [ShardFile(each, each.relative_to(path).as_posix(), split_told(each, path)) for each in kept]
    )


def _own(path: Path) -> dict[str, Any]:
    where = f"{shown(str(path))}/{CONTENTS}"
    try:
        own = read_json(path / CONTENTS, _MOST_JSON, inside=path)
        check(_SCHEMA, own)
    except (OSError, ValueError, Misfit) as error:
        raise DataError(f"{where} cannot be read: {reason(error)}") from error
    if own["format"] != FORMAT:
        raise DataError(f"{where} has format {own['format']}; this Ganvas reads {FORMAT}")
    for each in own["shards"]:
        if Path(each["name"]).name != each["name"] or each["split"] not in SPLITS or each["name"].startswith("."):
            raise DataError(f"{where} is damaged: {shown(each['name'])} is no shard beside it")
    checked: dict[str, Any] = own
    return checked


def split_told(path: Path, folder: Path) -> str | None:
    """The split that a shard's name or folder says."""
    parts = path.relative_to(folder).parts
    words = [*parts[:-1], parts[-1].replace("_", "-").partition("-")[0].partition(".")[0]]
    return next((SPLIT_FOLDERS[word.lower()] for word in words if word.lower() in SPLIT_FOLDERS), None)


def _has_pictures(files: Sequence[Path]) -> bool:
    """Whether the first Parquet file has a column of pictures, as Hugging Face writes it: bytes beside a path."""
    if not installed("pyarrow"):
        return False
    first = next(each for each in files if each.suffix.lower() == PARQUET)
    try:
        import pyarrow.parquet

        schema = pyarrow.parquet.read_schema(first)
        return any("bytes" in str(schema.field(name).type) for name in schema.names)
    except Exception:  # whatever hostile bytes make of it
        return False


def _check(file: ShardFile) -> None:
    """Raises Lost where the file is not what was written."""
    try:
        with open_regular(file.path) as opened:
            if os.fstat(opened.fileno()).st_size != file.bytes:
                raise Lost("cut short, or longer than it was")
            if hashlib.file_digest(opened, "sha256").hexdigest() != file.sha256:  # type: ignore[arg-type]
                raise Lost("altered: its checksum is not that of shards.json")
    except OSError as error:
        raise Lost("gone" if isinstance(error, FileNotFoundError) else str(error.strerror)) from error


def _stamp(path: Path) -> tuple[int, ...]:
    try:
        status = path.stat()
    except OSError:
        return (-1,)
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns
