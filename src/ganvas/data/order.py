"""In which order training reads a split: a pure function of (seed, epoch), and of nothing that was read before."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Protocol

import numpy as np

LANES = 16
"""At most so many stretches of an epoch are read side by side, so that shards are mixed."""

_KEPT = 4 * LANES  # orders of windows that are remembered


class Order(Protocol):
    """The numbers of the items at some places of an epoch, all of them within it."""

    def __call__(self, epoch: int, start: int, stop: int) -> np.ndarray: ...


class Shuffled:
    """Every item of an epoch may come at any place of it."""

    def __init__(self, count: int, seed: int) -> None:
        self._count, self._seed = count, seed
        self._orders = lru_cache(2)(self._order)  # a batch straddles two epochs, rarely more

    def __call__(self, epoch: int, start: int, stop: int) -> np.ndarray:
        return self._orders(epoch)[start:stop]

    def _order(self, epoch: int) -> np.ndarray:
        return permuted(self._count, self._seed, epoch)


class Sharded:
    """Items of shards, near one another in their shards when they are near one another in the order.

    An epoch lays all shards end to end in an order of its own. Within a shard its windows (so many items that lie side
    by side) have an order of their own, and so have the items of a window. This sequence is cut into `lanes` stretches
    of one length, which are read side by side: each batch takes as many items of each, in the order of the stretches.
    So process r of N, which reads part r of each batch, reads stretches of its own, and with them shards of its own.
    What is over when a stretch holds no whole share any more, and what a batch that began in the epoch before still
    needs, is taken of the ends of the stretches.

    sizes: of the shards, which are numbered in this order; window: of each. lanes: the largest divisor of the batch
    size up to `LANES` and to the number of shards. All depends on (seed, epoch, batch size) alone.
    """

    def __init__(self, sizes: Sequence[int], windows: Sequence[int], seed: int, batch_size: int) -> None:
        self._sizes, self._windows = np.asarray(sizes, np.int64), windows
        self._firsts = np.cumsum(self._sizes) - self._sizes
        self._seed, self._batch = seed, batch_size
        most = min(LANES, len(sizes), batch_size)
        self.lanes = next(lanes for lanes in range(most, 0, -1) if batch_size % lanes == 0)
        self._count = int(self._sizes.sum())
        self._cuts = [self._count * lane // self.lanes for lane in range(self.lanes + 1)]
        self._shards = lru_cache(2)(self._shards_of)
        self._starts = lru_cache(_KEPT)(self._windows_of)
        self._items = lru_cache(_KEPT)(self._items_of)

    def __call__(self, epoch: int, start: int, stop: int) -> np.ndarray:
        head = min(-epoch * self._count % self._batch, self._count)  # of the batch that began in the epoch before
        share = self._batch // self.lanes
        shortest = min(b - a for a, b in zip(self._cuts, self._cuts[1:], strict=False))
        rounds = min(shortest // share, (self._count - head) // self._batch)
        body = head + rounds * self._batch
        pieces = []
        while start < stop:
            if head <= start < body:
                number, place = divmod(start - head, self._batch)
                lane, offset = divmod(place, share)
                length = min(stop - start, share - offset)
                pieces.append(self._sequence(epoch, self._cuts[lane] + number * share + offset, length))
            else:  # the ends of the stretches, laid end to end
                rest = start if start < head else start - rounds * self._batch
                for first, last in zip(self._cuts, self._cuts[1:], strict=False):
                    own = last - first - rounds * share
                    if rest < own:
                        break
                    rest -= own
                length = min(stop - start, own - rest, head - start if start < head else stop)
                pieces.append(self._sequence(epoch, first + rounds * share + rest, length))
            start += length
        return np.concatenate(pieces)

    def _sequence(self, epoch: int, start: int, length: int) -> np.ndarray:
        """So many items of the epoch's one sequence of shards."""
        shards, ends = self._shards(epoch)
        pieces = []
        while length:
            at = int(np.searchsorted(ends, start, "right"))
            shard = int(shards[at])
            place = start - int(ends[at] - self._sizes[shard])
            windows, window_ends = self._starts(epoch, shard)
            which = int(np.searchsorted(window_ends, place, "right"))
            window = int(windows[which])
            items = self._items(epoch, shard, window)
            place -= int(window_ends[which]) - len(items)
            piece = items[place : place + length]
            pieces.append(piece)
            start, length = start + len(piece), length - len(piece)
        return np.concatenate(pieces)

    def _shards_of(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        order = permuted(len(self._sizes), self._seed, epoch)
        return order, np.cumsum(self._sizes[order])

    def _windows_of(self, epoch: int, shard: int) -> tuple[np.ndarray, np.ndarray]:
        size, window = int(self._sizes[shard]), self._windows[shard]
        order = permuted(-(-size // window), self._seed, epoch, shard)
        return order, np.cumsum(np.minimum(window, size - order * window))

    def _items_of(self, epoch: int, shard: int, number: int) -> np.ndarray:
        first, window = number * self._windows[shard], self._windows[shard]
        count = min(window, int(self._sizes[shard]) - first)
        return int(self._firsts[shard]) + first + permuted(count, self._seed, epoch, shard, number)


def permuted(count: int, seed: int, *numbers: int) -> np.ndarray:
    """0 to count - 1 in an order that these numbers alone decide."""
    # Raw bits sorted, and not Generator.permutation: NumPy promises only the bits to stay what they are.
    bits = np.random.PCG64(np.random.SeedSequence([seed % 2**64, *numbers]))
    return np.argsort(bits.random_raw(count), kind="stable")
