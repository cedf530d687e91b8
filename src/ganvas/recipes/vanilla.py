"""Generative adversarial nets (Goodfellow et al. 2014).

Fully connected players: a ReLU generator and a maxout discriminator with dropout (section 5). `--objective minimax`
is the value function of equation 1, `non-saturating` the generator's loss that section 3 recommends. `--d-steps` is k
of Algorithm 1. It learns images of any size and points such as the 2-D mixtures `ring` and `grid`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ganvas import arguments as arg
from ganvas.data.batches import Batch, Images, Points
from ganvas.inputs import Input, Normal
from ganvas.networks.mlp import Maxout, mlp
from ganvas.objectives import objective as objective_named
from ganvas.optimizers import optimizer as optimizer_named
from ganvas.options import Range
from ganvas.penalties import weight_decay, zero_centred
from ganvas.recipe import Losses, Progress, Recipe, Turn, alternate


class Vanilla(Recipe):
    """The original GAN, with fully connected players, for images and points."""

    accepts = (Images, Points)
    presets = {
        "paper": {"width": 1200, "optimizer": "sgd", "lr": 0.1, "beta1": 0.5, "batch_size": 100},
        "tutorial": {
            "lr": 2e-4,
            "beta1": 0.5,
            "beta2": 0.999,
            "flipping": 0.35,
            "batch_size": 128,
            "epochs": 500,
            "sample_every": 100,
        },
    }
    training_defaults = {"epochs": 50}

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
        objective: arg.Objective = "non-saturating",
        smoothing: arg.Smoothing = 0.0,
        flipping: arg.Flipping = 0.0,
        r1: arg.Penalty = 0.0,
        r2: arg.Penalty = 0.0,
        optimizer: arg.OptimizerName = "adam",
        lr: arg.LearningRate = 1e-3,
        beta1: arg.Beta1 = 0.5,
        beta2: arg.Beta2 = 0.999,
        decay: arg.Decay = False,
        l1: arg.WeightPenalty = 0.0,
        l2: arg.WeightPenalty = 0.0,
        d_steps: arg.DSteps = 1,
        g_steps: arg.GSteps = 1,
        alternate: arg.Alternate = "steps",
    ) -> None:
        super().__init__()
        self.shape, self.latent = shape, latent
        self.decay = decay
        self.r1, self.r2, self.l1, self.l2 = r1, r2, l1, l2
        self.objective = objective_named(objective, smoothing=smoothing, flipping=flipping)
        self.whole_batch = self.objective.averaged
        self.hyper: dict[str, Any] = {"name": optimizer, "lr": lr, "beta1": beta1, "beta2": beta2}
        self.order: dict[str, Any] = {"d_steps": d_steps, "g_steps": g_steps, "unit": alternate}
        numbers = math.prod(shape)
        if dropout is None:  # as in the paper, whose data are images; two coordinates leave nothing to drop
            dropout = 0.5 if len(shape) == 3 else 0.0
        self.generator = mlp(latent, [width] * layers, numbers)
        judges: list[nn.Module] = []
        for inputs in [numbers] + [width] * (layers - 1):
            judges += [Maxout(inputs, width, pieces=5), nn.Dropout(dropout)]
        self.discriminator = nn.Sequential(*judges, nn.Linear(width, 1))

    def optimizers(self) -> dict[str, Optimizer]:
        return {
            "discriminator": optimizer_named(parameters=self.discriminator.parameters(), **self.hyper),
            "generator": optimizer_named(parameters=self.generator.parameters(), **self.hyper),
        }

    def rates(self, progress: Progress) -> dict[str, float]:
        return dict.fromkeys(("discriminator", "generator"), 1 - progress.fraction) if self.decay else {}

    def turns(self, progress: Progress, batches: Iterator[Batch]) -> Iterator[Turn]:
        for player, batch in alternate(progress, batches, **self.order):
            losses = self.discriminator_losses if player == "discriminator" else self.generator_losses
            yield Turn(player, losses, batch)

    def discriminator_losses(self, real: Batch) -> Losses:
        fake = self.fake(real)
        real_logits, fake_logits = self.judge(real.value), self.judge(fake)
        terms = self.objective.discriminator(real_logits, fake_logits)
        terms |= zero_centred(self.judge, real.value, fake, r1=self.r1, r2=self.r2)
        terms |= weight_decay([self.discriminator], l1=self.l1, l2=self.l2)
        return Losses(terms, *self.objective.judged(real_logits, fake_logits))

    def generator_losses(self, real: Batch) -> Losses:
        fake_logits = self.judge(self.fake(real))
        real_logits = self.judge(real.value) if self.objective.paired else None
        terms = self.objective.generator(fake_logits, real_logits)
        return Losses(terms | weight_decay([self.generator], l1=self.l1, l2=self.l2))

    def judge(self, samples: Tensor) -> Tensor:
        """(B, *shape) to logits (B,)."""
        return self.discriminator(samples.flatten(1)).squeeze(1)  # type: ignore[no-any-return]

    def inputs(self) -> dict[str, Input]:
        return {"latent": Normal((self.latent,))}

    def generate(self, *, latent: Tensor) -> Tensor:
        samples: Tensor = self.generator(latent).unflatten(1, self.shape)
        return torch.tanh(samples) if len(self.shape) == 3 else samples
