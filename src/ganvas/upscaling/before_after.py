"""A page to compare pictures on: before and after under one slider each, all in one file."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path

import numpy as np

from ganvas.files import write_atomically
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
    write_atomically(path, _page(comparisons, about))


_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { margin: 2rem auto; max-width: 60rem; padding: 0 1rem }
figure { margin: 2.5rem 0 } figcaption { margin-bottom: .5rem } small { opacity: .7 }
.ends { display: flex; justify-content: space-between }
"""

_SCRIPT = """
for (const slider of document.querySelectorAll(".both input"))
  slider.addEventListener("input", () => slider.parentElement.style.setProperty("--at", slider.value + "%"));
"""


def _page(comparisons: Sequence[Comparison], about: str) -> str:
    digest = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    slider = (files("ganvas.upscaling") / "assets" / "slider.css").read_text(encoding="utf-8")
    figures = "".join(_figure(each) for each in comparisons)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>Before and after</title><style>{_STYLE}{slider}</style></head>
<body><h1>Before and after</h1>
<p>Left of the line: bicubic interpolation. Right of it: {escape(about)}. Drag the line, or move it with the arrow keys.
Of large pictures the middle is shown.</p>
{figures}<script>{_SCRIPT}</script></body></html>
"""


def _figure(comparison: Comparison) -> str:
    height, width = comparison.after.shape[:2]
    name = escape(comparison.name)
    size = f'width="{width}" height="{height}"'
    return f"""<figure><figcaption>{name} <small>{comparison.width} x {comparison.height} pixels to {width} x {height}
</small></figcaption><div class="both"><img {size} alt="{name}, bicubic" src="{_source(comparison.before)}">
<img {size} alt="{name}, enlarged" src="{_source(comparison.after)}">
<input type="range" min="0" max="100" value="50" step="0.5" aria-label="how much of {name} is shown as it was before">
</div><div class="ends"><small>bicubic</small><small>enlarged</small></div></figure>
"""


def _source(pixels: np.ndarray) -> str:
    if pixels.shape[2] == 2:
        pixels = np.repeat(pixels, (3, 1), axis=2)
    return "data:image/webp;base64," + base64.b64encode(encoded(pixels, "WEBP", quality=92)).decode()
