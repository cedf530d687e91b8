"""`ganvas compare`: runs side by side."""

from __future__ import annotations

from pathlib import Path

from ganvas.cli.parsing import Parser, number_of
from ganvas.errors import UsageError

EXAMPLES = """examples:
  ganvas compare runs/a runs/b
  ganvas compare runs/dcgan-digits-seeds/seed-* runs/r3gan-digits-seeds/seed-* --evaluate --out page.html
  ganvas compare runs/a runs/b --out table.md --out page.html"""


def run(words: list[str]) -> int:
    parsed = _parser().parse_strictly(words)
    from ganvas.comparing import check_out, compare

    outs = [check_out(path) for path in parsed.out]
    for path in outs:
        if path.exists() and not parsed.overwrite:
            raise UsageError(f"{path} exists; add --overwrite to replace it, or choose another --out")
    for flag in ("metrics", "extractor", "n", "split"):
        if getattr(parsed, flag) is not None and not parsed.evaluate:
            raise UsageError(f"{'-' if flag == 'n' else '--'}{flag} goes with --evaluate")
    found = compare(
        *map(Path, parsed.runs),
        evaluate=parsed.evaluate,
        metrics=None if parsed.metrics is None else [name for name in parsed.metrics.split(",") if name.strip()],
        extractor=parsed.extractor,
        n=None if parsed.n is None else number_of("-n", parsed.n, int),
        split=parsed.split,
        seed=number_of("--seed", parsed.seed or "0", int),
        recipe=parsed.recipe,
        progress=not parsed.json,
    )
    print(found.to_json() if parsed.json else found)
    for path in outs:
        found.save(path)
        if not parsed.json:
            print(f"written: {path}")
    return 0


def _parser() -> Parser:
    parser = Parser(
        prog="ganvas compare",
        usage="ganvas compare RUN RUN... [--evaluate] [--out page.html] [--out table.md]",
        description="Runs of the same data side by side. Those that differ by their seed alone are one configuration;\n"
        "which differences are beyond noise is told by the spread of seeds, or by intervals where there are none.",
        epilog=EXAMPLES,
    )
    parser.add_argument("runs", metavar="RUN", nargs="*", help="run folders, of the same data")
    parser.add_argument("--evaluate", action="store_true", help="judge each run now, and keep that in RUN/scores.json")
    parser.add_argument("--metrics", metavar="A,B,...", help="with --evaluate: as ganvas evaluate takes them")
    parser.add_argument("--extractor", metavar="NAME", help="with --evaluate: as ganvas evaluate takes it")
    parser.add_argument("-n", metavar="N", help="with --evaluate: samples of each run (default: 2000)")
    parser.add_argument("--split", metavar="S", help="with --evaluate: of the data, such as validation")
    parser.add_argument("--seed", metavar="S", help="of the samples (default: 0)")
    parser.add_argument("--recipe", metavar="FILE:CLASS", help="the file of a recipe of your own, which will be run")
    parser.add_argument(
        "--out", metavar="PATH", action="append", default=[], help="a .html, .md or .json file; can be given again"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist")
    parser.add_argument("--json", action="store_true", help="for scripts")
    return parser
