"""Columns: an item is named values, each of a space or a label, kept one file a column.

`stored` and `decode` say how a column lies on the disk and becomes a tensor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import singledispatch
from typing import Any, ClassVar

import numpy as np
import torch

from ganvas.spaces import ImageSpace, PointSpace, Space, space_from_config, space_to_config

Stored = tuple[np.dtype[Any], tuple[int, ...]]
"""How a row of a column is kept: type and shape."""


@dataclass(frozen=True)
class Labels:
    """A column of class numbers, int64, that stand for `names`.

    A reader gives labels as text and needs no names: they are those of the items that can be used, in natural order.
    A column in which an item has no label, or all have the same one, is left out.
    """

    kind: ClassVar[str] = "labels"
    names: tuple[str, ...] = ()

    def facts(self) -> dict[str, Any]:
        return {"classes": len(self.names)}

    def stored(self) -> Stored:
        return np.dtype(np.int64), ()

    def decode(self, rows: np.ndarray, device: torch.device | str) -> torch.Tensor:
        """(B,) int64 class numbers."""
        return torch.from_numpy(rows).to(device, non_blocking=True)


Column = Space | Labels


def arrays_of(columns: Mapping[str, Column]) -> dict[str, Space]:
    """The columns whose values are arrays as they are read."""
    return {name: column for name, column in columns.items() if not isinstance(column, Labels)}


def labels_of(columns: Mapping[str, Column]) -> dict[str, Labels]:
    return {name: column for name, column in columns.items() if isinstance(column, Labels)}


def column_to_config(column: Column) -> dict[str, Any]:
    if isinstance(column, Labels):
        return {"kind": column.kind, "names": list(column.names)}
    return space_to_config(column)


def column_from_config(config: dict[str, Any]) -> Column:
    if config["kind"] == Labels.kind:
        return Labels(tuple(config["names"]))
    return space_from_config(config)


def value_space(columns: Mapping[str, Column]) -> Space:
    """The space of the first column, which is what a generator must imitate."""
    return next(iter(arrays_of(columns).values()))


# -- what a space says of itself, by `stored` and `decode`; images and points are here until theirs do --


@singledispatch
def stored(column: Any) -> Stored:
    """How a row of this column is kept."""
    described: Stored = column.stored()
    return described


@singledispatch
def decode(column: Any, rows: np.ndarray, device: torch.device | str) -> torch.Tensor:
    """Rows as they are kept, (B, ...), as the tensor that a batch holds, on the device."""
    tensor: torch.Tensor = column.decode(rows, device)
    return tensor


@stored.register
def _(column: ImageSpace) -> Stored:
    return np.dtype(np.uint8), (column.height, column.width, column.channels)


@decode.register
def _(column: ImageSpace, rows: np.ndarray, device: torch.device | str) -> torch.Tensor:
    """(B, C, H, W) float32 in [-1, 1] with channels-last strides. Rows travel as bytes and become floats where they
    arrive."""
    if torch.device(device).type == "cpu":
        # On one thread, because torch's threads wait for one another where others use the cores too.
        floats = rows.astype(np.float32)
        floats *= 2 / 255
        floats -= 1
        return torch.from_numpy(floats).permute(0, 3, 1, 2)
    there = torch.from_numpy(rows).to(device, non_blocking=True)
    return there.permute(0, 3, 1, 2).to(torch.float32).mul_(2 / 255).sub_(1.0)


@stored.register
def _(column: PointSpace) -> Stored:
    return np.dtype(np.float32), column.shape


@decode.register
def _(column: PointSpace, rows: np.ndarray, device: torch.device | str) -> torch.Tensor:
    """(B, D) float32."""
    return torch.from_numpy(rows).to(device, non_blocking=True)
