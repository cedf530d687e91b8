"""Has a package that Ganvas cannot do without a known vulnerability? Then the exit status is 1, with a line for each.

    python scripts/audit.py

pip-audit looks, and asks a database on the network. Where it is not installed, or the database does not answer, that is
said in one line and is no failure: continuous integration must not depend on a network.
"""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

PATIENCE = 120
"""Seconds for the database to answer in."""


def mandatory(package: str = "ganvas") -> dict[str, str]:
    """The packages that are installed because this one is, extras aside, and their versions."""
    found: dict[str, str] = {}
    waiting = [package]
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in found:
            continue
        try:
            there = distribution(name)
        except PackageNotFoundError:  # of another platform
            continue
        found[name] = there.version.partition("+")[0]
        for line in there.requires or ():
            requirement, _, marker = line.partition(";")
            if "extra" not in marker and (match := re.match(r"[\w.-]+", requirement)):
                waiting.append(match[0])
    found.pop(package, None)
    return found


def audit(packages: dict[str, str]) -> int:
    if importlib.util.find_spec("pip_audit") is None:
        print("pip-audit is not installed: known vulnerabilities are not looked for")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / "requirements.txt"
        wanted.write_text("".join(f"{name}=={version}\n" for name, version in sorted(packages.items())))
        options = ["--no-deps", "--disable-pip", "--progress-spinner", "off", "--format", "json"]
        words = [sys.executable, "-m", "pip_audit", *options, "--requirement", str(wanted)]
        try:
            said = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE)
            # It ends with 1 where it found something and where it could not ask, and gives JSON only if it could.
            answered = json.loads(said.stdout)["dependencies"]
        except (subprocess.TimeoutExpired, ValueError, LookupError, TypeError):
            answered = []
    known = [each for each in answered if "skip_reason" not in each]
    if not known:
        print("the database of vulnerabilities does not answer: they are not looked for")
        return 0
    bad = [(each["name"], each["version"], flaw) for each in known for flaw in each.get("vulns", ())]
    for name, version, flaw in bad:
        mended = ", ".join(flaw.get("fix_versions") or ()) or "no version yet"
        print(f"{name} {version} has the known vulnerability {flaw['id']}, mended in {mended}")
    if not bad:
        print(f"no known vulnerability in {len(known)} of {len(packages)} packages that were looked up")
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(audit(mandatory()))
