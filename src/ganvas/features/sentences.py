"""What a sentence model makes of texts, as an extractor."""

from __future__ import annotations

import torch
from torch import Tensor

from ganvas.captions.minilm import sentence_model, weights_hash
from ganvas.features.base import Extractor, Features
from ganvas.spaces import Space


class SentenceFeatures(Extractor):
    """The 384 numbers that all-MiniLM-L6-v2 makes of a text, of unit mean square: near to one another where texts mean
    the same.

    Raises UsageError where the package with its weights is not installed.
    """

    dimensions = 384

    def __init__(self, space: Space) -> None:
        super().__init__()
        self.name, self.space, self.weights_hash = "minilm", space, weights_hash()
        self.resizing = f"{space}, as lines of text"

    def forward(self, samples: Tensor) -> Features:
        lines = self.space.lines(self.space.samples_of(samples))
        with torch.no_grad():
            return Features(sentence_model(self.weights_hash).embed(lines) * self.dimensions**0.5, None)
