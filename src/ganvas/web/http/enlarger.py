"""Pictures that are sent are enlarged one after the other, by the code of `ganvas upscale`, beside the sampling.

What a file claims is looked at before it is queued, and only PNG, JPEG and WebP are opened, whose header gives the true
size: other formats can hold a second picture that is larger than they say. The result is written strip by strip into a
file without a name, so that neither a large picture nor a slow reader takes memory.
"""

from __future__ import annotations

import io
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image

from ganvas.data.decode import Damaged, quiet, reason
from ganvas.errors import UsageError
from ganvas.upscaling import Upscaler, Writer, check_holds, check_size, photo_of
from ganvas.web.http.batching import Full, settle
from ganvas.web.http.fair_lock import FairLock

READ = ("PNG", "JPEG", "WEBP")
WRITTEN = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}
TILE = 128
"""Side of a tile where sampling takes turns with enlarging: a small one keeps nobody waiting for long."""


@dataclass
class _Job:
    content: bytes
    kind: str
    pixels: int
    future: Future[IO[bytes]]


class Enlarger:
    """The queue of pictures and the thread that empties it. most_waiting: pictures in the queue, that in work included.
    most_pixels: of a picture that is sent. turns: shared with whoever else computes. on_picture: called with the
    pixels of each result and the seconds it took.
    """

    def __init__(
        self,
        upscaler: Upscaler,
        *,
        most_waiting: int,
        most_pixels: int,
        turns: FairLock | None = None,
        on_picture: Callable[[int, float], None] = lambda pixels, seconds: None,
    ) -> None:
        self.upscaler, self.most_waiting, self.most_pixels = upscaler, most_waiting, most_pixels
        self.on_picture = on_picture
        Image.init()  # without which Pillow does not know all of `READ`
        self._turns = turns or FairLock()
        self._rate = 1e-5  # seconds for a pixel that is sent, a running mean; before the first picture a guess
        self._jobs: deque[_Job] = deque()
        self._working: _Job | None = None
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="ganvas-enlarger", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        return len(self._jobs) + (self._working is not None)

    def submit(self, content: bytes, kind: str) -> Future[IO[bytes]]:
        """The enlarged picture as an open file of format `kind`, a key of `WRITTEN`, to be closed by who takes it. A
        future that is cancelled stops the work at the next tile.

        Raises Full, and UsageError for what cannot be enlarged. The future's error is UsageError too where only
        decoding shows what is wrong.
        """
        self.check_room()
        height, width = self._measured(content)
        scale = self.upscaler.scale
        check_holds(kind.upper(), (height * scale, width * scale, 3), "format")
        job = _Job(content, kind, height * width, Future())
        with self._changed:
            if self._closed:
                raise RuntimeError("the server is closing")
            self.check_room()
            self._jobs.append(job)
            self._changed.notify()
        return job.future

    def check_room(self) -> None:
        """Raises Full where no more pictures may wait."""
        jobs = [job for job in (self._working, *list(self._jobs)) if job is not None]
        if len(jobs) >= self.most_waiting:
            raise Full(f"{len(jobs)} pictures are waiting already", self._rate * sum(job.pixels for job in jobs))

    def close(self) -> None:
        """Finishes what was let in, then ends the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _measured(self, content: bytes) -> tuple[int, int]:
        """(height, width), from the header alone. Raises UsageError for what is not to be decoded."""
        try:
            with quiet(), Image.open(io.BytesIO(content), formats=READ) as image:
                width, height = image.size
                # A JPEG with a preview behind it, as many phones write them, is one picture all the same.
                frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
        except Exception as error:  # whatever a hostile file makes the reader raise
            raise UsageError(f"image: {reason(error)}; PNG, JPEG and WebP are taken") from None
        if height * width > self.most_pixels:
            told = f"{width:,} x {height:,} pixels, and this server takes at most {self.most_pixels:,} in all"
            raise UsageError(f"image: {told}")
        if frames > 1:
            raise UsageError(f"image: it holds {frames:,} pictures; send one")
        try:
            check_size(height, width)
        except UsageError as error:
            raise UsageError(f"image: {error}") from None
        return height, width

    def _work(self) -> None:
        while True:
            with self._changed:
                self._working = None
                while not self._jobs and not self._closed:
                    self._changed.wait()
                if not self._jobs:
                    return
                job = self._working = self._jobs.popleft()
            if job.future.cancelled():
                continue
            began = time.perf_counter()
            try:
                made = self._enlarged(job)
            except _Gone:
                continue
            except Exception as error:
                settle(job.future, error)
                continue
            seconds = time.perf_counter() - began
            self._rate = 0.7 * self._rate + 0.3 * seconds / job.pixels
            self.on_picture(job.pixels * self.upscaler.scale**2, seconds)
            if not settle(job.future, made):
                made.close()

    def _enlarged(self, job: _Job) -> IO[bytes]:
        try:
            photo = photo_of(job.content, READ)
        except Damaged as error:
            raise UsageError(f"image: {error}") from None
        scale = self.upscaler.scale
        height, width, channels = photo.pixels.shape
        shape = (height * scale, width * scale, channels)
        check_holds(job.kind.upper(), shape, "format")
        with tempfile.TemporaryDirectory(prefix="ganvas-") as folder:
            path = Path(folder) / f"enlarged.{job.kind}"
            with Writer(path, shape, photo) as writer:
                for strip in self._strips(photo.pixels, job.future):
                    writer.add(strip)
            return path.open("rb")  # which outlives its name

    def _strips(self, pixels: np.ndarray, future: Future[IO[bytes]]) -> Iterator[np.ndarray]:
        """Computed in turns, tile by tile; nobody waits for what is done with the strips."""

        def between_tiles() -> None:
            if future.cancelled():
                raise _Gone
            self._turns.pass_on()

        strips = self.upscaler.strips(pixels, between_tiles)
        while True:
            with self._turns:
                strip = next(strips, None)
            if strip is None:
                return
            yield strip


class _Gone(Exception):
    """Nobody waits for the picture any more."""
