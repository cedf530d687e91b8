"""The folder of runs: what is in it, what state each run is in, and nothing outside it.

All that the studio knows it reads from here each time, so a reload, a restart or a second visitor sees the same. A name
that comes from a request is only ever looked up among the runs that exist.

    runs/NAME/              a run, as `ganvas train` writes it
    runs/.studio/jobs/      NAME.log, .json and .lock of every training that the studio started; beside it
                            evaluations/ and exports/
    runs/.studio/uploads/   data that was uploaded to train on
    runs/.studio/cache/     what the page shows and what is uploaded meanwhile
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from ganvas.errors import RunError, UsageError, near_miss
from ganvas.model import zoo
from ganvas.report import RunLine, line_of
from ganvas.run import (
    FIRST,
    JOBS,
    LOCK,
    OUTCOMES,
    SCORES,
    STUDIO,
    TRAINER,
    Row,
    foreign,
    is_trained,
    measurements,
    read_config,
    read_rows,
    remove,
    rename,
    run_in,
    size_of,
    stop_trainer,
)
from ganvas.text import counted, listed, plain, quoted
from ganvas.web.studio.processes import Jobs

State = Literal["starting", "training", "stopped", "finished", "failed"]
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class Run:
    """One run as it is now. config: {} where training has not got so far. message: why it failed, one line."""

    name: str
    path: Path
    state: State
    config: Mapping[str, Any]
    rows: list[dict[str, Any]]
    message: str = ""

    @property
    def live(self) -> bool:
        return self.state in ("starting", "training")

    @property
    def recipe(self) -> str:
        return plain(self.config.get("recipe"), "?")


class Shelf:
    """The runs below `folder`, which is made where it does not exist."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.own = self.folder / STUDIO
        self.cache = self.own / "cache"
        for path in (*(self.own / name for name in JOBS), self.own / "uploads", self.cache):
            try:
                path.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise UsageError(f"--runs {folder} cannot be written to: {error.strerror}") from error
        self.trainings = Jobs(self.own / "jobs", "train", "training", "trained")
        self.evaluations = Jobs(self.own / "evaluations", "evaluate", "evaluation", "evaluated")
        self.exports = Jobs(self.own / "exports", "export", "export", "exported")
        self._lines: dict[str, tuple[str, RunLine]] = {}

    def names(self) -> list[str]:
        """Runs that train now first, then the latest ones."""
        found = {path.parent.name: path.parent for path in self.folder.glob("*/config.json")}
        found |= {name: self.folder / name for name in self.trainings.names()}
        visible = {name: path for name, path in found.items() if not name.startswith(".")}
        return sorted(visible, key=lambda name: (not self.live(name), -_changed(visible[name]), name))

    def path(self, name: object) -> Path:
        """Where the run of this name is. Raises RunError for any that is not there."""
        names = self.names()
        if not isinstance(name, str) or not name:
            raise RunError("choose a run first" if names else "there is no run yet: start one in Train")
        if zoo.is_zoo(name):
            raise RunError(f"{quoted(name)} comes with Ganvas, to be used: choose a run for this")
        if name not in names:
            raise RunError(f"there is no run {quoted(name)} here{near_miss(name, names)}")
        return self.folder / name

    def live(self, name: str) -> bool:
        return self.trainings.live(name) or is_trained(self.folder / name)

    def stop(self, name: object) -> None:
        """What Ctrl-C does to the training of the run, wherever on this machine it was started. Raises RunError or
        UsageError where that cannot be."""
        path = self.path(name)
        if self.trainings.live(path.name):
            self.trainings.stop(path.name)
        else:
            with self._unseen():
                stop_trainer(path)

    def stamp(self, name: object) -> str:
        """What changes whenever there is something new to tell of the run."""
        path = self.path(name)
        watched = [
            path / "metrics.jsonl",
            path / "config.json",
            path / SCORES,
            path / FIRST,
            path / "samples",
            self.own / "jobs" / f"{path.name}.log",
        ]
        times = [(s.st_mtime_ns, s.st_size) if (s := _status(each)) else None for each in watched]
        return f"{path.name} {self.live(path.name)} {times}"

    def run(self, name: object) -> Run:
        """The run as it is now. Raises RunError for a name that is not there."""
        path = self.path(name)
        try:
            config = read_config(path) if (path / "config.json").is_file() else {}
        except RunError as error:
            return Run(path.name, path, "failed", {}, [], str(error))
        rows = read_rows(path / "metrics.jsonl")
        if self.live(path.name):
            rows = rows if measurements(rows) else [*rows, *read_rows(path / FIRST)]
            return Run(path.name, path, "training" if config else "starting", config, rows)
        said = self.trainings.last_error(path.name)
        if not config:
            return Run(path.name, path, "failed", {}, [], said or "it was stopped before it began")
        return Run(path.name, path, _ended(rows), config, rows, said)

    def line(self, name: object) -> RunLine:
        """The run in a line, read anew where something is new. Raises RunError for a name that is not there."""
        path, mark = self.path(name), self.stamp(name)
        known, line = self._lines.get(path.name, ("", None))
        if line is None or known != mark:
            line = line_of(path) if (path / "config.json").is_file() else self._begun(path.name)
            self._lines[path.name] = (mark, line)
        return line

    def _begun(self, name: str) -> RunLine:
        """Of a training that has not got so far as to say what it is."""
        run = self.run(name)
        return RunLine(name, "", run.state, "", word=run.message, ailing=run.state == "failed")

    def made(self, name: str) -> Path:
        """Where exports of the run lie; in the folder of what the page shows."""
        return self.cache / f"exports-{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"

    # -- put away, and called otherwise -------------------------------------------------------------------------

    def about(self, name: object) -> str:
        """What goes with a run that is deleted, in words. Raises RunError."""
        path = self.path(name)
        if not path.is_dir():
            return "nothing was written yet"
        files, size = size_of(path)
        others = f"; no training wrote {listed(found)}" if (found := foreign(path)) else ""
        return f"{counted(files, 'file')}, {size / 1e6:,.1f} MB{others}"

    def delete(self, name: object) -> str:
        """Deletes a run with all that is in its folder; returns its name. Raises RunError where it is being worked on,
        is a link, or cannot be deleted."""
        path = self.path(name)
        with self._unseen():
            if not (path / "config.json").is_file():
                self._forget(path)
            else:
                remove(run_in(self.folder, path.name))
        self._lines.pop(path.name, None)
        shutil.rmtree(self.made(path.name), ignore_errors=True)
        return path.name

    def _forget(self, path: Path) -> None:
        """A training that failed before it wrote anything."""
        if self.live(path.name):
            raise RunError(f"{path} is being trained, and is left alone; stop that first")
        left = [each.name for each in path.iterdir()] if path.is_dir() and not path.is_symlink() else []
        if set(left) <= {LOCK, TRAINER}:
            for each in left:
                (path / each).unlink()
            if path.is_dir() and not path.is_symlink():
                path.rmdir()
        for suffix in (".log", ".json", ".lock"):
            (self.trainings.folder / f"{path.name}{suffix}").unlink(missing_ok=True)

    def rename(self, name: object, new: object) -> str:
        """Calls a run otherwise; returns its new name. Raises UsageError or RunError where that cannot be."""
        path = self.path(name)
        if not str(new or "").strip():
            raise UsageError("say what it is to be called")
        wanted = self.new_name(str(new), "")
        with self._unseen():
            rename(run_in(self.folder, path.name), wanted)
        self._lines.pop(path.name, None)
        return wanted

    @contextmanager
    def _unseen(self) -> Iterator[None]:
        """Visitors need not know where on the machine the runs are."""
        try:
            yield
        except RunError as error:
            raise RunError(self.hidden(error)) from None

    def hidden(self, told: object) -> str:
        """What is told, without where the folder is."""
        return str(told).replace(f"{self.folder}/", "")

    def new_name(self, wanted: str, stem: str) -> str:
        """A name for a new run: the wanted one, or one made of `stem`. Raises UsageError for one that cannot be."""
        wanted = wanted.strip()
        if not wanted:
            stem = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._") or "run"
            names = (stem if count == 1 else f"{stem}-{count}" for count in range(1, 10_000))
            return next(name for name in names if not (self.folder / name).exists() and name not in self.names())
        if not NAME.fullmatch(wanted):
            raise UsageError(
                f"a run cannot be called {quoted(wanted)}: use up to 64 letters, figures, dots, dashes and "
                "underscores, and begin with a letter or a figure"
            )
        if (self.folder / wanted).exists() or wanted in self.names():
            raise UsageError(f"there is a run {quoted(wanted)} already; choose another name, or resume that one")
        return wanted


def report_address(name: str) -> str:
    """Where the studio shows a run's report."""
    return f"/report/{quote(name.encode('utf-8', 'surrogatepass'), safe='')}"


def _ended(rows: list[Row] | list[dict[str, Any]]) -> State:
    event = str(rows[-1].get("event", "")) if rows else ""
    if event in ("finished", "stopped early"):
        return "finished"
    return "failed" if event in OUTCOMES and event != "interrupted" else "stopped"


def _changed(path: Path) -> float:
    times = (_status(each) for each in (path / "metrics.jsonl", path / "config.json", path))
    return next((status.st_mtime for status in times if status), float("inf"))  # it is just beginning


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None
