"""How quick training is, beside a plain PyTorch loop and beside what the machine could do.

    python -m benchmarks.throughput [--rounds 12] [--profile]       (part of `make bench`; 3 minutes on an idle machine)

DCGAN on 64x64 colour images, width 64, batches of 64. Three sides take turns in one process, a step each:

- plain: the loop of PyTorch's own DCGAN tutorial. The same layers as PyTorch's stock modules, float32, contiguous
  memory, ordinary Adam, a DataLoader over tensors in memory; the fakes are made once and used by both players.
- auto: Ganvas as it trains by default, which is bf16 autocast where the hardware multiplies bf16 natively.
- float32: Ganvas at --precision float32.

Reported are medians, and the median of the ratios within a round, which a noisy machine disturbs least. Ganvas also
asks the allocator to keep freed memory (`hardware.keep_freed_memory`). That holds for a whole process, so in the
comparison all sides have it; what it gives is measured apart, in processes that have it and have it not by turns.

The second table sets the convolutions of one step beside the rate at which this machine multiplies large bf16
matrices, each with PyTorch's kernel and as the matrix product of `networks/convolution.py`. Its last line is how much
of that rate a step could reach if the quicker kernel of each were all that a step does. Targets are printed, not
asserted: the numbers are the machine's.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.flop_counter import FlopCounterMode

from ganvas.api import prepare
from ganvas.data.dataset import Data
from ganvas.data.opening import open_data
from ganvas.networks import convolution
from ganvas.recipes.dcgan import DCGAN
from ganvas.training import Training, keep_freed_memory

BATCH, SIDE, WIDTH, LATENT = 64, 64, 64, 100
ITEMS = 4096
WARM_UP = 2


@dataclass(frozen=True)
class Layer:
    """A convolution of the discriminator; the generator's are the same three maps, mirrored.

    channels to outputs, side x side to half of it. uses: how often a step needs the output, the gradient of the input
    and that of the weight. The discriminator runs forward three times, backward twice for its weights and once for the
    generator's sake; the generator, whose forward map is this layer's gradient of the input, twice forward and once
    backward. The images themselves take a gradient only for the generator's sake.
    """

    channels: int
    outputs: int
    side: int

    @property
    def uses(self) -> dict[str, int]:
        return {"output": 4, "input gradient": 3 if self.channels == 3 else 5, "weight gradient": 3}

    @property
    def operations(self) -> int:
        """Multiplications and additions of each of the three maps."""
        return 2 * BATCH * (self.side // 2) ** 2 * self.outputs * self.channels * 16


LAYERS = [Layer(3, 64, 64), Layer(64, 128, 32), Layer(128, 256, 16), Layer(256, 512, 8)]


def plain_loop(recipe: DCGAN, images: Tensor) -> Iterator[None]:
    """PyTorch's DCGAN tutorial, with the recipe's layers made stock; each `next` is a step."""
    generator = nn.Sequential(
        deepcopy(recipe.generator.project),
        nn.Unflatten(1, (recipe.generator.first, *recipe.generator.pyramid.base)),
        deepcopy(recipe.generator.layers),
        nn.Tanh(),
    )
    discriminator = nn.Sequential(
        deepcopy(recipe.discriminator.layers), nn.Flatten(), deepcopy(recipe.discriminator.head), nn.Flatten(0)
    )
    for module in (*generator.modules(), *discriminator.modules()):
        if isinstance(module, convolution.Conv2d):
            module.__class__ = nn.Conv2d  # type: ignore[assignment]
        elif isinstance(module, convolution.ConvTranspose2d):
            module.__class__ = nn.ConvTranspose2d  # type: ignore[assignment]
    for network in (generator, discriminator):
        network.to(memory_format=torch.contiguous_format)
        network.requires_grad_(True)
    criterion = nn.BCEWithLogitsLoss()
    optimizers = [
        torch.optim.Adam(each.parameters(), lr=2e-4, betas=(0.5, 0.999)) for each in (discriminator, generator)
    ]
    loader = DataLoader(TensorDataset(images), BATCH, shuffle=True, drop_last=True)
    real_label, fake_label = torch.ones(BATCH), torch.zeros(BATCH)
    while True:
        for (real,) in loader:
            discriminator.zero_grad()
            criterion(discriminator(real), real_label).backward()
            fake = generator(torch.randn(BATCH, LATENT))
            criterion(discriminator(fake.detach()), fake_label).backward()
            optimizers[0].step()
            generator.zero_grad()
            criterion(discriminator(fake), real_label).backward()
            optimizers[1].step()
            yield


def training(data: Data, precision: str) -> Training:
    options = {"width": WIDTH, "latent": LATENT, "batch_size": BATCH, "precision": precision, "steps": 1_000_000}
    return prepare("dcgan", data, options).training


def sides(folder: str) -> tuple[dict[str, Callable[[], object]], dict[str, Training]]:
    """A step of each side, and the trainings of Ganvas's."""
    os.environ["GANVAS_CACHE"] = folder
    pixels = np.random.default_rng(0).integers(0, 256, (ITEMS, SIDE, SIDE, 3), dtype=np.uint8)
    data = open_data(pixels, progress=False)
    trainings = {precision: training(data, precision) for precision in ("auto", "float32")}
    recipe = trainings["float32"].recipe
    assert isinstance(recipe, DCGAN)
    loop = plain_loop(recipe, torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous().float() / 127.5 - 1)
    steps: dict[str, Callable[[], object]] = {"plain": lambda: next(loop)}
    return steps | {name: each.step for name, each in trainings.items()}, trainings


def alternate(steps: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each step, the sides taking turns."""
    taken: dict[str, list[float]] = {name: [] for name in steps}
    for each in range(WARM_UP + rounds):
        for name, step in steps.items():
            seconds = timed(step)
            if each >= WARM_UP:
                taken[name].append(seconds)
    return taken


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def matrix_products() -> dict[int, Callable[[], object]]:
    """The product of two square bf16 matrices, by their side."""

    def product(side: int) -> Callable[[], object]:
        one, other = (torch.randn(side, side).bfloat16() for _ in range(2))
        return lambda: one @ other

    return {side: product(side) for side in (1024, 2048, 4096)}


def layer_times(dtype: torch.dtype) -> dict[tuple[Layer, str, str], float]:
    """Seconds of each map of each layer, `stock` (PyTorch's kernel) or as a matrix `product`: the best of 9."""
    geometry = (4, 2, 1)
    found = {}
    chosen = convolution.MOST_POSITIONS
    for layer in LAYERS:
        half = layer.side // 2
        x = _made(BATCH, layer.channels, layer.side, layer.side, dtype=dtype)
        dy = _made(BATCH, layer.outputs, half, half, dtype=dtype)
        w = _made(layer.outputs, layer.channels, 4, 4, dtype=dtype)
        maps = {
            "output": lambda: convolution.output(x, w, geometry),  # noqa: B023
            "input gradient": lambda: convolution.input_gradient(dy, w, x.shape, geometry),  # noqa: B023
            "weight gradient": lambda: convolution.weight_gradient(x, dy, w.shape, geometry),  # noqa: B023
        }
        for name, work in maps.items():
            times: dict[str, list[float]] = {"stock": [], "product": [], "chosen": []}
            for _ in range(9):
                for kind, most in (("stock", 0), ("product", 10**9), ("chosen", chosen)):
                    convolution.MOST_POSITIONS = most
                    times[kind].append(timed(work))
            convolution.MOST_POSITIONS = chosen
            found.update({(layer, name, kind): min(each) for kind, each in times.items()})
    return found


def _made(*shape: int, dtype: torch.dtype) -> Tensor:
    return torch.randn(shape).to(dtype).contiguous(memory_format=torch.channels_last)


def memory_effect(rounds: int) -> dict[bool, dict[str, float]]:
    """Median seconds of each side's step in fresh processes, with freed memory kept (True) and given back (False)."""
    medians: dict[bool, dict[str, list[float]]] = {True: {}, False: {}}
    for _ in range(2):
        for keep in (False, True):
            command = [sys.executable, __file__, "--rounds", str(rounds), "--only-steps", *(["--keep"] if keep else [])]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
            for name, times in json.loads(done.stdout.splitlines()[-1]).items():
                medians[keep].setdefault(name, []).extend(times)
    return {keep: {name: statistics.median(times) for name, times in each.items()} for keep, each in medians.items()}


def report_steps(rounds: int, trainings: dict[str, Training], steps: dict[str, Callable[[], object]]) -> None:
    waited = trainings["auto"].batches.waiting
    taken = alternate(steps, rounds)
    waited = trainings["auto"].batches.waiting - waited
    medians = {name: statistics.median(times) for name, times in taken.items()}
    ratios = {n: statistics.median(p / t for p, t in zip(taken["plain"], taken[n], strict=True)) for n in taken}
    print(
        f"DCGAN {SIDE}x{SIDE}x3, width {WIDTH}, batch {BATCH}; {torch.get_num_threads()} threads; {torch.__version__=}"
    )
    print(f"{'medians of ' + str(rounds) + ' rounds':<28}{'ms a step':>11}{'images/s':>10}{'x plain':>9}   target")
    targets = {"plain": "", "auto": ">= 1.5", "float32": ">= 0.97"}
    for name, seconds in medians.items():
        title = {"plain": "plain PyTorch, float32", "auto": f"Ganvas, auto ({trainings['auto'].precision})"}
        label = title.get(name, "Ganvas, float32")
        print(
            f"  {label:<26}{1000 * seconds:11.0f}{BATCH / seconds:10.0f}{ratios[name]:9.2f}   {targets[name]}".rstrip()
        )
    share = waited / (sum(taken["auto"]) + WARM_UP * medians["auto"])
    print(f"waiting for data, of an auto step: {100 * share:.2f}%   target < 3%")


def report_rate(step: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Prints how a step's operations compare with the machine's rate, measured by turns with it.

    Returns the best rate, in operations a second, and the seconds of the quickest step.
    """
    with FlopCounterMode(display=False) as counter:
        step()
    counted = counter.get_total_flops()
    by_hand = sum(layer.operations * sum(layer.uses.values()) for layer in LAYERS)
    products = matrix_products()
    taken = alternate({"step": step, **{str(side): product for side, product in products.items()}}, rounds)
    rates = {side: [2 * side**3 / seconds for seconds in taken[str(side)]] for side in products}
    best, usual = max(map(max, rates.values())), max(map(statistics.median, rates.values()))
    quickest, median = min(taken["step"]), statistics.median(taken["step"])
    print("\n10^12 operations a second, measured by turns     best   median")
    for side, each in rates.items():
        print(f"  product of bf16 matrices of {side:<16}{max(each) / 1e12:8.2f}{statistics.median(each) / 1e12:9.2f}")
    print(f"  an auto step{'':<30}{counted / quickest / 1e12:8.2f}{counted / median / 1e12:9.2f}")
    shares = [100 * counted / quickest / best, 100 * counted / median / usual]
    print(f"  its share of the quickest product, %{shares[0]:14.0f}{shares[1]:9.0f}   target >= 70")
    print(f"a step has {counted / 1e9:.1f} x 10^9 operations as counted, {by_hand / 1e9:.1f} in convolutions by hand")
    return best, quickest


def report_layers(rate: float, seconds: float) -> None:
    times = layer_times(torch.bfloat16)
    print("\nconvolutions in bf16: ms, the quickest of 9, and % of the best matrix rate")
    print(f"{'':<44}{'stock':>14}{'as a product':>16}{'chosen':>14}{'ms a step':>12}")
    totals = dict.fromkeys(("stock", "chosen", "quicker", "rate"), 0.0)
    for layer in LAYERS:
        for name, uses in layer.uses.items():
            title = f"{layer.channels}->{layer.outputs}, {layer.side}->{layer.side // 2}"
            each = {kind: times[layer, name, kind] for kind in ("stock", "product", "chosen")}
            cells = [f"{1000 * t:.2f} {100 * layer.operations / t / rate:4.0f}%" for t in each.values()]
            here = uses * each["chosen"]
            print(f"  {title:<20}{name:<16} x{uses:<4}{cells[0]:>14}{cells[1]:>16}{cells[2]:>14}{1000 * here:12.1f}")
            totals["stock"] += uses * each["stock"]
            totals["chosen"] += here
            totals["quicker"] += uses * min(each["stock"], each["product"])
            totals["rate"] += uses * layer.operations / rate
    stock, chosen, quicker, at_rate = (1000 * total for total in totals.values())
    print(
        f"all convolutions of a step: {stock:.0f} ms stock, {chosen:.0f} ms as chosen, "
        f"{quicker:.0f} ms with the quicker of both, {at_rate:.0f} ms at the matrix rate"
    )
    print(
        f"as chosen they are {0.1 * chosen / seconds:.0f}% of the quickest auto step; "
        f"a step of nothing but the quicker ones would reach {100 * at_rate / quicker:.0f}% of the rate"
    )


def report_memory(rounds: int) -> None:
    effect = memory_effect(rounds)
    print("\nms a step in processes of their own, freed memory given back -> kept")
    for name in effect[True]:
        without, kept = effect[False][name], effect[True][name]
        print(f"  {name:<26}{1000 * without:7.0f} -> {1000 * kept:.0f} ({without / kept:.2f}x)")
    print(
        f"  Ganvas as it trains, beside the plain script as it is: {effect[False]['plain'] / effect[True]['auto']:.2f}x"
    )


def profile(step: Callable[[], object]) -> None:
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as profiler

    step()
    with profiler(activities=[ProfilerActivity.CPU]) as seen:
        for _ in range(3):
            step()
    print(seen.key_averages().table(sort_by="self_cpu_time_total", row_limit=25, max_name_column_width=60))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--profile", action="store_true", help="print where an auto step's time goes, and stop")
    parser.add_argument("--only-steps", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--keep", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        steps, trainings = sides(folder)
        if arguments.only_steps:
            if arguments.keep:
                keep_freed_memory()
            print(json.dumps(alternate(steps, arguments.rounds)))
            return
        keep_freed_memory()
        if arguments.profile:
            profile(steps["auto"])
            return
        report_steps(arguments.rounds, trainings, steps)
        report_layers(*report_rate(steps["auto"], arguments.rounds))
        report_memory(max(2, arguments.rounds // 2))


if __name__ == "__main__":
    main()
