"""Scores while training runs: a curve, the weights of the best moment in `best/`, and a stop when nothing improves.

A score looks at averaged weights through a cheap extractor that the space of the data names: of images `native` where
there are labels, else lite0. It draws from seeds of its own and leaves no trace in the game, so training is bit for bit
the same with and without it. A score is lower where it is better: FID, or KID where the features are more than the
samples. Where something must be given, held-out things are given, each once, and KID tells how what is made of them
looks; where the right answers are known too, their perceptual distance counts as much, both as shares of what doing
nothing gets (`translation`: 0 is perfect, 1 no better than the input). KID alone would not mind whose answer it is, and
the distance alone picks the blurred mean of all.

`best/` is a checkpoint that is written beside and moved into place, so half of one is never seen.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from ganvas.data.dataset import Data
from ganvas.features import Extractor, ImageExtractor, extractor
from ganvas.files import read_json
from ganvas.metrics import bootstrap
from ganvas.metrics import distributions as d
from ganvas.metrics.answers import FEW, perceptual_distances
from ganvas.metrics.leakage import trained_on
from ganvas.metrics.native import native
from ganvas.metrics.questions import Questions, questions_of
from ganvas.metrics.reference import features_of, reference
from ganvas.metrics.samples import Samples
from ganvas.recipe import Recipe, Results
from ganvas.schema import any_number, record, whole
from ganvas.training import Game, Verdict, Watcher, checkpoint, fraction_here, seed_from

if TYPE_CHECKING:
    from ganvas.run import Recorder

SAMPLES, SAMPLES_WHEN_SLOW, REFERENCES = 1000, 500, 5000
MOMENTS = 20
"""Scores of a run that is to stop when they are flat, where no interval is given."""

_BLOCK = 64
_LEAST = 1e-3
"""Of what scores of doing nothing count as, where it is next to perfect."""

_LATENTS = 1_000_033
"""Seeds the latents of the scored samples, together with the run's seed."""


class Best(NamedTuple):
    step: int
    key: str
    value: float


def drawn(training: Game, count: int, latents: int, given: Callable[[int], dict[str, Tensor]] | None = None) -> Tensor:
    """(count, ...) from averaged weights, each label in turn, by seeds of their own: those of `latents`, so that
    training draws what it would have drawn. given: by the number of a block of samples, what these are given."""
    recipe, pieces = training.recipe, []
    with training.averaged_weights():
        for index in range(-(-count // _BLOCK)):
            rows = min(_BLOCK, count - index * _BLOCK) if given is not None else _BLOCK
            values = {} if given is None else given(index)
            if recipe.classes:
                values["label"] = (torch.arange(rows, device=recipe.device) + index * _BLOCK) % recipe.classes
            seed_from(training.settings.seed, latents, index)
            pieces.append(recipe.generate(**recipe.draw(rows, values)).float().cpu())
    return torch.cat(pieces)[:count]


class Scorer(Watcher):
    """Scores every `every` steps, and at the end; spread over the run where `every` is None.

    stop_when_flat: stop after so many scores without one that is better beyond noise (half the 95% interval). about:
    what the manifest of `best/` says, as in every checkpoint. Only the first process scores.
    """

    memory = record(
        {},
        {
            "best": record({"step": whole(), "value": any_number}),
            "flat": record({"level": any_number, "scores": whole()}),
        },
    )

    def __init__(
        self,
        run: Path,
        recorder: Recorder,
        training: Game,
        *,
        every: int | None,
        stop_when_flat: int | None,
        about: Mapping[str, Any],
        progress: bool,
    ) -> None:
        super().__init__()
        self.run, self.recorder, self.every, self.stop_when_flat = run, recorder, every, stop_when_flat
        self.about = dict(about)
        self._reached = 0
        if training.processes.first:
            data = training.data
            given = next(iter(training.recipe.given()), None)
            with torch.random.fork_rng():
                self.judge = _judge(data, training.recipe, progress)
                split = "train+validation" if given is None else "train"
                self.real = reference(data, split, REFERENCES, 0, self.judge, progress=progress).features
                self.asked = None if given is None else _Asked.of(data, given, self.judge, self.real)
            self.count = SAMPLES if self.real.shape[1] <= SAMPLES // 2 else SAMPLES_WHEN_SLOW
            self.name = "FID" if min(self.count, len(self.real)) > self.real.shape[1] else "KID"
            if self.asked is not None:
                self.count = min(self.count, len(self.asked.questions))
                self.name = "translation" if self.asked.nothing else "KID"
            self.key = f"{self.name}[{self.judge.name}]"

    def started(self, training: Game) -> None:
        self._reached = self._moments(training)
        if training.processes.first:
            self._settle()

    def stepped(self, training: Game, results: Mapping[str, Results]) -> Verdict:
        if not training.processes.first:
            return Verdict.CONTINUE
        reached = self._moments(training)
        due, self._reached = reached > self._reached or fraction_here(training) >= 1, reached
        if not due or not training.meter.finite():
            return Verdict.CONTINUE
        began = time.monotonic()
        samples = self._samples(training)
        if samples is None:
            return Verdict.CONTINUE
        told, noise = self._score(samples)
        value = told[self.key]
        self.recorder.add(training, {f"score/{key}": each for key, each in told.items()}, time.monotonic() - began)
        best = self.state.get("best")
        if best is None or value < best["value"]:
            self.state["best"] = {"step": training.steps_done, "value": value}
            self._keep(training, value)
        return self._verdict(value, noise)

    def measured(self, training: Game, row: Mapping[str, Any]) -> None:
        if "event" in row and training.processes.first:  # training is back at an earlier step
            self._reached = self._moments(training)
            self._settle()

    # -- the score ----------------------------------------------------------------------------------------------

    def _moments(self, training: Game) -> int:
        """How many scores are due by now: a function of where training is, so that a resumed one scores alike."""
        return training.steps_done // self.every if self.every else int(MOMENTS * fraction_here(training))

    def _samples(self, training: Game) -> Tensor | None:
        """Fresh ones from averaged weights, encoded, always of the same latents and of what is given; None where one is
        not finite."""
        given = None if self.asked is None else partial(self.asked.given, training.recipe)
        samples = drawn(training, self.count, _LATENTS, given)
        return training.data.space.encode(samples) if bool(samples.isfinite().all()) else None

    def _score(self, samples: Tensor) -> tuple[dict[str, float], float]:
        """The score by its key, with what it is made of, and half of its 95% interval."""
        fake = features_of(Samples(samples, None), self.judge, "the samples").features
        if self.name == "FID":
            value = d.frechet_distance(d.Moments.of(self.real), d.Moments.of(fake))
            return {self.key: value}, _half(bootstrap.frechet_interval(self.real, fake))
        value, noise = _kernel_distance(self.real, fake)
        told = {f"KID[{self.judge.name}]": value}
        if self.asked is None or not self.asked.nothing:
            return told, noise
        apart = self.asked.distances(samples)
        told[f"perceptual[{self.judge.name}]"] = float(apart.mean())
        shares = {key: each / self.asked.nothing[key] for key, each in told.items()}
        noises = zip((noise, _half(bootstrap.mean_interval(apart))), self.asked.nothing.values(), strict=True)
        told[self.key] = sum(shares.values()) / 2
        return told, sum(each / nothing for each, nothing in noises) / 2

    def _verdict(self, value: float, noise: float) -> Verdict:
        flat = self.state.get("flat")
        if flat is None or value < flat["level"] - noise:
            flat = {"level": value, "scores": 0}
        else:
            flat = {"level": flat["level"], "scores": flat["scores"] + 1}
        self.state["flat"] = flat
        return Verdict.STOP if self.stop_when_flat and flat["scores"] >= self.stop_when_flat else Verdict.CONTINUE

    # -- best/ --------------------------------------------------------------------------------------------------

    def _keep(self, training: Game, value: float) -> None:
        beside = self.run / ".best"
        written = checkpoint.write(beside, training.state(), {**self.about, "score": {self.key: value}})
        self._take_away()
        os.rename(written, self.run / "best")
        shutil.rmtree(beside, ignore_errors=True)

    def _take_away(self) -> None:
        """Moves `best/` aside, from where `_settle` brings it back if this process ends before there is a new one."""
        if (self.run / "best").exists():
            shutil.rmtree(self.run / ".best" / "before", ignore_errors=True)
            (self.run / ".best").mkdir(exist_ok=True)
            os.rename(self.run / "best", self.run / ".best" / "before")

    def _settle(self) -> None:
        """Makes `best/` and memory agree. Where training is back before the step of `best/`, those weights are undone:
        the best is looked for anew, and a replay finds the same again."""
        best, before = self.run / "best", self.run / ".best" / "before"
        if before.exists() and not best.exists():
            os.rename(before, best)
        found, known = best_of(self.run), self.state.get("best")
        if known is None or found is None or found.step != known["step"]:
            self.state.pop("best", None)
            self._take_away()
        shutil.rmtree(self.run / ".best", ignore_errors=True)


@dataclass(frozen=True, eq=False)
class _Asked:
    """What is given for scores. nothing: what doing nothing gets, by the score's key; {}
    where the right answers are not known, place by place, or nothing in the form of one is given."""

    questions: Questions
    judge: Extractor
    nothing: dict[str, float]

    @classmethod
    def of(cls, data: Data, first: str, judge: Extractor, real: Tensor) -> _Asked:
        split = "validation" if data.split("validation").items.conditions >= FEW else "train"
        questions = questions_of(data, split, SAMPLES_WHEN_SLOW, 0, first)
        asked = cls(questions, judge, {})
        if not questions.answered or questions.nothing is None or not isinstance(judge, ImageExtractor):
            return asked
        left = questions.nothing.values
        value, _ = _kernel_distance(real, features_of(Samples(left, None), judge, "what is given").features)
        apart = float(asked.distances(left).mean())
        return replace(
            asked,
            nothing={f"KID[{judge.name}]": max(value, _LEAST), f"perceptual[{judge.name}]": max(apart, _LEAST)},
        )

    def given(self, recipe: Recipe, index: int) -> dict[str, Tensor]:
        part, declared = slice(index * _BLOCK, (index + 1) * _BLOCK), recipe.inputs()
        return {key: each[part].to(recipe.device) for key, each in self.questions.given.items() if key in declared}

    def distances(self, values: Tensor) -> Tensor:
        """(N,) to the right answers."""
        assert isinstance(self.judge, ImageExtractor)
        space = self.questions.answers.space
        with torch.no_grad():
            return perceptual_distances(space.samples_of(values), self.questions.answers.samples, self.judge)


def _kernel_distance(real: Tensor, fake: Tensor) -> tuple[float, float]:
    """KID, and half of its interval."""
    size = max(2, min(len(real), len(fake)) // 2)
    value, _ = d.kernel_distance(real, fake, subsets=20, subset_size=size)
    return value, _half(bootstrap.kernel_interval(real, fake))


def _half(interval: bootstrap.Interval) -> float:
    return (interval.high - interval.low) / 2


def best_of(run: Path) -> Best | None:
    """The step and score of a run's `best/`, or None without one. It may come from anywhere, so nothing is taken for
    granted; whether the weights can be read is for `ganvas.load` to say."""
    try:
        best = run / "best"
        manifest = read_json(best / "manifest.json", checkpoint.MOST_JSON, inside=run)
        ((key, value),) = manifest["score"].items()
        step = read_json(best / "values.json", checkpoint.MOST_JSON, inside=run)["step"]
        return Best(int(step), str(key), float(value))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return None


def _judge(data: Data, recipe: Recipe, progress: bool) -> Extractor:
    name = data.space.judge(bool(data.labels))
    if name == "native":
        return native(data, progress=progress)
    first = extractor(name, space=data.space)
    others = [each for each in data.space.extractors if each != name]
    return extractor(others[0], space=data.space) if others and trained_on(recipe, [first], {}) else first
