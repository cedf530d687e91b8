"""`open_data`: any source becomes `Data`, decoded once into a memory-mapped file and found there ever after."""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path

import numpy as np

from ganvas.data.builtin import known_as
from ganvas.data.cache import FORMAT, Entry, Writer, cache_folder, only_one, open_entry
from ganvas.data.dataset import Data
from ganvas.data.decode import quiet
from ganvas.data.manifest import contents, nothing_left
from ganvas.data.photos import open_photos
from ganvas.data.rows import Coloured, Origin, Row, Wish, check_wish
from ganvas.data.sources import find
from ganvas.errors import DataError, TrainingError, UsageError
from ganvas.files import write_json
from ganvas.progress_bar import steps
from ganvas.spaces import ImageSpace, Space
from ganvas.text import shown


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
        for row in steps(reading.rows, reading.total, f"preparing {origin.name}", progress, line=False):
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
