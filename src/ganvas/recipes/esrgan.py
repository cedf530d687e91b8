"""ESRGAN: enhanced super-resolution generative adversarial networks (Wang et al. 2018).

SRGAN with three changes. The generator is of residual-in-residual dense blocks without normalisation (section 3.1).
The discriminator judges how much more real a photo looks than the average enlarged one (section 3.2). VGG19's features
are compared in front of their activation (section 3.3). Training has SRGAN's two stages; the generator as it came out
of the first is kept, and weights between the two (section 3.4) are what `ganvas upscale --style 0.5` uses.

The default network is small; `--preset paper` is the paper's. Data are photos of any sizes.

    ganvas train esrgan --data photos/ --minutes 120
"""

from typing import Annotated

from ganvas import arguments as arg
from ganvas.networks.rrdb import RRDBNet
from ganvas.options import Range
from ganvas.recipes._super_resolution import Blocks, Stages, SuperResolution, Upsample


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
        images: arg.Images,
        scale: arg.Scale,
        width: arg.Width = 32,
        growth: Annotated[int, Range(1, 256), "feature maps that each layer of a dense block adds"] = 16,
        blocks: Blocks = 4,
        upsample: Upsample = "last",
        stages: Stages = Stages.open(
            pixel_weight=1e-2, adversarial_weight=5e-3, objective="relativistic-average", lr=4e-4
        ),
    ) -> None:
        first, channels = upsample == "first", images.channels
        generator = RRDBNet(channels=channels, scale=scale, width=width, growth=growth, blocks=blocks, first=first)
        super().__init__(generator, images, stages, early=True)
