"""`ganvas train`. It parses in two stages: the flags that all recipes share without importing torch, then the flags of
the recipe that was named, read from its constructor."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from contextlib import suppress
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from ganvas import recipes, threads
from ganvas.choosing import BUDGETS, USUAL
from ganvas.cli.configuring import Configured, configured
from ganvas.cli.going_on import going_on, has_begun, may_go_on
from ganvas.cli.hints import how_to_resume, how_to_use
from ganvas.cli.parsing import Parser, add_options, first_plain, own_options
from ganvas.errors import GanvasError, UsageError, near_miss
from ganvas.options import Option, Range, flag_of, read_options
from ganvas.progress_bar import say, say_first
from ganvas.settings import GENERAL, Settings
from ganvas.text import command, quoted, shown

if TYPE_CHECKING:
    from ganvas.data.opening import Meant
    from ganvas.recipe import Recipe
    from ganvas.thinking import Asked
    from ganvas.training import Training

ALONE = frozenset(
    {"-h", "--help", "--quiet", "--dry-run", "--no-measure", "--go-on", *(f"--{name}" for name in BUDGETS)}
)
"""Flags of `ganvas train` that take no value."""

EXAMPLES = """examples:
  ganvas train --data digits                     everything chosen, some minutes
  ganvas train --data photos.zip --good          an hour
  ganvas train --data sounds/ --dry-run          what would be chosen, and why
  ganvas train dcgan --data photos.zip --size 64 --minutes 30 --out runs/photos
  ganvas train dcgan --help                      with the recipe's own flags
  ganvas train my_gan.py:MyGAN --data photos/
  ganvas train dcgan --data photos/ --minutes 30 --seeds 3      what is luck and what is not
  ganvas train --config runs/photos/config.json --seed 1        the same again, with another seed
  ganvas train --resume runs/photos --minutes 60"""


def run(words: list[str]) -> int:
    helping = "-h" in words or "--help" in words
    words, said = (words, Configured()) if helping else configured(words)
    if not helping:
        _say_what_begins(words, "--quiet" in words)
    place = first_plain(words, _alone)
    named = said.recipe if place is None else words[place]
    resuming = any(word == "--resume" or word.startswith("--resume=") for word in words)
    if named is not None and not recipes.is_path(named) and named not in recipes.names():
        raise UsageError(f"there is no recipe {quoted(named)}{near_miss(named, recipes.names())}")
    chosen_name = named or recipes.DEFAULT
    chosen_threads, quiet = threads.Choice({}), "--quiet" in words
    own = [word for at, word in enumerate(words) if at != place]
    taken_for = None if named or helping or resuming else _taken_for(own, said.options)
    if taken_for is not None:
        chosen_name, _ = taken_for
    sensible = helping or resuming or _is_sensible(own, chosen_name, [*said.options, *said.arguments])
    if sensible and not helping and "--dry-run" not in words:
        begun = "--resume" if resuming else "--out" if "--go-on" in words else None
        kept = None if begun is None else _threads_of(words, begun)
        chosen_threads = threads.settle(os.environ, kept, partial(say, wanted=not quiet))
    # Help without a recipe shows what all recipes share, and needs no torch.
    recipe = None if resuming or (helping and named is None) else recipes.find(chosen_name)
    options = [] if recipe is None else own_options(recipe)
    reading = [] if recipe is None else _reading(recipe)
    seconds = _second_sources(named) if resuming else []
    parser = _train_parser(named, options, reading or seconds, chosen_name)
    if recipe is not None:
        parser.elsewhere = _flags_of_other_kinds(reading)
    try:
        parsed = vars(parser.parse_strictly(own))
    except UsageError as error:
        if resuming and "has no flag" in str(error):
            raise UsageError(
                "--resume takes a new --steps, --epochs or --minutes, the --data (and second sources) where it lies "
                "elsewhere now, and no other flag; the run keeps what it was begun with"
            ) from None
        raise
    if recipe is not None:
        parsed = said.filled(parsed, read_options(recipe), reading)
    chosen = {
        option.name: option.check(parsed[option.name])
        for option in [*options, *read_options(Settings)]
        if parsed.get(option.name) is not None
    }
    from ganvas import api
    from ganvas.building import DURATIONS
    from ganvas.data.preview import preview
    from ganvas.report import print_rows
    from ganvas.spaces import save_picture
    from ganvas.thinking import Asked

    if recipe is None:
        durations = {key: value for key, value in chosen.items() if key in DURATIONS}
        extra = [key for key in chosen if key not in durations]
        if extra or any(parsed[each] for each in ("out", "preset", "start", "budget", "seeds", "go_on")):
            flag = flag_of(extra[0]) if extra else "--out, --go-on, --preset, --start, --seeds or a budget"
            raise UsageError(f"--resume keeps what the run was begun with, so it does not take {flag}")
        job = api.prepare_resume(
            Path(parsed["resume"]),
            recipe=named,
            changes=durations,
            data=parsed["data"],
            data_root=parsed["data_root"],
            seconds={option.name: parsed[option.name] for option in seconds},
            quiet=quiet,
        )
        out = None
    else:
        out = Path(parsed["out"]) if parsed["out"] else None
        asked = Asked(
            source=parsed["data"],
            recipe=None if named is None else recipe,
            name=named,
            reading={option.name: value for option in reading if (value := parsed[option.name]) is not None},
            options=chosen,
            preset=parsed["preset"],
            start=parsed["start"],
            budget=parsed["budget"],
            measure=not parsed["no_measure"],
            data_root=parsed["data_root"],
            quiet=quiet,
            taken_for=taken_for,
        )
        if parsed["seeds"] is not None and not parsed["dry_run"]:
            return _train_seeds(asked, _count_of_seeds(parsed["seeds"]), out)
        again = may_go_on(parsed["out"], parsed["go_on"])
        job = going_on(out, asked) if out and again and has_begun(out) else api.prepare_asked(asked)
    training = job.training
    first = training.processes.first
    for line in (*job.messages, *job.plan, chosen_threads.said) if first and not quiet else ():
        if line:
            print(line)
    if first and parsed["preview"]:
        save_picture(preview(training.data).picture, Path(parsed["preview"]))
    if first and not quiet:
        print_rows(lambda: preview(training.data).rows)
        if picture := parsed["preview"]:
            print(f"what it learns from: {shown(picture)}")
        elif parsed["dry_run"]:
            print("for a picture of what it would learn from add --preview data.png")
    if parsed["dry_run"]:
        return 0
    sys.stdout.flush()
    run = api.play(job, out=out, quiet=quiet)
    if first:
        told = not quiet  # how it ended, by the display
        left_alone = not training.watchers  # a run that was finished already, with its report
        _say_how_it_ended(run, training, left_alone, named, told)
    return 130 if training.outcome == "interrupted" else 0


def _say_what_begins(words: list[str], quiet: bool) -> None:
    """Before PyTorch is loaded, which takes seconds."""
    for flag, doing in (("--resume", "reading"), ("--data", "looking at")):
        if what := _value_of(words, flag):
            say_first(f"{doing} {shown(what)}", not quiet)
            return


def _value_of(words: list[str], flag: str) -> str:
    """What the words say behind a flag; "" where they do not name it."""
    named = (each for each in pairwise([*words, ""]) if each[0].partition("=")[0] == flag)
    return next((word.partition("=")[2] or behind for word, behind in named), "")


def _taken_for(words: list[str], also: Collection[str]) -> tuple[str, Meant] | None:
    """The recipe that is taken where none is named, by the data and by the flags that say how they are read, and what
    the data are taken for. also: names of options that are given beside the words. None without data, which is told
    later."""
    from ganvas.choosing import BUDGETS, USUAL
    from ganvas.data.batches import BUILT_IN, reading_options
    from ganvas.data.opening import meant

    reading = reading_options(BUILT_IN)
    parsed = vars(_train_parser(None, [], reading, recipes.DEFAULT).parse_known_args(words)[0])
    if parsed["data"] is None:
        return None
    given = [option.name for option in reading if parsed[option.name] is not None or option.name in also]
    minutes = BUDGETS[parsed["budget"] or USUAL].minutes
    found = meant(parsed["data"], given, parsed["data_root"])
    return recipes.usual(found.kind.kind, minutes), found


def _is_sensible(words: list[str], name: str, also: Collection[str]) -> bool:
    """Raises what can be said before PyTorch is loaded, and before seconds are spent on measuring with how many
    threads. False where a flag, or one of the options given beside the words, is wrong in a way that can be told once
    the recipe is loaded."""
    from ganvas.data.batches import BUILT_IN, reading_options
    from ganvas.data.builtin import known_as
    from ganvas.data.sources import find
    from ganvas.run import check_out

    reading = reading_options(BUILT_IN)
    parser = _train_parser(name, [], reading, name)
    known, rest = parser.parse_known_args(words)
    parsed = vars(known)
    flags = [word.partition("=")[0] for word in rest if word.startswith("--")]
    options = {flag.removeprefix("--no-").removeprefix("--").replace("-", "_"): flag for flag in flags}
    own = [*options, *(set(also) - {option.name for option in reading})]
    if not recipes.is_path(name) and any(not recipes.may_have(name, option) for option in own):
        return False
    for option in read_options(Settings):
        if parsed.get(option.name) is not None:
            option.check(parsed[option.name])
    if parsed["data"] is None:
        raise UsageError("say what to train on: --data digits, or a folder, an archive or an array file")
    if known_as(parsed["data"]) is None:
        find(parsed["data"]).close()
    if not may_go_on(parsed["out"], parsed["go_on"]) and parsed["out"] and parsed["seeds"] is None:
        check_out(Path(parsed["out"]))
    return True


def _threads_of(words: list[str], begun: str = "--resume") -> int | None:
    """The number of threads of the run that goes on, which the flag `begun` names; None where it does not say, and
    where it cannot be read, which is told later."""
    from ganvas.run import read_config

    run = _value_of(words, begun)
    with suppress(GanvasError):
        told = str(read_config(Path(run)).get("hardware", {}).get("threads"))
        return (int(told) or None) if told.isdecimal() and len(told) < 6 else None
    return None


def _count_of_seeds(text: str) -> int:
    from ganvas.tuning import MOST

    return int(Option("seeds", int, None, range=Range(1, MOST)).check(text))


def _train_seeds(asked: Asked, seeds: int, out: Path | None) -> int:
    from ganvas.tuning import PAGE, train_seeds

    done = train_seeds(asked, seeds, out, tell=lambda line: None if asked.quiet else print(line, flush=True))
    if done.comparison is None:
        print("interrupted, and saved; the same command goes on")
        return 130
    print(done.comparison)
    print(command("open", done.folder / PAGE))
    return 0


def _say_how_it_ended(run: Path, training: Training, left_alone: bool, named: str | None, told: bool) -> None:
    outcome, steps, inputs = training.outcome, training.steps_done, training.recipe.inputs()
    if outcome == "interrupted":
        print(f"interrupted after {steps:,} steps, and saved; go on with: {how_to_resume(run, named)}")
    elif left_alone:
        print(f"{run} is finished already, after {steps:,} steps; give a larger --steps to train on")
    else:
        print(f"{'' if told else f'{outcome} after {steps:,} steps: '}{command('open', run / 'report.html')}")
        from ganvas.metrics.scorer import best_of

        best = best_of(run)
        if best is not None:
            print(f"best: step {best.step:,}, with {best.key} {best.value:.4g}; its weights are those that are used")
        written = training.data.space.written
        print(f"use it with: {how_to_use(run, inputs, named, written=written)}")


def _alone(flag: str, word: str) -> bool:
    """Whether a flag before the recipe takes no value: `word`, which follows it, may then be the recipe."""
    from ganvas.data.batches import BUILT_IN, reading_options

    if flag in ALONE:
        return True
    options = [*read_options(Settings), *reading_options(BUILT_IN)]
    shared = {*map(flag_of, GENERAL), *(option.flag for option in options)}
    if flag not in shared and (word in recipes.names() or recipes.is_path(word)):
        options += own_options(recipes.find(word))
    switches = {option.flag for option in options if option.kind is bool}
    return flag in switches or flag.replace("--no-", "--", 1) in switches


def _reading(recipe: type[Recipe]) -> list[Option]:
    from ganvas.data.batches import BUILT_IN, reading_options

    return reading_options(recipe.accepts or BUILT_IN)


def _second_sources(named: str | None) -> list[Option]:
    """Of all kinds that a run may have been trained on, since which it was is known when it is read."""
    from ganvas.data.batches import BUILT_IN
    from ganvas.data.opening import second_sources

    own = recipes.find(named).accepts if named is not None and recipes.is_path(named) else ()
    return second_sources([*own, *BUILT_IN])


def _flags_of_other_kinds(reading: list[Option]) -> dict[str, str]:
    from ganvas.data.batches import BUILT_IN

    found: dict[str, list[str]] = {}
    for batch in BUILT_IN:
        for option in batch.reader.flags():
            if option.name not in {own.name for own in reading}:
                found.setdefault(option.flag, []).append(batch.kind)
    return {flag: ", ".join(kinds) for flag, kinds in found.items()}


def _train_parser(named: str | None, options: list[Option], reading: list[Option], taken: str) -> Parser:
    """taken: the recipe whose options these are."""
    parser = Parser(
        prog=f"ganvas train {named or (taken if options else '')}".strip(),
        usage="ganvas train [RECIPE] --data SOURCE [flags]\n       ganvas train [RECIPE] --resume RUN [--steps N]",
        description="Train a GAN. Without a RECIPE all that is not said is chosen by the data and by some steps that\n"
        f"are measured, and the plan says why. For images that is {recipes.DEFAULT}, by label where there are labels.\n"
        f"Recipes: {', '.join(recipes.names())}, or path/to/file.py:Class.",
        epilog=EXAMPLES,
    )
    general = parser.add_argument_group("what, and where to")
    general.add_argument("--data", metavar="SOURCE", help="a built-in name, a folder, an archive, a .npy or .npz file")
    general.add_argument("--out", metavar="RUN", help="the run folder (default: a new one under runs/)")
    general.add_argument(
        "--seeds", metavar="N", help="train with N seeds, one after another, and compare them; again, it goes on"
    )
    general.add_argument("--resume", metavar="RUN", help="go on with this run; --steps is then the new total")
    general.add_argument(
        "--go-on", action="store_true", help="where --out holds this training already, go on with it (for clusters)"
    )
    general.add_argument(
        "--config",
        metavar="FILE",
        help="flags from a .yaml, .toml or .json file, such as a run's; flags here weigh more",
    )
    general.add_argument("--preset", metavar="NAME", help="a named set of the recipe's flags: paper, tutorial")
    general.add_argument("--data-root", metavar="FOLDER", help="where torchvision's data sets lie")
    general.add_argument("--start", metavar="RUN", help="begin with the averaged networks of a run, or of zoo:NAME")
    budget = parser.add_argument_group("how much of your time (all that is not said is then chosen)")
    for name, each in BUDGETS.items():
        told = f"about {each.minutes:g} minutes" + (", or until there is something to see" if each.glance else "")
        told += " (default without a RECIPE)" if name == USUAL else ""
        budget.add_argument(f"--{name}", action="store_const", const=name, dest="budget", help=told)
    budget.add_argument("--no-measure", action="store_true", help="choose without measuring steps")
    general.add_argument("--preview", metavar="PICTURE", help="write a picture of what it learns from, as .png or .jpg")
    general.add_argument("--dry-run", action="store_true", help="print the plan and stop")
    general.add_argument("--quiet", action="store_true", help="print no plan and no progress")
    if reading:
        add_options(parser.add_argument_group("how to read the data"), reading)
    add_options(parser.add_argument_group("how to train"), read_options(Settings))
    if options:
        add_options(parser.add_argument_group(f"flags of {taken}"), options)
    elif named is None:
        parser.add_argument_group(
            "flags of the recipe and of its data", "see: ganvas train RECIPE --help, ganvas recipes NAME"
        )
    return parser
