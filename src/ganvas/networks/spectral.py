"""Spectral normalisation: a layer's weight divided by its largest singular value (Miyato et al. 2018, section 2.1).

The singular value is estimated by power iteration, Algorithm 1, whose two vectors are state. PyTorch's own version
moves them in every forward pass in training mode, so that two calls within one loss see different weights, and a split
batch others than a whole one. Here a forward pass only reads them, and `advance` takes the one iteration behind each
update of the weights: a recipe calls it in `after`. The vectors are buffers, so checkpoints, resumption and averages
have them.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize
from torch.nn.utils import parametrize

FIRST = 20
"""Iterations at construction, where the vectors begin at random."""

Layer = TypeVar("Layer", bound=nn.Module)


class SpectralNorm(nn.Module):
    """A parametrisation: weight (O, ...) to weight / sigma, where sigma = u' W v of the matrix (O, rest)."""

    left: Tensor
    right: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        matrix = weight.detach().flatten(1)
        self.register_buffer("left", normalize(torch.randn(len(matrix), device=weight.device), dim=0))
        self.register_buffer("right", torch.zeros(matrix.shape[1], device=weight.device))
        for _ in range(FIRST):
            self.advance(weight)

    def forward(self, weight: Tensor) -> Tensor:
        device = weight.device.type  # `meta` knows no autocast
        with torch.autocast(device, enabled=False) if torch.amp.is_autocast_available(device) else nullcontext():
            # Divided by their lengths because a moving average of unit vectors is shorter than one.
            sigma = normalize(self.left, dim=0) @ weight.flatten(1) @ normalize(self.right, dim=0)
            return weight / sigma.clamp(min=1e-12)

    @torch.no_grad()
    def advance(self, weight: Tensor) -> None:
        """One power iteration."""
        matrix = weight.detach().flatten(1).float()
        self.right.copy_(normalize(matrix.T @ self.left, dim=0))
        self.left.copy_(normalize(matrix @ self.right, dim=0))


def spectral_norm(layer: Layer) -> Layer:
    """The layer (linear, convolution or embedding), from now on with its weight normalised."""
    parametrize.register_parametrization(layer, "weight", SpectralNorm(layer.weight))  # type: ignore[arg-type]
    return layer


def advance(network: nn.Module) -> None:
    """One power iteration for each normalised layer; to be called in `after`, when the weights have changed."""
    for holder in network.modules():
        if isinstance(holder, parametrize.ParametrizationList) and isinstance(holder[0], SpectralNorm):
            holder[0].advance(holder.original)
