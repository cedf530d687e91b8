"""Locks of files: one process holds each, and however that process ends, the system sets it free.

`python -m ganvas.locks FILE MODULE WORDS...` runs a module as `python -m MODULE WORDS...` does, and holds FILE's lock
for as long as that takes. So a process has its lock without knowing of it, and others see whether it lives.
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

GLANCE = 0.05
"""Seconds that `locked` tries for. It holds a lock itself for an instant, which another one's look must not take for a
process at work."""

PATIENCE = 0.5
"""Seconds that whoever refuses what is held should wait first, for the same reason."""


@contextmanager
def holding(path: Path, wait: float | None = None) -> Iterator[bool]:
    """Inside, this process holds the lock of the file `path`, which is made with its parents where it is not there.

    wait: seconds to wait for another process that holds it; None: as long as it takes. Gives whether it is held, which
    it is not where the file system cannot lock or the file cannot be written to. Raises TimeoutError where the other
    process still holds it.
    """
    from filelock import FileLock

    # Where files cannot be locked, filelock would take the file's existence for a lock, which outlives its process.
    lock = FileLock(path, fallback_to_soft=False)
    try:
        lock.acquire(timeout=-1 if wait is None else wait, poll_interval=GLANCE / 5)
        held = True
    except TimeoutError:
        raise
    except (OSError, NotImplementedError):
        held = False
    try:
        yield held
    finally:
        if held:
            lock.release()


def locked(path: Path) -> bool | None:
    """Whether a process, be it this one, holds the lock of this file; None where there is no such file, or it cannot be
    locked. Takes at most `GLANCE` seconds."""
    if not path.is_file():
        return None
    try:
        with holding(path, GLANCE) as held:
            return False if held else None
    except TimeoutError:
        return True


def main() -> None:
    path, module, *words = sys.argv[1:]
    with ExitStack() as stack:
        try:
            stack.enter_context(holding(Path(path), PATIENCE))
        except TimeoutError:
            sys.exit(f"ganvas: {path} is held by another process")
        sys.argv = [module, *words]
        runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
