"""What is compared of rows of tables, whose cells come as numbers or as places of choices, NaN where missing.

Shapes of columns and trends of pairs are those that SDMetrics (MIT) made usual. What a classifier can tell is asked of
gradient boosting (scikit-learn's histograms), which bears choices and gaps as they are.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganvas.errors import UsageError
from ganvas.spaces import Field

Table = Mapping[str, Field]
"""Columns by name, all of the same rows."""

Numbers = NDArray[np.float64]

BINS = 10
"""Of numbers that are compared with choices."""

MOST_OF_A_KIND = 250
"""Choices of a column up to which gradient boosting takes them as such, and not as numbers."""


def count_of(table: Table) -> int:
    return len(next(iter(table.values())).values)


def chosen(table: Table, places: NDArray[np.int64]) -> dict[str, Field]:
    """Some of the rows."""
    return {name: Field(each.values[places], each.choices) for name, each in table.items()}


def shuffled(table: Table, seed: int) -> dict[str, Field]:
    """Each column in an order of its own: its shape is right, and it has to do with no other."""
    random = np.random.default_rng(seed)
    return {name: Field(random.permutation(each.values), each.choices) for name, each in table.items()}


def shapes(one: Table, other: Table) -> Numbers:
    """(columns,) from 0 to 1: how alike each column's distribution is. Of numbers 1 less the largest distance of the
    cumulative shares (Kolmogorov and Smirnov), of choices 1 less the total variation; missing is one more choice, and
    of numbers the lesser of the two counts."""
    found = []
    for name, mine in one.items():
        theirs = other[name]
        if mine.choices:
            found.append(1 - _variation(_shares(mine), _shares(theirs)))
            continue
        a, b = (np.sort(each.values[~np.isnan(each.values)]) for each in (mine, theirs))
        gap = abs(lacking(mine) - lacking(theirs))
        found.append(1 - max(gap, _steps(a, b)) if len(a) and len(b) else 1 - gap)
    return np.array(found)


def lacking(field: Field) -> float:
    """The share of cells that hold nothing."""
    return float(np.isnan(field.values).mean())


def pairs(one: Table, other: Table) -> Numbers:
    """(pairs of columns,) from 0 to 1: how alike two columns go together. Of numbers 1 less half of how much their
    correlation differs, else 1 less the total variation of how often which choices, or tenths, are there together."""
    ranges = {name: _edges(each) for name, each in one.items() if not each.choices}
    binned = [{name: _binned(each, ranges.get(name)) for name, each in table.items()} for table in (one, other)]
    found = []
    for first, second in combinations(one, 2):
        if one[first].choices or one[second].choices:
            size = _size(one[second])
            joint = [each[first] * size + each[second] for each in binned]
            many = _size(one[first]) * size
            counts = [np.bincount(each, minlength=many) / len(each) for each in joint]
            found.append(1 - _variation(*counts))
        else:
            told = [_correlation(each[first].values, each[second].values) for each in (one, other)]
            found.append(1 - abs(told[0] - told[1]) / 2)
    return np.array(found)


def together(one: Table, other: Table) -> float:
    """The mean of `pairs`; NaN of a single column."""
    found = pairs(one, other)
    return float(found.mean()) if len(found) else float("nan")


def auc(scores: Numbers, positive: NDArray[np.bool_]) -> tuple[float, Numbers, Numbers]:
    """How often a positive one has the higher score, a tie counting as half; and what each positive and each negative
    one contributes to that (DeLong et al. 1988). NaN where there is only one kind."""
    ones, zeros = scores[positive], scores[~positive]
    if not len(ones) or not len(zeros):
        return float("nan"), np.zeros(1), np.zeros(1)
    of_ones = _below(ones, np.sort(zeros))
    of_zeros = 1 - _below(zeros, np.sort(ones))
    return float(of_ones.mean()), of_ones, of_zeros


def learned(table: Table, target: str, test: Table, seed: int) -> Numbers:
    """What gradient boosting that has learned to tell the target from the other columns says of test rows: (n, choices)
    how likely each choice is, or (n, 1) numbers. Rows that lack the target are passed over in training."""
    from_rows, to_rows = (_features(each, without=target) for each in (table, test))
    aim = table[target]
    kept = ~np.isnan(aim.values)
    if aim.choices:
        model = _boosted(from_rows[1], regression=False, seed=seed)
        answers = aim.values[kept].astype(np.int64)
        told = np.zeros((count_of(test), aim.choices))
        kinds = np.unique(answers)
        if len(kinds) == 1:
            told[:, kinds[0]] = 1
            return told
        model.fit(from_rows[0][kept], answers)
        told[:, model.classes_] = model.predict_proba(to_rows[0])
        return told
    model = _boosted(from_rows[1], regression=True, seed=seed)
    model.fit(from_rows[0][kept], aim.values[kept])
    return np.asarray(model.predict(to_rows[0]), np.float64)[:, None]


def told_apart(one: Table, other: Table, seed: int) -> tuple[Numbers, NDArray[np.bool_]]:
    """What gradient boosting says of rows that it has not seen, high where they seem of the first table; and which are.
    Both give as many rows, and half of each are learned from, then the other half."""
    count = min(count_of(one), count_of(other))
    random = np.random.default_rng(seed)
    parts = [chosen(each, random.permutation(count_of(each))[:count]) for each in (one, other)]
    rows, categorical = _features(parts[0])
    values = np.concatenate([rows, _features(parts[1])[0]])
    own = np.arange(2 * count) < count
    half = np.concatenate([np.arange(count) % 2, np.arange(count) % 2]).astype(bool)
    scores = np.zeros(2 * count)
    for test in (half, ~half):
        model = _boosted(categorical, regression=False, seed=seed)
        model.fit(values[~test], own[~test])
        scores[test] = model.predict_proba(values[test])[:, 1]
    return scores, own


def keys(table: Table) -> list[bytes]:
    """Each row as it is, so that equal ones are equal."""
    values = np.stack([np.nan_to_num(each.values, nan=-1e300) for each in table.values()], 1)
    return [row.tobytes() for row in np.ascontiguousarray(values)]


def _features(table: Table, without: str = "") -> tuple[Numbers, NDArray[np.bool_]]:
    kept = {name: each for name, each in table.items() if name != without}
    if not kept:
        raise UsageError("a table of one column has nothing to tell it from")
    values = np.stack([each.values for each in kept.values()], 1)
    return values, np.array([0 < each.choices <= MOST_OF_A_KIND for each in kept.values()])


def _boosted(categorical: NDArray[np.bool_], regression: bool, seed: int) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    kind = HistGradientBoostingRegressor if regression else HistGradientBoostingClassifier
    return kind(categorical_features=categorical, random_state=seed, early_stopping=False)


def _shares(field: Field) -> Numbers:
    codes = np.where(np.isnan(field.values), field.choices, field.values).astype(np.int64)
    return np.bincount(codes, minlength=field.choices + 1) / len(codes)


def _variation(one: Numbers, other: Numbers) -> float:
    return float(np.abs(one - other).sum() / 2)


def _steps(one: Numbers, other: Numbers) -> float:
    at = np.concatenate([one, other])
    upto = [np.searchsorted(each, at, side="right") / len(each) for each in (one, other)]
    return float(np.abs(upto[0] - upto[1]).max())


def _below(values: Numbers, others: Numbers) -> Numbers:
    """(n,) which share of the sorted others is less, equal ones counting as half."""
    low, high = (np.searchsorted(others, values, side=side) for side in ("left", "right"))
    found: Numbers = (low + high) / 2 / len(others)
    return found


def _size(field: Field) -> int:
    return (field.choices or BINS) + 1


def _edges(field: Field) -> Numbers:
    there = field.values[~np.isnan(field.values)]
    return np.unique(np.quantile(there, np.linspace(0, 1, BINS + 1)[1:-1])) if len(there) else np.zeros(0)


def _binned(field: Field, edges: Numbers | None) -> NDArray[np.int64]:
    codes = field.values if edges is None else np.searchsorted(edges, field.values, side="right")
    gap = np.isnan(field.values)
    return np.where(gap, _size(field) - 1, np.where(gap, 0, codes)).astype(np.int64)


def _correlation(one: Numbers, other: Numbers) -> float:
    """Pearson's, of rows that lack neither."""
    there = ~(np.isnan(one) | np.isnan(other))
    a, b = one[there], other[there]
    if len(a) < 2 or a.std() == 0 or b.std() == 0:
        return 0.0
    return float(np.mean((a - a.mean()) * (b - b.mean())) / (a.std() * b.std()))
