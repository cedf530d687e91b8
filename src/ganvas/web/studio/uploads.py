"""What a visitor gives to be changed: an upload for each way in which samples are drawn, and how before and after are
shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import gradio as gr
from PIL import Image
from torch import Tensor

from ganvas.errors import DataError, UsageError
from ganvas.html import render
from ganvas.inputs import Given, Input, given_of
from ganvas.spaces import Space
from ganvas.web.studio.downloads import keep
from ganvas.web.studio.guard import check_here
from ganvas.web.studio.run_list import Shelf
from ganvas.web.studio.widgets import before_after, data_address, enlarged

MOST_READ = 24_000_000
"""Pixels, or whatever samples are made of, of a file that is read; `Space.at_once` go through the network."""

MOST_BYTES = 256 * 2**20
"""Of such a file."""


@dataclass(frozen=True)
class Upload:
    """noun: what one sample is called. build: makes the component, whose value is the path of a file."""

    noun: str
    build: Callable[[], Any]


def _picture() -> gr.Image:
    picture = gr.Image(
        label="Picture",
        type="filepath",
        image_mode=None,
        sources=["upload", "webcam", "clipboard"],
        height=240,
        elem_id="change-picture",
    )
    # Gradio would open the file itself; here it is read as every picture that is given.
    picture.preprocess = lambda payload: None if payload is None else payload.path  # type: ignore[method-assign]
    return picture


def _sound() -> gr.Audio:
    return gr.Audio(
        label="Sound",
        type="filepath",
        sources=["upload", "microphone"],
        editable=False,
        buttons=[],
        elem_id="change-sound",
    )


UPLOADS = {"pixels": Upload("picture", _picture), "spectrogram": Upload("sound", _sound)}
"""By `Space.canvas`; the first where nothing says which."""


def changed_input(inputs: Mapping[str, Input], made: Space | None) -> tuple[str, Given] | None:
    """What is to be changed: the first thing that must be given, where it has an upload and samples of its kind are
    made of it; else None."""
    name, given = next(iter(given_of(inputs).items()), (None, None))
    if name is None or given is None or given.space.canvas not in UPLOADS:
        return None
    return (name, given) if made is None or made.canvas == given.space.canvas else None


def content_of(path: Any, space: Space, noun: str) -> tuple[str, bytes]:
    """The stem of the name of an uploaded file, and its content. Raises UsageError."""
    if not path:
        raise UsageError(f"choose a {noun} first")
    file = check_here(path)
    if file.stat().st_size > MOST_BYTES:
        raise UsageError(f"the {noun} has more than {MOST_BYTES / 2**20:.0f} MB, the most that is taken here")
    content = file.read_bytes()
    try:
        space.size_of_file(content, MOST_READ)
    except DataError as error:
        raise UsageError(f"the {noun}: {error}") from None
    return file.stem, content


def check_at_once(space: Space, numbers: int) -> None:
    """Raises UsageError for more numbers in each channel than a page takes through a network."""
    if numbers > space.at_once:
        raise UsageError(
            f"these are {space.amount(numbers)}, and the page changes up to {space.amount(space.at_once)}; give a part "
            "of it, or leave it at the scale of the training"
        )


@dataclass(frozen=True)
class Shown:
    """Where before and after appear, and the file of what was made: pictures under one slider, and what is played (see
    `Space.played`) one below the other."""

    slider: Any
    players: Any
    file: Any

    @classmethod
    def build(cls) -> Shown:
        slider = before_after("changed-both", "crisp")
        players = gr.HTML(elem_id="changed-heard")
        return cls(slider, players, gr.DownloadButton("Download", visible=False, size="sm", elem_id="changed"))

    @property
    def all(self) -> list[Any]:
        return [self.slider, self.players, self.file]

    def of(self, shelf: Shelf, name: str, before: tuple[Space, Tensor], after: tuple[Space, Tensor]) -> list[Any]:
        """Their values for samples (1, *shape), each with its space. name: of the file."""
        space, made = after
        kept = keep(shelf, f"{name}{space.suffix}", space.file(made))
        low, high = (each.show(sample, columns=1) for each, sample in (before, after))
        if space.played(made):
            given = keep(shelf, f"{name}-before{before[0].suffix}", before[0].file(before[1]))
            told = [("As it was", before[0], low, given), ("Changed", space, high, kept)]
            rows = [(about, of.element, data_address(picture), address_of(file)) for about, of, picture, file in told]
            slider, players = gr.ImageSlider(visible=False), render("web/studio/heard.html.jinja", rows=rows)
        else:
            low = low if low.size == high.size else low.resize(high.size, Image.Resampling.BICUBIC)
            slider, players = gr.ImageSlider(value=(enlarged(low, 512), enlarged(high, 512)), visible=True), ""
        what = f"Download what is changed ({space.suffix.removeprefix('.').upper()})"
        return [slider, players, gr.DownloadButton(what, value=str(kept), visible=True)]


def address_of(path: Any) -> str:
    """Where the page finds a file that Gradio keeps for it."""
    return f"/gradio_api/file={quote(str(path))}" if path else ""
