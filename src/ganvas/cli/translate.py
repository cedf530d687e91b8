"""`ganvas translate`: files of one kind made into others by a trained run."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from ganvas.cli.given import add_given, given_of_words, inputs_of, joined
from ganvas.cli.parsing import Parser, number_of
from ganvas.errors import UsageError
from ganvas.inputs import Input, given_of
from ganvas.progress_bar import say
from ganvas.text import counted, shown

EXAMPLES = """examples:
  ganvas translate runs/pix2pix-facades labels.png --out facade.png
  ganvas translate runs/cyclegan-emoji photos/ --out translated/ --report compare.html
  ganvas translate runs/pix2pix-facades --help                    tells what else can be given to this run"""

_ALONE = ("--overwrite", "--own-size", "--training-size", "--skip-existing", "--json", "--quiet")


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
    if parsed.own_size and parsed.training_size:
        raise UsageError("--own-size and --training-size exclude one another")
    report = None if parsed.report is None else Path(parsed.report)
    if report is not None and report.exists() and not parsed.overwrite:
        raise UsageError(f"{report} exists; add --overwrite to replace it, or choose another --report")
    given = given_of_words(parsed, others)
    from ganvas.model import jobs, kinds_of, load, others_in_words, translate_files

    model = load(parsed.run, recipe=parsed.recipe)
    kinds = kinds_of(model)
    found = jobs(parsed.sources, parsed.out, kinds=kinds, overwrite=parsed.overwrite, skip=parsed.skip_existing)
    others_told = [others_in_words(found.passed_over, kinds)] if found.passed_over else []
    if found.there:
        others_told.append(f"{counted(found.there, 'result')} there already")
    for note in (*model.notes, *others_told):
        say(f"note: {note}", not parsed.quiet)
    made = []
    for outcome in translate_files(
        found.jobs,
        model,
        seed=seed,
        truncation=truncation,
        given=given,
        size="own" if parsed.own_size else "training" if parsed.training_size else "photo",
        report=report,
        progress=not parsed.quiet,
    ):
        made.append(outcome)
        if outcome.error:
            print(f"ganvas: {outcome.error}", file=sys.stderr)
        elif not parsed.json and not parsed.quiet:
            size = f": {outcome.width} x {outcome.height}" if outcome.width else ""
            print(shown(outcome.target) + size + (f"; note: {outcome.note}" if outcome.note else ""))
    if parsed.json:
        print(json.dumps(list(map(asdict, made)), indent=2))
    failed = sum(bool(outcome.error) for outcome in made)
    if failed:
        print(f"ganvas: {failed} of {len(made)} files could not be translated", file=sys.stderr)
    elif not parsed.json and not parsed.quiet and Path(parsed.out).is_dir():
        print(f"{len(made):,} in the folder {shown(parsed.out)} (step {model.step:,})")
    if report is not None and failed < len(made) and not parsed.json and not parsed.quiet:
        print(f"compare: {shown(str(report))}")
    return 2 if failed else 0


def _parser(inputs: Mapping[str, Input]) -> Parser:
    parser = Parser(
        prog="ganvas translate",
        usage="ganvas translate RUN IN... --out PATH [--seed S] [--truncation T] [what else is given]",
        description="Files made into others by a run that is given something: pictures by pix2pix or cyclegan, and\n"
        "whatever a recipe of your own takes. Of pictures the size, transparency and EXIF are kept.",
        epilog=EXAMPLES,
    )
    parser.add_argument("run", metavar="RUN", nargs="?", help="a run folder, or zoo:NAME")
    parser.add_argument("sources", metavar="IN", nargs="*", help="files, or folders of them")
    parser.add_argument("--out", metavar="PATH", help="a file such as translated.png, or a folder")
    parser.add_argument("--seed", metavar="S", help="of what is drawn, the same for all files (default: a new one)")
    parser.add_argument("--truncation", metavar="T", help="0 to 1: nearer to the average (default: 1, as drawn)")
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
    add_given(parser, inputs)
    return parser
