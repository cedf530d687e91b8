"""What recipes that enlarge photos have in common: a stage of pixels alone, and then a game against a discriminator."""

import math
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganvas import arguments as arg
from ganvas import objectives
from ganvas.data.batches import Photos
from ganvas.data.degrade import degraded
from ganvas.errors import UsageError
from ganvas.features import content
from ganvas.inputs import Given, Input
from ganvas.networks import patch
from ganvas.networks.interpolation import kept
from ganvas.networks.spectral import advance
from ganvas.networks.srresnet import PhotoDiscriminator
from ganvas.networks.upscaling import Enlarger
from ganvas.optimizers import players
from ganvas.options import Group, Range
from ganvas.recipe import Batches, Losses, Optimizers, Progress, Recipe, Results, Turn, Turns
from ganvas.spaces import FREE, ImageSpace

RAMP = 200
"""Steps in which the learning rate rises to its full size."""

Upsample = Annotated[Literal["last", "first"], "first: enlarge by bicubic interpolation before all layers, at a price"]
Blocks = Annotated[int, Range(1, 64), "residual blocks of the generator"]
Degrade = Annotated[
    Literal["bicubic", "real"], "how low resolution comes about: as in benchmarks, or with blur, noise and JPEG"
]
Content = Annotated[content.Name, "the network in whose features images are compared after the warm-up"]
GridWeight = Annotated[
    float, Range(0, 1e4), "weight of the loss on a grid that repeats with every pixel of the low resolution"
]
Judge = Annotated[Literal["paper", "patch"], "paper: one judgement of each photo; patch: one of every place in it"]
WEIGHT, RATE = Range(0, 1e4), Range(1e-7, 1, log=True)


@dataclass(frozen=True, kw_only=True)
class Stages(Group):
    """What the generator is fitted to in the two stages, and how fast."""

    degrade: Degrade = "bicubic"
    pixel_loss: Annotated[Literal["l1", "l2"], "absolute or squared differences of pixels"] = "l1"
    content: Content = "lite0"
    pixel_weight: Annotated[float, WEIGHT, "weight of the pixel loss after the warm-up"] = 1.0
    content_weight: Annotated[float, WEIGHT, "weight of the distance in the features of --content"] = 1.0
    adversarial_weight: Annotated[float, WEIGHT, "weight of the adversarial loss in the generator's turn"] = 1e-3
    grid_weight: GridWeight = 0.0
    objective: arg.Objective = "non-saturating"
    discriminator: Judge = "paper"
    discriminator_width: arg.Width = 16
    warmup: arg.Warmup = 0.5
    lr: Annotated[float, RATE, "learning rate of the warm-up"] = 1e-3
    adversarial_lr: Annotated[float, RATE, "learning rate of both players after the warm-up"] = 1e-4
    beta1: arg.Beta1 = 0.9
    beta2: arg.Beta2 = 0.99


class SuperResolution(Recipe):
    """Base of the recipes whose generator takes photos at low resolution, (B, C, h, w) in [-1, 1], and enlarges them.

    The warm-up, a share of the planned length, fits the generator to the pixels. Behind it the generator also answers
    to a discriminator, and to a content loss (`early`: in VGG19's features before their activation). The generator as
    it came out of the warm-up is kept. Raises UsageError for pieces of photos that are too small.
    """

    accepts = (Photos,)
    training_defaults = {"batch_size": 16, "steps": 20_000}
    warm: Tensor

    def __init__(self, generator: Enlarger, images: arg.Images, stages: Stages, *, early: bool = False) -> None:
        super().__init__()
        self.generator, self.stages = generator, stages
        self.apart = functional.l1_loss if stages.pixel_loss == "l1" else functional.mse_loss
        self.objective = objectives.objective(stages.objective)
        self.content: nn.Module | None = None
        if stages.warmup < 1:
            features = content.content(stages.content, early=early)
            self.discriminator = _judge(images, stages)
            self.content = features
            self.frozen = () if features is None else ("content",)  # type: ignore[misc]
            self.warmed = kept(generator)
            self.register_buffer("warm", torch.zeros((), dtype=torch.bool))

    def inputs(self) -> dict[str, Input]:
        """low: photos of any size in low resolution; nothing is random."""
        made = self.generator
        space = ImageSpace(made.channels, FREE, FREE)
        return {"low": Given(space, scale=made.scale, reach=made.reach, multiple=made.fold)}

    def optimizers(self) -> Optimizers:
        own = self.stages
        second = {"discriminator": (self.discriminator, own.adversarial_lr)} if own.warmup < 1 else {}
        return players("adam", lr=own.lr, beta1=own.beta1, beta2=own.beta2, generator=self.generator, **second)

    def rates(self, progress: Progress) -> dict[str, float]:
        """In each stage half a cosine from its learning rate to 0, behind a short ramp at the start of all."""
        warmup = self.stages.warmup
        if progress.fraction < warmup:
            return {"generator": min(1.0, (progress.step + 1) / RAMP) * _fading(progress.fraction / warmup)}
        fading = _fading((progress.fraction - warmup) / max(1 - warmup, 1e-9))
        return {"generator": fading * self.stages.adversarial_lr / self.stages.lr, "discriminator": fading}

    def turns(self, progress: Progress, batches: Batches[Photos]) -> Turns:
        batch = next(batches)
        if progress.fraction < self.stages.warmup:
            yield Turn("generator", self.pixel_losses, batch)
            return
        yield Turn("discriminator", self.discriminator_losses, batch, after=self.remember)
        yield Turn("generator", partial(self.generator_losses, step=progress.step), batch)

    def pixel_losses(self, real: Photos) -> Losses:
        return Losses({"pixel": self.apart(self.generator(self.low(real)), real.image)})

    def discriminator_losses(self, real: Photos) -> Losses:
        return self.objective.d_losses(self.discriminator, real.image, self.generator(self.low(real)))

    def generator_losses(self, real: Photos, step: int = 0) -> Losses:
        fake = self.generator(self.low(real))
        real_logits = self.discriminator(real.image) if self.objective.paired else None
        terms = self.objective.generator(self.discriminator(fake), real_logits)
        terms["pixel"] = self.apart(fake, real.image)
        if self.stages.grid_weight:
            terms["grid"] = grid_loss(fake, real.image, self.generator.scale)
        if self.content is not None:
            terms["content"] = self.content(*content.unaligned(fake, real.image, step))
        weights = {name: getattr(self.stages, f"{name}_weight") for name in terms}
        return Losses({name: weights[name] * term for name, term in terms.items() if weights[name]})

    def remember(self, results: Results) -> None:
        """Behind the discriminator's update; keeps the generator as it comes out of the warm-up."""
        advance(self.discriminator)
        if not self.warm:
            self.warmed.load_state_dict(self.generator.state_dict())
            self.warm.fill_(True)

    def styles(self) -> dict[str, dict[str, Tensor]]:
        """The generator's weights by style: `faithful`, as they came out of the warm-up, and `perceptual`, as they are
        now, where it is over."""
        now = self.generator.state_dict()
        if self.stages.warmup == 1 or not self.warm:
            return {"faithful": now}
        return {"faithful": self.warmed.state_dict(), "perceptual": now}

    def low(self, real: Photos) -> Tensor:
        """What the generator sees of these photos in training."""
        return real.low if self.stages.degrade == "bicubic" else degraded(real.image, self.generator.scale)

    def generate(self, *, low: Tensor) -> Tensor:
        """(n, C, scale * h, scale * w) in [-1, 1]."""
        return self.generator(low).clamp(-1, 1)  # type: ignore[no-any-return]


def _judge(images: arg.Images, stages: Stages) -> nn.Module:
    if stages.discriminator == "paper":
        return PhotoDiscriminator(width=stages.discriminator_width, **images.facts)
    if min(images.size) < patch.LEAST:
        raise UsageError(f"--discriminator patch needs pieces of {patch.LEAST} pixels a side: raise --size")
    return patch.PatchDiscriminator(channels=images.channels, width=stages.discriminator_width)


def grid_loss(one: Tensor, other: Tensor, scale: int) -> Tensor:
    """How much one batch of images (B, C, H, W) is brighter or darker than the other at the same place of many blocks
    of `scale` x `scale` pixels: the mean absolute difference of means over windows of 4x4 blocks, for each of a block's
    places. What repeats with the blocks stays whole in these means, and texture that does not nearly cancels."""
    places = functional.pixel_unshuffle(one.float() - other.float(), scale)
    window = min(4, *places.shape[-2:])
    return functional.avg_pool2d(places, window, stride=max(1, window // 2)).abs().mean()


def _fading(share: float) -> float:
    return (1 + math.cos(math.pi * min(1.0, max(0.0, share)))) / 2
