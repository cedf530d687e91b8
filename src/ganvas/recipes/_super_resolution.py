"""What recipes that enlarge photos have in common: a stage of pixels alone, and then a game against a discriminator."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Adam, Optimizer

from ganvas import objectives
from ganvas.data.batches import Photos
from ganvas.data.degrade import degraded
from ganvas.errors import UsageError
from ganvas.features.content import unaligned
from ganvas.inputs import Given, Input
from ganvas.networks import patch
from ganvas.networks.interpolation import kept
from ganvas.networks.spectral import advance
from ganvas.networks.srresnet import PhotoDiscriminator
from ganvas.recipe import Losses, Progress, Recipe, Results, Turn
from ganvas.spaces import FREE, ImageSpace

RAMP = 200
"""Steps in which the learning rate rises to its full size."""


class SuperResolution(Recipe):
    """Base of the recipes whose generator takes photos at low resolution, (B, C, h, w) in [-1, 1], and enlarges them.

    The warm-up, a share of the planned length, fits the generator to the pixels. Behind it the generator also answers
    to the discriminator, if `join` has given it one. The generator as it came out of the warm-up is kept.

    weights: of the generator's terms behind the warm-up: pixel, content, adversarial and grid.
    """

    warm: Tensor
    discriminator: nn.Module
    accepts = (Photos,)
    training_defaults = {"batch_size": 16, "steps": 20_000}

    def __init__(
        self,
        generator: nn.Module,
        *,
        scale: int,
        degrade: str,
        pixel_loss: str,
        weights: Mapping[str, float],
        objective: objectives.Name,
        warmup: float,
        lr: float,
        adversarial_lr: float,
        betas: tuple[float, float],
    ) -> None:
        super().__init__()
        self.generator = generator
        self.scale, self.degrade, self.warmup = scale, degrade, warmup
        self.pixel_loss = functional.l1_loss if pixel_loss == "l1" else functional.mse_loss
        self.weights = weights
        self.objective = objectives.objective(objective)
        self.whole_batch = self.objective.averaged
        self.lr, self.adversarial_lr, self.betas = lr, adversarial_lr, betas
        self.content: nn.Module | None = None

    def join(
        self,
        kind: Literal["paper", "patch"],
        content: nn.Module | None,
        *,
        channels: int,
        size: tuple[int, int],
        width: int,
    ) -> None:
        """Gives the second stage its discriminator and its content loss. Raises UsageError for pieces too small."""
        if kind == "paper":
            self.discriminator = PhotoDiscriminator(channels=channels, size=size, width=width)
        elif min(size) < patch.LEAST:
            raise UsageError(f"--discriminator patch needs pieces of {patch.LEAST} pixels a side: raise --size")
        else:
            self.discriminator = patch.PatchDiscriminator(channels=channels, width=width)
        self.content = content
        self.frozen = () if content is None else ("content",)  # type: ignore[misc]
        self.warmed = kept(self.generator)
        self.register_buffer("warm", torch.zeros((), dtype=torch.bool))

    def optimizers(self) -> dict[str, Optimizer]:
        players: dict[str, Optimizer] = {
            "generator": Adam(self._trained(self.generator), self.lr, self.betas, fused=True)
        }
        if self.warmup < 1:
            parameters = self._trained(self.discriminator)
            players["discriminator"] = Adam(parameters, self.adversarial_lr, self.betas, fused=True)
        return players

    def _trained(self, network: nn.Module) -> list[nn.Parameter]:
        return [parameter for parameter in network.parameters() if parameter.requires_grad]

    def rates(self, progress: Progress) -> dict[str, float]:
        """In each stage half a cosine from its learning rate to 0, behind a short ramp at the start of all."""
        if progress.fraction < self.warmup:
            ramp = min(1.0, (progress.step + 1) / RAMP)
            return {"generator": ramp * _fading(progress.fraction / self.warmup)}
        fading = _fading((progress.fraction - self.warmup) / max(1 - self.warmup, 1e-9))
        return {"generator": fading * self.adversarial_lr / self.lr, "discriminator": fading}

    def turns(self, progress: Progress, batches: Iterator[Photos]) -> Iterator[Turn]:
        batch = next(batches)
        if progress.fraction < self.warmup:
            yield Turn("generator", self.pixel_losses, batch)
            return
        yield Turn("discriminator", self.discriminator_losses, batch, after=self.remember)
        yield Turn("generator", partial(self.generator_losses, step=progress.step), batch)

    def pixel_losses(self, real: Photos) -> Losses:
        return Losses({"pixel": self.pixel_loss(self.generator(self.low(real)), real.image)})

    def discriminator_losses(self, real: Photos) -> Losses:
        fake = self.generator(self.low(real))
        real_logits, fake_logits = self.discriminator(real.image), self.discriminator(fake)
        terms = self.objective.discriminator(real_logits, fake_logits)
        return Losses(terms, *self.objective.judged(real_logits, fake_logits))

    def generator_losses(self, real: Photos, step: int = 0) -> Losses:
        fake = self.generator(self.low(real))
        real_logits = self.discriminator(real.image) if self.objective.paired else None
        terms = self.objective.generator(self.discriminator(fake), real_logits)
        terms["pixel"] = self.pixel_loss(fake, real.image)
        if self.weights["grid"]:
            terms["grid"] = grid_loss(fake, real.image, self.scale)
        if self.content is not None:
            terms["content"] = self.content(*unaligned(fake, real.image, step))
        return Losses({name: self.weights[name] * term for name, term in terms.items() if self.weights[name]})

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
        if self.warmup == 1 or not self.warm:
            return {"faithful": now}
        return {"faithful": self.warmed.state_dict(), "perceptual": now}

    def low(self, real: Photos) -> Tensor:
        """What the generator sees of these photos in training."""
        return real.low if self.degrade == "bicubic" else degraded(real.image, self.scale)

    def inputs(self) -> dict[str, Input]:
        """low: photos of any size in low resolution; nothing is random."""
        network = cast(Any, self.generator)
        space = ImageSpace(network.channels, FREE, FREE)
        return {"low": Given(space, scale=network.scale, reach=network.reach, multiple=network.fold)}

    def generate(self, *, low: Tensor) -> Tensor:
        """(n, C, scale * h, scale * w) in [-1, 1]."""
        return self.generator(low).clamp(-1, 1)  # type: ignore[no-any-return]


def grid_loss(one: Tensor, other: Tensor, scale: int) -> Tensor:
    """How much one batch of images (B, C, H, W) is brighter or darker than the other at the same place of many blocks
    of `scale` x `scale` pixels: the mean absolute difference of means over windows of 4x4 blocks, for each of a block's
    places. What repeats with the blocks stays whole in these means, and texture that does not nearly cancels."""
    places = functional.pixel_unshuffle(one.float() - other.float(), scale)
    window = min(4, *places.shape[-2:])
    return functional.avg_pool2d(places, window, stride=max(1, window // 2)).abs().mean()


def _fading(share: float) -> float:
    return (1 + math.cos(math.pi * min(1.0, max(0.0, share)))) / 2
