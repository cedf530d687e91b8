"""What holds on a GPU: recipes train there, resume bit for bit, export, and make what the CPU makes; and how fast.

    make bench-gpu            at most 8 minutes; says so and stops where there is no GPU
    python -m benchmarks.gpu --recipes r3gan,dcgan --steps 200

Everything is printed as Markdown tables. Nothing is asserted: a difference is a number here.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import ganvas
from ganvas.api import play, prepare, prepare_resume
from ganvas.data.opening import open_data
from ganvas.recipe import Results
from ganvas.training import Game, Verdict, Watcher, checkpoint

RECIPES = ("r3gan", "dcgan", "wgan-gp")
BATCHES = (64, 256, 1024)


def trained(recipe: str, run: Path, steps: int, **options: Any) -> float:
    """Trains, and returns the seconds that it took."""
    began = time.perf_counter()
    chosen = {"steps": steps, "device": "cuda", "checkpoint_every": 100_000, **options}
    ganvas.train(recipe, data="digits", out=run, quiet=True, **chosen)
    return time.perf_counter() - began


def resumed(recipe: str, folder: Path, steps: int) -> str:
    """Whether half a training, a checkpoint and the other half give what the whole training gives."""
    for name in ("whole", "again"):
        trained(recipe, folder / name, steps)
    trained(recipe, folder / "halves", steps, watchers=[Stop(steps // 2)])
    play(prepare_resume(folder / "halves", quiet=True), quiet=True)
    whole, again, halves = (
        checkpoint.newest(folder / name / "checkpoints")[0] for name in ("whole", "again", "halves")
    )
    assert whole is not None and again is not None and halves is not None
    same, resumed = difference(whole["model"], again["model"]), difference(whole["model"], halves["model"])
    if resumed == 0:
        return "bit for bit"
    return f"differs by {resumed:.2g}, as two trainings that nobody interrupts do by {same:.2g}"


def difference(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    """The largest between two sets of weights."""
    return max(float((tensor.double() - other[name].double()).abs().max()) for name, tensor in one.items())


class Stop(Watcher):
    """Ends a training early, which keeps its planned length."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self.step = step

    def stepped(self, training: Game, results: Mapping[str, Results]) -> Verdict:
        return Verdict.STOP if training.steps_done == self.step else Verdict.CONTINUE


def beside_the_cpu(run: Path) -> float:
    """The largest difference between samples of the GPU and of the CPU, of the same inputs."""
    here, there = ganvas.load(run), ganvas.load(run, device="cuda")
    torch.manual_seed(0)
    drawn = here.recipe.draw(64)
    with torch.no_grad():
        ours = here.recipe.generate(**drawn)
        theirs = there.recipe.generate(**{name: each.to("cuda") for name, each in drawn.items()}).cpu()
    return float((ours - theirs).abs().max())


def speed(recipe: str, batch_size: int, precision: str) -> tuple[float, float]:
    """Items a second over five stretches of 20 steps, the median; and the share of time that waits for data."""
    data = open_data("digits", progress=False)
    options = {"steps": 10_000, "batch_size": batch_size, "precision": precision, "device": "cuda"}
    training = prepare(recipe, data, options).training
    training._train_mode()
    for _ in range(10):
        training.step()
    rates = []
    waited, began_all = training.batches.waiting, time.perf_counter()
    for _ in range(5):
        torch.cuda.synchronize()
        began = time.perf_counter()
        for _ in range(20):
            training.step()
        torch.cuda.synchronize()
        rates.append(20 * training.batch_size / (time.perf_counter() - began))
    share = (training.batches.waiting - waited) / (time.perf_counter() - began_all)
    return statistics.median(rates), share


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", default=",".join(RECIPES))
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--only-exact", action="store_true", help="leave out the speeds")
    parsed = parser.parse_args()
    if not torch.cuda.is_available():
        print("there is no GPU here, so nothing was measured")
        return
    recipes = parsed.recipes.split(",")
    print(f"{torch.cuda.get_device_name()}, PyTorch {torch.__version__}\n")
    print("| recipe | steps | seconds | resumed | GPU beside CPU | ONNX beside PyTorch |\n|---|---|---|---|---|---|")
    folder = Path(tempfile.mkdtemp(prefix="ganvas-gpu-"))
    try:
        for recipe in recipes:
            seconds = trained(recipe, folder / recipe, parsed.steps)
            again = resumed(recipe, folder / f"{recipe}-resumed", parsed.steps)
            beside = beside_the_cpu(folder / recipe)
            exported = ganvas.export(folder / recipe, "onnx", folder / f"{recipe}.onnx")
            row = (recipe, parsed.steps, f"{seconds:.1f}", again, f"{beside:.2g}", f"{exported.difference:.2g}")
            print("| " + " | ".join(map(str, row)) + " |", flush=True)
        if parsed.only_exact:
            return
        print("\n| recipe | batch | precision | items/s | waits for data |\n|---|---|---|---|---|")
        for recipe in recipes:
            for batch_size in BATCHES:
                for precision in ("bf16", "float32"):
                    rate, share = speed(recipe, batch_size, precision)
                    print(f"| {recipe} | {batch_size} | {precision} | {rate:,.0f} | {share:.0%} |", flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
