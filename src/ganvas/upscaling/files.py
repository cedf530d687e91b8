"""Files and folders of photos enlarged into files: names, what is in the way, what failed, and a page to compare on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ganvas.data.bicubic import resized
from ganvas.errors import DataError, GanvasError, UsageError
from ganvas.model import Job
from ganvas.photos import SHOWN, Comparison, Photo, Words, Writer, film_for, read_photo, write_comparison
from ganvas.progress_bar import bar
from ganvas.upscaling.upscaler import Upscaler, check_size

ENLARGED = Words("bicubic interpolation", "bicubic", "enlarged")


@dataclass(frozen=True)
class Outcome:
    """What became of a picture: the size of the result and the seconds that enlarging took, or the error. note: what of
    the original is not in the result."""

    source: str
    target: str
    width: int = 0
    height: int = 0
    seconds: float = 0.0
    error: str = ""
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        speed = self.width * self.height / 1e6 / self.seconds if self.seconds else 0.0
        return asdict(self) | {"megapixels_per_second": round(speed, 3)}


def upscale_files(
    found: Sequence[Job], upscaler: Upscaler, *, report: Path | None = None, progress: bool = True
) -> Iterator[Outcome]:
    """Enlarges the pictures one after the other. Of several, one that fails is told by its outcome, and the others go
    on; a single one raises. report: where to write the page that compares them."""
    comparisons: list[Comparison] = []
    with bar(progress) as show:
        for number, job in enumerate(found):
            name = f"{job.source.name} ({number + 1} of {len(found)})" if len(found) > 1 else job.source.name
            try:
                outcome, comparison = _enlarge(job, upscaler, report is not None, partial(show, name))
            except GanvasError as error:
                if len(found) == 1:
                    raise
                yield Outcome(str(job.source), str(job.target), error=str(error))
                continue
            if comparison is not None:
                comparisons.append(comparison)
            yield outcome
    if report is not None and comparisons:
        write_comparison(report, comparisons, f"{upscaler.model.name}, {_style(upscaler)}", ENLARGED)


def _enlarge(
    job: Job, upscaler: Upscaler, compared: bool, tick: Callable[[int, int], None]
) -> tuple[Outcome, Comparison | None]:
    try:
        photo = read_photo(job.source)
        check_size(*photo.pixels.shape[:2])
    except (DataError, UsageError) as error:
        raise DataError(f"{job.source} cannot be enlarged: {error}") from None
    pixels, scale = photo.pixels, upscaler.scale
    height, width = pixels.shape[0] * scale, pixels.shape[1] * scale
    piece = _Piece(photo, scale) if compared else None
    film = film_for(job.source, photo, job.target, height * width)
    frames = iter([pixels]) if film is None else film.frames()
    shape = (height, width, pixels.shape[2] if film is None else 4 if film.alpha else 3)
    done, seconds = 0, 0.0
    total = upscaler.tiles(pixels) * (1 if film is None else len(film.milliseconds))

    def one_more() -> None:
        nonlocal done
        done += 1
        tick(done, total)

    with Writer(job.target, shape, photo, film) as writer:
        strips = (strip for frame in frames for strip in upscaler.strips(frame, one_more))
        while True:
            began = time.perf_counter()
            strip = next(strips, None)
            seconds += time.perf_counter() - began
            if strip is None:
                break
            writer.add(strip)
            if piece is not None:
                piece.add(strip)
    notes = list(writer.notes)
    if film is None and photo.several:
        notes.insert(0, "only the first of its frames or pages")
    outcome = Outcome(str(job.source), str(job.target), width, height, round(seconds, 4), note="; ".join(notes))
    return outcome, None if piece is None else piece.comparison(job.source.name)


class _Piece:
    """The middle of a picture: before, by bicubic interpolation, and after, collected from the strips."""

    def __init__(self, photo: Photo, scale: int) -> None:
        self.scale, self.pixels = scale, photo.pixels
        height, width = photo.pixels.shape[:2]
        side = SHOWN // scale
        self.top, self.left = max(0, (height - side) // 2), max(0, (width - side) // 2)
        self.rows, self.columns = min(side, height), min(side, width)
        self._seen = 0
        self._after: list[np.ndarray] = []

    def add(self, strip: np.ndarray) -> None:
        first, last = self.top * self.scale - self._seen, (self.top + self.rows) * self.scale - self._seen
        columns = slice(self.left * self.scale, (self.left + self.columns) * self.scale)
        if last > 0 and first < len(strip):
            self._after.append(strip[max(0, first) : last, columns].copy())
        self._seen += len(strip)

    def comparison(self, name: str) -> Comparison:
        low = self.pixels[self.top : self.top + self.rows, self.left : self.left + self.columns]
        before = resized(low, (self.rows * self.scale, self.columns * self.scale))
        height, width = self.pixels.shape[:2]
        large = (height * self.scale, width * self.scale)
        return Comparison(name, (height, width), large, before, np.concatenate(self._after))


def _style(upscaler: Upscaler) -> str:
    style = upscaler.style
    return f"style {style:g}" if isinstance(style, float) else style or "its only weights"
