"""Pairs of pictures: what is given, and what is to be made of it.

They lie as the two halves of one picture, or as files of the same name in two folders.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from PIL import Image

from ganvas.data.batch import Batch
from ganvas.data.columns import Column
from ganvas.data.decode import Damaged, decode, fit
from ganvas.data.image_files import Files
from ganvas.data.layout import Layout, layout
from ganvas.data.readers import Reader
from ganvas.data.rows import Row, RowStream, Source, stem_of
from ganvas.errors import DataError, UsageError, near_miss
from ganvas.options import Range, Size2D
from ganvas.spaces import ImageSpace
from ganvas.text import counted, listed, quoted, shown

if TYPE_CHECKING:
    from torch import Tensor

HALVES = ("left", "right")


@dataclass(frozen=True, kw_only=True)
class PairReader(Reader):
    """Pictures in pairs, each brought to one size and kept as uint8 (H, W, C)."""

    wants = "a folder or an archive of pictures with two halves, or of two folders with the same names in them"

    given: Annotated[
        str | None,
        "what is given: the half left or right, or a folder (default: right; the first folder)",
    ] = None
    size: Annotated[Size2D | None, Range(4, 4096), "of both pictures (default: the data decides)"] = None
    channels: Annotated[Literal[1, 3], "1 for gray, 3 for colour"] = 3

    @classmethod
    def example(cls, folder: Path) -> tuple[str | Path, dict[str, Any]]:
        """40 pairs of 16 x 16 pixels: a square to be made in the colours of what is given, turned round."""
        for number in range(40):
            given = np.full((16, 16, 3), 40, np.uint8)
            top, left = number % 5 * 2, number // 5 % 5 * 2
            given[top : top + 6, left : left + 6] = 215
            made = 255 - given
            Image.fromarray(np.concatenate([made, given], axis=1)).save(folder / f"{number}.png")
        return folder, {}

    @classmethod
    def reads(cls, source: Source) -> bool:
        return isinstance(source, Files)

    def read(self, source: Source) -> RowStream:
        assert isinstance(source, Files)
        names = source.names()
        found = layout(names)
        kinds = sorted(set(found.kinds.values()))
        if len(kinds) == 2:
            return self._of_folders(source, found, kinds)
        if kinds:
            raise DataError(
                f"{shown(source.name)} has the folders {listed(map(shown, kinds), 8)}: pairs are two folders with the "
                "same names in them, or pictures of two halves"
            )
        return self._of_halves(source, names, found)

    def facts(self, columns: dict[str, Column]) -> dict[str, Any]:
        return super().facts(columns) | {"source_channels": self.channels}

    # -- halves ---------------------------------------------------------------------------------------------------

    def _of_halves(self, source: Files, names: list[str], found: Layout) -> RowStream:
        splits, given = found.splits, self.given or "right"
        if given not in HALVES:
            raise UsageError(
                f"--given is left or right for pictures of two halves, not {quoted(given)}{near_miss(given, HALVES)}"
            )
        height, width = source.suggested_size(names)
        if self.size is None and width < 1.5 * height:
            raise DataError(
                f"{shown(source.name)} holds pictures of {width} x {height}, which are no two halves side by side, and "
                f"no two folders with the same names: give {self.wants}"
            )
        size = self.size or (height, width // 2)

        def rows() -> Iterator[Row]:
            for name, content in source.contents(names):
                try:
                    left, right = self._halves(content, size)
                except Damaged as error:
                    yield Row(name, None, split=splits.get(name), reason=str(error))
                    continue
                pair = {"image": left, "source": right} if given == "right" else {"image": right, "source": left}
                yield Row(name, pair, hashlib.sha256(content).digest(), splits.get(name))  # type: ignore[arg-type]

        notes = [*found.notes, f"given: the {given} half of each picture"]
        return self._stream(size, len(names), rows(), splits, notes, source)

    def _halves(self, content: bytes | Damaged, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        if isinstance(content, Damaged):
            raise content
        image = decode(content).image
        middle = image.width // 2
        if middle < 1:
            raise Damaged("too narrow for two halves")
        left, right = image.crop((0, 0, middle, image.height)), image.crop((middle, 0, 2 * middle, image.height))
        return fit(left, size, self.channels), fit(right, size, self.channels)

    # -- folders --------------------------------------------------------------------------------------------------

    def _of_folders(self, source: Files, placed: Layout, kinds: list[str]) -> RowStream:
        splits = placed.splits
        given = self.given or kinds[0]
        if given not in kinds:
            raise UsageError(
                f"--given names a folder of {shown(source.name)}, not {quoted(given)}{near_miss(given, kinds)}"
            )
        made = next(kind for kind in kinds if kind != given)
        found = _by_key(placed, kinds, _key)
        if not found[given].keys() & found[made].keys():
            found = _by_key(placed, kinds, _key_without_kind)
        both = [key for key in found[given] if key in found[made]]
        alone = len(found[given]) + len(found[made]) - 2 * len(both)
        if not both:
            raise DataError(
                f"{shown(source.name)}: no picture in {shown(given)} has the name of one in {shown(made)}, so they are "
                "no pairs; train on two domains without pairs with cyclegan"
            )
        size = self.size or source.suggested_size([found[made][key] for key in both])

        def rows() -> Iterator[Row]:
            waiting: dict[str, dict[str, bytes | Damaged]] = {}
            wanted = {name: (key, kind) for kind in kinds for key in both for name in [found[kind][key]]}
            for name, content in source.contents(list(wanted)):
                key, kind = wanted[name]
                held = waiting.setdefault(key, {})
                held[kind] = content
                if len(held) == 2:
                    yield self._row(found[made][key], waiting.pop(key), given, made, size, splits)

        notes = [*placed.notes, f"given: {shown(given)}, to be made: {shown(made)}"]
        if alone:
            notes.append(f"{counted(alone, 'picture')} without a partner left out")
        return self._stream(size, len(both), rows(), splits, notes, source)

    def _row(
        self,
        name: str,
        held: dict[str, bytes | Damaged],
        given: str,
        made: str,
        size: tuple[int, int],
        splits: dict[str, str],
    ) -> Row:
        try:
            pixels, digest = {}, hashlib.sha256()
            for column, kind in (("image", made), ("source", given)):
                content = held[kind]
                if isinstance(content, Damaged):
                    raise content
                digest.update(hashlib.sha256(content).digest())
                pixels[column] = fit(decode(content).image, size, self.channels)
        except Damaged as error:
            return Row(name, None, split=splits.get(name), reason=str(error))
        return Row(name, pixels, digest.digest(), splits.get(name))

    def _stream(
        self,
        size: tuple[int, int],
        total: int,
        rows: Iterator[Row],
        splits: dict[str, str],
        notes: list[str],
        source: Files,
    ) -> RowStream:
        space = ImageSpace(self.channels, *size)
        columns: dict[str, Column] = {"image": space, "source": space}
        return RowStream(columns, total, rows, frozenset(splits.values()), lambda: [*notes, *source.container.notes()])


@dataclass(frozen=True)
class Pairs(Batch):
    """image: (B, C, H, W) float32 in [-1, 1], what is to be made; source: (B, C, H, W), what it is made from."""

    reader: ClassVar = PairReader
    answers: ClassVar[bool] = True

    image: Tensor
    source: Tensor

    def given(self) -> dict[str, Tensor]:
        return {"source": self.source}


def _by_key(found: Layout, kinds: list[str], key: Callable[[str, str], str]) -> dict[str, dict[str, str]]:
    """By folder, the names of its files by what the two of a pair have in common."""
    return {
        kind: {key(found.rests[name], kind): name for name, own in found.kinds.items() if own == kind} for kind in kinds
    }


def _key(rest: str, kind: str) -> str:
    return stem_of(rest)


def _key_without_kind(rest: str, kind: str) -> str:
    """`1_A` and `1_B` are a pair, as in `trainA/1_A.jpg`."""
    return stem_of(rest).removesuffix(f"_{kind}")
