"""The page: one run is chosen above, and every tab is about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from ganvas.studio.models import Models
from ganvas.studio.shelf import Shelf
from ganvas.studio.telling import told

EVERY = 2.0
"""Seconds between two looks at the folder."""

from gradio.events import Dependency

class Names(gr.Dropdown):  # type: ignore[misc]
    """A choice among names that come and go; whether one is there is for the shelf to say."""

    is_template = True  # Gradio's own front end shows it

    def preprocess(self, payload: Any) -> Any:
        return payload if isinstance(payload, str) else None
    from typing import Callable, Literal, Sequence, Any, TYPE_CHECKING
    from gradio.blocks import Block
    if TYPE_CHECKING:
        from gradio.components import Timer
        from gradio.components.base import Component


@dataclass(frozen=True)
class Desk:
    """What every tab is given. run: the choice of a run above the tabs."""

    shelf: Shelf
    models: Models
    run: gr.Dropdown


def page(shelf: Shelf) -> gr.Blocks:
    from ganvas.studio import sample_tab

    with gr.Blocks(title="Ganvas studio", analytics_enabled=False, delete_cache=(3600, 86400), fill_width=False) as blocks:
        with gr.Row(elem_classes="top"):
            gr.HTML("<h1>Ganvas studio</h1>")
            run = Names(label="Run", info="What the tabs below are about", choices=[], elem_id="run", filterable=False)
        desk = Desk(shelf, Models(shelf), run)
        with gr.Tabs():
            with gr.Tab("Sample", id="sample"):
                sample_tab.build(desk)
        timer = gr.Timer(EVERY)

        def look(chosen: Any) -> Any:
            names = shelf.names()
            value = chosen if chosen in names else (names[0] if names else None)
            return gr.Dropdown(choices=names, value=value)

        blocks.load(told(look), run, run, show_progress="hidden", api_visibility="private")
        timer.tick(told(look), run, run, show_progress="hidden", api_visibility="private")
    return blocks