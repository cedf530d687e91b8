"""Two passports side by side, where they can be compared; and why not, where they cannot."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ganvas.errors import UsageError
from ganvas.metrics.judgement import aligned
from ganvas.metrics.passport import number, read_passport, shortfall, text
from ganvas.text import shown

# Facts that must agree, by the passport's section: (name there, in words).
_OF_DATA = (
    ("fingerprint", "other data"),
    ("split", "another split"),
    ("references", "another number of reference items"),
    ("drawn_by_seed", "reference items drawn by another seed"),
    ("resizing", "images of another size or colour"),
    ("border", "another border"),
)
_OF_EXTRACTOR = (
    ("weights", "other weights of the extractor"),
    ("resizing", "another resizing in the extractor"),
    ("precision", "another precision of the extractor"),
)
_OF_SCORE = (
    ("samples", "another number of samples"),
    ("references", "another number of reference items"),
    ("subset_size", "another size of subsets"),
)
_MOST_WARNINGS = 10
_WORTH_SAYING = ("recipe", "step", "truncation", "seed")


def compare(first: Path, second: Path) -> str:
    """A table of both passports' scores. Raises UsageError that names every reason why they cannot be compared."""
    mine, other = read_passport(first), read_passport(second)
    reasons = differences(mine, other)
    if reasons:
        names = f"{shown(str(first))} and {shown(str(second))}"
        raise UsageError(f"{names} cannot be compared: {'; '.join(reasons)}")
    lines = [f"A  {shown(str(first))}: {_named(mine)}", f"B  {shown(str(second))}: {_named(other)}"]
    for name in _WORTH_SAYING:
        a, b = mine["judged"].get(name), other["judged"].get(name)
        if a != b and not (a is None and b is None):
            lines.append(f"   {name}: {text(a)} and {text(b)}")
    if mine["versions"] != other["versions"]:
        changed = [name for name in mine["versions"] if mine["versions"][name] != other["versions"].get(name)]
        lines.append(f"   other versions of {', '.join(text(name) for name in changed) or 'something'}")
    table: list[tuple[str, ...]] = [("score", "A", "B", "B - A", "")]
    for key, a in mine["scores"].items():
        if key in other["scores"]:
            table.append(_row(key, a, other["scores"][key]))
    lines += ["", *aligned(table)]
    for passport, rest, which in ((mine, other, "A"), (other, mine, "B")):
        alone = [text(key) for key in passport["scores"] if key not in rest["scores"]]
        if alone:
            lines += ["", f"only in {which}: {', '.join(alone)}"]
    for passport, which in ((mine, "A"), (other, "B")):
        warnings = passport.get("warnings")
        if isinstance(warnings, list):
            lines += [f"warning in {which}: {text(line)}" for line in warnings[:_MOST_WARNINGS]]
    return "\n".join(lines)


def differences(mine: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Why the scores of two passports must not be compared, one reason each; [] where they may."""
    reasons = []
    for name, words in _OF_DATA:
        a, b = mine["data"].get(name), other["data"].get(name)
        if a != b:
            if name == "fingerprint":
                a, b = (each["data"].get("name") for each in (mine, other))
            reasons.append(words if a == b else f"{words} ({text(a)} and {text(b)})")
    a, b = (each["judged"].get("count") for each in (mine, other))
    if a != b:
        reasons.append(f"another number of samples ({text(a)} and {text(b)})")
    shared = [key for key in mine["scores"] if key in other["scores"]]
    if not shared:
        had = [" and ".join(sorted({text(s["extractor"]) for s in each["scores"].values()})) for each in (mine, other)]
        reasons.append(f"another extractor ({had[0]}; {had[1]})" if had[0] != had[1] else "no score is in both")
    for extractor in dict.fromkeys(mine["scores"][key]["extractor"] for key in shared):
        a, b = mine["extractors"][extractor], other["extractors"].get(extractor, {})
        for name, words in _OF_EXTRACTOR:
            if a.get(name) != b.get(name):
                short = [text(str(each.get(name))[:12] if name == "weights" else each.get(name)) for each in (a, b)]
                reasons.append(f"{words} {text(extractor)} ({short[0]} and {short[1]})")
    for key in shared:
        for name, words in _OF_SCORE:
            a, b = mine["scores"][key].get(name), other["scores"][key].get(name)
            if a != b and not reasons:
                reasons.append(f"{text(key)} has {words} ({text(a)} and {text(b)})")
    return reasons


def _row(key: str, a: Mapping[str, Any], b: Mapping[str, Any]) -> tuple[str, ...]:
    first, second = a.get("value"), b.get("value")
    if first is None or second is None:
        return text(key), number(first), number(second), "-", ""
    apart = second - first
    mine, other = (shortfall(a.get("better"), value) for value in (first, second))
    better = "" if mine is None or other is None or mine == other else "A" if mine < other else "B"
    bounds = [*(a.get("interval") or (None, None)), *(b.get("interval") or (None, None))]
    if None in bounds:
        told = "no intervals"
    elif max(bounds[0], bounds[2]) <= min(bounds[1], bounds[3]):
        told = "intervals overlap"
    else:
        told = f"intervals apart, {better} is better" if better else "intervals apart"
    return text(key), number(first), number(second), f"{'+' if apart >= 0 else '-'}{number(abs(apart))}", told


def _named(passport: Mapping[str, Any]) -> str:
    return f"{text(passport['judged'].get('name'))} against {text(passport['data'].get('name'))}"
