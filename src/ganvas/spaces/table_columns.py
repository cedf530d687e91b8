"""Columns of tables: what a cell holds, and how it becomes numbers that a network bears.

A column with few values is one of `choices`. Any other is a number, or a date as a number, and is kept as the normal
score of its rank: `levels` and `values` are the quantile function of the training rows, so a score always becomes a
value on the column's own scale and grid, whatever its distribution is like.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Self, get_args

import numpy as np

from ganvas.errors import UsageError, near_miss
from ganvas.text import listed, quoted, shown

ColumnKind = Literal["number", "whole", "date", "category", "yes/no"]

MOST_CHOICES, MOST_KNOTS, MOST_STEPS = 5000, 4096, 1000
"""Choices of a column, knots of a quantile function that a file may name; values that are kept one by one."""

LONGEST_NAME = 200
LOW, HIGH = 1e-5, 1 - 1e-5
"""Ranks, as shares, that a score stands for at most."""

_GRID = 257
_FRAME_TYPES = re.compile(
    r"(u?int(8|16|32|64)|U?Int(8|16|32|64)|float(16|32|64)|Float(32|64)|bool(ean)?|object|str(ing)?|category"
    r"|datetime64\[(s|ms|us|ns)\])"
)
_FORM = re.compile(r"[-/.: T]*(%[YmdHMS][-/.: T]*){1,6}")


@dataclass(frozen=True)
class TableColumn:
    """One column.

    kind: of what its cells hold. choices: all of them as text, where it has few. missing: the share of cells that hold
    nothing. levels: of choices, the share of each; else the cumulative shares that go with `values`. values: of
    numbers, ascending; where `steps`, all that there are, each up to its level, else the quantile function is straight
    between them. decimals: of a number as it is written. form: of a date, as `strftime` has it. dtype: what a frame of
    pandas had.
    """

    name: str
    kind: ColumnKind
    choices: tuple[str, ...] = ()
    missing: float = 0.0
    levels: tuple[float, ...] = ()
    values: tuple[float, ...] = ()
    steps: bool = False
    decimals: int = 0
    form: str = ""
    dtype: str = ""

    def __post_init__(self) -> None:
        """Raises UsageError for what no column is."""
        own = self.choices or self.values
        good = (
            0 < len(self.name) <= LONGEST_NAME
            and all(each.isprintable() for each in (self.name, *self.choices))
            and self.kind in get_args(ColumnKind)
            and 1 <= len(own) == len(self.levels) <= (MOST_CHOICES if self.choices else MOST_KNOTS)
            and bool(self.choices) != bool(self.values)
            and 0 <= self.missing <= 1
            and bool(np.isfinite([*self.levels, *self.values, self.missing]).all())
            and 0 <= self.decimals <= 15
            and (not self.dtype or _FRAME_TYPES.fullmatch(self.dtype) is not None)
            and (not self.form or _FORM.fullmatch(self.form) is not None)
        )
        ascending = all(np.all(np.diff(each) >= 0) for each in (self.values, () if self.choices else self.levels))
        if not good or not ascending or len(set(self.choices)) != len(self.choices):
            raise UsageError(
                f"there is no column {shown(self.name[:80])} of kind {shown(str(self.kind))[:40]} like this"
            )

    # -- as numbers -----------------------------------------------------------------------------------------------

    @property
    def parts(self) -> tuple[int, ...]:
        """The numbers that a cell becomes: of how many choices each is one, 0 for a score. What is missing is one more
        choice, or has a number of its own beside a score: 1 where it is."""
        if self.choices:
            return (len(self.choices) + bool(self.missing),)
        return (0, 2) if self.missing else (0,)

    def span(self, value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The ranks, as shares from and to, that stand for numbers (n,) of the column."""
        if self.steps:
            place = np.searchsorted(self.values, value).clip(0, len(self.values) - 1)
            return np.array([0.0, *self.levels])[place], np.array(self.levels)[place]
        half = self.grid / 2
        low, high = (np.interp(value + each, self.values, self.levels) for each in (-half, half))
        return low, high

    def value(self, rank: np.ndarray) -> np.ndarray:
        """(n,) numbers of ranks from 0 to 1."""
        if self.steps:
            place = np.searchsorted(self.levels, rank, side="right").clip(0, len(self.values) - 1)
            found: np.ndarray = np.array(self.values)[place]
            return found
        found = np.round(np.round(np.interp(rank, self.levels, self.values) / self.grid) * self.grid, self.decimals)
        clipped: np.ndarray = np.clip(found, self.values[0], self.values[-1])
        return clipped

    @property
    def grid(self) -> float:
        """By how much values differ at least: a unit of the last decimal, or of a date in seconds."""
        if self.kind == "date":
            return 86400.0 if "%H" not in self.form else 60.0 if "%S" not in self.form else 1.0
        return 10.0**-self.decimals

    @property
    def numeric(self) -> np.ndarray | None:
        """(choices,) the numbers that the choices are, where they are numbers."""
        if self.kind not in ("number", "whole"):
            return None
        return np.array([float(each) for each in self.choices])

    # -- as text --------------------------------------------------------------------------------------------------

    def text(self, value: float) -> str:
        """A number of the column as it is written."""
        if self.kind == "date":
            return datetime.fromtimestamp(value, UTC).strftime(self.form)
        return f"{value:.{self.decimals}f}"

    def number(self, text: str) -> float:
        """The number that a text stands for. Raises ValueError."""
        if self.kind == "date":
            return seconds_of(text, self.form)
        number = float(text)
        if not np.isfinite(number):
            raise ValueError(text)
        return number

    def admits(self) -> str:
        """What can stand in it, in words."""
        if self.choices:
            return f"one of {listed(map(shown, self.choices), 12)}"
        return f"{self.text(self.values[0])} to {self.text(self.values[-1])}"

    def told(self) -> str:
        """For the plan: its name, kind and range."""
        lacking = f", {100 * self.missing:.2g}% missing" if self.missing else ""
        noun = {"whole": "whole number"}.get(self.kind, self.kind)
        if self.choices:
            few = f" of {len(self.choices)}" if len(self.choices) > 2 else f" {'/'.join(map(shown, self.choices))}"
            return f"{shown(self.name)} ({noun}{few}{lacking})"
        return f"{shown(self.name)} ({noun} {self.admits()}{lacking})"

    def condition(self, value: Any) -> tuple[float, ...]:
        """What is asked for as numbers, in the order of `parts`, ranks standing for scores. Raises UsageError that
        says what the column admits."""
        text = "" if value is None else str(value).strip()
        if not text:
            if not self.missing:
                raise UsageError(f"no cell of {quoted(self.name)} is missing, so it cannot be asked for")
            return (len(self.choices),) if self.choices else (0.5, 1.0)
        if self.choices:
            place = self.place(text)
            if place is None:
                hint = near_miss(text[:200], self.choices) if len(self.choices) > 12 else ""
                raise UsageError(f"{shown(self.name)} must be {self.admits()}, not {quoted(text)}{hint}")
            return (float(place),)
        try:
            number = self.number(text)
        except (ValueError, OverflowError):
            raise UsageError(f"{shown(self.name)} must be {self.admits()}, not {quoted(text)}") from None
        if not self.values[0] <= number <= self.values[-1]:
            raise UsageError(f"{shown(self.name)} must be {self.admits()}, not {quoted(text)}")
        if self.steps and number not in self.values:
            near = listed(map(self.text, sorted(sorted(self.values, key=lambda each: abs(each - number))[:2])))
            raise UsageError(f"{shown(self.name)} is never {quoted(text)} in the data: the nearest are {near}")
        low, high = self.span(np.array([number]))
        rank = float(low[0] + high[0]) / 2
        return (rank, 0.0) if self.missing else (rank,)

    def place(self, text: str) -> int | None:
        """Of a choice among all of them, 1.0 being 1 where they are numbers; None where it is none."""
        if text in self.choices:
            return self.choices.index(text)
        numbers = self.numeric
        try:
            found = [] if numbers is None else np.flatnonzero(numbers == float(text)).tolist()
        except ValueError:
            return None
        return found[0] if found else None

    # -- as JSON --------------------------------------------------------------------------------------------------

    def to_json(self) -> dict[str, Any]:
        told = {name: getattr(self, name) for name in self.__dataclass_fields__ if name not in ("name", "kind")}
        kept = {name: list(each) if isinstance(each, tuple) else each for name, each in told.items() if each}
        return {"name": self.name, "kind": self.kind, **kept}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Self:
        """What `to_json` wrote. Raises ValueError, TypeError, KeyError or UsageError for anything else."""
        choices = told.get("choices", [])
        texts = [told["name"], told["kind"], told.get("form", ""), told.get("dtype", ""), *choices]
        if isinstance(choices, str) or not all(isinstance(each, str) for each in texts):
            raise TypeError(f"no column is {str(told)[:80]}")
        return cls(
            told["name"], told["kind"], tuple(choices), float(told.get("missing", 0)),
            tuple(map(float, told.get("levels", ()))), tuple(map(float, told.get("values", ()))),
            bool(told.get("steps", False)), int(told.get("decimals", 0)), told.get("form", ""), told.get("dtype", ""),
        )  # fmt: skip


def quantiles(name: str, kind: ColumnKind, numbers: np.ndarray, counts: np.ndarray, **more: Any) -> TableColumn:
    """A column of numbers by the different ones (n,), ascending, and how often each is there."""
    upto = counts.cumsum() / counts.sum()
    if len(numbers) <= MOST_STEPS:
        return TableColumn(name, kind, levels=_plain(upto), values=_plain(numbers), steps=True, **more)
    grid = np.linspace(0, 1, _GRID)
    levels, values = [*grid], [*numbers[np.searchsorted(upto, grid * (1 - 1e-12))]]
    before = np.concatenate([[0.0], upto[:-1]])
    for place in np.flatnonzero(counts > counts.sum() / (2 * _GRID)):  # a frequent value is a level stretch
        levels += [before[place], upto[place]]
        values += [numbers[place]] * 2
    order = np.lexsort((values, levels))
    return TableColumn(
        name, kind, levels=_plain(np.array(levels)[order]), values=_plain(np.array(values)[order]), **more
    )


def seconds_of(text: str, form: str) -> float:
    """A date as seconds since 1970. Raises ValueError."""
    return datetime.strptime(text, form).replace(tzinfo=UTC).timestamp()


def _plain(numbers: Sequence[float] | np.ndarray) -> tuple[float, ...]:
    return tuple(np.asarray(numbers, np.float64).tolist())
