"""A Laplacian pyramid of images, and the networks that add one level of it (Denton et al. 2015, section 2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, interpolate

from ganvas.networks.convolution import Conv2d

COARSEST = 14
"""A level whose shorter side is below this has none below it: 28 and 32 pixels have three levels, 64 have four."""


def level_sizes(size: tuple[int, int]) -> list[tuple[int, int]]:
    """(height, width) of each level, from the image's to the coarsest; each is half of the one before, rounded up."""
    sizes = [size]
    while min(sizes[-1]) >= COARSEST:
        sizes.append(((sizes[-1][0] + 1) // 2, (sizes[-1][1] + 1) // 2))
    return sizes


def shrunk(images: Tensor, size: tuple[int, int]) -> Tensor:
    """The next coarser level: averages over 2x2 pixels (over what falls into each pixel, for an odd side)."""
    return adaptive_avg_pool2d(images, size)


def enlarged(images: Tensor, size: tuple[int, int]) -> Tensor:
    """A coarser level at the next finer size, interpolated: the low-pass image that the finer level starts from."""
    return interpolate(images, size, mode="bilinear", align_corners=False)


class DetailGenerator(nn.Module):
    """The difference image of one level, from its low-pass image, a plane of noise and, where there are labels, a plane
    of the label's: three 5x5 convolutions at full size, BatchNorm and ReLU between them."""

    def __init__(self, *, channels: int, size: tuple[int, int], width: int, classes: int = 0) -> None:
        super().__init__()
        self.size = size
        self.embedding = nn.Embedding(classes, size[0] * size[1]) if classes else None
        self.layers = nn.Sequential(
            Conv2d(channels + (2 if classes else 1), width, 5, padding=2, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            Conv2d(width, width, 5, padding=2, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            Conv2d(width, channels, 5, padding=2),
        )
        if self.embedding is not None:
            nn.init.normal_(self.embedding.weight, 0.0, 0.1)

    def forward(self, low: Tensor, noise: Tensor, label: Tensor | None = None) -> Tensor:
        """low: (B, C, H, W), noise: (B, 1, H, W), label: (B,) int64 where conditional. Returns (B, C, H, W)."""
        planes = [low, noise]
        if self.embedding is not None:
            planes.append(self.embedding(label).unflatten(1, (1, *self.size)))
        difference: Tensor = self.layers(torch.cat(planes, dim=1).contiguous(memory_format=torch.channels_last))
        return difference
