"""From the bytes of one image file to 8-bit pixels, whatever the file's mode, orientation and faults.

The content decides what a file is, never its ending. Nothing is decoded before its size is known to be sane, and
whatever a hostile or broken file makes the decoder raise comes out as one `Damaged` with a short reason.
"""

from __future__ import annotations

import io
import lzma
import tarfile
import threading
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import IO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

MAX_PIXELS = 100_000_000  # of one image: 10,000 x 10,000
MAX_BYTES = 256 * 2**20  # of one image file

# Formats that photographs and drawings come in. EPS and WMF are left out: they run other programs.
_FORMATS = (
    "AVIF",
    "BMP",
    "DIB",
    "GIF",
    "ICO",
    "JPEG",
    "JPEG2000",
    "MPO",
    "PCX",
    "PNG",
    "PPM",
    "QOI",
    "SGI",
    "TGA",
    "TIFF",
    "WEBP",
)
_ROWS = 64  # of a large picture that are looked at at a time
_ORIENTATION = 0x0112
_SIXTEEN_BIT = 257  # 65535 / 255


class Damaged(Exception):
    """An item that cannot be used; `str` is the reason, a few words."""


@dataclass(frozen=True)
class Header:
    """What a file says of itself before it is decoded; `size` is (height, width) as it will be shown."""

    size: tuple[int, int]
    mode: str


@dataclass(frozen=True)
class Picture:
    """A decoded image, mode L or RGB; `size` is (height, width) of the original as it is meant to be seen."""

    image: Image.Image
    size: tuple[int, int]
    transparent: bool = False
    animated: bool = False

    @property
    def gray(self) -> bool:
        """Whether no pixel has a colour."""
        if self.image.mode == "L":
            return True
        pieces = (np.asarray(strip) for _, strip in _strips(self.image))
        return all(bool((piece[..., :1] == piece[..., 1:]).all()) for piece in pieces)


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps Pillow's warnings (odd metadata, large images) to itself: what matters is in the manifest."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def header(file: IO[bytes]) -> Header:
    """Reads the first bytes only. Raises Damaged."""
    try:
        image = _opened(file)
        width, height = image.size
        if "exif" in image.info and image.format != "TIFF":  # TIFF's size is upright already
            width, height = _upright(image)  # without "exif" at hand, asking would decode some formats
        return Header((height, width), image.mode)
    except Exception as error:
        raise Damaged(reason(error)) from error


def decode(content: bytes, about: int | None = None) -> Picture:
    """The first frame, upright, in 8 bits, on white where it is transparent. Raises Damaged.

    about: the longer side that is wanted in the end; a far larger JPEG is then decoded at 1/2, 1/4 or 1/8 of its size.
    """
    return _decoded(*_begun(content, about))


@contextmanager
def decoding(content: bytes, about: int | None = None) -> Iterator[Picture]:
    """`decode`, for threads beside one another: while the block lasts, no more pixels are decoded in all of them than a
    single picture may have, so that several huge ones take turns. Raises Damaged."""
    begun = [_begun(content, about)]
    with _PIXELS.held(begun[0][0].width * begun[0][0].height):
        yield _decoded(*begun.pop())  # the large image is let go of as soon as there is a smaller one


def _begun(content: bytes, about: int | None) -> tuple[Image.Image, tuple[int, int] | None]:
    """The image before its pixels are decoded, and (width, height) of a JPEG, which may be decoded smaller. Raises
    Damaged."""
    if not content:
        raise Damaged("empty")
    try:
        image = _opened(io.BytesIO(content))
        if image.format != "JPEG":
            return image, None
        size = _upright(image)
        if about is not None:
            # Never below three times the size wanted, so that the antialiasing filter decides the result.
            image.draft(None, (3 * about, 3 * about))
        return image, size
    except Exception as error:
        raise Damaged(reason(error)) from error


def _decoded(image: Image.Image, size: tuple[int, int] | None) -> Picture:
    try:
        animated = bool(getattr(image, "is_animated", False)) and image.format != "MPO"
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
        width, height = size or image.size
        flat, transparent = _eight_bit(image)
        return Picture(flat, (height, width), transparent, animated)
    except Exception as error:
        raise Damaged(reason(error)) from error


class _Pixels:
    """Pixels that may be decoded at one time."""

    def __init__(self, most: int) -> None:
        self.most = self.free = most
        self._changed = threading.Condition()

    @contextmanager
    def held(self, count: int) -> Iterator[None]:
        """Waits until there is room for so many."""
        count = min(count, self.most)
        with self._changed:
            self._changed.wait_for(lambda: self.free >= count)
            self.free -= count
        try:
            yield
        finally:
            with self._changed:
                self.free += count
                self._changed.notify_all()


_PIXELS = _Pixels(MAX_PIXELS)


def keeping_alpha(content: bytes, formats: tuple[str, ...] | None = None) -> tuple[Image.Image, bool]:
    """The first frame in mode L, LA, RGB or RGBA, 8 bits, not turned, its metadata in `info`; and whether there are
    more frames or pages. formats: Pillow's names of those that may be read. Raises Damaged."""
    if not content:
        raise Damaged("empty")
    try:
        image = _opened(io.BytesIO(content), formats)
        image.load()
        info = image.info
        if image.mode in ("RGBa", "La"):
            image = image.convert(image.mode.upper())
        elif image.mode == "PA" or ("transparency" in info and image.mode in ("1", "L", "P", "RGB")):
            image = image.convert("LA" if image.mode in ("1", "L") else "RGBA")
        elif image.mode not in ("L", "LA", "RGB", "RGBA"):
            image, _ = _eight_bit(image)
        image.info = info
        return image, _is_first_of_several(content, formats)
    except Exception as error:
        raise Damaged(reason(error)) from error


def _is_first_of_several(content: bytes, formats: tuple[str, ...] | None) -> bool:
    image = _opened(io.BytesIO(content), formats)
    try:
        # A JPEG with a preview behind it, as many phones write them, is one picture all the same.
        return image.format != "MPO" and getattr(image, "n_frames", 1) > 1
    except Exception:  # something follows the first, and is broken
        return True


def middle(image: Image.Image, size: tuple[int, int]) -> tuple[float, float, float, float]:
    """The largest part of the image that has the shape of (height, width): left, top, right, bottom."""
    height, width = size
    scale = min(image.width / width, image.height / height)
    left, top = (image.width - scale * width) / 2, (image.height - scale * height) / 2
    return left, top, image.width - left, image.height - top


def fit(image: Image.Image, size: tuple[int, int], channels: int) -> np.ndarray:
    """(H, W, C) uint8: the shorter side made to fit with an antialiasing filter, the rest cut off evenly."""
    height, width = size
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.LANCZOS, box=middle(image, size), reducing_gap=3.0)
    mode = {1: "L", 3: "RGB", 4: "RGBA"}[channels]
    if image.mode != mode:
        image = image.convert(mode)
    return np.asarray(image).reshape(height, width, channels)


def reason(error: BaseException) -> str:
    """An exception of the decoder, the archive or the disk, in a few words for the plan."""
    text = " ".join(str(error).split())
    match error:
        case Damaged():
            return text
        case Image.DecompressionBombError():
            return f"more than {MAX_PIXELS:,} pixels"
        case UnidentifiedImageError():
            return "not an image"
        case MemoryError():
            return "too large for the memory"
        case PermissionError():
            return "permission denied"
        case FileNotFoundError():
            return "gone"
        case zipfile.BadZipFile() | zlib.error() | lzma.LZMAError():
            return "does not unpack"
        case tarfile.TarError() | EOFError():
            return "cut short"
        case OSError() if "truncated" in text.lower():
            return "cut short"
        case OSError() if error.errno is not None and error.strerror:
            return error.strerror
    return f"cannot be decoded ({text[:60] or type(error).__name__})"


@cache
def _formats() -> list[str]:
    Image.init()
    return [name for name in _FORMATS if name in Image.OPEN]


def _opened(file: IO[bytes], formats: tuple[str, ...] | None = None) -> Image.Image:
    image = Image.open(file, formats=_formats() if formats is None else formats)
    if image.width * image.height > MAX_PIXELS:
        raise Damaged(f"{image.width:,} x {image.height:,} pixels, more than {MAX_PIXELS:,}")
    return image


def _upright(image: Image.Image) -> tuple[int, int]:
    """(width, height) behind the rotation that the metadata asks for."""
    turned = image.getexif().get(_ORIENTATION, 1) in (5, 6, 7, 8)
    return (image.height, image.width) if turned else image.size


def _eight_bit(image: Image.Image) -> tuple[Image.Image, bool]:
    """The image in mode L or RGB, and whether some of it was transparent."""
    if image.mode.startswith("I") or image.mode == "F":
        return _from_numbers(image)
    if image.mode in ("RGBa", "La"):
        image = image.convert(image.mode.upper())
    if image.mode == "PA" or "transparency" in image.info:
        image = image.convert("LA" if image.mode in ("1", "L") else "RGBA")
    if image.mode in ("RGBA", "LA"):
        return on_white(image)
    if image.mode in ("L", "RGB"):
        return image, False
    return image.convert("L" if image.mode == "1" else "RGB"), False


def on_white(image: Image.Image) -> tuple[Image.Image, bool]:
    """An image of mode LA or RGBA on white, and whether some of it was transparent."""
    mode = image.mode[:-1]
    if image.getchannel("A").getextrema() == (255, 255):
        return image.convert(mode), False
    white = Image.new(mode, image.size, 255 if mode == "L" else (255, 255, 255))
    for top, strip in _strips(image):
        white.paste(strip.convert(mode), (0, top), strip.getchannel("A"))
    return white, True


def _from_numbers(image: Image.Image) -> tuple[Image.Image, bool]:
    """16-bit, 32-bit and float images to mode L. The scale follows from the mode, or from the range of the values."""
    values = np.asarray(image)
    strips = [slice(top, top + _ROWS) for top in range(0, len(values), _ROWS)]
    if not all(np.isfinite(values[rows]).all() for rows in strips):
        raise Damaged("values that are not finite")
    low, high = float(values.min()), float(values.max())
    wide = image.mode.startswith("I;16") or (image.mode == "I" and image.format != "TIFF")
    if image.mode == "F" and low >= 0 and high <= 1:
        scale = 255.0
    elif not wide and low >= 0 and high <= 255:
        scale = 1.0
    elif image.mode != "F" and low >= 0 and high <= 65535:
        scale = 1 / _SIXTEEN_BIT
    else:
        raise Damaged(f"values from {low:g} to {high:g}")
    hidden = image.info.get("transparency")
    levels = np.empty(values.shape, np.uint8)
    for rows in strips:
        some = np.rint(values[rows] * scale)  # no sixteen-bit value lies in the middle between two levels
        levels[rows] = np.where(values[rows] == hidden, 255, some) if isinstance(hidden, int) else some
    return Image.fromarray(levels), isinstance(hidden, int)


def _strips(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """The rows of an image a few at a time, each time with the number of the first."""
    for top in range(0, image.height, _ROWS):
        yield top, image.crop((0, top, image.width, min(top + _ROWS, image.height)))
