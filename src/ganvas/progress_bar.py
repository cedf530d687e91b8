"""Progress of slow work on stderr: a bar on a terminal, one line elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

_T = TypeVar("_T")


def steps(items: Iterable[_T], total: int, title: str, wanted: bool, *, line: bool = True) -> Iterator[_T]:
    """The items, one by one, with a bar under this title. line: say the title where there is no terminal."""
    if not wanted:
        yield from items
        return
    if not sys.stderr.isatty():
        say(title, line)
        yield from items
        return
    from rich.console import Console
    from rich.progress import track

    yield from track(items, title, total=total, console=Console(stderr=True), transient=True)


def say(line: str, wanted: bool) -> None:
    """One line on stderr."""
    if wanted:
        print(line, file=sys.stderr, flush=True)
