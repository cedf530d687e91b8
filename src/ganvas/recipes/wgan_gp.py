"""Improved training of Wasserstein GANs (Gulrajani, Ahmed, Arjovsky, Dumoulin and Courville 2017).

Algorithm 1: turns of the critic (`--d-steps`), whose gradient on random points between real and fake is pulled to
length 1 with the weight 10 (eq. 3), then one of the generator; Adam without momentum, its second decay 0.9. As section
4 asks, the critic has no BatchNorm, which would tie the samples of a batch together. The paper's learning rate of 1e-4
and its five turns of the critic (`--preset paper`) do far worse in the first minutes on a CPU (docs/benchmarks.md).
`--conditional` adds labels (an embedding beside the latent vector, a projection in the critic).

    ganvas train wgan-gp --data digits
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from torch import Tensor
from torch.optim import Optimizer

from ganvas import arguments as arg
from ganvas.data.batches import Images
from ganvas.errors import UsageError
from ganvas.inputs import Input, Normal, label
from ganvas.networks.convolutional import ConvolutionalGenerator
from ganvas.networks.plain import PlainDiscriminator
from ganvas.objectives import objective as objective_named
from ganvas.optimizers import optimizer as optimizer_named
from ganvas.penalties import gradient_penalty
from ganvas.recipe import Losses, Progress, Recipe, Turn, alternate


class WGANGP(Recipe):
    """Wasserstein GAN with a gradient penalty, for images of any size, with an optional class condition."""

    accepts = (Images,)
    presets = {"paper": {"width": 64, "lr": 1e-4, "d_steps": 5, "batch_size": 64}}
    training_defaults = {"epochs": 100}

    def __init__(
        self,
        *,
        channels: arg.Channels,
        size: arg.Size,
        classes: arg.Classes = 0,
        conditional: arg.Conditional = False,
        latent: arg.Latent = 128,
        width: arg.Width = 32,
        objective: arg.Objective = "wasserstein",
        penalty: arg.Penalty = 10.0,
        lr: arg.LearningRate = 5e-4,
        beta1: arg.Beta1 = 0.0,
        beta2: arg.Beta2 = 0.9,
        d_steps: arg.DSteps = 2,
    ) -> None:
        super().__init__()
        if conditional and not classes:
            raise UsageError("--conditional needs labels, and this data has none; put each class into a sub-folder")
        self.classes = classes if conditional else 0
        self.latent, self.penalty, self.d_steps = latent, penalty, d_steps
        self.objective = objective_named(objective)
        self.whole_batch = self.objective.averaged
        self.adam = {"lr": lr, "beta1": beta1, "beta2": beta2}
        self.generator = ConvolutionalGenerator(
            latent=latent, channels=channels, size=size, width=width, classes=self.classes
        )
        self.critic = PlainDiscriminator(channels=channels, size=size, width=width, classes=self.classes)

    def notes(self) -> list[str]:
        return self.generator.pyramid.notes()

    def optimizers(self) -> dict[str, Optimizer]:
        return {
            "critic": optimizer_named("adam", self.critic.parameters(), **self.adam),
            "generator": optimizer_named("adam", self.generator.parameters(), **self.adam),
        }

    def turns(self, progress: Progress, batches: Iterator[Images]) -> Iterator[Turn]:
        for player, batch in alternate(progress, batches, d_steps=self.d_steps):
            if player == "discriminator":
                yield Turn("critic", self.critic_losses, batch)
            else:
                yield Turn("generator", self.generator_losses, batch)

    def critic_losses(self, real: Images) -> Losses:
        fake = self.fake(real)
        critic = partial(self.critic, label=real.label)
        real_logits, fake_logits = critic(real.image), critic(fake)
        terms = self.objective.discriminator(real_logits, fake_logits)
        if self.penalty:
            terms["penalty"] = self.penalty * gradient_penalty(critic, real.image, fake)
        return Losses(terms, *self.objective.judged(real_logits, fake_logits))

    def generator_losses(self, real: Images) -> Losses:
        fake = self.fake(real)
        fake_logits = self.critic(fake, real.label)
        real_logits = self.critic(real.image, real.label) if self.objective.paired else None
        return Losses(self.objective.generator(fake_logits, real_logits))

    def inputs(self) -> dict[str, Input]:
        return {"latent": Normal((self.latent,)), **label(self.classes)}

    def generate(self, *, latent: Tensor, label: Tensor | None = None) -> Tensor:
        return self.generator(latent, label)  # type: ignore[no-any-return]
