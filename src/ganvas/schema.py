"""What JSON from elsewhere must look like, declared where it is read:

    VALUES = record({"step": whole(), "seconds": number(0)}, {"note": text()})
    check(VALUES, parsed)

A schema is a function of a value and of the place at which it stands; it raises `Misfit` where they do not go together.
Nothing is converted: what passes is used as it is.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from typing import Any

from ganvas.text import cut, shown

Schema = Callable[[Any, str], None]

MOST = 10**15
"""Whole numbers beyond which a count of anything is none."""


class Misfit(ValueError):
    """A value that is not as its schema says; `str` says where, in a few words."""


def check(schema: Schema, value: Any) -> None:
    """Raises Misfit, naming the first place, unless the value is as the schema says."""
    schema(value, "")


def anything(value: Any, place: str) -> None:
    """Whatever JSON holds."""


def whole(low: int = 0, high: int = MOST) -> Schema:
    """A whole number, from `low` to `high`."""

    def fits(value: Any, place: str) -> None:
        if type(value) is not int or not low <= value <= high:
            raise _misfit(place, f"a whole number from {low:,} to {high:,}", value)

    return fits


def number(low: float = -sys.float_info.max, high: float = sys.float_info.max) -> Schema:
    """A finite number, from `low` to `high`."""

    def fits(value: Any, place: str) -> None:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
            raise _misfit(place, f"a number from {low:g} to {high:g}", value)

    return fits


def any_number(value: Any, place: str) -> None:
    """A number, be it not finite."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or abs(value) > sys.float_info.max != math.inf:
        raise _misfit(place, "a number", value)


def text(most: int = 4096) -> Schema:
    """Text of so many characters at most."""

    def fits(value: Any, place: str) -> None:
        if not isinstance(value, str) or len(value) > most:
            raise _misfit(place, f"text of at most {most:,} characters", value)

    return fits


def truth(value: Any, place: str) -> None:
    """true or false."""
    if not isinstance(value, bool):
        raise _misfit(place, "true or false", value)


def perhaps(schema: Schema) -> Schema:
    """null, or as the schema says."""

    def fits(value: Any, place: str) -> None:
        if value is not None:
            schema(value, place)

    return fits


def several(schema: Schema, most: int = 1_000_000) -> Schema:
    """A list, each of which is as the schema says."""

    def fits(value: Any, place: str) -> None:
        if not isinstance(value, list) or len(value) > most:
            raise _misfit(place, f"a list of at most {most:,}", value)
        for index, each in enumerate(value):
            schema(each, f"{place}[{index}]")

    return fits


def table(schema: Schema = anything) -> Schema:
    """An object with any names, each of whose values is as the schema says."""

    def fits(value: Any, place: str) -> None:
        if not isinstance(value, dict):
            raise _misfit(place, "an object", value)
        for name, each in value.items():
            schema(each, _below(place, name))

    return fits


def record(needed: Mapping[str, Schema], possible: Mapping[str, Schema] | None = None) -> Schema:
    """An object that has all the names in `needed`, and perhaps those in `possible`, each as its schema says. It may
    have others, which a later version knows."""
    known = {**needed, **(possible or {})}

    def fits(value: Any, place: str) -> None:
        table()(value, place)
        for name in needed:
            if name not in value:
                raise Misfit(f"{_below(place, name)} is missing")
        for name, schema in known.items():
            if name in value:
                schema(value[name], _below(place, name))

    return fits


def _below(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


def _misfit(place: str, wanted: str, value: Any) -> Misfit:
    told = "infinite" if isinstance(value, float) and math.isinf(value) else _told(value)
    return Misfit(f"{shown(place)[:200] or 'it'} must be {wanted}, not {told}")


def _told(value: Any) -> str:
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else f"a list of {len(value):,}"
    if isinstance(value, int) and abs(value) > MOST * MOST:
        return "a huge number"  # which Python may refuse to write in figures
    return cut(shown(repr(value)), 80)
