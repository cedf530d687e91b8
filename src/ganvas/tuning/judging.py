"""How trials are judged: one named score of held-out items, in the same way for all, with its interval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import torch

from ganvas.comparing import PASSPORT
from ganvas.data.dataset import Data
from ganvas.errors import DataError, GanvasError, UsageError, near_miss
from ganvas.features import Extractor, extractor
from ganvas.metrics.evaluate import METRICS, evaluate
from ganvas.metrics.native import native
from ganvas.metrics.passport import Score, finite, shortfall
from ganvas.metrics.reference import reference
from ganvas.metrics.samples import Samples, count_of, in_order
from ganvas.metrics.scorer import drawn
from ganvas.metrics.scores import ALIASES, Case
from ganvas.recipe import Results
from ganvas.schema import Schema, record, whole
from ganvas.text import quoted
from ganvas.training import Game, Verdict, Watcher, fraction_here

if TYPE_CHECKING:
    from optuna.trial import Trial

SPLIT, COUNT = "validation", 1000
FEW_DIMENSIONS = 16
"""Below so many features a Frechet or kernel distance is blind: other shapes have the same few moments."""

LOOKS = (0.25, 0.5, 0.75)
"""Shares of a trial's length at which it is asked whether it is worth going on."""

_LATENTS = 1_000_037


@dataclass(frozen=True)
class Judge:
    """metric: a name of `METRICS`; the first score that it gives counts. extractor: by its name. n: samples. split: of
    the data."""

    metric: str
    extractor: str
    n: int
    split: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def of_run(self, run: Path, data: Data, recipe: Any = None) -> Judged:
        """Judges a run and keeps its scores in its folder, where `ganvas compare` finds them."""
        report = evaluate(
            run, data, metrics=[self.metric], extractor=self.extractor, n=self.n, split=self.split, recipe=recipe,
            progress=False,
        )  # fmt: skip
        report.save(run / PASSPORT)
        return Judged.of(next(iter(report.scores.values())))


@dataclass(frozen=True)
class Judged:
    """A score. loss: what a study makes low, whichever values of the score are better; bound: the same at the better
    end of the interval."""

    key: str
    value: float
    interval: tuple[float, float] | None
    loss: float
    bound: float

    @classmethod
    def of(cls, score: Score) -> Judged:
        """Raises DataError for a score that is no number or of which nothing is better."""
        value, loss = finite(score.value), shortfall(score.better, score.value)
        if value is None or loss is None:
            raise DataError(f"{score.key} cannot be searched for: it is no number, or nothing of it is better")
        bounds = None if score.interval is None else tuple(map(float, score.interval))
        ends = [loss, *(each for bound in bounds or () if (each := shortfall(score.better, bound)) is not None)]
        return cls(score.key, value, None if bounds is None else (bounds[0], bounds[1]), loss, min(ends))

    def to_json(self) -> dict[str, Any]:
        return {"key": self.key, "value": self.value, "interval": self.interval, "loss": self.loss}


def judge_of(data: Data, metric: str | None, wanted: str | None, n: int | None, split: str | None) -> Judge:
    """The judge of a study. Without a metric it is one that is good for the features and the items that there are: FID,
    KID where the items are few for the features, coverage where the features are too few for either.

    Raises UsageError and DataError, of one line, for what there is not.
    """
    split = in_order(split or SPLIT)
    there = count_of(data, split)
    if not there:
        raise DataError(f"{data.name} has nothing in its split {split}: choose another --split")
    name = wanted or data.space.judge(bool(data.labels))
    if name not in data.space.extractors:
        raise UsageError(f"{data.name} holds {data.space}, which the extractor {quoted(name)} does not look at")
    n = n or COUNT
    if metric is None:
        dimensions = reference(data, split, n, 0, _extractor(name, data)).features.shape[1]
        few = min(n, there) <= 2 * dimensions
        metric = "coverage" if dimensions < FEW_DIMENSIONS else "kid" if few else "fid"
    metric = ALIASES.get(metric.strip().lower(), metric.strip().lower())
    if metric not in METRICS:
        raise UsageError(f"there is no metric {quoted(metric)}{near_miss(metric, [*METRICS, *ALIASES])}")
    return Judge(metric, name, n, split)


def _extractor(name: str, data: Data) -> Extractor:
    return native(data, progress=False) if name == "native" else extractor(name, space=data.space)


@dataclass
class Pruning(Watcher):
    """Scores a trial while it trains and stops it where it lags behind: where its score is worse than the median of the
    other trials at the same share of their lengths, and its interval does not reach the best score that a trial ended
    with. It draws from seeds of its own, so a trial that goes on is what it would have been.

    best: the lowest loss of a trial that is over. pruned: why the trial was stopped, "" where it was not.
    """

    trial: Trial
    judge: Judge
    data: Data
    best: float | None
    memory: ClassVar[Schema] = record({}, {"looked": whole(0, len(LOOKS))})

    pruned: str = ""

    def stepped(self, training: Game, results: Mapping[str, Results]) -> Verdict:
        share = fraction_here(training)
        reached = sum(share >= each for each in LOOKS)
        if share >= 1 or reached <= self.state.get("looked", 0) or training.recipe.given():
            return Verdict.CONTINUE
        self.state["looked"] = reached
        try:
            judged = self._judged(training)
        except GanvasError:  # samples that cannot be judged yet; the end has the last word
            return Verdict.CONTINUE
        self.trial.report(judged.loss, reached)
        if self.trial.should_prune() and (self.best is None or judged.bound > self.best):
            self.pruned = f"{judged.key} {judged.value:.4g} after {100 * share:.0f}% of its length"
            return Verdict.STOP
        return Verdict.CONTINUE

    def _judged(self, training: Game) -> Judged:
        samples = self._samples(training)
        looks = _extractor(self.judge.extractor, self.data)
        case = Case(samples, self.data, self.judge.split, self.judge.n, 0, looks)
        if lacking := METRICS[self.judge.metric].needs(case):
            raise DataError(lacking)
        return Judged.of(next(iter(METRICS[self.judge.metric].compute(case))))

    def _samples(self, training: Game) -> Samples:
        values = drawn(training, self.judge.n, _LATENTS)
        if not bool(values.isfinite().all()):
            raise DataError("samples are not finite")
        classes = training.recipe.classes
        return Samples(training.data.space.encode(values), torch.arange(self.judge.n) % classes if classes else None)
