"""Image-to-image translation with conditional adversarial networks (Isola, Zhu, Zhou and Efros 2017).

Pairs teach it: the generator makes the picture that goes with a source, the discriminator judges small patches of
source and picture together (section 3.2.2), and the generator's loss adds the absolute difference from the right answer
(eq. 4), which alone gives the mean of all right answers and looks soft. A first share of the training is that
difference alone, so that the game begins with pictures worth judging. The networks are not the paper's
(`networks/translation.py` says why); neither noise nor dropout is used, which the paper found the generator to ignore
(section 3.1).

    ganvas train pix2pix --data facades.zip --size 64
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import l1_loss

from ganvas import arguments as arg
from ganvas.data.batches import Pairs
from ganvas.inputs import Given, Input
from ganvas.networks.patch import PatchDiscriminator
from ganvas.networks.spectral import advance
from ganvas.networks.translation import Translator
from ganvas.recipe import Batches, Losses, Optimizers, Progress, Recipe, Results, Turn, Turns
from ganvas.spaces import FREE, ImageSpace


class Pix2Pix(Recipe):
    """Pictures from pictures of the same place, learned from pairs; of any size afterwards."""

    accepts = (Pairs,)
    training_defaults = {"epochs": 100, "batch_size": 8}

    def __init__(
        self,
        *,
        channels: arg.Channels,
        source_channels: arg.Channels,
        size: arg.Size,
        width: arg.Width = 24,
        d_width: arg.Width = 24,
        l1: arg.Weight = 10.0,
        warmup: arg.Warmup = 0.1,
        contest: arg.Contest = arg.Contest(objective="least-squares", lr=2e-4, beta1=0.5, beta2=0.999),
    ) -> None:
        super().__init__()
        self.source_channels, self.l1, self.warmup = source_channels, l1, warmup
        self.contest = contest
        self.generator = Translator(source=source_channels, channels=channels, size=size, width=width)
        self.discriminator = PatchDiscriminator(channels=source_channels + channels, width=d_width)

    def inputs(self) -> dict[str, Input]:
        made = self.generator
        space = ImageSpace(self.source_channels, FREE, FREE)
        return {"source": Given(space, reach=made.reach, multiple=made.multiple)}

    def optimizers(self) -> Optimizers:
        return self.contest.optimizers(discriminator=self.discriminator, generator=self.generator)

    def rates(self, progress: Progress) -> dict[str, float]:
        """Both learning rates fall linearly to zero in the second half."""
        rest = min(1.0, 2 * (1 - progress.fraction))
        return {"discriminator": rest, "generator": rest}

    def turns(self, progress: Progress, batches: Batches[Pairs]) -> Turns:
        real = next(batches)
        if progress.fraction >= self.warmup:
            yield Turn("discriminator", self.discriminator_losses, real, after=self.follow)
            yield Turn("generator", self.generator_losses, real)
        else:
            yield Turn("generator", self.difference, real)

    def discriminator_losses(self, real: Pairs) -> Losses:
        return self.contest.d_losses(partial(self.judge, real.source), real.image, self.fake(real))

    def generator_losses(self, real: Pairs) -> Losses:
        fake = self.fake(real)
        adversarial = self.contest.g_losses(partial(self.judge, real.source), fake, real.image)
        return adversarial | {"difference": self.l1 * l1_loss(fake, real.image)}

    def difference(self, real: Pairs) -> Losses:
        return Losses({"difference": self.l1 * l1_loss(self.fake(real), real.image)})

    def judge(self, source: Tensor, image: Tensor) -> Tensor:
        """Logits of all patches of a source and a picture that goes with it."""
        return self.discriminator(torch.cat([source, image], dim=1))  # type: ignore[no-any-return]

    def follow(self, results: Results) -> None:
        advance(self.discriminator)

    def generate(self, *, source: Tensor) -> Tensor:
        return self.generator(source)  # type: ignore[no-any-return]
