"""Least squares generative adversarial networks (Mao, Li, Xie, Lau, Wang and Smolley 2017).

The targets are 0 for fake, 1 for real, and 1 for what the generator wants (eq. 9). Adam with its first decay at 0.5, as
in section 4; the networks are DCGAN's. `--conditional` adds labels, as the paper does for data of many classes (section
3.3), here by an embedding beside the latent vector and a projection in the discriminator.

    ganvas train lsgan --data digits
"""

from functools import partial

from ganvas import arguments as arg
from ganvas.data.batches import Images
from ganvas.inputs import Input, Normal, label
from ganvas.networks.convolutional import ConvolutionalDiscriminator, ConvolutionalGenerator
from ganvas.recipe import Batches, Losses, Optimizers, Progress, Recipe, Turns


class LSGAN(Recipe):
    """Least squares GAN for images of any size, with an optional class condition."""

    accepts = (Images,)
    presets = {"paper": {"latent": 1024, "width": 64, "batch_size": 64}}
    training_defaults = {"epochs": 50}

    def __init__(
        self,
        *,
        images: arg.LabelledImages,
        conditional: arg.Conditional = False,
        latent: arg.Latent = 100,
        width: arg.Width = 32,
        contest: arg.Contest = arg.Contest(objective="least-squares", lr=2e-4, beta1=0.5, beta2=0.999),
    ) -> None:
        super().__init__()
        self.images = images.by_label(conditional, needed_by="--conditional")
        self.latent, self.contest = latent, contest
        self.generator = ConvolutionalGenerator(latent=latent, width=width, **self.images.facts)
        self.discriminator = ConvolutionalDiscriminator(width=width, **self.images.facts)

    def inputs(self) -> dict[str, Input]:
        return {"latent": Normal((self.latent,)), **label(self.images.classes)}

    def optimizers(self) -> Optimizers:
        return self.contest.optimizers(discriminator=self.discriminator, generator=self.generator)

    def turns(self, progress: Progress, batches: Batches[Images]) -> Turns:
        return self.contest.turns(progress, batches, discriminator=self.d_losses, generator=self.g_losses)

    def d_losses(self, real: Images) -> Losses:
        return self.contest.d_losses(partial(self.discriminator, label=real.label), real.image, self.fake(real))

    def g_losses(self, real: Images) -> Losses:
        return self.contest.g_losses(partial(self.discriminator, label=real.label), self.fake(real), real.image)
