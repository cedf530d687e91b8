"""What a judgement found: scores with their intervals, the passport, and how they are told."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from ganvas.errors import UsageError
from ganvas.metrics.passport import Score, better_in_words, number, write_passport
from ganvas.spaces import save_picture


@dataclass(frozen=True)
class Report:
    """What `evaluate` found. scores: by key, such as `FID[lite0]`. passport: everything, as JSON holds it.
    nearest: the samples that are nearest to a training item beside any held-out one, each above its item, or None."""

    scores: dict[str, Score]
    passport: dict[str, Any]
    nearest: Image.Image | None = None

    @property
    def notes(self) -> list[str]:
        return list(self.passport["notes"])

    @property
    def warnings(self) -> list[str]:
        return list(self.passport["warnings"])

    def to_json(self) -> str:
        return json.dumps(self.passport, indent=2)

    def save(self, path: str | Path) -> None:
        """Writes the passport, which `ganvas evaluate --compare` reads."""
        write_passport(Path(path), self.passport)

    def save_nearest(self, path: str | Path) -> None:
        """Writes the picture of nearest training items. Raises UsageError where there is none."""
        if self.nearest is None:
            raise UsageError(
                "there is no picture of nearest training items: the metric memorisation makes it, of images"
            )
        save_picture(self.nearest, Path(path))

    def __str__(self) -> str:
        beside = list(dict.fromkeys(name for score in self.scores.values() for name in score.more.get("beside", ())))
        rows: list[tuple[str, ...]] = [("score", "value", "95% interval", *beside, "")]
        for key, score in self.scores.items():
            bounds = "" if score.interval is None else f"{number(score.interval.low)} to {number(score.interval.high)}"
            others = score.more.get("beside", {})
            told = [number(others.get(name, {}).get("value")) for name in beside]
            rows.append((key, number(score.value), bounds, *told, _told(score)))
        return "\n".join([*aligned(rows), *(f"note: {note}" for note in self.notes)])


def _told(score: Score) -> str:
    better = better_in_words(score.better)
    more = score.more
    if "spread" in more:
        return f"{better}; {number(more['spread'])} between {'subsets' if 'subsets' in more else 'splits'}"
    if "total" in more:
        return f"of {more['total']}"
    if more.get("reads_real") is not None:
        return f"{better}; the reader is right on {100 * more['reads_real']:.1f}% of held-out data"
    if "p" in more:
        return f"{better}; 0 is none, 1 is all; p = {more['p']:.2g}"
    return better


def aligned(rows: list[tuple[str, ...]]) -> list[str]:
    """Columns: the first to the left, the others to the right, the last as it is."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0]), *(row[c].rjust(widths[c]) for c in range(1, len(widths)))]
        lines.append("  ".join([*cells, row[-1]]).rstrip())
    return lines
