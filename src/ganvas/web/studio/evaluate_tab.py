"""Evaluate: how good the samples of the chosen run are, score by score, each with its extractor."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import gradio as gr

from ganvas.errors import RunError
from ganvas.html import render
from ganvas.metrics.evaluate import METRICS
from ganvas.metrics.passport import better_in_words, number, read_passport
from ganvas.options import Range
from ganvas.run import SCORES, mapping, timeline
from ganvas.text import plain
from ganvas.web.studio.context import Desk, offer
from ganvas.web.studio.errors import whole
from ganvas.web.studio.widgets import data_address
from ganvas.web.studio.work import Work, one_of

USUAL = "chosen by the data"
"""What stands for no extractor in particular."""

SPLITS = {
    "what it was trained on": "train",
    "what was held out": "validation+test",
}
NEAREST = "scores-nearest.png"
_ELSEWHERE = ("custom", "inception")
"""Extractors that are files of somebody's own, or that may have to be downloaded."""


def build(desk: Desk) -> None:
    gr.Markdown(
        "Samples are compared with the data through an extractor. Scores of the same extractor and number compare.",
        elem_classes="hint",
    )
    with gr.Row():
        count = gr.Number(
            1000, precision=0, minimum=2, label="Samples", info="More take longer and say more", min_width=150,
            elem_id="evaluate-count",
        )  # fmt: skip
        split = gr.Dropdown(
            list(SPLITS), value=next(iter(SPLITS)), label="Beside", min_width=200, filterable=False,
            elem_id="evaluate-split",
        )  # fmt: skip
        extractor = gr.Dropdown(
            [USUAL],
            value=USUAL,
            label="Extractor",
            allow_custom_value=True,
            min_width=200,
            elem_id="evaluate-extractor",
        )
        metrics = gr.Dropdown(
            list(METRICS), value=[], multiselect=True, label="Scores", info="None: all that apply", min_width=260,
            elem_id="evaluate-metrics",
        )  # fmt: skip
    work = Work.build(desk, "evaluate", desk.shelf.evaluations, "Evaluate")
    scores = gr.HTML(elem_id="scores")

    def looks(name: Any) -> list[str]:
        """Extractors that can be chosen for a run."""
        space = desk.models.space(name)
        return [USUAL] if space is None else [USUAL, *(e for e in space.extractors if e not in _ELSEWHERE)]

    def words(name: str, n: Any, beside: Any, through: Any, which: Any) -> list[str]:
        path = desk.shelf.path(name)
        n = whole("samples", n, Range(2, 100_000))
        given = [str(path), f"-n={n}", f"--split={SPLITS[one_of(beside, list(SPLITS), 'choice')]}"]
        if through not in (USUAL, "", None):
            given.append(f"--extractor={one_of(through, looks(name), 'extractor')}")
        if which:
            given.append(f"--metrics={','.join(one_of(each, list(METRICS), 'score') for each in which)}")
        return [*given, f"--json={path / SCORES}"]

    def made(name: str) -> tuple[str, Any]:
        path = desk.shelf.path(name)
        return str(_stamp(path / SCORES)), lambda: [scores_of(path)]

    work.connect(words, [count, split, extractor, metrics], made, [scores])
    offer(extractor, looks, [desk.run], [desk.run.change])


def scores_of(run: Path) -> str:
    """The scores of the passport in the run's folder, as HTML; "" where there is none."""
    path = run / SCORES
    if not path.is_file():
        return ""
    try:
        passport = read_passport(path)
    except RunError as error:
        return render("web/studio/work.html.jinja", live=False, line="", noun="evaluation", error=str(error))
    picture = timeline.read(run / NEAREST)
    return render(
        "web/studio/scores.html.jinja",
        rows=[_row(plain(key), score) for key, score in passport["scores"].items()],
        judged=mapping(passport["judged"]),
        data=mapping(passport["data"]),
        date=plain(passport.get("date"), "").replace("T", " ")[:16],
        notes=[plain(each) for kind in ("warnings", "notes") for each in _listed(passport.get(kind))],
        nearest=None if picture is None else data_address(picture),
    )


def _row(key: str, score: Mapping[str, Any]) -> tuple[str, ...]:
    bounds, better = score.get("interval"), ""
    with suppress(TypeError, ValueError):  # what a foreign file says is better
        better = better_in_words(score.get("better"))  # type: ignore[arg-type]
    within = f"{number(bounds[0])} to {number(bounds[1])}" if bounds else ""
    counts = f"{plain(score.get('samples'), '?')} beside {plain(score.get('references'), '?')}"
    return key, number(score.get("value")), within, better, counts


def _listed(value: Any) -> list[Any]:
    return value[:50] if isinstance(value, list) else []


def _stamp(path: Path) -> int:
    return path.stat().st_mtime_ns if path.is_file() else 0
