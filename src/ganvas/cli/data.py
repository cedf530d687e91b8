"""`ganvas data`: what Ganvas sees in a source of data."""

from __future__ import annotations

import json

from ganvas.cli.parsing import Parser, channels_of, size_of
from ganvas.errors import UsageError

EXAMPLES = """examples:
  ganvas data photos/
  ganvas data digits --json"""


def run(words: list[str]) -> int:
    parser = Parser(
        prog="ganvas data",
        usage="ganvas data SOURCE [--size N|HxW] [--channels N] [--data-root FOLDER] [--json]",
        description="What Ganvas sees in a source: shape, splits, labels, and anything that was left out.",
        epilog=EXAMPLES,
    )
    parser.add_argument("source", metavar="SOURCE", nargs="?")
    parser.add_argument("--size", metavar="N|HxW")
    parser.add_argument("--channels", metavar="N")
    parser.add_argument("--data-root", metavar="FOLDER")
    parser.add_argument("--json", action="store_true", help="for scripts")
    parsed = parser.parse_strictly(words)
    if parsed.source is None:
        raise UsageError("say which source to look at, as in: ganvas data photos/")
    from ganvas.data.dataset import describe
    from ganvas.data.opening import open_data

    data = open_data(
        parsed.source, size=size_of(parsed.size), channels=channels_of(parsed.channels), data_root=parsed.data_root
    )
    if parsed.json:
        print(json.dumps(data.to_json(), indent=2))
    else:
        print("\n".join(describe(data)))
    return 0
