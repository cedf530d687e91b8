"""One annotated constructor signature feeds the command line, validation and `config.json`.

    def __init__(self, *, channels: Annotated[int, FromData()],
                 lr: Annotated[float, Range(1e-5, 1e-2, log=True), "learning rate of both players"] = 2e-4): ...

`read_options` turns such a signature into a list of `Option`; the command line, the web form and the tuner read
that list and nothing else. This module imports no torch, so that `ganvas --help` stays instant.
"""

import inspect
import math
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from ganvas.errors import UsageError, near_miss

REQUIRED = inspect.Parameter.empty


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included. `log` asks a tuner to search on a logarithmic scale."""

    low: float = -math.inf
    high: float = math.inf
    log: bool = False


@dataclass(frozen=True)
class FromData:
    """Marks an argument that the data decides (channels, size, classes, ...): the trainer fills it in."""


class Parsed:
    """Base of the types that an argument may have beside bool, int, float and text.

    The constructor takes what a user, Python code or a JSON file gives, and raises ValueError or TypeError for what
    cannot be. JSON must be able to hold the result, and the constructor to take it again. metavar: what stands behind
    the flag in the help. noun: what it takes, for errors.
    """

    metavar: ClassVar[str]
    noun: ClassVar[str]


class Size2D(Parsed, tuple[int, int]):
    """(height, width), from `64`, `48x64`, a whole number or a pair of them. A `Range` holds for both."""

    metavar = "N|HxW"
    noun = "a number of pixels, or HEIGHTxWIDTH such as 48x64"

    def __new__(cls, value: Any) -> Self:
        sides = value.lower().split("x") if isinstance(value, str) else value
        sides = [sides] if isinstance(sides, int | float) else list(sides)
        if len(sides) not in (1, 2) or any(isinstance(side, bool) or int(side) != float(side) for side in sides):
            raise ValueError(value)
        return super().__new__(cls, (int(sides[0]), int(sides[-1])))

    def __str__(self) -> str:
        return f"{self[0]}x{self[1]}"


@dataclass(frozen=True)
class Option:
    """One keyword argument of a constructor.

    `kind` is bool, int, float, str or a `Parsed`; `choices` are the admitted values of a `Literal`; `optional` says
    that None is admitted; `from_data` that the data decides it.
    """

    name: str
    kind: type
    default: Any
    help: str = ""
    range: Range | None = None
    choices: tuple[Any, ...] = ()
    optional: bool = False
    from_data: bool = False

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def metavar(self) -> str:
        """What stands behind the flag in the help."""
        if self.choices:
            return "|".join(map(str, self.choices))
        return self.kind.metavar if issubclass(self.kind, Parsed) else self.kind.__name__.upper()

    @property
    def explained(self) -> str:
        """The help, with the default where there is one."""
        return self.help + ("" if self.default in (None, REQUIRED) else f" (default: {self.default})")

    def check(self, value: Any) -> Any:
        """The value in the option's type, or a UsageError that names the flag, the value and what is admitted."""
        if value is None and self.optional:
            return None
        if self.from_data:
            return tuple(value) if isinstance(value, list) else value
        if self.choices:
            for choice in self.choices:
                if value == choice or (self.kind is int and value == str(choice)):
                    return choice
            hint = near_miss(str(value), map(str, self.choices))
            raise UsageError(f"{self.flag} cannot be {value!r}{hint}")
        try:
            number = self._convert(value)
        except (TypeError, ValueError, OverflowError):
            noun = {int: "a whole number", float: "a number", bool: "true or false"}.get(self.kind, "text")
            noun = self.kind.noun if issubclass(self.kind, Parsed) else noun
            raise UsageError(f"{self.flag} takes {noun}, not {value!r}") from None
        numbers = number if isinstance(number, tuple) else (number,)
        if self.range is not None and not all(self.range.low <= each <= self.range.high for each in numbers):
            low, high = (f"{bound:g}" for bound in (self.range.low, self.range.high))
            admitted = f"{low} to {high}" if math.isfinite(self.range.high) else f"{low} or more"
            raise UsageError(f"{self.flag} must be {admitted}, not {number if numbers is number else value}")
        return number

    def _convert(self, value: Any) -> Any:
        if self.kind is bool:
            if isinstance(value, bool):
                return value
            raise ValueError
        if isinstance(value, bool):
            raise ValueError
        converted = self.kind(value)
        if self.kind is int and isinstance(value, float) and value != converted:
            raise ValueError
        if self.kind is float and not math.isfinite(converted):
            raise ValueError
        return converted


def read_options(constructor: Callable[..., Any]) -> list[Option]:
    """The keyword-only arguments of `constructor` (a class or a function), in their order.

    Raises TypeError where a recipe's author left an argument unannotated: that is the author's mistake, not the user's.
    """
    function = constructor.__init__ if inspect.isclass(constructor) else constructor
    hints = typing.get_type_hints(function, include_extras=True)
    options = []
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            continue
        if name not in hints:
            raise TypeError(f"{constructor.__qualname__}: argument {name!r} has no annotation")
        options.append(_option(name, hints[name], parameter.default))
    return options


def _option(name: str, hint: Any, default: Any) -> Option:
    marks: tuple[Any, ...] = ()
    if typing.get_origin(hint) is typing.Annotated:
        hint, *rest = typing.get_args(hint)
        marks = tuple(rest)
    members = typing.get_args(hint)
    optional = typing.get_origin(hint) in (typing.Union, types.UnionType) and type(None) in members
    if optional:
        hint = next(member for member in members if member is not type(None))
    choices = typing.get_args(hint) if typing.get_origin(hint) is Literal else ()
    kind = type(choices[0]) if choices else hint
    return Option(
        name=name,
        kind=kind if kind in (bool, int, float, str) or (inspect.isclass(kind) and issubclass(kind, Parsed)) else str,
        default=default,
        help=next((mark for mark in marks if isinstance(mark, str)), ""),
        range=next((mark for mark in marks if isinstance(mark, Range)), None),
        choices=choices,
        optional=optional,
        from_data=any(isinstance(mark, FromData) for mark in marks),
    )


def checked(constructor: Callable[..., Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """All arguments of `constructor`: those given, checked, and the defaults of the rest (what `config.json` keeps).

    Raises UsageError for an unknown name, a missing one, or a value outside its range.
    """
    options = {option.name: option for option in read_options(constructor)}
    for name in arguments:
        if name not in options:
            raise UsageError(f"{constructor.__name__} has no option {name!r}{near_miss(name, options)}")
    values = {}
    for name, option in options.items():
        if name in arguments:
            values[name] = option.check(arguments[name])
        elif option.default is REQUIRED:
            raise UsageError(f"{constructor.__name__} needs {name!r}, and the data does not tell it")
        else:
            values[name] = option.default
    return values
