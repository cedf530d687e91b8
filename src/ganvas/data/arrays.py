"""Arrays as rows: `.npy` and `.npz` files, arrays in memory, and whatever the built-in sets make.

Shapes: (N, H, W) gray; (N, H, W, C) or (N, C, H, W) with C of 1, 3 or 4 (where both readings are possible, the last
axis is the channels); (N, D) floats are points. Images are uint8 as they are, or floats within [0, 1] or [-1, 1],
which are kept in 256 levels. Nothing is ever unpickled.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from ganvas.data.decode import fit, on_white
from ganvas.data.rows import Reading, Row, Wish, check_points, choose_size, resizing_notes, too_few
from ganvas.errors import DataError
from ganvas.spaces import ImageSpace, PointSpace
from ganvas.text import counted, listed, shown

_CHUNK = 1024  # rows converted at a time
_VALUES = frozenset({"image", "images", "x", "data", "sample", "samples", "point", "points", "arr 0"})
_LABELS = frozenset({"label", "labels", "y", "target", "targets", "class", "classes", "arr 1"})
_SPLITS = {"train": "train", "val": "validation", "valid": "validation", "validation": "validation", "test": "test"}


@dataclass(frozen=True)
class Part:
    """Some items of an array source: their values, their labels as text, and the split where the source says it."""

    values: np.ndarray
    labels: Sequence[str] | None = None
    split: str | None = None


@dataclass
class Arrays:
    """A source that is arrays already. `load` is called when nothing is prepared yet.

    Items are named by their number, behind `train/` and the like where the source brings its own splits.
    """

    name: str
    key: Callable[[], object]
    load: Callable[[], list[Part]]
    where: str = ""  # how errors call it, where that is not its name
    _notes: list[str] = field(default_factory=list)

    def identity(self) -> object:
        return self.key()

    def close(self) -> None:
        """Nothing is kept open."""

    def notes(self) -> list[str]:
        return self._notes

    def read(self, wish: Wish) -> Reading:
        self._notes = []
        self.where = self.where or self.name
        parts = [part for part in self.load() if len(part.values)]
        total = sum(len(part.values) for part in parts)
        if total < 2:
            raise too_few(self.where, total, "item")
        first = parts[0].values
        splits = frozenset(part.split for part in parts if part.split is not None)
        if first.ndim == 2:
            check_points(wish, self.where)
            return Reading(self._points(parts), total, self._point_rows(parts), splits)
        parts = [Part(_channels_last(part.values, self.where), part.labels, part.split) for part in parts]
        sizes: Counter[tuple[int, int]] = Counter()
        for part in parts:
            sizes[part.values.shape[1], part.values.shape[2]] += len(part.values)
        channels = parts[0].values.shape[3]
        if any(part.values.shape[3] != channels for part in parts):
            raise DataError(f"{self.where}: its arrays differ in their channels")
        size = wish.size or choose_size(list(sizes.elements()))
        space = ImageSpace(wish.channels or channels, *size)
        levels = self._levels([part.values for part in parts])
        self._notes += resizing_notes(sizes, space)
        return Reading(space, total, self._image_rows(parts, space, levels), splits)

    def _points(self, parts: list[Part]) -> PointSpace:
        dimensions = parts[0].values.shape[1]
        for part in parts:
            if part.values.ndim != 2 or part.values.dtype.kind != "f" or part.values.shape[1] != dimensions:
                raise DataError(
                    f"{self.where}: points must be floats of shape (N, D), not {part.values.dtype} of shape "
                    f"{part.values.shape}; images have the shape (N, H, W) or (N, H, W, C)"
                )
            _range(part.values, self.where)
        if dimensions > 64:
            self._notes.append(
                f"points with {dimensions} coordinates: flattened images should be reshaped to (N, H, W)"
            )
        return PointSpace(dimensions)

    def _levels(self, arrays: list[np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
        """How these images become uint8. Raises DataError where they are neither uint8 nor floats of a known range."""
        kinds = {array.dtype for array in arrays}
        if kinds == {np.dtype(np.uint8)}:
            return lambda values: values
        ranges = [_range(array, self.where) for array in arrays]
        low, high = min(pair[0] for pair in ranges), max(pair[1] for pair in ranges)
        floats = all(kind.kind == "f" for kind in kinds)
        slack = 1e-4  # what interpolation in float16 or float32 overshoots
        if floats and low >= -slack and high <= 1 + slack:
            self._notes.append("floats in [0, 1], mapped to [-1, 1] in 256 levels")
            return lambda values: np.rint(values.clip(0, 1) * 255.0).astype(np.uint8)
        if floats and low >= -1 - slack and high <= 1 + slack:
            self._notes.append("floats in [-1, 1], kept in 256 levels")
            return lambda values: np.rint((values.clip(-1, 1) + 1.0) * 127.5).astype(np.uint8)
        kind = "/".join(sorted(str(kind) for kind in kinds))
        hint = "; convert them with .astype('uint8')" if low >= 0 and 1 < high <= 255 else ""
        raise DataError(
            f"{self.where}: images are {kind} from {low:g} to {high:g}, but must be uint8, or floats in [0, 1] or "
            f"[-1, 1]{hint}"
        )

    def _point_rows(self, parts: list[Part]) -> Iterator[Row]:
        for part in parts:
            for start in range(0, len(part.values), _CHUNK):
                for place, point in enumerate(part.values[start : start + _CHUNK].astype(np.float32), start):
                    yield self._row(part, place, point, point)

    def _image_rows(
        self, parts: list[Part], space: ImageSpace, levels: Callable[[np.ndarray], np.ndarray]
    ) -> Iterator[Row]:
        size = (space.height, space.width)
        for part in parts:
            for start in range(0, len(part.values), _CHUNK):
                for place, pixels in enumerate(levels(part.values[start : start + _CHUNK]), start):
                    pixels = np.ascontiguousarray(pixels)
                    if pixels.shape == (*size, space.channels):
                        fitted = pixels
                    else:
                        image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
                        if image.mode == "RGBA" and space.channels != 4:
                            image = on_white(image)[0]
                        fitted = fit(image, size, space.channels)
                    yield self._row(part, place, fitted, pixels)

    @staticmethod
    def _row(part: Part, place: int, values: np.ndarray, original: np.ndarray) -> Row:
        name = f"{part.split}/{place}" if part.split else str(place)
        label = part.labels[place] if part.labels is not None else None
        return Row(name, values, hashlib.sha256(original.tobytes()).digest(), label, part.split)


def from_memory(array: np.ndarray) -> Arrays:
    """An array that the user holds."""
    name = f"the array {array.shape} of {array.dtype}"
    if array.dtype.hasobject:
        raise DataError(f"{name} holds Python objects, not numbers: all images must have one shape")
    digest = hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
    key = ["memory", str(array.dtype), list(array.shape), digest]
    return Arrays("array", lambda: key, lambda: [Part(_shaped(array, name))], name)


def from_file(path: Path) -> Arrays:
    """A `.npy` file, or a `.npz` file with `images` (or x, data, ...) and perhaps `labels` (or y, ...).

    Names with a split in them (`x_train`, `test_images`) are that split.
    """
    status = path.stat()
    key = ["array file", str(path.resolve()), status.st_size, status.st_mtime_ns, status.st_ctime_ns]
    return Arrays(path.stem, lambda: key, lambda: _load(path), shown(str(path)))


def _load(path: Path) -> list[Part]:
    where = shown(str(path))
    try:
        with path.open("rb") as file:
            beginning = file.read(4)
            file.seek(0)
            # allow_pickle stays off because unpickling runs whatever code the file holds.
            if beginning == b"PK\x03\x04":
                with np.load(file, allow_pickle=False) as arrays:
                    return _parts(arrays, where)
            if beginning != b"\x93NUM":
                raise DataError(f"{where} is no array file: NumPy's save, savez or savez_compressed writes them")
        return [Part(_shaped(np.load(path, mmap_mode="r", allow_pickle=False), where))]
    except DataError:
        raise
    except Exception as error:  # whatever NumPy makes of a damaged header
        if "pickle" in str(error).lower() or "object" in str(error).lower():
            raise DataError(f"{where} holds pickled Python objects, which are never loaded: save numbers") from error
        why = error.strerror if isinstance(error, OSError) and error.strerror else " ".join(str(error).split())[:80]
        raise DataError(f"{where} cannot be read as an array file: {why or type(error).__name__}") from error


def _parts(arrays: Mapping[str, np.ndarray], where: str) -> list[Part]:
    values: dict[str | None, np.ndarray] = {}
    labels: dict[str | None, np.ndarray] = {}
    for name in arrays:  # each is read when it is asked for
        words = name.lower().replace("-", "_").split("_")
        split = next((_SPLITS[word] for word in words if word in _SPLITS), None)
        role = " ".join(word for word in words if word not in _SPLITS)
        if role in _VALUES:
            values[split] = arrays[name]
        elif role in _LABELS:
            labels[split] = arrays[name]
    if not values and len(arrays) == 1:
        values = {None: arrays[next(iter(arrays))]}
    if not values:
        raise DataError(
            f"{where} has no array named images, x or data; it has {listed(map(shown, arrays), 8) or 'none'}"
        )
    if "train" not in values and None not in values:
        raise DataError(f"{where} has no training images; it has {listed(map(shown, arrays), 8)}")
    if len(values) > 1:
        values.pop(None, None)
    return [
        Part(_shaped(array, where), _label_names(labels[split], len(array), where) if split in labels else None, split)
        for split, array in values.items()
    ]


def _label_names(labels: np.ndarray, count: int, where: str) -> list[str]:
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.shape != (count,):
        raise DataError(
            f"{where}: labels have the shape {labels.shape}, but there are {counted(count, 'item')}: one each"
        )
    if labels.dtype.kind == "f" and np.isfinite(labels).all() and (labels == np.rint(labels)).all():
        labels = labels.astype(np.int64)
    if labels.dtype.kind not in "iubUS":
        raise DataError(f"{where}: labels are {labels.dtype}, but must be whole numbers or text")
    if labels.dtype.kind == "S":
        labels = np.char.decode(labels, "utf-8", "replace")
    return [str(label) for label in labels]


def _shaped(array: np.ndarray, where: str) -> np.ndarray:
    if 0 in array.shape[1:]:
        raise DataError(f"{where}: an array of shape {array.shape} is empty")
    if array.ndim == 2 or (array.ndim == 3 and array.shape[2] not in (3, 4)) or array.ndim == 4:
        return array
    one = " (one image? a whole set is needed)" if array.ndim == 3 else ""
    raise DataError(
        f"{where}: an array of shape {array.shape}{one}; images have the shape (N, H, W) or (N, H, W, C), points (N, D)"
    )


def _channels_last(array: np.ndarray, where: str) -> np.ndarray:
    if array.ndim == 3:
        return array[..., None]
    if array.shape[3] in (1, 3, 4):
        return array
    if array.shape[1] in (1, 3, 4):
        return array.transpose(0, 2, 3, 1)
    raise DataError(f"{where}: images of shape {array.shape[1:]} have neither 1, 3 nor 4 channels first or last")


def _range(array: np.ndarray, where: str) -> tuple[float, float]:
    """Least and greatest value. Raises DataError, with the number of them, where values are not finite numbers."""
    if array.dtype.kind not in "iufb":
        raise DataError(f"{where}: values are {array.dtype}, not numbers")
    low, high, bad = np.inf, -np.inf, 0
    for start in range(0, len(array), _CHUNK):
        chunk = array[start : start + _CHUNK].astype(np.float64)
        bad += int(np.count_nonzero(~np.isfinite(chunk)))
        if not bad:
            low, high = min(low, float(chunk.min())), max(high, float(chunk.max()))
    if bad:
        raise DataError(f"{where}: {counted(bad, 'value')} not finite (NaN or infinite): remove them first")
    return low, high
