"""`open_data`: any source becomes `Data`, decoded once into a memory-mapped file and found there ever after."""

from __future__ import annotations

import contextlib
import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from ganvas.data.batches import Batch, Images, Points
from ganvas.data.builtin import known_as
from ganvas.data.cache import FORMAT, Entry, Writer, cache_folder, only_one, open_entry
from ganvas.data.decode import quiet
from ganvas.data.manifest import contents, nothing_left
from ganvas.data.rows import (
    SPLITS,
    Coloured,
    Origin,
    Row,
    Wish,
    check_wish,
    listed,
    shown,
)
from ganvas.data.sources import find
from ganvas.errors import DataError, TrainingError, UsageError, near_miss
from ganvas.files import write_json
from ganvas.spaces import ImageSpace, PointSpace, Space, space_from_config, space_to_config

_T = TypeVar("_T")


def open_data(
    source: str | Path | np.ndarray,
    *,
    size: tuple[int, int] | None = None,
    channels: int | None = None,
    data_root: str | Path | None = None,
    scale: int | None = None,
    low: str | Path | None = None,
    progress: bool = True,
) -> Data:
    """The data of a built-in name, a folder, an archive, an array file or an array, ready to train on.

    size: (height, width) of the images; the data decides where it is None, as `choose_size` says. channels: 1 or 3,
    by default 1 where no image has a colour. data_root: where torchvision's sets lie. progress: a bar on a terminal.
    scale: 2, 3 or 4 keeps photos at their own sizes and gives pieces of them, of `size`, with the same pieces in low
    resolution; low: where low-resolution versions lie, instead of shrinking. See `photos.open_photos`.

    Raises DataError for a source that is missing, unreadable, hostile or holds fewer than 2 items; UsageError for a
    size or channels that cannot be.
    """
    if scale is not None:
        from ganvas.data.photos import open_photos  # which derives its data from ours

        if isinstance(source, np.ndarray):
            raise DataError("an array holds no photos: give a folder or an archive of image files")
        return open_photos(source, scale=scale, low=low, size=size, channels=channels, progress=progress)
    if low is not None:
        raise UsageError("low-resolution versions are for recipes that enlarge images, such as srgan")
    wish = Wish(None if size is None else (int(size[0]), int(size[1])), channels)
    check_wish(wish)
    origin = find(source, data_root)
    try:
        with quiet():
            entry = _prepared(origin, wish, progress)
    finally:
        origin.close()
    text = origin.name if isinstance(source, np.ndarray) else str(source)
    if isinstance(source, Path) and known_as(text) is not None:
        text = f"./{text}"  # a path is never a built-in name, and must not become one when it is read again
    root = None if data_root is None else str(Path(data_root).expanduser().absolute())
    return Data(text, origin.name, entry, root)


class Data:
    """A prepared source.

    source: as the user gave it. name: short, for titles. space: what the items are. labels: names of the classes in
    natural order, () where there are none. fingerprint: hash of the names and contents of all items and of how they
    were prepared; it does not depend on where the source lies. notes: sentences for the plan. counts: items by split.
    """

    def __init__(self, source: str, name: str, entry: Entry, data_root: str | None = None) -> None:
        manifest = entry.manifest
        self.source = source
        self.name = name
        self.space: Space = space_from_config(manifest["space"])
        self.labels: tuple[str, ...] = tuple(manifest["labels"])
        self.label_counts: dict[str, int] = manifest["label_counts"]
        self.fingerprint: str = manifest["fingerprint"]
        self.notes: tuple[str, ...] = tuple(manifest["notes"])
        self.counts: dict[str, int] = manifest["counts"]
        self.damaged: dict[str, str] = manifest["damaged"]
        self.batch_type: type[Batch] = Images if isinstance(self.space, ImageSpace) else Points
        self._entry = entry
        self._data_root = data_root

    def split(self, name: str) -> Split:
        """The items of `train`, `validation` or `test`. Raises UsageError for another name."""
        if name not in SPLITS:
            raise UsageError(f"there is no split {name!r}{near_miss(name, SPLITS)}")
        return Split(self, self._entry, np.flatnonzero(self._entry.index[:, 1] == SPLITS.index(name)))

    def given(self, n: int, device: torch.device | str = "cpu") -> dict[str, torch.Tensor]:
        """What `n` samples for show are conditioned on, as `Recipe.draw` takes it: nothing where samples need nothing
        but noise and a label."""
        return {}

    def facts(self) -> dict[str, Any]:
        """What recipes may ask of the data by name."""
        return self.space.facts() | {"classes": len(self.labels)}

    def options(self) -> dict[str, Any]:
        """Arguments, fit for JSON, with which `open_data(data.source, **options)` gives the same data again."""
        options: dict[str, Any] = {}
        if isinstance(self.space, ImageSpace):
            options = {"size": [self.space.height, self.space.width], "channels": self.space.channels}
        return options if self._data_root is None else options | {"data_root": self._data_root}

    def to_json(self) -> dict[str, Any]:
        """What `describe` tells, for scripts."""
        return {
            "source": self.source,
            "name": self.name,
            "space": space_to_config(self.space),
            "counts": self.counts,
            "labels": self.label_counts,
            "notes": list(self.notes),
            "damaged": self.damaged,
            "fingerprint": self.fingerprint,
            "options": self.options(),
        }

    def __len__(self) -> int:
        return len(self._entry.index)

    def __str__(self) -> str:
        return "\n".join(describe(self))


@dataclass(frozen=True)
class Split:
    """The items of one split, in the natural order of their names."""

    data: Data
    entry: Entry
    places: np.ndarray  # in the entry's index

    def __len__(self) -> int:
        return len(self.places)

    def gather(
        self, indices: np.ndarray, device: torch.device | str = "cpu", seeds: Sequence[tuple[int, int]] | None = None
    ) -> Batch:
        """The items with these numbers within the split, repeats allowed, as a batch on the device.

        seeds: of what is random about each item where data is varied as it is read; here nothing is.
        Images are (B, C, H, W) float32 in [-1, 1] with channels-last strides. They travel as bytes and become floats
        where they arrive.
        """
        values = self.entry.values[self._rows[indices]]
        label = None if self.labels is None else torch.from_numpy(self.labels[indices]).to(device, non_blocking=True)
        if isinstance(self.data.space, PointSpace):
            return Points(torch.from_numpy(values).to(device, non_blocking=True), label)
        if torch.device(device).type == "cpu":
            # On one thread, because torch's threads wait for one another where others use the cores too.
            floats = values.astype(np.float32)
            floats *= 2 / 255
            floats -= 1
            return Images(torch.from_numpy(floats).permute(0, 3, 1, 2), label)
        there = torch.from_numpy(values).to(device, non_blocking=True)
        return Images(there.permute(0, 3, 1, 2).to(torch.float32).mul_(2 / 255).sub_(1.0), label)

    @cached_property
    def labels(self) -> np.ndarray | None:
        """int64 class numbers, or None where the data has no labels."""
        return self.entry.index[self.places, 2] if self.data.labels else None

    @cached_property
    def names(self) -> Sequence[str]:
        """Names of the items: paths below the source, or numbers in an array."""
        return [self.entry.names[place] for place in self.places]

    @cached_property
    def _rows(self) -> np.ndarray:
        rows: np.ndarray = self.entry.index[self.places, 0]
        return rows


def describe(data: Data) -> list[str]:
    """The lines that the plan prints."""
    counts = ", ".join(f"{name} {count:,}" for name, count in data.counts.items())
    lines = [f"data: {shown(data.source)}, {data.space}", f"items: {counts}"]
    if data.labels:
        named = listed((f"{shown(name)} {count:,}" for name, count in data.label_counts.items()), 12)
        lines.append(f"labels: {len(data.labels)} ({named})")
    return lines + [f"note: {note}" for note in data.notes]


def _prepared(origin: Origin, wish: Wish, progress: bool) -> Entry:
    cache = cache_folder() / "data"
    folder = _folder(cache, origin, wish)
    entry = open_entry(folder) or _through_alias(cache, folder, origin)
    if entry is not None:
        return entry
    with only_one(folder):
        entry = open_entry(folder) or _through_alias(cache, folder, origin)
        if entry is not None:
            return entry
        try:
            return _prepare(cache, origin, wish, progress)
        except Coloured:
            return _prepare(cache, origin, Wish(wish.size, 3), progress)


def _folder(cache: Path, origin: Origin, wish: Wish) -> Path:
    identity = [FORMAT, origin.identity(), wish.size, wish.channels]
    return cache / hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:32]


def _through_alias(cache: Path, folder: Path, origin: Origin) -> Entry | None:
    """What was decided for a wish that left something open is kept beside the entry, which has the decided wish."""
    try:
        decided = json.loads(folder.with_suffix(".json").read_text())
        return open_entry(_folder(cache, origin, Wish(tuple(decided["size"]), decided["channels"])))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _prepare(cache: Path, origin: Origin, wish: Wish, progress: bool) -> Entry:
    reading = origin.read(wish)
    decided = wish
    if isinstance(reading.space, ImageSpace):
        decided = Wish((reading.space.height, reading.space.width), reading.space.channels)
    folder = _folder(cache, origin, decided)
    dtype = np.dtype(np.uint8 if isinstance(reading.space, ImageSpace) else np.float32)
    shape = _row_shape(reading.space)
    with Writer(folder, shape, dtype) as writer:
        kept: list[Row] = []
        damaged: dict[str, str] = {}
        for row in bar(reading.rows, reading.total, f"preparing {origin.name}", progress):
            if row.values is None:
                damaged[row.name] = row.reason
                continue
            writer.add(row.values)
            kept.append(Row(row.name, None, row.digest, row.label, row.split))
        if len(kept) < 2:
            raise nothing_left(origin.name, len(kept), damaged)
        writer.finish(*contents(kept, damaged, reading, origin))
    entry = open_entry(folder)
    if entry is None:
        raise DataError(f"prepared data cannot be read back from {shown(str(folder))}: is the disk sound?")
    if decided != wish:
        with contextlib.suppress(TrainingError):  # without it, the next time prepares again
            alias = _folder(cache, origin, wish).with_suffix(".json")
            write_json(alias, {"size": decided.size, "channels": decided.channels})
    return entry


def _row_shape(space: Space) -> tuple[int, ...]:
    return (space.height, space.width, space.channels) if isinstance(space, ImageSpace) else space.shape


def bar(rows: Iterator[_T], total: int, title: str, wanted: bool) -> Iterator[_T]:
    """The rows, with a progress bar on stderr where somebody looks on."""
    if not wanted or not sys.stderr.isatty():
        yield from rows
        return
    from rich.console import Console
    from rich.progress import track

    yield from track(rows, title, total=total, console=Console(stderr=True), transient=True)
