"""Gradio, set up so that it talks to nobody and keeps its files where the studio says."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.resources import files

import gradio as gr
import gradio.queueing
import gradio.route_utils
import gradio.routes
from fastapi import FastAPI
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp

from ganvas.errors import RunError
from ganvas.report import report_of
from ganvas.web.guard import Hosts
from ganvas.web.studio.guard import LARGEST_UPLOAD, Guard
from ganvas.web.studio.models import Models
from ganvas.web.studio.page import page
from ganvas.web.studio.run_list import Shelf
from ganvas.web.studio.terminal import brief

ALONE = (
    "sandbox allow-scripts; default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'"
)
"""The policy of reports, beside the one that each carries itself."""


def application(
    shelf: Shelf,
    *,
    token: str | None,
    hosts: Hosts | None = None,
    largest: int = LARGEST_UPLOAD,
    closing: Callable[[], bool],
) -> ASGIApp:
    """The ASGI application over the shelf. token: what visitors must know, or None. hosts: by what it may be called.
    largest: bytes of an upload. closing: whether the studio is about to end."""
    brief(gradio.queueing, gradio.routes, gradio.route_utils)
    models = Models(shelf)
    blocks = page(shelf, models)
    blocks.queue(default_concurrency_limit=4, max_size=200)
    own = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    own.add_api_route("/report/{name}", partial(report, shelf), response_class=Response)
    app = gr.mount_gradio_app(
        own,
        blocks,
        path="/",
        footer_links=[],
        run_history=False,
        show_error=False,  # of Gradio's own: its words hold paths. Ours are shown.
        max_file_size=largest,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        theme=_theme(),
        css=files("ganvas.web.studio").joinpath("assets", "studio.css").read_text("utf-8"),
    )
    # Gradio checks that a file in a request was uploaded only in a page that it launched itself.
    blocks.has_launched = True
    models.warm()
    return Guard(app, cache=shelf.cache, token=token, hosts=hosts or Hosts(), largest=largest, closing=closing)


def report(shelf: Shelf, name: str) -> Response:
    """The run's report as it is now. What a run folder holds may be anybody's, so the page is a stranger to the studio:
    it has an origin of its own, and can ask for nothing."""
    try:
        page = report_of(shelf.path(name))
    except RunError as error:
        return PlainTextResponse(shelf.hidden(error), 404)
    return HTMLResponse(page, headers={"content-security-policy": ALONE, "cache-control": "no-store"})


def _theme() -> gr.themes.Base:
    fonts = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "Arial", "sans-serif")
    mono = ("ui-monospace", "Menlo", "Consolas", "monospace")
    return gr.themes.Default(primary_hue="indigo", neutral_hue="slate", font=fonts, font_mono=mono)
