"""What can be given to a run on the command line: flags made from the inputs that it declares."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from ganvas.cli.parsing import Parser, first_plain, is_flag
from ganvas.errors import GanvasError, UsageError
from ganvas.files import read_regular
from ganvas.inputs import Input, inputs_from_json
from ganvas.options import flag_of
from ganvas.text import listed

_GIVEN, _LINES = "given ", "lines "
"""Before the names of inputs, so that none of them is taken for another value of the command."""


def inputs_of(words: Sequence[str], alone: Collection[str]) -> dict[str, Input]:
    """What the run that the words name declares; of one from before runs said so, by loading it. {} where they name
    none, and where help is asked for and the run cannot be read. alone: flags that take no value."""
    asked = {"-h", "--help"}
    place = first_plain(words, lambda flag, word: flag in alone or flag in asked)
    if place is None:
        return {}
    try:
        return _declared(words[place], next((value for flag, value in pairwise(words) if flag == "--recipe"), None))
    except GanvasError:
        if asked.isdisjoint(words):
            raise
        return {}


def _declared(run: str, recipe: str | None) -> dict[str, Input]:
    from ganvas.model import zoo
    from ganvas.run import read_config

    if not zoo.is_zoo(run):
        config = read_config(Path(run))
        if "inputs" in config:
            return inputs_from_json(config["inputs"])
    from ganvas.model import load

    return dict(load(run, recipe=recipe).inputs)


def add_given(parser: Parser, inputs: Mapping[str, Input]) -> None:
    """A flag for each input that people can give."""
    told = {name: each for name, each in inputs.items() if each.admits()}
    if not told:
        return
    group = parser.add_argument_group("what is given to this run")
    for name, each in told.items():
        drawn = each.unless_given and f" (default: {each.unless_given})"
        metavar = "FILE" if each.file else name.upper()
        help = (each.admits() + drawn).replace("%", "%%")
        group.add_argument(flag_of(name), metavar=metavar, help=help, dest=_GIVEN + name)


def add_lines(parser: Parser, inputs: Mapping[str, Input]) -> None:
    """A flag for each input of which several can be given as the lines of a file, such as `--captions`."""
    for name in _of_lines(inputs):
        help = f"several values of {flag_of(name)}: a text file with one in each line; -n is then of each (default: 8)"
        parser.add_argument(f"{flag_of(name)}s", metavar="FILE", help=help, dest=_LINES + name)


def lines_of_words(parsed: argparse.Namespace, inputs: Mapping[str, Input]) -> dict[str, list[str]]:
    """What such flags give, as many lines of each. Raises UsageError."""
    found: dict[str, list[str]] = {}
    for name in _of_lines(inputs):
        path = getattr(parsed, _LINES + name, None)
        if path is None:
            continue
        flag = f"{flag_of(name)}s {path}"
        if getattr(parsed, _GIVEN + name, None) is not None:
            raise UsageError(f"{flag_of(name)} and {flag}: give one of them")
        try:
            text = _content(f"{name}s", path).decode("utf-8-sig")
        except UnicodeDecodeError:
            raise UsageError(f"{flag} is no text in UTF-8") from None
        found[name] = [line.strip() for line in text.splitlines() if line.strip()]
        if not found[name]:
            raise UsageError(f"{flag} is empty: write one in each line")
    if len({len(lines) for lines in found.values()}) > 1:
        raise UsageError(f"{listed(f'{flag_of(name)}s' for name in found)} must have as many lines")
    return found


def remarks(given: Mapping[str, Any], inputs: Mapping[str, Input]) -> list[str]:
    """What is to be known of what is given, with the name of the input."""
    told = {name: inputs[name].remark(value) for name, value in given.items()}
    return [f"{name}: {remark}" for name, remark in told.items() if remark]


def _of_lines(inputs: Mapping[str, Input]) -> list[str]:
    return [name for name, each in inputs.items() if each.lines and f"{name}s" not in inputs]


def joined(words: Sequence[str], inputs: Mapping[str, Input]) -> list[str]:
    """The words, in which what is given stands with its flag, since -0.5,1 would be taken for a flag itself."""
    flags, together = set(map(flag_of, inputs)), list[str]()
    for word in words:
        if together and together[-1] in flags and not is_flag(word):
            together[-1] += f"={word}"
        else:
            together.append(word)
    return together


def given_of_words(parsed: argparse.Namespace, inputs: Mapping[str, Input]) -> dict[str, Any]:
    """The values by the name of the input: text, or the content of a file. Raises UsageError."""
    return {
        name: _content(name, value) if each.file else value
        for name, each in inputs.items()
        if (value := getattr(parsed, _GIVEN + name, None)) is not None
    }


def _content(name: str, path: str) -> bytes:
    try:
        return read_regular(Path(path))
    except OSError as error:
        raise UsageError(f"{flag_of(name)} {path} cannot be read: {error.strerror or error}") from None
