"""`ganvas film`: a training as a moving picture. It needs no PyTorch."""

from __future__ import annotations

from pathlib import Path

from ganvas.cli.parsing import Parser
from ganvas.errors import UsageError
from ganvas.options import Option, Range

EXAMPLES = """examples:
  ganvas film runs/demo --out film.webp
  ganvas film runs/demo --out film.gif --seconds 5 --width 480"""

SECONDS = Option("seconds", float, None, range=Range(0.1, 600))
FPS = Option("fps", float, None, range=Range(0.1, 50))
WIDTH = Option("width", int, None, range=Range(16, 4096))


def run(words: list[str]) -> int:
    parser = Parser(
        prog="ganvas film",
        usage="ganvas film RUN --out film.webp|.gif|.png [--fps F | --seconds S] [--width W] [--plain] [--overwrite]",
        description="A training as a moving picture: the samples of the same inputs at the moments that the run keeps.",
        epilog=EXAMPLES,
    )
    parser.add_argument("run", metavar="RUN", nargs="?", help="a run folder")
    parser.add_argument("--out", metavar="FILE", help="a .webp (the smallest), .gif (plays everywhere) or .png file")
    parser.add_argument("--fps", metavar="F", help="moments a second (default: 4)")
    parser.add_argument("--seconds", metavar="S", help="how long one round takes, in place of --fps")
    parser.add_argument("--width", metavar="W", help="pixels (default: as the pictures are, small ones enlarged)")
    parser.add_argument("--plain", action="store_true", help="without the step below")
    parser.add_argument("--overwrite", action="store_true", help="replace a file that exists")
    parsed = parser.parse_strictly(words)
    if parsed.run is None or parsed.out is None:
        missing = "which run to film" if parsed.run is None else "where to write the film"
        raise UsageError(f"say {missing}, as in: ganvas film runs/demo --out film.webp")
    if parsed.fps is not None and parsed.seconds is not None:
        raise UsageError("--fps or --seconds: either says how fast it is")
    values = {
        option.name: None if (given := getattr(parsed, option.name)) is None else option.check(given)
        for option in (SECONDS, FPS, WIDTH)
    }
    from ganvas.report import write_film
    from ganvas.run import read_config

    folder = Path(parsed.run)
    read_config(folder)  # which refuses what is no run
    print(write_film(folder, Path(parsed.out), captions=not parsed.plain, overwrite=parsed.overwrite, **values))
    return 0
