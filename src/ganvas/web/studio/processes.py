"""Long work as processes of its own, such as `ganvas train`, which go on whatever becomes of the studio.

Each writes what it says into a log, and holds a lock beside it, which the system releases however it ends. So whether
it is alive is seen from the folder alone, and the process id beside the log is only believed as long as it is locked.

    NAME.log     what the work on the run of this name said last
    NAME.json    its process id and its words
    NAME.lock    locked by it as long as it lives
    .starting    locked by the studio while it starts one, so that what it has counted stays true
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ganvas.errors import RunError, UsageError
from ganvas.files import write_json
from ganvas.locks import holding, locked
from ganvas.progress_bar import IN_LINES
from ganvas.text import cut, shown

MOST = 4
"""Jobs of one kind that may run at once: they share one machine."""

_TAIL = 4096  # bytes of a log that its last line is looked for in
_BIRTH = 10.0  # seconds after which a process that holds no lock is taken to be where nothing can be locked


@dataclass(frozen=True)
class Jobs:
    """The jobs of one kind, whose logs are in `folder`. command: of `ganvas`. noun: what one is called. done: what is
    done to the run, as in "is being trained"."""

    folder: Path
    command: str
    noun: str
    done: str

    def names(self) -> list[str]:
        return [path.stem for path in self.folder.glob("*.log")]

    def start(self, name: str, words: Sequence[str]) -> None:
        """Runs the command with these words under this name. Raises RunError where it runs already, UsageError where
        too many do."""
        with holding(self.folder / ".starting"):
            if sum(map(self.live, self.names())) >= MOST:
                raise UsageError(f"{MOST} {self.noun}s are running already; stop one, or wait until one is over")
            if self.live(name):
                raise RunError(f"{name} is being {self.done} already")
            log, lock = self.folder / f"{name}.log", self.folder / f"{name}.lock"
            with log.open("wb") as file:
                child = subprocess.Popen(
                    [sys.executable, "-m", "ganvas.locks", str(lock), "ganvas", self.command, *words],
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, "PYTHONIOENCODING": "utf-8", **IN_LINES},  # as `last_line` reads it
                    start_new_session=True,  # what ends the studio does not end it
                )
            write_json(log.with_suffix(".json"), {"pid": child.pid, "words": list(words)})
            late = time.monotonic() + _BIRTH
            while child.poll() is None and not self.live(name) and time.monotonic() < late:
                time.sleep(0.01)
        threading.Thread(target=child.wait, daemon=True).start()  # or a zombie would be left

    def stop(self, name: str) -> None:
        """What Ctrl-C does: a training finishes its step and writes a checkpoint. Raises RunError where that cannot
        be."""
        if not self.live(name):
            raise RunError(f"no {self.noun} of {name} is running")
        path = self.folder / f"{name}.json"
        try:
            about = json.loads(path.read_bytes())
            if about.get("stopping"):  # a second Ctrl-C would not wait for the checkpoint
                raise UsageError(f"the {self.noun} of {name} is stopping already")
            write_json(path, {**about, "stopping": True})
            os.kill(int(about["pid"]), signal.SIGINT)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise RunError(f"{name} has just ended by itself") from None

    def live(self, name: str) -> bool:
        return locked(self.folder / f"{name}.lock") is True

    def mark(self, name: str) -> str:
        """What changes whenever there is something new to tell of the job of this name."""
        try:
            log = (self.folder / f"{name}.log").stat()
        except OSError:
            return ""
        return f"{self.live(name)} {log.st_mtime_ns} {log.st_size}"

    def words(self, name: str) -> list[str]:
        """Those that the last job of this name was started with; [] where there is none."""
        try:
            about = json.loads((self.folder / f"{name}.json").read_bytes())
            return [str(word) for word in about["words"]]
        except (OSError, ValueError, KeyError, TypeError):
            return []

    def last_line(self, name: str) -> str:
        """What the job of this name said last; "" where it said nothing."""
        try:
            with (self.folder / f"{name}.log").open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
                lines = file.read().decode("utf-8", "replace").splitlines()
        except OSError:
            return ""
        return cut(shown(next((line.strip() for line in reversed(lines) if line.strip()), "")), 500)

    def last_error(self, name: str) -> str:
        """The line that an unsuccessful job ended with; "" where there is none."""
        last = self.last_line(name)
        if last.startswith("ganvas: "):
            return last.removeprefix("ganvas: ")
        return last if "Error" in last else ""
