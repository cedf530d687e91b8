"""Points: vectors of numbers in the data's own units."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw

from ganvas.errors import DataError
from ganvas.spaces.base import GAP, Space

if TYPE_CHECKING:
    from torch import Tensor

_SIDE, _REACH = 256, 3.0


@dataclass(frozen=True)
class PointSpace(Space):
    """Points with `dimensions` coordinates, in the data's own units (the built-in mixtures lie within [-3, 3]).

    They stay in float32: bf16 rounds a coordinate to three digits, coarser than the modes of a tight mixture.
    """

    kind = "points"
    noun = "points"
    endings = (".json",)
    extractors = ("coordinates", "look")
    canvas = "scatter"
    dimensions: int

    @property
    def shape(self) -> tuple[int]:
        return (self.dimensions,)

    def __str__(self) -> str:
        return f"points with {self.dimensions} coordinates"

    def show(self, samples: Tensor, columns: int | None = None, gap: int = GAP) -> Image.Image:
        """A 256x256 scatter plot of the first two coordinates over [-3, 3] (`columns` and `gap` do not apply)."""
        points = samples.detach().float().cpu().numpy()
        if points.shape[1] == 1:
            points = np.concatenate([points, np.zeros_like(points)], axis=1)
        picture = Image.new("L", (_SIDE, _SIDE), 255)
        draw = ImageDraw.Draw(picture)
        for x, y in points[:, :2]:
            if math.isfinite(x) and math.isfinite(y):
                column, row = (x / _REACH + 1) * _SIDE / 2, (1 - y / _REACH) * _SIDE / 2
                draw.ellipse((column - 1, row - 1, column + 1, row + 1), fill=0)
        return picture

    def read(self, content: bytes) -> Tensor:
        """A list of numbers in JSON, as `values` gives it. (Its file is a picture, which shows a point and is none.)"""
        import torch

        try:
            numbers = json.loads(content[: 64 * (self.dimensions + 1)])
            point = torch.tensor([numbers], dtype=torch.float32)
        except (ValueError, TypeError, OverflowError, RecursionError, RuntimeError):
            raise DataError(f"a point is a list of {self.dimensions} numbers in JSON") from None
        if tuple(point.shape) != (1, self.dimensions) or not bool(point.isfinite().all()):
            raise DataError(f"a point is a list of {self.dimensions} finite numbers in JSON")
        return point

    def values(self, sample: Tensor) -> dict[str, Any]:
        """Its coordinates."""
        return {"values": sample[0].tolist()}
