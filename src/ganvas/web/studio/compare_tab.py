"""Compare: two runs side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr

from ganvas.errors import RunError, UsageError
from ganvas.html import render
from ganvas.metrics.passport import number as shown_number
from ganvas.metrics.passport import read_passport
from ganvas.options import Range
from ganvas.report import Chart, Line, figure
from ganvas.run import is_over, loss, mapping, measurements, outcome, players, scores, series
from ganvas.text import plain
from ganvas.web.studio.context import Desk, names, offer
from ganvas.web.studio.errors import SEEDS, said, told, whole
from ganvas.web.studio.run_list import Run
from ganvas.web.studio.widgets import picture_of

_PASSPORTS = 20
_MISSING = "-"


def build(desk: Desk) -> None:
    with gr.Row():
        other = names("Compare the run above with", choices=[], elem_id="other")
        seed = gr.Number(1, precision=0, label="Seed of the samples", elem_id="compare-seed")
        count = gr.Slider(4, 64, 20, step=4, label="Samples of each")
        go = gr.Button("Compare", variant="primary", elem_id="compare", elem_classes="other")
    with gr.Row():
        left, right = (
            picture_of("Samples of the run above", 380, "left"),
            picture_of("Samples of the other", 380, "right"),
        )
    told_apart = gr.HTML(elem_id="comparison")

    def compare(a: Any, b: Any, given: Any, n: Any) -> Any:
        if a == b:
            raise UsageError("choose two different runs")
        runs = (desk.shelf.run(a), desk.shelf.run(b))
        given, n = whole("seed", given, SEEDS), whole("samples", n, Range(1, 64))
        pictures: list[Any] = []
        for run in runs:
            try:
                with desk.models.use(run.name) as model:
                    pictures.append(model.space.show(model.sample(n, seed=given)))
            except (RunError, UsageError) as error:  # the numbers can be compared all the same
                gr.Warning(said(f"{run.name}: {error}"), title="No samples")
                pictures.append(None)
        return [*pictures, comparison(*runs)]

    def others(chosen: Any) -> list[str]:
        return [name for name in desk.shelf.names() if name != chosen]

    go.click(told(compare), [desk.run, other, seed, count], [left, right, told_apart], api_visibility="private")
    offer(other, others, [desk.run], [desk.tabs["compare"].select, desk.run.change])


def comparison(first: Run, second: Run) -> str:
    """What differs between two runs, as HTML: how far they got, settings, scores, losses."""
    runs = (first, second)
    facts: list[tuple[str, ...]] = [
        ("state", *(outcome(run.rows, not run.live and is_over(run.path)).rstrip(".") for run in runs)),
        ("recipe", first.recipe, second.recipe),
    ]
    data = [mapping(run.config.get("data")) for run in runs]
    facts.append(("data", *(plain(each.get("name"), _MISSING) for each in data)))
    if data[0].get("fingerprint") != data[1].get("fingerprint"):
        facts.append(("", "their data differs, so scores and losses", "are not of the same thing"))
    return render(
        "web/studio/comparison.html.jinja",
        names=[run.name for run in runs],
        tables={
            "How far they are": facts,
            "Settings that differ": [
                *_differing(first, second, "arguments"),
                *_differing(first, second, "settings"),
            ],
            "Scores": _scores(first, second),
        },
        charts=_charts(runs),
    )


def _differing(first: Run, second: Run, part: str) -> list[tuple[str, ...]]:
    """(name, value there, value here) of all that is not the same in this part of their configurations."""
    a, b = mapping(first.config.get(part)), mapping(second.config.get(part))
    names = [name for name in dict.fromkeys([*a, *b]) if a.get(name, _MISSING) != b.get(name, _MISSING)]
    return [(plain(name), plain(a.get(name, _MISSING)), plain(b.get(name, _MISSING))) for name in names]


def _scores(first: Run, second: Run) -> list[tuple[str, ...]]:
    """The last score of training, and those of the passports that lie in the run folders."""
    found = [_scores_of(first), _scores_of(second)]
    names = dict.fromkeys([*found[0], *found[1]])
    return [(name, found[0].get(name, _MISSING), found[1].get(name, _MISSING)) for name in names]


def _scores_of(run: Run) -> Mapping[str, str]:
    told: dict[str, str] = {}
    for key in scores(run.rows):
        step, value = series(run.rows, key)[-1] if series(run.rows, key) else (0.0, None)
        if value is not None:
            told[f"{plain(key.removeprefix('score/'))}, while training"] = f"{shown_number(value)} at step {step:,.0f}"
    for path in sorted(run.path.glob("*.json"))[:_PASSPORTS]:
        if path.name == "config.json":
            continue
        try:
            passport = read_passport(path)
        except RunError:
            continue
        for key, score in passport["scores"].items():
            bounds = score.get("interval")
            within = f" ({shown_number(bounds[0])} to {shown_number(bounds[1])})" if bounds else ""
            told[plain(key)] = f"{shown_number(score.get('value'))}{within}"
    return told


def _charts(runs: tuple[Run, Run]) -> list[str]:
    charts = []
    for player in dict.fromkeys(name for run in runs for name in players(measurements(run.rows))):
        lines = []
        for place, run in enumerate(runs):
            rows = measurements(run.rows)
            terms = players(rows).get(player, [])
            points = [(row["step"], value) for row in rows if (value := loss(row, player, terms)) is not None]
            lines.append(Line(run.name, points, f"c{place}"))
        charts.append(Chart(f"Loss of the {plain(player)}", "Only comparable where the objective is the same.", lines))
    return [figure(chart, data=False) for chart in charts[:4]]
