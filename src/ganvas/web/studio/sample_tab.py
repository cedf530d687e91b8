"""Sample: pictures from the chosen run."""

from __future__ import annotations

import os
from typing import Any

import gradio as gr

from ganvas.options import Range
from ganvas.web.http.encoding import as_zip
from ganvas.web.studio.context import Desk
from ganvas.web.studio.downloads import keep
from ganvas.web.studio.errors import SEEDS, real, told, whole
from ganvas.web.studio.widgets import label_choice, label_of, picture_of, renew, show

MOST = 144


def build(desk: Desk) -> None:
    with gr.Row():
        with gr.Column(scale=1, min_width=260):
            count = gr.Slider(1, MOST, 36, step=1, label="How many", elem_id="sample-count")
            label = label_choice("Label")
            seed = gr.Number(
                0, precision=0, label="Seed", info="The same seed gives the same pictures", elem_id="sample-seed"
            )
            other = gr.Button("Another seed", size="sm")
            cut = gr.Slider(
                0,
                3,
                0,
                step=0.1,
                label="Truncation",
                info="0 is off; a small number gives more typical, less varied pictures",
            )
            go = gr.Button("Make pictures", variant="primary", elem_id="sample-go")
        with gr.Column(scale=2, min_width=300):
            picture = picture_of("Samples", 560, "sample-picture")
            archive = gr.DownloadButton(
                "Download them one by one (zip)", size="sm", visible=False, elem_id="sample-zip"
            )

    def make(name: Any, n: Any, wanted: Any, start: Any, truncation: Any) -> Any:
        n, start = whole("how-many", n, Range(1, MOST)), whole("seed", start, SEEDS)
        truncation = real("truncation", truncation, Range(0, 10)) or None
        chosen = label_of(wanted)
        with desk.models.use(name) as model:
            samples = model.sample(n, chosen, start, truncation)
            grid = model.space.show(samples)
            packed = as_zip(model, samples, model.label_numbers(n, chosen), start)
        path = keep(desk.shelf, f"{name}-seed-{start}.zip", packed)
        return grid, gr.DownloadButton(value=str(path), visible=True)

    inputs = [desk.run, count, label, seed, cut]
    go.click(told(make), inputs, [picture, archive], api_visibility="private")
    other.click(told(lambda: int.from_bytes(os.urandom(3), "little")), None, seed, api_visibility="private").then(
        told(make), inputs, [picture, archive], api_visibility="private"
    )
    renewed = renew(desk, [label], [picture], [archive], with_any=True)
    show(desk, "sample", renewed, make, inputs, [picture, archive])
