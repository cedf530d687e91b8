"""How long after its first byte does an exported page, or the studio, show its first sample? In headless Chromium.

    python -m benchmarks.page runs/demo [--rounds 7]          (`make bench-page`)

The page is exported anew, and each round opens it from its file in a fresh browser: nothing is cached, neither the
file's parts nor compiled code. Counted is from the document's first byte (the browser's own navigation timing) to the
moment the first picture is painted, and to the moment all samples are. Then the studio over the folder that holds the
run, as often, with the click on its tab Sample; it shows the latest run. Of a model that enlarges, which has no
samples, the page is counted to the moment it is ready to take a photo, and the studio is left out. The target is 3 s
for the digits model on 2 quiet cores.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ganvas.exporting import export
from ganvas.model import zoo

FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
FIRST = "performance.getEntriesByType('navigation')[0].responseStart"
EXPORTED = f"[Number(document.body.dataset.firstSample) - {FIRST}, Number(document.body.dataset.allReady) - {FIRST}]"
STUDIO = f"[performance.now() - {FIRST}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        export(arguments.run, "web", page)
        rounds = [opened(page.as_uri(), _ready, EXPORTED) for _ in range(arguments.rounds)]
        size = page.stat().st_size
    print(f"{arguments.run}, exported: {size / 1e6:.1f} MB, {arguments.rounds} rounds")
    for name, times in zip(("first sample", "all ready"), zip(*rounds, strict=True), strict=True):
        _tell(name, list(times))
    if not zoo.is_zoo(arguments.run):
        with studio(Path(arguments.run).resolve().parent) as address:
            _tell("studio, first sample", [opened(address, _sampled, STUDIO)[0] for _ in range(arguments.rounds)])


def opened(address: str, wait: Callable[[Any], None], times: str) -> list[float]:
    """What the script `times` says, in milliseconds, of a page in a browser of its own, after `wait`."""
    from playwright.sync_api import sync_playwright

    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as running:
        browser = running.chromium.launch(executable_path=executable, args=FLAGS)
        try:
            tab = browser.new_page()
            tab.goto(address, wait_until="commit")
            wait(tab)
            found: list[float] = tab.evaluate(times)
            return found
        finally:
            browser.close()


def _ready(tab: Any) -> None:
    tab.wait_for_selector("body[data-ready=yes]", timeout=120_000)


def _sampled(tab: Any) -> None:
    tab.get_by_role("tab", name="Sample", exact=True).click()
    tab.wait_for_selector("#sample-picture img", timeout=120_000)


@contextmanager
def studio(runs: Path) -> Iterator[str]:
    """The address of a studio over this folder."""
    words = [sys.executable, "-m", "ganvas", "studio", "--runs", str(runs), "--port", "0"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline().split(" is at ")[1].strip()
        finally:
            server.send_signal(signal.SIGINT)


def _tell(name: str, times: list[float]) -> None:
    told = ", ".join(f"{time / 1000:.2f}" for time in sorted(times))
    print(f"{name}: {statistics.median(times) / 1000:.2f} s in the median ({told})")


if __name__ == "__main__":
    main()
