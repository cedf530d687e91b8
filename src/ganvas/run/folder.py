"""Run folders: what `config.json` says, whose code may run, and who may write."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from ganvas.errors import RunError, near_miss
from ganvas.files import sweep
from ganvas.locks import PATIENCE, holding, locked
from ganvas.text import quoted

FORMAT = 1
LOCK = ".lock"
"""The file in a run whose lock its trainer holds."""
_WRITTEN = ((".", "config.json"), (".", "metrics.jsonl"), (".", "report.html"), ("samples", "*.png"))
"""What a trainer writes beside its checkpoints, which have an order of their own: (folder in the run, names)."""


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
            raise RunError(f"{path} has format {quoted(config['format'])}; this Ganvas reads {FORMAT}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path} cannot be read as a run's configuration ({error})") from error
    return dict(config)


def check_out(out: Path) -> None:
    """Raises RunError unless a new run may be written to `out`."""
    if out.exists() and not out.is_dir():
        raise RunError(f"{out} is a file, not a folder for a run; choose another --out")
    if (out / "config.json").is_file():
        raise RunError(f"{out} holds a run already; go on with it by --resume {out}, or choose another --out")
    if out.is_dir() and any(not path.name.startswith((LOCK, ".config.json.")) for path in out.iterdir()):
        raise RunError(f"{out} holds other files; choose another --out, so that nothing of yours is overwritten")


def is_trained(run: Path) -> bool:
    """Whether a process is training the run now."""
    return locked(run / LOCK) is True


def is_over(run: Path) -> bool:
    """Whether it is known that no process trains the run any more, however the last one ended."""
    return locked(run / LOCK) is False


@contextmanager
def only_trainer(run: Path, first: bool = True) -> Iterator[None]:
    """Holds the run's lock, which the system releases however this process ends; makes the folder, and removes what a
    trainer that was killed left half-written.

    first: of several processes that train together, the first one holds it for all. Raises RunError where another
    training holds it, or nothing can be written there. Where the file system cannot lock, two trainings of one run are
    the user's to avoid.
    """
    try:
        run.mkdir(parents=True, exist_ok=True)
        (run / LOCK).open("ab").close()
    except OSError as error:
        raise RunError(f"cannot write into {run}: {error.strerror}") from error
    with ExitStack() as stack:
        if first:
            try:
                stack.enter_context(holding(run / LOCK, PATIENCE))
            except TimeoutError:
                raise RunError(f"{run} is being trained by another process") from None
            for folder, pattern in _WRITTEN:
                sweep(run / folder, pattern)
        yield
