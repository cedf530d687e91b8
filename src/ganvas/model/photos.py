"""Photos made into others: `Model.transform` with what photos need besides, strip by strip.

A network knows pictures at the scale of its training. There a photo is seen, and what comes out is brought back to the
size of the photo, with the fine detail of the photo as far as it still belongs there. That is what the guided filter
does (He, Sun and Tang 2010, equations 5 and 6; He and Sun 2015 at a smaller size): where the result goes up and down
with the photo, detail is carried over in proportion, and where it shows something else, none is. What the network
leaves alone comes back as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ganvas.data.bicubic import resized, taps
from ganvas.errors import UsageError
from ganvas.model.trained import Model
from ganvas.spaces import FREE

Size = Literal["photo", "training", "own"]
"""Of a result. photo: seen at the scale of the training, and brought back to the photo's size, but by a model of any
scale seen as it is. training: left at the scale of the training. own: seen as large as it is."""

MOST_AT_ONCE = 1 << 22
"""Pixels that a network sees at most of a photo as it is, where it must see all at once."""

WINDOW = 5
"""Pixels, at the scale of the training, of the windows in which photo and result are compared."""

FAINT = 1e-3
"""Variance below which there is nothing to compare, and detail stays."""

ROWS = 64
"""Of a strip, where the result is brought back to the photo's size."""


def takes_photos(model: Model) -> bool:
    """Whether it makes photos of photos of any size."""
    first = next(iter(model.given.values()), None)
    return first is not None and first.space.photos and model.space.photos and set(first.shape[1:]) == {FREE}


class PhotoTranslator:
    """A model that is ready for photos (H, W, C) uint8 of any size: gray, gray with alpha, RGB, or RGB with alpha.

    seed, truncation, given: as `Model.transform` takes them, for all photos. What else is given and is as large as the
    photo, such as a mask, is brought to another size together with it.
    """

    def __init__(
        self,
        model: Model,
        *,
        size: Size = "photo",
        seed: int,
        truncation: float | None = None,
        given: Mapping[str, Any] | None = None,
    ) -> None:
        self.model, self.seed, self.truncation = model, seed, truncation
        self.input, self.given = next(iter(model.given.items()))
        self.others = {name: model.parsed(name, value) for name, value in (given or {}).items()}
        as_it_is = self.given.scale != 1 or (self.given.any_scale and size == "photo")
        self.size: Size = "own" if as_it_is else size

    def shape(self, height: int, width: int, channels: int) -> tuple[int, int, int]:
        """Of the result of a photo of this shape."""
        if self.size == "own":
            height, width = height * self.given.scale, width * self.given.scale
        elif self.size == "training":
            height, width = self.given.space.brought_to((height, width), self.model.space)
        return height, width, self.model.space.shape[0] + (channels in (2, 4))

    def strips(self, pixels: np.ndarray, tick: Callable[[], None] = lambda: None) -> Iterator[np.ndarray]:
        """The result as strips (rows, width, channels) uint8, from above; `tick` is called for each tile. Raises
        UsageError for what does not fit the model."""
        colours, alpha = _parted(pixels)
        height, width, _ = self.shape(*pixels.shape)
        if alpha is not None:
            alpha = resized(alpha, (height, width)) if alpha.shape[:2] != (height, width) else alpha
        done = 0
        for strip in self._made(colours, tick):
            levels = ((strip + 1) * 127.5).round().clamp(0, 255)
            made = levels.to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
            if alpha is not None:
                made = _with_alpha(made, alpha[done : done + len(made)])
            done += len(made)
            yield made

    def _made(self, colours: np.ndarray, tick: Callable[[], None]) -> Iterator[Tensor]:
        """(C, rows, width), strip by strip, of colours (H, W, 1 or 3) uint8."""
        height, width = colours.shape[:2]
        seen = _channels(colours, self.given.shape[0])
        whole = self.given.space.decode(seen[None])
        others = dict(self.others)
        if self.size != "own":
            small = self.given.space.brought(whole, self.model.space)
            others |= {name: self._along(name, each, (height, width), small) for name, each in others.items()}
        else:
            small = whole
            at_once = self.given.reach is None and not self.given.any_scale
            if at_once and height * width > MOST_AT_ONCE:
                raise UsageError(
                    f"{self.model.name} sees pictures as wholes, and {width:,} x {height:,} pixels are too many to be "
                    "seen as they are: let it see them as in training"
                )
        del whole
        strips = self.model.strips(small, seed=self.seed, truncation=self.truncation, tick=tick, **others)
        if self.size != "photo" or small.shape[2:] == (height, width):
            for strip in strips:
                yield strip[0]
            return
        made = torch.cat([strip[0] for strip in strips], 1)
        yield from _brought_back(made, small[0], seen)

    def _along(self, name: str, value: Tensor, size: tuple[int, int], small: Tensor) -> Tensor:
        """What else is given, at the size of the small photo where it is as large as the photo."""
        each = self.model.given.get(name)
        if each is None or not each.space.photos or tuple(value.shape[2:]) != size:
            return value
        return functional.interpolate(value, small.shape[2:], mode="bilinear", antialias=True).clamp_(-1, 1)


def _brought_back(made: Tensor, small: Tensor, photo: np.ndarray) -> Iterator[Tensor]:
    """What was made (C, h, w) of the small photo (D, h, w), as strips of the size of the photo (H, W, D) uint8, with
    the detail of the photo."""
    size = photo.shape[:2]
    guide = small if len(small) == len(made) else small.mean(0, keepdim=True).expand_as(made)
    kept = _InRows(_gain(guide, made), size)
    large, before = _InRows(made, size), _InRows(guide, size)
    for top in range(0, size[0], ROWS):
        rows = slice(top, min(size[0], top + ROWS))
        now = torch.from_numpy(photo[rows].astype(np.float32)).permute(2, 0, 1).mul_(2 / 255).sub_(1)
        now = now if len(now) == len(made) else now.mean(0, keepdim=True)
        yield large[rows] + kept[rows].clamp_(0, 1) * (now - before[rows])


def _gain(guide: Tensor, made: Tensor) -> Tensor:
    """(C, h, w), 0 to 1: how much of the guide's detail belongs into what was made of it."""

    def mean(values: Tensor) -> Tensor:
        return functional.avg_pool2d(values[None], WINDOW, 1, WINDOW // 2, count_include_pad=False)[0]

    both = mean(guide * made) - mean(guide) * mean(made)
    alone = mean(guide * guide) - mean(guide) * mean(guide)
    return ((both + FAINT) / (alone + FAINT)).clamp(0, 1)


class _InRows:
    """Values (C, h, w) at another height and width, by bicubic interpolation: some rows of them at a time."""

    def __init__(self, values: Tensor, size: tuple[int, int]) -> None:
        height, width = size
        places, weights = taps(values.shape[2], width)
        self._across = _weighted(values.float(), torch.from_numpy(places), torch.from_numpy(weights).float(), 2)
        self._places, self._weights = (torch.from_numpy(each) for each in taps(values.shape[1], height))

    def __getitem__(self, rows: slice) -> Tensor:
        """(C, rows, width)."""
        return _weighted(self._across, self._places[rows], self._weights[rows].float(), 1)


def _weighted(values: Tensor, places: Tensor, weights: Tensor, dimension: int) -> Tensor:
    """Sums of values, along one dimension, at places (n, K) with weights (n, K)."""
    sides = [1] * values.dim()
    sides[dimension] = len(places)
    parts = [
        values.index_select(dimension, places[:, tap]) * weights[:, tap].reshape(sides)
        for tap in range(places.shape[1])
    ]
    return torch.stack(parts).sum(0) if len(parts) > 1 else parts[0]


def _parted(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Colours (H, W, 1 or 3), on white where they are transparent, as in training, and alpha (H, W, 1)."""
    if pixels.shape[2] in (1, 3):
        return pixels, None
    colours, alpha = pixels[:, :, :-1], pixels[:, :, -1:]
    seen = np.empty_like(colours)
    for rows in _slices(len(pixels)):
        share = alpha[rows].astype(np.float32) / 255
        seen[rows] = np.rint(colours[rows] * share + 255 * (1 - share))
    return seen, alpha


def _with_alpha(made: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Colours that were made on white, freed of it again where anything is seen of them, with their alpha."""
    share = np.where(alpha > 0, alpha, 255).astype(np.float32) / 255
    colours = (made - 255 * (1 - share)) / share
    return np.concatenate([np.rint(colours).clip(0, 255).astype(np.uint8), alpha], 2)


def _channels(colours: np.ndarray, count: int) -> np.ndarray:
    """Gray thrice, colour as gray (ITU-R BT.601), or as it is."""
    if colours.shape[2] == count:
        return colours
    if count == 3:
        return np.repeat(colours, 3, 2)
    gray = np.empty((*colours.shape[:2], 1), np.uint8)
    for rows in _slices(len(colours)):
        gray[rows] = np.rint(colours[rows] @ np.array([[0.299], [0.587], [0.114]]))
    return gray


def _slices(length: int) -> Iterator[slice]:
    return (slice(top, top + ROWS) for top in range(0, length, ROWS))
