"""Latent vectors."""

import torch
from torch import Tensor, nn


def normal_latent(n: int, size: int, device: torch.device, truncation: float | None = None) -> Tensor:
    """(n, size) from N(0, 1), or from N(0, 1) cut off at +-truncation (Brock et al. 2019, section 3.1)."""
    latent = torch.empty(n, size, device=device)
    if truncation is None:
        return latent.normal_()
    return nn.init.trunc_normal_(latent, a=-truncation, b=truncation)


def balanced_labels(n: int, classes: int, device: torch.device) -> Tensor:
    """(n,) int64: every class in turn, so that any n samples are as balanced as n allows."""
    return torch.arange(n, device=device) % classes
