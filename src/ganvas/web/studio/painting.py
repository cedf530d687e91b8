"""A brush over a picture: what is painted over becomes a mask."""

from __future__ import annotations

import io
import json
from typing import Any

import gradio as gr
from PIL import Image, ImageDraw

from ganvas.errors import UsageError
from ganvas.html import asset, render

MOST_NUMBERS = 50_000
"""Of all strokes together."""

FURTHEST = 10
"""Sides of the picture that a stroke goes beyond it, at most, and that a brush is wide."""


def painting(name: str, picture: str = "") -> gr.HTML:
    """The component, whose value is JSON: the address of the picture, and the strokes in shares of its sides."""
    return gr.HTML(
        over(picture),
        html_template=render("web/studio/painting.html.jinja"),
        js_on_load=str(asset("exporting", "brush.js") + asset("web/studio", "painting.js")),
        elem_id=f"paint-{name}",
    )


def over(picture: str) -> str:
    """The value for a picture (its address; "" for none) that nothing is painted over."""
    return json.dumps({"picture": picture, "strokes": []})


def mask_of(value: Any, height: int, width: int) -> bytes:
    """The strokes as a PNG of this size, white where it was painted over and black elsewhere. Raises UsageError for
    what no brush gives."""
    picture = Image.new("L", (width, height))
    draw = ImageDraw.Draw(picture)
    for thickness, places in _strokes(value):
        points = [(x * width, y * height) for x, y in places]
        across = thickness * min(width, height)
        draw.line(points, fill=255, width=max(1, round(across)))
        for x, y in points:
            half = max(0.5, across / 2)
            draw.ellipse((x - half, y - half, x + half, y + half), fill=255)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def _strokes(value: Any) -> list[tuple[float, list[tuple[float, float]]]]:
    """(width, places) of each stroke, in shares of the picture's sides."""
    try:
        told = json.loads(value)["strokes"]
        strokes = [(float(each["width"]), [(float(x), float(y)) for x, y in each["places"]]) for each in told]
        numbers = [width for width, _ in strokes] + [side for _, places in strokes for each in places for side in each]
        sound = all(abs(number) <= FURTHEST for number in numbers) and len(numbers) <= MOST_NUMBERS
    except (TypeError, ValueError, KeyError, OverflowError, RecursionError):
        sound, strokes = False, []
    if not sound:
        raise UsageError("what was painted cannot be read; clear it and paint again")
    return strokes
