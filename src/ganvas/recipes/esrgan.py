"""ESRGAN: enhanced super-resolution generative adversarial networks (Wang et al. 2018).

SRGAN with three changes. The generator is of residual-in-residual dense blocks without normalisation (section 3.1).
The discriminator judges how much more real a photo looks than the average enlarged one (section 3.2). VGG19's features
are compared in front of their activation (section 3.3). Training has SRGAN's two stages; the generator as it came out
of the first is kept, and weights between the two (section 3.4) are what `ganvas upscale --style 0.5` uses.

The default network is small; `--preset paper` is the paper's. Data are photos of any sizes.

    ganvas train esrgan --data photos/ --minutes 120
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Annotated, Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Adam, Optimizer

from ganvas import arguments as arg
from ganvas.data.batches import Photos
from ganvas.data.degrade import degraded
from ganvas.errors import UsageError
from ganvas.features.content import content as content_named
from ganvas.features.content import unaligned
from ganvas.networks.interpolation import flat, unflat
from ganvas.networks.rrdb import RRDBNet
from ganvas.networks.srresnet import PhotoDiscriminator
from ganvas.objectives import objective as objective_named
from ganvas.options import Range
from ganvas.recipe import Losses, Progress, Recipe, Results, Turn

RAMP = 200
"""Steps in which the learning rate rises to its full size."""


class ESRGAN(Recipe):
    """A generator of dense blocks that enlarges photos, trained on pixels and then against a relativistic judge."""

    warmed: Tensor
    warm: Tensor
    accepts = (Photos,)
    presets = {
        "paper": {
            "width": 64, "growth": 32, "blocks": 23, "content": "vgg19", "discriminator_width": 64, "lr": 2e-4,
            "adversarial_lr": 1e-4, "beta2": 0.999, "warmup": 0.71, "steps": 1_400_000, "batch_size": 16,
        }
    }  # fmt: skip
    training_defaults = {"batch_size": 16, "steps": 20_000}

    def __init__(
        self,
        *,
        channels: arg.Channels,
        size: arg.Size,
        scale: arg.Scale = 4,
        width: arg.Width = 32,
        growth: Annotated[int, Range(1, 256), "feature maps that each layer of a dense block adds"] = 16,
        blocks: arg.Blocks = 4,
        upsample: arg.Upsample = "last",
        degrade: arg.Degrade = "bicubic",
        pixel_loss: arg.PixelLoss = "l1",
        content: arg.Content = "lite0",
        pixel_weight: arg.PixelWeight = 1e-2,
        content_weight: arg.ContentWeight = 1.0,
        adversarial_weight: arg.AdversarialWeight = 5e-3,
        objective: arg.Objective = "relativistic-average",
        discriminator_width: arg.Width = 16,
        warmup: arg.Warmup = 0.5,
        lr: arg.WarmupRate = 4e-4,
        adversarial_lr: arg.AdversarialRate = 1e-4,
        beta1: arg.Beta1 = 0.9,
        beta2: arg.Beta2 = 0.99,
    ) -> None:
        super().__init__()
        self.scale, self.degrade, self.warmup = scale, degrade, warmup
        self.pixel_loss = functional.l1_loss if pixel_loss == "l1" else functional.mse_loss
        self.weights = {"pixel": pixel_weight, "content": content_weight, "adversarial": adversarial_weight}
        self.objective = objective_named(objective)
        self.whole_batch = self.objective.averaged
        self.lr, self.adversarial_lr, self.betas = lr, adversarial_lr, (beta1, beta2)
        self.generator = RRDBNet(
            channels=channels, scale=scale, width=width, growth=growth, blocks=blocks, first=upsample == "first"
        )
        self.content: nn.Module | None = None
        if warmup < 1:
            self.discriminator = PhotoDiscriminator(channels=channels, size=size, width=discriminator_width)
            self.content = content_named(content, early=True)
            self.register_buffer("warmed", flat(self.generator))
            self.register_buffer("warm", torch.zeros((), dtype=torch.bool))
        self.frozen = () if self.content is None else ("content",)  # type: ignore[misc]

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
        if self.content is not None:
            terms["content"] = self.content(*unaligned(fake, real.image, step))
        return Losses({name: self.weights[name] * term for name, term in terms.items() if self.weights[name]})

    def remember(self, results: Results) -> None:
        """Keeps the generator as it comes out of the warm-up."""
        if not self.warm:
            self.warmed.copy_(flat(self.generator))
            self.warm.fill_(True)

    def stages(self) -> dict[str, dict[str, Tensor]]:
        """The generator's weights by style: `faithful`, as they came out of the warm-up, and `perceptual`, as they are
        now, where it is over."""
        now = self.generator.state_dict()
        if self.warmup == 1 or not self.warm:
            return {"faithful": now}
        return {"faithful": unflat(self.warmed, self.generator), "perceptual": now}

    def low(self, real: Photos) -> Tensor:
        """What the generator sees of these photos in training."""
        return real.low if self.degrade == "bicubic" else degraded(real.image, self.scale)

    def draw(self, n: int, given: Mapping[str, Any] | None = None) -> dict[str, Tensor]:
        """low: (n, C, h, w) in [-1, 1], which must be given: nothing is random here."""
        low = (given or {}).get("low")
        if low is None:
            raise UsageError("this recipe enlarges images: ganvas upscale IMAGE --model RUN --out OUT")
        return {"low": low}

    def generate(self, *, low: Tensor) -> Tensor:  # type: ignore[override]
        """(n, C, scale * h, scale * w) in [-1, 1]."""
        return self.generator(low).clamp(-1, 1)  # type: ignore[no-any-return]


def _fading(share: float) -> float:
    return (1 + math.cos(math.pi * min(1.0, max(0.0, share)))) / 2
