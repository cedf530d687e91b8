"""Least squares generative adversarial networks (Mao, Li, Xie, Lau, Wang and Smolley 2017).

The targets are 0 for fake, 1 for real, and 1 for what the generator wants (eq. 9). Adam with its first decay at 0.5, as
in section 4; the networks are DCGAN's. `--conditional` adds labels, as the paper does for data of many classes (section
3.3), here by an embedding beside the latent vector and a projection in the discriminator.

    ganvas train lsgan --data digits
"""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor
from torch.optim import Optimizer

from ganvas import arguments as arg
from ganvas.data.batches import Images
from ganvas.errors import UsageError
from ganvas.inputs import Input, Normal, label
from ganvas.networks.convolutional import ConvolutionalDiscriminator, ConvolutionalGenerator
from ganvas.objectives import objective as objective_named
from ganvas.optimizers import optimizer as optimizer_named
from ganvas.recipe import Losses, Progress, Recipe, Turn, alternate


class LSGAN(Recipe):
    """Least squares GAN for images of any size, with an optional class condition."""

    accepts = (Images,)
    presets = {"paper": {"latent": 1024, "width": 64, "batch_size": 64}}
    training_defaults = {"epochs": 50}

    def __init__(
        self,
        *,
        channels: arg.Channels,
        size: arg.Size,
        classes: arg.Classes = 0,
        conditional: arg.Conditional = False,
        latent: arg.Latent = 100,
        width: arg.Width = 32,
        objective: arg.Objective = "least-squares",
        lr: arg.LearningRate = 2e-4,
        beta1: arg.Beta1 = 0.5,
        beta2: arg.Beta2 = 0.999,
    ) -> None:
        super().__init__()
        if conditional and not classes:
            raise UsageError("--conditional needs labels, and this data has none; put each class into a sub-folder")
        self.classes = classes if conditional else 0
        self.latent = latent
        self.objective = objective_named(objective)
        self.whole_batch = self.objective.averaged
        self.adam = {"lr": lr, "beta1": beta1, "beta2": beta2}
        self.generator = ConvolutionalGenerator(
            latent=latent, channels=channels, size=size, width=width, classes=self.classes
        )
        self.discriminator = ConvolutionalDiscriminator(channels=channels, size=size, width=width, classes=self.classes)

    def notes(self) -> list[str]:
        return self.generator.pyramid.notes()

    def optimizers(self) -> dict[str, Optimizer]:
        return {
            "discriminator": optimizer_named("adam", self.discriminator.parameters(), **self.adam),
            "generator": optimizer_named("adam", self.generator.parameters(), **self.adam),
        }

    def turns(self, progress: Progress, batches: Iterator[Images]) -> Iterator[Turn]:
        for player, batch in alternate(progress, batches):
            losses = self.discriminator_losses if player == "discriminator" else self.generator_losses
            yield Turn(player, losses, batch)

    def discriminator_losses(self, real: Images) -> Losses:
        fake = self.fake(real)
        real_logits = self.discriminator(real.image, real.label)
        fake_logits = self.discriminator(fake, real.label)
        terms = self.objective.discriminator(real_logits, fake_logits)
        return Losses(terms, *self.objective.judged(real_logits, fake_logits))

    def generator_losses(self, real: Images) -> Losses:
        fake = self.fake(real)
        fake_logits = self.discriminator(fake, real.label)
        real_logits = self.discriminator(real.image, real.label) if self.objective.paired else None
        return Losses(self.objective.generator(fake_logits, real_logits))

    def inputs(self) -> dict[str, Input]:
        return {"latent": Normal((self.latent,)), **label(self.classes)}

    def generate(self, *, latent: Tensor, label: Tensor | None = None) -> Tensor:
        return self.generator(latent, label)  # type: ignore[no-any-return]
