"""Arbitrary style transfer in real-time with adaptive instance normalization (Huang and Belongie 2017).

Any picture lends its style to any other. A frozen network sees both; the content's maps get the means and deviations
that the style's have, channel by channel (AdaIN, eq. 8), and a decoder, the only network that learns to make pictures,
turns such maps into one. It is compared in the frozen network's maps: with what it was decoded from (eq. 12), and in
means and deviations with the style (eq. 13). The network is EfficientNet-Lite2 in place of VGG19, and a discriminator
of patches, which the paper does not have, sees to it that what is made looks like pictures of the style's folder.

    ganvas train adain --data photos/ --other paintings/ --size 128
"""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from torch import Tensor
from torch.nn import functional

from ganvas import arguments as arg
from ganvas.data.batches import Unpaired
from ganvas.inputs import Given, Input
from ganvas.networks.patch import PatchDiscriminator
from ganvas.networks.restyling import Decoder, Encoder, restyled, statistics_apart
from ganvas.recipe import Batches, Losses, Optimizers, Progress, Recipe, Turn, Turns
from ganvas.spaces import FREE, ImageSpace


class AdaIN(Recipe):
    """Pictures in the style of any other, of any sizes, learned from two folders that have nothing in common."""

    accepts = (Unpaired,)
    averaged = ("decoder",)
    frozen = ("encoder",)
    training_defaults = {"epochs": 100, "batch_size": 8}

    def __init__(
        self,
        *,
        channels: arg.Channels,
        size: arg.Size,
        encoder: Annotated[Literal["lite0", "lite2"], "the frozen network that sees content and style"] = "lite2",
        width: arg.Width = 32,
        d_width: arg.Width = 24,
        content: arg.Weight = 1.0,
        style: arg.Weight = 10.0,
        adversarial: arg.Weight = 0.3,
        contest: arg.Contest = arg.Contest(objective="least-squares", lr=1e-3, beta1=0.5, beta2=0.99),
    ) -> None:
        super().__init__()
        self.channels, self.content, self.style, self.adversarial = channels, content, style, adversarial
        self.contest = contest
        with torch.device("cpu"):  # where its weights are, also where the recipe is made without values
            self.encoder = Encoder(encoder)
        self.decoder = Decoder(self.encoder.channels, width=width, channels=channels)
        self.discriminator = PatchDiscriminator(channels=channels, width=d_width, normalised=False)

    def inputs(self) -> dict[str, Input]:
        pictures = ImageSpace(self.channels, FREE, FREE)
        return {"source": Given(pictures), "style": Given(pictures)}

    def optimizers(self) -> Optimizers:
        return self.contest.optimizers(decoder=self.decoder, discriminator=self.discriminator)

    def rates(self, progress: Progress) -> dict[str, float]:
        """Both learning rates fall linearly to zero in the second half."""
        return dict.fromkeys(("decoder", "discriminator"), progress.falling)

    def turns(self, progress: Progress, batches: Batches[Unpaired]) -> Turns:
        real = next(batches)
        made = yield Turn("decoder", self.decoder_losses, real)
        yield Turn("discriminator", self.discriminator_losses, Unpaired(image=real.image, other=made.kept["fake"]))

    def decoder_losses(self, real: Unpaired) -> Losses:
        source, style = self.encoder(real.other), self.encoder(real.image)
        wanted = restyled(source, style)
        fake = self.decoder(wanted, real.other.shape[2:])
        made = self.encoder(fake)
        apart = torch.stack([functional.mse_loss(one, other) for one, other in zip(made, wanted, strict=True)])
        losses = self.contest.g_losses(self.discriminator, fake, real.image)
        terms = {name: self.adversarial * term for name, term in losses.terms.items()}
        terms |= {"content": self.content * apart.mean(), "style": self.style * statistics_apart(made, style)}
        return Losses(terms).keeping(fake=fake)

    def discriminator_losses(self, judged: Unpaired) -> Losses:
        """`other` is what the decoder made."""
        return self.contest.d_losses(self.discriminator, judged.image, judged.other)

    def generate(self, *, source: Tensor, style: Tensor) -> Tensor:
        """(n, C, H, W) in [-1, 1], of the size of the source."""
        maps = restyled(self.encoder(source), self.encoder(style))
        return self.decoder(maps, source.shape[2:])  # type: ignore[no-any-return]
