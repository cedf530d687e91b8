"""Photos as files, all that they carry kept: alpha, gray, EXIF and the colour profile.

Reading looks at the content and never at the ending. Writing goes strip by strip for PNG, so that a picture need not
fit into the memory; JPEG and WebP are encoded whole, by Pillow.
"""

from __future__ import annotations

import io
import struct
import tempfile
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image

from ganvas.data.decode import MAX_BYTES, Damaged, keeping_alpha, quiet, reason
from ganvas.errors import DataError, TrainingError, UsageError
from ganvas.files import read_regular
from ganvas.photos.film import Film, film_of

ENDINGS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
MOVING = ("PNG", "WEBP")
"""Formats of which a file may hold a film."""

LARGEST_SIDE = {"PNG": 2**31 - 1, "JPEG": 65_535, "WEBP": 16_383}
LONGEST_EXIF = {"PNG": 2**31 - 1, "JPEG": 65_533, "WEBP": 2**32 - 2}
LONGEST_PROFILE = {"PNG": 2**31 - 1, "JPEG": 255 * 65_519, "WEBP": 2**32 - 2}
"""Bytes: of a chunk, of a JPEG marker's segment, and of as many segments as it can count."""

LARGEST_WHOLE = 250_000_000
"""Pixels that JPEG and WebP are encoded from at most, since all of them must be in memory."""

QUALITY = 95
_ROWS = 32  # of a PNG that are filtered at a time
_TRIES = 8
_COLOURS = {b"RGB ": (3, 4), b"GRAY": (1, 2), b"CMYK": ()}
_ORIENTATION = 0x0112
_TURNS = {2: (0, True), 3: (2, False), 4: (2, True), 5: (3, True), 6: (3, False), 7: (1, True), 8: (1, False)}
"""By the EXIF's orientation: quarter turns to the left, and then whether left and right change places."""
_EXIF_IFD, _EXIF_WIDTH, _EXIF_HEIGHT, _WIDTH, _HEIGHT = 0x8769, 0xA002, 0xA003, 0x0100, 0x0101


@dataclass(frozen=True)
class Photo:
    """pixels: (H, W, C) uint8; C is 1 (gray), 2 (gray and alpha), 3 (RGB) or 4 (RGB and alpha), as the file has it, not
    turned as its EXIF may ask. exif, profile: as in the file, empty where it has none. several: whether
    it is the first of the file's frames or pages."""

    pixels: np.ndarray
    exif: bytes = b""
    profile: bytes = b""
    several: bool = False

    @property
    def alpha(self) -> bool:
        return self.pixels.shape[2] in (2, 4)

    @property
    def orientation(self) -> int:
        """As EXIF counts it, 1 to 8; 1 is upright."""
        try:
            found = Image.Exif()
            found.load(self.exif)
            asked = found.get(_ORIENTATION, 1)
            return asked if asked in _TURNS else 1
        except Exception:  # hostile metadata may fail in any way, and the picture is what matters
            return 1

    def upright(self) -> Photo:
        """The same as it is meant to be seen, its EXIF saying so."""
        if self.orientation == 1:
            return self
        return replace(self, pixels=turned(self.pixels, self.orientation), exif=_turned_exif(self.exif))


def turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """(H, W, C) as it is meant to be seen, by its EXIF's orientation."""
    quarters, mirrored = _TURNS.get(orientation, (0, False))
    pixels = np.rot90(pixels, quarters)
    return np.ascontiguousarray(pixels[:, ::-1] if mirrored else pixels)


def read_photo(path: Path) -> Photo:
    """Raises DataError, a few words without the path, for what is no picture, is damaged, or too large to be one that
    is meant well."""
    try:
        return photo_of(read_regular(path, MAX_BYTES))
    except (Damaged, OSError) as error:
        raise DataError(reason(error)) from None


def photo_of(content: bytes, formats: tuple[str, ...] | None = None) -> Photo:
    """What a file's content holds. formats: Pillow's names of those that may be read. Raises Damaged."""
    with quiet():
        image, several = keeping_alpha(content, formats)
        exif, profile = image.info.get("exif", b""), image.info.get("icc_profile", b"")
        pixels = np.asarray(image)
    kept = {"exif": exif, "profile": profile}
    as_bytes = {name: value if isinstance(value, bytes) else b"" for name, value in kept.items()}
    return Photo(pixels.reshape(*pixels.shape[:2], -1), several=several, **as_bytes)


def film_for(source: Path, photo: Photo, target: Path, pixels: int) -> Film | None:
    """All frames of the source, where they move and the target can. pixels: of a frame of the result."""
    kind = ENDINGS[target.suffix.lower()]
    film = film_of(source) if photo.several and kind in MOVING else None
    if film is None or kind == "PNG":
        return film
    return film if len(film.milliseconds) * pixels <= LARGEST_WHOLE else None


class Writer:
    """A picture (height, width, channels) that arrives in strips and is there, complete, when all have come.

    like: whose metadata it takes over. film: whose timing its frames have, which arrive one after the other. notes:
    what was left out of the metadata, once it is entered. Leave the `with` block early, and nothing is left behind.
    Raises UsageError for what the format cannot hold.
    """

    def __init__(self, path: Path, shape: tuple[int, int, int], like: Photo, film: Film | None = None) -> None:
        self.path, self.shape, self.like, self.film = path, shape, like, film
        self.kind = ENDINGS[path.suffix.lower()]
        self.notes: list[str] = []
        check_holds(self.kind, shape, path)
        self._rows = shape[0] * (1 if film is None else len(film.milliseconds))
        self._done = 0

    def __enter__(self) -> Writer:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle = tempfile.NamedTemporaryFile(
                prefix=f".{self.path.name}.", suffix=".tmp", dir=self.path.parent, delete=False
            )
        except OSError as error:
            raise self._failure(error) from error
        self._file: IO[bytes] = handle
        self._temporary = Path(handle.name)
        exif, profile = enlarged_exif(self.like.exif, self.shape), self.like.profile
        if len(exif) > LONGEST_EXIF[self.kind]:
            exif = shortened_exif(exif, LONGEST_EXIF[self.kind])
            self.notes.append(f"its EXIF is longer than {self.kind} holds: the longest entries were left out")
        if self.shape[2] not in _COLOURS.get(profile[16:20], (self.shape[2],)):
            profile = b""
            self.notes.append("its colour profile is not of the colours of the result, and was left out")
        if len(profile) > LONGEST_PROFILE[self.kind]:
            profile = b""
            self.notes.append(f"its colour profile is longer than {self.kind} holds, and was left out")
        if self.kind == "PNG":
            self._png: PNG | None = PNG(self._file, self.shape, exif, profile, self.film)
        else:
            self._png, self._exif, self._profile = None, exif, profile
            self._whole = np.empty((self._rows, *self.shape[1:]), np.uint8)
        return self

    def add(self, strip: np.ndarray) -> None:
        """(rows, width, channels) uint8: the next rows, from above."""
        if self._png is None:
            self._whole[self._done : self._done + len(strip)] = strip
        else:
            try:
                self._png.add(strip)
            except OSError as error:
                raise self._failure(error) from error
        self._done += len(strip)

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        try:
            if kind is None:
                assert self._done == self._rows, "strips are missing"
                self._finish()
        finally:
            self._file.close()
            self._temporary.unlink(missing_ok=True)

    def _finish(self) -> None:
        try:
            if self._png is not None:
                self._png.finish()
            else:
                options: dict[str, Any] = {"quality": QUALITY}
                if self._exif:
                    options["exif"] = self._exif
                if self._profile:
                    options["icc_profile"] = self._profile
                if self.kind == "JPEG":
                    options["subsampling"] = 0
                frames = [_picture(frame) for frame in np.split(self._whole, self._rows // self.shape[0])]
                if self.film is not None:
                    options |= {"save_all": True, "append_images": frames[1:], "loop": self.film.plays}
                    options["duration"] = list(self.film.milliseconds)
                frames[0].save(self._file, self.kind, **options)
            self._file.flush()
            self._temporary.chmod(0o644)
            self._temporary.replace(self.path)
        except (OSError, ValueError) as error:  # Pillow's encoders refuse by both
            raise self._failure(error) from error

    def _failure(self, error: Exception) -> TrainingError:
        return TrainingError(f"cannot write {self.path}: {getattr(error, 'strerror', None) or error}")


def _picture(pixels: np.ndarray) -> Image.Image:
    picture = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    return picture.convert("RGBA") if picture.mode == "LA" else picture


def check_holds(kind: str, shape: tuple[int, int, int], where: object) -> None:
    """Raises UsageError, beginning with `where`, for a (height, width, channels) that the format cannot hold."""
    height, width, channels = shape
    if max(height, width) > LARGEST_SIDE[kind]:
        raise UsageError(f"{where}: {width:,} x {height:,} pixels are more than {kind} holds; write a .png")
    if kind != "PNG" and height * width > LARGEST_WHOLE:
        raise UsageError(f"{where}: {height * width:,} pixels are too many to encode at once; write a .png")
    if kind == "JPEG" and channels in (2, 4):
        raise UsageError(f"{where}: JPEG holds no transparency, and the picture has it; write a .png or .webp")


class PNG:
    """Writes a PNG (third edition, ISO/IEC 15948) row by row: 8 bits, filtered by Paeth's predictor (9.4), which suits
    photos. Of a film the rows of all frames, one after the other."""

    def __init__(
        self, file: IO[bytes], shape: tuple[int, int, int], exif: bytes, profile: bytes, film: Film | None = None
    ) -> None:
        height, width, channels = self._shape = shape
        self._file, self._film = file, film
        self._done = self._number = 0  # rows, and chunks of the animation
        self._above = np.zeros((width, channels), np.uint8)
        file.write(b"\x89PNG\r\n\x1a\n")
        self._chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, {1: 0, 2: 4, 3: 2, 4: 6}[channels], 0, 0, 0))
        if profile:
            self._chunk(b"iCCP", b"ICC Profile\0\0" + zlib.compress(profile))
        if exif:
            self._chunk(b"eXIf", exif.removeprefix(b"Exif\0\0"))
        if film is not None:
            self._chunk(b"acTL", struct.pack(">II", len(film.milliseconds), film.plays))
        self._begin()

    def add(self, strip: np.ndarray) -> None:
        """The next rows, all of one frame."""
        if self._done and self._done % self._shape[0] == 0:
            self._pixels(self._deflate.flush())
            self._begin()
        self._done += len(strip)
        for start in range(0, len(strip), _ROWS):
            rows = strip[start : start + _ROWS]
            above = np.concatenate([self._above[None], rows[:-1]])
            filtered = np.empty((len(rows), 1 + rows[0].size), np.uint8)
            filtered[:, 0] = 4
            filtered[:, 1:] = (rows - _predicted(rows, above)).reshape(len(rows), -1)
            self._above = rows[-1].copy()
            self._pixels(self._deflate.compress(filtered.tobytes()))

    def finish(self) -> None:
        self._pixels(self._deflate.flush())
        self._chunk(b"IEND", b"")

    def _begin(self) -> None:
        """A frame, whose pixels are compressed by themselves."""
        height, width, channels = self._shape
        self._deflate = zlib.compressobj(4)
        self._above = np.zeros((width, channels), np.uint8)
        if self._film is not None:
            shown = min(self._film.milliseconds[self._done // height], 65_535)
            self._chunk(b"fcTL", self._numbered() + struct.pack(">IIIIHHBB", width, height, 0, 0, shown, 1000, 0, 0))

    def _pixels(self, content: bytes) -> None:
        if content and self._done <= self._shape[0]:
            self._chunk(b"IDAT", content)
        elif content:
            self._chunk(b"fdAT", self._numbered() + content)

    def _numbered(self) -> bytes:
        self._number += 1
        return struct.pack(">I", self._number - 1)

    def _chunk(self, kind: bytes, content: bytes) -> None:
        self._file.write(struct.pack(">I", len(content)) + kind + content)
        self._file.write(struct.pack(">I", zlib.crc32(kind + content)))


def _predicted(rows: np.ndarray, above: np.ndarray) -> np.ndarray:
    """Paeth's predictor: of left, above and above left, the one that is nearest to left + above - above left."""
    a, b, c = np.zeros_like(rows), above, np.zeros_like(rows)
    a[:, 1:], c[:, 1:] = rows[:, :-1], above[:, :-1]
    across, down = b.astype(np.int16) - c, a.astype(np.int16) - c  # the estimate less a, and less b
    corner = np.abs(across + down)
    across, down = np.abs(across), np.abs(down)
    return np.where((across <= down) & (across <= corner), a, np.where(down <= corner, b, c))


def _turned_exif(exif: bytes) -> bytes:
    """The same metadata of the picture that stands upright."""
    found = Image.Exif()
    found.load(exif)
    found[_ORIENTATION] = 1
    return found.tobytes()


def enlarged_exif(exif: bytes, shape: tuple[int, ...]) -> bytes:
    """The same metadata, with the new size where it names one. Metadata that cannot be read is left out."""
    if not exif:
        return b""
    try:
        found = Image.Exif()
        found.load(exif)
        height, width = shape[:2]
        for tag, value in ((_WIDTH, width), (_HEIGHT, height)):
            if tag in found:
                found[tag] = value
        inner = found.get_ifd(_EXIF_IFD)
        for tag, value in ((_EXIF_WIDTH, width), (_EXIF_HEIGHT, height)):
            if tag in inner:
                inner[tag] = value
        return found.tobytes()
    except Exception:  # hostile metadata may fail in any way, and the picture is what matters
        return b""


def shortened_exif(exif: bytes, most: int) -> bytes:
    """The same metadata in at most `most` bytes: the longest entries are left out, but never the orientation."""
    if len(exif) <= most:
        return exif
    try:
        found = Image.Exif()
        found.load(exif)
        entries = [
            (_length(value), holder, tag)
            for holder in (found, found.get_ifd(_EXIF_IFD))
            for tag, value in holder.items()
            if tag not in (_ORIENTATION, _EXIF_IFD)
        ]
        entries.sort(key=lambda entry: entry[0])
        for _ in range(_TRIES):
            over = len(exif) - most
            while entries and over > 0:
                length, holder, tag = entries.pop()
                del holder[tag]
                over -= length
            exif = found.tobytes()
            if len(exif) <= most:
                return exif
    except Exception:  # as above
        pass
    return b""


def _length(value: Any) -> int:
    """Of an entry's value in bytes, roughly."""
    return len(value) * (1 if isinstance(value, (bytes, str)) else 8) if hasattr(value, "__len__") else 8


def encoded(pixels: np.ndarray, kind: str = "WEBP", **options: Any) -> bytes:
    """(H, W, C) uint8 as a file in memory, for pages."""
    buffer = io.BytesIO()
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(buffer, kind, **options)
    return buffer.getvalue()
