"""The scores by name: what each needs, and how it is computed from a `Case`.

Every entry gives one or more `Score`s with intervals. What a score needs is asked before anything is computed, so that
a score that was asked for by name fails at once, and one of the default set is left out with a note.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from ganvas.data.builtin import MIXTURES, STACKED, known_as
from ganvas.data.dataset import Data
from ganvas.data.opening import open_data
from ganvas.features import Extractor, Features
from ganvas.metrics import bootstrap
from ganvas.metrics import distributions as d
from ganvas.metrics.memorisation import Memorisation, memorisation
from ganvas.metrics.modes import modes, stacked_modes
from ganvas.metrics.native import Native, native, train_classifier
from ganvas.metrics.passport import Score, finite
from ganvas.metrics.quantities import UNITS, told_of, wasserstein
from ganvas.metrics.reference import Reference, features_of, reference
from ganvas.metrics.samples import HELD_OUT, Samples, count_of, of_data
from ganvas.spaces import Space
from ganvas.text import counted

FEW = 50
"""Samples on each side that a score of distributions needs; fewer say nothing."""

DIGIT_READER = "native-digit"
"""What tells modes of stacked digits, whatever extractor the other scores use: `native`, of single real digits."""

MANIFOLD, NEIGHBOURHOOD = 3, 5
"""Neighbours that precision and recall, and density and coverage go by."""

FEW_OF_A_LABEL, FEW_HELD_OUT, FEW_FOR_KID = 20, 20, 100


@dataclass
class Case:
    """One judging: the samples, the data, and what is computed of them at first use. count: items of the data that are
    looked at, at most. unlikeliness: the recipe's, where it has one. kept: what scores of one kind of data
    compute together."""

    samples: Samples
    data: Data
    split: str
    count: int
    seed: int
    extractor: Extractor
    progress: bool = False
    notes: list[str] = field(default_factory=list)
    memorised: Memorisation | None = None
    unlikeliness: Callable[[Any], Tensor] | None = None
    kept: dict[str, Any] = field(default_factory=dict)

    @property
    def references(self) -> int:
        """Items of the data that the samples are compared with."""
        return min(self.count, count_of(self.data, self.split))

    @cached_property
    def native(self) -> Native:
        if isinstance(self.extractor, Native):
            return self.extractor
        return native(self.data, progress=self.progress)

    @cached_property
    def fake(self) -> Features:
        return self._look(self.extractor)

    @cached_property
    def real(self) -> Reference:
        return self._reference(self.split, self.count, self.extractor)

    @cached_property
    def trained(self) -> Reference:
        return self.real if self.split == "train" else self._reference("train", self.count, self.extractor)

    @cached_property
    def held_out(self) -> Reference:
        return self._reference(HELD_OUT, self.count, self.extractor)

    @cached_property
    def fake_native(self) -> Features:
        return self.fake if self.native is self.extractor else self._look(self.native)

    @cached_property
    def real_native(self) -> Reference:
        return self.real if self.native is self.extractor else self._reference(self.split, self.count, self.native)

    @cached_property
    def manifolds(self) -> tuple[Tensor, Tensor]:
        """What each sample contributes to precision, and each item to recall."""
        return d.precision_recall_each(self.real.features, self.fake.features, k=MANIFOLD)

    @cached_property
    def neighbourhoods(self) -> tuple[Tensor, Tensor]:
        """What each sample contributes to density, and each item to coverage."""
        return d.density_coverage_each(self.real.features, self.fake.features, k=NEIGHBOURHOOD)

    @property
    def readable(self) -> bool:
        """Whether the data's labels can be read off samples by `native`."""
        return bool(self.data.labels) and "native" in self.data.space.extractors

    @property
    def mixture(self) -> str:
        """The built-in mixture that the data is, or ""."""
        name = known_as(self.data.source)
        return name if name in MIXTURES else ""

    @cached_property
    def single_digits(self) -> Native | None:
        """The classifier of the single digits that the data stacks, trained on real ones; None for other data."""
        name = STACKED.get(known_as(self.data.source) or "")
        if name is None:
            return None
        size = self.data.space.shape[1:]
        digits = open_data(name, size=size, data_root=self.data.data_root, progress=self.progress)
        return native(digits, progress=self.progress)

    def _look(self, extractor: Extractor) -> Features:
        return features_of(self.samples, extractor, "the samples", progress=self.progress)

    def _reference(self, split: str, count: int | None, extractor: Extractor) -> Reference:
        made = reference(self.data, split, count, self.seed, extractor, progress=self.progress)
        how = "found in the cache" if made.found else "computed, and kept for the next time"
        what = counted(len(made.features), "item")
        self.notes.append(f"reference: {what} of {self.data.name}, {split}, in {extractor.name}: {how}")
        return made


@dataclass(frozen=True)
class Metric:
    """compute: from a case to scores. needs: why it cannot be computed, "" where it can. about: for `--help`. of:
    the data that it is missed of where it cannot be told; others need not hear of it."""

    compute: Callable[[Case], Iterator[Score]]
    needs: Callable[[Case], str]
    about: str
    of: Callable[[Space], bool] = lambda _: True


def _score(case: Case, name: str, value: float, interval: Any, better: Any, **more: Any) -> Score:
    return Score(
        name, case.extractor.name, value, interval, better, len(case.samples), len(case.real.features), more=more
    )


def _at_least(few: int, what: str) -> Callable[[Case], str]:
    def needs(case: Case) -> str:
        short = min(len(case.samples), case.references)
        side = "samples" if len(case.samples) == short else "items of the data"
        return f"{what} needs at least {few:,} on each side, and there are {short:,} {side}" if short < few else ""

    return needs


def _fid(case: Case) -> Iterator[Score]:
    real, fake = case.real.features, case.fake.features
    if min(len(real), len(fake)) <= real.shape[1]:
        case.notes.append(
            f"FID[{case.extractor.name}] is far too high with no more than {min(len(real), len(fake)):,} samples for "
            f"{real.shape[1]:,} features: compare it only at equal counts, and look at KID"
        )
    value = d.frechet_distance(d.Moments.of(real), d.Moments.of(fake))
    yield _score(case, "FID", value, bootstrap.frechet_interval(real, fake, seed=case.seed), "lower")


def _kid(case: Case) -> Iterator[Score]:
    real, fake = case.real.features, case.fake.features
    size = min(1000, len(real) // 4, len(fake) // 4)  # so that subsets differ
    value, spread = d.kernel_distance(real, fake, subset_size=size, seed=case.seed)
    interval = bootstrap.kernel_interval(real, fake, seed=case.seed)
    yield _score(case, "KID", value, interval, "lower", spread=spread, subsets=100, subset_size=size)


def _inception(case: Case) -> Iterator[Score]:
    logits = case.fake.logits
    assert logits is not None
    value, spread = d.inception_score(logits)
    interval = bootstrap.inception_interval(logits, seed=case.seed)
    yield _score(case, "IS", value, interval, "higher", spread=spread, splits=10)


def _logits_needed(case: Case) -> str:
    lacking = _at_least(FEW, "the Inception Score")(case)
    if not lacking and case.fake.logits is None:
        return f"the Inception Score needs logits, which {case.extractor.name} does not give"
    return lacking


def _precision(case: Case) -> Iterator[Score]:
    yield _mean(case, "precision", case.manifolds[0], MANIFOLD)


def _recall(case: Case) -> Iterator[Score]:
    yield _mean(case, "recall", case.manifolds[1], MANIFOLD)


def _density(case: Case) -> Iterator[Score]:
    yield _mean(case, "density", case.neighbourhoods[0], NEIGHBOURHOOD)


def _coverage(case: Case) -> Iterator[Score]:
    yield _mean(case, "coverage", case.neighbourhoods[1], NEIGHBOURHOOD)


def _mean(case: Case, name: str, values: Tensor, k: int) -> Score:
    """A score that is the mean of what single samples contribute, so that its interval needs no second look."""
    interval = bootstrap.mean_interval(values, seed=case.seed)
    return _score(case, name, float(values.mean()), interval, "higher", k=k)


def _diversity(case: Case) -> Iterator[Score]:
    real, fake = case.real.features, case.fake.features
    value = d.diversity(fake, real)
    yield _score(case, "diversity", value, bootstrap.diversity_interval(fake, real, seed=case.seed), 1)


def _memorisation(case: Case) -> Iterator[Score]:
    found = memorisation(case.fake.features, case.trained.features, case.held_out.features, case.seed)
    case.memorised = found
    # Over the held-out items, and not the samples: it is mostly they that could have been others.
    interval = bootstrap.mean_interval(found.each, seed=case.seed)
    words = (
        f"{100 * found.share:.1f}% of the samples lie nearer to one of {len(case.trained.features):,} training items "
        f"than to any of {len(case.held_out.features):,} held-out ones; {100 * found.expected:.1f}% would where "
        f"nothing is memorised (chance gives so many with p = {found.p:.2g})"
    )
    case.notes.append(words)
    yield _score(
        case, "memorised", found.excess, interval, "lower",
        share=found.share, expected=found.expected, p=found.p, held_out=len(case.held_out.features), words=words,
    )  # fmt: skip


def _held_out_needed(case: Case) -> str:
    there = count_of(case.data, HELD_OUT)
    if there < FEW_HELD_OUT:
        return f"memorisation needs at least {FEW_HELD_OUT} held-out items in the data, and it has {there}"
    return _at_least(FEW, "memorisation")(case)


def _modes(case: Case) -> Iterator[Score]:
    judge = case.single_digits
    if judge is not None:
        stacked = stacked_modes(case.samples.values, lambda part: _read(judge, part), case.data.label_counts)
        counts = (len(case.samples), sum(case.data.label_counts.values()))
        more = {"total": stacked.total, "judge_accuracy": judge.accuracy}
        yield Score("modes", DIGIT_READER, stacked.found, None, "higher", *counts, more=more)
        yield Score("modes KL", DIGIT_READER, stacked.kl, None, "lower", *counts)
        return
    found = modes(case.samples.values, case.mixture)
    yield _score(case, "modes", found.found, None, "higher", total=found.total)
    good = found.good.double()
    yield _score(case, "good", float(good.mean()), bootstrap.mean_interval(good, seed=case.seed), "higher")


def _modes_needed(case: Case) -> str:
    known = case.mixture or known_as(case.data.source) in STACKED
    return "" if known else "modes are of ring, grid and stacked digits alone"


def _labels_needed(case: Case) -> str:
    if not case.data.labels:
        return f"it needs labels, and {case.data.name} has none"
    if case.samples.labels is None:
        return "it needs samples with the data's labels (a conditional model, or sub-folders of these names)"
    return "" if case.readable else f"native reads no {case.data.space.noun}"


def _accuracy(case: Case) -> Iterator[Score]:
    logits, labels = case.fake_native.logits, case.samples.labels
    assert logits is not None and labels is not None
    right = (logits.argmax(1) == labels).double()
    names = enumerate(case.data.labels)
    per_label = {name: float(right[labels == i].mean()) for i, name in names if bool((labels == i).any())}
    yield Score(
        "accuracy", "native", float(right.mean()), bootstrap.mean_interval(right, seed=case.seed), "higher",
        len(right), len(case.data), more={"reads_real": finite(case.native.accuracy), "labels": per_label},
    )  # fmt: skip


def _class_fid(case: Case) -> Iterator[Score]:
    real, fake = case.real_native, case.fake_native
    assert real.labels is not None and case.samples.labels is not None
    few = []
    for number, name in enumerate(case.data.labels):
        mine, theirs = fake.features[case.samples.labels == number], real.features[real.labels == number]
        if min(len(mine), len(theirs)) < FEW_OF_A_LABEL:
            few.append(name)
            continue
        yield Score(
            f"FID of {name}", "native", d.frechet_distance(d.Moments.of(theirs), d.Moments.of(mine)),
            bootstrap.frechet_interval(theirs, mine, seed=case.seed), "lower", len(mine), len(theirs),
        )  # fmt: skip
    if few:
        case.notes.append(f"no FID of {', '.join(few)}: it needs {FEW_OF_A_LABEL} of the label on each side")


def _class_fid_needed(case: Case) -> str:
    lacking = _labels_needed(case)
    if lacking or case.samples.labels is None:
        return lacking
    most = int(case.samples.labels.bincount().max())
    if most < FEW_OF_A_LABEL:
        return f"per-class FID needs at least {FEW_OF_A_LABEL} of a label on each side, and there are {most} samples"
    return ""


def _tstr(case: Case) -> Iterator[Score]:
    test, _ = of_data(case.data, HELD_OUT)
    real, _ = of_data(case.data, "train", len(case.samples), case.seed)
    chosen = torch.randperm(len(case.samples), generator=torch.Generator().manual_seed(case.seed))[: len(real)]
    assert test.labels is not None
    sides = (("TSTR", "synthetic", case.samples[chosen]), ("TRTR", "real", real))
    for name, kind, samples in sides:
        assert samples.labels is not None
        network = train_classifier(
            samples.values,
            samples.labels,
            len(case.data.labels),
            space=case.data.space,
            seed=case.seed,
            progress=case.progress,
            title=f"training a classifier on {len(samples):,} {kind} {case.data.space.noun}",
        )
        right = _right(network, test.values, test.labels)
        yield Score(
            name, "native", float(right.mean()), bootstrap.mean_interval(right, seed=case.seed), "higher",
            len(samples), len(test),
        )  # fmt: skip


def _read(judge: Native, images: Tensor) -> Tensor:
    logits = judge(images).logits
    assert logits is not None
    return logits.argmax(1).cpu()


def _right(network: Any, values: Tensor, labels: Tensor) -> Tensor:
    logits = torch.cat([network(part).logits for part in values.split(256)])
    return (logits.cpu().argmax(1) == labels).double()


def _tstr_needed(case: Case) -> str:
    lacking = _labels_needed(case)
    there = count_of(case.data, HELD_OUT)
    if not lacking and there < FEW_HELD_OUT:
        return f"train on synthetic, test on real needs {FEW_HELD_OUT} held-out items, and the data has {there}"
    return lacking or _at_least(FEW, "train on synthetic, test on real")(case)


def _quantity(name: str, unit: str) -> Metric:
    def compute(case: Case) -> Iterator[Score]:
        real, _ = of_data(case.data, case.split, case.count, case.seed)
        theirs, mine = (_numbers(case, each, name) for each in (real, case.samples))
        value, interval = wasserstein(theirs, mine, seed=case.seed)
        # Real ones beside real ones: the two halves, at random, of those that the samples are compared with.
        halves = theirs[torch.randperm(len(theirs), generator=torch.Generator().manual_seed(case.seed))].tensor_split(2)
        floor, around = wasserstein(*halves, seed=case.seed)
        beside = {"floor": {"value": finite(floor), "interval": list(map(finite, around))}}
        yield Score(name, unit, value, interval, "lower", len(mine), len(theirs), more={"beside": beside})

    def needs(case: Case) -> str:
        return (
            _at_least(FEW, name)(case) if told_of(case.data.space, name) else f"{case.data.space.noun} have no {name}"
        )

    return Metric(compute, needs, f"distribution of {name}, of sounds", lambda space: told_of(space, name))


def _numbers(case: Case, samples: Samples, name: str) -> Tensor:
    space = case.data.space
    return torch.cat([space.quantities(space.samples_of(part))[name] for part in samples.values.split(256)])


METRICS: dict[str, Metric] = {
    "fid": Metric(_fid, _at_least(FEW, "FID"), "Frechet distance"),
    "kid": Metric(_kid, _at_least(FEW_FOR_KID, "KID"), "kernel distance"),
    "is": Metric(_inception, _logits_needed, "Inception Score"),
    "precision": Metric(_precision, _at_least(FEW, "precision and recall"), "samples that lie among the data"),
    "recall": Metric(_recall, _at_least(FEW, "precision and recall"), "data that lie among the samples"),
    "density": Metric(_density, _at_least(FEW, "density and coverage"), "how dense the data are around samples"),
    "coverage": Metric(_coverage, _at_least(FEW, "density and coverage"), "data with a sample near"),
    "diversity": Metric(_diversity, _at_least(2, "diversity"), "distance between samples beside that of real ones"),
    "accuracy": Metric(_accuracy, _labels_needed, "samples that are read as their label"),
    "class-fid": Metric(_class_fid, _class_fid_needed, "Frechet distance of each label"),
    "tstr": Metric(_tstr, _tstr_needed, "train on synthetic, test on real"),
    "memorisation": Metric(_memorisation, _held_out_needed, "copies of the training set"),
    "modes": Metric(_modes, _modes_needed, "modes found", of=lambda _: False),
    **{name: _quantity(name, unit) for name, unit in UNITS.items()},
}
ALIASES = {"memorization": "memorisation"}
