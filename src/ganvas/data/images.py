"""Images: files in a folder or an archive, and arrays, all brought to one size.

Arrays are (N, H, W) gray, or (N, H, W, C) or (N, C, H, W) with C of 1, 3 or 4 (where both readings are possible, the
last axis is the channels): uint8 as they are, or floats within [0, 1] or [-1, 1], which are kept in 256 levels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from PIL import Image

from ganvas.data.arrays import Arrays, Part, rows_of, splits_of, value_range
from ganvas.data.batch import Batch
from ganvas.data.columns import Labels
from ganvas.data.decode import fit, on_white
from ganvas.data.image_files import FileRows, Files, choose_size, resizing_notes
from ganvas.data.readers import Reader
from ganvas.data.rows import RowStream, Source
from ganvas.data.shard_pictures import open_pictures
from ganvas.data.shards import ShardedEntry, Shards
from ganvas.errors import DataError, UsageError
from ganvas.options import Range, Size2D
from ganvas.spaces import ImageSpace, Space

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class ImageReader(Reader):
    """Images of one size, kept as uint8 (H, W, C). What is None, the data decides: see `choose_size`."""

    wants = "a folder or an archive of images, or an array of shape (N, H, W) or (N, H, W, C)"
    shrinks = True

    size: Annotated[Size2D | None, Range(4, 4096), "bring images to this size (default: the data decides)"] = None
    channels: Annotated[
        Literal[1, 3, 4] | None, "1 for gray, 3 for colour, 4 for colour with alpha (default: the data decides)"
    ] = None

    @classmethod
    def example(cls, folder: Path) -> tuple[str | Path, dict[str, Any]]:
        """40 images of 8 x 8 pixels, light above or light on the left."""
        return write_halves(folder / "tiny.npz"), {}

    @classmethod
    def reads(cls, source: Source) -> bool:
        return isinstance(source, Files) or (isinstance(source, Arrays) and source.axes() != 2)

    @classmethod
    def reads_shards(cls, source: Shards) -> bool:
        return source.own is None or super().reads_shards(source)

    @classmethod
    def form_of(cls, space: Space) -> dict[str, Any]:
        """Gray is not asked for: images that have a colour keep it, so that a comparison with gray ones says so."""
        form = super().form_of(space)
        return {name: value for name, value in form.items() if (name, value) != ("channels", 1)}

    def read(self, source: Source) -> RowStream:
        if isinstance(source, Arrays):
            return _array_rows(source, self.size, self.channels)
        assert isinstance(source, Files)
        if self.channels == 4:
            raise UsageError("image files give 1 or 3 channels: transparency is composited on white")
        return FileRows(source, self.size, self.channels).stream

    def sharded(self, source: Shards, progress: bool) -> ShardedEntry:
        if source.own is not None:
            return super().sharded(source, progress)
        if self.channels == 4:
            raise UsageError("image files give 1 or 3 channels: transparency is composited on white")
        return open_pictures(source, self.size, self.channels, progress)


@dataclass(frozen=True)
class Images(Batch):
    """image: (B, C, H, W) float32 in [-1, 1], channels-last in memory; label: (B,) int64 class numbers, or None."""

    reader: ClassVar = ImageReader

    image: Tensor
    label: Tensor | None = None

    def given(self) -> dict[str, Tensor]:
        return {} if self.label is None else {"label": self.label}


def write_halves(path: Path, size: tuple[int, int] = (8, 8), channels: int = 1, count: int = 40) -> Path:
    """An array file of images of two classes, light above or light on the left."""
    height, width = size
    images = np.full((count, height, width, channels), 40, np.uint8)
    images[::2, : height // 2] = 215
    images[1::2, :, : width // 2] = 215
    np.savez(path, images=images, labels=np.arange(count) % 2)
    return path


def _array_rows(source: Arrays, size: tuple[int, int] | None, channels: int | None) -> RowStream:
    where = source.where
    parts = [Part(_channels_last(part.values, where), part.labels, part.split) for part in source.parts()]
    sizes: Counter[tuple[int, int]] = Counter()
    for part in parts:
        sizes[part.values.shape[1], part.values.shape[2]] += len(part.values)
    own = parts[0].values.shape[3]
    if any(part.values.shape[3] != own for part in parts):
        raise DataError(f"{where}: its arrays differ in their channels")
    space = ImageSpace(channels or own, *(size or choose_size(list(sizes.elements()))))
    levels, notes = _levels([part.values for part in parts], where)
    notes += resizing_notes(sizes, (space.height, space.width))
    return RowStream(
        {"image": space, "label": Labels()},
        sizes.total(),
        rows_of(parts, "image", levels, partial(_fitted, space=space)),
        splits_of(parts),
        lambda: notes,
    )


def _channels_last(array: np.ndarray, where: str) -> np.ndarray:
    if array.ndim not in (3, 4) or (array.ndim == 3 and array.shape[2] in (3, 4)):
        one = " (one image? a whole set is needed)" if array.ndim == 3 else ""
        raise DataError(
            f"{where}: an array of shape {array.shape}{one}; images have the shape (N, H, W) or (N, H, W, C), points "
            "(N, D)"
        )
    if array.ndim == 3:
        return array[..., None]
    if array.shape[3] in (1, 3, 4):
        return array
    if array.shape[1] in (1, 3, 4):
        return array.transpose(0, 2, 3, 1)
    raise DataError(f"{where}: images of shape {array.shape[1:]} have neither 1, 3 nor 4 channels first or last")


def _levels(arrays: Sequence[np.ndarray], where: str) -> tuple[Callable[[np.ndarray], np.ndarray], list[str]]:
    """How these images become uint8, and a note. Raises DataError where they are neither uint8 nor floats of a known
    range."""
    kinds = {array.dtype for array in arrays}
    if kinds == {np.dtype(np.uint8)}:
        return np.ascontiguousarray, []
    ranges = [value_range(array, where) for array in arrays]
    low, high = min(pair[0] for pair in ranges), max(pair[1] for pair in ranges)
    floats = all(kind.kind == "f" for kind in kinds)
    slack = 1e-4  # what interpolation in float16 or float32 overshoots
    if floats and low >= -slack and high <= 1 + slack:
        note = "floats in [0, 1], mapped to [-1, 1] in 256 levels"
        return lambda values: np.rint(values.clip(0, 1) * 255.0).astype(np.uint8), [note]
    if floats and low >= -1 - slack and high <= 1 + slack:
        note = "floats in [-1, 1], kept in 256 levels"
        return lambda values: np.rint((values.clip(-1, 1) + 1.0) * 127.5).astype(np.uint8), [note]
    kind = "/".join(sorted(str(kind) for kind in kinds))
    hint = "; convert them with .astype('uint8')" if low >= 0 and 1 < high <= 255 else ""
    raise DataError(
        f"{where}: images are {kind} from {low:g} to {high:g}, but must be uint8, or floats in [0, 1] or [-1, 1]{hint}"
    )


def _fitted(pixels: np.ndarray, space: ImageSpace) -> np.ndarray:
    """(H, W, C) uint8 of any size as the space says."""
    size = (space.height, space.width)
    if pixels.shape == (*size, space.channels):
        return pixels
    image = Image.fromarray(np.ascontiguousarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels))
    if image.mode == "RGBA" and space.channels != 4:
        image = on_white(image)[0]
    return fit(image, size, space.channels)
