"""Networks for sounds that work on spectra: a generator that ends in an inverse short-time Fourier transform (Kaneko et
al. 2022, iSTFTNet), and discriminators that look at log-spectra."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganvas.spaces.wave import mel_bands

WINDOW = 0.032
"""Seconds in a window, up to a power of two samples."""

FLOOR = 0.05
"""Added to magnitudes before their logarithm, which would otherwise tell all about silence."""

QUIET = -2.0
"""Where log-magnitudes begin: about as loud as speech is."""

QUIETEST = math.log(1e-4)
"""Logarithm of the amplitude below which a mel spectrogram tells nothing: 80 decibels below that of a full sine."""

MOMENTUM = 0.99
"""How far each turn of Griffin and Lim goes on in the direction of the last."""

SLOTS, FEATURES = 4, 128
"""Moments of a sound that its judge tells apart in the end, and numbers that it then knows it by."""


@dataclass(frozen=True)
class Grid:
    """Windows of `size` samples, `hop` apart."""

    size: int
    hop: int

    @property
    def bins(self) -> int:
        return self.size // 2 + 1


def grid(rate: int, samples: int) -> Grid:
    """The grid of a generator of sounds of so many samples: windows that overlap by half."""
    size = _window(rate, samples, WINDOW)
    return Grid(size, size // 2)


def mel_grid(rate: int, samples: int, seconds: float) -> Grid:
    """Windows of about so many seconds, no longer than half of what there is, that overlap by three quarters."""
    size = _window(rate, samples, seconds)
    return Grid(size, size // 4)


def _window(rate: int, samples: int, seconds: float) -> int:
    longest = int(math.log2(max(16, samples))) - 1
    return int(2 ** max(3, min(longest, round(math.log2(rate * seconds)))))


def other(made: Grid) -> Grid:
    """A finer grid in time, whose hop does not divide the generator's, so that a false phase shows between frames."""
    size = max(8, made.size // 4)
    return Grid(size, size * 3 // 4)


class Transform(nn.Module):
    """Waves to spectra under Hann windows, as a convolution, which every format of graphs can hold: (B, 1, samples) to
    (B, 2 * bins, frames), cosines first. Frames go so far beyond both ends that every sample lies in as many as any
    other, so that `InverseTransform` makes samples / hop hops of them, rounded up. A sine of full amplitude gives 1.
    """

    basis: Tensor

    def __init__(self, made: Grid) -> None:
        super().__init__()
        self.made, self.full = made, made.size / 4  # what a sine of full amplitude gives by the plain definition
        times = torch.arange(made.size).double()
        angle = 2 * math.pi * torch.arange(made.bins).double()[:, None] * times / made.size
        window = torch.hann_window(made.size, dtype=torch.float64)
        basis = torch.cat([angle.cos(), -angle.sin()]) * window * (2 / window.sum())
        self.register_buffer("basis", basis.float().unsqueeze(1), persistent=False)

    def forward(self, waves: Tensor) -> Tensor:
        with torch.autocast(waves.device.type, enabled=False):
            around = functional.pad(waves.float(), (self.made.size - self.made.hop, self.made.size - 1))
            return functional.conv1d(around, self.basis, stride=self.made.hop)

    def magnitude(self, waves: Tensor) -> Tensor:
        """(B, bins, frames)."""
        real, imaginary = self(waves).chunk(2, dim=1)
        found: Tensor = (real.square() + imaginary.square() + 1e-12).sqrt()
        return found


class Mel(nn.Module):
    """Waves (B, 1, samples) to their mel spectrograms, (B, bands, frames): how loud each band is, as the logarithm of
    an amplitude, from that of a sine of full amplitude, 0, down to `QUIETEST`."""

    bands: Tensor

    def __init__(self, made: Grid, rate: int, bands: int) -> None:
        super().__init__()
        self.transform = Transform(made)
        self.register_buffer("bands", torch.from_numpy(mel_bands(rate, made.size, bands)), persistent=False)

    def forward(self, waves: Tensor) -> Tensor:
        return self.of(self.transform.magnitude(waves))

    def of(self, magnitude: Tensor) -> Tensor:
        """The same of (B, bins, frames)."""
        with torch.autocast(magnitude.device.type, enabled=False):
            found: Tensor = (self.bands @ magnitude.square()).clamp(min=math.exp(2 * QUIETEST)).log() / 2
            return found

    def magnitude(self, mels: Tensor, turns: int = 100) -> Tensor:
        """(B, bins, frames): magnitudes that have these mel spectrograms, by multiplicative updates (Lee and Seung
        2001, eq. 4), which keep them above 0."""
        wanted = (2 * mels).exp()
        power = self.bands.t() @ (wanted / self.bands.sum(1, keepdim=True).clamp(min=1e-8))
        above = self.bands.t() @ wanted
        for _ in range(turns):
            power = power * above / (self.bands.t() @ (self.bands @ power)).clamp(min=1e-20)
        return power.sqrt()


class InverseTransform(nn.Module):
    """Spectra to waves: what `torch.istft` makes with a Hann window, as a product with a matrix and a sum of parts,
    which every format of graphs can hold.

    real, imaginary: (B, C, frames, bins). Returns (B, C, hop * (frames + 1 - size / hop)): the hops that as many
    frames as any other look at.
    """

    basis: Tensor

    def __init__(self, made: Grid) -> None:
        super().__init__()
        size, hop = made.size, made.hop
        bins, times = torch.arange(made.bins).double(), torch.arange(size).double()
        angle = 2 * math.pi * bins[:, None] * times / size
        # Frequencies between the lowest and the highest stand for their mirror images too.
        weight = torch.full((made.bins, 1), 2.0, dtype=torch.float64)
        weight[0] = weight[-1] = 1.0
        window = torch.hann_window(size, dtype=torch.float64)
        # Every sample that is kept lies in as many frames, so the windows' squares add up to the same in each hop.
        self.hop, self.parts = hop, size // hop
        shares = window / window.square().reshape(self.parts, hop).sum(0).repeat(self.parts)
        basis = torch.cat([weight * angle.cos(), -weight * angle.sin()]) * shares / size
        self.register_buffer("basis", basis.float(), persistent=False)

    def forward(self, real: Tensor, imaginary: Tensor) -> Tensor:
        # In float32: rounding would be heard, and seen in log-spectra, as noise wherever the sound is quiet.
        with torch.autocast(real.device.type, enabled=False):
            frames = torch.cat([real.float(), imaginary.float()], dim=3) @ self.basis
        count = frames.shape[2] + 1 - self.parts
        hops: Tensor | None = None
        for part, each in enumerate(frames.split(self.hop, dim=3)):
            first = self.parts - 1 - part
            seen = each[:, :, first : first + count]
            hops = seen if hops is None else hops + seen
        assert hops is not None
        return hops.flatten(2)

    def of(self, transform: Transform, real: Tensor, imaginary: Tensor) -> Tensor:
        """(B, 1, hops * hop) of spectra as the transform of this grid has them, (B, bins, frames) each."""
        waves: Tensor = self(*(each.transpose(1, 2).unsqueeze(1) * transform.full for each in (real, imaginary)))
        return waves


def agreed(
    sound: Callable[[Tensor, Tensor], Tensor], transform: Transform, along: Tensor, across: Tensor, turns: int
) -> Tensor:
    """(B, 1, samples) that `sound` makes of phases, as numbers in the plane of any length, (B, bins, frames) each. Each
    turn takes those that the sound itself has, since neighbouring frames overlap and not all phases fit together
    (Griffin and Lim 1984), and goes on in the direction of the last change (Perraudin, Balazs and Sondergaard 2013)."""
    waves, before = sound(along, across), None
    for _ in range(turns):
        found = transform(waves)
        ahead = found if before is None else found + MOMENTUM * (found - before)
        before = found
        along, across = ahead.chunk(2, dim=1)
        waves = sound(along, across)
    return waves


def griffin_lim(mel: Mel, mels: Tensor, samples: int, turns: int = 32) -> Tensor:
    """(B, 1, samples) of mel spectrograms (B, bands, frames), by no network: of magnitudes that have them, and phases
    that agree, which begin as a fixed seed draws them."""
    transform, inverse = mel.transform, InverseTransform(mel.transform.made).to(mels.device)
    magnitude = mel.magnitude(mels)
    angle = 2 * math.pi * torch.rand(magnitude.shape, generator=torch.Generator().manual_seed(0)).to(mels.device)

    def sound(along: Tensor, across: Tensor) -> Tensor:
        return inverse.of(transform, *phased(magnitude, along, across))[:, :, :samples]

    return agreed(sound, transform, angle.cos(), angle.sin(), turns).clamp(-1, 1)


def phased(magnitude: Tensor, along: Tensor, across: Tensor) -> tuple[Tensor, Tensor]:
    """Magnitudes in the direction of numbers in the plane, real and imaginary, of one shape."""
    length = magnitude * (along.square() + across.square() + 1e-8).rsqrt()
    return along * length, across * length


class SpectralGenerator(nn.Module):
    """latent: (B, latent), label: (B,) int64 where conditional, to waves (B, channels, samples), about in [-1, 1].

    A projection to a few frames; five residual blocks of two convolutions over time, which see latent and label again
    as the scale of their normalised features, with twice as many frames after each of the first three; then of every
    frame the magnitudes, as exponentials, and the phases, as directions in the plane. Their inverse transform is the
    sound.
    """

    def __init__(
        self, *, latent: int, channels: int, samples: int, rate: int, width: int, classes: int = 0, blocks: int = 5
    ) -> None:
        super().__init__()
        self.channels, self.samples = channels, samples
        made = grid(rate, samples)
        self.frames = -(-samples // made.hop)
        self.doublings = min(3, blocks, max(0, int(math.log2(self.frames))))
        self.base = -(-self.frames // 2**self.doublings)
        self.embedding = nn.Embedding(classes, latent) if classes else None
        known = latent * (2 if classes else 1)
        self.style = nn.Sequential(nn.Linear(known, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
        self.project = nn.Linear(known, width * self.base)
        self.blocks = nn.ModuleList(ModulatedBlock(width, width) for _ in range(blocks))
        self.last = Modulation(width, width)
        self.head = nn.Conv1d(width, channels * made.bins * 3, 1)
        self.inverse = InverseTransform(made)
        he_initialised(self)
        with torch.no_grad():
            self.head.bias.unflatten(0, (channels, 3, made.bins))[:, 0] = QUIET  # type: ignore[union-attr]

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        if self.embedding is not None:
            latent = torch.cat([latent, self.embedding(label)], dim=1)
        style = self.style(latent)
        hidden = self.project(latent).unflatten(1, (-1, self.base))
        for place, block in enumerate(self.blocks):
            hidden = block(hidden, style)
            if place < self.doublings:
                hidden = functional.interpolate(hidden, scale_factor=2.0, mode="linear")
        hidden = self.last(hidden[:, :, : self.frames], style)
        # One more frame, of silence, so that the last half window is made too.
        spectra = functional.pad(self.head(hidden).float(), (0, 1)).unflatten(1, (self.channels, 3, -1))
        level, along, across = spectra.transpose(3, 4).unbind(2)
        loud = functional.pad(level[:, :, :-1].clamp(max=8).exp(), (0, 0, 0, 1))
        waves: Tensor = self.inverse(*phased(loud, along, across))
        return waves[:, :, : self.samples]


class Modulation(nn.Module):
    """(B, C, T) normalised over all of a sound, scaled by what its style says of each feature, and rectified."""

    def __init__(self, width: int, style: int) -> None:
        super().__init__()
        self.norm, self.scale = nn.GroupNorm(1, width), nn.Linear(style, width)

    def forward(self, hidden: Tensor, style: Tensor) -> Tensor:
        scaled: Tensor = self.norm(hidden) * (1 + self.scale(style).unsqueeze(2))
        return scaled.relu()


class ModulatedBlock(nn.Module):
    """Two convolutions over time beside the identity."""

    def __init__(self, width: int, style: int) -> None:
        super().__init__()
        self.modulations = nn.ModuleList(Modulation(width, style) for _ in range(2))
        self.layers = nn.ModuleList(nn.Conv1d(width, width, 3, padding=1) for _ in range(2))

    def forward(self, hidden: Tensor, style: Tensor) -> Tensor:
        changed = hidden
        for modulation, layer in zip(self.modulations, self.layers, strict=True):
            changed = layer(modulation(changed, style))
        return hidden + changed


def log_spectra(waves: Tensor, seen: Grid) -> Tensor:
    """(B, channels, samples) to (B, channels * bins, frames): log(magnitude + 0.05) under Hann windows, in float32."""
    with torch.autocast(waves.device.type, enabled=False):
        window = torch.hann_window(seen.size, device=waves.device)
        found = torch.stft(
            waves.float().flatten(0, 1), seen.size, seen.hop, window=window, pad_mode="constant", return_complex=True
        )
        magnitude = (torch.view_as_real(found).square().sum(3) + 1e-9).sqrt()
        spectra: Tensor = (magnitude + FLOOR).log().unflatten(0, waves.shape[:2]).flatten(1, 2)
        return spectra


def windows(waves: Tensor, seen: Grid) -> Tensor:
    """(B, channels, samples) to (B, channels * size, frames): the samples of each window as they are."""
    padded = functional.pad(waves, (seen.size // 2, seen.size // 2))
    return padded.unfold(2, seen.size, seen.hop).transpose(2, 3).flatten(1, 2)


class SpectrumDiscriminator(nn.Module):
    """Log-spectra (B, bins, frames), frequencies being channels, to logits (B,), and readings of labels (B, classes).
    What else is told of each frame by so many numbers does as well.

    The logit of a sound is what its features say, how they read its label (projection: Miyato and Koyama 2018, eq. 3),
    and how far they are from those of another sound of this label in the batch, so that one sound for each label does
    not pass. A recipe that holds this module therefore refuses to split batches.
    """

    whole_batch = True

    def __init__(self, *, bins: int, frames: int, width: int, classes: int = 0) -> None:
        super().__init__()
        self.first = nn.Conv1d(bins, width, 4, 2, 1)
        pools = max(0, round(math.log2(max(1, frames / 2 / SLOTS))))
        self.blocks = nn.ModuleList(PooledBlock(width) for _ in range(pools))
        self.features = nn.Linear(width * SLOTS, FEATURES)
        self.head, self.apart = nn.Linear(FEATURES, 1), nn.Linear(FEATURES, 1, bias=False)
        self.reading = nn.Linear(FEATURES, classes, bias=False) if classes else None
        he_initialised(self)

    def forward(self, spectra: Tensor, label: Tensor | None, partner: Tensor) -> Tensor:
        """partner: (B,) places of the sounds that these are compared with."""
        logits, _ = self.judged(spectra, label, partner)
        return logits

    def judged(self, spectra: Tensor, label: Tensor | None, partner: Tensor) -> tuple[Tensor, Tensor | None]:
        """The logits, and the readings where there are labels."""
        hidden = self.first(spectra)
        for block in self.blocks:
            hidden = block(hidden)
        pooled = functional.adaptive_avg_pool1d(functional.leaky_relu(hidden, 0.2), SLOTS).flatten(1)
        features = functional.leaky_relu(self.features(pooled), 0.2)
        logits = (self.head(features) + self.apart((features - features[partner]).abs())).squeeze(1)
        if self.reading is None or label is None:
            return logits, None
        read = self.reading(features)
        return logits + read.gather(1, label[:, None]).squeeze(1), read


class PooledBlock(nn.Module):
    """(B, C, T) to half as many moments: two convolutions over time beside the identity, and the mean of neighbours."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Conv1d(width, width, 3, padding=1) for _ in range(2))

    def forward(self, hidden: Tensor) -> Tensor:
        changed = hidden
        for layer in self.layers:
            changed = layer(functional.leaky_relu(changed, 0.2))
        return functional.avg_pool1d(hidden + changed, 2)


def partners(count: int, label: Tensor | None, device: torch.device) -> Tensor:
    """(count,): for each place the next one with the same label, going round; itself where there is no other."""
    places = torch.arange(count, device=device)
    if label is None:
        return (places + 1) % count
    away = (places[None] - places[:, None] - 1) % count
    return away.masked_fill(label[None] != label[:, None], count).argmin(1)


def moved(waves: Tensor, most: int) -> Tensor:
    """(B, C, T), each sound moved by its own draw of up to so many samples; silence comes in."""
    if not most:
        return waves
    length = waves.shape[2]
    shifts = torch.randint(-most, most + 1, (len(waves), 1, 1), device=waves.device)
    places = (torch.arange(length, device=waves.device) + shifts + most).expand(len(waves), waves.shape[1], -1)
    return functional.pad(waves, (most, most)).gather(2, places)


def he_initialised(module: nn.Module) -> None:
    """Weights of all layers by He et al. 2015, eq. 10, biases 0. With PyTorch's own, smaller ones the signal shrinks
    from block to block, and labels are learned late."""
    for layer in module.modules():
        if isinstance(layer, (nn.Conv1d, nn.Linear)):
            nn.init.kaiming_normal_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
