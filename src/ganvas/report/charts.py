"""Line charts as inline SVG, for a page that may load nothing.

Each chart carries its points as JSON beside the drawing, which is what the page's script reads to show values under
the pointer. Whatever text comes in is escaped here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

from ganvas.html import script_data

WIDTH, HEIGHT = 480.0, 232.0
LEFT, RIGHT, TOP, BOTTOM = 50.0, 10.0, 12.0, 30.0
POINTS = 240
"""Points that a line has at most; of more, means of neighbours are drawn, in a band from their lowest to highest."""

Pair = tuple[float, float]
_At = Callable[[float], float]
_Tell = Callable[[float], str]


@dataclass(frozen=True)
class Line:
    """A named line through (x, y), x ascending. `colour` is a class of the style sheet: c0 (blue), c1 (orange), ..."""

    name: str
    points: Sequence[Pair]
    colour: str


@dataclass(frozen=True)
class Chart:
    """scale: `share` is 0 to 100%; `linear` starts at 0 unless all values lie close together far from it; `log` is
    for positive values over decades. reference: a value to compare with, and what it means."""

    title: str
    about: str
    lines: Sequence[Line]
    scale: Literal["linear", "log", "share"] = "linear"
    reference: tuple[float, str] | None = None


def figure(chart: Chart, marks: Sequence[tuple[float, str]] = (), *, data: bool = True) -> str:
    """The chart as HTML, "" where no line has a point. marks: (step, what happened there). data: with its points, for a
    page whose script reads them."""
    lines = [line for line in chart.lines if line.points]
    if not lines:
        return ""
    steps = [x for line in lines for x, _ in line.points]
    x_low, x_high = min(steps), max(steps)
    if x_low < x_high / 4 or x_low == x_high:
        x_low, x_high = 0.0, max(x_high, 1.0)
    values = [y for line in lines for _, y in line.points]
    log = chart.scale == "log" and min(values) > 0
    y_low, y_high, cut = (0.0, 1.0, False) if chart.scale == "share" else _limits(values, log)

    def x_at(x: float) -> float:
        return LEFT + (x - x_low) / (x_high - x_low) * (WIDTH - LEFT - RIGHT)

    def y_at(y: float) -> float:
        share = math.log(y / y_low) / math.log(y_high / y_low) if log else (y - y_low) / (y_high - y_low)
        return TOP + (1 - min(2.0, max(-1.0, share))) * (HEIGHT - TOP - BOTTOM)

    tell = _percent if chart.scale == "share" else _short
    back = [_tick_y(y_at(value), tell(value)) for value in (_decades if log else _ticks)(y_low, y_high)]
    back += [_tick_x(x_at(value), _steps(value)) for value in _ticks(x_low, x_high, 5)]
    for step, what in marks:
        if x_low <= step <= x_high:
            place = f'x1="{x_at(step):.1f}" x2="{x_at(step):.1f}" y1="{TOP:g}" y2="{HEIGHT - BOTTOM:g}"'
            back.append(f'<line class="mark" {place}><title>{escape(what)}</title></line>')
    if chart.reference and y_low <= chart.reference[0] <= y_high:
        back.append(_reference(y_at(chart.reference[0]), chart.reference[1]))
    curves, held = [], []
    for line in lines:
        thinned = _thinned(line.points)
        curves.append(_drawn(thinned, line.colour, x_at, y_at))
        held.append(
            [
                [_round(x), _round(mean), round(x_at(x), 1), round(max(TOP, y_at(mean)), 1)]  # a dot stays in the frame
                for x, mean, _, _ in thinned
            ]
        )
    name = _described(chart, lines, tell)
    note = f" The highest, {tell(max(values))}, is beyond the frame." if cut else ""
    legend = "".join(
        f'<li class="{line.colour}"><i></i>{escape(line.name)} <output>{escape(tell(line.points[-1][1]))}</output></li>'
        for line in lines
    )
    points = script_data({"share": chart.scale == "share", "lines": held}) if data else ""
    return (
        f'<figure class="card chart"><h3>{escape(chart.title)}</h3><p class="about">{escape(chart.about)}{note}</p>'
        f'<ul class="legend">{legend}<li class="where">at step <output>{_steps(x_high)}</output></li></ul>'
        f'<svg viewBox="0 0 {WIDTH:g} {HEIGHT:g}" role="img" tabindex="0" aria-label="{escape(name)}">'
        f'<clipPath id="{_identity(chart.title)}"><rect x="{LEFT:g}" y="{TOP - 2:g}" width="{WIDTH - LEFT - RIGHT:g}" '
        f'height="{HEIGHT - TOP - BOTTOM + 4:g}"/></clipPath>'
        f'{"".join(back)}<g clip-path="url(#{_identity(chart.title)})">{"".join(curves)}</g>'
        f'<g class="cursor" hidden><line y1="{TOP:g}" y2="{HEIGHT - BOTTOM:g}"/></g></svg>'
        + (f'<script type="application/json">{points}</script>' if data else "")
        + "</figure>"
    )


# -- pieces -----------------------------------------------------------------------------------------------------


def _drawn(points: Sequence[tuple[float, float, float, float]], colour: str, x_at: _At, y_at: _At) -> str:
    path = " ".join(f"{x_at(x):.1f},{y_at(mean):.1f}" for x, mean, _, _ in points)
    if len(points) == 1:
        x, mean, _, _ = points[0]
        return f'<g class="line {colour}"><circle cx="{x_at(x):.1f}" cy="{y_at(mean):.1f}" r="3.5"/></g>'
    band = ""
    if any(low < high for _, _, low, high in points):
        there = " ".join(f"{x_at(x):.1f},{y_at(high):.1f}" for x, _, _, high in points)
        back = " ".join(f"{x_at(x):.1f},{y_at(low):.1f}" for x, _, low, _ in reversed(points))
        band = f'<polygon points="{there} {back}"/>'
    return f'<g class="line {colour}">{band}<polyline points="{path}"/></g>'


def _tick_y(y: float, text: str) -> str:
    return (
        f'<line class="grid" x1="{LEFT:g}" x2="{WIDTH - RIGHT:g}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text class="y" x="{LEFT - 8:g}" y="{y:.1f}" dy="0.35em">{text}</text>'
    )


def _tick_x(x: float, text: str) -> str:
    kind = "x end" if x > WIDTH - 35 else "x"  # so that it stays inside
    return f'<text class="{kind}" x="{x:.1f}" y="{HEIGHT - BOTTOM + 19:g}">{text}</text>'


def _reference(y: float, name: str) -> str:
    return (
        f'<line class="reference" x1="{LEFT:g}" x2="{WIDTH - RIGHT:g}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text class="reference" x="{WIDTH - RIGHT - 2:g}" y="{y - 5:.1f}">{escape(name)}</text>'
    )


def _described(chart: Chart, lines: Sequence[Line], tell: _Tell) -> str:
    """What somebody who cannot see the chart is told."""
    told = [
        f"{line.name} from {tell(line.points[0][1])} to {tell(line.points[-1][1])}, "
        f"between {tell(min(y for _, y in line.points))} and {tell(max(y for _, y in line.points))}"
        for line in lines
    ]
    return f"{chart.title} over {_steps(max(x for line in lines for x, _ in line.points))} steps: {'; '.join(told)}."


def _identity(title: str) -> str:
    return "clip-" + "".join(c if c.isascii() and c.isalnum() else "-" for c in title.lower())


# -- numbers ----------------------------------------------------------------------------------------------------


def _thinned(points: Sequence[Pair]) -> list[tuple[float, float, float, float]]:
    """(x, mean, low, high) of at most POINTS groups of neighbours."""
    size = math.ceil(len(points) / POINTS)
    groups = [points[start : start + size] for start in range(0, len(points), size)]
    return [
        (group[-1][0], sum(y for _, y in group) / len(group), min(y for _, y in group), max(y for _, y in group))
        for group in groups
    ]


def _limits(values: Sequence[float], log: bool) -> tuple[float, float, bool]:
    """(low, high, whether the highest values are cut off, as one spike would otherwise flatten all the rest)."""
    ordered = sorted(values)
    low, high, usual = ordered[0], ordered[-1], ordered[round(0.97 * (len(ordered) - 1))]
    if log:
        return low / 1.15, high * 1.15, False
    cut = len(ordered) >= 20 and high - usual > 3 * (usual - low) > 0
    if cut:
        high = usual + (usual - low) / 2
    if 0 < low < 0.9 * high:
        low = 0.0
    margin = max(0.06 * (high - low), 1e-9 * abs(high)) if high > low else 0.5 * abs(high) or 1.0
    return (low if low == 0 else low - margin), high + margin, cut


def _ticks(low: float, high: float, wanted: int = 4) -> list[float]:
    """Round numbers (1, 2 or 5 times a power of ten) from low to high, about as many as wanted."""
    rough = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [tick * step for tick in range(first, math.floor(high / step + 1e-9) + 1)]


def _decades(low: float, high: float) -> list[float]:
    """1, 2 and 5 times the powers of ten between low and high; the powers alone where they are many."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    factors = (1, 2, 5) if len(powers) <= 3 else (1,)
    every = max(1, len(powers) // 6)
    ticks = [factor * 10.0**power for power in powers[::every] for factor in factors]
    return [tick for tick in ticks if low <= tick <= high] or [low, high]


def _short(value: float) -> str:
    if value == 0 or abs(value) < 1e-12:
        return "0"
    if abs(value) >= 10_000 or abs(value) < 0.001:
        return f"{value:.1e}".replace("e-0", "e-").replace("e+0", "e")
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _percent(value: float) -> str:
    return f"{100 * value:.0f}%"


def _steps(value: float) -> str:
    return f"{value:,.0f}"


def _round(value: float) -> float:
    return float(f"{value:.6g}")
