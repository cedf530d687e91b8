"""Columns: an item is named values, each of a space or a label, kept one file a column.

How a row is stored and becomes a tensor, each says itself (`stored`, `decode`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ganvas.devices import sent
from ganvas.spaces import Space, space_from_config, space_to_config

if TYPE_CHECKING:
    import torch

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

    def decode(self, rows: np.ndarray, device: torch.device | str = "cpu") -> torch.Tensor:
        """(B,) int64 class numbers."""
        return sent(rows, device)


Column = Space | Labels


def arrays_of(columns: Mapping[str, Column]) -> dict[str, Space]:
    """The columns whose values are arrays as they are read."""
    return {name: column for name, column in columns.items() if not isinstance(column, Labels)}


def spaces_of(columns: Mapping[str, Column]) -> dict[str, Space]:
    """The columns that can be shown."""
    return {name: column for name, column in columns.items() if isinstance(column, Space)}


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
