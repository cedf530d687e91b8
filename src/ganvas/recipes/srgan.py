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

from typing import Annotated, Any, Literal

from ganvas import arguments as arg
from ganvas.data.batches import Photos
from ganvas.networks.srresnet import SRResNet
from ganvas.networks.upscaling import CompactUpscaler
from ganvas.recipes._super_resolution import Blocks, Stages, SuperResolution, Upsample


class SRGAN(SuperResolution):
    """A generator that enlarges photos, trained on pixels and then against a discriminator."""

    usual_for = {Photos: 0}
    presets = {
        "paper": {
            "architecture": "srresnet", "width": 64, "blocks": 16, "pixel_loss": "l2", "content": "vgg19",
            "pixel_weight": 0.0, "content_weight": 1.0, "adversarial_weight": 1e-3, "discriminator_width": 64,
            "lr": 1e-4, "adversarial_lr": 1e-4, "beta2": 0.999, "warmup": 0.83, "steps": 1_200_000, "batch_size": 16,
        }
    }  # fmt: skip

    def __init__(
        self,
        *,
        images: arg.Images,
        scale: arg.Scale,
        architecture: Annotated[Literal["compact", "srresnet"], "the generator; srresnet is the paper's"] = "compact",
        width: arg.Width = 64,
        blocks: Blocks = 8,
        fold: Annotated[
            Literal[1, 2], "2 works at half the low resolution in wider layers, which CPUs are quicker at"
        ] = 1,
        upsample: Upsample = "last",
        stages: Stages = Stages.open(pixel_weight=1.0, adversarial_weight=1e-3, objective="non-saturating", lr=1e-3),
    ) -> None:
        shape: dict[str, Any] = {"channels": images.channels, "scale": scale, "first": upsample == "first"}
        shape |= {"width": width, "blocks": blocks}
        compact = architecture == "compact"
        super().__init__(CompactUpscaler(**shape, fold=fold) if compact else SRResNet(**shape), images, stages)
