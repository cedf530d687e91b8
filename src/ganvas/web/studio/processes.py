"""Trainings as processes of their own: `ganvas train`, which goes on whatever becomes of the studio.

Each writes what it says into a log, and holds a lock beside it, which the system releases however it ends. So whether
it is alive is seen from the folder alone, and the process id beside the log is only believed as long as it is locked.

    NAME.log     what the training of this name said last
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
from pathlib import Path

from ganvas.errors import RunError, UsageError
from ganvas.files import write_json
from ganvas.locks import holding, locked

MOST = 4
"""Trainings that may run at once: they share one machine."""

_TAIL = 4096  # bytes of a log that its last line is looked for in
_BIRTH = 10.0  # seconds after which a training that holds no lock is taken to be where nothing can be locked


class Trainings:
    """The trainings whose logs are in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def names(self) -> list[str]:
        return [path.stem for path in self.folder.glob("*.log")]

    def start(self, name: str, words: Sequence[str]) -> None:
        """Runs `ganvas train WORDS` under this name. Raises RunError where it trains already, UsageError where too
        many do."""
        with holding(self.folder / ".starting"):
            if sum(map(self.live, self.names())) >= MOST:
                raise UsageError(f"{MOST} trainings are running already; stop one, or wait until one is over")
            if self.live(name):
                raise RunError(f"{name} is being trained already")
            log, lock = self.folder / f"{name}.log", self.folder / f"{name}.lock"
            with log.open("wb") as file:
                child = subprocess.Popen(
                    [sys.executable, "-m", "ganvas.locks", str(lock), "ganvas", "train", *words],
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, "PYTHONIOENCODING": "utf-8"},  # as `last_error` reads it
                    start_new_session=True,  # what ends the studio does not end it
                )
            write_json(log.with_suffix(".json"), {"pid": child.pid, "words": list(words)})
            late = time.monotonic() + _BIRTH
            while child.poll() is None and not self.live(name) and time.monotonic() < late:
                time.sleep(0.01)
        threading.Thread(target=child.wait, daemon=True).start()  # or a zombie would be left

    def stop(self, name: str) -> None:
        """What Ctrl-C does: the step is finished and a checkpoint written. Raises RunError where that cannot be."""
        if not self.live(name):
            raise RunError(f"{name} is not a training that the studio started; press Ctrl-C where it was started")
        path = self.folder / f"{name}.json"
        try:
            about = json.loads(path.read_bytes())
            if about.get("stopping"):  # a second Ctrl-C would not wait for the checkpoint
                raise UsageError(f"{name} is stopping already: it finishes its step and saves")
            write_json(path, {**about, "stopping": True})
            os.kill(int(about["pid"]), signal.SIGINT)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise RunError(f"{name} has just ended by itself") from None

    def live(self, name: str) -> bool:
        return locked(self.folder / f"{name}.lock") is True

    def last_error(self, name: str) -> str:
        """The line that an unsuccessful training ended with; "" where there is none."""
        try:
            with (self.folder / f"{name}.log").open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
                lines = file.read().decode("utf-8", "replace").splitlines()
        except OSError:
            return ""
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        if last.startswith("ganvas: "):
            return last.removeprefix("ganvas: ")
        return last if "Error" in last else ""
