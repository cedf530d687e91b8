"""A training as a moving picture: the pictures of its samples, one after the other."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from ganvas.errors import RunError, UsageError
from ganvas.files import write_atomically
from ganvas.report.pictures import frames_of

FORMATS = {".webp": "WEBP", ".gif": "GIF", ".png": "PNG"}
FPS = 4.0
"""Moments a second, where nothing is said."""

FASTEST = 50.0
"""Moments a second: GIF counts time in hundredths, and viewers slow down what is shown for one of them."""

MOST = 1000
"""Moments of one film."""

STAYS = 1000
"""Milliseconds that the last moment is shown for beyond its own time."""

_ENOUGH, _CAPTION = 256, 20


def write_film(
    run: Path,
    out: Path,
    *,
    fps: float | None = None,
    seconds: float | None = None,
    width: int | None = None,
    captions: bool = True,
    overwrite: bool = False,
) -> str:
    """Writes the film of a run and returns a sentence about it. out: its ending says the format, one of `FORMATS`.

    fps: moments a second, or `seconds`: of one round, both without the second that the last moment stays. width: in
    pixels; by default as the pictures are, those below 256 enlarged by a whole number. captions: with the step below.
    Raises UsageError for an ending that cannot be and a file that exists, unless `overwrite`; RunError for a run with
    fewer than two pictures.
    """
    kind = FORMATS.get(out.suffix.lower())
    if kind is None:
        instead = "no library for video comes with Ganvas: choose .webp, which is the smallest, or .gif"
        known = "a film is a .webp, .gif or .png file"
        raise UsageError(f"--out {out}: {instead if out.suffix.lower() in _VIDEO else known}")
    if out.exists() and not overwrite:
        raise UsageError(f"{out} exists; add --overwrite to replace it, or choose another --out")
    found = frames_of(run, MOST)
    if len(found) < 2:
        raise RunError(
            f"{run} keeps {len(found) or 'no'} picture{'s' * (not found)} of its samples, and a film needs two"
        )
    fps = FPS if fps is None else fps
    each = round(1000 / fps if seconds is None else 1000 * seconds / len(found))
    each = max(each, round(1000 / FASTEST))
    frames = [_frame(picture, step, width, captions) for step, picture in found]
    times = [*[each] * (len(frames) - 1), each + STAYS]
    write_atomically(out, _encoded(frames, times, kind))
    first, last = found[0][0], found[-1][0]
    return f"{len(frames)} moments from step {first:,} to {last:,}, {sum(times) / 1000:.3g} s, in {out}"


_VIDEO = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v")


def _frame(picture: Image.Image, step: int, width: int | None, captions: bool) -> Image.Image:
    """The picture in RGB, as wide as it is wanted; a caption adds to its height."""
    if picture.mode in ("RGBA", "LA"):
        below = Image.new("RGBA", picture.size, "white")
        below.alpha_composite(picture.convert("RGBA"))
        picture = below
    picture = picture.convert("RGB")
    wide = picture.width * max(1, -(-_ENOUGH // picture.width)) if width is None else width
    size = (wide, max(1, round(picture.height * wide / picture.width)))
    whole = wide % picture.width == 0
    picture = picture.resize(size, Image.Resampling.NEAREST if whole else Image.Resampling.LANCZOS)
    if not captions:
        return picture
    sheet = Image.new("RGB", (picture.width, picture.height + _CAPTION), "white")
    sheet.paste(picture, (0, 0))
    ImageDraw.Draw(sheet).text((4, picture.height + 4), f"step {step:,}", "#444", ImageFont.load_default())
    return sheet


def _encoded(frames: Sequence[Image.Image], times: Sequence[int], kind: str) -> bytes:
    more = {"WEBP": {"quality": 85, "method": 4}, "GIF": {"disposal": 1}, "PNG": {}}[kind]
    if kind == "GIF":  # 256 colours, chosen for each frame
        frames = [frame.quantize(256) for frame in frames]
    buffer = io.BytesIO()
    frames[0].save(buffer, kind, save_all=True, append_images=list(frames[1:]), duration=list(times), loop=0, **more)
    return buffer.getvalue()
