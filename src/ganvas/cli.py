"""The command line. It parses in two stages: the command and its own flags first, without importing torch, then the
flags of the recipe that was named, read from its constructor."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from ganvas import __version__, recipes
from ganvas.errors import GanvasError, UsageError, near_miss
from ganvas.options import REQUIRED, Option, read_options
from ganvas.settings import Settings

EXAMPLES = {
    None: """examples:
  ganvas train --data digits                     a conditional GAN on 4,500 handwritten digits, in about 6 minutes
  ganvas train --data photos/ --dry-run          what would be trained on your folder, and how
  ganvas sample runs/r3gan-digits -n 64 --out grid.png""",
    "train": """examples:
  ganvas train --data digits
  ganvas train dcgan --data photos.zip --size 64 --minutes 30 --out runs/photos
  ganvas train dcgan --help                      with the recipe's own flags
  ganvas train my_gan.py:MyGAN --data photos/
  ganvas train --resume runs/photos --minutes 60""",
    "sample": """examples:
  ganvas sample runs/demo -n 64 --out grid.png
  ganvas sample runs/demo -n 100 --label 7 --seed 1 --out sevens/""",
    "recipes": """examples:
  ganvas recipes
  ganvas recipes dcgan""",
    "data": """examples:
  ganvas data photos/
  ganvas data digits --json""",
}


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are Ganvas's: one line, with the nearest flag."""

    def __init__(self, **texts: str) -> None:
        super().__init__(
            prog=texts["prog"],
            usage=texts["usage"],
            description=texts["description"],
            epilog=texts["epilog"],
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    def error(self, message: str) -> NoReturn:
        raise UsageError(message)

    def parse_strictly(self, words: Sequence[str]) -> argparse.Namespace:
        parsed, unknown = self.parse_known_args(words)
        if unknown:
            flags = [flag for action in self._actions for flag in action.option_strings if flag.startswith("--")]
            word = unknown[0].partition("=")[0]
            if not word.startswith("-"):
                raise UsageError(f"{self.prog} does not know what to do with {word!r}; see {self.prog} --help")
            close = near_miss(word, flags)
            hint = close if close.startswith("; did") else f"; see {self.prog} --help"
            raise UsageError(f"{self.prog} has no flag {word}{hint}")
        return parsed


def main(words: Sequence[str] | None = None) -> None:
    """The `ganvas` command. Exits 0 on success, 2 on a user's error (one line on stderr), 130 after Ctrl-C."""
    try:
        sys.exit(_run(list(sys.argv[1:] if words is None else words)))
    except GanvasError as error:
        print(f"ganvas: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("ganvas: interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()  # a reader such as `head` has seen enough; nothing is wrong
        sys.exit(0)


def _run(words: list[str]) -> int:
    commands: dict[str, Callable[[list[str]], int]] = {
        "train": _train,
        "sample": _sample,
        "recipes": _recipes,
        "data": _data,
    }
    parser = Parser(
        prog="ganvas",
        description="Train, judge and use generative adversarial networks.\n\n"
        "commands:\n"
        "  train      train a GAN on a built-in set, a folder, an archive or an array file\n"
        "  sample     pictures from a trained run\n"
        "  recipes    the GANs that can be trained, and their flags\n"
        "  data       what Ganvas sees in a source of data",
        usage="ganvas COMMAND ...",
        epilog=EXAMPLES[None] + "\n\n`ganvas COMMAND --help` tells more about each.",
    )
    parser.add_argument("--version", action="version", version=f"ganvas {__version__}")
    if words and not words[0].startswith("-"):
        if words[0] not in commands:
            raise UsageError(f"there is no command {words[0]!r}{near_miss(words[0], commands)}")
        return commands[words[0]](words[1:])
    parser.parse_strictly(words)
    parser.print_help()
    return 0


def _train(words: list[str]) -> int:
    named = words[0] if words and not words[0].startswith("-") else None
    resuming = any(word == "--resume" or word.startswith("--resume=") for word in words)
    if named is not None and not recipes.is_path(named) and named not in recipes.names():
        raise UsageError(f"there is no recipe {named!r}{near_miss(named, recipes.names())}")
    helping = "-h" in words or "--help" in words
    # Help without a recipe shows what all recipes share, and needs no torch.
    options = [] if resuming or (helping and named is None) else _own(recipes.find(named or recipes.DEFAULT))
    parser = _train_parser(named, options)
    try:
        parsed = vars(parser.parse_strictly(words[1:] if named else words))
    except UsageError as error:
        if resuming and "has no flag" in str(error):
            raise UsageError(
                "--resume takes a new --steps, --epochs or --minutes and no other flag; "
                "the run keeps what it was begun with"
            ) from None
        raise
    chosen = {
        option.name: option.check(parsed[option.name])
        for option in [*options, *read_options(Settings)]
        if parsed.get(option.name) is not None
    }
    from ganvas import api
    from ganvas.data.prepare import open_data
    from ganvas.runs import check_out

    quiet = parsed["quiet"]
    if parsed["resume"]:
        durations = {key: value for key, value in chosen.items() if key in api.DURATIONS}
        extra = [key for key in chosen if key not in durations]
        if extra or parsed["out"] or parsed["data"] or parsed["preset"]:
            flag = Option(extra[0], str, None).flag if extra else "--data, --out or --preset"
            raise UsageError(f"--resume keeps what the run was begun with, so it does not take {flag}")
        job = api.prepare_resume(Path(parsed["resume"]), recipe=named, changes=durations, quiet=quiet)
        out = None
    else:
        if parsed["data"] is None:
            raise UsageError("say what to train on: --data digits, or a folder, an archive or an array file")
        out = Path(parsed["out"]) if parsed["out"] else None
        if out is not None:
            check_out(out)
        data = open_data(
            parsed["data"],
            size=_size(parsed["size"]),
            channels=_channels(parsed["channels"]),
            data_root=parsed["data_root"],
            progress=not quiet,
        )
        job = api.prepare(named, data, chosen, preset=parsed["preset"])
    training = job.training
    first = training.processes.first
    for line in (*job.messages, *job.plan) if first and not quiet else ():
        print(line)
    if parsed["dry_run"]:
        return 0
    sys.stdout.flush()
    before = training.steps_done
    run = api.play(job, out=out, quiet=quiet)
    if first:
        _say_how_it_ended(run, training.outcome, training.steps_done, training.steps_done == before, named)
    return 130 if training.outcome == "interrupted" else 0


def _say_how_it_ended(run: Path, outcome: str, steps: int, nothing_done: bool, named: str | None) -> None:
    if outcome == "interrupted":
        own = f"{named} " if named and recipes.is_path(named) else ""
        print(f"interrupted after {steps:,} steps, and saved; go on with: ganvas train {own}--resume {run}")
    elif nothing_done:
        print(f"{run} is finished already, after {steps:,} steps; give a larger --steps to train on")
    else:
        print(f"{outcome} after {steps:,} steps: open {run / 'report.html'}")
        print(f"make pictures with: ganvas sample {run} -n 64 --out grid.png")


def _train_parser(named: str | None, options: list[Option]) -> Parser:
    parser = Parser(
        prog="ganvas train" + (f" {named}" if named else ""),
        usage="ganvas train [RECIPE] --data SOURCE [flags]\n       ganvas train [RECIPE] --resume RUN [--steps N]",
        description=f"Train a GAN. Without a RECIPE it is {recipes.DEFAULT}, conditional where the data has labels.\n"
        f"Recipes: {', '.join(recipes.names())}, or path/to/file.py:Class.",
        epilog=EXAMPLES["train"],
    )
    general = parser.add_argument_group("what, and where to")
    general.add_argument("--data", metavar="SOURCE", help="a built-in name, a folder, an archive, a .npy or .npz file")
    general.add_argument("--out", metavar="RUN", help="the run folder (default: a new one under runs/)")
    general.add_argument("--resume", metavar="RUN", help="go on with this run; --steps is then the new total")
    general.add_argument("--preset", metavar="NAME", help="a named set of the recipe's flags: paper, tutorial")
    general.add_argument("--size", metavar="N|HxW", help="resize images to this (default: the data decides)")
    general.add_argument("--channels", metavar="N", help="1 for gray, 3 for colour (default: the data decides)")
    general.add_argument("--data-root", metavar="FOLDER", help="where torchvision's data sets lie")
    general.add_argument("--dry-run", action="store_true", help="print the plan and stop")
    general.add_argument("--quiet", action="store_true", help="print no plan and no progress")
    _add_options(parser.add_argument_group("how to train"), read_options(Settings))
    if options:
        _add_options(parser.add_argument_group(f"flags of {named or recipes.DEFAULT}"), options)
    elif named is None:
        parser.add_argument_group("flags of the recipe", "see: ganvas train RECIPE --help, ganvas recipes NAME")
    return parser


def _own(recipe: Any) -> list[Option]:
    return [option for option in read_options(recipe) if not option.from_data]


def _add_options(group: Any, options: Iterable[Option]) -> None:
    """Flags whose values stay text here; `Option.check` converts them, so that all errors read alike."""
    for option in options:
        if option.kind is bool:
            group.add_argument(
                option.flag, action=argparse.BooleanOptionalAction, default=None, help=_help(option), dest=option.name
            )
        else:
            metavar = "|".join(map(str, option.choices)) if option.choices else option.kind.__name__.upper()
            group.add_argument(option.flag, metavar=metavar, help=_help(option), dest=option.name)


def _help(option: Option) -> str:
    default = "" if option.default in (None, REQUIRED) else f" (default: {option.default})"
    return (option.help + default).replace("%", "%%")


def _sample(words: list[str]) -> int:
    parser = Parser(
        prog="ganvas sample",
        usage="ganvas sample RUN [-n N] [--label L] [--seed S] [--truncation T] [--out grid.png|FOLDER]",
        description="Pictures from a trained run: one grid into a file, or single pictures into a folder.",
        epilog=EXAMPLES["sample"],
    )
    parser.add_argument("run", metavar="RUN", nargs="?", help="a run folder")
    parser.add_argument("-n", metavar="N", default="64", help="how many (default: 64)")
    parser.add_argument("--label", metavar="L", help="only this label (default: all labels in turn)")
    parser.add_argument("--seed", metavar="S", help="the same seed gives the same pictures (default: a new one)")
    parser.add_argument("--truncation", metavar="T", help="cut the latent distribution off at T, such as 1.5")
    parser.add_argument("--out", metavar="PATH", default="grid.png", help="a .png, .jpg or .webp file, or a folder")
    parser.add_argument("--recipe", metavar="FILE:CLASS", help="the file of a recipe of your own, which will be run")
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist")
    parsed = parser.parse_strictly(words)
    if parsed.run is None:
        raise UsageError("say which run to sample, as in: ganvas sample runs/demo")
    n = _number("-n", parsed.n, int)
    seed = None if parsed.seed is None else _number("--seed", parsed.seed, int)
    truncation = None if parsed.truncation is None else _number("--truncation", parsed.truncation, float)
    from ganvas import sampling

    print(
        sampling.sample_to(
            Path(parsed.run),
            Path(parsed.out),
            n=n,
            label=parsed.label,
            seed=seed,
            truncation=truncation,
            recipe=parsed.recipe,
            overwrite=parsed.overwrite,
        )
    )
    return 0


def _recipes(words: list[str]) -> int:
    parser = Parser(
        prog="ganvas recipes",
        usage="ganvas recipes [NAME] [--json]",
        description="The GANs that can be trained, or one of them with its flags and presets.",
        epilog=EXAMPLES["recipes"],
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
    options = _own(recipe)
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
        print(f"  {option.flag}{choices:<2} {_help(option).replace('%%', '%')}")
    for preset, values in recipe.presets.items():
        flags = " ".join(f"{Option(key, str, None).flag} {value}" for key, value in values.items())
        print(f"  --preset {preset}: {flags}")
    return 0


def _data(words: list[str]) -> int:
    parser = Parser(
        prog="ganvas data",
        usage="ganvas data SOURCE [--size N|HxW] [--channels N] [--data-root FOLDER] [--json]",
        description="What Ganvas sees in a source: shape, splits, labels, and anything that was left out.",
        epilog=EXAMPLES["data"],
    )
    parser.add_argument("source", metavar="SOURCE", nargs="?")
    parser.add_argument("--size", metavar="N|HxW")
    parser.add_argument("--channels", metavar="N")
    parser.add_argument("--data-root", metavar="FOLDER")
    parser.add_argument("--json", action="store_true", help="for scripts")
    parsed = parser.parse_strictly(words)
    if parsed.source is None:
        raise UsageError("say which source to look at, as in: ganvas data photos/")
    from ganvas.data.prepare import describe, open_data

    data = open_data(
        parsed.source, size=_size(parsed.size), channels=_channels(parsed.channels), data_root=parsed.data_root
    )
    if parsed.json:
        print(json.dumps(data.to_json(), indent=2))
    else:
        print("\n".join(describe(data)))
    return 0


def _number(flag: str, text: str, kind: type) -> Any:
    return Option(flag.lstrip("-"), kind, None).check(text)


def _size(text: str | None) -> tuple[int, int] | None:
    """`64` or `48x64` (height x width)."""
    if text is None:
        return None
    parts = text.lower().split("x")
    if not all(part.isdecimal() for part in parts) or len(parts) > 2:
        raise UsageError(f"--size takes a number of pixels, or HEIGHTxWIDTH such as 48x64, not {text!r}")
    return int(parts[0]), int(parts[-1])


def _channels(text: str | None) -> int | None:
    return None if text is None else _number("--channels", text, int)


if __name__ == "__main__":
    main()
