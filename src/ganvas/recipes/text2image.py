"""Generative adversarial text to image synthesis (Reed et al. 2016), on networks of today.

The discriminator is matching-aware (section 4.1): a real picture with another picture's caption counts as fake. The
generator also plays with captions between two of the training (section 4.2). Its blocks are modulated by caption and
noise (DF-GAN: Tao et al. 2022, section 3.3); there the gradient penalty is on real pictures with their captions alone,
here on generated ones too, since objective and penalties are those of r3gan (Huang et al. 2024). Both comparisons, of
real with generated and of right with wrong captions, are of pairs.

    ganvas train text2image --data avatars-captioned/ --minutes 25
    ganvas sample runs/text2image-... --caption "a smiling man with a red beard and glasses" -n 8
"""

from __future__ import annotations

from functools import partial
from typing import Annotated

import torch
from torch import Tensor

from ganvas import arguments as arg
from ganvas.captions import encoder_from_json
from ganvas.data.batches import Captioned
from ganvas.inputs import Caption, Input, Normal
from ganvas.networks.captions import CaptionedDiscriminator, CaptionedGenerator
from ganvas.options import Range
from ganvas.penalties import lazily, zero_centred
from ganvas.recipe import Batches, Losses, Optimizers, Progress, Recipe, Turns


class Text2Image(Recipe):
    """Pictures of what captions say."""

    accepts = (Captioned,)
    usual_for = {Captioned: 0}
    sees = ("discriminator.seen",)
    training_defaults = {"epochs": 30, "batch_size": 32}
    penalties = ("r1", "r2")
    formerly = {"fine": False}

    def __init__(
        self,
        *,
        images: arg.Images,
        captions: arg.Captions,
        latent: arg.Latent = 64,
        condition: Annotated[int, Range(1, 4096), "numbers in which a caption reaches the networks"] = 128,
        width: arg.Width = 24,
        d_width: arg.Width = 24,
        fold: arg.Fold = 2,
        fine: Annotated[bool, "the discriminator looks at full size first, and sees a weave of single pixels"] = True,
        mismatch: Annotated[float, Range(0, 100), "weight of telling right captions from wrong ones"] = 1.0,
        interpolated: Annotated[float, Range(0, 1), "share of the generator's captions that lie between two"] = 0.25,
        r1: arg.Penalty = 1.0,
        r2: arg.Penalty = 1.0,
        penalty_every: arg.PenaltyEvery = 4,
        contest: arg.Contest = arg.Contest(objective="relativistic", lr=1e-3, beta1=0.0, beta2=0.99),
    ) -> None:
        super().__init__()
        self.encoder, self.examples = encoder_from_json(captions["encoder"]), tuple(map(str, captions["examples"]))
        self.latent, self.mismatch, self.interpolated, self.contest = latent, mismatch, interpolated, contest
        self.r1, self.r2, self.penalty_every = r1, r2, penalty_every
        facts = {"caption": self.encoder.size, "condition": condition, **images.facts}
        self.generator = CaptionedGenerator(latent=latent, width=width, fold=fold, **facts)
        self.discriminator = CaptionedDiscriminator(width=d_width, fine=fine, **facts)

    def inputs(self) -> dict[str, Input]:
        return {"latent": Normal((self.latent,), sphere=True), "caption": Caption(self.encoder, self.examples)}

    def optimizers(self) -> Optimizers:
        return self.contest.optimizers(discriminator=self.discriminator, generator=self.generator)

    def rates(self, progress: Progress) -> dict[str, float]:
        """Both learning rates fall linearly to zero."""
        return dict.fromkeys(("discriminator", "generator"), 1 - progress.fraction)

    def turns(self, progress: Progress, batches: Batches[Captioned]) -> Turns:
        judging = partial(self.d_losses, strength=lazily(progress.step, self.penalty_every))
        return self.contest.turns(progress, batches, discriminator=judging, generator=self.g_losses)

    def d_losses(self, real: Captioned, *, strength: float) -> Losses:
        fake, judge = self.generator(**self.draw_for(real)), partial(self.discriminator, caption=real.caption)
        seen = self.discriminator.seen(real.image)
        right = self.discriminator.logits(seen, real.caption)
        losses = self.contest.losses.d_losses_of(right, judge(fake))
        losses |= zero_centred(judge, real.image, fake, r1=strength * self.r1, r2=strength * self.r2)
        if not self.mismatch:
            return losses
        wrong = self.contest.losses.discriminator(right, self.discriminator.logits(seen, real.wrong))
        return losses | {f"{name}_mismatched": self.mismatch * term for name, term in wrong.items()}

    def g_losses(self, real: Captioned) -> Losses:
        drawn = self.draw_for(real)
        share = torch.rand(len(real), 1, device=real.device)
        between = torch.rand(len(real), 1, device=real.device) < self.interpolated
        wanted = torch.lerp(real.caption, real.wrong, torch.where(between, share, torch.zeros_like(share)))
        fake = self.generator(**drawn | {"caption": wanted})
        paired = self.contest.losses.paired
        return Losses(
            self.contest.losses.generator(
                self.discriminator(fake, wanted),
                self.discriminator(real.image, real.caption) if paired else None,
            )
        )

    def generate(self, *, latent: Tensor, caption: Tensor) -> Tensor:
        # The players see what is not clamped, so that no pixel is ever without a gradient.
        return self.generator(latent, caption).clamp(-1, 1)  # type: ignore[no-any-return]
