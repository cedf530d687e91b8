"""Waves: sounds as amplitudes in [-1, 1].

They are kept in 16 bits, written as WAV files, and shown as spectrograms: time goes right, frequency goes up by the mel
scale (O'Shaughnessy 1987, 2595 log10(1 + f / 700)), and colour is loudness, from silence to a sine of full amplitude.
"""

from __future__ import annotations

import io
import math
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ganvas.errors import DataError, UsageError
from ganvas.spaces.base import FREE, GAP, MOST_PLAYED, Space
from ganvas.spaces.pictures import sheet

if TYPE_CHECKING:
    import torch
    from torch import Tensor

BANDS, SLOTS, WIDTH = 64, 32, 96
"""Bands of frequency; moments that `look` tells apart; columns of a spectrogram at most."""

QUIET = -80.0
"""Decibels below a sine of full amplitude at which a spectrogram is as dark as in silence."""

SHORTEST = 64
"""Samples to which a shorter sound is filled up with silence before it is looked at or shown."""

RATES = (1_000, 384_000)
MOST_FRAMES = 1 << 26
"""Of a file that is read: 25 minutes at 44.1 kHz."""

_FULL, _WINDOW, _BLOCK = 32768, 0.05, 1 << 18
_PLAYED_BYTES = 1 << 20
_CROSSINGS, _ROLLOFF, _BETA, _TABLE = 24, 0.945, 9.0, 1 << 24
_COLOURS = ((8, 8, 24), (52, 22, 96), (128, 30, 118), (206, 60, 92), (246, 130, 62), (252, 208, 110), (255, 250, 220))
"""From quiet to loud; each is lighter than the one before."""


@dataclass(frozen=True)
class WaveSpace(Space):
    """Sounds of shape (channels, samples) with values in [-1, 1], `rate` of them a second."""

    kind = "waves"
    noun = "sounds"
    bounds = (-1, 1)
    suffix = ".wav"
    endings = (".wav", ".wave")
    media_type = "audio/wav"
    element = "audio"
    change = "audio-to-audio"
    few = 200
    rate: int
    samples: int
    channels: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if not RATES[0] <= self.rate <= RATES[1]:
            raise UsageError(f"a rate of {self.rate:,} Hz is not possible: it must be {RATES[0]:,} to {RATES[1]:,}")

    @property
    def shape(self) -> tuple[int, int]:
        return (self.channels, self.samples)

    def __str__(self) -> str:
        channels = {1: "mono", 2: "stereo"}.get(self.channels, f"{self.channels} channels")
        length = "any length" if self.samples == FREE else f"{self.samples / self.rate:.3g} s"
        return f"sounds of {length} at {self.rate:,} Hz, {channels}"

    def facts(self) -> dict[str, Any]:
        return {"rate": self.rate, "samples": self.samples, "channels": self.channels, "shape": self.shape}

    def options(self) -> dict[str, Any]:
        return {"rate": self.rate, "seconds": self.samples / self.rate}

    def matching(self, other: Space) -> str:
        if not isinstance(other, WaveSpace) or self.channels != other.channels:
            return ""
        return f"--rate {self.rate} --seconds {self.samples / self.rate:g}"

    # -- samples and what is kept of them -------------------------------------------------------------------------

    def stored(self) -> tuple[np.dtype[Any], tuple[int, ...]]:
        return np.dtype(np.int16), self.shape

    def decode(self, rows: np.ndarray, device: torch.device | str = "cpu") -> Tensor:
        """(B, channels, samples) int16 to float32 in [-1, 1). Rows travel in 16 bits and become floats where they
        arrive."""
        import torch

        if torch.device(device).type != "cpu":
            return self.samples_of(torch.from_numpy(rows).to(device, non_blocking=True))
        floats = rows.astype(np.float32)  # on one thread, as `ImageSpace.decode` does and for its reason
        floats *= 1 / _FULL
        return torch.from_numpy(floats)

    def encode(self, samples: Tensor) -> Tensor:
        """(B, channels, samples) in [-1, 1] in 16 bits, int16; values outside are clipped."""
        import torch

        return samples.detach().float().mul(_FULL).round().clamp(-_FULL, _FULL - 1).to(torch.int16).cpu()

    def samples_of(self, encoded: Tensor) -> Tensor:
        return encoded.float() / _FULL

    # -- looking and showing --------------------------------------------------------------------------------------

    def look(self, samples: Tensor) -> Tensor:
        """Loudness in units of 10 decibels: mean and deviation over time of each of 64 mel bands, then mean and
        deviation over the bands in each of 32 moments; (B, 192), or fewer for sounds that are very short."""
        import torch

        if not len(samples):  # which the transforms refuse
            return self.look(samples.new_zeros(1, *samples.shape[1:]))[:0]
        size = self._window(samples.shape[2])
        levels = self._levels(samples, size, size // 2) / 10
        slots = min(SLOTS, levels.shape[2])
        along = [levels.mean(1), levels.std(1, unbiased=False)]
        pooled = [torch.nn.functional.adaptive_avg_pool1d(each, slots) for each in along]
        return torch.cat([levels.mean(2), levels.std(2, unbiased=False), *pooled], dim=1)

    @property
    def tile(self) -> tuple[int, int]:
        return BANDS, _columns(self.samples)

    def show(self, samples: Tensor, columns: int | None = None, gap: int = GAP) -> Image.Image:
        """Spectrograms in a grid: 64 mel bands from the lowest (at the bottom) to the highest, time from left to right;
        loudness from -80 decibels to 0, which is a sine of full amplitude."""
        length = samples.shape[2]
        levels = self._levels(samples.detach().nan_to_num(), self._window(length), _hop(length))
        shares = (1 - levels[:, :, : _columns(length)] / QUIET).clamp(0, 1).flip(1).cpu().numpy()
        places = np.linspace(0, 1, len(_COLOURS))
        colours = [np.interp(shares, places, [colour[band] for colour in _COLOURS]) for band in range(3)]
        return sheet(np.stack(colours, axis=3).round().astype(np.uint8), columns, gap)

    def _window(self, length: int) -> int:
        """Samples in a window of about a twentieth of a second: a power of two, no longer than the sound."""
        longest = int(math.log2(max(length, SHORTEST)))
        return int(2 ** min(longest, round(math.log2(self.rate * _WINDOW))))

    def _levels(self, samples: Tensor, size: int, hop: int) -> Tensor:
        """(B, channels, samples) to decibels (B, bands, 1 + samples // hop) float32, at least QUIET. Some sounds at a
        time, because their spectra are much larger than they are."""
        import torch

        samples = torch.nn.functional.pad(samples.float(), (0, max(0, SHORTEST - samples.shape[2])))
        window = torch.hann_window(size, device=samples.device)
        full = (window.sum() / 2).square()  # the peak of an amplitude of 1
        bands = torch.from_numpy(mel_bands(self.rate, size)).to(samples.device)
        pieces = []
        for some in samples.split(max(1, _BLOCK // math.prod(samples.shape[1:]))):
            spectra = torch.stft(some.flatten(0, 1), size, hop, window=window, return_complex=True)
            power = torch.view_as_real(spectra).square().sum(3).unflatten(0, some.shape[:2]).mean(1) / full
            pieces.append((bands @ power).clamp(min=1e-20).log10().mul(10).clamp(min=QUIET))
        return torch.cat(pieces)

    # -- files ----------------------------------------------------------------------------------------------------

    def file(self, sample: Tensor) -> bytes:
        """A WAV file of 16 bits."""
        return self._file(self.encode(sample)[0].numpy())

    def played(self, samples: Tensor) -> list[bytes]:
        size = max(1, 2 * math.prod(samples.shape[1:]))
        return [self.file(one) for one in samples[: max(1, min(MOST_PLAYED, _PLAYED_BYTES // size))].split(1)]

    def played_again(self, content: bytes) -> bytes:
        if len(content) > 2 * _PLAYED_BYTES + 2 * math.prod(map(abs, self.shape)):
            raise DataError(f"this sound has {len(content):,} bytes, more than any that is played")
        sound = read_wave(content, self.rate, self.channels)
        return self._file((sound * _FULL).round().clip(-_FULL, _FULL - 1))

    def _file(self, numbers: np.ndarray) -> bytes:
        """(channels, samples), whole numbers of 16 bits."""
        buffer = io.BytesIO()
        with wave.open(buffer, "wb") as file:
            file.setnchannels(numbers.shape[0])
            file.setsampwidth(2)
            file.setframerate(self.rate)
            file.writeframes(np.ascontiguousarray(numbers.T).astype("<i2").tobytes())
        return buffer.getvalue()

    def size_of_file(self, content: bytes, most: int) -> int:
        """Amplitudes as they will be read, so that of a space with a length it is always that of one sample."""
        if self.samples != FREE:
            return self.channels * self.samples
        with _opened(content, self.channels) as file:
            size = self.channels * -(-file.getnframes() * self.rate // file.getframerate())
        if size > most:
            raise DataError(f"{size:,} amplitudes at {self.rate:,} Hz, and at most {most:,} are taken here")
        return size

    def read(self, content: bytes) -> Tensor:
        """A WAV file of 8, 16, 24 or 32 bits (PCM), brought to the space's rate and channels: several become one as
        their mean, one becomes several as it is. Where the space has a length, what is longer is cut off and silence
        follows what is shorter. Raises DataError for any other file, and for more than 67 million frames."""
        import torch

        length = None if self.samples == FREE else self.samples
        sound = read_wave(content, self.rate, self.channels, length)
        if length is not None:
            sound = np.pad(sound, ((0, 0), (0, length - sound.shape[1])))
        return torch.from_numpy(sound).unsqueeze(0)


def read_wave(content: bytes, rate: int, channels: int = 1, most: int | None = None) -> np.ndarray:
    """A WAV file of whole numbers (PCM, 8 to 32 bits) as (channels, samples) float32 in [-1, 1], at this rate.

    most: samples that are wanted; what comes later is not looked at. Several channels become one as their mean, and one
    becomes several as it is. Raises DataError, in one line, for any other file.
    """
    with _opened(content, channels) as file:
        own, width, given, frames = file.getparams()[:4]
        if most is not None:
            frames = min(frames, -(-(most + 1) * given // rate) + _reach(given, rate))
        if frames > MOST_FRAMES:
            raise DataError(f"this sound has {frames:,} samples, and {MOST_FRAMES:,} are read at most")
        read = file.readframes(frames)
    numbers = _numbers(read, width).reshape(frames, own).T
    if own > channels:
        numbers = numbers.mean(0, keepdims=True)
    brought = np.stack([resampled(each, given, rate)[:most] for each in numbers])
    return np.repeat(brought, channels // len(brought), axis=0)


@contextmanager
def _opened(content: bytes, channels: int) -> Iterator[wave.Wave_read]:
    """The file behind its header, which is as it must be for so many channels. Raises DataError, whatever the reader
    makes of a hostile file."""
    try:
        buffer = io.BytesIO(_plain(content))
        with wave.open(buffer, "rb") as file:
            own, width, given, frames = file.getparams()[:4]
            _check(own, width, given, channels)
            # A header may say anything: memory goes by what is there.
            if not 0 < frames * own * width <= len(content) - buffer.tell():
                raise DataError(f"this WAV file is cut short: it says {frames:,} frames, and they are not there")
            yield file
    except DataError:
        raise
    except Exception as error:  # Python's reader fails in several ways on a hostile file
        reason = " ".join(str(error).split())[:60] or "its parts do not fit together"
        raise DataError(f"this is no WAV file of whole numbers (PCM) that can be read ({reason})") from None


def _check(own: int, width: int, given: int, channels: int) -> None:
    """Raises DataError for what a WAV file can hold and is not read."""
    if not RATES[0] <= given <= RATES[1]:
        raise DataError(f"this sound has a rate of {given:,} Hz: {RATES[0]:,} to {RATES[1]:,} can be read")
    if not 1 <= width <= 4:
        raise DataError(f"this sound has numbers of {8 * width} bits: 8, 16, 24 and 32 can be read")
    if own != channels and 1 not in (own, channels):
        raise DataError(f"this sound has {own} channels, and {channels} are needed")


def _plain(content: bytes) -> bytes:
    """The file with its newer header (WAVE_FORMAT_EXTENSIBLE), which many programs write for 24 bits, said to be of the
    older kind, where it holds whole numbers: Python reads the newer one from 3.12 on."""
    extensible, whole = content[20:22] == b"\xfe\xff", content[44:46] == b"\x01\x00"
    if content[12:16] == b"fmt " and extensible and whole:
        return content[:20] + b"\x01\x00" + content[22:]
    return content


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


def _reach(given: int, rate: int) -> int:
    """Samples on each side of a place that say what is there."""
    return math.ceil(_CROSSINGS * max(1.0, given / rate))


def _hop(length: int) -> int:
    """Samples from one column of a spectrogram to the next."""
    return -(-max(length, SHORTEST) // WIDTH)


def _columns(length: int) -> int:
    return min(WIDTH, 1 + max(length, SHORTEST) // _hop(length))


@lru_cache(maxsize=16)
def mel_bands(rate: int, size: int) -> np.ndarray:
    """(64, size / 2 + 1) float32: how much of each frequency of a spectrum belongs to each band. Bands are triangles
    with a peak of 1 whose centres are evenly spread by the mel scale, each at least as wide as a frequency is."""
    centres = 700 * (10 ** (np.linspace(0, _mel(rate / 2), BANDS + 2) / 2595) - 1)
    frequencies = np.arange(size // 2 + 1) * rate / size
    below = np.maximum(np.diff(centres)[:-1], rate / size)
    above = np.maximum(np.diff(centres)[1:], rate / size)
    off = frequencies - centres[1:-1, None]
    shares = np.where(off < 0, 1 + off / below[:, None], 1 - off / above[:, None])
    bands: np.ndarray = shares.clip(0, 1).astype(np.float32)
    return bands


def _mel(frequency: float) -> float:
    return 2595 * math.log10(1 + frequency / 700)
