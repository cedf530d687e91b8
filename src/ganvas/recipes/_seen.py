"""What recipes share whose discriminator looks through a pretrained network as well (`networks/projected.py`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

import torch
from torch import Tensor

from ganvas.recipe import Losses

Sees = Annotated[Literal["pixels", "lite0", "lite2"], "what the discriminator looks at besides"]


def over_depths(terms: Callable[..., dict[str, Tensor]], *said: list[Tensor]) -> Tensor:
    """The mean over depths of a player's loss. terms: an objective's, of the logits of each depth in the order of
    `said`, such as `Objective.discriminator` of what the heads say of real and of generated pictures."""
    return torch.stack([Losses(terms(*each)).total() for each in zip(*said, strict=True)]).mean()
