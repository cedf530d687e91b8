"""ESRGAN: enhanced super-resolution generative adversarial networks (Wang et al. 2018).

SRGAN with three changes. The generator is of residual-in-residual dense blocks without normalisation (section 3.1).
The discriminator judges how much more real a photo looks than the average enlarged one (section 3.2). VGG19's features
are compared in front of their activation (section 3.3). Training has SRGAN's two stages; the generator as it came out
of the first is kept, and weights between the two (section 3.4) are what `ganvas upscale --style 0.5` uses.

The default network is small; `--preset paper` is the paper's. Data are photos of any sizes.

    ganvas train esrgan --data photos/ --minutes 120
"""

from __future__ import annotations

from typing import Annotated

from ganvas import arguments as arg
from ganvas.features.content import content as content_loss
from ganvas.networks.rrdb import RRDBNet
from ganvas.options import Range
from ganvas.recipes._super_resolution import SuperResolution


class ESRGAN(SuperResolution):
    """A generator of dense blocks that enlarges photos, trained on pixels and then against a relativistic judge."""

    presets = {
        "paper": {
            "width": 64, "growth": 32, "blocks": 23, "content": "vgg19", "discriminator_width": 64, "lr": 2e-4,
            "adversarial_lr": 1e-4, "beta2": 0.999, "warmup": 0.71, "steps": 1_400_000, "batch_size": 16,
        }
    }  # fmt: skip

    def __init__(
        self,
        *,
        channels: arg.Channels,
        size: arg.Size,
        scale: arg.Scale,
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
        grid_weight: arg.GridWeight = 0.0,
        objective: arg.Objective = "relativistic-average",
        discriminator: arg.PhotoJudge = "paper",
        discriminator_width: arg.Width = 16,
        warmup: arg.Warmup = 0.5,
        lr: arg.WarmupRate = 4e-4,
        adversarial_lr: arg.AdversarialRate = 1e-4,
        beta1: arg.Beta1 = 0.9,
        beta2: arg.Beta2 = 0.99,
    ) -> None:
        weights = {
            "pixel": pixel_weight, "content": content_weight, "adversarial": adversarial_weight, "grid": grid_weight
        }  # fmt: skip
        super().__init__(
            RRDBNet(
                channels=channels, scale=scale, width=width, growth=growth, blocks=blocks, first=upsample == "first"
            ),
            scale=scale,
            degrade=degrade,
            pixel_loss=pixel_loss,
            weights=weights,
            objective=objective,
            warmup=warmup,
            lr=lr,
            adversarial_lr=adversarial_lr,
            betas=(beta1, beta2),
        )
        if warmup < 1:
            features = content_loss(content, early=True)
            self.join(discriminator, features, channels=channels, size=size, width=discriminator_width)
