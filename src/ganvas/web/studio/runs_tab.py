"""Runs: all runs of the folder in a line each, and the chosen one called otherwise or deleted."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ganvas.errors import UsageError
from ganvas.html import asset, render
from ganvas.metrics.passport import number
from ganvas.report import RunLine
from ganvas.web.studio.context import Desk, among
from ganvas.web.studio.errors import said, told
from ganvas.web.studio.run_list import report_address


def build(desk: Desk) -> None:
    listing = gr.HTML(elem_id="runs", js_on_load=str(asset("web/studio", "runs.js")))
    seen = gr.State("")
    gr.Markdown("What is done to the run that is chosen above:", elem_classes="hint")
    with gr.Row(elem_classes="actions"):
        new = gr.Textbox(
            "", label="Call it otherwise", placeholder="its new name", max_lines=1, scale=0, min_width=260,
            elem_id="new-name",
        )  # fmt: skip
        rename = gr.Button("Rename", size="sm", scale=0, min_width=130, elem_id="rename")
        delete = gr.Button("Delete", variant="stop", size="sm", scale=0, min_width=130, elem_id="delete")
    with gr.Column(visible=False, elem_id="sure") as sure:
        question = gr.HTML()
        with gr.Row(elem_classes="actions"):
            yes = gr.Button("Yes, delete it", variant="stop", size="sm", scale=0, min_width=150, elem_id="delete-it")
            no = gr.Button("No, keep it", size="sm", scale=0, min_width=150, elem_id="keep-it")
    asked = gr.State(None)

    def look(name: Any, before: Any) -> Any:
        lines = [desk.shelf.line(each) for each in desk.shelf.names()]
        page = table(lines, name)
        return (gr.skip(), gr.skip()) if page == before else (page, page)

    def glance(tab: Any, name: Any, before: Any) -> Any:
        return look(name, before) if tab == "runs" else (gr.skip(), gr.skip())

    def choose(event: gr.EventData) -> Any:
        name = getattr(event, "run", None)
        return gr.Dropdown(choices=desk.models.names(), value=desk.shelf.path(name).name)

    def ask(name: Any) -> Any:
        run = desk.shelf.path(name).name
        words = f"Delete {run} ({desk.shelf.about(run)})? It cannot be brought back."
        return gr.Column(visible=True), render("web/studio/question.html.jinja", words=words), run

    def put_away(name: Any, meant: Any) -> Any:
        if not meant or name != meant:
            raise UsageError("another run was chosen meanwhile; ask again")
        gone = desk.shelf.delete(meant)
        gr.Info(said(f"{gone} is deleted."), title="Deleted", duration=4)
        return among(desk.models, None), gr.Column(visible=False), None

    def call(name: Any, wanted: Any) -> Any:
        called = desk.shelf.rename(name, wanted)
        return gr.Dropdown(choices=desk.models.names(), value=called), ""

    def quiet(name: Any, meant: Any) -> Any:
        return (gr.skip(), gr.skip()) if name == meant else (gr.Column(visible=False), None)

    quietly: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    shown = [listing, seen]
    desk.tabs["runs"].select(told(look), [desk.run, seen], shown, **quietly)
    for event in (desk.timer.tick, desk.run.change):
        event(told(glance), [desk.open_tab, desk.run, seen], shown, **quietly)
    listing.click(told(choose), None, desk.run, **quietly)
    rename.click(told(call), [desk.run, new], [desk.run, new], **quietly)
    delete.click(told(ask), desk.run, [sure, question, asked], **quietly)
    yes.click(told(put_away), [desk.run, asked], [desk.run, sure, asked], **quietly)
    no.click(lambda: (gr.Column(visible=False), None), None, [sure, asked], **quietly)
    desk.run.change(quiet, [desk.run, asked], [sure, asked], **quietly)


def table(lines: list[RunLine], chosen: Any) -> str:
    """The runs as HTML."""
    if not lines:
        return render("web/studio/empty.html.jinja")
    rows = [(line, _told(line), report_address(line.name)) for line in lines]
    return render("web/studio/runs.html.jinja", rows=rows, chosen=chosen)


def _told(line: RunLine) -> list[tuple[str, str]]:
    """What the columns between the name and the doctor's word say, each below its title."""
    score = "" if line.value is None else f"{line.score} {number(line.value)}"
    return [
        ("Recipe", line.recipe),
        ("Data", line.data),
        ("Steps", "" if line.steps is None else f"{line.steps:,}"),
        ("State", line.state),
        ("Score", score if line.at is None or not score else f"{score} at step {line.at:,}"),
    ]
