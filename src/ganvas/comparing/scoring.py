"""The scores of runs brought side by side: only those of the same extractor, split and counts, and why others are not.

A score is known by everything that it depends on beside the model: the data and which of them, how many samples, the
extractor with its weights. What a run's passports tell, and what was scored while it trained, are scores of two kinds,
which are never compared with each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ganvas.comparing.noise import Summary, Value, Verdict, summed_up, verdict
from ganvas.comparing.reading import Group, Read
from ganvas.metrics.compare import differences
from ganvas.metrics.passport import better_in_words, shortfall
from ganvas.run import scores, series
from ganvas.text import listed, plain

WHILE_TRAINING = "while training"


@dataclass(frozen=True)
class Scored:
    """One score of all groups. key: such as `FID[native]`. about: what it is of. better: as passports have it.
    summaries: by the group's letter, of those that have it. best: the letter of the group with the best mean; None
    where nothing is better. verdicts: of each other group beside the best."""

    key: str
    about: str
    better: Any
    summaries: Mapping[str, Summary]
    best: str | None
    verdicts: Mapping[str, Verdict]

    @property
    def wanted(self) -> str:
        """Which values are better, in words."""
        return better_in_words(self.better)


def scored(groups: Sequence[Group]) -> tuple[list[Scored], list[str]]:
    """The scores that at least two runs share, and a line for each run whose scores are not comparable, or lacking."""
    runs = [run for group in groups for run in group.runs]
    chosen, notes = _comparable(runs)
    made = []
    keys = dict.fromkeys(key for passport in chosen.values() for key in passport["scores"])
    for key in keys:
        values = {
            place: value
            for place, passport in chosen.items()
            if (value := _value(passport["scores"].get(key) or {})) is not None
        }
        first = next(passport for passport in chosen.values() if key in passport["scores"])
        about = _about(first, first["scores"][key])
        made.append(_scored(plain(key), about, first["scores"][key].get("better"), groups, runs, values))
    for key in dict.fromkeys(key for run in runs for key in scores(run.rows)):
        found = {place: series(run.rows, key) for place, run in enumerate(runs)}
        lows = {place: Value(min(value for _, value in points)) for place, points in found.items() if points}
        name = plain(key.removeprefix("score/"))
        made.append(_scored(name, f"{WHILE_TRAINING}, the best moment", "lower", groups, runs, lows))
    return [each for each in made if sum(len(s.values) for s in each.summaries.values()) > 1], notes


def _comparable(runs: Sequence[Read]) -> tuple[dict[int, Mapping[str, Any]], list[str]]:
    """A passport of each run, by its place, that can be compared with all others; those that most runs have, the newest
    of them. And what there is to say of the other runs."""
    best: dict[int, Mapping[str, Any]] = {}
    for run in runs:
        for candidate in run.passports:
            fitting = {
                place: each
                for place, other in enumerate(runs)
                if (each := next((p for p in other.passports if not differences(candidate, p)), None)) is not None
            }
            if len(fitting) > len(best):
                best = fitting
    notes, lacking = [], [run.name for place, run in enumerate(runs) if place not in best and not run.passports]
    for place, run in enumerate(runs):
        if place not in best and run.passports and best:
            other, passport = next(iter(best.items()))
            why = "; ".join(differences(passport, run.passports[0]))
            notes.append(f"the scores of {run.name} are not comparable with those of {runs[other].name}: {why}")
    if lacking:
        notes.append(f"{listed(lacking)} {'has' if len(lacking) == 1 else 'have'} no saved scores: add --evaluate")
    return best, notes


def _scored(
    key: str, about: str, better: Any, groups: Sequence[Group], runs: Sequence[Read], values: Mapping[int, Value]
) -> Scored:
    summaries = {}
    for group in groups:
        own = [values[place] for place, run in enumerate(runs) if run in group.runs and place in values]
        if own:
            summaries[group.letter] = summed_up(own)
    ranked = {
        letter: distance for letter, each in summaries.items() if (distance := shortfall(better, each.mean)) is not None
    }
    best = min(ranked, key=ranked.__getitem__) if ranked else None
    beside = {} if best is None else {k: verdict(summaries[best], each) for k, each in summaries.items() if k != best}
    return Scored(key, about, better, summaries, best, beside)


def _value(score: Mapping[str, Any]) -> Value | None:
    value, bounds = score.get("value"), score.get("interval")
    if value is None:
        return None
    return Value(value, None if not bounds or None in bounds else (bounds[0], bounds[1]))


def _about(passport: Mapping[str, Any], score: Mapping[str, Any]) -> str:
    data = passport["data"]
    counts = [plain(score.get(name), "?") for name in ("samples", "references")]
    return f"{counts[0]} samples beside {counts[1]} of {plain(data.get('name'), '?')}, {plain(data.get('split'), '?')}"
