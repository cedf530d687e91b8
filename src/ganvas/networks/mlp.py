"""Fully connected networks."""

import torch
from torch import Tensor, nn


class Maxout(nn.Module):
    """The largest of `pieces` linear functions for each of `outputs` units (Goodfellow et al. 2013, eq. 1 and 2)."""

    def __init__(self, inputs: int, outputs: int, pieces: int) -> None:
        super().__init__()
        self.pieces = pieces
        self.linear = nn.Linear(inputs, outputs * pieces)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs) to (B, outputs)."""
        pieces: Tensor = self.linear(x).unflatten(1, (-1, self.pieces))
        # Not amax, whose gradient is shared out among equals and takes twice as long.
        return pieces.max(2).values


def mlp(inputs: int, hidden: list[int], outputs: int, activation: type[nn.Module] = nn.ReLU) -> nn.Sequential:
    """(B, inputs) to (B, outputs) through `hidden` layers, each followed by `activation`; no activation at the end."""
    layers: list[nn.Module] = []
    for width in hidden:
        layers += [nn.Linear(inputs, width), activation()]
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, outputs))


def one_hot(label: Tensor, classes: int) -> Tensor:
    """(B,) int64 to (B, classes) float32."""
    return torch.nn.functional.one_hot(label, classes).float()
