"""Rows of a table: mixed columns, of which some cells may be missing.

A sample holds the numbers of its cells: of a choice its place, of a number the normal score of its rank, and 1 where
such a number is missing. What they stand for is part of the space, so a model writes its tables without the data.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ganvas.errors import DataError, UsageError, near_miss
from ganvas.spaces.base import GAP, Field, Space
from ganvas.spaces.constraints import Constraint, constraint
from ganvas.spaces.table_columns import HIGH, LOW, TableColumn
from ganvas.text import counted, cut, listed, quoted, shown

if TYPE_CHECKING:
    import pandas
    from torch import Tensor

MOST_COLUMNS, MOST_PARTS = 1000, 20_000
"""Columns of a table, and choices of all of them together."""

_PLAYED, _PLAYED_BYTES = 16, 1 << 16
_PANEL, _TITLE, _BARS, _SHOWN, _ACROSS, _CELL = (150, 64), 14, 24, 24, 4, 14
_EXPECTED, _SEEN = (200, 205, 215), (30, 90, 170)


@dataclass(frozen=True)
class TableSpace(Space):
    """Rows of these columns. target: the column that is to be told from the others, "" for none. constraints: what
    holds of every row that is kept; others are never given to anybody."""

    kind = "tables"
    noun = "rows"
    suffix = ".csv"
    media_type = "text/csv; charset=utf-8"
    element = "pre"
    task = "tabular-classification"
    written = True
    precision = "bf16"
    block = 2048
    few = 200
    columns: tuple[TableColumn, ...]
    target: str = ""
    constraints: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises UsageError for what no table is."""
        names = self.names
        if not 1 <= len(set(names)) == len(names) <= MOST_COLUMNS:
            raise UsageError(f"a table has 1 to {MOST_COLUMNS:,} columns, whose names differ")
        if sum(self.parts) > MOST_PARTS:
            raise UsageError(f"at most {MOST_PARTS:,} choices of all columns together can be learned")
        if self.target and self.target not in names:
            raise UsageError(f"there is no column {quoted(self.target)}{near_miss(self.target, names)}")
        super().__post_init__()
        _ = self.checks

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(each.name for each in self.columns)

    @cached_property
    def parts(self) -> tuple[int, ...]:
        """Of each number of a sample: of how many choices it is one, 0 of a score."""
        return tuple(part for each in self.columns for part in each.parts)

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """Where in a sample each column begins."""
        return tuple(np.cumsum([0, *(len(each.parts) for each in self.columns[:-1])]).tolist())

    @cached_property
    def checks(self) -> tuple[Constraint, ...]:
        return tuple(constraint(text, self.columns) for text in self.constraints)

    @property
    def shape(self) -> tuple[int]:
        return (len(self.parts),)

    def __str__(self) -> str:
        numbers = sum(not each.choices for each in self.columns)
        kinds = [f"{numbers} of numbers" if numbers else "", f"{len(self.columns) - numbers} of choices"]
        return f"rows of {counted(len(self.columns), 'column')}, {listed(filter(None, kinds))}"

    def facts(self) -> dict[str, Any]:
        return {"shape": self.shape, "table": self._json()}

    def options(self) -> dict[str, Any]:
        told: dict[str, Any] = {"column": [each.to_json() for each in self.columns]}
        told |= {"target": self.target} if self.target else {}
        return told | ({"constraint": list(self.constraints)} if self.constraints else {})

    def _json(self) -> dict[str, Any]:
        named = {"target": self.target, "constraints": list(self.constraints)}
        return {"columns": [each.to_json() for each in self.columns], **{k: v for k, v in named.items() if v}}

    @classmethod
    def of_config(cls, fields: Mapping[str, Any]) -> Self:
        columns, constraints = fields["columns"], fields.get("constraints", [])
        if isinstance(constraints, str) or not all(isinstance(each, str) for each in constraints):
            raise TypeError("constraints are a list of texts")
        # Columns are objects in JSON, and what `asdict` has made of them in `space_to_config`.
        return cls(tuple(map(TableColumn.from_json, columns)), str(fields.get("target", "")), tuple(constraints))

    # -- samples and what is kept of them -------------------------------------------------------------------------

    def encode(self, samples: Tensor) -> Tensor:
        """(B, *shape) float32: places of choices that there are, scores of ranks that there are, 0 where missing."""
        import torch

        values = samples.detach().float().cpu().nan_to_num()
        kinds = torch.tensor(self.parts)
        reach = float(torch.special.ndtri(torch.tensor(HIGH, dtype=torch.float64)))
        made = torch.where(kinds == 0, values.clamp(-reach, reach), values.round().clamp(min=0).minimum(kinds - 1))
        for start, column in zip(self.starts, self.columns, strict=True):
            if column.parts == (0, 2):
                made[:, start] *= 1 - made[:, start + 1]
        return made

    def look(self, samples: Tensor) -> Tensor:
        """(B, D <= 1024): scores, and for each choice 0 or the root of a half, so that two that differ are 1 apart."""
        return super().look(one_hot(self.encode(samples), self.parts, 0.5**0.5).to(samples.device))

    def fields(self, samples: Tensor) -> dict[str, Field]:
        """By the column's name, the samples' cells as numbers."""
        import torch

        made = self.encode(samples).double()
        found = {}
        for start, column in zip(self.starts, self.columns, strict=True):
            own = made[:, start]
            if column.choices:
                codes = own.numpy().copy()
                codes[codes >= len(column.choices)] = np.nan
                found[column.name] = Field(codes, len(column.choices))
                continue
            values = column.value(torch.special.ndtr(own).numpy())
            if column.missing:
                values = np.where(made[:, start + 1].numpy() > 0.5, np.nan, values)
            found[column.name] = Field(values, 0)
        return found

    def texts(self, samples: Tensor) -> list[list[str]]:
        """By column, each cell as text; "" where it is missing."""
        told = []
        for column, field in zip(self.columns, self.fields(samples).values(), strict=True):
            some = field.values.tolist()
            if column.choices:
                told.append(["" if value != value else column.choices[int(value)] for value in some])
            else:
                told.append(["" if value != value else column.text(value) for value in some])
        return told

    def head(self) -> str:
        return _joined([self.names])[0]

    def lines(self, samples: Tensor) -> list[str]:
        return _joined(list(zip(*self.texts(samples), strict=True)))

    def frame(self, samples: Tensor) -> pandas.DataFrame:
        """With the types that the columns had where they were read. Raises UsageError without pandas."""
        try:
            import pandas
        except ImportError:
            raise UsageError("frames need pandas: pip install ganvas[tables]") from None
        found = {}
        for column, field in zip(self.columns, self.fields(samples).values(), strict=True):
            found[column.name] = _series(pandas, column, field.values)
        return pandas.DataFrame(found)

    @property
    def demanding(self) -> bool:
        return bool(self.constraints)

    def admitted(self, samples: Tensor) -> Tensor | None:
        """(B,) bool: of which all constraints hold."""
        import torch

        if not self.demanding:
            return None
        fields = self.fields(samples)
        told = np.ones(len(samples), bool)
        for check in self.checks:
            told &= check.holds({name: field.values for name, field in fields.items()}, self.columns)
        return torch.from_numpy(told)

    def conditions(self, value: Any) -> list[float]:
        """One number for each of a sample's, NaN where nothing is asked for: of a mapping such as `{"country": "DE"}`,
        or of text such as `country=DE,age=30`. Raises UsageError that says what is admitted."""
        names = self.names
        numbers = [np.nan] * len(self.parts)
        for name, wanted in _pairs(value, names):
            if name not in names:
                raise UsageError(f"there is no column {quoted(name)}{near_miss(cut(name), names)}")
            place = names.index(name)
            column = self.columns[place]
            told = column.condition(wanted)
            if not column.choices:
                told = (_score(told[0]), *told[1:])
            numbers[self.starts[place] : self.starts[place] + len(told)] = told
        return numbers

    def some_conditions(self, n: int) -> Tensor:
        import torch

        kinds = torch.tensor(self.parts)
        some = torch.where(kinds == 0, torch.randn(n, len(kinds)), (torch.rand(n, len(kinds)) * kinds).floor())
        asked = torch.rand(n, len(self.columns)) < 1 / 3
        return some.masked_fill(
            ~asked.repeat_interleave(torch.tensor([len(c.parts) for c in self.columns]), 1), torch.nan
        )

    # -- showing --------------------------------------------------------------------------------------------------

    def show(self, samples: Tensor, columns: int | None = None, gap: int = GAP) -> Image.Image:
        """Of each column how often what is there, beside what the training rows had (pale); and on the right how
        strongly columns go together. Of the first 24 columns; `columns` and `gap` do not apply."""
        few = list(zip(self.columns, self.fields(samples).values(), strict=True))[:_SHOWN]
        across = min(_ACROSS, len(few))
        down = -(-len(few) // across)
        side = max(_CELL * len(few), 40)
        size = (across * (_PANEL[0] + 8) + side + 8, max(down * (_PANEL[1] + _TITLE + 6), side + _TITLE))
        picture = Image.new("RGB", size, "white")
        draw, font = ImageDraw.Draw(picture), ImageFont.load_default(10)
        for place, (column, field) in enumerate(few):
            left, top = place % across * (_PANEL[0] + 8), place // across * (_PANEL[1] + _TITLE + 6)
            draw.text((left + 2, top + 1), cut(shown(column.name), 26), fill=(60, 60, 60), font=font)
            _histogram(draw, left, top + _TITLE, column, field.values)
        corner = across * (_PANEL[0] + 8) + 4
        draw.text((corner, 1), "together", fill=(60, 60, 60), font=font)
        shades = np.kron(np.round(255 * (1 - self.together(samples)[: len(few), : len(few)])), np.ones((_CELL, _CELL)))
        picture.paste(Image.fromarray(shades.astype(np.uint8)), (corner, _TITLE))
        return picture

    def together(self, samples: Tensor) -> np.ndarray:
        """(columns, columns) from 0 to 1: how much of one column another tells, by correlations of scores and choices
        (Cramer's V where both are choices)."""
        hot = one_hot(self.encode(samples), self.parts, 1.0).double()
        centred = hot - hot.mean(0)
        spread = centred.square().mean(0).sqrt()
        whitened = centred / spread.clamp(min=1e-9)
        square = (whitened.T @ whitened / len(hot)).square().numpy()
        kept = (spread > 1e-6).numpy()
        widths = [sum(max(1, part) for part in each.parts) for each in self.columns]
        bounds = np.cumsum([0, *widths])
        weight = np.sqrt(1 - hot.mean(0).numpy().clip(0, 1))  # so that a column's choices count once together
        scored = np.repeat([part == 0 for part in self.parts], [max(1, part) for part in self.parts])
        square *= np.outer(np.where(scored, 1.0, weight), np.where(scored, 1.0, weight)) ** 2
        sums = np.add.reduceat(np.add.reduceat(square, bounds[:-1], 0), bounds[:-1], 1)
        free = np.array([max(1, int(kept[a:b].sum()) - 1) for a, b in pairwise(bounds)])
        found: np.ndarray = np.sqrt(sums / np.minimum.outer(free, free)).clip(0, 1)
        return found

    # -- files ----------------------------------------------------------------------------------------------------

    def file(self, sample: Tensor) -> bytes:
        """The names of the columns, and the row."""
        return f"{self.head()}\n{self.lines(sample)[0]}\n".encode()

    def played(self, samples: Tensor) -> list[bytes]:
        """One file with the first rows that meet all constraints."""
        admitted = self.admitted(samples)
        samples = samples if admitted is None else samples[admitted]
        if not len(samples):
            return []
        return ["".join(f"{line}\n" for line in (self.head(), *self.lines(samples[:_PLAYED]))).encode()]

    def played_again(self, content: bytes) -> bytes:
        if len(content) > _PLAYED_BYTES * len(self.columns):
            raise DataError(f"these rows have {len(content):,} bytes, more than any that are shown")
        lines = content.decode("utf-8", "replace").splitlines()[: _PLAYED + 1]
        return "".join(f"{shown(line)}\n" for line in lines).encode()

    def values(self, sample: Tensor) -> dict[str, Any]:
        """The row by the names of its columns; null where a cell is missing."""
        told: dict[str, Any] = {}
        for column, (cell,) in zip(self.columns, self.texts(sample), strict=True):
            number = column.kind in ("number", "whole") and cell
            told[column.name] = (float(cell) if "." in cell or "e" in cell else int(cell)) if number else cell or None
        return {"row": told}


def one_hot(samples: Tensor, parts: Sequence[int], size: float) -> Tensor:
    """(B, parts) as `TableSpace.encode` has it to (B, D): scores as they are, and `size` at the place of a choice."""
    import torch

    pieces = []
    for part, own in zip(parts, samples.unbind(1), strict=True):
        if part:
            pieces.append(size * torch.nn.functional.one_hot(own.long(), part).to(samples.dtype))
        else:
            pieces.append(own[:, None])
    return torch.cat(pieces, 1)


def _score(rank: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf(min(HIGH, max(LOW, rank)))


def _pairs(value: Any, names: Sequence[str]) -> list[tuple[str, Any]]:
    if isinstance(value, Mapping):
        return [(str(name), wanted) for name, wanted in value.items()]
    if not isinstance(value, str):
        raise UsageError(f"columns are given as {names[0]}=VALUE, not {quoted(value)}")
    pairs: list[tuple[str, Any]] = []
    for word in value.split(","):
        name, equals, wanted = word.partition("=")
        if equals:
            pairs.append((name.strip(), wanted.strip()))
        elif pairs and word.strip():  # a value that has a comma in it
            pairs[-1] = (pairs[-1][0], f"{pairs[-1][1]},{word}")
        elif word.strip():
            raise UsageError(f"columns are given as {names[0]}=VALUE, not {quoted(word)}")
    given = [name for name, _ in pairs]
    for name in given:
        if given.count(name) > 1:
            raise UsageError(f"the column {quoted(name)} is given more than once")
    return pairs


def _joined(rows: Sequence[Sequence[str]]) -> list[str]:
    """Each as a line of CSV."""
    told = _Told()
    csv.writer(told, lineterminator="").writerows(rows)
    return told


class _Told(list[str]):
    """A file in which each writing is an item, as `csv` writes a row at a time."""

    write = list.append


def _series(pandas: Any, column: TableColumn, values: np.ndarray) -> Any:
    lacking = np.isnan(values)
    if column.choices:
        numbers = column.numeric
        told: Any
        if numbers is not None:
            told = np.where(lacking, np.nan, numbers[np.nan_to_num(values).astype(int)])
        else:
            told = [None if lack else column.choices[int(place)] for place, lack in zip(values, lacking, strict=True)]
            truths = {"true": True, "false": False}
            if {each.lower() for each in column.choices} <= truths.keys():
                told = [None if each is None else truths[each.lower()] for each in told]
    elif column.kind == "date":
        told = pandas.to_datetime(pandas.Series(values), unit="s")
    else:
        told = values
    series = pandas.Series(told)
    usual = {"whole": "Int64" if lacking.any() else "int64", "number": "float64"}.get(column.kind, "")
    dtype = column.dtype or usual
    if lacking.any() and dtype.startswith(("int", "uint")):
        dtype = dtype.replace("int", "Int").replace("uI", "UI")  # those of pandas that can lack some
    try:
        return series.astype(dtype) if dtype else series
    except (TypeError, ValueError):
        return series


def _histogram(draw: ImageDraw.ImageDraw, left: int, top: int, column: TableColumn, values: np.ndarray) -> None:
    """Bars of samples before those of the training rows."""
    there = values[~np.isnan(values)]
    if column.choices:
        most = np.argsort(column.levels)[::-1][:_BARS]
        kept = np.sort(most)
        whole = 1 - column.missing
        expected = np.array(column.levels)[kept] * whole
        seen = np.bincount(there.astype(int), minlength=len(column.choices))[kept] / max(1, len(values))
    else:
        low, high = (column.value(np.array([rank]))[0] for rank in (0.005, 0.995))
        edges = np.linspace(low, max(high, low + column.grid), _BARS + 1)
        ranks = (np.arange(2000) + 0.5) / 2000
        expected = np.histogram(column.value(ranks), edges)[0] / 2000 * (1 - column.missing)
        seen = np.histogram(there, edges)[0] / max(1, len(values))
    if column.missing:
        expected = np.append(expected, column.missing)
        seen = np.append(seen, 1 - len(there) / max(1, len(values)))
    width, height = _PANEL[0] / len(expected), _PANEL[1] - 1
    tallest = max(expected.max(), seen.max(), 1e-9)
    floor = top + height
    for place, (one, other) in enumerate(zip(expected, seen, strict=True)):
        x0, x1 = left + place * width, left + (place + 1) * width - 1
        draw.rectangle((x0, floor - height * one / tallest, max(x0, x1), floor), fill=_EXPECTED)
        inner = width / 4
        draw.rectangle((x0 + inner, floor - height * other / tallest, max(x0 + inner, x1 - inner), floor), fill=_SEEN)
