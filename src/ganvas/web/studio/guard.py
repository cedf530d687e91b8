"""What stands before Gradio: who may ask, for what, and how much may be sent.

Gradio has routes that the studio has no use for (it can fetch addresses and forward to other servers), and takes any
path or address in a request for a file. So only the routes that the page needs are let through; a file is one that
Gradio keeps for the page; and a request that names any other file or an address is refused before it arrives there.

On this machine alone, no token is needed: then the address must be this machine's by name, so that no web page can
reach the studio through a name of its own (DNS rebinding). Whoever asks with an `Origin` must ask from the studio's
page.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ganvas.errors import RunError
from ganvas.html import render
from ganvas.web.http import is_loopback
from ganvas.web.http.guard import refuse

LARGEST_UPLOAD = 2 * 2**30
"""Bytes of an uploaded file."""

LARGEST_REQUEST = 2**20
"""Bytes of any other request."""

_API = "/gradio_api/"
_PAGES = frozenset({"/", "/config", "/config/", "/theme.css", "/favicon.ico", "/manifest.json", "/robots.txt"})
_FOLDERS = ("/assets/", "/static/", "/svelte/")
_CALLS = frozenset(
    f"{_API}{name}"
    for name in ("info", "queue/join", "queue/data", "upload", "upload_progress", "startup-events", "theme.css")
) | frozenset({f"{_API}cancel", f"{_API}reset", f"{_API}reset/", f"{_API}app_id"})
_BY_NAME = (f"{_API}heartbeat/", f"{_API}run/", f"{_API}custom_component/")
_FILE = f"{_API}file="
_ENTER = "/enter"
_COOKIE = "ganvas-studio"
_POLICY = (
    b"default-src 'self'; img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; "
    b"style-src 'self' 'unsafe-inline'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    b"worker-src 'self' blob:; connect-src 'self' data: blob:; "
    b"frame-ancestors 'none'; base-uri 'self'; form-action 'self'"
)


class Guard:
    """ASGI middleware. cache: the folder of files that the page shows. token: what visitors must know, or None.
    closing: whether the studio is about to end: streams, which an open page keeps for ever, then end with it.
    """

    def __init__(self, app: ASGIApp, *, cache: Path, token: str | None, closing: Callable[[], bool]) -> None:
        self.app, self.cache, self.token, self.closing = app, cache, token, closing
        # The cookie is made from the token, not the token itself: whoever reads a browser's store learns no password.
        self.pass_ = hmac.new((token or "").encode(), b"ganvas studio", hashlib.sha256).hexdigest()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return  # the page opens no web sockets
        headers = dict(scope["headers"])
        path = scope["path"]
        if fault := self._stranger(headers):
            await refuse(send, 403, fault)
            return
        if self.token is not None and not self._known(headers):
            await self._ask_for_token(scope, receive, send)
            return
        if not self._served(path):
            await refuse(send, 404, "there is nothing here")
            return
        upload = path == f"{_API}upload"
        limit = LARGEST_UPLOAD if upload else LARGEST_REQUEST
        announced = headers.get(b"content-length", b"0")
        if not announced.isdigit() or int(announced[:20]) > limit:
            await refuse(send, 413, f"at most {limit >> 20:,} MB can be sent here")
            return
        if not upload:
            body = await _read(receive, limit)
            if body is None:
                await refuse(send, 413, f"at most {limit >> 20:,} MB can be sent here")
                return
            if fault := self._foreign_file(body):
                await refuse(send, 403, fault)
                return
            receive = self._again(body, receive)
        try:
            await self.app(scope, receive, _with_policy(send))
        except asyncio.CancelledError:
            if not self.closing():
                raise

    def _again(self, body: bytes, receive: Receive) -> Receive:
        """Gives the body that was read, then whatever comes; once the studio is about to end, the page is gone."""
        given = False

        async def replay() -> Message:
            nonlocal given
            if given:
                return {"type": "http.disconnect"} if self.closing() else await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        return replay

    def _stranger(self, headers: dict[bytes, bytes]) -> str:
        host = headers.get(b"host", b"").decode("latin-1")
        name = urlsplit(f"//{host}").hostname or "" if _plain(host) else ""
        if self.token is None and not is_loopback(name):
            return "this studio answers on this machine only, as 127.0.0.1 or localhost"
        origin = headers.get(b"origin", b"").decode("latin-1")
        if origin and origin.partition("://")[2] != host:
            return "this request comes from another web page"
        return ""

    def _served(self, path: str) -> bool:
        if path.startswith(_FILE):
            return self._kept(path.removeprefix(_FILE))
        return path in _PAGES or path in _CALLS or path.startswith((*_FOLDERS, *_BY_NAME))

    def _kept(self, path: str) -> bool:
        """Whether it is a file that Gradio keeps for the page."""
        try:
            return Path(path).is_absolute() and Path(path).resolve().is_relative_to(self.cache)
        except (OSError, ValueError, RuntimeError):
            return False

    def _foreign_file(self, body: bytes) -> str:
        """What is wrong with a request that names a file which was not uploaded; "" for all others."""
        if not body.lstrip().startswith((b"{", b"[")):
            return ""
        try:
            waiting: list[Any] = [json.loads(body)]
        except (ValueError, RecursionError):
            return "the request is not JSON"
        while waiting:
            value = waiting.pop()
            if isinstance(value, dict):
                path = value.get("path")
                if isinstance(path, str) and not self._kept(path):
                    return "only files that were uploaded here can be used"
                waiting.extend(value.values())
            elif isinstance(value, list):
                waiting.extend(value)
        return ""

    # -- the token ----------------------------------------------------------------------------------------------

    def _known(self, headers: dict[bytes, bytes]) -> bool:
        kind, _, given = headers.get(b"authorization", b"").partition(b" ")
        if kind.lower() == b"bearer" and self._right(given.strip()):
            return True
        try:
            cookie = SimpleCookie(headers.get(b"cookie", b"").decode("latin-1")).get(_COOKIE)
        except CookieError:
            return False
        return cookie is not None and hmac.compare_digest(cookie.value.encode(), self.pass_.encode())

    def _right(self, given: bytes) -> bool:
        return hmac.compare_digest(given, (self.token or "").encode())  # takes as long for any guess

    async def _ask_for_token(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == _ENTER and scope["method"] == "POST":
            body = await _read(receive, 4096) or b""
            given = parse_qs(body.decode("latin-1")).get("token", [""])[0]
            if self._right(given.strip().encode()):
                cookie = f"{_COOKIE}={self.pass_}; Path=/; HttpOnly; SameSite=Strict; Max-Age=2592000"
                await _answer(send, 303, b"", [(b"location", b"/"), (b"set-cookie", cookie.encode())])
                return
            await _answer(send, 401, _door("That is not the token."))
        elif scope["path"] == "/" and scope["method"] in ("GET", "HEAD"):
            await _answer(send, 401, _door(""))
        else:
            await refuse(send, 401, "this studio needs its token", [(b"www-authenticate", b"Bearer")])


def check_here(path: str | Path) -> Path:
    """The path, where it is a file. Raises RunError: it was uploaded, and may have been cleared away since."""
    if not Path(path).is_file():
        raise RunError("the uploaded file is not there any more; choose it again")
    return Path(path)


def _plain(host: str) -> bool:
    return not any(letter in host for letter in "/?#@\\")


async def _read(receive: Receive, limit: int) -> bytes | None:
    """The whole body; None where it is longer than the limit."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return bytes(body)
        body += message.get("body", b"")
        if len(body) > limit:
            return None
        if not message.get("more_body", False):
            return bytes(body)


def _with_policy(send: Send) -> Send:
    async def answer(message: Message) -> None:
        if message["type"] == "http.response.start":
            rules = [(b"content-security-policy", _POLICY), (b"referrer-policy", b"no-referrer")]
            message["headers"] = [*message.get("headers", []), *rules, (b"x-content-type-options", b"nosniff")]
        await send(message)

    return answer


async def _answer(send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]] | None = None) -> None:
    sized = [(b"content-type", b"text/html; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    shut = (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; form-action 'self'")
    start = {"type": "http.response.start", "status": status, "headers": [*sized, shut, *(headers or [])]}
    await send(start)
    await send({"type": "http.response.body", "body": body})


def _door(said: str) -> bytes:
    return render("web/studio/door.html.jinja", enter=_ENTER, said=said).encode()
