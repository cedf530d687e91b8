"""A run in one line, for lists of runs: read from its `config.json` and its rows, without PyTorch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ganvas.doctor import diagnose, in_words
from ganvas.errors import RunError
from ganvas.metrics.passport import read_passport
from ganvas.run import (
    OUTCOMES,
    SCORES,
    Row,
    is_over,
    is_trained,
    mapping,
    number,
    read_config,
    read_rows,
    scores,
    series,
    written,
)
from ganvas.text import plain


@dataclass(frozen=True)
class RunLine:
    """state: `training`, a key of `OUTCOMES`, `killed` (nobody trains it, and nothing was written at its end), `not
    finished` (nobody can tell), or `unreadable`. steps: None where nothing was measured. when: it was last written to,
    in local time, to the second. score, value, at: the first score of an
    evaluation that lies in the folder, else the newest of the training; its value and its step. word: the doctor's main
    finding, or why the run cannot be read; ailing: whether that is a bad one.
    """

    name: str
    path: str
    state: str
    when: str
    recipe: str = ""
    data: str = ""
    steps: int | None = None
    score: str | None = None
    value: float | None = None
    at: int | None = None
    word: str = ""
    ailing: bool = False

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def line_of(run: Path) -> RunLine:
    """The run as it is now. Raises nothing for a damaged one."""
    when = datetime.fromtimestamp(written(run)).isoformat(sep=" ", timespec="seconds")
    try:
        config = read_config(run)
    except RunError as error:
        return RunLine(run.name, str(run), "unreadable", when, word=str(error), ailing=True)
    rows = read_rows(run / "metrics.jsonl")
    steps = next((int(step) for row in reversed(rows) if (step := number(row.get("step"))) is not None), None)
    main = in_words(diagnose(rows, config))[0]
    score, value, at = _judged(run) or _newest(rows)
    return RunLine(
        name=run.name,
        path=str(run),
        state=_state(run, rows),
        when=when,
        recipe=plain(config.get("recipe"), "?"),
        data=plain(mapping(config.get("data")).get("name"), "?"),
        steps=steps,
        score=score,
        value=value,
        at=at,
        word=main.title,
        ailing=main.mood == "bad",
    )


def _state(run: Path, rows: Sequence[Row]) -> str:
    event = str(rows[-1].get("event", "")) if rows else ""
    if is_trained(run):
        return "training"
    if event in OUTCOMES:
        return event
    return "killed" if is_over(run) else "not finished"


def _judged(run: Path) -> tuple[str, float, int | None] | None:
    """The first score of the evaluation that lies in the run's folder, its value and its step; None where none does."""
    try:
        passport = read_passport(run / SCORES)
    except RunError:
        return None
    step = number(passport["judged"].get("step"))
    for key, score in passport["scores"].items():
        if (value := number(score.get("value"))) is not None:
            return plain(key), value, None if step is None else int(step)
    return None


def _newest(rows: Sequence[Mapping[str, Any]]) -> tuple[str, float, int] | tuple[None, None, None]:
    """The first key of the scores of the last row that has one, its value and its step."""
    for row in reversed(rows):
        for key in scores([row]):
            for step, value in series([row], key):
                return plain(key.removeprefix("score/")), value, int(step)
    return None, None, None
