"""How many threads compute a training on the CPU, and how they wait for one another, where the machine does other work.

PyTorch takes as many threads as there are cores, and those of its OpenMP runtime that have done their share of an
operation spin until the others have theirs. On a quiet machine that is quickest. Where something else needs a core, the
thread that was pushed aside keeps all others waiting, and they take away its time by spinning: a step takes several
times as long. What helps is another matter on every machine: threads that sleep while they wait, or fewer threads. So
where a training begins on a machine that is not quiet, processes of a few seconds measure both, and the best is taken.
It is chosen before PyTorch is loaded, which reads its setting then and never again. `benchmarks/threads.py` measures
what it gives.

A user's own setting wins: any of `SETTINGS` in the environment. A run that goes on keeps its number of threads, since
sums are rounded otherwise with another one.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path

NUMBER = "OMP_NUM_THREADS"
SETTINGS = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "KMP_LIBRARY")
"""What tells the OpenMP runtimes of GNU, LLVM and Intel how threads wait."""

MARK = "GANVAS_THREADS"
"""In the environment: the names of the settings that are a choice of this module, which processes that are started
choose anew."""

WINDOW = 0.2
"""Seconds of the machine's work that are looked at, at least."""

SECOND_WINDOW = 1.0
"""The same behind the measurement, so that work of a moment decides nothing."""

BUSY, BUSY_SHARE = 0.3, 0.03
"""Cores that other work keeps busy beyond which the machine is not quiet: so many, or this share of them all."""

WORTH = 1.15
"""How much quicker another setting must be measured to be taken."""

_ASLEEP = {"OMP_WAIT_POLICY": "passive", "KMP_BLOCKTIME": "0"}
_STAT, _QUOTA = Path("/proc/stat"), Path("/sys/fs/cgroup/cpu.max")

_PROBE = """
import sys, time, torch
from torch import nn
net = nn.Sequential(*(layer for a, b in ((1, 32), (32, 64), (64, 64)) for layer in
                      (nn.Conv2d(a, b, 3, 2, 1), nn.LeakyReLU(0.2))))
adam, batch = torch.optim.Adam(net.parameters()), torch.randn(64, 1, 28, 28)
for number in map(int, sys.argv[2:]):
    torch.set_num_threads(number)
    steps, began = -3, 0.0
    while steps < 1 or time.perf_counter() - began < float(sys.argv[1]):
        steps += 1
        if steps == 0:
            began = time.perf_counter()
        adam.zero_grad()
        net(batch).square().mean().backward()
        adam.step()
    print(number, steps / (time.perf_counter() - began), flush=True)
"""
"""Steps a second of small convolutions, as GANs have them, with each number of threads."""


@dataclass(frozen=True)
class Moment:
    """seconds: of a clock. busy: seconds of all cores that this process may use, steal included; own: this process's
    share of them."""

    seconds: float
    busy: float
    own: float


@dataclass(frozen=True)
class Choice:
    """settings: what is put into the environment. said: a line on it for the plan, "" where there is nothing to say."""

    settings: Mapping[str, str]
    said: str = ""


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


def core_count() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_began = moment()


def taken_by_others(since: Moment | None, window: float = WINDOW) -> float | None:
    """Cores that other work has kept busy since then; waits until that is so many seconds ago. None where the system
    does not tell."""
    if since is None:
        return None
    time.sleep(max(0.0, window - (time.monotonic() - since.seconds)))
    now = moment()
    return None if now is None else others(since, now)


def settle(
    environment: MutableMapping[str, str], kept: int | None = None, tell: Callable[[str], None] = lambda line: None
) -> Choice:
    """Makes the choice for a training in this process and puts it into the environment. Without effect on PyTorch where
    that is loaded already. kept: the number of threads of a run that goes on. tell: is called with a line where it
    takes some seconds."""
    for name in environment.pop(MARK, "").split():
        environment.pop(name, None)
    own = [name for name in (NUMBER, *SETTINGS) if name in environment]
    cores = core_count()
    if own:
        return Choice({}, "threads as " + " ".join(f"{name}={environment[name][:40]}" for name in own) + " has them")
    if "torch" in sys.modules or cores == 1 or Path("/dev/nvidiactl").exists():
        return Choice({})
    number = min(kept or cores, cores)
    made = choose(cores, number, taken_by_others(_began), quota(), fixed=kept is not None, tell=tell)
    if made.settings:
        environment.update(made.settings, **{MARK: " ".join(made.settings)})
    return made


def choose(
    cores: int,
    number: int,
    busy: float | None,
    limit: float | None,
    *,
    fixed: bool,
    tell: Callable[[str], None] = lambda line: None,
) -> Choice:
    """number: threads to begin with. busy: cores that other work takes, None where that is unknown. limit: cores' worth
    of time that there is. fixed: whether the number must stay."""
    limited = limit is not None and limit < cores
    if limit is not None and limited:
        why = f"there is time for {limit:.3g} of {cores} cores here"
        fewer = max(1, int(limit))
    elif busy is not None and _is_busy(busy, cores):
        why = f"other work keeps {busy:.1f} of {cores} cores busy"
        fewer = max(1, cores - max(1, round(busy)))
    else:
        return Choice({} if number == cores else {NUMBER: str(number)})
    tell(f"{why}: measuring which threads are best for a training, for some seconds")
    numbers = [number] if fixed or fewer >= number else [number, fewer]
    rates = {(each, False): rate for each, rate in probed(numbers, {}).items()}
    if not rates:
        return Choice({NUMBER: str(number)} if fixed else {})
    rates |= {(each, True): rate for each, rate in probed(numbers[:1], _ASLEEP).items()}
    first, best = (number, False), max(rates, key=rates.__getitem__)
    if rates[best] < WORTH * rates[first]:
        best = first
    elif best != first and not limited and not _is_busy(taken_by_others(moment(), SECOND_WINDOW), cores):
        best, why = first, f"other work kept {busy:.1f} of {cores} cores busy for a moment only"
    settings = {NUMBER: str(best[0])} if best[0] != cores else {}
    told = f"{best[0]} of {cores}" + (", which sleep while they wait" if best[1] else "")
    gain = f"measured {rates[best] / rates[first]:.1f} times as quick" if best != first else "nothing else was quicker"
    return Choice(settings | (_ASLEEP if best[1] else {}), f"threads: {told}, as {why} ({gain}); {NUMBER} overrules")


def _is_busy(busy: float | None, cores: int) -> bool:
    return busy is not None and busy > max(BUSY, BUSY_SHARE * cores)


def probed(numbers: list[int], settings: Mapping[str, str], seconds: float = 0.6) -> dict[int, float]:
    """Steps a second by the number of threads, measured in a process of its own with these settings; {} where that
    fails, or takes too long to be of use."""
    command = [sys.executable, "-c", _PROBE, str(seconds), *map(str, numbers)]
    environment = {**os.environ, NUMBER: str(max(numbers)), **settings}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=True)
        return {int(number): float(rate) for number, rate in (line.split() for line in done.stdout.splitlines())}
    except (OSError, ValueError, subprocess.SubprocessError):
        return {}
