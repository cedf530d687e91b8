"""Image-to-image translation with conditional adversarial networks (Isola, Zhu, Zhou and Efros 2017).

Pairs teach it: the generator makes the picture that goes with a source, the discriminator judges small patches of
source and picture together (section 3.2.2), and the generator's loss adds the absolute difference from the right answer
(eq. 4), which alone gives the mean of all right answers and looks soft. A first share of the training is that
difference alone, so that the game begins with pictures worth judging. Pairs are mirrored and shifted, both pictures
alike (section 6.2). The networks are not the paper's (`networks/translation.py` says why); neither noise nor dropout is
used, which the paper found the generator to ignore (section 3.1).

Two terms are of later work, "High-resolution image synthesis and semantic manipulation with conditional GANs" (Wang et
al. 2018), which has them both: `--feature-matching` compares in the discriminator's layers (eq. 4), and `--content` in
those of a pretrained network, which helped most of all here (docs/translation.md).

    ganvas train pix2pix --data facades.zip --size 128 --content lite2 --minutes 30
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Annotated

import torch
from torch import Tensor
from torch.nn.functional import l1_loss

from ganvas import arguments as arg
from ganvas import augment
from ganvas.data.batches import Pairs
from ganvas.inputs import Given, Input
from ganvas.networks.patch import PatchDiscriminator
from ganvas.networks.spectral import advance
from ganvas.networks.translation import Translator
from ganvas.options import Range
from ganvas.recipe import Batches, Losses, Optimizers, Progress, Recipe, Results, Turn, Turns
from ganvas.recipes._answers import Answers
from ganvas.spaces import FREE, ImageSpace

FeatureMatching = Annotated[float, Range(0, 1e4), "weight of the distance in the discriminator's layers"]


class Pix2Pix(Recipe):
    """Pictures from pictures of the same place, learned from pairs; of any size afterwards."""

    accepts = (Pairs,)
    usual_for = {Pairs: 0}
    training_defaults = {"epochs": 100, "batch_size": 4, "ema": 1000}

    def __init__(
        self,
        *,
        channels: arg.Channels,
        source_channels: arg.Channels,
        size: arg.Size,
        width: arg.Width = 32,
        fold: arg.Fold = 2,
        d_width: arg.Width = 32,
        spectral: Annotated[bool, "normalise the discriminator's middle layers, which weakens it"] = False,
        answers: Answers = Answers.open(l1=10.0),
        feature_matching: FeatureMatching = 0.0,
        jitter: Annotated[bool, "show pairs mirrored and shifted by up to a sixteenth, both pictures alike"] = True,
        warmup: arg.Warmup = 0.15,
        contest: arg.Contest = arg.Contest(objective="least-squares", lr=5e-4, beta1=0.5, beta2=0.99),
    ) -> None:
        super().__init__()
        self.source_channels, self.answers, self.feature_matching = source_channels, answers, feature_matching
        self.jitter, self.warmup, self.contest = jitter, warmup, contest
        shape = {"source": source_channels, "channels": channels, "size": size, "width": width, "fold": fold}
        self.generator = Translator(**shape)  # type: ignore[arg-type]
        self.discriminator = PatchDiscriminator(channels=source_channels + channels, width=d_width, normalised=spectral)
        self.content = answers.network()
        self.frozen = () if self.content is None else ("content",)  # type: ignore[misc]

    def inputs(self) -> dict[str, Input]:
        made = self.generator
        space = ImageSpace(self.source_channels, FREE, FREE)
        return {"source": Given(space, reach=made.reach, multiple=made.multiple)}

    def optimizers(self) -> Optimizers:
        return self.contest.optimizers(discriminator=self.discriminator, generator=self.generator)

    def rates(self, progress: Progress) -> dict[str, float]:
        """Both learning rates fall linearly to zero in the second half."""
        return dict.fromkeys(("discriminator", "generator"), progress.falling)

    def turns(self, progress: Progress, batches: Batches[Pairs]) -> Turns:
        real = next(batches)
        if progress.fraction >= self.warmup:
            yield Turn("discriminator", self.discriminator_losses, real, after=self.follow)
            yield Turn("generator", self.generator_losses, real)
        else:
            yield Turn("generator", self.warming_losses, real)

    def discriminator_losses(self, pairs: Pairs) -> Losses:
        real = self.seen(pairs)
        return self.contest.d_losses(partial(self.judge, real.source), real.image, self.fake(real))

    def generator_losses(self, pairs: Pairs) -> Losses:
        real = self.seen(pairs)
        fake = self.fake(real)
        adversarial = self.contest.g_losses(partial(self.judge, real.source), fake, real.image)
        return adversarial | self.differences(fake, real) | self.matching(fake, real)

    def warming_losses(self, pairs: Pairs) -> Losses:
        real = self.seen(pairs)
        return Losses(self.differences(self.fake(real), real))

    def seen(self, pairs: Pairs) -> Pairs:
        """The pairs as both players see them."""
        if not self.jitter:
            return pairs
        both = augment.jitter(torch.cat([pairs.source, pairs.image], dim=1))
        source, image = both.split([self.source_channels, both.shape[1] - self.source_channels], dim=1)
        return replace(pairs, source=source, image=image)

    def differences(self, fake: Tensor, real: Pairs) -> dict[str, Tensor]:
        return self.answers.missed(self.content, fake, real.image)

    def matching(self, fake: Tensor, real: Pairs) -> dict[str, Tensor]:
        """The same in the discriminator's layers: the sum over layers of mean absolute differences (Wang et al. 2018,
        eq. 4)."""
        if not self.feature_matching:
            return {}
        with torch.no_grad():
            wanted = self.discriminator.maps(torch.cat([real.source, real.image], dim=1))
        made = self.discriminator.maps(torch.cat([real.source, fake], dim=1))
        apart = torch.stack([l1_loss(one, other) for one, other in zip(made, wanted, strict=True)])
        return {"matching": self.feature_matching * apart.sum()}

    def judge(self, source: Tensor, image: Tensor) -> Tensor:
        """Logits of all patches of a source and a picture that goes with it."""
        return self.discriminator(torch.cat([source, image], dim=1))  # type: ignore[no-any-return]

    def follow(self, results: Results) -> None:
        advance(self.discriminator)

    def generate(self, *, source: Tensor) -> Tensor:
        return self.generator(source)  # type: ignore[no-any-return]
