"""The shapes stay: nothing outside its own room asks what kind of data, batch or input it has before it.

A new kind of data is one space, one batch type with its reader, and a recipe. Each branch on a kind elsewhere is one
that the next kind would have to find and extend, so they are counted here, from the source: of spaces there is none.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import ganvas.spaces
from ganvas.data.batches import BUILT_IN
from test_imports import ALL, SOURCE, room_of

OWN_ROOMS = {"spaces", "data", "recipes"}

BATCHES = {batch.__name__ for batch in BUILT_IN}
KINDS = {kind.kind for kind in ganvas.spaces.kinds.values() if kind.__module__.startswith("ganvas.")}

STILL: dict[str, dict[str, int]] = {
    "a batch type": {},
    "enlarging": {
        "upscaling.upscaler": 2,  # its own room
    },
    "a kind of something else": {
        "inputs.base": 1,  # of numbers
        "photos.files": 2,  # of files
    },
    "a word for a kind": {},
}
"""Places that are there still, by module. What is taken away there is taken away here, and nothing is added."""


def branches(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """(what it asks for, where) of every branch on a kind."""
    for node in ast.walk(tree):
        line = f"line {getattr(node, 'lineno', '?')}: {ast.unparse(node)[:90]}"
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("isinstance", "issubclass"):
            for name in names_in(node.args[1]):
                if name.endswith("Space"):
                    yield "a space", line
                if name in BATCHES:
                    yield "a batch type", line
        elif isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            texts = {each.value for side in sides for each in ast.walk(side) if isinstance(each, ast.Constant)}
            equals = any(isinstance(each, ast.Eq | ast.NotEq | ast.In | ast.NotIn) for each in node.ops)
            of_kind = any(isinstance(side, ast.Attribute) and side.attr == "kind" for side in sides)
            if equals and texts & KINDS:
                yield ("a space" if of_kind else "a word for a kind"), line
            elif equals and of_kind:
                yield "a kind of something else", line
            if any(name in BATCHES for name in names_in(node.left)):
                yield "a batch type", line
        asks = isinstance(node, ast.Compare) and "ENLARGING" in names_in(node)
        if asks or (
            isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ("enlarges", "is_enlarger")
        ):
            yield "enlarging", line


def names_in(node: ast.AST) -> Iterator[str]:
    """The names that stand in an expression, of dotted ones the last."""
    for each in ast.walk(node):
        if isinstance(each, ast.Name):
            yield each.id
        elif isinstance(each, ast.Attribute):
            yield each.attr


@pytest.fixture(scope="module")
def found() -> dict[str, dict[str, list[str]]]:
    places: dict[str, dict[str, list[str]]] = {}
    for name, path in ALL.items():
        if room_of(name) not in OWN_ROOMS:
            for what, line in branches(ast.parse(path.read_text(encoding="utf-8"))):
                places.setdefault(what, {}).setdefault(name, []).append(line)
    return places


def test_nothing_asks_for_a_kind_of_space(found: dict[str, dict[str, list[str]]]) -> None:
    assert found.get("a space", {}) == {}


@pytest.mark.parametrize("what", STILL)
def test_what_is_there_still_becomes_less(found: dict[str, dict[str, list[str]]], what: str) -> None:
    places = found.get(what, {})
    counts = Counter({name: len(lines) for name, lines in places.items()})
    added = {name: lines for name, lines in places.items() if len(lines) > STILL[what].get(name, 0)}
    assert not added, f"new branches on {what}: change the shape instead"
    assert counts == Counter(STILL[what]), "branches are gone: take them out of this list too"


def test_scripts_of_pages_ask_for_no_kind_of_space() -> None:
    for path in SOURCE.rglob("*.js"):
        assert "space.kind" not in path.read_text(encoding="utf-8"), path.relative_to(SOURCE)


def test_the_test_sees_what_it_is_there_for() -> None:
    seen = branches(
        ast.parse(
            "isinstance(a, spaces.ImageSpace)\nissubclass(b, (int, PointSpace))\nisinstance(c, Points | None)\n"
            "d.kind == 'images'\n'waves' != e.kind\nf == 'points'\ng.kind in ('images', 'waves')\n"
            "Photos not in h.accepts\nis_enlarger(i)\nm.use != ENLARGING\nj.kind == 'normal'\noption.kind is bool\n"
            "isinstance(k, Path)\nl == 'imagess'"
        )
    )
    assert Counter(what for what, _ in seen) == {
        "a space": 5,
        "a batch type": 2,
        "a word for a kind": 1,
        "enlarging": 2,
        "a kind of something else": 1,
    }


def test_the_rooms_are_those_of_the_house() -> None:
    assert all((Path(SOURCE) / room).is_dir() for room in OWN_ROOMS) and {"Images", "Points", "Photos"} <= BATCHES
    assert {"images", "points", "waves"} <= KINDS
