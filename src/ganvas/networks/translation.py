"""A network that makes a picture of a picture, of any size: U-Net with residual blocks and group normalisation.

Skip connections carry what stays in place (Isola et al. 2017, section 3.2.1). Three things are not that paper's. Group
normalisation (Wu and He 2018) replaces batch and instance normalisation: the former depends on the batch, the latter
turns any difference between the few places of a deep level into a bright blob. Pictures grow by bilinear interpolation
and a convolution, as transposed ones draw a grid of dots. And few weights stand in the deep levels, which CPUs like.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

DEEPEST = 3
"""Halvings of the largest pictures."""


class Translator(nn.Module):
    """(B, source, H, W) in [-1, 1] to (B, channels, H, W), about in [-1, 1].

    size: of the pictures that it is trained on, by which it is as deep as they allow; others may have any size.
    residual: what it makes is added to the source, beginning with nothing: it starts as the identity. Needs as many
    channels in the source as in what is made. fold: 2 has all blocks work on 2x2 pixels as one place, at a third of the
    cost, with one layer at full size behind them that also sees the source.
    """

    def __init__(
        self, *, source: int, channels: int, size: tuple[int, int], width: int, residual: bool = False, fold: int = 1
    ) -> None:
        super().__init__()
        if residual and source != channels:
            raise ValueError(f"what is added to {source} channels must have as many, not {channels}")
        self.residual, self.fold = residual, fold
        self.levels = max(1, min(DEEPEST, int(math.log2(max(2, min(size) // (4 * fold))))))
        widths = [width * min(4, 2**level) for level in range(self.levels + 1)]
        self.head = nn.Conv2d(source * fold**2, widths[0], 3, padding=1)
        self.down = nn.ModuleList(_Block(before) for before in widths[:-1])
        self.halve = nn.ModuleList(nn.Conv2d(before, after, 4, 2, 1) for before, after in pairwise(widths))
        self.middle = nn.Sequential(_Block(widths[-1]), _Block(widths[-1]))
        self.mix = nn.ModuleList(nn.Conv2d(after + before, before, 3, padding=1) for before, after in pairwise(widths))
        self.up = nn.ModuleList(_Block(before) for before in widths[:-1])
        last = widths[0]
        if fold > 1:
            last = max(1, width // 2)
            self.unfold = nn.Conv2d(width + source, last, 3, padding=1)
        self.tail = nn.Conv2d(last, channels, 5, padding=2)
        if residual:
            nn.init.zeros_(self.tail.weight)
            nn.init.zeros_(self.tail.bias)  # type: ignore[arg-type]

    def forward(self, source: Tensor) -> Tensor:
        height, width = source.shape[2:]
        step = self.fold * 2**self.levels
        padded = functional.pad(source, (0, -width % step, 0, -height % step), mode="replicate")
        hidden = functional.pixel_unshuffle(padded, self.fold)
        hidden = self.head(hidden.contiguous(memory_format=torch.channels_last))
        skips = []
        for block, halve in zip(self.down, self.halve, strict=True):
            skips.append(hidden := block(hidden))
            hidden = halve(hidden)
        hidden = self.middle(hidden)
        for level in reversed(range(self.levels)):
            skip = skips[level]
            hidden = functional.interpolate(hidden, size=skip.shape[2:], mode="bilinear", align_corners=False)
            hidden = self.up[level](functional.silu(self.mix[level](torch.cat([hidden, skip], dim=1))))
        if self.fold > 1:
            hidden = functional.interpolate(hidden, size=padded.shape[2:], mode="bilinear", align_corners=False)
            hidden = functional.silu(self.unfold(torch.cat([hidden, padded.to(hidden.dtype)], dim=1)))
        made: Tensor = self.tail(hidden)[:, :, :height, :width]
        return source + made if self.residual else torch.tanh(made)


class _Block(nn.Module):
    """x + convolution(silu(normalised(convolution(silu(normalised(x))))))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        groups = math.gcd(width, 4)
        self.layers = nn.Sequential(
            *(nn.GroupNorm(groups, width), nn.SiLU(), nn.Conv2d(width, width, 3, padding=1)),
            *(nn.GroupNorm(groups, width), nn.SiLU(), nn.Conv2d(width, width, 3, padding=1)),
        )

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = x + self.layers(x)
        return result
