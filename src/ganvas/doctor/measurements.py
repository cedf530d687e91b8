"""What can be measured on a run's rows before anything is judged: numbers, each with its name and its unit.

Rows are those of `metrics.jsonl`: averages of the last 50 steps, and every 100 steps the signals of `looks.py`. A run
that was recorded without signals, or whose players report no logits, simply has fewer numbers.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ganvas.run import Row, judge, measurements, number, players, series
from ganvas.spaces import kinds

LOOKS = 3
"""A signal is read off the median of this many last looks, so that one odd look says nothing."""


LATELY = 500
"""Steps: what was not finite before them, and has gone well since, is over."""


@dataclass(frozen=True)
class Symptoms:
    """The numbers of a run's last stretch; None where a run does not tell.

    Shares are 0 to 1. `right_*`: how often the discriminator is right; of pairs where it compares them (`paired`).
    `faded`: a generator's gradient norm once and now. `growth`: the same of the player whose norm grew most. `seesaw`:
    lowest and highest share of right answers where it goes to and fro between measurements. `certainty`: the size of
    its mean logits. `signals`: of the last looks, by name.
    """

    measured: int
    looks: int
    step: int
    player: str
    paired: bool
    judged: bool
    right_real: float | None
    right_fake: float | None
    seesaw: tuple[float, float] | None
    certainty: float | None
    faded: tuple[float, float] | None
    growth: tuple[float, float] | None
    not_finite_times: int
    failed: bool
    signals: Mapping[str, list[float]]

    def signal(self, name: str) -> float | None:
        """The median of the last looks."""
        values = self.signals.get(name)
        return statistics.median(values) if values else None


def symptoms(rows: Sequence[Row], judged: bool = True) -> Symptoms:
    """Of a run's rows in the order of their steps. judged: whether the sign of a logit says real or fake."""
    measured = measurements(rows)
    player = judge(measured) or ""
    recent = measured[-max(3, len(measured) // 5) :]
    looks = [row for row in measured if any(str(key).startswith("signal/") for key in row)]
    names = list(dict.fromkeys(str(key) for row in looks for key in row if str(key).startswith("signal/")))
    last = looks[-LOOKS:]
    events = [str(row.get("event")) for row in rows if "event" in row]
    step = number(measured[-1]["step"]) if measured else 0.0
    since = (step or 0.0) - LATELY
    return Symptoms(
        measured=len(measured),
        looks=len(looks),
        step=int(step or 0),
        player=player,
        paired=any(f"{player}/pair" in row for row in measured),
        judged=judged and bool(player),
        right_real=mean(recent, f"{player}/accuracy_real"),
        right_fake=mean(recent, f"{player}/accuracy_fake"),
        seesaw=_seesaw(measured, player),
        certainty=_certainty(recent, player),
        faded=_changed(measured, recent, [name for name in players(measured) if name != player], smaller=True),
        growth=_changed(measured, recent, list(players(measured)), smaller=False),
        not_finite_times=sum("not finite" in str(row.get("event")) and row["step"] >= since for row in rows),
        failed=bool(events) and events[-1] == "failed",
        signals={name.removeprefix("signal/"): [value for _, value in series(last, name)] for name in names},
    )


def mean(rows: Sequence[Row], key: str) -> float | None:
    """Of the finite values under this key; None without one."""
    values = [value for _, value in series(rows, key)]
    return sum(values) / len(values) if values else None


def _seesaw(measured: Sequence[Row], player: str) -> tuple[float, float] | None:
    """(low, high) of the accuracy in the later half, where it changes sides at least three times.

    Its sides are more than 15 points above, and below, the middle between low and high.
    """
    half = measured[len(measured) // 2 :]
    track = [
        sum(values) / len(values)
        for row in half
        if (values := [v for k in ("real", "fake") if (v := number(row.get(f"{player}/accuracy_{k}"))) is not None])
    ]
    if not track:
        return None
    low, high = min(track), max(track)
    middle = (low + high) / 2
    sides = [value > middle for value in track if abs(value - middle) > 0.15]
    changes = sum(one != other for one, other in pairwise(sides))
    return (low, high) if changes >= 3 else None


def _certainty(recent: Sequence[Row], player: str) -> float | None:
    """The larger of the mean logits of real and generated samples, without its sign."""
    sizes = [abs(value) for kind in ("real", "fake") if (value := mean(recent, f"{player}/logit_{kind}")) is not None]
    return max(sizes) if sizes else None


def _changed(
    measured: Sequence[Row], recent: Sequence[Row], names: Sequence[str], smaller: bool
) -> tuple[float, float] | None:
    """(once, now) of the gradient norm that has changed most: from its highest of the first third where it has become
    `smaller`, else from the median of that third."""
    found = []
    for name in names:
        key = f"{name}/gradient_norm"
        once = [value for _, value in series(measured[: max(3, len(measured) // 3)], key)]
        now = mean(recent, key)
        if once and now is not None:
            found.append((max(once) if smaller else statistics.median(once), now))
    if not found:
        return None
    ratios = [(now + 1e-12) / (before + 1e-12) for before, now in found]
    return found[ratios.index(min(ratios) if smaller else max(ratios))]


def facts_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """What of a run's `config.json` its diagnosis needs: the recipe's arguments, the number of training items, and what
    the kind of these says: below how many there are too `few`, and which recipe is `steady`. Whatever is no such thing
    is left out."""
    data = config.get("data") if isinstance(config.get("data"), dict) else {}
    assert isinstance(data, dict)
    counts, space = data.get("counts"), data.get("space")
    named = space.get("kind") if isinstance(space, dict) else None
    kind = kinds.get(named) if isinstance(named, str) else None
    return {
        "arguments": arguments if isinstance(arguments := config.get("arguments"), dict) and arguments else None,
        "items": number(counts.get("train")) if isinstance(counts, dict) else None,
        "few": 0 if kind is None else kind.few,
        "steady": "" if kind is None else kind.steady,
    }
