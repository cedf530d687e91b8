"""Pictures brought to one size, in which label maps keep their colours."""

from __future__ import annotations

import numpy as np
from PIL import Image

from ganvas.data.decode import fit, middle
from ganvas.spaces import by_majority
from ganvas.text import counted


class Brought:
    """Pictures brought to one (height, width) and number of channels, and what there is to say of that."""

    def __init__(self, size: tuple[int, int], channels: int) -> None:
        self.size, self.channels = size, channels
        self._label_maps = 0

    def fitted(self, image: Image.Image) -> np.ndarray:
        """(H, W, C) uint8. A label map keeps its colours."""
        if image.size != self.size[::-1]:
            labels = by_majority(image, self.size, middle(image, self.size))
            self._label_maps += labels is not None
            image = labels or image
        return fit(image, self.size, self.channels)

    def notes(self) -> list[str]:
        """Once the pictures are read."""
        maps = f"{counted(self._label_maps, 'label map')} brought to this size without mixing colours"
        return [maps] if self._label_maps else []
