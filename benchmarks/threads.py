"""What it gives to choose a training's threads by what else the machine does: steps a second of r3gan on digits.

    python -m benchmarks.threads [--seconds 12] [--rounds 3] [--only busy]     (part of `make bench`; about 10 minutes)

Beside nothing, one busy process, one of lower priority that also fills the memory's bus, and two busy processes for
each core, four sides take turns, each in a process of its own: as PyTorch has it, with threads that sleep while they
wait, with one thread, and as Ganvas chooses when it starts. Medians, of the ratio to the first side in the same round
too. Nothing is asserted: times are the machine's.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

from ganvas.threads import MARK, NUMBER, SETTINGS

WARM_UP = 2
SPIN = "while True: pass"
FILL = """
import os
import numpy as np
os.nice(19)
a, b = np.zeros(1 << 25), np.ones(1 << 25)
while True: np.copyto(a, b)
"""
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
PLACES = {
    "quiet": [],
    "busy": [SPIN],
    "filled": [FILL],
    "crowded": [SPIN] * (2 * CORES),
}
BESIDE = {
    "quiet": "nothing",
    "busy": "one busy process",
    "filled": "one that fills the memory's bus, at low priority",
    "crowded": f"{2 * CORES} busy processes",
}
SIDES: dict[str, tuple[str, dict[str, str]]] = {
    "as PyTorch has it": ("", {}),
    "asleep": ("", {"OMP_WAIT_POLICY": "passive"}),
    "one thread": ("", {NUMBER: "1"}),
    "as Ganvas chooses": ("from ganvas import threads; threads.settle(os.environ)", {}),
}
TARGETS = {"quiet": 0.97, "busy": 1.6, "filled": 1.6, "crowded": 3.0}


@contextlib.contextmanager
def beside(programs: list[str]) -> Iterator[None]:
    """Inside, the programs run."""
    running = [subprocess.Popen([sys.executable, "-c", each]) for each in programs]
    try:
        time.sleep(1.5 if programs else 0)
        yield
    finally:
        for each in running:
            each.kill()
            each.wait()


def rate(seconds: float) -> float:
    """Steps a second in this process."""
    import torch

    from ganvas import recipes
    from ganvas.data.opening import open_data
    from ganvas.options import checked, read_options
    from ganvas.settings import Settings
    from ganvas.training import Training, keep_freed_memory

    keep_freed_memory()
    data = open_data("digits", progress=False)
    recipe = recipes.find("r3gan")
    known = {option.name for option in read_options(recipe)}
    torch.manual_seed(0)
    made = recipe(**checked(recipe, {k: v for k, v in data.facts().items() if k in known}))
    training = Training(made, data, Settings(steps=100_000, batch_size=64))
    training._train_mode()
    for _ in range(WARM_UP):
        training.step()
    began, steps = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        training.step()
        steps += 1
    return steps / (time.perf_counter() - began)


def measured(side: str, seconds: float) -> float:
    """The same in a new process."""
    chosen, own = SIDES[side]
    environment = {k: v for k, v in os.environ.items() if k not in (NUMBER, *SETTINGS, MARK)} | own
    code = f"import os; {chosen or 'pass'}; from benchmarks.threads import rate; print(rate({seconds}))"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=12, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=PLACES)
    arguments = parser.parse_args()
    print(f"steps/s of r3gan on digits, batch 64, {CORES} cores; medians of {arguments.rounds} rounds by turns")
    for place, programs in PLACES.items():
        if arguments.only not in (None, place):
            continue
        rates: dict[str, list[float]] = {side: [] for side in SIDES}
        with beside(programs):
            for turn in range(arguments.rounds):
                for side in list(SIDES)[:: -1 if turn % 2 else 1]:
                    rates[side].append(measured(side, arguments.seconds))
        print(f"\nbeside {BESIDE[place]}")
        for side, each in rates.items():
            target = f"   target >= {TARGETS[place]}" if side == "as Ganvas chooses" else ""
            ratio = statistics.median(one / first for one, first in zip(each, rates["as PyTorch has it"], strict=True))
            told = ", ".join(f"{one:.2f}" for one in each)
            print(f"  {side:<20}{statistics.median(each):7.2f}  {ratio:5.2f}x  ({told}){target}", flush=True)


if __name__ == "__main__":
    main()
