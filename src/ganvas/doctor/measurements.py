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

from ganvas.run import Row, judged, judges, measurements, number, players, series
from ganvas.spaces import kinds

LOOKS = 3
"""A signal is read off the median of this many last looks, so that one odd look says nothing."""

LATELY = 500
"""Steps: what was not finite before them, and has gone well since, is over."""


@dataclass(frozen=True)
class Judging:
    """What the last stretch tells of one discriminator; shares are 0 to 1.

    kinds: what its decisions are told of, `real` and `fake` or `pair`; none where its logits are scores. right: by
    kind, how often it is right; of no kind where it has not moved lately. seesaw: the lowest and highest share of right
    answers, where it goes to and fro between measurements. certainty: the size of its mean logits; None where they are
    not told.
    """

    player: str
    kinds: tuple[str, ...]
    right: Mapping[str, float]
    seesaw: tuple[float, float] | None
    certainty: float | None

    @property
    def paired(self) -> bool:
        return "pair" in self.kinds

    @property
    def right_on_all(self) -> float:
        """The mean over what it judges; not a number where it has not moved lately."""
        return sum(self.right.values()) / len(self.right) if self.right else float("nan")

    @property
    def right_on_samples(self) -> float:
        """Of generated samples, or of pairs with one; where neither is told, of what there is."""
        return self.right.get("fake", self.right_on_all)


@dataclass(frozen=True)
class Norm:
    """A player's gradient norm, once and now."""

    player: str
    once: float
    now: float


@dataclass(frozen=True)
class Symptoms:
    """The numbers of a run's last stretch; None where a run does not tell.

    measured, looks: how many rows have averages, and signals. step: of the last row with averages. judges: one for each
    discriminator. faded: the gradient norm that has faded most, among the players that do not judge. growth: the one
    that has grown most, among all. signals: of the last looks, by name.
    """

    measured: int
    looks: int
    step: int
    judges: Sequence[Judging]
    faded: Norm | None
    growth: Norm | None
    not_finite_times: int
    failed: bool
    signals: Mapping[str, list[float]]

    def signal(self, name: str) -> float | None:
        """The median of the last looks."""
        values = self.signals.get(name)
        return statistics.median(values) if values else None


def symptoms(rows: Sequence[Row]) -> Symptoms:
    """Of a run's rows in the order of their steps."""
    measured = measurements(rows)
    judging = judges(measured)
    recent = measured[-max(3, len(measured) // 5) :]
    looks = [row for row in measured if any(str(key).startswith("signal/") for key in row)]
    names = list(dict.fromkeys(str(key) for row in looks for key in row if str(key).startswith("signal/")))
    last = looks[-LOOKS:]
    events = [str(row.get("event")) for row in rows if "event" in row]
    step = number(measured[-1]["step"]) if measured else 0.0
    since = (step or 0.0) - LATELY
    playing = list(players(measured))
    return Symptoms(
        measured=len(measured),
        looks=len(looks),
        step=int(step or 0),
        judges=[_judging(player, measured, recent) for player in judging],
        faded=_changed(measured, recent, [name for name in playing if name not in judging], smaller=True),
        growth=_changed(measured, recent, playing, smaller=False),
        not_finite_times=sum("not finite" in str(row.get("event")) and row["step"] >= since for row in rows),
        failed=bool(events) and events[-1] == "failed",
        signals={name.removeprefix("signal/"): [value for _, value in series(last, name)] for name in names},
    )


def _judging(player: str, measured: Sequence[Row], recent: Sequence[Row]) -> Judging:
    right = judged(measured, player, "accuracy")
    means = {kind: value for kind, key in right.items() if (value := mean(recent, key)) is not None}
    logits = [mean(recent, key) for key in judged(measured, player, "logit").values()]
    sizes = [abs(value) for value in logits if value is not None]
    return Judging(player, tuple(right), means, _seesaw(measured, list(right.values())), max(sizes, default=None))


def mean(rows: Sequence[Row], key: str) -> float | None:
    """Of the finite values under this key; None without one."""
    values = [value for _, value in series(rows, key)]
    return sum(values) / len(values) if values else None


def _seesaw(measured: Sequence[Row], keys: Sequence[str]) -> tuple[float, float] | None:
    """(low, high) in the later half of the mean under these keys, where it changes sides at least three times.

    Its sides are more than 15 points above, and below, the middle between low and high.
    """
    half = measured[len(measured) // 2 :]
    told = ([value for key in keys if (value := number(row.get(key))) is not None] for row in half)
    track = [sum(values) / len(values) for values in told if values]
    if not track:
        return None
    low, high = min(track), max(track)
    middle = (low + high) / 2
    sides = [value > middle for value in track if abs(value - middle) > 0.15]
    changes = sum(one != other for one, other in pairwise(sides))
    return (low, high) if changes >= 3 else None


def _changed(measured: Sequence[Row], recent: Sequence[Row], names: Sequence[str], smaller: bool) -> Norm | None:
    """The gradient norm, of these players', that has changed most: from its highest of the first third where it has
    become `smaller`, else from the median of that third."""
    found = []
    for name in names:
        key = f"{name}/gradient_norm"
        once = [value for _, value in series(measured[: max(3, len(measured) // 3)], key)]
        now = mean(recent, key)
        if once and now is not None:
            found.append(Norm(name, max(once) if smaller else statistics.median(once), now))
    ratios = [(norm.now + 1e-12) / (norm.once + 1e-12) for norm in found]
    return found[ratios.index(min(ratios) if smaller else max(ratios))] if found else None


@dataclass(frozen=True)
class Facts:
    """What of a run's `config.json` its diagnosis needs; None where it does not tell.

    arguments: the recipe's. items: how many the training has. few: below how many of this kind there are too few.
    steady: the recipe that was made against a collapse on this kind, "" where none was. looking: whether samples are
    looked at while the run trains. plain: whether judges see samples as they are, where they could see them augmented.
    """

    arguments: Mapping[str, Any] | None
    items: float | None
    few: int
    steady: str
    looking: bool | None
    plain: bool = False


def facts_of(config: Mapping[str, Any]) -> Facts:
    data, settings, arguments = (_object(config.get(key)) for key in ("data", "settings", "arguments"))
    named, looking = _object(data.get("space")).get("kind"), settings.get("looks")
    kind = kinds.get(named) if isinstance(named, str) else None
    return Facts(
        arguments=arguments or None,
        items=number(_object(data.get("counts")).get("train")),
        few=0 if kind is None else kind.few,
        steady="" if kind is None else kind.steady,
        looking=looking if isinstance(looking, bool) else None,
        plain=settings.get("augment") == "none" and kind is not None and kind.augments(),
    )


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
