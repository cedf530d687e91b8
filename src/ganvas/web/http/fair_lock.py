"""A lock that is had in the order in which it was asked for.

Sampling and enlarging share it, so that their operations do not fight for the cores, and neither waits for more than
one piece of the other's work. `threading.Lock` promises no order: who releases it and asks again mostly has it again.
"""

from __future__ import annotations

import threading
from typing import Self


class FairLock:
    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._asked = self._served = 0

    def __enter__(self) -> Self:
        with self._changed:
            mine = self._asked
            self._asked += 1
            self._changed.wait_for(lambda: self._served == mine)
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._served += 1
            self._changed.notify_all()

    def pass_on(self) -> None:
        """Lets whoever waits have it first. Only for who has it."""
        self.__exit__()
        self.__enter__()
