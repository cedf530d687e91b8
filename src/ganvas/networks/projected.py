"""A discriminator that sees pictures as a network trained on photos does (Sauer, Chitta, Müller and Geiger 2021).

What tells two designs apart is there in a pretrained network's maps from the first step on, and need not be learned
from a few thousand pictures. Each depth has a small head of its own (section 3.2). The paper's random mixing of
channels and depths is left out: shallow maps alone are used, and each feature vector is brought to one length.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganvas import augment
from ganvas.features.lite import Lite

DEPTHS = slice(1, 4)
"""The maps of a fourth, an eighth and a sixteenth of the pictures' size."""


class Seen(nn.Module):
    """A frozen EfficientNet-Lite, `lite0` or `lite2`: images (B, 1 or 3, H, W) in [-1, 1] to maps of three depths,
    (B, C, h, w) each. channels: how many each has."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.extractor = Lite(name)
        probe = self.extractor.scaled(self.extractor.network._fc.weight.new_zeros(1, 3, 32, 32))
        self.channels = [each.shape[1] for each in self.extractor.maps_of(probe)[DEPTHS]]

    def forward(self, images: Tensor) -> list[Tensor]:
        maps = self.extractor.maps_of(self.extractor.scaled((images + 1) * 127.5))[DEPTHS]
        return [functional.normalize(each.float(), dim=1) * each.shape[1] ** 0.5 for each in maps]


class Head(nn.Sequential):
    """A map (B, channels, h, w) to the logits of all its places, (B, made, h, w)."""

    def __init__(self, channels: int, width: int, made: int = 1) -> None:
        super().__init__(
            *(nn.Conv2d(channels, width, 1), nn.LeakyReLU(0.2)),
            *(nn.Conv2d(width, width, 3, padding=1), nn.LeakyReLU(0.2)),
            nn.Conv2d(width, made, 1),
        )


class Judges(nn.ModuleList):
    """A head for each depth of what a `Seen` has. No heads where there is none."""

    def __init__(self, features: Seen | None, width: int, made: int = 1) -> None:
        super().__init__(Head(depth, width, made) for depth in (features.channels if features is not None else ()))

    def logits(self, features: Seen, images: Tensor) -> list[Tensor]:
        """(B, made, h, w) of each depth, for pictures (B, C, H, W) that are moved by up to a sixteenth first."""
        maps = features(augment.translation(images, 1 / 16))
        return [head(each) for head, each in zip(self, maps, strict=True)]


def seen(name: str) -> Seen | None:
    """The network of this name; None for `pixels`. It is made where its weights are, also where the recipe is made
    without values."""
    if name == "pixels":
        return None
    with torch.device("cpu"):
        return Seen(name)
