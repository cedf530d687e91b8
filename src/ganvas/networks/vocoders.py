"""Networks of vocoders: a generator of sounds of any length from their mel spectrograms that ends in an inverse Fourier
transform (Siuzdak 2024, Vocos), and judges that look at periods of samples (Kong et al. 2020, HiFi-GAN, section 2.3)
and at spectrograms of several resolutions (Jang et al. 2021, UnivNet, section 2.2)."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganvas.networks.spectra import Grid, InverseTransform, Mel, agreed, log_spectra, phased

PERIODS = (2, 3, 5, 7, 11)
"""Samples in a period, primes, so that no two judges see the same."""

KERNEL = 7
"""Frames that a layer of the generator looks at."""

UPDATES = 30
"""Of magnitudes, until they have the mel spectrogram."""

SLOPE = 0.1


class MelGenerator(nn.Module):
    """Sounds (B, 1, samples) of any length to sounds of this length, made of nothing but their mel spectrograms, except
    that what lies below `kept` frequencies of the spectrum is theirs as it is.

    Residual blocks that look at neighbouring frames one feature at a time, then at all features of a frame
    (ConvNeXt: Liu et al. 2022); each normalises every frame alone, so that the network sees `reach` samples and no
    further. They change magnitudes that have the mel spectrogram (`Mel.magnitude`), and find phases, as directions in
    the plane. So many `turns` of Griffin and Lim 1984 follow, which let phases of neighbouring frames agree: they cost
    little, and a network is slow to learn it.
    """

    def __init__(
        self, *, made: Grid, rate: int, bands: int, width: int, blocks: int, turns: int = 0, kept: int = 0
    ) -> None:
        super().__init__()
        self.mel = Mel(made, rate, bands)
        self.inverse = InverseTransform(made)
        self.turns, self.kept = turns, kept
        self.reach = (2 + turns) * made.size + (blocks + 1) * (KERNEL // 2) * made.hop
        self.first = nn.Conv1d(bands, width, KERNEL, padding=KERNEL // 2)
        self.norm = FrameNorm(width)
        self.blocks = nn.ModuleList(FrameBlock(width) for _ in range(blocks))
        self.last = FrameNorm(width)
        self.head = nn.Conv1d(width, 3 * made.bins, 1)
        for layer in self.modules():
            if isinstance(layer, nn.Conv1d):
                nn.init.trunc_normal_(layer.weight, std=0.02)
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, source: Tensor) -> Tensor:
        waves, _ = self.made(source, self.turns)
        return waves

    def made(self, source: Tensor, turns: int) -> tuple[Tensor, Tensor]:
        """The sounds after so many turns, and the magnitudes (B, bins, frames) that they were to have."""
        # All in float32, since what rounding does to a phase is heard.
        with torch.autocast(source.device.type, enabled=False):
            return self._made(source.float(), turns)

    def _made(self, source: Tensor, turns: int) -> tuple[Tensor, Tensor]:
        transform = self.mel.transform
        given = transform(source)
        real, imaginary = given.chunk(2, dim=1)
        mels = self.mel.of((real.square() + imaginary.square() + 1e-12).sqrt())
        hidden = self.norm(self.first(mels / 4 + 1))
        for block in self.blocks:
            hidden = block(hidden)
        level, along, across = self.head(self.last(hidden)).chunk(3, dim=1)
        loud = (self.mel.magnitude(mels, UPDATES).clamp(min=1e-6).log() + level).clamp(max=2).exp()

        def sound(along: Tensor, across: Tensor) -> Tensor:
            spectra = phased(loud, along, across)
            if self.kept:
                own = (real[:, : self.kept], imaginary[:, : self.kept])
                first, second = (torch.cat([a, b[:, self.kept :]], 1) for a, b in zip(own, spectra, strict=True))
                spectra = first, second
            return self.inverse.of(transform, *spectra)[:, :, : source.shape[2]]

        return agreed(sound, transform, along, across, turns), loud


class FrameNorm(nn.Module):
    """(B, C, T), each frame normalised over its features by itself."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)

    def forward(self, hidden: Tensor) -> Tensor:
        normed: Tensor = self.norm(hidden.transpose(1, 2)).transpose(1, 2)
        return normed


class FrameBlock(nn.Module):
    """A convolution over time of each feature, then two layers on each frame, beside the identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.along = nn.Conv1d(width, width, KERNEL, padding=KERNEL // 2, groups=width)
        self.norm = nn.LayerNorm(width)
        self.wide, self.narrow = nn.Linear(width, 3 * width), nn.Linear(3 * width, width)
        self.share = nn.Parameter(torch.full((width,), 0.2))

    def forward(self, hidden: Tensor) -> Tensor:
        frames = self.norm(self.along(hidden).transpose(1, 2))
        changed: Tensor = self.share * self.narrow(functional.gelu(self.wide(frames)))
        return hidden + changed.transpose(1, 2)


class PeriodJudge(nn.Module):
    """Waves (B, 1, samples) to logits of all places (B, N) and what the layers saw: samples that lie a period apart, by
    convolutions that never mix those of a period."""

    def __init__(self, period: int, width: int) -> None:
        super().__init__()
        self.period = period
        widths = [1, width, 2 * width, 4 * width, 4 * width]
        self.layers = nn.ModuleList(
            nn.Conv2d(before, after, (5, 1), (3, 1), (2, 0)) for before, after in pairwise(widths)
        )
        self.head = nn.Conv2d(widths[-1], 1, (3, 1), padding=(1, 0))

    def forward(self, waves: Tensor) -> tuple[Tensor, list[Tensor]]:
        rows = functional.pad(waves, (0, -waves.shape[2] % self.period)).unflatten(2, (-1, self.period))
        return _judged(self.layers, self.head, rows)


class SpectrogramJudge(nn.Module):
    """Waves (B, 1, samples) to logits of all places of their log-spectrogram (B, N) and what the layers saw."""

    def __init__(self, seen: Grid, width: int) -> None:
        super().__init__()
        self.seen = seen
        widths = [1, width, 2 * width, 2 * width, 2 * width]
        strides = [(2, 1), (2, 2), (2, 2), (2, 1)]
        self.layers = nn.ModuleList(
            nn.Conv2d(before, after, (5, 3), stride, (2, 1))
            for before, after, stride in zip(widths, widths[1:], strides, strict=False)
        )
        self.head = nn.Conv2d(widths[-1], 1, 3, padding=1)

    def forward(self, waves: Tensor) -> tuple[Tensor, list[Tensor]]:
        return _judged(self.layers, self.head, log_spectra(waves, self.seen).unsqueeze(1))


def _judged(layers: nn.ModuleList, head: nn.Module, hidden: Tensor) -> tuple[Tensor, list[Tensor]]:
    maps = []
    for layer in layers:
        hidden = functional.leaky_relu(layer(hidden), SLOPE)
        maps.append(hidden)
    logits: Tensor = head(hidden).flatten(1)
    return logits, maps
