"""A page to compare pictures on: before and after under one slider each, all in one file."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ganvas.files import write_atomically
from ganvas.html import render
from ganvas.upscaling.photo_files import encoded

WIDE = 192
"""Pixels that a picture is wide at least on the page, so that its two halves are named above it and not beside it."""


@dataclass(frozen=True)
class Comparison:
    """size, large: (height, width) of the original and of the result; before, after: (H, W, C) uint8 of one size, all
    of them or their middle."""

    name: str
    size: tuple[int, int]
    large: tuple[int, int]
    before: np.ndarray
    after: np.ndarray


def write_comparison(path: Path, comparisons: Sequence[Comparison], about: str) -> None:
    """Writes the page. It needs no other file and no network, and runs no script but its own."""
    values = [_values(each) for each in comparisons]
    write_atomically(path, render("upscaling/before_after.html.jinja", comparisons=values, about=about))


def _values(each: Comparison) -> dict[str, Any]:
    height, width = each.after.shape[:2]
    times = max(1, -(-WIDE // width))
    return {
        "name": each.name,
        "original": _sides(each.size),
        "large": _sides(each.large),
        "piece": "" if each.large == (height, width) else _sides((height, width)),
        "times": times,
        "width": width * times,
        "height": height * times,
        "before": _source(each.before, times),
        "after": _source(each.after, times),
    }


def _sides(size: tuple[int, int]) -> str:
    return f"{size[1]} x {size[0]}"


def _source(pixels: np.ndarray, times: int) -> str:
    pixels = pixels.repeat(times, 0).repeat(times, 1)
    if pixels.shape[2] == 2:
        pixels = np.repeat(pixels, (3, 1), axis=2)
    return "data:image/webp;base64," + base64.b64encode(encoded(pixels, "WEBP", quality=92)).decode()
