"""Cells of a table as samples: scores of numbers and dates, and places of choices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ganvas.data.table_files import Cells
from ganvas.spaces import TableColumn, TableSpace
from ganvas.text import quoted, shown


def encoded(space: TableSpace, cells: Mapping[str, Cells]) -> tuple[np.ndarray, dict[int, str]]:
    """(rows, S) float32 samples, and why rows cannot be one, by their numbers. Where a score could be any of several,
    as of equal values, it is drawn, always the same."""
    import torch

    random = np.random.RandomState(0)
    count = len(next(iter(cells.values())).codes)
    samples, odd = np.zeros((count, len(space.parts)), np.float32), dict[int, str]()
    for start, column in zip(space.starts, space.columns, strict=True):
        own = cells[column.name]
        texts = list(own.texts)
        codes = own.rows
        low, high, none = _told(column, texts)
        for number in np.flatnonzero(none[codes]):
            odd.setdefault(int(number), f"{shown(column.name)} is {quoted(texts[codes[number]])}")
        if column.choices:
            samples[:, start] = low[codes]
            continue
        ranks = low[codes] + random.rand(count) * (high - low)[codes]
        scores = torch.special.ndtri(torch.from_numpy(ranks).clamp(1e-5, 1 - 1e-5)).numpy()
        if column.missing:
            lacking = codes == own.texts.get("", -1)
            scores[lacking] = 0
            samples[:, start + 1] = lacking
        samples[:, start] = scores
    return samples, odd


def _told(column: TableColumn, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each text the ranks from and to, or twice the place of the choice; and whether it is no cell of the column."""
    empty = np.array([not text for text in texts], bool)
    if column.choices:
        found = [column.place(text) for text in texts]
        places = np.array([len(column.choices) if place is None else place for place in found], float)
        none = np.array([place is None for place in found]) & ~(empty & bool(column.missing))
        return places, places, none
    numbers = np.array([_number(column, text) for text in texts])
    none = np.isnan(numbers)
    low, high = column.span(np.where(none, 0, numbers).clip(column.values[0], column.values[-1]))
    return low, high, none & ~(empty & bool(column.missing))


def _number(column: TableColumn, text: str) -> float:
    """NaN where it is none."""
    try:
        return column.number(text)
    except (ValueError, OverflowError):
        return float("nan")
