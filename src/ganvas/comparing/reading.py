"""Runs as a comparison reads them, and the groups of those that differ by their seed alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganvas.errors import RunError, UsageError
from ganvas.metrics.passport import read_passport
from ganvas.report import noun_of
from ganvas.run import Row, is_over, mapping, measurements, number, outcome, read_config, read_rows, series
from ganvas.text import counted, cut, plain, shown

PASSPORT = "scores.json"
"""Where `ganvas compare --evaluate` keeps the scores of a run: in its folder."""

_PASSPORTS = 20
_MISSING = "-"

NOT_COMPARED = ("seed", "device", "checkpoint_every", "sample_every", "keep", "looks")
"""Settings that change nothing of the game, or that groups are made of."""


@dataclass(frozen=True, eq=False)
class Read:
    """A run as it is now. options: everything that was chosen of it but its seed, by name, as `section.name`.
    passports: those in its folder, the newest first."""

    path: Path
    config: Mapping[str, Any]
    rows: Sequence[Row]
    options: Mapping[str, Any]
    passports: Sequence[Mapping[str, Any]]

    @property
    def name(self) -> str:
        return shown(self.path.resolve().name)

    @property
    def recipe(self) -> str:
        return plain(self.config.get("recipe"), "?")

    @property
    def data(self) -> Mapping[str, Any]:
        return mapping(self.config.get("data"))

    @property
    def seed(self) -> int | None:
        known = number(mapping(self.config.get("settings")).get("seed"))
        return None if known is None else int(known)

    @property
    def seconds(self) -> float | None:
        return next((known for row in reversed(self.rows) if (known := number(row.get("seconds"))) is not None), None)

    @property
    def items_per_second(self) -> float | None:
        speeds = sorted(value for _, value in series(measurements(self.rows), "items_per_second"))
        return speeds[len(speeds) // 2] if speeds else None

    @property
    def outcome(self) -> str:
        return outcome(self.rows, is_over(self.path)).rstrip(".")

    @property
    def noun(self) -> str:
        return noun_of(self.config)

    def curve(self, key: str, over: str) -> list[tuple[float, float]]:
        """(step or second, value) of the rows that have the value. over: `step` or `seconds`."""
        pairs = ((number(row.get(over)), number(row.get(key))) for row in self.rows)
        return [(x, y) for x, y in pairs if x is not None and y is not None]


@dataclass(frozen=True, eq=False)
class Group:
    """Runs that differ by their seed alone. letter: what tables call it. title: its recipe, and what sets it apart."""

    letter: str
    title: str
    runs: Sequence[Read]

    @property
    def seeds(self) -> list[int | None]:
        return [run.seed for run in self.runs]

    @property
    def told(self) -> str:
        """The title with its seeds."""
        seeds = ", ".join(_MISSING if seed is None else str(seed) for seed in self.seeds)
        return f"{self.title} ({counted(len(self.runs), 'run')}, seed{'s' * (len(self.runs) > 1)} {seeds})"


def read(path: Path) -> Read:
    """Raises RunError for a folder that is no run."""
    config = read_config(path)
    return Read(path, config, read_rows(path / "metrics.jsonl"), options_of(config), passports(path))


def passports(run: Path) -> list[dict[str, Any]]:
    """Those that lie in the run's folder, the newest first; files that are none are passed over."""
    found = []
    for path in sorted(run.glob("*.json"))[:_PASSPORTS]:
        if path.name != "config.json":
            try:
                found.append(read_passport(path))
            except RunError:
                continue
    return sorted(found, key=lambda each: plain(each.get("date"), ""), reverse=True)


def check_together(runs: Sequence[Read]) -> None:
    """Raises UsageError, of one line, for fewer than two runs, for one that is named twice, and for runs of different
    data, whose scores say nothing of one another."""
    if len(runs) < 2:
        raise UsageError("name two runs or more to compare, as in: ganvas compare runs/a runs/b")
    seen: dict[Path, Path] = {}
    for run in runs:
        if (place := run.path.resolve()) in seen:
            raise UsageError(f"{shown(str(run.path))} is named twice")
        seen[place] = run.path
    first = runs[0]
    for other in runs[1:]:
        if first.data.get("fingerprint") != other.data.get("fingerprint"):
            mine, theirs = (_of_data(each) for each in (first, other))
            raise UsageError(
                f"{shown(str(first.path))} and {shown(str(other.path))} are of other data ({mine} and {theirs}), so "
                "their scores say nothing of one another"
            )


def _of_data(run: Read) -> str:
    about, name = run.data, plain(run.data.get("name"), "?")
    told = {key: value for key, value in mapping(about.get("options")).items() if value is not None}
    how = f" with {plain(told)}" if told else ""
    return f"{name}{how}, {plain(about.get('fingerprint'), 'unknown')[:8]}"


def grouped(runs: Sequence[Read]) -> list[Group]:
    """Runs of one configuration together, whatever their seed, in the order in which they were named; of each group the
    lowest seed first."""
    found: dict[str, list[Read]] = {}
    for run in runs:
        found.setdefault(_text(dict(sorted(run.options.items()))), []).append(run)
    members = [sorted(each, key=lambda run: (run.seed is None, run.seed or 0)) for each in found.values()]
    apart = differing([each[0] for each in members])
    groups = []
    for place, each in enumerate(members):
        values = [f"{_short(name)} {plain(each[0].options.get(name), _MISSING)}" for name in apart if name != "recipe"]
        more = f" and {len(values) - 4} more" if len(values) > 4 else ""
        title = cut(shown(", ".join([each[0].recipe, *values[:4]]) + more), 120)
        groups.append(Group(letter_of(place), title, each))
    return groups


def differing(runs: Sequence[Read]) -> list[str]:
    """The names of what is not the same in all of these runs."""
    names = dict.fromkeys(name for run in runs for name in run.options)
    texts = {name: {_text(run.options.get(name)) for run in runs} for name in names}
    return [name for name in names if len(texts[name]) > 1]


def _text(value: Any) -> str:
    """JSON by which values are told apart; 1 and 1.0 are one."""
    return json.dumps(_as_float(value), default=str)


def _as_float(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _as_float(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_as_float(each) for each in value]
    return number(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _short(name: str) -> str:
    return shown(name.partition(".")[2] or name)


def letter_of(place: int) -> str:
    """A, B, ... Z, A2, B2, ..."""
    turn, letter = divmod(place, 26)
    return chr(ord("A") + letter) + (str(turn + 1) if turn else "")


def options_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that was chosen of a run but its seed, by `section.name`."""
    data = mapping(config.get("data"))
    settings = {name: value for name, value in mapping(config.get("settings")).items() if name not in NOT_COMPARED}
    found = {"recipe": config.get("recipe")}
    for section, values in (
        ("arguments", mapping(config.get("arguments"))),
        ("settings", settings),
        ("data", mapping(data.get("options"))),
    ):
        found |= {f"{section}.{name}": value for name, value in values.items()}
    return found | ({"start": config["start"]} if "start" in config else {})
