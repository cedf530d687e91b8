"""Autoencoding beyond pixels using a learned similarity metric (Larsen, Sønderby, Larochelle and Winther 2016).

A variational autoencoder whose decoder is also a GAN's generator, and whose errors are counted in the discriminator's
feature maps. Three players (Algorithm 1): the encoder minimises the divergence of its latent vectors from noise and the
error; the decoder minimises `gamma` times the error and what the discriminator says of both its reconstructions and its
samples; the discriminator tells both from pictures. Nobody but the discriminator moves its features.

What is not the paper's: for a first share of the training (`--warmup`) it is a plain variational autoencoder, because
features of a discriminator that has learned nothing teach nothing. From then on the encoder, which knows its work by
that time, moves at every fourth step alone. Half of a batch is rebuilt, and beside the other half stand samples. Errors
are counted in all maps of the discriminator and in pixels, each relative to how large they are, and the game is that of
`r3gan`.

    ganvas train vaegan --data cifar10.zip
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Annotated

import torch
from torch import Tensor

from ganvas import arguments as arg
from ganvas.data.batches import Images
from ganvas.inputs import Input, Normal
from ganvas.networks.autoencoder import Encoder, divergence, drawn, unlikeliness
from ganvas.networks.plain import PlainDiscriminator, PlainGenerator
from ganvas.options import Range
from ganvas.penalties import lazily, zero_centred
from ganvas.recipe import Batches, Losses, Optimizers, Progress, Recipe, Turn, Turns


class VAEGAN(Recipe):
    """An autoencoder whose errors are seen by a discriminator: sharper reconstructions and samples than `vae` makes."""

    accepts = (Images,)
    sees = ("discriminator.features",)
    averaged = ("generator", "encoder")
    training_defaults = {"epochs": 50, "batch_size": 64}
    penalties = ("r1", "r2")
    formerly = {"doubling": "transposed"}

    def __init__(
        self,
        *,
        images: arg.Images,
        latent: arg.Latent = 128,
        width: arg.Width = 32,
        doubling: arg.Doubling = "even",
        gamma: Annotated[float, Range(0, 1e4), "weight of the reconstruction in the decoder's loss"] = 1.0,
        warmup: arg.Warmup = 0.15,
        encoder_every: Annotated[int, Range(1, 1000), "steps of the game between two turns of the encoder"] = 4,
        r1: arg.Penalty = 0.2,
        r2: arg.Penalty = 0.2,
        penalty_every: arg.PenaltyEvery = 4,
        contest: arg.Contest = arg.Contest(objective="relativistic", lr=1e-3, beta1=0.0, beta2=0.99),
    ) -> None:
        super().__init__()
        self.latent, self.gamma, self.warmup, self.contest = latent, gamma, warmup, contest
        self.encoder_every = encoder_every
        self.r1, self.r2, self.penalty_every = r1, r2, penalty_every
        self.numbers = images.channels * math.prod(images.size)
        self.encoder = Encoder(latent=latent, width=width, **images.facts)
        self.generator = PlainGenerator(latent=latent, width=width, even=doubling == "even", **images.facts)
        self.discriminator = PlainDiscriminator(width=width, **images.facts)

    def inputs(self) -> dict[str, Input]:
        return {"latent": Normal((self.latent,))}

    def optimizers(self) -> Optimizers:
        return self.contest.optimizers(discriminator=self.discriminator, generator=self.generator, encoder=self.encoder)

    def rates(self, progress: Progress) -> dict[str, float]:
        """All learning rates fall linearly to zero in the second half."""
        return dict.fromkeys(("discriminator", "generator", "encoder"), progress.falling)

    def turns(self, progress: Progress, batches: Batches[Images]) -> Turns:
        batch = next(batches)
        if progress.fraction < self.warmup:
            yield Turn("generator", partial(self.bound, see=pixels), batch)
            yield Turn("encoder", partial(self.bound, see=pixels), batch)
            return
        strength = lazily(progress.step, self.penalty_every)
        yield Turn("discriminator", partial(self.d_losses, strength=strength), batch)
        yield Turn("generator", self.g_losses, batch)
        if progress.step % self.encoder_every == 0:
            yield Turn("encoder", partial(self.bound, see=self.seen), batch)

    def d_losses(self, real: Images, *, strength: float) -> Losses:
        fake, _ = self.made(real.image)
        losses = self.contest.d_losses(self.discriminator, real.image, fake)
        return losses | zero_centred(self.discriminator, real.image, fake, r1=strength * self.r1, r2=strength * self.r2)

    def g_losses(self, real: Images) -> Losses:
        made, rebuilt = self.made(real.image)
        seen, maps = self.discriminator.features(real.image), self.discriminator.features(made)
        logits, wanted = self.discriminator.judge(seen[-1]), [each[:rebuilt] for each in (real.image, *seen)]
        terms = self.contest.losses.generator(self.discriminator.judge(maps[-1]), logits)
        errors = unlikeliness([each[:rebuilt] for each in (made, *maps)], wanted)
        return Losses({"reconstruction": self.gamma * errors, **terms})

    def bound(self, real: Images, *, see: Callable[[Tensor], list[Tensor]]) -> Losses:
        """The negative evidence lower bound where errors are in what is seen of images, in nats for each number."""
        mean, log_variance = self.encoder(real.image)
        made = self.generator(drawn(mean, log_variance))
        return Losses(
            {
                "reconstruction": unlikeliness(see(made), see(real.image)),
                "divergence": divergence(mean, log_variance).sum(1).mean() / self.numbers,
            }
        )

    def seen(self, images: Tensor) -> list[Tensor]:
        """Images (B, C, H, W) and the discriminator's maps of them."""
        return [images, *self.discriminator.features(images)]

    def made(self, images: Tensor) -> tuple[Tensor, int]:
        """Reconstructions of the first half of images (B, C, H, W), samples in place of the others, and how many are
        the first half."""
        rebuilt = (len(images) + 1) // 2
        latent = drawn(*self.encoder(images[:rebuilt]))
        noise = torch.randn(len(images) - rebuilt, self.latent, device=latent.device)
        return self.generator(torch.cat([latent, noise])), rebuilt

    def generate(self, *, latent: Tensor) -> Tensor:
        return self.generator(latent).clamp(-1, 1)  # type: ignore[no-any-return]

    def encode(self, values: Tensor) -> dict[str, Tensor]:
        """The mean of the latent vectors of images (B, C, H, W) in [-1, 1]."""
        return {"latent": self.encoder(values)[0]}


def pixels(images: Tensor) -> list[Tensor]:
    """What a plain autoencoder sees of images."""
    return [images]
