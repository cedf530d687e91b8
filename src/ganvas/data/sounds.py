"""Sound files as items of one rate and one length: whole ones, their beginnings, or pieces of them."""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import IO, Literal

import numpy as np

from ganvas.data.decode import MAX_BYTES, reason
from ganvas.data.image_files import Files
from ganvas.errors import DataError
from ganvas.spaces import SoundFile, WaveSpace, beginning, opened, pieces
from ganvas.text import counted, shown

Crops = Literal["start", "pieces", "random"]
Loudness = Literal["kept", "peak"]

STEP = 1024
"""The length that the data decides is a multiple of so many samples."""

LONG, PIECE = 65_536, 16_384
"""Samples beyond which sounds are too long to be made whole, and of the pieces that are then taken of them."""

SILENCE, PEAK = 1e-3, 0.9
"""The largest amplitude of what counts as silence, and that of every sound whose loudness is brought to its peak."""

_LOOKED_AT = 500  # headers read to decide on a rate and a length
_WHOLE = 0.95  # share of the sounds that are not cut


@dataclass(frozen=True)
class Item:
    """file: the name of its file, which is its own unless the file has several. sound: (channels, samples) int16, at
    most as many samples as are kept; None where it cannot be used, for `reason`."""

    name: str
    file: str
    sound: np.ndarray | None
    digest: bytes = b""
    reason: str = ""


class Sounds:
    """What becomes of the sound files of a source.

    space: of one sound. kept: of what is kept of it: of sounds that begin anywhere, twice as many samples. crops: what
    is taken of longer ones. Raises DataError where no header can be read.
    """

    def __init__(
        self,
        files: Files,
        names: Sequence[str],
        *,
        rate: int | None,
        seconds: float | None,
        crops: Crops | None,
        loudness: Loudness | None,
    ) -> None:
        self._files, self._names, self._loudness = files, names, loudness
        found = [] if rate and seconds else self._headers()
        rate = rate or Counter(each for each, _ in found).most_common(1)[0][0]
        self._notes: list[str] = []
        if seconds is not None:
            samples = max(1, round(seconds * rate))
        else:
            lengths = np.sort([length for _, length in found])
            usual = float(lengths[min(len(lengths) - 1, int(_WHOLE * len(lengths)))])
            samples = max(1, -(-int(np.ceil(usual * rate)) // STEP)) * STEP
            if samples > LONG:
                samples, crops = PIECE, crops or "pieces"
                half = float(lengths[len(lengths) // 2])
                self._notes.append(
                    f"half of the sounds are longer than {half:.3g} s, so pieces of {samples / rate:.3g} s are taken "
                    "of them; --seconds chooses their length"
                )
        self.crops: Crops = crops or "start"
        self.space = WaveSpace(rate, samples)
        self.kept = replace(self.space, samples=2 * samples) if self.crops == "random" else self.space
        self._rates, self._cut, self._silent = Counter[int](), 0, 0

    def items(self) -> Iterator[Item]:
        for name, opener in self._files.container.files(set(self._names)):
            try:
                with opener() as file:
                    yield from self._of_file(name, file)
            except Exception as error:  # whatever an archive's reader makes of hostile bytes
                yield Item(name, name, None, reason=_why(error))

    def notes(self) -> list[str]:
        """What is to be said when all items are read."""
        space, notes = self.space, list(self._notes)
        if others := sorted(self._rates.keys() - {space.rate}):
            told = ", ".join(f"{rate:,} Hz" for rate in others[:3]) + (" ..." if len(others) > 3 else "")
            count = self._rates.total() - self._rates[space.rate]
            notes.append(f"{counted(count, 'sound')} of {told} brought to {space.rate:,} Hz")
        if self._cut:
            notes.append(f"{counted(self._cut, 'sound')} longer than {space.samples / space.rate:.3g} s cut off")
        if self._silent:
            notes.append(f"{counted(self._silent, 'piece')} left out, silence")
        return notes

    def _of_file(self, name: str, file: IO[bytes]) -> Iterator[Item]:
        content = file.read(MAX_BYTES + 1)
        small = len(content) <= MAX_BYTES
        if not small:  # read where it lies, some seconds at a time
            file.seek(0)
        with opened(io.BytesIO(content) if small else file) as sound:
            self._rates[sound.rate] += 1
            if self.crops == "start":
                yield self._start(name, sound, hashlib.sha256(content).digest() if small else b"")
                return
            place = said = 0
            for place, piece in enumerate(self._pieces(sound)):
                kept = self._levelled(piece)
                if kept is None:
                    self._silent += 1
                    continue
                said += 1
                own = name if not place else f"{name}#{place}"
                yield Item(own, name, kept, hashlib.sha256(kept.tobytes()).digest())
            if not said:
                self._silent -= place + 1
                yield Item(name, name, None, reason="silence")

    def _start(self, name: str, sound: SoundFile, digest: bytes) -> Item:
        samples = self.space.samples
        read = beginning(sound, self.space.rate, self.space.channels, samples + 1)
        kept = self._levelled(read[:, :samples])
        self._cut += read.shape[1] > samples
        if kept is None:
            return Item(name, name, None, reason="silence")
        return Item(name, name, kept, digest or hashlib.sha256(kept.tobytes()).digest())

    def _pieces(self, sound: SoundFile) -> Iterator[np.ndarray]:
        """Each of `space.samples`, or with `random` each that and the next one; what is left at the end is left out
        where it is less than half a piece, and not all."""
        before: np.ndarray | None = None
        alone, joined = True, self.crops == "random"
        for piece in pieces(sound, self.space.rate, self.space.channels, self.space.samples):
            if before is not None:
                alone = False
                yield np.concatenate([before, piece], axis=1) if joined else before
            before = piece
        if before is not None and (alone or (not joined and 2 * before.shape[1] >= self.space.samples)):
            yield before

    def _levelled(self, sound: np.ndarray) -> np.ndarray | None:
        """(channels, n) int16 in range, or None of silence. What is louder than can be kept is made quieter as a
        whole."""
        if self._loudness == "peak":
            sound = sound - sound.mean(axis=1, keepdims=True)
        peak = float(np.abs(sound).max(initial=0))
        if peak < SILENCE:
            return None
        if self._loudness == "peak":
            sound = sound * (PEAK / peak)
        elif peak > 1:
            sound = sound / peak
        kept: np.ndarray = (sound * 32768).round().clip(-32768, 32767).astype(np.int16)
        return kept

    def _headers(self) -> list[tuple[int, float]]:
        """Rate and seconds of up to 500 files. Raises DataError where none can be read."""
        found: list[tuple[int, float]] = []
        fault = ""
        some = set(self._names[:: max(1, len(self._names) // _LOOKED_AT)])
        for name, opener in self._files.container.files(some):
            try:
                with opener() as file, opened(file) as sound:
                    found.append((sound.rate, sound.frames / sound.rate))
            except Exception as error:  # as in `items`
                fault = fault or f"{shown(name)}: {_why(error)}"
        if not found:
            raise DataError(f"no sound in {shown(str(self._files.container.path))} can be read ({fault})")
        return found


def _why(error: Exception) -> str:
    return str(error) if isinstance(error, DataError) else reason(error)
