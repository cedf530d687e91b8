"""`ganvas data`: what Ganvas sees in a source of data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from ganvas import recipes
from ganvas.cli.parsing import Parser, add_options, say_what_begins
from ganvas.errors import UsageError, near_miss
from ganvas.text import quoted

if TYPE_CHECKING:
    from ganvas.data.batch import Batch

EXAMPLES = """examples:
  ganvas data photos/
  ganvas data digits --json
  ganvas data photos/ --as photos --scale 2        as srgan reads them
  ganvas data facades.zip --recipe pix2pix --out pairs.png
  ganvas data photos/ --size 64 --shard 1GB --out shards/     for data beyond one disk: docs/large-data.md"""


def run(words: list[str]) -> int:
    say_what_begins("looking at", words, {"--json"}, {"--json"})
    from ganvas.data.batches import BUILT_IN, reading_options
    from ganvas.data.dataset import describe
    from ganvas.data.opening import open_data, readable_as, shard
    from ganvas.data.preview import preview
    from ganvas.data.sharding import size_of
    from ganvas.report import print_rows
    from ganvas.spaces import save_picture

    kinds = {batch.kind: batch for batch in BUILT_IN}
    options = reading_options(BUILT_IN)
    parser = Parser(
        prog="ganvas data",
        usage="ganvas data SOURCE [--as KIND | --recipe NAME] [flags] [--out PICTURE] [--shard SIZE --out FOLDER]\n"
        "                   [--data-root FOLDER] [--json]",
        description="What Ganvas sees in a source: shape, splits, labels, anything that was left out, and which\n"
        "recipes take it; on a terminal with colours the first items too.",
        epilog=EXAMPLES,
    )
    parser.add_argument("source", metavar="SOURCE", nargs="?")
    parser.add_argument("--as", metavar="KIND", help=f"{', '.join(kinds)} (default: the first that fits)", dest="kind")
    parser.add_argument("--recipe", metavar="NAME", help="as this recipe reads it")
    parser.add_argument("--out", metavar="PATH", help="a picture of what a training learns from; or the shards' folder")
    parser.add_argument("--shard", metavar="SIZE", help="write shards of this size, such as 1GB, into the folder --out")
    parser.add_argument("--data-root", metavar="FOLDER", help="where torchvision's data sets lie")
    parser.add_argument("--json", action="store_true", help="for scripts")
    add_options(parser.add_argument_group("how to read it"), options)
    parsed = vars(parser.parse_strictly(words))
    if parsed["source"] is None:
        raise UsageError("say which source to look at, as in: ganvas data photos/")
    if parsed["kind"] not in (None, *kinds):
        raise UsageError(f"there is no kind of data {quoted(parsed['kind'])}{near_miss(parsed['kind'], kinds)}")
    if parsed["kind"] is not None and parsed["recipe"] is not None:
        raise UsageError("--as and --recipe both say how to read it: give one of them")
    wanted = recipes.find(parsed["recipe"]).accepts if parsed["recipe"] is not None else kinds.get(parsed["kind"])
    chosen = {option.name: parsed[option.name] for option in options}
    out = None if parsed["out"] is None else Path(parsed["out"])
    if parsed["shard"] is not None:
        if out is None:
            raise UsageError("--shard writes shards into a new folder: name it with --out")
        size = size_of(parsed["shard"])
        data = shard(parsed["source"], wanted or None, bytes_=size, out=out, data_root=parsed["data_root"], **chosen)
        parsed |= {"source": str(out), "data_root": None}
        out = None
    else:
        data = open_data(parsed["source"], wanted or None, data_root=parsed["data_root"], **chosen)
    own = data.batch_type
    read = [own] if wanted else dict.fromkeys([own, *readable_as(parsed["source"], parsed["data_root"])])
    taking = {batch.kind: names for batch in read if (names := _taking(batch)) or batch is own}
    if out is not None:
        save_picture(preview(data).picture, out)
    if parsed["json"]:
        picture = {} if out is None else {"picture": str(out)}
        print(json.dumps({**data.to_json(), "recipes": taking, **picture}, indent=2))
        return 0
    print("\n".join(describe(data)))
    for place, (kind, names) in enumerate(taking.items()):  # its own comes first
        read_as = f"with --as {kind}" if place else "recipes"
        print(f"{read_as}: {', '.join(names) or 'none that come with Ganvas'}")
    print_rows(lambda: preview(data).rows)
    return 0


def _taking(batch: type[Batch]) -> list[str]:
    """The recipes that can be trained on such data."""
    return [name for name in recipes.names() if batch in (recipes.find(name).accepts or (batch,))]
