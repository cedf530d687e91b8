"""The endless stream of batches that training reads: a pure function of (seed, position)."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import torch

from ganvas.data.batches import Batch
from ganvas.data.dataset import Split
from ganvas.errors import DataError, UsageError


class Stream(Iterator[Batch]):
    """Batches for ever: every epoch is a permutation of the split that depends on (seed, epoch) and on nothing else (of
    shards on the batch size too; see `order.py`).

    The next global batch is the items `position` to `position + batch_size` of those permutations laid end to end, so
    a batch may reach into the next epoch and none is ever short. Of it, process `rank` of `world` gets its part.

    position: items of the stream that all processes together have consumed. Set it, and the stream goes on from there.
    waiting: seconds spent in `next` so far.
    """

    def __init__(
        self,
        split: Split,
        batch_size: int,
        seed: int,
        *,
        rank: int = 0,
        world: int = 1,
        device: torch.device | str = "cpu",
    ) -> None:
        if len(split) == 0:
            raise DataError("this split of the data holds no items to make batches of")
        if batch_size < 1 or batch_size % world:
            raise UsageError(
                f"a batch size of {batch_size} does not divide into {world} equal parts, one for each process"
            )
        if not 0 <= rank < world:
            raise UsageError(f"process {rank} of {world} does not exist")
        self.split = split
        self.batch_size = batch_size
        self.seed = seed
        self.device = torch.device(device)
        self.waiting = 0.0
        self._first = rank * (batch_size // world)
        self._own = batch_size // world
        self._position = 0
        self._order = split.order(seed, batch_size)

    @property
    def position(self) -> int:
        return self._position

    @position.setter
    def position(self, position: int) -> None:
        if position < 0:
            raise ValueError(f"a stream has no position {position}")
        self._position = position

    @property
    def epoch(self) -> int:
        """Passes over the split that are complete."""
        return self._position // len(self.split)

    def __iter__(self) -> Stream:
        return self

    def __next__(self) -> Batch:
        began = time.perf_counter()
        start = self._position + self._first
        items, places = self._items(start, start + self._own), range(start, start + self._own)
        batch = self.split.gather(items, self.device, [(self.seed, place) for place in places])
        self._position += self.batch_size
        self.waiting += time.perf_counter() - began
        return batch

    def _items(self, start: int, stop: int) -> np.ndarray:
        pieces = []
        while start < stop:
            epoch, place = divmod(start, len(self.split))
            piece = self._order(epoch, place, min(len(self.split), place + stop - start))
            pieces.append(piece)
            start += len(piece)
        return np.concatenate(pieces)
