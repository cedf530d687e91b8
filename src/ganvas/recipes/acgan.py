"""Conditional image synthesis with auxiliary classifier GANs (Odena, Olah and Shlens 2017).

The discriminator judges without seeing the label, and a classifier on its features must name it: of real and of
generated samples, in both players' losses (section 3: the discriminator minimises L_S + L_C, the generator its own
adversarial term + L_C). Adam's settings are appendix A's; the networks are DCGAN's. Needs labelled data.

L_C weighs a tenth of L_S here; in the paper as much (`--preset paper`). The classifier learns from generated samples
too, so with more the players soon agree on a picture for each label.

    ganvas train acgan --data digits
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import Optimizer

from ganvas import arguments as arg
from ganvas.data.batches import Images
from ganvas.errors import UsageError
from ganvas.inputs import Input, Normal, label
from ganvas.networks.convolutional import ConvolutionalDiscriminator, ConvolutionalGenerator
from ganvas.objectives import objective as objective_named
from ganvas.optimizers import optimizer as optimizer_named
from ganvas.recipe import Losses, Progress, Recipe, Turn, alternate


class ACGAN(Recipe):
    """Auxiliary classifier GAN for labelled images of any size."""

    accepts = (Images,)
    presets = {"paper": {"width": 48, "latent": 110, "batch_size": 100, "auxiliary": 1.0}}
    training_defaults = {"epochs": 50}

    def __init__(
        self,
        *,
        channels: arg.Channels,
        size: arg.Size,
        classes: arg.Classes = 0,
        latent: arg.Latent = 100,
        width: arg.Width = 32,
        objective: arg.Objective = "non-saturating",
        auxiliary: arg.TermWeight = 0.1,
        lr: arg.LearningRate = 2e-4,
        beta1: arg.Beta1 = 0.5,
        beta2: arg.Beta2 = 0.999,
    ) -> None:
        super().__init__()
        if not classes:
            raise UsageError("acgan needs labels, and this data has none; put each class into a sub-folder of its own")
        self.classes, self.latent, self.auxiliary = classes, latent, auxiliary
        self.objective = objective_named(objective)
        self.whole_batch = self.objective.averaged
        self.adam = {"lr": lr, "beta1": beta1, "beta2": beta2}
        self.generator = ConvolutionalGenerator(
            latent=latent, channels=channels, size=size, width=width, classes=classes
        )
        self.discriminator = ConvolutionalDiscriminator(channels=channels, size=size, width=width)
        self.classifier = nn.Linear(self.discriminator.outputs, classes)

    def notes(self) -> list[str]:
        return self.generator.pyramid.notes()

    def optimizers(self) -> dict[str, Optimizer]:
        judges = chain(self.discriminator.parameters(), self.classifier.parameters())
        return {
            "discriminator": optimizer_named("adam", judges, **self.adam),
            "generator": optimizer_named("adam", self.generator.parameters(), **self.adam),
        }

    def turns(self, progress: Progress, batches: Iterator[Images]) -> Iterator[Turn]:
        for player, batch in alternate(progress, batches):
            losses = self.discriminator_losses if player == "discriminator" else self.generator_losses
            yield Turn(player, losses, batch)

    def discriminator_losses(self, real: Images) -> Losses:
        assert real.label is not None  # or the constructor would have refused
        fake = self.fake(real)
        real_logits, real_classes = self.judge(real.image)
        fake_logits, fake_classes = self.judge(fake)
        terms = self.objective.discriminator(real_logits, fake_logits)
        terms["class_real"] = self.auxiliary * cross_entropy(real_classes, real.label)
        terms["class_fake"] = self.auxiliary * cross_entropy(fake_classes, real.label)
        return Losses(terms, *self.objective.judged(real_logits, fake_logits))

    def generator_losses(self, real: Images) -> Losses:
        assert real.label is not None
        fake_logits, fake_classes = self.judge(self.fake(real))
        real_logits = self.judge(real.image)[0] if self.objective.paired else None
        terms = self.objective.generator(fake_logits, real_logits)
        terms["class_fake"] = self.auxiliary * cross_entropy(fake_classes, real.label)
        return Losses(terms)

    def judge(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, H, W) to logits of being real (B,) and of each class (B, classes)."""
        features = self.discriminator.features(images)
        return self.discriminator.judge(features), self.classifier(features)

    def inputs(self) -> dict[str, Input]:
        return {"latent": Normal((self.latent,)), **label(self.classes)}

    def generate(self, *, latent: Tensor, label: Tensor) -> Tensor:
        return self.generator(latent, label)  # type: ignore[no-any-return]
