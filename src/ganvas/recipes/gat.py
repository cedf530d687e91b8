"""Scalable GANs with transformers (Hyun, Lee and Heo 2025).

From the paper: both players are plain transformers on patches; images are made after several of the generator's blocks,
each is perturbed by noise, the earlier the more of it, and the discriminator judges them all, so the first blocks learn
as much as the last; the learning rate falls with the width; relativistic pairing with R1 and R2 (Huang et al. 2024),
which are approximated by how much noise changes a logit (Lin et al. 2025), so that a step has no second derivatives.

Our choices, for minutes on a CPU: pixels in place of an autoencoder's latents, and no pretrained features beside the
discriminator. The images of all levels are judged together, as channels of one, which costs the discriminator a wider
first layer and nothing else. Blocks are parallel and see their neighbours by a depthwise convolution; patches begin and
end in a 3x3 convolution at full size (`networks/transformers.py`).

    ganvas train gat --data photos/ --size 32 --batch-size 32 --minutes 20
"""

from __future__ import annotations

from functools import partial
from typing import Annotated

import torch
from torch import Tensor

from ganvas import arguments as arg
from ganvas.data.batches import Images
from ganvas.inputs import Input, Normal, label
from ganvas.networks.transformers import TransformerDiscriminator, TransformerGenerator
from ganvas.options import Range
from ganvas.penalties import approximately_zero_centred, lazily
from ganvas.recipe import Batches, Losses, Optimizers, Progress, Recipe, Turns

REFERENCE = 192
"""The width whose learning rate is `lr`."""


class GAT(Recipe):
    """Transformers as both players, for images that patches fill: nearly all its work is in large matrix products."""

    accepts = (Images,)
    training_defaults = {"epochs": 50, "batch_size": 32}
    penalties = ("r1", "r2")

    def __init__(
        self,
        *,
        images: arg.LabelledImages,
        conditional: arg.Conditional = True,
        latent: arg.Latent = 64,
        patch: Annotated[int, Range(0, 64), "pixels on a patch's side; 0: what makes about 8 of them on a side"] = 0,
        width: Annotated[int, Range(4, 4096), "features of a generator's token"] = 192,
        d_width: Annotated[int, Range(4, 4096), "features of a discriminator's token"] = 192,
        depth: Annotated[int, Range(1, 100), "blocks of each player"] = 4,
        levels: Annotated[int, Range(1, 16), "images that the generator makes on its way; all are judged"] = 2,
        noise: Annotated[float, Range(0, 10), "noise on the first of these images; the last has none"] = 0.5,
        maps: Annotated[int, Range(1, 256), "feature maps at full size"] = 16,
        pace: Annotated[float, Range(0.001, 10), "the generator's learning rate, beside the discriminator's"] = 0.2,
        r1: arg.Penalty = 1.0,
        r2: arg.Penalty = 1.0,
        penalty_every: arg.PenaltyEvery = 4,
        contest: arg.Contest = arg.Contest(objective="relativistic", lr=4e-4, beta1=0.0, beta2=0.99),
    ) -> None:
        super().__init__()
        self.images, self.latent, self.contest = images.by_label(conditional), latent, contest
        self.r1, self.r2, self.penalty_every = r1, r2, penalty_every
        self.amounts = noise_of_levels(levels, noise)
        facts = self.images.facts
        shared = {"size": facts["size"], "classes": facts["classes"], "depth": depth, "patch": patch, "maps": maps}
        self.generator = TransformerGenerator(
            latent=latent, channels=facts["channels"], width=width, levels=levels, **shared
        )
        self.discriminator = TransformerDiscriminator(channels=levels * facts["channels"], width=d_width, **shared)
        self.rate = {"generator": pace * REFERENCE / width, "discriminator": REFERENCE / d_width}

    def inputs(self) -> dict[str, Input]:
        return {"latent": Normal((self.latent,), sphere=True), **label(self.images.classes)}

    def optimizers(self) -> Optimizers:
        return self.contest.optimizers(discriminator=self.discriminator, generator=self.generator)

    def rates(self, progress: Progress) -> dict[str, float]:
        """Learning rates are inverse to the width, the generator's is lower, and both fall linearly to zero in the
        second half."""
        return {player: factor * progress.falling for player, factor in self.rate.items()}

    def turns(self, progress: Progress, batches: Batches[Images]) -> Turns:
        judging = partial(self.d_losses, strength=lazily(progress.step, self.penalty_every))
        return self.contest.turns(progress, batches, discriminator=judging, generator=self.g_losses)

    def d_losses(self, real: Images, *, strength: float) -> Losses:
        true, made, judge = self.seen_of(real), self.made_for(real), partial(self.discriminator, label=real.label)
        real_logits, fake_logits = judge(true), judge(made)
        losses = self.contest.losses.d_losses_of(real_logits, fake_logits)
        judged = {"r1": (true, real_logits, strength * self.r1), "r2": (made, fake_logits, strength * self.r2)}
        return losses | approximately_zero_centred(judge, judged)

    def g_losses(self, real: Images) -> Losses:
        judge = partial(self.discriminator, label=real.label)
        return self.contest.g_losses(judge, self.made_for(real), self.seen_of(real))

    def made_for(self, real: Images) -> Tensor:
        """What the discriminator sees of samples that go with this batch."""
        return self.perturbed(self.generator.levels(**self.draw_for(real)))

    def seen_of(self, real: Images) -> Tensor:
        """What it sees of the batch: for each level the same image, with other noise."""
        return self.perturbed([real.image] * len(self.amounts))

    def perturbed(self, levels: list[Tensor]) -> Tensor:
        """The images (B, C, H, W) of all levels with their noise, as channels of one: (B, levels * C, H, W)."""
        noisy = [
            image + amount * torch.randn_like(image) if amount else image
            for image, amount in zip(levels, self.amounts, strict=True)
        ]
        return torch.cat(noisy, dim=1)

    def generate(self, *, latent: Tensor, label: Tensor | None = None) -> Tensor:
        # The players see what is not clamped, so that no pixel is ever without a gradient.
        return self.generator(latent, label).clamp(-1, 1)  # type: ignore[no-any-return]


def noise_of_levels(levels: int, most: float) -> list[float]:
    """The standard deviation of the noise on each level's images: from `most` linearly to none on the last."""
    return [most * (1 - level / (levels - 1)) if levels > 1 else 0.0 for level in range(levels)]
