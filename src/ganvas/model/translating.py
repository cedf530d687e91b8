"""Files made into others by a model that must be given something: `Model.transform` for whole folders."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from ganvas.errors import DataError, GanvasError, UsageError
from ganvas.files import read_regular, write_atomically
from ganvas.model.targets import PICTURES, Job, Kinds
from ganvas.model.trained import Model, check_truncation
from ganvas.progress_bar import bar
from ganvas.spaces import Space, save_picture
from ganvas.text import shown


@dataclass(frozen=True)
class Translated:
    """What became of a file: the seconds that it took, or the error; a note and scores by name, if any."""

    source: str
    target: str
    seconds: float = 0.0
    error: str = ""
    note: str = ""
    scores: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Made:
    """What was made of a file, (1, *shape) on the CPU, and what there is to say of it."""

    sample: Tensor
    note: str = ""
    scores: dict[str, float] = field(default_factory=dict)


def kinds_of(model: Model) -> Kinds:
    """Which files the model takes and makes. Raises UsageError where nothing is given to it."""
    given = next(iter(model.given.values()), None)
    if given is None:
        raise UsageError(f"{model.name} makes samples of nothing that is given; take ganvas sample")
    return kinds_between(given.space, model.space)


def kinds_between(read: Space, written: Space) -> Kinds:
    """Which files hold samples of one space, and which those of the other that are made of them."""
    own = written.suffix
    more = [ending for ending in PICTURES if ending != own] if own in PICTURES else []
    return Kinds(read.noun, frozenset(read.endings), (own, *more), written.noun)


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

    def make(content: bytes) -> Made:
        sample = model.parsed(first, content)
        declared = model.given[first]
        if not own_size and model.any_size and declared.scale == 1 and not declared.any_scale:
            sample = declared.space.brought(sample, model.space)
        return Made(model.transform(sample, seed=seed, truncation=truncation, **values))

    return made_files(found, make, model.space, progress)


def made_files(
    found: Sequence[Job], make: Callable[[bytes], Made], space: Space, progress: bool = True
) -> Iterator[Translated]:
    """Writes what `make` makes of each file's content, a sample of this space. Of several files, one that fails is told
    by its outcome, and the others go on; a single one raises DataError."""
    with bar(progress) as show:
        for number, job in enumerate(found):
            show(job.source.name, number, len(found))
            try:
                began = time.perf_counter()
                made = make(_content(job))
                if job.target.suffix.lower() == space.suffix:
                    write_atomically(job.target, space.file(made.sample))
                else:
                    save_picture(space.show(made.sample, columns=1), job.target)
            except GanvasError as error:
                told = DataError(f"{shown(str(job.source))}: {error}")
                if len(found) == 1:
                    raise told from None
                yield Translated(str(job.source), str(job.target), error=str(told))
                continue
            seconds = round(time.perf_counter() - began, 4)
            yield Translated(str(job.source), str(job.target), seconds, note=made.note, scores=made.scores)


def _content(job: Job) -> bytes:
    try:
        return read_regular(job.source)
    except OSError as error:
        raise DataError(f"it cannot be read: {error.strerror or error}") from None
