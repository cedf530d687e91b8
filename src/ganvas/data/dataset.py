"""Prepared data: what the items are, their splits, and batches of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ganvas.data.batch import Batch
from ganvas.data.cache import Entry, Places
from ganvas.data.columns import Column, Labels, value_space
from ganvas.data.order import Order
from ganvas.data.readers import Items, Reader
from ganvas.data.rows import SPLITS
from ganvas.errors import UsageError, near_miss
from ganvas.spaces import Space, space_to_config
from ganvas.text import cut, listed, quoted, shown

if TYPE_CHECKING:
    import torch

_SHOWN = 5  # texts that the plan tells


class Data:
    """A prepared source.

    source: as the user gave it. name: short, for titles. batch_type: what it gives. reader: what has read it, with the
    options as they were given. columns: what the fields of its batches hold; space: what the first of them, which a
    generator must imitate, holds. labels: names of the classes in natural order, () where there are none. fingerprint:
    hash of the names and contents of all items and of how they were prepared; it does not depend on where the source
    lies. notes: sentences for the plan. sorts: items by what other columns of labels say, such as the domain. counts:
    items by split, as they were read. data_root: where torchvision's sets lie.
    """

    def __init__(
        self,
        source: str,
        name: str,
        batch_type: type[Batch],
        reader: Reader,
        entry: Entry,
        data_root: str | None = None,
    ) -> None:
        manifest = entry.manifest
        self.source = source
        self.name = name
        self.batch_type = batch_type
        self.reader = reader
        self.columns: dict[str, Column] = reader.columns(entry)
        self.space: Space = value_space(self.columns)
        label = self.columns.get("label")
        self.labels: tuple[str, ...] = label.names if isinstance(label, Labels) else ()
        self.label_counts: dict[str, int] = manifest["label_counts"].get("label", {})
        self.sorts: dict[str, dict[str, int]] = {
            name: counts for name, counts in manifest["label_counts"].items() if name != "label"
        }
        self.fingerprint: str = manifest["fingerprint"]
        self.notes: tuple[str, ...] = (*manifest["notes"], *reader.notes(entry))
        self.counts: dict[str, int] = manifest["counts"]
        self.damaged: dict[str, str] = manifest["damaged"]
        self.data_root = data_root
        self._entry = entry

    def split(self, name: str) -> Split:
        """The items of `train`, `validation` or `test`. Raises UsageError for another name."""
        if name not in SPLITS:
            raise UsageError(f"there is no split {quoted(name)}{near_miss(name, SPLITS)}")
        return Split(self, self._entry, self._entry.places(name))

    def given(self, n: int, device: torch.device | str = "cpu") -> dict[str, torch.Tensor]:
        """What `n` samples for show are conditioned on, as `Recipe.draw` takes it: that of items of the validation
        split, where it holds any, spread over all of it. Nothing where samples need nothing but noise and a label."""
        return self.for_show(n, device).given()

    def for_show(self, n: int, device: torch.device | str = "cpu") -> Batch:
        """`n` items of the validation split, where it holds any, spread over it, some again if it has fewer."""
        split = next(split for name in ("validation", "train") if len(split := self.split(name)))
        return split.gather(np.linspace(0, len(split) - 1, n).astype(np.int64), device)

    def facts(self) -> dict[str, Any]:
        """What recipes may ask of the data by name."""
        return self.reader.facts(self.columns)

    def options(self) -> dict[str, Any]:
        """Arguments, fit for JSON, with which `open_data(data.source, data.batch_type, **options)` gives the same data
        again, and finds it prepared."""
        return self.reader.options() | ({} if self.data_root is None else {"data_root": self.data_root})

    def to_json(self) -> dict[str, Any]:
        """What `describe` tells, for scripts."""
        return {
            "source": self.source,
            "name": self.name,
            "kind": self.batch_type.kind,
            "space": space_to_config(self.space),
            "counts": self.counts,
            "labels": self.label_counts,
            "notes": list(self.notes),
            "damaged": self.damaged,
            "fingerprint": self.fingerprint,
            "options": self.options(),
        }

    def __len__(self) -> int:
        return len(self._entry)

    def __str__(self) -> str:
        return "\n".join(describe(self))


@dataclass(frozen=True)
class Split:
    """The items of one split, in the natural order of their names."""

    data: Data
    entry: Entry
    places: Places  # in the entry's index

    def __len__(self) -> int:
        return len(self.items)

    def gather(
        self, indices: np.ndarray, device: torch.device | str = "cpu", seeds: Sequence[tuple[int, int]] | None = None
    ) -> Batch:
        """The items with these numbers within the split, repeats allowed, as a batch on the device.

        seeds: of what is random about each item, where the reader varies items as they are read.
        """
        columns = self.data.columns
        rows = self.items.rows(indices, seeds)
        return self.data.batch_type(**{name: columns[name].decode(each, device) for name, each in rows.items()})

    def gather_given(self, indices: np.ndarray, device: torch.device | str = "cpu") -> Batch:
        """A batch whose i-th item holds the indices[i]-th of the `items.conditions` things that are given in this
        split, and the right answer where it is known."""
        columns = self.data.columns
        rows = self.items.rows_given(indices)
        return self.data.batch_type(**{name: columns[name].decode(each, device) for name, each in rows.items()})

    @cached_property
    def known(self) -> np.ndarray:
        """(items.conditions,) bool: in which of these items the value is the right answer to what is given."""
        return self.items.known(self.data.batch_type.answers)

    def order(self, seed: int, batch_size: int) -> Order:
        """In which training reads its items."""
        return self.items.order(seed, batch_size)

    @cached_property
    def items(self) -> Items:
        return self.data.reader.items(self.entry, self.places)

    @cached_property
    def labels(self) -> np.ndarray | None:
        """int64 class numbers, or None where the data has no labels."""
        return self.entry.columns["label"][self.items.stored_at] if self.data.labels else None

    @cached_property
    def names(self) -> Sequence[str]:
        """Names of the items: paths below the source, or numbers in an array."""
        return self.items.names


def describe(data: Data) -> list[str]:
    """The lines that the plan prints."""
    counts = ", ".join(f"{name} {count:,}" for name, count in data.counts.items())
    lines = [f"data: {shown(data.source)}, {data.space}{_choices(data)}", f"items: {counts}"]
    if data.labels:
        named = listed((f"{shown(name)} {count:,}" for name, count in data.label_counts.items()), 12)
        lines.append(f"labels: {len(data.labels)} ({named})")
    for name, counted in data.sorts.items():
        lines.append(f"{name}: {', '.join(f'{shown(each)} {count:,}' for each, count in counted.items())}")
    if data.space.written:
        some = data.space.lines(data.for_show(_SHOWN).value)
        lines.append(f"such as: {' / '.join(cut(line, 60) for line in dict.fromkeys(some))}")
    return lines + [f"note: {note}" for note in data.notes]


def _choices(data: Data) -> str:
    """The reader's flags that the space does not tell of."""
    seen = data.space.facts()
    values = {option: getattr(data.reader, option.name) for option in data.reader.flags() if option.name not in seen}
    return "".join(f", {option.flag} {shown(str(value))}" for option, value in values.items() if value is not None)
