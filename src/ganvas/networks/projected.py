"""A discriminator that sees pictures as a network trained on photos does (Sauer, Chitta, Müller and Geiger 2021).

What tells two designs apart is there in a pretrained network's maps from the first step on, and need not be learned
from a few thousand pictures. Each depth has a small head of its own (section 3.2). Each feature vector is brought to
one length. `Seen` with its `Judges` is what other recipes look through besides: shallow maps alone, which are not
mixed. `Mixed` with its `ScaleJudges` is the paper's, for the recipe `projected`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganvas import augment
from ganvas.features.lite import LEAST, Lite

DEPTHS = slice(1, 4)
"""The maps of a fourth, an eighth and a sixteenth of the pictures' size."""

MIXED = slice(1, 5)
"""Those, and the one of a 32nd."""

TYPICAL = (8.0, 8.0, 7.0, 3.0)
"""The root mean square of each of these in Lite0, of CIFAR's photos at 64 pixels."""

FROM = 0
"""The seed of the mixing, which is drawn once and for all."""


class Seen(nn.Module):
    """A frozen EfficientNet-Lite, `lite0` or `lite2`: images (B, 1 or 3, H, W) in [-1, 1] to maps of three depths,
    (B, C, h, w) each, or of others. channels: how many each has."""

    def __init__(self, name: str, depths: slice = DEPTHS) -> None:
        super().__init__()
        self.extractor, self.depths = Lite(name), depths
        probe = self.extractor.scaled(self.extractor.network._fc.weight.new_zeros(1, 3, 32, 32))
        self.channels = [each.shape[1] for each in self.extractor.maps_of(probe, depths.stop)[depths]]

    def forward(self, images: Tensor) -> list[Tensor]:
        maps = self.extractor.maps_of(self.extractor.scaled((images + 1) * 127.5), self.depths.stop)[self.depths]
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


class Mixed(nn.Module):
    """Images (B, 1 or 3, H, W) in [-1, 1] to maps of four depths, mixed across channels and, from deep to shallow,
    across scales by random convolutions that are never trained (section 3.2): so that no judge can rest on what a few
    channels say, and the shallow ones see what the deep ones see.

    view: the shorter side to which smaller pictures are enlarged. channels, sizes: of each map.
    """

    def __init__(self, name: str, *, size: tuple[int, int], view: int, width: int) -> None:
        super().__init__()
        self.extractor = Lite(name)
        probe = self.extractor.scaled(torch.zeros(1, 3, LEAST, LEAST))
        depths = [each.shape[1] for each in self.extractor.maps_of(probe, MIXED.stop)[MIXED]]
        larger = max(1.0, view / min(size))
        self.size = tuple(math.ceil(side * larger / LEAST) * LEAST for side in size)
        self.channels = [width << depth for depth in range(len(depths))]
        self.sizes = [(self.size[0] >> depth, self.size[1] >> depth) for depth in (2, 3, 4, 5)]
        self.across = nn.ModuleList(
            nn.Conv2d(before, after, 1, bias=False) for before, after in zip(depths, self.channels, strict=True)
        )
        self.between = nn.ModuleList(
            nn.Conv2d(2 * after, after, 3, padding=1, bias=False) for after in self.channels[:-1]
        )
        drawn = torch.Generator().manual_seed(FROM)
        for layer in (*self.across, *self.between):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="linear", generator=drawn)
        self.requires_grad_(False)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Of RGBA images: of what is seen of them before a ground of one colour, drawn for each."""
        if images.shape[1] == 4:
            images = grounded(images)
        if images.shape[2:] != self.size:
            images = functional.interpolate(images, self.size, mode="bilinear", align_corners=False)
        maps = self.extractor.maps_of(self.extractor.scaled((images + 1) * 127.5), MIXED.stop)[MIXED]
        mixed = [layer(each / size) for layer, each, size in zip(self.across, maps, TYPICAL, strict=True)]
        for depth in reversed(range(len(mixed) - 1)):
            deeper = self.between[depth](mixed[depth + 1])  # before it is enlarged: a fourth of the work
            mixed[depth] = (mixed[depth] + functional.interpolate(deeper, scale_factor=2.0)) / math.sqrt(2)
        return mixed

    def notes(self) -> list[str]:
        """What a plan should say of it."""
        looks, (height, width) = self.extractor, self.size
        return [f"judged through {looks.name} at {height}x{width}, whose weights are {looks.weights_hash}"]

    def parted(self, flat: Tensor) -> list[Tensor]:
        """(B, N), all maps of each image in one row, to maps."""
        shapes = [(channels, *size) for channels, size in zip(self.channels, self.sizes, strict=True)]
        parts = flat.split([math.prod(shape) for shape in shapes], dim=1)
        return [part.unflatten(1, shape) for part, shape in zip(parts, shapes, strict=True)]


def grounded(images: Tensor) -> Tensor:
    """(B, 4, H, W), RGBA in [-1, 1], on grounds whose colours are drawn: (B, 3, H, W). What is right on any ground has
    the right colours and the right transparency."""
    colours, share = images[:, :3], (images[:, 3:] + 1) / 2
    ground = 2 * torch.rand(len(images), 3, 1, 1, device=images.device) - 1
    return ground + share * (colours - ground)


class ScaleJudges(nn.ModuleList):
    """A judge for each of the maps that `Mixed` gives."""

    def __init__(self, features: Mixed, *, width: int, classes: int = 0) -> None:
        super().__init__(
            ScaleJudge(channels, size, width, classes)
            for channels, size in zip(features.channels, features.sizes, strict=True)
        )

    def forward(self, maps: list[Tensor], label: Tensor | None = None) -> list[Tensor]:
        """(B, N) logits of the places of each map."""
        return [judge(each, label) for judge, each in zip(self, maps, strict=True)]


class ScaleJudge(nn.Module):
    """A map (B, channels, h, w) to the logits of about 4x4 places, (B, N): a convolution for each halving. With
    `classes`, the inner product of the label's embedding with the features of a place is added to its logit (Miyato and
    Koyama 2018, eq. 3)."""

    def __init__(self, channels: int, size: tuple[int, int], width: int, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before, side = channels, min(size)
        while side > 4:
            layers += [nn.Conv2d(before, width, 4, 2, 1), nn.LeakyReLU(0.2)]
            before, side = width, side // 2
        layers += [nn.Conv2d(before, width, 3, padding=1), nn.LeakyReLU(0.2)]
        self.layers, self.head = nn.Sequential(*layers), nn.Conv2d(width, 1, 1)
        self.embedding = nn.Embedding(classes, width) if classes else None

    def forward(self, maps: Tensor, label: Tensor | None = None) -> Tensor:
        features = self.layers(maps)
        logits: Tensor = self.head(features).flatten(1)
        if self.embedding is not None:
            wanted = functional.normalize(self.embedding(label), dim=1)
            logits = logits + torch.einsum("bchw,bc->bhw", features, wanted).flatten(1)
        return logits
