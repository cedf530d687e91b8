"""What a step of each recipe costs: steps a second and memory at 32 and 64 pixels, and how much of the machine it uses.

    python -m benchmarks.cost [RECIPE ...] [--size 32 64] [--steps 20] [--batch 64] [--set width=256 ...]

Each recipe runs in a process of its own with its defaults on random RGB pictures of 10 classes, in the precision that
`auto` picks. Arithmetic is counted by PyTorch's FLOP counter over one step (matrix products and convolutions, forward
and backward), and set beside the rate of a large matrix product in the same precision. Steps, four at a time, and
products take turns in one process; both are counted in its CPU seconds for the share, so that a busy machine does not
change it, and their medians are taken. Memory is the process's peak, interpreter and PyTorch included.

    python -m benchmarks.cost --model [RECIPE ...]

How well does a cost model tell a step's CPU seconds? They are measured of each recipe at two sizes and set beside
`ganvas.costs`' counts. A second for each convolution's and product's operation, byte and operation started is fitted
(not negative, least squares of the relative error) without one recipe, which is then told by it, for each in turn.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.trainings import table
from ganvas import recipes
from ganvas.costs import Untracked, Work, counting, training_on
from ganvas.data.batches import Images
from ganvas.options import checked, read_options
from ganvas.settings import Settings
from ganvas.testing import tiny_images
from ganvas.training import Training, keep_freed_memory

PRODUCT = 2048
ROUND = 4
"""Steps: among so many is one with every lazy penalty."""


def measured(name: str, size: int, steps: int, batch: int, changes: Mapping[str, str]) -> dict[str, float]:
    """Of one recipe, in this process: steps a second, FLOPs of a step, its share of the product's rate, peak MB."""
    keep_freed_memory()
    data = tiny_images(size, channels=3, count=2 * batch)
    recipe = recipes.find(name)
    known = {option.name for option in read_options(recipe)}
    torch.manual_seed(0)
    facts: dict[str, Any] = {k: v for k, v in data.facts().items() if k in known}
    training = Training(recipe(**checked(recipe, facts | dict(changes))), data, Settings(steps=1000, batch_size=batch))
    training._train_mode()
    kind = torch.bfloat16 if training.precision == "bf16" else torch.float32
    one, other = (torch.randn(PRODUCT, PRODUCT).to(kind) for _ in range(2))

    def round_of_steps() -> None:
        for _ in range(ROUND):
            training.step()

    round_of_steps()
    stepping, multiplying, seconds = [], [], []
    for _ in range(max(1, steps // ROUND)):
        began = time.perf_counter()
        stepping.append(cpu_seconds(round_of_steps) / ROUND)
        seconds.append((time.perf_counter() - began) / ROUND)
        multiplying.append(cpu_seconds(lambda: one @ other))
    counter = FlopCounterMode(display=False)
    counter.mod_tracker = Untracked()  # type: ignore[assignment]
    with counter:
        round_of_steps()
    flops = counter.get_total_flops() / ROUND
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    share = flops / statistics.median(stepping) * statistics.median(multiplying) / (2 * PRODUCT**3)
    return {"steps/s": 1 / statistics.median(seconds), "flops": flops, "share": share, "MB": peak}


MODELLED = ("dcgan", "lsgan", "sngan", "wgan-gp", "r3gan", "gat", "stylegan2")
FORMS = ((32, 16), (64, 8))
"""(size, batch)."""


def modelled(names: Sequence[str]) -> None:
    """Prints what is measured of each recipe, and what the model that does not know it tells."""
    import numpy as np
    from scipy.optimize import nnls

    rows: list[tuple[str, int, int, float, Work]] = []
    for name in names:
        for size, batch in FORMS:
            training = training_on(recipes.find(name), size, batch, {})

            def steps(training: Training = training) -> None:
                for _ in range(ROUND):
                    training.step()

            steps()
            took = min(cpu_seconds(steps) for _ in range(2)) / ROUND
            with counting() as counter:
                steps()
            rows.append((name, size, batch, took, counter.work(ROUND)))
            print(json.dumps([name, size, batch, took, asdict(rows[-1][-1])]), file=sys.stderr, flush=True)
    work = np.array([list(asdict(each).values()) for *_, each in rows])
    seconds = np.array([each[3] for each in rows])

    def fitted(known: np.ndarray) -> np.ndarray:
        scale = work[known].max(axis=0)
        found: np.ndarray = nnls(work[known] / scale / seconds[known, None], np.ones(known.sum()))[0] / scale
        return found

    others = [np.array([each[0] != row[0] for each in rows]) for row in rows]
    told = np.array([work[place] @ fitted(known) for place, known in enumerate(others)])
    lines = []
    for (name, size, batch, took, _), guess in zip(rows, told, strict=True):
        error = f"{100 * (guess / took - 1):+.0f}%"
        lines.append([name, f"{size}x{size}", str(batch), f"{1e3 * took:.0f}", f"{1e3 * guess:.0f}", error])
    print(table(["recipe", "size", "batch", "CPU ms a step", "told without it", "error"], lines))
    errors = np.abs(told / seconds - 1)
    within = f"{(errors <= 0.2).sum()} of {len(rows)} within 20%"
    print(f"median error {100 * np.median(errors):.0f}%, largest {100 * errors.max():.0f}%, {within}")
    everything = fitted(np.ones(len(rows), bool))
    print(f"fitted to all: {dict(zip(asdict(rows[0][-1]), everything.tolist(), strict=True))}")


def cpu_seconds(work: Callable[[], object]) -> float:
    """What the work takes of this process's CPU time, all threads together."""
    began = time.process_time()
    work()
    return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", metavar="RECIPE")
    parser.add_argument("--size", type=int, nargs="+", default=[32, 64])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE", help="arguments of the recipe")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--model", action="store_true", help="how well a model tells the seconds")
    arguments = parser.parse_args()
    if arguments.model:
        return modelled(arguments.recipes or MODELLED)
    if arguments.one:
        changes = dict(each.split("=", 1) for each in arguments.set)
        print(json.dumps(measured(arguments.one, arguments.size[0], arguments.steps, arguments.batch, changes)))
        return
    rows = []
    for name in arguments.recipes or [each for each in recipes.names() if Images in recipes.find(each).accepts]:
        for size in arguments.size:
            command = [sys.executable, "-m", "benchmarks.cost", "--one", name, "--size", str(size)]
            command += ["--steps", str(arguments.steps), "--batch", str(arguments.batch)]
            command += ["--set", *arguments.set] if arguments.set else []
            found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
            rows.append(
                [
                    name,
                    f"{size}x{size}",
                    f"{found['steps/s']:.2f}",
                    f"{found['flops'] / 1e9:.1f}",
                    f"{100 * found['share']:.0f}%",
                    f"{found['MB']:,.0f}",
                ]
            )
    print(table(["recipe", "size", "steps/s", "GFLOP a step", "of the matrix product's rate", "peak MB"], rows))


if __name__ == "__main__":
    main()
