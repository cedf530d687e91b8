"""Tables of attributes: which pictures have which properties, from CSV or in CelebA's format.

    name,glasses,age,hair_colour        a name of each picture, and its attributes
    1.png,1,30,pink

    202599                              CelebA: how many rows, the names, then 1 or -1 for each
    5_o_Clock_Shadow Arched_Eyebrows
    000001.jpg -1  1

An attribute's kind is told by its values: 0 and 1 (or -1 and 1, true and false, yes and no) are a switch, numbers a
range from the least to the largest, anything else names to choose from.
"""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from ganvas.attributes import MOST, Attribute
from ganvas.errors import DataError, near_miss
from ganvas.text import counted, listed, natural, quoted, shown

ENDINGS = frozenset({".csv", ".tsv", ".txt"})
OF, CHANGED = "of", "changed"
"""Columns of a table with twins: the picture that a row is a twin of, and the one attribute that differs."""

_NAMES = ("name", "file", "filename", "file_name", "image", "image_id", "img", "path")
_SWITCH = {
    **{"0": 0.0, "1": 1.0, "-1": 0.0, "0.0": 0.0, "1.0": 1.0, "-1.0": 0.0},
    **{"false": 0.0, "true": 1.0, "no": 0.0, "yes": 1.0},
}
_MOST_NAMES = 100
"""Different words of a column of names; one with more is a text, and no attribute."""


@dataclass(frozen=True)
class Table:
    """Rows as text. names: of the pictures, as they stand there. columns: by name, one value a row."""

    title: str
    names: list[str]
    columns: dict[str, list[str]]

    def chosen(self, wanted: Iterable[str] | None) -> list[str]:
        """The columns that are attributes: those wanted, or all but those of twins. Raises DataError, with a near miss,
        for one that there is not."""
        known = [name for name in self.columns if name not in (OF, CHANGED)]
        if not known:
            raise DataError(f"{self.title} has no column beside the names of pictures: give one for each attribute")
        for name in wanted or ():
            if name not in known:
                raise DataError(f"{self.title} has no attribute {quoted(name)}{near_miss(name, known)}")
        return list(wanted or known)

    def attribute(self, column: str, rows: Sequence[int]) -> tuple[Attribute, list[float]]:
        """The attribute that a column is for these rows, and its numbers. Raises DataError where some say nothing, or
        all the same."""
        words = [self.columns[column][row].strip() for row in rows]
        where = f"the attribute {quoted(column)} of {self.title}"
        other = "leave it out with --attributes, which names the others"
        missing = [self.names[row] for row, word in zip(rows, words, strict=True) if not word]
        if missing:
            lack = f"{counted(len(missing), 'picture')} (such as {shown(missing[0])})"
            raise DataError(f"{where} is missing for {lack}: fill it in, or {other}")
        if len(set(words)) < 2:
            raise DataError(f"{where} is {quoted(words[0])} for all pictures, so there is nothing to learn: {other}")
        try:
            return _typed(column, words)
        except ValueError as error:
            raise DataError(f"{where} cannot be used: {error}; {other}") from None


def _typed(column: str, words: list[str]) -> tuple[Attribute, list[float]]:
    lowered = [word.lower() for word in words]
    if all(word in _SWITCH for word in lowered):
        numbers = [_SWITCH[word] for word in lowered]
        if len(set(numbers)) == 2:
            return Attribute(column), numbers
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        choices = sorted(set(words), key=natural)
        if len(choices) > _MOST_NAMES:
            raise ValueError(f"it has {len(choices):,} different words, more than {_MOST_NAMES}") from None
        places = {word: float(place) for place, word in enumerate(choices)}
        return Attribute(column, choices=tuple(choices)), [places[word] for word in words]
    if not all(map(math.isfinite, numbers)):
        raise ValueError("not all of its numbers are finite")
    return Attribute(column, min(numbers), max(numbers)), numbers


def read_table(content: bytes, title: str) -> Table:
    """The table in a file. title: what errors call it. Raises DataError for anything else."""
    title = shown(title)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{title} is no text in UTF-8: save it as CSV in UTF-8") from None
    first, _, rest = text.lstrip().partition("\n")
    rows = _of_celeba(rest) if first.strip().isdecimal() else _of_csv(text, title)
    if len(rows) < 2 or not rows[0]:
        raise DataError(f"{title} is no table: it needs a line of column names, and one for each picture")
    head = [name.strip() for name in rows[0]]
    twice = [name for name, count in Counter(head).items() if count > 1]
    if twice or not all(head):
        which = f"two columns called {quoted(twice[0])}" if twice and twice[0] else "a column without a name"
        raise DataError(f"{title} has {which}: give each a name of its own")
    if len(head) > MOST:
        raise DataError(f"{title} has {len(head):,} columns: at most {MOST:,} can be attributes")
    for number, row in enumerate(rows[1:], 2):
        if len(row) != len(head):
            raise DataError(f"{title} has {counted(len(row), 'value')} in its row {number:,}, and {len(head)} columns")
    naming = next((head.index(name) for name in head if name.lower() in _NAMES), 0)
    columns = {name: [row[place] for row in rows[1:]] for place, name in enumerate(head) if place != naming}
    return Table(title, [row[naming].strip() for row in rows[1:]], columns)


def _of_csv(text: str, title: str) -> list[list[str]]:
    try:
        dialect = "excel-tab" if "\t" in text.partition("\n")[0] else "excel"
        return [row for row in csv.reader(io.StringIO(text), dialect, strict=True) if row]
    except csv.Error as error:
        raise DataError(f"{title} is no table of comma-separated values ({error})") from None


def _of_celeba(rest: str) -> list[list[str]]:
    head, *rows = rest.splitlines() or [""]
    return [["name", *head.split()], *(words for row in rows if (words := row.split()))]


def placed(table: Table, names: Iterable[str]) -> dict[int, str]:
    """By the number of a row, the picture that it is of: the one at that path, of that name in whichever folder, or of
    that name with another ending. Rows of pictures that are not there, or of several, are left out."""
    found: dict[int, str] = {}
    forms = (lambda name: name, lambda name: PurePosixPath(name).name, lambda name: PurePosixPath(name).stem)
    names = list(names)
    for form in forms:
        of_form: dict[str, str | None] = {}
        for name in names:
            of_form[form(name)] = None if form(name) in of_form else name
        for row, name in enumerate(table.names):
            picture = of_form.get(form(name.replace("\\", "/")))
            if row not in found and picture is not None:
                found[row] = picture
    return found


def named_otherwise(table: Table, pictures: Sequence[str]) -> str:
    """How the names in a table and those of the pictures differ, for an error where none of them are the same."""
    return f"it has names such as {quoted(table.names[0])}, and the pictures are called {shown(pictures[0])}"


def write_example(folder: Path, title: str, column: str, items: Iterable[tuple[np.ndarray, object]]) -> None:
    """Pictures, and beside them a table of this title that says one thing of each."""
    rows = [f"name,{column}"]
    for number, (pixels, word) in enumerate(items):
        Image.fromarray(pixels).save(folder / f"{number}.png")
        rows.append(f"{number}.png,{word}")
    (folder / title).write_text("\n".join(rows))


def told(attribute: Attribute, numbers: Sequence[float]) -> str:
    """What the plan says of an attribute: its counts or its range."""
    name = shown(attribute.name)
    if attribute.switch:
        on = sum(number > 0.5 for number in numbers)
        return f"{name} {on / len(numbers):.0%} of {len(numbers):,}"
    if attribute.choices:
        counts = Counter(attribute.word(number) for number in numbers)
        each: Mapping[str, int] = {word: counts[word] for word in attribute.choices}
        return f"{name} ({listed((f'{shown(word)} {count:,}' for word, count in each.items()), 12)})"
    return f"{name} {attribute.low:g} to {attribute.high:g}, mean {math.fsum(numbers) / len(numbers):.3g}"
