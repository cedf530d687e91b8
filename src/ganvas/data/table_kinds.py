"""Which kind of column the cells of a table show, and the columns of numbers, dates and choices that they make."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from ganvas.data.table_files import Cells
from ganvas.errors import UsageError
from ganvas.spaces import TableColumn, quantiles, seconds_of
from ganvas.text import quoted

LEFT_OUT = "out"
FEW_NUMBERS, MOST_WORDS = 20, 500
"""Different numbers of a column whose numbers are choices, at most; and different words of one that is not left out."""

_FORMS = (
    "%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y/%m/%d", "%d.%m.%Y", "%d/%m/%Y",
    "%m/%d/%Y",
)  # fmt: skip
_YES_NO = tuple(map(frozenset, (("yes", "no"), ("true", "false"), ("y", "n"), ("t", "f"))))
_WHOLE = re.compile(r"[+-]?[0-9]{1,15}")
_IDENTIFIER = re.compile(r"(.*[_\W])?(id|uuid|guid|index|key)|unnamed.*", re.IGNORECASE)


def column_of(cells: Cells, taught: np.ndarray, wanted: str | None) -> TableColumn | str:
    """The column that cells are, by those of the rows that are taught; or why it is left out, in a few words. wanted:
    its kind, where somebody says it. Raises ValueError where cells cannot be of that."""
    if wanted == LEFT_OUT:
        return "as asked for"
    counts = np.bincount(cells.rows[taught], minlength=len(cells.texts))
    gap = cells.texts.get("", -1)
    lacking = int(counts[gap]) if gap >= 0 else 0
    texts = [text for text, place in cells.texts.items() if text and counts[place]]
    if not texts:
        return "empty"
    there = np.array([counts[cells.texts[text]] for text in texts])
    more: dict[str, Any] = {"missing": lacking / max(1, int(taught.sum())), "dtype": _dtype(cells.dtype)}
    if wanted is None:
        kind, form, why = _kind_of(cells.name, texts, there)
        if why:
            return why
    else:
        kind, form = wanted, _form_of(texts) if wanted == "date" else ""
        if kind == "date" and not form:
            raise ValueError(_odd_date(texts))
    if kind in ("category", "yes/no"):
        return _choices(cells.name, kind, texts, there, more)
    numbers, decimals = _numbers(texts, kind, form)
    if len(set(numbers)) <= FEW_NUMBERS and kind != "date" and wanted is None:
        return _choices(cells.name, kind, texts, there, more)
    different, places = np.unique(numbers, return_inverse=True)
    weights = np.bincount(places, weights=there)
    return quantiles(cells.name, kind, different, weights, decimals=decimals, form=form, **more)  # type: ignore[arg-type]


def _kind_of(name: str, texts: Sequence[str], counts: np.ndarray) -> tuple[str, str, str]:
    """(kind, form of dates, why it is left out)."""
    share = len(texts) / counts.sum()
    if frozenset(text.lower() for text in texts) in _YES_NO:
        return "yes/no", "", ""
    if all(map(_WHOLE.fullmatch, texts)):
        numbers = sorted(map(int, texts))
        row = share == 1 and len(texts) >= 20 and numbers[-1] - numbers[0] == len(texts) - 1
        if row or (share > 0.9 and len(texts) >= 20 and _IDENTIFIER.fullmatch(name)):
            return "", "", "identifier"
        return "whole", "", ""
    if all(map(_is_number, texts)):
        return "number", "", ""
    form = _form_of(texts)
    if form:
        return "date", form, ""
    if (share > 0.5 and len(texts) > FEW_NUMBERS) or len(texts) > MOST_WORDS:
        odd = [text for text in texts if not _is_number(text)]
        if len(odd) <= 0.05 * len(texts):
            return "", "", f"numbers but for {quoted(odd[0])}{_and_more(len(odd))}"
        spaces = sum(" " in text for text in texts)
        noun = "text" if 2 * spaces > len(texts) else "identifier"
        dates = _form_of([text for text in texts if _form_of([text])])
        if dates and sum(_is_date(text, dates) for text in texts) > 0.9 * len(texts):
            odd = [text for text in texts if not _is_date(text, dates)]
            return "", "", f"dates but for {quoted(odd[0])}{_and_more(len(odd))}"
        return "", "", f"{noun}, {len(texts):,} different"
    return "category", "", ""


def _and_more(count: int) -> str:
    return f" and {count - 1:,} more" if count > 1 else ""


def _choices(name: str, kind: str, texts: Sequence[str], counts: np.ndarray, more: Mapping[str, Any]) -> TableColumn:
    numbers = kind in ("number", "whole")
    order = sorted(range(len(texts)), key=lambda place: (float(texts[place]) if numbers else 0.0, texts[place]))
    shares = (counts / counts.sum())[order]
    return TableColumn(name, kind, tuple(texts[place] for place in order), levels=tuple(shares.tolist()), **more)  # type: ignore[arg-type]


def _numbers(texts: Sequence[str], kind: str, form: str) -> tuple[np.ndarray, int]:
    """The numbers that texts stand for, and how many decimals they are written with. Raises ValueError, which names
    the first that is none."""
    if kind == "date":
        return np.array([seconds_of(text, form) for text in texts]), 0
    odd = next((text for text in texts if not _is_number(text)), None)
    if odd is not None:
        raise ValueError(f"{quoted(odd)} is no number")
    numbers = np.array([float(text) for text in texts])
    if kind == "whole" or bool((numbers == np.round(numbers)).all()):
        odd = next((text for text, number in zip(texts, numbers, strict=True) if number != round(number)), None)
        if odd is not None:
            raise ValueError(f"{quoted(odd)} is no whole number")
        return numbers, 0
    shortest = [15 if "e" in text.lower() else len(text.partition(".")[2]) for text in texts]
    fits = 15 - len(str(int(np.abs(numbers).max())))
    return numbers, max(0, min(max(shortest), fits))


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text))) and "_" not in text
    except ValueError:
        return False


def _is_date(text: str, form: str) -> bool:
    with suppress(ValueError, OverflowError):
        seconds_of(text, form)
        return True
    return False


def _form_of(texts: Sequence[str]) -> str:
    """The first form in which all of them are dates; "" for none."""
    return next((form for form in _FORMS if texts and all(_is_date(text, form) for text in texts)), "")


def _odd_date(texts: Sequence[str]) -> str:
    """What is no date in the form that most have."""
    best = max(_FORMS, key=lambda form: sum(_is_date(text, form) for text in texts[:1000]))
    odd = next(text for text in texts if not _is_date(text, best))
    return f"{quoted(odd)} is no date in the form {best}"


def _dtype(dtype: str) -> str:
    """A frame's, as far as a column remembers it."""
    plain = re.sub(r"\[([a-z]+), .*\]", r"[\1]", dtype)
    with suppress(UsageError):
        return TableColumn("a", "category", ("a",), levels=(1.0,), dtype=plain).dtype
    return ""
