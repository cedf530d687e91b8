"""`ganvas translate`: files of one kind made into others by a trained run."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganvas.cli.given import add_given, given_of_words, inputs_of, joined
from ganvas.cli.parsing import Parser, number_of, say_what_begins
from ganvas.errors import UsageError
from ganvas.inputs import Input, given_of
from ganvas.progress_bar import say
from ganvas.text import counted, shown

if TYPE_CHECKING:
    from ganvas.model import Job, Kinds, Translated

EXAMPLES = """examples:
  ganvas translate runs/pix2pix-facades labels.png --out facade.png
  ganvas translate runs/cyclegan-emoji photos/ --out translated/ --report compare.html
  ganvas translate runs/pix2pix-facades --help                    tells what else can be given to this run"""

ALONE = ("--overwrite", "--own-size", "--training-size", "--skip-existing", "--json", "--quiet")
"""Flags that take no value."""


def run(words: list[str]) -> int:
    say_what_begins("loading", words, ALONE, {"--quiet"})
    inputs = inputs_of(words, ALONE)
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
    photos = of_photos(parsed)
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
        **photos,
        progress=not parsed.quiet,
    )
    return told(outcomes, parsed, model.step, "translated")


def of_photos(parsed: argparse.Namespace) -> dict[str, Any]:
    """How large results are to be, and the page that compares them, for `translate_files`. Raises UsageError."""
    if parsed.own_size and parsed.training_size:
        raise UsageError("--own-size and --training-size exclude one another")
    report = None if parsed.report is None else Path(parsed.report)
    if report is not None and report.exists() and not parsed.overwrite:
        raise UsageError(f"{report} exists; add --overwrite to replace it, or choose another --report")
    return {
        "size": "own" if parsed.own_size else "training" if parsed.training_size else "photo",
        "report": report,
    }


def found_by(parsed: argparse.Namespace, kinds: Kinds, notes: Sequence[str]) -> list[Job]:
    """What is to be made of which file; says the notes, and which files are none of these kinds. Raises UsageError."""
    from ganvas.model import jobs, others_in_words

    found = jobs(parsed.sources, parsed.out, kinds=kinds, overwrite=parsed.overwrite, skip=parsed.skip_existing)
    others_told = [others_in_words(found.passed_over, kinds)] if found.passed_over else []
    if found.there:
        others_told.append(f"{counted(found.there, 'result')} there already")
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
            size = f": {outcome.width} x {outcome.height}" if outcome.width else ""
            print(shown(outcome.target) + size + (f"; {outcome.note}" if outcome.note else ""))
    if parsed.json:
        print(json.dumps(list(map(asdict, made)), indent=2))
    failed = sum(bool(outcome.error) for outcome in made)
    if failed:
        print(f"ganvas: {failed} of {len(made)} files could not be {done}", file=sys.stderr)
    elif not parsed.json and not parsed.quiet and Path(parsed.out).is_dir():
        print(f"{len(made):,} in the folder {shown(parsed.out)} (step {step:,})")
    if parsed.report is not None and failed < len(made) and not parsed.json and not parsed.quiet:
        print(f"compare: {shown(parsed.report)}")
    return 2 if failed else 0


def _parser(inputs: Mapping[str, Input]) -> Parser:
    parser = Parser(
        prog="ganvas translate",
        usage="ganvas translate RUN IN... --out PATH [--seed S] [--truncation T] [what else is given]",
        description="Files made into others by a run that is given something: pictures by pix2pix or cyclegan, and\n"
        "whatever a recipe of your own takes. Of pictures the size, transparency and EXIF are kept.",
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
        help="show pictures to the network as large as they are (default: as in training, by the shorter side, "
        "and what it makes is brought back to the picture's size, with the picture's own fine detail)",
    )
    parser.add_argument("--training-size", action="store_true", help="leave results as large as in training")
    parser.add_argument("--report", metavar="PAGE.html", help="write a page with before and after under a slider")
    parser.add_argument("--recipe", metavar="FILE:CLASS", help="the file of a recipe of your own, which will be run")
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist")
    parser.add_argument("--skip-existing", action="store_true", help="leave out files whose result exists")
    parser.add_argument("--json", action="store_true", help="for scripts")
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")
