"""All inputs of a recipe together: which of them are what, their names, and how they are stored."""

from __future__ import annotations

import keyword
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from ganvas.errors import RunError
from ganvas.inputs.base import Input
from ganvas.inputs.conditions import Attributes, Caption, Category, Where
from ganvas.inputs.given import Given
from ganvas.inputs.numbers import Normal, Number, Shift, Uniform
from ganvas.text import shown

RESERVED = frozenset(
    {"balanced", "draws", "file", "format", "help", "n", "out", "overwrite", "recipe", "request", "run", "seconds"}
    | {"seed", "self", "size", "steps", "tick", "truncation", "values"}
)
"""Names that no input has, because samples are asked for by them."""

_KINDS: dict[str, type[Input]] = {
    each.kind: each for each in (Normal, Shift, Uniform, Number, Category, Attributes, Where, Caption, Given)
}


def label(classes: int) -> dict[str, Input]:
    """The input `label` of a conditional recipe; none for 0 classes. For `{"latent": ..., **label(self.classes)}`."""
    return {"label": Category(classes)} if classes else {}


def given_of(inputs: Mapping[str, Input]) -> dict[str, Given]:
    """The inputs that must be given, by name."""
    return {name: each for name, each in inputs.items() if isinstance(each, Given)}


def searched_of(inputs: Mapping[str, Input], known: Iterable[str] = ()) -> dict[str, Input]:
    """The inputs in which a search can go downhill, by name, but for those whose values are known."""
    return {name: each for name, each in inputs.items() if each.smooth and name not in known}


def with_names(inputs: Mapping[str, Input], names: Mapping[str, tuple[str, ...]]) -> dict[str, Input]:
    """The inputs with the names of their classes, by the name of the input, where the data has as many."""
    return {
        name: replace(each, names=names[name])
        if isinstance(each, Category) and len(names.get(name, ())) == each.count
        else each
        for name, each in inputs.items()
    }


def names_of(inputs: Mapping[str, Input]) -> dict[str, tuple[str, ...]]:
    """The names of classes, by the name of the input: the reverse of `with_names`."""
    return {name: each.names for name, each in inputs.items() if isinstance(each, Category) and each.names}


def check_names(names: Iterable[str]) -> None:
    """Raises TypeError for the name of an input that no keyword or flag can have, or that samples are asked for by."""
    for name in names:
        if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_") or name in RESERVED:
            raise TypeError(f"an input of `generate` cannot be called {name[:80]!r}; rename it")


def inputs_to_json(inputs: Mapping[str, Input]) -> list[dict[str, Any]]:
    """For `config.json` and exported files, in their order."""
    return [{"name": name, **each.to_json()} for name, each in inputs.items()]


def inputs_from_json(told: Any) -> dict[str, Input]:
    """What `inputs_to_json` wrote. Raises RunError for anything else."""
    try:
        inputs = {str(each["name"]): _KINDS[each["kind"]].from_json(each) for each in told}
        check_names(inputs)
        return inputs
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise RunError(f"these are no inputs that are known here: {shown(str(told)[:200])}") from error
