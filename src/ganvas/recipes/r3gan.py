"""The GAN is dead; long live the GAN! A modern GAN baseline (Huang, Gokaslan, Kuleshov and Tompkin 2024).

The paper's loss (section 2): relativistic pairing, so that each generated sample is compared with a real one and a
collapsed generator cannot rest, with R1 and R2, which make the game converge. It needs no other trick. Adam without
momentum and averaged weights as there, and labels enter by embedding and projection. By default the networks are plain
convolutional ones, small enough for a laptop. `--preset paper` takes the paper's residual networks in their full width
(`networks/bottleneck.py`), and its settings for CIFAR-10: over the first fifth of the planned length learning rate,
beta2 and the penalties' weights go from first to last values along half a cosine (the half-life of the averaged weights
grows with what has been seen, as for every recipe). Its augmentation is left out. Two things beside the paper can be
added: consistency under augmentation (Zhao et al. 2020), and, to plain networks, the minibatch deviation (Karras et al.
2018).

    ganvas train --data digits          some minutes on 2 CPU cores: conditional digits that look handwritten
"""

import math
from functools import partial
from typing import Annotated, Literal

from torch import Tensor, nn

from ganvas import arguments as arg
from ganvas.augment import POLICIES
from ganvas.choosing import Advice, Effort, Enough, Facts
from ganvas.data.batches import Images
from ganvas.errors import UsageError
from ganvas.inputs import Input, Normal, label
from ganvas.networks.bottleneck import BottleneckDiscriminator, BottleneckGenerator
from ganvas.networks.plain import PlainDiscriminator, PlainGenerator
from ganvas.penalties import balanced_consistency, lazily, zero_centred
from ganvas.recipe import Batches, Losses, Optimizers, Progress, Recipe, Turns

BURN_IN = 0.2
"""The share of the planned length in which the paper's schedules run."""

LAST = {"lr": 0.25, "penalty": 0.1, "lag": 0.1}
"""What is left of the learning rate, of the penalties' weights, and of 1 - beta2 after it."""

PENALTY, MEASURED_SIDE = 0.2, 32
"""The weight of the gradient penalties, and the side of pictures, in pixels, up to which it was measured."""

GLIMPSE = 10
"""Minutes up to which small gray pictures are left to small networks, which then have time for more steps."""

FEW_OF_A_LABEL = 25
"""Images of a label below which labels are not used: conditional GANs collapse earlier on few images of each label than
unconditional ones on all of them (Shahbazi et al. 2022, "Collapse by conditioning")."""


class R3GAN(Recipe):
    """Relativistic pairing with R1 and R2: the stable choice for images, conditional where the data has labels."""

    accepts = (Images,)
    usual_for = {Images: 0}
    efforts = (
        Effort({"width": 16, "batch_size": 32}),
        Effort({"batch_size": 32}, needs=1000),
        Effort(needs=3000),
        Effort({"width": 64}, needs=20_000),
    )
    enough = Enough(passes=12, items=53_000)
    training_defaults = {"steps": 2200}
    presets = {
        "paper": {
            "architecture": "residual", "width": 768, "schedule": "cosine", "lr": 2e-4, "beta2": 0.9, "r1": 0.05,
            "r2": 0.05, "penalty_every": 1, "batch_size": 512, "ema": 5_000_000,
        }
    }  # fmt: skip
    penalties = ("r1", "r2")
    formerly = {"doubling": "transposed"}

    def __init__(
        self,
        *,
        images: arg.LabelledImages,
        conditional: arg.Conditional = True,
        latent: arg.Latent = 64,
        architecture: Annotated[Literal["plain", "residual"], "the networks; the paper's are residual"] = "plain",
        width: arg.Width = 32,
        doubling: arg.Doubling = "even",
        r1: arg.Penalty = PENALTY,
        r2: arg.Penalty = PENALTY,
        penalty_every: arg.PenaltyEvery = 4,
        consistency: arg.Consistency = 0.0,
        augmentation: arg.Augmentation = "translation",
        minibatch_deviation: arg.MinibatchDeviation = False,
        schedule: Annotated[
            Literal["linear", "cosine"], "linear: learning rates fall to 0; cosine: the paper's schedules"
        ] = "linear",
        contest: arg.Contest = arg.Contest(objective="relativistic", lr=1e-3, beta1=0.0, beta2=0.99),
    ) -> None:
        super().__init__()
        self.images, self.latent, self.contest = images.by_label(conditional), latent, contest
        self.r1, self.r2, self.penalty_every = r1, r2, penalty_every
        self.consistency, self.augment = consistency, POLICIES[augmentation]
        self.schedule = schedule
        shared = {"width": width, **self.images.facts}
        if architecture == "residual":
            if minibatch_deviation:
                raise UsageError("--minibatch-deviation is for plain networks; leave it out, or --architecture plain")
            self.generator: nn.Module = BottleneckGenerator(latent=latent, **shared)
            self.discriminator: nn.Module = BottleneckDiscriminator(**shared)
        else:
            self.generator = PlainGenerator(latent=latent, even=doubling == "even", **shared)
            self.discriminator = PlainDiscriminator(deviation=minibatch_deviation, **shared)

    @classmethod
    def suited(cls, facts: Facts) -> list[Advice]:
        """Penalties that grow with the pixels, small networks for small gray pictures where minutes are few, and labels
        where there are enough images of each. Where a picture has twice the side, a pixel's share in the same judgement
        is a quarter, and so is the square of the gradient; Karras et al. 2020, "Training generative adversarial
        networks with limited data", choose by the same rule.
        """
        advice = []
        height, width = facts.of_data["size"]
        weight = round(PENALTY * height * width / MEASURED_SIDE**2, 1)
        if weight > PENALTY:
            advice.append(
                Advice({"r1": weight, "r2": weight}, f"as penalties grow with the pixels, from {PENALTY} at 32x32")
            )
        elif facts.of_data["channels"] == 1 and facts.minutes <= GLIMPSE:
            light = {"width": 16, "batch_size": 16, "lr": 2e-3, "r1": 0.1, "r2": 0.1, "penalty_every": 8}
            advice.append(Advice(light, "as small gray pictures gain more by many steps than by large networks"))
        if facts.labels and facts.items < FEW_OF_A_LABEL * len(facts.labels):
            mean = facts.items / len(facts.labels)
            advice.append(Advice({"conditional": False}, f"as a label has {mean:.0f} images on average, which are few"))
        return advice

    def inputs(self) -> dict[str, Input]:
        return {"latent": Normal((self.latent,), sphere=True), **label(self.images.classes)}

    def optimizers(self) -> Optimizers:
        return self.contest.optimizers(discriminator=self.discriminator, generator=self.generator)

    def rates(self, progress: Progress) -> dict[str, float]:
        """Both learning rates fall linearly to zero, which turns the last part of training into refinement; by the
        paper's schedule to a quarter."""
        left = 1 - progress.fraction if self.schedule == "linear" else burned_in(progress.fraction, LAST["lr"])
        return dict.fromkeys(("discriminator", "generator"), left)

    def decays(self, progress: Progress) -> dict[str, float]:
        """By the paper's schedule beta2 rises, 1 - beta2 to a tenth."""
        if self.schedule == "linear":
            return {}
        lag = (1 - self.contest.beta2) * burned_in(progress.fraction, LAST["lag"])
        return dict.fromkeys(("discriminator", "generator"), 1 - lag)

    def turns(self, progress: Progress, batches: Batches[Images]) -> Turns:
        left = 1.0 if self.schedule == "linear" else burned_in(progress.fraction, LAST["penalty"])
        judging = partial(self.d_losses, strength=left * lazily(progress.step, self.penalty_every))
        return self.contest.turns(progress, batches, discriminator=judging, generator=self.g_losses)

    def d_losses(self, real: Images, *, strength: float) -> Losses:
        fake, judge = self.generator(**self.draw_for(real)), partial(self.discriminator, label=real.label)
        real_logits, fake_logits = judge(real.image), judge(fake)
        losses = self.contest.losses.d_losses_of(real_logits, fake_logits)
        losses |= zero_centred(judge, real.image, fake, r1=strength * self.r1, r2=strength * self.r2)
        judged = {"real": (real.image, real_logits), "fake": (fake, fake_logits)}
        return losses | balanced_consistency(judge, judged, self.augment, self.consistency)

    def g_losses(self, real: Images) -> Losses:
        fake = self.generator(**self.draw_for(real))
        return self.contest.g_losses(partial(self.discriminator, label=real.label), fake, real.image)

    def generate(self, *, latent: Tensor, label: Tensor | None = None) -> Tensor:
        # The players see what is not clamped, so that no pixel is ever without a gradient.
        return self.generator(latent, label).clamp(-1, 1)  # type: ignore[no-any-return]


def burned_in(fraction: float, last: float) -> float:
    """A factor that goes from 1 to `last` along half a cosine over the first `BURN_IN` of the planned length, and stays
    there."""
    done = min(1.0, fraction / BURN_IN)
    return last + (1 - last) * (1 + math.cos(math.pi * done)) / 2
