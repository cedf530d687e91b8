"""What a study searches: options with the interval or the choices that are tried of each.

The options of a recipe and of a training say themselves what can be: choices, a range, and where the range is open or
far too wide the part of it that is worth a search (`Range.search`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ganvas.errors import UsageError, near_miss
from ganvas.options import Option
from ganvas.text import quoted

if TYPE_CHECKING:
    from optuna.trial import Trial

LENGTHS = ("steps", "epochs", "minutes")
"""Of these one is the budget of a trial; a trial may take less of it."""

CHOICES = ("objective",)
"""Options with choices that are searched where nobody says otherwise."""

LEAST_OF_THE_LENGTH = 4
"""The longest trial over the shortest one."""

Value = bool | int | float | str


@dataclass(frozen=True)
class Dimension:
    """One option that is searched. choices: the values; () where it is `low` to `high`, both included. whole: in whole
    numbers. log: on a logarithmic scale. start: the value that the study begins with. off: whether 0 is tried too,
    beside an interval on a logarithmic scale, which does not reach it."""

    name: str
    choices: tuple[Value, ...] = ()
    low: float = 0.0
    high: float = 0.0
    whole: bool = False
    log: bool = False
    start: Value | None = None
    off: bool = False

    @property
    def switch(self) -> str:
        """The parameter that says whether it is anything but 0."""
        return f"{self.name} in use"

    def suggested(self, trial: Trial) -> Value:
        """The value that the trial is to try."""
        if self.choices:
            return _value(trial.suggest_categorical(self.name, self.choices))
        if self.off and not trial.suggest_categorical(self.switch, (False, True)):
            return 0.0
        if self.whole:
            return trial.suggest_int(self.name, int(self.low), int(self.high), log=self.log)
        return self.rounded(trial.suggest_float(self.name, self.low, self.high, log=self.log))

    def rounded(self, value: Value) -> Value:
        """Numbers with three figures that count, which is what is trained with and told."""
        if not isinstance(value, float) or self.low == self.high:
            return value
        return min(max(float(f"{value:.3g}"), self.low), self.high)

    @property
    def beginning(self) -> dict[str, Value]:
        """The parameters of the study's first trial."""
        if self.start is None:
            return {}
        if self.off:
            return {self.switch: bool(self.start), **({self.name: self.start} if self.start else {})}
        return {self.name: self.start}

    def to_json(self) -> dict[str, Any]:
        if self.choices:
            return {"choices": list(self.choices)}
        return {"from": self.low, "to": self.high, "log": self.log}


def dimensions(
    options: Sequence[Option], asked: Sequence[str] | None, start: Mapping[str, Any], length: str
) -> list[Dimension]:
    """What is searched. options: all that there are, of the recipe and of a training. asked: names, `name=low..high` or
    `name=a/b/c`; None for the usual ones. start: what the study begins with. length: which of `LENGTHS` is the budget.

    Raises UsageError for a name that there is not, an interval that cannot be, and an option that cannot be searched.
    """
    known = {option.name: option for option in options}
    if asked is None:
        asked = [o.name for o in options if o.name in CHOICES or (o.range is not None and o.range.search is not None)]
        asked = [*asked, length]
    found: list[Dimension] = []
    for text in asked:
        name, equals, values = text.partition("=")
        name = name.strip().replace("-", "_").strip("_")
        if name not in known:
            raise UsageError(f"--search: there is no option {quoted(name)}{near_miss(name, known)}")
        if name in LENGTHS and name != length:
            raise UsageError(f"--search: the budget of a trial is {length}, so {name} cannot be searched")
        if any(each.name == name for each in found):
            raise UsageError(f"--search names {quoted(name)} twice")
        found.append(_dimension(known[name], values.strip() if equals else None, start.get(name), name == length))
    if not found:
        raise UsageError("--search names nothing to search")
    return found


def _dimension(option: Option, values: str | None, start: Any, is_length: bool) -> Dimension:
    if option.from_data:
        raise UsageError(f"--search: {option.name} is decided by the data")
    if values is not None and ".." not in values:
        return _of_choices(option, [option.check(each.strip()) for each in values.split("/")], start)
    if option.choices or option.kind is bool:
        if values is not None:
            raise UsageError(f"--search: {option.name} has choices, as in {option.name}={_choices_of(option)}")
        return _of_choices(option, option.choices or (False, True), start)
    if option.kind not in (int, float):
        raise UsageError(f"--search: {option.name} is neither a number nor one of some choices")
    low, high = _interval(option, values, start, is_length)
    log = is_length or (option.range is not None and option.range.log)
    off = option.range is not None and option.range.low == 0 and log and start == 0
    if log and low <= 0:
        raise UsageError(f"--search: {option.name} is searched on a logarithmic scale, so from more than 0")
    if isinstance(start, (int, float)) and not off:  # what it begins with is one of what is tried
        low, high = min(low, start), max(high, start)
    return Dimension(option.name, (), low, high, option.kind is int, log, start, off)


def _value(chosen: Any) -> Value:
    return chosen if isinstance(chosen, (bool, int, float)) else str(chosen)


def _of_choices(option: Option, choices: Iterable[Any], start: Any) -> Dimension:
    known = list(dict.fromkeys(choices))
    if start is not None and start not in known:
        known.append(start)
    return Dimension(option.name, tuple(known), start=start)


def _interval(option: Option, values: str | None, start: Any, is_length: bool) -> tuple[float, float]:
    if values is not None:
        ends = [option.check(each.strip()) for each in values.split("..", 1)]
        if not ends[0] < ends[1]:
            raise UsageError(f"--search {option.name}={values}: an interval is LOW..HIGH, the lower end first")
        return ends[0], ends[1]
    if is_length:
        least = start / LEAST_OF_THE_LENGTH
        return (max(1, math.ceil(least)) if option.kind is int else least), start
    bounds = option.range
    if bounds is not None and bounds.search is not None:
        return bounds.search
    if bounds is None or not (math.isfinite(bounds.low) and math.isfinite(bounds.high)):
        raise UsageError(f"--search: say between what, as in {option.name}=LOW..HIGH")
    return bounds.low, bounds.high


def _choices_of(option: Option) -> str:
    return "/".join(map(str, option.choices or ("true", "false")))
