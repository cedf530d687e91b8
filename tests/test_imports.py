"""Who may import whom: the rooms of the house and their order, read from the source.

Every import counts, also one inside a function and one that is there for types alone.
"""

import ast
import graphlib
import importlib
import runpy
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "ganvas"

LAYERS = """
text
errors lazy version locks threads devices
augment options files progress_bar user_file html schema attributes captions
choosing settings spaces optimizers penalties
features
data inputs
networks photos
recipe
objectives
arguments
recipes
training
run
model
upscaling
metrics
doctor
report
comparing exporting tracking
building opened
thinking
api testing latent
costs tuning
web
cli
__init__ __main__
"""
"""Rooms and loose modules from the bottom up: each imports what stands above it in this list, and nothing below."""

CLOSED = {"training", "run", "doctor", "report", "model", "photos", "upscaling", "comparing", "tuning"}
"""Rooms whose names others import from the room itself. (The modules of the other rooms are public paths.)"""


def modules() -> dict[str, Path]:
    return {
        ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): path
        for path in SOURCE.rglob("*.py")
    }


ALL = modules()


def imported(name: str) -> Iterator[tuple[str, str]]:
    """(module, name in it) of all that a module of ours imports of ours; the name is "" where the module is meant."""
    for node in ast.walk(ast.parse(ALL[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "ganvas":
            for alias in node.names:
                module = f"{node.module}.{alias.name}".removeprefix("ganvas.")
                yield (
                    (module, "") if module in ALL else (str(node.module).removeprefix("ganvas").strip("."), alias.name)
                )
        elif isinstance(node, ast.Import):
            yield from ((a.name.removeprefix("ganvas."), "") for a in node.names if a.name.startswith("ganvas."))


def room_of(module: str) -> str:
    return module.split(".")[0] or "__init__"


HEIGHT = {room: height for height, layer in enumerate(LAYERS.strip().splitlines()) for room in layer.split()}


def test_every_room_has_its_place() -> None:
    assert {room_of(name) for name in ALL} == HEIGHT.keys()


@pytest.mark.parametrize("name", sorted(ALL))
def test_arrows_run_down(name: str) -> None:
    room = room_of(name)
    for module, _ in imported(name):
        other = room_of(module)
        assert other == room or HEIGHT[other] < HEIGHT[room], f"{name} imports {module}, which stands above it"


def test_there_is_no_circle() -> None:
    """Among modules: a room that hands on a module's names counts as that module's user. The error names the circle."""
    graph = {name: {module for module, _ in imported(name)} - {name} for name in ALL}
    assert len(list(graphlib.TopologicalSorter(graph).static_order())) == len(ALL)


@pytest.mark.parametrize("name", sorted(ALL))
def test_rooms_are_entered_by_their_doors(name: str) -> None:
    for module, what in imported(name):
        if what and room_of(module) in CLOSED and room_of(module) != room_of(name):
            assert "." not in module, f"{name} imports {what} from {module}: import it from ganvas.{room_of(module)}"


@pytest.mark.parametrize("room", sorted({room_of(name) for name in ALL if (SOURCE / room_of(name)).is_dir()}))
def test_every_room_explains_itself(room: str) -> None:
    told = ast.get_docstring(ast.parse((SOURCE / room / "__init__.py").read_text(encoding="utf-8")))
    assert told and len(told) > 40, f"ganvas/{room}/__init__.py says nothing of the room"


@pytest.mark.parametrize("name", sorted(n for n in ALL if n.startswith("recipes.") and not n.startswith("recipes._")))
def test_recipes_know_no_other_recipe(name: str) -> None:
    others = {module for module, _ in imported(name) if module.startswith("recipes.")}
    assert all(other.startswith("recipes._") for other in others), others


@pytest.mark.parametrize("folder", ["benchmarks", "scripts", "docs/examples"])
def test_what_lies_beside_the_package_imports_what_there_is(folder: str) -> None:
    """A name that moved is found out here and not when somebody measures; mypy cannot tell, since rooms are lazy."""
    for path in sorted((SOURCE.parents[1] / folder).glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "ganvas":
                for alias in node.names:
                    module = f"{node.module}.{alias.name}".removeprefix("ganvas.")
                    there = module in ALL or hasattr(importlib.import_module(str(node.module)), alias.name)
                    assert there, f"{path.name}: {node.module} has no {alias.name}"


def test_no_ladder_of_names() -> None:
    """Nothing outside the recipes compares with a recipe's name."""
    names = {path.stem for path in (SOURCE / "recipes").glob("[!_]*.py")}
    for name, path in ALL.items():
        if name.startswith("recipes"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Compare):
                constants = {
                    c.value for c in ast.walk(node) if isinstance(c, ast.Constant) and isinstance(c.value, str)
                }
                assert not constants & names, f"{name}: {ast.unparse(node)}"


def test_nothing_is_ever_unpickled() -> None:
    for name, path in ALL.items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                assert "pickle" not in ast.unparse(node), name
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("torch.load", "joblib.load"):
                # Pretrained weights are published as .pth; `weights_only` executes nothing of what is in it.
                safe = "weights_only=True" in [ast.unparse(keyword) for keyword in node.keywords]
                assert name == "features.weights" and safe, f"{name}: {ast.unparse(node)}"
            if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                assert ast.unparse(node.value) == "False", name


def test_the_picture_of_the_rooms_is_of_these_rooms() -> None:
    script = Path(__file__).parents[1] / "scripts" / "draw_architecture.py"
    drawing = runpy.run_path(str(script))
    assert drawing["PICTURE"].read_text(encoding="utf-8") == drawing["drawn"](drawing["imports"]()), (
        f"run {script.name}"
    )
