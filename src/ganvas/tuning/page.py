"""`study.html`: a study on one page that loads nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from ganvas.comparing import RULES, tables_of
from ganvas.html import render
from ganvas.metrics.passport import number
from ganvas.report import Chart, Line, figure
from ganvas.text import plain
from ganvas.tuning.judging import LOOKS
from ganvas.tuning.space import Dimension
from ganvas.tuning.study import Finalist, Study, Trial

_MISSING = "-"


def study_page(study: Study, recipe: str, data: str, finalists: Sequence[Finalist]) -> str:
    """The HTML."""
    trials, key = study.trials(), next((each.trial.key for each in finalists), "score")
    tables = {
        "The best": [["", "settings", key, "seeds", "beside the start"], *map(_finalist, finalists)],
        "What mattered": [
            ["option", "share"],
            *([name, f"{share:.0%}"] for name, share in study.importances().items()),
        ],
        "Choices": [["", "trials", "best", "median"], *_choices(trials, study.dimensions)],
        "Trials": [
            ["", *(each.name for each in study.dimensions), key, "ended", "seconds"],
            *(_trial(each, study.dimensions) for each in trials),
        ],
    }
    hows = {each.verdict.how for each in finalists if each.verdict is not None}
    return render(
        "tuning/study.html.jinja",
        recipe=recipe,
        data=data,
        judged=study.note["score"],
        tables=tables_of({title: rows for title, rows in tables.items() if len(rows) > 1}),
        notes=[f"beyond noise, {rule}" for how, rule in RULES.items() if how in hows],
        charts=[figure(chart, data=False) for chart in charts(trials, study.dimensions, key)],
    )


def charts(trials: Sequence[Trial], dimensions: Sequence[Dimension], key: str) -> list[Chart]:
    """How the study went, what each option gave, and how trials went while they trained."""
    scored = [each for each in trials if each.value is not None and each.loss is not None]
    best: list[tuple[float, float]] = []
    lowest: Trial | None = None
    for each in scored:
        if lowest is None or (each.loss or 0) < (lowest.loss or 0):
            lowest = each
        best.append((each.number + 1.0, lowest.value or 0.0))
    found = [
        Chart(
            f"{key} of each trial",
            "A dot for each trial that went to its end, and the best until then.",
            [
                Line("trial", [(each.number + 1.0, each.value or 0.0) for each in scored], "c0", dots=True),
                Line("best", best, "c1"),
            ],
            along="trial",
        )
    ]
    for dimension in dimensions:
        if dimension.choices:
            continue
        points = sorted(
            (float(each.settings[dimension.name]), each.value or 0.0)
            for each in scored
            if dimension.name in each.settings
        )
        shown = [(x, y) for x, y in points if x > 0 or not dimension.log]
        about = "Each dot is a trial; the other options differ too."
        found.append(
            Chart(
                f"{key} by {dimension.name}",
                about + (" Those without it are left out." if len(shown) < len(points) else ""),
                [Line(dimension.name, shown, "c2", dots=True)],
                along=dimension.name,
                across="log" if dimension.log else "linear",
            )
        )
    looks = [each for each in trials if each.looks]
    return [*found, *([_pruning(looks)] if looks else [])]


def _pruning(looks: Sequence[Trial]) -> Chart:
    went_on = [point for each in looks if each.loss is not None for point in _looks(each)]
    stopped = [point for each in looks if each.loss is None for point in _looks(each)]
    return Chart(
        "What pruning saw",
        "The score, as the search makes it low, at shares of each trial's own length.",
        [Line("went on", sorted(went_on), "c0", dots=True), Line("stopped early", sorted(stopped), "c5", dots=True)],
        along="percent",
    )


def _looks(trial: Trial) -> list[tuple[float, float]]:
    return [(100 * LOOKS[at - 1], loss) for at, loss in trial.looks if 1 <= at <= len(LOOKS)]


def _finalist(each: Finalist) -> list[str]:
    around = (
        "" if each.summary.spread is None else f" ± {number((each.summary.interval or (0, 0))[1] - each.summary.mean)}"
    )
    beside = _MISSING
    if each.verdict is not None:
        ends = each.verdict.interval
        within = "" if ends is None else f" ({number(ends[0])} to {number(ends[1])})"
        told = {True: "beyond noise", False: "within noise", None: "not known"}[each.verdict.beyond]
        beside = f"{number(each.verdict.difference)}{within}, {told}"
    seeds = ", ".join(map(str, each.seeds)) + (f"; {each.broken}" if each.broken else "")
    return [_name(each.trial), _settings(each.trial.settings), f"{number(each.summary.mean)}{around}", seeds, beside]


def _trial(each: Trial, dimensions: Sequence[Dimension]) -> list[str]:
    values = [_value(each.settings.get(dimension.name)) for dimension in dimensions]
    bounds = "" if each.interval is None else f" ({number(each.interval[0])} to {number(each.interval[1])})"
    score = _MISSING if each.value is None else f"{number(each.value)}{bounds}"
    ended = f"{each.state}: {each.word}" if each.word else each.state
    return [_name(each), *values, score, ended, _MISSING if each.seconds is None else f"{each.seconds:,.0f}"]


def _choices(trials: Sequence[Trial], dimensions: Sequence[Dimension]) -> list[list[str]]:
    """Of each choice the number of trials with a score, and their best and median one."""
    rows = []
    for dimension in dimensions:
        for choice in dimension.choices:
            own = sorted(
                (each.loss, each.value)
                for each in trials
                if each.loss is not None and each.value is not None and each.settings.get(dimension.name) == choice
            )
            best = number(own[0][1]) if own else _MISSING
            middle = number(median(value for _, value in own)) if own else _MISSING
            rows.append([f"{dimension.name} {plain(choice)}", str(len(own)), best, middle])
    return rows


def _name(trial: Trial) -> str:
    return "1 (the start)" if trial.number == 0 else str(trial.number + 1)


def _settings(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_value(value)}" for name, value in settings.items())


def _value(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else plain(value, _MISSING)
