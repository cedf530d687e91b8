"""Waves: sounds as amplitudes in [-1, 1].

They are kept in 16 bits, written as WAV files, and shown as spectrograms: time goes right, frequency goes up by the mel
scale (O'Shaughnessy 1987, 2595 log10(1 + f / 700)), and colour is loudness, from silence to a sine of full amplitude.
"""

from __future__ import annotations

import io
import math
import wave
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ganvas.devices import sent
from ganvas.errors import DataError, UsageError
from ganvas.spaces.base import FREE, GAP, MOST_PLAYED, Space
from ganvas.spaces.pictures import sheet
from ganvas.spaces.sound_files import ENDINGS, RATES, as_flac, opened, read_sound, size_of

if TYPE_CHECKING:
    import torch
    from torch import Tensor

BANDS, SLOTS, WIDTH, LONG_WIDTH = 64, 32, 96, 384
"""Bands of frequency; moments that `look` tells apart; columns of a spectrogram at most, and of that of a sound
which is longer than the space's own."""

QUIET = -80.0
"""Decibels below a sine of full amplitude at which a spectrogram is as dark as in silence."""

LOWEST, HIGHEST = 60, 500
"""Hertz of a pitch."""

DITHER = 0.003
"""Amplitude of the noise that a judge hears in all sounds."""

INAUDIBLE = 1e-4
"""Amplitude up to which all of a sound counts as silence."""

SHORTEST = 64
"""Samples to which a shorter sound is filled up with silence before it is looked at or shown."""

_FULL, _WINDOW, _BLOCK = 32768, 0.05, 1 << 18
_PLAYED_BYTES = 1 << 20
_COLOURS = ((8, 8, 24), (52, 22, 96), (128, 30, 118), (206, 60, 92), (246, 130, 62), (252, 208, 110), (255, 250, 220))
"""From quiet to loud; each is lighter than the one before."""


@dataclass(frozen=True)
class WaveSpace(Space):
    """Sounds of shape (channels, samples) with values in [-1, 1], `rate` of them a second."""

    kind = "waves"
    noun = "sounds"
    bounds = (-1, 1)
    suffix = ".wav"
    endings = ENDINGS
    media_type = "audio/wav"
    element = "audio"
    canvas = "spectrogram"
    change = "audio-to-audio"
    few = 200
    at_once = 1 << 23
    extractors = ("look", "native")
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
            return self.samples_of(sent(rows, device))
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

    def levels(self, encoded: Tensor) -> Tensor:
        """Mel spectrograms (B, 1, 64, at most 65), each with the same faint noise: exact silence, which no recording
        has, would tell a judge more than all sounds do."""
        import torch

        samples = self.samples_of(encoded)
        noise = torch.randn(samples.shape[1:], generator=torch.Generator().manual_seed(0)).to(samples.device)
        size = self._window(samples.shape[2])
        levels = self._levels(samples + DITHER * noise, size, max(size // 4, -(-samples.shape[2] // BANDS)))
        return (255 * (1 - levels / QUIET)).round().clamp(0, 255).to(torch.uint8).flip(1).unsqueeze(1)

    def judge(self, labels: bool) -> str:
        """`look`, also where there are labels: a training does not wait for the minutes that `native` needs."""
        return "look"

    def apart(self, made: Tensor, right: Tensor) -> Tensor:
        """The mean absolute difference of loudness, in decibels, over 64 mel bands and all moments, of windows of about
        a twentieth of a second that overlap by three quarters."""
        size = self._window(made.shape[2])
        return (self._levels(made, size, size // 4) - self._levels(right, size, size // 4)).abs().mean((1, 2))

    def quantities(self, samples: Tensor) -> dict[str, Tensor]:
        """Of windows of about a twentieth of a second: `loudness`, their mean square in decibels beside that of a sine
        of full amplitude, -60 at least; and `pitch`, in semitones above 55 Hz, of those that have one from 60 to 500 Hz
        and are louder than -40 decibels: where the autocorrelation, freed of the window's (Boersma 1993, eq. 9), is
        largest and more than 0.5."""
        import torch

        size = self._window(samples.shape[2])
        mono = torch.nn.functional.pad(samples.float().mean(1), (0, max(0, size - samples.shape[2])))
        found = [self._heard(some, size) for some in mono.split(max(1, _BLOCK // mono.shape[1]))]
        return {name: torch.cat([each[place] for each in found]) for place, name in enumerate(("loudness", "pitch"))}

    def _heard(self, mono: Tensor, size: int) -> tuple[Tensor, Tensor]:
        """Loudness and pitch of windows of (B, samples), (B, n) each."""
        import torch

        frames = mono.unfold(1, size, size // 2)
        loudness = (2 * frames.square().mean(2)).clamp(min=1e-6).log10().mul(10)
        window = torch.hann_window(size, device=mono.device)
        shortest, longest = max(2, int(self.rate / HIGHEST)), min(size // 2, math.ceil(self.rate / LOWEST))
        if longest <= shortest:
            return loudness, torch.full_like(loudness, math.nan)
        spread, own = (
            torch.fft.irfft(torch.fft.rfft(each, 2 * size).abs().square())[..., : longest + 2]
            for each in ((frames - frames.mean(2, keepdim=True)) * window, window)
        )
        alike = spread / spread[..., :1].clamp(min=1e-9) / (own / own[0])
        # Of twice the true period the sound is as like itself, so shorter ones are a little preferred.
        lags = torch.arange(shortest, longest + 1, device=mono.device)
        best = (alike[..., shortest : longest + 1] - 0.05 * (lags / shortest).log2()).argmax(2, keepdim=True) + shortest
        before, at, after = (alike.gather(2, best + step).squeeze(2) for step in (-1, 0, 1))
        # The top of the parabola through the largest and its neighbours.
        bend = (before - 2 * at + after).clamp(max=-1e-6)
        lag = best.squeeze(2) + ((before - after) / (2 * bend)).clamp(-0.5, 0.5)
        pitch = 12 * (self.rate / lag / 55).log2()
        return loudness, pitch.masked_fill((at < 0.5) | (loudness < -40), math.nan)

    @property
    def tile(self) -> tuple[int, int]:
        return BANDS, _columns(self.samples, WIDTH)

    def show(self, samples: Tensor, columns: int | None = None, gap: int = GAP) -> Image.Image:
        """Spectrograms in a grid: 64 mel bands from the lowest (at the bottom) to the highest, time from left to right;
        loudness from -80 decibels to 0, which is a sine of full amplitude."""
        length = samples.shape[2]
        most = WIDTH if length <= self.samples else LONG_WIDTH
        levels = self._levels(samples.detach().nan_to_num(), self._window(length), _hop(length, most))
        shares = (1 - levels[:, :, : _columns(length, most)] / QUIET).clamp(0, 1).flip(1).cpu().numpy()
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

    @property
    def formats(self) -> tuple[str, ...]:
        return ("wav", "flac")

    def file_as(self, sample: Tensor, format: str) -> bytes:
        """A WAV or a FLAC file of the same 16 bits."""
        return as_flac(self.encode(sample)[0].numpy(), self.rate) if format == "flac" else self.file(sample)

    def played(self, samples: Tensor) -> list[bytes]:
        size = max(1, 2 * math.prod(samples.shape[1:]))
        return [self.file(one) for one in samples[: max(1, min(MOST_PLAYED, _PLAYED_BYTES // size))].split(1)]

    def played_again(self, content: bytes) -> bytes:
        if len(content) > 2 * _PLAYED_BYTES + 2 * math.prod(map(abs, self.shape)):
            raise DataError(f"this sound has {len(content):,} bytes, more than any that is played")
        sound = read_sound(content, self.rate, self.channels)
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

    def remark(self, sample: Tensor) -> str:
        return "" if float(sample.abs().max()) > INAUDIBLE else "nothing is to be heard in it"

    def amount(self, numbers: int) -> str:
        return f"{numbers / self.rate / 60:.3g} minutes"

    def size_of_file(self, content: bytes, most: int) -> int:
        """Amplitudes as they will be read, so that of a space with a length it is always that of one sample."""
        if self.samples != FREE:
            return self.channels * self.samples
        size = size_of(content, self.rate, self.channels)
        if size > most:
            raise DataError(f"{size:,} amplitudes at {self.rate:,} Hz, and at most {most:,} are taken here")
        return size

    def read(self, content: bytes) -> Tensor:
        """A sound file, brought to the space's rate and channels: several become one as their mean, one becomes several
        as it is. Where the space has a length, what is longer is cut off and silence follows what is shorter. Raises
        DataError for any other file, and for more than 67 million frames."""
        import torch

        return torch.from_numpy(self._read(content, self.channels)).unsqueeze(0)

    def layers(self, content: bytes) -> Tensor:
        """The channels of the file, where the space has one."""
        import torch

        if self.channels != 1:
            return self.read(content)
        return torch.from_numpy(self._read(content, _of_channels(content))).unsqueeze(1)

    def joined(self, samples: Tensor) -> Tensor:
        return samples.transpose(0, 1) if self.channels == 1 else samples

    def _read(self, content: bytes, channels: int) -> np.ndarray:
        """(channels, samples) float32."""
        length = None if self.samples == FREE else self.samples
        sound = read_sound(content, self.rate, channels, length)
        return sound if length is None else np.pad(sound, ((0, 0), (0, length - sound.shape[1])))


def _of_channels(content: bytes) -> int:
    with opened(io.BytesIO(content)) as sound:
        return sound.channels


def _hop(length: int, most: int) -> int:
    """Samples from one column of a spectrogram, of which there are so many at most, to the next."""
    return -(-max(length, SHORTEST) // most)


def _columns(length: int, most: int) -> int:
    return min(most, 1 + max(length, SHORTEST) // _hop(length, most))


@lru_cache(maxsize=16)
def mel_bands(rate: int, size: int, bands: int = BANDS) -> np.ndarray:
    """(bands, size / 2 + 1) float32: how much of each frequency of a spectrum belongs to each band. Bands are triangles
    with a peak of 1 whose centres are evenly spread by the mel scale, each at least as wide as a frequency is."""
    centres = 700 * (10 ** (np.linspace(0, _mel(rate / 2), bands + 2) / 2595) - 1)
    frequencies = np.arange(size // 2 + 1) * rate / size
    below = np.maximum(np.diff(centres)[:-1], rate / size)
    above = np.maximum(np.diff(centres)[1:], rate / size)
    off = frequencies - centres[1:-1, None]
    shares = np.where(off < 0, 1 + off / below[:, None], 1 - off / above[:, None])
    found: np.ndarray = shares.clip(0, 1).astype(np.float32)
    return found


def _mel(frequency: float) -> float:
    return 2595 * math.log10(1 + frequency / 700)
