"""`ganvas recipes`: the GANs that can be trained, and their flags."""

from __future__ import annotations

import json
import sys

from ganvas import recipes
from ganvas.cli.parsing import Parser, help_of, own_options
from ganvas.options import Option

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
        listed = {name: recipes.summary(name) for name in recipes.names()}
        if parsed.json:
            print(json.dumps(listed, indent=2))
        else:
            for name, summary in listed.items():
                print(f"{name:<10} {summary}")
        return 0
    recipe = recipes.find(parsed.name)
    options = own_options(recipe)
    if parsed.json:
        content = {
            "name": parsed.name,
            "accepts": [batch.__name__ for batch in recipe.accepts],
            "options": {o.name: {"default": o.default, "help": o.help, "choices": o.choices} for o in options},
            "presets": recipe.presets,
            "training_defaults": recipe.training_defaults,
        }
        print(json.dumps(content, indent=2))
        return 0
    print((sys.modules[recipe.__module__].__doc__ or recipe.__doc__ or "").strip())
    print(f"\ntrains on: {', '.join(batch.__name__.lower() for batch in recipe.accepts)}")
    for option in options:
        choices = f" {'|'.join(map(str, option.choices))}" if option.choices else ""
        print(f"  {option.flag}{choices:<2} {help_of(option).replace('%%', '%')}")
    for preset, values in recipe.presets.items():
        flags = " ".join(f"{Option(key, str, None).flag} {value}" for key, value in values.items())
        print(f"  --preset {preset}: {flags}")
    return 0
