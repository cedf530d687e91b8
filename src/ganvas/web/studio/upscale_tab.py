"""Upscale: a photo enlarged, before and after under one slider."""

from __future__ import annotations

import io
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image

from ganvas.data.bicubic import resized
from ganvas.errors import DataError, RunError, UsageError
from ganvas.model import load
from ganvas.options import Range
from ganvas.photos import read_photo
from ganvas.upscaling import DEFAULT, Upscaler
from ganvas.web.studio.context import Desk
from ganvas.web.studio.downloads import keep
from ganvas.web.studio.errors import real, told
from ganvas.web.studio.guard import check_here
from ganvas.web.studio.widgets import before_after

MOST_PIXELS = 2_000_000
"""Of a photo that the page enlarges: the answer must come while somebody waits. `ganvas upscale` has no such limit."""


def build(desk: Desk) -> None:
    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            photo = gr.Image(
                label="Photo",
                type="filepath",
                image_mode=None,
                sources=["upload", "clipboard"],
                height=240,
                elem_id="photo",
            )
            model = gr.Radio(
                [("the one that comes with Ganvas", DEFAULT), ("the run chosen above", "run")],
                value=DEFAULT,
                label="Network",
                elem_id="upscale-model",
            )
            style = gr.Slider(
                0,
                1,
                0,
                step=0.05,
                label="Style",
                elem_id="style",
                info="0 stays closest to the photo; 1 is sharper, and invents some detail",
            )
            scale = gr.Radio([2, 3, 4], value=4, label="Times as wide and high")
            go = gr.Button("Enlarge", variant="primary", elem_id="enlarge")
        with gr.Column(scale=2, min_width=300):
            gr.Markdown("Left of the line: enlarged by the usual formula (bicubic). Right of it: by the network.")
            both = before_after("before-after")
            result = gr.DownloadButton(
                "Download the enlarged photo (PNG)", visible=False, size="sm", elem_id="enlarged"
            )

    def enlarge(path: Any, network: Any, run: Any, share: Any, times: Any) -> Any:
        if not path:
            raise UsageError("choose a photo first")
        if times not in (2, 3, 4):
            raise UsageError("a photo can be enlarged 2, 3 or 4 times")
        share = real("style", share, Range(0, 1))
        photo_file = check_here(path)
        try:
            pixels = read_photo(photo_file).pixels
        except DataError as error:
            raise DataError(f"{photo_file.name} cannot be enlarged: {error}") from None
        height, width = pixels.shape[:2]
        if height * width > MOST_PIXELS:
            raise UsageError(
                f"this photo has {height * width / 1e6:.1f} megapixels, and the page enlarges up to "
                f"{MOST_PIXELS / 1e6:.0f}; give a part of it"
            )
        with desk.models.busy:
            large = _upscaler(desk, network, run, times, share).enlarge(pixels)
        before = resized(pixels, (height * times, width * times))
        content = io.BytesIO()
        _picture(large).save(content, "PNG")
        kept = keep(desk.shelf, f"{photo_file.stem}-x{times}.png", content.getvalue())
        return (_picture(before), _picture(large)), gr.DownloadButton(value=str(kept), visible=True)

    # Gradio would open the file itself; here it is read as every photo is.
    photo.preprocess = lambda payload: None if payload is None else payload.path  # type: ignore[method-assign]
    go.click(told(enlarge), [photo, model, desk.run, style, scale], [both, result], api_visibility="private")


def _upscaler(desk: Desk, network: Any, run: Any, times: int, share: float) -> Upscaler:
    if network == DEFAULT:
        return Upscaler(load(DEFAULT), scale=times, style=share)
    with desk.models.use(run) as model:
        scale = min([times, *(each.scale for each in model.given.values())])
        upscaler = Upscaler.of(model, scale=scale, style=share if len(model.weights) > 1 else None)
        if upscaler is None:
            raise RunError(f"{run} does not enlarge photos; take the network that comes with Ganvas")
        return upscaler


def _picture(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else np.ascontiguousarray(pixels))
