"""Sound files as numbers: WAV files of whole numbers by Python's own reader, all others (.flac, .ogg, .mp3, .aiff, and
WAV files of floats) by libsndfile, through the package soundfile.

A file is read from its beginning on, as much of it at a time as is wanted, so that its length costs no memory.
"""

from __future__ import annotations

import importlib
import io
import math
import wave
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import IO, Any, Protocol

import numpy as np

from ganvas.errors import DataError, needed

ENDINGS = (".wav", ".wave", ".flac", ".ogg", ".oga", ".mp3", ".aif", ".aiff")

RATES = (1_000, 384_000)
MOST_FRAMES = 1 << 26
"""Of a file that is read whole: 25 minutes at 44.1 kHz."""

_CROSSINGS, _ROLLOFF, _BETA, _TABLE, _BLOCK = 24, 0.945, 9.0, 1 << 24, 1 << 18
_MOST_PATCHED = 256 << 20
"""Bytes of a file that is held in memory to read its header otherwise."""


class SoundFile(Protocol):
    """An open file: `frames` by its header, each of `channels` numbers, `rate` of them a second."""

    rate: int
    channels: int
    frames: int

    def read(self, frames: int) -> np.ndarray:
        """The next ones, (channels, n) float32 in [-1, 1], n being less only where the file ends."""


@contextmanager
def opened(file: IO[bytes]) -> Iterator[SoundFile]:
    """The file behind its header, which is sane. Raises DataError, in one line, whatever a reader makes of a hostile
    file, also while it is read in the context."""
    with ExitStack() as stack:
        try:
            head = file.read(64)
            file.seek(0)
            sound = _Other(file, stack) if _is_other(head) else _whole_numbers(file, head, stack)
            if not RATES[0] <= sound.rate <= RATES[1]:
                raise DataError(f"this sound has a rate of {sound.rate:,} Hz: {RATES[0]:,} to {RATES[1]:,} can be read")
            yield sound
        except DataError:
            raise
        except Exception as error:  # readers fail in several ways on a hostile file
            raise DataError(f"this is no sound file that can be read ({_told(error)})") from None


def read_sound(content: bytes, rate: int, channels: int = 1, most: int | None = None) -> np.ndarray:
    """A sound file as (channels, samples) float32, at this rate.

    most: samples that are wanted; what comes later is not looked at. Several channels become one as their mean, and one
    becomes several as it is. Raises DataError, in one line, for any other file.
    """
    with opened(io.BytesIO(content)) as sound:
        return beginning(sound, rate, channels, most)


def size_of(content: bytes, rate: int, channels: int) -> int:
    """Amplitudes that the file has at this rate, by its header: of all of its channels where one is needed, since each
    can be taken by itself. Raises DataError as `read_sound` does."""
    with opened(io.BytesIO(content)) as sound:
        _check_channels(sound, channels)
        return max(channels, sound.channels) * -(-sound.frames * rate // sound.rate)


def beginning(sound: SoundFile, rate: int, channels: int, most: int | None) -> np.ndarray:
    """(channels, samples): the first `most` samples at this rate, or all. Raises DataError for more than 67 million."""
    _check_channels(sound, channels)
    frames = sound.frames
    if most is not None:
        frames = min(frames, -(-(most + 1) * sound.rate // rate) + _reach(sound.rate, rate))
    if frames > MOST_FRAMES:
        raise DataError(f"this sound has {frames:,} samples, and {MOST_FRAMES:,} are read at most")
    numbers = mixed(sound.read(frames), channels)
    brought = np.stack([resampled(each, sound.rate, rate)[:most] for each in numbers])
    return np.repeat(brought, channels // len(brought), axis=0)


def pieces(sound: SoundFile, rate: int, channels: int, length: int) -> Iterator[np.ndarray]:
    """All of the sound at this rate, as (channels, length) one after the other; the last one may be shorter. Together
    they are what `beginning` makes of the whole, and only some seconds are in memory at a time."""
    _check_channels(sound, channels)
    common = math.gcd(sound.rate, rate)
    up, down = rate // common, sound.rate // common
    # A block ends and its margins begin where a sample of one rate falls on one of the other.
    margin = -(-_reach(sound.rate, rate) // down) * down
    block = max(1, _BLOCK // down) * down
    held = np.zeros((1, margin), np.float32)
    ready = np.zeros((1, 0), np.float32)
    ended = False
    while not ended:
        read = mixed(sound.read(block), channels)
        ended = read.shape[1] < block
        if len(held) < len(read):
            held, ready = (np.repeat(each, len(read), axis=0) for each in (held, ready))
        held = np.concatenate([held, read, np.zeros((len(held), margin), np.float32)[:, : margin * ended]], axis=1)
        inner = max(0, held.shape[1] - 2 * margin)
        if not ended:
            inner = inner // down * down
        made = np.stack([resampled(each[: inner + 2 * margin], sound.rate, rate) for each in held])
        first = margin // down * up
        ready = np.concatenate([ready, made[:, first : first + -(-inner * up // down)]], axis=1)
        held = held[:, inner:]
        while ready.shape[1] >= length or (ended and ready.shape[1]):
            yield np.repeat(ready[:, :length], channels // len(ready), axis=0)
            ready = ready[:, length:]


def mixed(numbers: np.ndarray, channels: int) -> np.ndarray:
    """Several channels as one, their mean, where so many are not wanted."""
    return numbers.mean(0, keepdims=True) if len(numbers) > channels else numbers


def resampled(signal: np.ndarray, given: int, rate: int) -> np.ndarray:
    """(N,) float32 at one rate to (ceil(N * rate / given),) at another: a sinc under a Kaiser window (Smith and Gossett
    1984), which leaves what is below 0.9 of the lower rate's half, and takes what is above it away by 80 dB.

    Raises DataError for two rates whose ratio has no small numbers.
    """
    if given == rate:
        return signal
    common = math.gcd(given, rate)
    up, down = rate // common, given // common
    reach = _reach(given, rate)
    if up * 2 * reach > _TABLE:
        raise DataError(f"{given:,} Hz cannot be brought to {rate:,} Hz: their ratio has no small numbers")
    # Of each phase, that is place between two samples, the weights of the samples around it.
    cut = _ROLLOFF * min(1.0, rate / given)
    away = np.arange(1 - reach, reach + 1)[None] - np.arange(up)[:, None] / up
    weights = cut * np.sinc(cut * away) * np.i0(_BETA * np.sqrt(np.clip(1 - (away / reach) ** 2, 0, 1))) / np.i0(_BETA)
    weights = weights.astype(np.float32)
    around = np.lib.stride_tricks.sliding_window_view(np.pad(signal, (reach - 1, reach)), 2 * reach)
    places = np.arange(-(-len(signal) * up // down)) * down
    made = np.empty(len(places), np.float32)
    step = max(1, _BLOCK // (2 * reach))
    for start in range(0, len(places), step):
        whole, phase = np.divmod(places[start : start + step], up)
        made[start : start + step] = np.einsum("nt,nt->n", around[whole], weights[phase])
    return made


def as_flac(numbers: np.ndarray, rate: int) -> bytes:
    """(channels, samples) int16 as a FLAC file. Raises UsageError where the package soundfile is not there."""
    buffer = io.BytesIO()
    needed("soundfile", "sound").write(buffer, numbers.T, rate, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()


class _WholeNumbers:
    """A WAV file of whole numbers (PCM, 8 to 32 bits)."""

    def __init__(self, file: wave.Wave_read) -> None:
        self.channels, self._width, self.rate, self.frames = file.getparams()[:4]
        self._file, self._left = file, self.frames

    def read(self, frames: int) -> np.ndarray:
        frames = min(frames, self._left)
        self._left -= frames
        return _numbers(self._file.readframes(frames), self._width).reshape(frames, self.channels).T


class _Other:
    """A file that libsndfile reads."""

    def __init__(self, file: IO[bytes], stack: ExitStack) -> None:
        module = _soundfile()
        if module is None:
            raise DataError('this sound needs the package soundfile: pip install "ganvas[sound]"')
        self._file = stack.enter_context(module.SoundFile(file))
        self.rate, self.channels, self.frames = self._file.samplerate, self._file.channels, max(0, self._file.frames)
        self._left = self.frames
        if not self.frames:
            raise DataError("this sound has no samples")

    def read(self, frames: int) -> np.ndarray:
        """Amplitudes beyond 1, which some formats can hold, are as they are."""
        read = self._file.read(min(frames, self._left), dtype="float32", always_2d=True)
        self._left -= len(read)
        numbers: np.ndarray = np.nan_to_num(read.T, nan=0.0, posinf=0.0, neginf=0.0)
        return numbers


def _whole_numbers(file: IO[bytes], head: bytes, stack: ExitStack) -> SoundFile:
    """By Python's reader, or by libsndfile where the file holds other than whole numbers and that is there."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    plain = _plain(file, head, size)
    try:
        read = stack.enter_context(wave.open(plain, "rb"))  # noqa: SIM115 (closed with the stack)
    except wave.Error as error:
        if "unknown format" in str(error) and _soundfile() is not None:
            file.seek(0)
            return _Other(file, stack)
        raise DataError(f"this is no WAV file of whole numbers (PCM) that can be read ({_told(error)})") from None
    except Exception as error:
        raise DataError(f"this is no WAV file of whole numbers (PCM) that can be read ({_told(error)})") from None
    own, width, _, frames = read.getparams()[:4]
    if not 1 <= width <= 4:
        raise DataError(f"this sound has numbers of {8 * width} bits: 8, 16, 24 and 32 can be read")
    # A header may say anything: memory goes by what is there.
    if not 0 < frames * own * width <= size - plain.tell():
        raise DataError(f"this WAV file is cut short: it says {frames:,} frames, and they are not there")
    return _WholeNumbers(read)


def _soundfile() -> Any:
    """The package, or None where it is not there, or cannot be used."""
    try:
        return importlib.import_module("soundfile")
    except (ImportError, OSError):  # the latter where it comes without its library
        return None


def _is_other(head: bytes) -> bool:
    """Whether a file begins as one that is no WAV file does."""
    mp3 = head[:3] == b"ID3" or (head[:1] == b"\xff" and head[1:2] >= b"\xe0")
    return mp3 or head[:4] in (b"fLaC", b"OggS", b"FORM", b"RF64")


def _check_channels(sound: SoundFile, channels: int) -> None:
    if sound.channels != channels and 1 not in (sound.channels, channels):
        raise DataError(f"this sound has {sound.channels} channels, and {channels} are needed")


def _told(error: Exception) -> str:
    return " ".join(str(error).split())[:60] or "its parts do not fit together"


def _plain(file: IO[bytes], head: bytes, size: int) -> IO[bytes]:
    """The file with its newer header (WAVE_FORMAT_EXTENSIBLE), which many programs write for 24 bits, said to be of the
    older kind, where it holds whole numbers: Python reads the newer one from 3.12 on."""
    extensible, whole = head[20:22] == b"\xfe\xff", head[44:46] == b"\x01\x00"
    if head[12:16] == b"fmt " and extensible and whole and size <= _MOST_PATCHED:
        content = file.read()
        return io.BytesIO(content[:20] + b"\x01\x00" + content[22:])
    return file


def _numbers(content: bytes, width: int) -> np.ndarray:
    """Whole numbers of so many bytes as float32 in [-1, 1)."""
    raw = np.frombuffer(content, np.uint8)
    if width == 1:  # which WAV files keep without a sign
        return (raw.astype(np.float32) - 128) / 128
    if width == 3:  # as the upper three of four bytes
        wide = np.zeros((len(raw) // 3, 4), np.uint8)
        wide[:, 1:] = raw.reshape(-1, 3)
        return wide.reshape(-1).view("<i4").astype(np.float32) / 2**31
    return raw.view(f"<i{width}").astype(np.float32) / float(1 << 8 * width - 1)


def _reach(given: int, rate: int) -> int:
    """Samples on each side of a place that say what is there."""
    return math.ceil(_CROSSINGS * max(1.0, given / rate))
