"""The contract between a GAN and the loop that trains it.

A recipe is one GAN: its networks, its optimizers, and the order of play. Everything else (devices, precision,
accumulation, averaging, checkpoints, logging) belongs to `training/loop.py`, which learns from each `Turn` who moves
*before* the forward pass and freezes everybody else. A recipe therefore needs no `.detach()`, no `.train()` and no
`.backward()`, and reads like the algorithm in its paper.

Logits are the discriminator's output before any sigmoid. High means real.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ganvas.data.batches import Batch

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class Progress:
    """Where training is when a step begins.

    step: steps finished. images: samples of the data that steps have stood for (step x batch size).
    epoch: passes over the training split that are complete. fraction: of the planned length, 0 to 1.
    """

    step: int
    images: int
    epoch: int
    fraction: float


@dataclass(frozen=True)
class Losses:
    """What a turn minimises: the sum of `terms`, each a scalar that carries its weight already.

    The logits that the discriminator gave, (B,) or (B, ...), ride along so that accuracy and mean probability are
    logged without another forward pass. For an objective that compares pairs they are the differences it judges.
    """

    terms: dict[str, Tensor]
    real_logits: Tensor | None = None
    fake_logits: Tensor | None = None

    def total(self) -> Tensor:
        return sum(self.terms.values(), start=next(iter(self.terms.values())).new_zeros(()))


@dataclass(frozen=True)
class Results:
    """What a turn gave, detached: terms averaged over parts and processes, logits joined in the order of the batch."""

    terms: dict[str, Tensor]
    real_logits: Tensor | None = None
    fake_logits: Tensor | None = None


@dataclass(frozen=True)
class Turn:
    """One player's update: `optimizer` names who moves, `losses` is called on each part of `batch`.

    `losses` may draw random numbers freely and must change no state; `after`, called once behind the update with the
    joined results, is where state (registered buffers) changes.
    """

    optimizer: str
    losses: Callable[[Any], Losses]
    batch: Batch
    after: Callable[[Results], None] | None = None


class Recipe(nn.Module):
    """Base of every GAN. The keyword-only constructor *is* the configuration; sub-modules are the networks.

    accepts: the batches it can be trained on. averaged: sub-modules that the moving average follows.
    presets: named sets of arguments and training settings (`--preset NAME`).
    training_defaults: training settings that suit this recipe.
    frozen: sub-modules that are never trained (pretrained features): kept in evaluation mode, out of checkpoints.
    whole_batch: True when a loss depends on statistics of the batch, so that splitting would change it.
    classes: how many labels `generate` is conditioned on; 0 for none.
    """

    accepts: ClassVar[tuple[type[Batch], ...]] = ()
    averaged: ClassVar[tuple[str, ...]] = ("generator",)
    frozen: ClassVar[tuple[str, ...]] = ()
    presets: ClassVar[dict[str, dict[str, Any]]] = {}
    training_defaults: ClassVar[dict[str, Any]] = {}
    whole_batch: bool = False
    classes: int = 0

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    def optimizers(self) -> dict[str, Optimizer]:
        """One optimizer for each player. Together they hold every trainable parameter exactly once."""
        raise NotImplementedError

    def turns(self, progress: Progress, batches: Iterator[Any]) -> Iterator[Turn]:
        """One step of the game. Each turn is played before the next is asked for."""
        raise NotImplementedError

    def rates(self, progress: Progress) -> dict[str, float]:
        """Factors on each optimizer's learning rate at this moment, by the optimizer's name; 1 where none is given."""
        return {}

    def draw(self, n: int, given: Mapping[str, Any] | None = None) -> dict[str, Tensor]:
        """The inputs of `generate` for `n` samples, from the global random state.

        given: what the caller fixes, and a recipe ignores what it does not know: `label`: (n,) int64 or None;
        `truncation`: where to cut off the latent distribution.
        """
        raise NotImplementedError

    def notes(self) -> list[str]:
        """Sentences for the plan that is printed before training, where something may surprise."""
        return []

    def generate(self, **inputs: Tensor) -> Tensor:
        """Samples in the data's space; the same inputs always give the same samples."""
        raise NotImplementedError


Player = Literal["discriminator", "generator"]


def alternate(
    progress: Progress,
    batches: Iterator[Any],
    *,
    d_steps: int = 1,
    g_steps: int = 1,
    unit: Literal["steps", "epochs"] = "steps",
) -> Iterator[tuple[Player, Any]]:
    """Who moves in this step, and with which batch; for use inside `turns`.

    In `steps`, the discriminator moves `d_steps` times, each time with a fresh batch, then the generator `g_steps`
    times with the last of them (it needs its size and labels, at most its real samples to compare with), so an epoch is
    what users expect: one pass of the data before the discriminator. In `epochs`, one player moves alone for whole
    epochs: the discriminator for `d_steps` of them, then the generator for `g_steps`.
    """
    if unit == "epochs":
        yield ("discriminator" if progress.epoch % (d_steps + g_steps) < d_steps else "generator", next(batches))
        return
    for _ in range(d_steps):
        batch = next(batches)
        yield "discriminator", batch
    for _ in range(g_steps):
        yield "generator", batch


def frozen_networks(recipe: Recipe) -> dict[str, nn.Module]:
    """Pretrained networks that the recipe only reads: those it lists in `frozen`, by name."""
    return {name: recipe.get_submodule(name) for name in recipe.frozen}


def frozen_names(recipe: Recipe) -> set[str]:
    """The names, in `state_dict`, of what frozen networks hold; checkpoints leave them out."""
    return {f"{name}.{key}" for name, module in frozen_networks(recipe).items() for key in module.state_dict()}
