"""Captions as data: the numbers that an encoder makes of a text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from PIL import Image

from ganvas.captions import Encoder, encoder_from_json
from ganvas.spaces.base import GAP, Space

if TYPE_CHECKING:
    import torch
    from torch import Tensor

_CELL = 4
_SAME = 1e-3  # how far two encodings of one text may be apart


@dataclass(frozen=True)
class CaptionSpace(Space):
    """Captions, encoded. examples: some of those that the data has, as they are written there."""

    kind = "captions"
    noun = "captions"
    encoder: Encoder
    examples: tuple[str, ...]

    @property
    def shape(self) -> tuple[int]:
        return (self.encoder.size,)

    def __str__(self) -> str:
        return f"captions encoded by {self.encoder.name} as {self.encoder.size} numbers"

    def facts(self) -> dict[str, Any]:
        return {"captions": {"encoder": self.encoder.to_json(), "examples": list(self.examples)}}

    @classmethod
    def of_config(cls, fields: Mapping[str, Any]) -> Self:
        return cls(encoder_from_json(fields["encoder"]), tuple(map(str, fields["examples"])))

    def stored(self) -> tuple[np.dtype[Any], tuple[int, ...]]:
        return self.encoder.stored()

    def decode(self, rows: np.ndarray, device: torch.device | str = "cpu") -> Tensor:
        return self.encoder.decode(rows, device)

    def words(self, samples: Tensor) -> list[str]:
        """Each caption, where it is one of the examples; else its words, or the nearest example, as its encoder has
        it."""
        known = self.encoder.encode(self.examples).to(samples) if self.examples else samples[:0]
        return [self._told(sample, known) for sample in samples]

    def _told(self, sample: Tensor, known: Tensor) -> str:
        apart = (known - sample).abs().amax(1)
        if len(apart) and float(apart.min()) < _SAME:
            return self.examples[int(apart.argmin())]
        if self.encoder.bag:
            return " · ".join(word for word, number in zip(self.encoder.bag, sample.tolist(), strict=True) if number)
        return f"like: {self.examples[int((known - sample).square().sum(1).argmin())]}" if len(known) else ""

    def show(self, samples: Tensor, columns: int | None = None, gap: int = GAP) -> Image.Image:
        """A row of gray cells for each caption, from black at -1 to white at 1 (`columns` and `gap` do not apply)."""
        levels = ((samples.detach().float().cpu().clamp(-1, 1) + 1) * 127.5).round().byte().numpy()
        return Image.fromarray(levels.repeat(_CELL, 0).repeat(_CELL, 1))
