"""A GAN of sounds that ends in an inverse Fourier transform (after iSTFTNet: Kaneko, Tanaka, Kameoka and Seki 2022).

The generator makes magnitude and phase on a coarse grid of time and frequency, and one inverse short-time Fourier
transform makes sound of them: networks then work on 64 frames where WaveGAN works on 8,192 samples. The discriminators
look at log-spectra of the sound at two resolutions (as vocoders do: Jang et al. 2021, UnivNet), relativistic pairing
with R1 and R2 keeps the game stable (Huang et al. 2024), and labels enter by projection.

What matters, and is easily missed: the penalties are on the gradient at the log-spectra, which discriminators see, and
not at the wave, where the logarithm of near silence lets them explode. The discriminators alone also learn to read the
labels of real sounds: taught to the generator too, this gives one sound for each label. They compare sounds of the same
label. And real and made sounds get the same faint noise, or digital silence would tell them apart.

    ganvas train istftgan --data spoken-digits.zip --label-pattern '{digit}_{speaker}_*' --loudness peak --minutes 30
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Annotated, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganvas import arguments as arg
from ganvas.data.batches import Waves
from ganvas.inputs import Input, Normal, label
from ganvas.networks.spectra import (
    SpectralGenerator,
    SpectrumDiscriminator,
    grid,
    log_spectra,
    moved,
    other,
    partners,
    windows,
)
from ganvas.options import Range
from ganvas.penalties import lazily, zero_centred
from ganvas.recipe import Batches, Losses, Optimizers, Progress, Recipe, Turns, together

NAMES = ("coarse", "fine", "samples")
"""The judges: of the generator's own grid, of one that is finer in time, and of samples where phases are judged."""

LAST = 0.2
"""To this share of them both learning rates fall."""


class ISTFTGAN(Recipe):
    """Sounds of a fixed length, by label where there are labels; many times cheaper than networks on samples."""

    accepts = (Waves,)
    usual_for = {Waves: 0}
    training_defaults = {"epochs": 50, "batch_size": 32, "ema": 4500}
    penalties = ("r1", "r2")

    def __init__(
        self,
        *,
        channels: arg.Channels,
        samples: arg.Samples,
        rate: arg.Rate,
        classes: arg.Classes = 0,
        conditional: arg.Conditional = True,
        latent: arg.Latent = 64,
        width: arg.Width = 128,
        d_width: arg.Width = 128,
        r1: arg.Penalty = 0.1,
        r2: arg.Penalty = 0.1,
        penalty_every: arg.PenaltyEvery = 4,
        reading: Annotated[float, Range(0, 100), "weight of the discriminators' reading of real labels"] = 0.5,
        dither: Annotated[float, Range(0, 1), "amplitude of the noise that real and made sounds get"] = 0.002,
        shift: Annotated[float, Range(0, 10), "seconds by which real and made sounds are moved, at most"] = 0.032,
        phases: Annotated[bool, "a third discriminator, on samples: it hears phases, as log-spectra do not"] = False,
        contest: arg.Contest = arg.Contest(objective="relativistic", lr=1e-3, beta1=0.0, beta2=0.99),
    ) -> None:
        super().__init__()
        self.classes = arg.condition(classes, conditional)
        self.latent, self.contest = latent, contest
        self.r1, self.r2, self.penalty_every, self.reading, self.dither = r1, r2, penalty_every, reading, dither
        self.generator = SpectralGenerator(
            latent=latent, channels=channels, samples=samples, rate=rate, width=width, classes=self.classes
        )
        made = grid(rate, samples)
        self.shift = min(round(shift * rate), samples // 32)
        fine = other(made)
        self.views = [partial(log_spectra, seen=made), partial(log_spectra, seen=fine)]
        seen = [(made.bins, made.hop, d_width), (fine.bins, fine.hop, max(1, d_width // 2))]
        if phases:
            self.views.append(partial(windows, seen=made))
            seen.append((made.size, made.hop, d_width))
        self.judges = nn.ModuleList(
            SpectrumDiscriminator(bins=channels * bins, frames=1 + samples // hop, width=wide, classes=self.classes)
            for bins, hop, wide in seen
        )

    def inputs(self) -> dict[str, Input]:
        return {"latent": Normal((self.latent,), sphere=True), **label(self.classes)}

    def optimizers(self) -> Optimizers:
        return self.contest.optimizers(discriminator=self.judges, generator=self.generator)

    def rates(self, progress: Progress) -> dict[str, float]:
        """Both learning rates fall linearly to a fifth."""
        return dict.fromkeys(("discriminator", "generator"), 1 - (1 - LAST) * progress.fraction)

    def turns(self, progress: Progress, batches: Batches[Waves]) -> Turns:
        judging = partial(self.d_losses, strength=lazily(progress.step, self.penalty_every))
        return self.contest.turns(progress, batches, discriminator=judging, generator=self.g_losses)

    def d_losses(self, real: Waves, *, strength: float) -> Losses:
        of_each = {}
        for name, network, asked, true, made in self.levels(real):
            judge = partial(network, **asked)
            logits, read = network.judged(true, **asked)
            losses = self.contest.losses.d_losses_of(logits, judge(made))
            losses |= zero_centred(judge, true, made, r1=strength * self.r1, r2=strength * self.r2)
            if read is not None and real.label is not None:
                losses |= {"reading": self.reading * functional.cross_entropy(read.float(), real.label)}
            of_each[name] = losses
        return together(of_each)

    def g_losses(self, real: Waves) -> Losses:
        of_each = {}
        for name, network, asked, true, made in self.levels(real):
            of_each[name] = self.contest.g_losses(partial(network, **asked), made, true)
        return together(of_each)

    def levels(self, real: Waves) -> Iterator[tuple[str, SpectrumDiscriminator, dict[str, Any], Tensor, Tensor]]:
        """Of each judge: its name, itself, what it is told of a batch, and what it sees of real and of made sounds."""
        fake, known = self.generator(**self.draw_for(real)), real.label if self.classes else None
        asked = {"label": known, "partner": partners(len(real), known, real.device)}
        for name, judge, true, made in zip(NAMES, self.judges, self.seen(real.wave), self.seen(fake), strict=False):
            assert isinstance(judge, SpectrumDiscriminator)
            yield name, judge, asked, true, made

    def seen(self, waves: Tensor) -> list[Tensor]:
        """What each judge sees of sounds, which are moved and get noise."""
        heard = moved(waves, self.shift)
        heard = heard + self.dither * torch.randn_like(heard)
        return [view(heard) for view in self.views]

    def generate(self, *, latent: Tensor, label: Tensor | None = None) -> Tensor:
        # The discriminators hear what is not clamped, so that no amplitude is ever without a gradient.
        return self.generator(latent, label).clamp(-1, 1)  # type: ignore[no-any-return]
