"""The page: one run is chosen above, and every tab is about it."""

from __future__ import annotations

from functools import partial
from typing import Any

import gradio as gr

from ganvas.html import render
from ganvas.web.studio import (
    change_tab,
    compare_tab,
    directions_tab,
    evaluate_tab,
    export_tab,
    runs_tab,
    sample_tab,
    train_tab,
    upscale_tab,
    walk_tab,
)
from ganvas.web.studio.context import Desk, among, names
from ganvas.web.studio.errors import told
from ganvas.web.studio.models import Models
from ganvas.web.studio.run_list import Shelf

EVERY = 2.0
"""Seconds between two looks at the folder."""


TABS = {
    "train": train_tab.build,
    "runs": runs_tab.build,
    "sample": sample_tab.build,
    "walk": walk_tab.build,
    "directions": directions_tab.build,
    "change": change_tab.build,
    "upscale": upscale_tab.build,
    "evaluate": evaluate_tab.build,
    "compare": compare_tab.build,
    "export": export_tab.build,
}


def page(shelf: Shelf, models: Models) -> gr.Blocks:
    with gr.Blocks(
        title="Ganvas studio", analytics_enabled=False, delete_cache=(3600, 86400), fill_width=False
    ) as blocks:
        with gr.Row(elem_classes="top"):
            gr.HTML(render("web/studio/heading.html.jinja"))
            run = names("Run", info="What the tabs below are about", choices=models.names(), value=None, elem_id="run")
        timer = gr.Timer(EVERY)
        desk = Desk(shelf, models, run, timer, {}, gr.State(next(iter(TABS))))
        with gr.Tabs():
            for name, build in TABS.items():
                with gr.Tab(name.capitalize(), id=name) as desk.tabs[name]:
                    build(desk)
                desk.tabs[name].select(partial(str, name), None, desk.open_tab, show_progress="hidden", queue=False)

        told_before = gr.State(None)

        def look(chosen: Any, before: Any) -> Any:
            runs = shelf.names()
            if runs == before and (chosen in models.names() or not runs):
                return gr.skip(), gr.skip()
            return among(models, chosen), runs

        for event in (blocks.load, timer.tick):
            event(told(look), [run, told_before], [run, told_before], show_progress="hidden", api_visibility="private")
    made: gr.Blocks = blocks
    return made
