"""A run as Python code holds it: what `train` gives back, and what `open_run` opens again."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganvas.errors import RunError
from ganvas.files import at_home
from ganvas.html import render
from ganvas.report import RunLine, last_picture, line_of, write_report
from ganvas.run import OUTCOMES, loss, measurements, players, read_config, read_rows, scores, series
from ganvas.text import command, counted, plain, shown

if TYPE_CHECKING:
    from ganvas.metrics.judgement import Report
    from ganvas.model import Model
    from ganvas.recipe import Recipe

if TYPE_CHECKING:
    _Folder = Path
else:
    _Folder = type(Path())

SCORES = "scores.json"
"""Where `Run.evaluate` writes its passport, in the run."""

_PASSPORTS = 20
_STATES = {
    **{key: told.lower() for key, told in OUTCOMES.items()},
    "training": "training",
    "killed": "killed",
    "not finished": "not finished",
}


class Run(_Folder):
    """A run folder: a `pathlib.Path` of it, so that it can stand wherever a path can, which knows what is in it.

    It is read anew whenever it is asked, so that it tells of a run that goes on as it is now. A notebook shows it as a
    small table with the last samples.
    """

    _recipe: type[Recipe] | None = None

    def model(self, *, recipe: str | type[Recipe] | None = None, device: str = "cpu") -> Model:
        """The trained GAN, as `ganvas.load` gives it. recipe: must be named for a recipe of one's own, unless this is
        what the training of it gave back."""
        from ganvas.model import load

        return load(self, recipe=recipe or self._recipe, device=device)

    def evaluate(self, data: Any = None, **options: Any) -> Report:
        """How good it is, as `ganvas.evaluate` tells with the same options, kept in the run as `scores.json`."""
        from ganvas.metrics.evaluate import evaluate

        told = evaluate(self, data, **{"recipe": self._recipe, **options})
        told.save(self / SCORES)
        return told

    @property
    def scores(self) -> dict[str, float]:
        """The numbers that tell how good it is, by name: those of passports in the run, as `evaluate` writes them, such
        as `FID[lite0]`; the last of those that training found, as in `score/FID[native]`; and the last loss of each
        player, as in `loss/generator`. {} before there is any."""
        rows = read_rows(self / "metrics.jsonl")
        found = {key: value for passport in self._passports() for key, value in passport.items()}
        found |= {key: points[-1][1] for key in scores(rows) if (points := series(rows, key))}
        measured = measurements(rows)
        for player, terms in players(measured).items():
            losses = [value for row in measured if (value := loss(row, player, terms)) is not None]
            found |= {f"loss/{player}": value for value in losses[-1:]}
        return found

    @property
    def report(self) -> Path:
        """Where its `report.html` is, which is written first where training was killed before it could."""
        path = self / "report.html"
        return path if path.is_file() else write_report(self)

    def _passports(self) -> Iterator[dict[str, float]]:
        from ganvas.metrics.passport import read_passport

        for path in sorted(self.glob("*.json"))[:_PASSPORTS]:
            try:
                told = read_passport(path)["scores"] if path.name != "config.json" else {}
            except RunError:
                continue
            yield {key: float(each["value"]) for key, each in told.items() if each.get("value") is not None}

    def __repr__(self) -> str:
        line = line_of(self)
        return f"Run({shown(str(self))}: {_about(line)})"

    def _repr_html_(self) -> str:
        line = line_of(self)
        try:
            config = read_config(self)
        except RunError:
            config = {}
        return render(
            "report/run.html.jinja",
            line=line,
            about=_about(line),
            scores=[("/".join(map(plain, key.split("/", 1))), f"{value:.4g}") for key, value in self.scores.items()],
            report=command("open", self / "report.html"),
            picture=last_picture(self, config),
        )

    # What lies in the folder is a path like any other.

    def with_segments(self, *segments: str | os.PathLike[str]) -> Path:
        return Path(*segments)

    if sys.version_info < (3, 12):  # where `with_segments` is asked by nobody

        @classmethod
        def _from_parsed_parts(cls, *parsed: Any) -> Path:
            return type(Path())._from_parsed_parts(*parsed)  # type: ignore[attr-defined, no-any-return]


def open_run(run: str | Path, *, recipe: type[Recipe] | None = None) -> Run:
    """The run in this folder, whether it is trained now, finished, or was killed. recipe: the class of a recipe of
    one's own.

    Raises RunError for a folder that is no run, with the nearest one beside it.
    """
    opened = run_of(at_home(run), recipe)
    read_config(opened)
    return opened


def run_of(path: Path, recipe: type[Recipe] | None = None) -> Run:
    """The run in this folder, with the class of its recipe, where that is known."""
    run = Run(path)
    run._recipe = recipe
    return run


def _about(line: RunLine) -> str:
    if line.state == "unreadable":
        return "not readable"
    after = "" if line.steps is None else f" after {counted(line.steps, 'step')}"
    return shown(f"{line.recipe} on {line.data}, {_STATES[line.state]}{after}")
