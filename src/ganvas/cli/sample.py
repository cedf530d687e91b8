"""`ganvas sample`: samples from a trained run.

What can be given is told by the inputs that the run declares: `--label 7`, `--codes 0.5,-1`, `--source photo.png`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from ganvas.cli.hints import how_to_use
from ganvas.cli.parsing import Parser, first_plain, is_flag, number_of
from ganvas.errors import GanvasError, UsageError
from ganvas.files import read_regular
from ganvas.inputs import Input, given_of, inputs_from_json
from ganvas.options import flag_of
from ganvas.text import listed

EXAMPLES = """examples:
  ganvas sample runs/demo -n 64 --out grid.png
  ganvas sample runs/demo -n 100 --label 7 --seed 1 --out sevens/
  ganvas sample runs/demo --balanced 500 --out synthetic
  ganvas sample runs/demo --help                                 tells what else can be given to this run"""

_GIVEN = "given "
"""Before the names of inputs, so that none of them is taken for another value of the command."""


def run(words: list[str]) -> int:
    asked = "-h" in words or "--help" in words
    try:
        inputs = _inputs(words)
    except GanvasError:
        if not asked:
            raise
        inputs = {}
    parser = _parser(inputs)
    parsed = parser.parse_strictly(_joined(words, inputs))
    if parsed.run is None:
        raise UsageError("say which run to sample, as in: ganvas sample runs/demo")
    seed = None if parsed.seed is None else number_of("--seed", parsed.seed, int)
    truncation = None if parsed.truncation is None else number_of("--truncation", parsed.truncation, float)
    given = {
        name: _content(name, value) if each.file else value
        for name, each in inputs.items()
        if (value := getattr(parsed, _GIVEN + name, None)) is not None
    }
    _check_given(parsed.run, inputs, given, parsed.recipe)
    more: dict[str, Any] = {"seed": seed, "truncation": truncation, "recipe": parsed.recipe, "given": given}
    more["tell"] = lambda note: print(f"note: {note}", file=sys.stderr)
    from ganvas.model import files

    if parsed.balanced is not None:
        if parsed.out is None:
            raise UsageError("--balanced takes the folder to write, as in: --balanced 500 --out synthetic")
        if parsed.n is not None or "label" in given or parsed.overwrite:
            raise UsageError("--balanced makes as many of every label in a new folder: no -n, --label or --overwrite")
        each = number_of("--balanced", parsed.balanced, int)
        print(files.balanced_to(parsed.run, Path(parsed.out), each=each, **more))
        return 0
    n = None if parsed.n is None else number_of("-n", parsed.n, int)
    print(files.sample_to(parsed.run, Path(parsed.out or "grid.png"), n=n, overwrite=parsed.overwrite, **more))
    return 0


def _parser(inputs: Mapping[str, Input]) -> Parser:
    parser = Parser(
        prog="ganvas sample",
        usage="ganvas sample RUN [-n N] [--seed S] [--truncation T] [--out grid.png|FOLDER] [what is given]\n"
        "       ganvas sample RUN --balanced N --out FOLDER [--seed S] [--truncation T]",
        description="Samples from a trained run: one grid into a file, or single ones into a folder.",
        epilog=EXAMPLES,
    )
    parser.add_argument("run", metavar="RUN", nargs="?", help="a run folder, or zoo:NAME")
    parser.add_argument("-n", metavar="N", help="how many (default: 64, or 1 where nothing is drawn)")
    parser.add_argument(
        "--balanced", metavar="N", help="N of every label into a labelled folder, its passport beside it"
    )
    parser.add_argument("--seed", metavar="S", help="the same seed gives the same samples (default: a new one)")
    parser.add_argument(
        "--truncation",
        metavar="T",
        help="0 to 1: nearer to the average sample, with less variety (default: 1, as drawn)",
    )
    parser.add_argument("--out", metavar="PATH", help="a .png, .jpg or .webp file, or a folder")
    parser.add_argument("--recipe", metavar="FILE:CLASS", help="the file of a recipe of your own, which will be run")
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist")
    told = {name: each for name, each in inputs.items() if each.admits()}
    group = parser.add_argument_group("what is given to this run") if told else None
    for name, each in told.items():
        assert group is not None
        drawn = "" if each.file else f" (default: {'all in turn' if each.choices else 'drawn'})"
        metavar = "FILE" if each.file else name.upper()
        help = (each.admits() + drawn).replace("%", "%%")
        group.add_argument(flag_of(name), metavar=metavar, help=help, dest=_GIVEN + name)
    return parser


def _inputs(words: Sequence[str]) -> dict[str, Input]:
    """What the run that the words name declares; of one from before runs said so, by loading it. {} where they name
    none."""
    place = first_plain(words, lambda flag, word: flag in ("--overwrite", "-h", "--help"))
    if place is None:
        return {}
    named = words[place]
    from ganvas.model import zoo
    from ganvas.run import read_config

    if not zoo.is_zoo(named):
        config = read_config(Path(named))
        if "inputs" in config:
            return inputs_from_json(config["inputs"])
    recipe = next((value for flag, value in pairwise(words) if flag == "--recipe"), None)
    from ganvas.model import load

    return dict(load(named, recipe=recipe).inputs)


def _joined(words: Sequence[str], inputs: Mapping[str, Input]) -> list[str]:
    """The words, in which what is given stands with its flag, since -0.5,1 would be taken for a flag itself."""
    flags, joined = set(map(flag_of, inputs)), list[str]()
    for word in words:
        if joined and joined[-1] in flags and not is_flag(word):
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


def _content(name: str, path: str) -> bytes:
    try:
        return read_regular(Path(path))
    except OSError as error:
        raise UsageError(f"{flag_of(name)} {path} cannot be read: {error.strerror or error}") from None


def _check_given(run: str, inputs: Mapping[str, Input], given: Mapping[str, Any], recipe: str | None) -> None:
    """Raises UsageError, with what to do, where something must be given and is not."""
    wanted = given_of(inputs)
    lacking = [name for name in wanted if name not in given]
    if not lacking:
        return
    flags = " ".join(f"{flag_of(name)} FILE" for name in lacking)
    enlarges = any(each.scale > 1 for each in wanted.values())
    hint = f", or for photos: {how_to_use(run, wanted, recipe)}" if enlarges else ""
    raise UsageError(f"{run} makes something of what it is given, so give {listed(lacking)}: {flags}{hint}")
