"""Texts: sequences of tokens, which are letters or words, up to an end.

A sample holds the numbers of its tokens in the vocabulary, floats as all samples are, and END behind them. The
vocabulary is part of the space, so that a model tells its texts without the data.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ganvas.devices import sent
from ganvas.errors import DataError, UsageError
from ganvas.spaces.base import GAP, Space
from ganvas.spaces.pictures import sheet
from ganvas.text import counted

if TYPE_CHECKING:
    import torch
    from torch import Tensor

END, UNKNOWN, FIRST = 0, 1, 2
"""Numbers of tokens: behind the last one; one that is not in the vocabulary; the first that is."""

LONGEST, MOST_KNOWN, LONGEST_TOKEN = 512, 50_000, 64
"""Tokens of a text; tokens of a vocabulary; letters of one of them."""

UNKNOWN_SHOWN = "\N{REPLACEMENT CHARACTER}"

Unit = Literal["characters", "words"]

_WORD = re.compile(r"\w+(?:['\u2019-]\w+)*|[^\w\s]")
_NOTHING_BEFORE, _NOTHING_BEHIND = frozenset(".,;:!?)]}%…"), frozenset("([{#$")
_HEIGHT, _SIZE, _LETTER, _WORDS, _WIDEST, _MARGIN = 17, 13, 7, 5, 620, 3
_PLAYED, _PLAYED_BYTES = 32, 1 << 16
_BUCKETS = 512


@dataclass(frozen=True)
class TextSpace(Space):
    """Texts of shape (length,): at most so many tokens, which are `characters` or `words`, and END behind them.

    vocabulary: the tokens, the first of which has the number FIRST; printable, since they are shown on terminals.
    """

    kind = "texts"
    noun = "texts"
    extractors = ("look", "minilm")
    suffix = ".txt"
    endings = (".txt",)
    media_type = "text/plain; charset=utf-8"
    element = "pre"
    canvas = "lines"
    task = "text-generation"
    written = True
    worded = True
    few = 200
    tokens: Unit
    length: int
    vocabulary: tuple[str, ...]

    def __post_init__(self) -> None:
        """Raises UsageError for what no data gives."""
        super().__post_init__()
        if self.tokens not in ("characters", "words") or not 1 <= self.length <= LONGEST:
            raise UsageError(f"there are no texts of {self.length} {self.tokens}: 1 to {LONGEST} characters or words")
        if not 1 <= len(set(self.vocabulary)) == len(self.vocabulary) <= MOST_KNOWN:
            raise UsageError(f"a vocabulary has 1 to {MOST_KNOWN:,} tokens, which differ")
        longest = 1 if self.tokens == "characters" else LONGEST_TOKEN
        if not all(each.isprintable() and 1 <= len(each) <= longest for each in self.vocabulary):
            raise UsageError(f"tokens of {self.tokens} are printable, and of 1 to {longest} letters")

    @property
    def shape(self) -> tuple[int]:
        return (self.length,)

    @property
    def symbols(self) -> int:
        """How many numbers a token can have."""
        return FIRST + len(self.vocabulary)

    def __str__(self) -> str:
        return f"texts of at most {self.length} {self.tokens}, of {len(self.vocabulary):,} known"

    def facts(self) -> dict[str, Any]:
        return {"shape": self.shape, "symbols": self.symbols, "tokens": self.tokens, "length": self.length}

    def options(self) -> dict[str, Any]:
        return {"tokens": self.tokens, "length": self.length, "vocabulary": list(self.vocabulary)}

    @classmethod
    def of_config(cls, fields: Mapping[str, Any]) -> Self:
        words = fields["vocabulary"]
        if isinstance(words, str) or not all(isinstance(word, str) for word in words):
            raise TypeError("a vocabulary is a list of texts")
        return cls(str(fields["tokens"]), int(fields["length"]), tuple(words))  # type: ignore[arg-type]

    # -- samples and what is kept of them -------------------------------------------------------------------------

    def stored(self) -> tuple[np.dtype[Any], tuple[int, ...]]:
        return np.dtype(np.uint16), self.shape

    def row(self, text: str) -> np.ndarray | None:
        """A text as a row of prepared data; None where it is longer than texts are here."""
        numbers = [self._numbers.get(token, UNKNOWN) for token in split(text, self.tokens)]
        if len(numbers) > self.length:
            return None
        row = np.zeros(self.shape, np.uint16)
        row[: len(numbers)] = numbers
        return row

    def decode(self, rows: np.ndarray, device: torch.device | str = "cpu") -> Tensor:
        return sent(rows.astype(np.float32), device)

    def encode(self, samples: Tensor) -> Tensor:
        """(B, length) int32, END behind the first END."""
        import torch

        numbers = samples.detach().float().nan_to_num().round().clamp(0, self.symbols - 1).to(torch.int32).cpu()
        return numbers * before_end(numbers)

    def tokenised(self, samples: Tensor) -> list[tuple[str, ...]]:
        known = ("", UNKNOWN_SHOWN, *self.vocabulary)
        return [tuple(known[number] for number in row if number != END) for row in self.encode(samples).tolist()]

    def lines(self, samples: Tensor) -> list[str]:
        return [joined(words, self.tokens) for words in self.tokenised(samples)]

    # -- looking and showing --------------------------------------------------------------------------------------

    def look(self, samples: Tensor) -> Tensor:
        """(B, length) to (B, 512): how often each token and each pair of neighbours is there, in buckets, a quarter of
        them for tokens; as a share of the text's length, times 8."""
        import torch

        numbers = self.encode(samples).to(samples.device).long()
        there = before_end(numbers).float()
        quarter = _BUCKETS // 4
        single = numbers * 2654435761 % 4294967291 % quarter
        pairs = (numbers[:, :-1] * 40503 + numbers[:, 1:] * 2654435761) % 4294967291 % (_BUCKETS - quarter) + quarter
        found = torch.zeros(len(numbers), _BUCKETS, device=samples.device)
        found.scatter_add_(1, single, there)
        found.scatter_add_(1, pairs, there[:, :-1])
        return 8 * found / there.sum(1, keepdim=True).clamp(min=1)

    @property
    def tile(self) -> tuple[int, int]:
        letters = self.length * (1 if self.tokens == "characters" else _WORDS)
        return _HEIGHT, min(_WIDEST, 2 * _MARGIN + _LETTER * max(4, letters))

    def show(self, samples: Tensor, columns: int | None = None, gap: int = GAP) -> Image.Image:
        """Each text on a line, cut off where the line ends."""
        height, width = self.tile
        lines = np.stack([_line(text, height, width) for text in self.lines(samples)])
        return sheet(lines, columns, gap)

    # -- files ----------------------------------------------------------------------------------------------------

    def file(self, sample: Tensor) -> bytes:
        """The text in UTF-8, and a line's end."""
        return f"{self.lines(sample)[0]}\n".encode()

    def played(self, samples: Tensor) -> list[bytes]:
        """One file with the first texts, each on a line."""
        return ["".join(f"{line}\n" for line in self.lines(samples[:_PLAYED])).encode()]

    def played_again(self, content: bytes) -> bytes:
        if len(content) > _PLAYED_BYTES:
            raise DataError(f"these texts have {len(content):,} bytes, more than any that are shown")
        lines = content.decode("utf-8", "replace").splitlines()[:_PLAYED]
        plain = ["".join(letter if letter.isprintable() else UNKNOWN_SHOWN for letter in line) for line in lines]
        return "".join(f"{line}\n" for line in plain).encode()

    def read(self, content: bytes) -> Tensor:
        """A text in UTF-8 on one line. Raises DataError for another file, and for one that is longer than texts are."""
        if len(content) > 4 * LONGEST_TOKEN * (LONGEST + 1):
            raise DataError(f"a text of {len(content):,} bytes is longer than {self}")
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError as error:
            raise DataError(
                f"this is no text in UTF-8: byte {error.start + 1:,} is {content[error.start]:#04x}"
            ) from None
        row = self.row(text)
        if row is None:
            raise DataError(f"this text has {counted(len(split(text, self.tokens)), 'token')}: at most {self.length}")
        return self.decode(row[None])

    def values(self, sample: Tensor) -> dict[str, Any]:
        """The text itself."""
        return {"text": self.lines(sample)[0]}

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {token: number for number, token in enumerate(self.vocabulary, FIRST)}


def before_end(numbers: Tensor) -> Tensor:
    """(B, length) whole numbers of tokens: 1 where no END is, here or before, else 0."""
    return ((numbers == END).long().cumsum(1) == 0).to(numbers.dtype)


def split(text: str, tokens: Unit) -> list[str]:
    """The tokens of a text, in Unicode's composed form: letters, with one space for any that is between words; or words
    with what joins them, and each other sign. What cannot be printed counts as a space."""
    plain = unicodedata.normalize("NFC", text)
    plain = " ".join("".join(letter if letter.isprintable() else " " for letter in plain).split())
    return list(plain) if tokens == "characters" else [word[:LONGEST_TOKEN] for word in _WORD.findall(plain)]


def joined(tokens: Sequence[str], kind: Unit) -> str:
    """A text of these tokens: of words with spaces between them, but for signs that stand close to a word."""
    if kind == "characters":
        return "".join(tokens)
    text = ""
    for token in tokens:
        close = not text or token in _NOTHING_BEFORE or text[-1] in _NOTHING_BEHIND
        text += token if close else f" {token}"
    return text


def vocabulary_of(texts: Iterable[Sequence[str]], most: int) -> tuple[tuple[str, ...], int]:
    """The most frequent tokens of some texts, each of which is a list of them, the most frequent first; and how many
    different ones there are."""
    counts = Counter(token for text in texts for token in text)
    return tuple(sorted(counts, key=lambda token: (-counts[token], token))[:most]), len(counts)


def _line(text: str, height: int, width: int) -> np.ndarray:
    picture = Image.new("L", (width, height), 255)
    font = ImageFont.load_default(_SIZE)
    ImageDraw.Draw(picture).text((_MARGIN, 1), text[: width // 2], font=font, fill=0)
    return np.asarray(picture)[:, :, None]
