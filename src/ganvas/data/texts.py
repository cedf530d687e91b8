"""Texts: lines or paragraphs of text files, or a column of a table, as sequences of letters or words.

    names.txt                        an item a line
    german/a.txt  finnish/b.txt      folders are labels
    reviews.csv                      --text-column review --label-column stars

Equal texts are in the same split, so that nothing that is held out was learned by heart from its double.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import numpy as np

from ganvas.data.batch import Batch
from ganvas.data.columns import Column, Labels
from ganvas.data.decode import Damaged
from ganvas.data.image_files import Files
from ganvas.data.layout import layout
from ganvas.data.readers import Reader
from ganvas.data.rows import SPLITS, Row, RowStream, Source, split_of, too_few
from ganvas.errors import DataError, near_miss
from ganvas.options import Parsed, Range
from ganvas.spaces import MOST_KNOWN, MOST_TOKENS, SOUNDS, TextSpace, split, vocabulary_of
from ganvas.text import counted, quoted, shown

if TYPE_CHECKING:
    from torch import Tensor

TEXTS, TABLES = frozenset({".txt"}), frozenset({".csv", ".tsv"})
COLUMNS = ("text", "sentence", "sentences", "review", "title", "name", "description", "caption")
"""What a table's column of texts may be called."""

MOST_LETTERS = 100_000
"""Of one text: what is longer is no sentence, but a file without lines."""

MOST_TEXTS = 1_000_000
"""Of one source."""

_ENOUGH = 40  # different texts, of which some can be held out
_USUAL = {"characters": 128, "words": 40}  # tokens that fit where nobody says how many


class Vocabulary(Parsed, tuple[Any, ...]):
    """How many tokens are known, as `5000`; or just these, as a list of texts, in the order of their numbers."""

    metavar = "N"
    noun = f"a whole number from 2 to {MOST_KNOWN:,}"

    def __new__(cls, value: Any) -> Self:
        some = list(value) if isinstance(value, (list, tuple)) else [int(value)]
        if isinstance(value, float) and value != some[0]:
            raise ValueError(value)
        if len(some) == 1 and isinstance(some[0], int):
            if not 2 <= some[0] <= MOST_KNOWN:
                raise ValueError(value)
        elif not all(isinstance(each, str) for each in some) or not 1 <= len(some) <= MOST_KNOWN:
            raise ValueError(value)
        return super().__new__(cls, some)

    @property
    def most(self) -> int | None:
        """How many; None where they are told themselves."""
        return self[0] if isinstance(self[0], int) else None

    def __str__(self) -> str:
        return str(self.most or len(self))


@dataclass(frozen=True, kw_only=True)
class TextReader(Reader):
    """Texts of at most `length` tokens, kept as their numbers in the vocabulary. What is None, the data decides."""

    wants = "a .txt file (an item a line), a folder of them, or a table (.csv, .tsv)"

    tokens: Annotated[
        Literal["characters", "words"] | None,
        "what texts are sequences of (default: characters where most texts are one word, else words)",
    ] = None
    length: Annotated[
        int | None, Range(1, MOST_TOKENS), "tokens of a text at most; longer texts are left out (default: all, or most)"
    ] = None
    vocabulary: Annotated[Vocabulary | None, "the most frequent tokens that are known (default: 10000)"] = None
    unit: Annotated[Literal["line", "paragraph"], "what of a text file is an item"] = "line"
    text_column: Annotated[str | None, "the column of a table that holds the texts (default: by its name)"] = None
    label_column: Annotated[str | None, "the column of a table that holds the labels (default: label)"] = None

    @classmethod
    def example(cls, folder: Path) -> tuple[str | Path, dict[str, Any]]:
        """60 texts of two sorts: letters from the beginning of the alphabet, or from its end."""
        for sort, letters in {"early": "abc", "late": "xyz"}.items():
            (folder / sort).mkdir(exist_ok=True)
            lines = [(letters[number % 3] * 2 + letters[number // 3 % 3]) * 2 for number in range(30)]
            (folder / sort / "texts.txt").write_text("\n".join(lines))
        return folder, {}

    @classmethod
    def reads(cls, source: Source) -> bool:
        """Whether it holds text files or tables, and neither pictures nor sounds, beside which they are about these."""
        if not isinstance(source, Files):
            return False
        of = source.container.reading
        others = source.container.holds_any() or of(frozenset(SOUNDS)).holds_any()
        return not others and of(TEXTS | TABLES).holds_any()

    @classmethod
    def is_likely(cls, source: Source) -> bool:
        """Not of tables with several columns, of which none is called as columns of texts are."""
        assert isinstance(source, Files)
        if source.container.reading(TEXTS).holds_any():
            return True
        tables = Files(source.container.reading(TABLES), source.name)
        content = next((each for _, each in tables.contents(tables.container.names()[:1])), b"")
        first = content.partition(b"\n")[0] if isinstance(content, bytes) else b""
        head = [name.strip().strip('"').lower() for name in re.split("[,;\t]", first.decode("utf-8-sig", "replace"))]
        return len(head) == 1 or any(name in COLUMNS for name in head)

    @classmethod
    def recognises(cls, source: Source) -> str:
        return "text, for textgan" if cls.reads(source) and cls.is_likely(source) else ""

    def read(self, source: Source) -> RowStream:
        assert isinstance(source, Files)
        found = _Found()
        self._collect(source, found)
        texts, title = found.texts, shown(source.name)
        if len(texts) < 2:
            raise too_few(source.name, len(texts), "text")
        tokens = self.tokens or _usual_tokens([each.text for each in texts])
        sequences = [split(each.text, tokens) for each in texts]
        lengths = np.array([len(each) for each in sequences])
        length = self.length or _usual_length(lengths, _USUAL[tokens])
        splits = [each.split for each in texts]
        if not any(splits) and len({each.text for each in texts}) >= _ENOUGH:
            splits = [split_of(each.text) for each in texts]
        fitting = [place for place, each in enumerate(sequences) if 1 <= len(each) <= length]
        if len(fitting) < 2:
            raise DataError(
                f"{title} has {counted(len(fitting), 'text')} of 1 to {length} {tokens}, and at least 2 are needed: "
                "take a larger --length, or other --tokens"
            )
        taught = [place for place in fitting if splits[place] in (None, "train")] or fitting
        space, notes = self._space(tokens, length, [sequences[place] for place in taught])
        long = int((lengths > length).sum())
        if long:
            notes.append(f"{counted(long, 'text')} of {len(texts):,} left out, longer than {length} {tokens}")

        def rows() -> Iterator[Row]:
            for place in fitting:
                each = texts[place]
                row = space.row(each.text)
                assert row is not None
                label = {} if each.label is None else {"label": each.label}
                digest = hashlib.sha256(each.text.encode("utf-8", "surrogatepass")).digest()
                yield Row(each.name, {"text": row, **label}, digest, splits[place])

        columns: dict[str, Column] = {"text": space, "label": Labels()}
        own = frozenset(SPLITS) if all(splits) else frozenset(each for each in splits if each)
        return RowStream(columns, len(fitting), rows(), own, lambda: [*found.notes, *notes])

    def _space(self, tokens: Any, length: int, taught: Sequence[Sequence[str]]) -> tuple[TextSpace, list[str]]:
        wanted = self.vocabulary or Vocabulary(10_000)
        if wanted.most is None:
            return TextSpace(tokens, length, tuple(wanted)), []
        known, there = vocabulary_of(taught, wanted.most)
        total = sum(map(len, taught))
        held = set(known)
        unknown = sum(token not in held for text in taught for token in text)
        notes = [f"{tokens}: {len(known):,} known" + (f" of {there:,}" if there > len(known) else "")]
        if unknown:
            notes[0] += f"; {100 * unknown / total:.2g}% of those in texts are not, and stand as one unknown token"
        return TextSpace(tokens, length, known), notes

    def _collect(self, source: Files, found: _Found) -> None:
        """All texts of the source. Raises DataError."""
        texts = Files(source.container.reading(TEXTS), source.name)
        names = [] if self.text_column else texts.container.names()
        if not names:
            tables = Files(source.container.reading(TABLES), source.name)
            for name, content in tables.contents(tables.container.names()):
                self._of_table(shown(name), _decoded(name, content), found)
            return
        where = layout(names)
        found.placing += where.notes + where.kind_notes
        for name, content in texts.contents(names):
            more = {"label": where.kinds.get(name), "split": where.splits.get(name)}
            for number, text in self._items(_decoded(name, content)):
                found.add(_Text(f"{name}:{number}", text, **more))

    def _items(self, content: str) -> Iterator[tuple[int, str]]:
        """Number of the first line, and text of each item."""
        lines = io.StringIO(content, newline=None)
        if self.unit == "line":
            yield from enumerate(lines, 1)
            return
        start, block = 1, list[str]()
        for number, line in enumerate(chain(lines, [""]), 1):
            if line.strip():
                start = start if block else number
                block.append(line.strip())
            elif block:
                yield start, " ".join(block)
                block = []

    def _of_table(self, title: str, content: str, found: _Found) -> None:
        dialect = "excel-tab" if "\t" in content.partition("\n")[0] else "excel"
        try:
            rows = [row for row in csv.reader(io.StringIO(content), dialect, strict=True) if row]
        except csv.Error as error:
            raise DataError(f"{title} is no table of comma-separated values ({error})") from None
        if len(rows) < 2:
            raise DataError(f"{title} is no table: it needs a line of column names, and a line for each text")
        head = [name.strip() for name in rows[0]]
        guess = next((name for name in head if name.lower() in COLUMNS), head[0] if len(head) == 1 else None)
        chosen = self.text_column or guess
        if chosen is None:
            raise DataError(
                f"{title} has {len(head)} columns: say which holds the texts{near_miss('', head)}, with --text-column"
            )
        place = _place(chosen, head, title)
        beside = self.label_column or ("label" if "label" in head else None)
        label = None if beside is None else _place(beside, head, title)
        for number, row in enumerate(rows[1:], 2):
            if len(row) != len(head):
                raise DataError(
                    f"{title} has {counted(len(row), 'value')} in its row {number:,}, and {len(head)} columns"
                )
            told = None if label is None else row[label].strip() or None
            found.add(_Text(f"{title}:{number}", row[place], told))


@dataclass(frozen=True)
class Texts(Batch):
    """text: (B, length) float32, the numbers of tokens in the vocabulary, 0 behind the last one; label: (B,) int64
    class numbers, or None."""

    reader: ClassVar = TextReader

    text: Tensor
    label: Tensor | None = None

    def given(self) -> dict[str, Tensor]:
        return {} if self.label is None else {"label": self.label}


@dataclass(frozen=True)
class _Text:
    name: str
    text: str
    label: str | None = None
    split: str | None = None


@dataclass
class _Found:
    """What a source holds, and notes of where it lies."""

    texts: list[_Text] = field(default_factory=list)
    huge: list[str] = field(default_factory=list)
    placing: list[str] = field(default_factory=list)

    def add(self, text: _Text) -> None:
        if len(text.text) > MOST_LETTERS:
            self.huge.append(text.name)
        elif text.text.strip():
            if len(self.texts) == MOST_TEXTS:
                raise DataError(f"at most {MOST_TEXTS:,} texts can be read, and {shown(text.name)} is one more")
            self.texts.append(replace(text, text=" ".join(text.text.split())))

    @property
    def notes(self) -> list[str]:
        if not self.huge:
            return self.placing
        count = counted(len(self.huge), "text")
        return [*self.placing, f"{count} left out, longer than {MOST_LETTERS:,} letters ({shown(self.huge[0])})"]


def _decoded(name: str, content: bytes | Damaged) -> str:
    if isinstance(content, Damaged):
        raise DataError(f"{shown(name)} cannot be read: {content}")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{shown(name)} is no text in UTF-8: line {line:,} holds the byte {content[error.start]:#04x} (byte "
            f"{error.start + 1:,} of the file); save it as UTF-8"
        ) from None


def _usual_tokens(texts: Sequence[str]) -> Literal["characters", "words"]:
    return "characters" if 2 * sum(" " not in text for text in texts) > len(texts) else "words"


def _usual_length(lengths: np.ndarray, most: int) -> int:
    """The longest of these, or where few are much longer than others, what 19 of 20 fit into; at most so much."""
    longest, usual = int(lengths.max()), int(np.quantile(lengths, 0.95, method="higher"))
    return max(1, min(most, longest if longest <= 2 * usual else usual))


def _place(column: str, head: list[str], title: str) -> int:
    if column not in head:
        raise DataError(f"{title} has no column {quoted(column)}{near_miss(column, head)}")
    return head.index(column)
