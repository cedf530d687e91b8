"""The command line: finds the command that was named and gives it the other words. `--help` imports no torch."""

from __future__ import annotations

import errno
import importlib
import io
import sys
from collections.abc import Sequence

from ganvas.cli.parsing import Parser
from ganvas.errors import GanvasError, UsageError, lacks_memory, near_miss
from ganvas.text import quoted, shown
from ganvas.version import __version__

COMMANDS = {
    "train": "train a GAN on a built-in set, a folder, an archive or an array file",
    "evaluate": "how good the samples of a run or a folder are",
    "tune": "the settings with which a recipe does best, searched in short trainings",
    "compare": "runs side by side: scores, seeds, what differs, and which differences are beyond noise",
    "runs": "the runs in a folder: their scores, and what the doctor says; renamed, deleted",
    "doctor": "what ails a run, live or over, and what to change",
    "film": "a training as a moving picture",
    "sample": "pictures from a trained run",
    "translate": "pictures and other files made into others by a trained run",
    "edit": "pictures of your own changed: their attributes, or by inversion what a run would make them of",
    "upscale": "photos enlarged by a trained network, without training one first",
    "export": "a run as an ONNX file, a folder for Hugging Face's Hub, or a web page",
    "serve": "an HTTP server that samples a run and enlarges photos",
    "studio": "a web page to train, watch, sample, evaluate, compare and export",
    "recipes": "the GANs that can be trained, and their flags",
    "new": "the file of a recipe of your own to begin with, and its test",
    "check": "whether a recipe keeps the contract, a line for each check",
    "data": "what Ganvas sees in a source of data",
    "plan": "about how long a training takes on other machines, and what bounds it",
    "completion": "what makes a shell complete commands, recipes and flags",
}
"""Each is a module of the same name in `ganvas.cli`, with a function `run`."""

EXAMPLES = """examples:
  ganvas train --data digits                     a conditional GAN on 4,500 handwritten digits, in about 2 minutes
  ganvas train --data photos/ --dry-run          what would be trained on your folder, and how
  ganvas sample runs/r3gan-digits -n 64 --out grid.png"""


SAVING = {
    "train": "a smaller --batch-size, or --accumulate 2 or more, which splits it; then a smaller --width or --size",
    "evaluate": "a smaller -n",
    "tune": "a smaller --batch-size with --search that leaves it out; then a smaller --width or --size",
    "sample": "a smaller -n",
    "upscale": "a smaller --tile, or --out PICTURE.png, which is written piece by piece",
}
"""What a command takes less memory with."""


def main(words: Sequence[str] | None = None) -> None:
    """The `ganvas` command. Exits 0 on success, 2 on a user's error (one line on stderr), 130 after Ctrl-C."""
    for stream in (sys.stdout, sys.stderr):
        # Names and labels may hold what a redirected stream's encoding does not: it is escaped, not a reason to stop.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    words = list(sys.argv[1:] if words is None else words)
    try:
        sys.exit(_run(words))
    except GanvasError as error:
        print(f"ganvas: {shown(str(error))}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("ganvas: interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()  # a reader such as `head` has seen enough; nothing is wrong
        sys.exit(0)
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
            print(f"ganvas: the name {quoted(str(error.filename))} is too long for a file", file=sys.stderr)
            sys.exit(2)
        if not lacks_memory(error):
            raise
        what = next(iter(str(error).splitlines()), "")[:100] or type(error).__name__
        advice = "other programs closed, or a machine with more of it"
        if not isinstance(error, ImportError):  # where not even PyTorch fits, no flag helps
            advice = SAVING.get(words[0], advice)
        print(f"ganvas: too little memory ({shown(what)}); what helps: {advice}", file=sys.stderr)
        sys.exit(2)


def _run(words: list[str]) -> int:
    if words and not words[0].startswith("-"):
        if words[0] not in COMMANDS:
            raise UsageError(f"there is no command {quoted(words[0])}{near_miss(words[0], COMMANDS)}")
        code: int = importlib.import_module(f"ganvas.cli.{words[0]}").run(words[1:])
        return code
    parser = Parser(
        prog="ganvas",
        description="Train, judge and use generative adversarial networks.\n\ncommands:\n"
        + "\n".join(f"  {name:<10} {summary}" for name, summary in COMMANDS.items()),
        usage="ganvas COMMAND ...",
        epilog=EXAMPLES + "\n\n`ganvas COMMAND --help` tells more about each.",
    )
    parser.add_argument("--version", action="version", version=f"ganvas {__version__}")
    parser.parse_strictly(words)
    parser.print_help()
    return 0


if __name__ == "__main__":
    main()
