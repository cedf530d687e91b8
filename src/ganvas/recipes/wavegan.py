"""Adversarial audio synthesis (Donahue, McAuley and Puckette 2019): WaveGAN.

DCGAN's idea on raw waves: transposed convolutions with long filters and steps of four (table 3), a critic whose feature
maps are moved by a few samples at random (phase shuffle, section 3.3), and the Wasserstein loss with a gradient penalty
(section 2.3), its critic moving more often than the generator. Labels, which the paper has none of, enter by embedding
and projection where the data has them; latents are normal, and not uniform as in the paper, as truncation needs.

    ganvas train wavegan --data spoken-digits.zip --label-pattern '{digit}_{speaker}_*'
"""

from __future__ import annotations

from functools import partial

from ganvas import arguments as arg
from ganvas.data.batches import Waves
from ganvas.inputs import Input, Normal, label
from ganvas.networks.waves import WaveDiscriminator, WaveGenerator
from ganvas.penalties import gradient_penalty
from ganvas.recipe import Batches, Losses, Optimizers, Progress, Recipe, Turns


class WaveGAN(Recipe):
    """Sounds of a fixed length, by label where there are labels."""

    accepts = (Waves,)
    sees = ("critic",)
    presets = {"paper": {"width": 64, "lr": 1e-4, "d_steps": 5, "batch_size": 64}}
    training_defaults = {"epochs": 100}

    def __init__(
        self,
        *,
        channels: arg.Channels,
        samples: arg.Samples,
        classes: arg.Classes = 0,
        conditional: arg.Conditional = True,
        latent: arg.Latent = 100,
        width: arg.Width = 12,
        penalty: arg.Penalty = 10.0,
        contest: arg.Contest = arg.Contest(objective="wasserstein", lr=2e-4, beta1=0.5, beta2=0.9, d_steps=2),
    ) -> None:
        super().__init__()
        self.classes = arg.condition(classes, conditional)
        self.latent, self.penalty, self.contest = latent, penalty, contest
        self.generator = WaveGenerator(
            latent=latent, channels=channels, length=samples, width=width, classes=self.classes
        )
        self.critic = WaveDiscriminator(channels=channels, length=samples, width=width, classes=self.classes)

    def inputs(self) -> dict[str, Input]:
        return {"latent": Normal((self.latent,)), **label(self.classes)}

    def optimizers(self) -> Optimizers:
        return self.contest.optimizers(critic=self.critic, generator=self.generator)

    def turns(self, progress: Progress, batches: Batches[Waves]) -> Turns:
        return self.contest.turns(progress, batches, critic=self.critic_losses, generator=self.generator_losses)

    def critic_losses(self, real: Waves) -> Losses:
        fake, judge = self.fake(real), partial(self.critic, label=real.label)
        return self.contest.d_losses(judge, real.wave, fake) | {
            "penalty": self.penalty * gradient_penalty(judge, real.wave, fake)
        }

    def generator_losses(self, real: Waves) -> Losses:
        return self.contest.g_losses(partial(self.critic, label=real.label), self.fake(real), real.wave)
