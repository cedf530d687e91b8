"""The recipes that come with Ganvas: one paper, one file, and the file's name is the recipe's name.

Listing them reads file names and docstrings only, so it imports no torch.
"""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ganvas.errors import GanvasError, RunError, UsageError, near_miss
from ganvas.text import command, quoted, shown
from ganvas.text import cut as shortened  # a recipe is called cut, and would take its place here
from ganvas.user_file import module_from

if TYPE_CHECKING:
    from ganvas.recipe import Recipe

DEFAULT = "r3gan"
"""The recipe for images where no recipe is named, and for which help is shown: the one that the demo proves."""


def names() -> list[str]:
    """The recipes' names, as on the command line (`wgan-gp` for `wgan_gp.py`)."""
    return sorted(path.stem.replace("_", "-") for path in Path(__file__).parent.glob("[!_]*.py"))


def summary(name: str) -> str:
    """The first line of the recipe's file: the paper."""
    return (ast.get_docstring(_text_of(name)) or "").splitlines()[0]


def purpose(name: str) -> str:
    """What the recipe is for: the first line of what its class says of itself."""
    called = name.replace("-", "").lower()
    classes = [node for node in _text_of(name).body if isinstance(node, ast.ClassDef) and node.name.lower() == called]
    return next((ast.get_docstring(each) or "" for each in classes), "").partition("\n")[0]


def defaults() -> dict[str, list[tuple[str, float]]]:
    """For each kind of data the recipes that are taken where nobody names one, each with the minutes of a training from
    which on it is the one."""
    found: dict[str, list[tuple[str, float]]] = {}
    for name, kinds in _usual().items():
        for kind, least in kinds.items():
            found.setdefault(kind, []).append((name, least))
    return {kind: sorted(found[kind], key=lambda each: each[1]) for kind in sorted(found)}


def usual(kind: str, minutes: float = 0.0) -> str:
    """The recipe for data of this kind, such as `images`, in a training of so many minutes, where nobody names one.
    Raises UsageError where no recipe says that it is the one."""
    fitting = {name: least for name, kinds in _usual().items() if (least := kinds.get(kind)) is not None}
    reached = {name: least for name, least in fitting.items() if least <= minutes}
    if not reached:
        raise UsageError(f"there is no usual recipe for {kind}: name one, as in ganvas train RECIPE --data SOURCE")
    return max(reached, key=reached.__getitem__)


def usual_kinds(name: str) -> tuple[str, ...]:
    """The kinds of data that this recipe is the usual one for."""
    return tuple(_usual().get(name, ()))


@functools.cache
def _usual() -> dict[str, dict[str, float]]:
    """What `usual_for` says in each recipe's file, by the recipe's name: minutes by kind."""
    found: dict[str, dict[str, float]] = {}
    for name in names():
        for node in ast.walk(_text_of(name)):
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "usual_for":
                assert isinstance(node.value, ast.Dict)
                pairs = zip(node.value.keys, node.value.values, strict=True)
                found[name] = {ast.unparse(kind).lower(): ast.literal_eval(least) for kind, least in pairs if kind}
    return found


def _text_of(name: str) -> ast.Module:
    return ast.parse((Path(__file__).parent / f"{name.replace('-', '_')}.py").read_text(encoding="utf-8"))


def may_have(name: str, option: str) -> bool:
    """Whether the recipe can have an option of this name, by the text of its file and of what recipes compose: False
    where it is certain that it has not."""
    folder = Path(__file__).parent
    files = [folder / f"{name.replace('-', '_')}.py", *folder.glob("_[!_]*.py"), folder.parent / "arguments.py"]
    nodes = [node for file in files for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))]
    named = {node.arg for node in nodes if isinstance(node, ast.arg)}
    fields = {node.target.id for node in nodes if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)}
    return option in named | fields


def name_of(recipe: type[Recipe]) -> str:
    """The name under which a run remembers this class: its file's where it is ours, else `module:Class`."""
    package, _, module = recipe.__module__.rpartition(".")
    return module.replace("_", "-") if package == __name__ else f"{recipe.__module__}:{recipe.__qualname__}"


def is_path(name: str) -> bool:
    """Whether the name is a user's own recipe, `path/to/my_gan.py:MyGAN`."""
    return ".py:" in name or name.endswith(".py")


def find(name: str) -> type[Recipe]:
    """The recipe's class, by its name or as `path/to/my_gan.py:MyGAN` (which runs that file).

    Raises UsageError, with the nearest names, where there is no such recipe.
    """
    if is_path(name):
        return _from_file(name)
    if name not in names():
        raise UsageError(f"there is no recipe {quoted(name)}{near_miss(name, names())}")
    module = importlib.import_module(f"ganvas.recipes.{name.replace('-', '_')}")
    return _defined_in(module)[0]


def recipe_of(run: Path, config: Mapping[str, Any], given: str | type[Recipe] | None) -> tuple[str, type[Recipe]]:
    """The recipe that a run names. A run folder may come from anywhere, so a file that it names is never run unless
    the user names the same file too."""
    name = config.get("recipe")
    if not isinstance(name, str):
        raise RunError(f"{run}/config.json names no recipe")
    if isinstance(given, type):
        if name_of(given) != name:
            raise RunError(f"{run} was trained with the recipe {name}, not {name_of(given)}")
        return name, given
    if given is not None and not is_path(given) and given != name:
        raise RunError(f"{run} was trained with the recipe {name}, not {shortened(shown(given))}")
    if name in names():
        return name, find(name)
    if given is None:
        file = name if is_path(name) else f"FILE.py:{name.rpartition(':')[2]}"
        resume = command("ganvas", "train", file, "--resume", run)
        sample = command("ganvas", "sample", run, "--recipe", file)
        raise RunError(
            f"{run} was trained with a recipe of your own, {name}; using the run executes that file, so name it "
            f"again, as in: {resume}, or: {sample}"
        )
    return name, find(given)


def blueprint(run: Path, recipe: type[Recipe], arguments: Mapping[str, Any]) -> Recipe:
    """The recipe with the arguments that a run stores, without values, so that it takes no memory whatever the run
    claims; a user's own with values, where it cannot be made without. Raises RunError as `made` does."""
    try:
        return made(run, recipe, arguments, "meta")
    except RunError:
        if name_of(recipe) in names():
            raise
        return made(run, recipe, arguments)


def stored_arguments(recipe: type[Recipe], stored: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that a run or a card stores, with what was so before there were arguments for it."""
    return {**recipe.formerly, **stored}


def made(run: Path, recipe: type[Recipe], arguments: Mapping[str, Any], device: str = "cpu") -> Recipe:
    """The recipe with the arguments that a run stores. Raises RunError where there is none with such arguments."""
    import torch

    try:
        with torch.device(device), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that nothing is loaded into what has no values
            return recipe(**arguments)
    except GanvasError as error:
        raise RunError(f"{run}/config.json: {error}") from error
    except Exception as error:
        why = shown(" ".join(str(error).split()))[:200] or type(error).__name__
        raise RunError(f"{run}/config.json: there is no {recipe.__name__} with these arguments ({why})") from error


def _from_file(name: str) -> type[Recipe]:
    file, _, wanted = name.rpartition(":") if ".py:" in name else (name, "", "")
    module = module_from(file, "a recipe")
    candidates = {recipe.__name__: recipe for recipe in _defined_in(module)}
    if not candidates:
        raise UsageError(f"{file} defines no recipe (a class that derives from ganvas.Recipe)")
    if not wanted and len(candidates) == 1:
        return next(iter(candidates.values()))
    if wanted not in candidates:
        raise UsageError(
            f"name one of its recipes, as in {file}:{next(iter(candidates))}; {quoted(wanted)} is not there"
        )
    return candidates[wanted]


def _defined_in(module: ModuleType) -> list[type[Recipe]]:
    from ganvas.recipe import Recipe

    return [
        value
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, Recipe) and value.__module__ == module.__name__
    ]
