"""Another process for tests of what two of them do to each other."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_BEGINNING = """
import sys, time
from pathlib import Path

def here():
    print("here", flush=True)

def meet():
    here()
    sys.stdin.readline()

"""


@contextmanager
def another_process(code: str) -> Iterator[subprocess.Popen[str]]:
    """Runs the code until it calls `here()`, or `meet()`, which waits for a line on its input; killed at the end."""
    process = subprocess.Popen(
        [sys.executable, "-c", _BEGINNING + code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None and process.stdout.readline() == "here\n"
        yield process
    finally:
        process.kill()
        process.communicate()
