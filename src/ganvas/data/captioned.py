"""Pictures with captions: a table, a text file beside each picture, or COCO's JSON.

    captions.csv    a name and a caption in each row; several rows for a picture are several captions
    1.png  1.txt    a caption in each line
    *.json          `images` (id, file_name) and `annotations` (image_id, caption), as COCO has them

A picture without a caption is left out, and so is a caption without a word that its encoder makes anything of.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from PIL import Image

from ganvas.captions import LONGEST, MOST_WORDS, Encoder, EncoderName, encoder_for, words_of
from ganvas.data.batch import Batch
from ganvas.data.cache import Entry, Places
from ganvas.data.columns import Column
from ganvas.data.decode import Damaged, decode, fit
from ganvas.data.image_files import Files
from ganvas.data.layout import layout
from ganvas.data.readers import Items, Reader, SourceName
from ganvas.data.rows import Row, RowStream, Source, split_of, stem_of
from ganvas.data.tables import Table, named_otherwise, placed, read_table, write_example
from ganvas.errors import DataError
from ganvas.files import read_regular
from ganvas.options import Range, Size2D
from ganvas.spaces import CaptionSpace, ImageSpace, Space
from ganvas.text import counted, listed, quoted, shown

if TYPE_CHECKING:
    from torch import Tensor

TABLES = frozenset({".csv", ".tsv", ".json"})
TEXTS = frozenset({".txt"})
COLUMNS = ("caption", "captions", "text", "description", "sentence", "title")
"""What a table's column of captions may be called."""

EXAMPLES = 256
"""Captions that a run keeps, to show what it has learned."""

_ENCODED_AT_ONCE = 4096


@dataclass(frozen=True, kw_only=True)
class CaptionedReader(Reader):
    """Pictures brought to one size and kept as uint8 (H, W, C), each with one or more captions, which are encoded."""

    wants = (
        "a folder or an archive of pictures with captions: captions.csv (a name, a caption), a .txt beside each "
        "picture, or COCO's JSON"
    )
    shrinks = True

    captions: Annotated[
        SourceName | None, "the captions: a CSV or JSON beside the pictures, or a file (default: what lies there)"
    ] = None
    encoder: Annotated[EncoderName, "what makes numbers of a caption: a bag of the words seen, or a sentence model"] = (
        "words"
    )
    size: Annotated[Size2D | None, Range(4, 4096), "of all pictures (default: the data decides)"] = None
    channels: Annotated[Literal[1, 3], "1 for gray, 3 for colour"] = 3

    @classmethod
    def example(cls, folder: Path) -> tuple[str | Path, dict[str, Any]]:
        """40 pictures of 8 x 8 pixels, light above or light on the left, as their captions say."""

        def lit(above: bool) -> np.ndarray:
            pixels = np.full((8, 8, 3), 40, np.uint8)
            pixels[(slice(4),) if above else (slice(None), slice(4))] = 215
            return pixels

        sorts = {True: (lit(True), "light above"), False: (lit(False), "light on the left")}
        write_example(folder, "captions.csv", "caption", (sorts[number % 2 == 1] for number in range(40)))
        return folder, {}

    @classmethod
    def reads(cls, source: Source) -> bool:
        return isinstance(source, Files)

    @classmethod
    def recognises(cls, source: Source) -> str:
        """By captions of most of the pictures, most of them of several words: a single one may be anything."""
        if not isinstance(source, Files) or not source.container.passes_over(TABLES | TEXTS):
            return ""
        try:
            names, found = source.names(), _Captions.of(source, None)
        except DataError:
            return ""
        several = [any(len(words_of(text)) > 1 for text in texts) for texts in found.of_picture.values()]
        return "pictures with captions, for text2image" if 2 * sum(several) > len(names) else ""

    def identity(self, source: Source) -> Any:
        assert isinstance(source, Files)
        found = _Captions.of(source, self.captions)
        # The sentence model is known by its hash; a bag of words follows from the captions.
        encoder = encoder_for(self.encoder, []).to_json() if self.encoder == "minilm" else self.encoder
        return [source.identity(), found.digest, encoder, self.options()]

    def read(self, source: Source) -> RowStream:
        assert isinstance(source, Files)
        names = source.names()
        found = _Captions.of(source, self.captions)
        told = layout(names)
        known, encoder, notes = self._encodable(found, told.splits, source)
        size = self.size or source.suggested_size(list(known))
        texts = list(dict.fromkeys(text for each in known.values() for text in each))
        encoded = _encoded(encoder, texts)
        place_of = {text: place for place, text in enumerate(texts)}
        rows_of = {name: [place_of[text] for text in each] for name, each in known.items()}
        kept: list[str] = []

        def stream() -> Iterator[Row]:
            for name, content in source.contents(list(known)):
                try:
                    if isinstance(content, Damaged):
                        raise content
                    pixels = fit(decode(content, max(size)).image, size, self.channels)
                except Damaged as error:
                    yield Row(name, None, split=told.splits.get(name), reason=str(error))
                    continue
                kept.append(name)
                digest = hashlib.sha256(content)
                digest.update("\n".join(known[name]).encode("utf-8", "surrogatepass"))
                values = {"image": pixels, "caption": encoded[rows_of[name][0]]}
                yield Row(name, values, digest.digest(), told.splits.get(name))

        def further() -> dict[str, np.ndarray]:
            """All captions, and which of them each row has: from where on, how many."""
            of_rows = [rows_of[name] for name in kept]
            counts = np.array([len(each) for each in of_rows], np.int64)
            starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
            which = np.concatenate([np.array(each, np.int64) for each in of_rows])
            return {"captions": encoded, "which": which, "spans": np.stack([starts, counts], 1)}

        columns: dict[str, Column] = {
            "image": ImageSpace(self.channels, *size),
            "caption": CaptionSpace(encoder, _examples(known, told.splits)),
        }
        notes = [*told.notes, *notes, *found.notes]
        lacking = len(names) - len(known)
        if lacking:
            notes.append(f"{counted(lacking, 'picture')} left out, which have no caption that can be used")
        splits = frozenset(told.splits.values())
        return RowStream(
            columns, len(known), stream(), splits, lambda: [*notes, *source.container.notes()], further=further
        )

    def _encodable(
        self, found: _Captions, splits: Mapping[str, str], source: Files
    ) -> tuple[dict[str, list[str]], Encoder, list[str]]:
        """The captions by picture of which the encoder makes something, the encoder, and notes. Raises DataError where
        fewer than two pictures have one."""
        taught = [text for name, texts in found.of_picture.items() if _of_training(name, splits) for text in texts] or [
            text for texts in found.of_picture.values() for text in texts
        ]
        no_words = DataError(f"the captions of {shown(source.name)} have no words: write what is to be seen")
        try:
            encoder = encoder_for(self.encoder, taught)
        except ValueError:
            raise no_words from None
        known, wordless = dict[str, list[str]](), list[str]()
        heard = {text: encoder.knows(text) for texts in found.of_picture.values() for text in texts}
        for name, texts in found.of_picture.items():
            good = [text for text in texts if heard[text]]
            wordless += [text for text in texts if not heard[text]]
            if good:
                known[name] = good
        if not known:
            raise no_words
        if len(known) < 2:
            raise DataError(
                f"{shown(source.name)} has {counted(len(known), 'picture')} with a caption that can be used: at least "
                "2 are needed"
            )
        count = sum(map(len, known.values()))
        notes = [f"captions: {count:,} of {counted(len(known), 'picture')}, encoded by {encoder.name} ({encoder.size})"]
        if wordless:
            told = listed(map(quoted, dict.fromkeys(wordless)))
            notes.append(f"{counted(len(wordless), 'caption')} left out, without a word that is known ({told})")
        if encoder.bag:
            words = {word for text in taught for word in words_of(text)}
            if len(words) > MOST_WORDS:
                notes.append(f"of {len(words):,} words the {MOST_WORDS:,} most frequent are known")
            cut = sum(len(set(words_of(text))) > LONGEST for texts in known.values() for text in texts)
            if cut:
                notes.append(f"{counted(cut, 'caption')} cut to its {LONGEST} most frequent words")
        return dict(sorted(known.items())), encoder, notes

    def facts(self, columns: dict[str, Column]) -> dict[str, Any]:
        captions = columns["caption"]
        assert isinstance(captions, CaptionSpace)
        return super().facts(columns) | captions.facts()

    def columns(self, entry: Entry) -> dict[str, Column]:
        own = super().columns(entry)
        return own | {"wrong": own["caption"]}

    def items(self, entry: Entry, places: Places) -> Items:
        return CaptionedItems(entry, places, ("image", "caption", "wrong"))


@dataclass(frozen=True)
class Captioned(Batch):
    """image: (B, C, H, W) float32 in [-1, 1]; caption: (B, K) float32, one of its captions, encoded; wrong: (B, K), a
    caption of another picture, which says something else where any does."""

    reader: ClassVar = CaptionedReader

    image: Tensor
    caption: Tensor
    wrong: Tensor

    def given(self) -> dict[str, Tensor]:
        return {"caption": self.caption}

    def shown(self, columns: Mapping[str, Space]) -> dict[str, list[Image.Image] | list[str]]:
        """The pictures, and what is said of each."""
        return {"image": columns["image"].pictures(self.image), "caption": columns["caption"].words(self.caption)}


@dataclass(frozen=True)
class CaptionedItems(Items):
    """The items of one split. In training an item's seed chooses which of its captions it has, and whose caption is
    the wrong one. Without seeds it has its first, and the wrong one is that of the item half of all further on."""

    def rows(self, indices: np.ndarray, seeds: Sequence[tuple[int, int]] | None) -> dict[str, np.ndarray]:
        if seeds is None:
            bits = np.zeros((len(indices), 3), np.uint64)
            others = (indices + len(self) // 2) % len(self)
        else:
            states = [np.random.SeedSequence(seed).generate_state(3, np.uint64) for seed in seeds]
            bits = np.array(states, np.uint64).reshape(-1, 3)
            others = (bits[:, 2] % np.uint64(len(self))).astype(np.int64)
        own = self._chosen(indices, bits[:, 0])
        wrong = self._chosen(others, bits[:, 1])
        for _ in range(_TRIES):
            same = (self._captions[own] == self._captions[wrong]).all(1)
            if not same.any():
                break
            others = np.where(same, (others + 1) % len(self), others)
            wrong = np.where(same, self._chosen(others, bits[:, 1]), wrong)
        pictures = self.entry.columns["image"]
        return {
            "image": pictures[self.stored_at[indices]],
            "caption": self._captions[own],
            "wrong": self._captions[wrong],
        }

    def _chosen(self, indices: np.ndarray, bits: np.ndarray) -> np.ndarray:
        """Rows of the captions: of each item, the one that its bits choose."""
        starts, counts = self.entry.columns["spans"][self.stored_at[indices]].T
        chosen: np.ndarray = self.entry.columns["which"][starts + (bits % counts.astype(np.uint64)).astype(np.int64)]
        return chosen

    @cached_property
    def _captions(self) -> np.ndarray:
        return self.entry.columns["captions"]


_TRIES = 8
"""Other items that are looked at for a wrong caption that is not the right one."""


@dataclass(frozen=True)
class _Captions:
    """of_picture: by the picture's name, its captions. digest: of their files. notes: what was passed over."""

    of_picture: dict[str, list[str]]
    digest: str
    notes: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, source: Files, named: str | None) -> _Captions:
        """The captions of a source's pictures. Raises DataError."""
        beside = Files(source.container.reading(TABLES), source.name)
        names = beside.container.names()
        chosen = _file(names, named, source)
        if chosen is None and named is None:
            return cls._beside(source)
        content = _read(beside, chosen) if chosen is not None else _read_elsewhere(str(named), names)
        title = shown(chosen or PurePosixPath(str(named)).name)
        table = _of_coco(content, title) if content.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] == b"{" else None
        column, notes = "caption", list[str]()
        if table is None:
            table = read_table(content, title)
            column = _column(table)
        found: dict[str, list[str]] = {}
        empty = 0
        for row, name in placed(table, source.names()).items():
            text = table.columns[column][row].strip()
            empty += not text
            if text:
                found.setdefault(name, []).append(text)
        if empty:
            notes.append(f"{counted(empty, 'caption')} of {title} empty")
        if not found:
            none = f"{title} has a caption for none of the pictures in {shown(source.name)}"
            raise DataError(f"{none}: {named_otherwise(table, source.names())}")
        return cls(found, hashlib.sha256(content).hexdigest(), notes)

    @classmethod
    def _beside(cls, source: Files) -> _Captions:
        texts = Files(source.container.reading(TEXTS), source.name)
        picture_of = {stem_of(name): name for name in source.names()}
        meant = [name for name in texts.container.names() if stem_of(name) in picture_of]
        found: dict[str, list[str]] = {}
        bad = list[str]()
        digest = hashlib.sha256()
        for name, content in texts.contents(meant):
            try:
                if isinstance(content, Damaged):
                    raise content
                digest.update(name.encode("utf-8", "surrogatepass") + b"\0" + content + b"\0")
                lines = [line.strip() for line in content.decode("utf-8-sig").splitlines()]
            except (Damaged, UnicodeDecodeError):
                bad.append(name)
                continue
            if any(lines):
                found[picture_of[stem_of(name)]] = [line for line in lines if line]
        if not found:
            raise DataError(
                f"{shown(source.name)} has no captions: lay captions.csv (a name, a caption) beside the pictures, a "
                ".txt beside each of them, or give a file with --captions"
            )
        told = f"{counted(len(bad), 'text file')} passed over, no text in UTF-8 ({listed(map(shown, sorted(bad)))})"
        return cls(dict(sorted(found.items())), digest.hexdigest(), [told] if bad else [])


def _file(names: Sequence[str], named: str | None, source: Files) -> str | None:
    """The one of these names that holds the captions; None where it is another file, or texts lie beside the pictures.
    Raises DataError where it cannot be told."""
    if named is not None:
        return next((name for name in names if named in (name, PurePosixPath(name).name)), None)
    for found in (names, [name for name in names if PurePosixPath(name).stem.lower().startswith("captions")]):
        if len(found) == 1:
            return found[0]
    if names:
        raise DataError(
            f"{shown(source.name)} has the tables {listed(map(shown, names), 8)}: choose one with --captions"
        )
    return None


def _read(beside: Files, name: str) -> bytes:
    (_, content) = next(iter(beside.contents([name])))
    if isinstance(content, Damaged):
        raise DataError(f"the captions {shown(name)} in {shown(beside.name)} cannot be read: {content}")
    return content


def _read_elsewhere(path: str, names: Sequence[str]) -> bytes:
    try:
        return read_regular(Path(path))
    except OSError as error:
        has = f"; beside the pictures lies {listed(map(shown, names))}" if names else ""
        raise DataError(f"the captions {shown(path)} cannot be read: {error.strerror or error}{has}") from None


def _column(table: Table) -> str:
    """The column of captions. Raises DataError where it cannot be told."""
    for name in table.columns:
        if name.lower() in COLUMNS:
            return name
    if len(table.columns) == 1:
        return next(iter(table.columns))
    raise DataError(
        f"{table.title} has no column called caption: it has {listed(map(shown, table.columns), 8)}, so rename the one "
        "with the captions"
    )


def _of_coco(content: bytes, title: str) -> Table:
    """COCO's captions as a table. Raises DataError."""
    try:
        told = json.loads(content)
        file_of = {each["id"]: str(each["file_name"]) for each in told["images"]}
        pairs = [(file_of[each["image_id"]], str(each["caption"])) for each in told["annotations"]]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise DataError(
            f"{title} is no captions' file of COCO: it needs images (id, file_name) and annotations (image_id, caption)"
        ) from None
    if not pairs:
        raise DataError(f"{title} has no captions in it")
    return Table(title, [name for name, _ in pairs], {"caption": [text for _, text in pairs]})


def _encoded(encoder: Encoder, texts: list[str]) -> np.ndarray:
    """Each once, in pieces, so that memory holds no more than the result. Raises UsageError where it cannot encode."""
    kind, shape = encoder.stored()
    rows = np.empty((len(texts), *shape), kind)
    for start in range(0, len(texts), _ENCODED_AT_ONCE):
        rows[start : start + _ENCODED_AT_ONCE] = encoder.rows(texts[start : start + _ENCODED_AT_ONCE])
    return rows


def _of_training(name: str, splits: Mapping[str, str]) -> bool:
    return splits.get(name, "train") == "train" and (name in splits or split_of(name) == "train")


def _examples(known: Mapping[str, list[str]], splits: Mapping[str, str]) -> tuple[str, ...]:
    """Some captions of the training, spread over all its pictures, each once."""
    of_training = [texts[0] for name, texts in known.items() if _of_training(name, splits)]
    firsts = list(dict.fromkeys(of_training or [texts[0] for texts in known.values()]))
    step = max(1, len(firsts) // EXAMPLES)
    return tuple(firsts[::step][:EXAMPLES])
