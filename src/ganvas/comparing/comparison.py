"""`compare`: runs side by side, by configuration, with their seeds together."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganvas.comparing.noise import RULES, Summary
from ganvas.comparing.page import page
from ganvas.comparing.reading import PASSPORT, Group, check_together, differing, grouped, read
from ganvas.comparing.scoring import Scored, scored
from ganvas.errors import UsageError
from ganvas.files import write_atomically
from ganvas.metrics.judgement import aligned
from ganvas.metrics.passport import number
from ganvas.recipes import is_path
from ganvas.run import duration, mapping
from ganvas.text import plain, shown

_MISSING = "-"
KINDS = (".html", ".md", ".json")
"""What a comparison can be saved as."""


@dataclass(frozen=True)
class Comparison:
    """What `compare` found. groups: runs that differ by their seed alone. scores: those that can be compared. differs:
    (option, the value of each group). notes: what could not be compared, and why. seed: of the samples on the page.
    recipe: the file and class of runs that were trained with a recipe of one's own."""

    groups: Sequence[Group]
    scores: Sequence[Scored]
    differs: Sequence[tuple[str, list[str]]]
    notes: Sequence[str]
    seed: int = 0
    recipe: str | None = None

    def __str__(self) -> str:
        lines = [f"{group.letter}  {group.told}" for group in self.groups]
        for title, table in self.tables().items():
            lines += ["", title, *aligned([(*row, "") for row in table])]
        return "\n".join([*lines, "", *self.rules(), *(f"note: {note}" for note in self.notes)])

    def markdown(self) -> str:
        """The same as Markdown."""
        lines = ["# Comparison", "", *(f"- **{group.letter}**: {_cell(group.told)}" for group in self.groups)]
        for title, (head, *rows) in self.tables().items():
            lines += ["", f"## {title}", "", _row(head), _row(["---"] * len(head)), *map(_row, rows)]
        more = [*self.rules(), *(f"Note: {note}" for note in self.notes)]
        return "\n".join([*lines, "", *(f"{_cell(line)}\n" for line in more)])

    def to_json(self) -> str:
        """Groups, scores, verdicts and what differs, for scripts."""
        told = {
            "groups": [
                {"letter": g.letter, "title": g.title, "runs": [str(r.path) for r in g.runs], "seeds": g.seeds}
                for g in self.groups
            ],
            "scores": [dataclasses.asdict(each) for each in self.scores],
            "differs": dict(self.differs),
            "notes": list(self.notes),
        }
        return json.dumps(told, indent=2)

    def html(self) -> str:
        """One page that loads nothing, with samples of the same seed and with curves."""
        return page(self.groups, self.tables(), [*self.rules(), *self.notes], self.seed, self.recipe)

    def save(self, path: str | Path) -> None:
        """Writes it as the file's ending says. Raises UsageError for another than .html, .md and .json."""
        path = check_out(path)
        made = {".html": self.html, ".md": self.markdown, ".json": self.to_json}
        write_atomically(path, made[path.suffix.lower()]())

    def tables(self) -> dict[str, list[list[str]]]:
        """Tables by their titles, each with its head; those that say something."""
        letters = [group.letter for group in self.groups]
        found = {
            f"Scores, {about}": [
                ["score", *letters, "better", "best", "beyond noise"],
                *(self._scores_row(each) for each in self.scores if each.about == about),
            ]
            for about in dict.fromkeys(each.about for each in self.scores)
        }
        found |= {
            "What differs": [["option", *letters], *([plain(name), *values] for name, values in self.differs)],
            "How far they are": [["", *letters], *self._facts()],
        }
        return {title: table for title, table in found.items() if len(table) > 1}

    def rules(self) -> list[str]:
        """How `beyond noise` was decided, a line for each way that was needed."""
        hows = dict.fromkeys(v.how for each in self.scores for v in each.verdicts.values())
        count = sum(v.beyond is not None for each in self.scores for v in each.verdicts.values())
        lines = [f"beyond noise, {RULES[how]}" for how in hows]
        if count > 4:
            lines.append(
                f"of {count} such differences about {max(1, round(count / 20))} would seem beyond noise by chance alone"
            )
        if any(len(group.runs) > 1 for group in self.groups):
            lines.append("of several seeds: the mean, and behind the sign ± half the 95% interval of that mean")
        return lines

    def _scores_row(self, each: Scored) -> list[str]:
        cells = [told_of(each.summaries.get(group.letter)) for group in self.groups]
        return [each.key, *cells, each.wanted.removesuffix(" is better"), each.best or _MISSING, beyond(each)]

    def _facts(self) -> list[list[str]]:
        facts = {
            "ended": lambda run: run.outcome,
            "time": lambda run: _MISSING if run.seconds is None else duration(run.seconds),
            f"{self.groups[0].runs[0].noun} a second": lambda run: (
                _MISSING if run.items_per_second is None else f"{run.items_per_second:,.0f}"
            ),
            "versions": lambda run: (
                f"ganvas {plain(run.config.get('ganvas'), '?')}, "
                f"torch {plain(mapping(run.config.get('hardware')).get('torch'), '?')}"
            ),
        }
        return [
            [name, *("; ".join(dict.fromkeys(of(run) for run in group.runs)) for group in self.groups)]
            for name, of in facts.items()
        ]


def compare(
    *runs: str | Path,
    evaluate: bool = False,
    metrics: Sequence[str] | None = None,
    extractor: str | None = None,
    n: int | None = None,
    split: str | None = None,
    seed: int = 0,
    recipe: str | None = None,
    progress: bool = True,
) -> Comparison:
    """Brings runs side by side: scores with intervals, configuration by configuration, seeds together.

    runs: run folders, trained on the same data. evaluate: judge each of them now, in the same way, and keep that in the
    run's `scores.json`; else their scores are those that `ganvas evaluate RUN --json RUN/scores.json`, or any other
    passport in the run's folder, says. metrics, extractor, n, split: as `ganvas.evaluate` takes them. seed: of the
    samples. recipe: the file and class of runs with a recipe of one's own, which is executed.

    Raises UsageError and RunError, of one line, for what is no run and for runs of different data.
    """
    found = [read(Path(run)) for run in runs]
    check_together(found)
    if evaluate:
        from ganvas.metrics.evaluate import evaluate as judge

        asked: dict[str, Any] = {"metrics": metrics, "extractor": extractor, "n": n, "split": split, "seed": seed}
        for run in found:
            own = recipe if is_path(run.recipe) else None
            judge(run.path, **asked, recipe=own, progress=progress).save(run.path / PASSPORT)
        found = [read(run.path) for run in found]
    groups = grouped(found)
    scores, notes = scored(groups)
    firsts = [group.runs[0] for group in groups]
    differs = [(name, [plain(run.options.get(name), "none") for run in firsts]) for name in differing(firsts)]
    return Comparison(groups, scores, differs, notes, seed, recipe)


def check_out(path: str | Path) -> Path:
    """The path, where a comparison can be saved there. Raises UsageError."""
    path = Path(path)
    if path.suffix.lower() not in KINDS:
        raise UsageError(f"{shown(str(path))}: a comparison is saved as {', '.join(KINDS)}")
    if path.is_dir():
        raise UsageError(f"{shown(str(path))} is a folder; name a file in it")
    return path


def told_of(summary: Summary | None) -> str:
    """A summary in a cell of a table."""
    if summary is None:
        return _MISSING
    if summary.interval is None:
        return number(summary.mean)
    low, high = summary.interval
    if summary.spread is not None:
        return f"{number(summary.mean)} ± {number((high - low) / 2)}"
    return f"{number(summary.mean)} ({number(low)} to {number(high)})"


def beyond(each: Scored) -> str:
    """Which groups differ from the best one beyond noise, in words."""
    if each.best is None:
        return _MISSING
    beyond, within, unknown = (
        [letter for letter, v in each.verdicts.items() if v.beyond is wanted] for wanted in (True, False, None)
    )
    parts = [f"{each.best} is better than {', '.join(beyond)}"] if beyond else []
    parts += [f"not apart from {', '.join(within)}"] if within else []
    parts += [f"not known beside {', '.join(unknown)}"] if unknown else []
    return "; ".join(parts) or (_MISSING if len(each.summaries) < 2 else "")


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(_cell, cells))} |"


def _cell(text: str) -> str:
    """Text that stays text in a table of Markdown."""
    for sign in "\\`*_|[]<>&#~":
        text = text.replace(sign, f"\\{sign}")
    return shown(text)
