"""Two processes of one thread beside one of one thread: pictures a second for each core, and what is lost where.

    python -m benchmarks.processes [RECIPE ...] [--size 32] [--each 16] [--rounds 12] [--cores 0,1]
                                   [--gigabits 1]

Two processes, each kept on a core of its own, play three sides by turns, `ROUND` steps each:

- alone: the first trains with `--each` pictures a batch while the second sleeps;
- beside: both do, and exchange nothing, which shows what two cores take from each other (memory, caches, clock);
- together: both train one recipe with `--each` pictures each, and add their gradients up after every turn, by gloo.

Reported are medians of the rounds, for a core, in seconds of a clock, so the machine must be quiet. The last column is
the exchange of every player's gradients, measured apart, when both are ready for it. With `--gigabits` the two are in
network namespaces of their own, which a cable of that rate joins (`benchmarks/network.py`; as root), and the column
says, too, what the cable alone takes by arithmetic, as `ganvas plan` counts.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import torch

from benchmarks.network import CARD, two_machines
from benchmarks.trainings import table
from ganvas.api import prepare
from ganvas.testing import tiny_images
from ganvas.training import Processes, Training, keep_freed_memory

RECIPES = ("dcgan", "gat", "stylegan2")
ROUND = 4
"""Steps: among so many is one with every lazy penalty."""

EXCHANGES = 10


def play(training: Training) -> None:
    for _ in range(ROUND):
        training.step()


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def measured(name: str, size: int, each: int, rounds: int) -> dict[str, Any]:
    """What this process measures of one recipe: seconds of a round of each side, and of an exchange."""
    keep_freed_memory()
    both = Processes.join()
    data = tiny_images(size, channels=3, count=16 * each)
    job = prepare(name, data, {"batch_size": both.world * each, "steps": 1_000_000})
    together, settings = job.training, replace(job.training.settings, batch_size=each)
    alone = Training(type(together.recipe)(**job.arguments), data, settings, processes=Processes())

    def exchange() -> None:
        for parameters in together.players.values():
            both.sum_gradients(parameters)

    sides: dict[str, Callable[[], object]] = {
        "alone": lambda: play(alone) if both.first else None,
        "beside": lambda: play(alone),
        "together": lambda: play(together),
    }
    for training in (alone, together):
        training._train_mode()
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    for number in range(rounds + 1):
        for side, work in sides.items():
            both.wait()
            taken = timed(work)
            both.wait()
            if number:
                seconds[side].append(taken)
    exchanges = []
    for _ in range(EXCHANGES):
        both.wait()
        exchanges.append(timed(exchange))
    sizes = {player: sum(p.numel() for p in each) for player, each in together.players.items()}
    return {"seconds": seconds, "exchange": statistics.median(exchanges), "numbers": sum(sizes.values())}


def pair(name: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """What the first of two processes measures."""
    with ExitStack() as stack:
        before: list[list[str]] = [[], []]
        meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port()), "WORLD_SIZE": "2"}
        if arguments.gigabits:
            before, meeting["MASTER_ADDR"] = stack.enter_context(two_machines(arguments.gigabits))
            meeting["GLOO_SOCKET_IFNAME"] = CARD
        started = []
        for rank, core in enumerate(arguments.cores.split(",")):
            command = [*before[rank], sys.executable, "-m", "benchmarks.processes", name, "--core", core]
            command += [
                word for each in ("size", "each", "rounds") for word in (f"--{each}", str(vars(arguments)[each]))
            ]
            environment = {**os.environ, "OMP_NUM_THREADS": "1", **meeting, "RANK": str(rank)}
            started.append(subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True))
        said = [each.communicate()[0] for each in started]
    if any(each.returncode for each in started):
        sys.exit(f"{name}: a process failed")
    found: dict[str, Any] = json.loads(said[0].splitlines()[-1])
    return found


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def row(name: str, found: dict[str, Any], each: int, gigabits: float | None) -> list[str]:
    rates = {side: ROUND * each / statistics.median(times) for side, times in found["seconds"].items()}
    seconds = found["seconds"]
    ratios = {
        side: statistics.median(a / b for a, b in zip(seconds["alone"], seconds[side], strict=True))
        for side in ("beside", "together")
    }
    cells = [f"{rates['alone']:.1f}", *(f"{rates[side]:.1f} ({ratio:.2f}x)" for side, ratio in ratios.items())]
    sent = f"{1000 * found['exchange']:.1f} ms for {found['numbers'] / 1e6:.1f} million numbers"
    if gigabits:  # each process sends half of all numbers, twice
        sent += f", {1000 * 32 * found['numbers'] / (1e9 * gigabits):.1f} ms by the cable"
    return [f"`{name}`", *cells, f"{1000 * statistics.median(seconds['together']) / ROUND:.0f} ms", sent]


def main() -> None:
    parser = argparse.ArgumentParser(description="Two processes beside one, pictures a second for each core.")
    parser.add_argument("recipes", nargs="*", default=RECIPES)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--each", type=int, default=16, help="pictures of a batch for each process")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--cores", default="0,1", help="of the two processes")
    parser.add_argument("--gigabits", type=float, help="a second, of a network between the two (as root)")
    parser.add_argument("--core", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.core is not None:
        os.sched_setaffinity(0, {arguments.core})
        torch.set_num_threads(1)
        found = measured(arguments.recipes[0], arguments.size, arguments.each, arguments.rounds)
        print(json.dumps(found))
        return
    rows = [row(name, pair(name, arguments), arguments.each, arguments.gigabits) for name in arguments.recipes]
    head = ["recipe", "alone", "beside", "together", "a step together", "one exchange of all gradients"]
    print(f"pictures a second for each core, {arguments.size}x{arguments.size}, {arguments.each} a process\n")
    print(table(head, rows))


if __name__ == "__main__":
    main()
