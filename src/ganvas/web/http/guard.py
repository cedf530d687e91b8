"""What stands before every route: who may ask, how much may be sent, and how long it may take to send it.

The body is read here, up to its limit, before a route sees it. A request that announces more is answered without
reading any of it. All bodies together have a limit too, so that many large ones at once do not fill the memory, and
who does not take its answer is given up.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ganvas.web.guard import Hosts, announced, bears, refuse

OPEN = frozenset({"/healthz"})
"""Paths that need no token, and are answered however many others are worked on."""


class Guard:
    """ASGI middleware. token: a bearer token that all but `OPEN` need, or None. hosts: by what the server may be called
    where there is no token; with one, no other page can know it. most_bytes: of a body, by path, with the limit of all
    others under "". most_held: bytes of all bodies that are being sent or worked on; those within the limit of "" are
    not counted. most_requests: that are whole and worked on. seconds: to send a body, and to take each piece of an
    answer. closing: whether the server is about to stop, when every answer closes its connection. seen: told the path,
    the status and the seconds of each request.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        token: str | None,
        hosts: Hosts,
        most_bytes: Mapping[str, int],
        most_held: int,
        most_requests: int,
        seconds: float,
        closing: Callable[[], bool],
        seen: Callable[[str, int, float], None],
    ) -> None:
        self.app, self.token, self.hosts, self.most_bytes, self.seconds = app, token, hosts, most_bytes, seconds
        self.most_held, self.held = most_held, 0
        self.most_requests, self.requests = most_requests, 0
        self.closing, self.seen = closing, seen

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status, gone = time.perf_counter(), 500, False

        async def answer(message: Message) -> None:
            nonlocal status, gone
            if gone:
                return
            if message["type"] == "http.response.start":
                status = message["status"]
                if self.closing():
                    message["headers"] = [*message.get("headers", []), (b"connection", b"close")]
            try:
                async with asyncio.timeout(self.seconds):
                    await send(message)
            except TimeoutError:
                gone = True  # the rest is not sent, and the server then closes the connection

        held = _Held()
        try:
            await self._guarded(scope, receive, answer, held)
        finally:
            self.held -= held.bytes
            self.seen(scope["path"], status, time.perf_counter() - began)

    async def _guarded(self, scope: Scope, receive: Receive, send: Send, held: _Held) -> None:
        headers = dict(scope["headers"])
        if self.token is None and (fault := self.hosts.stranger(scope["headers"])):
            await refuse(send, 403, fault)
            return
        if self.token is not None and scope["path"] not in OPEN and not bears(headers, self.token):
            told = "this server needs its token, as in: Authorization: Bearer TOKEN"
            await refuse(send, 401, told, [(b"www-authenticate", b"Bearer")])
            return
        limit = self.most_bytes.get(scope["path"], self.most_bytes[""])
        too_large = f"a request may have {limit:,} bytes here"
        size = announced(headers)
        if size is None or size > limit:
            await refuse(send, 413, too_large)
            return
        body = bytearray()
        try:
            async with asyncio.timeout(self.seconds):
                more = True
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return
                    part = message.get("body", b"")
                    more = message.get("more_body", False)
                    if len(body) + len(part) > limit:
                        await refuse(send, 413, too_large)
                        return
                    body += part
                    if len(body) > self.most_bytes[""]:
                        self.held += len(body) - held.bytes
                        held.bytes = len(body)
                        if self.held > self.most_held:
                            told = "too much is being sent at once; come again later"
                            await refuse(send, 429, told, [(b"retry-after", b"5")])
                            return
        except TimeoutError:
            await refuse(send, 408, f"the request was not there after {self.seconds:g} seconds")
            return
        if self.requests >= self.most_requests and scope["path"] not in OPEN:
            told = f"{self.requests:,} requests are worked on already; come again later"
            await refuse(send, 503, told, [(b"retry-after", b"5")])
            return
        given = False

        async def replay() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": bytes(body), "more_body": False}

        self.requests += 1
        try:
            await self.app(scope, replay, send)
        finally:
            self.requests -= 1


@dataclass
class _Held:
    """Bytes of one request's body that count towards `most_held`."""

    bytes: int = 0
