"""How long after its first byte does an exported page show its first sample? In headless Chromium, from a file.

    python -m benchmarks.page runs/demo [--rounds 7]          (`make bench-page`)

The page is exported anew, and each round opens it in a fresh browser: nothing is cached, neither the file's parts nor
compiled code. Counted is from the document's first byte (the browser's own navigation timing) to the moment the first
picture is painted, and to the moment all samples are. Of a model that enlarges, which has no samples, to the moment it
is ready to take a photo. The target is 3 s for the digits model on 2 quiet cores.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
from pathlib import Path

from ganvas.export import export

FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
TIMES = """() => {
    const first = performance.getEntriesByType("navigation")[0].responseStart;
    return [Number(document.body.dataset.firstSample) - first, Number(document.body.dataset.allReady) - first];
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        export(arguments.run, "web", page)
        rounds = [opened(page) for _ in range(arguments.rounds)]
        size = page.stat().st_size
    print(f"{arguments.run}: {size / 1e6:.1f} MB, {arguments.rounds} rounds")
    for name, times in zip(("first sample", "all ready"), zip(*rounds, strict=True), strict=True):
        told = ", ".join(f"{time / 1000:.2f}" for time in sorted(times))
        print(f"{name}: {statistics.median(times) / 1000:.2f} s in the median ({told})")


def opened(page: Path) -> list[float]:
    """Milliseconds from the page's first byte to its first sample and to all of them, in a browser of its own."""
    from playwright.sync_api import sync_playwright

    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as running:
        browser = running.chromium.launch(executable_path=executable, args=FLAGS)
        try:
            tab = browser.new_page()
            tab.goto(page.as_uri())
            tab.wait_for_selector("body[data-ready=yes]", timeout=120_000)
            times: list[float] = tab.evaluate(TIMES)
            return times
        finally:
            browser.close()


if __name__ == "__main__":
    main()
