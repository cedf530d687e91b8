"""Sounds: WAV files in a folder or an archive, brought to one rate and one length."""

from __future__ import annotations

import hashlib
import io
import wave
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np

from ganvas.data.batch import Batch
from ganvas.data.columns import Column, Labels
from ganvas.data.decode import Damaged
from ganvas.data.image_files import Files
from ganvas.data.layout import layout
from ganvas.data.readers import Reader
from ganvas.data.rows import Row, RowStream, Source, too_few
from ganvas.errors import DataError
from ganvas.options import Range
from ganvas.spaces import FREE, WaveSpace
from ganvas.text import counted, shown

if TYPE_CHECKING:
    from torch import Tensor

ENDINGS = frozenset({".wav", ".wave"})
STEP = 1024
"""The length that the data decides is a multiple of so many samples."""

_LOOKED_AT = 500  # headers read to decide on a rate and a length
_WHOLE = 0.95  # share of the sounds that are not cut


@dataclass(frozen=True, kw_only=True)
class WaveReader(Reader):
    """Sounds of one rate and one length, kept in 16 bits: longer ones are cut off, silence follows shorter ones."""

    wants = "a folder or an archive of WAV files"

    rate: Annotated[int | None, Range(1000, 192_000), "samples a second (default: that of most files)"] = None
    seconds: Annotated[
        float | None, Range(0.001, 60), "length of every sound (default: what 19 of 20 files fit into)"
    ] = None
    labels: Annotated[
        Literal["folders", "names"], "what labels are: the folders, or what stands before the first _ in the name"
    ] = "folders"

    @classmethod
    def example(cls, folder: Path) -> tuple[str | Path, dict[str, Any]]:
        """40 sounds of 64 samples: a low or a high tone, which begins at any of its phases."""
        import torch

        space = WaveSpace(8000, 64)
        for number in range(40):
            pitch = 500 if number % 2 else 2000
            tone = np.sin(2 * np.pi * (pitch * np.arange(64) / 8000 + number / 40))
            sort = folder / ("low" if number % 2 else "high")
            sort.mkdir(exist_ok=True)
            sound = torch.from_numpy(0.6 * tone).float().reshape(1, 1, 64)
            (sort / f"{number}.wav").write_bytes(space.file(sound))
        return folder, {"seconds": 0.008}

    @classmethod
    def reads(cls, source: Source) -> bool:
        """Whether it holds WAV files, and no pictures, which then are meant."""
        if not isinstance(source, Files) or source.container.holds_any():
            return False
        return _sounds(source).container.holds_any()

    def identity(self, source: Source) -> Any:
        assert isinstance(source, Files)
        return [_sounds(source).identity(), self.options()]

    def read(self, source: Source) -> RowStream:
        assert isinstance(source, Files)
        files = _sounds(source)
        names = files.container.names()
        if len(names) < 2:
            raise too_few(str(files.container.path), len(names), "sound")
        rate, samples = self._form(files, names)
        space = WaveSpace(rate, samples)
        found = layout(names)
        splits = found.splits
        if self.labels == "folders":
            labels, notes = found.kinds, [*found.notes, *found.kind_notes]
        else:
            labels, notes = {name: PurePosixPath(name).stem.split("_")[0] for name in names}, found.notes
        cut = Counter[str]()

        def rows() -> Iterator[Row]:
            for name, content in files.contents(names):
                try:
                    sound = _sound(content, space)
                except Damaged as error:
                    yield Row(name, None, split=splits.get(name), reason=str(error))
                    continue
                cut["long"] += sound.shape[1] > samples
                kept = np.zeros(space.shape, np.int16)
                kept[:, : sound.shape[1]] = sound[:, :samples]
                values: dict[str, np.ndarray | str] = {"wave": kept}
                if name in labels:
                    values["label"] = labels[name]
                yield Row(name, values, hashlib.sha256(content).digest(), splits.get(name))  # type: ignore[arg-type]

        def told() -> list[str]:
            long = (
                [f"{counted(cut['long'], 'sound')} longer than {samples / rate:.3g} s cut off"] if cut["long"] else []
            )
            return [*notes, *long, *files.container.notes()]

        columns: dict[str, Column] = {"wave": space, "label": Labels()}
        return RowStream(columns, len(names), rows(), frozenset(splits.values()), told)

    def _form(self, files: Files, names: list[str]) -> tuple[int, int]:
        """Rate and samples, by the headers of up to 500 files where they are not given."""
        found: list[tuple[int, float]] = []
        if self.rate is None or self.seconds is None:
            for _, content in files.contents(names[:: max(1, len(names) // _LOOKED_AT)]):
                try:
                    with wave.open(io.BytesIO(content if isinstance(content, bytes) else b""), "rb") as file:
                        found.append((file.getframerate(), file.getnframes() / max(file.getframerate(), 1)))
                except (wave.Error, EOFError, ValueError, OverflowError):
                    continue
            if not found:
                raise DataError(f"no sound in {shown(str(files.container.path))} can be read: give {self.wants}")
        rate = self.rate or Counter(each for each, _ in found).most_common(1)[0][0]
        if self.seconds is not None:
            return rate, max(1, round(self.seconds * rate))
        lengths = np.sort([seconds for _, seconds in found])
        usual = float(lengths[min(len(lengths) - 1, int(_WHOLE * len(lengths)))])
        return rate, max(1, -(-int(np.ceil(usual * rate)) // STEP)) * STEP


@dataclass(frozen=True)
class Waves(Batch):
    """wave: (B, channels, samples) float32 in [-1, 1]; label: (B,) int64 class numbers, or None."""

    reader: ClassVar = WaveReader

    wave: Tensor
    label: Tensor | None = None

    def given(self) -> dict[str, Tensor]:
        return {} if self.label is None else {"label": self.label}


def _sounds(source: Files) -> Files:
    return Files(source.container.reading(ENDINGS), source.name)


def _sound(content: bytes | Damaged, space: WaveSpace) -> np.ndarray:
    """(channels, samples) int16 of the file's own length, at the space's rate. Raises Damaged."""
    if isinstance(content, Damaged):
        raise content
    whole = WaveSpace(space.rate, FREE, space.channels)
    try:
        sound = whole.read(content)
    except DataError as error:
        raise Damaged(str(error)) from None
    encoded: np.ndarray = whole.encode(sound)[0].numpy()
    return encoded
