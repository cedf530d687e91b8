"""`report.html`: a run told on one page that needs nothing else, neither files beside it nor a network.

The page is made from the run folder alone, and a run folder may come from anywhere. So every text is escaped, every
picture is decoded and encoded anew, numbers that are no numbers are left out, and the page's own policy lets no script
run but the one whose hash it carries.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from ganvas.doctor import CAVEAT, Finding, diagnose, in_words
from ganvas.errors import RunError
from ganvas.files import write_atomically
from ganvas.html import mapping, plain, text_of
from ganvas.report.charts import Chart, Line, figure
from ganvas.report.pictures import moving_picture, noun_of, time_strip
from ganvas.run import (
    GAME,
    Row,
    duration,
    loss,
    measurements,
    number,
    outcome,
    players,
    read_rows,
    roll_backs,
    scores,
    series,
    shares,
    went_back,
)

_PLAYERS, _EVENTS = 6, 40


def write_report(run: Path) -> Path:
    """Writes `report.html` into the run folder, live or over, and returns its path.

    Raises RunError where the folder has no readable `config.json`, and TrainingError where the disk refuses.
    """
    config = _read_config(run / "config.json")
    rows = read_rows(run / "metrics.jsonl")
    path = run / "report.html"
    write_atomically(path, _page(run, config, rows).encode("utf-8", "replace"))
    return path


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_bytes())
    except OSError as error:
        raise RunError(f"{path} cannot be read ({error.strerror}): is {path.parent} a run folder?") from error
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path} is not JSON, so there is nothing to report") from error
    return mapping(config)


# -- the page ---------------------------------------------------------------------------------------------------


def _page(run: Path, config: Mapping[str, Any], rows: Sequence[Row]) -> str:
    style, script = (
        files("ganvas.report").joinpath("assets", f"report.{kind}").read_text("utf-8") for kind in ("css", "js")
    )
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    recipe, data = text_of(config.get("recipe")), text_of(mapping(config.get("data")).get("name"))
    body = [
        _header(recipe, data, config, rows),
        f'<div class="hero">{moving_picture(run, config)}{_diagnosis(config, rows)}</div>',
        time_strip(run, config),
        _curves(config, rows),
        _details(config, rows),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{recipe} on {data}: Ganvas run</title>\n<style>{style}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(part for part in body if part)
        + f"\n</main>\n<footer>Written by Ganvas {text_of(config.get('ganvas'))}. This page is one file and loads "
        f"nothing.</footer>\n<script>{script}</script>\n</body>\n</html>\n"
    )


def _header(recipe: str, data: str, config: Mapping[str, Any], rows: Sequence[Row]) -> str:
    last = (measurements(rows) or [{}])[-1]
    images = number(last.get("items"))
    items = number(mapping(mapping(config.get("data")).get("counts")).get("train"))
    seconds = next((known for row in reversed(rows) if (known := number(row.get("seconds"))) is not None), None)
    speeds = sorted(value for _, value in series(rows, "images_per_second"))
    noun = noun_of(config).capitalize()
    facts = {
        f"{noun} seen": _whole(images),
        "Passes over the data": _passes(images / items) if images and items else "",
        "Time": "" if seconds is None else duration(seconds),
        f"{noun} a second": _whole(speeds[len(speeds) // 2]) if speeds else "",
        "Trained on": text_of(mapping(config.get("hardware")).get("device"), ""),
        "Begun": text_of(config.get("created"), "").replace("T", " ")[:16],
    }
    cells = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts.items() if value)
    return (
        f'<header><p class="overline">{escape(outcome(rows))}</p><h1>{recipe} <span>on</span> {data}</h1>'
        f'<dl class="facts">{cells}</dl></header>'
    )


def _diagnosis(config: Mapping[str, Any], rows: Sequence[Row]) -> str:
    main, *others = in_words(diagnose(rows, config))
    parts = [f'<p class="first">{escape(_capital(main.evidence))}.</p>', _remedies(main)]
    if back := roll_backs(rows):
        parts.append(f"<p>{escape(back)}</p>")
    for other in others:
        parts.append(
            f"<h3>Also: {escape(other.title)}</h3><p>{escape(_capital(other.evidence))}.</p>{_remedies(other)}"
        )
    if measurements(rows):
        parts.append(f'<p class="quiet">{escape(CAVEAT)}</p>')
    return f'<section class="card verdict {main.mood}"><h2>{escape(main.title)}</h2>{"".join(parts)}</section>'


def _remedies(finding: Finding) -> str:
    cause = f"<p>{escape(finding.cause)}</p>" if finding.cause else ""
    advice = "".join(f"<li>{escape(advice)}</li>" for advice in finding.advice)
    return cause + (f"<h3>To try</h3><ul>{advice}</ul>" if advice else "")


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


# -- curves -----------------------------------------------------------------------------------------------------


def _curves(config: Mapping[str, Any], rows: Sequence[Row]) -> str:
    measured = measurements(rows)
    names = dict(list(players(measured).items())[:_PLAYERS])
    colours = {name: f"c{place}" for place, name in enumerate(names)}

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
    scored = scores(rows)
    charts = [
        *(
            Chart(
                f"Score: {plain(key.removeprefix('score/'))}",
                "Of samples from averaged weights, beside the data; lower is better.",
                [Line(plain(key.removeprefix("score/")), series(rows, key), "c0")],
            )
            for key in scored[:_PLAYERS]
        ),
        Chart(
            "Losses",
            "What each player minimises in the game. They pull against each other: neither is meant to reach zero.",
            losses,
        ),
        *(
            Chart(
                each.title,
                each.about,
                [
                    Line(each.names[kind], series(measured, key), "c1" if kind == "fake" else "c2")
                    for kind, key in each.keys.items()
                ],
                "share",
                (0.5, "50%: cannot tell apart"),
            )
            for each in shares(measured)[: 2 * _PLAYERS]
        ),
        Chart(
            "Gradient norms",
            "How hard each player is pushed. A generator whose gradients fade learns nothing any more.",
            [Line(name, series(measured, f"{name}/gradient_norm"), colours[name]) for name in names],
            "log",
        ),
        Chart(
            "Penalties and other terms",
            "What else the players minimise, weighted as in the loss.",
            [Line(title, series(measured, key), f"c{2 + place % 4}") for place, (title, key) in enumerate(others)],
        ),
        Chart(
            "Speed",
            f"{noun_of(config).capitalize()} of a batch a second, without the time for sample pictures.",
            [Line(f"{noun_of(config)} a second", series(measured, "images_per_second"), "c2")],
        ),
    ]
    marks = [(float(row["step"]), plain(row["event"])) for row in rows if went_back(row)]
    drawn = "".join(figure(chart, marks[-_EVENTS:]) for chart in charts)
    if not drawn:
        return ""
    broken = " A dashed red line is a roll-back." if marks else ""
    return (
        f'<h2>The game in numbers</h2><p class="lead">Means over the steps between two measurements.{broken}</p>'
        f'<div class="charts">{drawn}</div>'
    )


# -- details ----------------------------------------------------------------------------------------------------


def _details(config: Mapping[str, Any], rows: Sequence[Row]) -> str:
    data, plan = mapping(config.get("data")), config.get("plan")
    told = {**mapping(config.get("hardware")), "ganvas": config.get("ganvas"), "begun": config.get("created")}
    source = {key: value for key, value in data.items() if key not in ("labels", "space", "name")}
    if isinstance(data.get("fingerprint"), str):
        source["fingerprint"] = data["fingerprint"][:16]
    if isinstance(data.get("labels"), list):
        source["labels"] = len(data["labels"])
    events = [row for row in rows if "event" in row][-_EVENTS:]
    cards = [
        _list("The plan", [text_of(line) for line in plan] if isinstance(plan, list) else []),
        _list("Events", [f"<b>step {row['step']:,.0f}</b> {text_of(row['event'])}" for row in events]),
        _table("The recipe's arguments", mapping(config.get("arguments"))),
        _table("Settings", mapping(config.get("settings"))),
        _table("Data", source),
        _table("Machine and versions", told),
    ]
    return (
        '<h2>The details</h2><p class="lead">How this run was set up, and what happened.</p>'
        f'<div class="details">{"".join(cards)}</div>'
    )


def _table(title: str, values: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><th scope=row>{text_of(key)}</th><td>{text_of(value)}</td></tr>" for key, value in values.items()
    )
    return f'<section class="card"><h3>{title}</h3><table>{rows}</table></section>' if rows else ""


def _list(title: str, items: Iterable[str]) -> str:
    lines = "".join(f"<li>{item}</li>" for item in items)
    return f'<section class="card"><h3>{title}</h3><ul class="lines">{lines}</ul></section>' if lines else ""


def _passes(value: float) -> str:
    return f"{value:.2g}" if value < 10 else f"{value:,.0f}"


def _whole(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"


def _hash(content: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
