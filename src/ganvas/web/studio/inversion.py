"""A picture of one's own, found among all that the run makes of noise: how near that comes, and sliders that move it
from there. What `ganvas edit --invert` does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import gradio as gr
from torch import Tensor

from ganvas.errors import UsageError
from ganvas.inputs import Input, given_of, searched_of
from ganvas.model import Directions, Model, changed, main_directions, moved
from ganvas.options import Range
from ganvas.spaces import Space
from ganvas.web.studio.context import Desk
from ganvas.web.studio.errors import real, told
from ganvas.web.studio.fields import STAYS, field_of, given_by

LONGEST = 20
"""Seconds of a search, during which no other visitor has a model."""

COUNT = 6
REACH = 5.0
"""Standard deviations that a slider goes to either side. What is found can lie far out, and needs long ways back."""

FOUND = "is looked for"


@dataclass(frozen=True)
class Found:
    """What was found for a picture. run: by its name. name: of what is made of it. directions: None where there are
    none."""

    run: str
    name: str
    target: Tensor
    inputs: dict[str, Tensor]
    directions: Directions | None


def can_be_inverted(inputs: Mapping[str, Input], space: Space | None) -> bool:
    """Whether pictures, samples of this space, are made of what is drawn, and nothing need be given."""
    pictures = space is not None and space.canvas == "pixels"
    return pictures and not given_of(inputs) and bool(searched_of(inputs))


def fields_of(
    desk: Desk, photo: Any, inputs: Mapping[str, Input], shown: list[Any], read: Callable[..., Any], show: Any
) -> None:
    """The fields of the search and of what follows, built where it is called. photo: the upload. shown: where before
    and after appear. read: of the upload's path and a space, the name and the content of the picture. show: of a space,
    a name, before and after, what `shown` gets."""
    asked = {name: each for name, each in inputs.items() if each.admits()}
    gr.Markdown(
        "This run makes all of noise. It looks for the noise that it would make yours of; then move that.",
        elem_classes="hint",
    )
    seconds = gr.Slider(1, LONGEST, 5, step=1, label="Seconds to look for it", interactive=True, elem_id="seconds")
    if asked:
        gr.Markdown("What you know of it:", elem_classes="hint")
    known = [field_of(name, each, "known", FOUND) for name, each in asked.items()]
    go = gr.Button("Find it", variant="primary", elem_id="invert")
    said = gr.Markdown(elem_id="inverted", elem_classes="hint")
    sliders = [
        gr.Slider(
            -REACH,
            REACH,
            0,
            step=0.1,
            label=f"Direction {number}",
            visible=False,
            interactive=True,
            elem_id=f"move-{number}",
        )
        for number in range(1, COUNT + 1)
    ]
    with gr.Column(visible=False) as further:
        gr.Markdown("What it is to be instead:", elem_classes="hint")
        to = [field_of(name, each, "to", STAYS) for name, each in asked.items()]
    found = gr.State(None)

    def find(name: Any, path: Any, how_long: Any, *values: Any) -> Any:
        limit, given = real("seconds", how_long, Range(1, LONGEST)), given_by(known, values)
        with desk.models.use(name) as model:
            stem, content = read(path, model.space)
            inversion = model.invert(content, seconds=limit, **given)
            target, directions = model.space.read(content), None
            with suppress(UsageError):
                directions = main_directions(model, COUNT)
            now = Found(name, f"{stem}-{name}", target, inversion.inputs, directions)
            pictures = show(model, now.name, target, inversion.samples)
        count = 0 if directions is None else len(directions.vectors)
        ways = [gr.Slider(value=0, visible=place < count) for place in range(COUNT)]
        return [*pictures, inversion.told(), now, *ways, gr.Column(visible=bool(to))]

    def move(name: Any, now: Any, *values: Any) -> Any:
        if not isinstance(now, Found) or now.run != name:
            raise UsageError("find the picture first")
        amounts = [real(f"direction-{i + 1}", each, Range(-REACH, REACH)) for i, each in enumerate(values[:COUNT])]
        changes = given_by(to, values[COUNT:])
        with desk.models.use(name) as model:
            return show(model, now.name, now.target, _moved(model, now, amounts, changes))

    quietly: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "trigger_mode": "always_last"}
    chosen = [component for field in known for component in field.components]
    others = [component for field in to for component in field.components]
    go.click(
        told(find),
        [desk.run, photo, seconds, *chosen],
        [*shown, said, found, *sliders, further],
        api_visibility="private",
    )
    for each in (*sliders, *others):
        each.input(told(move), [desk.run, found, *sliders, *others], shown, **quietly)


def _moved(model: Model, found: Found, amounts: list[float], changes: Mapping[str, Any]) -> Tensor:
    inputs = found.inputs
    if found.directions is not None:
        inputs = moved(inputs, found.directions, amounts[: len(found.directions.vectors)])
    return changed(model, inputs, changes)
