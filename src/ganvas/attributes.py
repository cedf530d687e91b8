"""Attributes: named properties of a sample, such as a smile, the colour of hair, an age.

Each is one number: 0 or 1, a number of a range, or the place of a word in a list of choices. NaN means that nobody says
anything about it. Importing this needs no torch.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from numbers import Real
from typing import Any, Self

from ganvas.errors import UsageError, near_miss
from ganvas.text import cut, listed, quoted, shown

MOST = 1000
"""Attributes, and choices of one of them, that a file may name; more are taken for damage."""

STAYS = math.nan
"""The number of an attribute that is to stay what it is."""


@dataclass(frozen=True)
class Attribute:
    """One named property: a number from `low` to `high`, or one of `choices`, kept as its place among them.

    From 0 to 1 without choices it is a switch, on or off. Raises ValueError for a name or a range that none has: names
    are words without commas and equals signs, since `smile=1,age=60` is how people write what they want.
    """

    name: str
    low: float = 0.0
    high: float = 1.0
    choices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.name.strip() or len(self.name) > 200 or "=" in self.name or "," in self.name:
            raise ValueError(f"no attribute can be called {quoted(self.name)}")
        if self.choices:
            if not 2 <= len(set(self.choices)) == len(self.choices) <= MOST:
                raise ValueError(f"{shown(self.name)} has {len(self.choices)} choices")
            object.__setattr__(self, "low", 0.0)
            object.__setattr__(self, "high", len(self.choices) - 1.0)
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ValueError(f"{shown(self.name)} goes from {self.low} to {self.high}")

    @property
    def switch(self) -> bool:
        """Whether it is on or off, or something between the two."""
        return not self.choices and (self.low, self.high) == (0, 1)

    def number(self, value: Any) -> float:
        """What somebody means by a value: text, or a value of JSON. None stands for leaving it as it is. Raises
        UsageError that names the attribute and what is admitted."""
        if value is None:
            return STAYS
        if isinstance(value, str) and value.strip() in self.choices:
            return float(self.choices.index(value.strip()))
        named = self.choices and not all(map(_is_number, self.choices))
        number = math.nan if named and isinstance(value, str) else _number(value, self.switch)
        whole = not self.choices or number.is_integer()
        if self.low <= number <= self.high and whole:
            return number
        hint = near_miss(value, self.choices) if isinstance(value, str) and self.choices else ""
        told = hint if hint.startswith("; did") else ""
        raise UsageError(f"{shown(self.name)} must be {self.admits()}, not {quoted(value)}{told}")

    def check(self, number: float) -> None:
        """Raises UsageError, as `number` does, for a number of a tensor that the attribute cannot have."""
        if not math.isnan(number):
            self.number(number)

    def word(self, number: float) -> str:
        """A number of its own in words: the choice, or the number."""
        return self.choices[int(number)] if self.choices else f"{number:g}"

    def says(self, number: float) -> bool:
        """Whether a sample has something of it: not where the number is NaN, or a switch is off."""
        return not math.isnan(number) and not (self.switch and number < 0.5)

    def told(self, number: float) -> str:
        """A number of its own beside its name, such as `age 30`; of a switch that is on the name alone."""
        name = shown(self.name)
        return name if self.switch and number == 1 else f"{name} {shown(self.word(number))}"

    def admits(self) -> str:
        """What people can give, in words."""
        if self.choices:
            return f"one of {listed(map(shown, self.choices), 12)}"
        return "0 or 1, or between" if self.switch else f"{self.low:g} to {self.high:g}"

    def schema(self) -> dict[str, Any]:
        """The JSON schema of its value in a request."""
        if self.choices:
            return {"type": "string", "enum": list(self.choices)}
        return {"type": "number", "minimum": self.low, "maximum": self.high}

    def to_json(self) -> dict[str, Any]:
        told = asdict(self)
        return told | {"choices": list(self.choices)}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Self:
        """What `to_json` wrote. Raises ValueError, TypeError or KeyError for anything else."""
        name, choices = told["name"], told.get("choices", ())
        if not isinstance(name, str) or isinstance(choices, str) or not all(isinstance(each, str) for each in choices):
            raise TypeError(f"no attribute is {told}")
        return cls(name, float(told.get("low", 0)), float(told.get("high", 1)), tuple(choices))


def attributes_to_json(attributes: Iterable[Attribute]) -> list[dict[str, Any]]:
    """For `config.json`, in their order."""
    return [each.to_json() for each in attributes]


def attributes_from_json(told: Iterable[Mapping[str, Any]]) -> tuple[Attribute, ...]:
    """What `attributes_to_json` wrote: at least one, each name once. Raises ValueError, TypeError or KeyError for
    anything else."""
    attributes = tuple(Attribute.from_json(each) for each in told)
    if not 1 <= len({each.name for each in attributes}) == len(attributes) <= MOST:
        raise ValueError(f"{len(attributes)} attributes, whose names differ or not")
    return attributes


def numbers_of(attributes: Iterable[Attribute], value: Any) -> list[float]:
    """One number an attribute, of a mapping such as `{"smile": 1}` or of text such as `smile=1,hair=pink`; NaN for
    those that are not named. Raises UsageError for a name that there is not, and for a value that it cannot have."""
    known = {each.name: each for each in attributes}
    numbers = dict.fromkeys(known, STAYS)
    for name, wanted in _pairs(value, known):
        if name not in known:
            raise UsageError(f"there is no attribute {quoted(name)}{near_miss(cut(name), known)}")
        numbers[name] = known[name].number(wanted)
    return list(numbers.values())


def _pairs(value: Any, known: Mapping[str, Attribute]) -> list[tuple[str, Any]]:
    if isinstance(value, Mapping):
        return [(str(name), wanted) for name, wanted in value.items()]
    if not isinstance(value, str):
        raise UsageError(f"attributes are given as {_example(known)}, not {quoted(value)}")
    pairs = []
    for word in filter(None, map(str.strip, value.split(","))):
        name, equals, wanted = word.partition("=")
        if not equals or not wanted.strip():
            raise UsageError(f"attributes are given as {_example(known)}, not {quoted(word)}")
        pairs.append((name.strip(), wanted.strip()))
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"the attribute {quoted(name)} is given more than once")
    return pairs


def _example(known: Mapping[str, Attribute]) -> str:
    return ",".join(f"{shown(each.name)}={each.word(each.high)}" for each in list(known.values())[:2])


def _number(value: Any, switch: bool) -> float:
    """NaN for what is no number."""
    if isinstance(value, bool) and not switch:
        return math.nan
    try:
        return float(value) if isinstance(value, (str, Real)) else math.nan
    except (ValueError, OverflowError):
        return math.nan


def _is_number(text: str) -> bool:
    return not math.isnan(_number(text, False))
