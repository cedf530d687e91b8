"""The state of a training: everything that exact resume needs, out of it and back into it.

State is five groups of tensors and plain values, each by name: `model` (weights and buffers), `averaged`, `optimizers`
(their moments, as player/parameter/slot), `meter`, and `values` (step, data position, watchers' memories, ...).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ganvas.training.augmenting import Augmenter
from ganvas.training.watcher import Game, Watcher


class Stateful(Game, Protocol):
    """A training as its state is taken from it and put back into it."""

    frozen: set[str]
    watchers: list[Watcher]
    seconds: float
    step_scale: float
    roll_backs: int
    augmenter: Augmenter


def capture(training: Stateful) -> dict[str, Any]:
    """A copy of the state, which later steps leave as it is."""
    recipe = training.recipe
    names = {id(parameter): name for name, parameter in recipe.named_parameters()}
    moments = {
        f"{player}/{names[id(parameter)]}/{slot}": torch.as_tensor(value).detach().clone()
        for player, optimizer in training.optimizers.items()
        for parameter, slots in optimizer.state.items()
        for slot, value in slots.items()
        if value is not None
    }
    return {
        "model": {n: t.detach().clone() for n, t in recipe.state_dict().items() if n not in training.frozen},
        "averaged": {n: t.detach().clone() for n, t in training.averaged.state_dict().items()},
        "optimizers": moments,
        "meter": training.meter.state(),
        "values": {
            "step": training.steps_done,
            "position": training.batches.position,
            "seconds": training.elapsed(),
            "step_scale": training.step_scale,
            "roll_backs": training.roll_backs,
            **({"augmentation": kept} if (kept := training.augmenter.state()) else {}),
            "watchers": {name: copy.deepcopy(watcher.state) for name, watcher in named(training.watchers).items()},
        },
    }


def restore(training: Stateful, state: dict[str, Any]) -> None:
    """Puts back what `capture` gave (the watchers' memories excepted, which `Training.restore_watchers` hands out)."""
    with torch.no_grad():
        for name, tensor in training.recipe.state_dict().items():
            if name not in training.frozen:
                tensor.copy_(state["model"][name])
        for name, tensor in training.averaged.state_dict().items():
            tensor.copy_(state["averaged"][name])
        parameters = dict(training.recipe.named_parameters())
        for optimizer in training.optimizers.values():
            optimizer.state.clear()
        for key, value in state["optimizers"].items():
            player, name, slot = key.split("/")  # none of the three can contain a slash
            optimizer, parameter = training.optimizers[player], parameters[name]
            optimizer.state[parameter][slot] = _placed(value, slot, parameter, optimizer)
    training.meter.load_state(state["meter"])
    values = state["values"]
    training.steps_done, training.batches.position = values["step"], values["position"]
    training.step_scale, training.roll_backs = values["step_scale"], values["roll_backs"]
    training.seconds = values["seconds"]
    training.augmenter.load_state(values.get("augmentation", {}))


def _placed(value: Tensor, slot: str, parameter: nn.Parameter, optimizer: Optimizer) -> Tensor:
    """A slot of an optimizer, on its device and in its layout.

    A moment is made like the parameter and not like the file: with other strides than its weight's, a fused optimizer
    computes something else without an error. The step count is on the device only where the optimizer is fused.
    """
    if slot == "step":
        group = next(g for g in optimizer.param_groups if any(p is parameter for p in g["params"]))
        on_device = group.get("fused") or group.get("capturable")
        return value.to(parameter.device if on_device else "cpu", copy=True)
    if value.shape == parameter.shape:
        return torch.empty_like(parameter, dtype=value.dtype).copy_(value)
    return value.to(parameter.device, copy=True)


def named(watchers: Sequence[Watcher]) -> dict[str, Watcher]:
    """Watchers by class, so that each finds its memory again whoever else is watching then."""
    found: dict[str, Watcher] = {}
    for watcher in watchers:
        kind = type(watcher).__name__
        alike = sum(name.partition("#")[0] == kind for name in found)
        found[f"{kind}#{alike}" if alike else kind] = watcher
    return found
