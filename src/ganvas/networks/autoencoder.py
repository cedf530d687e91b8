"""What an autoencoder has beside its decoder: an encoder, and what it takes for an error."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ganvas.networks.plain import Trunk

_QUICKLY = 10.0
"""Log-deviations are this many times their parameters, which Adam moves by about the learning rate at each step: the
deviation must follow errors that halve in some hundred steps."""


class Encoder(Trunk):
    """Images (B, C, H, W) in [-1, 1] to a normal distribution of their latent vectors: its mean and the logarithm of
    its variance, (B, latent) each, float32."""

    def __init__(self, *, latent: int, channels: int, size: tuple[int, int], width: int) -> None:
        super().__init__(channels=channels, size=size, width=width)
        self.head = nn.Linear(self.outputs, 2 * latent)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = self.head(self.features(images)[-1].flatten(1)).float().chunk(2, dim=1)
        return mean, log_variance


class Likelihood(nn.Module):
    """How unlikely feature maps are that should be others: a normal distribution around each of those made, whose
    deviation is learned, one for all numbers of a map (as the decoder's is in Kingma and Welling 2014, appendix C.2,
    and with one for all as in Rybkin et al. 2021). So no weight between errors and divergence is to be chosen.

    maps: how many there are.
    """

    def __init__(self, maps: int) -> None:
        super().__init__()
        self.deviation = nn.Parameter(torch.full((maps,), -1 / _QUICKLY))

    def forward(self, made: Sequence[Tensor], wanted: Sequence[Tensor]) -> Tensor:
        """Nats for each number, the mean over these maps, of which each counts the same: all, or the first ones."""
        squares = torch.stack(
            [(one.float() - other.float()).square().mean() for one, other in zip(made, wanted, strict=True)]
        )
        log_deviation = _QUICKLY * self.deviation[: len(squares)]
        return (squares * (-2 * log_deviation).exp() / 2 + log_deviation).mean() + math.log(2 * math.pi) / 2


def drawn(mean: Tensor, log_variance: Tensor) -> Tensor:
    """From N(mean, variance), so that both get a gradient (Kingma and Welling 2014, section 2.4)."""
    return mean + (log_variance / 2).exp() * torch.randn_like(mean)


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """The Kullback-Leibler divergence of N(mean, variance) from N(0, 1), in nats, of each number (Kingma and Welling
    2014, appendix B)."""
    return (mean.square() + log_variance.exp() - 1 - log_variance) / 2
