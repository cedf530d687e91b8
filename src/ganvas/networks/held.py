"""Networks that make a large picture piece by piece, though their normalisations look at the whole of it.

Group and instance normalisation take means and variances over all places of a sample, so that a piece alone would be
normalised in another way than its neighbour, and a seam would show. Here they are taken once, where the network looks
at the whole picture made small, and held for all pieces: what is left is a network that sees so far and no further.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

NORMALISATIONS = (nn.GroupNorm, nn.InstanceNorm1d, nn.InstanceNorm2d)


Network = TypeVar("Network", bound=nn.Module)


def held(network: Network, look: Callable[[Network], object]) -> Network:
    """A copy that shares all weights, and whose normalisations are as they were when `look` ran it on one sample: each
    a fixed scale and shift for every channel. The network itself where it has none, or `look` uses none of them."""
    if not any(isinstance(module, NORMALISATIONS) for module in network.modules()):
        return network
    fixed: dict[str, Held] = {}
    copied = copy.deepcopy(network, {id(each): each for each in (*network.parameters(), *network.buffers())})
    hooks = [
        module.register_forward_pre_hook(partial(_remember, fixed, name))
        for name, module in copied.named_modules()
        if isinstance(module, NORMALISATIONS)
    ]
    look(copied)
    for hook in hooks:
        hook.remove()
    for name, module in fixed.items():
        parent, _, child = name.rpartition(".")
        setattr(copied.get_submodule(parent), child, module)
    return copied


class Held(nn.Module):
    """x * scale + shift: a normalisation (B, C, ...) whose means and variances, those of `seen` (1, C, ...), stay."""

    def __init__(self, norm: nn.Module, seen: Tensor) -> None:
        super().__init__()
        channels = seen.shape[1]
        groups = norm.num_groups if isinstance(norm, nn.GroupNorm) else channels
        parts = seen.double().reshape(int(groups), -1)
        deviation = (parts.var(1, correction=0) + norm.eps).sqrt()  # type: ignore[operator]
        mean, deviation = (each.repeat_interleave(channels // int(groups)) for each in (parts.mean(1), deviation))
        weight: Any = 1.0 if norm.weight is None else norm.weight.double()
        bias: Any = 0.0 if norm.bias is None else norm.bias.double()
        sides = (1, channels, *(1 for _ in seen.shape[2:]))
        self.register_buffer("scale", (weight / deviation).to(seen.dtype).reshape(sides))
        self.register_buffer("shift", (bias - mean * weight / deviation).to(seen.dtype).reshape(sides))

    def forward(self, x: Tensor) -> Tensor:
        return torch.mul(x, self.get_buffer("scale")).add_(self.get_buffer("shift"))


def _remember(fixed: dict[str, Held], name: str, norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    if name not in fixed:
        fixed[name] = Held(norm, inputs[0].detach())
