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

_SLOW = 4.0
"""Seconds of a step beyond which one is enough."""


def seconds_a_step(training: Training, patience: float = 1.5) -> float:
    """The mean over some steps at a quarter and at three quarters of the planned length; of the first place alone where
    steps are slow. It moves the training's weights, and no random generator of anybody else.

    patience: seconds at each place beyond which no more than the least steps are played.
    """
    found: list[float] = []
    with torch.random.fork_rng():
        for place in _PLACES:
            training.steps_done = place
            found.append(_here(training, patience))
            if found[-1] * _LEAST > patience:
                break
    return sum(found) / len(found)


def _here(training: Training, patience: float) -> float:
    first = _played(training, 1)  # which makes room in memory, and is a measure only where it takes long
    if first > _SLOW:
        return first
    steps, seconds = 0, 0.0
    while steps < _MOST and (steps < _LEAST or seconds < patience):
        seconds += _played(training, _LEAST)
        steps += _LEAST
    return seconds / steps


def _played(training: Training, steps: int) -> float:
    """The seconds of so many steps, as the first process counts them."""
    began = time.perf_counter()
    for _ in range(steps):
        training.step()
    training.meter.finite()  # which waits for the device
    return training.processes.from_first(time.perf_counter() - began)
