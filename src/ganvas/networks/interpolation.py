"""Network interpolation (Wang et al. 2018, section 3.4): weights between those of two trainings of one network."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy

import torch
from torch import Tensor, nn


def kept(network: nn.Module) -> nn.Module:
    """A copy of the network that only remembers: all its parameters are buffers, under the same names."""
    copied = deepcopy(network)
    for module in copied.modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            delattr(module, name)
            module.register_buffer(name, parameter.detach())
    return copied


def between(one: Mapping[str, Tensor], other: Mapping[str, Tensor], share: float) -> dict[str, Tensor]:
    """(1 - share) * one + share * other of every weight (equation 4)."""
    return {
        name: torch.lerp(tensor.float(), other[name].float(), share) if tensor.is_floating_point() else tensor
        for name, tensor in one.items()
    }
