"""Scores with their passport: everything that must be known before two numbers are compared.

    {"ganvas passport": 1,
     "scores": {"FID[lite0]": {"value", "interval", "better", "extractor", "samples", "references", ...}, ...},
     "judged": {...}, "data": {...}, "extractors": {"lite0": {...}}, "versions": {...}, "date", "notes", "warnings"}

A score's name always carries its extractor, since numbers from two of them have nothing to do with each other.
"""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ganvas.errors import RunError, UsageError
from ganvas.files import read_json, write_json
from ganvas.text import cut, shown
from ganvas.version import __version__

if TYPE_CHECKING:
    from ganvas.features import Extractor
    from ganvas.metrics.bootstrap import Interval

FORMAT = 1
MARK = "ganvas passport"
_MOST_BYTES = 16 * 2**20
_LONGEST = 60  # letters of a foreign text that are shown

Better = Literal["lower", "higher", "neither"] | float
"""What is better of a score: lower values, higher ones, or, where it is a number, those nearer to that."""


@dataclass(frozen=True)
class Score:
    """One number: `FID` in the extractor `lite0` is `FID[lite0]`.

    extractor: or the colours, such as `Y`, that a score of pairs looks at. interval: 95%. better: what is better, see
    `Better`. samples, references: how many were looked at on each side. more: what else belongs to it, for people and
    JSON.
    """

    name: str
    extractor: str
    value: float
    interval: Interval | None
    better: Better
    samples: int
    references: int
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        return f"{self.name}[{self.extractor}]"

    def to_json(self) -> dict[str, Any]:
        return {
            "value": finite(self.value),
            "interval": None if self.interval is None else [finite(bound) for bound in self.interval],
            "better": self.better,
            "extractor": self.extractor,
            "samples": self.samples,
            "references": self.references,
            **self.more,
        }


def shortfall(better: Any, value: float) -> float | None:
    """How far the value is from the best: less is better. None where neither is, or `better` is none that is known."""
    if better in ("lower", "higher"):
        return value if better == "lower" else -value
    return abs(value - better) if _is_number(better) else None


def better_in_words(better: Better) -> str:
    """Which values of a score are better; "" where none are."""
    if isinstance(better, str):
        return "" if better == "neither" else f"{better} is better"
    return f"nearer to {better:g} is better"


def about_extractor(extractor: Extractor) -> dict[str, Any]:
    return {
        "weights": extractor.weights_hash,
        "resizing": extractor.resizing,
        "precision": extractor.precision,
    }


def passport(
    scores: Mapping[str, Score],
    *,
    judged: Mapping[str, Any],
    data: Mapping[str, Any],
    extractors: Mapping[str, Mapping[str, Any]],
    notes: list[str],
    warnings: list[str],
) -> dict[str, Any]:
    """The whole as JSON holds it; versions and the date are of now."""
    import numpy as np  # here, as reading one needs neither
    import torch

    return {
        MARK: FORMAT,
        "scores": {key: score.to_json() for key, score in scores.items()},
        "judged": dict(judged),
        "data": dict(data),
        "extractors": {name: dict(about) for name, about in extractors.items()},
        "versions": {
            "ganvas": __version__,
            "torch": torch.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
        "notes": notes,
        "warnings": warnings,
    }


def read_passport(path: Path) -> dict[str, Any]:
    """What `write_passport` wrote. Raises RunError, in one line, for anything else."""
    try:
        content = read_json(path, _MOST_BYTES)
    except OSError as error:
        raise RunError(f"{_named(path)} cannot be read: {error.strerror}") from error
    except ValueError:
        raise RunError(f"{_named(path)} is not JSON, so no passport of scores") from None
    if not isinstance(content, dict) or MARK not in content:
        raise RunError(f"{_named(path)} is not a passport of scores: write one with ganvas evaluate ... --json PATH")
    if content[MARK] != FORMAT:
        raise RunError(f"{_named(path)} is a passport of another format; this Ganvas reads {FORMAT}")
    fault = _fault(content)
    if fault:
        raise RunError(f"{_named(path)} is a damaged passport: {fault}")
    return content


def check_writable(path: Path, overwrite: bool) -> None:
    """Raises UsageError where `path` holds something that is no passport, unless `overwrite`."""
    if path.is_dir():
        raise UsageError(f"--json {_named(path)} is a folder; name a file in it")
    if path.exists() and not overwrite:
        try:
            read_passport(path)
        except RunError:
            raise UsageError(
                f"{_named(path)} exists and is no passport of scores; add --overwrite to replace it, or choose "
                "another --json"
            ) from None


def write_passport(path: Path, content: Mapping[str, Any]) -> None:
    """Atomically. Raises TrainingError where the disk refuses."""
    write_json(path, content)


def text(value: Any) -> str:
    """A foreign value on one line, not too long."""
    line = shown(value if isinstance(value, str) else json.dumps(value))
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 3]}..."


def number(value: float | None) -> str:
    """Four digits that count, or `-` where there is no number."""
    if value is None or not math.isfinite(value):
        return "-" if value is None else str(value)
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4f}" if 0.001 <= abs(value) < 1 else f"{value:.4g}"


def finite(value: float) -> float | None:
    """The value as JSON can hold it."""
    return float(value) if math.isfinite(value) else None


def _named(path: Path) -> str:
    return cut(shown(str(path)))


def _fault(content: dict[str, Any]) -> str:
    """What is not as it must be; "" where all is well."""
    for name in ("scores", "judged", "data", "extractors", "versions"):
        if not isinstance(content.get(name), dict):
            return f"its {name!r} is no object"
    for key, score in content["scores"].items():
        if not isinstance(score, dict) or not isinstance(score.get("extractor"), str):
            return f"its score {text(key)} is no score"
        bounds = score.get("interval")
        numbers = [score.get("value"), *(bounds if isinstance(bounds, list) else [])]
        if not all(each is None or _is_number(each) for each in numbers) or (
            bounds is not None and not (isinstance(bounds, list) and len(bounds) == 2)
        ):
            return f"its score {text(key)} holds no numbers"
        if score["extractor"] not in content["extractors"]:
            return f"the extractor of {text(key)} is not described"
    if not all(isinstance(each, dict) for each in content["extractors"].values()):
        return "an extractor is no object"
    return ""


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return abs(value) < 1e300  # an integer of any size too; NaN and infinities are none
