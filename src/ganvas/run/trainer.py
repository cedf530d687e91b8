"""Who trains a run: one process at a time, which others can stop.

A process id alone does not say which process is meant: the one that wrote it may be dead, and its id another's by now.
So a trainer notes when it was born beside its id, and nothing is signalled unless somebody holds the run's lock, and
the process of that id was born then and belongs to the user who asks.

    .lock           locked by the trainer as long as it lives
    trainer.json    its id and its birth, there as long as it trains
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ganvas.errors import RunError
from ganvas.files import read_json, sweep, write_json
from ganvas.locks import PATIENCE, holding, locked
from ganvas.run.folder import FIRST, LOCK, TRAINER, check_folder

_WRITTEN = (
    *((".", name) for name in ("config.json", "metrics.jsonl", FIRST, TRAINER, "report.html")),
    ("samples", "*"),
)
"""What a trainer writes beside its checkpoints, which have an order of their own: (folder in the run, names)."""

_MOST_BYTES = 10_000  # of what is noted of a trainer


def is_trained(run: Path) -> bool:
    """Whether a process is training the run now."""
    return locked(run / LOCK) is True


def is_over(run: Path) -> bool:
    """Whether it is known that no process trains the run any more, however the last one ended."""
    return locked(run / LOCK) is False


@contextmanager
def only_trainer(run: Path, first: bool = True) -> Iterator[None]:
    """Holds the run's lock, which the system releases however this process ends; makes the folder, notes which process
    it is, and removes what a trainer that was killed left half-written.

    first: of several processes that train together, the first one holds it for all. Raises RunError where another
    training holds it, or nothing can be written there. Where the file system cannot lock, two trainings of one run are
    the user's to avoid.
    """
    check_folder(run)
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
            write_json(run / TRAINER, {"pid": os.getpid(), "born": born(os.getpid())})
            stack.callback((run / TRAINER).unlink, missing_ok=True)
        yield


def stop_trainer(run: Path) -> None:
    """What Ctrl-C does where the run's training was started: it finishes its step and writes a checkpoint. Raises
    RunError where nobody trains the run, it is stopping already, or its process is none that this user may stop on
    this machine."""
    if not is_trained(run):
        raise RunError(f"{run} is not being trained")
    try:
        about = read_json(run / TRAINER, _MOST_BYTES, inside=run)
        pid, birth = about["pid"], about["born"]
        stopping = about.get("stopping")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pid, birth, about, stopping = None, None, {}, None
    if stopping:  # a second Ctrl-C would not wait for the checkpoint
        raise RunError(f"the training of {run} is stopping already")
    # Ids below 2 are no single process, or the one that all others are children of.
    if type(pid) is not int or pid < 2 or not birth or birth != born(pid) or not _is_ours(birth):
        raise RunError(
            f"{run} is trained by another user or on another machine, as far as is known here; stop it where it was "
            "started"
        )
    write_json(run / TRAINER, {**about, "stopping": True})
    try:
        _interrupt(pid, birth)
    except OSError:
        raise RunError(f"the training of {run} has just ended by itself") from None


def born(pid: int) -> str:
    """Whose the process of this id is, and when it was born, in a line that no other process has; "" where there is
    none, and where the system does not say."""
    place = Path("/proc", str(pid))
    try:
        # After the name, which is in brackets and may hold any: the 22nd field of all, in ticks since the start.
        ticks = (place / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()[19]
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("utf-8").strip()
        return f"{place.stat().st_uid} {boot} {ticks}"
    except (OSError, IndexError):
        pass
    try:
        asked = ["ps", "-o", "uid=,lstart=", "-p", str(pid)]
        told = subprocess.run(asked, capture_output=True, text=True, timeout=10, env={**os.environ, "LC_ALL": "C"})
    except (OSError, subprocess.SubprocessError):  # as on Windows, where no signal is a Ctrl-C either
        return ""
    return " ".join(told.stdout.split()) if told.returncode == 0 else ""


def _is_ours(birth: str) -> bool:
    return sys.platform != "win32" and birth.split()[0] == str(os.geteuid())


def _interrupt(pid: int, birth: str) -> None:
    """Raises OSError where the process is gone, also where its id is another's by now."""
    if sys.platform != "linux":
        os.kill(pid, signal.SIGINT)
        return
    handle = os.pidfd_open(pid)  # from here on of this process, whoever gets the id later
    try:
        if born(pid) != birth:
            raise ProcessLookupError
        signal.pidfd_send_signal(handle, signal.SIGINT)
    finally:
        os.close(handle)
