"""`ganvas doctor`: what ails a run, and what to change."""

from __future__ import annotations

import json
from pathlib import Path

from ganvas.cli.parsing import Parser
from ganvas.errors import UsageError

EXAMPLES = """examples:
  ganvas doctor runs/demo
  ganvas doctor runs/demo --json"""


def run(words: list[str]) -> int:
    parser = Parser(
        prog="ganvas doctor",
        usage="ganvas doctor RUN [--json]",
        description="What ails a run, live or over, and what to change: from its numbers, the main diagnosis first.",
        epilog=EXAMPLES,
    )
    parser.add_argument("run", metavar="RUN", nargs="?", help="a run folder")
    parser.add_argument("--json", action="store_true", help="for scripts")
    parsed = parser.parse_strictly(words)
    if parsed.run is None:
        raise UsageError("say which run to look at, as in: ganvas doctor runs/demo")
    from ganvas.doctor import CAVEAT, diagnose, in_words
    from ganvas.run import is_over, outcome, read_config, read_rows, roll_backs

    folder = Path(parsed.run)
    config = read_config(folder)
    rows = read_rows(folder / "metrics.jsonl")
    ended = outcome(rows, is_over(folder))
    findings = diagnose(rows, config)
    if parsed.json:
        content = {
            "run": str(folder),
            "outcome": ended,
            "main": findings[0].name,
            "ailing": findings[0].mood == "bad",
            "findings": [finding.to_json() for finding in findings],
        }
        print(json.dumps(content, indent=2))
        return 0
    print(f"{folder}: {ended}")
    for finding in in_words(findings):
        print(f"\n{finding.title}: {finding.evidence}.")
        if finding.cause:
            print(f"  Why: {finding.cause}")
        for advice in finding.advice:
            print(f"  Try: {advice}")
    if back := roll_backs(rows):
        print(f"\n{back}")
    print(f"\n{CAVEAT}")
    return 0
