"""A comparison on one page that loads nothing: samples of the same seed, scores, curves and what differs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ganvas.comparing.reading import Group, Read
from ganvas.errors import GanvasError
from ganvas.html import part, render
from ganvas.model import load
from ganvas.recipes import is_path
from ganvas.report import Chart, Line, Picture, as_picture, figure, last_picture
from ganvas.run import loss, measurements, players, scores
from ganvas.text import plain

COLOURS = 6
_SHOWN, _CURVES = 12, 6
OVER = {"step": "step", "seconds": "second"}
"""What curves are drawn over: keys of a run's rows, and what one of them is called."""


def page(
    groups: Sequence[Group],
    tables: Mapping[str, Sequence[Sequence[str]]],
    notes: Sequence[str],
    seed: int,
    recipe: str | None,
) -> str:
    """The HTML. Loads each run to sample it; one that cannot be is shown by its last picture."""
    pictures, more = samples(groups, seed, recipe)
    return render(
        "comparing/page.html.jinja",
        data=plain(groups[0].runs[0].data.get("name"), "?"),
        groups=[(f"c{place % COLOURS}", group.letter, group.told) for place, group in enumerate(groups)],
        tables=tables_of(tables),
        notes=[*notes, *more],
        pictures=pictures,
        seed=seed,
        charts=[figure(chart, data=False) for chart in charts(groups)],
    )


def tables_of(tables: Mapping[str, Sequence[Sequence[str]]]) -> str:
    """Tables with a head, by their titles, as HTML."""
    return part("comparing/tables.html.jinja", tables=tables)


def samples(
    groups: Sequence[Group], seed: int, recipe: str | None
) -> tuple[list[tuple[str, Picture, bool]], list[str]]:
    """(which run, its samples of this seed, whether they are) of the first runs of each group, and what could not be
    sampled. The latents of two models with equal inputs are the same."""
    found, notes = [], []
    each = max(1, _SHOWN // len(groups))
    shown = [(group.letter, run) for group in groups for run in group.runs[:each]][:_SHOWN]
    for letter, run in shown:
        title, picture, fresh = f"{letter}, seed {run.seed}", None, True
        try:
            picture = sampled(run, seed, recipe)
        except GanvasError as error:
            picture, fresh = last_picture(run.path, run.config), False
            notes.append(f"{run.name} could not be sampled, so its last picture is shown, if any: {error}")
        if picture is not None:
            found.append((title, picture, fresh))
    return found, notes


def sampled(run: Read, seed: int, recipe: str | None) -> Picture:
    """Samples of the run by this seed, as many as its own pictures have. Raises GanvasError where it makes none of
    noise alone or cannot be loaded."""
    model = load(run.path, recipe=recipe if is_path(run.recipe) else None)
    rows, columns = model.space.layout(len(model.labels))
    values = model.sample(rows * columns, seed=seed)
    return as_picture(model.step, model.space.show(values, columns=columns), run.config)


def charts(groups: Sequence[Group]) -> list[Chart]:
    """Curves of what was scored while the runs trained, over steps and over time; without any the players' losses."""
    keys = dict.fromkeys(key for group in groups for run in group.runs for key in scores(run.rows))
    if keys:
        return [
            Chart(
                f"{plain(key.removeprefix('score/'))} over {name}s",
                "Of samples from averaged weights while training; lower is better.",
                _lines(groups, {run: run.curve(key, over) for group in groups for run in group.runs}),
                along=name,
            )
            for key in list(keys)[:_CURVES]
            for over, name in OVER.items()
        ]
    names = dict.fromkeys(name for group in groups for run in group.runs for name in players(measurements(run.rows)))
    return [
        Chart(
            f"Loss of the {plain(name)}",
            "Only comparable where the objective is the same.",
            _lines(groups, {run: _losses(run, name) for group in groups for run in group.runs}),
        )
        for name in list(names)[:_CURVES]
    ]


def _lines(groups: Sequence[Group], curves: Mapping[Read, Sequence[tuple[float, float]]]) -> list[Line]:
    return [
        Line(f"{group.letter}, seed {run.seed}", curves[run], f"c{place % COLOURS}")
        for place, group in enumerate(groups)
        for run in group.runs
    ]


def _losses(run: Read, player: str) -> list[tuple[float, float]]:
    rows = measurements(run.rows)
    terms = players(rows).get(player, [])
    return [(row["step"], value) for row in rows if (value := loss(row, player, terms)) is not None]
