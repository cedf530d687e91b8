"""Photo-realistic single image super-resolution using a generative adversarial network (Ledig et al. 2017).

Training has two stages. The warm-up fits the generator to the pixels (section 3.2): the mean of all photos that could
have been there scores best and looks soft. Then the generator also answers to a discriminator (equation 6), and is
compared with the photo in the features of a pretrained network as well (equation 5); both weights are arguments.

The default generator is a compact one that works at low resolution throughout and begins at bicubic interpolation;
`--preset paper` is SRResNet with VGG19's features. Data are photos: `--data` is a folder of them, of any sizes.

Two arguments are not the paper's. A generator whose last layer turns feature maps into the pixels of a block can give
every block the same faint pattern, a grid that neither the content loss nor the paper's discriminator minds:
`--grid-weight` is a loss on just that, and `--discriminator patch` judges small pieces, each by itself.

    ganvas train srgan --data photos/ --minutes 60
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Annotated, Any, Literal

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
from ganvas.networks import patch
from ganvas.networks.interpolation import flat, unflat
from ganvas.networks.spectral import advance
from ganvas.networks.srresnet import PhotoDiscriminator, SRResNet
from ganvas.networks.upscaling import CompactUpscaler
from ganvas.objectives import objective as objective_named
from ganvas.recipe import Losses, Progress, Recipe, Results, Turn

RAMP = 200
"""Steps in which the learning rate rises to its full size."""


class SRGAN(Recipe):
    """A generator that enlarges photos, trained on pixels and then against a discriminator."""

    warmed: Tensor
    warm: Tensor
    accepts = (Photos,)
    presets = {
        "paper": {
            "architecture": "srresnet", "width": 64, "blocks": 16, "pixel_loss": "l2", "content": "vgg19",
            "pixel_weight": 0.0, "content_weight": 1.0, "adversarial_weight": 1e-3, "discriminator_width": 64,
            "lr": 1e-4, "adversarial_lr": 1e-4, "beta2": 0.999, "warmup": 0.83, "steps": 1_200_000, "batch_size": 16,
        }
    }  # fmt: skip
    training_defaults = {"batch_size": 16, "steps": 20_000}

    def __init__(
        self,
        *,
        channels: arg.Channels,
        size: arg.Size,
        scale: arg.Scale = 4,
        architecture: Annotated[Literal["compact", "srresnet"], "the generator; srresnet is the paper's"] = "compact",
        width: arg.Width = 64,
        blocks: arg.Blocks = 8,
        fold: arg.Fold = 1,
        upsample: arg.Upsample = "last",
        degrade: arg.Degrade = "bicubic",
        pixel_loss: arg.PixelLoss = "l1",
        content: arg.Content = "lite0",
        pixel_weight: arg.PixelWeight = 1.0,
        content_weight: arg.ContentWeight = 1.0,
        adversarial_weight: arg.AdversarialWeight = 1e-3,
        grid_weight: arg.GridWeight = 0.0,
        objective: arg.Objective = "non-saturating",
        discriminator: Annotated[
            Literal["paper", "patch"], "paper: one judgement of each image; patch: one of every place in it"
        ] = "paper",
        discriminator_width: arg.Width = 16,
        warmup: arg.Warmup = 0.5,
        lr: arg.WarmupRate = 1e-3,
        adversarial_lr: arg.AdversarialRate = 1e-4,
        beta1: arg.Beta1 = 0.9,
        beta2: arg.Beta2 = 0.99,
    ) -> None:
        super().__init__()
        self.scale, self.degrade, self.warmup = scale, degrade, warmup
        self.pixel_loss = functional.l1_loss if pixel_loss == "l1" else functional.mse_loss
        self.weights = {
            "pixel": pixel_weight, "content": content_weight, "adversarial": adversarial_weight, "grid": grid_weight
        }  # fmt: skip
        self.objective = objective_named(objective)
        self.whole_batch = self.objective.averaged
        self.lr, self.adversarial_lr, self.betas = lr, adversarial_lr, (beta1, beta2)
        shape: dict[str, Any] = {
            "channels": channels, "scale": scale, "width": width, "blocks": blocks, "first": upsample == "first"
        }  # fmt: skip
        self.generator: nn.Module
        if architecture == "compact":
            self.generator = CompactUpscaler(**shape, fold=fold)
        else:
            self.generator = SRResNet(**shape)
        self.content: nn.Module | None = None
        if warmup < 1:
            self.discriminator: nn.Module
            if discriminator == "paper":
                self.discriminator = PhotoDiscriminator(channels=channels, size=size, width=discriminator_width)
            elif min(size) < patch.LEAST:
                raise UsageError(f"--discriminator patch needs pieces of {patch.LEAST} pixels a side: raise --size")
            else:
                self.discriminator = patch.PatchDiscriminator(channels=channels, width=discriminator_width)
            self.content = content_named(content)
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
        if self.weights["grid"]:
            terms["grid"] = grid_loss(fake, real.image, self.scale)
        if self.content is not None:
            terms["content"] = self.content(*unaligned(fake, real.image, step))
        return Losses({name: self.weights[name] * term for name, term in terms.items() if self.weights[name]})

    def remember(self, results: Results) -> None:
        """Behind the discriminator's update; keeps the generator as it comes out of the warm-up."""
        advance(self.discriminator)
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


def grid_loss(one: Tensor, other: Tensor, scale: int) -> Tensor:
    """How much one batch of images (B, C, H, W) is brighter or darker than the other at the same place of many blocks
    of `scale` x `scale` pixels: the mean absolute difference of means over windows of 4x4 blocks, for each of a block's
    places. What repeats with the blocks stays whole in these means, and texture that does not nearly cancels."""
    places = functional.pixel_unshuffle(one.float() - other.float(), scale)
    window = min(4, *places.shape[-2:])
    return functional.avg_pool2d(places, window, stride=max(1, window // 2)).abs().mean()


def _fading(share: float) -> float:
    return (1 + math.cos(math.pi * min(1.0, max(0.0, share)))) / 2
