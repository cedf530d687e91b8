"""Change: a picture of one's own, changed by the chosen run, before and after under one slider. A run that makes
pictures of noise finds it first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr
from PIL import Image
from torch import Tensor

from ganvas.errors import DataError, UsageError
from ganvas.inputs import DRAWN, Given, Input, given_of
from ganvas.model import Model
from ganvas.spaces import FREE, Space, encoded
from ganvas.web.studio.context import Desk
from ganvas.web.studio.downloads import keep
from ganvas.web.studio.errors import SEEDS, told, whole
from ganvas.web.studio.fields import field_of, given_by
from ganvas.web.studio.guard import check_here
from ganvas.web.studio.inversion import can_be_inverted, fields_of
from ganvas.web.studio.painting import mask_of, over, painting
from ganvas.web.studio.upscale_tab import MOST_PIXELS
from ganvas.web.studio.widgets import enlarged, renew

MOST_READ = 24_000_000
"""Pixels of a picture that is read; `MOST_PIXELS` of it go through the network."""

NONE = "This run makes nothing of pictures. Choose one above that does: `pix2pix` or `r3gan`, for example."


def build(desk: Desk) -> None:
    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            photo = gr.Image(
                label="Picture",
                type="filepath",
                image_mode=None,
                sources=["upload", "webcam", "clipboard"],
                height=240,
                elem_id="change-picture",
            )
            place = gr.Column()
        with gr.Column(scale=2, min_width=300):
            gr.Markdown("Left of the line: as it was. Right of it: changed.", elem_classes="hint")
            both = gr.ImageSlider(
                label="Before and after",
                show_label=False,
                type="pil",
                format="png",
                interactive=False,
                elem_id="changed-both",
                elem_classes="crisp",
                max_height=720,
                buttons=["fullscreen"],
            )
            result = gr.DownloadButton(
                "Download the changed picture (PNG)", visible=False, size="sm", elem_id="changed"
            )

    def make(name: Any, path: Any, own_size: Any, start: Any, painted: Any, given: dict[str, Any]) -> Any:
        start = whole("seed", start, SEEDS)
        with desk.models.use(name) as model:
            first, space = picture_input(model.inputs)
            stem, content = read(path, space.space)
            sample = model.parsed(first, content)
            if not own_size and model.any_size and space.scale == 1 and not space.any_scale:
                sample = space.space.brought(sample, model.space)
            height, width = sample.shape[2:]
            if height * width > MOST_PIXELS:
                raise UsageError(
                    f"these are {height * width / 1e6:.1f} megapixels, and the page changes up to "
                    f"{MOST_PIXELS / 1e6:.0f}; the command has no limit: ganvas translate RUN PICTURE --out CHANGED"
                )
            mask = mask_input(model.inputs)
            if mask is not None:
                given[mask] = mask_of(painted, height, width)
            made = model.transform(sample, seed=start, **given)
            return both_of(f"{stem}-{name}", space.space.show(sample, columns=1), model.space.show(made, columns=1))

    def both_of(name: str, before: Image.Image, after: Image.Image) -> Any:
        """What the slider and the button get."""
        kept = keep(desk.shelf, f"{name}.png", encoded(after))
        before = before.resize(after.size, Image.Resampling.BICUBIC) if before.size != after.size else before
        return (enlarged(before, 512), enlarged(after, 512)), gr.DownloadButton(value=str(kept), visible=True)

    def found(model: Model, name: str, target: Tensor, made: Tensor) -> Any:
        return both_of(name, model.space.show(target, columns=1), model.space.show(made, columns=1))

    quietly: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    with place:
        # One at a time, so that the fields that stay are those of the run that was chosen last.
        @gr.render(  # type: ignore[untyped-decorator]
            inputs=[desk.run, photo], triggers=[desk.run.change], show_progress="hidden", concurrency_limit=1
        )
        def fields(name: Any, path: Any) -> None:
            inputs = desk.models.inputs(name)
            if not (pictures := _pictures(inputs)):
                if can_be_inverted(inputs, desk.models.space(name)):
                    fields_of(desk, photo, inputs, [both, result], read, found)
                else:
                    gr.Markdown(NONE)
                return
            first, mask = next(iter(pictures)), mask_input(inputs)
            brush = [] if mask is None else [painting(mask, _address(path))]
            asked = {each: value for each, value in inputs.items() if value.admits() and each not in (first, mask)}
            shown = [field_of(each, value, "to") for each, value in asked.items()]
            others = [component for field in shown for component in field.components]
            own = gr.Checkbox(
                False,
                label="At its own size",
                info="else it is made as large as in training",
                visible=FREE in pictures[first].shape and not pictures[first].any_scale,
                elem_id="change-own-size",
            )
            seed = gr.Number(
                0,
                precision=0,
                label="Seed",
                info="Of what is drawn",
                visible=any(each.unless_given == DRAWN for each in inputs.values()),
                elem_id="change-seed",
            )
            go = gr.Button("Change it", variant="primary", elem_id="change")

            def wanted(name: Any, path: Any, own_size: Any, start: Any, *values: Any) -> Any:
                painted = values[0] if brush else None
                return make(name, path, own_size, start, painted, given_by(shown, values[len(brush) :]))

            everything = [desk.run, photo, own, seed, *brush, *others]
            go.click(told(wanted), everything, [both, result], api_visibility="private")
            for each in brush:
                photo.change(told(lambda path: over(_address(path))), photo, each, **quietly)

    # Gradio would open the file itself; here it is read as every picture that is given.
    photo.preprocess = lambda payload: None if payload is None else payload.path  # type: ignore[method-assign]
    renew(desk, [], [both], [result])


def read(path: Any, space: Space) -> tuple[str, bytes]:
    """The stem of the name of an uploaded picture, and its content. Raises UsageError."""
    if not path:
        raise UsageError("choose a picture first")
    file = check_here(path)
    content = file.read_bytes()
    try:
        space.size_of_file(content, MOST_READ)
    except DataError as error:
        raise UsageError(f"the picture: {error}") from None
    return file.stem, content


def picture_input(inputs: Mapping[str, Input]) -> tuple[str, Given]:
    """The picture that is to be changed. Raises UsageError."""
    pictures = _pictures(inputs)
    if not pictures:
        raise UsageError("this run makes pictures of nothing that is given; choose another one above")
    return next(iter(pictures.items()))


def mask_input(inputs: Mapping[str, Input]) -> str | None:
    """The name of what is painted over the picture: another one, of a single channel."""
    others = list(given_of(inputs).items())[1:]
    return next((name for name, each in others if each.space.photos and each.shape[0] == 1), None)


def _pictures(inputs: Mapping[str, Input]) -> dict[str, Given]:
    """The pictures that must be given; none where the first thing that must be given is something else."""
    given = given_of(inputs)
    drawn = {name: each for name, each in given.items() if each.space.canvas == "pixels"}
    return drawn if next(iter(drawn), None) == next(iter(given), None) else {}


def _address(path: Any) -> str:
    """Where the page finds an uploaded picture."""
    return f"/gradio_api/file={path}" if path else ""
