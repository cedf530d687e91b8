"""Image files, from a folder or an archive, as rows: what size, how many channels, which label, which split."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import PurePosixPath

import numpy as np
from PIL import Image

from ganvas.data.containers import Container, Opener
from ganvas.data.decode import MAX_BYTES, Damaged, Header, Picture, decode, fit, header, reason
from ganvas.data.rows import Coloured, Reading, Row, Wish, choose_size, resizing_notes, too_few
from ganvas.errors import DataError, UsageError
from ganvas.spaces import ImageSpace
from ganvas.text import counted, shown

_SPLIT_FOLDERS = {
    "train": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}
_LOOKED_AT = 2000  # headers read to decide on a size
_WORTH_A_THREAD = 16 * 1024  # bytes of a file
_NO_IMAGE = Image.new("L", (1, 1))  # lets go of the large one while a row waits
_GRAY_LOOKED_AT = 64  # images decoded to see whether colour images hold any colour


class ImageFiles:
    """The images of a container."""

    def __init__(self, container: Container, name: str) -> None:
        self.container = container
        self.name = name
        self._notes: list[str] = []
        self._sizes: Counter[tuple[int, int]] = Counter()
        self._transparent = self._animated = 0
        self._space = ImageSpace(1, 1, 1)

    def identity(self) -> object:
        return self.container.identity()

    def close(self) -> None:
        self.container.close()

    def read(self, wish: Wish) -> Reading:
        if wish.channels == 4:
            raise UsageError("image files give 1 or 3 channels: transparency is composited on white")
        names = self._names()
        labels, splits, self._notes = places(names)
        self._sizes.clear()
        self._transparent = self._animated = 0
        if wish.size is None or wish.channels is None:
            wish = self._infer(names, wish)
        assert wish.size is not None and wish.channels is not None
        self._space = ImageSpace(wish.channels, *wish.size)
        return Reading(self._space, len(names), self._rows(names, labels, splits), frozenset(splits.values()))

    def photos(self) -> tuple[list[str], dict[str, str]]:
        """The names, and the split of each where folders tell it, for a reader that keeps images as they are."""
        names = self._names()
        return names, places(names)[1]

    def contents(self, names: Iterable[str]) -> Iterator[tuple[str, bytes | Damaged]]:
        """The files as they are, in the order that is quick for the container."""
        for name, opener in self.container.files(set(names)):
            try:
                yield name, _content(opener)
            except Exception as error:  # whatever an archive's reader makes of hostile bytes
                yield name, Damaged(reason(error))

    def notes(self) -> list[str]:
        notes = [*self._notes, *resizing_notes(self._sizes, self._space)]
        if self._transparent:
            notes.append(f"transparency composited on white ({counted(self._transparent, 'image')})")
        if self._animated:
            notes.append(f"only the first frame taken of {counted(self._animated, 'image')} with several")
        return notes + self.container.notes()

    def _infer(self, names: list[str], wish: Wish) -> Wish:
        """Size and channels from the headers of up to 2,000 images, spread evenly over the names."""
        step = max(1, len(names) // _LOOKED_AT)
        headers: dict[str, Header] = {}
        first_fault = ""
        for name, opener in self.container.files(set(names[::step])):
            try:
                with opener() as file:
                    headers[name] = header(file)
            except Exception as error:  # as in `contents`
                first_fault = first_fault or f"{shown(name)}: {reason(error)}"
        if not headers:
            raise DataError(f"no image in {shown(str(self.container.path))} can be read ({first_fault})")
        size = wish.size or choose_size([found.size for found in headers.values()])
        channels = wish.channels or (1 if self._gray(headers) else 3)
        return Wish(size, channels)

    def _gray(self, headers: dict[str, Header]) -> bool:
        """False once a colour is seen. A few colour images are decoded; `_rows` looks at all."""
        colour = sorted(name for name, found in headers.items() if not found.mode.startswith(("1", "L", "I", "F")))
        looked_at = set(colour[:: max(1, len(colour) // _GRAY_LOOKED_AT)])
        for _, content in self.contents(looked_at):
            with contextlib.suppress(Damaged):
                if isinstance(content, bytes) and not decode(content).gray:
                    return False
        return True

    def _rows(self, names: list[str], labels: dict[str, str], splits: dict[str, str]) -> Iterator[Row]:
        size, channels = (self._space.height, self._space.width), self._space.channels
        for name, prepare in _side_by_side(self.contents(names), partial(_prepare, size=size, channels=channels)):
            label, split = labels.get(name), splits.get(name)
            try:
                prepared = prepare()
            except Damaged as error:
                yield Row(name, None, label=label, split=split, reason=str(error))
                continue
            self._count(prepared.picture)
            yield Row(name, prepared.pixels, prepared.digest, label, split)

    def _names(self) -> list[str]:
        names = self.container.names()
        if not names:
            ignored = "".join(f" ({note})" for note in self.container.notes())
            raise DataError(
                f"{shown(str(self.container.path))} holds no images{ignored}: give a folder or archive of them"
            )
        if len(names) < 2:
            raise too_few(str(self.container.path), len(names), "image")
        return names

    def _count(self, picture: Picture) -> None:
        self._sizes[picture.size] += 1
        self._transparent += picture.transparent
        self._animated += picture.animated


def places(names: list[str]) -> tuple[dict[str, str], dict[str, str], list[str]]:
    """What the folders mean: (label by name, split by name, notes).

    Folders that all images share say nothing. Then top folders that are all among train, val, valid, validation and
    test (train being one of them) are splits; the next folders are the labels, unless some images lie beside them.
    """
    folders = _below_shared({name: PurePosixPath(name).parts[:-1] for name in names})
    tops = {parts[0].lower() if parts else "" for parts in folders.values()}
    splits: dict[str, str] = {}
    if "train" in tops and tops <= _SPLIT_FOLDERS.keys():
        splits = {name: _SPLIT_FOLDERS[parts[0].lower()] for name, parts in folders.items()}
        folders = {name: parts[1:] for name, parts in folders.items()}
    kinds = {parts[0] if parts else "" for parts in folders.values()}
    if len(kinds) < 2:
        return {}, splits, []
    if "" in kinds:
        beside = sum(not parts for parts in folders.values())
        return (
            {},
            splits,
            [f"no labels: {counted(beside, 'image')} beside the folders {'has' if beside == 1 else 'have'} none"],
        )
    return {name: parts[0] for name, parts in folders.items()}, splits, []


def _below_shared(folders: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    first = next(iter(folders.values()))
    shared = 0
    while shared < len(first) and all(parts[: shared + 1] == first[: shared + 1] for parts in folders.values()):
        shared += 1
    return {name: parts[shared:] for name, parts in folders.items()}


@dataclass(frozen=True)
class _Prepared:
    picture: Picture
    pixels: np.ndarray
    digest: bytes


def _prepare(content: bytes | Damaged, size: tuple[int, int], channels: int) -> _Prepared:
    """Raises Damaged, or Coloured where gray was expected."""
    if isinstance(content, Damaged):
        raise content
    picture = decode(content, max(size))
    if channels == 1 and not picture.gray:
        raise Coloured
    pixels = fit(picture.image, size, channels)
    return _Prepared(replace(picture, image=_NO_IMAGE), pixels, hashlib.sha256(content).digest())


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
