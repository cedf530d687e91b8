"""Sample: pictures, sounds or texts from the chosen run, with a field for each input that can be given."""

from __future__ import annotations

import math
import os
from typing import Any

import gradio as gr

from ganvas.html import render
from ganvas.options import Range
from ganvas.report import clips
from ganvas.web.http.encoding import as_zip
from ganvas.web.studio.context import Desk
from ganvas.web.studio.downloads import keep
from ganvas.web.studio.errors import SEEDS, real, told, whole
from ganvas.web.studio.fields import field_of, given_by, lacking
from ganvas.web.studio.uploads import check_at_once
from ganvas.web.studio.widgets import picture_of, renew, show

MOST = 144


def build(desk: Desk) -> None:
    with gr.Row():
        with gr.Column(scale=1, min_width=260):
            count = gr.Slider(1, MOST, 36, step=1, label="How many", elem_id="sample-count")
            seed = gr.Number(
                0, precision=0, label="Seed", info="The same seed gives the same samples", elem_id="sample-seed"
            )
            other = gr.Button("Another seed", size="sm")
            cut = gr.Slider(
                0,
                1,
                1,
                step=0.05,
                label="Truncation",
                info="1 is as drawn; the smaller, the more typical and the less varied the samples",
                elem_id="sample-truncation",
            )
            place = gr.Column()
            go = gr.Button("Make samples", variant="primary", elem_id="sample-go")
        with gr.Column(scale=2, min_width=300):
            # Each in a place of its own, since Gradio makes a component anew that itself is shown or hidden.
            with gr.Column() as seen:
                picture = picture_of("Samples", 560, "sample-picture")
                sounds = gr.HTML(elem_id="sample-clips")
            with gr.Column(visible=False) as read:
                texts = gr.Textbox(
                    label="Samples",
                    lines=12,
                    max_lines=30,
                    interactive=False,
                    buttons=["copy"],
                    elem_id="sample-texts",
                )
            archive = gr.DownloadButton("Download", size="sm", visible=False, elem_id="sample-zip")

    def make(name: Any, n: Any, start: Any, truncation: Any, **given: Any) -> Any:
        n, start = whole("how-many", n, Range(1, MOST)), whole("seed", start, SEEDS)
        share = real("truncation", truncation, Range(0, 1))
        with desk.models.use(name) as model:
            if model.given.keys() == model.inputs.keys():
                n = 1  # nothing is drawn, so that all would be the same
            values = model.checked(n, given, truncation := None if share == 1 else share)
            for each, input in model.given.items():
                check_at_once(input.space, math.prod(values[each].shape[2:]))
            samples = model.sample(n, seed=start, truncation=truncation, **values)
            if written := model.space.written:
                lines = "".join(f"{line}\n" for line in model.space.document([samples]))
                grid, heard, packed = None, "", lines.encode()
                ending = model.space.suffix
                what = f"Download them ({ending})"
            else:
                grid, lines = model.space.show(samples), ""
                heard = render("web/studio/clips.html.jinja", clips=clips(model.space, model.space.played(samples)))
                packed = as_zip(model, samples, model.classes(n, values), start)
                what, ending = "Download them one by one (zip)", ".zip"
        path = keep(desk.shelf, f"{name}-seed-{start}{ending}", packed)
        file = gr.DownloadButton(what, value=str(path), visible=True)
        return gr.Column(visible=not written), grid, heard, gr.Column(visible=written), lines, file

    def at_once(name: Any, *values: Any) -> Any:
        """What is shown without being asked for: samples for which nothing need be given."""
        return gr.skip() if lacking(desk.models.inputs(name)) else make(name, *values)

    fixed, shown_in = [desk.run, count, seed, cut], [seen, picture, sounds, read, texts, archive]
    with place:
        # One at a time, so that the fields that stay are those of the run that was chosen last.
        @gr.render(inputs=desk.run, show_progress="hidden", concurrency_limit=1)  # type: ignore[untyped-decorator]
        def fields(name: Any) -> None:
            inputs = desk.models.inputs(name)
            shown = [field_of(each, value) for each, value in inputs.items() if value.admits()]
            everything = [*fixed, *(component for field in shown for component in field.components)]

            def wanted(*values: Any) -> Any:
                return make(*values[: len(fixed)], **given_by(shown, values[len(fixed) :]))

            go.click(told(wanted), everything, shown_in, api_visibility="private")
            other.click(
                told(lambda: int.from_bytes(os.urandom(3), "little")), None, seed, api_visibility="private"
            ).then(told(wanted), everything, shown_in, api_visibility="private")

    renewed = renew(desk, [], [picture, sounds, texts], [archive])
    show(desk, "sample", renewed, at_once, fixed, shown_in)
