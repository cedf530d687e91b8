"""What every tab is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from ganvas.web.studio.errors import told
from ganvas.web.studio.models import Models
from ganvas.web.studio.run_list import Shelf


def names(label: str, **more: Any) -> gr.Dropdown:
    """A choice among names that come and go. Gradio would refuse a name that it has not been told of, as after a
    restart; whether one is there is for the shelf to say."""
    return gr.Dropdown(label=label, allow_custom_value=True, **more)


def among(models: Models, chosen: Any) -> dict[str, Any]:
    """The names that there are now, for a choice among them. A run is chosen for the visitor only where the chosen one
    is gone: the answer may be late, and must not take back what was chosen since."""
    known = models.names()
    found: dict[str, Any] = gr.update(choices=known)
    return found if chosen in known else found | {"value": next(iter(models.shelf.names()), None)}


_STILL_THERE = "(chosen, known) => known.includes(chosen) ? chosen : known[0] ?? null"


def offer(choice: gr.Dropdown, known: Callable[..., list[str]], given: Sequence[Any], events: Sequence[Any]) -> None:
    """At each of the events, the choice is among what `known` says of the values of `given`: the first of it where the
    chosen one is not there. The page decides that when the answer comes, by what is chosen then."""
    names = gr.JSON(visible=False)

    def answer(*values: Any) -> Any:
        found = known(*values)
        return gr.update(choices=found), found

    quietly: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    for event in events:
        answered = event(told(answer), given, [choice, names], **quietly)
        answered.success(None, [choice, names], choice, js=_STILL_THERE, **quietly)


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
