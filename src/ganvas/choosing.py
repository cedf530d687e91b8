"""What a training is like where nobody says it, as in `ganvas train --data SOURCE` and with `--quick`.

`choose` is a pure function of facts about the data, of what the recipe says of itself (`Recipe.efforts` and `suited`),
of what the user has given, which always wins, and of the seconds that steps take on this machine. All numbers that it
goes by are in this file and in the recipes; docs/choosing.md tells which were measured, which are a paper's, and which
are guesses. What is chosen is stored like anything that a user has given, so a run that goes on never chooses again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ganvas.options import flag_of
from ganvas.text import counted


@dataclass(frozen=True)
class Budget:
    """minutes: the longest that a training may take. glance: whether it is over sooner where that is `Enough`."""

    minutes: float
    glance: bool = False


BUDGETS = {"quick": Budget(5, glance=True), "good": Budget(60), "best": Budget(480)}
"""By name."""

USUAL = "quick"
"""The budget where none is named."""

SHARE = 0.9
"""Of the minutes, what steps may take: the rest is for pictures, looks, checkpoints and the report."""

ENOUGH = 1000
"""Steps below which items of half the size are the better choice."""

FEW = 2000
"""Training items below which judges are shown changed ones."""

MANY_PASSES = 300
"""Passes over the data beyond which they are, too."""

ADAPTING = 4
"""Times that adaptive augmentation could go all its way within a training."""

PAPERS_SPEED = 500_000
"""Items in which it goes all its way in the paper, the most that is chosen."""

LARGE = 64
"""Pixels of the shorter side beyond which pictures are shrunk where a CPU trains."""

SMALL = 32
"""Pixels of the shorter side below which none is ever shrunk."""


@dataclass(frozen=True)
class Facts:
    """What a choice knows of the data.

    items: to train on. noun: what many of them are called. labels: how many items each label has, () where there are
    none. of_data: what recipes get of the data by name, such as the size. augments: whether judges could be shown
    changed items. minutes: that the training may take at most, infinity where its length is in steps.
    """

    items: int
    noun: str = "items"
    labels: tuple[int, ...] = ()
    of_data: Mapping[str, Any] = field(default_factory=dict)
    augments: bool = False
    minutes: float = math.inf


@dataclass(frozen=True)
class Advice:
    """Arguments and settings that go together, and why they suit the data: a clause behind a comma."""

    options: Mapping[str, Any]
    why: str


@dataclass(frozen=True)
class Enough:
    """After how many passes over the data, and how many items at least, a recipe has something to show."""

    passes: float
    items: int


@dataclass(frozen=True)
class Effort:
    """Arguments and settings that make a recipe lighter or heavier. needs: steps that a training must have for this to
    be better than the lighter one before it."""

    options: Mapping[str, Any] = field(default_factory=dict)
    needs: int = 0


@dataclass(frozen=True)
class Choice:
    """options: arguments and settings. why: a line for each of them, or for some that go together. seconds: that a step
    was measured to take, None where nothing was. cramped: whether even the lightest effort gets too few steps."""

    options: dict[str, Any]
    why: tuple[str, ...]
    seconds: float | None = None
    cramped: bool = False


USUAL_EFFORT = "networks and batch as usual"

Seconds = Callable[[Mapping[str, Any]], float]
"""The seconds of a step with these arguments and settings beside those that are given."""


def choose(
    facts: Facts,
    given: Mapping[str, Any],
    defaults: Mapping[str, Any],
    *,
    efforts: Sequence[Effort] = (Effort(),),
    suited: Sequence[Advice] = (),
    enough: Enough | None = None,
    budget: Budget | None = None,
    seconds: Seconds | None = None,
) -> Choice:
    """What is not given. defaults: of the settings, as the recipe has them.

    budget: None where the length is given in steps or passes, or nobody asks for one. seconds: None where nothing may
    be measured; the effort is then the usual one, which changes nothing, and a budget goes by the clock.
    """
    options: dict[str, Any] = {}
    why: list[str] = []

    def take(chosen: Mapping[str, Any], reason: str) -> None:
        new = {name: value for name, value in chosen.items() if name not in given and name not in options}
        if new:
            options.update(new)
            why.append(f"{_flags(new)}, {reason}")

    for each in suited:
        take(each.options, each.why)
    if facts.items < {**defaults, **options}["batch_size"]:
        batch = 1 << max(0, facts.items.bit_length() - 1)
        options.pop("batch_size", None)
        take({"batch_size": batch}, f"as there are only {facts.items:,} {facts.noun} to train on")
    if facts.augments and facts.items < FEW:
        take({"augment": "diff"}, f"so that judges do not learn {facts.items:,} {facts.noun} by heart")

    def often(passes: float) -> bool:
        before = len(options)
        if facts.augments and passes > MANY_PASSES:
            take({"augment": "diff"}, f"so that judges do not learn by heart what they see {passes:,.0f} times")
        return len(options) > before

    found: _Found | None = None
    timed = any(given.get(name) for name in ("steps", "epochs", "minutes"))
    if budget is not None and seconds is not None:
        ladder = _ladder(efforts, {**options, **given})

        def fitting() -> _Found:
            return _fitting(ladder, facts, {**defaults, **options, **given}, options, budget, enough, seconds)

        found = fitting()
        if often(found.passes):
            found = fitting()  # since it takes longer now
        if len(ladder) > 1:
            options |= found.options
            why.append(f"{_flags(found.options) or USUAL_EFFORT}, {found.why}")
        if not timed:
            take({"steps": found.steps}, found.length)
    elif given.get("steps") or given.get("epochs"):
        batch = {**defaults, **options, **given}["batch_size"]
        often(given.get("epochs") or given["steps"] * batch / facts.items)
    elif budget is not None and not timed:
        take({"minutes": budget.minutes}, "by the clock, as nothing was measured")
    settled = {**defaults, **options, **given}
    steps = found.steps if found else settled.get("steps")
    if settled.get("augment") == "ada" and steps:
        seen = steps * settled["batch_size"]
        take({"augment_speed": min(PAPERS_SPEED, max(1, seen // ADAPTING))}, f"a quarter of the {seen:,} it will see")
    if found is None:
        return Choice(options, tuple(why))
    return Choice(options, tuple(why), found.seconds, found.cramped)


@dataclass(frozen=True)
class _Found:
    options: Mapping[str, Any]
    why: str
    steps: int
    seconds: float
    passes: float
    length: str
    cramped: bool = False


def _ladder(efforts: Sequence[Effort], given: Mapping[str, Any]) -> list[Effort]:
    """The efforts without what is given, each once, from the lightest."""
    ladder: list[Effort] = []
    for effort in efforts:
        options = {name: value for name, value in effort.options.items() if name not in given}
        if all(options != known.options for known in ladder):
            ladder.append(Effort(options, effort.needs))
    return ladder


def _fitting(
    ladder: Sequence[Effort],
    facts: Facts,
    settled: Mapping[str, Any],
    options: Mapping[str, Any],
    budget: Budget,
    enough: Enough | None,
    seconds: Seconds,
) -> _Found:
    """The heaviest effort that gets the steps that it needs, from the usual one down or up, so that little is measured.
    Nothing heavier is tried where the lighter one has too few steps for it already."""
    known = dict[str, float]()

    def measured(effort: Effort) -> _Found:
        batch = {"batch_size": settled["batch_size"], **effort.options}["batch_size"]
        took = seconds({**options, **effort.options})
        if math.isinf(took):  # it came too late to be measured, and is taken to be in proportion to the batch
            took = known["seconds"] * batch / known["batch"]
        known.update(seconds=took, batch=batch)
        steps, length = _length(budget, took, batch, facts, enough if budget.glance else None)
        why = f"for {counted(steps, 'step')}"
        return _Found(effort.options, why, steps, took, steps * batch / facts.items, length)

    def short(found: _Found, effort: Effort) -> str:
        name = _flags(effort.options) or USUAL_EFFORT
        return f"; {name} would get {found.steps:,} of the {effort.needs:,} that are wanted"

    place = next(place for place, effort in enumerate(ladder) if not effort.options)
    found = measured(ladder[place])
    if found.steps < ladder[place].needs:
        while found.steps < ladder[place].needs:
            lacking, place = short(found, ladder[place]), place - 1
            found = measured(ladder[place])
        return replace(found, why=found.why + lacking, cramped=place == 0 and found.steps < ENOUGH)
    for effort in ladder[place + 1 :]:
        heavier = measured(effort) if found.steps >= effort.needs else found
        if heavier.steps < effort.needs:
            return replace(found, why=found.why + (short(heavier, effort) if heavier is not found else ""))
        found = heavier
    return replace(found, cramped=len(ladder) == 1 and found.steps < ENOUGH)


def _length(budget: Budget, seconds: float, batch: int, facts: Facts, enough: Enough | None) -> tuple[int, str]:
    """Steps, and why so many."""
    timed = SHARE * 60 * budget.minutes / max(seconds, 1e-6)
    most = max(enough.passes * facts.items, enough.items) / batch if enough else math.inf
    steps = rounded(min(timed, most))
    passes = steps * batch / facts.items
    told = f"{passes:,.0f}" if passes >= 100 else f"{passes:.3g}"
    if most < timed:
        return steps, f"{told} passes over the data, enough for a first look (--good trains for an hour)"
    return steps, f"what fits into {budget.minutes:g} minutes, {told} passes over the data"


def rounded(number: float) -> int:
    """Down to two digits, so that one machine chooses the same twice; 1 at least."""
    whole = max(1, int(number))
    unit: int = 10 ** max(0, len(str(whole)) - 2)
    return whole // unit * unit


def _flags(options: Mapping[str, Any]) -> str:
    return " ".join(
        (flag_of(name) if value else flag_of(f"no_{name}")) if isinstance(value, bool) else f"{flag_of(name)} {value}"
        for name, value in options.items()
    )
