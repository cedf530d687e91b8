"""Pictures in a terminal: two pixels in each character, one above the other, by the upper half block."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import cast

from PIL import Image
from rich.color import Color
from rich.console import Console
from rich.style import Style
from rich.text import Text

from ganvas.text import cut, shown

LINES = 8
"""Lines of text that a row of pictures takes at most."""

SAID = 4
"""Lines of a row of words."""

ROOM = 24
"""Lines that a terminal must have, so that the pictures leave room for what stands beside them."""


def can_show(console: Console) -> bool:
    """Whether the terminal has the colours, the letters and the room for pictures."""
    coloured = console.color_system in ("truecolor", "256", "windows")
    return coloured and console.encoding.startswith("utf") and console.height >= ROOM


def print_rows(
    make: Callable[[], Mapping[str, Sequence[Image.Image] | Sequence[str]]], console: Console | None = None
) -> None:
    """The rows below one another, each under its name where there are several; of words the first few, a line each.
    Where the output is no terminal that can show them, they are not made."""
    console = console or Console()
    if not console.is_terminal or console.is_dumb_terminal or not can_show(console):
        return
    rows = make()
    for name, pictures in rows.items():
        if len(rows) > 1:
            console.print(Text(f"{name}:", style="dim"))
        if words := [cell for cell in pictures if isinstance(cell, str)]:
            told = "\n".join(f"  {place + 1}. {cut(shown(each), 70) or '-'}" for place, each in enumerate(words[:SAID]))
            console.print(Text(told))
        else:
            console.print(row_of(cast(Sequence[Image.Image], pictures), min(100, console.width)))


def row_of(pictures: Sequence[Image.Image], width: int) -> Text:
    """As many of the pictures, which are of one size, as fit side by side into so many characters; smaller where they
    are higher than `LINES`."""
    across, down = pictures[0].size
    scale = min(1.0, 2 * LINES / down, width / across)
    size = (max(1, round(across * scale)), max(1, round(down * scale)))
    shown = pictures[: max(1, (width + 1) // (size[0] + 1))]
    small = [picture.convert("RGB").resize(size, Image.Resampling.BOX) for picture in shown]
    return Text("\n").join(Text(" ").join(_line(each, top) for each in small) for top in range(0, size[1], 2))


def _line(picture: Image.Image, top: int) -> Text:
    line = Text()
    for x in range(picture.width):
        upper = Color.from_rgb(*_pixel(picture, x, top))
        lower = Color.from_rgb(*_pixel(picture, x, top + 1)) if top + 1 < picture.height else None
        line.append("▀", Style(color=upper, bgcolor=lower))
    return line


def _pixel(picture: Image.Image, x: int, y: int) -> tuple[int, int, int]:
    red, green, blue = picture.getpixel((x, y))  # type: ignore[misc]
    return red, green, blue
