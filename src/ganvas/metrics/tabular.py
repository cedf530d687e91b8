"""Scores of rows of tables, each beside what real and what shuffled rows get.

real: held-out rows of the data, in the place of made ones. shuffled: rows of the training, each column in an order of
its own. Shuffled rows have perfect columns, so a score that they do well on says nothing by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch

from ganvas.metrics import bootstrap, rows
from ganvas.metrics.distributions import nearest
from ganvas.metrics.passport import Better, Score, finite
from ganvas.metrics.rows import Numbers, Table
from ganvas.metrics.samples import HELD_OUT, Samples, count_of, of_data
from ganvas.metrics.scores import FEW, FEW_HELD_OUT, Case, Metric
from ganvas.spaces import Space

COLUMNS = "columns"
"""What looks at rows, in the place of an extractor."""

REAL, SHUFFLED = "real", "shuffled"

Told = tuple[float, bootstrap.Interval | None]


@dataclass
class Tabular:
    """The rows of a case, as columns of numbers."""

    case: Case

    @cached_property
    def made(self) -> Table:
        return self.read(self.case.samples)

    @cached_property
    def trained(self) -> Table:
        """Rows of the training, as many as are looked at."""
        return self.read(of_data(self.case.data, "train", self.case.count, self.case.seed)[0])

    @cached_property
    def held(self) -> Table:
        return self.read(of_data(self.case.data, HELD_OUT)[0])

    @cached_property
    def mixed(self) -> Table:
        return rows.shuffled(self.trained, self.case.seed)

    @property
    def sides(self) -> dict[str, Table]:
        return {"": self.made, REAL: self.held, SHUFFLED: self.mixed}

    @property
    def target(self) -> str:
        """The column that is to be told from the others; "" for none."""
        return str(self.case.data.space.facts()["table"].get("target", ""))

    def read(self, samples: Samples) -> Table:
        space = self.case.data.space
        return space.fields(space.samples_of(samples.values))


def tabular(case: Case) -> Tabular:
    """Of a case, made at first use."""
    made: Tabular = case.kept.setdefault("tabular", Tabular(case))
    return made


def _score(case: Case, name: str, better: Better, told: dict[str, Told], **more: Any) -> Score:
    """told: by the side, a value and its interval; the samples' own under ""."""
    value, interval = told.pop("")
    beside = {
        side: {"value": finite(each), "interval": None if bounds is None else [finite(bound) for bound in bounds]}
        for side, (each, bounds) in told.items()
    }
    counts = len(case.samples), count_of(case.data, HELD_OUT)
    return Score(name, COLUMNS, value, interval, better, *counts, more={"beside": beside, **more})


def _columns(case: Case) -> Iterator[Score]:
    mine = tabular(case)
    found = {side: rows.shapes(mine.trained, table) for side, table in mine.sides.items()}
    worst = list(mine.trained)[int(found[""].argmin())]
    told: dict[str, Told] = {side: (float(each.mean()), None) for side, each in found.items()}
    yield _score(case, "column shapes", "higher", told, worst=worst, least=float(found[""].min()))
    gaps = {
        side: max(100 * abs(rows.lacking(each) - rows.lacking(table[name])) for name, each in mine.trained.items())
        for side, table in mine.sides.items()
    }
    if any(rows.lacking(each) for each in mine.trained.values()):
        yield _score(case, "missing, points off", "lower", {side: (each, None) for side, each in gaps.items()})
    case.notes.append(f"the column least like the data's: {worst} ({found[''].min():.3f})")


def _pairs(case: Case) -> Iterator[Score]:
    mine = tabular(case)
    yield _score(
        case, "pairs of columns", "higher",
        {side: (rows.together(mine.trained, table), None) for side, table in mine.sides.items()},
    )  # fmt: skip


def _boosting(case: Case) -> Iterator[Score]:
    """Trained on made rows, on as many real ones and on shuffled ones; asked of held-out rows."""
    mine = tabular(case)
    taught = {"": mine.made, REAL: mine.trained, SHUFFLED: mine.mixed}
    aim = mine.held[mine.target]
    kept = ~np.isnan(aim.values)
    told: dict[str, Told] = {}
    for side, table in taught.items():
        said = rows.learned(table, mine.target, mine.held, case.seed)
        told[side] = _right(said[kept], aim.values[kept], aim.choices, case.seed)
    name = "TSTR AUC" if aim.choices else "TSTR R2"
    yield _score(case, name, "higher", told, target=mine.target)


def _right(said: Numbers, answers: Numbers, choices: int, seed: int) -> Told:
    if not choices:
        spread = float(np.square(answers - answers.mean()).mean()) or 1.0
        each = 1 - np.square(answers - said[:, 0]) / spread
        return float(each.mean()), bootstrap.mean_interval(torch.from_numpy(each), seed=seed)
    kinds = [choice for choice in range(choices) if 0 < (answers == choice).sum() < len(answers)]
    kinds = kinds[-1:] if choices == 2 else kinds
    found = [rows.auc(said[:, choice], answers == choice) for choice in kinds]
    if len(found) == 1:
        return _auc(*found[0], seed)
    return (float(np.mean([value for value, *_ in found])) if found else float("nan")), None


def _auc(value: float, ones: Numbers, zeros: Numbers, seed: int) -> Told:
    return value, bootstrap.around(value, torch.from_numpy(ones), torch.from_numpy(zeros), seed=seed)


def _real_or_fake(case: Case) -> Iterator[Score]:
    """How well rows can be told from rows of the training: 0.5 not at all."""
    mine = tabular(case)
    told = {}
    for side, table in mine.sides.items():
        scores, own = rows.told_apart(mine.trained, table, case.seed)
        told[side] = _auc(*rows.auc(scores, own), case.seed)
    yield _score(case, "real or fake AUC", 0.5, told)


def _privacy(case: Case) -> Iterator[Score]:
    """Copies of rows of the training, and whether a row's distance to the made ones tells that it was trained on."""
    mine = tabular(case)
    trained_on, _ = of_data(case.data, "train")
    held_out, _ = of_data(case.data, HELD_OUT)
    known = set(rows.keys(mine.read(trained_on)))
    told: dict[str, Told] = {}
    for side, table in mine.sides.items():
        each = torch.tensor([float(key in known) for key in rows.keys(table)])
        told[side] = float(each.mean()), bootstrap.mean_interval(each, seed=case.seed)
    yield _score(case, "copies", "neither", told)
    space = case.data.space
    made, members, others = (
        space.look(space.samples_of(each.values)) for each in (case.samples, trained_on, held_out)
    )  # fmt: skip
    asked = members[torch.randperm(len(members), generator=torch.Generator().manual_seed(case.seed))[: len(others)]]
    sure = [-nearest(each, made)[0].double().numpy() for each in (asked, others)]
    who = np.arange(len(asked) + len(others)) < len(asked)
    attack = _auc(*rows.auc(np.concatenate(sure), who), case.seed)
    # The attack on rows that are given out as they are, which always succeeds but for doubles.
    given = [-nearest(each, members)[0].double().numpy() for each in (asked, others)]
    leak = _auc(*rows.auc(np.concatenate(given), who), case.seed)
    yield _score(case, "membership AUC", 0.5, {"": attack, REAL: (0.5, None), "published": leak})
    near = {"": nearest(made, members)[0], REAL: nearest(others, members)[0]}
    medians: dict[str, Told] = {side: (float(each.median()), None) for side, each in near.items()}
    yield _score(case, "distance to closest", medians[REAL][0], medians)


def _needed(case: Case) -> str:
    if not _is_table(case.data.space):
        return "it is of rows of tables alone"
    short = min(len(case.samples), case.references)
    if short < FEW:
        return f"scores of rows need at least {FEW} on each side, and there are {short}"
    there = count_of(case.data, HELD_OUT)
    return f"it needs {FEW_HELD_OUT} held-out rows, and the data has {there}" if there < FEW_HELD_OUT else ""


def _boosted(needs: Callable[[Case], str]) -> Callable[[Case], str]:
    def lacks(case: Case) -> str:
        lacking = needs(case)
        if lacking or find_spec("sklearn") is not None:
            return lacking
        return "gradient boosting needs scikit-learn: pip install ganvas[tables]"

    return lacks


def _target_needed(case: Case) -> str:
    lacking = _needed(case)
    if lacking:
        return lacking
    mine = tabular(case)
    if not mine.target or len(mine.held) < 2:
        return "no column is named that is to be told from the others: --target names one"
    return ""


def _several_needed(case: Case) -> str:
    return _needed(case) or ("" if len(case.data.space.names) > 1 else "there are no pairs of one column")


def _is_table(space: Space) -> bool:
    return bool(space.names)


METRICS: dict[str, Metric] = {
    "columns": Metric(_columns, _needed, "how alike each column is, and how much is missing", _is_table),
    "pairs": Metric(_pairs, _several_needed, "how alike pairs of columns go together", _is_table),
    "boosting": Metric(_boosting, _boosted(_target_needed), "train on synthetic rows, test on real ones", _is_table),
    "real-or-fake": Metric(_real_or_fake, _boosted(_needed), "how well rows can be told from real ones", _is_table),
    "privacy": Metric(_privacy, _needed, "copies, and whether it shows who was trained on", _is_table),
}
"""Of rows of tables alone."""
