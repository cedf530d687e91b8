"""Image files, from a folder or an archive, as rows: what size, how many channels, which label, which split."""

from __future__ import annotations

import hashlib
import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from PIL import Image

from ganvas.data.columns import Column, Labels
from ganvas.data.containers import Container, Opener
from ganvas.data.dataset_json import described
from ganvas.data.decode import MAX_BYTES, Damaged, Picture, decoding, fit, header, reason
from ganvas.data.halves import HALVES, look_halved, may_be_halves, spread
from ganvas.data.layout import layout
from ganvas.data.rows import Row, RowStream, too_few
from ganvas.errors import DataError
from ganvas.spaces import ImageSpace
from ganvas.text import counted, shown, sized

_LOOKED_AT = 2000  # headers read to decide on a size
_WORTH_A_THREAD = 16 * 1024  # bytes of a file
_NO_IMAGE = Image.new("L", (1, 1))  # lets go of the large one while a row waits


@dataclass(frozen=True)
class Files:
    """A source: the files of a folder or an archive, images unless its container is reading others."""

    container: Container
    name: str

    def identity(self) -> object:
        return self.container.identity()

    def close(self) -> None:
        self.container.close()

    def names(self) -> list[str]:
        """Of the images, 2 or more. Raises DataError."""
        names = self.container.names()
        if not names:
            ignored = "".join(f" ({note})" for note in self.container.notes())
            raise DataError(
                f"{shown(str(self.container.path))} holds no images{ignored}: give a folder or archive of them"
            )
        if len(names) < 2:
            raise too_few(str(self.container.path), len(names), "image")
        return names

    def contents(self, names: Iterable[str]) -> Iterator[tuple[str, bytes | Damaged]]:
        """The files as they are, in the order that is quick for the container."""
        for name, opener in self.container.files(set(names)):
            try:
                yield name, _content(opener)
            except Exception as error:  # whatever an archive's reader makes of hostile bytes
                yield name, Damaged(reason(error))

    def suggested_size(self, names: list[str]) -> tuple[int, int]:
        """What `choose_size` makes of them."""
        return choose_size(self.sizes(names))

    def sizes(self, names: list[str]) -> list[tuple[int, int]]:
        """(height, width) by the headers of up to 2,000 images, spread evenly over the names. Raises DataError where
        none can be read."""
        sizes: list[tuple[int, int]] = []
        first_fault = ""
        for name, opener in self.container.files(set(names[:: max(1, len(names) // _LOOKED_AT)])):
            try:
                with opener() as file:
                    sizes.append(header(file).size)
            except Exception as error:  # as in `contents`
                first_fault = first_fault or f"{shown(name)}: {reason(error)}"
        if not sizes:
            raise DataError(f"no image in {shown(str(self.container.path))} can be read ({first_fault})")
        return sizes


class FileRows:
    """The images of files as rows with the columns `image` and `label`.

    size: (height, width), by default what the files suggest. channels: 1 or 3; by default 3 from the first image that
    has a colour on, and 1 before, so that a column of gray images grows where a colour turns up.
    """

    def __init__(self, files: Files, size: tuple[int, int] | None, channels: int | None) -> None:
        names = files.names()
        self._files, self._channels = files, channels
        found = layout(names)
        labels, told = described(files.contents(files.container.beside()), names, files.name)
        self._labels, about_labels = (found.kinds, found.kind_notes) if labels is None else (labels, [])
        self._splits, self._placing = found.splits, [*found.notes, *told, *about_labels]
        self._size = size or files.suggested_size(names)
        self._sizes: Counter[tuple[int, int]] = Counter()
        self._transparent = self._animated = 0
        columns: dict[str, Column] = {"image": ImageSpace(channels or 1, *self._size), "label": Labels()}
        self.stream = RowStream(columns, len(names), self._rows(names), frozenset(found.splits.values()), self._notes)

    def _rows(self, names: list[str]) -> Iterator[Row]:
        for name, prepare in _side_by_side(self._files.contents(names), self._prepare):
            split = self._splits.get(name)
            try:
                prepared = prepare()
            except Damaged as error:
                yield Row(name, None, split=split, reason=str(error))
                continue
            self._count(prepared.picture)
            values: dict[str, np.ndarray | str] = {"image": self._widened(prepared.pixels)}
            if name in self._labels:
                values["label"] = self._labels[name]
            yield Row(name, values, prepared.digest, split)

    def _prepare(self, content: bytes | Damaged) -> _Prepared:
        """Raises Damaged. Called from several threads."""
        if isinstance(content, Damaged):
            raise content
        with decoding(content, max(self._size)) as picture:
            pixels = fit(picture.image, self._size, self._channels or (1 if picture.gray else 3))
            return _Prepared(replace(picture, image=_NO_IMAGE), pixels, hashlib.sha256(content).digest())

    def _widened(self, pixels: np.ndarray) -> np.ndarray:
        """With as many channels as the column has. The first image with a colour decides for all."""
        if self._channels is None and pixels.shape[2] == 3:
            self._channels = 3
            self.stream.columns["image"] = ImageSpace(3, *self._size)
        return np.broadcast_to(pixels, (*self._size, self._channels or 1))

    def _count(self, picture: Picture) -> None:
        self._sizes[picture.size] += 1
        self._transparent += picture.transparent
        self._animated += picture.animated

    def _notes(self) -> list[str]:
        notes = [*self._placing, *resizing_notes(self._sizes, self._size)]
        if self._transparent:
            notes.append(f"transparency composited on white ({counted(self._transparent, 'image')})")
        if self._animated:
            notes.append(f"only the first frame taken of {counted(self._animated, 'image')} with several")
        if may_be_halves(self._sizes) and look_halved(self._files.contents(spread(list(self._files.names())))):
            notes.append(f"the pictures look like {HALVES}")
        return notes + self._files.container.notes()


def choose_size(sizes: list[tuple[int, int]]) -> tuple[int, int]:
    """A size (height, width) for images of these sizes that a laptop can train at, keeping a shape that all share.

    Kept as they are: up to 128 on both sides, where nine in ten agree. Otherwise the shorter side is the largest
    power of two that is neither above the median shorter side nor above 64, and the longer one follows the shape
    that all share within 2 per cent, to the nearest multiple of 8; images of different shapes become square.
    """
    values, counts = np.unique(np.array(sizes), axis=0, return_counts=True)
    height, width = (int(side) for side in values[counts.argmax()])
    if counts.max() >= 0.9 * len(sizes) and max(height, width) <= 128:
        return height, width
    shorter = float(np.median([min(size) for size in sizes]))
    side = min(64, 2 ** max(0, int(np.log2(shorter))))
    shapes = np.array([high / wide for high, wide in sizes])
    middle = float(np.median(shapes))
    if (abs(shapes / middle - 1) > 0.02).mean() > 0.1:
        return side, side
    longer = max(1, round(side * max(middle, 1 / middle) / 8)) * 8 if side >= 8 else side
    return (longer, side) if middle > 1 else (side, longer)


def resizing_notes(sizes: dict[tuple[int, int], int], target: tuple[int, int]) -> list[str]:
    """How images of these original sizes (with how many there are of each) came to the one they have now."""
    others = [size for size in sizes if size != target]
    if not others:
        return []
    notes = []
    same_shape = all(high * target[1] == wide * target[0] for high, wide in others)
    how = "resized" if same_shape else "resized and centre-cropped"
    if len(sizes) <= 3:
        known = " and ".join(sized(size) for size in sorted(sizes))
        notes.append(f"images of {known} (height x width) {how} to {sized(target)}")
    else:
        low, high = min(sizes, key=lambda s: s[0] * s[1]), max(sizes, key=lambda s: s[0] * s[1])
        span = f"{sized(low)} to {sized(high)} (height x width)"
        notes.append(f"images of {len(sizes):,} different sizes, {span}, {how} to {sized(target)}")
    enlarged = sum(n for (high, wide), n in sizes.items() if high < target[0] or wide < target[1])
    if enlarged:
        notes.append(f"{counted(enlarged, 'image')} smaller than {sized(target)} enlarged")
    return notes


@dataclass(frozen=True)
class _Prepared:
    picture: Picture
    pixels: np.ndarray
    digest: bytes


def _side_by_side(
    contents: Iterable[tuple[str, bytes | Damaged]], prepare: Callable[[bytes | Damaged], _Prepared]
) -> Iterator[tuple[str, Callable[[], _Prepared]]]:
    """In the order given, with few items in memory at a time. Photographs are decoded on several threads (measured:
    1.4 to 2 times faster on two cores); for small files handing them over costs more than it gains."""
    threads = min(4, os.cpu_count() or 1)
    waiting: deque[tuple[str, Callable[[], _Prepared]]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for name, content in contents:
            large = isinstance(content, bytes) and len(content) >= _WORTH_A_THREAD
            waiting.append((name, pool.submit(prepare, content).result if large else partial(prepare, content)))
            if len(waiting) > 2 * threads:
                yield waiting.popleft()
        yield from waiting


def _content(opener: Opener) -> bytes:
    with opener() as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise Damaged(f"larger than {MAX_BYTES >> 20} MB")
    return content
