"""A picture enlarged, reduced and moved as a whole, by as much as is learned."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class Warp(nn.Module):
    """(B, C, H, W) to the same, resampled along straight lines; it starts as the identity.

    The zoom and the shift, for each axis one number, are the same for all pictures, and in parts of half a side, as
    `affine_grid` has them. What comes in from outside is the nearest pixel of the edge.
    """

    def __init__(self) -> None:
        super().__init__()
        self.zoom = nn.Parameter(torch.zeros(2))
        self.shift = nn.Parameter(torch.zeros(2))

    def forward(self, picture: Tensor) -> Tensor:
        theta = torch.cat([torch.diag(torch.exp(-self.zoom)), self.shift[:, None]], dim=1)
        places = functional.affine_grid(theta.expand(len(picture), 2, 3), list(picture.shape), align_corners=False)
        drawn = functional.grid_sample(
            picture.float(), places.float(), mode="bicubic", padding_mode="border", align_corners=False
        )
        return drawn.clamp(-1, 1)
