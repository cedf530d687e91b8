"""Prepared data: what the items are, their splits, and batches of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from ganvas.data.batches import Batch, Images, Points
from ganvas.data.cache import Entry
from ganvas.data.rows import SPLITS
from ganvas.errors import UsageError, near_miss
from ganvas.spaces import ImageSpace, PointSpace, Space, space_from_config, space_to_config
from ganvas.text import listed, shown


class Data:
    """A prepared source.

    source: as the user gave it. name: short, for titles. space: what the items are. labels: names of the classes in
    natural order, () where there are none. fingerprint: hash of the names and contents of all items and of how they
    were prepared; it does not depend on where the source lies. notes: sentences for the plan. counts: items by split.
    """

    def __init__(self, source: str, name: str, entry: Entry, data_root: str | None = None) -> None:
        manifest = entry.manifest
        self.source = source
        self.name = name
        self.space: Space = space_from_config(manifest["space"])
        self.labels: tuple[str, ...] = tuple(manifest["labels"])
        self.label_counts: dict[str, int] = manifest["label_counts"]
        self.fingerprint: str = manifest["fingerprint"]
        self.notes: tuple[str, ...] = tuple(manifest["notes"])
        self.counts: dict[str, int] = manifest["counts"]
        self.damaged: dict[str, str] = manifest["damaged"]
        self.batch_type: type[Batch] = Images if isinstance(self.space, ImageSpace) else Points
        self._entry = entry
        self._data_root = data_root

    def split(self, name: str) -> Split:
        """The items of `train`, `validation` or `test`. Raises UsageError for another name."""
        if name not in SPLITS:
            raise UsageError(f"there is no split {name!r}{near_miss(name, SPLITS)}")
        return Split(self, self._entry, np.flatnonzero(self._entry.index[:, 1] == SPLITS.index(name)))

    def given(self, n: int, device: torch.device | str = "cpu") -> dict[str, torch.Tensor]:
        """What `n` samples for show are conditioned on, as `Recipe.draw` takes it: nothing where samples need nothing
        but noise and a label."""
        return {}

    def facts(self) -> dict[str, Any]:
        """What recipes may ask of the data by name."""
        return self.space.facts() | {"classes": len(self.labels)}

    def options(self) -> dict[str, Any]:
        """Arguments, fit for JSON, with which `open_data(data.source, **options)` gives the same data again."""
        options: dict[str, Any] = {}
        if isinstance(self.space, ImageSpace):
            options = {"size": [self.space.height, self.space.width], "channels": self.space.channels}
        return options if self._data_root is None else options | {"data_root": self._data_root}

    def to_json(self) -> dict[str, Any]:
        """What `describe` tells, for scripts."""
        return {
            "source": self.source,
            "name": self.name,
            "space": space_to_config(self.space),
            "counts": self.counts,
            "labels": self.label_counts,
            "notes": list(self.notes),
            "damaged": self.damaged,
            "fingerprint": self.fingerprint,
            "options": self.options(),
        }

    def __len__(self) -> int:
        return len(self._entry.index)

    def __str__(self) -> str:
        return "\n".join(describe(self))


@dataclass(frozen=True)
class Split:
    """The items of one split, in the natural order of their names."""

    data: Data
    entry: Entry
    places: np.ndarray  # in the entry's index

    def __len__(self) -> int:
        return len(self.places)

    def gather(
        self, indices: np.ndarray, device: torch.device | str = "cpu", seeds: Sequence[tuple[int, int]] | None = None
    ) -> Batch:
        """The items with these numbers within the split, repeats allowed, as a batch on the device.

        seeds: of what is random about each item where data is varied as it is read; here nothing is.
        Images are (B, C, H, W) float32 in [-1, 1] with channels-last strides. They travel as bytes and become floats
        where they arrive.
        """
        values = self.entry.values[self._rows[indices]]
        label = None if self.labels is None else torch.from_numpy(self.labels[indices]).to(device, non_blocking=True)
        if isinstance(self.data.space, PointSpace):
            return Points(torch.from_numpy(values).to(device, non_blocking=True), label)
        if torch.device(device).type == "cpu":
            # On one thread, because torch's threads wait for one another where others use the cores too.
            floats = values.astype(np.float32)
            floats *= 2 / 255
            floats -= 1
            return Images(torch.from_numpy(floats).permute(0, 3, 1, 2), label)
        there = torch.from_numpy(values).to(device, non_blocking=True)
        return Images(there.permute(0, 3, 1, 2).to(torch.float32).mul_(2 / 255).sub_(1.0), label)

    @cached_property
    def labels(self) -> np.ndarray | None:
        """int64 class numbers, or None where the data has no labels."""
        return self.entry.index[self.places, 2] if self.data.labels else None

    @cached_property
    def names(self) -> Sequence[str]:
        """Names of the items: paths below the source, or numbers in an array."""
        return [self.entry.names[place] for place in self.places]

    @cached_property
    def _rows(self) -> np.ndarray:
        rows: np.ndarray = self.entry.index[self.places, 0]
        return rows


def describe(data: Data) -> list[str]:
    """The lines that the plan prints."""
    counts = ", ".join(f"{name} {count:,}" for name, count in data.counts.items())
    lines = [f"data: {shown(data.source)}, {data.space}", f"items: {counts}"]
    if data.labels:
        named = listed((f"{shown(name)} {count:,}" for name, count in data.label_counts.items()), 12)
        lines.append(f"labels: {len(data.labels)} ({named})")
    return lines + [f"note: {note}" for note in data.notes]
