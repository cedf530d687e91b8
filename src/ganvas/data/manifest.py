"""What is written down about prepared data: order, labels, splits, fingerprint and notes."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ganvas.data.columns import Labels, column_to_config, labels_of
from ganvas.data.rows import SPLITS, Row, RowStream, split_of, too_few
from ganvas.errors import DataError, GanvasError
from ganvas.text import counted, listed, natural, shown

FINGERPRINT = 1
"""Counts changes of what a fingerprint is made of. Runs hold fingerprints, so it is not the format of the cache."""


@dataclass(frozen=True)
class Contents:
    """What `cache.Writer.finish` writes beside the columns that are there; `labels` are columns too."""

    labels: dict[str, np.ndarray]
    index: np.ndarray
    items: dict[str, Any]
    manifest: dict[str, Any]


def contents(kept: Sequence[Row], damaged: dict[str, str], stream: RowStream) -> Contents:
    """What is to be written of the rows that were kept. They are in the order in which they were written, and all that
    is needed of their values is the text of labels."""
    order = sorted(range(len(kept)), key=lambda row: natural(kept[row].name))
    rows = [kept[row] for row in order]
    splits, notes = _splits(rows, stream.splits)
    numbers: dict[str, np.ndarray] = {}
    columns = dict(stream.columns)
    counts: dict[str, dict[str, int]] = {}
    for name in labels_of(columns):
        texts = [(row.values or {}).get(name) for row in kept]
        named = Counter(text for text in texts if isinstance(text, str))
        bare = len(texts) - named.total()
        if named and bare:
            notes.append(f"no {name}s: {counted(bare, 'item')} of {len(kept):,} have none")
        if bare or len(named) < 2:
            del columns[name]
            continue
        names = sorted(named, key=natural)
        columns[name] = Labels(tuple(names))
        counts[name] = {each: named[each] for each in names}
        places = {each: place for place, each in enumerate(names)}
        numbers[name] = np.array([places[str(text)] for text in texts], dtype=np.int64)
    configs = {name: column_to_config(column) for name, column in columns.items()}
    index = np.array([(row, SPLITS.index(split)) for row, split in zip(order, splits, strict=True)], dtype=np.int64)
    if damaged:
        told = listed(f"{shown(name)} ({reason})" for name, reason in sorted(damaged.items()))
        notes.insert(0, f"{counted(len(damaged), 'damaged item')} left out: {told}")
    by_split = Counter(splits)
    return Contents(
        numbers,
        index,
        {"names": [row.name for row in rows], "sha256": [row.digest.hex() for row in rows]},
        {
            "columns": configs,
            "label_counts": counts,
            "counts": {split: by_split[split] for split in SPLITS},
            "notes": notes + stream.notes(),
            "damaged": damaged,
            "fingerprint": _fingerprint(rows, index, [numbers[name][order].tolist() for name in numbers], configs),
        },
    )


def _fingerprint(
    rows: Sequence[Row], index: np.ndarray, labels: list[list[int]], configs: dict[str, dict[str, Any]]
) -> str:
    """Of the columns, and of all names, splits, labels and contents in their order."""
    spaces = [config for config in configs.values() if config["kind"] != Labels.kind]
    names = [config["names"] for config in configs.values() if config["kind"] == Labels.kind]
    # The first space and the first labels, and behind them what most data does not have.
    head = [FINGERPRINT, spaces[0], *(names[:1] or [[]]), *spaces[1:], *names[1:]]
    fingerprint = hashlib.sha256(json.dumps(head).encode())
    for place, row in enumerate(rows):
        numbers = " ".join(str(each[place]) for each in labels) or "-1"
        text = f"{row.name}\0{index[place, 1]} {numbers}\0"
        fingerprint.update(text.encode("utf-8", "surrogatepass") + row.digest)
    return fingerprint.hexdigest()


def _splits(rows: Sequence[Row], given: frozenset[str]) -> tuple[list[str], list[str]]:
    """The split of each row, and notes. Splits that the data does not bring are cut from its training items, where that
    leaves any."""
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
    if "train" in splits:
        return splits, notes
    splits = [row.split or "train" for row in rows]
    if "train" not in splits:
        raise DataError(f"no item for training can be used: the {len(rows):,} that can are of other splits")
    rest = "training" if len(set(splits)) == 1 else "training, but for those that the data keeps from it"
    return splits, [f"too few items to split: all of them are for {rest}"]


def nothing_left(name: str, count: int, damaged: dict[str, str]) -> GanvasError:
    """What to say where fewer than two items are left."""
    if not damaged:
        return too_few(name, count, "item")
    first, reason = next(iter(sorted(damaged.items())))
    return DataError(
        f"{shown(name)} has {counted(count, 'item')} that can be used, and {len(damaged):,} damaged, such as "
        f"{shown(first)} ({reason}): at least 2 good ones are needed"
    )
