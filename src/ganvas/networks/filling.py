"""Holes in pictures: what may be in them by what is around, and how a network that learned on small ones fills any.

A hole that is wider than those of the training is filled at half the size first, and so on, and the large fill is then
made from a soft guess (coarse to fine: Suvorov et al. 2022 have no such step, and large holes lose their structure). A
large picture is filled in tiles, one after the other: each sees what was made before it, so it goes on where that ends.
Places without a hole cost nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product

import torch
from torch import Tensor
from torch.nn import functional

Fill = Callable[[Tensor, Tensor, Tensor | None], Tensor]
"""Pictures (B, C, H, W), masks (B, 1, H, W) and a guess, or none, to pictures without holes."""

TILE = 3
"""Side of a tile in sides of the pictures of the training; a tile sees one such side beyond itself."""

THIN = 3
"""A hole is wide where a square of one part in so many of the training's side fits into it."""


def surroundings(pictures: Tensor, hole: Tensor, side: int) -> Tensor:
    """Pictures (B, C, H, W) whose hole (B, 1, H, W) bool is filled smoothly with what is around it: from means over
    ever larger squares (pull-push: Gortler et al. 1996, section 3.4), up to a square of `side` and then over all."""
    height, width = pictures.shape[2:]
    levels = max(1, int(math.log2(side)))
    known = _to_multiple((~hole).to(pictures.dtype), 2**levels)
    values, shares = [_to_multiple(pictures, 2**levels) * known], [known]
    for _ in range(levels):
        values.append(functional.avg_pool2d(values[-1], 2))
        shares.append(functional.avg_pool2d(shares[-1], 2))
    filled = values[-1].mean((2, 3), keepdim=True) / shares[-1].mean((2, 3), keepdim=True).clamp(min=1e-6)
    filled = filled.expand_as(values[-1])
    for level in reversed(range(levels + 1)):
        if level < levels:
            filled = functional.interpolate(filled, scale_factor=2, mode="bilinear", align_corners=False)
        trusted = (2 * shares[level]).clamp(max=1)
        filled = filled + trusted * (values[level] / shares[level].clamp(min=1e-6) - filled)
    return filled[:, :, :height, :width]


def guess_of(pictures: Tensor, shrunk: int = 4) -> Tensor:
    """What is left of pictures (B, C, H, W) at a fraction of their size, at their own size."""
    height, width = pictures.shape[2:]
    few = functional.avg_pool2d(_to_multiple(pictures, shrunk), shrunk)
    large = functional.interpolate(few, scale_factor=shrunk, mode="bilinear", align_corners=False)
    return large[:, :, :height, :width]


def fill_any(fill: Fill, picture: Tensor, mask: Tensor, side: int) -> Tensor:
    """A picture (1, C, H, W) with its hole filled, where `mask` (1, 1, H, W) is above 0. Elsewhere it stays as it is.

    side: of the pictures that `fill` learned on.
    """
    guess = None
    if min(picture.shape[2:]) > side and _wide(mask > 0, side // THIN):
        small = fill_any(fill, *_halved(picture, mask), side)
        doubled = functional.interpolate(guess_of(small, 2), scale_factor=2, mode="bilinear", align_corners=False)
        guess = doubled[:, :, : picture.shape[2], : picture.shape[3]]
    return _in_tiles(fill, picture, mask, guess, side)


def _in_tiles(fill: Fill, picture: Tensor, mask: Tensor, guess: Tensor | None, side: int) -> Tensor:
    height, width = picture.shape[2:]
    tile = TILE * side if max(height, width) > (TILE + 2) * side else max(height, width)
    picture, mask = picture.clone(), mask.clone()
    for top, left in product(range(0, height, tile), range(0, width, tile)):
        own = (..., slice(top, top + tile), slice(left, left + tile))
        if not bool((mask[own] > 0).any()):
            continue
        above, before = max(0, top - side), max(0, left - side)
        seen = (..., slice(above, top + tile + side), slice(before, left + tile + side))
        made = fill(picture[seen], mask[seen], None if guess is None else guess[seen])
        picture[own] = made[..., top - above : top - above + tile, left - before : left - before + tile]
        mask[own] = -1
    return picture


def _wide(hole: Tensor, side: int) -> bool:
    """Whether a square of this side fits into the hole (1, 1, H, W), or what of it lies within the picture."""
    reach = side // 2
    outside = 1 - hole.float()
    for kernel, pad in (((2 * reach + 1, 1), (reach, 0)), ((1, 2 * reach + 1), (0, reach))):
        outside = functional.max_pool2d(outside, kernel, 1, pad)
    return bool((outside == 0).any())


def _halved(picture: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """At half the size: each place is the mean of what is known there, and unknown where less than half is."""
    known = _to_multiple((mask <= 0).to(picture.dtype), 2)
    share = functional.avg_pool2d(known, 2)
    small = functional.avg_pool2d(_to_multiple(picture, 2) * known, 2) / share.clamp(min=0.25)
    return small, torch.where(share < 0.5, 1.0, -1.0).to(mask.dtype)


def _to_multiple(pictures: Tensor, side: int) -> Tensor:
    height, width = pictures.shape[2:]
    return functional.pad(pictures, (0, -width % side, 0, -height % side), mode="replicate")
