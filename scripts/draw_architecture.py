"""Draws docs/architecture.svg, the picture of the rooms, from the imports of the source.

    python scripts/draw_architecture.py

A room stands above all that it imports. An arrow that follows from two others is left out.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from html import escape
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src" / "ganvas"
PICTURE = Path(__file__).parents[1] / "docs" / "architecture.svg"

WIDTH, HEIGHT, GAP, ROW = 118, 34, 16, 66
COLOURS = {"package": "#2f6f8f", "module": "#7a8794"}
LEFT_OUT = {"errors", "text", "lazy", "version", "files", "schema", "options", "__main__", "latent"}
"""Modules that nearly everybody uses, whose arrows would hide the others."""


def imports() -> dict[str, set[str]]:
    """By room or loose module: those that it imports, lazily and for types too."""
    found: dict[str, set[str]] = {}
    for path in SOURCE.rglob("*.py"):
        room = path.relative_to(SOURCE).parts[0].removesuffix(".py")
        if room == "__init__" or room in LEFT_OUT:
            continue
        used = found.setdefault(room, set())
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "ganvas":
                first = [node.module.split(".")[1]] if "." in str(node.module) else [each.name for each in node.names]
                used |= {name for name in first if (SOURCE / name).is_dir() or (SOURCE / f"{name}.py").is_file()}
    return {room: used - {room} - LEFT_OUT for room, used in found.items()}


def heights(graph: Mapping[str, set[str]]) -> dict[str, int]:
    """The length of the longest way down from each room."""
    known: dict[str, int] = {}

    def height(room: str) -> int:
        if room not in known:
            known[room] = 1 + max((height(below) for below in graph[room]), default=-1)
        return known[room]

    for room in graph:
        height(room)
    return known


def reduced(graph: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Without the arrows that follow from two others."""

    def reached(room: str) -> set[str]:
        return graph[room] | {far for below in graph[room] for far in reached(below)}

    return {
        room: {below for below in used if not any(below in reached(other) for other in used if other != below)}
        for room, used in graph.items()
    }


def drawn(graph: Mapping[str, set[str]]) -> str:
    """The picture as SVG."""
    level = heights(graph)
    rows = [sorted(room for room in graph if level[room] == row) for row in range(max(level.values()) + 1)]
    across = max(len(row) for row in rows) * (WIDTH + GAP) + GAP
    down = len(rows) * ROW + GAP
    places = {}
    for number, row in enumerate(rows):
        left = (across - len(row) * (WIDTH + GAP) + GAP) / 2
        for column, room in enumerate(row):
            places[room] = (left + column * (WIDTH + GAP), down - (number + 1) * ROW)
    lines, boxes = [], []
    for room, used in sorted(reduced(graph).items()):
        x, y = places[room]
        for below in sorted(used):
            bx, by = places[below]
            start, end = (x + WIDTH / 2, y + HEIGHT), (bx + WIDTH / 2, by)
            bend = (end[1] - start[1]) / 2
            lines.append(
                f'<path d="M{start[0]:.0f} {start[1]:.0f}C{start[0]:.0f} {start[1] + bend:.0f} {end[0]:.0f} '
                f'{end[1] - bend:.0f} {end[0]:.0f} {end[1]:.0f}" marker-end="url(#a)"/>'
            )
        colour = COLOURS["package" if (SOURCE / room).is_dir() else "module"]
        boxes.append(
            f'<rect x="{x:.0f}" y="{y:.0f}" width="{WIDTH}" height="{HEIGHT}" rx="7" fill="{colour}"/>'
            f'<text x="{x + WIDTH / 2:.0f}" y="{y + HEIGHT / 2 + 5:.0f}">{escape(room)}</text>'
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {across} {down}" role="img" '
        'aria-label="The rooms of Ganvas, each above those that it imports">'
        '<defs><marker id="a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6" markerHeight="6" orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="#8a94a0"/></marker></defs>'
        f'<rect width="{across}" height="{down}" fill="#fbfbfa"/>'
        f'<g fill="none" stroke="#8a94a0" stroke-width="1.1">{"".join(lines)}</g>'
        '<g font-family="system-ui, sans-serif" font-size="14" fill="#fff" text-anchor="middle">'
        f"{''.join(boxes)}</g></svg>\n"
    )


if __name__ == "__main__":
    PICTURE.write_text(drawn(imports()), encoding="utf-8")
    print(f"{PICTURE.name}: {len(imports())} rooms and modules")
