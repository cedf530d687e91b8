"""The history of a run: the rows of its `metrics.jsonl`, and what can be read off them without judging.

Only arithmetic; no tensors, so that a run that is live, over, crashed or copied can be read anywhere. A row comes from
a file that may be anybody's, so nothing in it is believed to be a number until it is one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

Row = Mapping[str, Any]

GAME = ("real", "fake", "pair", "adversarial")
"""The terms of an objective; a player's other terms are penalties and the like."""

_NOT_A_LOSS = (
    *("accuracy_real", "accuracy_fake", "probability_real", "probability_fake", "logit_real", "logit_fake"),
    "gradient_norm",
)
_NOT_A_PLAYER = ("learning_rate", "signal", "score")

_ROWS = 500_000

OUTCOMES = {
    "finished": "Finished",
    "stopped early": "Stopped early",
    "interrupted": "Interrupted",
    "failed": "Stopped with an error",
    "crashed": "Crashed",
}


def number(value: Any) -> float | None:
    """The value where it is a finite number, else None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def mapping(value: Any) -> dict[str, Any]:
    """The value where it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


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


def measurements(rows: Iterable[Row]) -> list[Row]:
    """The rows that carry averages (and not an event)."""
    return [
        row
        for row in rows
        if "event" not in row
        and not any(key.startswith("score/") for key in row)
        and number(row.get("step")) is not None
    ]


def scores(rows: Iterable[Row]) -> list[str]:
    """The keys of the scores in these rows, such as `score/FID[native]`, each once."""
    return list(dict.fromkeys(key for row in rows for key in row if str(key).startswith("score/")))


def series(rows: Iterable[Row], key: str) -> list[tuple[float, float]]:
    """(step, value) of the rows that have a finite value under this key."""
    pairs = ((number(row.get("step")), number(row.get(key))) for row in rows)
    return [(step, value) for step, value in pairs if step is not None and value is not None]


def players(rows: Sequence[Row]) -> dict[str, list[str]]:
    """Each player's loss terms, by the player's name; the one who judges comes first."""
    found: dict[str, list[str]] = {}
    for key in dict.fromkeys(key for row in rows for key in row):
        player, slash, name = str(key).rpartition("/")
        if slash and player not in _NOT_A_PLAYER:
            terms = found.setdefault(player, [])
            if name not in _NOT_A_LOSS:
                terms.append(name)
    first = judge(rows)
    return dict(sorted(found.items(), key=lambda item: item[0] != first))


def judge(rows: Sequence[Row]) -> str | None:
    """The player whose logits are reported: the discriminator or critic."""
    names = (str(key).rpartition("/") for row in rows for key in row)
    return next((player for player, _, name in names if name == "accuracy_real"), None)


def loss(row: Row, player: str, terms: Sequence[str]) -> float | None:
    """The player's loss in the game: the sum of the objective's terms, of all terms where it has none of these."""
    in_game = [term for term in terms if term in GAME] or list(terms)
    values = [number(row.get(f"{player}/{term}")) for term in in_game]
    present = [value for value in values if value is not None]
    return sum(present) if present else None


def outcome(rows: Sequence[Row]) -> str:
    """How training ended, and after how much of it."""
    steps = [step for row in rows if (step := number(row.get("step"))) is not None]
    last = rows[-1] if rows else {}
    seconds = next((value for row in reversed(rows) if (value := number(row.get("seconds"))) is not None), None)
    lasted = f" in {duration(seconds)}" if seconds is not None else ""
    at = f"{int(steps[-1]):,} {'step' if steps[-1] == 1 else 'steps'}" if steps else "0 steps"
    event = str(last.get("event", ""))
    if event not in OUTCOMES:
        return f"Not finished: {at}{lasted} so far."
    return f"{OUTCOMES[event]} after {at}{lasted}."


def roll_backs(rows: Sequence[Row]) -> str:
    """How often training went back to an earlier state, and why the last time; "" where it never did."""
    events = [str(row["event"]) for row in rows if went_back(row)]
    if not events:
        return ""
    times = "once" if len(events) == 1 else f"{len(events)} times"
    return f"Training went back to an earlier state {times}; the last time: {events[-1]}."


def went_back(row: Row) -> bool:
    """Whether the row is the event of a roll-back or a healing."""
    return any(words in str(row.get("event")) for words in ("back with", "back at step"))


def duration(seconds: float) -> str:
    """12 s, 4 min 12 s, 3 h 5 min."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
