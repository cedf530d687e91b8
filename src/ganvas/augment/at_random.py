"""Differentiable augmentation of what the discriminator sees.

Every function takes images (B, C, H, W) in [-1, 1], draws for each sample on its own from the global random state, or
takes a draw that is made, numbers from [0, 1), and is differentiable in the images. Colours may leave [-1, 1] a little,
as in the papers. `POLICIES` names the sets that recipes offer: `shape` mirrors and shifts by a few pixels (as in
"Improved consistency regularization for GANs", Zhao et al. 2020), `translation` leaves the mirror out, which suits
characters, and `all` adds a cutout and colours (as in "Differentiable augmentation", Zhao et al. 2020).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import pad

Augmentation = Callable[[Tensor], Tensor]
Name = Literal["translation", "shape", "all"]


def flip(images: Tensor) -> Tensor:
    """Half of them mirrored."""
    return torch.where(_draw(images) < 0.5, images, images.flip(3))


def translation(images: Tensor, most: float = 0.125, mode: str = "replicate", draw: Tensor | None = None) -> Tensor:
    """Shifted by up to this share of each side; the nearest pixel of the edge fills the gap, or, where the mode is
    `reflect`, what lies as far on this side of it, or 0 where it is `constant`. draw: (B, 2)."""
    count, _, height, width = images.shape
    down, right = (max(1, round(most * side)) for side in (height, width))
    padded = pad(images, (right, right, down, down), mode=mode)
    rows = _whole(images, 2 * down + 1, None if draw is None else draw[:, :1])[:, :, None]
    columns = _whole(images, 2 * right + 1, None if draw is None else draw[:, 1:])[:, :, None]
    rows = rows + torch.arange(height, device=images.device)[:, None]
    columns = columns + torch.arange(width, device=images.device)
    sample = torch.arange(count, device=images.device)[:, None, None]
    return padded.permute(0, 2, 3, 1)[sample, rows, columns].permute(0, 3, 1, 2)


def jitter(images: Tensor) -> Tensor:
    """Half of them mirrored, all shifted by up to a sixteenth of each side, what is beyond the edge being mirrored. No
    pixel changes its value. Pictures that belong together stay so when they are channels of one."""
    return translation(flip(images), 1 / 16, "reflect")


def cutout(images: Tensor, share: float = 0.5, draw: Tensor | None = None) -> Tensor:
    """A rectangle of this share of each side, anywhere, becomes 0, which is mid-gray. draw: (B, 2)."""
    height, width = images.shape[2:]
    rows = _band(images, height, share, None if draw is None else draw[:, :1])
    columns = _band(images, width, share, None if draw is None else draw[:, 1:])
    return images.masked_fill(rows[:, None, :, None] & columns[:, None, None, :], 0.0)


def brightness(images: Tensor, most: float = 0.5, draw: Tensor | None = None) -> Tensor:
    """All values of an image plus one number from [-most, most]. draw: (B, 1, 1, 1)."""
    return images + (2 * _draw(images, draw) - 1) * most


def contrast(images: Tensor, draw: Tensor | None = None) -> Tensor:
    """An image's distances from its mean times a factor from [0.5, 1.5]. draw: (B, 1, 1, 1)."""
    mean = images.mean((1, 2, 3), keepdim=True)
    return mean + (images - mean) * (0.5 + _draw(images, draw))


def saturation(images: Tensor, draw: Tensor | None = None) -> Tensor:
    """Each pixel's distances from its own gray times a factor from [0, 2]; one channel stays as it is. draw: (B, 1, 1,
    1)."""
    gray = images.mean(1, keepdim=True)
    return gray + (images - gray) * (2 * _draw(images, draw))


def chained(*steps: Augmentation) -> Augmentation:
    """One after the other."""

    def augment(images: Tensor) -> Tensor:
        for step in steps:
            images = step(images)
        return images

    return augment


POLICIES: dict[Name, Augmentation] = {
    "translation": translation,
    "shape": chained(flip, translation),
    "all": chained(brightness, saturation, contrast, flip, translation, cutout),
}


def _draw(images: Tensor, draw: Tensor | None = None) -> Tensor:
    """(B, 1, 1, 1) from [0, 1): this draw, or a new one."""
    return torch.rand(len(images), 1, 1, 1, device=images.device) if draw is None else draw


def _whole(images: Tensor, count: int, draw: Tensor | None) -> Tensor:
    """(B, 1) of the numbers 0 to count - 1, by this draw (B, 1), or a new one."""
    if draw is None:
        return torch.randint(count, (len(images), 1), device=images.device)
    return (draw * count).long()


def _band(images: Tensor, side: int, share: float, draw: Tensor | None) -> Tensor:
    """(B, side): True in a stretch of round(share * side), placed at random; at an edge it may lie half outside."""
    length = round(share * side)
    centre = _whole(images, side + 1, draw)
    place = torch.arange(side, device=images.device)
    return (place >= centre - length // 2) & (place < centre - length // 2 + length)
