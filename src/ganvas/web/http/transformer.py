"""What is sent is changed by the model, and comes back as a file: a photo as `ganvas translate` does it, with all that
belongs to it, and whatever else as `Model.transform` does.

A file's header is looked at before it is queued. The answer is written into a file without a name, so that a slow
reader takes no memory.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import IO, Any

from ganvas.data.decode import Damaged
from ganvas.errors import DataError, UsageError
from ganvas.model import Model, PhotoTranslator, takes_photos
from ganvas.photos import Writer, check_holds, photo_of
from ganvas.web.http.uploads import Turn, Uploads, in_turns

READ = ("PNG", "JPEG", "WEBP", "BMP", "GIF")
"""Formats whose header gives the true size."""

SIZES = {"photo": "as large as the photo", "training": "as in training", "own": "seen by the network as it is"}


class Transformer:
    """What `/v1/transform` asks. photos: whether it makes photos of photos of any size. most_pixels: of each file that
    is sent, or amplitudes. on_done: called with each one's seconds."""

    def __init__(
        self,
        model: Model,
        uploads: Uploads,
        *,
        most_pixels: int,
        on_done: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        self.model, self.uploads, self.most_pixels, self.on_done = model, uploads, most_pixels, on_done
        self.photos = takes_photos(model)

    def submit(
        self,
        given: Mapping[str, Any],
        seed: int,
        truncation: float | None,
        format: str = "png",
        size: Any = "photo",
    ) -> Future[IO[bytes]]:
        """What the model makes of the given, as an open file such as its space writes. given: by the name of the input,
        the content of a file or text. format, size: of photos, a key of `WRITTEN` and one of `SIZES`. A future that is
        cancelled stops the work at the next tile.

        Raises Full, and UsageError; the future's error is UsageError too where only decoding shows what is wrong.
        """
        self.uploads.check_room()
        work = 0
        for name, value in given.items():
            if isinstance(value, bytes):
                work += self._size(name, value)
            else:
                self.model.parsed(name, value)  # what is wrong with it is said at once
        if self.photos:
            return self.uploads.submit(
                work, lambda turn: self._photo(given, seed, truncation, format, size, turn), self.on_done
            )
        return self.uploads.submit(work, lambda turn: self._changed(given, seed, truncation, turn), self.on_done)

    def _size(self, name: str, content: bytes) -> int:
        try:
            return self.model.given[name].space.size_of_file(content, self.most_pixels)
        except DataError as error:
            raise UsageError(f"{name}: {error}") from None

    def _photo(
        self, given: Mapping[str, Any], seed: int, truncation: float | None, format: str, size: Any, turn: Turn
    ) -> IO[bytes]:
        first = next(iter(self.model.given))
        try:
            photo = photo_of(given[first], READ).upright()
        except Damaged as error:
            raise UsageError(f"{first}: {error}") from None
        others = {name: value for name, value in given.items() if name != first}
        chosen = PhotoTranslator(self.model, size=size, seed=seed, truncation=truncation, given=others)
        shape = chosen.shape(*photo.pixels.shape)
        check_holds(format.upper(), shape, "format")
        with tempfile.TemporaryDirectory(prefix="ganvas-") as folder:
            path = Path(folder) / f"made.{format}"
            with Writer(path, shape, photo) as writer:
                for strip in in_turns(chosen.strips(photo.pixels, turn.hand_on), turn):
                    writer.add(strip)
            return path.open("rb")  # which outlives its name

    def _changed(self, given: Mapping[str, Any], seed: int, truncation: float | None, turn: Turn) -> IO[bytes]:
        first, each = next(iter(self.model.given.items()))
        try:
            layers = each.space.layers(given[first])  # decoded before anybody waits for it
        except DataError as error:
            raise UsageError(f"{first}: {error}") from None
        values = self.model.checked(len(layers), {**given, first: layers}, truncation)
        others = {name: value for name, value in values.items() if name != first}
        with turn:
            made = self.model.transform(values[first], seed=seed, truncation=truncation, tick=turn.hand_on, **others)
        content = self.model.space.file(self.model.space.joined(made))
        file: IO[bytes] = tempfile.TemporaryFile(prefix="ganvas-")  # noqa: SIM115  # who takes it closes it
        file.write(content)
        return file
