"""What every tab is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from ganvas.studio.models import Models
from ganvas.studio.shelf import Shelf


def names(label: str, **more: Any) -> gr.Dropdown:
    """A choice among names that come and go. Gradio would refuse a name that it has not been told of, as after a
    restart; whether one is there is for the shelf to say."""
    return gr.Dropdown(label=label, allow_custom_value=True, **more)


@dataclass(frozen=True)
class Desk:
    """What every tab is given. run: the choice of a run above the tabs. timer: ticks while the page is open. tabs:
    by their names. open_tab: the name of the one that is open."""

    shelf: Shelf
    models: Models
    run: gr.Dropdown
    timer: gr.Timer
    tabs: dict[str, gr.Tab]
    open_tab: gr.State
