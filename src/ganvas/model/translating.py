"""Files made into others by a model that must be given something: `Model.transform` for whole folders."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from ganvas.errors import DataError, GanvasError, UsageError
from ganvas.files import read_regular, write_atomically
from ganvas.model.photos import PhotoTranslator, Size, takes_photos
from ganvas.model.targets import PHOTOS, PICTURES, Job, Kinds
from ganvas.model.trained import Model, check_truncation
from ganvas.photos import (
    TRANSLATED,
    Comparison,
    Writer,
    compared,
    film_for,
    read_photo,
    turned,
    write_comparison,
)
from ganvas.progress_bar import bar
from ganvas.spaces import Space, save_picture
from ganvas.text import shown


@dataclass(frozen=True)
class Translated:
    """What became of a file: of a photo the size of the result, the seconds that it took, or the error. note: what of
    the original is not in the result, or what else there is to say of it. scores: by name, if any."""

    source: str
    target: str
    width: int = 0
    height: int = 0
    seconds: float = 0.0
    error: str = ""
    note: str = ""
    scores: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Made:
    """(height, width) of what was written, 0 where it has none, and what there is to say of it."""

    size: tuple[int, int] = (0, 0)
    note: str = ""
    scores: dict[str, float] = field(default_factory=dict)


Make = Callable[[Job, Callable[[int, int], None]], Made]
"""Makes and writes one file of another, and tells from time to time what is done of how much."""


def kinds_of(model: Model) -> Kinds:
    """Which files the model takes and makes. Raises UsageError where nothing is given to it."""
    given = next(iter(model.given.values()), None)
    if given is None:
        raise UsageError(f"{model.name} makes samples of nothing that is given; take ganvas sample")
    if takes_photos(model):
        return replace(PHOTOS, noun=given.space.noun, what=model.space.noun)
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
    size: Size = "photo",
    report: Path | None = None,
    progress: bool = True,
) -> Iterator[Translated]:
    """Makes the files one after the other, each of the same seed. Of several, one that fails is told by its outcome,
    and the others go on; a single one raises DataError.

    given: values of the other inputs by name, as `Model.transform` takes them. size: of photos, where the model takes
    any. report: where to write a page that compares pictures. Raises UsageError for what is wrong with these, before
    anything is made.
    """
    check_truncation(truncation)
    if report is not None and not takes_photos(model):
        raise UsageError(f"--report compares pictures, and {model.name} does not make any of pictures of any size")
    values: dict[str, Any] = {name: model.parsed(name, value) for name, value in (given or {}).items()}
    seed = int.from_bytes(os.urandom(4), "little") if seed is None else seed
    if takes_photos(model):
        chosen = PhotoTranslator(model, size=size, seed=seed, truncation=truncation, given=values)
        return _of_photos(found, chosen, report, progress)
    first = next(iter(model.given))

    def make(job: Job, tick: Callable[[int, int], None]) -> Made:
        layers = model.parsed(first, model.given[first].space.layers(content_of(job)))
        made = model.transform(layers, seed=seed, truncation=truncation, **values)
        write_sample(model.space.joined(made), model.space, job.target)
        return Made(note=model.given[first].space.remark(layers))

    return made_files(found, make, progress)


def made_files(found: Sequence[Job], make: Make, progress: bool = True) -> Iterator[Translated]:
    """The files one after the other. Of several, one that fails is told by its outcome, and the others go on; a single
    one raises DataError."""
    with bar(progress) as show:
        for number, job in enumerate(found):
            name = f"{job.source.name} ({number + 1} of {len(found)})" if len(found) > 1 else job.source.name
            show(name, 0, 1)
            try:
                began = time.perf_counter()
                made = make(job, partial(show, name))
            except GanvasError as error:
                told = DataError(f"{shown(str(job.source))}: {error}")
                if len(found) == 1:
                    raise told from None
                yield Translated(str(job.source), str(job.target), error=str(told))
                continue
            seconds = round(time.perf_counter() - began, 4)
            height, width = made.size
            yield Translated(
                str(job.source), str(job.target), width, height, seconds, note=made.note, scores=made.scores
            )


def content_of(job: Job) -> bytes:
    """Raises DataError where the file cannot be read."""
    try:
        return read_regular(job.source)
    except OSError as error:
        raise DataError(f"it cannot be read: {error.strerror or error}") from None


def write_sample(sample: Tensor, space: Space, target: Path) -> None:
    """A sample (1, *shape) as the file of its space, or as a picture of another kind where the name asks for one."""
    if target.suffix.lower() == space.suffix:
        write_atomically(target, space.file(sample))
    else:
        save_picture(space.show(sample, columns=1), target)


def _of_photos(
    found: Sequence[Job], translator: PhotoTranslator, report: Path | None, progress: bool
) -> Iterator[Translated]:
    maker = _OfPhotos(translator, report is not None)
    yield from made_files(found, maker.make, progress)
    if report is not None and maker.comparisons:
        write_comparison(report, maker.comparisons, translator.model.name, TRANSLATED)


class _OfPhotos:
    """Photos of photos, with all that belongs to them."""

    def __init__(self, translator: PhotoTranslator, comparing: bool) -> None:
        self.translator, self.comparing = translator, comparing
        self.comparisons: list[Comparison] = []

    def make(self, job: Job, tick: Callable[[int, int], None]) -> Made:
        photo = read_photo(job.source)
        orientation, photo = photo.orientation, photo.upright()
        shape = self.translator.shape(*photo.pixels.shape)
        film = film_for(job.source, photo, job.target, shape[0] * shape[1])
        frames = iter([photo.pixels]) if film is None else (turned(frame, orientation) for frame in film.frames())
        if film is not None:
            shape = (*shape[:2], self.translator.model.space.shape[0] + film.alpha)
        done = 0

        def one_more() -> None:
            nonlocal done
            done += 1
            tick(done, done + 1)

        after: list[np.ndarray] = []
        with Writer(job.target, shape, photo, film) as writer:
            for strip in chain.from_iterable(self.translator.strips(frame, one_more) for frame in frames):
                writer.add(strip)
                if self.comparing and sum(map(len, after)) < shape[0]:
                    after.append(strip)
        if self.comparing:
            self.comparisons.append(compared(job.source.name, photo.pixels, np.concatenate(after)))
        notes = list(writer.notes)
        if film is None and photo.several:
            notes.insert(0, "only the first of its frames or pages")
        return Made(shape[:2], "; ".join(notes))
