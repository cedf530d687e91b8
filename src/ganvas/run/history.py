"""The history of a run: the rows of its `metrics.jsonl`, and what can be read off them without judging.

Only arithmetic; no tensors, so that a run that is live, over, crashed or copied can be read anywhere. A row comes from
a file that may be anybody's, so nothing in it is believed to be a number until it is one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ganvas.files import open_regular

Row = Mapping[str, Any]

VIEWS = ("accuracy", "probability", "logit")
"""What is told of a discriminator's logits; the first two only where 0 divides anything."""

KINDS = ("real", "fake", "pair")
"""What a logit is given to: a real sample, a generated one, or a pair of them."""

GAME = ("real", "fake", "pair", "adversarial")
"""The terms of an objective; a player's other terms are penalties and the like."""

_OF_REAL = {f"{what}_{kind}" for what in VIEWS for kind in ("real", "pair")}
_NOT_A_LOSS = {f"{what}_{kind}" for what in VIEWS for kind in KINDS} | {"gradient_norm"}
_NOT_A_PLAYER = ("learning_rate", "signal", "score", "value", "augmentation")
_TODAY = {"images": "items", "images_per_second": "items_per_second"}

_ROWS, _LINE, _BYTES = 500_000, 1 << 18, 1 << 28

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
        with open_regular(path) as file:
            for _ in range(_ROWS):
                line = file.readline(_LINE)
                if not line or file.tell() > _BYTES:
                    break
                try:
                    row = json.loads(line)
                except (ValueError, RecursionError):
                    continue
                step = number(row.get("step")) if isinstance(row, dict) else None
                if step is not None and 0 <= step < 1e12:
                    rows.append(_renamed({key: value for key, value in row.items() if not _absurd(value)}))
    return sorted(rows, key=lambda row: row["step"])


def _renamed(row: dict[str, Any]) -> dict[str, Any]:
    """A row by today's names: the first format counted images, told pairs as if they were real samples, and told
    accuracy and probability of scores, which have neither."""
    if not _TODAY.keys() & row.keys():
        return row
    paired = {str(key).rpartition("/")[0] for key in row if str(key).endswith("/pair")}
    scoring = {player for player in judges([row]) if _scores(row, player)}
    renamed = {}
    for key, value in row.items():
        player, _, name = str(key).rpartition("/")
        if player in paired and name.endswith("_real"):
            key = f"{player}/{name.removesuffix('_real')}_pair"
        of_pairs_twice = player in paired and name.endswith("_fake")
        of_scores = player in scoring and name.startswith(("accuracy_", "probability_"))
        if not (of_pairs_twice or of_scores):
            renamed[_TODAY.get(key, key)] = value
    return renamed


def _scores(row: Row, player: str) -> bool:
    """Whether the player's terms are its mean logits, as a Wasserstein critic's are (Arjovsky et al. 2017)."""
    for kind, sign in (("real", -1), ("fake", 1)):
        term, logit = number(row.get(f"{player}/{kind}")), number(row.get(f"{player}/logit_{kind}"))
        if term is None or logit is None or not math.isclose(term, sign * logit, rel_tol=1e-4, abs_tol=1e-6):
            return False
    return True


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
    """Each player's loss terms, by the player's name; those who judge come first."""
    found: dict[str, list[str]] = {}
    for key in _keys(rows):
        player, _, name = key.rpartition("/")
        if _is_player(player):
            terms = found.setdefault(player, [])
            if name not in _NOT_A_LOSS:
                terms.append(name)
    judging = judges(rows)
    return dict(sorted(found.items(), key=lambda item: item[0] not in judging))


def judges(rows: Iterable[Row]) -> list[str]:
    """The players whose logits of real samples or of pairs are told, each once: discriminators and critics.

    Logits of generated samples alone make no judge: a generator may tell what it was told.
    """
    parts = (key.rpartition("/") for key in _keys(rows))
    return list(dict.fromkeys(player for player, _, name in parts if name in _OF_REAL and _is_player(player)))


def judged(rows: Sequence[Row], player: str, what: str) -> dict[str, str]:
    """The keys under which these rows tell this view (of VIEWS) of the player's logits, by what these are given to (of
    KINDS); {} where they do not, as of the accuracy of scores."""
    keys = {kind: f"{player}/{what}_{kind}" for kind in KINDS}
    return {kind: key for kind, key in keys.items() if any(key in row for row in rows)}


@dataclass(frozen=True)
class Shares:
    """One chart's worth of a judge's verdicts, each 0 to 1: how often it is right, or what it gives to real ones.

    title, about: of the chart; titles differ where there are several judges. keys: rows' keys by what they are a share
    of (of KINDS). names: the same for a legend.
    """

    player: str
    what: Literal["accuracy", "probability"]
    title: str
    about: str
    keys: Mapping[str, str]

    @property
    def names(self) -> dict[str, str]:
        lead = "pairs" if self.what == "accuracy" else "mean sigmoid of the lead"
        return {kind: {"real": "real", "fake": "generated", "pair": lead}[kind] for kind in self.keys}


def shares(rows: Sequence[Row]) -> list[Shares]:
    """What every judge's logits say as shares; nothing of a judge whose logits are scores."""
    found = []
    for player in judges(rows):
        if keys := judged(rows, player, "accuracy"):
            how = "How often it scores the real one of a pair higher."
            about = how if "pair" in keys else "In each kind of sample, how often it is right."
            found.append(Shares(player, "accuracy", f"Accuracy of the {player}", about, keys))
        if keys := judged(rows, player, "probability"):
            title, about = f"Mean probability by the {player}", f"What the {player} gives to a sample being real."
            if "pair" in keys:
                title = f"Lead of the real one, by the {player}"
                about = "The sigmoid of how much higher it scores the real one of a pair, on average."
            found.append(Shares(player, "probability", title, about, keys))
    return found


def _keys(rows: Iterable[Row]) -> dict[str, None]:
    """The keys of all rows, each once, in the order of their appearance."""
    return dict.fromkeys(str(key) for row in rows for key in row)


def _is_player(name: str) -> bool:
    return bool(name) and name.partition("/")[0] not in _NOT_A_PLAYER


def loss(row: Row, player: str, terms: Sequence[str]) -> float | None:
    """The player's loss in the game: the sum of the objective's terms, of all terms where it has none of these."""
    in_game = [term for term in terms if term in GAME] or list(terms)
    values = [number(row.get(f"{player}/{term}")) for term in in_game]
    present = [value for value in values if value is not None]
    return sum(present) if present else None


def outcome(rows: Sequence[Row], over: bool = False) -> str:
    """How training ended, and after how much of it. over: whether it is known that nobody trains the run now; a run
    that then holds no word of its end was not given the time for one."""
    steps = [step for row in rows if (step := number(row.get("step"))) is not None]
    last = rows[-1] if rows else {}
    seconds = next((value for row in reversed(rows) if (value := number(row.get("seconds"))) is not None), None)
    lasted = f" in {duration(seconds)}" if seconds is not None else ""
    at = f"{int(steps[-1]):,} {'step' if steps[-1] == 1 else 'steps'}" if steps else "0 steps"
    event = str(last.get("event", ""))
    if event not in OUTCOMES and over:
        return f"Killed, or the machine went off, after {at}{lasted}: nothing was written at its end."
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
