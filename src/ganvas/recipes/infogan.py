"""InfoGAN: interpretable representation learning by information maximizing GANs (Chen et al. 2016).

Beside the latent vector the generator gets codes: one category and some numbers in [-1, 1]. A network Q on the
discriminator's features must read them off the sample, and how well it does bounds the codes' mutual information with
the sample from below (eq. 5). Both players minimise what Q misses (eq. 6), in both turns: its cross-entropy for the
category, its Gaussian's negative log-likelihood for the numbers (section 6). No labels are used. Adam's settings are
appendix C's; the networks are DCGAN's.

    ganvas train infogan --data digits

The codes can be chosen, so that samples can be walked along one of them:

    ganvas sample runs/codes --category 3 --codes 0.5,-1

    model.sample(5, seed=1, category=3, codes=[[share, 0] for share in (-1, -0.5, 0, 0.5, 1)])
"""

from collections.abc import Mapping
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ganvas import arguments as arg
from ganvas.data.batches import Images
from ganvas.inputs import Category, Input, Normal, Uniform
from ganvas.networks.convolutional import ConvolutionalDiscriminator, ConvolutionalGenerator
from ganvas.networks.mlp import one_hot
from ganvas.options import Range
from ganvas.recipe import Batches, Losses, Optimizers, Progress, Recipe, Turns


class InfoGAN(Recipe):
    """Unsupervised codes, a category and some numbers, that change what one can see in a sample."""

    accepts = (Images,)
    sees = ("discriminator.features",)
    presets = {"paper": {"width": 64, "batch_size": 128}}
    training_defaults = {"epochs": 50}

    def __init__(
        self,
        *,
        images: arg.Images,
        latent: arg.Latent = 62,
        categories: Annotated[int, Range(2, 1000), "values of the code that is a category"] = 10,
        numbers: Annotated[int, Range(1, 100), "codes that are numbers in [-1, 1]"] = 2,
        width: arg.Width = 32,
        information: arg.TermWeight = 1.0,
        information_numbers: arg.TermWeight = 0.1,
        contest: arg.Contest = arg.Contest(objective="non-saturating", lr=2e-4, beta1=0.5, beta2=0.999),
        g_lr: Annotated[float, Range(1e-7, 1, log=True, search=(1e-5, 1e-2)), "learning rate of the generator"] = 1e-3,
    ) -> None:
        super().__init__()
        self.latent, self.categories, self.numbers, self.contest = latent, categories, numbers, contest
        self.information, self.information_numbers, self.g_lr = information, information_numbers, g_lr
        self.generator = ConvolutionalGenerator(latent=latent + categories + numbers, width=width, **images.facts)
        self.discriminator = ConvolutionalDiscriminator(width=width, **images.facts)
        hidden = nn.Linear(self.discriminator.outputs, 128), nn.BatchNorm1d(128), nn.LeakyReLU(0.1)
        self.recognition = nn.Sequential(*hidden, nn.Linear(128, categories + 2 * numbers))

    def inputs(self) -> dict[str, Input]:
        codes = {"category": Category(self.categories), "codes": Uniform((self.numbers,))}
        return {"latent": Normal((self.latent,)), **codes}

    def optimizers(self) -> Optimizers:
        judges = [self.discriminator, self.recognition]
        return self.contest.optimizers(discriminator=judges, generator=(self.generator, self.g_lr))

    def turns(self, progress: Progress, batches: Batches[Images]) -> Turns:
        return self.contest.turns(progress, batches, discriminator=self.d_losses, generator=self.g_losses)

    def d_losses(self, real: Images) -> Losses:
        inputs = self.draw_for(real)
        features = self.discriminator.features(self.generate(**inputs))
        real_logits, fake_logits = self.discriminator(real.image), self.discriminator.judge(features)
        return self.contest.losses.d_losses_of(real_logits, fake_logits) | self.missed(features, inputs)

    def g_losses(self, real: Images) -> Losses:
        inputs = self.draw_for(real)
        features = self.discriminator.features(self.generate(**inputs))
        real_logits = self.discriminator(real.image) if self.contest.losses.paired else None
        terms = self.contest.losses.generator(self.discriminator.judge(features), real_logits)
        return Losses(terms | self.missed(features, inputs))

    def missed(self, features: Tensor, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """-log Q(codes | sample), in nats but for a constant, for each kind of code."""
        read = self.recognition(features).float()
        category, mean, log_deviation = read.split([self.categories, self.numbers, self.numbers], dim=1)
        # Bounded, because a deviation of a sure guess would fall for ever and its gradients grow with it.
        log_deviation = log_deviation.clamp(-3, 3)
        surprise = 0.5 * ((inputs["codes"] - mean) / log_deviation.exp()).square() + log_deviation
        return {
            "category": self.information * cross_entropy(category, inputs["category"]),
            "codes": self.information_numbers * surprise.sum(1).mean(),
        }

    def generate(self, *, latent: Tensor, category: Tensor, codes: Tensor) -> Tensor:
        samples: Tensor = self.generator(torch.cat([latent, one_hot(category, self.categories), codes], dim=1))
        return samples
