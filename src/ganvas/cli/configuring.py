"""`--config FILE`: what is said of a training in a file, as flags and as values of options.

    recipe: dcgan                          recipe, data and flags by name, with dashes or underscores
    data: photos/
    batch-size: 32

or as a run's `config.json` has it, with `arguments`, `settings` and the options of the `data` in tables of their own. A
file may be anybody's: it names values and nothing else, and a recipe's file is run only where the user names it too.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ganvas import recipes
from ganvas.choosing import BUDGETS
from ganvas.errors import UsageError, near_miss, needed
from ganvas.files import parse_json, read_regular
from ganvas.options import Option, flag_of, read_options
from ganvas.settings import Settings
from ganvas.text import command, quoted, shown

MOST_BYTES = 1 << 22
"""Of such a file."""

VALUED = ("data", "out", "preset", "data_root", "start", "preview")
"""Flags of every training with a value, beside its settings."""

SWITCHES = ("dry_run", "quiet")
LENGTHS = ("steps", "epochs", "minutes", "budget")
"""Whoever says how long to train on the command line says all of it."""

_OF_A_RUN = ("format", "ganvas", "inputs", "plan", "hardware", "created", "step", "weights")
"""What `config.json` holds that says nothing of how to train."""

_KINDS = (".json", ".toml", ".yaml", ".yml")


@dataclass(frozen=True)
class Configured:
    """recipe: its name, None where the file names none. options: values of options of the recipe or of its data, by
    name; arguments: of the recipe alone. of_a_run: whether a training wrote it, which also tells what its data decided.
    """

    file: str = ""
    recipe: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    arguments: dict[str, Any] = field(default_factory=dict)
    of_a_run: bool = False

    def filled(self, parsed: Mapping[str, Any], own: Sequence[Option], reading: Sequence[Option]) -> dict[str, Any]:
        """What was parsed, with the file's values where nothing was given. own, reading: the options of the recipe and
        of its data. Raises UsageError for a name that is none of them, and for a value that cannot be."""
        mine, decided = ({each.name: each for each in own if each.from_data == theirs} for theirs in (False, True))
        both = mine | {each.name: each for each in reading}
        values = {}
        for given, known in ((self.options, both), (self.arguments, mine)):
            for name, value in given.items():
                if self.of_a_run and given is self.arguments and name in decided:
                    continue
                if name not in known:
                    hint = near_miss(name, [*both, *KNOWN])
                    raise UsageError(f"{self.file}: there is no option {quoted(name)}{hint}")
                if value is not None and parsed.get(name) is None:
                    values[name] = _checked(known[name], value, self.file)
        return {**parsed, **values}


def configured(words: Sequence[str]) -> tuple[list[str], Configured]:
    """The words without `--config FILE`, and what that file says. Raises UsageError, of one line, for a file that
    cannot be read and for what cannot be said in it."""
    rest, file = _taken_out(words)
    if file is None:
        return rest, Configured()
    if any(word.partition("=")[0] == "--resume" for word in rest):
        raise UsageError("--resume goes on with what the run was begun with; --config is for a new training")
    content = _read(Path(file))
    flat, arguments = _flat(content, file)
    recipe = flat.pop("recipe", None)
    if recipe is not None and (not isinstance(recipe, str) or recipe not in recipes.names()):
        recipe = _named_too(recipe, rest, file)
    flags = {word.partition("=")[0] for word in rest}
    lengths = {flag_of(name) for name in (*LENGTHS, *BUDGETS)} - {"--budget"}
    if flags & lengths:
        flat = {name: value for name, value in flat.items() if name not in LENGTHS}
    first, options = [], {}
    settings = {option.name: option for option in read_options(Settings)}
    for name, value in flat.items():
        if value is None:
            continue
        if name in settings:
            first += _words_of(settings[name], value, file)
        elif name in VALUED:
            first.append(f"{flag_of(name)}={_text(name, value, file)}")
        elif name in SWITCHES:
            first += [flag_of(name)] if _switch(name, value, file) else []
        elif name == "measure":
            first += [] if _switch(name, value, file) else ["--no-measure"]
        elif name == "budget":
            if value not in BUDGETS:
                raise UsageError(f"{file}: budget cannot be {quoted(value)}{near_miss(str(value), BUDGETS)}")
            first.append(f"--{value}")
        else:
            options[name] = value
    return [*first, *rest], Configured(file, recipe, options, arguments, "format" in content)


KNOWN = ("recipe", *VALUED, *SWITCHES, "measure", "budget", *(option.name for option in read_options(Settings)))
"""What a file can say beside the options of the recipe and of its data."""


def _taken_out(words: Sequence[str]) -> tuple[list[str], str | None]:
    rest, file, left = [], None, iter(words)
    for word in left:
        flag, given, value = word.partition("=")
        if flag != "--config":
            rest.append(word)
            continue
        if file is not None:
            raise UsageError("--config can be given once")
        file = value if given else next(left, "")
        if not file or (not given and file.startswith("-")):
            raise UsageError("--config takes a file, as in: ganvas train --config training.yaml")
    return rest, file


def _read(path: Path) -> dict[str, Any]:
    kind = path.suffix.lower()
    if kind not in _KINDS:
        raise UsageError(f"--config {path}: a configuration is a file {', '.join(_KINDS)}")
    try:
        text = read_regular(path, MOST_BYTES).decode("utf-8")
        readers: dict[str, Callable[[str], Any]] = {".json": parse_json, ".toml": tomllib.loads}
        content = readers.get(kind, _yaml)(text)
        if kind != ".json":
            content = parse_json(json.dumps(content, default=str))  # as deep, and of the same kinds, as JSON
    except OSError as error:
        raise UsageError(f"--config {path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        why = shown(" ".join(str(error).split())) or "too deep"
        raise UsageError(f"--config {path} is no {kind[1:].upper()}: {why}") from None
    if not isinstance(content, dict):
        raise UsageError(f"--config {path} holds no names with values, such as data: photos/")
    return content


def _yaml(text: str) -> Any:
    yaml = needed("yaml", "yaml")

    class Loader(yaml.SafeLoader):  # type: ignore[misc, name-defined]
        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):  # a few of them make a text that fills the memory
                raise ValueError("aliases (*name) are not read here")
            return super().compose_node(parent, index)

    loader = Loader(text)
    try:
        return loader.get_single_data()
    except yaml.YAMLError as error:
        raise ValueError(error) from None
    finally:
        loader.dispose()


def _flat(content: Mapping[str, Any], file: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Values by the names of options, and those of the recipe's arguments alone. Raises UsageError for what is said
    twice."""
    found: dict[str, Any] = {}
    data = content.get("data")
    if not isinstance(data, dict):
        data = {"source": data}
    of_a_run = "format" in content
    _take({k: v for k, v in content.items() if k not in (*_TABLES, *(_OF_A_RUN if of_a_run else ()))}, found, file)
    _take({"data": data.get("source")}, found, file)
    _take(_table(data, "options", file), found, file)
    _take(_table(content, "settings", file), found, file)
    arguments: dict[str, Any] = {}
    _take(_table(content, "arguments", file), arguments, file)
    if not of_a_run and (twice := arguments.keys() & found.keys()):
        raise UsageError(f"{file} says {quoted(min(twice))} twice")
    return found, arguments


_TABLES = ("data", "arguments", "settings")


def _table(content: Mapping[str, Any], name: str, file: str) -> dict[str, Any]:
    table = content.get(name)
    if table is not None and not isinstance(table, dict):
        raise UsageError(f"{file}: {name} are names with values, not {quoted(table)}")
    return table or {}


def _take(values: Mapping[str, Any], found: dict[str, Any], file: str) -> None:
    for key, value in values.items():
        name = str(key).replace("-", "_")
        if name in found:
            raise UsageError(f"{file} says {quoted(name)} twice")
        found[name] = value


def _named_too(recipe: Any, words: Sequence[str], file: str) -> str | None:
    """Raises UsageError unless the command line names a recipe itself: a file that is somebody's runs no code."""
    name = str(recipe)
    if any(recipes.is_path(word) or word in recipes.names() for word in words):
        return None
    if recipes.is_path(name):
        again = command("ganvas", "train", name, "--config", file)
        raise UsageError(f"{file} names a recipe of your own, whose file is run; name it here too: {again}")
    raise UsageError(f"{file}: there is no recipe {quoted(recipe)}{near_miss(name, recipes.names())}")


def _words_of(option: Option, value: Any, file: str) -> list[str]:
    checked = _checked(option, value, file)
    if option.kind is bool:
        return [option.flag if checked else option.flag.replace("--", "--no-", 1)]
    return [f"{option.flag}={checked}"]


def _checked(option: Option, value: Any, file: str) -> Any:
    try:
        return option.check(value)
    except UsageError as error:
        raise UsageError(f"{file}: {error}") from None


def _text(name: str, value: Any, file: str) -> str:
    if isinstance(value, (dict, list, bool)) or not str(value):
        raise UsageError(f"{file}: {name} takes text, not {quoted(value)}")
    return str(value)


def _switch(name: str, value: Any, file: str) -> bool:
    if not isinstance(value, bool):
        raise UsageError(f"{file}: {name} takes true or false, not {quoted(value)}")
    return value
