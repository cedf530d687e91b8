"""`ganvas sample`: samples from a trained run.

What can be given is told by the inputs that the run declares: `--label 7`, `--codes 0.5,-1`, `--source photo.png`,
`--caption "a red hat"` or `--captions FILE`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ganvas.cli.given import add_given, add_lines, given_of_words, inputs_of, joined, lines_of_words, remarks
from ganvas.cli.hints import how_to_use
from ganvas.cli.parsing import Parser, number_of, say_what_begins
from ganvas.errors import UsageError
from ganvas.inputs import Input, given_of
from ganvas.options import flag_of
from ganvas.text import listed

EXAMPLES = """examples:
  ganvas sample runs/demo -n 64 --out grid.png
  ganvas sample runs/demo -n 100 --label 7 --seed 1 --out sevens/
  ganvas sample runs/faces --caption "a man with a red beard" -n 8 --out men.png
  ganvas sample runs/names -n 20 --temperature 0.8               texts are printed
  ganvas sample runs/customers -n 1000 --where country=DE --out rows.csv
  ganvas sample runs/demo --balanced 500 --out synthetic
  ganvas sample runs/demo --help                                 tells what else can be given to this run"""

OF_EACH_LINE = 8
"""Samples of each line of a file, where -n does not say."""

_ALONE = ("--overwrite",)


def run(words: list[str]) -> int:
    say_what_begins("loading", words, _ALONE, ())
    inputs = inputs_of(words, _ALONE)
    parsed = _parser(inputs).parse_strictly(joined(words, inputs))
    if parsed.run is None:
        raise UsageError("say which run to sample, as in: ganvas sample runs/demo")
    seed = None if parsed.seed is None else number_of("--seed", parsed.seed, int)
    truncation = None if parsed.truncation is None else number_of("--truncation", parsed.truncation, float)
    given = given_of_words(parsed, inputs)
    lines = lines_of_words(parsed, inputs)
    _check_given(parsed.run, inputs, given, parsed.recipe)
    more: dict[str, Any] = {"seed": seed, "truncation": truncation, "recipe": parsed.recipe}
    more["tell"] = lambda note: print(f"note: {note}", file=sys.stderr)
    for note in remarks({**given, **lines}, inputs):
        more["tell"](note)
    from ganvas.model import files

    if parsed.balanced is not None:
        if parsed.out is None:
            raise UsageError("--balanced takes the folder to write, as in: --balanced 500 --out synthetic")
        if parsed.n is not None or lines or "label" in given or parsed.overwrite or parsed.format:
            raise UsageError(
                "--balanced makes as many of every label in a new folder: no -n, --label, --format or --overwrite"
            )
        each = number_of("--balanced", parsed.balanced, int)
        print(files.balanced_to(parsed.run, Path(parsed.out), each=each, given=given, **more))
        return 0
    n = None if parsed.n is None else number_of("-n", parsed.n, int)
    if lines:  # a row of the grid for each line
        more["columns"] = each = OF_EACH_LINE if n is None else max(1, n)
        n = each * len(next(iter(lines.values())))
        given |= {name: [line for line in found for _ in range(each)] for name, found in lines.items()}
    more |= {"n": n, "given": given, "overwrite": parsed.overwrite, "format": parsed.format}
    print(files.sample_to(parsed.run, Path(parsed.out) if parsed.out else None, **more))
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
    parser.add_argument(
        "--out",
        metavar="PATH",
        help="a .png, .jpg or .webp file, a .txt of texts, a .csv of rows, or a folder",
    )
    parser.add_argument(
        "--format", metavar="F", help="of single samples, where there is a choice: wav or flac of sounds"
    )
    parser.add_argument("--recipe", metavar="FILE:CLASS", help="the file of a recipe of your own, which will be run")
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist")
    add_given(parser, inputs)
    add_lines(parser, inputs)
    return parser


def _check_given(run: str, inputs: Mapping[str, Input], given: Mapping[str, Any], recipe: str | None) -> None:
    """Raises UsageError, with what to do, where something must be given and is not."""
    wanted = given_of(inputs)
    lacking = [name for name in wanted if name not in given]
    if not lacking:
        return
    flags = " ".join(f"{flag_of(name)} FILE" for name in lacking)
    hint = f", or for files and folders: {how_to_use(run, wanted, recipe)}"
    raise UsageError(f"{run} makes something of what it is given, so give {listed(lacking)}: {flags}{hint}")
