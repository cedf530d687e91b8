"""A network that makes a picture of a picture, of any size: U-Net with residual blocks and group normalisation.

Skip connections carry what stays in place (Isola et al. 2017, section 3.2.1). Three things are not that paper's. Group
normalisation (Wu and He 2018) replaces batch and instance normalisation: the former depends on the batch, the latter
turns any difference between the few places of a deep level into a bright blob. Pictures grow by bilinear interpolation
and a convolution, as transposed ones draw a grid of dots. And few weights stand in the deep levels, which CPUs like.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
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

    reach: how many pixels away an output pixel can see, but for what its normalisations see. multiple: pieces of a
    picture must begin at multiples of so many pixels.
    """

    def __init__(
        self, *, source: int, channels: int, size: tuple[int, int], width: int, residual: bool = False, fold: int = 1
    ) -> None:
        super().__init__()
        if residual and source != channels:
            raise ValueError(f"what is added to {source} channels must have as many, not {channels}")
        self.residual, self.fold = residual, fold
        self.levels = max(1, min(DEEPEST, int(math.log2(max(2, min(size) // (4 * fold))))))
        deep = 2**self.levels
        self.multiple = fold * deep
        # In places of the first level: of the first and the last convolution 3; of the four in the middle one of theirs
        # each; of each level eight of its own: two blocks of two, mixing, and three of halving and interpolation. And
        # what unfolding adds.
        self.reach = fold * (3 + 4 * deep + 8 * (deep - 1)) + fold - 1
        self.widths = widths = [width * min(4, 2**level) for level in range(self.levels + 1)]
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
        return self.decoded(source, self.encoded(source))

    def encoded(self, source: Tensor) -> list[Tensor]:
        """The maps of all levels, (B, width, H / fold, W / fold) and each of the next half as high and wide, down to
        the deepest."""
        hidden = functional.pixel_unshuffle(self._padded(source), self.fold)
        hidden = self.head(hidden.contiguous(memory_format=torch.channels_last))
        maps = []
        for block, halve in zip(self.down, self.halve, strict=True):
            maps.append(hidden := block(hidden))
            hidden = halve(hidden)
        return [*maps, hidden]

    def decoded(self, source: Tensor, maps: Sequence[Tensor]) -> Tensor:
        """What is made of the source, of which these are the maps."""
        height, width = source.shape[2:]
        *skips, deepest = maps
        hidden = self.middle(deepest)
        for level in reversed(range(self.levels)):
            skip = skips[level]
            hidden = functional.interpolate(hidden, size=skip.shape[2:], mode="bilinear", align_corners=False)
            hidden = self.up[level](functional.silu(self.mix[level](torch.cat([hidden, skip], dim=1))))
        if self.fold > 1:
            padded = self._padded(source)
            hidden = functional.interpolate(hidden, size=padded.shape[2:], mode="bilinear", align_corners=False)
            hidden = functional.silu(self.unfold(torch.cat([hidden, padded.to(hidden.dtype)], dim=1)))
        made: Tensor = self.tail(hidden)[:, :, :height, :width]
        return source + made if self.residual else torch.tanh(made)

    def _padded(self, source: Tensor) -> Tensor:
        """The source with sides that all levels divide."""
        height, width = source.shape[2:]
        return functional.pad(source, (0, -width % self.multiple, 0, -height % self.multiple), mode="replicate")


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
