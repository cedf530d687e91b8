"""A careful reading, in plain words, of the numbers that a training reports.

What the numbers can tell is how the game between the two players stands. They cannot tell how good the samples
are, and nothing here pretends so. Only arithmetic on rows of `metrics.jsonl`; no tensors.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

Row = Mapping[str, Any]

GAME = ("real", "fake", "pair", "adversarial")
"""The terms of an objective; a player's other terms are penalties and the like."""

NO_DIVIDING_LINE = ("wasserstein", "least-squares")
"""Objectives whose logits are not split into real and fake at 0, so that accuracy and probability mean nothing."""

_NOT_A_LOSS = ("accuracy_real", "accuracy_fake", "probability_real", "probability_fake", "gradient_norm")
_NOT_A_PLAYER = ("learning_rate", "score")

CAVEAT = (
    "These numbers tell how the game goes, not how good the samples are: losses do not measure quality. "
    "Look at the pictures."
)

OUTCOMES = {
    "finished": "Finished",
    "stopped early": "Stopped early",
    "interrupted": "Interrupted",
    "failed": "Stopped with an error",
    "crashed": "Crashed",
}


@dataclass(frozen=True)
class Reading:
    """How the game stands: a sentence with its evidence, and what to try (each names a flag that the recipe has)."""

    mood: Literal["good", "note", "bad"]
    sentence: str
    advice: list[str] = field(default_factory=list)


def number(value: Any) -> float | None:
    """The value where it is a finite number, else None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def measurements(rows: Iterable[Row]) -> list[Row]:
    """The rows that carry averages (and not an event)."""
    return [row for row in rows if not {"event", *scores([row])} & row.keys() and number(row.get("step")) is not None]


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


def verdict(rows: Sequence[Row], arguments: Mapping[str, Any] | None = None) -> list[str]:
    """The reading of a run, live or over, in a few sentences: how it ended, how the game stands, what to try.

    rows: what `metrics.jsonl` holds. arguments: the recipe's, where known; advice then names only flags it has.
    """
    current = standing(rows, arguments)
    lines = [outcome(rows), current.sentence]
    lines += [line for line in (roll_backs(rows),) if line]
    if current.advice:
        lines.append("To try: " + "; ".join(current.advice) + ".")
    if measurements(rows):
        lines.append(CAVEAT)
    return lines


def standing(rows: Sequence[Row], arguments: Mapping[str, Any] | None = None) -> Reading:
    """How the game between the players stands, judged from the last fifth of the measurements (at least three)."""
    measured = measurements(rows)
    if not measured:
        return Reading("note", "Nothing has been measured yet; the first numbers come after 50 steps.")
    if rows[-1].get("event") == "failed" and roll_backs(rows):
        return Reading(
            "bad",
            "The game diverged: its numbers stopped being finite, and smaller steps did not help.",
            _Flags(arguments)("lr", "--lr 2 to 5 times lower") + _Flags(arguments)("r1", "--r1 1 or higher"),
        )
    name = judge(measured)
    if name is None:
        return Reading("note", "The players report no logits, so there is nothing to read about their balance.")
    if len(measured) < 3:
        return Reading("note", f"Too early to say how the game goes: {_count(len(measured), 'measurement')} so far.")
    if (arguments or {}).get("objective") in NO_DIVIDING_LINE:
        return _by_losses(measured, name, arguments)
    return _by_accuracy(measured, name, arguments)


def _by_accuracy(measured: Sequence[Row], name: str, arguments: Mapping[str, Any] | None) -> Reading:
    paired = any(f"{name}/pair" in row for row in measured)
    recent = measured[-max(3, len(measured) // 5) :]
    real, fake = _mean(recent, f"{name}/accuracy_real"), _mean(recent, f"{name}/accuracy_fake")
    if real is None:
        return Reading("note", f"The {name} has not moved lately, so its balance with the generator cannot be read.")
    fake = real if fake is None else fake
    both = (real + fake) / 2
    if paired:
        evidence = f"scores the real one of a pair higher in {_percent(both)} of pairs (50% = cannot tell apart)"
    else:
        evidence = f"is right on {_percent(real)} of real and {_percent(fake)} of generated samples"
    flags = _Flags(arguments)

    if _never_apart(measured, name):
        return Reading(
            "note",
            f"The {name} does not tell real from generated samples at all so far (it {evidence}). "
            "Early on that means that nothing has been learned yet.",
            flags("lr", "--lr 3 times higher, should it stay so"),
        )
    swing = _swing(measured, name)
    if swing is not None:
        low, high = swing
        what = "pairs it gets right" if paired else "samples it gets right"
        return Reading(
            "bad",
            f"The game swings: the share of {what} goes to and fro between {_percent(low)} and {_percent(high)}, so "
            "each player undoes what the other learned.",
            flags("lr", "--lr 2 to 5 times lower") + flags("r1", "a higher --r1"),
        )
    if real > 0.97 and fake > 0.97:
        fading = _fading(measured, recent)
        calm = flags("r1", "a higher --r1 (10 times, say)") + flags("smoothing", "--smoothing 0.1") * (not paired)
        calm += flags("d_steps", "a lower --d-steps") * (_at_least_two(arguments, "d_steps"))
        if fading:
            first, last = fading
            return Reading(
                "bad",
                f"The {name} overpowers the generator: it {evidence}, and the generator's gradients have faded from "
                f"{first:.2g} to {last:.2g}, so it learns little.",
                calm,
            )
        return Reading(
            "note",
            f"The {name} is far ahead: it {evidence}. The generator still gets gradients; should its pictures stop "
            "getting better, rein the other in.",
            calm,
        )
    if both < 0.48 or real < 0.48:
        guess = "no better than guessing" if both < 0.55 else "so it takes most real samples for generated ones"
        return Reading(
            "bad",
            f"The {name} cannot keep up: it {evidence}, {guess}. The generator learns from a bad teacher.",
            flags("d_steps", "--d-steps 2") + flags("r1", "a lower --r1") + flags("lr", "another --lr"),
        )
    if both <= 0.8:
        return Reading("good", f"The game is in balance: the {name} {evidence}. Neither player runs away.")
    return Reading("good", f"The {name} is ahead, as it often is in a healthy game: it {evidence}.")


def _by_losses(measured: Sequence[Row], name: str, arguments: Mapping[str, Any] | None) -> Reading:
    """For objectives whose logits are scores with no fixed dividing line, so that accuracies say nothing."""
    recent = measured[-max(3, len(measured) // 5) :]
    terms = players(measured)[name]
    losses = [value for row in recent if (value := loss(row, name, terms)) is not None]
    if not losses:
        return Reading("note", f"The {name} has not moved lately, so its balance with the generator cannot be read.")
    mean = sum(losses) / len(losses)
    if (arguments or {}).get("objective") == "wasserstein":
        return Reading(
            "note",
            f"The {name} scores real samples {-mean:.3g} higher than generated ones on average. The scale is its own: "
            "what counts is that this gap shrinks slowly, and does not blow up.",
        )
    if mean < 0.02:
        return Reading(
            "note",
            f"The {name} is far ahead: its loss is {mean:.2g} (0 = tells all apart, 0.25 = cannot tell apart).",
            _Flags(arguments)("r1", "a higher --r1") + _Flags(arguments)("smoothing", "--smoothing 0.1"),
        )
    return Reading("good", f"The {name}'s loss is {mean:.2g} (0 = tells all apart, 0.25 = cannot tell apart).")


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
    events = [str(row["event"]) for row in rows if "back with" in str(row.get("event"))]
    if not events:
        return ""
    times = "once" if len(events) == 1 else f"{len(events)} times"
    return f"Training went back to an earlier state {times}, with smaller steps; the last time: {events[-1]}."


class _Flags:
    """Advice about a flag, where the recipe has it."""

    def __init__(self, arguments: Mapping[str, Any] | None) -> None:
        self.arguments = arguments

    def __call__(self, name: str, advice: str) -> list[str]:
        return [advice] if self.arguments is None or name in self.arguments else []


def _at_least_two(arguments: Mapping[str, Any] | None, name: str) -> bool:
    return (number((arguments or {}).get(name)) or 0) >= 2


def _never_apart(measured: Sequence[Row], name: str) -> bool:
    """Whether the mean probabilities of real and generated samples have never differed by two points of a hundred."""
    apart = [
        abs(real - fake)
        for row in measured
        if (real := number(row.get(f"{name}/probability_real"))) is not None
        and (fake := number(row.get(f"{name}/probability_fake"))) is not None
    ]
    return bool(apart) and max(apart) < 0.02


def _swing(measured: Sequence[Row], name: str) -> tuple[float, float] | None:
    """(low, high) of the accuracy in the later half, where it changes sides at least three times.

    Its sides are more than 15 points above, and below, the middle between low and high.
    """
    half = measured[len(measured) // 2 :]
    track = [
        sum(values) / len(values)
        for row in half
        if (values := [v for k in ("real", "fake") if (v := number(row.get(f"{name}/accuracy_{k}"))) is not None])
    ]
    if not track:
        return None
    low, high = min(track), max(track)
    middle = (low + high) / 2
    sides = [value > middle for value in track if abs(value - middle) > 0.15]
    changes = sum(one != other for one, other in pairwise(sides))
    return (low, high) if changes >= 3 else None


def _fading(measured: Sequence[Row], recent: Sequence[Row]) -> tuple[float, float] | None:
    """(once, now) where some generator's gradient norm has fallen below a twentieth of what it once was."""
    first = judge(measured)
    for player in players(measured):
        if player != first:
            once = [value for _, value in series(measured[: max(3, len(measured) // 3)], f"{player}/gradient_norm")]
            now = _mean(recent, f"{player}/gradient_norm")
            if once and now is not None and now < max(once) / 20:
                return max(once), now
    return None


def _mean(rows: Sequence[Row], key: str) -> float | None:
    values = [value for _, value in series(rows, key)]
    return sum(values) / len(values) if values else None


def _percent(share: float) -> str:
    return f"{100 * share:.0f}%"


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def duration(seconds: float) -> str:
    """12 s, 4 min 12 s, 3 h 5 min."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
