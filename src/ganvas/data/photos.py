"""Photos as pairs of a high and a low resolution, for super-resolution.

Every photo is decoded once and kept at its own size in one memory-mapped file, its low-resolution version behind it:
shrunk as benchmarks are (see `bicubic.py`), or given as the file of the same name in a second folder. What training
reads are pieces: a crop at a random place, one of its eight flips and quarter turns, and the same of the low version.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ganvas.data.batches import Photos
from ganvas.data.bicubic import shrunk
from ganvas.data.cache import Entry, Writer, cache_folder, only_one, open_entry
from ganvas.data.dataset import Data, Split
from ganvas.data.decode import Damaged, Picture, decode, fit, quiet
from ganvas.data.image_files import ImageFiles
from ganvas.data.manifest import contents, nothing_left
from ganvas.data.rows import Reading, Row, stem_of
from ganvas.data.sources import find
from ganvas.errors import DataError, UsageError
from ganvas.progress_bar import steps
from ganvas.spaces import ImageSpace
from ganvas.text import shown, sized

SCALES = (2, 3, 4)
FORMAT = "photos 1"
_START, _HEIGHT, _WIDTH = 0, 3, 4  # columns of the index; 1 and 2 are as in `cache.py`


def open_photos(
    source: str | Path,
    *,
    scale: int,
    low: str | Path | None = None,
    size: tuple[int, int] | None = None,
    channels: int | None = None,
    progress: bool = True,
) -> PhotoData:
    """The photos of a folder or an archive, ready to train on.

    scale: 2, 3 or 4. low: a folder or archive with their low-resolution versions, each with the name of its photo (its
    ending aside) and 1/scale of its size. size: (height, width) of the pieces, multiples of the scale; by default 48
    low-resolution pixels a side, or fewer where more than one photo in ten is smaller. channels: 3 by default; 1 reads
    photos in gray.

    Raises DataError for a source without photos, photos without a partner or with one of another size; UsageError for
    a scale, a size or channels that cannot be.
    """
    if scale not in SCALES:
        raise UsageError(f"--scale can be 2, 3 or 4, not {scale}")
    channels = 3 if channels is None else int(channels)
    if channels not in (1, 3):
        raise UsageError(f"photos have 1 or 3 channels, not {channels}")
    if size is not None and any(side % scale or not 4 * scale <= side <= 4096 for side in size):
        raise UsageError(f"pieces of {sized(size)} cannot be: each side must be a multiple of the scale, {scale}")
    photos = _image_files(source)
    with closing(photos), quiet():
        partners = None if low is None else _image_files(low)
        try:
            entry = _prepared(photos, partners, scale, channels, progress)
        finally:
            if partners is not None:
                partners.close()
    size = _chosen_size(entry, scale) if size is None else (int(size[0]), int(size[1]))
    return PhotoData(str(source), photos.name, entry, scale, size, None if low is None else str(low))


class PhotoData(Data):
    """Prepared photos. Its items are pieces of `size`: of each photo as many as fit side by side."""

    def __init__(
        self, source: str, name: str, entry: Entry, scale: int, size: tuple[int, int], low: str | None
    ) -> None:
        super().__init__(source, name, entry)
        self.batch_type = Photos
        self.scale = scale
        self.low = low
        channels = entry.manifest["space"]["channels"]
        self.space = ImageSpace(channels, *size)
        small = int((entry.index[:, [_HEIGHT, _WIDTH]] < np.array(size)).any(1).sum())
        if small == len(entry.index):
            raise DataError(
                f"no photo of {shown(source)} is as large as a piece of {sized(size)}: give a smaller --size"
            )
        if small:
            self.notes = (*self.notes, f"photos left out because they are smaller than {sized(size)}: {small}")

    def split(self, name: str) -> PhotoSplit:
        split = super().split(name)
        return PhotoSplit(self, self._entry, split.places, self.scale)

    def given(self, n: int, device: torch.device | str = "cpu") -> dict[str, torch.Tensor]:
        """low: (n, C, h, w), pieces of validation photos where there are any, spread over all of them."""
        split = next(split for name in ("validation", "train") if len(split := self.split(name)))
        return split.gather(np.linspace(0, len(split) - 1, n).astype(np.int64), device).given()

    def facts(self) -> dict[str, Any]:
        return super().facts() | {"scale": self.scale}

    def options(self) -> dict[str, Any]:
        options = super().options() | {"scale": self.scale}
        return options if self.low is None else options | {"low": str(Path(self.low).expanduser().absolute())}


@dataclass(frozen=True)
class PhotoSplit(Split):
    """The pieces of one split's photos. `places` are the photos' in the entry's index."""

    scale: int

    def __len__(self) -> int:
        return len(self._photo_of)

    def gather(
        self, indices: np.ndarray, device: torch.device | str = "cpu", seeds: Sequence[tuple[int, int]] | None = None
    ) -> Photos:
        """The pieces with these numbers: each at its place in its photo's grid, upright; or, with `seeds`, at a random
        place, flipped and turned at random, as a function of its seed alone."""
        high, low = [], []
        for place, index in enumerate(indices):
            one, other = self._piece(int(index), None if seeds is None else seeds[place])
            high.append(one)
            low.append(other)
        return Photos(_floats(np.stack(high), device), _floats(np.stack(low), device))

    @cached_property
    def names(self) -> Sequence[str]:
        """The photo of each piece."""
        return [self.entry.names[photo] for photo in self._photo_of]

    def photo(self, place: int) -> tuple[np.ndarray, np.ndarray]:
        """High (H, W, C) and low (H / scale, W / scale, C) uint8, mapped from the disk."""
        start, _, _, height, width = (int(number) for number in self.entry.index[place])
        channels, values = self.data.space.shape[0], self.entry.values
        middle = start + height * width * channels
        small = (height // self.scale, width // self.scale, channels)
        low = values[middle : middle + small[0] * small[1] * channels]
        return values[start:middle].reshape(height, width, channels), low.reshape(small)

    def _piece(self, index: int, seed: tuple[int, int] | None) -> tuple[np.ndarray, np.ndarray]:
        high, low = self.photo(int(self._photo_of[index]))
        height, width = (side // self.scale for side in self._size)
        if seed is None:
            row, column = divmod(int(self._number[index]), low.shape[1] // width)
            top, left, turn = row * height, column * width, 0
        else:
            bits = np.random.SeedSequence(seed).generate_state(3, np.uint64)
            ends = (low.shape[0] - height + 1, low.shape[1] - width + 1, 8 if height == width else 4)
            top, left, turn = (int(number % np.uint64(end)) for number, end in zip(bits, ends, strict=True))
        s = self.scale
        pieces = (
            high[top * s : (top + height) * s, left * s : (left + width) * s],
            low[top : top + height, left : left + width],
        )
        one, other = (turned(piece, turn) for piece in pieces)
        return one, other

    @property
    def _size(self) -> tuple[int, int]:
        space = self.data.space
        assert isinstance(space, ImageSpace)
        return space.height, space.width

    @cached_property
    def _counts(self) -> np.ndarray:
        """Pieces of each photo; none of a photo that is smaller than a piece."""
        sides = self.entry.index[self.places][:, [_HEIGHT, _WIDTH]]
        counts: np.ndarray = (sides // np.array(self._size)).prod(1)
        return counts

    @cached_property
    def _photo_of(self) -> np.ndarray:
        return np.repeat(self.places, self._counts)

    @cached_property
    def _number(self) -> np.ndarray:
        """Of each piece within its photo."""
        return np.concatenate([np.arange(count) for count in self._counts] or [np.zeros(0, np.int64)])


def turned(piece: np.ndarray, turn: int) -> np.ndarray:
    """(H, W, C) flipped left-right (bit 0), upside down (bit 1), and with rows and columns exchanged (bit 2)."""
    piece = piece[:, ::-1] if turn & 1 else piece
    piece = piece[::-1] if turn & 2 else piece
    return piece.transpose(1, 0, 2) if turn & 4 else piece


def _floats(levels: np.ndarray, device: torch.device | str) -> torch.Tensor:
    """(B, H, W, C) uint8 to (B, C, H, W) float32 in [-1, 1], on one thread as in `Split.gather`."""
    floats = levels.astype(np.float32)
    floats *= 2 / 255
    floats -= 1
    return torch.from_numpy(floats).permute(0, 3, 1, 2).to(device, non_blocking=True)


# -- preparing --


def _chosen_size(entry: Entry, scale: int) -> tuple[int, int]:
    shorter = np.sort(entry.index[:, [_HEIGHT, _WIDTH]].min(1))
    side = min(48, int(shorter[len(shorter) // 10]) // scale) * scale
    return side, side


def _image_files(source: str | Path) -> ImageFiles:
    origin = find(source)
    if not isinstance(origin, ImageFiles):
        origin.close()
        raise DataError(f"{shown(str(source))} holds no photos: give a folder or an archive of image files")
    return origin


def _prepared(photos: ImageFiles, partners: ImageFiles | None, scale: int, channels: int, progress: bool) -> Entry:
    identity = [FORMAT, photos.identity(), partners and partners.identity(), scale, channels]
    folder = cache_folder() / "data" / hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:32]
    entry = open_entry(folder)
    if entry is not None:
        return entry
    with only_one(folder):
        return open_entry(folder) or _prepare(folder, photos, partners, scale, channels, progress)


def _prepare(
    folder: Path, photos: ImageFiles, partners: ImageFiles | None, scale: int, channels: int, progress: bool
) -> Entry:
    names, splits = photos.photos()
    others = None if partners is None else _Partners(partners, names)
    kept: list[Row] = []
    shapes: list[tuple[int, int, int]] = []
    damaged: dict[str, str] = {}
    start = 0
    with Writer(folder, (), np.dtype(np.uint8)) as writer:
        for name, content in steps(
            photos.contents(names), len(names), f"preparing {photos.name}", progress, line=False
        ):
            try:
                if isinstance(content, Damaged):
                    raise content
                digest = hashlib.sha256(content)
                high = _pixels(decode(content), channels)
                if others is None:
                    high = high[: high.shape[0] // scale * scale, : high.shape[1] // scale * scale]
                    low = shrunk(high, scale) if high.size else high
                else:
                    low, bytes_of_low = others.partner(name, high.shape, scale, channels)
                    digest.update(bytes_of_low)
                if min(low.shape[:2]) < 4:
                    raise Damaged(f"smaller than {4 * scale} pixels")
            except Damaged as error:
                damaged[name] = str(error)
                continue
            for pixels in (high, low):
                writer.extend(pixels, pixels.size)
            kept.append(Row(name, None, digest.digest(), None, splits.get(name)))
            shapes.append((start, *high.shape[:2]))
            start += high.size + low.size
        if len(kept) < 2:
            raise nothing_left(photos.name, len(kept), damaged)
        reading = Reading(ImageSpace(channels, 4 * scale, 4 * scale), len(names), iter(()), frozenset(splits.values()))
        index, items, manifest = contents(kept, damaged, reading, photos)
        index = np.concatenate([index, np.array(shapes)[index[:, 0], 1:]], axis=1)
        index[:, _START] = np.array(shapes)[index[:, 0], 0]
        fingerprint = [manifest["fingerprint"], FORMAT, scale, partners is not None]
        manifest["fingerprint"] = hashlib.sha256(json.dumps(fingerprint).encode()).hexdigest()
        writer.finish(index, items, manifest)
    entry = open_entry(folder)
    if entry is None:
        raise DataError(f"prepared photos cannot be read back from {shown(str(folder))}: is the disk sound?")
    return entry


def _pixels(picture: Picture, channels: int) -> np.ndarray:
    image = picture.image
    return fit(image, (image.height, image.width), channels)


class _Partners:
    """The low-resolution files that belong to photos, by their names. Raises DataError where one has none."""

    def __init__(self, files: ImageFiles, names: Sequence[str]) -> None:
        self.files = files
        self.by_stem = {stem_of(name): name for name in files.container.names()}
        alone = [name for name in names if stem_of(name) not in self.by_stem]
        if alone:
            raise DataError(
                f"{shown(files.name)} has no low-resolution version of {shown(alone[0])}: files go together by their "
                "names, endings aside"
            )

    def partner(self, name: str, shape: tuple[int, ...], scale: int, channels: int) -> tuple[np.ndarray, bytes]:
        """Its pixels, and the hash of its file. Raises Damaged, or DataError where it has not 1/scale of the size."""
        _, content = next(iter(self.files.contents([self.by_stem[stem_of(name)]])))
        if isinstance(content, Damaged):
            raise content
        low = _pixels(decode(content), channels)
        if (low.shape[0] * scale, low.shape[1] * scale) != shape[:2]:
            raise DataError(
                f"the low-resolution version of {shown(name)} is {sized((low.shape[0], low.shape[1]))}, and must be "
                f"1/{scale} of {sized((shape[0], shape[1]))} (height x width)"
            )
        return low, hashlib.sha256(content).digest()
