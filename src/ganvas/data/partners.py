"""Files of two folders that go together by their names: photos and their low resolutions, results and targets."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ganvas.data.rows import stem_of

_RESOLUTION = re.compile(r"(?<=[^/])(?:[-_. ]?x([2-8])|[-_. ](?:HR|LR|SR))+$", re.IGNORECASE)


def matched(names: Iterable[str], others: Iterable[str], scale: int | None = None) -> dict[str, str]:
    """Of each name, the one of the others that it goes together with; names without any are left out.

    Stems are the same, or else the same but for what tells a resolution at their end, as data sets have it: 0001.png
    and 0001x4.png, img_HR.png and img_LR.png, img.png and img_x2_SR.png. Of several such, the one that names the scale.
    """
    names, others = list(names), list(others)
    by_stem = {stem_of(other): other for other in others}
    found = {name: by_stem[stem_of(name)] for name in names if stem_of(name) in by_stem}
    taken = set(found.values())
    alike: dict[str, list[str]] = {}
    for other in others:
        if other not in taken:
            alike.setdefault(_bare(other), []).append(other)
    for name in names:
        if name not in found:
            fitting = alike.get(_bare(name), [])
            chosen = fitting if len(fitting) == 1 else [other for other in fitting if _scale(other) == scale]
            if len(chosen) == 1:
                found[name] = chosen[0]
                fitting.remove(chosen[0])
    return found


def _bare(name: str) -> str:
    """The stem without what tells a resolution."""
    return _RESOLUTION.sub("", stem_of(name))


def _scale(name: str) -> int | None:
    """The one that a name ends in."""
    told = _RESOLUTION.search(stem_of(name))
    return int(told[1]) if told and told[1] else None
