"""Conditional generative adversarial nets (Mirza and Osindero 2014).

Both players see the label (section 3.2, equation 2). As in section 4.1 the generator maps the latent vector and the
one-hot label to hidden layers of their own and joins them in a third, and the discriminator is made of maxout layers
with dropout. Three things differ, because as in the paper it ignored the labels and made one picture in our tries: the
label is no louder than the latent vector (not 5 times as wide), only the discriminator has dropout, and the label meets
the discriminator's last layer in an inner product (Miyato and Koyama 2018, eq. 3), where a wrong one shows at once.
Needs labelled data.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import relu
from torch.optim import Optimizer

from ganvas import arguments as arg
from ganvas.data.batches import Images
from ganvas.errors import UsageError
from ganvas.inputs import Input, Normal, label
from ganvas.networks.mlp import Maxout, one_hot
from ganvas.objectives import objective as objective_named
from ganvas.optimizers import optimizer as optimizer_named
from ganvas.penalties import weight_decay
from ganvas.recipe import Losses, Progress, Recipe, Turn, alternate


class ConditionalGenerator(nn.Module):
    """latent: (B, latent), label: (B,) int64, to images (B, *shape) in [-1, 1]."""

    def __init__(self, shape: tuple[int, ...], latent: int, classes: int, width: int) -> None:
        super().__init__()
        self.shape, self.classes = shape, classes
        self.from_latent = nn.Linear(latent, width)
        self.from_label = nn.Linear(classes, width)
        self.joined = nn.Linear(2 * width, 2 * width)
        self.output = nn.Linear(2 * width, math.prod(shape))

    def forward(self, latent: Tensor, label: Tensor) -> Tensor:
        label_BK = one_hot(label, self.classes)
        hidden = torch.cat([relu(self.from_latent(latent)), relu(self.from_label(label_BK))], dim=1)
        images: Tensor = torch.tanh(self.output(relu(self.joined(hidden)))).unflatten(1, self.shape)
        return images


class ConditionalDiscriminator(nn.Module):
    """images: (B, *shape), label: (B,) int64, to logits (B,)."""

    def __init__(self, shape: tuple[int, ...], classes: int, width: int, dropout: float) -> None:
        super().__init__()
        self.classes = classes
        self.from_image = Maxout(math.prod(shape), width, pieces=5)
        self.hidden = Maxout(width, width, pieces=4)
        self.output = nn.Linear(width, 1)
        self.from_label = nn.Linear(classes, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, images: Tensor, label: Tensor) -> Tensor:
        hidden = self.hidden(self.dropout(self.from_image(images.flatten(1))))
        wanted = self.from_label(one_hot(label, self.classes))
        agreement = (hidden * wanted).sum(1) / math.sqrt(hidden.shape[1])
        logits: Tensor = self.output(self.dropout(hidden)).squeeze(1) + agreement
        return logits


class CGAN(Recipe):
    """The first GAN that generates by label, with fully connected players."""

    accepts = (Images,)
    presets = {
        "paper": {
            "latent": 100,
            "width": 200,
            "d_width": 240,
            "optimizer": "sgd",
            "lr": 0.1,
            "beta1": 0.5,
            "batch_size": 100,
        },
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
        classes: arg.Classes = 0,
        latent: arg.Latent = 100,
        width: arg.Width = 128,
        d_width: arg.Width = 120,
        dropout: arg.Dropout = 0.5,
        objective: arg.Objective = "non-saturating",
        smoothing: arg.Smoothing = 0.0,
        flipping: arg.Flipping = 0.0,
        optimizer: arg.OptimizerName = "adam",
        lr: arg.LearningRate = 1e-3,
        beta1: arg.Beta1 = 0.5,
        beta2: arg.Beta2 = 0.999,
        l1: arg.WeightPenalty = 0.0,
        l2: arg.WeightPenalty = 0.0,
        d_steps: arg.DSteps = 1,
        g_steps: arg.GSteps = 1,
        alternate: arg.Alternate = "steps",
    ) -> None:
        super().__init__()
        if not classes:
            raise UsageError("cgan needs labels, and this data has none; put each class into a sub-folder of its own")
        self.classes, self.latent, self.l1, self.l2 = classes, latent, l1, l2
        self.objective = objective_named(objective, smoothing=smoothing, flipping=flipping)
        self.whole_batch = self.objective.averaged
        self.hyper: dict[str, Any] = {"name": optimizer, "lr": lr, "beta1": beta1, "beta2": beta2}
        self.order: dict[str, Any] = {"d_steps": d_steps, "g_steps": g_steps, "unit": alternate}
        self.generator = ConditionalGenerator(shape, latent, classes, width)
        self.discriminator = ConditionalDiscriminator(shape, classes, d_width, dropout)

    def optimizers(self) -> dict[str, Optimizer]:
        return {
            "discriminator": optimizer_named(parameters=self.discriminator.parameters(), **self.hyper),
            "generator": optimizer_named(parameters=self.generator.parameters(), **self.hyper),
        }

    def turns(self, progress: Progress, batches: Iterator[Images]) -> Iterator[Turn]:
        for player, batch in alternate(progress, batches, **self.order):
            losses = self.discriminator_losses if player == "discriminator" else self.generator_losses
            yield Turn(player, losses, batch)

    def discriminator_losses(self, real: Images) -> Losses:
        fake = self.fake(real)
        real_logits = self.discriminator(real.image, real.label)
        fake_logits = self.discriminator(fake, real.label)
        terms = self.objective.discriminator(real_logits, fake_logits)
        terms |= weight_decay([self.discriminator], l1=self.l1, l2=self.l2)
        return Losses(terms, *self.objective.judged(real_logits, fake_logits))

    def generator_losses(self, real: Images) -> Losses:
        fake = self.fake(real)
        fake_logits = self.discriminator(fake, real.label)
        real_logits = self.discriminator(real.image, real.label) if self.objective.paired else None
        terms = self.objective.generator(fake_logits, real_logits)
        return Losses(terms | weight_decay([self.generator], l1=self.l1, l2=self.l2))

    def inputs(self) -> dict[str, Input]:
        return {"latent": Normal((self.latent,)), **label(self.classes)}

    def generate(self, *, latent: Tensor, label: Tensor) -> Tensor:
        return self.generator(latent, label)  # type: ignore[no-any-return]
