"""Points: float vectors in the data's own units, from arrays of shape (N, D)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ganvas.data.arrays import Arrays, rows_of, splits_of, value_range
from ganvas.data.batch import Batch
from ganvas.data.columns import Labels
from ganvas.data.readers import Reader
from ganvas.data.rows import RowStream, Source
from ganvas.errors import DataError
from ganvas.spaces import PointSpace

if TYPE_CHECKING:
    from torch import Tensor

_MANY = 64  # coordinates, from which on points may be images that somebody has flattened


@dataclass(frozen=True, kw_only=True)
class PointReader(Reader):
    """Points of an array (N, D), kept as float32. It has no options."""

    wants = "an array of floats of shape (N, D)"

    @classmethod
    def example(cls, folder: Path) -> tuple[str | Path, dict[str, Any]]:
        return "ring", {}

    @classmethod
    def reads(cls, source: Source) -> bool:
        return isinstance(source, Arrays) and source.axes() == 2

    def read(self, source: Source) -> RowStream:
        assert isinstance(source, Arrays)
        parts, where = source.parts(), source.where
        for part in parts:
            if part.values.ndim != 2 or part.values.dtype.kind != "f":
                raise DataError(
                    f"{where}: points must be floats of shape (N, D), not {part.values.dtype} of shape "
                    f"{part.values.shape}; images have the shape (N, H, W) or (N, H, W, C)"
                )
            value_range(part.values, where)
        dimensions, *others = dict.fromkeys(part.values.shape[1] for part in parts)
        if others:
            raise DataError(f"{where}: its arrays hold points of {dimensions} and of {others[0]} coordinates")
        notes = [f"points with {dimensions} coordinates: flattened images should be reshaped to (N, H, W)"]
        return RowStream(
            {"point": PointSpace(dimensions), "label": Labels()},
            sum(len(part.values) for part in parts),
            rows_of(parts, "point", lambda chunk: chunk.astype(np.float32)),
            splits_of(parts),
            lambda: notes if dimensions > _MANY else [],
        )


@dataclass(frozen=True)
class Points(Batch):
    """point: (B, D) float32 in the data's own units; label: (B,) int64 class numbers, or None."""

    reader: ClassVar = PointReader

    point: Tensor
    label: Tensor | None = None

    def given(self) -> dict[str, Tensor]:
        return {} if self.label is None else {"label": self.label}
