"""A run as the page shows it, live or over: how far it is, what the doctor says, its pictures and its numbers.

A run folder may come from anywhere, so every text is escaped and every picture decoded and encoded anew.
"""

from __future__ import annotations

from html import escape

from ganvas.doctor import diagnose, in_words
from ganvas.html import mapping, plain
from ganvas.report import Chart, Line, figure, last_picture, last_strip, noun_of
from ganvas.run import (
    duration,
    loss,
    measurements,
    number,
    outcome,
    players,
    roll_backs,
    scores,
    series,
    shares,
)
from ganvas.web.studio.run_list import Run

STATES = {
    "starting": "Getting ready: the data is prepared and the networks are made",
    "training": "Training",
    "stopped": "Stopped; it can be resumed",
    "finished": "Finished",
    "failed": "Stopped with an error",
}
_PLAYERS = 6


def panel(run: Run) -> str:
    """The run as HTML."""
    parts = [_head(run), _doctor(run), _pictures(run), _charts(run)]
    return f'<div class="panel">{"".join(parts)}</div>'


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


def _head(run: Run) -> str:
    done = share_done(run)
    data = plain(mapping(run.config.get("data")).get("name"), "")
    what = f"{run.recipe} on {data}" if run.config else ""
    facts = []
    if run.rows:
        facts.append(outcome(run.rows).removeprefix("Not finished: ").rstrip("."))
        speeds = series(run.rows[-200:], "images_per_second")
        if speeds and run.live:
            facts.append(f"{speeds[-1][1]:,.0f} {noun_of(run.config)} a second")
        seconds = number(run.rows[-1].get("seconds"))
        if run.live and seconds and 0.01 < done < 1:
            facts.append(f"about {duration(seconds * (1 - done) / done)} left")
    error = f'<p class="bad-line">{escape(run.message)}</p>' if run.message and not run.live else ""
    bar = f'<div class="bar" role="progressbar" aria-valuenow="{100 * done:.0f}" aria-valuemin="0" aria-valuemax="100">'
    bar += f'<div style="width:{100 * done:.1f}%"></div></div>' if run.config else "</div>"
    state = f'<span class="state {run.state}">{STATES[run.state]}</span>'
    told = " · ".join(escape(fact) for fact in facts)
    return (
        f'<section class="head"><h2>{escape(run.name)} <small>{escape(what)}</small></h2>{state}{bar}'
        f'<p class="facts">{told}</p>{error}</section>'
    )


def _doctor(run: Run) -> str:
    if not run.config:
        return ""
    main, *others = in_words(diagnose(run.rows, run.config))
    parts = [f"<p>{escape(main.evidence[:1].upper() + main.evidence[1:])}.</p>"]
    parts += [f"<p>{escape(main.cause)}</p>"] if main.cause else []
    if main.advice:
        parts.append("<p>To try:</p><ul>" + "".join(f"<li>{escape(each)}</li>" for each in main.advice) + "</ul>")
    parts += [f'<p class="also"><b>{escape(each.title)}</b>: {escape(each.evidence)}.</p>' for each in others]
    if back := roll_backs(run.rows):
        parts.append(f'<p class="also">{escape(back)}</p>')
    return (
        f'<section class="card doctor {main.mood}"><h3>The doctor: {escape(main.title)}</h3>{"".join(parts)}</section>'
    )


def _pictures(run: Run) -> str:
    found = last_picture(run.path, run.config)
    if found is None:
        return ""
    step, source, crisp, labels = found
    heads = "".join(f"<span>{escape(label)}</span>" for label in labels)
    pixelated = "pixelated" if crisp else ""
    return (
        f'<section class="card"><h3>What it makes at step {step:,}</h3>'
        + (f'<div class="labels">{heads}</div>' if labels else "")
        + f'<img class="latest {pixelated}" src="{source}" alt="Generated samples at step {step:,}"></section>'
    ) + _strip(run)


def _strip(run: Run) -> str:
    source, width = last_strip(run.path)
    if not source:
        return ""
    return (
        '<section class="card wide"><h3>From noise to samples</h3><p class="about">The same random inputs as training '
        f'goes on, from left to right.</p><div class="strip"><img class="pixelated" src="{source}" '
        f'style="width: min(100%, {2 * width}px); min-width: min(620px, {2 * width}px)" '
        'alt="The first samples at several moments of training"></div></section>'
    )


def _charts(run: Run) -> str:
    measured = measurements(run.rows)
    names = dict(list(players(measured).items())[:_PLAYERS])
    charts = [
        Chart(
            "Losses",
            "What each player minimises. They pull against each other: neither is meant to reach zero.",
            [
                Line(
                    name,
                    [(row["step"], v) for row in measured if (v := loss(row, name, terms)) is not None],
                    f"c{place}",
                )
                for place, (name, terms) in enumerate(names.items())
            ],
        ),
        *(
            Chart(
                each.title,
                "How often it tells real from generated. Always right is as bad a sign as guessing.",
                [
                    Line(each.names[kind], series(measured, key), "c1" if kind == "fake" else "c2")
                    for kind, key in each.keys.items()
                ],
                "share",
                (0.5, "50%: guessing"),
            )
            for each in shares(measured)[: 2 * _PLAYERS]
            if each.what == "accuracy"
        ),
        *(
            Chart(
                plain(key.removeprefix("score/")),
                "Of its samples; lower is better.",
                [Line("score", series(run.rows, key), "c0")],
            )
            for key in scores(run.rows)[:2]
        ),
    ]
    drawn = "".join(figure(chart, data=False) for chart in charts)
    if not drawn:
        waiting = '<p class="hint">Numbers appear after the first 50 steps.</p>'
        return waiting if run.live and run.config else ""
    return f'<section class="charts">{drawn}</section>'
