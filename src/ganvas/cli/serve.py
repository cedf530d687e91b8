"""`ganvas serve`: a run as an HTTP server."""

from __future__ import annotations

from ganvas.cli.parsing import Parser, add_address, number_of, say_what_begins
from ganvas.errors import UsageError, needed
from ganvas.options import Option, Range

EXAMPLES = """examples:
  ganvas serve runs/demo
  ganvas serve zoo:photo-x4                     enlarges pictures, and does nothing else
  ganvas serve runs/demo --host 0.0.0.0 --port 80 --token-file token.txt"""

LIMITS = (
    ("samples", int, Range(1, 4096), "samples in one request at most (default: 64)"),
    ("waiting", int, Range(1, 1_000_000), "samples in the queue, beyond which the answer is 429 (default: 1024)"),
    ("batch", int, Range(1, 1024), "samples in one run of the network; 1 turns batching off (default: 16)"),
    ("seconds", float, Range(0.1, 3600), "to send a request, and to wait for samples (default: 30)"),
    ("upload", int, Range(1024, 2**30), "bytes of a request that holds a picture at most (default: 16777216)"),
    ("pixels", int, Range(16, 100_000_000), "pixels of a picture to enlarge at most (default: 2000000)"),
    ("pictures", int, Range(1, 10_000), "pictures in the queue, beyond which the answer is 429 (default: 8)"),
    ("picture-seconds", float, Range(0.1, 86_400), "to wait for an enlarged picture (default: 120)"),
    ("inversion-seconds", float, Range(0.1, 3600), "that an inversion takes at most (default: 20)"),
)


def run(words: list[str]) -> int:
    say_what_begins("loading", words, (), ())
    parser = Parser(
        prog="ganvas serve",
        usage="ganvas serve RUN [--host H] [--port P] [--token-file F] [flags]",
        description="An HTTP server that samples a trained run, and changes or enlarges pictures. It needs:\n"
        'pip install "ganvas[serve]"',
        epilog=EXAMPLES,
    )
    parser.add_argument("run", metavar="RUN", nargs="?", help="a run folder, or zoo:photo-x4")
    add_address(parser, 8000)
    parser.add_argument("--token-file", metavar="F", help="its first line is the bearer token that every request needs")
    parser.add_argument("--recipe", metavar="FILE:CLASS", help="the file of a recipe of your own, which will be run")
    parser.add_argument(
        "--upscaler",
        metavar="MODEL",
        help="what /v1/upscale enlarges with: zoo:photo-x4 (default), a run of srgan or esrgan, or none; a RUN that "
        "enlarges does it itself",
    )
    for name, _, _, told in LIMITS:
        parser.add_argument(f"--{name}", metavar="N", help=told)
    parsed = parser.parse_strictly(words)
    if parsed.run is None:
        raise UsageError("say which run to serve, as in: ganvas serve runs/demo")
    given = {name: getattr(parsed, name.replace("-", "_")) for name, *_ in LIMITS}
    chosen = {
        name.replace("-", "_"): Option(name, kind, None, range=bounds).check(given[name])
        for name, kind, bounds, _ in LIMITS
        if given[name] is not None
    }
    port = number_of("--port", parsed.port, int)
    for package in ("fastapi", "uvicorn", "prometheus_client", "python_multipart"):
        needed(package, "serve")
    from ganvas.web.http import serve
    from ganvas.web.http.app import Limits

    serve(
        parsed.run,
        host=parsed.host,
        port=port,
        token_file=parsed.token_file,
        allow_host=parsed.allow_host,
        limits=Limits(**chosen),
        recipe=parsed.recipe,
        upscaler=parsed.upscaler,
    )
    return 0
