"""What an autoencoder has beside its decoder: an encoder, and the two terms of its loss."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ganvas.networks.plain import Trunk

SLACK = 1e-3
"""The mean square of errors that count no more, as a share of the mean square of what should be there: in pictures
about three levels of 256. Without it the logarithm has no end, and good reconstructions cost the divergence everything.
"""


class Encoder(Trunk):
    """Images (B, C, H, W) in [-1, 1] to a normal distribution of their latent vectors: its mean and the logarithm of
    its variance, (B, latent) each, float32."""

    def __init__(self, *, latent: int, channels: int, size: tuple[int, int], width: int) -> None:
        super().__init__(channels=channels, size=size, width=width)
        self.head = nn.Linear(self.outputs, 2 * latent)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = self.head(self.features(images)[-1].flatten(1)).float().chunk(2, dim=1)
        return mean, log_variance


def unlikeliness(made: Sequence[Tensor], wanted: Sequence[Tensor]) -> Tensor:
    """How unlikely feature maps (B, ...) are where others were made in their place: in nats for each number, the mean
    over all maps and items, each of which counts the same.

    Each map of an item has a normal distribution around what was made, with the deviation under which it is most likely
    (the optimal one of Rybkin et al. 2021, section 3.2), so no weight between errors and divergence is to be chosen,
    and none between maps of different scales.
    """
    nats = []
    for one, other in zip(made, wanted, strict=True):
        errors = (one.float() - other.float()).square().flatten(1).mean(1)
        nats.append((errors + SLACK * other.float().square().flatten(1).mean(1) + 1e-12).log() / 2)
    return torch.stack(nats).mean() + math.log(2 * math.pi * math.e) / 2


def drawn(mean: Tensor, log_variance: Tensor) -> Tensor:
    """From N(mean, variance), so that both get a gradient (Kingma and Welling 2014, section 2.4)."""
    return mean + (log_variance / 2).exp() * torch.randn_like(mean)


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """The Kullback-Leibler divergence of N(mean, variance) from N(0, 1), in nats, of each number (Kingma and Welling
    2014, appendix B)."""
    return (mean.square() + log_variance.exp() - 1 - log_variance) / 2
