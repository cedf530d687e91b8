"""Line charts as inline SVG, for a page that may load nothing.

Here is worked out what stands where; `chart.html.jinja` draws it. Each chart carries its points as JSON beside the
drawing, which is what the page's script reads to show values under the pointer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from ganvas.html import part

WIDTH, HEIGHT = 480, 232
LEFT, RIGHT, TOP, BOTTOM = 50, 10, 12, 30
POINTS = 240
"""Points that a line has at most; of more, means of neighbours are drawn, in a band from their lowest to highest."""

Pair = tuple[float, float]


@dataclass(frozen=True)
class Line:
    """A named line through (x, y), x ascending. `colour` is a class of the style sheet: c0 (blue), c1 (orange), ...
    dots: the points alone, each by itself, at most `POINTS` of them."""

    name: str
    points: Sequence[Pair]
    colour: str
    dots: bool = False


@dataclass(frozen=True)
class Chart:
    """scale: `share` is 0 to 100%; `linear` starts at 0 unless all values lie close together far from it; `log` is
    for positive values over decades. reference: a value to compare with, and what it means. along: what one of those
    counts is called that the lines run over. across: `log` where that is searched over decades."""

    title: str
    about: str
    lines: Sequence[Line]
    scale: Literal["linear", "log", "share"] = "linear"
    reference: tuple[float, str] | None = None
    along: str = "step"
    across: Literal["linear", "log"] = "linear"


def figure(chart: Chart, marks: Sequence[tuple[float, str]] = (), *, data: bool = True) -> str:
    """The chart as HTML, "" where no line has a point. marks: (step, what happened there). data: with its points, for a
    page whose script reads them."""
    lines = [line for line in chart.lines if line.points]
    return part("report/chart.html.jinja", chart=_drawing(chart, lines, marks, data)) if lines else ""


# -- what stands where ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Curve:
    """points, band: as SVG lists them; of a single point, and of points by themselves, there are dots instead."""

    colour: str
    points: str
    band: str
    dots: list[tuple[str, str]]


@dataclass(frozen=True)
class _Drawing:
    """What the template draws; places are in the SVG's units.

    described: what is told somebody who cannot see it. clip: the identity of its frame. along: what is counted below
    it. step: the last one. legend:
    (colour, name, last value). down: (place, text) of the ticks beside it; across: of those below it, and whether one
    is so far right that it must end there. marks: (place, what happened). reference: (place, place of its text, text).
    held: what the page's script reads, None where there is none.
    """

    title: str
    about: str
    described: str
    clip: str
    along: str
    step: str
    legend: list[tuple[str, str, str]]
    down: list[tuple[str, str]]
    across: list[tuple[str, str, bool]]
    marks: list[tuple[str, str]]
    reference: tuple[str, str, str] | None
    curves: list[_Curve]
    held: dict[str, Any] | None

    width: ClassVar[int] = WIDTH
    height: ClassVar[int] = HEIGHT
    left: ClassVar[int] = LEFT
    right: ClassVar[int] = WIDTH - RIGHT
    top: ClassVar[int] = TOP
    bottom: ClassVar[int] = HEIGHT - BOTTOM


def _drawing(chart: Chart, lines: Sequence[Line], marks: Sequence[tuple[float, str]], data: bool) -> _Drawing:
    steps = [x for line in lines for x, _ in line.points]
    x_low, x_high = min(steps), max(steps)
    decades = chart.across == "log" and 0 < x_low < x_high
    if not decades and (x_low < x_high / 4 or x_low == x_high):
        x_low, x_high = 0.0, x_high or 1.0
    values = [y for line in lines for _, y in line.points]
    log = chart.scale == "log" and min(values) > 0
    y_low, y_high, cut = (0.0, 1.0, False) if chart.scale == "share" else _limits(values, log)

    def x_at(x: float) -> float:
        share = math.log(x / x_low) / math.log(x_high / x_low) if decades else (x - x_low) / (x_high - x_low)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y_at(y: float) -> float:
        share = math.log(y / y_low) / math.log(y_high / y_low) if log else (y - y_low) / (y_high - y_low)
        return TOP + (1 - min(2.0, max(-1.0, share))) * (HEIGHT - TOP - BOTTOM)

    tell = _percent if chart.scale == "share" else _short
    reference = chart.reference if chart.reference and y_low <= chart.reference[0] <= y_high else None
    thinned = [_thinned(line.points) for line in lines]
    held = [
        [
            [_round(x), _round(mean), round(x_at(x), 1), round(max(TOP, y_at(mean)), 1)]  # a dot stays in the frame
            for x, mean, _, _ in points
        ]
        for points in thinned
    ]
    return _Drawing(
        title=chart.title,
        about=chart.about + (f" The highest, {tell(max(values))}, is beyond the frame." if cut else ""),
        described=_described(chart, lines, tell),
        clip="clip-" + "".join(c if c.isascii() and c.isalnum() else "-" for c in chart.title.lower()),
        along=chart.along,
        step=_steps(x_high),
        legend=[(line.colour, line.name, tell(line.points[-1][1])) for line in lines],
        down=[(_place(y_at(value)), tell(value)) for value in (_decades if log else _ticks)(y_low, y_high)],
        across=[
            (_place(x_at(value)), _steps(value), x_at(value) > WIDTH - 35)
            for value in (_decades(x_low, x_high) if decades else _ticks(x_low, x_high, 5))
        ],
        marks=[(_place(x_at(step)), what) for step, what in marks if x_low <= step <= x_high],
        reference=reference and (_place(y_at(reference[0])), _place(y_at(reference[0]) - 5), reference[1]),
        curves=[_curve(points, line, x_at, y_at) for line, points in zip(lines, thinned, strict=True)],
        held={"share": chart.scale == "share", "lines": held} if data else None,
    )


def _curve(
    points: Sequence[tuple[float, float, float, float]],
    line: Line,
    x_at: Callable[[float], float],
    y_at: Callable[[float], float],
) -> _Curve:
    def path(pairs: Iterable[Pair]) -> str:
        return " ".join(f"{_place(x_at(x))},{_place(y_at(y))}" for x, y in pairs)

    if line.dots or len(points) == 1:
        return _Curve(line.colour, "", "", [(_place(x_at(x)), _place(y_at(mean))) for x, mean, _, _ in points])
    band = ""
    if any(low < high for _, _, low, high in points):
        there = ((x, high) for x, _, _, high in points)
        back = ((x, low) for x, _, low, _ in reversed(points))
        band = f"{path(there)} {path(back)}"
    return _Curve(line.colour, path((x, mean) for x, mean, _, _ in points), band, [])


def _described(chart: Chart, lines: Sequence[Line], tell: Callable[[float], str]) -> str:
    told = [
        f"{line.name} from {tell(line.points[0][1])} to {tell(line.points[-1][1])}, "
        f"between {tell(min(y for _, y in line.points))} and {tell(max(y for _, y in line.points))}"
        for line in lines
    ]
    last = _steps(max(x for line in lines for x, _ in line.points))
    return f"{chart.title} over {last} {chart.along}s: {'; '.join(told)}."


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
    """A count; of what is no whole number the figures that count."""
    return f"{value:,.0f}" if abs(value) >= 100 or value == round(value) else _short(value)


def _place(value: float) -> str:
    return f"{value:.1f}"


def _round(value: float) -> float:
    return float(f"{value:.6g}")
