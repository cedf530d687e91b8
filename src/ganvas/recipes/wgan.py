"""Wasserstein GAN (Arjovsky, Chintala and Bottou 2017).

Algorithm 1: the critic's turns (`--d-steps`), each followed by a clipping of all its weights, then the generator's one;
RMSProp and the clip 0.01 as there. The networks are DCGAN's (section 4.2). The critic's loss is, up to its sign and an
unknown factor, an estimate of the Wasserstein distance, and falls as samples improve. The paper's learning rate of 5e-5
and its five turns of the critic (`--preset paper`) do far worse in the first minutes on a CPU (docs/benchmarks.md).

    ganvas train wgan --data digits
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from torch import Tensor
from torch.optim import Optimizer

from ganvas import arguments as arg
from ganvas.data.batches import Images
from ganvas.inputs import Input, Normal
from ganvas.networks.convolutional import ConvolutionalDiscriminator, ConvolutionalGenerator
from ganvas.objectives import objective as objective_named
from ganvas.optimizers import optimizer as optimizer_named
from ganvas.options import Range
from ganvas.penalties import clip_weights
from ganvas.recipe import Losses, Progress, Recipe, Results, Turn, alternate


class WGAN(Recipe):
    """Wasserstein GAN with clipped weights, for images of any size."""

    accepts = (Images,)
    presets = {"paper": {"width": 64, "lr": 5e-5, "d_steps": 5, "batch_size": 64}}
    training_defaults = {"epochs": 100}

    def __init__(
        self,
        *,
        channels: arg.Channels,
        size: arg.Size,
        latent: arg.Latent = 100,
        width: arg.Width = 32,
        objective: arg.Objective = "wasserstein",
        clip: Annotated[float, Range(1e-4, 10, log=True), "bound on every weight of the critic"] = 0.01,
        optimizer: arg.OptimizerName = "rmsprop",
        lr: arg.LearningRate = 2e-4,
        beta1: arg.Beta1 = 0.0,
        beta2: arg.Beta2 = 0.99,
        d_steps: arg.DSteps = 2,
    ) -> None:
        super().__init__()
        self.latent, self.clip, self.d_steps = latent, clip, d_steps
        self.objective = objective_named(objective)
        self.whole_batch = self.objective.averaged
        self.hyper: dict[str, Any] = {"name": optimizer, "lr": lr, "beta1": beta1, "beta2": beta2}
        self.generator = ConvolutionalGenerator(latent=latent, channels=channels, size=size, width=width)
        self.critic = ConvolutionalDiscriminator(channels=channels, size=size, width=width)

    def notes(self) -> list[str]:
        return self.generator.pyramid.notes()

    def optimizers(self) -> dict[str, Optimizer]:
        return {
            "critic": optimizer_named(parameters=self.critic.parameters(), **self.hyper),
            "generator": optimizer_named(parameters=self.generator.parameters(), **self.hyper),
        }

    def turns(self, progress: Progress, batches: Iterator[Images]) -> Iterator[Turn]:
        for player, batch in alternate(progress, batches, d_steps=self.d_steps):
            if player == "discriminator":
                yield Turn("critic", self.critic_losses, batch, after=self.keep_lipschitz)
            else:
                yield Turn("generator", self.generator_losses, batch)

    def critic_losses(self, real: Images) -> Losses:
        fake = self.fake(real)
        real_logits, fake_logits = self.critic(real.image), self.critic(fake)
        terms = self.objective.discriminator(real_logits, fake_logits)
        return Losses(terms, *self.objective.judged(real_logits, fake_logits))

    def generator_losses(self, real: Images) -> Losses:
        fake_logits = self.critic(self.fake(real))
        real_logits = self.critic(real.image) if self.objective.paired else None
        return Losses(self.objective.generator(fake_logits, real_logits))

    def keep_lipschitz(self, results: Results) -> None:
        clip_weights(self.critic, self.clip)

    def inputs(self) -> dict[str, Input]:
        return {"latent": Normal((self.latent,))}

    def generate(self, *, latent: Tensor) -> Tensor:
        return self.generator(latent)  # type: ignore[no-any-return]
