"""What is sent is changed by the model, as `Model.transform` does it, and comes back as a file.

A file's header is looked at before it is queued. The answer is written into a file
without a name, so that a slow reader takes no memory.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import IO, Any

from ganvas.errors import DataError, UsageError
from ganvas.model import Model
from ganvas.web.http.uploads import Turn, Uploads


class Transformer:
    """What `/v1/transform` asks. most_pixels: of each file that is sent, or amplitudes. on_done: called with each
    one's seconds."""

    def __init__(
        self,
        model: Model,
        uploads: Uploads,
        *,
        most_pixels: int,
        on_done: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        self.model, self.uploads, self.most_pixels, self.on_done = model, uploads, most_pixels, on_done

    def submit(self, given: Mapping[str, Any], seed: int, truncation: float | None) -> Future[IO[bytes]]:
        """What the model makes of the given, as an open file such as its space writes. given: by the name of the input,
        the content of a file or text. A future that is cancelled stops the work at the next tile.

        Raises Full, and UsageError; the future's error is UsageError too where only decoding shows what is wrong.
        """
        self.uploads.check_room()
        size = 0
        for name, value in given.items():
            if isinstance(value, bytes):
                size += self._size(name, value)
            else:
                self.model.parsed(name, value)  # what is wrong with it is said at once
        return self.uploads.submit(size, lambda turn: self._changed(given, seed, truncation, turn), self.on_done)

    def _size(self, name: str, content: bytes) -> int:
        try:
            return self.model.given[name].space.size_of_file(content, self.most_pixels)
        except DataError as error:
            raise UsageError(f"{name}: {error}") from None

    def _changed(self, given: Mapping[str, Any], seed: int, truncation: float | None, turn: Turn) -> IO[bytes]:
        first = next(iter(self.model.given))
        values = self.model.checked(1, given, truncation)  # decoded before anybody waits for it
        others = {name: value for name, value in values.items() if name != first}
        with turn:
            made = self.model.transform(values[first], seed=seed, truncation=truncation, tick=turn.hand_on, **others)
        content = self.model.space.file(made)
        file: IO[bytes] = tempfile.TemporaryFile(prefix="ganvas-")  # noqa: SIM115  # who takes it closes it
        file.write(content)
        return file
