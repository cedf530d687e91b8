"""Analyzing and improving the image quality of StyleGAN (Karras, Laine, Aittala, Hellsten, Lehtinen and Aila 2020).

A mapping network, whose w modulates and demodulates convolutions; noise at each of them; an image that is a sum over
sizes; a residual discriminator; logistic loss. R1 and the path length penalty have turns of their own, every 16th and
every 8th step, that much stronger, and Adam's constants make up for the additional turns (appendix B). Labels enter
the mapping network by an embedding and the discriminator by projection. For minutes on a CPU the mapping network is
shallow, maps are few, and learning rates are higher and fall; `--preset paper` has what the paper has.

    ganvas train stylegan2 --data photos --size 64 --minutes 20
    ganvas sample runs/... --truncation 0.7
    ganvas sample runs/... --crossover 3        coarse layers of one latent vector, the finer ones of another
"""

from __future__ import annotations

from functools import partial
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ganvas import arguments as arg
from ganvas.data.batches import Images
from ganvas.inputs import Input, Noise, Normal, Number, Shift, label
from ganvas.networks.running_mean import RunningMean
from ganvas.networks.style import StyleDiscriminator, StyleGenerator
from ganvas.optimizers import optimizer
from ganvas.options import Range
from ganvas.penalties import path_lengths, path_weight, squared_gradient
from ganvas.recipe import Batches, Losses, Optimizers, Progress, Recipe, Results, Turn, Turns

PATH_DECAY = 0.99
"""Of the mean path length (appendix B)."""


class StyleGAN2(Recipe):
    """Styles at each size, by label where the data has labels: sharp images, truncation, and mixing of two styles."""

    accepts = (Images,)
    presets = {
        "paper": {
            "latent": 512, "width": 128, "widest": 512, "mapping_layers": 8, "mixing": 0.9, "r1": 10.0, "lr": 2e-3,
            "decay": False
        }
    }  # fmt: skip
    training_defaults = {"steps": 3000, "batch_size": 32}
    penalties = ("r1",)

    def __init__(
        self,
        *,
        images: arg.LabelledImages,
        conditional: arg.Conditional = True,
        latent: arg.Latent = 128,
        width: arg.Width = 32,
        widest: Annotated[int, Range(1, 4096), "most feature maps of a layer"] = 128,
        mapping_layers: Annotated[int, Range(1, 64), "layers of the mapping network"] = 2,
        mixing: Annotated[float, Range(0, 1), "share of generated images whose styles are two latents'"] = 0.5,
        r1: arg.Penalty = 0.1,
        r1_every: arg.PenaltyEvery = 16,
        path_length: Annotated[float, Range(0, 1000), "weight of the path length penalty; the paper's is 1"] = 1.0,
        path_every: Annotated[int, Range(1, 1000), "apply it every so many steps, that much stronger"] = 8,
        path_share: Annotated[float, Range(0, 1), "share of the batch that it is applied to"] = 0.5,
        decay: arg.Decay = True,
        minibatch_deviation: arg.MinibatchDeviation = True,
        contest: arg.Contest = arg.Contest(objective="non-saturating", lr=5e-3, beta1=0.0, beta2=0.99),
    ) -> None:
        super().__init__()
        self.images, self.latent, self.contest = images.by_label(conditional), latent, contest
        self.mixing, self.decay = mixing, decay
        self.r1, self.r1_every = r1, r1_every
        self.path_length, self.path_every, self.path_share = path_length, path_every, path_share
        shape = {"width": width, "widest": widest, **self.images.facts}
        self.generator = StyleGenerator(latent=latent, mapping_layers=mapping_layers, **shape)
        self.discriminator = StyleDiscriminator(deviation=minibatch_deviation, **shape)
        self.path_mean = RunningMean(1, 1, PATH_DECAY)

    def inputs(self) -> dict[str, Input]:
        synthesis = self.generator.synthesis
        return {
            "latent": Normal((self.latent,), sphere=True),
            "fine": Normal((self.latent,), sphere=True),
            "crossover": Number(0, synthesis.layers, default=synthesis.layers),
            "noise": Noise((synthesis.noises,)),
            "shift": Shift((synthesis.layers, self.latent)),
            **label(self.images.classes),
        }

    def optimizers(self) -> Optimizers:
        return {
            "discriminator": self._adam(self.discriminator, self.r1, self.r1_every),
            "generator": self._adam(self.generator, self.path_length, self.path_every),
        }

    def _adam(self, network: nn.Module, penalty: float, every: int) -> Optimizer:
        """For a player that has `every` + 1 turns in `every` steps: with c = every / (every + 1) the learning rate is c
        times, and a decay to the power of c, what it is without a penalty (appendix B)."""
        c, contest = every / (every + 1) if penalty else 1.0, self.contest
        betas = {"beta1": contest.beta1**c, "beta2": contest.beta2**c}
        return optimizer("adam", network.parameters(), lr=contest.lr * c, **betas)

    def rates(self, progress: Progress) -> dict[str, float]:
        """With `decay` both learning rates fall linearly to zero."""
        return dict.fromkeys(("discriminator", "generator"), 1 - progress.fraction if self.decay else 1.0)

    def turns(self, progress: Progress, batches: Batches[Images]) -> Turns:
        real, played = next(batches), progress.step + 1
        yield Turn("discriminator", self.d_losses, real)
        if self.r1 and played % self.r1_every == 0:
            yield Turn("discriminator", self.r1_losses, real)
        yield Turn("generator", self.g_losses, real, self.w_seen)
        if self.path_length and played % self.path_every == 0:
            yield Turn("generator", self.path_losses, real, self.lengths_seen)

    def d_losses(self, real: Images) -> Losses:
        judge = partial(self.discriminator, label=real.label)
        return self.contest.d_losses(judge, real.image, self.mixed(real)[0])

    def r1_losses(self, real: Images) -> Losses:
        judge = partial(self.discriminator, label=real.label)
        return Losses({"r1": self.r1_every * self.r1 / 2 * squared_gradient(judge, real.image)})

    def g_losses(self, real: Images) -> Losses:
        fake, seen = self.mixed(real)
        losses = self.contest.g_losses(partial(self.discriminator, label=real.label), fake, real.image)
        return losses.keeping(**seen)

    def path_losses(self, real: Images) -> Losses:
        """The squared distance of path lengths from their running mean (section 3.2); the first ones are compared with
        the mean of their batch."""
        count = max(1, round(len(real) * self.path_share))
        drawn = {name: each[:count] for name, each in self.draw_for(real).items()}
        with torch.autocast(self.device.type, enabled=False):
            w = self.generator.mapping(drawn["latent"], drawn.get("label"))
            images = self.generator.synthesis([w] * self.generator.synthesis.layers, drawn["noise"])
            lengths = path_lengths(images, w)
        mean = torch.where(self.path_mean.seen > 0, self.path_mean.value, lengths.detach().mean())
        weight = self.path_every * self.path_length * path_weight(self.images.size)
        return Losses({"path_length": weight * (lengths - mean).square().mean()}).keeping(lengths=lengths[:, None])

    def mixed(self, real: Images) -> tuple[Tensor, dict[str, Tensor]]:
        """Images that go with this batch, and the `w` (B, w) of their coarse layers with the `label` that it has. Of a
        share of the images the finer layers take another w, from a layer on that is drawn."""
        drawn, generator = self.draw_for(real), self.generator
        layers, count = generator.synthesis.layers, len(real)
        crossover = torch.randint(1, max(layers, 2), (count,), device=self.device)
        crossover = torch.where(torch.rand(count, device=self.device) < self.mixing, crossover, layers)
        told = {"label": drawn["label"]} if "label" in drawn else {}
        w, fine = (generator.mapping(drawn[name], **told) for name in ("latent", "fine"))
        return generator.synthesis(generator.mixed(w, fine, crossover), drawn["noise"]), {"w": w, **told}

    def w_seen(self, results: Results) -> None:
        self.generator.mean.follow(results.kept["w"], results.kept.get("label"))

    def lengths_seen(self, results: Results) -> None:
        self.path_mean.follow(results.kept["lengths"])

    def generate(self, **inputs: Tensor) -> Tensor:
        return self.generator(**inputs).clamp(-1, 1)  # type: ignore[no-any-return]
