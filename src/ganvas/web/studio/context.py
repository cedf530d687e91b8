"""What every tab is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from ganvas.web.studio.models import Models
from ganvas.web.studio.run_list import Shelf


def names(label: str, **more: Any) -> gr.Dropdown:
    """A choice among names that come and go. Gradio would refuse a name that it has not been told of, as after a
    restart; whether one is there is for the shelf to say."""
    return gr.Dropdown(label=label, allow_custom_value=True, **more)


def among(known: Sequence[str], chosen: Any) -> dict[str, Any]:
    """The names that there are now, for a choice among them. One is chosen for the visitor only where the chosen one is
    gone: the answer may be late, and must not take back what was chosen since."""
    found: dict[str, Any] = gr.update(choices=list(known))
    return found if chosen in known else found | {"value": next(iter(known), None)}


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
