"""What is written down about prepared data: order, labels, splits, fingerprint and notes."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import Any

import numpy as np

from ganvas.data.cache import FORMAT
from ganvas.data.rows import SPLITS, Origin, Reading, Row, split_of, too_few
from ganvas.errors import DataError, GanvasError
from ganvas.spaces import space_to_config
from ganvas.text import counted, listed, natural, shown


def contents(
    kept: list[Row], damaged: dict[str, str], reading: Reading, origin: Origin
) -> tuple[np.ndarray, dict[str, Any], dict[str, Any]]:
    """Index, items and manifest of the kept rows, which are in the order in which they were written."""
    order = sorted(range(len(kept)), key=lambda row: natural(kept[row].name))
    sorted_rows = [kept[row] for row in order]
    labels = sorted({row.label for row in kept if row.label is not None}, key=natural)
    bare = sum(row.label is None for row in kept)
    splits, notes = _splits(sorted_rows, reading.splits)
    if labels and bare:
        notes.append(f"no labels: {counted(bare, 'item')} of {len(kept):,} have none")
    if bare or len(labels) < 2:
        labels = []
    numbers = {label: number for number, label in enumerate(labels)}
    index = np.array(
        [
            (place, SPLITS.index(split), numbers.get(row.label or "", -1))
            for place, split, row in zip(order, splits, sorted_rows, strict=True)
        ],
        dtype=np.int64,
    )
    fingerprint = hashlib.sha256(json.dumps([FORMAT, space_to_config(reading.space), labels]).encode())
    for row, (_, split, label) in zip(sorted_rows, index.tolist(), strict=True):
        fingerprint.update(f"{row.name}\0{split} {label}\0".encode("utf-8", "surrogatepass") + row.digest)
    by_split = Counter(splits)
    by_label = Counter(row.label for row in kept)
    if damaged:
        named = listed(f"{shown(name)} ({reason})" for name, reason in sorted(damaged.items()))
        notes.insert(0, f"{counted(len(damaged), 'damaged item')} left out: {named}")
    items = {"names": [row.name for row in sorted_rows], "sha256": [row.digest.hex() for row in sorted_rows]}
    manifest = {
        "space": space_to_config(reading.space),
        "labels": labels,
        "label_counts": {label: by_label[label] for label in labels},
        "counts": {split: by_split[split] for split in SPLITS},
        "notes": notes + origin.notes(),
        "damaged": damaged,
        "fingerprint": fingerprint.hexdigest(),
    }
    return index, items, manifest


def _splits(rows: list[Row], given: frozenset[str]) -> tuple[list[str], list[str]]:
    """The split of each row, and notes. Splits that the data does not bring are cut from its training items."""
    splits = []
    for row in rows:
        split = row.split or "train"
        if split == "train":
            drawn = split_of(row.name)
            split = drawn if drawn not in given else "train"
        splits.append(split)
    missing = [split for split in SPLITS if split not in given]
    notes = []
    if given and missing:
        own = " and ".join(split for split in SPLITS if split in given)
        notes.append(f"splits: {own} as the data has them, {' and '.join(missing)} cut from train")
    if "train" not in splits:
        return ["train"] * len(rows), ["too few items to split: all of them are for training"]
    return splits, notes


def nothing_left(name: str, count: int, damaged: dict[str, str]) -> GanvasError:
    """What to say where fewer than two items are left."""
    if not damaged:
        return too_few(name, count, "item")
    first, reason = next(iter(sorted(damaged.items())))
    return DataError(
        f"{shown(name)} has {counted(count, 'item')} that can be used, and {len(damaged):,} damaged, such as "
        f"{shown(first)} ({reason}): at least 2 good ones are needed"
    )
