"""What stands before Gradio: who may ask, for what, and how much may be sent.

Gradio has routes that the studio has no use for (it can fetch addresses and forward to other servers), and takes any
path or address in a request for a file. So only the routes that the page needs are let through; a file is one that
Gradio keeps for the page; and a request that names any other file or an address is refused before it arrives there.

On this machine alone, no token is needed: then it is as for `ganvas serve` (`ganvas.web.guard`) whose requests are
answered. Whoever asks with an `Origin` must ask from the studio's page, with a token too: browsers send its cookie.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from starlette.formparsers import MultiPartException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ganvas.errors import RunError
from ganvas.html import render
from ganvas.web.guard import Hosts, announced, bears, refuse, same_secret

LARGEST_UPLOAD = 2 * 2**30
"""Bytes of an uploaded file, where nothing else was said."""

LARGEST_REQUEST = 2**20
"""Bytes of any other request."""

LEFT_FREE = 2**30
"""Bytes of the disk that uploads leave to others."""

SECONDS = 30.0
"""To send a request, or the next piece of an upload."""

_API = "/gradio_api/"
_PAGES = frozenset({"/", "/config", "/config/", "/theme.css", "/favicon.ico", "/manifest.json", "/robots.txt"})
_FOLDERS = ("/assets/", "/static/", "/svelte/")
_CALLS = frozenset(
    f"{_API}{name}"
    for name in ("info", "queue/join", "queue/data", "upload", "upload_progress", "startup-events", "theme.css")
) | frozenset({f"{_API}cancel", f"{_API}reset", f"{_API}reset/", f"{_API}app_id"})
_BY_NAME = (f"{_API}heartbeat/", f"{_API}run/", f"{_API}custom_component/")
_FILE = f"{_API}file="
_REPORT = "/report/"
_ENTER = "/enter"
_COOKIE = "ganvas-studio"
_POLICY = (
    b"default-src 'self'; img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; "
    b"style-src 'self' 'unsafe-inline'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    b"worker-src 'self' blob:; connect-src 'self' data: blob:; "
    b"frame-ancestors 'none'; base-uri 'self'; form-action 'self'"
)


class Guard:
    """ASGI middleware. cache: the folder of files that the page shows. token: what visitors must know, or None. hosts:
    by what the studio may be called. largest: bytes of an upload. closing: whether the studio is about to end: streams,
    which an open page keeps for ever, then end with it.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        cache: Path,
        token: str | None,
        hosts: Hosts,
        largest: int = LARGEST_UPLOAD,
        closing: Callable[[], bool],
    ) -> None:
        self.app, self.cache, self.token, self.hosts, self.closing = app, cache, token, hosts, closing
        self.largest, self.uploading = largest, 0
        # The cookie is made from the token, not the token itself: whoever reads a browser's store learns no password.
        self.pass_ = hmac.new((token or "").encode(), b"ganvas studio", hashlib.sha256).hexdigest()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":  # the page opens none
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        path = scope["path"]
        strange = self.hosts.stranger if self.token is None else self.hosts.foreign
        if fault := strange(scope["headers"]):
            await refuse(send, 403, fault)
            return
        if self.token is not None and not self._known(headers, self.token):
            await self._ask_for_token(scope, receive, send, self.token)
            return
        if not self._served(path):
            await refuse(send, 404, "there is nothing here")
            return
        upload = path == f"{_API}upload"
        limit = self.largest if upload else LARGEST_REQUEST
        size = announced(headers)
        if size is None or size > limit:
            await refuse(send, 413, _too_much(limit))
        elif upload:
            await self._take_upload(scope, receive, send, size)
        else:
            await self._take(scope, receive, send)

    async def _take(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await _read(receive, LARGEST_REQUEST)
        except TimeoutError:
            await refuse(send, 408, f"the request was not there after {SECONDS:g} seconds")
            return
        if body is None:
            await refuse(send, 413, _too_much(LARGEST_REQUEST))
            return
        if fault := self._foreign_file(body):
            await refuse(send, 403, fault)
            return
        try:
            await self.app(scope, self._again(body, receive), _with_policy(send))
        except asyncio.CancelledError:
            if not self.closing():
                raise

    async def _take_upload(self, scope: Scope, receive: Receive, send: Send, size: int) -> None:
        """Hands it on as it comes. One that stops on the way ends as a broken form does, whose files Gradio removes."""
        if not size:
            await refuse(send, 411, "say with Content-Length how large it is")
            return
        if shutil.disk_usage(self.cache).free - self.uploading - size < LEFT_FREE:
            await refuse(send, 507, "there is no room for it on the disk of the studio's machine")
            return
        whole, fault = False, ""

        async def part() -> Message:
            nonlocal whole, fault
            if whole:
                return await receive()
            try:
                async with asyncio.timeout(SECONDS):
                    message = await receive()
            except TimeoutError:
                fault = f"nothing more of it came for {SECONDS:g} seconds"
                raise MultiPartException(fault) from None
            if message["type"] == "http.disconnect":
                fault = "the rest of it did not come"
                raise MultiPartException(fault)
            whole = not message.get("more_body", False)
            return message

        async def answer(message: Message) -> None:
            if not fault:
                await send(message)

        self.uploading += size
        try:
            with suppress(MultiPartException):
                await self.app(scope, part, _with_policy(answer))
        finally:
            self.uploading -= size
        if fault:
            await refuse(send, 408, fault)

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

    def _served(self, path: str) -> bool:
        if path.startswith(_FILE):
            return self._kept(path.removeprefix(_FILE))
        if path.startswith(_REPORT):
            return "/" not in path.removeprefix(_REPORT)
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

    def _known(self, headers: dict[bytes, bytes], token: str) -> bool:
        if bears(headers, token):
            return True
        try:
            cookie = SimpleCookie(headers.get(b"cookie", b"").decode("latin-1")).get(_COOKIE)
        except CookieError:
            return False
        return cookie is not None and same_secret(cookie.value.encode(), self.pass_)

    async def _ask_for_token(self, scope: Scope, receive: Receive, send: Send, token: str) -> None:
        if scope["path"] == _ENTER and scope["method"] == "POST":
            if same_secret(await _entered(receive), token):
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


def _too_much(limit: int) -> str:
    return f"at most {limit / 2**20:,.4g} MB can be sent here"


async def _read(receive: Receive, limit: int) -> bytes | None:
    """The whole body; None where it is longer than the limit. Raises TimeoutError."""
    body = bytearray()
    async with asyncio.timeout(SECONDS):
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return bytes(body)
            body += message.get("body", b"")
            if len(body) > limit:
                return None
            if not message.get("more_body", False):
                return bytes(body)


async def _entered(receive: Receive) -> bytes:
    """What was typed into the door's field."""
    try:
        body = await _read(receive, 4096) or b""
    except TimeoutError:
        return b""
    with suppress(ValueError):  # more fields than any form of ours has
        return parse_qs(body.decode("latin-1")).get("token", [""])[0].strip().encode()
    return b""


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
