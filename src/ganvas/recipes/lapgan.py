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

from collections.abc import Iterator
from functools import partial
from typing import Any

from torch import Tensor, nn

from ganvas import arguments as arg
from ganvas.data.batches import Images
from ganvas.inputs import Input, Normal, label
from ganvas.networks.convolutional import ConvolutionalDiscriminator, ConvolutionalGenerator
from ganvas.networks.laplacian import DetailGenerator, enlarged, level_sizes, shrunk
from ganvas.recipe import Batches, Losses, Optimizers, Progress, Recipe, Turns, together


class LAPGAN(Recipe):
    """A Laplacian pyramid of conditional GANs, sampled coarse to fine; by label where the data has labels."""

    accepts = (Images,)
    presets = {"paper": {"width": 128, "optimizer": "sgd", "lr": 0.02, "beta1": 0.5, "batch_size": 16}}
    training_defaults = {"epochs": 50}

    def __init__(
        self,
        *,
        images: arg.LabelledImages,
        conditional: arg.Conditional = True,
        latent: arg.Latent = 100,
        width: arg.Width = 32,
        contest: arg.Contest = arg.Contest(
            objective="non-saturating", optimizer="adam", lr=2e-4, beta1=0.5, beta2=0.999
        ),
    ) -> None:
        super().__init__()
        self.images, self.latent, self.contest = images.by_label(conditional), latent, contest
        self.sizes = level_sizes(images.size)
        levels: list[dict[str, Any]] = [{**self.images.facts, "size": size, "width": width} for size in self.sizes]
        finer = (DetailGenerator(**level) for level in levels[:-1])
        self.generator = nn.ModuleList([*finer, ConvolutionalGenerator(latent=latent, **levels[-1])])
        self.discriminator = nn.ModuleList(ConvolutionalDiscriminator(**level) for level in levels)

    def notes(self) -> list[str]:
        return ["images are made coarse to fine: " + ", ".join(f"{h}x{w}" for h, w in reversed(self.sizes))]

    def inputs(self) -> dict[str, Input]:
        """The coarsest level's latent vector, for each finer level a plane of noise_LEVEL, and the label."""
        noise = {f"noise_{level}": Normal((1, *size)) for level, size in enumerate(self.sizes[:-1])}
        return {"latent": Normal((self.latent,)), **noise, **label(self.images.classes)}

    def optimizers(self) -> Optimizers:
        return self.contest.optimizers(discriminator=self.discriminator, generator=self.generator)

    def turns(self, progress: Progress, batches: Batches[Images]) -> Turns:
        return self.contest.turns(progress, batches, discriminator=self.d_losses, generator=self.g_losses)

    def d_losses(self, real: Images) -> Losses:
        levels = self.levels(real)
        return together({size: self.contest.d_losses(judge, image, fake) for size, judge, image, fake in levels})

    def g_losses(self, real: Images) -> Losses:
        levels = self.levels(real)
        return together({size: self.contest.g_losses(judge, fake, image) for size, judge, image, fake in levels})

    def levels(self, real: Images) -> Iterator[tuple[str, partial[Tensor], Tensor, Tensor]]:
        """Each level's size, its judge, its real images, and images that start from real coarser ones."""
        inputs, networks = self.draw_for(real), zip(self.sizes, self.discriminator, strict=True)
        image, label = real.image, inputs.get("label")
        *finer, coarsest = [(f"{h}x{w}", partial(network, label=real.label)) for (h, w), network in networks]
        for level, named_judge in enumerate(finer):
            coarser = shrunk(image, self.sizes[level + 1])
            low = enlarged(coarser, self.sizes[level])
            yield *named_judge, image, low + self.generator[level](low, inputs[f"noise_{level}"], label)
            image = coarser
        yield *coarsest, image, self.generator[-1](inputs["latent"], label)

    def generate(self, *, latent: Tensor, label: Tensor | None = None, **noise: Tensor) -> Tensor:
        image: Tensor = self.generator[-1](latent, label)
        for level in reversed(range(len(self.sizes) - 1)):
            low = enlarged(image, self.sizes[level])
            image = low + self.generator[level](low, noise[f"noise_{level}"], label)
        return image.clamp(-1, 1)
