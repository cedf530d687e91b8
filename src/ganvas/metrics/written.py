"""Scores of texts, each beside what real texts and a sampler of 3-grams get.

real: texts of the training, as many as there are samples. 3-gram: as many by a model of 3-grams that was fitted on all
texts of the training. A score that a 3-gram wins says nothing of texts, and several do: look at all of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from ganvas.metrics import bootstrap
from ganvas.metrics.passport import Better, Score, finite
from ganvas.metrics.samples import HELD_OUT, Samples, count_of, of_data, split_of
from ganvas.metrics.scores import FEW, Case, Metric
from ganvas.metrics.texts import NGrams, Tokens, bleu, divergence, nats_a_token
from ganvas.spaces import Space
from ganvas.training import seed_from

TOKENS = "tokens"
"""What looks at texts, in the place of an extractor."""

ORDERS = (1, 2, 3)

REAL, RIVAL = "real", "3-gram"

Measure = Callable[[Sequence[Tokens]], Sequence[float]]
"""Of some texts, what each is worth, or what they say of each held-out one; the mean is the score."""


@dataclass
class Written:
    """The texts of a case: samples, training and held-out ones, and what a model of 3-grams makes."""

    case: Case

    @cached_property
    def made(self) -> list[Tokens]:
        return self._words(self.case.samples)

    @cached_property
    def trained(self) -> list[Tokens]:
        return self._words(of_data(self.case.data, "train")[0])

    @cached_property
    def held(self) -> list[Tokens]:
        return self._words(of_data(self.case.data, HELD_OUT, self.case.count, self.case.seed)[0])

    @cached_property
    def sides(self) -> dict[str, list[Tokens]]:
        """Who is judged beside the samples."""
        drawn, _ = of_data(self.case.data, "train", len(self.made), self.case.seed)
        rival = self.model(self.trained).sample(len(self.made), self.case.data.space.shape[0], self.case.seed)
        return {REAL: self._words(drawn), RIVAL: rival}

    def model(self, texts: Sequence[Tokens]) -> NGrams:
        return NGrams(texts, int(self.case.data.space.facts()["symbols"]))

    def _words(self, samples: Samples) -> list[Tokens]:
        space = self.case.data.space
        return space.tokenised(space.samples_of(samples.values))


def written(case: Case) -> Written:
    """Of a case, made at first use."""
    made: Written = case.kept.setdefault("written", Written(case))
    return made


def _score(case: Case, name: str, better: Better, told: dict[str, tuple[float, Any]], **more: Any) -> Score:
    """told: by the side, a value and its interval; the samples' own under ""."""
    value, interval = told.pop("")
    beside = {
        side: {"value": finite(each), "interval": None if bounds is None else [finite(bound) for bound in bounds]}
        for side, (each, bounds) in told.items()
    }
    counts = len(case.samples), len(written(case).held)
    return Score(name, TOKENS, value, interval, better, *counts, more={"beside": beside, **more})


def _means(case: Case, measure: Measure, final: Callable[[float], float] = float) -> dict[str, tuple[float, Any]]:
    """The mean of what each text is worth, with its interval, of the samples and of each side."""
    told: dict[str, tuple[float, Any]] = {}
    for side, texts in {"": written(case).made, **written(case).sides}.items():
        each = torch.tensor(measure(texts), dtype=torch.float64)
        bounds = bootstrap.mean_interval(each, seed=case.seed)
        told[side] = final(float(each.mean())), bootstrap.Interval(*map(final, bounds))
    return told


def _likelihood(case: Case) -> Iterator[Score]:
    """Of held-out texts, in nats a token, by the recipe and by 3-grams."""
    assert case.unlikeliness is not None
    mine, held = written(case), of_data(case.data, HELD_OUT, case.count, case.seed)[1]
    mean = sum(len(text) + 1 for text in mine.held) / len(mine.held)
    items = split_of(case.data, HELD_OUT)
    with torch.no_grad(), torch.random.fork_rng():
        seed_from(case.seed)
        parts = [case.unlikeliness(items.gather(held[at : at + 64])) for at in range(0, len(held), 64)]
    own = torch.cat(parts).double().cpu() / mean
    rival = torch.tensor(nats_a_token(mine.model(mine.trained), mine.held), dtype=torch.float64)
    sides = {"": own, REAL: torch.tensor([math.nan]), RIVAL: rival}
    told = {side: (float(each.mean()), bootstrap.mean_interval(each, seed=case.seed)) for side, each in sides.items()}
    yield _score(case, "NLL", "lower", told)


def _perplexity(case: Case) -> Iterator[Score]:
    """Of samples by 3-grams of held-out texts, and of held-out texts by 3-grams of the samples."""
    mine = written(case)
    judge = mine.model(mine.held)
    yield _score(case, "perplexity", "lower", _means(case, lambda texts: nats_a_token(judge, texts), math.exp))
    told = _means(case, lambda texts: nats_a_token(mine.model(texts), mine.held), math.exp)
    yield _score(case, "reverse perplexity", "lower", told)


def _bleu(case: Case) -> Iterator[Score]:
    """By all held-out texts, and by the other samples."""
    mine = written(case)
    told = _means(case, lambda texts: bleu(texts, mine.held))
    yield _score(case, "BLEU-4", told[REAL][0], told)
    told = _means(case, bleu)
    yield _score(case, "self-BLEU-4", told[REAL][0], told)


def _grams(case: Case) -> Iterator[Score]:
    mine = written(case)
    for order in ORDERS:
        sides = {"": mine.made, **mine.sides}
        told = {side: (divergence(texts, mine.held, order), None) for side, texts in sides.items()}
        yield _score(case, f"{order}-grams", "lower", told)


def _copies(case: Case) -> Iterator[Score]:
    """Shares of samples that are a text of the training, that are a held-out one, and that are like no other sample."""
    mine = written(case)
    trained, held = set(mine.trained), set(mine.held)
    copies = _means(case, lambda texts: [float(text in trained) for text in texts])
    copies[REAL] = 0.0, None  # held-out texts, among which there is no text of the training
    yield _score(case, "copies", "neither", copies)
    found = _means(case, lambda texts: [float(text in held) for text in texts])
    found[REAL] = math.nan, None
    yield _score(case, "held-out found", "higher", found)
    once = {side: (len(set(texts)) / len(texts), None) for side, texts in {"": mine.made, **mine.sides}.items()}
    yield _score(case, "different", once[REAL][0], once)


def _words(case: Case) -> Iterator[Score]:
    """The share of words, which are between spaces, that are in texts of the training."""
    known = {word for text in written(case).trained for word in "".join(text).split()}

    def shares(texts: Sequence[Tokens]) -> list[float]:
        return [float(word in known) for text in texts for word in "".join(text).split()] or [0.0]

    told = _means(case, shares)
    rest = [float(word in known) for text in written(case).held for word in "".join(text).split()]
    told[REAL] = sum(rest) / len(rest), None
    yield _score(case, "known words", told[REAL][0], told)


def _needed(case: Case) -> str:
    if not case.data.space.worded:
        return "it is of texts alone"
    short = min(len(case.samples), count_of(case.data, HELD_OUT))
    return (
        f"scores of texts need at least {FEW} samples and held-out texts, and there are {short}" if short < FEW else ""
    )


def _likelihood_needed(case: Case) -> str:
    lacking = _needed(case)
    return lacking or ("" if case.unlikeliness else "the likelihood is that of a recipe that has one")


def _letters_needed(case: Case) -> str:
    lacking = _needed(case)
    if lacking:
        return lacking
    letters = all(len(token) == 1 for text in written(case).held for token in text)
    several = any(" " in text for text in written(case).held)
    return "" if letters and several else "known words are of texts that are made letter by letter, of several words"


def _is_written(space: Space) -> bool:
    return space.worded


METRICS: dict[str, Metric] = {
    "likelihood": Metric(
        _likelihood, _likelihood_needed, "how unlikely held-out texts are, in nats a token", _is_written
    ),
    "perplexity": Metric(_perplexity, _needed, "of texts by 3-grams of others", _is_written),
    "bleu": Metric(_bleu, _needed, "BLEU and self-BLEU", _is_written),
    "n-grams": Metric(_grams, _needed, "distances of how often n-grams are there", _is_written),
    "copies": Metric(_copies, _needed, "copies of the training set, held-out texts that are found", _is_written),
    "words": Metric(_words, _letters_needed, "words that the training set has", _is_written),
}
"""Of texts alone."""
