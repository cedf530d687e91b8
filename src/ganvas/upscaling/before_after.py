"""A page to compare pictures on: before and after under one slider each, all in one file."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ganvas.files import write_atomically
from ganvas.html import render
from ganvas.upscaling.photo_files import encoded


@dataclass(frozen=True)
class Comparison:
    """before, after: (H, W, C) uint8 of one size; width, height: of the piece in the original's pixels."""

    name: str
    width: int
    height: int
    before: np.ndarray
    after: np.ndarray


def write_comparison(path: Path, comparisons: Sequence[Comparison], about: str) -> None:
    """Writes the page. It needs no other file and no network, and runs no script but its own."""
    shown = [
        {
            "name": each.name,
            "original": f"{each.width} x {each.height}",
            "width": each.after.shape[1],
            "height": each.after.shape[0],
            "before": _source(each.before),
            "after": _source(each.after),
        }
        for each in comparisons
    ]
    write_atomically(path, render("upscaling/before_after.html.jinja", comparisons=shown, about=about))


def _source(pixels: np.ndarray) -> str:
    if pixels.shape[2] == 2:
        pixels = np.repeat(pixels, (3, 1), axis=2)
    return "data:image/webp;base64," + base64.b64encode(encoded(pixels, "WEBP", quality=92)).decode()
