"""Conditional image synthesis with auxiliary classifier GANs (Odena, Olah and Shlens 2017).

The discriminator judges without seeing the label, and a classifier on its features must name it: of real and of
generated samples, in both players' losses (section 3: the discriminator minimises L_S + L_C, the generator its own
adversarial term + L_C). Adam's settings are appendix A's; the networks are DCGAN's. Needs labelled data.

L_C weighs a tenth of L_S here; in the paper as much (`--preset paper`). The classifier learns from generated samples
too, so with more the players soon agree on a picture for each label.

    ganvas train acgan --data digits
"""

from torch import nn
from torch.nn.functional import cross_entropy

from ganvas import arguments as arg
from ganvas.data.batches import Images
from ganvas.inputs import Input, Normal, label
from ganvas.networks.convolutional import ConvolutionalDiscriminator, ConvolutionalGenerator
from ganvas.recipe import Batches, Losses, Optimizers, Progress, Recipe, Turns


class ACGAN(Recipe):
    """Auxiliary classifier GAN for labelled images of any size."""

    accepts = (Images,)
    sees = ("discriminator.features",)
    presets = {"paper": {"width": 48, "latent": 110, "batch_size": 100, "auxiliary": 1.0}}
    training_defaults = {"epochs": 50}

    def __init__(
        self,
        *,
        images: arg.LabelledImages,
        latent: arg.Latent = 100,
        width: arg.Width = 32,
        auxiliary: arg.TermWeight = 0.1,
        contest: arg.Contest = arg.Contest(objective="non-saturating", lr=2e-4, beta1=0.5, beta2=0.999),
    ) -> None:
        super().__init__()
        self.images = images.by_label(needed_by="acgan")
        self.latent, self.auxiliary, self.contest = latent, auxiliary, contest
        self.generator = ConvolutionalGenerator(latent=latent, width=width, **images.facts)
        self.discriminator = ConvolutionalDiscriminator(channels=images.channels, size=images.size, width=width)
        self.classifier = nn.Linear(self.discriminator.outputs, images.classes)

    def inputs(self) -> dict[str, Input]:
        return {"latent": Normal((self.latent,)), **label(self.images.classes)}

    def optimizers(self) -> Optimizers:
        return self.contest.optimizers(discriminator=[self.discriminator, self.classifier], generator=self.generator)

    def turns(self, progress: Progress, batches: Batches[Images]) -> Turns:
        return self.contest.turns(progress, batches, discriminator=self.d_losses, generator=self.g_losses)

    def d_losses(self, real: Images) -> Losses:
        assert real.label is not None  # or the constructor would have refused
        fake, see = self.fake(real), self.discriminator.features
        real_features, fake_features = see(real.image), see(fake)
        return self.contest.d_losses(self.discriminator.judge, real_features, fake_features) | {
            "class_real": self.auxiliary * cross_entropy(self.classifier(real_features), real.label),
            "class_fake": self.auxiliary * cross_entropy(self.classifier(fake_features), real.label),
        }

    def g_losses(self, real: Images) -> Losses:
        assert real.label is not None
        features = self.discriminator.features(self.fake(real))
        real_logits = self.discriminator(real.image) if self.contest.losses.paired else None
        terms = self.contest.losses.generator(self.discriminator.judge(features), real_logits)
        return Losses(terms | {"class_fake": self.auxiliary * cross_entropy(self.classifier(features), real.label)})
