"""A picture of one's own, changed: by a model that takes pictures, or by inversion where it makes them of noise.

    edited(model, picture, {"smile": 1, "age": 60})      by what it declares to take
    edited(model, picture, {"label": "7", "direction2": -3})   finds the inputs first, and changes these

What can be changed follows from the declared inputs: each of them by its name, what one is made of by the name of the
part, and, where a latent vector is drawn, its main directions by their number.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ganvas.errors import UsageError, near_miss
from ganvas.inputs import Input, given_of
from ganvas.model.inversion import Inversion
from ganvas.model.latent import Directions, closed_form_directions, moved, principal_directions
from ganvas.model.targets import Job
from ganvas.model.trained import Model
from ganvas.model.translating import Made, Translated, content_of, made_files, write_sample
from ganvas.text import quoted

MOST_DIRECTIONS = 16
"""Of a latent space: the further ones change little."""

FARTHEST = 100.0
"""Along a direction, in standard deviations; samples are within about 3."""

_DIRECTION = re.compile(r"direction([1-9][0-9]{0,3})?")


@dataclass(frozen=True)
class Edited:
    """samples: (n, *shape) float32 on the CPU. inversion: which inputs were found and changed, None where none had to
    be."""

    samples: Tensor
    inversion: Inversion | None = None


def edited(
    model: Model,
    values: Any,
    changes: Mapping[str, Any],
    *,
    seed: int | None = None,
    steps: int | None = None,
    seconds: float | None = None,
    tick: Callable[[], None] = lambda: None,
    **given: Any,
) -> Edited:
    """`values`, as `Model.transform` or `Model.invert` takes them, with these changes.

    changes: by the name of an input, of a part of one such as an attribute, or of a direction: `direction1` (or
    `direction`) to `direction16`, in standard deviations. given: values of inputs that hold before the change; with
    inversion a class that is known. steps, seconds: of the inversion, as `Model.invert` has them.

    Raises UsageError for a change that there is not, with the nearest one.
    """
    if model.given:
        return Edited(model.transform(values, seed=seed, tick=tick, **together(model, changes, given)))
    plan = _planned(model, changes)
    found = model.invert(values, steps=steps, seconds=seconds, seed=seed or 0, tick=tick, **given)
    return Edited(_changed(model, found.inputs, plan), found)


def changed(model: Model, inputs: Mapping[str, Tensor], changes: Mapping[str, Any]) -> Tensor:
    """The samples (n, *shape) of inputs (n, ...) by name, such as an inversion found, with these changes, as `edited`
    takes them. Raises UsageError as it does."""
    return _changed(model, inputs, _planned(model, changes))


def edit_by_inversion(
    found: Sequence[Job],
    model: Model,
    changes: Mapping[str, Any],
    *,
    seed: int = 0,
    steps: int | None = None,
    seconds: float | None = None,
    given: Mapping[str, Any] | None = None,
    progress: bool = True,
) -> Iterator[Translated]:
    """The files, each inverted, changed and made again, as `translate_files` has it; what there is to say of each is
    how far its inversion is off. Raises UsageError for what is wrong with the changes, before anything is made."""
    plan = _planned(model, changes)
    known: dict[str, Any] = {name: model.parsed(name, value) for name, value in (given or {}).items()}

    def make(job: Job, tick: Callable[[int, int], None]) -> Made:
        inversion = model.invert(content_of(job), steps=steps, seconds=seconds, seed=seed, **known)
        write_sample(_changed(model, inversion.inputs, plan), model.space, job.target)
        return Made(note=inversion.told(), scores=inversion.scores())

    return made_files(found, make, progress)


def together(model: Model, changes: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """What is given, by the name of the input, and the changes of inputs and of parts of them, for `Model.transform`.
    Raises UsageError for a change that there is not, and for what is given twice."""
    of_inputs = changed_inputs(model.inputs, changes)
    for name in of_inputs:
        if given.get(name) is not None:
            raise UsageError(f"{quoted(name)} is given twice: in --set and by a flag of its own")
    return {**given, **of_inputs}


def changed_inputs(inputs: Mapping[str, Input], changes: Mapping[str, Any], more: Sequence[str] = ()) -> dict[str, Any]:
    """Values by the name of the input, of changes by the name of an input or of a part of one. more: what else there
    is to change, for the error. Raises UsageError."""
    whole = {name: each for name, each in inputs.items() if name not in given_of(inputs)}
    owner = {part: name for name, each in whole.items() for part in each.parts}
    values: dict[str, Any] = {}
    for name, value in changes.items():
        if name in owner:
            values[owner[name]] = {**values.get(owner[name], {}), name: value}
        elif name in whole and whole[name].admits():
            if whole[name].parts:
                raise UsageError(f"set its parts, one by one: {', '.join(whole[name].parts)}")
            values[name] = value
        else:
            known = [*owner, *(n for n, each in whole.items() if each.admits() and not each.parts), *more]
            if not known:
                raise UsageError(f"there is no {quoted(name)} to set: this run takes nothing but what it changes")
            raise UsageError(f"there is no {quoted(name)} to set{near_miss(name, known)}")
    return values


@dataclass(frozen=True)
class _Plan:
    """values: of inputs, (1, ...) by name. amounts: along each of the directions."""

    values: Mapping[str, Tensor]
    directions: Directions | None
    amounts: Sequence[float]


def _planned(model: Model, changes: Mapping[str, Any]) -> _Plan:
    ways = {name: value for name, value in changes.items() if _DIRECTION.fullmatch(name)}
    of_inputs = {name: value for name, value in changes.items() if name not in ways}
    values = {
        name: model.parsed(name, value)
        for name, value in changed_inputs(model.inputs, of_inputs, ["direction1", "direction2"]).items()
    }
    if not ways:
        return _Plan(values, None, ())
    amounts = {int(name.removeprefix("direction") or 1): _amount(name, value) for name, value in ways.items()}
    directions = main_directions(model, max(amounts))
    count = len(directions.vectors)
    if max(amounts) > count:
        raise UsageError(f"there is no direction{max(amounts)}: this run has {count}")
    return _Plan(values, directions, [amounts.get(place, 0.0) for place in range(1, count + 1)])


def _amount(name: str, value: Any) -> float:
    try:
        amount = float(value)
    except (TypeError, ValueError, OverflowError):
        amount = math.nan
    if not abs(amount) <= FARTHEST:
        raise UsageError(
            f"{name} must be a number from -{FARTHEST:g} to {FARTHEST:g}, such as 2.5, in standard deviations of the "
            f"latent vectors, not {quoted(value)}"
        )
    return amount


def main_directions(model: Model, count: int) -> Directions:
    """The closed form's, or the principal ones where there is none. Raises UsageError for more than 16, and where no
    latent vector is drawn."""
    if count > MOST_DIRECTIONS:
        raise UsageError(f"there is no direction{count}: the first {MOST_DIRECTIONS} can be set")
    try:
        return closed_form_directions(model, count)
    except UsageError:
        return principal_directions(model, count)


def _changed(model: Model, found: Mapping[str, Tensor], plan: _Plan) -> Tensor:
    inputs = dict(found)
    if plan.directions is not None:
        inputs = moved(inputs, plan.directions, plan.amounts)
    n = len(next(iter(inputs.values())))
    for name, each in plan.values.items():
        if len(each) not in (1, n):
            raise UsageError(f"{name}: give {'one' if n == 1 else f'one or {n:,}'}, not {len(each):,}")
    return model.decode(inputs | {name: each.expand(n, *each.shape[1:]) for name, each in plan.values.items()})
