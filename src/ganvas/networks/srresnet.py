"""SRGAN's networks (Ledig et al. 2017, figure 4): the residual generator, and the discriminator of photos."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ganvas.networks.upscaling import Bicubic, Enlarger


class SRResNet(Enlarger):
    """(B, C, h, w) to (B, C, scale * h, scale * w): `blocks` residual blocks with BatchNorm and PReLU between two 9x9
    convolutions, and a sub-pixel step for each doubling (one for a tripling).

    first: the image is enlarged by bicubic interpolation in front of all layers, and there is no sub-pixel step.
    """

    def __init__(self, *, channels: int, scale: int, width: int = 64, blocks: int = 16, first: bool = False) -> None:
        super().__init__()
        self.channels, self.scale, self.fold = channels, scale, 1
        self.enlarge = Bicubic(channels, scale).requires_grad_(False) if first else None
        self.head = nn.Sequential(nn.Conv2d(channels, width, 9, padding=4), nn.PReLU())
        self.blocks = nn.ModuleList(_Block(width) for _ in range(blocks))
        self.end = nn.Sequential(nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width))
        steps = [] if first else subpixel_steps(scale)
        self.up = nn.Sequential(
            *(
                nn.Sequential(nn.Conv2d(width, width * step**2, 3, padding=1), nn.PixelShuffle(step), nn.PReLU())
                for step in steps
            )
        )
        self.tail = nn.Conv2d(width, channels, 9, padding=4)
        behind = 4 + sum(1 for _ in steps)  # pixels of the output, or fewer of the sizes before it
        self.reach = -(-(9 + 2 * blocks) // scale) + 2 if first else 5 + 2 * blocks + behind

    def forward(self, low: Tensor) -> Tensor:
        start = hidden = self.head(low if self.enlarge is None else self.enlarge(low))
        for block in self.blocks:
            hidden = block(hidden)
        result: Tensor = self.tail(self.up(self.end(hidden) + start))
        return result


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.PReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
        )

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = x + self.layers(x)
        return result


def subpixel_steps(scale: int) -> list[int]:
    """The factors that make up a scale: 4 is two doublings."""
    return [2, 2] if scale == 4 else [scale]


class PhotoDiscriminator(nn.Module):
    """(B, C, H, W) of one size to logits (B,): eight 3x3 convolutions, every second one halving, `width` feature maps
    at first and eight times as many in the end, then two dense layers. LeakyReLU 0.2; BatchNorm but in the first."""

    def __init__(self, *, channels: int, size: tuple[int, int], width: int = 64) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 3, padding=1), nn.LeakyReLU(0.2, inplace=True)]
        before, (high, wide) = width, size
        for number in range(1, 8):
            halving, after = number % 2, width * 2 ** (number // 2)
            layers += [
                nn.Conv2d(before, after, 3, 1 + halving, 1, bias=False),
                nn.BatchNorm2d(after),
                nn.LeakyReLU(0.2, inplace=True),
            ]
            before, high, wide = after, -(-high // (1 + halving)), -(-wide // (1 + halving))
        self.features = nn.Sequential(*layers)
        self.judge = nn.Sequential(
            nn.Linear(before * high * wide, 16 * width), nn.LeakyReLU(0.2, inplace=True), nn.Linear(16 * width, 1)
        )

    def forward(self, image: Tensor) -> Tensor:
        # The order that a file keeps, whatever the layout in memory.
        features = self.features(image).contiguous(memory_format=torch.contiguous_format)
        logits: Tensor = self.judge(features.flatten(1))
        return logits.squeeze(1)
