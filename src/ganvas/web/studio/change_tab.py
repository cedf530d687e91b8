"""Change: a picture or a sound of one's own, changed by the chosen run, with before and after. A run that makes
pictures of noise finds them first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr
from torch import Tensor

from ganvas.errors import UsageError
from ganvas.inputs import DRAWN, Given, Input, given_of
from ganvas.model import Model
from ganvas.spaces import FREE, Space
from ganvas.web.studio.context import Desk
from ganvas.web.studio.errors import SEEDS, said, told, whole
from ganvas.web.studio.fields import field_of, given_by
from ganvas.web.studio.inversion import can_be_inverted, fields_of
from ganvas.web.studio.painting import mask_of, over, painting
from ganvas.web.studio.uploads import UPLOADS, Shown, address_of, changed_input, check_at_once, content_of
from ganvas.web.studio.widgets import renew

NONE = "This run makes nothing of pictures or sounds. Choose one above that does: `pix2pix`, `r3gan` or `vocoder`, say."

PICTURES = next(iter(UPLOADS))


def build(desk: Desk) -> None:
    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            # Each in a place of its own, since Gradio makes a component anew that itself is shown or hidden.
            places, uploads = {}, {}
            for canvas, upload in UPLOADS.items():
                with gr.Column(visible=canvas == PICTURES) as places[canvas]:
                    uploads[canvas] = upload.build()
            place = gr.Column()
        with gr.Column(scale=2, min_width=300):
            gr.Markdown("Before is left of the line, or above; after is right of it, or below.", elem_classes="hint")
            shown = Shown.build()
    photo = uploads[PICTURES]

    def taken(name: Any) -> tuple[str, Given] | None:
        return changed_input(desk.models.inputs(name), desk.models.space(name))

    def make(name: Any, path: Any, own_size: Any, start: Any, painted: Any, given: dict[str, Any]) -> Any:
        start = whole("seed", start, SEEDS)
        with desk.models.use(name) as model:
            found = changed_input(model.inputs, model.space)
            if found is None:
                raise UsageError("this run changes nothing that is given here; choose another one above")
            first, each = found
            space = each.space
            stem, content = content_of(path, space, UPLOADS[str(space.canvas)].noun)
            sample = model.parsed(first, space.layers(content))
            if small := not own_size and model.any_size and each.scale == 1 and not each.any_scale:
                sample = space.brought(sample, model.space)
            check_at_once(space, sample[:, 0].numel())
            mask = mask_input(model.inputs)
            if mask is not None:
                given[mask] = mask_of(painted, *sample.shape[2:])
            for other in model.given.keys() & given.keys() - {mask}:
                given[other] = beside(model, other, given[other], small)
            if remark := space.remark(sample):
                gr.Info(said(f"{UPLOADS[str(space.canvas)].noun}: {remark}"))
            made = model.space.joined(model.transform(sample, seed=start, **given))
            return shown.of(desk.shelf, f"{stem}-{name}", (space, space.joined(sample)), (model.space, made))

    def found(model: Model, name: str, target: Tensor, made: Tensor) -> Any:
        return shown.of(desk.shelf, name, (model.space, target), (model.space, made))

    def read(path: Any, space: Space) -> tuple[str, bytes]:
        return content_of(path, space, UPLOADS[PICTURES].noun)

    quietly: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    with place:
        # One at a time, so that the fields that stay are those of the run that was chosen last.
        @gr.render(  # type: ignore[untyped-decorator]
            inputs=[desk.run, photo], triggers=[desk.run.change], show_progress="hidden", concurrency_limit=1
        )
        def fields(name: Any, path: Any) -> None:
            inputs = desk.models.inputs(name)
            if (chosen := taken(name)) is None:
                if can_be_inverted(inputs, desk.models.space(name)):
                    fields_of(desk, photo, inputs, shown.all, read, found)
                else:
                    gr.Markdown(NONE)
                return
            (first, each), mask = chosen, mask_input(inputs)
            upload = uploads[str(each.space.canvas)]
            brush = [] if mask is None else [painting(mask, address_of(path))]
            asked = {name: value for name, value in inputs.items() if value.admits() and name not in (first, mask)}
            others = [field_of(name, value, "to") for name, value in asked.items()]
            own = gr.Checkbox(
                False,
                label="At its own size",
                info="else it is made as large as in training",
                visible=each.space.photos and FREE in each.shape and not each.any_scale,
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
                return make(name, path, own_size, start, painted, given_by(others, values[len(brush) :]))

            components = [component for field in others for component in field.components]
            everything = [desk.run, upload, own, seed, *brush, *components]
            go.click(told(wanted), everything, shown.all, api_visibility="private")
            for canvas in brush:
                photo.change(told(lambda path: over(address_of(path))), photo, canvas, **quietly)

    def fitting(name: Any) -> Any:
        """The upload of what the run takes; that of pictures where it takes nothing."""
        chosen = taken(name)
        canvas = PICTURES if chosen is None else chosen[1].space.canvas
        return [gr.Column(visible=each == canvas) for each in places]

    desk.run.change(told(fitting), desk.run, list(places.values()), **quietly)
    renew(desk, [], [shown.slider, shown.players], [shown.file])


def beside(model: Model, name: str, content: Any, small: bool) -> Tensor:
    """What is given beside the picture, such as one that lends its style. small: at the scale of the training."""
    space = model.given[name].space
    value = model.parsed(name, content)
    value = space.brought(value, model.space) if small else value
    check_at_once(space, value[:, 0].numel())
    return value


def mask_input(inputs: Mapping[str, Input]) -> str | None:
    """The name of what is painted over the picture: another one, of a single channel where the picture has more, or of
    a kind that nobody uploads. A gray picture that lends its style to a gray one is neither."""
    (_, first), *others = given_of(inputs).items()
    single = [(name, each) for name, each in others if each.space.photos and each.shape[0] == 1]
    return next((name for name, each in single if first.shape[0] > 1 or each.space.canvas is None), None)
