"""What recipes that change attributes share: what is wanted in training, how it is judged and read."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganvas.data.batches import Attributed
from ganvas.networks.attributes import Domains


def targets(domains: Domains, real: Attributed, changed: float) -> tuple[Tensor, Tensor]:
    """Memberships (B, domains) of what the sources have, and of what is wanted of them: each attribute changes with the
    probability `changed`, and stays otherwise."""
    taken = torch.rand(real.present.shape, device=real.device) < changed
    wanted = torch.where(taken & ~real.change.isnan(), real.change, real.present)
    return domains.memberships(real.present), domains.memberships(wanted)


def logits_of(maps: Tensor, memberships: Tensor) -> Tensor:
    """The logits (B, h, w) of pictures as members of their domains, of those of all domains, (B, domains, h, w)."""
    return (maps.float() * memberships[:, :, None, None]).sum(1)


def cycled(back: Tensor, image: Tensor) -> Tensor:
    """How far pictures are from what they were: smooth L1, whose gradient vanishes where nothing is wrong, so that a
    generator that starts as the identity leaves it (beta 0.3)."""
    return functional.smooth_l1_loss(back, image, beta=0.3)


def read(discriminator: nn.Module, domains: Domains, source: Tensor, size: tuple[int, int]) -> Tensor:
    """The attributes (B, K) that a discriminator of pictures of this size reads in others of any size."""
    return domains.read(discriminator(functional.interpolate(source, size=size, mode="bilinear"))[1].float())
