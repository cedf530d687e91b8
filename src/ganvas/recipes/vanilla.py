"""Generative adversarial nets (Goodfellow et al. 2014).

Fully connected players: a ReLU generator and a maxout discriminator with dropout (section 5). `--objective minimax`
is the value function of equation 1, `non-saturating` the generator's loss that section 3 recommends. `--d-steps` is k
of Algorithm 1. It learns images of any size and points such as the 2-D mixtures `ring` and `grid`.
"""

import math
from typing import Annotated

import torch
from torch import Tensor

from ganvas import arguments as arg
from ganvas.choosing import Advice, Facts
from ganvas.data.batches import Batch, Images, Points
from ganvas.inputs import Input, Normal
from ganvas.networks.mlp import maxout, mlp
from ganvas.options import Range
from ganvas.penalties import weight_decay, zero_centred
from ganvas.recipe import Batches, Losses, Optimizers, Progress, Recipe, Turns


class Vanilla(Recipe):
    """The original GAN, with fully connected players, for images and points."""

    accepts = (Images, Points)
    usual_for = {Points: 0}
    sees = ("judge",)
    presets = {
        "paper": {"width": 1200, "optimizer": "sgd", "lr": 0.1, "beta1": 0.5, "batch_size": 100},
        "tutorial": arg.TUTORIAL,
    }
    training_defaults = {"epochs": 50}
    penalties = ("r1", "r2")

    def __init__(
        self,
        *,
        shape: arg.Shape,
        latent: arg.Latent = 64,
        width: arg.Width = 256,
        layers: Annotated[int, Range(1, 16), "hidden layers of each player"] = 2,
        dropout: Annotated[
            float | None, Range(0, 0.95), "share of the discriminator's units dropped; default: 0.5 for images, else 0"
        ] = None,
        r1: arg.Penalty = 0.0,
        r2: arg.Penalty = 0.0,
        l1: arg.WeightPenalty = 0.0,
        l2: arg.WeightPenalty = 0.0,
        decay: arg.Decay = False,
        contest: arg.Contest = arg.Contest.open(objective="non-saturating", lr=1e-3),
    ) -> None:
        super().__init__()
        self.shape, self.latent, self.contest, self.decay = shape, latent, contest, decay
        self.r1, self.r2, self.l1, self.l2 = r1, r2, l1, l2
        numbers = math.prod(shape)
        if dropout is None:  # as in the paper, whose data are images; two coordinates leave nothing to drop
            dropout = 0.5 if len(shape) == 3 else 0.0
        self.generator = mlp(latent, [width] * layers, numbers)
        self.discriminator = maxout(numbers, [width] * layers, 1, pieces=5, dropout=dropout)

    @classmethod
    def suited(cls, facts: Facts) -> list[Advice]:
        """For points what finds all of 25 Gaussians in `benchmarks/modes.py`, where the defaults collapse."""
        if len(facts.of_data["shape"]) == 3:
            return []
        game = {"objective": "relativistic", "r1": 0.01, "r2": 0.01, "decay": True, "beta1": 0.0, "beta2": 0.99}
        network = {"latent": 2, "width": 128, "layers": 3, "batch_size": 128, "ema": 50_000}
        why = "with which no mode of points is lost, where the first GANs collapse"
        return [Advice({**game, **network}, why)]

    def inputs(self) -> dict[str, Input]:
        return {"latent": Normal((self.latent,))}

    def optimizers(self) -> Optimizers:
        return self.contest.optimizers(discriminator=self.discriminator, generator=self.generator)

    def rates(self, progress: Progress) -> dict[str, float]:
        return dict.fromkeys(("discriminator", "generator"), 1 - progress.fraction) if self.decay else {}

    def turns(self, progress: Progress, batches: Batches[Batch]) -> Turns:
        return self.contest.turns(progress, batches, discriminator=self.d_losses, generator=self.g_losses)

    def d_losses(self, real: Batch) -> Losses:
        fake = self.fake(real)
        losses = self.contest.d_losses(self.judge, real.value, fake)
        losses |= zero_centred(self.judge, real.value, fake, r1=self.r1, r2=self.r2)
        return losses | weight_decay([self.discriminator], l1=self.l1, l2=self.l2)

    def g_losses(self, real: Batch) -> Losses:
        losses = self.contest.g_losses(self.judge, self.fake(real), real.value)
        return losses | weight_decay([self.generator], l1=self.l1, l2=self.l2)

    def judge(self, samples: Tensor) -> Tensor:
        """(B, *shape) to logits (B,)."""
        return self.discriminator(samples.flatten(1)).squeeze(1)  # type: ignore[no-any-return]

    def generate(self, *, latent: Tensor) -> Tensor:
        samples: Tensor = self.generator(latent).unflatten(1, self.shape)
        return torch.tanh(samples) if len(self.shape) == 3 else samples
