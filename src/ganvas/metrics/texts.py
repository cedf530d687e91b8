"""What is counted of texts, each of which is a sequence of tokens: n-grams, BLEU, and a model of n-grams.

The model is the rival that anything which learns texts has to beat: it is fitted in a second, knows two tokens of
history, and does well on every score that only looks at so many.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Collection, Sequence

Tokens = tuple[str, ...]
"""A text."""

BEGIN, END = "\x02", "\x03"
"""What stands before and behind a text; no token of a text is one of them, as they cannot be printed."""

ORDER = 4
"""Of the longest n-grams that BLEU counts."""


class NGrams:
    """Each token by the two before it, mixed with what fewer of them say by how many different ones follow (Witten and
    Bell 1991, method C; as a recursion in Chen and Goodman 1998, section 2.5).

    texts: what it is fitted on. symbols: how many different tokens there can be, the end among them.
    """

    def __init__(self, texts: Collection[Tokens], symbols: int, order: int = 3) -> None:
        self.symbols, self.order = symbols, order
        self.following: dict[Tokens, Counter[str]] = {}
        for text in texts:
            for before, token in self._steps(text):
                for length in range(order):
                    self.following.setdefault(before[order - 1 - length :], Counter())[token] += 1
        self._totals = {before: counts.total() for before, counts in self.following.items()}

    def probability(self, before: Tokens, token: str) -> float:
        """Of a token after `order - 1` others."""
        share = 1 / self.symbols
        for length in range(self.order):
            known = before[self.order - 1 - length :]
            counts = self.following.get(known)
            if counts is None:
                break
            share = (counts[token] + len(counts) * share) / (self._totals[known] + len(counts))
        return share

    def unlikeliness(self, text: Tokens) -> float:
        """Of a text and its end, in nats."""
        return -math.fsum(math.log(self.probability(before, token)) for before, token in self._steps(text))

    def sample(self, n: int, length: int, seed: int) -> list[Tokens]:
        """Texts of at most so many tokens, drawn from it."""
        chance = random.Random(seed)
        every = sorted(self.following.get((), Counter()))
        choices = {before: (list(each), list(each.values())) for before, each in self.following.items()}
        made = []
        for _ in range(n):
            text = [BEGIN] * (self.order - 1)
            while len(text) < length + self.order - 1:
                token = ""
                for known in range(self.order - 1, -1, -1):
                    before = tuple(text[len(text) - known :])
                    counts = self.following.get(before)
                    if counts and chance.random() * (self._totals[before] + len(counts)) < self._totals[before]:
                        (token,) = chance.choices(*choices[before])
                        break
                token = token or chance.choice(every)
                if token == END:
                    break
                text.append(token)
            made.append(tuple(text[self.order - 1 :]))
        return made

    def _steps(self, text: Tokens) -> list[tuple[Tokens, str]]:
        """Each token and the end, behind what stands before it."""
        whole = (*[BEGIN] * (self.order - 1), *text, END)
        return [(whole[place - self.order + 1 : place], whole[place]) for place in range(self.order - 1, len(whole))]


def nats_a_token(model: NGrams, texts: Sequence[Tokens]) -> list[float]:
    """(n,): how unlikely each text is, over the mean number of tokens, so that their mean is that of a token."""
    mean = sum(len(text) + 1 for text in texts) / len(texts)
    return [model.unlikeliness(text) / mean for text in texts]


def grams(text: Tokens, order: int) -> list[Tokens]:
    return [text[place : place + order] for place in range(len(text) - order + 1)]


def divergence(one: Sequence[Tokens], other: Sequence[Tokens], order: int) -> float:
    """Between how often n-grams are in two sets of texts, their ends being tokens too: Jensen and Shannon's, in bits, 0
    for equal shares and 1 where none is in both (Lin 1991)."""
    counts = [Counter(gram for text in texts for gram in grams((*text, END), order)) for texts in (one, other)]
    totals = [each.total() or 1 for each in counts]
    told = 0.0
    for gram in counts[0].keys() | counts[1].keys():
        shares = [each[gram] / total for each, total in zip(counts, totals, strict=True)]
        middle = sum(shares) / 2
        told += sum(share * math.log2(share / middle) for share in shares if share) / 2
    return told


def bleu(texts: Sequence[Tokens], references: Sequence[Tokens] | None = None) -> list[float]:
    """(n,): BLEU-4 of each text by all the references together (Papineni et al. 2002), or by all the other texts, which
    is self-BLEU (Zhu et al. 2018). N-grams of two tokens and more count once too often on both sides, or short texts
    would be worth nothing (Lin and Och 2004)."""
    others = texts if references is None else references
    own = references is None
    most: list[dict[Tokens, tuple[int, int, int]]] = []
    for order in range(1, ORDER + 1):
        # Of each n-gram: how often at most in one text, in which, and how often at most in one of the others.
        best: dict[Tokens, tuple[int, int, int]] = {}
        for place, text in enumerate(others):
            for gram, count in Counter(grams(text, order)).items():
                first, where, second = best.get(gram, (0, -1, 0))
                best[gram] = (count, place, first) if count > first else (first, where, max(second, count))
        most.append(best)
    lengths = sorted({len(text) for text in others})
    return [_bleu(text, place if own else -1, most, lengths) for place, text in enumerate(texts)]


def _bleu(text: Tokens, place: int, most: list[dict[Tokens, tuple[int, int, int]]], lengths: list[int]) -> float:
    if not text:
        return 0.0
    total, orders = 0.0, range(1, min(ORDER, len(text)) + 1)
    for order in orders:
        found, there = 0, grams(text, order)
        for gram, count in Counter(there).items():
            first, where, second = most[order - 1].get(gram, (0, -1, 0))
            found += min(count, second if where == place else first)
        extra = order > 1
        if found + extra == 0:
            return 0.0
        total += math.log((found + extra) / (len(there) + extra))
    nearest = min(lengths, key=lambda length: (abs(length - len(text)), length))
    return math.exp(total / len(orders) + min(0.0, 1 - nearest / len(text)))
