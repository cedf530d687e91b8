"""Spectral normalization for generative adversarial networks (Miyato, Kataoka, Koyama and Yoshida 2018).

Every layer of the discriminator is divided by its spectral norm (section 2.1), the loss is the hinge (eq. 16 and 17),
the networks are residual (appendix B.4), and Adam is used without momentum, its second decay 0.9, learning rate 2e-4
(section 4.1). Where the data has labels, the generator has conditional BatchNorm and the discriminator a projection, as
in "cGANs with projection discriminator" (Miyato and Koyama 2018). The paper's discriminator has five turns in a step
(`--preset paper`); one here, so that in the same time the generator has more of its own. Consistency under augmentation
(Zhao et al. 2020) can be added.

    ganvas train sngan --data digits
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
from ganvas.networks.residual import ResidualDiscriminator, ResidualGenerator
from ganvas.networks.spectral import advance
from ganvas.objectives import objective as objective_named
from ganvas.optimizers import optimizer as optimizer_named
from ganvas.penalties import balanced_consistency
from ganvas.recipe import Losses, Progress, Recipe, Results, Turn, alternate


class SNGAN(Recipe):
    """Residual networks with spectral normalisation and the hinge loss, conditional where the data has labels."""

    accepts = (Images,)
    presets = {"paper": {"width": 64, "d_steps": 5, "batch_size": 64}}
    training_defaults = {"epochs": 50}

    def __init__(
        self,
        *,
        channels: arg.Channels,
        size: arg.Size,
        classes: arg.Classes = 0,
        conditional: arg.Conditional = True,
        latent: arg.Latent = 128,
        width: arg.Width = 32,
        objective: arg.Objective = "hinge",
        consistency: arg.Consistency = 0.0,
        augmentation: arg.Augmentation = "translation",
        lr: arg.LearningRate = 2e-4,
        beta1: arg.Beta1 = 0.0,
        beta2: arg.Beta2 = 0.9,
        d_steps: arg.DSteps = 1,
    ) -> None:
        super().__init__()
        self.classes = classes if conditional else 0
        self.latent, self.d_steps = latent, d_steps
        self.consistency, self.augment = consistency, POLICIES[augmentation]
        self.objective = objective_named(objective)
        self.whole_batch = self.objective.averaged
        self.adam = {"lr": lr, "beta1": beta1, "beta2": beta2}
        self.generator = ResidualGenerator(
            latent=latent, channels=channels, size=size, width=width, classes=self.classes
        )
        self.discriminator = ResidualDiscriminator(channels=channels, size=size, width=width, classes=self.classes)

    def notes(self) -> list[str]:
        return self.generator.pyramid.notes()

    def optimizers(self) -> dict[str, Optimizer]:
        return {
            "discriminator": optimizer_named("adam", self.discriminator.parameters(), **self.adam),
            "generator": optimizer_named("adam", self.generator.parameters(), **self.adam),
        }

    def turns(self, progress: Progress, batches: Iterator[Images]) -> Iterator[Turn]:
        for player, batch in alternate(progress, batches, d_steps=self.d_steps):
            if player == "discriminator":
                yield Turn("discriminator", self.discriminator_losses, batch, after=self.follow_norms)
            else:
                yield Turn("generator", self.generator_losses, batch)

    def discriminator_losses(self, real: Images) -> Losses:
        fake = self.fake(real)
        judge = partial(self.discriminator, label=real.label)
        real_logits, fake_logits = judge(real.image), judge(fake)
        terms = self.objective.discriminator(real_logits, fake_logits)
        judged = {"real": (real.image, real_logits), "fake": (fake, fake_logits)}
        terms |= balanced_consistency(judge, judged, self.augment, self.consistency)
        return Losses(terms, *self.objective.judged(real_logits, fake_logits))

    def generator_losses(self, real: Images) -> Losses:
        fake = self.fake(real)
        fake_logits = self.discriminator(fake, real.label)
        real_logits = self.discriminator(real.image, real.label) if self.objective.paired else None
        return Losses(self.objective.generator(fake_logits, real_logits))

    def follow_norms(self, results: Results) -> None:
        advance(self.discriminator)

    def inputs(self) -> dict[str, Input]:
        return {"latent": Normal((self.latent,)), **label(self.classes)}

    def generate(self, *, latent: Tensor, label: Tensor | None = None) -> Tensor:
        return self.generator(latent, label)  # type: ignore[no-any-return]
