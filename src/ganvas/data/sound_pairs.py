"""Sounds in pairs, for vocoders: any sounds will do, since what is given is made here of what is to be made.

It is the sound itself, of which a vocoder sees no more than the mel spectrogram, or the sound at a lower rate, brought
back to its own: what a file of that rate has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np

from ganvas.data.batch import Batch
from ganvas.data.cache import Entry, Places
from ganvas.data.columns import Column, value_space
from ganvas.data.readers import Items
from ganvas.data.rows import Source
from ganvas.data.waves import WaveReader
from ganvas.errors import UsageError
from ganvas.options import Range
from ganvas.spaces import WaveSpace, resampled

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class SoundPairReader(WaveReader):
    """Sounds as `WaveReader` has them, each with what is given of it."""

    low_rate: Annotated[
        int | None,
        Range(1000, 192_000),
        "given are the sounds at so many samples a second (default: as they are)",
    ] = None

    @classmethod
    def reads(cls, source: Source) -> bool:
        return WaveReader.reads(source)

    def identity(self, source: Source) -> Any:
        """What is kept does not depend on what is given."""
        source_id, options = super().identity(source)
        return [source_id, {name: value for name, value in options.items() if name != "low_rate"}]

    def columns(self, entry: Entry) -> dict[str, Column]:
        """Raises UsageError where the lower rate is none."""
        found = super().columns(entry)
        wave = found.pop("wave")
        assert isinstance(wave, WaveSpace)
        if self.low_rate is not None and self.low_rate >= wave.rate:
            raise UsageError(f"--low-rate must be below the sounds' own {wave.rate:,} Hz, not {self.low_rate:,}")
        return {"wave": wave, "source": wave, **found}

    def items(self, entry: Entry, places: Places) -> Items:
        columns = self.columns(entry)
        space = value_space(columns)
        assert isinstance(space, WaveSpace)
        whole = replace(super().items(entry, places), columns=tuple(name for name in columns if name != "source"))
        return Lowered(entry, places, tuple(columns), whole, space.rate, self.low_rate)

    def facts(self, columns: dict[str, Column]) -> dict[str, Any]:
        return super().facts(columns) | {"low_rate": self.low_rate or 0}


@dataclass(frozen=True)
class SoundPairs(Batch):
    """wave: (B, channels, samples) float32 in [-1, 1], what is to be made; source: the same or a poorer one of the same
    rate and length, which is given; label: (B,) int64 class numbers, or None."""

    reader: ClassVar = SoundPairReader
    answers: ClassVar[bool] = True

    wave: Tensor
    source: Tensor
    label: Tensor | None = None

    def given(self) -> dict[str, Tensor]:
        return {"source": self.source}


@dataclass(frozen=True)
class Lowered(Items):
    """Other items beside what is given of them."""

    whole: Items
    rate: int
    low_rate: int | None

    def rows(self, indices: np.ndarray, seeds: Sequence[tuple[int, int]] | None) -> dict[str, np.ndarray]:
        found = self.whole.rows(indices, seeds)
        given = found["wave"]
        if self.low_rate is not None:
            given = np.stack([[lowered(each, self.rate, self.low_rate) for each in sound] for sound in given])
        return found | {"source": given}


def lowered(sound: np.ndarray, rate: int, low: int) -> np.ndarray:
    """(N,) int16 at a rate, brought to a lower one and back: (N,) int16."""
    poor = resampled(resampled(sound.astype(np.float32), rate, low), low, rate)[: len(sound)]
    kept: np.ndarray = poor.round().clip(-32768, 32767).astype(np.int16)
    return kept
