"""What the commands share: a parser whose errors are Ganvas's, and flags made from annotated signatures."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

from ganvas.errors import UsageError, near_miss
from ganvas.options import Option, read_options
from ganvas.progress_bar import say_first
from ganvas.text import cut, quoted, shown


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are Ganvas's: one line, with the nearest flag.

    elsewhere: what flags that this command does not have are for, by flag.
    """

    def __init__(self, **texts: str) -> None:
        self.elsewhere: dict[str, str] = {}
        super().__init__(
            prog=texts["prog"],
            usage=texts["usage"],
            description=texts["description"],
            epilog=texts["epilog"],
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    def error(self, message: str) -> NoReturn:
        raise UsageError(message)

    def parse_strictly(self, words: Sequence[str]) -> argparse.Namespace:
        parsed, unknown = self.parse_known_intermixed_args(words)
        if unknown:
            flags = [flag for action in self._actions for flag in action.option_strings if flag.startswith("--")]
            word = unknown[0].partition("=")[0]
            if not word.startswith("-"):
                raise UsageError(f"{self.prog} does not know what to do with {quoted(word)}; see {self.prog} --help")
            if word in self.elsewhere:
                raise UsageError(f"{self.prog} has no flag {word}, which is for {self.elsewhere[word]}")
            close = near_miss(word, flags)
            hint = close if close.startswith("; did") else f"; see {self.prog} --help"
            raise UsageError(f"{self.prog} has no flag {cut(shown(word))}{hint}")
        return parsed


def say_what_begins(doing: str, words: Sequence[str], alone: Collection[str], silent: Collection[str]) -> None:
    """Says in a line what a command does with the first thing that it is given, before PyTorch is loaded, and before
    it is known whether the words are right. alone: its flags that take no value. silent: those with which it says
    nothing; nor does it where help is asked for, or where there is nothing of that name."""
    place = first_plain(words, lambda flag, word: flag in alone)
    if place is not None and not {"-h", "--help", *silent} & set(words) and _may_be(words[place]):
        say_first(f"{doing} {cut(shown(words[place]))}", True)


def _may_be(name: str) -> bool:
    from ganvas.data.builtin import known_as

    try:
        return name.startswith("zoo:") or Path(name).exists() or known_as(name) is not None
    except (OSError, ValueError):
        return False


def is_flag(word: str) -> bool:
    return re.match(r"-[^0-9.]", word) is not None


def first_plain(words: Sequence[str], alone: Callable[[str, str], bool]) -> int | None:
    """The place of the first word that is neither a flag nor the value of the one before it, before anything is
    parsed; None where there is none. alone: whether a flag takes no value, given the word behind it."""
    for place, (before, word) in enumerate(pairwise(["", *words])):
        valued = is_flag(before) and "=" not in before and not alone(before, word)
        if not is_flag(word) and not valued:
            return place
    return None


def own_options(recipe: Any) -> list[Option]:
    return [option for option in read_options(recipe) if not option.from_data]


def add_options(group: Any, options: Iterable[Option]) -> None:
    """Flags whose values stay text here; `Option.check` converts them, so that all errors read alike."""
    for option in options:
        if option.kind is bool:
            group.add_argument(
                option.flag, action=argparse.BooleanOptionalAction, default=None, help=help_of(option), dest=option.name
            )
        else:
            group.add_argument(option.flag, metavar=option.metavar, help=help_of(option), dest=option.name)


def help_of(option: Option) -> str:
    return option.explained.replace("%", "%%")


def add_address(parser: Parser, port: int) -> None:
    """Where a server listens, and by what it may be called."""
    parser.add_argument("--host", metavar="H", default="127.0.0.1", help="the address (default: this machine only)")
    parser.add_argument("--port", metavar="P", default=str(port), help=f"0 takes a free one (default: {port})")
    parser.add_argument(
        "--allow-host",
        metavar="NAME",
        action="append",
        default=[],
        help="a host name by which it may be asked for, as behind a reverse proxy; can be given again",
    )


def number_of(flag: str, text: str, kind: type) -> Any:
    return Option(flag.lstrip("-"), kind, None).check(text)
