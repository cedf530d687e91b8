"""Unsupervised representation learning with deep convolutional GANs (Radford, Metz and Chintala 2015).

The networks and their initialisation follow section 3, Adam's settings section 4, the loss the non-saturating one of
Goodfellow et al. 2014. Any channel count and size; `--conditional` adds labels (an embedding beside the latent vector,
a projection in the discriminator), which the paper does not have.
"""

from functools import partial

from ganvas import arguments as arg
from ganvas.data.batches import Images
from ganvas.inputs import Input, Normal, label
from ganvas.networks.convolutional import ConvolutionalDiscriminator, ConvolutionalGenerator
from ganvas.penalties import weight_decay
from ganvas.recipe import Batches, Losses, Optimizers, Progress, Recipe, Turns


class DCGAN(Recipe):
    """Deep convolutional GAN for images of any size, with an optional class condition."""

    accepts = (Images,)
    presets = {"paper": {"width": 128, "batch_size": 128}, "tutorial": arg.TUTORIAL}
    training_defaults = {"epochs": 50}

    def __init__(
        self,
        *,
        images: arg.LabelledImages,
        conditional: arg.Conditional = False,
        latent: arg.Latent = 100,
        width: arg.Width = 32,
        l1: arg.WeightPenalty = 0.0,
        l2: arg.WeightPenalty = 0.0,
        contest: arg.Contest = arg.Contest.open(objective="non-saturating", optimizer="adam", lr=2e-4, beta1=0.5),
    ) -> None:
        super().__init__()
        self.images = images.by_label(conditional, needed_by="--conditional")
        self.latent, self.l1, self.l2, self.contest = latent, l1, l2, contest
        self.generator = ConvolutionalGenerator(latent=latent, width=width, **self.images.facts)
        self.discriminator = ConvolutionalDiscriminator(width=width, **self.images.facts)

    def inputs(self) -> dict[str, Input]:
        return {"latent": Normal((self.latent,)), **label(self.images.classes)}

    def optimizers(self) -> Optimizers:
        return self.contest.optimizers(discriminator=self.discriminator, generator=self.generator)

    def turns(self, progress: Progress, batches: Batches[Images]) -> Turns:
        return self.contest.turns(progress, batches, discriminator=self.d_losses, generator=self.g_losses)

    def d_losses(self, real: Images) -> Losses:
        judge = partial(self.discriminator, label=real.label)
        losses = self.contest.d_losses(judge, real.image, self.fake(real))
        return losses | weight_decay([self.discriminator], l1=self.l1, l2=self.l2)

    def g_losses(self, real: Images) -> Losses:
        judge = partial(self.discriminator, label=real.label)
        losses = self.contest.g_losses(judge, self.fake(real), real.image)
        return losses | weight_decay([self.generator], l1=self.l1, l2=self.l2)
