"""Deep generative image models using a Laplacian pyramid of adversarial networks (Denton et al. 2015).

A small GAN makes a coarse image. At every finer size another one, conditioned on the enlarged coarser image, makes the
difference that is missing; its discriminator sees that image plus a real or a made difference (section 2.3). Each
level is trained on its own: in training it starts from a real coarser image, so no term of the loss sees two levels,
and one optimizer for all generators does what one for each would. Only sampling goes from coarse to fine.

Where the data has labels they enter as a plane beside the noise (section 3.1) and by projection in the discriminators.
The paper trains with SGD (`--preset paper`), here it is Adam with DCGAN's settings; the coarsest pair is convolutional.
Any size: a pyramid halves, and rounds up.

    ganvas train lapgan --data digits
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ganvas import arguments as arg
from ganvas.data.batches import Images
from ganvas.inputs import Input, Normal, label
from ganvas.networks.convolutional import ConvolutionalDiscriminator, ConvolutionalGenerator
from ganvas.networks.laplacian import DetailGenerator, enlarged, level_sizes, shrunk
from ganvas.objectives import objective as objective_named
from ganvas.optimizers import optimizer as optimizer_named
from ganvas.recipe import Losses, Progress, Recipe, Turn, alternate


class LAPGAN(Recipe):
    """A Laplacian pyramid of conditional GANs, sampled coarse to fine; by label where the data has labels."""

    accepts = (Images,)
    presets = {"paper": {"width": 128, "optimizer": "sgd", "lr": 0.02, "beta1": 0.5, "batch_size": 16}}
    training_defaults = {"epochs": 50}

    def __init__(
        self,
        *,
        channels: arg.Channels,
        size: arg.Size,
        classes: arg.Classes = 0,
        conditional: arg.Conditional = True,
        latent: arg.Latent = 100,
        width: arg.Width = 32,
        objective: arg.Objective = "non-saturating",
        optimizer: arg.OptimizerName = "adam",
        lr: arg.LearningRate = 2e-4,
        beta1: arg.Beta1 = 0.5,
        beta2: arg.Beta2 = 0.999,
    ) -> None:
        super().__init__()
        self.classes = classes if conditional else 0
        self.latent = latent
        self.objective = objective_named(objective)
        self.whole_batch = self.objective.averaged
        self.hyper: dict[str, Any] = {"name": optimizer, "lr": lr, "beta1": beta1, "beta2": beta2}
        self.sizes = level_sizes(size)
        *finer, coarsest = self.sizes
        shared: dict[str, Any] = {"channels": channels, "width": width, "classes": self.classes}
        self.generator = nn.ModuleList(
            [
                *(DetailGenerator(size=each, **shared) for each in finer),
                ConvolutionalGenerator(latent=latent, size=coarsest, **shared),
            ]
        )
        self.discriminator = nn.ModuleList(ConvolutionalDiscriminator(size=each, **shared) for each in self.sizes)

    def notes(self) -> list[str]:
        return ["images are made coarse to fine: " + ", ".join(f"{h}x{w}" for h, w in reversed(self.sizes))]

    def optimizers(self) -> dict[str, Optimizer]:
        return {
            "discriminator": optimizer_named(parameters=self.discriminator.parameters(), **self.hyper),
            "generator": optimizer_named(parameters=self.generator.parameters(), **self.hyper),
        }

    def turns(self, progress: Progress, batches: Iterator[Images]) -> Iterator[Turn]:
        for player, batch in alternate(progress, batches):
            losses = self.discriminator_losses if player == "discriminator" else self.generator_losses
            yield Turn(player, losses, batch)

    def discriminator_losses(self, real: Images) -> Losses:
        terms: dict[str, Tensor] = {}
        judged = []
        for level, image, fake in self.levels(real):
            real_logits = self.discriminator[level](image, real.label)
            fake_logits = self.discriminator[level](fake, real.label)
            terms |= self.named(level, self.objective.discriminator(real_logits, fake_logits))
            judged.append(self.objective.judged(real_logits, fake_logits))
        real_judged, fake_judged = ([each[kind] for each in judged if each[kind] is not None] for kind in (0, 1))
        together = [torch.stack(each, dim=1) if each else None for each in (real_judged, fake_judged)]
        return Losses(terms, *together, judged[0][2])

    def generator_losses(self, real: Images) -> Losses:
        terms: dict[str, Tensor] = {}
        for level, image, fake in self.levels(real):
            fake_logits = self.discriminator[level](fake, real.label)
            real_logits = self.discriminator[level](image, real.label) if self.objective.paired else None
            terms |= self.named(level, self.objective.generator(fake_logits, real_logits))
        return Losses(terms)

    def levels(self, real: Images) -> Iterator[tuple[int, Tensor, Tensor]]:
        """Each level's number, its real images, and images of that size that start from real coarser ones."""
        inputs = self.draw_for(real)
        image, label = real.image, inputs.get("label")
        for level, coarser in enumerate(self.sizes[1:]):
            below = shrunk(image, coarser)
            low = enlarged(below, self.sizes[level])
            yield level, image, low + self.generator[level](low, inputs[f"noise_{level}"], label)
            image = below
        yield len(self.sizes) - 1, image, self.generator[-1](inputs["latent"], label)

    def named(self, level: int, terms: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The terms with the level's size in their names, as in `real_16x16`."""
        height, width = self.sizes[level]
        return {f"{name}_{height}x{width}": term for name, term in terms.items()}

    def inputs(self) -> dict[str, Input]:
        """The coarsest level's latent vector, for each finer level a plane of noise_LEVEL, and the label."""
        noise = {f"noise_{level}": Normal((1, *size)) for level, size in enumerate(self.sizes[:-1])}
        return {"latent": Normal((self.latent,)), **noise, **label(self.classes)}

    def generate(self, *, latent: Tensor, label: Tensor | None = None, **noise: Tensor) -> Tensor:
        image: Tensor = self.generator[-1](latent, label)
        for level in reversed(range(len(self.sizes) - 1)):
            low = enlarged(image, self.sizes[level])
            image = low + self.generator[level](low, noise[f"noise_{level}"], label)
        return image.clamp(-1, 1)
