"""Randomness as a pure function of a few numbers, such as (seed, step, turn, part)."""

from __future__ import annotations

import functools

import torch


def hashed(*numbers: int) -> int:
    """63 bits of a hash of the numbers (SplitMix64's finaliser over their sequence)."""
    state, mask = 0x9E3779B97F4A7C15, (1 << 64) - 1
    for number in numbers:
        state = (state + number + 0x9E3779B97F4A7C15) & mask
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & mask
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & mask
        state ^= state >> 31
    return state >> 1


def seed_from(*numbers: int) -> None:
    """Seeds all devices' random generators with a hash of the numbers."""
    if _accelerated():
        torch.manual_seed(hashed(*numbers))
    else:  # the same for the CPU; the other notes a stack trace for each kind of device that is not there, in 0.4 ms
        torch.default_generator.manual_seed(hashed(*numbers))


@functools.cache
def _accelerated() -> bool:
    """Whether this machine has another device than the CPU."""
    accelerator = getattr(torch, "accelerator", None)  # from PyTorch 2.6 on
    return accelerator is None or bool(accelerator.is_available())
