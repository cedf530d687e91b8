"""Photos enlarged by a trained generator: tile by tile, so that a picture of any size takes the same memory.

A tile is read with a margin as wide as the network can see, so that what comes out of it is what the whole picture
would give, and there is no seam. Tiles are laid side by side into strips, and strips are handed on.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ganvas.data.batches import Photos
from ganvas.data.bicubic import resized
from ganvas.data.photos import SCALES
from ganvas.errors import RunError, UsageError, near_miss
from ganvas.model import load, zoo
from ganvas.networks.interpolation import between
from ganvas.networks.upscaling import Bicubic
from ganvas.recipe import Recipe
from ganvas.spaces import ImageSpace
from ganvas.training import Processes, channels_last, pick_device, pick_precision

DEFAULT = "zoo:photo-x4"
STYLES = ("faithful", "perceptual")
TILE = 384
"""Side of a tile in low-resolution pixels."""

SMALLEST = 4
"""Pixels that a side must have to be enlarged."""


@dataclass(frozen=True)
class Styled:
    """A model's generator with its weights by style, as `open_model` finds them."""

    name: str
    recipe: Recipe
    weights: Mapping[str, Mapping[str, Tensor]]
    default: str | float

    @property
    def scale(self) -> int:
        scale: int = self.recipe.generator.scale  # type: ignore[union-attr, assignment]
        return scale

    @property
    def channels(self) -> int:
        channels: int = self.recipe.generator.channels  # type: ignore[union-attr, assignment]
        return channels


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
    run. To enlarge many images, make one `Upscaler`.

    Raises UsageError or RunError, each of one line.
    """
    pixels = np.asarray(image)
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3):
        raise UsageError(f"an image to enlarge is uint8 (H, W, C) or (H, W), not {pixels.dtype} {pixels.shape}")
    enlarged = Upscaler(open_model(model), scale=scale, style=style).enlarge(pixels.reshape(*pixels.shape[:2], -1))
    return enlarged.reshape(*enlarged.shape[:2], *pixels.shape[2:])


def open_model(model: str | Path, recipe: str | type[Recipe] | None = None) -> Styled:
    """The generator of `zoo:NAME` or of a run that enlarges images. Raises RunError for any other."""
    if zoo.is_zoo(model):
        entry = zoo.entry(model)
        loaded = load(model)
        check_enlarges(loaded.recipe, model)
        return Styled(str(model), loaded.recipe, {style: entry.weights(style) for style in entry.styles}, STYLES[0])
    loaded = load(model, recipe=recipe)
    check_enlarges(loaded.recipe, model)
    weights = loaded.recipe.styles()
    return Styled(str(model), loaded.recipe, weights, STYLES[1] if STYLES[1] in weights else STYLES[0])


def check_enlarges(recipe: Recipe, model: str | Path) -> None:
    if Photos not in recipe.accepts:
        raise RunError(
            f"{model} was trained with {type(recipe).__name__}, which does not enlarge images; take zoo:photo-x4, or a "
            "run of srgan or esrgan"
        )


def style_of(text: str | float | None) -> str | float | None:
    """A style as the command line gives it. Raises UsageError."""
    if text is None or text in STYLES:
        return text
    try:
        share = float(text)
    except ValueError:
        hint = near_miss(str(text), STYLES)
        raise UsageError(f"--style is faithful, perceptual or a number from 0 to 1, not {text!r}{hint}") from None
    if not 0 <= share <= 1:
        raise UsageError(f"--style must be 0 (faithful) to 1 (perceptual), not {text}")
    return share


class Upscaler:
    """A generator that is ready to enlarge photos.

    scale: of the result; a model of 4 also serves 2 and 3, by shrinking what it makes with antialiasing. tile: side of
    a tile in low-resolution pixels. precision: `auto` is bf16 where the hardware has it natively.
    """

    def __init__(
        self,
        model: Styled,
        *,
        scale: int | None = None,
        style: str | float | None = None,
        tile: int = TILE,
        precision: str = "auto",
        device: str = "cpu",
    ) -> None:
        self.scale = model.scale if scale is None else scale
        if self.scale not in SCALES:
            raise UsageError(f"--scale can be 2, 3 or 4, not {self.scale}")
        if self.scale > model.scale:
            raise UsageError(f"{model.name} enlarges {model.scale} times, and --scale asks for {self.scale}")
        chosen = style_of(style)
        self.style: str | float = model.default if chosen is None else chosen
        self.model = model
        self.device = pick_device(device, Processes())
        generator = copy.deepcopy(model.recipe.generator)
        assert isinstance(generator, nn.Module)
        generator.load_state_dict(weights_of(model, self.style))
        self.channels = model.channels
        self.precision = pick_precision(precision, self.device, ImageSpace(3, 1, 1))
        self.generator = ready(generator, self.precision).to(self.device)
        self.alpha = Bicubic(1, model.scale).requires_grad_(False).to(self.device)
        fold: int = generator.fold  # type: ignore[assignment]
        reach: int = generator.reach  # type: ignore[assignment]
        self.margin = -(-(reach + 2) // fold) * fold
        self.tile = -(-tile // fold) * fold

    def enlarge(self, pixels: np.ndarray) -> np.ndarray:
        """(H, W, C) uint8 to (scale * H, scale * W, C) uint8. Raises UsageError where it is too small."""
        return np.concatenate(list(self.strips(pixels)))

    def tiles(self, pixels: np.ndarray) -> int:
        """How many tiles `strips` makes of the picture."""
        rows, columns = (-(-side // self.tile) for side in (int(pixels.shape[0]), int(pixels.shape[1])))
        return rows * columns

    def strips(self, pixels: np.ndarray, tick: Callable[[], None] = lambda: None) -> Iterator[np.ndarray]:
        """The enlarged picture as strips (rows, scale * W, C) uint8, from above; `tick` is called for each tile."""
        height, width = pixels.shape[:2]
        check_size(height, width)
        for top in range(0, height, self.tile):
            row = []
            for left in range(0, width, self.tile):
                row.append(self._tile(pixels, top, left))
                tick()
            yield np.concatenate(row, axis=1)

    def _tile(self, pixels: np.ndarray, top: int, left: int) -> np.ndarray:
        height, width = pixels.shape[:2]
        above, before = max(0, top - self.margin), max(0, left - self.margin)
        window = pixels[above : top + self.tile + self.margin, before : left + self.tile + self.margin]
        big = self._window(window)
        if self.scale != self.model.scale:
            big = resized(big, (window.shape[0] * self.scale, window.shape[1] * self.scale))
        s = self.scale
        rows, columns = min(self.tile, height - top), min(self.tile, width - left)
        return big[(top - above) * s :][: rows * s, (left - before) * s :][:, : columns * s]

    def _window(self, window: np.ndarray) -> np.ndarray:
        """(h, w, C) uint8 enlarged by the model's scale, each pixel as the generator makes it."""
        colours = window.shape[2] - 1 if window.shape[2] in (2, 4) else window.shape[2]
        with torch.inference_mode():
            planes = torch.from_numpy(np.array(window)).to(self.device).permute(2, 0, 1).float()
            planes = planes.div_(127.5).sub_(1)
            seen = self._seen(planes[:colours])
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
                made = self.generator(seen.contiguous(memory_format=torch.channels_last)).float()
            made = made.transpose(0, 1) if self.channels == 1 else made
            made = made[0].mean(0, keepdim=True) if colours == 1 else made[0]
            if colours != window.shape[2]:
                made = torch.cat([made, self.alpha(planes[None, colours:])[0]])
            levels = made.clamp_(-1, 1).add_(1).mul_(127.5).round_().to(torch.uint8)
            result: np.ndarray = levels.permute(1, 2, 0).contiguous().cpu().numpy()
            return result

    def _seen(self, planes: Tensor) -> Tensor:
        """Colours (C, h, w) as the generator takes them: one of gray sees each plane alone, one of colour sees gray
        thrice."""
        if self.channels == 1:
            return planes[:, None]
        return planes[None].expand(-1, 3, -1, -1)


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


def weights_of(model: Styled, style: str | float | None) -> Mapping[str, Tensor]:
    """The generator's weights for a style that `style_of` gave. Raises UsageError for one that the model has not."""
    share = {"faithful": 0.0, "perceptual": 1.0}.get(style, style) if isinstance(style, str) else style
    assert isinstance(share, float)
    for wanted, name in ((share < 1, STYLES[0]), (share > 0, STYLES[1])):
        if wanted and name not in model.weights:
            raise UsageError(f"{model.name} has no {name} weights: its adversarial stage has not begun")
    if share in (0, 1):
        return model.weights[STYLES[int(share)]]
    return between(model.weights[STYLES[0]], model.weights[STYLES[1]], share)
