"""The film of a run on its page: the last picture with a slider through time, and the strip of all moments."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from ganvas.errors import RunError
from ganvas.html import mapping, script_data, text_of
from ganvas.run import number, timeline
from ganvas.spaces import FREE, Space, space_from_config

_LAST_PICTURE, _ALL_PICTURES = 1_000_000, 2_400_000  # bytes, before base64 makes a third more of them


def moving_picture(run: Path, config: Mapping[str, Any]) -> str:
    """The last picture, and controls to go back in time."""
    frames = _frames(run)
    if not frames:
        return ""
    pictures = [picture for _, picture in frames]
    sources = [*_encoded(pictures[:-1], _ALL_PICTURES), *_encoded(pictures[-1:], _LAST_PICTURE)]
    alts = [f"Generated samples at step {step:,}" for step, _ in frames]
    held = [
        {"step": step, "alt": alt, "src": "" if place == len(frames) - 1 else source}
        for place, ((step, _), alt, source) in enumerate(zip(frames, alts, sources, strict=True))
    ]
    labels = _column_labels(config, pictures[-1])
    told = "Each column is one label. " if labels else ""
    heads = "".join(f'<span title="{text_of(name)}">{text_of(name)}</span>' for name in labels)
    crisp = ' class="pixelated"' if _crisp(config, pictures[-1]) else ""
    end = len(frames) - 1
    controls = (
        '<div class="controls"><button type="button">Play</button>'
        f'<input type="range" min="0" max="{end}" value="{end}" step="1" aria-label="Moment of training">'
        f"<output>step {frames[-1][0]:,}</output></div>"
    )
    return (
        f'<figure class="card film">{f"<div class=labels>{heads}</div>" if labels else ""}'
        f'<div class="view"><img{crisp} src="{sources[-1]}" alt="{alts[-1]}"></div>{controls if end else ""}'
        f"<figcaption>{told}What the generator makes of the same random inputs as training goes on (averaged weights). "
        f"The last picture is of step {frames[-1][0]:,}.</figcaption>"
        f'<script type="application/json">{script_data(held)}</script></figure>'
    )


def last_picture(run: Path, config: Mapping[str, Any]) -> tuple[int, str, bool, list[str]] | None:
    """(step, address, whether it is shown with sharp pixels, labels of its columns); None where there is none yet."""
    step, path = next(reversed(timeline.pictures(run)), (0, run))
    picture = timeline.read(path) if path != run else None
    if picture is None:
        return None
    return step, _encoded([picture], _LAST_PICTURE)[0], _crisp(config, picture), _column_labels(config, picture)


def last_strip(run: Path) -> tuple[str, int]:
    """The address of the strip that training keeps up to date, and its width in pixels; "" where there is none."""
    picture = timeline.read(run / timeline.FOLDER / timeline.STRIP)
    return ("", 0) if picture is None else (_encoded([picture], _LAST_PICTURE)[0], picture.width)


def time_strip(run: Path, config: Mapping[str, Any]) -> str:
    frames = _frames(run)
    space = _space(config)
    if len(frames) < 2 or space is None:
        return ""
    strip = timeline.strip([picture for _, picture in frames], space, space.columns_of(frames[-1][1]))
    if strip is None:  # the pictures are not of this space
        return ""
    (source,) = _encoded([strip], _LAST_PICTURE)
    alt = f"The first samples at {len(frames)} moments of training, from step {frames[0][0]:,} to {frames[-1][0]:,}"
    about = "Each row follows one sample, each column is a moment" if space.tile else "Each plot is a moment"
    room = "few" if len(frames) < 6 else "some" if len(frames) < 13 else "many"
    crisp = ' class="pixelated"' if space.crisp else ""
    return (
        f'<h2>From noise to samples</h2><p class="lead">{about}: dense at the start, where most happens, sparse later.'
        f'</p><div class="card"><div class="strip {room}"><div class="scroll">'
        f'<img{crisp} src="{source}" alt="{alt}"><div class="here"></div></div>'
        f'<div class="ends"><span>step {frames[0][0]:,}</span><span>step {frames[-1][0]:,}</span></div></div></div>'
    )


def _frames(run: Path) -> list[tuple[int, Image.Image]]:
    """(step, picture) of at most 24 moments, all of the size of the last one."""
    read = [
        (step, picture) for step, path in timeline.spread(timeline.pictures(run)) if (picture := timeline.read(path))
    ]
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
    arguments, space = mapping(config.get("arguments")), _space(config)
    names, classes = mapping(config.get("data")).get("labels"), number(arguments.get("classes"))
    conditional = bool(classes) and arguments.get("conditional", True) is True
    if not conditional or space is None or not space.tile or not isinstance(names, list) or len(names) != classes:
        return []
    columns = space.layout(len(names))[1]
    if space.columns_of(picture) != columns:
        return []
    return [names[index] for index in timeline.labels_shown(len(names), columns)]


def _crisp(config: Mapping[str, Any], picture: Image.Image) -> bool:
    space = _space(config)
    return picture.width < 600 and space is not None and space.crisp


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
