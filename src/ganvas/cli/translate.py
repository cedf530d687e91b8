"""`ganvas translate`: files of one kind made into others by a trained run."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from ganvas.cli.given import add_given, given_of_words, inputs_of, joined
from ganvas.cli.parsing import Parser, number_of
from ganvas.errors import UsageError
from ganvas.inputs import Input, given_of
from ganvas.progress_bar import say
from ganvas.text import shown

if TYPE_CHECKING:
    from ganvas.model import Job, Kinds, Translated

EXAMPLES = """examples:
  ganvas translate runs/pix2pix-facades labels.png --out facade.png
  ganvas translate runs/cyclegan-emoji photos/ --out translated/ --seed 1
  ganvas translate runs/pix2pix-facades --help                    tells what else can be given to this run"""

_ALONE = ("--overwrite", "--own-size", "--json", "--quiet")


def run(words: list[str]) -> int:
    inputs = inputs_of(words, _ALONE)
    first = next(iter(given_of(inputs)), None)
    others = {name: each for name, each in inputs.items() if name != first}
    parsed = _parser(others).parse_strictly(joined(words, others))
    if parsed.run is None:
        raise UsageError("say which run translates, as in: ganvas translate runs/pix2pix-facades label.png --out x")
    if first is None:
        raise UsageError(f"{parsed.run} makes samples of nothing that is given; take ganvas sample")
    if not parsed.sources:
        raise UsageError(f"say what to translate behind {parsed.run}: {inputs[first].admits()}, or folders of them")
    if parsed.out is None:
        raise UsageError("say where to write: --out translated.png, or a folder")
    seed = None if parsed.seed is None else number_of("--seed", parsed.seed, int)
    truncation = None if parsed.truncation is None else number_of("--truncation", parsed.truncation, float)
    given = given_of_words(parsed, others)
    from ganvas.model import kinds_of, load, translate_files

    model = load(parsed.run, recipe=parsed.recipe)
    found = found_by(parsed, kinds_of(model), model.notes)
    outcomes = translate_files(
        found,
        model,
        seed=seed,
        truncation=truncation,
        given=given,
        own_size=parsed.own_size,
        progress=not parsed.quiet,
    )
    return told(outcomes, parsed, model.step, "translated")


def found_by(parsed: argparse.Namespace, kinds: Kinds, notes: Sequence[str]) -> list[Job]:
    """What is to be made of which file; says the notes, and which files are none of these kinds. Raises UsageError."""
    from ganvas.model import jobs, others_in_words

    found = jobs(parsed.sources, parsed.out, kinds=kinds, overwrite=parsed.overwrite)
    others_told = [others_in_words(found.passed_over, kinds)] if found.passed_over else []
    for note in (*notes, *others_told):
        say(f"note: {note}", not parsed.quiet)
    return found.jobs


def told(outcomes: Iterable[Translated], parsed: argparse.Namespace, step: int, done: str) -> int:
    """Makes the files and says what became of each; the exit code. done: what was done to them, in a word."""
    made = []
    for outcome in outcomes:
        made.append(outcome)
        if outcome.error:
            print(f"ganvas: {outcome.error}", file=sys.stderr)
        elif not parsed.json and not parsed.quiet:
            print(shown(outcome.target) + (f"  {outcome.note}" if outcome.note else ""))
    if parsed.json:
        print(json.dumps(list(map(asdict, made)), indent=2))
    failed = sum(bool(outcome.error) for outcome in made)
    if failed:
        print(f"ganvas: {failed} of {len(made)} files could not be {done}", file=sys.stderr)
    elif not parsed.json and not parsed.quiet and Path(parsed.out).is_dir():
        print(f"{len(made):,} in the folder {shown(parsed.out)} (step {step:,})")
    return 2 if failed else 0


def _parser(inputs: Mapping[str, Input]) -> Parser:
    parser = Parser(
        prog="ganvas translate",
        usage="ganvas translate RUN IN... --out PATH [--seed S] [--truncation T] [what else is given]",
        description="Files made into others by a run that is given something: pictures by pix2pix or cyclegan, and\n"
        "whatever a recipe of your own takes.",
        epilog=EXAMPLES,
    )
    add_files(parser)
    parser.add_argument("--truncation", metavar="T", help="0 to 1: nearer to the average (default: 1, as drawn)")
    add_given(parser, inputs)
    return parser


def add_files(parser: Parser) -> None:
    """The run, the files that are read and written, and how."""
    parser.add_argument("run", metavar="RUN", nargs="?", help="a run folder, or zoo:NAME")
    parser.add_argument("sources", metavar="IN", nargs="*", help="files, or folders of them")
    parser.add_argument("--out", metavar="PATH", help="a file such as made.png, or a folder")
    parser.add_argument("--seed", metavar="S", help="of what is drawn, the same for all files (default: a new one)")
    parser.add_argument(
        "--own-size",
        action="store_true",
        help="leave pictures as large as they are (default: as in training, the shorter side)",
    )
    parser.add_argument("--recipe", metavar="FILE:CLASS", help="the file of a recipe of your own, which will be run")
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist")
    parser.add_argument("--json", action="store_true", help="for scripts")
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")
