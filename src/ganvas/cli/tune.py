"""`ganvas tune`: the settings with which a recipe does best on a source of data."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from ganvas import recipes, threads
from ganvas.cli.parsing import Parser, add_options, first_plain, number_of, own_options
from ganvas.errors import UsageError, near_miss
from ganvas.options import Option, read_options
from ganvas.progress_bar import say
from ganvas.settings import Settings
from ganvas.text import command, quoted

if TYPE_CHECKING:
    from ganvas.recipe import Recipe

EXAMPLES = """examples:
  ganvas tune dcgan --data photos/ --size 32 --minutes 5 --trials 20
  ganvas tune r3gan --data digits --steps 400 --hours 2 --search lr,batch-size=16..64,objective
  ganvas tune r3gan --data digits --steps 400 --hours 2        in another terminal: one more worker
  ganvas train --config runs/dcgan-photos-tuned/best.yaml --minutes 60"""

ALONE = ("--quiet", "-h", "--help")
NUMBERS = (
    ("trials", int, "N", "how many there are to be in all (default: 20)"),
    ("hours", float, "H", "time for this command; the best with more seeds fit in"),
    ("finalists", int, "N", "how many of the best are trained with more seeds (default: 5)"),
    ("seeds", int, "N", "with how many, the first one included (default: 3)"),
    ("n", int, "N", "samples that are judged (default: 1000)"),
)
TEXTS = (
    ("out", "STUDY", "the study's folder (default: one below runs/ that recipe and data name)"),
    ("search", "A,B=LOW..HIGH,C=X/Y", "what is searched (default: learning rates, batch size, length, penalties, "
     "objective)"),
    ("score", "METRIC", "what counts, a metric of ganvas evaluate (default: by the data)"),
    ("extractor", "NAME", "that it looks through (default: by the data)"),
    ("split", "S", "of the data that it is judged by (default: validation)"),
    ("storage", "URL", "a database for workers on several machines, such as postgresql://host/name"),
    ("preset", "NAME", "a named set of the recipe's flags to begin with"),
    ("start", "RUN", "begin each training with the averaged networks of a run, or of zoo:NAME"),
    ("data_root", "FOLDER", "where torchvision's data sets lie"),
)  # fmt: skip


def run(words: list[str]) -> int:
    place = first_plain(words, lambda flag, word: flag in ALONE or flag.startswith("--no-"))
    named = None if place is None else words[place]
    if named is not None and not recipes.is_path(named) and named not in recipes.names():
        raise UsageError(f"there is no recipe {quoted(named)}{near_miss(named, recipes.names())}")
    helping = "-h" in words or "--help" in words
    if not helping:
        threads.settle(os.environ, None, partial(say, wanted="--quiet" not in words))
    recipe = None if named is None else recipes.find(named)
    reading, own = ([], []) if recipe is None else (_reading(recipe), own_options(recipe))
    parsed = vars(_parser(named, own, reading).parse_strictly([w for at, w in enumerate(words) if at != place]))
    if named is None:
        raise UsageError("say which recipe to tune, as in: ganvas tune dcgan --data photos/ --trials 20")
    if parsed["data"] is None:
        raise UsageError("say what to train on: --data digits, or a folder, an archive or an array file")
    numbers = {
        name: number_of(f"--{name}" if len(name) > 1 else f"-{name}", parsed[name], kind)
        for name, kind, _, _ in NUMBERS
        if parsed[name] is not None
    }
    chosen = {
        each.name: each.check(parsed[each.name])
        for each in [*own, *read_options(Settings), *reading]
        if parsed.get(each.name) is not None
    }
    said = {name: parsed[name] for name, _, _ in TEXTS if parsed[name] is not None}
    if "search" in said:
        said["search"] = [word for word in said["search"].split(",") if word.strip()]
    from ganvas.tuning import tune

    quiet = parsed["quiet"]
    found = tune(
        named,
        data=parsed["data"],
        quiet=quiet,
        tell=lambda line: None if quiet else print(line, flush=True),
        **numbers,
        **said,
        **chosen,
    )
    if not found.over:
        return 130
    print(found)
    if found.finalists:
        print(f"the page: {command('open', found.folder / 'study.html')}")
        print(f"train with it: {command('ganvas', 'train', '--config', found.config)}")
    return 0


def _reading(recipe: type[Recipe]) -> list[Option]:
    from ganvas.data.batches import BUILT_IN, reading_options

    return reading_options(recipe.accepts or BUILT_IN)


def _parser(named: str | None, own: list[Option], reading: list[Option]) -> Parser:
    parser = Parser(
        prog=f"ganvas tune {named or ''}".strip(),
        usage="ganvas tune RECIPE --data SOURCE [--trials N | --hours H] [--steps N | --minutes M] [flags]",
        description="Searches the settings with which a recipe does best: short trainings, each judged by held-out\n"
        "data, then the best few with more seeds. The same command again is one more worker, and goes on with what\n"
        "one left.\n"
        "Flags of the recipe say what the search begins with; --steps, --epochs or --minutes is what a trial may take.",
        epilog=EXAMPLES,
    )
    general = parser.add_argument_group("what, and how long")
    general.add_argument("--data", metavar="SOURCE", help="as ganvas train takes it")
    for name, _, metavar, told in NUMBERS:
        general.add_argument(f"--{name}" if len(name) > 1 else f"-{name}", metavar=metavar, help=told)
    for name, metavar, told in TEXTS:
        general.add_argument(f"--{name.replace('_', '-')}", dest=name, metavar=metavar, help=told)
    general.add_argument("--quiet", action="store_true", help="print what was found alone")
    if reading:
        add_options(parser.add_argument_group("how to read the data"), reading)
    add_options(parser.add_argument_group("how to train"), read_options(Settings))
    if own:
        add_options(parser.add_argument_group(f"flags of {named}: what the search begins with"), own)
    return parser
