"""How quick translation without pairs trains, beside a plain PyTorch loop with the same networks.

    python -m benchmarks.translate_speed [--rounds 8] [--side 64] [--batch 4]

Sides take turns in one process, a step each: `plain` is CycleGAN's loop as its authors have it (Zhu et al. 2017), with
the same networks, weights and losses, in float32, contiguous memory, ordinary Adam, pools in memory, and pictures made
once a step; `cyclegan` and `cut` are Ganvas as it trains by default, which is bf16 autocast where the hardware
multiplies bf16 natively. Reported are medians, and the median of the ratios within a round. Targets are printed, not
asserted: the numbers are the machine's.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import tempfile
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import mse_loss, smooth_l1_loss
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.throughput import alternate
from ganvas.api import prepare
from ganvas.data.batches import Unpaired
from ganvas.data.opening import open_data
from ganvas.networks.spectral import advance
from ganvas.recipes.cyclegan import CycleGAN
from ganvas.training import Training

ITEMS = 128


def plain_loop(recipe: CycleGAN, images: Tensor, batch: int) -> Iterator[None]:
    """Each `next` is a step: both generators, then each discriminator on what these made, through its pool."""
    to_b, to_a, judge_a, judge_b = (
        deepcopy(each).to(memory_format=torch.contiguous_format).requires_grad_(True)
        for each in (recipe.to_b, recipe.to_a, recipe.judge_a, recipe.judge_b)
    )
    settings = {"lr": 2e-4, "betas": (0.5, 0.999)}
    generators = torch.optim.Adam([*to_b.parameters(), *to_a.parameters()], **settings)  # type: ignore[arg-type]
    judges = torch.optim.Adam([*judge_a.parameters(), *judge_b.parameters()], **settings)  # type: ignore[arg-type]
    loader = DataLoader(TensorDataset(images, images.flip(0)), batch, shuffle=True, drop_last=True)
    pools: tuple[list[Tensor], list[Tensor]] = ([], [])

    def pooled(pool: list[Tensor], fakes: Tensor) -> Tensor:
        shown = []
        for fake in fakes.detach():
            if len(pool) < recipe.pool:
                pool.append(fake)
                shown.append(fake)
            elif random.random() < 0.5:
                place = random.randrange(recipe.pool)
                shown.append(pool[place])
                pool[place] = fake
            else:
                shown.append(fake)
        return torch.stack(shown)

    def loss(logits: Tensor, target: float) -> Tensor:
        return mse_loss(logits, torch.full_like(logits, target))

    while True:
        for a, b in loader:
            for judge in (judge_a, judge_b):
                judge.requires_grad_(False)
            generators.zero_grad()
            fake_b, fake_a = to_b(a), to_a(b)
            cycle = smooth_l1_loss(to_a(fake_b), a) + smooth_l1_loss(to_b(fake_a), b)
            (loss(judge_b(fake_b), 1) + loss(judge_a(fake_a), 1) + recipe.cycle * cycle).backward()
            generators.step()
            judges.zero_grad()
            for judge, pool, real, fake in ((judge_a, pools[0], a, fake_a), (judge_b, pools[1], b, fake_b)):
                judge.requires_grad_(True)
                (0.5 * (loss(judge(real), 1) + loss(judge(pooled(pool, fake)), 0))).backward()
            judges.step()
            advance(judge_a)
            advance(judge_b)
            yield


def sides(folder: Path, side: int, batch: int) -> dict[str, Callable[[], object]]:
    """A step of each."""
    os.environ["GANVAS_CACHE"] = str(folder / "cache")
    pixels = np.random.default_rng(0).integers(0, 256, (2, ITEMS, side, side, 3), dtype=np.uint8)
    for name, rows in zip("ab", pixels, strict=True):
        (folder / name).mkdir()
        for number, row in enumerate(rows):
            Image.fromarray(row).save(folder / name / f"{number}.png")
    data = open_data(folder, Unpaired, size=(side, side), progress=False)
    options = {"batch_size": batch, "steps": 1_000_000}

    def training(name: str, **more: object) -> Training:
        return prepare(name, data, options | more).training

    trainings = {"cyclegan": training("cyclegan"), "cyclegan, float32": training("cyclegan", precision="float32")}
    trainings |= {"cut, fold 1": training("cut", fold=1), "cut": training("cut")}
    recipe = trainings["cyclegan"].recipe
    assert isinstance(recipe, CycleGAN)
    loop = plain_loop(recipe, torch.from_numpy(pixels[0]).permute(0, 3, 1, 2).contiguous().float() / 127.5 - 1, batch)
    return {"plain": lambda: next(loop)} | {name: each.step for name, each in trainings.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--batch", type=int, default=4)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        steps = sides(Path(folder), arguments.side, arguments.batch)
        taken = alternate(steps, arguments.rounds)
    size = f"{arguments.side}x{arguments.side}, batches of {arguments.batch}, {torch.get_num_threads()} threads"
    print(f"{size}; torch {torch.__version__}; medians of {arguments.rounds} rounds")
    for name, seconds in taken.items():
        ratio = statistics.median(p / t for p, t in zip(taken["plain"], seconds, strict=True))
        target = {"cyclegan": "target >= 1.5, without bf16 units 1.0", "cut": "target: above cyclegan"}.get(name, "")
        print(f"  {name:<20}{1000 * statistics.median(seconds):8.0f} ms a step{ratio:8.2f} x plain   {target}".rstrip())


if __name__ == "__main__":
    main()
