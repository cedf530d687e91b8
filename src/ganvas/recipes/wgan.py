"""Wasserstein GAN (Arjovsky, Chintala and Bottou 2017).

Algorithm 1: the critic's turns (`--d-steps`), each followed by a clipping of all its weights, then the generator's one;
RMSProp and the clip 0.01 as there. The networks are DCGAN's (section 4.2). The critic's loss is, up to its sign and an
unknown factor, an estimate of the Wasserstein distance, and falls as samples improve. The paper's learning rate of 5e-5
and its five turns of the critic (`--preset paper`) do far worse in the first minutes on a CPU (docs/benchmarks.md).

    ganvas train wgan --data digits
"""

from typing import Annotated

from ganvas import arguments as arg
from ganvas.data.batches import Images
from ganvas.inputs import Input, Normal
from ganvas.networks.convolutional import ConvolutionalDiscriminator, ConvolutionalGenerator
from ganvas.options import Range
from ganvas.penalties import clip_weights
from ganvas.recipe import Batches, Losses, Optimizers, Progress, Recipe, Turns


class WGAN(Recipe):
    """Wasserstein GAN with clipped weights, for images of any size."""

    accepts = (Images,)
    sees = ("critic",)
    presets = {"paper": {"width": 64, "lr": 5e-5, "d_steps": 5, "batch_size": 64}}
    training_defaults = {"epochs": 100}

    def __init__(
        self,
        *,
        images: arg.Images,
        latent: arg.Latent = 100,
        width: arg.Width = 32,
        clip: Annotated[float, Range(1e-4, 10, log=True), "bound on every weight of the critic"] = 0.01,
        contest: arg.Contest = arg.Contest(
            objective="wasserstein", optimizer="rmsprop", lr=2e-4, beta1=0.0, beta2=0.99, d_steps=2
        ),
    ) -> None:
        super().__init__()
        self.latent, self.clip, self.contest = latent, clip, contest
        self.generator = ConvolutionalGenerator(latent=latent, width=width, **images.facts)
        self.critic = ConvolutionalDiscriminator(width=width, **images.facts)

    def inputs(self) -> dict[str, Input]:
        return {"latent": Normal((self.latent,))}

    def optimizers(self) -> Optimizers:
        return self.contest.optimizers(critic=self.critic, generator=self.generator)

    def turns(self, progress: Progress, batches: Batches[Images]) -> Turns:
        critic = self.critic_losses, lambda results: clip_weights(self.critic, self.clip)
        return self.contest.turns(progress, batches, critic=critic, generator=self.generator_losses)

    def critic_losses(self, real: Images) -> Losses:
        return self.contest.d_losses(self.critic, real.image, self.fake(real))

    def generator_losses(self, real: Images) -> Losses:
        return self.contest.g_losses(self.critic, self.fake(real), real.image)
