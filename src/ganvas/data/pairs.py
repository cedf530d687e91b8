"""Pairs of pictures: what is given, and what is to be made of it.

They lie as the two halves of one picture, or as files of the same name in two folders or two sources. The two of a pair
must show the same place, or what is learned is how they are shifted: so a pair whose pictures differ in shape is left
out, and a picture among halves that has not the shape of the others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from PIL import Image

from ganvas.data.batch import Batch
from ganvas.data.brought import Brought
from ganvas.data.columns import Column
from ganvas.data.decode import Damaged, decode
from ganvas.data.halves import HALVES, look_halved, may_be_halves, spread
from ganvas.data.image_files import Files
from ganvas.data.layout import Layout, layout
from ganvas.data.readers import Reader, SourceName
from ganvas.data.rows import Row, RowStream, Source, stem_of
from ganvas.data.sources import find_files
from ganvas.errors import DataError, UsageError, near_miss
from ganvas.options import Range, Size2D
from ganvas.spaces import ImageSpace
from ganvas.text import counted, listed, natural, quoted, shown, sized

if TYPE_CHECKING:
    from torch import Tensor

SIDES = ("left", "right")

_ALIKE = 0.02  # by how much the shapes of two pictures may differ that show the same
_SHARED = 0.9  # share of pictures of one shape, from which on another one is a mistake
_AT_ONCE = 1024  # pairs whose first files are held while their second ones are read


@dataclass(frozen=True, kw_only=True)
class PairReader(Reader):
    """Pictures in pairs, each brought to one size and kept as uint8 (H, W, C). Label maps keep their colours."""

    wants = (
        "a folder or an archive of pictures with two halves, or of two folders with the same names in them, or two of "
        "them (--other)"
    )
    shrinks = True

    other: Annotated[SourceName | None, "a second source, which has under the same names what is to be made"] = None
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

    @classmethod
    def recognises(cls, source: Source) -> str:
        """By halves alone: two folders may share their names and be anything."""
        if not isinstance(source, Files):
            return ""
        try:
            names = spread(source.names())
            halved = may_be_halves(source.sizes(names)) and look_halved(source.contents(names))
        except DataError:
            return ""
        return HALVES if halved else ""

    def identity(self, source: Source) -> Any:
        with ExitStack() as stack:
            others = [each.identity() for each in self._others(stack)]
        return [source.identity(), *others, self.options()]

    def read(self, source: Source) -> RowStream:
        assert isinstance(source, Files)
        if self.other is not None:
            return self._of_sources(source)
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
        given = self.given or "right"
        if given not in SIDES:
            raise UsageError(
                f"--given is left or right for pictures of two halves, not {quoted(given)}{near_miss(given, SIDES)}"
            )
        made = next(side for side in SIDES if side != given)
        sizes = source.sizes(names)
        height, width = source.suggested_size(names)
        if self.size is None and width < 1.5 * height:
            raise DataError(
                f"{shown(source.name)} holds pictures of {width} x {height}, which are no two halves side by side, and "
                f"no two folders with the same names: give {self.wants}"
            )
        usual = _usual_shape(sizes)
        brought = Brought(self.size or (height, width // 2), self.channels)

        def rows() -> Iterator[Row]:
            for name, content in source.contents(names):
                try:
                    halves = dict(zip(SIDES, _halves(content, usual), strict=True))
                    values = {"image": brought.fitted(halves[made]), "source": brought.fitted(halves[given])}
                except Damaged as error:
                    yield Row(name, None, split=found.splits.get(name), reason=str(error))
                    continue
                yield Row(name, values, hashlib.sha256(content).digest(), found.splits.get(name))  # type: ignore[arg-type]

        told = [*found.notes, f"given: the {given} half of each picture, to be made: the {made} one"]
        sides = {"image": f"the {made} halves", "source": f"the {given} halves"}
        return _stream(brought, len(names), _taught(rows(), source.name, sides), found.splits, told, [source])

    # -- folders and sources --------------------------------------------------------------------------------------

    def _of_folders(self, source: Files, placed: Layout, kinds: list[str]) -> RowStream:
        given = self.given or kinds[0]
        if given not in kinds:
            raise UsageError(
                f"--given names a folder of {shown(source.name)}, not {quoted(given)}{near_miss(given, kinds)}"
            )
        made = next(kind for kind in kinds if kind != given)
        of_given, of_made = (
            _Side(source, kind, {name: placed.rests[name] for name, own in placed.kinds.items() if own == kind})
            for kind in (given, made)
        )
        splits, notes = (placed.splits, placed.notes) if placed.splits else _splits_below(placed)
        return self._of_sides(source.name, of_given, of_made, splits, notes)

    def _of_sources(self, source: Files) -> RowStream:
        if self.given is not None:
            raise UsageError("what is given lies in --data where there is an --other: change the two to turn it round")
        with ExitStack() as opened:
            (other,) = self._others(opened)
            given, made = (PurePosixPath(files.name).name for files in (source, other))
            if given == made:
                given, made = f"{given} (--data)", f"{made} (--other)"
            placed = layout(other.names())
            stream = self._of_sides(
                f"{given} and {made}",
                _Side(source, given, {name: name for name in source.names()}),
                _Side(other, made, {name: name for name in other.names()}),
                placed.splits,
                placed.notes,
            )
            stack = opened.pop_all()  # the second source stays open for the rows

        def rows(of: Iterator[Row]) -> Iterator[Row]:
            with stack:
                yield from of

        stream.rows = rows(stream.rows)
        return stream

    def _others(self, stack: ExitStack) -> list[Files]:
        """The second source, where it is given."""
        if self.other is None:
            return []
        return [stack.enter_context(closing(find_files(self.other, "pictures", self.wants)))]

    def _of_sides(self, name: str, given: _Side, made: _Side, splits: Mapping[str, str], notes: list[str]) -> RowStream:
        partners = _partners(given, made)
        if not partners:
            raise DataError(
                f"{shown(name)}: no picture in {shown(given.title)} has the name of one in {shown(made.title)}, so "
                "they are no pairs; train on two domains without pairs with cut or cyclegan"
            )
        names = sorted(partners, key=natural)
        brought = Brought(self.size or made.files.suggested_size(names), self.channels)

        def rows() -> Iterator[Row]:
            for start in range(0, len(names), _AT_ONCE):
                some = names[start : start + _AT_ONCE]
                held = dict(given.files.contents([partners[each] for each in some]))
                for each, content in made.files.contents(some):
                    partner = partners[each]
                    called = partner if given.files is made.files else f"{given.title}/{partner}"
                    both = [("", content), (f"{shown(called)}: ", held.pop(partner))]
                    yield _row(each, splits.get(each), both, brought)

        told = [*notes, f"given: {shown(given.title)}, to be made: {shown(made.title)}"]
        for side, own in ((given, set(partners.values())), (made, set(partners))):
            alone = sorted((each for each in side.names if each not in own), key=natural)
            if alone:
                count, first = counted(len(alone), "picture"), listed(map(shown, alone))
                told.append(f"{count} in {shown(side.title)} without a partner left out: {first}")
        sides = {"image": f"the pictures in {shown(made.title)}", "source": f"the pictures in {shown(given.title)}"}
        sources = list(dict.fromkeys((given.files, made.files)))
        return _stream(brought, len(names), _taught(rows(), name, sides), splits, told, sources)


@dataclass(frozen=True)
class Pairs(Batch):
    """image: (B, C, H, W) float32 in [-1, 1], what is to be made; source: (B, C, H, W), what it is made from."""

    reader: ClassVar = PairReader
    answers: ClassVar[bool] = True

    image: Tensor
    source: Tensor

    def given(self) -> dict[str, Tensor]:
        return {"source": self.source}


@dataclass(frozen=True)
class _Side:
    """One side of all pairs. names: of its files, each with what is left of it without what names the side."""

    files: Files
    title: str
    names: Mapping[str, str]


def _stream(
    brought: Brought, total: int, rows: Iterator[Row], splits: Mapping[str, str], notes: list[str], sources: list[Files]
) -> RowStream:
    space = ImageSpace(brought.channels, *brought.size)
    columns: dict[str, Column] = {"image": space, "source": space}

    def told() -> list[str]:
        return [*notes, *brought.notes(), *(note for source in sources for note in source.container.notes())]

    return RowStream(columns, total, rows, frozenset(splits.values()), told)


def _row(name: str, split: str | None, both: Sequence[tuple[str, bytes | Damaged]], brought: Brought) -> Row:
    """both: the files of what is to be made and of what is given, each behind what a reason begins with."""
    pictures, digest = [], hashlib.sha256()
    for begin, content in both:
        try:
            if isinstance(content, Damaged):
                raise content
            pictures.append(decode(content))
            digest.update(hashlib.sha256(content).digest())
        except Damaged as error:
            return Row(name, None, split=split, reason=f"{begin}{error}")
    made, given = pictures
    if not _alike(given.size, made.size):
        reason = f"it is {sized(made.size)}, and what is given for it {sized(given.size)}"
        return Row(name, None, split=split, reason=reason)
    values = {"image": brought.fitted(made.image), "source": brought.fitted(given.image)}
    return Row(name, values, digest.digest(), split)


def _halves(content: bytes | Damaged, usual: float | None) -> tuple[Image.Image, Image.Image]:
    """The left and the right one; of an odd width, the last column of pixels belongs to neither. usual: width by height
    of the pictures, where they have one shape. Raises Damaged."""
    if isinstance(content, Damaged):
        raise content
    picture = decode(content)
    image, half = picture.image, picture.image.width // 2
    if half < 1:
        raise Damaged("too narrow for two halves")
    if usual is not None and not _alike(picture.size, (1, usual)):
        raise Damaged(f"{sized(picture.size)} (height x width), which is not the shape of the others")
    return image.crop((0, 0, half, image.height)), image.crop((half, 0, 2 * half, image.height))


def _usual_shape(sizes: list[tuple[int, int]]) -> float | None:
    """The width by the height that nearly all pictures have, None where there is no such."""
    usual = float(np.median([width / height for height, width in sizes]))
    alike = np.mean([_alike(size, (1, usual)) for size in sizes])
    return usual if alike >= _SHARED else None


def _alike(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """Whether two (height, width) have one shape, up to what rounding to whole pixels makes of it."""
    ratio = one[0] * other[1] / (one[1] * other[0])
    return abs(ratio - 1) <= _ALIKE


def _taught(rows: Iterator[Row], name: str, sides: Mapping[str, str]) -> Iterator[Row]:
    """The rows. Raises DataError behind the last where there is nothing to learn from them: where all pictures of a
    side are the same, or the two of every pair. name: the source's. sides: what they are called, by column."""
    first: Mapping[str, Any] = {}
    same, twins, count = set(sides), True, 0
    for row in rows:
        if row.values is not None:
            first, count = first or row.values, count + 1
            same = {column for column in same if np.array_equal(first[column], row.values[column])}
            twins = twins and np.array_equal(row.values["image"], row.values["source"])
        yield row
    if count < 2:
        return
    if twins:
        raise DataError(f"{shown(name)}: {' and '.join(sides.values())} are the same, so there is nothing to learn")
    if same:
        raise DataError(
            f"{shown(name)}: {sides[min(same)]} are all the same, so there is nothing to learn (16-bit pictures of "
            "small numbers become black: save such in 8 bits)"
        )


def _partners(given: _Side, made: _Side) -> dict[str, str]:
    """By the name of what is to be made, that of what is given for it. By the rule by which most go together."""
    return max((_by(rule, given, made) for rule in (_stem, _stem_without_side)), key=len)


def _by(rule: Callable[[str, str], str], given: _Side, made: _Side) -> dict[str, str]:
    """As `_partners`, by what this rule finds to be the same. Of several files of one side, which differ in their
    endings, the one with the ending of the partner counts."""
    keyed: list[dict[str, list[str]]] = []
    for side in (given, made):
        keyed.append({})
        for name, rest in side.names.items():
            keyed[-1].setdefault(rule(rest, side.title), []).append(name)
    found = {}
    for key in keyed[0].keys() & keyed[1].keys():
        both = [(one, other) for other in keyed[1][key] for one in keyed[0][key]]
        one, other = next((pair for pair in both if len({PurePosixPath(name).suffix for name in pair}) == 1), both[0])
        found[other] = one
    return found


def _stem(rest: str, side: str) -> str:
    return stem_of(rest)


def _stem_without_side(rest: str, side: str) -> str:
    """`1_A` and `1_B` are a pair, as in `trainA/1_A.jpg`."""
    return stem_of(rest).removesuffix(f"_{side}")


def _splits_below(placed: Layout) -> tuple[dict[str, str], list[str]]:
    """Splits, and notes, where they lie below the two folders, as in `labels/train` and `photos/train`."""
    below = layout(placed.rests.values())
    return {name: below.splits[rest] for name, rest in placed.rests.items() if rest in below.splits}, below.notes
