"""Experiment trackers: what a run records is told to Weights & Biases or MLflow, too, where `--log` asks for it.

A tracker is a watcher that follows the run folder, so that it tells what the folder holds: the rows of `metrics.jsonl`,
with the scores of training, and the pictures. Where to is decided by what the tracker's own package reads: its log-in
and its environment variables. A tracker that cannot be reached any more never stops a training.
"""

from __future__ import annotations

import json
import os
import re
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from PIL import Image

from ganvas.errors import UsageError, needed
from ganvas.progress_bar import say
from ganvas.run import mapping, number, timeline
from ganvas.schema import record, text
from ganvas.text import cut, shown
from ganvas.training import Game, Watcher

PROJECT = "ganvas"
"""What trainings are filed under where the environment names nothing else."""


class Tracker(Watcher):
    """Base of those below. Of several processes only the first one tells anything.

    run: the folder. config: what its `config.json` says. package: what must be installed, which the extra of the same
    name brings. Raises UsageError where it is not, and in `started` where the tracker refuses.
    """

    phase = "record"
    memory = record({}, {"id": text(200)})
    package: ClassVar[str]

    def __init__(self, run: Path, config: Mapping[str, Any]) -> None:
        super().__init__()
        self.run, self.config = run, config
        self._api = needed(self.package, self.package)
        self._metrics = run / "metrics.jsonl"
        self._offset = 0  # of the first byte that is not told yet
        self._pictured = -1  # the step of the last picture that is told
        self._following = False

    @abstractmethod
    def open(self, known: str | None) -> str:
        """Begins, or goes on with the one that is known by this id, and returns its id."""

    @abstractmethod
    def tell(self, step: int, values: Mapping[str, float]) -> None:
        """Numbers at a step, by name, as `metrics.jsonl` has them."""

    @abstractmethod
    def show(self, step: int, picture: Image.Image) -> None:
        """The samples at a step."""

    @abstractmethod
    def close(self, outcome: str) -> None:
        """Ends; outcome: as in `Game.outcome`."""

    def started(self, training: Game) -> None:
        if not training.processes.first:
            return
        try:
            self.state["id"] = self.open(self.state.get("id"))
        except Exception as error:
            raise UsageError(f"--log {self.package} cannot begin: {_one_line(error)}") from error
        self._following = True
        if training.steps_done:  # what is there was told before the training was stopped
            self._go_on(training.steps_done)

    def measured(self, training: Game, row: Mapping[str, Any]) -> None:
        if (
            self._following and "event" in row
        ):  # training is back at an earlier step, and what was recorded of later ones is gone
            self._go_on(training.steps_done)
        self._safely(self._follow)

    def finished(self, training: Game) -> None:
        self._safely(self._follow)
        self._safely(lambda: self.close(training.outcome))

    def _go_on(self, step: int) -> None:
        self._offset, self._pictured = self._metrics.stat().st_size if self._metrics.exists() else 0, step

    def _follow(self) -> None:
        if self._metrics.exists():
            with self._metrics.open("rb") as file:
                file.seek(self._offset)
                for line in file:
                    self._offset += len(line)
                    row = mapping(json.loads(line))
                    values = {key: value for key, value in row.items() if key != "step" and number(value) is not None}
                    if "event" not in row:
                        self.tell(int(row["step"]), values)
        for step, path in timeline.pictures(self.run):
            picture = timeline.read(path) if step > self._pictured else None
            if picture is not None:
                self.show(step, picture)
                self._pictured = step

    def _safely(self, act: Callable[[], None]) -> None:
        """Whatever goes wrong in it ends the telling and nothing else."""
        if self._following:
            try:
                act()
            except Exception as error:
                self._following = False
                say(f"note: {self.package} is told nothing any more, and training goes on: {_one_line(error)}", True)


class Wandb(Tracker):
    """Weights & Biases: `wandb login`, `WANDB_PROJECT`, `WANDB_MODE=offline` and the like say who and where."""

    package = "wandb"

    def open(self, known: str | None) -> str:
        self._run = self._api.init(
            project=os.environ.get("WANDB_PROJECT") or PROJECT,
            name=self.run.name,
            id=known,
            resume="allow" if known else None,
            config=dict(self.config),
            reinit="create_new",
            settings=self._api.Settings(console="off"),  # the live panel is ours
        )
        self._run.define_metric("*", step_metric="step")  # its own count could not go back to an earlier step
        return str(self._run.id)

    def tell(self, step: int, values: Mapping[str, float]) -> None:
        self._run.log({**values, "step": step})

    def show(self, step: int, picture: Image.Image) -> None:
        self._run.log({"samples": self._api.Image(picture), "step": step})

    def close(self, outcome: str) -> None:
        self._run.finish(exit_code=int(outcome in ("failed", "crashed")))


class Mlflow(Tracker):
    """MLflow: `MLFLOW_TRACKING_URI` and `MLFLOW_EXPERIMENT_NAME` say where."""

    package = "mlflow"
    _ENDS: ClassVar[dict[str, str]] = {"interrupted": "KILLED", "failed": "FAILED", "crashed": "FAILED"}

    def open(self, known: str | None) -> str:
        self._client = self._api.MlflowClient()
        if known is not None:
            self._client.update_run(known, status="RUNNING")
            self._id = known
            return known
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or PROJECT
        found = self._client.get_experiment_by_name(name)
        experiment = self._client.create_experiment(name) if found is None else found.experiment_id
        self._id = str(self._client.create_run(experiment, run_name=self.run.name).info.run_id)
        for name, value in _flat(self.config).items():
            self._client.log_param(self._id, _named(name), cut(value, 500))
        return self._id

    def tell(self, step: int, values: Mapping[str, float]) -> None:
        now = int(1000 * time.time())
        metrics = [self._api.entities.Metric(_named(key), float(value), now, step) for key, value in values.items()]
        self._client.log_batch(self._id, metrics=metrics)

    def show(self, step: int, picture: Image.Image) -> None:
        self._client.log_image(self._id, picture.convert("RGB"), key="samples", step=step)

    def close(self, outcome: str) -> None:
        self._client.set_terminated(self._id, self._ENDS.get(outcome, "FINISHED"))


TRACKERS: dict[str, type[Tracker]] = {"wandb": Wandb, "mlflow": Mlflow}
"""By the name that `--log` takes."""


def check_tracker(name: str) -> None:
    """Raises UsageError, of one line, where the package of a tracker is not installed."""
    if name in TRACKERS:
        needed(TRACKERS[name].package, name)


def _flat(config: Mapping[str, Any]) -> dict[str, str]:
    """What a training was begun with, by name: recipe, data, its arguments and its settings."""
    data = mapping(config.get("data"))
    told = {"recipe": config.get("recipe"), "data": data.get("name"), "ganvas": config.get("ganvas")}
    for part in (data.get("options"), config.get("arguments"), config.get("settings")):
        told |= {key: value for key, value in mapping(part).items() if value is not None}
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in told.items()}


def _named(name: str) -> str:
    """A name with no signs that MLflow takes in none: `FID[native]` becomes `FID.native`."""
    return re.sub(r"[^\w./ -]+", ".", name).strip(".")


def _one_line(error: Exception) -> str:
    return cut(shown(" ".join(str(error).split()))) or type(error).__name__
