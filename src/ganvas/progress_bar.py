"""Progress of slow work on stderr: a bar on a terminal, one line or nothing elsewhere."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from ganvas.text import shown

if TYPE_CHECKING:
    from rich.progress import Progress

_T = TypeVar("_T")

IN_LINES = {"GANVAS_PROGRESS": "lines"}
"""The environment in which progress is told in lines where there is no terminal, as whoever reads a log wants it."""

LINE_EVERY = 1.0
"""Seconds between two such lines."""


def steps(items: Iterable[_T], total: int, title: str, wanted: bool, *, line: bool = True) -> Iterator[_T]:
    """The items, one by one, with a bar under this title. line: say the title where there is no terminal."""
    with _rich(wanted) as progress:
        if progress is None:
            say(title, wanted and line)
            tell = _lines(wanted)
            for done, item in enumerate(items):
                tell(title, done, total)
                yield item
        else:
            yield from progress.track(items, total, description=_plain(title))


@contextmanager
def bar(wanted: bool) -> Iterator[Callable[[str, int, int], None]]:
    """A function that shows a title, how many parts are done and how many there are; nothing where no terminal is."""
    with _rich(wanted) as progress:
        if progress is None:
            yield _lines(wanted)
        else:
            task = progress.add_task("")
            yield lambda title, done, total: progress.update(
                task, description=_plain(title), completed=done, total=total
            )


def _lines(wanted: bool) -> Callable[[str, int, int], None]:
    """A function that says a title and how far it is, now and then, where lines are asked for."""
    asked = wanted and IN_LINES.items() <= os.environ.items()
    told = time.monotonic()

    def tell(title: str, done: int, total: int) -> None:
        nonlocal told
        if asked and time.monotonic() - told >= LINE_EVERY:
            told = time.monotonic()
            say(f"{shown(title)}: {done:,} of {total:,}", True)

    return tell


def _plain(title: str) -> str:
    """A title in which names of files mean no markup of Rich's."""
    from rich.markup import escape

    return escape(shown(title))


def say(line: str, wanted: bool) -> None:
    """One line on stderr."""
    if wanted:
        print(line, file=sys.stderr, flush=True)


def say_first(line: str, wanted: bool) -> None:
    """The same where PyTorch is still to be loaded, which takes seconds in which nothing else could be said."""
    say(line, wanted and "torch" not in sys.modules)


@contextmanager
def said_if_slow(line: str, wanted: bool, seconds: float = 0.4) -> Iterator[None]:
    """Says the line where the work inside takes longer than so many seconds."""
    timer = threading.Timer(seconds, say, (line, wanted))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextmanager
def _rich(wanted: bool) -> Iterator[Progress | None]:
    """A bar that is gone when its work is done; None where none is wanted, or no terminal is there to show it."""
    if not wanted or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        yield progress
