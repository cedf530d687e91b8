"""`ganvas evaluate`: how good a run or a folder of samples is, and two passports side by side."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ganvas.cli.parsing import Parser, add_options, number_of, say_what_begins
from ganvas.errors import UsageError
from ganvas.options import Option, flag_of

if TYPE_CHECKING:
    from ganvas.metrics.judgement import Report

EXAMPLES = """examples:
  ganvas evaluate runs/demo --json demo.json
  ganvas evaluate samples/ --data photos/ --metrics fid,kid
  ganvas evaluate upscaled/ --pairs originals/ --border 4
  ganvas evaluate --compare a.json b.json"""

FLAGS = (
    ("--data", "SOURCE", "what it should be like (default: what the run was trained on)"),
    ("--pairs", "FOLDER", "pictures of the same names to compare with one by one"),
    (
        "--metrics",
        "A,B,...",
        "default: all that apply of fid, kid, is, precision, recall, density, coverage, diversity, accuracy, "
        "class-fid, tstr, memorisation, modes, of sounds loudness, pitch, of tables columns, pairs, boosting, "
        "real-or-fake, privacy; with --pairs of psnr, ssim, ms-ssim, perceptual",
    ),
    (
        "--extractor",
        "NAME",
        "inception, lite0, lite2 (an extra), native, coordinates, look or path/to/file.py:Class",
    ),
    ("--weights", "PATH", "Inception's weights, where torch-fidelity's cache has none"),
    ("-n", "N", "samples, and items of the data at most (default: 2000)"),
    (
        "--split",
        "S",
        "train, validation or test, several such as validation+test, or all (default: train of what a run was trained "
        "on, all of other data)",
    ),
    ("--seed", "S", "of the samples and of every draw (default: 0)"),
    ("--truncation", "T", "0 to 1: nearer to the average sample, with less variety (1: as drawn)"),
    ("--border", "N", "with --pairs, or of photos that a model enlarges: pixels left out on each side"),
    ("--style", "STYLE", "of a model that enlarges photos: faithful, perceptual or a number from 0 to 1"),
    ("--data-root", "FOLDER", "where torchvision's data sets lie"),
    ("--recipe", "FILE:CLASS", "the file of a recipe of your own, which will be run"),
    ("--json", "PATH", "write the scores with their passport"),
    ("--pictures", "PATH", "where to show the samples nearest to training items (default: beside --json)"),
)


def run(words: list[str]) -> int:
    say_what_begins("judging", words, {"--overwrite", "--quiet"}, {"--quiet", "--compare"})
    parser = _parser()
    parsed = parser.parse_strictly(words)
    if parsed.compare:
        if parsed.source is not None or parsed.data is not None or parsed.pairs is not None:
            raise UsageError("--compare takes two passports and nothing to judge")
        from ganvas.metrics.compare import compare

        print(compare(*map(Path, parsed.compare)))
        return 0
    if parsed.source is None:
        raise UsageError("say what to judge, as in: ganvas evaluate runs/demo")
    from ganvas.metrics.passport import check_writable

    json_path = Path(parsed.json) if parsed.json else None
    pictures = Path(parsed.pictures) if parsed.pictures else None
    if json_path is not None:
        check_writable(json_path, parsed.overwrite)
        pictures = pictures or json_path.with_name(f"{json_path.stem}-nearest.png")
    if pictures is not None and parsed.pictures and pictures.exists() and not parsed.overwrite:
        raise UsageError(f"{pictures} exists; add --overwrite to replace it, or choose another --pictures")
    report = _judged_pairs(parsed) if parsed.pairs is not None else _judged(parsed)
    print(report)
    for warning in report.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if json_path is not None:
        report.save(json_path)
        print(f"passport: {json_path}")
    if pictures is not None and report.nearest is not None:
        report.save_nearest(pictures)
        print(f"the samples nearest to training items, each above its item: {pictures}")
    return 0


def _judged(parsed: argparse.Namespace) -> Report:
    from ganvas.metrics.evaluate import evaluate

    return evaluate(
        parsed.source,
        parsed.data,
        metrics=_list(parsed.metrics),
        extractor=parsed.extractor,
        weights=parsed.weights,
        n=None if parsed.n is None else number_of("-n", parsed.n, int),
        split=parsed.split,
        seed=number_of("--seed", parsed.seed or "0", int),
        truncation=None if parsed.truncation is None else number_of("--truncation", parsed.truncation, float),
        data_root=parsed.data_root,
        recipe=parsed.recipe,
        style=parsed.style,
        border=None if parsed.border is None else number_of("--border", parsed.border, int),
        progress=not parsed.quiet,
        **{option.name: getattr(parsed, option.name) for option in _reading()},
    )


def _judged_pairs(parsed: argparse.Namespace) -> Report:
    reading = [option.name for option in _reading()]
    for flag in ("data", "split", "n", "truncation", *reading, "data_root", "recipe", "style"):
        if getattr(parsed, flag) is not None:
            raise UsageError(f"--pairs compares two folders as they are, and does not take {_flag(flag)}")
    from ganvas.metrics.paired import evaluate_pairs

    return evaluate_pairs(
        parsed.source,
        parsed.pairs,
        metrics=_list(parsed.metrics),
        extractor=parsed.extractor,
        weights=parsed.weights,
        border=0 if parsed.border is None else number_of("--border", parsed.border, int),
        seed=number_of("--seed", parsed.seed or "0", int),
        progress=not parsed.quiet,
    )


def _flag(name: str) -> str:
    return f"-{name}" if len(name) == 1 else flag_of(name)


def _list(text: str | None) -> list[str] | None:
    return None if text is None else [word for word in text.split(",") if word.strip()]


def _reading() -> list[Option]:
    from ganvas.data.batches import BUILT_IN, reading_options

    return reading_options(BUILT_IN)


def _parser() -> Parser:
    parser = Parser(
        prog="ganvas evaluate",
        usage="ganvas evaluate RUN|FOLDER|ARCHIVE --data SOURCE [flags]\n"
        "       ganvas evaluate FOLDER --pairs FOLDER [--border N]\n"
        "       ganvas evaluate --compare A.json B.json",
        description="How good are the samples of a run, or those in a folder? Every score has a 95% interval and the\n"
        "name of the extractor that it depends on.",
        epilog=EXAMPLES,
    )
    parser.add_argument("source", metavar="RUN|FOLDER|ARCHIVE", nargs="?", help="a run, or samples that exist already")
    for flag, metavar, told in FLAGS:
        parser.add_argument(flag, metavar=metavar, help=told)
    add_options(parser.add_argument_group("how to read the data"), _reading())
    parser.add_argument("--compare", metavar=("A.json", "B.json"), nargs=2, help="two passports side by side")
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    return parser
