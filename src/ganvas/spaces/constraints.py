"""What must hold of every row of a table: comparisons of sums of its columns, such as `start <= end`.

    start <= end        net + tax == gross        age >= 18        'first day' < 'last day'        day >= "2020-01-01"

Names with other signs than letters, digits and underscores stand in quotes, and so do dates. A row in which one of the
cells is missing breaks nothing, as in SQL.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ganvas.errors import UsageError, near_miss
from ganvas.spaces.table_columns import TableColumn
from ganvas.text import quoted

LONGEST = 500
"""Letters of a constraint."""

_COMPARED: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "<=": operator.le, ">=": operator.ge, "==": np.isclose, "!=": lambda one, other: ~np.isclose(one, other),
    "<": operator.lt, ">": operator.gt,
}  # fmt: skip
_TOKEN = re.compile(
    r"\s*(?:(<=|>=|==|!=|<|>|\+|-)|([0-9]+\.?[0-9]*(?:[eE][+-]?[0-9]+)?)|([^\W\d]\w*)|\"([^\"]+)\"|'([^']+)')"
)


@dataclass(frozen=True)
class Constraint:
    """A comparison of two sums. Each is (sign, name of a column or None, number)."""

    text: str
    left: tuple[tuple[int, str | None, float], ...]
    compared: str
    right: tuple[tuple[int, str | None, float], ...]

    def holds(self, values: Mapping[str, np.ndarray], columns: Sequence[TableColumn]) -> np.ndarray:
        """(n,) bool. values: by column, as `TableSpace.fields` has them."""
        numbers = {}
        for column in columns:
            own, listed = values[column.name], column.numeric if column.choices else None
            numbers[column.name] = own if listed is None else _chosen(listed, own)
        length = len(next(iter(numbers.values())))
        one, other = (_total(side, numbers, length) for side in (self.left, self.right))
        met: np.ndarray = _COMPARED[self.compared](one, other)
        met = met | np.isnan(one) | np.isnan(other)
        return met


def constraint(text: str, columns: Sequence[TableColumn]) -> Constraint:
    """Raises UsageError, in one line, where it is no comparison of these columns."""
    known = {each.name: each for each in columns}
    if len(text) > LONGEST:
        raise UsageError(f"a constraint has at most {LONGEST} letters, not {len(text):,}")
    sides: list[list[tuple[int, str | None, float]]] = [[]]
    compared, sign, at, due = "", 1, 0, True
    while text[at:].strip():
        found = _TOKEN.match(text, at)
        if found is None:
            raise _odd(text, f"it has {quoted(text[at:].strip()[0])} in it")
        at = found.end()
        symbol, number, name, double, single = found.groups()
        if symbol in _COMPARED:
            if compared or due:
                raise _odd(text, f"{quoted(symbol)} stands where a column should" if due else "it compares twice")
            compared, sign, due = symbol, 1, True
            sides.append([])
        elif symbol:
            if due and symbol == "+":
                raise _odd(text, "a sum lacks a column")
            sign, due = (-1 if symbol == "-" else 1), True
        elif not due:
            raise _odd(text, f"{quoted(found[0].strip())} stands where + or a comparison should")
        else:
            sides[-1].append((sign, *_term(text, number, name or double or single, known)))
            sign, due = 1, False
    if due or not compared:
        raise _odd(text, "a comparison lacks one side" if compared else "it compares nothing")
    return Constraint(text, tuple(sides[0]), compared, tuple(sides[1]))


def _term(text: str, number: str | None, name: str, known: Mapping[str, TableColumn]) -> tuple[str | None, float]:
    if number is not None:
        return None, float(number)
    column = known.get(name)
    if column is None:
        for other in known.values():
            if other.kind == "date" and not other.choices:
                try:
                    return None, other.number(name)
                except ValueError:
                    continue
        raise UsageError(f"--constraint {quoted(text)}: there is no column {quoted(name)}{near_miss(name, known)}")
    if column.choices and column.numeric is None:
        raise UsageError(
            f"--constraint {quoted(text)}: {quoted(name)} is {column.kind}, and only numbers and dates compare"
        )
    return name, 0.0


def _odd(text: str, why: str) -> UsageError:
    return UsageError(f"--constraint {quoted(text)} is no comparison such as 'start <= end': {why}")


def _chosen(numbers: np.ndarray, places: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.where(np.isnan(places), np.nan, numbers[np.nan_to_num(places).astype(int)])
    return found


def _total(side: Sequence[tuple[int, str | None, float]], numbers: Mapping[str, np.ndarray], length: int) -> np.ndarray:
    total = np.zeros(length)
    for sign, name, number in side:
        total = total + sign * (number if name is None else numbers[name])
    return total
