"""Requests that arrive together are sampled together, and nobody's samples depend on who else came.

One thread owns the model. It takes what is waiting, up to `slots` samples of any requests, and runs the network once;
meanwhile the next requests gather. Nobody is made to wait for company: a lone request starts at once.

The same seed must give the same image, bit for bit, and a network's rounding errors depend on the size of the batch
(not on a sample's place in it, nor on its neighbours). So every batch has the same size: empty slots repeat the first
sample. Inputs are drawn as `Model.sample` draws them, in blocks, each from a seed of its own.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ganvas.model import Model
from ganvas.web.http.fair_lock import FairLock


class Full(Exception):
    """No room in the queue. `str` says what is in it; `wait`: seconds after which there may be some."""

    def __init__(self, told: str, wait: float) -> None:
        super().__init__(told)
        self.wait = wait


Finish = Callable[[Tensor, Mapping[str, Tensor]], Any]
"""Makes a request's answer of its samples (n, ...) and the numbers of their classes (n,), by the name of the input."""


@dataclass
class _Job:
    """One request. values: what is given, as `Model.checked` has it. samples: its pieces, filled in as batches are
    done."""

    n: int
    values: Mapping[str, Tensor]
    seed: int
    truncation: float | None
    finish: Finish
    future: Future[Any]
    inputs: dict[str, Tensor] = field(default_factory=dict)
    taken: int = 0
    samples: list[Tensor] = field(default_factory=list)


class Batcher:
    """The queue and the thread that empties it. slots: samples in one run of the network; 1 turns batching off.
    most_waiting: samples that may wait. turns: shared with whoever else computes. on_batch: called with the number of
    slots in use and the seconds of each run.
    """

    def __init__(
        self,
        model: Model,
        *,
        slots: int,
        most_waiting: int,
        turns: FairLock | None = None,
        on_batch: Callable[[int, float], None] = lambda used, seconds: None,
    ) -> None:
        self.model, self.slots, self.most_waiting, self.on_batch = model, slots, most_waiting, on_batch
        self.waiting = 0
        self._turns = turns or FairLock()
        self._seconds = 0.1  # of a batch, a running mean; before the first a guess
        self._jobs: deque[_Job] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="ganvas-sampler", daemon=True)
        self._thread.start()

    def submit(
        self,
        n: int,
        values: Mapping[str, Tensor],
        seed: int,
        truncation: float | None,
        finish: Finish = lambda samples, _: samples,
    ) -> Future[Any]:
        """What `finish` makes of `n` samples, when they are made. values: as `Model.checked` gives them.

        It runs in the thread that owns the model, so that the one which answers requests does no arithmetic: two
        threads that do hinder each other at every operation. A future that is cancelled makes room. Raises Full.
        """
        job = _Job(n, values, seed, truncation, finish, Future())
        with self._changed:
            if self._closed:
                raise RuntimeError("the server is closing")
            # One request is always let in, so that the largest one allowed is never refused for ever.
            if self._jobs and self.waiting + n > self.most_waiting:
                raise Full(f"{self.waiting:,} samples are waiting already", self._seconds * self.waiting / self.slots)
            self._jobs.append(job)
            self.waiting += n
            self._changed.notify()
        return job.future

    def close(self) -> None:
        """Finishes what was let in, then ends the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        self.model.recipe.eval()
        while True:
            with self._changed:
                while not self._jobs and not self._closed:
                    self._changed.wait()
                if not self._jobs:
                    return
                parts = self._next_batch()
            if parts:
                self._run(parts)

    def _next_batch(self) -> list[tuple[_Job, int, int]]:
        """(job, first, last) for the slots of one batch, the oldest jobs first; called with the lock held."""
        parts: list[tuple[_Job, int, int]] = []
        free = self.slots
        while free and self._jobs:
            job = self._jobs[0]
            if job.future.cancelled():
                self._jobs.popleft()
                self.waiting -= job.n - job.taken
                continue
            first, job.taken = job.taken, min(job.n, job.taken + free)
            parts.append((job, first, job.taken))
            free -= job.taken - first
            self.waiting -= job.taken - first
            if job.taken == job.n:
                self._jobs.popleft()
        return parts

    def _run(self, parts: list[tuple[_Job, int, int]]) -> None:
        began = time.perf_counter()
        try:
            with self._turns, torch.no_grad():
                rows = [self._rows(job, first, last) for job, first, last in parts]
                inputs = {name: torch.cat([row[name] for row in rows]) for name in rows[0]}
                used = len(next(iter(inputs.values())))
                spare = self.slots - used
                if spare:
                    inputs = {k: torch.cat([v, v[:1].expand(spare, *v.shape[1:])]) for k, v in inputs.items()}
                made = self.model.recipe.generate(**inputs)[:used].float().cpu()
        except Exception as error:
            self._fail(parts, error)
            return
        at = 0
        for job, first, last in parts:
            job.samples.append(made[at : at + last - first])
            at += last - first
            if last == job.n:
                self._finish(job)
        seconds = time.perf_counter() - began
        self._seconds = 0.9 * self._seconds + 0.1 * seconds
        self.on_batch(used, seconds)

    def _finish(self, job: _Job) -> None:
        try:
            settle(job.future, job.finish(torch.cat(job.samples), self.model.classes(job.n, job.values)))
        except Exception as error:
            settle(job.future, error)

    def _rows(self, job: _Job, first: int, last: int) -> dict[str, Tensor]:
        """Rows first to last of the job's inputs; its blocks are drawn when they are reached."""
        rows: list[dict[str, Tensor]] = []
        size = self.model.space.block
        while first < last:
            block, start = divmod(first, size)
            if start == 0 or not job.inputs:
                # Of this process's generators, which nothing else uses while it serves.
                job.inputs = self.model.block(block, job.seed, job.truncation, job.values)
            stop = min(size, start + last - first)
            rows.append({name: each[start:stop] for name, each in job.inputs.items()})
            first += stop - start
        return {name: torch.cat([row[name] for row in rows]) for name in rows[0]}

    def _fail(self, parts: list[tuple[_Job, int, int]], error: Exception) -> None:
        """Tells all who were in the batch, and drops what is left of their requests."""
        with self._changed:
            for job, _, _ in parts:
                if job in self._jobs:
                    self._jobs.remove(job)
                    self.waiting -= job.n - job.taken
        for job, _, _ in parts:
            settle(job.future, error)


def settle(future: Future[Any], result: Any) -> bool:
    """Whether it was told: whoever waited may be gone and the future cancelled, which must not end the thread."""
    if future.done() or not future.set_running_or_notify_cancel():
        return False
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)
    return True
