"""Trackers are told what a run records, in their own words, and never stand in its way.

The packages are heavy, so that stand-ins write down what they are asked; both real ones take the same calls.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import ganvas
from commands import refused

SMALL = {"data": "ring", "width": 8, "sample_every": 50, "score_every": 50, "quiet": True}


@pytest.fixture
def wandb(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Weights & Biases: `runs` are the runs that began, each with what it was told."""
    module = ModuleType("wandb")
    module.runs = []  # type: ignore[attr-defined]

    def init(**given: Any) -> SimpleNamespace:
        run = SimpleNamespace(id=given["id"] or "abc", given=given, rows=[], ended=None, metrics=[])
        run.define_metric = lambda name, step_metric: run.metrics.append((name, step_metric))
        run.log = run.rows.append
        run.finish = lambda exit_code: setattr(run, "ended", exit_code)
        module.runs.append(run)  # type: ignore[attr-defined]
        return run

    module.init, module.Settings, module.Image = init, dict, lambda picture: picture  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "wandb", module)
    monkeypatch.delenv("WANDB_PROJECT", raising=False)
    return module


class Client:
    """MLflow, of which there is one: what it was told."""

    def __init__(self) -> None:
        self.experiments: dict[str, str] = {}
        self.params: dict[str, str] = {}
        self.metrics: list[Any] = []
        self.pictures: list[tuple[int, str]] = []
        self.states: list[str] = []

    def get_experiment_by_name(self, name: str) -> Any:
        return SimpleNamespace(experiment_id=self.experiments[name]) if name in self.experiments else None

    def create_experiment(self, name: str) -> str:
        return self.experiments.setdefault(name, "7")

    def create_run(self, experiment: str, run_name: str) -> Any:
        assert (experiment, run_name) == ("7", "run")
        return SimpleNamespace(info=SimpleNamespace(run_id="r1"))

    def update_run(self, run: str, status: str) -> None:
        self.states.append(status)

    def log_param(self, run: str, name: str, value: str) -> None:
        self.params[name] = value

    def log_batch(self, run: str, metrics: list[Any]) -> None:
        assert run == "r1"
        self.metrics += metrics

    def log_image(self, run: str, picture: Any, key: str, step: int) -> None:
        self.pictures.append((step, key))

    def set_terminated(self, run: str, status: str) -> None:
        self.states.append(status)


@pytest.fixture
def mlflow(monkeypatch: pytest.MonkeyPatch) -> Client:
    module, client = ModuleType("mlflow"), Client()
    module.MlflowClient = lambda: client  # type: ignore[attr-defined]
    module.entities = SimpleNamespace(  # type: ignore[attr-defined]
        Metric=lambda key, value, timestamp, step: SimpleNamespace(key=key, value=value, step=step)
    )
    monkeypatch.setitem(sys.modules, "mlflow", module)
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)
    return client


def recorded(run: Path, first: int = 0) -> list[dict[str, Any]]:
    """The rows of numbers of these steps and later ones."""
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [row for row in rows if "event" not in row and row["step"] >= first]


def test_wandb_is_told_every_row_and_picture_once_and_a_resumption_goes_on(wandb: Any, tmp_path: Path) -> None:
    run = ganvas.train("vanilla", steps=100, log="wandb", out=tmp_path / "run", **SMALL)
    (told,) = wandb.runs
    about = told.given
    assert (about["project"], about["name"], about["id"], about["resume"]) == ("ganvas", "run", None, None)
    assert about["config"]["arguments"]["width"] == 8 and about["settings"] == {"console": "off"}
    assert told.metrics == [("*", "step")] and told.ended == 0
    assert [row for row in told.rows if "samples" not in row] == recorded(run)
    assert any("score/" in key for row in told.rows for key in row)
    assert [row["step"] for row in told.rows if "samples" in row] == [0, 50, 100]

    ganvas.resume(run, steps=150, quiet=True)
    _, again = wandb.runs
    assert (again.given["id"], again.given["resume"]) == ("abc", "allow")
    assert [row for row in again.rows if "samples" not in row] == recorded(run, first=101)
    assert [row["step"] for row in again.rows if "samples" in row] == [150]


def test_mlflow_is_told_the_same_in_names_that_it_takes(mlflow: Client, tmp_path: Path) -> None:
    run = ganvas.train("vanilla", steps=100, log="mlflow", out=tmp_path / "run", **SMALL)
    assert mlflow.experiments == {"ganvas": "7"} and mlflow.states == ["FINISHED"]
    assert (mlflow.params["recipe"], mlflow.params["width"], mlflow.params["steps"]) == ("vanilla", "8", "100")
    told = [(metric.step, metric.key, metric.value) for metric in mlflow.metrics]
    assert told == [
        (row["step"], key.replace("[", ".").replace("]", ""), value)
        for row in recorded(run)
        for key, value in row.items()
        if key != "step"
    ]
    assert any(key.startswith("score/") for _, key, _ in told)
    assert mlflow.pictures == [(0, "samples"), (50, "samples"), (100, "samples")]

    ganvas.resume(run, steps=150, quiet=True)
    assert mlflow.states == ["FINISHED", "RUNNING", "FINISHED"]
    assert {metric.step for metric in mlflow.metrics[len(told) :]} == {150}


def test_a_training_is_the_same_with_and_without(wandb: Any, tmp_path: Path) -> None:
    runs = [
        ganvas.train("vanilla", steps=50, log=log, out=tmp_path / f"run-{log}", **SMALL) for log in ("none", "wandb")
    ]
    one, other = (run.model().sample(4, seed=1) for run in runs)
    assert (one == other).all() and len(wandb.runs) == 1


def test_a_roll_back_is_told_from_where_training_is_back(wandb: Any, tmp_path: Path) -> None:
    from ganvas.tracking import Wandb

    def write(*steps: int) -> None:
        lines = [json.dumps({"step": step, "value/x": 1.0 * step}) + "\n" for step in steps]
        (tmp_path / "metrics.jsonl").write_text("".join(lines))

    game = SimpleNamespace(processes=SimpleNamespace(first=True), steps_done=0, outcome="failed")
    tracker = Wandb(tmp_path, {})
    tracker.started(game)  # type: ignore[arg-type]
    write(50, 100, 150)
    tracker.measured(game, {"step": 150})  # type: ignore[arg-type]
    write(50)  # as the recorder forgets what was recorded of later steps
    game.steps_done = 50
    tracker.measured(game, {"step": 50, "event": "back at step 50"})  # type: ignore[arg-type]
    write(50, 100)
    tracker.measured(game, {"step": 100})  # type: ignore[arg-type]
    tracker.finished(game)  # type: ignore[arg-type]
    assert [row["step"] for row in wandb.runs[0].rows] == [50, 100, 150, 100]
    assert wandb.runs[0].ended == 1


def test_other_processes_tell_nothing(wandb: Any, tmp_path: Path) -> None:
    from ganvas.tracking import Wandb

    game = SimpleNamespace(processes=SimpleNamespace(first=False), steps_done=50, outcome="finished")
    tracker = Wandb(tmp_path, {})
    tracker.started(game)  # type: ignore[arg-type]
    tracker.measured(game, {"step": 50})  # type: ignore[arg-type]
    tracker.finished(game)  # type: ignore[arg-type]
    assert not wandb.runs and tracker.state == {}


def test_a_tracker_that_breaks_stops_no_training(
    mlflow: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: Any, **more: Any) -> None:
        raise ConnectionError("no\nroute to host")

    monkeypatch.setattr(mlflow, "log_batch", broken)
    run = ganvas.train("vanilla", steps=100, log="mlflow", out=tmp_path / "run", **SMALL)
    assert run.scores["loss/generator"] > 0
    told = [line for line in capsys.readouterr().err.splitlines() if "mlflow" in line]
    assert told == ["note: mlflow is told nothing any more, and training goes on: no route to host"]


def test_what_cannot_begin_is_told_in_one_line(
    mlflow: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("train", "vanilla", "--data", "ring", "--steps", 2, "--out", tmp_path / "run")
    monkeypatch.setitem(sys.modules, "wandb", None)
    for more in ((), ("--dry-run",)):
        line = refused(capsys, *words, "--log", "wandb", *more)
        assert line == 'ganvas: this needs the package wandb: pip install "ganvas[wandb]"'
    assert "--log cannot be 'wandbb'; did you mean 'wandb'?" in refused(capsys, *words, "--log", "wandbb")
    assert not (tmp_path / "run").exists()

    def refuse(name: str) -> None:
        raise ValueError("log in first")

    monkeypatch.setattr(mlflow, "get_experiment_by_name", refuse)
    with pytest.raises(ganvas.GanvasError, match=r"^--log mlflow cannot begin: log in first$"):
        ganvas.train("vanilla", steps=2, log="mlflow", out=tmp_path / "run", **SMALL)
