"""What nobody said of a training, chosen for a source and for this machine: facts are gathered, steps are measured, and
`choosing.choose` decides."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

from ganvas import recipes
from ganvas.building import DURATIONS, build, open_for, preset_of, reading_of, settle
from ganvas.choosing import BUDGETS, LARGE, SMALL, USUAL, Budget, Choice, Effort, Facts, Seconds, choose
from ganvas.data.dataset import Data
from ganvas.data.opening import Given, Meant, meant, shrinking
from ganvas.errors import UsageError, near_miss
from ganvas.options import flag_of
from ganvas.progress_bar import said_if_slow, say
from ganvas.recipe import Recipe
from ganvas.settings import Settings
from ganvas.text import quoted
from ganvas.training import LENGTH, Processes, pick_device, seconds_a_step

PATIENCE = 20.0
"""Seconds of measuring behind which nothing more is tried."""


@dataclass(frozen=True)
class Asked:
    """What is said of a training. reading, options: without what is None. recipe: None for the usual one. budget: a
    name of `BUDGETS`, or None. measure: whether steps may be measured. taken_for: what `usual` has found already."""

    source: Given | None
    recipe: type[Recipe] | None
    name: str | None
    reading: Mapping[str, Any]
    options: Mapping[str, Any]
    preset: str | None = None
    start: Any = None
    budget: str | None = None
    measure: bool = True
    data_root: Any = None
    quiet: bool = False
    taken_for: tuple[str, Meant] | None = None


@dataclass(frozen=True)
class Thought:
    """The recipe and its name, the data, and what was chosen beside what was asked for, `why` beginning with the
    recipe."""

    recipe: type[Recipe]
    name: str
    data: Data
    choice: Choice


def usual(asked: Asked) -> tuple[str, Meant]:
    """The name of the recipe where none is named, and what the source is taken for."""
    with said_if_slow("looking at the data", not asked.quiet):
        found = meant(asked.source, asked.reading, asked.data_root)
    budget = BUDGETS.get(asked.budget or USUAL)
    return recipes.usual(found.kind.kind, budget.minutes if budget else 0.0), found


def think(asked: Asked) -> Thought:
    """Raises UsageError and DataError as opening and settling do, and for a budget beside another length."""
    name, chosen, why = asked.name, asked.recipe, list[str]()
    if chosen is None:
        name, taken_for = asked.taken_for or usual(asked)
        chosen = recipes.find(name)
        why.append(f"{name}, {_reason(name, taken_for)}; name another with ganvas train RECIPE")
    name = name or recipes.name_of(chosen)
    given = {**preset_of(chosen, name, asked.preset), **asked.options}
    if asked.budget is not None:  # which is more than a preset's length, and no other length goes with it
        given = {key: value for key, value in given.items() if key not in DURATIONS or key in asked.options}
    budget = _budget(asked, given)
    reading = {**reading_of(chosen, asked.preset), **asked.reading}
    slow = pick_device(str(given.get("device", "auto")), Processes.join()).type == "cpu"
    opening = partial(open_for, chosen, asked.source, data_root=asked.data_root, progress=not asked.quiet)
    size = shrinking(asked.source, chosen.accepts, reading, LARGE, asked.data_root) if slow else {}
    data, deadline = opening({**reading, **size}), math.inf
    if budget is not None and asked.measure:
        say("measuring some steps, to choose by them", not asked.quiet)
        deadline = time.monotonic() + PATIENCE
    choice, reason = _choice(asked, chosen, name, data, given, budget, deadline), "on a CPU larger ones take long"
    if choice.cramped and slow:
        smaller = shrinking(asked.source, chosen.accepts, reading, SMALL, asked.data_root)
        if smaller:
            size, reason = smaller, f"of {data.space} the lightest networks get too few steps"
            data = opening({**reading, **size})
            choice = _choice(asked, chosen, name, data, given, budget, deadline)
    sized = [f"{flag_of(key)} {value}, as {reason}" for key, value in size.items()]
    return Thought(chosen, name, data, replace(choice, why=(*why, *sized, *choice.why)))


def _reason(name: str, taken_for: Meant) -> str:
    if not taken_for.told:
        return f"the usual one for {taken_for.kind.kind}"
    return f"as the data look like {taken_for.told.removesuffix(f', for {name}')}"


def _budget(asked: Asked, given: Mapping[str, Any]) -> Budget | None:
    """What the length may be; None where it is given in steps or passes, and where it is left to the recipe."""
    lengths = [key for key in DURATIONS if given.get(key) is not None]
    if asked.budget is not None:
        if asked.budget not in BUDGETS:
            raise UsageError(f"there is no budget {quoted(asked.budget)}{near_miss(asked.budget, BUDGETS)}")
        if lengths:
            minutes = BUDGETS[asked.budget].minutes
            raise UsageError(
                f"--{asked.budget} is a length of {minutes:g} minutes: leave it out, or {flag_of(lengths[0])}"
            )
        return BUDGETS[asked.budget]
    if not lengths:
        return BUDGETS[USUAL] if asked.measure else None
    return Budget(given["minutes"]) if lengths == ["minutes"] else None


def _choice(
    asked: Asked,
    chosen: type[Recipe],
    name: str,
    data: Data,
    given: Mapping[str, Any],
    budget: Budget | None,
    deadline: float,
) -> Choice:
    general = {field.name: field.default for field in fields(Settings)}
    defaults = {**general, **chosen.training_defaults}
    items, own = len(data.split("train")), [column for column in data.columns if column != "label"]
    facts = Facts(
        items=items,
        noun=data.space.noun,
        labels=tuple(data.label_counts.values()) if data.labels else (),
        of_data=data.facts(),
        # A judge that sees something given beside what is made of it is left alone.
        augments=len(own) == 1 and bool(chosen.sees) and bool(data.space.augmentations("diff")),
        minutes=budget.minutes if budget else math.inf,
    )
    fixed = asked.start is not None  # what another run has decided
    return choose(
        facts,
        given,
        defaults,
        efforts=(Effort(),) if fixed else chosen.efforts,
        suited=() if fixed else chosen.suited(facts),
        enough=chosen.enough,
        budget=budget,
        seconds=_measuring(chosen, name, data, given, deadline) if asked.measure else None,
    )


def _measuring(chosen: type[Recipe], name: str, data: Data, given: Mapping[str, Any], deadline: float) -> Seconds:
    """What measures one step after the other; infinity for what would come too late."""
    measured = 0

    def seconds(options: Mapping[str, Any]) -> float:
        nonlocal measured
        if measured and Processes.join().any(time.monotonic() > deadline):
            return math.inf
        measured += 1
        lengths = {**dict.fromkeys(DURATIONS), "steps": LENGTH}
        arguments, settings = settle(chosen, data, {**chosen.training_defaults, **given, **options, **lengths}, name)
        return seconds_a_step(build(chosen, data, arguments, settings, None))

    return seconds
