"""Single scores of answers to what is given: near to the right ones, to their distribution, sharp, without a grid."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from ganvas.errors import UsageError
from ganvas.features import Extractor, ImageExtractor
from ganvas.metrics import bootstrap, pairs
from ganvas.metrics import distributions as d
from ganvas.metrics.passport import Better, Score
from ganvas.metrics.quantities import UNITS, told_of, wasserstein
from ganvas.metrics.questions import Questions, Side
from ganvas.metrics.reference import BLOCK, features_of
from ganvas.metrics.samples import Samples
from ganvas.spaces import Space, stronger

SUBSET = 100
"""Samples in each subset of KID at most."""

FEW = 10
"""Samples on each side that a kernel distance needs."""

_TIE = 1e-6


@dataclass(frozen=True, eq=False)
class Case:
    """What is judged. sides: all who answer, the model by its name "model". others: looks at answers that are not held
    out, or at all where there are none, and gives their features, which are `real`; fresh: whether there are others, so
    that held-out ones can be told from them."""

    questions: Questions
    sides: Mapping[str, Side]
    others: Callable[[], Tensor]
    fresh: bool
    extractor: Extractor
    seed: int = 0
    progress: bool = False
    notes: list[str] = field(default_factory=list)
    _seen: dict[int, Tensor] = field(default_factory=dict)
    _known: dict[int, Side] = field(default_factory=dict)

    @property
    def space(self) -> Space:
        return self.questions.real.space

    @cached_property
    def real(self) -> Tensor:
        return self.others()

    def features(self, side: Side) -> Tensor:
        if id(side) not in self._seen:
            name = next((name for name, each in self.sides.items() if each is side), "answers")
            values = side.values[:1] if side.constant else side.values
            found = features_of(Samples(values, None), self.extractor, f"the {name}", progress=self.progress).features
            self._seen[id(side)] = found.expand(len(side.values), -1)
        return self._seen[id(side)]

    def answering(self, side: Side) -> Side:
        """Its answers to the questions whose right answer is known. Those of real answers are the right ones."""
        if side is self.questions.real:
            return self.questions.answers
        known = self.questions.known
        if len(known) == len(self.questions):
            return side
        if id(side) not in self._known:
            self._known[id(side)] = side.at(known)
        return self._known[id(side)]


@dataclass(frozen=True)
class Told:
    """A value with its interval, of how many answers it is, and beside how many real ones. more: what else belongs to
    it."""

    value: float
    interval: bootstrap.Interval | None
    count: int
    references: int
    more: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Measure:
    """One score. scale: what stands in brackets behind its name. needs: what is lacking for it, "" where nothing is.
    told: of a side, or None where it cannot be told of this one. usual: whether its lack is worth a note."""

    name: str
    scale: Callable[[Case], str]
    better: Better
    needs: Callable[[Case], str]
    told: Callable[[Case, Side], Told | None]
    usual: bool = True


def _kid(case: Case, side: Side) -> Told | None:
    if side is case.questions.real and not case.fresh:
        return None  # they would be compared with themselves
    mine = case.features(side)
    size = min(SUBSET, len(mine), len(case.real))
    value, spread = d.kernel_distance(case.real, mine, subset_size=size, seed=case.seed)
    interval = bootstrap.kernel_interval(case.real, mine, seed=case.seed)
    return Told(value, interval, len(mine), len(case.real), {"spread": spread, "subsets": 100, "subset_size": size})


def _mean(case: Case, values: Tensor, references: int | None = None) -> Told:
    """Of values that are beside as many real ones where nothing else is said."""
    told = values[values.isfinite()]
    among = len(values) if references is None else references
    if not len(told):
        return Told(math.inf, None, len(values), among)
    return Told(float(told.double().mean()), bootstrap.mean_interval(told, seed=case.seed), len(told), among)


def _of_pairs(measure: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Case, Side], Told]:
    """The mean, over questions, of a measure of levels (B, C, H, W) in [0, 255] and the right ones."""

    def told(case: Case, side: Side) -> Told:
        made, wanted = case.answering(side).values, case.questions.answers.values
        pieces = zip(made.split(BLOCK), wanted.split(BLOCK), strict=True)
        return _mean(case, torch.cat([measure(a.float(), b.float()) for a, b in pieces]))

    return told


def _fd(case: Case, side: Side) -> Told | None:
    if side is case.questions.real and not case.fresh:
        return None  # they would be compared with themselves
    mine = case.features(side)
    value = max(0.0, d.frechet_distance(d.Moments.of(case.real), d.Moments.of(mine)))
    return Told(value, bootstrap.frechet_interval(case.real, mine, seed=case.seed), len(mine), len(case.real))


def _apart(case: Case, side: Side) -> Told:
    made, wanted = case.answering(side).samples, case.questions.answers.samples
    pieces = [case.space.apart(a, b) for a, b in zip(made.split(BLOCK), wanted.split(BLOCK), strict=True)]
    return _mean(case, torch.cat([each for each in pieces if each is not None]))


def _quantity(name: str) -> Callable[[Case, Side], Told]:
    def told(case: Case, side: Side) -> Told:
        real, mine = (case.space.quantities(each.samples)[name] for each in (case.questions.real, side))
        value, interval = wasserstein(real, mine, seed=case.seed)
        return Told(value, interval, len(mine), len(real))

    return told


def _perceptual(case: Case, side: Side) -> Told:
    judge = case.extractor
    assert isinstance(judge, ImageExtractor)  # as `needs` has it
    mine = case.answering(side)
    if mine is case.questions.answers:
        return Told(0.0, bootstrap.Interval(0.0, 0.0), len(mine.values), len(mine.values))
    with torch.no_grad():
        found = perceptual_distances(mine.samples, case.questions.answers.samples, judge)
    return _mean(case, found)


def perceptual_distances(made: Tensor, wanted: Tensor, judge: ImageExtractor) -> Tensor:
    """(N,), of images in [-1, 1], in parts that fit into memory."""
    pieces = zip(made.split(16), wanted.split(16), strict=True)
    return torch.cat([pairs.perceptual_distance(a, b, judge) for a, b in pieces])


def _retrieval(k: int) -> Callable[[Case, Side], Told]:
    def told(case: Case, side: Side) -> Told:
        mine, right = (case.features(each) for each in (case.answering(side), case.questions.answers))
        return _mean(case, (ranks(mine, right) < k).double())

    return told


def ranks(mine: Tensor, right: Tensor) -> Tensor:
    """(K,) int64: how many of the right answers are nearer to each answer than its own, by the angle of their features,
    (K, D) each. Equal ones are not nearer."""
    likeness = normalize(mine.double(), dim=1) @ normalize(right.double(), dim=1).T
    return (likeness > likeness.diagonal()[:, None] + _TIE).sum(1)


def _sharpness(case: Case, side: Side) -> Told:
    real = _gradients(case.questions.real.samples)
    return _mean(case, _gradients(side.samples) / real.mean(), len(real))


def _gradients(images: Tensor) -> Tensor:
    """(B,): the mean absolute difference of neighbouring pixels, along rows plus along columns."""
    across, down = images.diff(dim=3).abs(), images.diff(dim=2).abs()
    return across.mean((1, 2, 3)) + down.mean((1, 2, 3))


def _grid(case: Case, side: Side) -> Told | None:
    theirs, mine = (case.space.patterns(each.samples) for each in (case.questions.real, side))
    among = len(case.questions.real.values)
    return Told(stronger(mine, theirs), None, len(side.values), among) if theirs else None


def _photos(case: Case) -> str:
    return "" if case.space.photos else f"it is told of photos, not of {case.space.noun}"


def _answered(case: Case) -> str:
    return _photos(case) or ("" if case.questions.answered else "this data has no right answers, pixel by pixel")


def _side_of(least: int) -> Callable[[Case], str]:
    def needs(case: Case) -> str:
        small = min(case.space.shape[-2:]) < least
        return _answered(case) or (f"it needs pictures of at least {least} pixels a side" if small else "")

    return needs


def _known(case: Case) -> str:
    known = len(case.questions.known)
    if not known:
        return "the right answers are not known: no names are in both domains"
    return "" if known >= FEW else f"the right answers are known of {known} alone, and {FEW} are needed"


def _maps(case: Case) -> str:
    looks = isinstance(case.extractor, ImageExtractor)
    return _photos(case) or _known(case) or ("" if looks else f"{case.extractor.name} has no feature maps")


def _enough(case: Case) -> str:
    least = min(len(case.questions), len(case.real))
    return "" if least >= FEW else f"it needs {FEW} held-out items and {FEW} others, and there are {least}"


def _more_than_features(case: Case) -> str:
    least, size = min(len(case.questions), len(case.real)), case.real.shape[1]
    return "" if least > size else f"it needs more items than the {size:,} features, and there are {least:,}"


def _measured(case: Case) -> str:
    if not case.questions.answered:
        return "this data has no right answers"
    one = case.questions.answers.samples[:1]
    return "" if case.space.apart(one, one) is not None else f"{case.space.noun} have no measure of their own"


def _has(name: str) -> Callable[[Case], str]:
    def needs(case: Case) -> str:
        return "" if told_of(case.space, name) else f"{case.space.noun} have no {name}"

    return needs


def _judge(case: Case) -> str:
    return case.extractor.name


def _colours(case: Case) -> str:
    return "RGB" if case.space.shape[0] == 3 else "gray"


def _l1(made: Tensor, wanted: Tensor) -> Tensor:
    return (made - wanted).abs().flatten(1).mean(1)


METRICS: dict[str, tuple[Measure, ...]] = {
    "kid": (Measure("KID", _judge, "lower", _enough, _kid),),
    "fd": (Measure("FD", _judge, "lower", _more_than_features, _fd, usual=False),),
    "mel": (Measure("mel distance", lambda case: "dB", "lower", _measured, _apart, usual=False),),
    **{
        name: (Measure(name, lambda case, unit=unit: unit, "lower", _has(name), _quantity(name), usual=False),)  # type: ignore[misc]
        for name, unit in UNITS.items()
    },
    "perceptual": (Measure("perceptual", _judge, "lower", _maps, _perceptual),),
    "retrieval": (
        Measure("R@1", _judge, "higher", _known, _retrieval(1)),
        Measure("R@5", _judge, "higher", _known, _retrieval(5)),
    ),
    "l1": (Measure("L1", _colours, "lower", _answered, _of_pairs(_l1)),),
    "psnr": (Measure("PSNR", _colours, "higher", _answered, _of_pairs(lambda a, b: pairs.psnr(a, b, 255))),),
    "ssim": (Measure("SSIM", _colours, "higher", _side_of(11), _of_pairs(lambda a, b: pairs.ssim(a, b, 255))),),
    "sharpness": (Measure("sharpness", _colours, 1.0, _photos, _sharpness),),
    "grid": (Measure("grid", _colours, "lower", _photos, _grid),),
}
"""By the name that people ask for. KID, FD (Frechet distance): of all answers beside real ones. mel distance: of
sounds, to the right answer. loudness, pitch: how far their distributions are from real ones'. perceptual, L1 (in levels
of 256), PSNR, SSIM: to the right answer. R@k: the share of answers to which fewer than k right answers to others are
nearer than their own. sharpness: mean gradient, as a share of real answers'. grid: energy at the frequencies of a 2-,
4- or 8-pixel grid, as a multiple of real answers'."""


def scores_of(case: Case, wanted: Sequence[str], named: bool) -> dict[str, Score]:
    """The model's scores by key, each with those of the others in `more["beside"]`. named: whether they were asked for
    by name, so that what cannot be told is an error; else it is a note."""
    scores: dict[str, Score] = {}
    lacking: dict[str, list[str]] = {}
    for name in wanted:
        for measure in METRICS[name]:
            if why := measure.needs(case):
                if named:
                    raise UsageError(f"{name} cannot be told: {why}")
                if measure.usual:
                    lacking.setdefault(why, []).append(measure.name)
                continue
            told = {side: measure.told(case, answers) for side, answers in case.sides.items()}
            mine = told.pop("model")
            if mine is None:
                continue
            beside = {side: {} if each is None else _json(each) for side, each in told.items()}
            about = {**mine.more, "beside": beside}
            score = Score(
                measure.name, measure.scale(case), mine.value, mine.interval, measure.better, mine.count,
                mine.references, about,
            )  # fmt: skip
            scores[score.key] = score
    case.notes.extend(f"no {', '.join(names)}: {why}" for why, names in lacking.items())
    return scores


def _json(told: Told) -> dict[str, Any]:
    value = told.value if math.isfinite(told.value) else None
    return {"value": value, "interval": None if told.interval is None else list(told.interval)}
