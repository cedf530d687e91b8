"""Files made into others by a model that must be given something: `Model.transform` for whole folders."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ganvas.errors import DataError, GanvasError, UsageError
from ganvas.files import read_regular, write_atomically
from ganvas.model.targets import PICTURES, Job, Kinds
from ganvas.model.trained import Model, check_truncation
from ganvas.progress_bar import bar
from ganvas.spaces import save_picture
from ganvas.text import shown


@dataclass(frozen=True)
class Translated:
    """What became of a file: the seconds that it took, or the error."""

    source: str
    target: str
    seconds: float = 0.0
    error: str = ""


def kinds_of(model: Model) -> Kinds:
    """Which files the model takes and makes. Raises UsageError where nothing is given to it."""
    given = next(iter(model.given.values()), None)
    if given is None:
        raise UsageError(f"{model.name} makes samples of nothing that is given; take ganvas sample")
    own = model.space.suffix
    more = [ending for ending in PICTURES if ending != own] if own in PICTURES else []
    return Kinds(given.space.noun, frozenset(given.space.endings), (own, *more), model.space.noun)


def translate_files(
    found: Sequence[Job],
    model: Model,
    *,
    seed: int | None = None,
    truncation: float | None = None,
    given: Mapping[str, Any] | None = None,
    own_size: bool = False,
    progress: bool = True,
) -> Iterator[Translated]:
    """Makes the files one after the other, each of the same seed. Of several, one that fails is told by its outcome,
    and the others go on; a single one raises DataError.

    given: values of the other inputs by name, as `Model.transform` takes them. own_size: whether what is given keeps
    its size; by default it is brought to the scale of the training, where the model takes any. Raises UsageError for
    what is wrong with these, before anything is made.
    """
    first = next(iter(model.given))
    check_truncation(truncation)
    values: dict[str, Any] = {name: model.parsed(name, value) for name, value in (given or {}).items()}
    seed = int.from_bytes(os.urandom(4), "little") if seed is None else seed
    with bar(progress) as show:
        for number, job in enumerate(found):
            show(job.source.name, number, len(found))
            try:
                began = time.perf_counter()
                sample = model.parsed(first, _content(job))
                given_first = model.given[first]
                if not own_size and model.any_size and given_first.scale == 1 and not given_first.any_scale:
                    sample = model.given[first].space.brought(sample, model.space)
                made = model.transform(sample, seed=seed, truncation=truncation, **values)
                if job.target.suffix.lower() == model.space.suffix:
                    write_atomically(job.target, model.space.file(made))
                else:
                    save_picture(model.space.show(made, columns=1), job.target)
            except GanvasError as error:
                told = DataError(f"{shown(str(job.source))}: {error}")
                if len(found) == 1:
                    raise told from None
                yield Translated(str(job.source), str(job.target), error=str(told))
                continue
            yield Translated(str(job.source), str(job.target), round(time.perf_counter() - began, 4))


def _content(job: Job) -> bytes:
    try:
        return read_regular(job.source)
    except OSError as error:
        raise DataError(f"it cannot be read: {error.strerror or error}") from None
