"""Encoders: a text as numbers, and how these are kept."""

from __future__ import annotations

import re
import unicodedata
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ganvas.devices import sent
from ganvas.errors import UsageError, near_miss
from ganvas.text import listed, quoted

if TYPE_CHECKING:
    import torch
    from torch import Tensor

LONGEST = 64
"""Different words of one caption that count."""

MOST_WORDS = 4096
"""Words that a bag knows, the most frequent ones."""

MOST_LETTERS = 2000
"""Of a caption."""

_USUAL = 8
"""Words of a caption whose numbers have unit mean square, as latent vectors have."""

_WORD = re.compile(r"[^\W_]+")


class Encoder(ABC):
    """Texts to numbers (B, size) of about unit mean square. What derives from it is a frozen dataclass.

    name: which one, in `config.json` and on the command line.
    """

    name: str

    @property
    def bag(self) -> tuple[str, ...]:
        """The words of which it notes whether they are there, one number each; () where it does no such thing."""
        return ()

    @property
    @abstractmethod
    def size(self) -> int:
        """Numbers of one caption."""

    @abstractmethod
    def stored(self) -> tuple[np.dtype[Any], tuple[int, ...]]:
        """The type and the shape of one caption as prepared data has it."""

    @abstractmethod
    def rows(self, texts: Sequence[str]) -> np.ndarray:
        """(n, *stored shape) of texts that `refusal` has nothing against."""

    @abstractmethod
    def decode(self, rows: np.ndarray, device: torch.device | str = "cpu") -> Tensor:
        """(B, size) float32 of such rows."""

    @abstractmethod
    def unknown(self, text: str) -> list[str]:
        """The words of a text that it makes nothing of."""

    @abstractmethod
    def knows(self, text: str) -> bool:
        """Whether it makes anything of a text."""

    def near(self, word: str) -> str:
        """What may be meant by a word that it does not know, to append to a message; "" where nothing is near."""
        return ""

    def examples(self) -> str:
        """Words that it knows, to append to a message; "" where there is no list of them."""
        return ""

    def encode(self, texts: Sequence[str]) -> Tensor:
        """(n, size) float32. Raises UsageError for a text that it makes nothing of, with the nearest words it knows."""
        for text in texts:
            if len(text) > MOST_LETTERS:
                raise UsageError(f"a caption has at most {MOST_LETTERS:,} letters, not {len(text):,}")
            if not self.knows(text):
                raise UsageError(f"no word of {quoted(text)} is known{self._nearest(text) or self.examples()}")
        return self.decode(self.rows(texts))

    def remark(self, text: str) -> str:
        """What somebody should know who has given this text: which of its words count for nothing. "" for none."""
        words = self.unknown(text)
        if not words or not self.knows(text):
            return ""
        told = listed((quoted(word) for word in words), 5)
        return f"it knows no {told}, which count for nothing" + self._nearest(text)

    def _nearest(self, text: str) -> str:
        return next(filter(None, map(self.near, self.unknown(text)[:LONGEST])), "")

    def to_json(self) -> dict[str, Any]:
        told = {each.name: getattr(self, each.name) for each in fields(self)}  # type: ignore[arg-type]
        return {name: list(value) if isinstance(value, tuple) else value for name, value in told.items()}


@dataclass(frozen=True)
class Words(Encoder):
    """A bag of the words of a training: for each word of the vocabulary, whether it is in the caption. Their order is
    lost, and `not` is a word as others are."""

    vocabulary: tuple[str, ...]
    name: str = "words"

    def __post_init__(self) -> None:
        """Raises ValueError for what no training makes."""
        if not 1 <= len(set(self.vocabulary)) == len(self.vocabulary) <= MOST_WORDS:
            raise ValueError(f"{len(self.vocabulary)} words, which differ or not")

    @classmethod
    def of(cls, texts: Iterable[str]) -> Words:
        """The words of these texts, the most frequent first. Raises ValueError where there is none."""
        counts = Counter(word for text in texts for word in dict.fromkeys(words_of(text)))
        return cls(tuple(sorted(counts, key=lambda word: (-counts[word], word))[:MOST_WORDS]))

    @property
    def bag(self) -> tuple[str, ...]:
        return self.vocabulary

    @property
    def size(self) -> int:
        return len(self.vocabulary)

    def stored(self) -> tuple[np.dtype[Any], tuple[int, ...]]:
        """Places in the vocabulary, and -1 behind them."""
        return np.dtype(np.int16), (LONGEST,)

    def rows(self, texts: Sequence[str]) -> np.ndarray:
        rows = np.full((len(texts), LONGEST), -1, np.int16)
        for row, text in zip(rows, texts, strict=True):
            places = sorted({self._places[word] for word in words_of(text) if word in self._places})[:LONGEST]
            row[: len(places)] = places
        return rows

    def decode(self, rows: np.ndarray, device: torch.device | str = "cpu") -> Tensor:
        import torch

        places = sent(np.require(rows, np.int64, ("C", "W")), device)
        bag = torch.zeros(len(rows), self.size + 1, device=device)
        bag.scatter_(1, torch.where(places < 0, self.size, places), (self.size / _USUAL) ** 0.5)
        return bag[:, :-1]

    def unknown(self, text: str) -> list[str]:
        return list(dict.fromkeys(word for word in words_of(text) if word not in self._places))

    def knows(self, text: str) -> bool:
        return any(word in self._places for word in words_of(text))

    def near(self, word: str) -> str:
        hint = near_miss(word, self.vocabulary)
        return hint if hint.startswith("; did") else ""

    def examples(self) -> str:
        return f"; words that are: {listed(self.vocabulary, 20)}"

    @cached_property
    def _places(self) -> dict[str, int]:
        return {word: place for place, word in enumerate(self.vocabulary)}


@dataclass(frozen=True)
class Sentences(Encoder):
    """What the sentence model all-MiniLM-L6-v2 makes of a text (Reimers and Gurevych 2019): 384 numbers, near to one
    another where texts mean the same. It is frozen, and known by the hash of its weights.

    Raises UsageError where the package with its weights is not installed, or holds others, once it is to encode.
    """

    sha256: str
    name: str = "minilm"

    @classmethod
    def at_hand(cls) -> Sentences:
        """The one that is installed."""
        from ganvas.captions.minilm import weights_hash

        return cls(weights_hash())

    @property
    def size(self) -> int:
        return 384

    def stored(self) -> tuple[np.dtype[Any], tuple[int, ...]]:
        return np.dtype(np.float32), (self.size,)

    def rows(self, texts: Sequence[str]) -> np.ndarray:
        from ganvas.captions.minilm import sentence_model

        embedded = sentence_model(self.sha256).embed(texts).numpy() * np.float32(self.size**0.5)
        return np.asarray(embedded, np.float32)

    def decode(self, rows: np.ndarray, device: torch.device | str = "cpu") -> Tensor:
        return sent(np.require(rows, np.float32, ("C", "W")), device)

    def unknown(self, text: str) -> list[str]:
        return []

    def knows(self, text: str) -> bool:
        from ganvas.captions.minilm import sentence_model

        return sentence_model(self.sha256).knows(text)


EncoderName = Literal["words", "minilm"]


def encoder_for(name: EncoderName, texts: Iterable[str]) -> Encoder:
    """The encoder of this name for a training on these captions. Raises UsageError where it is not installed,
    ValueError where the texts have no word."""
    return Words.of(texts) if name == "words" else Sentences.at_hand()


def encoder_from_json(told: Mapping[str, Any]) -> Encoder:
    """What `to_json` wrote. Raises ValueError, TypeError or KeyError for anything else."""
    if told["name"] == "words":
        words = told["vocabulary"]
        if isinstance(words, str) or not all(isinstance(word, str) for word in words):
            raise TypeError("a vocabulary is a list of words")
        return Words(tuple(words))
    if told["name"] == "minilm":
        if not re.fullmatch("[0-9a-f]{64}", told["sha256"]):
            raise ValueError("this is no hash of weights")
        return Sentences(told["sha256"])
    raise ValueError(f"there is no encoder {told['name']}")


def words_of(text: str) -> list[str]:
    """The words and numbers of a text in small letters, in their order."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).lower())
