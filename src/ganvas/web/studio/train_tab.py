"""Train: start a training, and watch, stop and resume the chosen one."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import gradio as gr

from ganvas import recipes
from ganvas.data.batches import reading_options
from ganvas.data.builtin import MADE
from ganvas.data.containers import Zip, is_archive
from ganvas.data.dataset import Data, describe
from ganvas.data.opening import meant, open_data
from ganvas.data.preview import Preview, preview
from ganvas.data.readers import SourceName
from ganvas.errors import DataError, UsageError
from ganvas.html import render
from ganvas.options import Option, Range, read_options
from ganvas.run import number
from ganvas.settings import Settings
from ganvas.text import plain
from ganvas.web.studio.context import Desk
from ganvas.web.studio.errors import told
from ganvas.web.studio.guard import check_here
from ganvas.web.studio.run_list import Run
from ganvas.web.studio.run_panel import panel
from ganvas.web.studio.widgets import enlarged

SETS = {
    "digits": "digits: 5,000 handwritten digits, gray, 28 x 28",
    "stacked-digits": "stacked-digits: 20,000 pictures of three digits in three colours",
    "ring": "ring: points on a circle, the quickest to learn",
    "grid": "grid: points in 25 places",
}
"""What each set that needs no download holds."""

GENERAL = ("batch_size", "seed", "ema", "heal")
"""Settings of `ganvas train` that the form offers beside the length."""

BY_DATA = "chosen by the data"
"""What stands for no recipe in particular."""

_MINUTES = 6
LENGTHS = {"minutes": Range(0.01, 100_000), "steps": Range(1, 10**9)}


def build(desk: Desk) -> None:
    with gr.Accordion("Start a training", open=not desk.shelf.names(), elem_id="start") as form:
        _form(desk, form)
    with gr.Row(elem_classes="actions"):
        stop = gr.Button("Stop", variant="stop", size="sm", interactive=False, elem_id="stop", scale=0, min_width=130)
        resume = gr.Button("Resume", size="sm", interactive=False, elem_id="resume", scale=0, min_width=130)
        more = gr.Textbox(
            "",
            label="To go on for",
            placeholder="up to the length it was begun with",
            max_lines=1,
            visible=False,
            elem_id="more",
            scale=0,
            min_width=280,
        )
        of = gr.Radio(
            [(f"more {each}", each) for each in LENGTHS],
            value=next(iter(LENGTHS)),
            show_label=False,
            container=False,
            visible=False,
            elem_id="more-of",
            scale=0,
            min_width=280,
        )
    shown = gr.HTML(elem_id="watch")
    seen = gr.State("")

    def watch(name: Any, before: str) -> Any:
        if name not in desk.shelf.names():
            empty = render("web/studio/empty.html.jinja", zoo=name if name in desk.models.names() else "")
            return [gr.skip() if before == empty else empty, empty, *_buttons("none")]
        mark = desk.shelf.stamp(name)
        if mark == before:
            return [gr.skip()] * 6
        run = desk.shelf.run(name)
        return [panel(run), mark, *_buttons(run.state)]

    def end(name: Any) -> None:
        desk.shelf.stop(name)
        gr.Info("It finishes its step and saves.", title="Stopping", duration=4)

    def go_on(name: Any, amount: Any, measure: Any) -> None:
        run = desk.shelf.run(name)
        if run.live:
            raise UsageError(f"{run.name} is being trained already")
        total = []
        if str(amount or "").strip():
            total = [_total(run, amount, measure)]
        elif run.state == "finished":
            raise UsageError(f"{run.name} is finished; say for how many minutes or steps it should go on")
        desk.shelf.trainings.start(run.name, [f"--resume={run.path}", *total])
        gr.Info("It goes on where it stopped.", title="Resuming", duration=4)

    outputs = [shown, seen, stop, resume, more, of]
    quietly: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    for event in (desk.timer.tick, desk.run.change):
        event(told(watch), [desk.run, seen], outputs, trigger_mode="once", **quietly)
    stop.click(told(end), desk.run, None, **quietly).then(told(watch), [desk.run, seen], outputs, **quietly)
    resume.click(told(go_on), [desk.run, more, of], None, **quietly).then(
        told(watch), [desk.run, seen], outputs, **quietly
    )


def _buttons(state: str) -> list[Any]:
    live, still = state in ("starting", "training"), state in ("stopped", "failed", "finished")
    there = live or still
    return [
        gr.Button(interactive=live, visible=there),
        gr.Button(interactive=still, visible=there),
        gr.Textbox(visible=still),
        gr.Radio(visible=still),
    ]


def _total(run: Run, amount: Any, measure: Any) -> str:
    """The word for a total that is longer than what was done by this amount. Raises UsageError."""
    extra = _length(amount, measure)
    key, each = ("step", 1) if measure == "steps" else ("seconds", 60)
    done = next((known for row in reversed(run.rows) if (known := number(row.get(key))) is not None), 0.0)
    return f"--{measure}={done / each + extra:.{0 if measure == 'steps' else 3}f}"


def _length(amount: Any, measure: Any) -> Any:
    """A length in minutes or steps. Raises UsageError."""
    if measure not in LENGTHS:
        raise UsageError("the length is in minutes or in steps")
    return Option(measure, int if measure == "steps" else float, None, range=LENGTHS[measure]).check(amount)


# -- the form ---------------------------------------------------------------------------------------------------


def _form(desk: Desk, form: gr.Accordion) -> None:
    """The form, which closes when it has started a training."""
    names = recipes.names()
    with gr.Row():
        with gr.Column(min_width=280):
            source = gr.Dropdown(
                [(SETS.get(name, name), name) for name in MADE],
                value=next(iter(MADE)),
                label="Data",
                elem_id="data",
                interactive=True,
                info="A set that comes with Ganvas",
                filterable=False,
            )
            upload = gr.File(
                label="Or your own pictures, as a zip",
                file_types=[".zip"],
                type="filepath",
                height=150,
                elem_id="upload",
                interactive=True,
            )
            gr.Markdown(
                "Sub-folders in the zip become labels. Any sizes: pictures are resized alike.", elem_classes="hint"
            )
        with gr.Column(min_width=280):
            recipe = gr.Dropdown(
                [BY_DATA, *names],
                value=BY_DATA,
                label="Recipe",
                info="Which GAN, and with what settings; a name alone keeps that one's defaults",
                elem_id="recipe",
                interactive=True,
            )
            about = gr.Markdown(_about(BY_DATA), elem_classes="hint", elem_id="about-recipe")
            # Gradio takes fields that only `choices` below reads for mere displays.
            with gr.Row():
                unit = gr.Radio(
                    [("minutes", "minutes"), ("steps", "steps")],
                    value="minutes",
                    label="Length in",
                    min_width=130,
                    interactive=True,
                )
                length = gr.Number(
                    _MINUTES, label="How long", minimum=0, min_width=110, elem_id="length", interactive=True
                )
            name = gr.Textbox(
                "", label="Name", placeholder="made from recipe and data", max_lines=1, elem_id="name", interactive=True
            )
    with gr.Accordion("More choices", open=False):

        @gr.render(inputs=recipe)  # type: ignore[untyped-decorator]
        def choices(chosen: Any) -> None:
            options = _options(chosen)
            fields = []
            gr.Markdown(
                "These have the names that the doctor's advice uses.",
                elem_classes="hint",
            )
            with gr.Row(elem_classes="fields"):
                for option in options:
                    fields.append(_field(option))
            look.click(
                told(seen), [source, upload, recipe, *fields], [pictures, facts, found], api_visibility="private"
            )
            go.click(told(begin), [source, upload, recipe, unit, length, name, *fields], [desk.run, form], **quietly)

    with gr.Row(elem_classes="actions"):
        look = gr.Button("Look at the data", size="sm", elem_id="look", scale=0, min_width=180)
    with gr.Column(visible=False) as found:
        pictures = gr.Image(
            label="What it learns from",
            alt_text="Items of the data",
            type="pil",
            format="png",
            interactive=False,
            height=560,
            elem_id="data-picture",
            buttons=["download", "fullscreen"],
        )
        facts = gr.HTML(elem_id="data-facts")
    go = gr.Button("Start", variant="primary", elem_id="start-training")
    quietly: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}

    def begin(*values: Any) -> Any:
        data, own, chosen, measure, how_long, wanted, *given = values
        words, stem = _words(desk, data, own, chosen, measure, how_long, given)
        called = desk.shelf.new_name(str(wanted or ""), stem)
        desk.shelf.trainings.start(called, [*words, f"--out={desk.shelf.folder / called}"])
        gr.Info("It begins in some seconds, once the data is prepared.", title=f"Started {called}", duration=5)
        return gr.Dropdown(choices=desk.models.names(), value=called), gr.Accordion(open=False)

    def seen(data: Any, own: Any, chosen: Any, *given: Any) -> Any:
        """What a training would learn from; the data are then prepared for it."""
        _known(chosen)
        values = [(option, value) for option, value in zip(_options(chosen), given, strict=True) if value]
        where = _source(desk, data, own)
        accepts = (meant(where).kind,) if chosen == BY_DATA else recipes.find(chosen).accepts
        names = {option.name for option in reading_options(accepts)}
        options = {option.name: _value(option, str(value)) for option, value in values if option.name in names}
        opened = open_data(where, accepts or None, **options)
        shown = preview(opened)
        return enlarged(shown.picture, 640), _facts(opened, shown), gr.Column(visible=True)

    recipe.change(told(_about), recipe, about, **quietly)


def _about(name: Any) -> str:
    if name == BY_DATA:
        return "Recipe, size, networks and batch suit the data and this machine; the plan in the run's report says why."
    chosen = recipes.find(str(name))
    return f"{(chosen.__doc__ or '').splitlines()[0]} *{recipes.summary(str(name))}*"


def _options(name: Any) -> list[Option]:
    settings = {option.name: option for option in read_options(Settings)}
    general = [settings[each] for each in GENERAL]
    if name == BY_DATA:  # nobody knows yet which recipe's fields would count
        return general
    chosen = recipes.find(str(name))
    own = [option for option in read_options(chosen) if not option.from_data]
    # No field for a path: visitors choose no file of this machine.
    reading = [option for option in reading_options(chosen.accepts) if option.kind is not SourceName]
    return [*reading, *own, *general]


def _field(option: Option) -> Any:
    """A field for the option that says nothing where it keeps its default."""
    default = plain(option.default, "")
    info = option.help + (f" (default: {default})" if default else "")
    about: dict[str, Any] = {"label": option.flag, "info": info, "min_width": 220, "interactive": True}
    if option.kind is bool or option.choices:
        values = list(map(str, option.choices)) or ["yes", "no"]
        return gr.Dropdown([("default", ""), *((each, each) for each in values)], value="", filterable=False, **about)
    return gr.Textbox("", placeholder="default", max_lines=1, **about)


def _words(
    desk: Desk, data: Any, own: Any, chosen: Any, measure: Any, how_long: Any, given: list[Any]
) -> tuple[list[str], str]:
    """The words of `ganvas train`, all checked, and what the run may be called. Raises UsageError or DataError."""
    _known(chosen)
    if not how_long:
        raise UsageError("say how long to train: a number of minutes or steps")
    words = [] if chosen == BY_DATA else [str(chosen)]
    words += [f"--{measure}={_length(how_long, measure)}"]
    for option, value in zip(_options(chosen), given, strict=True):
        if value not in ("", None):
            words.append(_word(option, str(value).strip()))
    source = _source(desk, data, own)
    taken = recipes.usual(meant(source).kind.kind) if chosen == BY_DATA else chosen
    return [*words, f"--data={source}"], f"{taken}-{Path(source).stem}"


def _known(chosen: Any) -> None:
    """Raises UsageError for what is no recipe of Ganvas: no file of a visitor's choice is run."""
    if chosen not in (BY_DATA, *recipes.names()):
        recipes.find(str(chosen) if not recipes.is_path(str(chosen)) else "?")


def _source(desk: Desk, data: Any, own: Any) -> str:
    """Where the data are, which a visitor has uploaded or chosen. Raises UsageError or DataError."""
    if own:
        return str(_kept(desk, check_here(own)))
    if data not in MADE:
        raise UsageError("choose a set of data, or upload a zip of pictures")
    return str(data)


def _word(option: Option, value: str) -> str:
    checked = _value(option, value)
    if option.kind is bool:
        return option.flag if checked else option.flag.replace("--", "--no-", 1)
    return f"{option.flag}={value}"


def _value(option: Option, value: str) -> Any:
    """What a field's text means. Raises UsageError."""
    return value == "yes" if option.kind is bool else option.check(value.strip())


def _facts(data: Data, shown: Preview) -> str:
    """What there is to say of the data, as HTML, without where they lie."""
    lines = [f"{data.name}: {data.space}", *describe(data)[1:]]
    if len(shown.rows) > 1:
        lines.append(f"of each item from above: {', '.join(shown.rows)}")
    if shown.columns:
        lines.append(f"each column is one label: {', '.join(shown.columns)}")
    return render("web/studio/facts.html.jinja", lines=lines)


def _kept(desk: Desk, uploaded: Path) -> Path:
    """The uploaded archive under its own name, where trainings find it again. Raises UsageError for what is none."""
    if is_archive(uploaded) is not Zip:
        raise UsageError(f"{uploaded.name} is not a zip archive")
    archive = Zip(uploaded)
    try:
        if not archive.names():  # which refuses an archive that was made to do harm
            raise DataError(f"{uploaded.name} holds no pictures")
    finally:
        archive.close()
    with uploaded.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()[:16]
    name = "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in uploaded.stem) or "pictures"
    path = desk.shelf.own / "uploads" / digest / f"{name[:60]}.zip"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".part")
        shutil.copyfile(uploaded, partial)
        partial.replace(path)
    return path
