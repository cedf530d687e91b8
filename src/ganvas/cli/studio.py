"""`ganvas studio`: a web page over a folder of runs."""

from __future__ import annotations

import warnings

from ganvas.cli.parsing import Parser, add_address, number_of
from ganvas.errors import needed
from ganvas.options import Option, Range
from ganvas.progress_bar import say_first

EXAMPLES = """examples:
  ganvas studio
  ganvas studio --runs experiments --port 8080
  ganvas studio --host 0.0.0.0 --token-file token.txt"""


def run(words: list[str]) -> int:
    parser = Parser(
        prog="ganvas studio",
        usage="ganvas studio [--runs FOLDER] [--host H] [--port P] [--token-file F] [--allow-host NAME]",
        description="A web page to train, watch, sample, walk, change, enlarge, evaluate, compare and export.\n"
        'It needs: pip install "ganvas[studio]"',
        epilog=EXAMPLES,
    )
    parser.add_argument("--runs", metavar="FOLDER", default="runs", help="the folder of runs (default: runs)")
    add_address(parser, 7860)
    parser.add_argument("--token-file", metavar="F", help="its first line is the token that visitors are asked for")
    parser.add_argument("--upload", metavar="N", help="bytes of an uploaded file at most (default: 2147483648)")
    parsed = parser.parse_strictly(words)
    upload = Option("upload", int, None, range=Range(1024, 2**40)).check(parsed.upload) if parsed.upload else None
    port = number_of("--port", parsed.port, int)
    for package in ("fastapi", "uvicorn", "prometheus_client"):
        needed(package, "studio")
    # What pydantic says of the models of web libraries is nothing that somebody at a terminal could mend.
    warnings.filterwarnings("ignore", category=UserWarning, module=r"pydantic\b")
    say_first("starting the studio", True)
    from ganvas.web.studio import studio

    studio(
        parsed.runs,
        host=parsed.host,
        port=port,
        token_file=parsed.token_file,
        allow_host=parsed.allow_host,
        upload=upload,
    )
    return 0
