"""What every extractor is: a frozen network that turns samples into vectors which can be compared."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ganvas.errors import DataError


class Features(NamedTuple):
    """features: (B, D) float32. logits: (B, K) float32 before any softmax, or None where the extractor has none."""

    features: Tensor
    logits: Tensor | None


class Extractor(nn.Module):
    """A frozen network: calling it on samples gives `Features`.

    name: as scores carry it (`FID[lite0]`). weights_hash: SHA-256 of its weights, hexadecimal. resizing: one sentence
    on how samples are resized and scaled. dimensions: D, or 0 where the samples decide it. precision: what it computes
    in. Nothing in it is trainable and it stays in evaluation mode, so a recipe may hold it among its `frozen` networks.
    """

    name: str
    weights_hash: str
    resizing: str
    dimensions: int = 0
    precision: str = "float32"

    def train(self, mode: bool = True) -> Extractor:
        return super().train(False)

    def forward(self, samples: Tensor) -> Features:
        """Features of a batch in its data's own form, as ordinary tensors on the CPU's or the extractor's device.

        samples: images (B, C, H, W) uint8 with 1 or 3 channels, any size; an extractor of points takes (B, D) float32.
        Raises DataError for samples of another kind.
        """
        raise NotImplementedError

    def __call__(self, samples: Tensor) -> Features:
        found: Features = super().__call__(samples)
        return found


class ImageExtractor(Extractor):
    """An extractor of images. Sub-classes say how levels become the network's input, that input feature maps, and
    pooled features logits."""

    def prepare(self, levels: Tensor) -> Tensor:
        """The network's input, from levels (B, 1 or 3, H, W) float32 in [0, 255]."""
        raise NotImplementedError

    def maps_of(self, prepared: Tensor) -> list[Tensor]:
        """Feature maps (B, C, H, W) from shallow to deep; the features are the last one, pooled."""
        raise NotImplementedError

    def classify(self, features: Tensor) -> Tensor:
        """Logits (B, K) of features (B, D)."""
        raise NotImplementedError

    def forward(self, samples: Tensor) -> Features:
        if samples.dtype != torch.uint8 or samples.ndim != 4 or samples.shape[1] not in (1, 3):
            raise DataError(
                f"{self.name} looks at images (B, 1 or 3, H, W) of 8 bits, not {samples.dtype} {tuple(samples.shape)}"
            )
        with torch.inference_mode():
            found = self._of_levels(samples.to(self.device).float())
        # Tensors made in inference mode can never take part in a training; copies can.
        return Features(found.features.clone(), None if found.logits is None else found.logits.clone())

    def _of_levels(self, levels: Tensor) -> Features:
        return self._pooled(self.maps_of(self.prepare(levels))[-1])

    def look(self, images: Tensor) -> Features:
        """The same of float images (B, 1 or 3, H, W) in [-1, 1], differentiable with respect to them, in float32."""
        return self._pooled(self.maps(images)[-1])

    def maps(self, images: Tensor) -> list[Tensor]:
        """Feature maps (B, C, H, W), from shallow to deep, of float images in [-1, 1]; differentiable likewise."""
        return self.maps_of(self.prepare((images + 1) * 127.5))

    def _pooled(self, deepest: Tensor) -> Features:
        features = deepest.mean((2, 3))
        return Features(features, self.classify(features))

    @property
    def device(self) -> torch.device:
        return next(iter(self.parameters())).device
