"""Directions: the main directions of the latent space, a slider along each, and what each does to a sample."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr
import torch
from PIL import Image

from ganvas.errors import UsageError
from ganvas.model import Directions, Model, closed_form_directions, decode, drawn, moved, principal_directions
from ganvas.options import Range
from ganvas.recipe import Recipe
from ganvas.web.studio.context import Desk
from ganvas.web.studio.errors import SEEDS, real, told, whole
from ganvas.web.studio.widgets import chosen, class_choice, picture_of, renew, show

COUNT = 6
REACH = 3.0
"""Standard deviations that a slider goes to either side."""

METHODS: dict[str, Callable[..., Directions]] = {
    "what its weights say": lambda model, given: closed_form_directions(model, COUNT),
    "what its samples say": lambda model, given: principal_directions(model, COUNT, **given),
}
_STOPS = torch.linspace(-REACH, REACH, 7).tolist()


def build(desk: Desk) -> None:
    names = list(METHODS)
    with gr.Row(elem_classes="picture-first"):
        with gr.Column(scale=1, min_width=280):
            with gr.Row():
                seed = gr.Number(1, precision=0, label="Seed", min_width=110, elem_id="directions-seed")
                group = class_choice("Showing")
            method = gr.Radio(
                names,
                value=names[0],
                label="Found from",
                elem_id="method",
                info="The first layer's weights (closed form), or a thousand samples (principal components)",
            )
            sliders = [
                gr.Slider(-REACH, REACH, 0, step=0.1, label=f"Direction {number}", elem_id=f"direction-{number}")
                for number in range(1, COUNT + 1)
            ]
            back = gr.Button("All back to the middle", size="sm")
        with gr.Column(scale=2, min_width=300):
            picture = picture_of("The sample, moved", 320, "directions-picture")
            gr.Markdown(
                f"What each direction does: one row each, from {-REACH:g} on the left to {REACH:g} on the right."
            )
            strips = picture_of("What each direction does", 460, "strips")

    start = [desk.run, seed, group, method]
    found: dict[tuple[Recipe, str, str], Directions] = {}  # the last ones

    def place(model: Model, given: Any, wanted: Any, how: Any) -> tuple[dict[str, torch.Tensor], Directions]:
        if how not in METHODS:
            raise UsageError(f"directions are found from {' or '.join(METHODS)}")
        shown = chosen(model.inputs, wanted)
        inputs = drawn(model, whole("seed", given, SEEDS), **shown)
        key = (model.recipe, how, str(shown) if how == names[1] else "")
        if key not in found:
            found.clear()
            found[key] = METHODS[how](model, shown)
        return inputs, found[key]

    def here(name: Any, *values: Any) -> Any:
        given, wanted, how, *places = values
        amounts = [real(f"direction-{i + 1}", each, Range(-REACH, REACH)) for i, each in enumerate(places)]
        with desk.models.use(name) as model:
            inputs, directions = place(model, given, wanted, how)
            return model.space.pictures(decode(model, moved(inputs, directions, amounts[: len(directions.vectors)])))[0]

    def rows(name: Any, given: Any, wanted: Any, how: Any) -> Image.Image:
        with desk.models.use(name) as model:
            return strip(model, *place(model, given, wanted, how))

    quietly: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "trigger_mode": "always_last"}
    everything = [*start, *sliders]
    for slider in sliders:
        slider.change(told(here), everything, picture, **quietly)
    for event in (seed.input, group.input, method.input):
        event(told(here), everything, picture, **quietly)
        event(told(rows), start, strips, **quietly)
    back.click(lambda: [0.0] * COUNT, None, sliders, show_progress="hidden", api_visibility="private")
    renewed = renew(desk, [group], [picture, strips], [])
    show(desk, "directions", renewed, here, everything, picture)
    show(desk, "directions", renewed, rows, start, strips)


def strip(model: Model, inputs: dict[str, torch.Tensor], directions: Directions) -> Image.Image:
    """One row for each direction, from one end of its slider to the other."""
    made = []
    for index in range(len(directions.vectors)):
        for stop in _STOPS:
            amounts = [0.0] * index + [stop]
            made.append(decode(model, moved(inputs, directions, amounts)))
    return model.space.show(torch.cat(made), columns=len(_STOPS), gap=2)
