"""`ganvas check`: does a recipe keep the contract?"""

from __future__ import annotations

import json
from dataclasses import asdict

from ganvas import recipes
from ganvas.cli.parsing import Parser
from ganvas.errors import UsageError
from ganvas.options import Option, Range
from ganvas.progress_bar import say
from ganvas.text import counted, cut, shown

EXAMPLES = """examples:
  ganvas check my_gan.py:MyGAN
  ganvas check my_gan.py:MyGAN --only resume --only fit
  ganvas check my_gan.py:MyGAN --data photos/ --fit-steps 2000"""

STEPS = Option("fit_steps", int, None, range=Range(1))
_LONGEST = 900


def run(words: list[str]) -> int:
    parser = Parser(
        prog="ganvas check",
        usage="ganvas check FILE.py:CLASS [--only CHECK] [--data SOURCE] [--fit-steps N] [--json]",
        description="Plays a recipe on tiny data and says of each promise of the contract whether it keeps it.\n"
        "Exits with 1 where one is broken.",
        epilog=EXAMPLES,
    )
    parser.add_argument("recipe", metavar="RECIPE", nargs="?", help="FILE.py:CLASS, whose file is run, or a name")
    parser.add_argument(
        "--only", metavar="CHECK", action="append", help="this check; can be given again (default: all)"
    )
    parser.add_argument("--data", metavar="SOURCE", help="what to train on (default: the tiny example of its kind)")
    parser.add_argument("--fit-steps", metavar="N", help="in how many steps at most it fits the data (default: 600)")
    parser.add_argument("--json", action="store_true", help="for scripts")
    parsed = parser.parse_strictly(words)
    if parsed.recipe is None:
        raise UsageError("say which recipe to check, as in: ganvas check my_gan.py:MyGAN")
    steps = {} if parsed.fit_steps is None else {"fit_steps": STEPS.check(parsed.fit_steps)}
    say(f"loading {shown(parsed.recipe)}", not parsed.json)
    recipe = recipes.find(parsed.recipe)
    from ganvas.testing import recipe_checks

    found = []
    for check in recipe_checks(recipe, parsed.data, checks=parsed.only, **steps):
        found.append(check.outcome())
        if not parsed.json:
            print(cut(shown(" ".join(str(found[-1]).split("\n"))), _LONGEST), flush=True)
    failed = sum(not each.passed for each in found)
    if parsed.json:
        print(json.dumps({"recipe": recipe.__name__, "checks": [asdict(each) for each in found]}, indent=2))
    else:
        kept = f"{recipe.__name__} keeps the contract" if not parsed.only else "all that was checked holds"
        print(f"{counted(failed, 'check')} of {len(found)} failed" if failed else kept)
    return int(failed > 0)
