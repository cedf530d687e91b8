"""`evaluate`: how good is a model, or a folder of samples, beside the data that it should be like?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from ganvas.data.batches import BUILT_IN
from ganvas.data.dataset import Data
from ganvas.data.opening import open_data, open_like, reopen
from ganvas.errors import DataError, UsageError, near_miss
from ganvas.features import NAMES, Extractor, default_extractor
from ganvas.features import extractor as extractor_named
from ganvas.features.lite import at_hand
from ganvas.metrics.judgement import Report
from ganvas.metrics.leakage import trained_on
from ganvas.metrics.native import native
from ganvas.metrics.passport import Score, about_extractor, passport
from ganvas.metrics.samples import ALL, check_same_space, count_of, in_order, of_data, of_model, of_source
from ganvas.metrics.scores import ALIASES, DIGIT_READER, Case
from ganvas.metrics.scores import METRICS as OF_ALL
from ganvas.metrics.tabular import COLUMNS
from ganvas.metrics.tabular import METRICS as OF_TABLES
from ganvas.metrics.written import METRICS as OF_TEXTS
from ganvas.metrics.written import TOKENS
from ganvas.model import ENLARGING, TRANSFORMING, Model, load, zoo
from ganvas.options import flag_of
from ganvas.recipe import Recipe
from ganvas.run import read_config
from ganvas.text import cut, quoted, shown

COUNT = 2_000
"""Samples that are judged unless `n` says otherwise, and items of the data that they are compared with at most."""

METRICS = OF_ALL | OF_TEXTS | OF_TABLES
"""The scores by name."""

SHOWN = 10
"""Samples in the picture of nearest training items."""


def evaluate(
    source: Model | str | Path | np.ndarray | None = None,
    data: str | Path | np.ndarray | Data | None = None,
    *,
    metrics: Sequence[str] | None = None,
    extractor: str | Extractor | None = None,
    weights: str | Path | None = None,
    n: int | None = None,
    split: str | None = None,
    seed: int = 0,
    truncation: float | None = None,
    data_root: str | Path | None = None,
    recipe: str | type[Recipe] | None = None,
    style: str | float | None = None,
    border: int | None = None,
    progress: bool = True,
    **options: Any,
) -> Report:
    """Judges a model, a run or a set of samples by the data that it should be like.

    source: a `ganvas.Model`, a run folder, or samples: a folder or archive of images (sub-folders are labels), a .npy
    or .npz file, an array. data: as `ganvas.train` takes it; of a run, by default what it was trained on.
    metrics: names of `METRICS`; by default all that the samples and the data allow. extractor: `inception`, `lite0`,
    `lite2`, `native`, `coordinates`, `path/to/file.py:Class`, or an Extractor; by default Inception where its weights
    are at hand, else lite0, and the coordinates of points. Whatever reads labels is `native`.
    n: how many samples, and at most how many items of the data, by default 2,000. split: of the data, or several such
    as `validation+test`; by default the training split where the model was trained on just this data, else all of it.
    seed: of the samples, of the items drawn and of the intervals. recipe: the file and class of a run's own recipe,
    which is executed. options: how the data are read, such as `size=64`; by default in the form of what the model
    makes.
    Of a model that enlarges photos (a run of srgan or esrgan, or `zoo:photo-x4`), `data` are photos to shrink, enlarge
    again and compare with: see `super_resolution.evaluate_enlarging`, which `low`, `style` and `border` are for. Any
    other model that something is given to is judged by what it makes of held-out items: see
    `translation.evaluate_translating`; `split` is then what is held out, by default the validation split of the data
    that it was trained on.

    Raises UsageError, DataError or RunError, each of one line.
    """
    if source is None:
        raise UsageError("say what to judge: a run, or a folder, an archive or an array file of samples")
    options = {name: value for name, value in options.items() if value is not None}
    opened = _opened(source, recipe)
    given = opened[0]
    if given is not None and given.use in _BY_USE:
        asked = Asked(
            given, opened[1], opened[2], data, options, metrics, extractor, weights, n, split, seed, truncation,
            data_root, style, border, progress,
        )  # fmt: skip
        return _BY_USE[given.use](asked)
    for flag, other, fit in (
        ("--style", style, "models that are given something"),
        ("--border", border, "models that enlarge photos and for --pairs"),
    ):
        if other is not None:
            raise UsageError(f"{flag} is for {fit}")
    wanted = _metrics(metrics)
    if n is not None and n < 2:
        raise UsageError(f"-n must be 2 or more, not {n}")
    model, name, run = opened
    real = _data(data, run, model, options, data_root, progress)
    if split is None:
        split = "train" if model is not None and model.trained_on == real.fingerprint else ALL
    split = in_order(split)
    total = count_of(real, split)
    if total == 0:
        raise DataError(f"{shown(real.source)} has nothing in its split {split}: choose another --split")
    judge = _extractor(extractor, weights, real, progress)
    notes = [f"data: {note}" for note in real.notes]
    if model is not None:
        samples = of_model(
            model, name, n or COUNT, labels=real.labels, seed=seed, truncation=truncation, progress=progress
        )
    else:
        if truncation is not None:
            raise UsageError("--truncation is for models; samples that exist already are judged as they are")
        judged = _samples(source, real, progress)
        notes += [f"samples: {note}" for note in judged.notes]
        most = max(len(judged), total)
        if n is None and most > COUNT:
            notes.append(
                f"of {len(judged):,} samples and {total:,} items of the data {COUNT:,} each are drawn at most: "
                f"-n {most} takes all"
            )
        samples = of_source(judged, n or COUNT, labels=real.labels, seed=seed)
    case = Case(samples, real, split, n or COUNT, seed, judge, progress, notes)
    case.unlikeliness = None if model is None else model.recipe.unlikeliness
    scores = _scores(case, wanted, named=metrics is not None)
    used = {judge.name: judge}
    if any(score.extractor == "native" for score in scores.values()):
        used["native"] = case.native
    if any(score.extractor == DIGIT_READER for score in scores.values()):
        assert case.single_digits is not None  # it told the score
        used[DIGIT_READER] = case.single_digits
    extractors: dict[str, Any] = {score.extractor: {} for score in scores.values()}
    extractors |= {name: about_extractor(each) for name, each in used.items()}
    for plain in (TOKENS, COLUMNS):
        if any(score.extractor == plain for score in scores.values()):
            extractors[plain] = {"weights": "", "resizing": str(real.space), "precision": "float64"}
    warnings = [] if model is None else trained_on(model.recipe, used.values(), _arguments(run))
    made = passport(
        scores,
        judged={**samples.about, **({"run": run.resolve().name} if run else {})},
        data=_about(real, split, case, seed),
        extractors=extractors,
        notes=case.notes,
        warnings=warnings,
    )
    return Report(scores, made, _nearest(case))


@dataclass(frozen=True)
class Asked:
    """What `evaluate` was asked for, of a model that is no matter of distributions alone; see there."""

    model: Model
    name: str
    run: Path | None
    data: Any
    options: Mapping[str, Any]
    metrics: Sequence[str] | None
    extractor: str | Extractor | None
    weights: str | Path | None
    n: int | None
    split: str | None
    seed: int
    truncation: float | None
    data_root: str | Path | None
    style: str | float | None
    border: int | None
    progress: bool


def _enlarging(asked: Asked) -> Report:
    from ganvas.metrics.super_resolution import evaluate_enlarging
    from ganvas.upscaling import Upscaler

    for name, value in {"n": asked.n, "truncation": asked.truncation, **asked.options}.items():
        if value is not None and name != "low":
            flag = "-n" if name == "n" else flag_of(name)
            raise UsageError(f"a model that enlarges photos is judged on whole photos, and does not take {flag}")
    if not isinstance(asked.data, (str, Path)):
        raise UsageError("say which photos to enlarge and compare with: --data Set5/, a folder or an archive of them")
    if not isinstance(asked.extractor, (str, type(None))):
        raise UsageError("name the extractor, such as lite2")
    return evaluate_enlarging(
        Upscaler(asked.model, style=asked.style),
        asked.data,
        low=asked.options.get("low"),
        metrics=asked.metrics,
        judge=asked.extractor,
        border=asked.border,
        seed=asked.seed,
        progress=asked.progress,
    )


def _transforming(asked: Asked) -> Report:
    from ganvas.metrics.translation import evaluate_translating

    for flag, value in (("--truncation", asked.truncation), ("--border", asked.border)):
        if value is not None:
            raise UsageError(f"a model that makes something of what is given does not take {flag} where it is judged")
    if asked.n is not None and asked.n < 2:
        raise UsageError(f"-n must be 2 or more, not {asked.n}")
    model = asked.model.styled(asked.style)
    data = _data(asked.data, asked.run, model, asked.options, asked.data_root, asked.progress)
    split = asked.split or (_held_out(data) if model.trained_on == data.fingerprint else ALL)
    judge = _extractor(asked.extractor, asked.weights, data, asked.progress)
    notes = [f"data: {note}" for note in data.notes]
    warnings = trained_on(model.recipe, [judge], _arguments(asked.run))
    if warnings and asked.extractor is None:
        other = next((name for name in ("lite0", "lite2") if name != judge.name and at_hand(name)), None)
        if other is not None:
            notes.append(f"judged by {other}, since the model was trained on {judge.name}")
            judge, warnings = _extractor(other, None, data, asked.progress), []
    return evaluate_translating(
        model, data, judge, name=asked.name, split=in_order(split), n=asked.n or COUNT, metrics=asked.metrics,
        seed=asked.seed, progress=asked.progress, notes=notes, warnings=warnings,
    )  # fmt: skip


def _held_out(data: Data) -> str:
    """The first split that a model has not learned from and that holds anything; else all."""
    return next((name for name in ("validation", "test") if len(data.split(name))), ALL)


_BY_USE = {ENLARGING: _enlarging, TRANSFORMING: _transforming}
"""How models are judged that are no matter of distributions alone, by their use."""


def _metrics(metrics: Sequence[str] | None) -> list[str]:
    chosen = []
    for name in METRICS if metrics is None else metrics:
        plain = ALIASES.get(name.strip().lower(), name.strip().lower())
        if plain not in METRICS:
            raise UsageError(f"there is no metric {quoted(name)}{near_miss(name, [*METRICS, *ALIASES])}")
        chosen.append(plain)
    if not chosen:
        raise UsageError(f"--metrics names none; known: {', '.join(METRICS)}")
    return list(dict.fromkeys(chosen))


def _opened(source: Any, recipe: str | type[Recipe] | None) -> tuple[Model | None, str, Path | None]:
    """The model with its name and run folder, where the source is one."""
    if isinstance(source, Model):
        return source, "model", None
    if zoo.is_zoo(source):
        return load(source), source, None
    if isinstance(source, (str, Path)) and (Path(source) / "config.json").is_file():
        return load(source, recipe=recipe), Path(source).resolve().name, Path(source)
    if recipe is not None:
        raise UsageError(f"--recipe goes with a run, and {shown(str(source))} is none")
    return None, "", None


def _data(
    data: Any,
    run: Path | None,
    model: Model | None,
    options: Mapping[str, Any],
    data_root: str | Path | None,
    progress: bool,
) -> Data:
    if isinstance(data, Data):
        opened = data
    elif data is not None and model is not None:
        kinds = [*model.recipe.accepts, *BUILT_IN]  # the others for an error that says what each of the two holds
        opened = open_like(data, model.space, kinds, data_root=data_root, progress=progress, **options)
    elif data is not None:
        opened = open_data(data, data_root=data_root, progress=progress, **options)
    elif run is None or model is None:
        raise UsageError("say what to compare with: --data digits, or a folder, an archive or an array file")
    elif options:
        flags = ", ".join(flag_of(name) for name in options)
        raise UsageError(f"{flags}: goes with --data; without it the data of the run are read as they were")
    else:
        opened = _data_of(run, model, data_root, progress)
    if model is not None and model.space != opened.space:
        form, own = model.space.options(), opened.space.options()
        fitting = [
            f"{option.flag} {option.check(form[option.name])}"
            for option in opened.reader.flags()
            if option.name in form and form[option.name] != own.get(option.name)
        ]
        hint = f"; bring it to the same form with {' '.join(fitting)}" if fitting else ""
        raise DataError(
            f"the model makes {model.space}, and {shown(opened.source)} holds {opened.space}: not comparable{hint}"
        )
    return opened


def _data_of(run: Path, model: Model, data_root: str | Path | None, progress: bool) -> Data:
    """What a run was trained on. Raises DataError where it has changed since."""
    return reopen(
        read_config(run).get("data") or {},
        accepts=model.recipe.accepts,
        data_root=data_root,
        progress=progress,
        run=run,
        otherwise="to judge by what there is now, say so with --data",
    )


def _samples(source: Any, real: Data, progress: bool) -> Data:
    """Samples that exist already, in the form of the data."""
    if isinstance(source, (str, Path)) and not Path(source).exists() and real.source != str(source):
        beside = [each.name for each in Path(source).parent.glob("*")] if Path(source).parent.is_dir() else []
        close = near_miss(Path(source).name, beside)
        hint = (
            close if close.startswith("; did") else ": give a run, or a folder, an archive or an array file of samples"
        )
        if not any(parent.is_file() for parent in Path(source).parents):
            raise UsageError(f"there is nothing to judge at {cut(shown(str(source)))}{hint}")
    opened = open_like(source, real.space, [real.batch_type, *BUILT_IN], progress=progress)
    check_same_space(opened, real)
    return opened


def _extractor(wanted: str | Extractor | None, weights: str | Path | None, real: Data, progress: bool) -> Extractor:
    if isinstance(wanted, Extractor):
        return wanted
    known = real.space.extractors
    usual = "inception" if weights is not None else default_extractor()
    name = wanted or (usual if "inception" in known else known[0])
    if ".py" not in name and name not in (*NAMES, "native"):
        raise UsageError(f"there is no extractor {quoted(name)}{near_miss(name, (*NAMES, 'native'))}")
    if ("custom" if ".py" in name else name) not in known:
        raise UsageError(
            f"{real.name} holds {real.space}, which the extractor {name} does not look at; take {known[0]}"
        )
    if name == "native":
        if weights is not None:
            raise UsageError("--weights are for the extractor inception; native is trained on the data's labels")
        if not real.labels:
            raise UsageError(f"the extractor native is trained on labels, and {real.name} has none; try lite0")
        return native(real, progress=progress)
    return extractor_named(name, weights=None if weights is None else Path(weights), space=real.space)


def _scores(case: Case, wanted: list[str], named: bool) -> dict[str, Score]:
    scores: dict[str, Score] = {}
    left_out: dict[str, list[str]] = {}
    for name in wanted:
        lacking = METRICS[name].needs(case)
        if lacking and named:
            raise UsageError(f"{name} cannot be told: {lacking}")
        if lacking:
            left_out.setdefault(lacking, []).append(name)
        else:
            scores |= {score.key: score for score in METRICS[name].compute(case)}
    if not scores:
        raise DataError(f"no score can be told of so little: {next(iter(left_out))}")
    for lacking, names in left_out.items():
        if told := [name for name in names if METRICS[name].of(case.data.space)]:
            case.notes.append(f"no {', '.join(told)}: {lacking}")
    return scores


def _about(data: Data, split: str, case: Case, seed: int) -> dict[str, Any]:
    part = case.references < count_of(data, split)
    return {
        "name": data.name,
        "source": data.source,
        "fingerprint": data.fingerprint,
        "split": split,
        "references": case.references,
        "drawn_by_seed": seed if part else None,
        "resizing": str(data.space),
    }


def _arguments(run: Path | None) -> Mapping[str, Any]:
    arguments = None if run is None else read_config(run).get("arguments")
    return arguments if isinstance(arguments, dict) else {}


def _nearest(case: Case) -> Image.Image | None:
    """The samples that are much nearer to a training item than to any held-out one, above those items."""
    found, space = case.memorised, case.data.space
    if found is None or space.tile is None:
        return None
    closest = found.nearness.argsort()[:SHOWN]
    items, _ = of_data(case.data, "train", case.count, case.seed)
    pairs = torch.cat([case.samples.values[closest], items.values[found.place[closest]]])
    return space.show(space.samples_of(pairs), columns=len(closest), gap=2)
