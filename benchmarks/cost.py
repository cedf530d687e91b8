"""What a step of each recipe costs: steps a second and memory at 32 and 64 pixels, and how much of the machine it uses.

    python -m benchmarks.cost [--size 32 64] [--steps 20]

Each recipe runs in a process of its own with its defaults on random RGB pictures of 10 classes, batch 64, in the
precision that `auto` picks. Arithmetic is counted by PyTorch's FLOP counter over one step (matrix products and
convolutions, forward and backward), and set beside the rate of a large matrix product in the same precision, measured
in the same process directly after. Memory is the process's peak, interpreter and PyTorch included.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import resource
import statistics
import subprocess
import sys
import time

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.trainings import table
from ganvas import recipes
from ganvas.data.batches import Images
from ganvas.options import checked, read_options
from ganvas.settings import Settings
from ganvas.testing import tiny_images
from ganvas.training import Training, has_native_bf16, keep_freed_memory

BATCH, PRODUCT = 64, 2048


class Untracked(contextlib.nullcontext[None]):
    """In place of the counter's tracker of modules, whose hooks refuse the gradient that a penalty is made of. All is
    counted as `Global`, which the total is."""

    parents = frozenset({"Global"})


def measured(name: str, size: int, steps: int) -> dict[str, float]:
    """Of one recipe, in this process: steps a second, FLOPs of a step, the product's FLOPs a second, peak MB."""
    keep_freed_memory()
    data = tiny_images(size, channels=3, count=2 * BATCH)
    recipe = recipes.find(name)
    known = {option.name for option in read_options(recipe)}
    torch.manual_seed(0)
    made = recipe(**checked(recipe, {k: v for k, v in data.facts().items() if k in known}))
    training = Training(made, data, Settings(steps=1000, batch_size=BATCH))
    training._train_mode()
    for _ in range(4):  # among them one with every lazy penalty
        training.step()
    seconds = []
    for _ in range(steps):
        began = time.perf_counter()
        training.step()
        seconds.append(time.perf_counter() - began)
    counter = FlopCounterMode(display=False)
    counter.mod_tracker = Untracked()  # type: ignore[assignment]
    with counter:
        for _ in range(4):
            training.step()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    mean = statistics.fmean(seconds)  # and not the median: lazy penalties make some steps longer
    return {"steps/s": 1 / mean, "flops": counter.get_total_flops() / 4, "product": product_rate(), "MB": peak}


def product_rate() -> float:
    """FLOPs a second of a large matrix product."""
    kind = torch.bfloat16 if has_native_bf16(torch.device("cpu")) else torch.float32
    one, other = (torch.randn(PRODUCT, PRODUCT).to(kind) for _ in range(2))
    seconds = []
    for _ in range(8):
        began = time.perf_counter()
        one @ other
        seconds.append(time.perf_counter() - began)
    return 2 * PRODUCT**3 / statistics.median(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, nargs="+", default=[32, 64])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measured(arguments.one, arguments.size[0], arguments.steps)))
        return
    rows = []
    for name in recipes.names():
        if Images not in recipes.find(name).accepts:
            continue
        for size in arguments.size:
            command = [sys.executable, "-m", "benchmarks.cost", "--one", name, "--size", str(size)]
            command += ["--steps", str(arguments.steps)]
            found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
            share = found["flops"] * found["steps/s"] / found["product"]
            rows.append(
                [
                    name,
                    f"{size}x{size}",
                    f"{found['steps/s']:.2f}",
                    f"{found['flops'] / 1e9:.1f}",
                    f"{100 * share:.0f}%",
                    f"{found['MB']:,.0f}",
                ]
            )
    print(table(["recipe", "size", "steps/s", "GFLOP a step", "of the matrix product's rate", "peak MB"], rows))


if __name__ == "__main__":
    main()
