"""`report.html`: a run told on one page that needs nothing else, neither files beside it nor a network.

The page is made from the run folder alone, and a run folder may come from anywhere. So every text is escaped, every
picture is decoded and encoded anew, numbers that are no numbers are left out, and the page's own policy lets no script
run but the one whose hash it carries.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from PIL import Image

from ganvas import film
from ganvas.charts import Chart, Line, figure
from ganvas.errors import RunError
from ganvas.files import write_atomically
from ganvas.spaces import ImageSpace, Space, space_from_config
from ganvas.verdict import (
    CAVEAT,
    GAME,
    NO_DIVIDING_LINE,
    Row,
    duration,
    judge,
    loss,
    measurements,
    number,
    outcome,
    players,
    roll_backs,
    series,
    standing,
)

_ROWS, _PLAYERS, _EVENTS = 500_000, 6, 40
_LAST_PICTURE, _ALL_PICTURES = 1_000_000, 2_400_000  # bytes, before base64 makes a third more of them


def write_report(run: Path) -> Path:
    """Writes `report.html` into the run folder, live or over, and returns its path.

    Raises RunError where the folder has no readable `config.json`, and TrainingError where the disk refuses.
    """
    config = _read_config(run / "config.json")
    rows = read_rows(run / "metrics.jsonl")
    path = run / "report.html"
    write_atomically(path, _page(run, config, rows).encode("utf-8", "replace"))
    return path


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of `metrics.jsonl` in the order of their steps; [] without one. What cannot be read is left out."""
    rows = []
    if path.is_file():
        with path.open("rb") as file:
            for line, _ in zip(file, range(_ROWS), strict=False):
                try:
                    row = json.loads(line)
                except (ValueError, RecursionError):
                    continue
                step = number(row.get("step")) if isinstance(row, dict) else None
                if step is not None and 0 <= step < 1e12:
                    rows.append({key: value for key, value in row.items() if not _absurd(value)})
    return sorted(rows, key=lambda row: row["step"])


def _absurd(value: Any) -> bool:
    known = number(value)
    return known is not None and abs(known) > 1e30


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_bytes())
    except OSError as error:
        raise RunError(f"{path} cannot be read ({error.strerror}): is {path.parent} a run folder?") from error
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path} is not JSON, so there is nothing to report") from error
    return _mapping(config)


# -- the page ---------------------------------------------------------------------------------------------------


def _page(run: Path, config: Mapping[str, Any], rows: Sequence[Row]) -> str:
    style, script = (files("ganvas").joinpath("assets", f"report.{kind}").read_text("utf-8") for kind in ("css", "js"))
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    recipe, data = _text(config.get("recipe")), _text(_mapping(config.get("data")).get("name"))
    body = [
        _header(recipe, data, config, rows),
        f'<div class="hero">{_film(run, config)}{_verdict(config, rows)}</div>',
        _strip(run, config),
        _curves(config, rows),
        _details(config, rows),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{recipe} on {data}: Ganvas run</title>\n<style>{style}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(part for part in body if part)
        + f"\n</main>\n<footer>Written by Ganvas {_text(config.get('ganvas'))}. This page is one file and loads "
        f"nothing.</footer>\n<script>{script}</script>\n</body>\n</html>\n"
    )


def _header(recipe: str, data: str, config: Mapping[str, Any], rows: Sequence[Row]) -> str:
    last = (measurements(rows) or [{}])[-1]
    images = number(last.get("images"))
    items = number(_mapping(_mapping(config.get("data")).get("counts")).get("train"))
    seconds = next((known for row in reversed(rows) if (known := number(row.get("seconds"))) is not None), None)
    speeds = sorted(value for _, value in series(rows, "images_per_second"))
    facts = {
        "Images seen": _whole(images),
        "Passes over the data": _passes(images / items) if images and items else "",
        "Time": "" if seconds is None else duration(seconds),
        "Images a second": _whole(speeds[len(speeds) // 2]) if speeds else "",
        "Trained on": _text(_mapping(config.get("hardware")).get("device"), ""),
        "Begun": _text(config.get("created"), "").replace("T", " ")[:16],
    }
    cells = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts.items() if value)
    return (
        f'<header><p class="overline">{escape(outcome(rows))}</p><h1>{recipe} <span>on</span> {data}</h1>'
        f'<dl class="facts">{cells}</dl></header>'
    )


def _verdict(config: Mapping[str, Any], rows: Sequence[Row]) -> str:
    reading = standing(rows, _mapping(config.get("arguments")) or None)
    title = {"good": "The game: in order", "note": "The game: worth a look", "bad": "The game: needs attention"}
    parts = [f'<p class="first">{escape(reading.sentence)}</p>']
    if back := roll_backs(rows):
        parts.append(f"<p>{escape(back)}</p>")
    if reading.advice:
        parts.append(f"<h3>To try</h3><ul>{''.join(f'<li>{escape(advice)}</li>' for advice in reading.advice)}</ul>")
    if measurements(rows):
        parts.append(f'<p class="quiet">{escape(CAVEAT)}</p>')
    return f'<section class="card verdict {reading.mood}"><h2>{title[reading.mood]}</h2>{"".join(parts)}</section>'


# -- pictures ---------------------------------------------------------------------------------------------------


def _film(run: Path, config: Mapping[str, Any]) -> str:
    """The last picture, and controls to go back in time."""
    frames = _frames(run)
    if not frames:
        return ""
    pictures = [picture for _, picture in frames]
    sources = [*_encoded(pictures[:-1], _ALL_PICTURES), *_encoded(pictures[-1:], _LAST_PICTURE)]
    alts = [f"Generated samples at step {step:,}" for step, _ in frames]
    held = [
        {"step": step, "alt": alt, "src": "" if place == len(frames) - 1 else source}
        for place, ((step, _), alt, source) in enumerate(zip(frames, alts, sources, strict=True))
    ]
    labels = _column_labels(config, pictures[-1])
    told = "Each column is one label. " if labels else ""
    heads = "".join(f'<span title="{_text(name)}">{_text(name)}</span>' for name in labels)
    crisp = ' class="pixelated"' if pictures[-1].width < 600 else ""
    end = len(frames) - 1
    controls = (
        '<div class="controls"><button type="button">Play</button>'
        f'<input type="range" min="0" max="{end}" value="{end}" step="1" aria-label="Moment of training">'
        f"<output>step {frames[-1][0]:,}</output></div>"
    )
    return (
        f'<figure class="card film">{f"<div class=labels>{heads}</div>" if labels else ""}'
        f'<div class="view"><img{crisp} src="{sources[-1]}" alt="{alts[-1]}"></div>{controls if end else ""}'
        f"<figcaption>{told}What the generator makes of the same random inputs as training goes on (averaged weights). "
        f"The last picture is of step {frames[-1][0]:,}.</figcaption>"
        f'<script type="application/json">{_json(held)}</script></figure>'
    )


def _strip(run: Path, config: Mapping[str, Any]) -> str:
    frames = _frames(run)
    space = _space(config)
    if len(frames) < 2 or space is None:
        return ""
    strip = film.strip([picture for _, picture in frames], space, _columns(space, frames[-1][1]))
    if strip is None:  # the pictures are not of this space
        return ""
    (source,) = _encoded([strip], _LAST_PICTURE)
    alt = f"The first samples at {len(frames)} moments of training, from step {frames[0][0]:,} to {frames[-1][0]:,}"
    return (
        '<h2>From noise to samples</h2><p class="lead">Each row follows one sample, each column is a moment: dense at '
        "the start, where most happens, sparse later.</p>"
        '<div class="card"><div class="strip"><div class="scroll">'
        f'<img class="pixelated" src="{source}" alt="{alt}"><div class="here"></div></div>'
        f'<div class="ends"><span>step {frames[0][0]:,}</span><span>step {frames[-1][0]:,}</span></div></div></div>'
    )


def _frames(run: Path) -> list[tuple[int, Image.Image]]:
    """(step, picture) of at most 24 moments, all of the size of the last one."""
    read = [(step, picture) for step, path in film.spread(film.pictures(run)) if (picture := film.read(path))]
    return [(step, picture) for step, picture in read if picture.size == read[-1][1].size]


def _encoded(pictures: Sequence[Image.Image], budget: int) -> list[str]:
    """The pictures as data addresses: PNG where all fit into the budget of bytes, else smaller and lossy."""
    for side in (None, 900, 450, 200, 80):
        kind = "PNG" if side is None else "WEBP"
        contents = []
        for picture in pictures:
            buffer = io.BytesIO()
            if side is None:
                picture.save(buffer, "PNG", optimize=picture.width * picture.height < 1 << 18)
            else:
                small = picture.convert("RGBA" if picture.mode == "RGBA" else "RGB")
                small.thumbnail((side, side))
                small.save(buffer, "WEBP", quality=80, method=2)
            contents.append(buffer.getvalue())
        if sum(map(len, contents)) <= budget:
            break
    return [f"data:image/{kind.lower()};base64,{base64.b64encode(content).decode()}" for content in contents]


def _column_labels(config: Mapping[str, Any], picture: Image.Image) -> list[str]:
    """The labels above the picture's columns; [] where its columns are not labels."""
    arguments, space = _mapping(config.get("arguments")), _space(config)
    names, classes = _mapping(config.get("data")).get("labels"), number(arguments.get("classes"))
    conditional = bool(classes) and arguments.get("conditional", True) is True
    if not conditional or not isinstance(space, ImageSpace) or not isinstance(names, list) or len(names) != classes:
        return []
    columns = film.layout(space, len(names))[1]
    if _columns(space, picture) != columns:
        return []
    return [names[index] for index in film.labels_shown(len(names), columns)]


def _columns(space: Space, picture: Image.Image) -> int:
    return (picture.width + film.GAP) // (space.width + film.GAP) if isinstance(space, ImageSpace) else 1


def _space(config: Mapping[str, Any]) -> Space | None:
    try:
        space = space_from_config(_mapping(_mapping(config.get("data")).get("space")) or {})
    except (RunError, OverflowError):
        return None
    return space if all(0 < size < 1 << 16 for size in space.shape) else None


# -- curves -----------------------------------------------------------------------------------------------------


def _curves(config: Mapping[str, Any], rows: Sequence[Row]) -> str:
    measured = measurements(rows)
    names = dict(list(players(measured).items())[:_PLAYERS])
    first = judge(measured) or "discriminator"
    colours = {name: f"c{place}" for place, name in enumerate(names)}
    paired = any(f"{first}/pair" in row for row in measured)
    judged = _mapping(config.get("arguments")).get("objective") not in NO_DIVIDING_LINE

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
    sides = [("pairs", "real", "c2")] if paired else [("real", "real", "c2"), ("generated", "fake", "c1")]

    def shares(what: str) -> list[Line]:
        return [Line(title, series(measured, f"{first}/{what}_{kind}"), colour) for title, kind, colour in sides]

    whose = "how often it scores the real one of a pair higher" if paired else "how often it is right"
    charts = [
        Chart(
            "Losses",
            "What each player minimises in the game. They pull against each other: neither is meant to reach zero.",
            losses,
        ),
        Chart(
            f"Accuracy of the {first}",
            f"In each kind of sample, {whose}." if not paired else f"{whose.capitalize()}.",
            shares("accuracy") if judged else [],
            "share",
            (0.5, "50%: cannot tell apart"),
        ),
        Chart(
            "Mean probability",
            f"What the {first} gives to "
            + ("the real one of a pair being the real one." if paired else "a sample being real."),
            shares("probability") if judged else [],
            "share",
            (0.5, "50%: cannot tell apart"),
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
            "Training images a second, without the time for sample pictures.",
            [Line("images a second", series(measured, "images_per_second"), "c2")],
        ),
    ]
    marks = [(float(row["step"]), _plain(row["event"])) for row in rows if "back with" in str(row.get("event"))]
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
    data, plan = _mapping(config.get("data")), config.get("plan")
    told = {**_mapping(config.get("hardware")), "ganvas": config.get("ganvas"), "begun": config.get("created")}
    source = {key: value for key, value in data.items() if key not in ("labels", "space", "name")}
    if isinstance(data.get("fingerprint"), str):
        source["fingerprint"] = data["fingerprint"][:16]
    if isinstance(data.get("labels"), list):
        source["labels"] = len(data["labels"])
    events = [row for row in rows if "event" in row][-_EVENTS:]
    cards = [
        _list("The plan", [_text(line) for line in plan] if isinstance(plan, list) else []),
        _list("Events", [f"<b>step {row['step']:,.0f}</b> {_text(row['event'])}" for row in events]),
        _table("The recipe's arguments", _mapping(config.get("arguments"))),
        _table("Settings", _mapping(config.get("settings"))),
        _table("Data", source),
        _table("Machine and versions", told),
    ]
    return (
        '<h2>The details</h2><p class="lead">How this run was set up, and what happened.</p>'
        f'<div class="details">{"".join(cards)}</div>'
    )


def _table(title: str, values: Mapping[str, Any]) -> str:
    rows = "".join(f"<tr><th scope=row>{_text(key)}</th><td>{_text(value)}</td></tr>" for key, value in values.items())
    return f'<section class="card"><h3>{title}</h3><table>{rows}</table></section>' if rows else ""


def _list(title: str, items: Iterable[str]) -> str:
    lines = "".join(f"<li>{item}</li>" for item in items)
    return f'<section class="card"><h3>{title}</h3><ul class="lines">{lines}</ul></section>' if lines else ""


def _plain(value: Any, missing: str = "none") -> str:
    """Any JSON value in words, at most 300 characters of it."""
    if value is None:
        text = missing
    elif isinstance(value, bool):
        text = "yes" if value else "no"
    elif isinstance(value, float):
        text = f"{value:g}"
    elif isinstance(value, list):
        text = ", ".join(_plain(item) for item in value[:30])
    elif isinstance(value, dict):
        text = ", ".join(f"{key} {_plain(item)}" for key, item in list(value.items())[:30])
    else:
        text = str(value)
    return text if len(text) <= 300 else text[:299] + "…"


def _text(value: Any, missing: str = "none") -> str:
    return escape(_plain(value, missing))


def _passes(value: float) -> str:
    return f"{value:.2g}" if value < 10 else f"{value:,.0f}"


def _whole(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _json(value: Any) -> str:
    return json.dumps(value).replace("<", "\\u003c")


def _hash(content: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
