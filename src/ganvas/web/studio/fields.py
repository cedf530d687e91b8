"""A field for each input that people can give: a choice of a class, sliders of numbers, an upload."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import gradio as gr

from ganvas.errors import UsageError
from ganvas.inputs import Input, Uniform
from ganvas.text import shown
from ganvas.web.studio.context import names
from ganvas.web.studio.guard import check_here
from ganvas.web.studio.widgets import ANY

MOST_SLIDERS = 12
"""Numbers that have a slider each; more are written with commas between them."""


@dataclass(frozen=True)
class Field:
    """components: what the page shows. read: the input's value of theirs, None where nothing is given."""

    name: str
    components: list[Any]
    read: Callable[..., Any]


def field_of(name: str, each: Input) -> Field:
    """The field of an input, built where it is called. Every kind that is not known here is written as text."""
    return KINDS.get(each.kind, _text)(name, each)


def given_by(fields: list[Field], values: tuple[Any, ...]) -> dict[str, Any]:
    """What visitors gave, by input, from the values of all fields' components in their order."""
    given, at = {}, 0
    for field in fields:
        mine = values[at : at + len(field.components)]
        at += len(field.components)
        given[field.name] = field.read(*mine)
    return {name: value for name, value in given.items() if value is not None}


def lacking(inputs: Mapping[str, Input]) -> list[str]:
    """What samples cannot be made without."""
    return [name for name, each in inputs.items() if each.file]


def _choice(name: str, each: Input) -> Field:
    choice = names(
        _title(name), choices=[ANY, *map(shown, each.choices)], value=ANY, interactive=True, elem_id=f"given-{name}"
    )
    known = {shown(word): word for word in each.choices}
    return Field(name, [choice], lambda value: None if value in (ANY, "", None) else known.get(value, str(value)))


def _sliders(name: str, each: Input) -> Field:
    numbers = cast(Uniform, each)
    if numbers.count > MOST_SLIDERS:
        return _text(name, each)
    middle = (numbers.low + numbers.high) / 2
    step = (numbers.high - numbers.low) / 100
    wanted = gr.Checkbox(
        False, label=f"Choose {name}", info="else they are drawn", interactive=True, elem_id=f"given-{name}"
    )
    sliders = [
        gr.Slider(
            numbers.low,
            numbers.high,
            middle,
            step=step,
            label=f"{_title(name)} {i + 1}",
            interactive=True,
            elem_id=f"given-{name}-{i}",
        )
        for i in range(numbers.count)
    ]

    def read(used: Any, *values: Any) -> list[float] | None:
        return [float(value) for value in values] if used is True else None

    return Field(name, [wanted, *sliders], read)


def _upload(name: str, each: Input) -> Field:
    file = gr.File(
        label=f"{_title(name)} ({each.admits()})",
        type="filepath",
        height=120,
        interactive=True,
        elem_id=f"given-{name}",
    )

    def read(path: Any) -> bytes:
        if not path:
            raise UsageError(f"choose a file for {name} first")
        return check_here(path).read_bytes()

    return Field(name, [file], read)


def _text(name: str, each: Input) -> Field:
    text = gr.Textbox(label=_title(name), info=each.admits(), interactive=True, elem_id=f"given-{name}")
    return Field(name, [text], lambda value: str(value) if value else None)


KINDS: dict[str, Callable[[str, Input], Field]] = {"class": _choice, "uniform": _sliders, "given": _upload}


def _title(name: str) -> str:
    return name[0].upper() + name[1:].replace("_", " ")
