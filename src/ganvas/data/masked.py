"""Pictures with a hole in them, for inpainting: any pictures will do, since the holes are made here.

Every picture is decoded once and kept at its own size, or smaller where it is large, in one memory-mapped file. What
training reads are pieces: a crop at a random place, mirrored or not, and a random mask of its size (see `masks.py`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from PIL import Image

from ganvas.data.arrays import Arrays
from ganvas.data.batch import Batch
from ganvas.data.cache import Entry, Places, Writer
from ganvas.data.columns import Column
from ganvas.data.decode import Damaged, decode, fit
from ganvas.data.image_files import Files
from ganvas.data.images import ImageReader, write_halves
from ganvas.data.layout import layout
from ganvas.data.manifest import contents, nothing_left
from ganvas.data.masks import random_mask
from ganvas.data.readers import Items, Reader
from ganvas.data.rows import Row, RowStream, Source
from ganvas.errors import DataError
from ganvas.options import Range, Size2D
from ganvas.progress_bar import steps
from ganvas.spaces import ImageSpace, MaskSpace, Space
from ganvas.text import sized

if TYPE_CHECKING:
    from torch import Tensor

USUAL = 64
"""Pixels a side of a piece."""

LARGE = 384
"""Pixels of the shorter side beyond which a picture is shrunk to it: pieces of a large photo show too little."""

_LEAST = 4
_KIND = "masked 1"  # part of fingerprints


@dataclass(frozen=True, kw_only=True)
class MaskedReader(Reader):
    """Pictures at their own sizes, read in pieces. Its items are pieces: of each picture as many as fit side by side.

    size: (height, width) of the pieces; by default 64 pixels a side, or fewer where more than one picture in ten is
    smaller.
    """

    wants = ImageReader.wants

    size: Annotated[Size2D | None, Range(8, 4096), "of the pieces that are read (default: 64, or the pictures')"] = None
    channels: Annotated[Literal[1, 3], "1 for gray, 3 for colour"] = 3

    @classmethod
    def example(cls, folder: Path) -> tuple[str | Path, dict[str, Any]]:
        """40 pictures of 16 x 16 pixels, light above or light on the left: what is around a hole says what is in it."""
        return write_halves(folder / "tiny.npz", (16, 16)), {"channels": 1}

    @classmethod
    def reads(cls, source: Source) -> bool:
        return ImageReader.reads(source)

    def identity(self, source: Source) -> Any:
        return [source.identity(), self.channels]

    def read(self, source: Source) -> RowStream:
        """Rows of pictures, each of its own size."""
        if isinstance(source, Arrays):
            return ImageReader(channels=self.channels).read(source)
        assert isinstance(source, Files)
        names = source.names()
        found = layout(names)

        def rows() -> Iterator[Row]:
            for name, content in source.contents(names):
                try:
                    pixels = self._pixels(content)
                except Damaged as error:
                    yield Row(name, None, split=found.splits.get(name), reason=str(error))
                    continue
                assert isinstance(content, bytes)
                yield Row(name, {"image": pixels}, hashlib.sha256(content).digest(), found.splits.get(name))

        splits = frozenset(found.splits.values())
        return RowStream({}, len(names), rows(), splits, lambda: [*found.notes, *source.container.notes()])

    def write(self, source: Source, progress: bool) -> Path:
        folder = self.folder(source)
        stream = self.read(source)
        kept: list[Row] = []
        shapes: list[tuple[int, int, int]] = []
        damaged: dict[str, str] = {}
        start = 0
        with Writer(folder, {"pixels": (np.dtype(np.uint8), ())}) as writer:
            for row in steps(stream.rows, stream.total, f"preparing {source.name}", progress, line=False):
                if row.values is None:
                    damaged[row.name] = row.reason
                    continue
                pixels = row.values["image"]
                assert isinstance(pixels, np.ndarray)
                writer.extend("pixels", pixels, pixels.size)
                kept.append(Row(row.name, {}, row.digest, row.split))
                shapes.append((start, *pixels.shape[:2]))
                start += pixels.size
            if len(kept) < 2:
                raise nothing_left(source.name, len(kept), damaged)
            space = ImageSpace(self.channels, _LEAST, _LEAST)
            made = contents(
                kept, damaged, RowStream({"image": space}, stream.total, iter(()), stream.splits, stream.notes)
            )
            fingerprint = [made.manifest["fingerprint"], _KIND]
            made.manifest["fingerprint"] = hashlib.sha256(json.dumps(fingerprint).encode()).hexdigest()
            writer.finish({"picture": np.array(shapes, dtype=np.int64)}, made.index, made.items, made.manifest)
        return folder

    def columns(self, entry: Entry) -> dict[str, Column]:
        """Raises DataError where no picture is as large as a piece."""
        size = self._size(entry)
        if not _large_enough(entry, size).any():
            count = len(entry.index)
            raise DataError(f"no picture of {count:,} is as large as a piece of {sized(size)}: give a smaller --size")
        space = ImageSpace(self.channels, *size)
        return {"image": space, "source": space, "mask": MaskSpace(1, *size)}

    def items(self, entry: Entry, places: Places) -> Items:
        return Holes(entry, places, tuple(self.columns(entry)), self._size(entry), self.channels)

    def notes(self, entry: Entry) -> list[str]:
        size = self._size(entry)
        small = int((~_large_enough(entry, size)).sum())
        return [f"pictures left out because they are smaller than {sized(size)}: {small}"] if small else []

    def _size(self, entry: Entry) -> tuple[int, int]:
        if self.size is not None:
            return self.size
        shorter = np.sort(entry.columns["picture"][:, 1:].min(1))
        side = min(USUAL, int(shorter[len(shorter) // 10]))
        return side, side

    def _pixels(self, content: bytes | Damaged) -> np.ndarray:
        """(H, W, C) uint8. Raises Damaged."""
        if isinstance(content, Damaged):
            raise content
        image = decode(content).image
        share = min(1.0, LARGE / min(image.size))
        if min(image.size) < _LEAST:
            raise Damaged(f"smaller than {_LEAST} pixels")
        return fit(image, (round(image.height * share), round(image.width * share)), self.channels)


@dataclass(frozen=True)
class Masked(Batch):
    """image: (B, C, H, W) float32 in [-1, 1], what is to be made; source: the same pictures; mask: (B, 1, H, W), +1
    where something is to be made of them, -1 where they stay. What lies under the mask in `source` is not for a
    generator to see."""

    reader: ClassVar = MaskedReader
    answers: ClassVar[bool] = True

    image: Tensor
    source: Tensor
    mask: Tensor

    def given(self) -> dict[str, Tensor]:
        return {"source": self.source, "mask": self.mask}

    def shown(self, columns: Mapping[str, Space]) -> dict[str, list[Image.Image] | list[str]]:
        """The pictures with their masks laid over them, and as they are."""
        pictures, masks = columns["image"].pictures(self.image), columns["mask"]
        assert isinstance(masks, MaskSpace)
        over = [masks.over(*pair) for pair in zip(pictures, self.mask.split(1), strict=True)]
        return {"mask": over, "image": pictures}


@dataclass(frozen=True)
class Holes(Items):
    """The pieces of one split's pictures, and their masks. size: (height, width) of a piece."""

    size: tuple[int, int]
    channels: int

    def __len__(self) -> int:
        return len(self._picture_of)

    @property
    def names(self) -> Sequence[str]:
        """The picture of each piece."""
        return [self.entry.names[self.places[picture]] for picture in self._picture_of]

    def rows(self, indices: np.ndarray, seeds: Sequence[tuple[int, int]] | None) -> dict[str, np.ndarray]:
        """Each piece at its place in its picture's grid, with the mask of its number; or, with `seeds`, at a random
        place, mirrored or not, with a random mask, as a function of its seed alone."""
        pairs = [self._piece(int(index), None if seeds is None else seeds[at]) for at, index in enumerate(indices)]
        image, mask = (np.stack([pair[place] for pair in pairs]) for place in range(2))
        return {"image": image, "source": image, "mask": mask}

    def _piece(self, index: int, seed: tuple[int, int] | None) -> tuple[np.ndarray, np.ndarray]:
        start, *sides = (int(each) for each in self._pictures[self._picture_of[index]])
        pixels = self.entry.columns["pixels"][start : start + sides[0] * sides[1] * self.channels]
        picture = pixels.reshape(*sides, self.channels)
        height, width = self.size
        if seed is None:
            row, column = divmod(int(self._number[index]), sides[1] // width)
            top, left, mirrored = row * height, column * width, 0
        else:
            bits = np.random.SeedSequence(seed).generate_state(3, np.uint64)
            ends = (sides[0] - height + 1, sides[1] - width + 1, 2)
            top, left, mirrored = (int(number % np.uint64(end)) for number, end in zip(bits, ends, strict=True))
        piece = picture[top : top + height, left : left + width]
        mask = random_mask((index,) if seed is None else seed, height, width)
        return piece[:, ::-1] if mirrored else piece, mask[:, :, None] * np.uint8(255)

    @cached_property
    def _pictures(self) -> np.ndarray:
        """(N, 3) of the split's pictures: where their pixels begin, height, width."""
        rows: np.ndarray = self.entry.columns["picture"][self.stored_at]
        return rows

    @cached_property
    def _counts(self) -> np.ndarray:
        """Pieces of each picture; none of one that is smaller than a piece."""
        counts: np.ndarray = (self._pictures[:, 1:] // np.array(self.size)).prod(1)
        return counts

    @cached_property
    def _picture_of(self) -> np.ndarray:
        """Of each piece, the number of its picture within the split."""
        return np.repeat(np.arange(len(self.places)), self._counts)

    @cached_property
    def _number(self) -> np.ndarray:
        """Of each piece within its picture."""
        return np.concatenate([np.arange(count) for count in self._counts] or [np.zeros(0, np.int64)])


def _large_enough(entry: Entry, size: tuple[int, int]) -> np.ndarray:
    """(N,) bool: of each picture, whether it holds a piece of this size."""
    large: np.ndarray = np.all(entry.columns["picture"][:, 1:] >= np.array(size), axis=1)
    return large
