"""`ganvas upscale`: photos enlarged by a trained network."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from ganvas.cli.parsing import Parser, number_of, say_what_begins
from ganvas.errors import UsageError
from ganvas.text import counted, shown

EXAMPLES = """examples:
  ganvas upscale photo.jpg --out large.png
  ganvas upscale holiday/ --out large/ --style perceptual --report compare.html
  ganvas upscale photo.jpg --out large.jpg --model runs/srgan-photos"""


def run(words: list[str]) -> int:
    say_what_begins("enlarging", words, {"--overwrite", "--quiet"}, {"--quiet"})
    parsed = _parser().parse_strictly(words)
    if not parsed.sources:
        raise UsageError("say what to enlarge, as in: ganvas upscale photo.jpg --out large.png")
    if parsed.out is None:
        raise UsageError("say where to write: --out large.png, or a folder")
    scale = None if parsed.scale is None else number_of("--scale", parsed.scale, int)
    if scale not in (None, 2, 3, 4):
        raise UsageError(f"--scale can be 2, 3 or 4, not {scale}")
    tile = None if parsed.tile is None else number_of("--tile", parsed.tile, int)
    if tile is not None and not 16 <= tile <= 4096:
        raise UsageError(f"--tile must be 16 to 4096, not {tile}")
    report = None if parsed.report is None else Path(parsed.report)
    if report is not None and report.exists() and not parsed.overwrite:
        raise UsageError(f"{report} exists; add --overwrite to replace it, or choose another --report")
    from ganvas.model import TILE, jobs, load, others_in_words
    from ganvas.upscaling import DEFAULT, Upscaler, upscale_files

    found = jobs(parsed.sources, parsed.out, overwrite=parsed.overwrite, skip=parsed.skip_existing)
    if found.passed_over and not parsed.quiet:
        print(f"note: {others_in_words(found.passed_over)}", file=sys.stderr)
    if found.there and not parsed.quiet:
        print(f"note: {counted(found.there, 'result')} there already", file=sys.stderr)
    model = load(parsed.model or DEFAULT, recipe=parsed.recipe)
    upscaler = Upscaler(
        model, scale=scale, style=parsed.style, tile=tile or TILE, precision=parsed.precision, device=parsed.device
    )
    outcomes = []
    for outcome in upscale_files(found.jobs, upscaler, report=report, progress=not parsed.quiet):
        outcomes.append(outcome)
        if outcome.error:
            print(f"ganvas: {shown(outcome.error)}", file=sys.stderr)
        elif not parsed.json and not parsed.quiet:
            speed = outcome.to_json()["megapixels_per_second"]
            told = f"; note: {outcome.note}" if outcome.note else ""
            print(f"{shown(outcome.target)}: {outcome.width} x {outcome.height} ({speed:.2f} megapixels/s){told}")
    if parsed.json:
        print(json.dumps([outcome.to_json() for outcome in outcomes], indent=2))
    failed = sum(bool(outcome.error) for outcome in outcomes)
    if failed:
        print(f"ganvas: {failed} of {len(outcomes)} pictures could not be enlarged", file=sys.stderr)
    if report is not None and failed < len(outcomes) and not parsed.json and not parsed.quiet:
        print(f"compare: {shown(str(report))}")
    return 2 if failed else 0


def _parser() -> Parser:
    parser = Parser(
        prog="ganvas upscale",
        usage="ganvas upscale IN... --out PATH [--scale 2|3|4] [--style faithful|perceptual|0..1] [flags]",
        description="Enlarge photos: files or folders, PNG, JPEG or WebP. Transparency, gray and EXIF are kept.",
        epilog=EXAMPLES,
    )
    parser.add_argument("sources", metavar="IN", nargs="*", help="pictures, or folders of them")
    parser.add_argument("--out", metavar="PATH", help="a .png, .jpg or .webp file, or a folder")
    parser.add_argument("--scale", metavar="2|3|4", help="how many times as high and wide (default: the model's, 4)")
    parser.add_argument(
        "--style",
        metavar="STYLE",
        help="faithful (nearest to the pixels), perceptual (a little sharper, some detail invented), or 0 to 1 between "
        "them (default: faithful; of a run, its last weights)",
    )
    parser.add_argument("--model", metavar="RUN", help="zoo:photo-x4 (default), or a run of srgan or esrgan")
    parser.add_argument("--recipe", metavar="FILE:CLASS", help="the file of a run's own recipe, which will be run")
    parser.add_argument("--report", metavar="PAGE.html", help="write a page with before and after under a slider")
    parser.add_argument("--tile", metavar="N", help="side of a tile in the picture's own pixels (default: 384)")
    parser.add_argument("--precision", metavar="P", default="auto", help="auto, bf16 or float32")
    parser.add_argument("--device", metavar="D", default="auto", help="auto, cpu, cuda, mps (default: auto)")
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist")
    parser.add_argument("--skip-existing", action="store_true", help="leave out files whose result exists")
    parser.add_argument("--json", action="store_true", help="for scripts")
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")
    return parser
