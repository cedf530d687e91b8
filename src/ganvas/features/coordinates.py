"""Points are their own features."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor

from ganvas.errors import DataError
from ganvas.features.base import Extractor, Features


class Coordinates(Extractor):
    """The identity, for points (B, D) float32."""

    def __init__(self) -> None:
        super().__init__()
        self.name = "coordinates"
        self.weights_hash = hashlib.sha256(b"").hexdigest()
        self.resizing = "points as they are"

    def forward(self, samples: Tensor) -> Features:
        if samples.dtype != torch.float32 or samples.ndim != 2:
            raise DataError(f"coordinates are points (B, D) float32, not {samples.dtype} {tuple(samples.shape)}")
        return Features(samples.clone(), None)
