"""A field for each input that people can give: a choice of a class, sliders of numbers, an upload."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import gradio as gr

from ganvas.attributes import Attribute
from ganvas.errors import UsageError
from ganvas.inputs import Attributes, Given, Input, Number, Uniform
from ganvas.text import shown
from ganvas.web.studio.context import names
from ganvas.web.studio.uploads import content_of
from ganvas.web.studio.widgets import ANY

STAYS = "stays as it is"

MOST_SLIDERS = 12
"""Numbers that have a slider each; more are written with commas between them."""


@dataclass(frozen=True)
class Field:
    """components: what the page shows. read: the input's value of theirs, None where nothing is given."""

    name: str
    components: list[Any]
    read: Callable[..., Any]


def field_of(name: str, each: Input, place: str = "given", free: str = ANY) -> Field:
    """The field of an input, built where it is called. Every kind that is not known here is written as text. place:
    what the identifiers of its elements begin with, since a page has each once. free: what a choice is where nothing is
    chosen."""
    return KINDS.get(each.kind, _text)(name, each, f"{place}-{name}", free)


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


def _choice(name: str, each: Input, place: str, free: str) -> Field:
    known = {shown(word): word for word in each.choices}
    choice = names(_title(name), choices=[free, *known], value=free, interactive=True, elem_id=place)
    return Field(name, [choice], lambda value: None if value in (free, "", None) else known.get(value, str(value)))


def _sliders(name: str, each: Input, place: str, free: str) -> Field:
    numbers = cast(Uniform, each)
    if numbers.count > MOST_SLIDERS:
        return _text(name, each, place, free)
    middle = (numbers.low + numbers.high) / 2
    step = _step(numbers.low, numbers.high)
    wanted = gr.Checkbox(False, label=f"Choose {name}", info="else they are drawn", interactive=True, elem_id=place)
    sliders = [
        gr.Slider(
            numbers.low,
            numbers.high,
            middle,
            step=step,
            label=f"{_title(name)} {i + 1}",
            interactive=True,
            elem_id=f"{place}-{i}",
        )
        for i in range(numbers.count)
    ]

    def read(used: Any, *values: Any) -> list[float] | None:
        return [float(value) for value in values] if used is True else None

    return Field(name, [wanted, *sliders], read)


def _number(name: str, each: Input, place: str, free: str) -> Field:
    number = cast(Number, each)
    slider = gr.Slider(
        number.low,
        number.high,
        number.default,
        step=_step(number.low, number.high),
        label=_title(name),
        interactive=True,
        elem_id=place,
    )
    return Field(name, [slider], float)


def _attributes(name: str, each: Input, place: str, free: str) -> Field:
    """A row for each: what it is to be, unless it stays as it is."""
    rows = [_attribute(f"{place}-{one.name}", one) for one in cast(Attributes, each).attributes]
    components = [component for row in rows for component in row.components]
    return Field(name, components, lambda *values: given_by(rows, values) or None)


def _attribute(place: str, each: Attribute) -> Field:
    title = _title(each.name)
    if each.choices:
        known = {shown(word): word for word in each.choices}
        choice = names(title, choices=[STAYS, *known], value=STAYS, interactive=True, elem_id=place)
        return Field(each.name, [choice], lambda value: None if value in (STAYS, "", None) else known.get(value, value))
    with gr.Row(elem_classes="attribute"):
        wanted = gr.Checkbox(False, label=title, min_width=110, scale=1, interactive=True, elem_id=f"{place}-set")
        slider = gr.Slider(
            each.low,
            each.high,
            each.high if each.switch else (each.low + each.high) / 2,
            step=_step(each.low, each.high),
            label=title,
            show_label=False,
            scale=2,
            interactive=True,
            elem_id=place,
        )
    # Who moves it wants it.
    slider.input(None, None, wanted, js="() => true", show_progress="hidden", api_visibility="private")
    return Field(each.name, [wanted, slider], lambda used, value: value if used is True else None)


def _upload(name: str, each: Input, place: str, free: str) -> Field:
    file = gr.File(
        label=f"{_title(name)} ({each.admits()})",
        type="filepath",
        height=120,
        interactive=True,
        elem_id=place,
    )

    def read(path: Any) -> bytes:
        if not path:
            raise UsageError(f"choose a file for {name} first")
        return content_of(path, cast(Given, each).space, name)[1]

    return Field(name, [file], read)


def _text(name: str, each: Input, place: str, free: str) -> Field:
    text = gr.Textbox(label=_title(name), info=each.admits(), interactive=True, elem_id=place)
    return Field(name, [text], lambda value: str(value) if value else None)


KINDS: dict[str, Callable[[str, Input, str, str], Field]] = {
    "attributes": _attributes,
    "class": _choice,
    "given": _upload,
    "number": _number,
    "uniform": _sliders,
}


def _step(low: float, high: float) -> float:
    """Of a slider: whole numbers where there are many."""
    return 1 if high - low > 10 else (high - low) / 100


def _title(name: str) -> str:
    return name[0].upper() + name[1:].replace("_", " ")
