"""The exponential moving average of weights (EMA), which is what a trained generator samples with."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from ganvas.recipe import Recipe


class MovingAverage(dict[str, nn.Module]):
    """Averaged copies of the sub-modules that a recipe lists in `averaged`, by name (`generator`, `nets.generator`);
    none of them where `half_life` is 0.

    half_life: in items, so that it means the same for every batch size. It grows with training up to what was asked
    for and never exceeds a twentieth of what has been seen, so the random start is forgotten soon.
    """

    def __init__(self, recipe: Recipe, half_life: float) -> None:
        followed = recipe.averaged if half_life else ()
        super().__init__({name: copy.deepcopy(recipe.get_submodule(name)).requires_grad_(False) for name in followed})
        self.half_life = half_life
        self._slow: list[Tensor] = []
        self._fast: list[Tensor] = []
        self._counters: list[tuple[Tensor, Tensor]] = []
        for name, module in self.items():
            live = recipe.get_submodule(name).state_dict()
            for key, mine in module.state_dict().items():
                if mine.is_floating_point():  # weights, and BatchNorm's running statistics
                    self._slow.append(mine)
                    self._fast.append(live[key])
                else:
                    self._counters.append((mine, live[key]))

    def state_dict(self) -> dict[str, Tensor]:
        """All averaged tensors, by the names that they have in the recipe's own."""
        return {f"{name}.{key}": each for name, module in self.items() for key, each in module.state_dict().items()}

    def follow(self, items: int, batch_size: int) -> None:
        """One step: items have been seen in all, `batch_size` of them in this step."""
        if not self._slow:
            return
        half_life = min(self.half_life, items / 20)
        with torch.no_grad():
            torch._foreach_lerp_(self._slow, self._fast, 1 - 0.5 ** (batch_size / half_life))
            for mine, live in self._counters:
                mine.copy_(live)


def put_submodule(module: nn.Module, name: str, replacement: nn.Module) -> None:
    """Makes `replacement` the sub-module of that name, which may have dots in it."""
    parent, _, last = name.rpartition(".")
    setattr(module.get_submodule(parent), last, replacement)
