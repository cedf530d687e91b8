"""Trainings that a benchmark needs, each made once: what is there is taken up, and what is finished is kept."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ganvas.files import write_json


def trained(run: Path, recipe: str, data: str, options: Mapping[str, Any]) -> Path:
    """The run, trained to its end in a process of its own, or taken up where it was interrupted.

    options: flags without their dashes; True is a flag alone, False its `--no-` form.
    """
    if (run / "config.json").exists():
        command = ["--resume", str(run)]
    else:
        command = [recipe, "--data", data, "--out", str(run)]
        for name, value in options.items():
            flag = name.replace("_", "-")
            command += (
                [f"--{flag}" if value else f"--no-{flag}"] if isinstance(value, bool) else [f"--{flag}", str(value)]
            )
    subprocess.run([sys.executable, "-m", "ganvas", "train", *command], check=True, stdout=subprocess.DEVNULL)
    return run


def kept(path: Path, compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What the file holds, or what is computed now and written there."""
    if path.exists():
        found: dict[str, Any] = json.loads(path.read_bytes())
        return found
    result = compute()
    write_json(path, result)
    return result


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows])
