"""`ganvas data`: what Ganvas sees in a source of data."""

from __future__ import annotations

import json

from ganvas.cli.parsing import Parser, add_options
from ganvas.errors import UsageError, near_miss
from ganvas.text import quoted

EXAMPLES = """examples:
  ganvas data photos/
  ganvas data digits --json
  ganvas data photos/ --as photos --scale 2        as srgan reads them"""


def run(words: list[str]) -> int:
    from ganvas.data.batches import BUILT_IN, reading_options
    from ganvas.data.dataset import describe
    from ganvas.data.opening import open_data

    kinds = {batch.kind: batch for batch in BUILT_IN}
    options = reading_options(BUILT_IN)
    parser = Parser(
        prog="ganvas data",
        usage="ganvas data SOURCE [--as KIND] [flags] [--data-root FOLDER] [--json]",
        description="What Ganvas sees in a source: shape, splits, labels, and anything that was left out.",
        epilog=EXAMPLES,
    )
    parser.add_argument("source", metavar="SOURCE", nargs="?")
    parser.add_argument("--as", metavar="KIND", help=f"{', '.join(kinds)} (default: the first that fits)", dest="kind")
    parser.add_argument("--data-root", metavar="FOLDER", help="where torchvision's data sets lie")
    parser.add_argument("--json", action="store_true", help="for scripts")
    add_options(parser.add_argument_group("how to read it"), options)
    parsed = vars(parser.parse_strictly(words))
    if parsed["source"] is None:
        raise UsageError("say which source to look at, as in: ganvas data photos/")
    if parsed["kind"] not in (None, *kinds):
        raise UsageError(f"there is no kind of data {quoted(parsed['kind'])}{near_miss(parsed['kind'], kinds)}")
    chosen = {option.name: parsed[option.name] for option in options}
    data = open_data(parsed["source"], kinds.get(parsed["kind"]), data_root=parsed["data_root"], **chosen)
    if parsed["json"]:
        print(json.dumps(data.to_json(), indent=2))
    else:
        print("\n".join(describe(data)))
    return 0
