"""One annotated constructor signature feeds the command line, validation and `config.json`.

    def __init__(self, *, channels: Annotated[int, FromData()],
                 lr: Annotated[float, Range(1e-5, 1e-2, log=True), "learning rate of both players"] = 2e-4): ...

`read_options` turns such a signature into a list of `Option`; the command line, the web form and the tuner read
that list and nothing else. Arguments that go together can be one `Group` in the signature; outside it they are as if
each stood there by itself. This module imports no torch, so that `ganvas --help` stays instant.
"""

import dataclasses
import functools
import inspect
import math
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Self

from ganvas.errors import UsageError, near_miss
from ganvas.text import cut, quoted, shown

REQUIRED = inspect.Parameter.empty


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included. `log` asks a tuner to search on a logarithmic scale. `search` is
    what it searches where nobody says otherwise, since what is admitted is often far more than what is worth a try; an
    argument without it is searched where it is named only."""

    low: float = -math.inf
    high: float = math.inf
    log: bool = False
    search: tuple[float, float] | None = None


@dataclass(frozen=True)
class FromData:
    """Marks an argument that the data decides (channels, size, classes, ...): the trainer fills it in."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Base of frozen dataclasses whose fields are arguments that go together.

    A constructor with an argument of such a class is read, checked, remembered and called as if it had the fields as
    arguments. Where that argument has no default, all of them; where it has one, those that the default names, in its
    order and with its values, and the others stay what the class says:

        images: Images                             the arguments of Images: channels, size
        contest: Contest = Contest(lr=1e-3)        the argument lr, 1e-3 by default
        contest: Contest = Contest.open(lr=1e-3)   all arguments of Contest, lr 1e-3 by default
    """

    named: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __new__(cls, **named: Any) -> Self:
        made = super().__new__(cls)
        object.__setattr__(made, "named", tuple(named))
        return made

    @classmethod
    def open(cls, **named: Any) -> Self:
        """One that names all its fields, for a default that leaves all of them to choose."""
        own = {name: default for name, default in _fields(cls, REQUIRED).items() if default is not REQUIRED}
        return cls(**own | named)


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


class Words(Parsed, tuple[str, ...]):
    """Names, from `colour,cutout` or a list of them, each once."""

    metavar = "NAME,..."
    noun = "names with commas between them"

    def __new__(cls, value: Any) -> Self:
        words = [word.strip() for word in value.split(",")] if isinstance(value, str) else list(value)
        if not words or not all(isinstance(word, str) and word for word in words):
            raise ValueError(value)
        return super().__new__(cls, tuple(dict.fromkeys(words)))

    def __str__(self) -> str:
        return ",".join(self)


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
        return flag_of(self.name)

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
            return self._of_data(tuple(value) if isinstance(value, list) else value)
        if self.choices:
            for choice in self.choices:
                if value == choice or (self.kind is int and value == str(choice)):
                    return choice
            hint = near_miss(str(value), map(str, self.choices))
            raise UsageError(f"{self.flag} cannot be {quoted(value)}{hint}")
        try:
            number = self._convert(value)
        except (TypeError, ValueError, OverflowError):
            noun = {int: "a whole number", float: "a number", bool: "true or false"}.get(self.kind, "text")
            noun = self.kind.noun if issubclass(self.kind, Parsed) else noun
            raise UsageError(f"{self.flag} takes {noun}, not {quoted(value)}") from None
        numbers = number if isinstance(number, tuple) else (number,)
        if self.range is not None and not all(self.range.low <= each <= self.range.high for each in numbers):
            low, high = (f"{bound:g}" for bound in (self.range.low, self.range.high))
            admitted = f"{low} to {high}" if math.isfinite(self.range.high) else f"{low} or more"
            raise UsageError(
                f"{self.flag} must be {admitted}, not {number if numbers is number else cut(shown(str(value)))}"
            )
        return number

    def _of_data(self, value: Any) -> Any:
        """What the data decides, or a run from elsewhere claims that it did: whole numbers, where there is a range."""
        numbers = value if isinstance(value, tuple) else (value,)
        bounds = self.range
        if bounds is not None and not all(type(each) is int and bounds.low <= each <= bounds.high for each in numbers):
            raise UsageError(f"{self.name} must be {bounds.low:g} to {bounds.high:g}, not {shown(str(value)[:80])}")
        return value

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


def flag_of(name: str) -> str:
    """The flag of an argument: `d_steps` is `--d-steps`."""
    return "--" + name.replace("_", "-")


def read_options(constructor: Callable[..., Any]) -> list[Option]:
    """The keyword-only arguments of `constructor` (a class or a function), in their order; a group's one by one.

    Raises TypeError where a recipe's author left an argument unannotated: that is the author's mistake, not the user's.
    """
    function = constructor.__init__ if inspect.isclass(constructor) else constructor
    # Fields that a dataclass inherits are written in the words of another module, which only the class leads to.
    hints = typing.get_type_hints(
        constructor if dataclasses.is_dataclass(constructor) else function, include_extras=True
    )
    options = []
    for name, default in _keywords(function).items():
        if name not in hints:
            raise TypeError(f"{constructor.__qualname__}: argument {name!r} has no annotation")
        if _is_group(hints[name]):
            inner = typing.get_type_hints(hints[name], include_extras=True)
            options += [_option(each, inner[each], value) for each, value in _fields(hints[name], default).items()]
        else:
            options.append(_option(name, hints[name], default))
    return options


def argument_names(function: Callable[..., Any]) -> list[str]:
    """The names of a function's keyword-only arguments, a group's one by one."""
    groups = _groups(function)
    return [each for name in _keywords(function) for each in groups.get(name, (name,))]


def gathering(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, which from now on takes the fields of its groups one by one as well as in their groups."""

    @functools.wraps(function)
    def gathered(*positional: Any, **given: Any) -> Any:
        hints = _hints(function)
        for name, fields in _groups(function).items():
            default = _keywords(function)[name]
            own = {each: given.pop(each) for each in fields if each in given}
            if own or (default is REQUIRED and name not in given):
                base = given.get(name, default)
                given[name] = hints[name](**own) if base is REQUIRED else dataclasses.replace(base, **own)
        return function(*positional, **given)

    return gathered


def _keywords(function: Callable[..., Any]) -> dict[str, Any]:
    """The defaults of keyword-only arguments, by name; REQUIRED where there is none."""
    parameters = inspect.signature(function).parameters.values()
    return {each.name: each.default for each in parameters if each.kind is inspect.Parameter.KEYWORD_ONLY}


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function, include_extras=True)
    except NameError:  # a class within a function may name what only that function knows; it has no groups then
        return {}


def _groups(function: Callable[..., Any]) -> dict[str, dict[str, Any]]:
    """The fields of each argument that is a group, with their defaults."""
    hints = _hints(function)
    return {n: _fields(hints[n], default) for n, default in _keywords(function).items() if _is_group(hints.get(n))}


def _is_group(hint: Any) -> bool:
    return inspect.isclass(hint) and issubclass(hint, Group)


def _fields(group: type[Group], default: Any) -> dict[str, Any]:
    """The defaults of those fields that are arguments where a signature has the group with this default."""
    if default is not REQUIRED:
        return {name: getattr(default, name) for name in default.named}
    return {
        each.name: REQUIRED if each.default is dataclasses.MISSING else each.default
        for each in dataclasses.fields(group)
        if each.init
    }


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
            raise UsageError(f"{constructor.__name__} has no option {quoted(name)}{near_miss(name, options)}")
    values = {}
    for name, option in options.items():
        if name in arguments:
            values[name] = option.check(arguments[name])
        elif option.default is REQUIRED:
            raise UsageError(f"{constructor.__name__} needs {quoted(name)}, and the data does not tell it")
        else:
            values[name] = option.default
    return values
