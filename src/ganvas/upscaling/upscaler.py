"""Photos enlarged by a trained generator: tile by tile, so that a picture of any size takes the same memory.

It is `Model.transform` with what photos need besides: their 256 levels, gray and transparency, smaller scales than the
model's, and bf16 where the hardware has it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ganvas.data.bicubic import resized
from ganvas.data.photos import SCALES
from ganvas.errors import RunError, UsageError
from ganvas.model import ENLARGING, TILE, Model, count, load, multiple_of, own_network, strips
from ganvas.networks.upscaling import Bicubic
from ganvas.training import Processes, channels_last, pick_device, pick_precision

DEFAULT = "zoo:photo-x4"

PLAIN = (1.0, 3.0)
"""Levels by which colours vary where a picture is taken to be plain, and where not any more."""

SMALLEST = 4
"""Pixels that a side must have to be enlarged."""


def upscale(
    image: np.ndarray,
    *,
    scale: int | None = None,
    style: str | float | None = None,
    model: str | Path = DEFAULT,
) -> np.ndarray:
    """(H, W, C) or (H, W) uint8 enlarged to (scale * H, scale * W, ...): gray, gray with alpha, RGB, or RGB with alpha.

    scale: 2, 3 or 4, by default the model's. style: `faithful`, `perceptual`, or a number between 0 and 1 for what lies
    between them; by default `faithful` for the zoo's models and the last weights of a run. model: `zoo:photo-x4` or a
    run. To enlarge many images, make one `Upscaler(ganvas.load(model))`.

    Raises UsageError or RunError, each of one line.
    """
    pixels = np.asarray(image)
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3):
        raise UsageError(f"an image to enlarge is uint8 (H, W, C) or (H, W), not {pixels.dtype} {pixels.shape}")
    enlarged = Upscaler(load(model), scale=scale, style=style).enlarge(pixels.reshape(*pixels.shape[:2], -1))
    return enlarged.reshape(*enlarged.shape[:2], *pixels.shape[2:])


class Upscaler:
    """A model that is ready to enlarge photos.

    scale: of the result; a model of 4 also serves 2 and 3, by shrinking what it makes with antialiasing. style: which
    of its weights, as `Model.styled` takes it. tile: side of a tile in low-resolution pixels. precision: `auto` is bf16
    where the hardware has it natively.

    Raises RunError for a model that does not enlarge photos, and UsageError.
    """

    def __init__(
        self,
        model: Model,
        *,
        scale: int | None = None,
        style: str | float | None = None,
        tile: int = TILE,
        precision: str = "auto",
        device: str = "cpu",
    ) -> None:
        if model.use != ENLARGING:
            raise RunError(
                f"{model.name} was trained with {type(model.recipe).__name__}, which does not enlarge images; take "
                "zoo:photo-x4, or a run of srgan or esrgan"
            )
        ((self.input, given),) = model.given.items()
        self.scale = given.scale if scale is None else scale
        if self.scale not in SCALES:
            raise UsageError(f"--scale can be 2, 3 or 4, not {self.scale}")
        if self.scale > given.scale:
            raise UsageError(f"{model.name} enlarges {given.scale} times, and --scale asks for {self.scale}")
        self.device = pick_device(device, Processes())
        self.precision = pick_precision(precision, self.device, given.space)
        styled = model.styled(style)
        elsewhere = styled.recipe.device != self.device
        recipe = copy.deepcopy(styled.recipe).to(self.device) if elsewhere else own_network(styled.recipe)
        ready(recipe.get_submodule(recipe.averaged[0]), self.precision)
        self.model = replace(styled, recipe=recipe)
        self.alpha = Bicubic(1, given.scale).requires_grad_(False).to(self.device)
        self.given = given
        # Two pixels more, because transparency and smaller scales are interpolated beside the network.
        self.margin = multiple_of(given, (given.reach or 0) + 2)
        self.tile = multiple_of(given, tile)

    @classmethod
    def of(cls, model: Model, **choices: Any) -> Upscaler | None:
        """The model ready to enlarge photos, with the choices of `Upscaler`; None where that is not what it does."""
        return cls(model, **choices) if model.use == ENLARGING else None

    @property
    def style(self) -> str | float | None:
        """Which of the model's weights it has; None where there is one set only."""
        return self.model.style

    def enlarge(self, pixels: np.ndarray) -> np.ndarray:
        """(H, W, C) uint8 to (scale * H, scale * W, C) uint8. Raises UsageError where it is too small."""
        return np.concatenate(list(self.strips(pixels)))

    def tiles(self, pixels: np.ndarray) -> int:
        """How many tiles `strips` makes of the picture."""
        return count(pixels.shape[:2], self.tile)

    def strips(self, pixels: np.ndarray, tick: Callable[[], None] = lambda: None) -> Iterator[np.ndarray]:
        """The enlarged picture as strips (rows, scale * W, C) uint8, from above; `tick` is called for each tile."""
        height, width = pixels.shape[:2]
        check_size(height, width)
        made = strips(
            (height, width),
            lambda window: self._window(pixels[window]),
            scale=self.scale,
            tile=self.tile,
            margin=self.margin,
            tick=tick,
        )
        for strip in made:
            yield strip.permute(1, 2, 0).contiguous().numpy()

    def _window(self, window: np.ndarray) -> Tensor:
        """(h, w, C) uint8 enlarged: (C, scale * h, scale * w) uint8, each pixel as the network makes it."""
        colours = window.shape[2] - 1 if window.shape[2] in (2, 4) else window.shape[2]
        with torch.inference_mode():
            planes = torch.from_numpy(np.array(window)).to(self.device).permute(2, 0, 1).float()
            planes = planes.div_(127.5).sub_(1)
            seen = self._seen(planes[:colours]).contiguous(memory_format=torch.channels_last)
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
                made = self.model.recipe.generate(**{self.input: seen}).float()
            made = made.transpose(0, 1) if self.given.shape[0] == 1 else made
            made = self._plain_kept(made[0].mean(0, keepdim=True) if colours == 1 else made[0], planes[:colours])
            if colours != window.shape[2]:
                made = torch.cat([made, self.alpha(planes[None, colours:])[0]])
            levels = made.clamp_(-1, 1).add_(1).mul_(127.5).round_().to(torch.uint8)
            if self.scale == self.given.scale:
                return levels.cpu()
            large = levels.permute(1, 2, 0).contiguous().cpu().numpy()
            smaller = resized(large, (window.shape[0] * self.scale, window.shape[1] * self.scale))
            return torch.from_numpy(smaller).permute(2, 0, 1)

    def _plain_kept(self, made: Tensor, planes: Tensor) -> Tensor:
        """What the network made of the planes (C, h, w), but interpolated where these are plain: there is nothing to
        find out there, and yet a network that pads with zeros sees an edge all around the picture."""
        share = varied(planes.mul(127.5))
        if bool((share == 1).all()):
            return made
        repeated = share.repeat_interleave(self.given.scale, 0).repeat_interleave(self.given.scale, 1)
        return torch.lerp(self.alpha(planes[:, None])[:, 0], made, repeated)

    def _seen(self, planes: Tensor) -> Tensor:
        """Colours (C, h, w) as the generator takes them: one of gray sees each plane alone, one of colour sees gray
        thrice."""
        if self.given.shape[0] == 1:
            return planes[:, None]
        return planes[None].expand(-1, 3, -1, -1)


def varied(levels: Tensor) -> Tensor:
    """(h, w) for planes (C, h, w) of levels: 0 where none of them varies by more than `PLAIN[0]` within two pixels on
    each side, 1 from `PLAIN[1]` on, and in between in proportion."""
    height, width = levels.shape[1:]
    most = least = functional.pad(levels[None], (2, 2, 2, 2), mode="replicate")[0]
    for dimension, size in ((1, height), (2, width)):
        shifted = [(most.narrow(dimension, k, size), least.narrow(dimension, k, size)) for k in range(5)]
        most, least = shifted[0]
        for high, low in shifted[1:]:
            most, least = torch.maximum(most, high), torch.minimum(least, low)
    return (most - least).amax(0).sub(PLAIN[0]).div(PLAIN[1] - PLAIN[0]).clamp(0, 1)


def check_size(height: int, width: int) -> None:
    if min(height, width) < SMALLEST:
        raise UsageError(f"{width} x {height} pixels are too few to enlarge: at least {SMALLEST} a side are needed")


def ready(generator: nn.Module, precision: str) -> nn.Module:
    """The generator for use: convolutions in the precision they compute in, channels-last."""
    generator = generator.eval().requires_grad_(False)
    if precision == "bf16":
        for module in generator.modules():
            if isinstance(module, nn.Conv2d):
                module.to(torch.bfloat16)
    return channels_last(generator)
