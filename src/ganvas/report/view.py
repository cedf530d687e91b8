"""A run in words and numbers, as pages tell it: read once here, laid out by their templates.

A run folder may come from anywhere, so whatever JSON holds becomes text of bounded length, and only finite numbers are
numbers. That the text is harmless in HTML is for `ganvas.html` to see to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ganvas.doctor import CAVEAT, Finding, diagnose, in_words
from ganvas.report.charts import Chart, Line
from ganvas.report.pictures import noun_of
from ganvas.run import (
    GAME,
    Row,
    duration,
    loss,
    mapping,
    measurements,
    number,
    outcome,
    players,
    roll_backs,
    scores,
    series,
    shares,
    went_back,
)
from ganvas.text import plain

_PLAYERS, _EVENTS = 6, 40


@dataclass(frozen=True)
class RunView:
    """recipe, data: their names. noun: what the data's items are called. outcome: how it ended, after how much, one
    sentence. facts: (what, value) of those that are known. main, others: what the doctor finds. roll_backs: a sentence,
    "" where there was none. caveat: what the doctor cannot know, "" before it has seen anything. charts: by what they
    are about: scores, losses, accuracy, probability, augmentation, gradients, penalties, speed; of some there may be
    none, or none with a point. marks: (step, event) of roll-backs. events: (step, event). tables: (title, rows of key
    and value).
    """

    recipe: str
    data: str
    version: str
    noun: str
    outcome: str
    facts: list[tuple[str, str]]
    main: Finding
    others: list[Finding]
    roll_backs: str
    caveat: str
    charts: Mapping[str, list[Chart]]
    marks: list[tuple[float, str]]
    plan: list[str]
    events: list[tuple[str, str]]
    tables: list[tuple[str, list[tuple[str, str]]]]


def run_view(config: Mapping[str, Any], rows: Sequence[Row], over: bool = False) -> RunView:
    """config: what `config.json` holds, {} where it is not there yet. rows: those of `metrics.jsonl`, as `read_rows`
    gives them; the run may be live. over: whether it is known that nobody trains it now."""
    main, *others = in_words(diagnose(rows, config))
    data, plan = mapping(config.get("data")), config.get("plan")
    events = [row for row in rows if "event" in row]
    return RunView(
        recipe=plain(config.get("recipe")),
        data=plain(data.get("name")),
        version=plain(config.get("ganvas")),
        noun=noun_of(config),
        outcome=outcome(rows, over),
        facts=[(name, value) for name, value in _facts(config, rows).items() if value],
        main=main,
        others=others,
        roll_backs=roll_backs(rows),
        caveat=CAVEAT if measurements(rows) else "",
        charts=_charts(config, rows),
        marks=[(float(row["step"]), plain(row["event"])) for row in events if went_back(row)][-_EVENTS:],
        plan=[plain(line) for line in plan] if isinstance(plan, list) else [],
        events=[(f"{row['step']:,.0f}", plain(row["event"])) for row in events[-_EVENTS:]],
        tables=_tables(config, data),
    )


def _facts(config: Mapping[str, Any], rows: Sequence[Row]) -> dict[str, str]:
    last = (measurements(rows) or [{}])[-1]
    seen = number(last.get("items"))
    items = number(mapping(mapping(config.get("data")).get("counts")).get("train"))
    seconds = next((known for row in reversed(rows) if (known := number(row.get("seconds"))) is not None), None)
    speeds = sorted(value for _, value in series(rows, "items_per_second"))
    noun = noun_of(config).capitalize()
    return {
        f"{noun} seen": "" if seen is None else f"{seen:,.0f}",
        "Passes over the data": _passes(seen / items) if seen and items else "",
        "Time": "" if seconds is None else duration(seconds),
        f"{noun} a second": f"{speeds[len(speeds) // 2]:,.0f}" if speeds else "",
        "Trained on": plain(mapping(config.get("hardware")).get("device"), ""),
        "Begun": plain(config.get("created"), "").replace("T", " ")[:16],
    }


def _passes(value: float) -> str:
    return f"{value:.2g}" if value < 10 else f"{value:,.0f}"


def _charts(config: Mapping[str, Any], rows: Sequence[Row]) -> dict[str, list[Chart]]:
    measured = measurements(rows)
    names = dict(list(players(measured).items())[:_PLAYERS])
    colours = {name: f"c{place}" for place, name in enumerate(names)}
    noun = noun_of(config)

    losses = [
        Line(name, [(row["step"], v) for row in measured if (v := loss(row, name, terms)) is not None], colours[name])
        for name, terms in names.items()
    ]
    others = [
        (f"{name}: {term}", f"{name}/{term}")
        for name, terms in names.items()
        for term in terms
        if term not in GAME and any(known in GAME for known in terms)
    ][:_PLAYERS]
    verdicts = [
        (
            each.what,
            Chart(
                each.title,
                each.about,
                [
                    Line(each.names[kind], series(measured, key), "c1" if kind == "fake" else "c2")
                    for kind, key in each.keys.items()
                ],
                "share",
                (0.5, "50%: cannot tell apart"),
            ),
        )
        for each in shares(measured)[: 2 * _PLAYERS]
    ]

    return {
        "scores": [
            Chart(
                f"Score: {plain(key.removeprefix('score/'))}",
                "Of samples from averaged weights, beside the data; lower is better.",
                [Line(plain(key.removeprefix("score/")), series(rows, key), "c0")],
            )
            for key in scores(rows)[:_PLAYERS]
        ],
        "losses": [
            Chart(
                "Losses",
                "What each player minimises in the game. They pull against each other: neither is meant to reach zero.",
                losses,
            )
        ],
        "accuracy": [chart for what, chart in verdicts if what == "accuracy"],
        "probability": [chart for what, chart in verdicts if what == "probability"],
        "augmentation": [
            Chart(
                "Adaptive augmentation",
                "The probability of each change of what judges see. It grows while real items are known too well.",
                [Line("probability", series(measured, "augmentation/probability"), "c0")],
                "share",
            )
        ],
        "gradients": [
            Chart(
                "Gradient norms",
                "How hard each player is pushed. A generator whose gradients fade learns nothing any more.",
                [Line(name, series(measured, f"{name}/gradient_norm"), colours[name]) for name in names],
                "log",
            )
        ],
        "penalties": [
            Chart(
                "Penalties and other terms",
                "What else the players minimise, weighted as in the loss.",
                [Line(title, series(measured, key), f"c{2 + place % 4}") for place, (title, key) in enumerate(others)],
            )
        ],
        "speed": [
            Chart(
                "Speed",
                f"{noun.capitalize()} of a batch a second, without the time for sample pictures.",
                [Line(f"{noun} a second", series(measured, "items_per_second"), "c2")],
            )
        ],
    }


def _tables(config: Mapping[str, Any], data: Mapping[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    source = {key: value for key, value in data.items() if key not in ("labels", "space", "name", "shown")}
    if isinstance(data.get("fingerprint"), str):
        source["fingerprint"] = data["fingerprint"][:16]
    if isinstance(data.get("labels"), list):
        source["labels"] = len(data["labels"])
    tables = {
        "The recipe's arguments": mapping(config.get("arguments")),
        "Settings": mapping(config.get("settings")),
        "Data": source,
        "Machine and versions": {
            **mapping(config.get("hardware")),
            "ganvas": config.get("ganvas"),
            "begun": config.get("created"),
        },
    }
    return [
        (title, [(plain(key), plain(value)) for key, value in values.items()])
        for title, values in tables.items()
        if values
    ]
