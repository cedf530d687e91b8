"""The GAN is dead; long live the GAN! A modern GAN baseline (Huang, Gokaslan, Kuleshov and Tompkin 2024).

The paper's loss (section 2): relativistic pairing, so that each generated sample is compared with a real one and a
collapsed generator cannot rest, with R1 and R2, which make the game converge. It needs no other trick. Adam without
momentum and averaged weights as there; the networks are plain convolutional ones instead of the paper's ResNeXt
blocks, small enough for a laptop, and labels enter by embedding and projection. Two things beside the paper can be
added: consistency under augmentation (Zhao et al. 2020), and the minibatch deviation (Karras et al. 2018).

    ganvas train r3gan --data digits          about 6 minutes on 2 CPU cores: conditional digits that look handwritten
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from torch import Tensor
from torch.optim import Optimizer

from ganvas import arguments as arg
from ganvas.augment import POLICIES
from ganvas.data.batches import Images
from ganvas.inputs import Input, Normal, label
from ganvas.networks.plain import PlainDiscriminator, PlainGenerator
from ganvas.objectives import objective as objective_named
from ganvas.optimizers import optimizer as optimizer_named
from ganvas.penalties import balanced_consistency, lazily, zero_centred
from ganvas.recipe import Losses, Progress, Recipe, Turn


class R3GAN(Recipe):
    """Relativistic pairing with R1 and R2: the stable choice for images, conditional where the data has labels."""

    accepts = (Images,)
    training_defaults = {"steps": 2200}

    def __init__(
        self,
        *,
        channels: arg.Channels,
        size: arg.Size,
        classes: arg.Classes = 0,
        conditional: arg.Conditional = True,
        latent: arg.Latent = 64,
        width: arg.Width = 32,
        objective: arg.Objective = "relativistic",
        r1: arg.Penalty = 1.0,
        r2: arg.Penalty = 1.0,
        penalty_every: arg.PenaltyEvery = 4,
        consistency: arg.Consistency = 0.0,
        augmentation: arg.Augmentation = "translation",
        minibatch_deviation: arg.MinibatchDeviation = False,
        lr: arg.LearningRate = 1e-3,
        beta1: arg.Beta1 = 0.0,
        beta2: arg.Beta2 = 0.99,
    ) -> None:
        super().__init__()
        self.classes = classes if conditional else 0
        self.latent, self.r1, self.r2, self.penalty_every = latent, r1, r2, penalty_every
        self.consistency, self.augment = consistency, POLICIES[augmentation]
        self.objective = objective_named(objective)
        self.whole_batch = self.objective.averaged or minibatch_deviation
        self.adam = {"lr": lr, "beta1": beta1, "beta2": beta2}
        self.generator = PlainGenerator(latent=latent, channels=channels, size=size, width=width, classes=self.classes)
        self.discriminator = PlainDiscriminator(
            channels=channels, size=size, width=width, classes=self.classes, deviation=minibatch_deviation
        )

    def notes(self) -> list[str]:
        return self.generator.pyramid.notes()

    def optimizers(self) -> dict[str, Optimizer]:
        return {
            "discriminator": optimizer_named("adam", self.discriminator.parameters(), **self.adam),
            "generator": optimizer_named("adam", self.generator.parameters(), **self.adam),
        }

    def rates(self, progress: Progress) -> dict[str, float]:
        """Both learning rates fall linearly to zero, which turns the last part of training into refinement."""
        rest = 1 - progress.fraction
        return {"discriminator": rest, "generator": rest}

    def turns(self, progress: Progress, batches: Iterator[Images]) -> Iterator[Turn]:
        real = next(batches)
        strength = lazily(progress.step, self.penalty_every)
        yield Turn("discriminator", partial(self.discriminator_losses, strength=strength), real)
        yield Turn("generator", self.generator_losses, real)

    def discriminator_losses(self, real: Images, *, strength: float) -> Losses:
        fake = self.generator(**self.draw_for(real))
        critic = partial(self.discriminator, label=real.label)
        real_logits, fake_logits = critic(real.image), critic(fake)
        terms = self.objective.discriminator(real_logits, fake_logits)
        terms |= zero_centred(critic, real.image, fake, r1=strength * self.r1, r2=strength * self.r2)
        judged = {"real": (real.image, real_logits), "fake": (fake, fake_logits)}
        terms |= balanced_consistency(critic, judged, self.augment, self.consistency)
        return Losses(terms, *self.objective.judged(real_logits, fake_logits))

    def generator_losses(self, real: Images) -> Losses:
        fake = self.generator(**self.draw_for(real))
        fake_logits = self.discriminator(fake, real.label)
        real_logits = self.discriminator(real.image, real.label) if self.objective.paired else None
        return Losses(self.objective.generator(fake_logits, real_logits))

    def inputs(self) -> dict[str, Input]:
        return {"latent": Normal((self.latent,), sphere=True), **label(self.classes)}

    def generate(self, *, latent: Tensor, label: Tensor | None = None) -> Tensor:
        # The players see what is not clamped, so that no pixel is ever without a gradient.
        return self.generator(latent, label).clamp(-1, 1)  # type: ignore[no-any-return]
