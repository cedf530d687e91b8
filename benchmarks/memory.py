"""Does training need more and more memory?

    python -m benchmarks.memory [--steps 10000]         (`make bench-memory`; 2 to 5 minutes)

Two small trainings, each in a process of its own with everything that `ganvas train` has running: the loop, the
record, the checkpoints. The resident memory is read every 500 steps. The first 1,500 steps are warm-up: there the
allocator finds its size. Expect a slope of a few hundred KiB for 1,000 steps at most, which is no trend: the readings
step up and down by as much.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

TRAININGS = {
    "vanilla on ring": {"recipe": "vanilla", "data": "ring", "width": 32},
    "narrow dcgan on digits": {"recipe": "dcgan", "data": "digits", "width": 2, "batch_size": 8},
}

EVERY = 500
WARM_UP = 1500


def measured(name: str, steps: int) -> list[tuple[int, float]]:
    """Trains here, and returns (step, MiB resident) every so many steps."""
    import ganvas.api
    from ganvas.recipe import Results
    from ganvas.training import Verdict, Watcher

    class Memory(Watcher):
        def __init__(self) -> None:
            super().__init__()
            self.readings: list[tuple[int, float]] = []

        def stepped(self, training: Any, results: Mapping[str, Results]) -> Verdict:
            if training.steps_done % EVERY == 0:
                self.readings.append((training.steps_done, resident()))
            return Verdict.CONTINUE

    watcher = Memory()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        ganvas.api.train(out=out, steps=steps, watchers=[watcher], quiet=True, **TRAININGS[name])  # type: ignore[arg-type]
    return watcher.readings


def resident() -> float:
    """MiB of this process that are in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--only", choices=TRAININGS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        print(json.dumps(measured(arguments.only, arguments.steps)))
        return
    print(f"MiB resident over {arguments.steps:,} steps, read every {EVERY} from step {WARM_UP:,} on")
    print(f"{'':<26}{'start':>9}{'end':>9}{'most':>9}{'slope per 1,000 steps':>24}")
    for name in TRAININGS:
        command = [sys.executable, __file__, "--steps", str(arguments.steps), "--only", name]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env={**os.environ, "OMP_NUM_THREADS": "1"})
        readings = json.loads(done.stdout.splitlines()[-1])
        at, memory = np.array([each for each in readings if each[0] >= WARM_UP]).T
        slope = np.polyfit(at / 1000, memory, 1)[0]
        print(f"{name:<26}{memory[0]:9.1f}{memory[-1]:9.1f}{memory.max():9.1f}{slope:+24.3f}", flush=True)


if __name__ == "__main__":
    main()
