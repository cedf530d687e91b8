"""When checkpoints are written, and which are kept."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ganvas.recipe import Results
from ganvas.schema import record, several, whole
from ganvas.training.checkpoint import found, step_of, write
from ganvas.training.watcher import Game, Verdict, Watcher

AT_LEAST_EVERY = 120.0
"""Seconds after which a checkpoint is written even if its step has not come."""


class Checkpoints(Watcher):
    """Writes a checkpoint every so many steps, at least every two minutes, and at the end; keeps the last few."""

    phase = "save"
    memory = record({}, {"held": several(whole())})

    def __init__(self, folder: Path, *, every: int, keep: int, about: dict[str, Any]) -> None:
        super().__init__()
        self.folder, self.every, self.keep, self.about = folder, every, keep, about
        self._last_time = time.monotonic()
        self._last_step = -1
        self._wanted = False

    def started(self, training: Game) -> None:
        self._last_time, self._last_step = time.monotonic(), training.steps_done
        if training.processes.first:
            for leftover in self.folder.glob(".step-*.tmp"):  # of a training that was killed while it wrote
                shutil.rmtree(leftover, ignore_errors=True)
        if self._wanted:
            self._write(training)

    def hold(self, training: Game) -> None:
        """Makes the coming checkpoint one of this step, and keeps it until two more are held; and one of step 0."""
        self.state["held"] = [*(step for step in self._held() if step < training.steps_done), training.steps_done][-2:]
        self._wanted = True

    def held(self, latest: int) -> Path | None:
        """The newest checkpoint that is held and not of a later step than that, or the one of step 0; None where there
        is neither."""
        step = max((step for step in self._held() if step <= latest), default=0)
        return next((path for path in found(self.folder) if step_of(path) == step), None)

    def _held(self) -> list[int]:
        steps: list[int] = self.state.get("held", [])
        return steps

    def stepped(self, training: Game, results: Mapping[str, Results]) -> Verdict:
        due = training.steps_done % self.every == 0 or time.monotonic() - self._last_time > AT_LEAST_EVERY
        if (due or self._wanted) and training.meter.finite():
            self._write(training)
        return Verdict.CONTINUE

    def measured(self, training: Game, row: Mapping[str, Any]) -> None:
        if "event" not in row or not training.processes.first:
            return
        # Training is back at an earlier step: what came after it is undone, and must not be what a resumption finds.
        for path in found(self.folder):
            if step_of(path) > training.steps_done:
                shutil.rmtree(path, ignore_errors=True)
        if training.steps_done in self._held():
            self._write(training)

    def finished(self, training: Game) -> None:
        between_steps = training.outcome in ("finished", "stopped early", "interrupted")
        if between_steps and training.steps_done != self._last_step and training.meter.finite():
            self._write(training)

    def _write(self, training: Game) -> None:
        if training.processes.first:
            written = write(self.folder, training.state(), self.about)
            # Only what is older than this one: a stray folder with a higher number must not push good ones out.
            checkpoints = found(self.folder)
            kept = {0, *self._held()} if self._held() else set()
            for old in checkpoints[checkpoints.index(written) + self.keep :]:
                if step_of(old) not in kept:
                    shutil.rmtree(old, ignore_errors=True)
        self._last_time, self._last_step, self._wanted = time.monotonic(), training.steps_done, False
