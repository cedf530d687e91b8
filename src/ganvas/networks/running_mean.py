"""A mean over the samples of a training, as state."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class RunningMean(nn.Module):
    """Means (rows, size), one for each class: of the first batches the plain mean, then an exponential moving average.

    decay: of that average. A recipe calls `follow` in `after`, never in a loss.
    """

    value: Tensor
    seen: Tensor

    def __init__(self, rows: int, size: int, decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.register_buffer("value", torch.zeros(rows, size))
        self.register_buffer("seen", torch.zeros(rows, 1, dtype=torch.int64))

    def follow(self, values: Tensor, rows: Tensor | None = None) -> None:
        """values: (B, size) of one batch; rows: (B,) int64, whose mean each goes into, by default the first one's."""
        values = values.detach().to(self.value)
        rows = values.new_zeros(len(values), dtype=torch.int64) if rows is None else rows
        counts = self.value.new_zeros(len(self.value), 1).index_add_(0, rows, values.new_ones(len(values), 1))
        means = torch.zeros_like(self.value).index_add_(0, rows, values) / counts.clamp(min=1)
        met = (counts > 0).to(self.seen.dtype)
        share = met / (self.seen + 1).clamp(max=round(1 / (1 - self.decay)))
        self.value.lerp_(means, share.to(self.value))
        self.seen.add_(met)
