"""`studio`: a page over a folder of runs, to train, watch, sample and compare without typing commands.

    ganvas studio --runs runs

The page is Gradio's. It asks nothing of any other host, and listens on this machine only, unless there is a token.
Trainings are processes of their own: they outlive the page and the studio.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from pathlib import Path

from ganvas.errors import UsageError, needed
from ganvas.web.guard import Hosts
from ganvas.web.server import Server, State, address_of, listening, token_for
from ganvas.web.studio.run_list import Shelf

SILENCE = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
    "GRADIO_SHARE": "False",
    "GRADIO_RUN_HISTORY": "False",
    "GRADIO_MCP_SERVER": "False",
    "GRADIO_SSR_MODE": "False",
    "GRADIO_ALLOWED_PATHS": "",
    "GRADIO_ROOT_PATH": "",
}
"""The environment in which Gradio talks to nobody. It is read when Gradio is imported, so that comes later."""

CLOSING = 2
"""Seconds that open requests are given when the studio ends."""


def studio(
    runs: str | Path = "runs",
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    token_file: str | Path | None = None,
    allow_host: Iterable[str] = (),
    upload: int | None = None,
) -> None:
    """Serves the page until Ctrl-C or SIGTERM. runs: the folder, made where it does not exist. port: 0 takes any.
    allow_host: host names by which it may be called, beside localhost and numbers. upload: bytes of an uploaded file.

    Raises UsageError for an address that cannot be had, or one that others reach without a token.
    """
    if os.name == "nt":
        raise UsageError("the studio needs the locks and signals of Linux or macOS; use it in WSL")
    token, hosts = token_for(host, token_file), Hosts.of(allow_host)
    shelf = Shelf(Path(runs))
    os.environ.update({**SILENCE, "GRADIO_TEMP_DIR": str(shelf.cache), "GRADIO_EXAMPLES_CACHE": str(shelf.cache)})
    needed("gradio", "studio")
    from ganvas.web.studio.app import application
    from ganvas.web.studio.guard import LARGEST_UPLOAD

    state = State()
    socket = listening(host, port)
    app = application(shelf, token=token, hosts=hosts, largest=upload or LARGEST_UPLOAD, closing=lambda: state.closing)
    # An open page keeps a stream for ever; that it must be cut off is nothing to be told of.
    logging.getLogger("uvicorn.error").addFilter(lambda record: "graceful shutdown" not in record.getMessage())
    print(f"the studio over {shelf.folder} is at {address_of(host, socket)}/", flush=True)
    Server(app, state, ending=CLOSING).run(sockets=[socket])
