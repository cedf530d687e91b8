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
from ganvas.metrics.passport import Score, about_extractor, passport
from ganvas.metrics.questions import Questions, Side, mean_of, questions_of
from ganvas.metrics.reference import BLOCK, reference
from ganvas.metrics.samples import in_order, split_of
from ganvas.model import Model
from ganvas.progress_bar import steps
from ganvas.text import counted, quoted, shown

NOTHING, FLOOR, MEAN = "do nothing", "floor", "mean of targets"
"""Who is judged beside the model."""

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
    asked = [each for each in wanted if each in METRICS]
    scores, beside = dict[str, Score](), list[str]()
    if asked:
        case = _case(model, data, judge, name, split, others, n, seed, progress, told)
        scores, beside = scores_of(case, asked, named), list(case.sides)[1:]
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
    if questions.nothing is not None and not _is_answer(questions):
        sides[NOTHING] = questions.nothing
    sides[FLOOR] = questions.real
    for rival, values in _rivals(model, questions, progress).items():
        sides[rival] = Side(data.space.encode(values), data.space)
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


def _of_twins(model: Model, data: Data, named: bool) -> dict[str, Score]:
    """Of exact twins in which one attribute differs, where the data has some and the model can change it."""
    scores = twin_scores(model, data)
    if named and not scores:
        raise UsageError("twins cannot be told: the data has no twins of what this model changes")
    nothing: dict[str, float] = {"inside": 1.0, "outside": 0.0}
    return {
        key: replace(
            each,
            more={
                **each.more,
                "beside": {NOTHING: {"value": nothing[each.name], "interval": None}} | each.more.get("beside", {}),
            },
        )
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
