"""A run as the page shows it, live or over: how far it is, what the doctor says, its pictures and its numbers.

A run folder may come from anywhere, so every text is escaped and every picture decoded and encoded anew.
"""

from __future__ import annotations

from ganvas.html import render
from ganvas.report import (
    figure,
    last_clips,
    last_numbers,
    last_picture,
    last_strip,
    learned_from,
    reconstructions,
    run_view,
)
from ganvas.run import OUTCOMES, duration, is_over, mapping, measurements, number, outcome, series
from ganvas.web.studio.run_list import Run, report_address

STATES = {
    "starting": "Getting ready: the data is prepared and the networks are made",
    "training": "Training",
    "stopped": "Stopped; it can be resumed",
    "finished": "Finished",
    "failed": "Stopped with an error",
}
_SCORES = 2


def panel(run: Run) -> str:
    """The run as HTML."""
    view = run_view(run.config, run.rows)
    shown = [*view.charts["losses"], *view.charts["accuracy"], *view.charts["scores"][:_SCORES]]
    state, facts = _progress(run, view.noun)
    return render(
        "web/studio/panel.html.jinja",
        run=run,
        report=report_address(run.name),
        view=view,
        state=state,
        facts=facts,
        share=share_done(run),
        numbers=last_numbers(measurements(run.rows)) if run.live else [],
        picture=last_picture(run.path, run.config),
        clips=last_clips(run.path, run.config),
        strip=last_strip(run.path),
        rebuilt=reconstructions(run.path, run.config),
        learned=learned_from(run.path, run.config),
        charts=[figure(chart, view.marks, data=False) for chart in shown],
    )


def share_done(run: Run) -> float:
    """How much of its planned length is done, 0 to 1."""
    if run.state == "finished":
        return 1.0
    settings, last = mapping(run.config.get("settings")), run.rows[-1] if run.rows else {}
    items = number(mapping(mapping(run.config.get("data")).get("counts")).get("train"))
    measured = (measurements(run.rows) or [{}])[-1]
    shares = [0.0]
    for done, planned in (
        (number(last.get("step")), number(settings.get("steps"))),
        (number(last.get("seconds")), 60 * (number(settings.get("minutes")) or 0)),
        (number(measured.get("items")), (number(settings.get("epochs")) or 0) * (items or 0)),
    ):
        if done is not None and planned:
            shares.append(done / planned)
    return min(1.0, max(shares))


def _progress(run: Run, noun: str) -> tuple[str, list[str]]:
    """The state in words, and what there is to say beside it."""
    if not run.rows:
        return STATES[run.state], []
    told = outcome(run.rows, not run.live and is_over(run.path)).rstrip(".")
    if not run.live and str(run.rows[-1].get("event")) in OUTCOMES:
        return (STATES["stopped"], [told]) if run.state == "stopped" else (told, [])
    facts, done = [told.removeprefix("Not finished: ")], share_done(run)
    speeds = series(run.rows[-200:], "items_per_second")
    if speeds and run.live:
        facts.append(f"{speeds[-1][1]:,.0f} {noun} a second")
    seconds = number(run.rows[-1].get("seconds"))
    if run.live and seconds and 0.01 < done < 1:
        facts.append(f"about {duration(seconds * (1 - done) / done)} left")
    return STATES[run.state], facts
