"""Spaces: what is generated, and how to show and save it.

A space is described by a handful of numbers, travels in `config.json`, and turns samples into pictures. It knows
nothing of training. Samples are float tensors: images (B, C, H, W) in [-1, 1], points (B, D).
"""

from __future__ import annotations

import base64
import io
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageOps
from torch import Tensor

from ganvas.errors import DataError, RunError
from ganvas.files import write_atomically

FREE = -1
"""A side of any size, in the shape of what is given."""


@dataclass(frozen=True)
class ImageSpace:
    """Images of shape (channels, height, width) with values in [-1, 1]; 1 channel is gray, 3 are RGB, 4 are RGBA."""

    kind: ClassVar[str] = "images"
    bounds: ClassVar[tuple[float, float] | None] = (-1, 1)
    suffix: ClassVar[str] = ".png"
    media_type: ClassVar[str] = "image/png"
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
        size = "of any size" if FREE in self.shape else f"{self.height}x{self.width}"
        return f"images {size} {colour}"

    def stored(self) -> tuple[np.dtype[Any], tuple[int, ...]]:
        """The type and the shape of one row of prepared data."""
        return np.dtype(np.uint8), (self.height, self.width, self.channels)

    def decode(self, rows: np.ndarray) -> Tensor:
        """(B, H, W, C) uint8 to (B, C, H, W) float32 in [-1, 1]."""
        return torch.from_numpy(rows.astype(np.float32) * np.float32(2 / 255) - 1).permute(0, 3, 1, 2)

    def read(self, content: bytes) -> Tensor:
        """An image file as (1, C, H, W), brought to the space's size. Raises DataError."""
        try:
            with Image.open(io.BytesIO(content), formats=("PNG", "JPEG", "MPO", "WEBP")) as file:
                if file.width * file.height > 1 << 26:
                    raise DataError(f"this image has {file.width:,} x {file.height:,} pixels, which are too many")
                picture = ImageOps.exif_transpose(file).convert({1: "L", 3: "RGB", 4: "RGBA"}[self.channels])
        except DataError:
            raise
        except Exception as error:  # a decoder may fail in any way on a hostile file
            reason = " ".join(str(error).split())[:60] or type(error).__name__
            raise DataError(f"this is no image file that can be read ({reason})") from None
        size = (
            picture.width if self.width == FREE else self.width,
            picture.height if self.height == FREE else self.height,
        )
        if picture.size != size:
            picture = ImageOps.fit(picture, size, Image.Resampling.LANCZOS)
        return self.decode(np.asarray(picture).reshape(1, size[1], size[0], self.channels))

    def file(self, sample: Tensor) -> bytes:
        """The file of one sample (1, C, H, W)."""
        return _encoded(self.grid(sample))

    def values(self, sample: Tensor) -> dict[str, Any]:
        """What JSON holds of one sample."""
        return {"png": base64.b64encode(self.file(sample)).decode()}

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
    bounds: ClassVar[tuple[float, float] | None] = None
    suffix: ClassVar[str] = ".png"
    media_type: ClassVar[str] = "image/png"
    dimensions: int

    @property
    def shape(self) -> tuple[int]:
        return (self.dimensions,)

    def facts(self) -> dict[str, Any]:
        """What recipes may ask of the data by name."""
        return {"shape": self.shape}

    def __str__(self) -> str:
        return f"points with {self.dimensions} coordinates"

    def stored(self) -> tuple[np.dtype[Any], tuple[int, ...]]:
        """The type and the shape of one row of prepared data."""
        return np.dtype(np.float32), self.shape

    def decode(self, rows: np.ndarray) -> Tensor:
        return torch.from_numpy(rows)

    def read(self, content: bytes) -> Tensor:
        raise DataError("points cannot be read from a file")

    def file(self, sample: Tensor) -> bytes:
        """A plot of one sample."""
        return _encoded(self.grid(sample))

    def values(self, sample: Tensor) -> dict[str, Any]:
        """Its coordinates."""
        return {"values": sample[0].tolist()}

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
_KINDS: dict[str, type[ImageSpace] | type[PointSpace]] = {space.kind: space for space in (ImageSpace, PointSpace)}


def space_to_config(space: Space) -> dict[str, Any]:
    return {"kind": space.kind, **asdict(space)}


def space_from_config(config: dict[str, Any]) -> Space:
    """The space that `space_to_config` wrote. Raises RunError for anything else."""
    try:
        fields = {name: int(value) for name, value in config.items() if name != "kind"}
        return _KINDS[config["kind"]](**fields)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunError(f"config.json describes no space that is known here: {config!r}") from error


def save_picture(picture: Image.Image, path: Path) -> None:
    """Writes the picture atomically; the format follows the path's ending (default PNG)."""
    buffer = io.BytesIO()
    formats = {".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
    picture.save(buffer, format=formats.get(path.suffix.lower(), "PNG"))
    write_atomically(path, buffer.getvalue())


def _encoded(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    return buffer.getvalue()


def _to_pil(pixels: np.ndarray) -> Image.Image:
    channels = pixels.shape[2]
    if channels == 1:
        return Image.fromarray(pixels[:, :, 0])
    if channels in (3, 4):
        return Image.fromarray(pixels)
    if channels == 2:
        pixels = np.concatenate([pixels, np.zeros_like(pixels[:, :, :1])], axis=2)
    return Image.fromarray(np.ascontiguousarray(pixels[:, :, :3]))
