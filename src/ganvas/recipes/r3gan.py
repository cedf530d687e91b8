"""The GAN is dead; long live the GAN! A modern GAN baseline (Huang, Gokaslan, Kuleshov and Tompkin 2024).

The paper's loss (section 2): relativistic pairing, so that each generated sample is compared with a real one and a
collapsed generator cannot rest, with R1 and R2, which make the game converge. It needs no other trick. Adam without
momentum and averaged weights as there; the networks are plain convolutional ones instead of the paper's ResNeXt
blocks, small enough for a laptop, and labels enter by embedding and projection. Two things beside the paper can be
added: consistency under augmentation (Zhao et al. 2020), and the minibatch deviation (Karras et al. 2018).

    ganvas train r3gan --data digits          about 6 minutes on 2 CPU cores: conditional digits that look handwritten
"""

from functools import partial

from torch import Tensor

from ganvas import arguments as arg
from ganvas.augment import POLICIES
from ganvas.data.batches import Images
from ganvas.inputs import Input, Normal, label
from ganvas.networks.plain import PlainDiscriminator, PlainGenerator
from ganvas.penalties import balanced_consistency, lazily, zero_centred
from ganvas.recipe import Batches, Losses, Optimizers, Progress, Recipe, Turns


class R3GAN(Recipe):
    """Relativistic pairing with R1 and R2: the stable choice for images, conditional where the data has labels."""

    accepts = (Images,)
    training_defaults = {"steps": 2200}
    penalties = ("r1", "r2")

    def __init__(
        self,
        *,
        images: arg.LabelledImages,
        conditional: arg.Conditional = True,
        latent: arg.Latent = 64,
        width: arg.Width = 32,
        r1: arg.Penalty = 1.0,
        r2: arg.Penalty = 1.0,
        penalty_every: arg.PenaltyEvery = 4,
        consistency: arg.Consistency = 0.0,
        augmentation: arg.Augmentation = "translation",
        minibatch_deviation: arg.MinibatchDeviation = False,
        contest: arg.Contest = arg.Contest(objective="relativistic", lr=1e-3, beta1=0.0, beta2=0.99),
    ) -> None:
        super().__init__()
        self.images, self.latent, self.contest = images.by_label(conditional), latent, contest
        self.r1, self.r2, self.penalty_every = r1, r2, penalty_every
        self.consistency, self.augment = consistency, POLICIES[augmentation]
        self.generator = PlainGenerator(latent=latent, width=width, **self.images.facts)
        self.discriminator = PlainDiscriminator(width=width, deviation=minibatch_deviation, **self.images.facts)

    def inputs(self) -> dict[str, Input]:
        return {"latent": Normal((self.latent,), sphere=True), **label(self.images.classes)}

    def optimizers(self) -> Optimizers:
        return self.contest.optimizers(discriminator=self.discriminator, generator=self.generator)

    def rates(self, progress: Progress) -> dict[str, float]:
        """Both learning rates fall linearly to zero, which turns the last part of training into refinement."""
        return dict.fromkeys(("discriminator", "generator"), 1 - progress.fraction)

    def turns(self, progress: Progress, batches: Batches[Images]) -> Turns:
        judging = partial(self.d_losses, strength=lazily(progress.step, self.penalty_every))
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
