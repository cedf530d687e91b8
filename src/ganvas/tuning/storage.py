"""Where a study's trials are kept: a journal in its folder, or a database for workers on several machines.

Optuna keeps them. A journal is lines of JSON, which any number of processes add to; a lock that the system sets free
with its process orders them, so that one that is killed keeps nobody waiting.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganvas.errors import RunError, UsageError, near_miss, needed
from ganvas.text import cut, quoted, shown

if TYPE_CHECKING:
    import optuna

JOURNAL = "journal.log"
PATIENCE = 10
"""Seconds in which a database must answer."""

KINDS = ("postgresql", "mysql", "sqlite")

Handle = Any
"""A study of Optuna's."""


def optuna_here() -> Any:
    """Optuna, which says nothing but what is wrong. Raises UsageError where it is not installed."""
    module = needed("optuna", "tune")
    module.logging.set_verbosity(module.logging.WARNING)
    return module


def opened(folder: Path, name: str, url: str | None) -> optuna.Study:
    """The study of this name, begun where there is none yet. Its aim is the lowest value.

    url: of a database; None for the journal in the folder. Raises UsageError for a URL that cannot be, RunError for a
    database that does not answer and for a journal that cannot be read.
    """
    module = optuna_here()
    with speaking(url, folder, reading=True):
        study: optuna.Study = module.create_study(
            storage=_storage(folder, url),
            study_name=name,
            direction="minimize",
            load_if_exists=True,
            pruner=module.pruners.MedianPruner(n_startup_trials=5, n_min_trials=3),
        )
    return study


@contextmanager
def speaking(url: str | None, folder: Path, reading: bool = False) -> Iterator[None]:
    """Inside, what a storage raises becomes a RunError of one line. reading: whether a journal is read for the first
    time, in which anything may stand."""
    foreign: tuple[type[Exception], ...] = (optuna_here().exceptions.OptunaError, OSError)
    if url is not None:
        foreign = (*foreign, needed("sqlalchemy", "tune").exc.SQLAlchemyError, ImportError)
    elif reading:
        foreign = (*foreign, ValueError, LookupError, TypeError, AttributeError, AssertionError)
    try:
        yield
    except foreign as error:
        why = cut(shown(" ".join(str(getattr(error, "orig", None) or error).split())), 300)
        if url is None:
            raise RunError(f"{folder / JOURNAL} cannot be used: {why or type(error).__name__}") from None
        where = told_of(url)
        if isinstance(error, ImportError):
            raise UsageError(f"--storage {where}: {why}; install what talks to such a database") from None
        raise RunError(f"--storage {where} does not answer: {why}; look whether it runs and lets you in") from None


def told_of(url: str) -> str:
    """The URL without the user's name and password."""
    kind, _, rest = url.partition("://")
    return cut(shown(f"{kind}://{rest.rpartition('@')[2].partition('?')[0]}"), 120)


def check_url(url: str) -> None:
    """Raises UsageError for what is no URL of a database."""
    kind, separator, rest = url.partition("://")
    if not separator or not rest:
        raise UsageError(f"--storage takes a URL such as postgresql://host/name, not {quoted(told_of(url))}")
    plain = kind.partition("+")[0]
    if plain not in KINDS:
        raise UsageError(f"--storage knows no {quoted(plain)}{near_miss(plain, KINDS)}")


def _storage(folder: Path, url: str | None) -> Any:
    module = optuna_here()
    if url is None:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / JOURNAL
        if path.is_symlink() or (path.exists() and not path.is_file()):
            raise RunError(f"{path} is no file of its own, and is left alone")
        backend = module.storages.journal.JournalFileBackend(str(path), lock_obj=_Lock(path))
        return module.storages.JournalStorage(backend)
    check_url(url)
    patience = {"connect_args": {"connect_timeout": PATIENCE}} if not url.startswith("sqlite") else {}
    return module.storages.RDBStorage(url, engine_kwargs={"pool_pre_ping": True, **patience})


class _Lock:
    """Of a journal, held by one process; Optuna's own outlives one that is killed."""

    def __init__(self, path: Path) -> None:
        from filelock import FileLock

        self._held = FileLock(f"{path}.lock")

    def acquire(self) -> bool:
        self._held.acquire()
        return True

    def release(self) -> None:
        self._held.release()
