"""Small games for the tests: recipes that run in milliseconds, and data to play them on."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ganvas import Losses, Progress, Recipe, Turn
from ganvas.data.batches import Batch, Images, Points
from ganvas.data.dataset import Data
from ganvas.data.opening import open_data
from ganvas.inputs import Input, Normal
from ganvas.objectives import objective
from ganvas.options import checked, read_options
from ganvas.recipe import play
from ganvas.settings import Settings
from ganvas.training.loop import Training


class Linear(Recipe):
    """A GAN of two linear maps, without batch statistics."""

    accepts = (Images, Points)

    def __init__(self, *, d_steps: int = 1, g_steps: int = 1, unit: str = "steps", lr: float = 0.05) -> None:
        super().__init__()
        self.generator = nn.Linear(3, 2)
        self.discriminator = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
        self.objective = objective("non-saturating")
        self.order: Any = {"d_steps": d_steps, "g_steps": g_steps, "unit": unit}
        self.lr = lr
        self.register_buffer("seen", torch.zeros(()))

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {
            "discriminator": torch.optim.Adam(self.discriminator.parameters(), lr=self.lr, fused=True),
            "generator": torch.optim.RMSprop(self.generator.parameters(), lr=self.lr / 10),
        }

    def turns(self, progress: Progress, batches: Iterator[Batch]) -> Iterator[Turn]:
        moves = {"discriminator": (self.d_losses, self.count), "generator": self.g_losses}
        return play(progress, batches, moves, **self.order)

    def count(self, results: Any) -> None:
        self.seen += len(results.real_logits)

    def d_losses(self, real: Batch) -> Losses:
        fake = self.fake(real)  # no detach: the loop knows who moves
        real_logits, fake_logits = self.discriminator(real.value).squeeze(1), self.discriminator(fake).squeeze(1)
        return Losses(self.objective.discriminator(real_logits, fake_logits), real_logits, fake_logits)

    def g_losses(self, real: Batch) -> Losses:
        fake = self.fake(real)
        return Losses(self.objective.generator(self.discriminator(fake).squeeze(1)))

    def inputs(self) -> dict[str, Input]:
        return {"latent": Normal((3,))}

    def generate(self, *, latent: Tensor) -> Tensor:
        return self.generator(latent)


class Rivals(Recipe):
    """Two generators, each with a discriminator of its own."""

    accepts = (Points,)
    averaged = ("g_a", "g_b")

    def __init__(self, *, lr: float = 0.01) -> None:
        super().__init__()
        self.g_a, self.g_b = nn.Linear(3, 2), nn.Linear(3, 2)
        self.d_a, self.d_b = (nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1)) for _ in range(2))
        self.objective = objective("non-saturating")
        self.lr = lr

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        names = ("d_a", "d_b", "g_a", "g_b")
        return {name: torch.optim.Adam(self.get_submodule(name).parameters(), lr=self.lr) for name in names}

    def turns(self, progress: Progress, batches: Iterator[Batch]) -> Iterator[Turn]:
        batch = next(batches)
        for side in ("a", "b"):
            yield Turn(f"d_{side}", partial(self.d_losses, side), batch)
            yield Turn(f"g_{side}", partial(self.g_losses, side), batch)

    def d_losses(self, side: str, real: Batch) -> Losses:
        return self.objective.d_losses(self.get_submodule(f"d_{side}"), real.value, self.sides(real)[side])

    def g_losses(self, side: str, real: Batch) -> Losses:
        return self.objective.g_losses(self.get_submodule(f"d_{side}"), self.sides(real)[side], real.value)

    def sides(self, real: Batch) -> dict[str, Tensor]:
        latent = self.draw_for(real)["latent"]
        return {"a": self.g_a(latent), "b": self.g_b(latent)}

    def inputs(self) -> dict[str, Input]:
        return {"latent": Normal((3,))}

    def generate(self, *, latent: Tensor) -> Tensor:
        return self.g_b(self.g_a(latent).repeat(1, 2)[:, :3])


def ring() -> Data:
    return open_data("ring", progress=False)


def few_images(n: int = 32, size: int = 8, channels: int = 1, seed: int = 0) -> Data:
    """`n` images, each of one random gray level with a brighter square: easy to learn, not constant."""
    random = np.random.default_rng(seed)
    images = np.repeat(random.integers(0, 128, (n, 1, 1, 1), dtype=np.uint8), size, axis=1)
    images = np.repeat(np.repeat(images, size, axis=2), channels, axis=3)
    images[:, size // 4 : size // 2, size // 4 : size // 2] += 100
    return open_data(images, channels=channels, progress=False)


def training_of(recipe: Recipe | type[Recipe], data: Data, watchers: Any = (), **settings: Any) -> Training:
    """A training of the recipe (a class is made with the data's facts), in float32 on one seed."""
    if isinstance(recipe, type):
        known = {option.name for option in read_options(recipe)}
        torch.manual_seed(0)
        recipe = recipe(**checked(recipe, {k: v for k, v in data.facts().items() if k in known}))
    chosen = {"steps": 10, "batch_size": 16, "precision": "float32", "device": "cpu", **settings}
    return Training(recipe, data, Settings(**chosen), watchers)


def made(recipe: type[Recipe], **arguments: Any) -> Recipe:
    torch.manual_seed(0)
    return recipe(**arguments)


def snapshot(training: Training) -> dict[str, Tensor]:
    """All tensors of a training's state, by file and name."""
    state = training.state()
    return {f"{part}/{k}": v for part in ("model", "averaged", "optimizers", "meter") for k, v in state[part].items()}


def assert_identical(mine: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    """Bit for bit."""
    assert mine.keys() == other.keys()
    different = [name for name in mine if not torch.equal(mine[name], other[name])]
    assert not different, f"not identical: {different}"
