"""`ganvas export`: a run or a model of the zoo as an ONNX file, a folder for Hugging Face's Hub, or a web page."""

from __future__ import annotations

from ganvas.cli.parsing import Parser, say_what_begins
from ganvas.errors import UsageError

EXAMPLES = """examples:
  ganvas export runs/demo --format onnx --out digits.onnx
  ganvas export runs/demo --format hub --out digits-gan/
  ganvas export runs/demo --format web --out digits.html      a page that samples in the visitor's browser
  ganvas export zoo:photo-x4 --format onnx --out enlarge.onnx --style perceptual"""


def run(words: list[str]) -> int:
    say_what_begins("exporting", words, {"--overwrite"}, ())
    parser = Parser(
        prog="ganvas export",
        usage="ganvas export RUN --format onnx|hub|web --out PATH [--style STYLE] [--recipe FILE:CLASS] [--overwrite]",
        description="A trained run as something that other programs use. Each export is compared with PyTorch before\n"
        'it is written; onnx and web need: pip install "ganvas[export]"',
        epilog=EXAMPLES,
    )
    parser.add_argument("run", metavar="RUN", nargs="?", help="a run folder, or zoo:photo-x4")
    parser.add_argument("--format", metavar="onnx|hub|web", help="what to write")
    parser.add_argument("--out", metavar="PATH", help="a file .onnx or .html, or a folder for hub")
    parser.add_argument(
        "--style", metavar="STYLE", help="of a model with several weights: faithful, perceptual, or 0 to 1 between them"
    )
    parser.add_argument("--recipe", metavar="FILE:CLASS", help="the file of a recipe of your own, which will be run")
    parser.add_argument("--overwrite", action="store_true", help="replace what exists")
    parsed = parser.parse_strictly(words)
    for name, value in (("RUN", parsed.run), ("--format", parsed.format), ("--out", parsed.out)):
        if value is None:
            raise UsageError(f"{name} is missing, as in: ganvas export runs/demo --format onnx --out digits.onnx")
    from ganvas.exporting import export

    made = export(
        parsed.run,
        parsed.format,
        parsed.out,
        recipe=parsed.recipe,
        style=parsed.style,
        overwrite=parsed.overwrite,
    )
    print(made)
    return 0
