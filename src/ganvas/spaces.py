"""Spaces: what is generated, and how to show and save it.

A space is described by a handful of numbers, travels in `config.json`, and turns samples into pictures. It knows
nothing of training. Samples are float tensors: images (B, C, H, W) in [-1, 1], points (B, D).

Each kind says of itself: noun, what many of its samples are called; few, below how many training items there are too
few of it whatever else is; steady, the recipe that was made against a collapse on it, "" where none was.
"""

from __future__ import annotations

import io
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from ganvas.errors import RunError
from ganvas.files import write_atomically

FREE = -1
"""A side of any size, in the shape of what is given."""


@dataclass(frozen=True)
class ImageSpace:
    """Images of shape (channels, height, width) with values in [-1, 1]; 1 channel is gray, 3 are RGB, 4 are RGBA."""

    kind: ClassVar[str] = "images"
    noun: ClassVar[str] = "images"
    few: ClassVar[int] = 200
    steady: ClassVar[str] = "r3gan"
    channels: int
    height: int
    width: int

    @property
    def shape(self) -> tuple[int, int, int]:
        return (self.channels, self.height, self.width)

    def facts(self) -> dict[str, Any]:
        """What recipes may ask of the data by name."""
        return {"channels": self.channels, "size": (self.height, self.width), "shape": self.shape}

    def __str__(self) -> str:
        colour = {1: "gray", 3: "RGB", 4: "RGBA"}.get(self.channels, f"{self.channels} channels")
        return f"images {self.height}x{self.width} {colour}"

    @staticmethod
    def to_uint8(samples: Tensor) -> np.ndarray:
        """(B, C, H, W) in [-1, 1] to (B, H, W, C) uint8; values outside are clipped."""
        levels = samples.detach().float().clamp(-1, 1).add(1).mul(127.5).round()
        return levels.permute(0, 2, 3, 1).to(torch.uint8).cpu().numpy()

    def pictures(self, samples: Tensor) -> list[Image.Image]:
        return [_to_pil(pixels) for pixels in self.to_uint8(samples)]

    def grid(self, samples: Tensor, columns: int | None = None, gap: int = 1) -> Image.Image:
        """One picture with the samples in rows of `columns` (default: as square as possible), `gap` pixels apart."""
        pixels = self.to_uint8(samples)
        count, height, width, channels = pixels.shape
        columns = columns or math.ceil(math.sqrt(count))
        rows = math.ceil(count / columns)
        sheet = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, channels), 255, dtype=np.uint8)
        for index in range(count):
            top, left = (index // columns) * (height + gap), (index % columns) * (width + gap)
            sheet[top : top + height, left : left + width] = pixels[index]
        return _to_pil(sheet)


@dataclass(frozen=True)
class PointSpace:
    """Points with `dimensions` coordinates, in the data's own units (the built-in mixtures lie within [-3, 3])."""

    kind: ClassVar[str] = "points"
    noun: ClassVar[str] = "points"
    few: ClassVar[int] = 0
    steady: ClassVar[str] = ""
    dimensions: int

    @property
    def shape(self) -> tuple[int]:
        return (self.dimensions,)

    def facts(self) -> dict[str, Any]:
        """What recipes may ask of the data by name."""
        return {"shape": self.shape}

    def __str__(self) -> str:
        return f"points with {self.dimensions} coordinates"

    def pictures(self, samples: Tensor) -> list[Image.Image]:
        return [self.grid(samples[i : i + 1]) for i in range(len(samples))]

    def grid(self, samples: Tensor, columns: int | None = None, gap: int = 1) -> Image.Image:
        """A 256x256 scatter plot of the first two coordinates over [-3, 3] (`columns` and `gap` do not apply)."""
        side, reach = 256, 3.0
        points = samples.detach().float().cpu().numpy()
        if points.shape[1] == 1:
            points = np.concatenate([points, np.zeros_like(points)], axis=1)
        picture = Image.new("L", (side, side), 255)
        draw = ImageDraw.Draw(picture)
        for x, y in points[:, :2]:
            if math.isfinite(x) and math.isfinite(y):
                column, row = (x / reach + 1) * side / 2, (1 - y / reach) * side / 2
                draw.ellipse((column - 1, row - 1, column + 1, row + 1), fill=0)
        return picture


Space = ImageSpace | PointSpace
kinds: dict[str, type[ImageSpace] | type[PointSpace]] = {space.kind: space for space in (ImageSpace, PointSpace)}


def space_to_config(space: Space) -> dict[str, Any]:
    return {"kind": space.kind, **asdict(space)}


def space_from_config(config: dict[str, Any]) -> Space:
    """The space that `space_to_config` wrote. Raises RunError for anything else."""
    try:
        fields = {name: int(value) for name, value in config.items() if name != "kind"}
        return kinds[config["kind"]](**fields)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunError(f"config.json describes no space that is known here: {config!r}") from error


def save_picture(picture: Image.Image, path: Path) -> None:
    """Writes the picture atomically; the format follows the path's ending (default PNG)."""
    buffer = io.BytesIO()
    formats = {".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
    picture.save(buffer, format=formats.get(path.suffix.lower(), "PNG"))
    write_atomically(path, buffer.getvalue())


def _to_pil(pixels: np.ndarray) -> Image.Image:
    channels = pixels.shape[2]
    if channels == 1:
        return Image.fromarray(pixels[:, :, 0])
    if channels in (3, 4):
        return Image.fromarray(pixels)
    if channels == 2:
        pixels = np.concatenate([pixels, np.zeros_like(pixels[:, :, :1])], axis=2)
    return Image.fromarray(np.ascontiguousarray(pixels[:, :, :3]))
