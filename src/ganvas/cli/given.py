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

_GIVEN = "given "
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
