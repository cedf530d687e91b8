"""What holds on a GPU: recipes train there, resume bit for bit, export, and make what the CPU makes; how fast, and what
of a step is not arithmetic.

    make bench-gpu                                    within 8 minutes; says so and stops where there is no GPU
    python -m benchmarks.gpu --recipes r3gan,dcgan --parts speed,profile
    python -m benchmarks.gpu --device cpu --tiny      tries every part in minutes; its numbers mean nothing

Everything is printed as Markdown tables. Nothing is asserted: a difference is a number here. What fails is a line, and
what would begin after --minutes is left out with a line.

exact: a training, the same one interrupted and resumed, again with PyTorch's deterministic algorithms where these two
differ, samples beside the CPU's, and the ONNX file beside PyTorch.
speed: items a second in bf16, float32, and bf16 with the networks compiled by torch.compile, without and with CUDA
graphs (its mode "reduce-overhead"), and the seconds until the first compiled steps were done. Penalties stay uncompiled
as they are differentiated twice, which torch.compile does not do.
profile: of the time in which the GPU computes, the share of kernels that are no convolutions and no matrix products;
the share of a step in which it computes nothing, as it waits for the host; and how often a step makes the host wait for
it. On a CPU operations take the place of kernels.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

import ganvas
from ganvas.api import play, prepare, prepare_resume
from ganvas.data.opening import open_data
from ganvas.recipe import Results
from ganvas.training import Game, Training, Verdict, Watcher, checkpoint

RECIPES = ("r3gan", "dcgan", "wgan-gp")
ROUND = 4
"""Steps: among so many is one with every lazy penalty."""

ARITHMETIC = re.compile(
    r"conv|gemm|gemv|wgrad|dgrad|fprop|xmma|cutlass|nvjet|implicit|winograd|addmm|\bb?mm\b|baddbmm|linear|matmul", re.I
)
"""In the names of kernels and operations that are convolutions or matrix products."""

COPIES = re.compile(r"convert|memcpy|memset", re.I)
"""In the names of those that only look like one."""


@dataclass(frozen=True)
class Plan:
    """How much is done, and where."""

    device: str
    steps: int
    batches: Sequence[int]
    rounds: int
    of_data: str = "digits"

    def wait(self) -> None:
        """Until the device has done what it was asked for."""
        if self.device == "cuda":
            torch.cuda.synchronize()


# -- exactness ----------------------------------------------------------------------------------------------------


def exact(recipe: str, plan: Plan, folder: Path) -> list[str]:
    run = folder / recipe
    seconds = trained(recipe, run, plan)
    again = resumed(recipe, folder / f"{recipe}-resumed", plan)
    if again != SAME:
        torch.use_deterministic_algorithms(True, warn_only=True)
        try:
            better = resumed(recipe, folder / f"{recipe}-deterministic", plan)
        finally:
            torch.use_deterministic_algorithms(False)
        again += f"; with deterministic algorithms {better}"
    exported = ganvas.export(run, "onnx", folder / f"{recipe}.onnx")
    beside = beside_the_cpu(run, plan.device)
    return [recipe, str(plan.steps), f"{seconds:.1f}", again, f"{beside:.2g}", f"{exported.difference:.2g}"]


SAME = "bit for bit"


def trained(recipe: str, run: Path, plan: Plan, **options: Any) -> float:
    """Trains, and returns the seconds that it took."""
    began = time.perf_counter()
    chosen = {"steps": plan.steps, "device": plan.device, "checkpoint_every": 100_000, **options}
    ganvas.train(recipe, data=plan.of_data, out=run, quiet=True, batch_size=plan.batches[0], **chosen)
    return time.perf_counter() - began


def resumed(recipe: str, folder: Path, plan: Plan) -> str:
    """Whether half a training, a checkpoint and the other half give what the whole training gives."""
    for name in ("whole", "again"):
        trained(recipe, folder / name, plan)
    trained(recipe, folder / "halves", plan, watchers=[Stop(plan.steps // 2)])
    play(prepare_resume(folder / "halves", quiet=True), quiet=True)
    whole, again, halves = (
        checkpoint.newest(folder / name / "checkpoints")[0] for name in ("whole", "again", "halves")
    )
    assert whole is not None and again is not None and halves is not None
    same, resumed = difference(whole["model"], again["model"]), difference(whole["model"], halves["model"])
    if resumed == 0:
        return SAME
    return f"differs by {resumed:.2g}, as two trainings that nobody interrupts do by {same:.2g}"


def difference(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> float:
    """The largest between two sets of weights."""
    return max(float((tensor.double() - other[name].double()).abs().max()) for name, tensor in one.items())


class Stop(Watcher):
    """Ends a training early, which keeps its planned length."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self.step = step

    def stepped(self, training: Game, results: Mapping[str, Results]) -> Verdict:
        return Verdict.STOP if training.steps_done == self.step else Verdict.CONTINUE


def beside_the_cpu(run: Path, device: str) -> float:
    """The largest difference between samples of the device and of the CPU, of the same inputs."""
    here, there = ganvas.load(run, device="cpu"), ganvas.load(run, device=device)
    torch.manual_seed(0)
    drawn = here.recipe.draw(64)
    with torch.no_grad():
        ours = here.recipe.generate(**drawn)
        theirs = there.recipe.generate(**{name: each.to(device) for name, each in drawn.items()}).cpu()
    return float((ours - theirs).abs().max())


# -- speed --------------------------------------------------------------------------------------------------------


def speed(recipe: str, batch: int, precision: str, mode: str | None, plan: Plan) -> list[str]:
    training = made(recipe, batch, precision, plan)
    began = time.perf_counter()
    if mode is not None:
        compiled(training.recipe, mode)
    steps(training, ROUND, plan)
    first = time.perf_counter() - began
    steps(training, ROUND, plan)
    rates, waited, all_began = [], training.batches.waiting, time.perf_counter()
    for _ in range(plan.rounds):
        began = time.perf_counter()
        steps(training, ROUND * plan.rounds, plan)
        rates.append(ROUND * plan.rounds * training.batch_size / (time.perf_counter() - began))
    share = (training.batches.waiting - waited) / (time.perf_counter() - all_began)
    how = {None: "no", "default": "yes", "reduce-overhead": "with CUDA graphs"}[mode]
    return [recipe, str(batch), precision, how, f"{statistics.median(rates):,.0f}", f"{share:.1%}", f"{first:.1f}"]


def made(recipe: str, batch: int, precision: str, plan: Plan) -> Training:
    data = open_data(plan.of_data, progress=False)
    options = {"steps": 10_000, "batch_size": batch, "precision": precision, "device": plan.device}
    training = prepare(recipe, data, options).training
    training._train_mode()
    return training


def steps(training: Training, count: int, plan: Plan) -> None:
    for _ in range(count):
        torch.compiler.cudagraph_mark_step_begin()  # what CUDA graphs wrote in the step before is not needed any more
        training.step()
    plan.wait()


def compiled(recipe: nn.Module, mode: str) -> None:
    """Compiles each network of the recipe where it is called under autocast; penalties, which are not, stay as they
    are."""
    for network in recipe.children():
        if any(True for _ in network.parameters()):
            network.forward = _chosen(network.forward, torch.compile(network.forward, mode=mode))


def _chosen(eager: Callable[..., Any], quick: Callable[..., Any]) -> Callable[..., Any]:
    def forward(*given: Any, **named: Any) -> Any:
        first = next(each for each in (*given, *named.values()) if isinstance(each, Tensor))
        under_autocast = torch.is_autocast_enabled(first.device.type)
        if not under_autocast:
            return eager(*given, **named)
        return _copied(quick(*given, **named))

    return forward


def _copied(result: Any) -> Any:
    """A copy, as CUDA graphs write the next result into the same memory."""
    return result.clone() if isinstance(result, Tensor) else result


# -- what is not arithmetic ---------------------------------------------------------------------------------------


def profiled(recipe: str, batch: int, plan: Plan) -> list[str]:
    training = made(recipe, batch, "bf16", plan)
    steps(training, 2 * ROUND, plan)
    cuda = plan.device == "cuda"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if cuda else [])]
    began = time.perf_counter()
    steps(training, ROUND, plan)
    seconds = time.perf_counter() - began  # without the profiler, which slows the host down
    with profile(activities=activities) as seen:
        steps(training, ROUND, plan)
    if cuda:
        kernels = [
            (str(event.name), event.time_range.start, event.time_range.end)
            for event in seen.events() or ()
            if event.device_type.name == "CUDA"
        ]
        spent = Counter[str]()
        for name, start, end in kernels:
            spent[name] += end - start
        idle = f"{max(0.0, 1 - covered((start, end) for _, start, end in kernels) / 1e6 / seconds):.0%}"
        waits = f"{host_waits(training, plan):.1f}"
    else:
        spent = Counter({str(event.key): event.self_cpu_time_total for event in seen.key_averages()})
        idle = waits = "-"
    other = {name: each for name, each in spent.items() if not is_arithmetic(name)}
    most = ", ".join(f"{name[:40]} {each / spent.total():.0%}" for name, each in Counter(other).most_common(3))
    share = f"{sum(other.values()) / spent.total():.0%}"
    return [recipe, str(batch), f"{1e3 * seconds / ROUND:.1f}", share, idle, waits, most.replace("|", "/")]


def is_arithmetic(name: str) -> bool:
    """Whether a kernel or operation of this name is a convolution or a matrix product."""
    return bool(ARITHMETIC.search(name)) and not COPIES.search(name)


def covered(spans: Iterable[tuple[float, float]]) -> float:
    """The length of the union of (start, end)."""
    total, reached = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total


def host_waits(training: Training, plan: Plan) -> float:
    """How often a step makes the host wait for the GPU, as far as PyTorch tells."""
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for _ in range(ROUND):
                training.step()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    plan.wait()
    return sum("synchroniz" in str(each.message) for each in caught) / ROUND


# -- the script ---------------------------------------------------------------------------------------------------

Row = tuple[str, Callable[[], list[str]]]


def tables(recipes: Sequence[str], plan: Plan, folder: Path) -> dict[str, tuple[list[str], list[Row]]]:
    """By part: the head of its table, and what makes each row. CUDA graphs come last, as what goes wrong with them may
    leave the GPU in no state for others."""
    ways = [("bf16", None), ("bf16", "default"), ("float32", None), ("bf16", "reduce-overhead")]
    rates: list[Row] = [
        (f"{recipe} {batch} {precision} {mode}", partial(speed, recipe, batch, precision, mode, plan))
        for precision, mode in ways
        for batch in (plan.batches if mode is None else plan.batches[:1])
        for recipe in recipes
    ]
    return {
        "exact": (
            ["recipe", "steps", "seconds", "resumed", "beside the CPU", "ONNX beside PyTorch"],
            [(recipe, partial(exact, recipe, plan, folder)) for recipe in recipes],
        ),
        "profile": (
            ["recipe", "batch", "ms a step", "not arithmetic", "idle", "waits of the host a step", "most of the rest"],
            [(recipe, partial(profiled, recipe, plan.batches[0], plan)) for recipe in recipes],
        ),
        "speed": (["recipe", "batch", "precision", "compiled", "items/s", "waits for data", "first steps, s"], rates),
    }


def show(title: str, head: Sequence[str], rows: Sequence[Row], until: float) -> None:
    """Prints a table as its rows are made. A row that fails, or would begin too late, is a line below it."""
    print(f"\n### {title}\n\n| {' | '.join(head)} |\n|{'---|' * len(head)}", flush=True)
    lines = []
    for name, make in rows:
        if time.monotonic() > until:
            lines.append(f"left out, as the time is over: {name}")
            continue
        try:
            print(f"| {' | '.join(make())} |", flush=True)
        except Exception as error:  # whatever it is, the other rows are worth having
            told = " ".join(str(error).split())[:200]
            lines.append(f"failed: {name}: {type(error).__name__}: {told}")
    print("\n".join(["", *lines]) if lines else "", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", default=",".join(RECIPES))
    parser.add_argument("--parts", default="exact,profile,speed", help="some of exact,profile,speed")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--tiny", action="store_true", help="only tries every part")
    parser.add_argument("--minutes", type=float, default=7, help="after which nothing more begins (default: 7)")
    parsed = parser.parse_args()
    if parsed.device == "cuda" and not torch.cuda.is_available():
        print("there is no GPU here, so nothing was measured")
        return
    # Asked for before the first product, without which cuBLAS has no deterministic algorithms.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    plan = Plan(parsed.device, 4, (8,), 1) if parsed.tiny else Plan(parsed.device, parsed.steps, (64, 256, 1024), 5)
    until = time.monotonic() + 60 * parsed.minutes
    name = torch.cuda.get_device_name() if parsed.device == "cuda" else "CPU"
    print(f"{name}, PyTorch {torch.__version__}")
    folder = Path(tempfile.mkdtemp(prefix="ganvas-gpu-"))
    try:
        known = tables(parsed.recipes.split(","), plan, folder)
        for part in parsed.parts.split(","):
            show(part, *known[part], until)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
