"""Run folders: what `config.json` says, whose code may run, and who may write."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganvas.errors import RunError, near_miss

if TYPE_CHECKING:
    from ganvas.training import Game

FORMAT = 1


def read_config(run: Path) -> dict[str, Any]:
    """A run's `config.json`. Raises RunError for a folder that is not a run, with the nearest one beside it."""
    path = run / "config.json"
    if not path.is_file():
        others = [each.parent.name for each in run.parent.glob("*/config.json")] if run.parent.is_dir() else []
        hint = near_miss(run.name, others) if others else ""
        raise RunError(f"{run} is not a run: it has no config.json{hint}")
    try:
        config = json.loads(path.read_bytes())
        if config["format"] != FORMAT:
            raise RunError(f"{path} has format {config['format']!r}; this Ganvas reads {FORMAT}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path} cannot be read as a run's configuration ({error})") from error
    return dict(config)


def check_out(out: Path) -> None:
    """Raises RunError unless a new run may be written to `out`."""
    if out.exists() and not out.is_dir():
        raise RunError(f"{out} is a file, not a folder for a run; choose another --out")
    if (out / "config.json").is_file():
        raise RunError(f"{out} holds a run already; go on with it by --resume {out}, or choose another --out")
    if out.is_dir() and any(not path.name.startswith((".lock", ".config.json.")) for path in out.iterdir()):
        raise RunError(f"{out} holds other files; choose another --out, so that nothing of yours is overwritten")


def is_trained(run: Path) -> bool:
    """Whether a process is training the run now."""
    return locked(run / ".lock")


def locked(path: Path) -> bool:
    """Whether a process holds the lock of this file."""
    try:
        import fcntl

        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except (ImportError, OSError):  # on Windows there are no locks, and trainers of one run are the user's to avoid
        return False
    return False


@contextmanager
def only_trainer(run: Path, training: Game) -> Iterator[None]:
    """Holds the run's lock, which the system releases however this process ends. Raises RunError if it is held."""
    try:
        import fcntl
    except ImportError:  # not on Windows; there two trainers of one run are the user's to avoid
        run.mkdir(parents=True, exist_ok=True)
        yield
        return
    try:
        run.mkdir(parents=True, exist_ok=True)
        handle = os.open(run / ".lock", os.O_CREAT | os.O_RDWR, 0o644)
    except OSError as error:
        raise RunError(f"cannot write into {run}: {error.strerror}") from error
    try:
        if training.processes.first:
            for attempt in range(5):  # `locked` holds it for an instant
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except OSError:
                    if attempt == 4:
                        raise RunError(f"{run} is being trained by another process") from None
                    time.sleep(0.02)
        yield
    finally:
        os.close(handle)
