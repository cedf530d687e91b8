"""What several tabs have in common: a choice of a class or a caption, renewed when another run is chosen."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

import gradio as gr
from PIL import Image

from ganvas.inputs import Input
from ganvas.spaces import encoded
from ganvas.web.studio.context import Desk, names
from ganvas.web.studio.errors import told

ANY = "all in turn"


def class_choice(title: str) -> gr.Dropdown:
    """Of the first input that has suggestions, such as classes; hidden until a run with one is chosen."""
    return names(title, choices=[ANY], value=ANY, visible=False, min_width=110)


def picture_of(told: str, height: int, name: str) -> gr.Image:
    """Where a picture of samples appears; small ones are enlarged with sharp pixels."""
    return gr.Image(
        label=told,
        show_label=False,
        alt_text=told,
        type="pil",
        format="png",
        interactive=False,
        height=height,
        elem_id=name,
        elem_classes="crisp",
        buttons=["download", "fullscreen"],
    )


def before_after(name: str, classes: str | None = None) -> gr.ImageSlider:
    """Where two pictures lie over each other, with a line between them that can be moved."""
    return gr.ImageSlider(
        label="Before and after",
        show_label=False,
        type="pil",
        format="png",
        interactive=False,
        elem_id=name,
        elem_classes=classes,
        max_height=720,
        buttons=["fullscreen"],
    )


def enlarged(picture: Image.Image, smallest: int) -> Image.Image:
    """A picture whose longer side has less than so many pixels, with each of its pixels several times."""
    times = -(-smallest // max(picture.size))
    if times <= 1:
        return picture
    return picture.resize((picture.width * times, picture.height * times), Image.Resampling.NEAREST)


def data_address(picture: Image.Image) -> str:
    """A picture as an address that holds it."""
    return f"data:image/png;base64,{base64.b64encode(encoded(picture)).decode()}"


def class_of(inputs: Mapping[str, Input]) -> str | None:
    """The first input that has something to suggest."""
    return next((name for name, each in inputs.items() if each.suggestions), None)


def chosen(inputs: Mapping[str, Input], value: Any) -> dict[str, Any]:
    """What was chosen of the first input that has suggestions, by its name; {} for none in particular."""
    name = class_of(inputs)
    return {} if name is None or value in (ANY, "", None) else {name: str(value)}


def renew(desk: Desk, choices: list[Any], emptied: list[Any], hidden: list[Any]) -> Any:
    """When another run is chosen: its suggestions become the choices, a different one in each, and what was made of the
    other one goes away. Returns the event."""

    def begin(name: Any) -> Any:
        inputs = desk.models.inputs(name)
        first = class_of(inputs)
        options = [ANY] if first is None else list(inputs[first].suggestions)
        made = [
            gr.Dropdown(choices=options, value=options[place % len(options)], visible=first is not None)
            for place in range(len(choices))
        ]
        return [*made, *(None for _ in emptied), *(type(each)(value=None, visible=False) for each in hidden)]

    return desk.run.change(
        told(begin), desk.run, [*choices, *emptied, *hidden], show_progress="hidden", api_visibility="private"
    )


def show(desk: Desk, tab: str, renewed: Any, action: Callable[..., Any], inputs: list[Any], outputs: Any) -> None:
    """The action when the tab is opened, and when another run is chosen while it is; nothing where there is no run.

    renewed: the event of `renew`. inputs: the choice of the run first."""

    def opened(*values: Any) -> Any:
        return action(*values) if values[0] in desk.models.names() else gr.skip()

    def changed(current: Any, *values: Any) -> Any:
        return opened(*values) if current == tab else gr.skip()

    desk.tabs[tab].select(told(opened), inputs, outputs, show_progress="hidden", api_visibility="private")
    renewed.then(told(changed), [desk.open_tab, *inputs], outputs, show_progress="hidden", api_visibility="private")
