"""Photos as pairs of a high and a low resolution, for super-resolution.

Every photo is decoded once and kept at its own size in one memory-mapped file, its low-resolution version behind it:
shrunk as benchmarks are (see `bicubic.py`), or given as the file of the same name in a second folder. What training
reads are pieces: a crop at a random place, one of its eight flips and quarter turns, and the same of the low version.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from PIL import Image

from ganvas.data.batch import Batch
from ganvas.data.bicubic import shrunk
from ganvas.data.cache import Entry, Places, Writer
from ganvas.data.columns import Column
from ganvas.data.decode import Damaged, Picture, decode, fit
from ganvas.data.image_files import Files
from ganvas.data.layout import layout
from ganvas.data.manifest import contents, nothing_left
from ganvas.data.partners import matched
from ganvas.data.readers import Items, Reader, SourceName
from ganvas.data.rows import Row, RowStream, Source
from ganvas.data.sources import find_files
from ganvas.errors import DataError, UsageError
from ganvas.options import Range, Size2D
from ganvas.progress_bar import steps
from ganvas.spaces import ImageSpace
from ganvas.text import shown, sized

if TYPE_CHECKING:
    from torch import Tensor

SCALES = (2, 3, 4)
_LEAST = 4  # pixels a side of a low-resolution version
_USUAL = 48  # of those of a piece
_KIND = "photos 1"  # part of fingerprints


@dataclass(frozen=True, kw_only=True)
class PhotoReader(Reader):
    """Photos at their own sizes, read in pieces. Its items are pieces: of each photo as many as fit side by side.

    size: (height, width) of the pieces, multiples of the scale; by default 48 low-resolution pixels a side, or fewer
    where more than one photo in ten is smaller. low: a folder or an archive with the low-resolution versions, each with
    the name of its photo (see `partners.py`) and 1/scale of its size.
    """

    wants = "a folder or an archive of image files"

    scale: Annotated[Literal[2, 3, 4], "how many times as high and as wide photos are as their low resolution"] = 4
    low: Annotated[SourceName | None, "low-resolution versions of the photos (default: shrunk here)"] = None
    size: Annotated[Size2D | None, Range(8, 4096), "of the pieces that are read (default: 48 times the scale)"] = None
    channels: Annotated[Literal[1, 3], "1 for gray, 3 for colour"] = 3

    def __post_init__(self) -> None:
        if self.size is not None and any(side % self.scale or side < _LEAST * self.scale for side in self.size):
            raise UsageError(
                f"pieces of {sized(self.size)} cannot be: each side must be a multiple of the scale, {self.scale}, and "
                f"{_LEAST} times as much or more"
            )

    @classmethod
    def example(cls, folder: Path) -> tuple[str | Path, dict[str, Any]]:
        """40 photos of 16 x 16 pixels with a sharp edge, which low resolution blurs."""
        return write_edges(folder), {"scale": 2, "size": 16, "channels": 3}

    @classmethod
    def reads(cls, source: Source) -> bool:
        return isinstance(source, Files)

    def identity(self, source: Source) -> Any:
        with self._partners() as partners:
            return [source.identity(), partners and partners.identity(), self.scale, self.channels]

    def has_form(self, source: Source) -> bool:
        """Photos of any sizes have no other form than that they are there."""
        return isinstance(source, Files) and source.container.holds_any()

    def write(self, source: Source, progress: bool) -> Path:
        assert isinstance(source, Files)
        names, folder = source.names(), self.folder(source)
        found = layout(names)
        splits = found.splits
        kept: list[Row] = []
        shapes: list[tuple[int, int, int]] = []
        damaged: dict[str, str] = {}
        start = 0
        with Writer(folder, {"pixels": (np.dtype(np.uint8), ())}) as writer, self._partners() as partners:
            others = None if partners is None else _Partners(partners, names, self.scale)
            read = steps(source.contents(names), len(names), f"preparing {source.name}", progress, line=False)
            for name, content in read:
                try:
                    high, low, digest = self._pair(name, content, others)
                except Damaged as error:
                    damaged[name] = str(error)
                    continue
                for pixels in (high, low):
                    writer.extend("pixels", pixels, pixels.size)
                kept.append(Row(name, {}, digest, splits.get(name)))
                shapes.append((start, high.shape[0], high.shape[1]))
                start += high.size + low.size
            if len(kept) < 2:
                raise nothing_left(source.name, len(kept), damaged)
            space = ImageSpace(self.channels, _LEAST * self.scale, _LEAST * self.scale)
            splits_there = frozenset(splits.values())
            stream = RowStream(
                {"image": space},
                len(names),
                iter(()),
                splits_there,
                lambda: [*found.notes, *source.container.notes()],
            )
            made = contents(kept, damaged, stream)
            fingerprint = [made.manifest["fingerprint"], _KIND, self.scale, others is not None]
            made.manifest["fingerprint"] = hashlib.sha256(json.dumps(fingerprint).encode()).hexdigest()
            where = {"photo": np.array(shapes, dtype=np.int64)}
            writer.finish(where, made.index, made.items, made.manifest)
        return folder

    def columns(self, entry: Entry) -> dict[str, Column]:
        """Raises DataError where no photo is as large as a piece."""
        height, width = self._size(entry)
        if not _large_enough(entry, (height, width)).any():
            count = len(entry.index)
            raise DataError(
                f"no photo of {count:,} is as large as a piece of {sized((height, width))}: give a smaller --size"
            )
        low = ImageSpace(self.channels, height // self.scale, width // self.scale)
        return {"image": ImageSpace(self.channels, height, width), "low": low}

    def items(self, entry: Entry, places: Places) -> Items:
        return Pieces(entry, places, tuple(self.columns(entry)), self._size(entry), self.scale, self.channels)

    def facts(self, columns: dict[str, Column]) -> dict[str, Any]:
        return super().facts(columns) | {"scale": self.scale}

    def notes(self, entry: Entry) -> list[str]:
        size = self._size(entry)
        small = int((~_large_enough(entry, size)).sum())
        return [f"photos left out because they are smaller than {sized(size)}: {small}"] if small else []

    def _size(self, entry: Entry) -> tuple[int, int]:
        if self.size is not None:
            return self.size
        shorter = np.sort(entry.columns["photo"][:, 1:].min(1))
        side = min(_USUAL, int(shorter[len(shorter) // 10]) // self.scale) * self.scale
        return side, side

    @contextmanager
    def _partners(self) -> Iterator[Files | None]:
        """The source of low-resolution versions, where it is given."""
        if self.low is None:
            yield None
            return
        with closing(find_files(self.low, "photos", self.wants)) as found:
            yield found

    def _pair(
        self, name: str, content: bytes | Damaged, others: _Partners | None
    ) -> tuple[np.ndarray, np.ndarray, bytes]:
        """High and low, (H, W, C) and (H / scale, W / scale, C) uint8, and the hash of their files. Raises Damaged."""
        if isinstance(content, Damaged):
            raise content
        digest = hashlib.sha256(content)
        high = _pixels(decode(content), self.channels)
        if others is None:
            high = high[: high.shape[0] // self.scale * self.scale, : high.shape[1] // self.scale * self.scale]
            low = shrunk(high, self.scale) if high.size else high
        else:
            low, bytes_of_low = others.partner(name, high.shape, self.scale, self.channels)
            digest.update(bytes_of_low)
        if min(low.shape[:2]) < _LEAST:
            raise Damaged(f"smaller than {_LEAST * self.scale} pixels")
        return high, low, digest.digest()


@dataclass(frozen=True)
class Photos(Batch):
    """Pieces of photos at two sizes. image: (B, C, H, W) float32 in [-1, 1], channels-last in memory; low: the same
    pieces in low resolution, (B, C, H / scale, W / scale)."""

    reader: ClassVar = PhotoReader
    answers: ClassVar[bool] = True

    image: Tensor
    low: Tensor

    def given(self) -> dict[str, Tensor]:
        return {"low": self.low}


@dataclass(frozen=True)
class Pieces(Items):
    """The pieces of one split's photos. `places` are the photos'; size: (height, width) of a piece."""

    size: tuple[int, int]
    scale: int
    channels: int

    def __len__(self) -> int:
        return len(self._photo_of)

    @property
    def names(self) -> Sequence[str]:
        """The photo of each piece."""
        return [self.entry.names[self.places[photo]] for photo in self._photo_of]

    def rows(self, indices: np.ndarray, seeds: Sequence[tuple[int, int]] | None) -> dict[str, np.ndarray]:
        """Each piece at its place in its photo's grid, upright; or, with `seeds`, at a random place, flipped and turned
        at random, as a function of its seed alone."""
        pairs = [
            self._piece(int(index), None if seeds is None else seeds[place]) for place, index in enumerate(indices)
        ]
        return {name: np.stack([pair[place] for pair in pairs]) for place, name in enumerate(self.columns)}

    def photo(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """High (H, W, C) and low (H / scale, W / scale, C) uint8 of the split's photo, mapped from the disk."""
        start, height, width = (int(each) for each in self._photos[number])
        values, middle = self.entry.columns["pixels"], start + height * width * self.channels
        small = (height // self.scale, width // self.scale, self.channels)
        low = values[middle : middle + small[0] * small[1] * self.channels]
        return values[start:middle].reshape(height, width, self.channels), low.reshape(small)

    def _piece(self, index: int, seed: tuple[int, int] | None) -> tuple[np.ndarray, np.ndarray]:
        high, low = self.photo(int(self._photo_of[index]))
        height, width = (side // self.scale for side in self.size)
        if seed is None:
            row, column = divmod(int(self._number[index]), low.shape[1] // width)
            top, left, turn = row * height, column * width, 0
        else:
            bits = np.random.SeedSequence(seed).generate_state(3, np.uint64)
            ends = (low.shape[0] - height + 1, low.shape[1] - width + 1, 8 if height == width else 4)
            top, left, turn = (int(number % np.uint64(end)) for number, end in zip(bits, ends, strict=True))
        s = self.scale
        return (
            turned(high[top * s : (top + height) * s, left * s : (left + width) * s], turn),
            turned(low[top : top + height, left : left + width], turn),
        )

    @cached_property
    def _photos(self) -> np.ndarray:
        """(N, 3) of the split's photos: where their pixels begin, height, width."""
        rows: np.ndarray = self.entry.columns["photo"][self.stored_at]
        return rows

    @cached_property
    def _counts(self) -> np.ndarray:
        """Pieces of each photo; none of a photo that is smaller than a piece."""
        counts: np.ndarray = (self._photos[:, 1:] // np.array(self.size)).prod(1)
        return counts

    @cached_property
    def _photo_of(self) -> np.ndarray:
        """Of each piece, the number of its photo within the split."""
        return np.repeat(np.arange(len(self.places)), self._counts)

    @cached_property
    def _number(self) -> np.ndarray:
        """Of each piece within its photo."""
        return np.concatenate([np.arange(count) for count in self._counts] or [np.zeros(0, np.int64)])


def write_edges(folder: Path, side: int = 16, count: int = 40) -> Path:
    """Photos of one piece each with a sharp edge: in low resolution, what was light on one side of it is half light in
    between."""
    for number in range(count):
        pixels = np.full((side, side, 3), 40, np.uint8)
        edge = side // 2 + number % 3 - 1
        pixels[:edge] = 215
        pixels = pixels if number % 2 else pixels.transpose(1, 0, 2)
        Image.fromarray(np.ascontiguousarray(pixels)).save(folder / f"{number}.png")
    return folder


def turned(piece: np.ndarray, turn: int) -> np.ndarray:
    """(H, W, C) flipped left-right (bit 0), upside down (bit 1), and with rows and columns exchanged (bit 2)."""
    piece = piece[:, ::-1] if turn & 1 else piece
    piece = piece[::-1] if turn & 2 else piece
    return piece.transpose(1, 0, 2) if turn & 4 else piece


def _large_enough(entry: Entry, size: tuple[int, int]) -> np.ndarray:
    """(N,) bool: of each photo, whether it holds a piece of this size."""
    large: np.ndarray = np.all(entry.columns["photo"][:, 1:] >= np.array(size), axis=1)
    return large


def _pixels(picture: Picture, channels: int) -> np.ndarray:
    image = picture.image
    return fit(image, (image.height, image.width), channels)


class _Partners:
    """The low-resolution files that belong to photos, by their names. Raises DataError where one has none."""

    def __init__(self, files: Files, names: Sequence[str], scale: int) -> None:
        self.files = files
        self.of = matched(names, files.container.names(), scale)
        alone = [name for name in names if name not in self.of]
        if alone:
            raise DataError(
                f"{shown(files.name)} has no low-resolution version of {shown(alone[0])}: files go together by their "
                f"names, endings aside, or with what tells the resolution behind them, such as x{scale} or _LR"
            )

    def partner(self, name: str, shape: tuple[int, ...], scale: int, channels: int) -> tuple[np.ndarray, bytes]:
        """Its pixels, and the hash of its file. Raises Damaged, or DataError where it has not 1/scale of the size."""
        _, content = next(iter(self.files.contents([self.of[name]])))
        if isinstance(content, Damaged):
            raise content
        low = _pixels(decode(content), channels)
        if (low.shape[0] * scale, low.shape[1] * scale) != shape[:2]:
            raise DataError(
                f"the low-resolution version of {shown(name)} is {sized((low.shape[0], low.shape[1]))}, and must be "
                f"1/{scale} of {sized((shape[0], shape[1]))} (height x width)"
            )
        return low, hashlib.sha256(content).digest()
