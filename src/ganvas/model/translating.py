"""Files made into others by a model that must be given something: `Model.transform` for whole folders."""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

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
from ganvas.spaces import save_picture
from ganvas.text import shown


@dataclass(frozen=True)
class Translated:
    """What became of a file: of a photo the size of the result, the seconds that it took, or the error. note: what of
    the original is not in the result."""

    source: str
    target: str
    width: int = 0
    height: int = 0
    seconds: float = 0.0
    error: str = ""
    note: str = ""


def kinds_of(model: Model) -> Kinds:
    """Which files the model takes and makes. Raises UsageError where nothing is given to it."""
    given = next(iter(model.given.values()), None)
    if given is None:
        raise UsageError(f"{model.name} makes samples of nothing that is given; take ganvas sample")
    if takes_photos(model):
        return replace(PHOTOS, noun=given.space.noun, what=model.space.noun)
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
    values = {name: model.parsed(name, value) for name, value in (given or {}).items()}
    seed = int.from_bytes(os.urandom(4), "little") if seed is None else seed
    if takes_photos(model):
        chosen = PhotoTranslator(model, size=size, seed=seed, truncation=truncation, given=values)
        maker: _Maker = _OfPhotos(chosen, report is not None)
    else:
        maker = _OfOthers(model, {**values, "seed": seed, "truncation": truncation})
    with bar(progress) as show:
        for number, job in enumerate(found):
            name = f"{job.source.name} ({number + 1} of {len(found)})" if len(found) > 1 else job.source.name
            show(name, 0, 1)
            try:
                began = time.perf_counter()
                (height, width), note = maker.make(job, partial(show, name))
            except GanvasError as error:
                told = DataError(f"{shown(str(job.source))}: {error}")
                if len(found) == 1:
                    raise told from None
                yield Translated(str(job.source), str(job.target), error=str(told))
                continue
            seconds = round(time.perf_counter() - began, 4)
            yield Translated(str(job.source), str(job.target), width, height, seconds, note=note)
    if report is not None and maker.comparisons:
        write_comparison(report, maker.comparisons, model.name, TRANSLATED)


class _Maker(ABC):
    """Makes one file of another. comparisons: of what it made, where they are wanted."""

    comparisons: Sequence[Comparison] = ()

    @abstractmethod
    def make(self, job: Job, tick: Callable[[int, int], None]) -> tuple[tuple[int, int], str]:
        """(height, width) of what was made, 0 where it has none, and what is not in it. tick: told what is done of how
        much."""


class _OfOthers(_Maker):
    """Whatever the model's spaces read and write."""

    def __init__(self, model: Model, choices: Mapping[str, Any]) -> None:
        self.model, self.choices = model, choices

    def make(self, job: Job, tick: Callable[[int, int], None]) -> tuple[tuple[int, int], str]:
        model, first = self.model, next(iter(self.model.given))
        made = model.transform(model.parsed(first, _content(job)), **self.choices)
        if job.target.suffix.lower() == model.space.suffix:
            write_atomically(job.target, model.space.file(made))
        else:
            save_picture(model.space.show(made, columns=1), job.target)
        return (0, 0), ""


class _OfPhotos(_Maker):
    """Photos of photos, with all that belongs to them."""

    def __init__(self, translator: PhotoTranslator, comparing: bool) -> None:
        self.translator, self.comparing = translator, comparing
        self.comparisons: list[Comparison] = []

    def make(self, job: Job, tick: Callable[[int, int], None]) -> tuple[tuple[int, int], str]:
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
        return shape[:2], "; ".join(notes)


def _content(job: Job) -> bytes:
    try:
        return read_regular(job.source)
    except OSError as error:
        raise DataError(f"it cannot be read: {error.strerror or error}") from None
