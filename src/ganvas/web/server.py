"""How the servers listen: no client can keep others out, whatever it leaves undone.

uvicorn waits for the head of a request as long as its client likes, and for a client to take what was sent. Here both
have an end. Nor are there ever more connections than files that this process may open: where one more comes, the one
goes that has kept the server waiting longest. A request that is whole is never given up for another.

SIGTERM ends a server in order: no new connection is taken, every answer closes its connection, and what was begun is
finished.
"""

from __future__ import annotations

import asyncio
import http
import logging
import socket
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from ganvas.errors import UsageError
from ganvas.web.guard import error_body, is_loopback

LINGER = 0.5
"""Seconds after SIGTERM in which open connections are still answered, each for the last time; a client that was just
sending its next request is so not cut off."""

CONNECTIONS = 1000
SPARE = 16
"""One for so many connections is taken beyond the most while all others are being worked for: it is told so."""

AT_ONCE = 4
"""Connections taken in one round of the event loop. One that is given up is closed some rounds later, so that many at
once could need more files than there may be."""

BACKLOG = 2048
FILES = 160
"""Files that this process may need beside its connections, those beyond the most among them."""

SHORTEST_TOKEN = 16


@dataclass
class State:
    """What the server tells the application: whether it is about to stop."""

    closing: bool = False


@dataclass(frozen=True)
class Bounds:
    """connections: at once. head: seconds for a request's head, from the connection's beginning or the head's first
    byte. idle: seconds until that byte behind an answer. taking: seconds to take what is left of an answer.

    A client that sends its next request just when its connection is closed loses it, so `idle` is longer than clients
    take over an answer that has left this process but that they have not read yet.
    """

    connections: int = CONNECTIONS
    head: float = 10.0
    idle: float = 60.0
    taking: float = 30.0


class Server(uvicorn.Server):
    """Ends in order, and with exit code 0, after SIGTERM. ending: seconds in which open requests are finished then."""

    def __init__(self, app: ASGIApp, state: State, *, ending: int, bounds: Bounds | None = None) -> None:
        protocol = type("Bounded", (Protocol,), {"bounds": bounds or Bounds(most_connections()), "waited_for": {}})
        config = uvicorn.Config(
            cast(Any, app),
            http=protocol,
            loop="asyncio",
            ws="none",
            backlog=AT_ONCE,
            log_level="error",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=ending,
        )
        super().__init__(config)
        logging.getLogger("python_multipart").setLevel(logging.ERROR)  # what is wrong is told to who sent it
        self.state = state

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for each in sockets or []:
            each.listen(BACKLOG)  # those who wait to be taken; how many are taken at once stays as it was

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


class Protocol(H11Protocol):
    """One connection. (h11 bounds the size of a request's head.)"""

    bounds = Bounds()
    waited_for: dict[Protocol, None] = {}
    """The connections of one server that have it wait for their client, the longest first."""

    _since = 0.0
    _idle = False
    _timer: asyncio.TimerHandle | None = None

    # What uvicorn calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(cast(asyncio.Transport, transport))
        self._wait()
        self._make_room()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._asked():
            self._stop_timer()
        elif self._timer is None or self._idle:
            self._wait()
        self._note()

    def on_response_complete(self) -> None:
        self._stop_timer()
        super().on_response_complete()  # which may begin with the next request, where that is there already
        if not self._asked():
            self._wait(idle=not self.conn.trailing_data[0])

    def pause_writing(self) -> None:
        super().pause_writing()
        self._note()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._note()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self.waited_for.pop(self, None)
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, "this is not a request of HTTP/1.1, or its head is too long")

    # What is waited for

    def _asked(self) -> bool:
        """Whether there is the head of a request that is not answered."""
        return self.cycle is not None and not self.cycle.response_complete

    def _taking(self) -> bool:
        """Whether something is on its way to the client."""
        return self.transport.get_write_buffer_size() > 0

    def _note(self) -> None:
        """Whether it is waited for: not where a whole request is being answered, and its client takes the answer."""
        if self._asked() and not self.cycle.more_body and not self.flow.write_paused:
            self.waited_for.pop(self, None)
        else:
            self.waited_for.setdefault(self)

    def _wait(self, idle: bool = False) -> None:
        """For a head, from now on. idle: behind an answer, and before the head's first byte."""
        self._stop_timer()
        self._since, self._idle = self.loop.time(), idle
        self._timer = self.loop.call_later(min(self.bounds.head, self.bounds.idle), self._late)
        self.waited_for.pop(self, None)
        self.waited_for[self] = None

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        limit = self.bounds.idle if self._idle else self.bounds.head
        left = self._since + (self.bounds.taking if self._taking() else limit) - self.loop.time()
        if left > 0:
            self._timer = self.loop.call_later(left, self._late)
        elif self._taking() or self.transport.is_closing() or not self.conn.trailing_data[0]:
            self._give_up()
        else:
            self._refuse(408, f"the head of the request was not there after {self.bounds.head:g} seconds")

    # How it ends

    def _make_room(self) -> None:
        beyond = len(self.connections) - self.bounds.connections
        if beyond <= 0:
            return
        others = [each for each in self.waited_for if each is not self]
        if others:
            next((each for each in others if not each._taking()), others[0])._give_up()
        elif beyond > self.bounds.connections // SPARE:
            self._give_up()

    def _give_up(self) -> None:
        self.connections.discard(self)
        self.waited_for.pop(self, None)
        self.transport.abort()

    def _refuse(self, status: int, error: str) -> None:
        """Answers past h11, whose state fits no answer where the request is broken, and closes the connection."""
        if self._asked():
            self.cycle.disconnected = True  # what the application still has to say is for nobody
            self.cycle.message_event.set()
            if self.cycle.response_started:
                self._give_up()
                return
        body = error_body(error)
        head = f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}\r\ncontent-type: application/json\r\n"
        self.transport.write(f"{head}content-length: {len(body)}\r\nconnection: close\r\n\r\n".encode() + body)
        self.transport.close()
        self._wait()


def most_connections() -> int:
    """As many as are wanted, or as this process may open files for."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return CONNECTIONS
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if files == resource.RLIM_INFINITY:
        return CONNECTIONS
    return max(1, min(CONNECTIONS, files - FILES if files > 2 * FILES else files // 2))


def token_for(host: str, token_file: str | Path | None) -> str | None:
    """The token. Raises UsageError where there is none and others reach the address, and as `read_token` does."""
    if token_file is not None:
        return read_token(Path(token_file))
    if not is_loopback(host):
        raise UsageError(f"--host {host} can be reached from elsewhere: give a --token-file, or leave it at 127.0.0.1")
    return None


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


def listening(host: str, port: int) -> socket.socket:
    try:
        family: Any = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except (OSError, OverflowError) as error:
        told = getattr(error, "strerror", None) or error
        raise UsageError(f"cannot listen on {host}, port {port}: {told}; choose another --host or --port") from error


def address_of(host: str, bound: socket.socket) -> str:
    """Where it is, as in `http://127.0.0.1:8000`."""
    where = f"[{host}]" if ":" in host else host
    return f"http://{where}:{bound.getsockname()[1]}"
