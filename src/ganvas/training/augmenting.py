"""What the judges are shown in training: samples as they are, or augmented (`--augment`).

Wherever a recipe's judges see samples (`Recipe.sees`), real or generated, by whichever turn, they see them after the
same operations; nothing else does, so neither what is sampled nor what is scored is ever augmented. The n-th sample of
every call within a turn is changed in the same way: a real one and the generated one beside it, and what a penalty
looks at again. What is drawn is a function of (seed, step, turn, part), as all randomness is, and of nothing else.

Adaptive augmentation (Karras et al. 2020, section 3.1) measures how far the discriminator has learned the training
items by heart: r = E[sign D(real)], over 4 steps. Where that is above a target the probability of each change grows by
a fixed amount, else it shrinks. The amount is such that it takes `--augment-speed` items from 0 to 1, and more than
`--augment-most` it never is, since beyond that augmentations leak into what is generated (section 2.2). Logits without
a dividing line count beside the mean of the generated ones, and of pairs it is the difference that counts.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ganvas import augment
from ganvas.data.dataset import Data
from ganvas.devices import sent
from ganvas.errors import UsageError, near_miss
from ganvas.recipe import Recipe, Results
from ganvas.settings import Settings
from ganvas.text import quoted
from ganvas.training.processes import Processes
from ganvas.training.randomness import hashed

EVERY = 4
"""Steps between two changes of the probability."""

TARGET, SPEED, MOST = 0.6, 500_000, 0.8
"""The paper's: of the sign; items from 0 to 1; and up to where augmentations don't leak in practice."""

Changes = Callable[[int, torch.Size], list[augment.Decided]]
"""What is done to so many samples of this shape."""

_TAG = 0x41554721
"""Sets these draws apart from the others of the same part of a turn."""


class Augmenter:
    """Shows a recipe's judges augmented samples, or does nothing.

    Raises UsageError where the data has no operations, the recipe no judges to show them to, or the settings don't go
    together.
    """

    def __init__(self, recipe: Recipe, data: Data, settings: Settings, device: torch.device) -> None:
        self.how, self.device = settings.augment, device
        self.operations = _operations(recipe, data, settings)
        self.judges = _judges(recipe) if self.how != "none" else []
        self.adapts = self.how == "ada"
        self.target = TARGET if settings.augment_target is None else settings.augment_target
        self.speed = SPEED if settings.augment_speed is None else settings.augment_speed
        self.most = MOST if settings.augment_most is None else settings.augment_most
        self.probability = torch.tensor(0.0 if self.adapts else 1.0, device=device)
        self.heard = torch.zeros(2, device=device)  # the sum of signs, and how many there were
        self.sign = torch.zeros((), device=device)  # their mean before the last change

    @contextmanager
    def showing(self, *numbers: int) -> Iterator[None]:
        """Inside, the judges see augmented samples. numbers: what the draws are a function of."""
        if not self.judges:
            yield
            return
        seed = hashed(*numbers, _TAG)

        @functools.cache
        def changes(count: int, shape: torch.Size) -> list[augment.Decided]:
            draw = sent(augment.drawn(self.operations, count, seed).numpy(), self.device)
            return augment.decided(self.operations, draw, self.probability, shape)

        with ExitStack() as stack:
            for owner, name in self.judges:
                shown = partial(self._shown, getattr(owner, name), changes)
                stack.enter_context(replaced(owner, name, shown))
            yield

    def _shown(self, judge: Any, changes: Changes, samples: Tensor, *others: Any, **named: Any) -> Any:
        done = changes(len(samples), samples.shape[1:])
        return judge(augment.shown(self.operations, samples, done), *others, **named)

    # -- the probability ----------------------------------------------------------------------------------------

    def hear(self, results: Results) -> None:
        """Counts what a judge said of real samples, in this process's parts of a turn."""
        if not self.adapts or results.real_logits is None:
            return
        said = results.real_logits
        if results.scale == "score" and results.fake_logits is not None:
            said = said - results.fake_logits.mean()
        signs = said.sign().sum()
        # Filled there and not sent there: the host would wait for the device at each turn.
        self.heard += torch.stack([signs, torch.full_like(signs, said.numel())])

    def adapt(self, steps: int, batch_size: int, processes: Processes) -> None:
        """Follows what was heard, at every 4th of the steps that are done. Nothing leaves the device."""
        if not self.adapts or steps % EVERY:
            return
        signs, count = processes.sum(self.heard)
        self.sign = torch.where(count > 0, signs / count.clamp(min=1), self.sign)
        change = EVERY * batch_size / self.speed * (self.sign - self.target).sign() * (count > 0)
        self.probability = (self.probability + change).clamp(0, self.most)
        self.heard = torch.zeros_like(self.heard)

    def measured(self) -> dict[str, float]:
        """What is worth a curve (makes the device wait)."""
        if not self.adapts:
            return {}
        return {"augmentation/probability": float(self.probability), "augmentation/sign": float(self.sign)}

    def state(self) -> dict[str, float]:
        """What exact resume needs; {} where nothing changes."""
        if not self.adapts:
            return {}
        signs, count = self.heard.tolist()
        return {"probability": float(self.probability), "sign": float(self.sign), "signs": signs, "count": count}

    def load_state(self, state: Mapping[str, float]) -> None:
        if not self.adapts or not state:
            return
        made = {name: torch.tensor(value, dtype=torch.float32, device=self.device) for name, value in state.items()}
        self.probability, self.sign = made["probability"], made["sign"]
        self.heard = torch.stack([made["signs"], made["count"]])

    def notes(self) -> list[str]:
        """Lines for the plan."""
        if self.how == "none":
            return []
        operations = ", ".join(self.operations)
        if not self.adapts:
            return [f"augmentation: {operations}, of all that judges see"]
        return [
            f"augmentation: {operations}, with a probability that rises where the sign of what is said of real items "
            f"is above {self.target:g} on average, by 1 in {self.speed:,} items, to {self.most:g} at most"
        ]


@contextmanager
def replaced(owner: nn.Module, name: str, value: Any) -> Iterator[None]:
    """Inside, an attribute of the module is another one."""
    had, before = name in vars(owner), vars(owner).get(name)
    vars(owner)[name] = value
    try:
        yield
    finally:
        if had:
            vars(owner)[name] = before
        else:
            del vars(owner)[name]


def _operations(recipe: Recipe, data: Data, settings: Settings) -> augment.Operations:
    """Those that are chosen, or usual, in the order in which they are applied."""
    details = {
        "--augment-operations": (settings.augment_operations, ("diff", "ada")),
        "--augment-target": (settings.augment_target, ("ada",)),
        "--augment-speed": (settings.augment_speed, ("ada",)),
        "--augment-most": (settings.augment_most, ("ada",)),
    }
    for flag, (value, ways) in details.items():
        if value is not None and settings.augment not in ways:
            raise UsageError(f"{flag} goes with {' or '.join(f'--augment {way}' for way in ways)}; add it")
    if settings.augment == "none":
        return {}
    known = data.space.augmentations(settings.augment)
    if not known:
        raise UsageError(f"there are no augmentations of {data.space.noun}: leave out --augment {settings.augment}")
    for name in settings.augment_operations or ():
        if name not in known:
            raise UsageError(
                f"--augment-operations: there is no {quoted(name)} in --augment {settings.augment}"
                f"{near_miss(name, known)}"
            )
    chosen = settings.augment_operations or [name for name, each in known.items() if each.usual]
    operations = {name: each for name, each in known.items() if name in chosen}
    if data.batch_type.answers and (other := [name for name, each in operations.items() if not each.moves]):
        # A judge may see the source beside what is made of it, and only a move does the same to both.
        moving = ",".join(name for name, each in known.items() if each.moves)
        raise UsageError(
            f"{other[0]} would change {data.space.noun} and not what they are made from: choose of those that only "
            f"move, --augment-operations {moving}"
        )
    return operations


def _judges(recipe: Recipe) -> list[tuple[nn.Module, str]]:
    """Where judges see samples: modules and the names of their functions."""
    found: list[tuple[nn.Module, str]] = []
    for path in recipe.sees:
        parent, _, name = path.rpartition(".")
        owner = recipe.get_submodule(parent)
        seeing = getattr(owner, name, None)
        if isinstance(seeing, nn.ModuleList):
            found += [(each, "forward") for each in seeing]
        elif isinstance(seeing, nn.Module):
            found.append((seeing, "forward"))
        elif seeing is not None:
            found.append((owner, name))
    if not found:
        raise UsageError(
            f"{type(recipe).__name__} names nothing that could be shown augmented samples (`sees`): leave out --augment"
        )
    return found
