"""Pictures that are sent are enlarged by the code of `ganvas upscale`.

What a file claims is looked at before it is queued, and only PNG, JPEG and WebP are opened, whose header gives the true
size: other formats can hold a second picture that is larger than they say. The result is written strip by strip into a
file without a name, so that neither a large picture nor a slow reader takes memory.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import IO

from PIL import Image

from ganvas.data.decode import Damaged, quiet, reason
from ganvas.errors import UsageError
from ganvas.photos import Writer, check_holds, photo_of
from ganvas.upscaling import Upscaler, check_size
from ganvas.web.http.uploads import Turn, Uploads, in_turns

READ = ("PNG", "JPEG", "WEBP")
WRITTEN = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}
TILE = 128
"""Side of a tile where sampling takes turns with enlarging: a small one keeps nobody waiting for long."""


class Enlarger:
    """What `/v1/upscale` asks. most_pixels: of a picture that is sent. on_picture: called with the pixels of each
    result and the seconds it took."""

    def __init__(
        self,
        upscaler: Upscaler,
        uploads: Uploads,
        *,
        most_pixels: int,
        on_picture: Callable[[int, float], None] = lambda pixels, seconds: None,
    ) -> None:
        self.upscaler, self.uploads, self.most_pixels = upscaler, uploads, most_pixels
        self.on_picture = on_picture

    def submit(self, content: bytes, kind: str) -> Future[IO[bytes]]:
        """The enlarged picture as an open file of format `kind`, a key of `WRITTEN`, to be closed by who takes it. A
        future that is cancelled stops the work at the next tile.

        Raises Full, and UsageError for what cannot be enlarged. The future's error is UsageError too where only
        decoding shows what is wrong.
        """
        self.uploads.check_room()
        height, width = measured("image", content, self.most_pixels)
        try:
            check_size(height, width)
        except UsageError as error:
            raise UsageError(f"image: {error}") from None
        scale = self.upscaler.scale
        check_holds(kind.upper(), (height * scale, width * scale, 3), "format")
        return self.uploads.submit(
            height * width,
            lambda turn: self._enlarged(content, kind, turn),
            lambda seconds: self.on_picture(height * width * scale**2, seconds),
        )

    def _enlarged(self, content: bytes, kind: str, turn: Turn) -> IO[bytes]:
        try:
            photo = photo_of(content, READ)
        except Damaged as error:
            raise UsageError(f"image: {error}") from None
        scale = self.upscaler.scale
        height, width, channels = photo.pixels.shape
        shape = (height * scale, width * scale, channels)
        check_holds(kind.upper(), shape, "format")
        with tempfile.TemporaryDirectory(prefix="ganvas-") as folder:
            path = Path(folder) / f"enlarged.{kind}"
            with Writer(path, shape, photo) as writer:
                for strip in in_turns(self.upscaler.strips(photo.pixels, turn.hand_on), turn):
                    writer.add(strip)
            return path.open("rb")  # which outlives its name


def measured(name: str, content: bytes, most_pixels: int) -> tuple[int, int]:
    """(height, width) of a picture, from its header alone. Raises UsageError, beginning with `name`, for what is not to
    be decoded."""
    Image.init()  # without which Pillow does not know all of `READ`
    try:
        with quiet(), Image.open(io.BytesIO(content), formats=READ) as image:
            width, height = image.size
            # A JPEG with a preview behind it, as many phones write them, is one picture all the same.
            frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
    except Exception as error:  # whatever a hostile file makes the reader raise
        raise UsageError(f"{name}: {reason(error)}; PNG, JPEG and WebP are taken") from None
    if height * width > most_pixels:
        told = f"{width:,} x {height:,} pixels, and this server takes at most {most_pixels:,} in all"
        raise UsageError(f"{name}: {told}")
    if frames > 1:
        raise UsageError(f"{name}: it holds {frames:,} pictures; send one")
    return height, width
