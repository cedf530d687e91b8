"""What several tabs have in common: a choice of a label, renewed when another run is chosen."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ganvas.studio.desk import Desk, names
from ganvas.studio.telling import told

ANY = "all in turn"


def label_choice(title: str, first: str = ANY) -> gr.Dropdown:
    """Hidden until a run with labels is chosen."""
    return names(title, choices=[first], value=first, visible=False, min_width=110)


def label_of(value: Any) -> str | None:
    """The label that was chosen, None for none in particular."""
    return None if value in (ANY, "", None) else str(value)


def renew(desk: Desk, labels: list[Any], emptied: list[Any], hidden: list[Any], with_any: bool = False) -> None:
    """When another run is chosen: its labels become the choices, what was made of the other one goes away."""

    def begin(name: Any) -> Any:
        known = desk.shelf.run(name).labels if name in desk.shelf.names() else []
        choices = [ANY, *known] if with_any else known
        value = choices[0] if choices else ANY
        made = [gr.Dropdown(choices=choices or [ANY], value=value, visible=bool(known)) for _ in labels]
        result = [*made, *(None for _ in emptied), *(type(each)(value=None, visible=False) for each in hidden)]
        return result if len(result) > 1 else result[0]

    desk.run.change(
        told(begin), desk.run, [*labels, *emptied, *hidden], show_progress="hidden", api_visibility="private"
    )
