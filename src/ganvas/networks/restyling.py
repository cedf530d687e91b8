"""Pictures seen by a frozen network, its maps brought to other statistics, and made into pictures again."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganvas.features.lite import Lite
from ganvas.networks.precision import exactly

DEPTHS = slice(0, 4)
"""The maps of a half to a sixteenth of the pictures' size."""


class Encoder(nn.Module):
    """A frozen EfficientNet-Lite, `lite0` or `lite2`: images (B, 1 or 3, H, W) in [-1, 1] to its maps of four depths,
    (B, C, h, w) each from shallow to deep, brought to about unit size. channels: how many each has."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.extractor = Lite(name)
        probe = torch.zeros(1, 3, 64, 64)
        self.channels = [each.shape[1] for each in self.extractor.maps_of(self.extractor.scaled(probe))[DEPTHS]]

    def forward(self, images: Tensor) -> list[Tensor]:
        lacking = [-side % 32 for side in images.shape[2:]]
        padded = functional.pad(images, (0, lacking[1], 0, lacking[0]), mode="replicate")
        # In float32: in bf16 the rounding of a map's mean would be taken for its deviation where a channel sees little.
        with exactly(images.device):
            maps = self.extractor.maps_of(self.extractor.scaled((padded.float() + 1) * 127.5))[DEPTHS]
        return [each / UNIT for each in maps]


UNIT = 8.0
"""About the deviation of the maps over photos."""


class Decoder(nn.Module):
    """Maps of an `Encoder`, from shallow to deep, to (B, channels, H, W) in [-1, 1]: from the deepest on, each level is
    enlarged and mixed with the maps of the next. No normalisation, which would take the style away."""

    def __init__(self, maps: Sequence[int], *, width: int, channels: int) -> None:
        super().__init__()
        widths = [width * min(4, 2**level) for level in range(len(maps))]
        self.begin = nn.Conv2d(maps[-1], widths[-1], 3, padding=1)
        self.mix = nn.ModuleList(
            nn.Conv2d(wide + own, narrow, 3, padding=1)
            for (narrow, wide), own in zip(pairwise(widths), maps, strict=False)
        )
        self.refine = nn.ModuleList(nn.Conv2d(each, each, 3, padding=1) for each in widths[:-1])
        self.last = nn.Conv2d(width, width, 3, padding=1)
        self.tail = nn.Conv2d(width, channels, 5, padding=2)

    def forward(self, maps: Sequence[Tensor], size: Sequence[int]) -> Tensor:
        """size: (H, W) of what is made."""
        hidden = functional.silu(self.begin(maps[-1]))
        for level in reversed(range(len(self.mix))):
            own = maps[level]
            hidden = functional.interpolate(hidden, size=own.shape[2:], mode="bilinear", align_corners=False)
            hidden = functional.silu(self.mix[level](torch.cat([hidden, own.to(hidden.dtype)], dim=1)))
            hidden = hidden + functional.silu(self.refine[level](hidden))
        hidden = functional.interpolate(hidden, scale_factor=2.0, mode="bilinear", align_corners=False)
        made = self.tail(functional.silu(self.last(hidden)))
        return torch.tanh(made[:, :, : size[0], : size[1]])


def restyled(maps: Sequence[Tensor], styles: Sequence[Tensor]) -> list[Tensor]:
    """The maps (B, C, h, w) with each channel's mean and deviation as the styles have them (AdaIN: Huang and Belongie
    2017, eq. 8)."""
    made = []
    for one, style in zip(maps, styles, strict=True):
        (mean, deviation), (wanted_mean, wanted_deviation) = _statistics(one), _statistics(style)
        made.append((one - mean) / deviation * wanted_deviation + wanted_mean)
    return made


def statistics_apart(maps: Sequence[Tensor], others: Sequence[Tensor]) -> Tensor:
    """How far the means and deviations of channels are apart: the mean squared differences of both, the mean over maps
    (eq. 13)."""
    found = []
    for one, other in zip(maps, others, strict=True):
        pairs = zip(_statistics(one), _statistics(other), strict=True)
        found.append(sum(functional.mse_loss(mine, theirs) for mine, theirs in pairs))
    return torch.stack(found).mean()  # type: ignore[arg-type]


def _statistics(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Of each channel of each picture the mean and the standard deviation, (B, C, 1, 1), the latter never below a tenth
    of what is usual: a channel that sees nothing is not made to."""
    maps = maps.float()
    mean = maps.mean((2, 3), keepdim=True)
    return mean, (maps.var((2, 3), keepdim=True, correction=0) + 0.01).sqrt()
