"""Sounds: files in a folder or an archive, brought to one rate and one length."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import numpy as np

from ganvas.data.batch import Batch
from ganvas.data.cache import Entry, Places
from ganvas.data.columns import Column, Labels
from ganvas.data.image_files import Files
from ganvas.data.layout import Layout, layout
from ganvas.data.readers import Items, Reader
from ganvas.data.rows import SPLITS, Row, RowStream, Source, split_of, too_few
from ganvas.data.sounds import Sounds
from ganvas.errors import UsageError
from ganvas.options import Parsed, Range
from ganvas.spaces import SOUNDS, WaveSpace
from ganvas.text import shown

if TYPE_CHECKING:
    from torch import Tensor

ENDINGS = frozenset(SOUNDS)
_ENOUGH = 20  # long sounds, of which some can be kept from training whole
_MOST_BYTES = 1 << 36  # of a file that is no member of an archive
_FIELD = r"{([a-z][a-z0-9_]*)}"


class Pattern(Parsed, str):
    """A pattern of names, without their endings: fields in braces and `*` for anything, as in `{digit}_{speaker}_*`. A
    field ends where what follows it in the pattern comes next."""

    metavar = "PATTERN"
    noun = "a pattern of names such as '{digit}_{speaker}_*', with a field at least, none twice"

    def __new__(cls, value: Any) -> Self:
        made = super().__new__(cls, value if isinstance(value, str) else "")
        fields = made.fields
        if (
            not fields
            or len(set(fields)) < len(fields)
            or "wave" in fields
            or set("{}") & set(re.sub(_FIELD, "", made))
        ):
            raise ValueError(value)
        return made

    @property
    def fields(self) -> list[str]:
        return re.findall(_FIELD, self)

    @property
    def label(self) -> str:
        """The field that is the label: one of this name, else the first."""
        return "label" if "label" in self.fields else self.fields[0]

    @property
    def others(self) -> list[str]:
        return [name for name in self.fields if name != self.label]

    def read(self, name: str) -> dict[str, str]:
        """What the name of a file says of each field, the label's under `label`; {} where it does not fit."""
        words = re.split(r"({[a-z][a-z0-9_]*}|\*)", self)
        parts = [".*" if word == "*" else "(.+?)" if word[:1] == "{" else re.escape(word) for word in words]
        found = re.fullmatch("".join(parts), PurePosixPath(name).stem)
        if found is None:
            return {}
        told = dict(zip(self.fields, found.groups(), strict=True))
        return {"label": told.pop(self.label), **told}


@dataclass(frozen=True, kw_only=True)
class WaveReader(Reader):
    """Sounds of one rate and one length, kept in 16 bits: longer ones are cut off, silence follows shorter ones."""

    wants = "a folder or an archive of sound files (.wav, .flac, .ogg, .mp3)"

    rate: Annotated[int | None, Range(1000, 192_000), "samples a second (default: that of most files)"] = None
    seconds: Annotated[
        float | None, Range(0.001, 60), "length of every sound (default: what 19 of 20 files fit into)"
    ] = None
    labels: Annotated[
        Literal["folders", "names"], "what labels are: the folders, or what stands before the first _ in the name"
    ] = "folders"
    label_pattern: Annotated[
        Pattern | None, "labels are a field of the names, as in '{digit}_{speaker}_*'; others are told beside it"
    ] = None
    crops: Annotated[
        Literal["start", "pieces", "random"] | None,
        "of longer sounds: their start, all pieces, or pieces that begin anywhere each time (default: their start)",
    ] = None
    loudness: Annotated[
        Literal["kept", "peak"] | None, "peak brings the largest amplitude of every sound to 0.9 (default: kept)"
    ] = None

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
        """Whether it holds sound files, and no pictures, which then are meant."""
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
        options = {"rate": self.rate, "seconds": self.seconds, "crops": self.crops, "loudness": self.loudness}
        sounds = Sounds(files, names, **options)  # type: ignore[arg-type]
        whole = sounds.crops == "start"
        if whole and len(names) < 2:
            raise too_few(str(files.container.path), len(names), "sound")
        found = layout(names)
        labels, notes = self._labels(names, found, source.name)
        splits, own = found.splits, frozenset(found.splits.values())
        if not whole and not splits and len(names) >= _ENOUGH:
            # Pieces of one recording are alike: what is held out is whole recordings.
            splits, own = {name: split_of(name) for name in names}, frozenset(SPLITS)
        spans: list[int] = []

        def rows() -> Iterator[Row]:
            for item in sounds.items():
                split, label = splits.get(item.file), labels.get(item.file, {})
                if item.sound is None or (self.label_pattern and not label):
                    why = item.reason or f"its name does not fit {self.label_pattern}"
                    yield Row(item.name, None, split=split, reason=why)
                    continue
                kept = np.zeros(sounds.kept.shape, np.int16)
                kept[:, : item.sound.shape[1]] = item.sound
                spans.append(item.sound.shape[1])
                yield Row(item.name, {"wave": kept, **label}, item.digest, split)

        columns: dict[str, Column] = {"wave": sounds.kept, "label": Labels()}
        columns |= {name: Labels() for name in (self.label_pattern.others if self.label_pattern else ())}
        return RowStream(
            columns,
            len(names),
            rows(),
            own,
            lambda: [*found.notes, *notes, *sounds.notes(), *files.container.notes()],
            lambda: {"spans": np.array(spans, np.int64)} if self.crops == "random" else {},
        )

    def columns(self, entry: Entry) -> dict[str, Column]:
        """Without the fields of names that are no label."""
        found = super().columns(entry)
        wave = found["wave"]
        assert isinstance(wave, WaveSpace)
        if self.crops == "random":
            wave = replace(wave, samples=wave.samples // 2)
        return {"wave": wave} | {name: each for name, each in found.items() if name == "label"}

    def items(self, entry: Entry, places: Places) -> Items:
        if self.crops != "random":
            return super().items(entry, places)
        return Crops(entry, places, tuple(self.columns(entry)))

    def _labels(self, names: list[str], found: Layout, source: str) -> tuple[dict[str, dict[str, str]], list[str]]:
        """By the name of a file, its label and the other fields of its name; and notes. Raises UsageError where no name
        fits the pattern."""
        pattern = self.label_pattern or (Pattern("{label}_*") if self.labels == "names" else None)
        if pattern is None:
            return {name: {"label": kind} for name, kind in found.kinds.items()}, found.kind_notes
        if self.label_pattern is None:  # of a name without a _ it is all
            return {name: {"label": PurePosixPath(name).stem.split("_")[0]} for name in names}, []
        told = {name: read for name in names if (read := pattern.read(name))}
        if not told:
            raise UsageError(f"no name in {shown(source)} fits --label-pattern {pattern}: one is {shown(names[0])}")
        return told, []


@dataclass(frozen=True)
class Waves(Batch):
    """wave: (B, channels, samples) float32 in [-1, 1]; label: (B,) int64 class numbers, or None."""

    reader: ClassVar = WaveReader

    wave: Tensor
    label: Tensor | None = None

    def given(self) -> dict[str, Tensor]:
        return {} if self.label is None else {"label": self.label}


@dataclass(frozen=True)
class Crops(Items):
    """The items of one split, each of which begins anywhere: a longer one within what is kept of it, a shorter one
    within its silence. Its seed chooses where; without seeds it is the beginning."""

    def rows(self, indices: np.ndarray, seeds: Sequence[tuple[int, int]] | None) -> dict[str, np.ndarray]:
        found = super().rows(indices, seeds)
        whole = found["wave"]
        length = whole.shape[2] // 2
        if seeds is None:
            return found | {"wave": np.ascontiguousarray(whole[:, :, :length])}
        cut = np.zeros((*whole.shape[:2], length), whole.dtype)
        spans = self.entry.columns["spans"][self.stored_at[indices]]
        for row, span, seed, into in zip(whole, spans.tolist(), seeds, cut, strict=True):
            bits = int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0])
            start = bits % (abs(span - length) + 1)
            if span > length:
                into[:] = row[:, start : start + length]
            else:
                into[:, start : start + span] = row[:, :span]
        return found | {"wave": cut}


def _sounds(source: Files) -> Files:
    return Files(source.container.reading(ENDINGS, _MOST_BYTES), source.name)
