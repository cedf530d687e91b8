"""Two processes without a second process: two threads of this one, which exchange tensors as real processes do.

The contract suite plays a recipe in them, in a fraction of the time that starting processes takes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ganvas.recipe import Recipe
from ganvas.training.loop import Training
from ganvas.training.processes import Processes


def two_processes(made: Callable[[Processes], Training], steps: int) -> list[Recipe]:
    """The recipes of two processes after some steps together.

    made: the training of one of them, ready for its first step. Raises what either raised first; AssertionError where
    the two don't play the same turns.
    """
    meeting = _Meeting()
    sides = [made(_Side(rank, 2, meeting)) for rank in range(2)]

    def play(side: Training) -> None:
        for _ in range(steps):
            side.step()

    threads = [threading.Thread(target=meeting.take_part, args=(r, play, side)) for r, side in enumerate(sides)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if meeting.error is not None:
        raise meeting.error
    return [side.recipe for side in sides]


@dataclass
class _Meeting:
    """Two threads that exchange tensors. Only one of them runs at a time, because torch's random state is shared."""

    condition: threading.Condition = field(default_factory=threading.Condition)
    running: int = 0
    brought: tuple[list[Tensor], list[Tensor]] = field(default_factory=lambda: ([], []))
    error: Exception | None = None

    def take_part(self, rank: int, play: Callable[[Training], None], side: Training) -> None:
        self._wait_for_turn(rank)
        try:
            play(side)
        except Exception as error:
            self.error = self.error or error
        finally:
            self._hand_over(rank)

    def exchange(self, rank: int, tensor: Tensor) -> list[Tensor]:
        """What both brought to this exchange, in the order of their ranks."""
        number = len(self.brought[rank])
        self.brought[rank].append(tensor.detach().clone())
        if len(self.brought[1 - rank]) <= number:
            self._hand_over(rank)
            self._wait_for_turn(rank)
        pair = [brought[number] for brought in self.brought if len(brought) > number]
        if len(pair) < 2 or pair[0].shape != pair[1].shape:
            raise AssertionError("the two processes play different turns: what `turns` does must not depend on a draw")
        return pair

    def _hand_over(self, rank: int) -> None:
        with self.condition:
            self.running = 1 - rank
            self.condition.notify_all()

    def _wait_for_turn(self, rank: int) -> None:
        with self.condition:
            self.condition.wait_for(lambda: self.running == rank)


@dataclass(frozen=True)
class _Side(Processes):
    """One of two processes that are threads."""

    meeting: _Meeting = field(default_factory=_Meeting)

    def _added(self, tensor: Tensor) -> Tensor:
        one, other = self.meeting.exchange(self.rank, tensor)
        return tensor.copy_(one + other)

    def _gathered(self, tensor: Tensor) -> Tensor:
        return torch.cat(self.meeting.exchange(self.rank, tensor))
