"""Operations on images (B, C, H, W) in [-1, 1] of any number of channels and any size.

`diff`: colour, translation and cutout of "Differentiable augmentation for data-efficient GAN training" (Zhao et al.
2020, section 3.2), each applied to all images.

`ada`: pixel blitting, geometric and colour transformations of "Training generative adversarial networks with limited
data" (Karras et al. 2020, section 2.2 and appendix B). Each change is made with the probability p, on its own. As long
as that is below 1, by a margin, the distribution of the changed images tells that of the unchanged ones, so what a
generator learns is without changes (section 2.2: in practice up to 0.8). Images are resampled bilinearly, where the
paper has wavelet filters, and what is beyond the edge is mirrored.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import affine_grid

from ganvas.augment.at_random import brightness, contrast, cutout, saturation, translation
from ganvas.augment.operations import Decided, How, Operation, Operations
from ganvas.errors import UsageError

SHIFT = 0.125
"""Of each side: the most by which blitting moves, and the deviation of what geometry moves by."""


def pictures(how: How, channels: int) -> Operations:
    """The operations of this kind on images of so many channels; 4 are colours and how opaque they are, which no colour
    operation changes."""
    colours = 3 if channels == 4 else channels
    if how == "diff":
        return {
            "colour": Operation(_as_drawn, _of_each(channels, _tinted(colours)), numbers=3),
            "translation": Operation(_as_drawn, _shifted, numbers=2, moves=True),
            "cutout": Operation(_as_drawn, _cut, numbers=2, moves=True),
        }
    return {
        "blit": Operation(_blits, partial(sampled, mode="nearest"), numbers=7, moves=True),
        "geometry": Operation(_transformations, partial(sampled, mode="bilinear"), numbers=11, moves=True),
        "colour": Operation(partial(_colours, count=colours), _of_each(channels, _coloured), numbers=10),
        "cutout": Operation(_cuts, _sometimes_cut, numbers=3, moves=True, usual=False),
    }


# -- differentiable augmentation ---------------------------------------------------------------------------------


def _as_drawn(draw: Tensor, probability: Tensor, shape: torch.Size) -> Decided:
    return (draw,)


def _tinted(colours: int) -> Callable[[Tensor, Tensor], Tensor]:
    def tinted(images: Tensor, draw: Tensor) -> Tensor:
        first, second, third = (each[:, :, None, None] for each in draw.split(1, dim=1))
        changed = contrast(saturation(brightness(images[:, :colours], draw=first), draw=second), draw=third)
        return _with_the_rest(changed, images)

    return tinted


def _shifted(images: Tensor, draw: Tensor) -> Tensor:
    return translation(images, SHIFT, "constant", draw=draw)


def _cut(images: Tensor, draw: Tensor) -> Tensor:
    return cutout(images, draw=draw)


# -- adaptive augmentation ---------------------------------------------------------------------------------------


def _blits(draw: Tensor, probability: Tensor, shape: torch.Size) -> Decided:
    """Mirrored, turned by quarters (by halves where sides differ) and moved by whole pixels: no value changes."""
    _, height, width = shape
    mirrored, turned, moved = _changes(draw[:, [0, 2, 4]], probability)
    flip = torch.where(mirrored & (draw[:, 1] < 0.5), -1.0, 1.0)
    ways = 4 if height == width else 2
    turn = torch.where(turned, (draw[:, 3] * ways).floor() * (2 * math.pi / ways), 0.0)
    away = torch.where(moved[:, None], ((2 * draw[:, 5:7] - 1) * SHIFT * _pair(draw, width, height)).round(), 0.0)
    return (places(_diagonal(flip, torch.ones_like(flip)) @ _rotation(turn), away, (height, width)),)


def _transformations(draw: Tensor, probability: Tensor, shape: torch.Size) -> Decided:
    """Enlarged or made smaller, turned, stretched and moved, by any amount."""
    _, height, width = shape
    scaled, stretched, moved = _changes(draw[:, [0, 4, 8]], probability)
    # Turned before and behind the stretching: together with the probability p that one of them is made.
    before, behind = _changes(draw[:, [2, 6]], 1 - (1 - probability).sqrt())
    size = torch.where(scaled, 2 ** (0.2 * _normal(draw[:, 1])), 1.0)
    stretch = torch.where(stretched, 2 ** (0.2 * _normal(draw[:, 5])), 1.0)
    first, second = (
        _rotation(torch.where(made, (2 * part - 1) * math.pi, 0.0))
        for made, part in ((before, draw[:, 3]), (behind, draw[:, 7]))
    )
    away = torch.where(moved[:, None], SHIFT * _normal(draw[:, 9:11]) * _pair(draw, width, height), 0.0)
    linear = _diagonal(size, size) @ first @ _diagonal(stretch, 1 / stretch) @ second
    return (places(linear, away, (height, width)),)


def _colours(draw: Tensor, probability: Tensor, shape: torch.Size, *, count: int) -> Decided:
    """One linear map of all colours of an image, (B, count, count) and what is added: lighter, of more contrast, light
    and dark exchanged, of other hue (where colours are three), of more saturation."""
    brighter, contrasted, inverted, turned, saturated = _changes(draw[:, 0::2], probability)
    light, strength, inversion, hue, amount = draw[:, 1::2].unbind(1)
    eye = torch.eye(count, device=draw.device)
    gray = torch.full((count, count), 1 / count, device=draw.device)  # the projection onto the gray axis
    offset = _where(brighter, 0.2 * _normal(light), 0.0)
    factor = _where(contrasted, 2 ** (0.5 * _normal(strength)), 1.0)
    flip = _where(inverted & (inversion < 0.5), torch.full_like(inversion, 2.0), 0.0)
    linear = (eye - flip * gray) * factor
    if count == 3:
        linear = _about_gray(_where(turned, (2 * hue - 1) * math.pi, 0.0), eye, gray) @ linear
    much = _where(saturated, 2 ** _normal(amount), 1.0)
    linear = (gray + much * (eye - gray)) @ linear
    return linear, linear @ offset.expand(-1, count, 1)


def _coloured(images: Tensor, linear: Tensor, constant: Tensor) -> Tensor:
    count = linear.shape[1]
    flat = images[:, :count].flatten(2)
    return _with_the_rest(torch.baddbmm(constant, linear, flat).view(-1, count, *images.shape[2:]), images)


def _cuts(draw: Tensor, probability: Tensor, shape: torch.Size) -> Decided:
    (made,) = _changes(draw[:, :1], probability)
    return made, draw[:, 1:]


def _sometimes_cut(images: Tensor, made: Tensor, draw: Tensor) -> Tensor:
    return torch.where(made[:, None, None, None], cutout(images, draw=draw), images)


# -- what they are made of ---------------------------------------------------------------------------------------


def places(linear: Tensor, away: Tensor, size: tuple[int, int]) -> Tensor:
    """Where the pixels of images are taken from, (B, H, W, 2), for `sampled`: that at x, from the middle, from
    linear x + away. linear: (B, 2, 2) and away: (B, 2), of columns and rows, in pixels."""
    height, width = size
    half = _pair(linear, width / 2, height / 2)
    matrix = torch.cat([linear * half / half[:, None], (away / half)[:, :, None]], dim=2)
    return affine_grid(matrix, [len(linear), 1, height, width], align_corners=False)


def _pair(like: Tensor, one: float, other: float) -> Tensor:
    """Two numbers (2,) beside `like`, filled there: numbers that are sent would make the host wait for the device."""
    return torch.stack([like.new_full((), one), like.new_full((), other)])


def sampled(images: Tensor, grid: Tensor, mode: str) -> Tensor:
    """Images (B, C, H, W) made of the pixels at these places, by `nearest` or `bilinear` interpolation. What is beyond
    the edge is mirrored."""
    result: Tensor = _Sampled.apply(images, grid, _MODES[mode])
    return result


def _of_each(channels: int, change: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The change, made alike to each image of those that a judge sees together, as channels of one."""

    def changed(images: Tensor, *decided: Tensor) -> Tensor:
        if images.shape[1] % channels:
            raise UsageError(
                f"a judge sees images of {images.shape[1]} channels, where the data has {channels}, so nobody knows "
                "which are colours: leave colour out of --augment-operations"
            )
        if images.shape[1] == channels:
            return change(images, *decided)
        return torch.cat([change(each, *decided) for each in images.split(channels, dim=1)], dim=1)

    return changed


def _with_the_rest(changed: Tensor, images: Tensor) -> Tensor:
    """Changed colours, and the channels of the images that are none."""
    colours = changed.shape[1]
    return torch.cat([changed, images[:, colours:]], dim=1) if images.shape[1] > colours else changed


_MODES = {"bilinear": 0, "nearest": 1}
_MIRRORED = 2


class _Sampled(torch.autograd.Function):
    """`grid_sample` as a linear map of images alone. The gradient of its gradient is itself, which not every PyTorch
    knows, and penalties on the discriminator's gradients need it."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, grid: Tensor, mode: int) -> Tensor:
        ctx.save_for_backward(grid)
        ctx.mode, ctx.like = mode, torch.empty_like(images, device="meta")
        return torch.grid_sampler_2d(images, grid, mode, _MIRRORED, False)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        (grid,) = ctx.saved_tensors
        return _Returned.apply(gradient, grid, ctx.mode, ctx.like), None, None


class _Returned(torch.autograd.Function):
    """The transpose of `_Sampled`."""

    @staticmethod
    def forward(ctx: Any, gradient: Tensor, grid: Tensor, mode: int, like: Tensor) -> Tensor:
        ctx.save_for_backward(grid)
        ctx.mode = mode
        images = torch.empty_like(like, device=gradient.device)
        of_images, _ = torch.ops.aten.grid_sampler_2d_backward(
            gradient.contiguous(), images, grid, mode, _MIRRORED, False, [True, False]
        )
        return of_images  # type: ignore[no-any-return]

    @staticmethod
    def backward(ctx: Any, of_images: Tensor) -> Any:
        (grid,) = ctx.saved_tensors
        return _Sampled.apply(of_images, grid, ctx.mode), None, None, None


def _changes(draw: Tensor, probability: Tensor) -> tuple[Tensor, ...]:
    """Of each column (B, k), whether its change is made: (B,) each."""
    return (draw < probability).unbind(1)


def _where(made: Tensor, value: Tensor, otherwise: float) -> Tensor:
    """(B,) to (B, 1, 1)."""
    return torch.where(made, value, otherwise)[:, None, None]


def _normal(uniform: Tensor) -> Tensor:
    """Numbers from [0, 1) as ones of a normal distribution, of 5 deviations at most."""
    return math.sqrt(2) * torch.erfinv((2 * uniform - 1).clamp(-1 + 1e-6, 1 - 1e-6))


def _diagonal(one: Tensor, other: Tensor) -> Tensor:
    return torch.stack([one, other], dim=1).diag_embed()


def _rotation(angle: Tensor) -> Tensor:
    """(B,) in radians to (B, 2, 2)."""
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([cos, -sin, sin, cos], dim=1).view(-1, 2, 2)


def _about_gray(angle: Tensor, eye: Tensor, gray: Tensor) -> Tensor:
    """Rotations of three colours about the gray axis (Rodrigues' formula); angle: (B, 1, 1) in radians."""
    across = eye.roll(1, 0) - eye.roll(1, 1)  # the cross product with (1, 1, 1)
    return gray + angle.cos() * (eye - gray) + angle.sin() / math.sqrt(3) * across
