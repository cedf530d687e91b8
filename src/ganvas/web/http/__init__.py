"""`serve`: a run as an HTTP server.

    ganvas serve runs/digits
    curl -o seven.png -H 'Content-Type: application/json' -d '{"label": "7"}' http://127.0.0.1:8000/v1/samples
    curl -o large.png -F image=@photo.jpg http://127.0.0.1:8000/v1/upscale
    curl -o map.png -F source=@aerial.png http://127.0.0.1:8000/v1/transform       of a model that changes pictures

It listens on this machine only, unless there is a token. SIGTERM ends it in order: no new connection is taken, every
answer closes its connection, and what was begun is finished.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn

from ganvas.errors import UsageError
from ganvas.model import load, shared_config, zoo
from ganvas.upscaling import DEFAULT, Upscaler
from ganvas.web.http.app import Limits, State, application
from ganvas.web.http.enlarger import TILE

LINGER = 0.5
"""Seconds after SIGTERM in which open connections are still answered, each for the last time; a client that was just
sending its next request is so not cut off."""

NONE = "none"
"""In place of an upscaler: none at all."""

CONNECTIONS = 1000
SHORTEST_TOKEN = 16


def serve(
    run: str | Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    token_file: str | Path | None = None,
    limits: Limits | None = None,
    recipe: str | None = None,
    upscaler: str | None = None,
) -> None:
    """Serves the run, or `zoo:NAME`, until SIGTERM or Ctrl-C. port: 0 takes a free one. recipe: the file and class of
    a run's own recipe, which is executed. upscaler: what `/v1/upscale` enlarges with, `zoo:NAME` or a run; by default
    the run itself where it enlarges, else `zoo:photo-x4`; `none` for no such route.

    Raises UsageError for an address that cannot be had, or one that others reach without a token, and RunError.
    """
    limits = limits or Limits()
    token = None if token_file is None else read_token(Path(token_file))
    if token is None and not is_loopback(host):
        raise UsageError(f"--host {host} can be reached from elsewhere: give a --token-file, or leave it at 127.0.0.1")
    model = load(run, recipe=recipe)
    enlarging = Upscaler.of(model)
    if enlarging is not None and upscaler is not None:
        raise UsageError(f"{run} enlarges pictures itself: leave --upscaler away")
    if enlarging is None and upscaler != NONE:
        enlarging = Upscaler(load(upscaler or DEFAULT), tile=TILE)
    name = run.removeprefix(zoo.PREFIX) if zoo.is_zoo(run) else Path(run).resolve().name
    recipe_name, state = shared_config(run)["recipe"], State()
    bound = listening(host, port)
    app = application(model, name=name, recipe=recipe_name, upscaler=enlarging, limits=limits, token=token, state=state)
    config = uvicorn.Config(
        app,
        http="h11",  # which bounds the size of a request's head
        log_level="warning",
        access_log=False,
        server_header=False,
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=int(max(limits.seconds, limits.picture_seconds)) + 5,
    )
    where = f"[{host}]" if ":" in host else host
    print(f"{name} ({recipe_name}, step {model.step:,}) at http://{where}:{bound.getsockname()[1]}/docs", flush=True)
    Server(config, state).run(sockets=[bound])


class Server(uvicorn.Server):
    """Ends in order, and with exit code 0, after SIGTERM."""

    def __init__(self, config: uvicorn.Config, state: State) -> None:
        super().__init__(config)
        self.state = state

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.force_exit = self.should_exit  # the second signal does not wait
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.state.closing = True
        for server in self.servers:
            server.close()
        if not self.force_exit:
            await asyncio.sleep(LINGER)
        await super().shutdown(sockets)


def read_token(path: Path) -> str:
    """The first line of the file. Raises UsageError for one that is missing, or too short to be a secret."""
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--token-file {path} cannot be read as text: {error}") from error
    token = lines[0].strip() if lines else ""
    if len(token) < SHORTEST_TOKEN or not token.isprintable() or " " in token:
        raise UsageError(
            f"--token-file {path} must hold one line of {SHORTEST_TOKEN} letters or more without spaces, such as "
            "`openssl rand -hex 32` prints"
        )
    return token


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def listening(host: str, port: int) -> socket.socket:
    try:
        family: Any = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        told = getattr(error, "strerror", None) or error
        raise UsageError(f"cannot listen on {host}, port {port}: {told}; choose another --host or --port") from error
