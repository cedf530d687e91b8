"""`ganvas runs`: the runs in a folder, and which of them to keep. It needs no PyTorch."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ganvas.cli.parsing import Parser
from ganvas.errors import UsageError
from ganvas.progress_bar import say
from ganvas.text import command, counted, cut, listed, shown

if TYPE_CHECKING:
    from ganvas.report import RunLine

EXAMPLES = """examples:
  ganvas runs
  ganvas runs experiments/ --json
  ganvas runs --rename r3gan-digits-2 good-digits
  ganvas runs --delete r3gan-digits-3"""

TITLES = ("NAME", "RECIPE", "DATA", "STEPS", "STATE", "LAST WRITTEN", "SCORE", "THE DOCTOR SAYS")
_NUMBERS = {"STEPS"}


def run(words: list[str]) -> int:
    parser = Parser(
        prog="ganvas runs",
        usage="ganvas runs [FOLDER] [--json]\n       ganvas runs [FOLDER] --rename RUN NEW\n"
        "       ganvas runs [FOLDER] --delete RUN [--yes]",
        description="The runs in a folder, the latest first, each with its newest score and the doctor's main finding.",
        epilog=EXAMPLES,
    )
    parser.add_argument("folder", metavar="FOLDER", nargs="?", help="where the runs are (default: runs)")
    parser.add_argument("--json", action="store_true", help="for scripts")
    parser.add_argument(
        "--rename", metavar=("RUN", "NEW"), nargs=2, help="call a run otherwise; it stays in the same folder"
    )
    parser.add_argument(
        "--delete", metavar="RUN", help="delete a run with all that is in its folder, after it has asked"
    )
    parser.add_argument("--yes", action="store_true", help="delete without asking")
    parsed = parser.parse_strictly(words)
    folder = Path(parsed.folder or "runs")
    renames, deletes = parsed.rename is not None, parsed.delete is not None
    if renames and deletes:
        raise UsageError("--rename or --delete: one at a time")
    if parsed.yes and not deletes:
        raise UsageError("--yes goes with --delete")
    if parsed.json and (renames or deletes):
        raise UsageError("--json is for the list, and goes with neither --rename nor --delete")
    if renames:
        return _rename(folder, *parsed.rename)
    if deletes:
        return _delete(folder, parsed.delete, parsed.yes)
    return _list(folder, parsed.json)


def _list(folder: Path, as_json: bool) -> int:
    from ganvas.run import run_folders

    if not folder.exists() and folder == Path("runs"):
        found = []
    else:
        found = run_folders(folder)
        say(f"reading {counted(len(found), 'run')} in {shown(str(folder))}", bool(found) and not as_json)
    from ganvas.report import line_of

    lines = [line_of(path) for path in found]
    if as_json:
        print(json.dumps([line.to_json() for line in lines], indent=2))
    elif not lines:
        print(f"there is no run in {shown(str(folder))} yet; begin one with: ganvas train --data digits")
    else:
        print(*_table([TITLES, *map(_cells, lines)]), sep="\n")
    return 0


def _cells(line: RunLine) -> tuple[str, ...]:
    score = "" if line.value is None else f"{line.score} {line.value:.4g} at {line.at:,}"
    steps = "" if line.steps is None else f"{line.steps:,}"
    texts = (line.name, line.recipe, line.data, steps, line.state, line.when[:16], score, line.word)
    return tuple(cut(shown(text), most) for text, most in zip(texts, (60, 24, 24, 20, 20, 16, 40, 200), strict=True))


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns as wide as their widest cell; numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    right = [title in _NUMBERS for title in rows[0]]
    return [
        "  ".join(cell.rjust(w) if r else cell.ljust(w) for cell, w, r in zip(row, widths, right, strict=True)).rstrip()
        for row in rows
    ]


def _rename(folder: Path, name: str, new: str) -> int:
    from ganvas.run import rename, run_in

    print(f"renamed to {shown(str(rename(run_in(folder, name), new)))}")
    return 0


def _delete(folder: Path, name: str, unasked: bool) -> int:
    from ganvas.run import foreign, remove, run_in, size_of

    path = run_in(folder, name)
    if not unasked:
        if not sys.stdin.isatty():
            again = command("ganvas", "runs", folder, "--delete", path.name, "--yes")
            raise UsageError(f"nobody is there to be asked whether to delete {path}; if you are sure: {again}")
        files, size = size_of(path)
        others = foreign(path)
        beside = f"; no training wrote {shown(listed(others))}, which goes too" if others else ""
        question = f"delete {shown(str(path))} ({counted(files, 'file')}, {size / 1e6:,.1f} MB{beside})? [y/N] "
        try:
            answer = input(question)
        except EOFError:
            answer = ""
        if answer.strip().lower() not in ("y", "yes"):
            print("nothing was deleted")
            return 1
    remove(path)
    print(f"deleted {shown(str(path))}")
    return 0
