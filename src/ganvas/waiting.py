"""How threads wait for one another: awake where the machine is quiet, asleep where other work needs its cores.

The threads of PyTorch's OpenMP runtime that have done their share of an operation spin until the others have theirs. On
a quiet machine that is quickest. Where something else needs a core, the spinning thread takes away the time of the one
that it waits for, and a step takes several times as long. Threads that sleep cost a step some percent on a quiet
machine, and its share on a busy one. The runtime reads its setting once, when PyTorch is loaded; so the choice is made
just before, by what other work there is at that moment. `benchmarks/waiting.py` measures what it gives.

A user's own setting wins: any of `SETTINGS` in the environment.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any

SETTINGS = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "KMP_LIBRARY")
"""What tells the OpenMP runtimes of GNU, LLVM and Intel how threads wait."""

MARK = "GANVAS_WAITING"
"""In the environment where the setting is a choice of this module, which processes that are started choose anew."""

WINDOW = 0.2
"""Seconds of the machine's work that the choice looks back on, at least."""

BUSY, BUSY_SHARE = 0.3, 0.03
"""Cores that other work keeps busy beyond which the machine is not quiet: so many, or this share of them all."""

_ASLEEP = {"OMP_WAIT_POLICY": "passive", "KMP_BLOCKTIME": "0"}
_STAT, _QUOTA = Path("/proc/stat"), Path("/sys/fs/cgroup/cpu.max")


@dataclass(frozen=True)
class Moment:
    """seconds: of a clock. busy: seconds of all cores that this process may use, steal included; own: this process's
    share of them."""

    seconds: float
    busy: float
    own: float


def moment() -> Moment | None:
    """Where the machine's counters stand; None where the system has none to read."""
    try:
        busy = _busy(_STAT.read_text(encoding="ascii"), os.sched_getaffinity(0)) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, AttributeError, IndexError):
        return None
    return Moment(time.monotonic(), busy, time.process_time())


def _busy(stat: str, cores: set[int]) -> int:
    """Ticks that the cores were not idle, of all that /proc/stat tells: user, nice, system, idle, waiting for the disk,
    interrupts of two kinds, and what the host took for others."""
    total = 0
    for line in stat.splitlines():
        name, *numbers = line.split()
        if name.startswith("cpu") and name[3:].isdecimal() and int(name[3:]) in cores:
            ticks = list(map(int, numbers[:8]))
            total += sum(ticks) - ticks[3] - ticks[4]
    return total


def others(before: Moment, now: Moment) -> float:
    """Cores that other processes kept busy between two moments."""
    return max(0.0, (now.busy - before.busy - (now.own - before.own)) / max(now.seconds - before.seconds, 1e-3))


def quota() -> float | None:
    """Cores' worth of time that the container allows; None without a limit."""
    try:
        most, period = _QUOTA.read_text(encoding="ascii").split()
        return int(most) / int(period)
    except (OSError, ValueError):
        return None


def choice(environment: Mapping[str, str], busy: float | None, cores: int, limit: float | None) -> tuple[bool, str]:
    """Whether threads are to sleep while they wait, and a line on why for the plan, "" where there is nothing to say.

    busy: cores that other work takes, None where that is unknown. limit: cores' worth of time that there is.
    """
    own = [name for name in SETTINGS if name in environment]
    if own:
        return False, "threads wait as " + " ".join(f"{name}={environment[name][:40]}" for name in own) + " has it"
    threads = environment.get("OMP_NUM_THREADS", str(cores)).partition(",")[0]
    if threads.strip() == "1" or cores == 1:
        return False, ""
    hint = "OMP_WAIT_POLICY=active has them spin"
    if limit is not None and limit < cores:
        return True, f"threads sleep while they wait, as there is time for {limit:.3g} of {cores} cores here; {hint}"
    if busy is not None and busy > max(BUSY, BUSY_SHARE * cores):
        return True, f"threads sleep while they wait, as other work keeps {busy:.1f} of {cores} cores busy; {hint}"
    return False, "threads spin while they wait, which is quickest as long as nothing else needs the cores"


class Chooser(MetaPathFinder):
    """Chooses when PyTorch is about to be loaded, and never again. It finds no module."""

    def __init__(self) -> None:
        self.began = moment()

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: Any = None) -> None:
        if fullname != "torch":
            return
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        settle(os.environ, self._busy)

    def _busy(self) -> float | None:
        """What other work there was since Ganvas was loaded; waits until that is long enough ago to tell."""
        if self.began is None:
            return None
        time.sleep(max(0.0, WINDOW - (time.monotonic() - self.began.seconds)))
        now = moment()
        return None if now is None else others(self.began, now)


said = ""
"""The line of the choice for the plan; "" where none was made."""


def settle(environment: MutableMapping[str, str], busy: Any) -> None:
    """Makes the choice and puts it into the environment. busy: called for the cores that other work takes, where that
    matters."""
    global said
    if environment.pop(MARK, None):
        for name in _ASLEEP:
            environment.pop(name, None)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    asleep, said = choice(environment, None, cores, quota())
    if said and not asleep and not any(name in environment for name in SETTINGS):
        asleep, said = choice(environment, busy(), cores, quota())
    if asleep:
        environment.update(_ASLEEP, **{MARK: "1"})


def install() -> None:
    """From now on the choice is made when PyTorch is loaded; without effect where it is already."""
    global said
    if "torch" in sys.modules:
        said = "threads wait as PyTorch has it, which was loaded before Ganvas could choose"
    elif not any(isinstance(each, Chooser) for each in sys.meta_path):
        sys.meta_path.insert(0, Chooser())
