"""Network interpolation (Wang et al. 2018, section 3.4): weights between those of two trainings of one network."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


def flat(network: nn.Module) -> Tensor:
    """(N,) float32: all weights and running statistics, one behind the other, in the order of their names' file."""
    return torch.cat([tensor.detach().float().reshape(-1) for tensor in _floats(network.state_dict()).values()])


def unflat(vector: Tensor, network: nn.Module) -> dict[str, Tensor]:
    """What `flat` put together, by name, in the shapes of the network's own; and the rest as the network has it."""
    state = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
    start = 0
    for name, tensor in _floats(state).items():
        state[name] = vector[start : start + tensor.numel()].reshape(tensor.shape).to(tensor.dtype)
        start += tensor.numel()
    return state


def between(one: Mapping[str, Tensor], other: Mapping[str, Tensor], share: float) -> dict[str, Tensor]:
    """(1 - share) * one + share * other of every weight (equation 4)."""
    return {
        name: torch.lerp(tensor.float(), other[name].float(), share) if tensor.is_floating_point() else tensor
        for name, tensor in one.items()
    }


def _floats(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in state.items() if tensor.is_floating_point()}
