"""Errors that a user can act on.

    GanvasError              one line: what is wrong, where, and what to do; the command line exits with 2
      UsageError             a flag, a name or a value that was asked for
      DataError              a source of training data
      RunError               a run folder or one of its checkpoints
      TrainingError          the game itself cannot go on (values that are not finite, a disk that is full)

Anything else that escapes is a defect of Ganvas and keeps its traceback.
"""

import errno
import importlib
import importlib.util
import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

from ganvas.text import cut, shown


class GanvasError(Exception):
    """Base of every error that is the user's to solve; `str(error)` is one line of at most 1,000 letters, in which no
    word has more than 200, whatever it quotes."""

    def __str__(self) -> str:
        return cut(re.sub(r"\S{201,}", lambda word: cut(word[0]), shown(super().__str__())), 1000)


class UsageError(GanvasError):
    """A flag, a name or a value that cannot be used."""


class DataError(GanvasError):
    """A source of data that cannot be read, or holds too little."""


class RunError(GanvasError):
    """A run folder or a checkpoint that is missing, damaged, foreign, or in the way."""


class TrainingError(GanvasError):
    """Training cannot go on."""


def near_miss(name: str, known: Iterable[str]) -> str:
    """A suggestion to append to an error, such as `; did you mean 'dcgan'?`, or the known names when they are few."""
    known = sorted(known)
    lowered = {candidate.lower(): candidate for candidate in known}
    close = get_close_matches(name.lower(), lowered, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {lowered[close[0]]!r}?"
    if known and len(known) <= 20:
        return f"; known: {', '.join(known)}"
    return ""


def lacks_memory(error: BaseException) -> bool:
    """Whether memory ran out, of the machine or of an accelerator: libraries say so in errors of their own."""
    if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
        return True
    return isinstance(error, (RuntimeError, ImportError)) and any(sign in str(error).lower() for sign in _NO_MEMORY)


_NO_MEMORY = (
    *("out of memory", "not enough memory", "allocate memory", "unable to allocate", "bad_alloc"),
    *("could not create a primitive", "could not create a memory", "failed to map segment"),
)
"""As PyTorch, CUDA, NumPy, oneDNN and the system's loader put it, in small letters."""


def installed(package: str) -> bool:
    """Whether a package that comes with an extra is there."""
    return importlib.util.find_spec(package) is not None


def needed(package: str, extra: str) -> Any:
    """A package that only some commands need, imported. Raises UsageError that names the extra it comes with."""
    try:
        return importlib.import_module(package)
    except ImportError:
        raise UsageError(f'this needs the package {package}: pip install "ganvas[{extra}]"') from None
