"""How long a step takes here, by steps of a training that is thrown away."""

from __future__ import annotations

import time

import torch

from ganvas.training.loop import Training

LENGTH = 6400
"""Steps that a training that is measured plans. It is not measured at its start alone, since a recipe may begin with
half of its game."""

_PLACES = (1600, 4800)
_LEAST, _MOST = 4, 16
"""Steps at each place; four hold each thing that is done at every fourth step once."""


def seconds_a_step(training: Training, patience: float = 1.5) -> float:
    """The mean over some steps at a quarter and at three quarters of the planned length. It moves the training's
    weights, and no random generator of anybody else.

    patience: seconds at each place beyond which no more than the least steps are played.
    """
    with torch.random.fork_rng():
        return sum(_at(training, place, patience) for place in _PLACES) / len(_PLACES)


def _at(training: Training, place: int, patience: float) -> float:
    training.steps_done = place
    training.step()  # the first one makes room in memory, and is no measure
    training.meter.finite()  # which waits for the device
    began, steps, seconds = time.perf_counter(), 0, 0.0
    while steps < _MOST and (steps < _LEAST or training.processes.from_first(seconds) < patience):
        for _ in range(_LEAST):
            training.step()
        training.meter.finite()
        steps, seconds = steps + _LEAST, time.perf_counter() - began
    return training.processes.from_first(seconds) / steps
