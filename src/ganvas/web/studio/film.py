"""The training of the chosen run as a moving picture, part of Export."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import gradio as gr

from ganvas.errors import GanvasError
from ganvas.html import render
from ganvas.options import Range
from ganvas.report import write_film
from ganvas.web.studio.context import Desk
from ganvas.web.studio.downloads import keep, named
from ganvas.web.studio.errors import real, told, whole
from ganvas.web.studio.uploads import address_of
from ganvas.web.studio.widgets import renew
from ganvas.web.studio.work import one_of

KINDS = {"WebP, the smallest": ".webp", "GIF, plays everywhere": ".gif", "PNG, without loss": ".png"}
SECONDS = Range(0.1, 60)
WIDTH = Range(16, 2048)


def build(desk: Desk) -> None:
    gr.Markdown("The training as a film: samples of the same inputs as they became what they are.")
    with gr.Row():
        kind = gr.Radio(list(KINDS), value=next(iter(KINDS)), label="Saved as", elem_id="film-kind")
        seconds = gr.Textbox(
            "", label="Seconds of one round", placeholder="4 moments a second", max_lines=1, elem_id="film-seconds"
        )
        width = gr.Textbox(
            "", label="Pixels wide", placeholder="as the pictures are", max_lines=1, elem_id="film-width"
        )
        captions = gr.Checkbox(True, label="With the step below", elem_id="film-captions")
    with gr.Row(elem_classes="actions"):
        go = gr.Button("Make the film", scale=0, min_width=180, elem_id="film-go")
    shown = gr.HTML(elem_id="film")
    file = gr.DownloadButton("Download the film", visible=False, size="sm", elem_id="film-file")

    def make(name: Any, how: Any, lasts: Any, wide: Any, below: Any) -> Any:
        run = desk.shelf.path(name)
        out = named(f"{run.name}-training{KINDS[one_of(how, list(KINDS), 'kind of film')]}")
        lasting = real("seconds", lasts, SECONDS) if str(lasts or "").strip() else None
        pixels = whole("width", wide, WIDTH) if str(wide or "").strip() else None
        with tempfile.TemporaryDirectory(dir=desk.shelf.cache) as folder:
            place = Path(folder) / out
            try:
                said = write_film(run, place, seconds=lasting, width=pixels, captions=below is not False)
            except GanvasError as error:  # visitors need not know where on the machine the runs are
                raise type(error)(desk.shelf.hidden(error)) from None
            kept = keep(desk.shelf, out, place.read_bytes())
        about = said.rpartition(", in ")[0]
        page = render("web/studio/film.html.jinja", source=address_of(kept), about=about)
        size = kept.stat().st_size / 1e6
        return page, gr.DownloadButton(f"Download {out} ({size:,.1f} MB)", value=str(kept), visible=True)

    go.click(told(make), [desk.run, kind, seconds, width, captions], [shown, file], api_visibility="private")
    renew(desk, [], [shown], [file])
