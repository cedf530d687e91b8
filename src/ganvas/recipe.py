"""The contract between a GAN and the loop that trains it.

A recipe is one GAN: its networks, its optimizers, and the order of play. Everything else (devices, precision,
accumulation, averaging, checkpoints, logging) belongs to `training/loop.py`, which learns from each `Turn` who moves
*before* the forward pass and freezes everybody else. A recipe therefore needs no `.detach()`, no `.train()` and no
`.backward()`, and reads like the algorithm in its paper.

Logits are the discriminator's output before any sigmoid. High means real.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar, Literal, final

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ganvas.choosing import Advice, Effort, Enough, Facts
from ganvas.data.batches import Batch
from ganvas.data.dataset import Data
from ganvas.errors import UsageError, near_miss
from ganvas.inputs import Category, Given, Input, Normal, given_of
from ganvas.networks.held import held
from ganvas.options import argument_names, gathering
from ganvas.settings import GENERAL, Settings
from ganvas.text import quoted

Scale = Literal["decision", "score", "pair"]
"""What logits mean. decision: above 0 says real. score: a scale of its own, without a dividing line. pair: differences
of a real and a generated sample's, above 0 where the real one scores higher."""


@dataclass(frozen=True)
class Progress:
    """Where training is when a step begins.

    step: steps finished. items: samples of the data that steps have stood for (step x batch size).
    epoch: passes over the training split that are complete. fraction: of the planned length, 0 to 1.
    """

    step: int
    items: int
    epoch: int
    fraction: float

    @property
    def falling(self) -> float:
        """A factor on learning rates: 1, and in the second half of the planned length falling linearly to 0."""
        return min(1.0, 2 * (1 - self.fraction))


@dataclass(frozen=True)
class Losses:
    """What a turn minimises: the sum of `terms`, each a scalar that carries its weight already.

    The logits that the discriminator gave, (B,) or (B, ...), ride along so that accuracy and mean probability are
    logged without another forward pass; `scale` says what they mean. For an objective that compares pairs they are the
    differences it judges, those of real samples alone.
    kept: samples and the like, (B, ...) each, that `after` gets with the parts joined (for pools and running means).
    logged: scalars that are worth a curve and are not minimised.
    """

    terms: dict[str, Tensor]
    real_logits: Tensor | None = None
    fake_logits: Tensor | None = None
    scale: Scale = "decision"
    kept: dict[str, Tensor] = field(default_factory=dict)
    logged: dict[str, Tensor] = field(default_factory=dict)

    def total(self) -> Tensor:
        return sum(self.terms.values(), start=next(iter(self.terms.values())).new_zeros(()))

    def __or__(self, terms: Mapping[str, Tensor]) -> Losses:
        """The same with more terms."""
        return replace(self, terms={**self.terms, **terms})

    def keeping(self, **kept: Tensor) -> Losses:
        """The same, with samples to keep."""
        return replace(self, kept={**self.kept, **kept})


def together(losses: Mapping[str, Losses]) -> Losses:
    """The losses of several judges as one: each term with its judge's name, as in `real_16x16`, and the logits (B, ...)
    of all side by side, (B, judges, ...)."""
    terms = {f"{term}_{name}": value for name, each in losses.items() for term, value in each.terms.items()}
    real = [each.real_logits for each in losses.values() if each.real_logits is not None]
    fake = [each.fake_logits for each in losses.values() if each.fake_logits is not None]
    judged_real, judged_fake = (torch.stack(each, dim=1) if each else None for each in (real, fake))
    return Losses(terms, judged_real, judged_fake, next(iter(losses.values())).scale)


@dataclass(frozen=True)
class Results:
    """What a turn gave, detached: terms and logged numbers averaged over parts and processes; logits and what was kept
    joined in the order of the batch."""

    terms: dict[str, Tensor]
    real_logits: Tensor | None = None
    fake_logits: Tensor | None = None
    scale: Scale = "decision"
    kept: dict[str, Tensor] = field(default_factory=dict)
    logged: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Turn:
    """One player's update: `optimizer` names who moves, `losses` is called on each part of `batch`.

    `losses` may draw random numbers freely and must change no state; `after`, called once after the update with the
    joined results, is where state (registered buffers) changes.
    """

    optimizer: str
    losses: Callable[[Any], Losses]
    batch: Batch
    after: Callable[[Results], None] | None = None


Batches = Iterator
"""Where turns get their batches from, as in `Batches[Images]`; the next one is the next in the data's order."""

Turns = Generator[Turn, Any, None]
"""A step's turns, in their order. `results = yield turn` gives its `Results`, those of the process's own samples in the
order of the turn's batch: what one turn makes and keeps can be in the batch of the next."""

Optimizers = dict[str, Optimizer]
"""Each player's optimizer, by the player's name."""


class Recipe(nn.Module):
    """Base of every GAN. The keyword-only constructor *is* the configuration; sub-modules are the networks.

    An argument may be a group of arguments (`ganvas.options.Group`): the recipe is then made with them one by one.

    accepts: the batches it can be trained on. averaged: sub-modules that the moving average follows.
    presets: named sets of arguments and training settings (`--preset NAME`).
    training_defaults: training settings that suit this recipe.
    sees: where its judges see samples: networks, lists of them, or functions (`discriminator.features`) whose first
    argument is samples; `--augment` changes them there. () where there is nothing of the kind.
    frozen: sub-modules that are never trained (pretrained features): kept in evaluation mode, out of checkpoints.
    penalties: names of arguments that are weights of penalties on the discriminator's gradients.
    formerly: what arguments were before there were any: a run that was stored without them has these and not the
    defaults of today.

    Where nobody makes a choice, it is made by what a recipe says of itself (`choosing.py`):
    usual_for: the kinds of data that it is taken for where no recipe is named, each with the minutes from which on it
    is the one (0: always). `ganvas recipes` reads it from the text of the file, so the minutes are written as numbers.
    efforts: from the lightest to the heaviest, what can be made lighter or heavier, the usual one changing nothing.
    enough: after how much of the data there is something to look at, where that is known.
    """

    accepts: ClassVar[tuple[type[Batch], ...]] = ()
    averaged: ClassVar[tuple[str, ...]] = ("generator",)
    sees: ClassVar[tuple[str, ...]] = ("discriminator",)
    frozen: ClassVar[tuple[str, ...]] = ()
    presets: ClassVar[dict[str, dict[str, Any]]] = {}
    training_defaults: ClassVar[dict[str, Any]] = {}
    penalties: ClassVar[tuple[str, ...]] = ()
    formerly: ClassVar[dict[str, Any]] = {}
    usual_for: ClassVar[dict[type[Batch], float]] = {}
    efforts: ClassVar[tuple[Effort, ...]] = (Effort(),)
    enough: ClassVar[Enough | None] = None

    def __init_subclass__(cls, **others: Any) -> None:
        super().__init_subclass__(**others)
        if "__init__" in vars(cls):
            _check_names(cls)
            cls.__init__ = gathering(cls.__init__)  # type: ignore[method-assign]

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    @cached_property
    def classes(self) -> int:
        """How many labels `generate` is conditioned on, as `inputs` says; 0 for none."""
        label = self.inputs().get("label")
        return label.count if isinstance(label, Category) else 0

    @cached_property
    def whole_batch(self) -> bool:
        """Whether a loss depends on statistics of the batch, so that splitting would change it: by default where the
        recipe holds anything that says so, such as an objective of averages."""
        held = (*vars(self).values(), *list(self.modules())[1:])
        return any(getattr(each, "whole_batch", False) for each in held)

    def inputs(self) -> dict[str, Input]:
        """What `generate` takes, by name, in the order in which it is drawn."""
        raise NotImplementedError

    def optimizers(self) -> Optimizers:
        """One optimizer for each player. Together they hold every trainable parameter exactly once."""
        raise NotImplementedError

    def turns(self, progress: Progress, batches: Batches[Any]) -> Turns:
        """One step of the game. Each turn is played before the next is asked for."""
        raise NotImplementedError

    def rates(self, progress: Progress) -> dict[str, float]:
        """Factors on each optimizer's learning rate at this moment, by the optimizer's name; 1 where none is given."""
        return {}

    def decays(self, progress: Progress) -> dict[str, float]:
        """Adam's second decay, beta2, of each optimizer at this moment, by the optimizer's name; as it was made where
        none is given."""
        return {}

    @classmethod
    def suited(cls, facts: Facts) -> list[Advice]:
        """Arguments that suit such data better than the defaults, for trainings of which nobody chose them."""
        return []

    def notes(self) -> list[str]:
        """Sentences for the plan that is printed before training, where something may surprise: by default those of the
        networks that have `notes`."""
        return [note for child in self.children() if (notes := getattr(child, "notes", None)) for note in notes()]

    def styles(self) -> dict[str, dict[str, Tensor]]:
        """Sets of weights for the first of `averaged`, by name, where a recipe has more to offer than the last ones."""
        return {}

    def _generate(self, **inputs: Tensor) -> Tensor:
        samples: Tensor = self.get_submodule(self.averaged[0])(**inputs)
        return samples

    generate: Callable[..., Tensor] = _generate
    """Samples in the data's space, of what `inputs` declares by keyword; the same inputs give the same samples. By
    default what the first network of `averaged` makes of them."""

    def applied(self, **inputs: Tensor) -> Tensor:
        """What `Model.transform` makes of something given: by default what `generate` does. A recipe that goes over it
        several times, as for pictures larger than those of its training, says so here."""
        return self.generate(**inputs)

    def alone(self) -> str:
        """What `generate` without `applied` falls short of, in a sentence or two for those who get the network alone,
        as in an ONNX file or a page; "" where it is all there is."""
        return ""

    def for_pieces_of(self, inputs: Mapping[str, Tensor]) -> Recipe:
        """The recipe whose `generate` makes pieces of one large sample, so that they fit together. inputs: of that
        sample, (1, ...) each, what is given made small. By default it shares all weights, and holds the statistics that
        its normalisations have of these inputs (`networks/held.py`); where more depends on the whole, a recipe says so.
        """
        return held(self, lambda own: own.generate(**inputs))

    encode: Callable[[Tensor], dict[str, Tensor]] | None = None
    """Optional: of samples (B, *shape), values by name of some or all of the inputs that would make them. Inversion
    begins there, and a run shows held-out items beside what is made of them (`reconstructed`)."""

    unlikeliness: Callable[[Any], Tensor] | None = None
    """Optional: of a batch, how unlikely each of its items is, (B,) in nats, for recipes that have a likelihood."""

    rivals: Callable[..., dict[str, Tensor]] | None = None
    """Optional: of inputs by keyword as `generate` takes them, what methods that learn nothing make of them, by their
    names. A model that is judged stands beside them."""

    def settle(self) -> None:
        """Works out of the weights what `generate` needs beside them, such as how often what is made, and keeps it in
        buffers that are no part of the state; by default nothing. Called whenever weights are about to be used that
        may be new ones. The same weights give the same, and the global random state stays as it was."""

    @final
    def given(self) -> dict[str, Given]:
        """The inputs that must be given, by name: none where samples need nothing but noise and classes."""
        return given_of(self.inputs())

    @final
    def draw(
        self, n: int, given: Mapping[str, Tensor] | None = None, truncation: float | None = None, first: int = 0
    ) -> dict[str, Tensor]:
        """The inputs of `generate` for `n` samples: those given, (n, ...) each, and the others drawn from the global
        random state.

        truncation: 0 to 1, how far from the mean every normal input lies, 1 being as it is drawn; the same draw stays
        recognisable. first: how many samples came before, so that classes go on in turn. Raises UsageError for an input
        that there is not, one that must be given and is not, and for a truncation where nothing normal is drawn.
        """
        declared, given = self.inputs(), given or {}
        for name in given:
            if name not in declared:
                raise UsageError(f"{type(self).__name__} has no input {quoted(name)}{near_miss(name, declared)}")
        if truncation is not None and not any(isinstance(each, Normal) for each in declared.values()):
            raise UsageError(f"{type(self).__name__} draws no latent vector, so there is nothing to truncate")
        drawn = {}
        for name, each in declared.items():
            try:
                drawn[name] = given[name] if name in given else each.draw(n, self.device, first)
            except UsageError as error:
                raise UsageError(f"{type(self).__name__}: its input {quoted(name)} {error}") from None
        if truncation is None:
            return drawn
        return {name: declared[name].truncated(values, truncation) for name, values in drawn.items()}

    @final
    def draw_for(self, batch: Batch) -> dict[str, Tensor]:
        """The inputs of `generate` for samples that go with this batch: what it gives of them, and the rest drawn."""
        return self.draw(len(batch), self._given_by(batch))

    @final
    def conditions(self, data: Data, n: int) -> dict[str, Tensor]:
        """What is given for `n` samples for show, from held-out items of the data; {} where nothing must be given."""
        wanted = self.inputs() if self.given() else {}
        return {name: each for name, each in data.given(n, self.device).items() if name in wanted} if wanted else {}

    @final
    def fake(self, batch: Batch) -> Tensor:
        """Samples that go with this batch: of its labels, of its pictures to translate."""
        return self.generate(**self.draw_for(batch))

    @final
    def reconstructed(self, batch: Batch) -> Tensor:
        """What is made of the inputs that `encode` finds for the items of this batch; what it does not find, the batch
        gives, or it is drawn. For recipes that have an `encode`."""
        assert self.encode is not None
        return self.generate(**self.draw(len(batch), self._given_by(batch) | self.encode(batch.value)))

    def _given_by(self, batch: Batch) -> dict[str, Tensor]:
        declared = self.inputs()
        return {name: each for name, each in batch.given().items() if name in declared}


def _check_names(recipe: type[Recipe]) -> None:
    """Raises TypeError where an argument has the name of another, or of a flag that all trainings have: one value would
    go to both."""
    general, own = {*Settings.__dataclass_fields__, *GENERAL}, argument_names(recipe.__init__)
    for name in own:
        if name in general:
            raise TypeError(
                f"{recipe.__qualname__}: the argument {name!r} has the name of a flag of all trainings; rename it"
            )
        if own.count(name) > 1:
            raise TypeError(f"{recipe.__qualname__}: two arguments have the name {name!r}; rename one")


Move = Callable[[Any], Losses] | tuple[Callable[[Any], Losses], Callable[[Results], None]]
"""What a player does in its turn: its losses, or these and what follows its update (`Turn.after`)."""


def play(
    progress: Progress,
    batches: Batches[Any],
    moves: Mapping[str, Move],
    *,
    d_steps: int = 1,
    g_steps: int = 1,
    unit: Literal["steps", "epochs"] = "steps",
) -> Turns:
    """The usual order of play, for use in `turns`: each player's moves by its optimizer's name, the generator's last.

    In `steps`, those before the last move `d_steps` times, each time with a fresh batch, then the last `g_steps` times
    with the last of them (it needs its size and labels, at most its real samples to compare with), so an epoch is what
    users expect: one pass of the data before the discriminator. In `epochs`, one side moves alone for whole epochs:
    those before the last for `d_steps` of them, then the last for `g_steps`.
    """

    def turn(player: str, batch: Any) -> Turn:
        move = moves[player]
        losses, after = move if isinstance(move, tuple) else (move, None)
        return Turn(player, losses, batch, after)

    *judges, generator = moves
    if unit == "epochs":
        batch = next(batches)
        movers = judges if progress.epoch % (d_steps + g_steps) < d_steps else [generator]
        yield from (turn(player, batch) for player in movers)
        return
    for _ in range(d_steps):
        batch = next(batches)
        yield from (turn(player, batch) for player in judges)
    for _ in range(g_steps):
        yield turn(generator, batch)


def frozen_networks(recipe: Recipe) -> dict[str, nn.Module]:
    """Pretrained networks that the recipe only reads: those it lists in `frozen`, by name."""
    return {name: recipe.get_submodule(name) for name in recipe.frozen}


def frozen_names(recipe: Recipe) -> set[str]:
    """The names, in `state_dict`, of what frozen networks hold; checkpoints leave them out."""
    return {f"{name}.{key}" for name, module in frozen_networks(recipe).items() for key in module.state_dict()}
