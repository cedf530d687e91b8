"""Improved training of Wasserstein GANs (Gulrajani, Ahmed, Arjovsky, Dumoulin and Courville 2017).

Algorithm 1: turns of the critic (`--d-steps`), whose gradient on random points between real and fake is pulled to
length 1 with the weight 10 (eq. 3), then one of the generator; Adam without momentum, its second decay 0.9. As section
4 asks, the critic has no BatchNorm, which would tie the samples of a batch together. The paper's learning rate of 1e-4
and its five turns of the critic (`--preset paper`) do far worse in the first minutes on a CPU (docs/benchmarks.md).
`--conditional` adds labels (an embedding beside the latent vector, a projection in the critic).

    ganvas train wgan-gp --data digits
"""

from functools import partial

from ganvas import arguments as arg
from ganvas.data.batches import Images
from ganvas.inputs import Input, Normal, label
from ganvas.networks.convolutional import ConvolutionalGenerator
from ganvas.networks.plain import PlainDiscriminator
from ganvas.penalties import gradient_penalty
from ganvas.recipe import Batches, Losses, Optimizers, Progress, Recipe, Turns


class WGANGP(Recipe):
    """Wasserstein GAN with a gradient penalty, for images of any size, with an optional class condition."""

    accepts = (Images,)
    sees = ("critic",)
    presets = {"paper": {"width": 64, "lr": 1e-4, "d_steps": 5, "batch_size": 64}}
    training_defaults = {"epochs": 100}

    def __init__(
        self,
        *,
        images: arg.LabelledImages,
        conditional: arg.Conditional = False,
        latent: arg.Latent = 128,
        width: arg.Width = 32,
        penalty: arg.Penalty = 10.0,
        contest: arg.Contest = arg.Contest(objective="wasserstein", lr=5e-4, beta1=0.0, beta2=0.9, d_steps=2),
    ) -> None:
        super().__init__()
        self.images = images.by_label(conditional, needed_by="--conditional")
        self.latent, self.penalty, self.contest = latent, penalty, contest
        self.generator = ConvolutionalGenerator(latent=latent, width=width, **self.images.facts)
        self.critic = PlainDiscriminator(width=width, **self.images.facts)

    def inputs(self) -> dict[str, Input]:
        return {"latent": Normal((self.latent,)), **label(self.images.classes)}

    def optimizers(self) -> Optimizers:
        return self.contest.optimizers(critic=self.critic, generator=self.generator)

    def turns(self, progress: Progress, batches: Batches[Images]) -> Turns:
        return self.contest.turns(progress, batches, critic=self.critic_losses, generator=self.generator_losses)

    def critic_losses(self, real: Images) -> Losses:
        fake, critic = self.fake(real), partial(self.critic, label=real.label)
        losses = self.contest.d_losses(critic, real.image, fake)
        if not self.penalty:
            return losses
        return losses | {"penalty": self.penalty * gradient_penalty(critic, real.image, fake)}

    def generator_losses(self, real: Images) -> Losses:
        return self.contest.g_losses(partial(self.critic, label=real.label), self.fake(real), real.image)
