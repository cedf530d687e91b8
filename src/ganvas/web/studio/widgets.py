"""What several tabs have in common: a choice of a label, renewed when another run is chosen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from ganvas.web.studio.context import Desk, names
from ganvas.web.studio.errors import told

ANY = "all in turn"


def label_choice(title: str, first: str = ANY) -> gr.Dropdown:
    """Hidden until a run with labels is chosen."""
    return names(title, choices=[first], value=first, visible=False, min_width=110)


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


def label_of(value: Any) -> str | None:
    """The label that was chosen, None for none in particular."""
    return None if value in (ANY, "", None) else str(value)


def renew(desk: Desk, labels: list[Any], emptied: list[Any], hidden: list[Any], with_any: bool = False) -> Any:
    """When another run is chosen: its labels become the choices, a different one in each, and what was made of the
    other one goes away. Returns the event."""

    def begin(name: Any) -> Any:
        known = desk.shelf.run(name).labels if name in desk.shelf.names() else []
        options = ([ANY, *known] if with_any else known) or [ANY]
        made = [
            gr.Dropdown(choices=options, value=options[place % len(options)], visible=bool(known))
            for place in range(len(labels))
        ]
        return [*made, *(None for _ in emptied), *(type(each)(value=None, visible=False) for each in hidden)]

    return desk.run.change(
        told(begin), desk.run, [*labels, *emptied, *hidden], show_progress="hidden", api_visibility="private"
    )


def show(desk: Desk, tab: str, renewed: Any, action: Callable[..., Any], inputs: list[Any], outputs: Any) -> None:
    """The action when the tab is opened, and when another run is chosen while it is; nothing where there is no run.

    renewed: the event of `renew`. inputs: the choice of the run first."""

    def opened(*values: Any) -> Any:
        return action(*values) if values[0] in desk.shelf.names() else gr.skip()

    def changed(current: Any, *values: Any) -> Any:
        return opened(*values) if current == tab else gr.skip()

    desk.tabs[tab].select(told(opened), inputs, outputs, show_progress="hidden", api_visibility="private")
    renewed.then(told(changed), [desk.open_tab, *inputs], outputs, show_progress="hidden", api_visibility="private")
