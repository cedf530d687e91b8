"""What is sent as files is worked off one after the other, in one thread, beside the sampling."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import IO, TypeVar

from ganvas.web.http.batching import Full, settle
from ganvas.web.http.fair_lock import FairLock


class Turn:
    """What work holds while it computes, and hands on between its pieces: `with turn: ...; turn.hand_on()`."""

    def __init__(self, turns: FairLock, future: Future[IO[bytes]]) -> None:
        self._turns, self._future = turns, future

    def __enter__(self) -> None:
        self._turns.__enter__()

    def __exit__(self, *told: object) -> None:
        self._turns.__exit__(*told)

    def hand_on(self) -> None:
        """Lets whoever waits compute first. Ends the work where nobody waits for it any more."""
        if self._future.cancelled():
            raise _Gone
        self._turns.pass_on()


class _Gone(Exception):
    """Nobody waits for the answer any more."""


Piece = TypeVar("Piece")

Work = Callable[[Turn], IO[bytes]]
"""Makes an answer, as an open file from whose start it is read."""


def in_turns(pieces: Iterator[Piece], turn: Turn) -> Iterator[Piece]:
    """The pieces, each computed within a turn; nobody waits for what is done with them."""
    while True:
        with turn:
            piece = next(pieces, None)
        if piece is None:
            return
        yield piece


@dataclass
class _Job:
    work: Work
    size: int
    seconds: float | None
    done: Callable[[float], None]
    future: Future[IO[bytes]]


class Uploads:
    """The queue and the thread that empties it. most_waiting: jobs in the queue, that in work included. turns: shared
    with whoever else computes."""

    def __init__(self, *, most_waiting: int, turns: FairLock | None = None) -> None:
        self.most_waiting = most_waiting
        self._turns = turns or FairLock()
        self._rate = 1e-5  # seconds for each unit of size, a running mean; before the first job a guess
        self._jobs: deque[_Job] = deque()
        self._working: _Job | None = None
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="ganvas-uploads", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        return len(self._jobs) + (self._working is not None)

    def submit(
        self,
        size: int,
        work: Work,
        done: Callable[[float], None] = lambda seconds: None,
        *,
        seconds: float | None = None,
    ) -> Future[IO[bytes]]:
        """What `work` makes, to be closed by who takes it. A future that is cancelled ends the work where it hands on
        its turn. size: of the job, such as pixels, by which waiting is told; seconds: instead, where it is known how
        long it takes. done: told the seconds that it took. Raises Full."""
        job = _Job(work, size, seconds, done, Future())
        with self._changed:
            if self._closed:
                raise RuntimeError("the server is closing")
            self.check_room()
            self._jobs.append(job)
            self._changed.notify()
        return job.future

    def check_room(self) -> None:
        """Raises Full where no more may wait."""
        jobs = [job for job in (self._working, *list(self._jobs)) if job is not None]
        if len(jobs) >= self.most_waiting:
            wait = sum(self._rate * job.size if job.seconds is None else job.seconds for job in jobs)
            raise Full(f"{len(jobs)} pictures are waiting already", wait)

    def close(self) -> None:
        """Finishes what was let in, then ends the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._working = None
                while not self._jobs and not self._closed:
                    self._changed.wait()
                if not self._jobs:
                    return
                job = self._working = self._jobs.popleft()
            if job.future.cancelled():
                continue
            began = time.perf_counter()
            try:
                made = job.work(Turn(self._turns, job.future))
            except _Gone:
                continue
            except Exception as error:
                settle(job.future, error)
                continue
            seconds = time.perf_counter() - began
            if job.seconds is None:
                self._rate = 0.7 * self._rate + 0.3 * seconds / max(job.size, 1)
            job.done(seconds)
            if not settle(job.future, made):
                made.close()
