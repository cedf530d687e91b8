"""Sounds from mel spectrograms: a vocoder (HiFi-GAN: Kong, Kim and Bae 2020; with the head of Vocos: Siuzdak 2024).

What is given is a sound, and its mel spectrogram is taken of it within the generator, so that the network is used like
any other that changes files: `ganvas translate RUN in.wav --out out.wav`. The generator works on the frames of that
spectrogram, corrects magnitudes that have it, finds phases, and ends in some turns of Griffin-Lim, which neither paper
has, and an inverse Fourier transform. Judges look at the samples by several periods and at spectrograms of several
resolutions. The generator's loss adds the difference of mel spectrograms (HiFi-GAN, eq. 4), here on three grids, that
of magnitudes, and the difference in the judges' layers (eq. 5). A first share of the training has no judges.

Where what is given lacks its high frequencies (`--low-rate`), what it has stays as it is, and the rest is made: so
sounds of 8 kHz become sounds of 16 kHz.

    ganvas train vocoder --data spoken-digits.zip --seconds 0.512 --crops random --minutes 60
    ganvas train vocoder --data spoken-digits.zip --low-rate 4000 --minutes 60
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from ganvas import arguments as arg
from ganvas.data.batches import SoundPairs
from ganvas.inputs import Given, Input
from ganvas.networks.spectra import QUIETEST, Grid, Mel, griffin_lim, mel_grid
from ganvas.networks.vocoders import PERIODS, MelGenerator, PeriodJudge, SpectrogramJudge
from ganvas.options import FromData, Range
from ganvas.recipe import Batches, Losses, Optimizers, Progress, Recipe, Turn, Turns, together
from ganvas.spaces import FREE, WaveSpace

SCALES = (0.25, 1.0, 4.0)
"""Windows on which mel spectrograms are compared, in those of the generator's own."""

TRAINED = 2
"""Turns of Griffin-Lim in training: what the network learns with few is right with many, and each has its cost."""

VIEWS = (0.5, 1.0, 2.0)
"""Windows of the judges' spectrograms, likewise."""


class Vocoder(Recipe):
    """Sounds of any length from their mel spectrograms, or from sounds that lack their high frequencies."""

    accepts = (SoundPairs,)
    usual_for = {SoundPairs: 0}
    training_defaults = {"epochs": 100, "batch_size": 16, "ema": 2000}

    def __init__(
        self,
        *,
        samples: arg.Samples,
        rate: arg.Rate,
        low_rate: Annotated[int, FromData(), Range(0, 2**20)] = 0,
        bands: Annotated[int, Range(4, 1024), "bands of the mel spectrogram"] = 40,
        window: Annotated[float, Range(0.002, 1), "seconds in a window of it; its hop is a quarter"] = 0.032,
        width: arg.Width = 128,
        blocks: Annotated[int, Range(1, 64), "residual blocks of the generator"] = 6,
        turns: Annotated[int, Range(0, 100), "turns of Griffin-Lim that follow; in training 2 at most"] = 8,
        d_width: arg.Width = 8,
        mel: Annotated[float, Range(0, 1e4), "weight of the difference of mel spectrograms, and of magnitudes"] = 15.0,
        matching: Annotated[float, Range(0, 1e4), "weight of the distance in the judges' layers"] = 2.0,
        warmup: arg.Warmup = 0.4,
        contest: arg.Contest = arg.Contest(objective="least-squares", lr=1e-3, beta1=0.8, beta2=0.99),
    ) -> None:
        super().__init__()
        self.rate, self.mel, self.matching, self.warmup, self.contest = rate, mel, matching, warmup, contest

        def grids(scales: tuple[float, ...]) -> list[Grid]:
            """No two alike, where a short sound leaves room for few."""
            return list(dict.fromkeys(mel_grid(rate, samples, scale * window) for scale in scales))

        (made,) = grids((1.0,))
        kept = int(made.size * 0.9 * low_rate / 2 / rate) + 1 if low_rate else 0
        self.generator = MelGenerator(
            made=made, rate=rate, bands=bands, width=width, blocks=blocks, turns=turns, kept=kept
        )
        self.mels = nn.ModuleList(Mel(seen, rate, bands) for seen in grids(SCALES))
        self.periods = nn.ModuleList(PeriodJudge(period, d_width) for period in PERIODS)
        self.views = nn.ModuleList(SpectrogramJudge(seen, d_width) for seen in grids(VIEWS))

    def inputs(self) -> dict[str, Input]:
        made = self.generator.mel.transform.made
        space = WaveSpace(self.rate, FREE)
        return {"source": Given(space, reach=self.generator.reach, multiple=made.hop)}

    def optimizers(self) -> Optimizers:
        return self.contest.optimizers(discriminator=[self.periods, self.views], generator=self.generator)

    def rates(self, progress: Progress) -> dict[str, float]:
        """Both learning rates fall linearly to zero in the second half."""
        return dict.fromkeys(("discriminator", "generator"), progress.falling)

    def turns(self, progress: Progress, batches: Batches[SoundPairs]) -> Turns:
        real = next(batches)
        if progress.fraction >= self.warmup:
            yield Turn("discriminator", self.discriminator_losses, real)
            yield Turn("generator", self.generator_losses, real)
        else:
            yield Turn("generator", self.warming_losses, real)

    def discriminator_losses(self, real: SoundPairs) -> Losses:
        (fake, _), of_each = self.made(real), {}
        for name, judge in self.judges():
            logits, _ = judge(torch.cat([real.wave, fake]))
            losses = self.contest.losses.d_losses_of(*logits.chunk(2))
            of_each[name] = replace(
                losses, real_logits=_mean(losses.real_logits), fake_logits=_mean(losses.fake_logits)
            )
        return together(of_each)

    def generator_losses(self, real: SoundPairs) -> Losses:
        (fake, loud), of_each = self.made(real), {}
        share = 1 / (len(self.periods) + len(self.views))
        for name, judge in self.judges():
            with torch.no_grad():
                of_real, wanted = judge(real.wave)
            of_fake, found = judge(fake)
            terms = self.contest.losses.generator(of_fake, of_real)
            apart = torch.stack([l1_loss(one, other) for one, other in zip(found, wanted, strict=True)])
            terms["matching"] = self.matching * apart.mean()
            of_each[name] = Losses({term: share * value for term, value in terms.items()})
        return together(of_each) | self.differences(fake, loud, real)

    def warming_losses(self, real: SoundPairs) -> Losses:
        return Losses(self.differences(*self.made(real), real))

    def differences(self, fake: Tensor, loud: Tensor, real: SoundPairs) -> dict[str, Tensor]:
        """The mean absolute difference of mel spectrograms, over all grids, and of the logarithms of magnitudes: else
        these would make up for phases that do not agree yet, and be wrong where these do."""
        apart = torch.stack([l1_loss(mel(fake), mel(real.wave)) for mel in self.mels])
        true = self.generator.mel.transform.magnitude(real.wave)
        least = math.exp(QUIETEST)
        found, wanted = (each[:, self.generator.kept :].clamp(min=least).log() for each in (loud, true))
        return {"mel": self.mel * apart.mean(), "magnitude": self.mel * l1_loss(found, wanted)}

    def made(self, real: SoundPairs) -> tuple[Tensor, Tensor]:
        """Sounds that are not clamped, so that no amplitude is ever without a gradient, and their magnitudes."""
        return self.generator.made(self.draw_for(real)["source"], min(self.generator.turns, TRAINED))

    def judges(self) -> Iterator[tuple[str, nn.Module]]:
        for period, judge in zip(PERIODS, self.periods, strict=True):
            yield f"period_{period}", judge
        for judge in self.views:
            assert isinstance(judge, SpectrogramJudge)
            yield f"window_{judge.seen.size}", judge

    def rivals(self, *, source: Tensor) -> dict[str, Tensor]:
        if self.generator.kept:
            return {}
        mel = self.generator.mel
        return {"Griffin-Lim": griffin_lim(mel, mel(source), source.shape[2])}

    def generate(self, *, source: Tensor) -> Tensor:
        return self.generator(source).clamp(-1, 1)  # type: ignore[no-any-return]


def _mean(logits: Tensor | None) -> Tensor | None:
    """(B,) of the logits of all places, (B, N)."""
    return None if logits is None else logits.mean(1)
