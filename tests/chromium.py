"""A headless Chromium for the tests, which notes what a page says to its console and asks of any host."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A camera that shows a test picture, and that every page may use.
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]


@dataclass
class Seen:
    """page: Playwright's. console: what it said, but for debugging; errors included. requests: all addresses."""

    page: Any
    console: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@contextmanager
def browser_page() -> Iterator[Seen]:
    """A page in a fresh profile. Skips the test where there is no Playwright or no Chromium."""
    playwright = pytest.importorskip("playwright.sync_api")
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if executable is None:
        pytest.skip("there is no Chromium on this machine")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=executable, args=FLAGS)
        try:
            seen = Seen(browser.new_page(viewport={"width": 1200, "height": 900}))
            seen.page.on("console", lambda said: seen.console.append(f"{said.type}: {said.text}"))
            seen.page.on("pageerror", lambda error: seen.console.append(f"error: {error}"))
            seen.page.on("request", lambda request: seen.requests.append(request.url))
            yield seen
        finally:
            browser.close()
