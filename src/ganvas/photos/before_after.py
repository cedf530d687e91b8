"""A page to compare pictures on: before and after under one slider each, all in one file."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ganvas.files import write_atomically
from ganvas.html import render
from ganvas.photos.files import encoded

SHOWN = 768
"""Side, in pixels of the result, of what the page shows of each picture at most."""

WIDE = 192
"""Pixels that a picture is wide at least on the page, so that its two halves are named above it and not beside it."""


@dataclass(frozen=True)
class Comparison:
    """size, large: (height, width) of the original and of the result; before, after: (H, W, C) uint8 of one size, all
    of them or their middle. whole: whether they show all."""

    name: str
    size: tuple[int, int]
    large: tuple[int, int]
    before: np.ndarray
    after: np.ndarray
    whole: bool = False


@dataclass(frozen=True)
class Words:
    """Of a page: what stands left of the line, and the names of the two halves."""

    left: str
    before: str
    after: str


TRANSLATED = Words("as it was", "before", "after")


def compared(name: str, before: np.ndarray, after: np.ndarray) -> Comparison:
    """Two pictures (H, W, C) uint8 as wholes, made smaller where they are too large for the page."""
    height, width = after.shape[:2]
    share = min(1.0, SHOWN / max(height, width))
    size = (max(1, round(width * share)), max(1, round(height * share)))
    small = [np.asarray(_seen(each).resize(size, Image.Resampling.LANCZOS)) for each in (before, after)]
    return Comparison(name, before.shape[:2], (height, width), small[0], small[1], whole=True)


def write_comparison(path: Path, comparisons: Sequence[Comparison], about: str, words: Words) -> None:
    """Writes the page. It needs no other file and no network, and runs no script but its own. about: what stands right
    of the line."""
    values = [_values(each) for each in comparisons]
    write_atomically(path, render("photos/before_after.html.jinja", comparisons=values, about=about, words=words))


def _values(each: Comparison) -> dict[str, Any]:
    height, width = each.after.shape[:2]
    times = max(1, -(-WIDE // width))
    return {
        "name": each.name,
        "original": _sides(each.size),
        "large": _sides(each.large),
        "piece": "" if each.whole or each.large == (height, width) else _sides((height, width)),
        "smaller": each.whole and each.large != (height, width),
        "times": times,
        "width": width * times,
        "height": height * times,
        "before": _source(each.before, times),
        "after": _source(each.after, times),
    }


def _seen(pixels: np.ndarray) -> Image.Image:
    """In colour, or in colour with alpha."""
    picture = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    return picture.convert("RGBA" if pixels.shape[2] in (2, 4) else "RGB")


def _sides(size: tuple[int, int]) -> str:
    return f"{size[1]} x {size[0]}"


def _source(pixels: np.ndarray, times: int) -> str:
    pixels = pixels.repeat(times, 0).repeat(times, 1)
    if pixels.shape[2] == 2:
        pixels = np.repeat(pixels, (3, 1), axis=2)
    return "data:image/webp;base64," + base64.b64encode(encoded(pixels, "WEBP", quality=92)).decode()
