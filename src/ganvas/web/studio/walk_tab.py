"""Walk: the way from one sample to another, under a slider and as a short film."""

from __future__ import annotations

import io
from typing import Any

import gradio as gr
import torch
from PIL import Image

from ganvas.errors import UsageError
from ganvas.model import Model, drawn, walk
from ganvas.options import Range
from ganvas.web.studio.context import Desk
from ganvas.web.studio.downloads import keep
from ganvas.web.studio.errors import SEEDS, real, told, whole
from ganvas.web.studio.widgets import chosen, class_choice, enlarged, picture_of, renew, show

FILMS = {"GIF": ("gif", "GIF"), "WebP": ("webp", "WEBP")}
FRAMES = Range(2, 120)
SMALLEST = 256
"""Pixels on the longer side that a film has at least: small samples are shown with sharp pixels."""

_FRAME = 60  # milliseconds


def build(desk: Desk) -> None:
    with gr.Row(elem_classes="picture-first"):
        with gr.Column(scale=1, min_width=260):
            with gr.Row():
                first = gr.Number(1, precision=0, label="From seed", min_width=110, elem_id="walk-first")
                first_class = class_choice("Showing")
            with gr.Row():
                second = gr.Number(2, precision=0, label="To seed", min_width=110, elem_id="walk-second")
                second_class = class_choice("Showing")
            gr.Markdown("A seed stands for one sample, the first one of that seed in Sample.", elem_classes="hint")
            frames = gr.Slider(FRAMES.low, FRAMES.high, 32, step=1, label="Frames of the film, each way")
            kind = gr.Radio(list(FILMS), value="GIF", label="Saved as", elem_id="walk-kind")
            go = gr.Button("Make a film", elem_id="walk-film")
            film = gr.File(label="The film", interactive=False, visible=False, elem_id="walk-file", height=90)
        with gr.Column(scale=2, min_width=300):
            share = gr.Slider(
                0, 1, 0, step=0.01, label="On the way", info="From the first sample to the second", elem_id="walk-share"
            )
            picture = picture_of("The sample at this place", 440, "walk-picture")

    ends = [desk.run, first, first_class, second, second_class]

    def way(model: Model, places: list[Any], shares: torch.Tensor) -> torch.Tensor:
        a, a_class, b, b_class = places
        begin = drawn(model, whole("from-seed", a, SEEDS), **chosen(model.inputs, a_class))
        end = drawn(model, whole("to-seed", b, SEEDS), **chosen(model.inputs, b_class))
        return walk(model, begin, end, shares)

    def here(name: Any, *values: Any) -> Any:
        *places, at = values
        at = real("on-the-way", at, Range(0, 1))
        with desk.models.use(name) as model:
            return model.space.pictures(way(model, places, torch.tensor([at])))[0]

    def make(name: Any, *values: Any) -> Any:
        *places, count, how = values
        if how not in FILMS:
            raise UsageError(f"a film is {' or '.join(FILMS)}")
        shares = torch.linspace(0, 1, whole("frames", count, FRAMES))
        with desk.models.use(name) as model:
            pictures = model.space.pictures(way(model, places, shares))
        ending, named = FILMS[how]
        path = keep(desk.shelf, f"{name}-walk.{ending}", as_film(pictures, named))
        return gr.File(value=str(path), visible=True)

    quietly: dict[str, Any] = {"show_progress": "hidden", "trigger_mode": "always_last", "api_visibility": "private"}
    share.input(told(here), [*ends, share], picture, **quietly)
    share.change(told(here), [*ends, share], picture, **quietly)
    for event in (first.input, first_class.input, second.input, second_class.input):
        event(told(here), [*ends, share], picture, **quietly)
    go.click(told(make), [*ends, frames, kind], film, api_visibility="private")
    renewed = renew(desk, [first_class, second_class], [picture], [film])
    show(desk, "walk", renewed, here, [*ends, share], picture)


def as_film(pictures: list[Image.Image], kind: str) -> bytes:
    """The pictures there and back, for ever, as an animated GIF or WebP."""
    large = [enlarged(picture, SMALLEST) for picture in pictures]
    frames = [*large, *large[-2:0:-1]]
    if kind == "GIF":
        frames = [
            frame.convert("RGB").quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
            if frame.mode != "L"
            else frame
            for frame in frames
        ]
    buffer = io.BytesIO()
    more: dict[str, Any] = {"lossless": True} if kind == "WEBP" else {"optimize": False}
    frames[0].save(buffer, kind, save_all=True, append_images=frames[1:], duration=_FRAME, loop=0, **more)
    return buffer.getvalue()
