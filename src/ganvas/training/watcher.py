"""Watchers: how the outer layers look on while training runs, and what they see of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, ClassVar, Literal, Protocol

import torch
from torch.optim import Optimizer

from ganvas.data.dataset import Data
from ganvas.data.stream import Stream
from ganvas.recipe import Recipe, Results
from ganvas.schema import Schema, table
from ganvas.settings import Settings
from ganvas.training.averaging import MovingAverage
from ganvas.training.meter import Meter
from ganvas.training.processes import Processes

Phase = Literal["look", "record", "save"]
PHASES: tuple[Phase, ...] = ("look", "record", "save")


class Game(Protocol):
    """A training as watchers see it.

    steps_done: steps that are over. outcome: `running`, and in `finished` how it ended. base_rates: each optimizer's
    learning rates before schedules. averaged: what the moving average holds.
    """

    recipe: Recipe
    data: Data
    settings: Settings
    processes: Processes
    device: torch.device
    precision: str
    batches: Stream
    batch_size: int
    optimizers: dict[str, Optimizer]
    base_rates: dict[str, list[float]]
    averaged: MovingAverage
    meter: Meter
    steps_done: int
    outcome: str

    def elapsed(self) -> float:
        """Seconds of training, over all its resumptions."""

    def fraction(self) -> float:
        """How much of the planned length is done, 0 to 1; all processes must ask together."""

    def state(self) -> dict[str, Any]:
        """A copy of everything that exact resume needs."""

    def averaged_weights(self) -> AbstractContextManager[None]:
        """Inside, the recipe generates with its averaged networks."""

    def live_weights(self) -> AbstractContextManager[None]:
        """Inside, the recipe generates with the weights that train."""


class Verdict(Enum):
    """A watcher's answer after a step."""

    CONTINUE = "continue"
    STOP = "stop"
    ROLL_BACK = "roll back"


@dataclass
class Watcher:
    """Looks on while training runs. The loop knows nothing else of progress bars, sample pictures or scores.

    `state` (anything that JSON can hold) is part of every checkpoint, so a watcher's memory survives a crash.
    phase: when it is asked, beside the others: those that `look` come before those that `record` what was seen, and
    those that `save` come last, so that what they store of the others includes the step that all have just seen.
    memory: what `state` looks like, since a checkpoint may come from anywhere.
    """

    phase: ClassVar[Phase] = "look"
    memory: ClassVar[Schema] = table()

    state: dict[str, Any] = field(default_factory=dict, init=False)

    def started(self, training: Game) -> None:
        """Training is about to begin, or to go on from a checkpoint."""

    def stepped(self, training: Game, results: Mapping[str, Results]) -> Verdict:
        """A step is over; `results` are its turns', by optimizer (the last turn of each)."""
        return Verdict.CONTINUE

    def way_back(self, training: Game) -> tuple[str, dict[str, Any] | None]:
        """After its ROLL_BACK: why, and the state (of `Training.state`) to go on from as it is; None stands for the
        last good state, with half the step size."""
        return "a watcher asked for it", None

    def measure(self, training: Game) -> Mapping[str, float]:
        """Numbers of its own for the row that is about to be measured, by name."""
        return {}

    def measured(self, training: Game, row: Mapping[str, Any]) -> None:
        """The averages of the last steps have been read from the device (what `metrics.jsonl` gets)."""

    def finished(self, training: Game) -> None:
        """Training ended or was interrupted; `training.outcome` says how."""


def in_phases(watchers: Sequence[Watcher]) -> list[Watcher]:
    """The watchers in the order of their phases, and as they were given within one."""
    return sorted(watchers, key=lambda watcher: PHASES.index(watcher.phase))


FIRST_STEPS = frozenset({1, 2, 5, 10, 20})
"""Steps after which there is something to see before the first measurement. The device waits once for each watcher that
asks."""


def first_numbers(training: Game) -> dict[str, float]:
    """This process's averages so far, as a row that is measured has them; {} at all but the `FIRST_STEPS`, and where
    a measurement has just been."""
    values = training.meter.so_far() if training.steps_done in FIRST_STEPS else {}
    step = training.steps_done
    return {"step": step, "items": step * training.batch_size, **values} if values else {}


def fraction_here(training: Game) -> float:
    """How much of the planned length is done, 0 to 1, by this process's clock.

    `Training.fraction` asks all processes, so that one of them must not call it alone.
    """
    settings = training.settings
    if training.processes.world == 1 or not settings.minutes:
        return training.fraction()
    shares = [training.elapsed() / (60 * settings.minutes)]
    if settings.steps:
        shares.append(training.steps_done / settings.steps)
    if settings.epochs:
        shares.append(training.batches.position / (settings.epochs * len(training.data.split("train"))))
    return min(1.0, max(shares))
