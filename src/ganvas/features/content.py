"""Content losses: how far two images are apart in the features of a pretrained network, at their own size.

Scores bring all images to the size that a network was trained on; a loss on pieces of photos must not, because details
of a pixel are what it is about.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganvas.errors import DataError
from ganvas.features.lite import Lite
from ganvas.features.weights import check_shapes, fetch, read_weights

Name = Literal["lite0", "lite2", "vgg19", "none"]

_VGG_FILE = "vgg19-dcbb9e9d.pth"
_VGG_URL = f"https://download.pytorch.org/models/{_VGG_FILE}"
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def content(name: Name, *, early: bool = False) -> nn.Module | None:
    """A frozen module whose forward pass takes two batches of images (B, 1 or 3, H, W) in [-1, 1] and gives their
    distance, the mean over the batch; differentiable. None for `none`. early: VGG19's features before activation.

    Raises DataError where VGG19's weights are neither in torchvision's cache nor to be had.
    """
    if name == "none":
        return None
    with torch.device("cpu"):  # where its weights are, also where the recipe around it is made without values
        return VGGContent(early=early) if name == "vgg19" else LiteContent(name)


class LiteContent(nn.Module):
    """EfficientNet-Lite's maps of five depths and more, at the images' own size: at each place of each map the feature
    vectors are scaled to length 1, and their squared distances are averaged over places and added over maps (as in
    Zhang et al. 2018, equation 1, with all weights 1)."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.extractor = Lite(name)

    def forward(self, one: Tensor, other: Tensor) -> Tensor:
        with torch.no_grad():
            targets = self.extractor.maps_of(self.extractor.scaled((other + 1) * 127.5))
        maps = self.extractor.maps_of(self.extractor.scaled((one + 1) * 127.5))
        return unit_distance(maps, targets).mean()


class VGGContent(nn.Module):
    """VGG19's last convolution (`5,4`), mean squared difference, divided by 12.75^2 (Ledig et al. 2017, equation 5 and
    section 3.2). Behind the activation as there; ESRGAN's in front of it (Wang et al. 2018, section 3.3) by `early`."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, *, early: bool = False, weights: Path | None = None) -> None:
        super().__init__()
        from torchvision.models.vgg import cfgs, make_layers

        path = weights or Path(torch.hub.get_dir()) / "checkpoints" / _VGG_FILE
        if weights is None and not path.is_file():
            try:
                fetch(_VGG_URL, path, "dcbb9e9d")
            except DataError as error:
                raise DataError(f"VGG19's weights are not at hand: {error}; or take --content lite0") from None
        with torch.device("meta"):
            network = make_layers(cfgs["E"])  # without the dense layers, which are most of VGG19
        weighed = {
            name.removeprefix("features."): tensor
            for name, tensor in read_weights(path).items()
            if name.startswith("features.")
        }
        expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
        check_shapes(weighed, expected, "VGG19")
        network.load_state_dict(weighed, assign=True)
        self.layers = network[: 35 if early else 36].eval().requires_grad_(False)
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor(_DEVIATION).view(1, 3, 1, 1))

    def forward(self, one: Tensor, other: Tensor) -> Tensor:
        with torch.no_grad():
            target = self._features(other)
        return functional.mse_loss(self._features(one), target) / 12.75**2

    def _features(self, images: Tensor) -> Tensor:
        features: Tensor = self.layers(((images + 1) / 2 - self.mean) / self.deviation)
        return features


def unit_distance(maps: list[Tensor], targets: list[Tensor]) -> Tensor:
    """(B,): the squared distance of feature vectors of length 1, averaged over places and added over maps."""
    total = torch.zeros(len(maps[0]), device=maps[0].device)
    for one, other in zip(maps, targets, strict=True):
        apart = functional.normalize(one.float(), dim=1, eps=1e-10) - functional.normalize(
            other.float(), dim=1, eps=1e-10
        )
        total = total + apart.square().sum(1).mean((1, 2))
    return total


def unaligned(one: Tensor, other: Tensor, step: int) -> tuple[Tensor, Tensor]:
    """Both images (B, C, H, W) without their first 0 to 7 rows and columns, in 64 ways that follow one another by step.

    A generator that ends in a pixel shuffle and a network that halves the size by strides both treat pixels by their
    place in a grid. Where the two grids always lie alike, the generator finds patterns of a few pixels that the network
    likes and people see as a faint grid. This makes that harder; it does not end it.
    """
    down, right = step % 8, step // 8 % 8
    return one[..., down:, right:], other[..., down:, right:]
