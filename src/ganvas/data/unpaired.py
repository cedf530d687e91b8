"""Two domains of pictures without pairs: two folders, `trainA`, `trainB` and the like, or two sources."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, get_args

import numpy as np
from PIL import Image

from ganvas.data.batch import Batch
from ganvas.data.brought import Brought
from ganvas.data.cache import Entry, Places
from ganvas.data.columns import Column, Labels
from ganvas.data.decode import Damaged, decode
from ganvas.data.image_files import Files
from ganvas.data.layout import Layout, layout
from ganvas.data.matching import Looking, Looks
from ganvas.data.readers import Items, Reader, SourceName
from ganvas.data.rows import SPLITS, Row, RowStream, Source, stem_of
from ganvas.data.sources import find_files
from ganvas.errors import DataError, UsageError, near_miss
from ganvas.options import Range, Size2D
from ganvas.spaces import ImageSpace
from ganvas.text import counted, listed, natural, quoted, shown

if TYPE_CHECKING:
    from torch import Tensor

_LOOKS: tuple[Looks, ...] = get_args(Looks)


@dataclass(frozen=True, kw_only=True)
class UnpairedReader(Reader):
    """Pictures of two domains, all brought to one size, label maps without mixing their colours. Its items are those of
    the domain that is to be made; each comes with one of the other domain, which is drawn by its seed, or which belongs
    to it where some do (`partners`).
    """

    wants = "a folder or an archive with a folder for each of two domains, or two of them (--other)"
    shrinks = True

    other: Annotated[SourceName | None, "a second source, which is the domain to be made"] = None
    given: Annotated[str | None, "the folder of the domain that is given (default: the first by name)"] = None
    size: Annotated[Size2D | None, Range(4, 4096), "of all pictures (default: the data decides)"] = None
    channels: Annotated[Literal[1, 3], "1 for gray, 3 for colour"] = 3
    partners: Annotated[
        Literal["none", "names", "lite0", "lite2"],
        "what belongs together: equal names, or what a pretrained network finds alike",
    ] = "none"

    @classmethod
    def example(cls, folder: Path) -> tuple[str | Path, dict[str, Any]]:
        """40 squares of 16 x 16 pixels on dark ground in one domain, on light ground in the other."""
        for domain, (ground, square) in {"dark": (60, 200), "light": (215, 40)}.items():
            (folder / domain).mkdir()
            for number in range(40):
                pixels = np.full((16, 16, 3), ground, np.uint8)
                top, left = number % 5 * 2, number // 5 % 5 * 2
                pixels[top : top + 6, left : left + 6] = square
                Image.fromarray(pixels).save(folder / domain / f"{number}.png")
        return folder, {}

    @classmethod
    def reads(cls, source: Source) -> bool:
        return isinstance(source, Files)

    @classmethod
    def recognises(cls, source: Source) -> str:
        """By folders such as trainA and trainB, which mean nothing else."""
        pictures = isinstance(source, Files) and source.container.names()
        return "two domains, for cut or cyclegan" if pictures and layout(pictures).domains else ""

    def identity(self, source: Source) -> Any:
        with ExitStack() as stack:
            others = [each.identity() for each in self._others(stack)]
        options = self.options()
        if self.partners not in _LOOKS:
            del options["partners"]  # what is prepared is the same
        return [source.identity(), others, options]

    def read(self, source: Source) -> RowStream:
        assert isinstance(source, Files)
        with ExitStack() as opened:
            sources = [source, *self._others(opened)]
            layouts = [layout(each.names()) for each in sources]
            found, domains = self._found(sources, layouts)
            size = self.size or source.suggested_size(source.names())
            stack = opened.pop_all()  # the second source stays open for the rows
        first, second = domains
        splits = frozenset(split for names in found for _, _, split in names if split is not None)
        roles = {first: "given", second: "made"}
        brought = Brought(size, self.channels)
        seen = _Seen(self.partners) if self.partners in _LOOKS else None

        def rows() -> Iterator[Row]:
            held: dict[str, set[bytes]] = {role: set() for role in roles.values()}
            with stack:
                for place, (files, names) in enumerate(zip(sources, found, strict=True)):
                    of_name = {name: (domain, split) for name, domain, split in names}
                    for name, content in files.contents(list(of_name)):
                        domain, split = of_name[name]
                        whole = f"{place}/{name}" if self.other is not None else name
                        row = _row(whole, content, roles[domain], split, brought)
                        if row.values is not None:
                            held[roles[domain]].add(row.digest)
                            if seen is not None:
                                seen.add(row)
                        yield row
            if held["given"] and held["given"] == held["made"]:
                raise DataError(
                    f"the domains {shown(first)} and {shown(second)} of {shown(source.name)} hold the same pictures, "
                    "so there is nothing to learn: give two that differ"
                )

        told = [note for each in layouts for note in each.notes]
        notes = [*told, f"given: {shown(first)}, to be made: {shown(second)}, without pairs"]
        columns: dict[str, Column] = {"image": ImageSpace(self.channels, *size), "domain": Labels()}
        return RowStream(
            columns,
            sum(map(len, found)),
            rows(),
            splits,
            lambda: [*notes, *brought.notes(), *source.container.notes()],
            dict if seen is None else seen.columns,
        )

    def _found(
        self, sources: Sequence[Files], layouts: Sequence[Layout]
    ) -> tuple[list[list[tuple[str, str, str | None]]], tuple[str, str]]:
        """(name, domain, split) of each source's pictures, and the domains: what is given, what is to be made."""
        whole = self.other is not None
        found = [
            _whole(files, place, each) if whole else _domains(files, each)
            for place, (files, each) in enumerate(zip(sources, layouts, strict=True))
        ]
        domains = sorted({domain for names in found for _, domain, _ in names}, key=natural)
        if len(domains) != 2:
            raise DataError(
                f"{shown(sources[0].name)} has {len(domains)} domains ({listed(map(shown, domains), 8) or 'none'}), "
                f"and two are needed: give {self.wants}"
            )
        for domain in domains:
            if not any(own == domain and split in (None, "train") for names in found for _, own, split in names):
                raise DataError(f"{shown(sources[0].name)}: the domain {shown(domain)} has no pictures to train on")
        first = self.given or domains[0]
        if first not in domains:
            raise UsageError(
                f"--given names one of the domains {listed(domains)}, not {quoted(first)}{near_miss(first, domains)}"
            )
        return found, (first, next(domain for domain in domains if domain != first))

    def columns(self, entry: Entry) -> dict[str, Column]:
        image = super().columns(entry)["image"]
        known = {} if self.partners == "none" else {"paired": Labels(("no", "yes"))}
        return {"image": image, "other": image, **known}

    def items(self, entry: Entry, places: Places) -> Items:
        labels = super().columns(entry)["domain"]
        assert isinstance(labels, Labels)
        return TwoDomains(entry, places, tuple(self.columns(entry)), labels.names.index("made"), self.partners)

    def notes(self, entry: Entry) -> list[str]:
        """How many pictures of the split to learn from have a partner, where partners are asked for."""
        if self.partners == "none":
            return []
        train = self.items(entry, np.flatnonzero(entry.index[:, 1] == SPLITS.index("train")))
        assert isinstance(train, TwoDomains)
        with_one = int((train.partners >= 0).sum())
        how = "by their names" if self.partners == "names" else f"as {self.partners} sees them"
        return [f"{with_one:,} of {counted(len(train), 'picture')} to be made have a partner among the given, {how}"]

    def _others(self, stack: ExitStack) -> list[Files]:
        """The second source, where it is given."""
        if self.other is None:
            return []
        return [stack.enter_context(closing(find_files(self.other, "pictures", self.wants)))]


@dataclass(frozen=True)
class Unpaired(Batch):
    """image: (B, C, H, W) float32 in [-1, 1] of the domain that is to be made; other: as many of the one that is given;
    paired: (B,) int64, 1 where the two are known to belong together, or None where nobody knows of any."""

    reader: ClassVar = UnpairedReader

    image: Tensor
    other: Tensor
    paired: Tensor | None = None

    @property
    def pairs(self) -> Tensor:
        """(K,): the numbers of the items whose two belong together."""
        paired = self.image.new_zeros(0) if self.paired is None else self.paired
        return paired.nonzero().flatten()

    def given(self) -> dict[str, Tensor]:
        return {"source": self.other, "style": self.image}


@dataclass(frozen=True)
class TwoDomains(Items):
    """The pictures of one split. made: the number of the domain that is to be made. known_by: as `partners` of the
    reader."""

    made: int
    known_by: str

    def __len__(self) -> int:
        return len(self._of_made) if len(self._of_given) else 0  # of one domain alone nothing can be made

    @property
    def names(self) -> Sequence[str]:
        return [self.entry.names[self.places[place]] for place in self._of_made]

    @property
    def given_names(self) -> Sequence[str]:
        """Those of the given pictures, in the order that `partners` counts them in."""
        return [self.entry.names[self.places[place]] for place in self._of_given]

    def rows(self, indices: np.ndarray, seeds: Sequence[tuple[int, int]] | None) -> dict[str, np.ndarray]:
        """Each picture with one of the other domain, which its seed chooses; without seeds, that of its number. Three
        of four that have a partner come with it."""
        given = self._of_given
        if seeds is None:
            others, alone = indices % len(given), np.zeros(len(indices), dtype=bool)
        else:
            bits = [np.random.SeedSequence(seed).generate_state(1, np.uint64)[0] for seed in seeds]
            others = np.array([int(each % np.uint64(len(given))) for each in bits], dtype=np.int64)
            alone = np.array([each >> np.uint64(62) == 0 for each in bits], dtype=bool)
        partners = self.partners[indices]
        paired = (partners >= 0) & ~alone
        pictures = self.entry.columns["image"]
        made = pictures[self.stored_at[self._of_made[indices]]]
        return self._told(made, pictures[self.stored_at[given[np.where(paired, partners, others)]]], paired)

    @property
    def conditions(self) -> int:
        return len(self._of_given) if len(self) else 0

    def rows_given(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        """Each picture of the given domain once, beside its twin in the other, or any where there is none."""
        any_made = self.stored_at[self._of_made[indices % len(self)]]
        pictures, twins = self.entry.columns["image"], self._twins[indices]
        made = pictures[np.where(twins < 0, any_made, twins)]
        return self._told(made, pictures[self.stored_at[self._of_given[indices]]], twins >= 0)

    def _told(self, made: np.ndarray, other: np.ndarray, paired: np.ndarray) -> dict[str, np.ndarray]:
        """Without `paired` where nobody asks for partners."""
        rows = {"image": made, "other": other, "paired": paired.astype(np.int64)}
        return {name: rows[name] for name in self.columns}

    def known(self, answers: bool) -> np.ndarray:
        return self._twins >= 0

    @cached_property
    def _twins(self) -> np.ndarray:
        """(conditions,): the row of the picture of the other domain, in whatever split, that has the same name but for
        the domain; -1 where none has, or several."""
        rests = {name: stem_of(rest) for name, rest in layout(self.entry.names).rests.items()}
        of_place = [rests.get(name) for name in self.entry.names]
        rows = self.entry.index[:, 0]
        made = np.flatnonzero(self.entry.columns["domain"][rows] == self.made)
        found: dict[str | None, int] = {}
        for place in made:
            found[of_place[place]] = -1 if of_place[place] in found else int(rows[place])
        asked = (of_place[self.places[item]] for item in self._of_given)
        return np.array([-1 if rest is None else found.get(rest, -1) for rest in asked], dtype=np.int64)

    @cached_property
    def partners(self) -> np.ndarray:
        """(items,): the number, among the given pictures of this split, of the one that belongs to each picture that is
        to be made; -1 where none is known."""
        number_of = {int(row): number for number, row in enumerate(self.stored_at[self._of_given])}
        made = self.stored_at[self._of_made]
        if self.known_by == "names":
            of_made = {int(twin): number for number, twin in enumerate(self._twins) if twin >= 0}
            return np.array([of_made.get(int(row), -1) for row in made], dtype=np.int64)
        if self.known_by in _LOOKS:
            return np.array([number_of.get(int(row), -1) for row in self.entry.columns["partner"][made]], np.int64)
        return np.full(len(made), -1)

    @cached_property
    def _domains(self) -> np.ndarray:
        numbers: np.ndarray = self.entry.columns["domain"][self.stored_at]
        return numbers

    @cached_property
    def _of_made(self) -> np.ndarray:
        return np.flatnonzero(self._domains == self.made)

    @cached_property
    def _of_given(self) -> np.ndarray:
        return np.flatnonzero(self._domains != self.made)


class _Seen:
    """The rows as they are read, seen by a pretrained network: those to learn from."""

    def __init__(self, name: str) -> None:
        self._looking = Looking(name)  # type: ignore[arg-type]
        self._rows: dict[str, list[int]] = {"given": [], "made": []}
        self._added: list[int] = []
        self._count = 0

    def add(self, row: Row) -> None:
        assert row.values is not None
        picture, role = row.values["image"], row.values["domain"]
        if row.split in (None, "train"):
            assert isinstance(picture, np.ndarray) and isinstance(role, str)
            self._rows[role].append(len(self._added))
            self._added.append(self._count)
            self._looking.add(picture)
        self._count += 1

    def columns(self) -> dict[str, np.ndarray]:
        """partner: for each row that of the picture that belongs to it, -1 where none does."""
        partner = np.full(self._count, -1, dtype=np.int64)
        for made, given in self._looking.partners(self._rows["made"], self._rows["given"]).items():
            partner[self._added[made]] = self._added[given]
        return {"partner": partner}


def _row(name: str, content: bytes | Damaged, role: str, split: str | None, brought: Brought) -> Row:
    try:
        if isinstance(content, Damaged):
            raise content
        pixels = brought.fitted(decode(content, max(brought.size)).image)
    except Damaged as error:
        return Row(name, None, split=split, reason=str(error))
    return Row(name, {"image": pixels, "domain": role}, hashlib.sha256(content).digest(), split)


def _domains(files: Files, found: Layout) -> list[tuple[str, str, str | None]]:
    """(name, domain, split) of each picture, by its folders."""
    if not found.kinds:
        raise DataError(f"{shown(files.name)} has no folders of two domains: give {UnpairedReader.wants}")
    return [(name, domain, found.splits.get(name)) for name, domain in found.kinds.items()]


def _whole(files: Files, place: int, found: Layout) -> list[tuple[str, str, str | None]]:
    """All pictures of one of two sources as a domain of its own, named by the source."""
    domain = f"{place + 1}: {PurePosixPath(files.name).name}"
    return [(name, domain, found.splits.get(name)) for name in files.names()]
