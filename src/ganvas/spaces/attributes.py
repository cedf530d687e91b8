"""Attributes of samples as data: one number each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from PIL import Image

from ganvas.attributes import Attribute, attributes_from_json, attributes_to_json
from ganvas.spaces.base import GAP, Space
from ganvas.text import listed, shown

if TYPE_CHECKING:
    from torch import Tensor

_CELL = 8


@dataclass(frozen=True)
class AttributeSpace(Space):
    """A number for each attribute, as `Attribute.number` has it."""

    kind = "attributes"
    noun = "attributes"
    attributes: tuple[Attribute, ...]

    @property
    def shape(self) -> tuple[int]:
        return (len(self.attributes),)

    def __str__(self) -> str:
        return f"attributes {listed((shown(each.name) for each in self.attributes), 8)}"

    def facts(self) -> dict[str, Any]:
        return {"attributes": attributes_to_json(self.attributes)}

    @classmethod
    def of_config(cls, fields: Mapping[str, Any]) -> Self:
        return cls(attributes_from_json(fields["attributes"]))

    def words(self, samples: Tensor) -> list[str]:
        """What there is of each sample: `smile, age 30, hair pink`; switches that are off and NaN are left out."""
        pairs = [list(zip(self.attributes, row, strict=True)) for row in samples.tolist()]
        return [listed((each.told(number) for each, number in row if each.says(number)), 12) for row in pairs]

    def show(self, samples: Tensor, columns: int | None = None, gap: int = GAP) -> Image.Image:
        """A row of gray cells for each sample, from black at the least value of an attribute to white at the largest
        (`columns` and `gap` do not apply)."""
        low, high = (np.array([getattr(each, name) for each in self.attributes]) for name in ("low", "high"))
        shares = (samples.detach().float().cpu().numpy() - low) / (high - low)
        cells = (np.nan_to_num(shares, nan=0.5).clip(0, 1) * 255).round().astype(np.uint8)
        return Image.fromarray(cells.repeat(_CELL, 0).repeat(_CELL, 1))
