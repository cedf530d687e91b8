"""The film of a run on its page: the last picture with a slider through time, and the strip of all moments."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from ganvas.errors import DataError, RunError
from ganvas.files import read_regular
from ganvas.inputs import inputs_from_json, names_of
from ganvas.run import mapping, number, timeline
from ganvas.spaces import FREE, MOST_PLAYED, Space, space_from_config
from ganvas.text import plain

_LAST_PICTURE, _ALL_PICTURES = 1_000_000, 2_400_000  # bytes, before base64 makes a third more of them
_MOST_NAMES = 16


@dataclass(frozen=True)
class Picture:
    """Samples at a step. source: the picture as an address. crisp: whether it is shown with sharp pixels. labels: of
    its columns; [] where its columns are no labels."""

    step: str
    source: str
    alt: str
    crisp: bool
    labels: list[str]


@dataclass(frozen=True)
class Clip:
    """A sample that is played, or samples that are read. source: the file as an address. element: the HTML element that
    plays it. about: what it is. text: what is read, "" of what is played."""

    source: str
    element: str
    about: str
    text: str = ""


@dataclass(frozen=True)
class Film:
    """The last picture, what of it is played, and for each moment what the page's script shows: its step, alt and src,
    which is "" for the last."""

    last: Picture
    clips: list[Clip]
    frames: list[dict[str, Any]]


@dataclass(frozen=True)
class Strip:
    """All moments side by side, from step `first` to `last`. about: how it is read. room: `few`, `some` or `many`."""

    source: str
    alt: str
    about: str
    crisp: bool
    room: str
    first: str
    last: str


@dataclass(frozen=True)
class Learned:
    """What the run learns from. rows: what stands in the rows of each item, from above. labels: of its columns; []
    where its columns are no labels."""

    source: str
    crisp: bool
    rows: list[str]
    labels: list[str]


@dataclass(frozen=True)
class Reconstructions:
    """Held-out items, with what is made of the encoding of each below it. noun: what they are called."""

    source: str
    crisp: bool
    noun: str


def learned_from(run: Path, config: Mapping[str, Any]) -> Learned | None:
    """None where there is no picture of it."""
    picture = timeline.read(run / timeline.DATA)
    if picture is None:
        return None
    shown = mapping(mapping(config.get("data")).get("shown"))
    rows, labels = (
        [plain(each) for each in names[:_MOST_NAMES]] if isinstance(names := shown.get(key), list) else []
        for key in ("rows", "columns")
    )
    return Learned(_encoded([picture], _LAST_PICTURE)[0], _crisp(picture, config), rows, labels)


def reconstructions(run: Path, config: Mapping[str, Any]) -> Reconstructions | None:
    """None where there is no picture of them."""
    picture = timeline.read(run / timeline.FOLDER / timeline.RECONSTRUCTIONS)
    if picture is None:
        return None
    return Reconstructions(_encoded([picture], _LAST_PICTURE)[0], _crisp(picture, config), noun_of(config))


def film(run: Path, config: Mapping[str, Any]) -> Film | None:
    """None where there is no picture yet."""
    frames = frames_of(run)
    if not frames:
        return None
    *sources, last = [
        *_encoded([picture for _, picture in frames[:-1]], _ALL_PICTURES),
        *_encoded([frames[-1][1]], _LAST_PICTURE),
    ]
    held = [
        {"step": step, "alt": _alt(step), "src": source}
        for (step, _), source in zip(frames, [*sources, ""], strict=True)
    ]
    return Film(_picture(*frames[-1], last, config), last_clips(run, config), held)


def last_picture(run: Path, config: Mapping[str, Any]) -> Picture | None:
    """None where there is no picture yet."""
    step, path = next(reversed(timeline.pictures(run)), (0, run))
    picture = timeline.read(path) if path != run else None
    return None if picture is None else as_picture(step, picture, config)


def last_clips(run: Path, config: Mapping[str, Any]) -> list[Clip]:
    """What of the last picture is played; [] of kinds that are only looked at."""
    space = _space(config)
    return [] if space is None else clips(space, last_played(run, space), _labels(config))


def last_lines(run: Path, space: Space) -> list[str]:
    """The lines of the last samples that are read."""
    return [line for content in last_played(run, space) for line in content.decode().splitlines()]


def last_played(run: Path, space: Space) -> list[bytes]:
    """The files that are played of the last picture, each decoded and encoded anew."""
    files = timeline.played(run)
    contents = []
    for path in [path for step, path in files if step == files[-1][0]][:MOST_PLAYED]:
        with suppress(OSError, DataError):
            contents.append(space.played_again(read_regular(path, inside=run)))
    return contents


def clips(space: Space, contents: Sequence[bytes], labels: Sequence[Any] = ()) -> list[Clip]:
    """Files of samples as a page plays them. labels: those of a picture's columns are told beside the samples of its
    first row."""
    if space.written:
        return [Clip("", space.element, f"{space.noun}, a line each", each.decode()) for each in contents]
    shown = timeline.labels_shown(len(labels), space.layout(len(labels))[1]) if labels else []
    told = [plain(labels[index]) for index in shown]
    return [
        Clip(
            f"data:{space.media_type};base64,{base64.b64encode(content).decode()}",
            space.element,
            told[place] if place < len(told) else f"sample {place + 1}",
        )
        for place, content in enumerate(contents)
    ]


def last_strip(run: Path) -> tuple[str, int]:
    """The address of the strip that training keeps up to date, and its width in pixels; "" where there is none."""
    picture = timeline.read(run / timeline.FOLDER / timeline.STRIP)
    return ("", 0) if picture is None else (_encoded([picture], _LAST_PICTURE)[0], picture.width)


def time_strip(run: Path, config: Mapping[str, Any]) -> Strip | None:
    """None where there are fewer than two moments, or where the pictures are not of the run's space."""
    frames = frames_of(run)
    space = _space(config)
    if len(frames) < 2 or space is None:
        return None
    strip = timeline.strip([picture for _, picture in frames], space, space.columns_of(frames[-1][1]))
    if strip is None:
        return None
    (source,) = _encoded([strip], _LAST_PICTURE)
    first, last = f"{frames[0][0]:,}", f"{frames[-1][0]:,}"
    return Strip(
        source=source,
        alt=f"The first samples at {len(frames)} moments of training, from step {first} to {last}",
        about="Each row follows one sample, each column is a moment" if space.tile else "Each plot is a moment",
        crisp=space.crisp,
        room="few" if len(frames) < 6 else "some" if len(frames) < 13 else "many",
        first=first,
        last=last,
    )


def as_picture(step: int, picture: Image.Image, config: Mapping[str, Any]) -> Picture:
    """Samples of a run that were drawn anew."""
    return _picture(step, picture, _encoded([picture], _LAST_PICTURE)[0], config)


def _alt(step: int) -> str:
    return f"Generated samples at step {step:,}"


def _picture(step: int, picture: Image.Image, source: str, config: Mapping[str, Any]) -> Picture:
    return Picture(f"{step:,}", source, _alt(step), _crisp(picture, config), _column_labels(config, picture))


def _crisp(picture: Image.Image, config: Mapping[str, Any]) -> bool:
    space = _space(config)
    return picture.width < 600 and space is not None and space.crisp


def frames_of(run: Path, most: int = timeline.MOMENTS) -> list[tuple[int, Image.Image]]:
    """(step, picture) of at most so many moments, all of the size of the last one."""
    moments = timeline.spread(timeline.pictures(run), most)
    read = [(step, picture) for step, path in moments if (picture := timeline.read(path))]
    return [(step, picture) for step, picture in read if picture.size == read[-1][1].size]


def _encoded(pictures: Sequence[Image.Image], budget: int) -> list[str]:
    """The pictures as data addresses: PNG where all fit into the budget of bytes, else smaller and lossy."""
    for side in (None, 900, 450, 200, 80):
        kind = "PNG" if side is None else "WEBP"
        contents = []
        for picture in pictures:
            buffer = io.BytesIO()
            if side is None:
                picture.save(buffer, "PNG", optimize=picture.width * picture.height < 1 << 18)
            else:
                small = picture.convert("RGBA" if picture.mode == "RGBA" else "RGB")
                small.thumbnail((side, side))
                small.save(buffer, "WEBP", quality=80, method=2)
            contents.append(buffer.getvalue())
        if sum(map(len, contents)) <= budget:
            break
    return [f"data:image/{kind.lower()};base64,{base64.b64encode(content).decode()}" for content in contents]


def _column_labels(config: Mapping[str, Any], picture: Image.Image) -> list[str]:
    """The labels above the picture's columns; [] where its columns are not labels."""
    space, names = _space(config), _labels(config)
    if not names or space is None or not space.tile:
        return []
    columns = space.layout(len(names))[1]
    if space.columns_of(picture) != columns:
        return []
    return [plain(names[index]) for index in timeline.labels_shown(len(names), columns)]


def _labels(config: Mapping[str, Any]) -> Sequence[Any]:
    """The names of the labels that the run's samples are conditioned on; () where there are none."""
    if "inputs" in config:
        try:
            return names_of(inputs_from_json(config["inputs"])).get("label", ())
        except RunError:
            return ()
    # Runs of before their inputs were told say it by their arguments.
    arguments, names = mapping(config.get("arguments")), mapping(config.get("data")).get("labels")
    classes = number(arguments.get("classes"))
    conditional = bool(classes) and arguments.get("conditional", True) is True
    return names if conditional and isinstance(names, list) and len(names) == classes else ()


def noun_of(config: Mapping[str, Any]) -> str:
    """What many of the run's samples are called."""
    space = _space(config)
    return "items" if space is None else space.noun


def _space(config: Mapping[str, Any]) -> Space | None:
    try:
        space = space_from_config(mapping(mapping(config.get("data")).get("space")) or {})
    except RunError:
        return None
    return None if FREE in space.shape else space
