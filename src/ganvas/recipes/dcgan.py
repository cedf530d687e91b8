"""Unsupervised representation learning with deep convolutional GANs (Radford, Metz and Chintala 2015).

The networks and their initialisation follow section 3, Adam's settings section 4, the loss the non-saturating one of
Goodfellow et al. 2014. Any channel count and size; `--conditional` adds labels (an embedding beside the latent vector,
a projection in the discriminator), which the paper does not have.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from ganvas import arguments as arg
from ganvas.data.batches import Images
from ganvas.errors import UsageError
from ganvas.inputs import Input, Normal, label
from ganvas.networks.convolutional import ConvolutionalDiscriminator, ConvolutionalGenerator
from ganvas.objectives import objective as objective_named
from ganvas.optimizers import optimizer as optimizer_named
from ganvas.penalties import weight_decay
from ganvas.recipe import Losses, Progress, Recipe, Turn, alternate


class DCGAN(Recipe):
    """Deep convolutional GAN for images of any size, with an optional class condition."""

    accepts = (Images,)
    presets = {
        "paper": {"width": 128, "batch_size": 128},
        "tutorial": {
            "lr": 2e-4,
            "beta1": 0.5,
            "beta2": 0.999,
            "flipping": 0.35,
            "batch_size": 128,
            "epochs": 500,
            "sample_every": 100,
        },
    }
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
        objective: arg.Objective = "non-saturating",
        smoothing: arg.Smoothing = 0.0,
        flipping: arg.Flipping = 0.0,
        optimizer: arg.OptimizerName = "adam",
        lr: arg.LearningRate = 2e-4,
        beta1: arg.Beta1 = 0.5,
        beta2: arg.Beta2 = 0.999,
        l1: arg.WeightPenalty = 0.0,
        l2: arg.WeightPenalty = 0.0,
        d_steps: arg.DSteps = 1,
        g_steps: arg.GSteps = 1,
        alternate: arg.Alternate = "steps",
    ) -> None:
        super().__init__()
        if conditional and not classes:
            raise UsageError("--conditional needs labels, and this data has none; put each class into a sub-folder")
        self.classes = classes if conditional else 0
        self.latent, self.l1, self.l2 = latent, l1, l2
        self.objective = objective_named(objective, smoothing=smoothing, flipping=flipping)
        self.whole_batch = self.objective.averaged
        self.hyper: dict[str, Any] = {"name": optimizer, "lr": lr, "beta1": beta1, "beta2": beta2}
        self.order: dict[str, Any] = {"d_steps": d_steps, "g_steps": g_steps, "unit": alternate}
        self.generator = ConvolutionalGenerator(
            latent=latent, channels=channels, size=size, width=width, classes=self.classes
        )
        self.discriminator = ConvolutionalDiscriminator(channels=channels, size=size, width=width, classes=self.classes)

    def notes(self) -> list[str]:
        return self.generator.pyramid.notes()

    def optimizers(self) -> dict[str, Optimizer]:
        return {
            "discriminator": optimizer_named(parameters=self.discriminator.parameters(), **self.hyper),
            "generator": optimizer_named(parameters=self.generator.parameters(), **self.hyper),
        }

    def turns(self, progress: Progress, batches: Iterator[Images]) -> Iterator[Turn]:
        for player, batch in alternate(progress, batches, **self.order):
            losses = self.discriminator_losses if player == "discriminator" else self.generator_losses
            yield Turn(player, losses, batch)

    def discriminator_losses(self, real: Images) -> Losses:
        fake = self.fake(real)
        real_logits = self.discriminator(real.image, real.label)
        fake_logits = self.discriminator(fake, real.label)
        terms = self.objective.discriminator(real_logits, fake_logits)
        terms |= weight_decay([self.discriminator], l1=self.l1, l2=self.l2)
        return Losses(terms, *self.objective.judged(real_logits, fake_logits))

    def generator_losses(self, real: Images) -> Losses:
        fake = self.fake(real)
        fake_logits = self.discriminator(fake, real.label)
        real_logits = self.discriminator(real.image, real.label) if self.objective.paired else None
        terms = self.objective.generator(fake_logits, real_logits)
        return Losses(terms | weight_decay([self.generator], l1=self.l1, l2=self.l2))

    def inputs(self) -> dict[str, Input]:
        return {"latent": Normal((self.latent,)), **label(self.classes)}

    def generate(self, *, latent: Tensor, label: Tensor | None = None) -> Tensor:
        return self.generator(latent, label)  # type: ignore[no-any-return]
