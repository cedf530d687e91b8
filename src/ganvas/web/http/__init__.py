"""`serve`: a run as an HTTP server.

    ganvas serve runs/digits
    curl -o seven.png -H 'Content-Type: application/json' -d '{"label": "7"}' http://127.0.0.1:8000/v1/samples
    curl -o large.png -F image=@photo.jpg http://127.0.0.1:8000/v1/upscale
    curl -o map.png -F source=@aerial.png http://127.0.0.1:8000/v1/transform       of a model that changes pictures

It listens on this machine only, unless there is a token, and answers no other web page's requests.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ganvas.errors import UsageError
from ganvas.model import load, shared_config, zoo
from ganvas.upscaling import DEFAULT, Upscaler
from ganvas.web.guard import Hosts
from ganvas.web.http.app import Limits, application
from ganvas.web.http.enlarger import TILE
from ganvas.web.server import Bounds, Server, State, address_of, listening, most_connections, token_for

NONE = "none"
"""In place of an upscaler: none at all."""


def serve(
    run: str | Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    token_file: str | Path | None = None,
    allow_host: Iterable[str] = (),
    limits: Limits | None = None,
    recipe: str | None = None,
    upscaler: str | None = None,
) -> None:
    """Serves the run, or `zoo:NAME`, until SIGTERM or Ctrl-C. port: 0 takes a free one. allow_host: host names by which
    it may be called without a token, beside localhost and numbers. recipe: the file and class of a run's own recipe,
    which is executed. upscaler: what `/v1/upscale` enlarges with, `zoo:NAME` or a run; by default the run itself where
    it enlarges, else `zoo:photo-x4`; `none` for no such route.

    Raises UsageError for an address that cannot be had, or one that others reach without a token, and RunError.
    """
    limits = limits or Limits()
    token, hosts = token_for(host, token_file), Hosts.of(allow_host)
    model = load(run, recipe=recipe)
    enlarging = Upscaler.of(model)
    if enlarging is not None and upscaler is not None:
        raise UsageError(f"{run} enlarges pictures itself: leave --upscaler away")
    if enlarging is None and upscaler != NONE:
        enlarging = Upscaler(load(upscaler or DEFAULT), tile=TILE)
    name = run.removeprefix(zoo.PREFIX) if zoo.is_zoo(run) else Path(run).resolve().name
    recipe_name, state = shared_config(run)["recipe"], State()
    bound = listening(host, port)
    bounds = Bounds(most_connections(), head=min(Bounds.head, limits.seconds), taking=limits.seconds)
    app = application(
        model,
        name=name,
        recipe=recipe_name,
        upscaler=enlarging,
        limits=limits,
        token=token,
        hosts=hosts,
        most_requests=bounds.connections,
        state=state,
    )
    address = address_of(host, bound)
    print(f"{name} ({recipe_name}, step {model.step:,}) at {address}/, with what programs can ask at /docs", flush=True)
    ending = int(max(limits.seconds, limits.picture_seconds)) + 5
    Server(app, state, ending=ending, bounds=bounds).run(sockets=[bound])
