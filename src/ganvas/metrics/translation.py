"""How good is what a model makes of something that is given to it? Its answers for held-out items, and beside each
score what three others get who need no model: who does nothing (what is given is the answer), real answers (the floor),
and the mean of all answers to train on.

A score alone says little here. Pictures that are left as they are keep all that they should keep, and the mean of all
answers is near to each of them; a model is worth something where it beats both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ganvas.data.dataset import Data
from ganvas.data.rows import SPLITS
from ganvas.errors import DataError, RunError, UsageError, near_miss
from ganvas.features import Extractor
from ganvas.features.weights import weights_hash
from ganvas.metrics import faces
from ganvas.metrics.answers import METRICS, Case, scores_of
from ganvas.metrics.attributes import twin_scores
from ganvas.metrics.judgement import Report
<<<<<<< HEAD
from ganvas.metrics.passport import Better, Score, about_extractor, passport
from ganvas.metrics.quantities import UNITS, wasserstein
from ganvas.metrics.reference import BLOCK, features_of, reference
from ganvas.metrics.samples import Samples, in_order, of_data, split_of
=======
from ganvas.metrics.passport import Score, about_extractor, passport
from ganvas.metrics.questions import Questions, Side, mean_of, questions_of
from ganvas.metrics.reference import BLOCK, reference
from ganvas.metrics.samples import in_order, split_of
>>>>>>> pages
from ganvas.model import Model
from ganvas.progress_bar import steps
from ganvas.text import counted, quoted, shown

NOTHING, FLOOR, MEAN = "do nothing", "floor", "mean of targets"
"""Who is judged beside the model."""

<<<<<<< HEAD
_TIE = 1e-6


@dataclass(frozen=True, eq=False)
class Side:
    """The answers of one: values (N, ...) as their space encodes them. constant: whether all are the same."""

    values: Tensor
    space: Space
    constant: bool = False

    @cached_property
    def samples(self) -> Tensor:
        return self.space.samples_of(self.values)

    def at(self, places: Tensor) -> Side:
        return Side(self.values[places], self.space, self.constant)


@dataclass(frozen=True, eq=False)
class Questions:
    """The things that are given in held-out items, once each.

    given: by input, (N, ...). nothing: the first of them in the form of an answer, or None where it has another. real:
    all held-out items of what is to be made. known: (K,) the numbers of those whose right answer is known, and answers:
    these, in their order. answered: whether that is the one picture that should come out, place by place.
    """

    given: Mapping[str, Tensor]
    nothing: Side | None
    real: Side
    known: Tensor
    answers: Side
    answered: bool

    def __len__(self) -> int:
        return len(next(iter(self.given.values())))


def questions_of(data: Data, split: str, n: int | None, seed: int, first: str) -> Questions:
    """Of the split, or of several; `n` of them at most, drawn by `seed`. first: the input that is the answer of who
    does nothing."""
    part = split_of(data, split)
    places = _drawn(part.items.conditions, n, seed)
    known = torch.nonzero(torch.from_numpy(part.known)[places]).flatten()
    pieces: dict[str, list[Tensor]] = {}
    answers = [data.space.encode(torch.zeros(0, *data.space.shape))]
    for some in places.split(BLOCK):
        batch = part.gather_given(some.numpy())
        answers.append(data.space.encode(batch.value))
        for name, each in batch.given().items():
            pieces.setdefault(name, []).append(each)
    given = {name: torch.cat(each) for name, each in pieces.items()}
    left = as_made(given[first], data.space) if first in given else None
    return Questions(
        given,
        None if left is None else Side(data.space.encode(left), data.space),
        Side(of_data(data, split)[0].values, data.space),
        known,
        Side(torch.cat(answers)[known], data.space),
        data.batch_type.answers,
    )


def _drawn(count: int, n: int | None, seed: int) -> Tensor:
    if n is None or n >= count:
        return torch.arange(count)
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed))[:n].sort().values


def as_made(given: Tensor, space: Space) -> Tensor | None:
    """What is given, (N, C, H, W), in the form of what is made: its channels averaged and repeated, its size changed.
    None where it is of another kind."""
    if given.shape[1:] == space.shape:
        return given
    if not space.photos or given.ndim != 4:
        return None
    channels, *size = space.shape
    if given.shape[1] != channels:
        given = given.mean(1, keepdim=True).expand(-1, channels, -1, -1)
    if list(given.shape[2:]) != size:
        given = interpolate(given, size, mode="bicubic", antialias=True).clamp(-1, 1)
    return given


def mean_of(data: Data, split: str) -> Tensor:
    """(1, ...) encoded: the mean of all items of the split."""
    part, total = split_of(data, split), torch.zeros(1, *data.space.shape, dtype=torch.float64)
    for places in torch.arange(len(part)).split(1024):
        total += part.gather(places.numpy()).value.double().sum(0, keepdim=True)
    return data.space.encode((total / max(len(part), 1)).float())


# -- scores -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Case:
    """What is judged. sides: all who answer, the model by its name "model". real: features of answers that are not held
    out, or of all where there are no others; fresh: whether there are others, so that held-out ones can be told from
    them."""

    questions: Questions
    sides: Mapping[str, Side]
    real: Tensor
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
        has = name in case.space.quantities(case.questions.real.samples[:1])
        return "" if has else f"{case.space.noun} have no {name}"

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


=======
>>>>>>> pages
TWINS, AGES = "twins", "ages"
"""Metrics of models that change attributes, see `attributes.twin_scores`, and the age of faces, see
`faces.ageing_scores`."""


def check_metrics(metrics: Sequence[str] | None) -> list[str]:
    """Those that were asked for, all by default. Raises UsageError."""
    known = (*METRICS, TWINS, AGES)
    wanted = [name.strip().lower() for name in metrics] if metrics is not None else list(known)
    for name in wanted:
        if name not in known:
            raise UsageError(
                f"there is no metric {quoted(name)} of a model that makes something of what is given"
                f"{near_miss(name, known)}"
            )
    if not wanted:
        raise UsageError(f"--metrics names none; known: {', '.join(known)}")
    return list(dict.fromkeys(wanted))


<<<<<<< HEAD
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


# -- the whole --------------------------------------------------------------------------------------------------


=======
>>>>>>> pages
def evaluate_translating(
    model: Model,
    data: Data,
    judge: Extractor,
    *,
    name: str,
    split: str,
    n: int | None,
    metrics: Sequence[str] | None = None,
    seed: int = 0,
    progress: bool = True,
    notes: Sequence[str] = (),
    warnings: Sequence[str] = (),
) -> Report:
    """`METRICS` of what the model makes of held-out items, beside who does nothing, real answers and their mean.

    split: what is held out. Real answers to compare with are those of the other splits, where there are any. Nothing is
    made or looked at that the metrics do not need: twins and ages are their own questions.
    Raises DataError, RunError or UsageError, each of one line.
    """
    wanted, named, told = check_metrics(metrics), metrics is not None, list(notes)
    rest = [part for part in SPLITS if part not in split.split("+") and split != "all" and data.counts[part]]
    others = in_order("+".join(rest)) if rest else split
<<<<<<< HEAD
    asked = [name for name in wanted if name in METRICS]
    real = reference(data, others, None, seed, judge, progress=progress).features if asked else torch.zeros(0, 1)
    sides = {"model": Side(_answers(model, questions, first, name, seed, progress), data.space)}
    if questions.nothing is not None and not _is_answer(questions):
        sides[NOTHING] = questions.nothing
    sides[FLOOR] = questions.real
    for rival, values in _rivals(model, questions, progress).items():
        sides[rival] = Side(data.space.encode(values), data.space)
    if data.space.photos:
        sides[MEAN] = Side(mean_of(data, others).expand(len(questions), *data.space.shape), data.space, constant=True)
    case = Case(questions, sides, real, bool(rest), judge, seed, progress, list(notes))
    if not rest:
        case.notes.append(f"no items but those of {split} to compare with, so KID's floor cannot be told")
    if not questions.answered and len(questions.known):
        case.notes.append(
            f"{counted(len(questions.known), 'right answer')} known by names that are in both domains; where these are "
            "alike by chance, perceptual and R@k mean nothing"
        )
    scores = scores_of(case, asked, metrics is not None)
=======
    asked = [each for each in wanted if each in METRICS]
    scores, beside = dict[str, Score](), list[str]()
    if asked:
        case = _case(model, data, judge, name, split, others, n, seed, progress, told)
        scores, beside = scores_of(case, asked, named), list(case.sides)[1:]
>>>>>>> pages
    if TWINS in wanted:
        scores |= _of_twins(model, data, named)
    if AGES in wanted:
        scores |= _of_ages(model, data, split, named, told, progress)
    if not scores:
        raise DataError(f"no score can be told: {next(iter(told))}")
    extractors: dict[str, dict[str, Any]] = {score.extractor: {} for score in scores.values()}
    if judge.name in extractors:
        extractors[judge.name] = about_extractor(judge)
    made = passport(
        scores,
        judged={
            "kind": "translation", "name": name, "recipe": type(model.recipe).__name__, "step": model.step,
            "weights": weights_hash(model.recipe.state_dict()), "style": model.style, "seed": seed,
            "count": max(each.samples for each in scores.values()), "beside": beside,
        },
        data={
            "name": data.name, "source": data.source, "fingerprint": data.fingerprint, "split": split,
            "references": len(split_of(data, others)), "real": others, "resizing": str(data.space),
        },
        extractors=extractors,
        notes=told,
        warnings=list(warnings),
    )  # fmt: skip
    return Report(scores, made)


<<<<<<< HEAD
def _is_answer(questions: Questions) -> bool:
    """Whether what is given is the right answer already, as a vocoder has it."""
    nothing, answers = questions.nothing, questions.answers.values
    return nothing is not None and nothing.values.shape == answers.shape and bool((nothing.values == answers).all())


def _rivals(model: Model, questions: Questions, progress: bool) -> dict[str, Tensor]:
    """What methods that learn nothing make of what is given, by their names."""
    if model.recipe.rivals is None:
        return {}
    given = {key: each for key, each in questions.given.items() if key in model.inputs}
    pieces: dict[str, list[Tensor]] = {}
    for start in steps(range(0, len(questions), BLOCK), -(-len(questions) // BLOCK), "letting others answer", progress):
        with torch.no_grad():
            made = model.recipe.rivals(**{key: each[start : start + BLOCK] for key, each in given.items()})
        for name, values in made.items():
            pieces.setdefault(name, []).append(values)
    return {name: torch.cat(each) for name, each in pieces.items()}
=======
def _case(
    model: Model,
    data: Data,
    judge: Extractor,
    name: str,
    split: str,
    others: str,
    n: int | None,
    seed: int,
    progress: bool,
    notes: list[str],
) -> Case:
    """All who answer what is given in the split. others: the splits of real answers to compare with. notes: gets what
    there is to say of that."""
    first = next(iter(model.given))
    questions = questions_of(data, split, n, seed, first)
    if not questions.given or not len(questions.real.values):
        raise DataError(f"{shown(data.source)} has nothing in its split {split}: choose another --split")
    sides = {"model": Side(_answers(model, questions, first, name, seed, progress), data.space)}
    if questions.nothing is not None:
        sides[NOTHING] = questions.nothing
    sides[FLOOR] = questions.real
    if data.space.photos:
        sides[MEAN] = Side(mean_of(data, others).expand(len(questions), *data.space.shape), data.space, constant=True)
    if others == split:
        notes.append(f"no items but those of {split} to compare with, so KID's floor cannot be told")
    if not questions.answered and len(questions.known):
        notes.append(
            f"{counted(len(questions.known), 'right answer')} known by names that are in both domains; where these are "
            "alike by chance, perceptual and R@k mean nothing"
        )

    def seen() -> Tensor:
        return reference(data, others, None, seed, judge, progress=progress).features

    return Case(questions, sides, seen, others != split, judge, seed, progress, notes)
>>>>>>> pages


def _of_twins(model: Model, data: Data, named: bool) -> dict[str, Score]:
    """Of exact twins in which one attribute differs, where the data has some and the model can change it."""
    scores = twin_scores(model, data)
    if named and not scores:
        raise UsageError("twins cannot be told: the data has no twins of what this model changes")
    nothing: dict[str, float] = {"inside": 1.0, "outside": 0.0}
    return {
        key: replace(each, more={**each.more, "beside": {NOTHING: {"value": nothing[each.name], "interval": None}}})
        for key, each in scores.items()
    }


def _of_ages(model: Model, data: Data, split: str, named: bool, notes: list[str], progress: bool) -> dict[str, Score]:
    """Of faces at other ages, where the model changes an age and the judges are installed."""
    why = faces.lacking(model)
    if not why:
        return faces.ageing_scores(model, data, split, progress=progress)
    if named:
        raise UsageError(f"ages cannot be told: {why}")
    if faces.changes_age(model):
        notes.append(f"no ages: {why}")
    return {}


def _answers(model: Model, questions: Questions, first: str, name: str, seed: int, progress: bool) -> Tensor:
    """(N, ...) encoded: what the model makes of each thing that is given. Raises RunError where that is not finite."""
    given = {key: each for key, each in questions.given.items() if key in model.inputs}
    if first not in given:
        raise UsageError(f"{name} is given {quoted(first)}, which this data does not hold")
    pieces = []
    for start in steps(range(0, len(questions), BLOCK), -(-len(questions) // BLOCK), "making answers", progress):
        part: dict[str, Any] = {key: each[start : start + BLOCK] for key, each in given.items()}
        made = model.transform(part.pop(first), seed=seed + start, **part)
        if not bool(made.isfinite().all()):
            raise RunError(
                f"{name} (step {model.step:,}) cannot be judged: it makes NaN or infinities, so its weights are broken"
            )
        pieces.append(model.space.encode(made))
    return torch.cat(pieces)
