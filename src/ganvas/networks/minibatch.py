"""What a discriminator may know of the whole batch."""

import torch
from torch import Tensor, nn


class MinibatchDeviation(nn.Module):
    """One more feature map, constant: how much the samples of this batch differ (Karras et al. 2018, section 3).

    The standard deviation of each feature over the batch, averaged over all of them. A collapsed generator shows at
    once. The number depends on the whole batch, so a recipe that holds this module refuses to split one.
    """

    whole_batch = True

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C + 1, H, W)."""
        # The square root has an infinite slope at 0, where all samples are equal.
        deviation = (features.float().var(0, unbiased=False) + 1e-8).sqrt().mean().to(features.dtype)
        count, _, height, width = features.shape
        return torch.cat([features, deviation.expand(count, 1, height, width)], dim=1)
