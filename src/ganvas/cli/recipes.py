"""`ganvas recipes`: the GANs that can be trained, and their flags."""

from __future__ import annotations

import json
import sys
from typing import Any

from ganvas import recipes
from ganvas.cli.parsing import Parser, own_options
from ganvas.options import Option, flag_of
from ganvas.progress_bar import say_first
from ganvas.text import shown

EXAMPLES = """examples:
  ganvas recipes
  ganvas recipes dcgan"""


def run(words: list[str]) -> int:
    parser = Parser(
        prog="ganvas recipes",
        usage="ganvas recipes [NAME] [--json]",
        description="The GANs that can be trained, or one of them with its flags and presets.",
        epilog=EXAMPLES,
    )
    parser.add_argument("name", metavar="NAME", nargs="?")
    parser.add_argument("--json", action="store_true", help="for scripts")
    parsed = parser.parse_strictly(words)
    if parsed.name is None:
        print(json.dumps({name: _facts(name) for name in recipes.names()}, indent=2) if parsed.json else _overview())
        return 0
    say_first(f"reading {shown(parsed.name)}", not parsed.json)
    from ganvas.data.batches import reading_options

    recipe = recipes.find(parsed.name)
    options = own_options(recipe)
    reading = reading_options(recipe.accepts)
    if parsed.json:
        content = {
            "name": parsed.name,
            "accepts": [batch.__name__ for batch in recipe.accepts],
            "data_options": {batch.__name__: _about(batch.reader.flags()) for batch in recipe.accepts},
            "options": _about(options),
            "presets": recipe.presets,
            "training_defaults": recipe.training_defaults,
            "default_for": recipes.usual_kinds(parsed.name),
        }
        print(json.dumps(content, indent=2))
        return 0
    print((sys.modules[recipe.__module__].__doc__ or recipe.__doc__ or "").strip())
    print(f"\ntrains on: {', '.join(batch.kind for batch in recipe.accepts)}{_default(parsed.name)}")
    for option in [*reading, *options]:
        choices = f" {'|'.join(map(str, option.choices))}" if option.choices else ""
        print(f"  {option.flag}{choices:<2} {option.explained}")
    for preset, values in recipe.presets.items():
        flags = " ".join(f"{flag_of(key)} {value}" for key, value in values.items())
        print(f"  --preset {preset}: {flags}")
    return 0


def _facts(name: str) -> dict[str, Any]:
    return {"for": recipes.purpose(name), "paper": recipes.summary(name), "default_for": recipes.usual_kinds(name)}


def _overview() -> str:
    """What is taken where no recipe is named, by kind of data, and all recipes with what each is for."""
    taken = {
        kind: ", ".join(name + (f" (from {least:g} minutes)" if least else "") for name, least in found)
        for kind, found in recipes.defaults().items()
    }
    wide = max(map(len, [*taken, *recipes.names()]))
    lines = ["taken where no recipe is named, for:"]
    lines += [f"  {kind:<{wide}}  {names}" for kind, names in taken.items()]
    lines += ["", "all recipes; `ganvas recipes NAME` tells the paper and the flags:"]
    lines += [f"  {name:<{wide}}  {recipes.purpose(name)}{_default(name)}" for name in recipes.names()]
    return "\n".join(lines)


def _default(name: str) -> str:
    """For which data the recipe is taken where none is named."""
    kinds = recipes.usual_kinds(name)
    return f" [default for {', '.join(kinds)}]" if kinds else ""


def _about(options: list[Option]) -> dict[str, Any]:
    return {
        option.name: {"default": option.default, "help": option.help, "choices": option.choices} for option in options
    }
