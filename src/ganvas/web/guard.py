"""Whose requests the servers answer at all, and how one is refused.

What listens on this machine only is reached by web pages too, through the browser of whoever visits them. A page may
give its own name this machine's address (DNS rebinding), and then reads what it likes: such a request has that name as
its `Host`. Or it sends without reading, which keeps the processor busy: such a request has the page as its `Origin`.
Both are refused. A number as `Host` is nobody's name, and programs that are no browser send no `Origin`.
"""

from __future__ import annotations

import hmac
import ipaddress
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.types import Send

from ganvas.errors import UsageError

Headers = Iterable[tuple[bytes, bytes]]

_AUTHORITY = r"(?:\[(?P<six>[0-9a-f:.]+)\]|(?P<name>[^\s\[\]:@/?#\\]+))(?::(?P<port>[0-9]{1,5}))?"
_HOST = re.compile(_AUTHORITY)
_ORIGIN = re.compile(rf"(?P<scheme>https?)://{_AUTHORITY}")
_PORTS = {"http": "80", "https": "443"}
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")


@dataclass(frozen=True)
class Hosts:
    """By what a server may be called. names: host names beside `localhost` and all numbers, in small letters."""

    names: frozenset[str] = frozenset()

    @classmethod
    def of(cls, names: Iterable[str]) -> Hosts:
        """Raises UsageError for what is no host name."""
        return cls(frozenset(map(_checked, names)))

    def stranger(self, headers: Headers) -> str:
        """What is wrong with the `Host` or the `Origin`, or ""."""
        for host in _values(headers, b"host"):
            called = _HOST.fullmatch(host)
            name = "" if called is None else _name(called)
            if not (_is_number(name) or name == "localhost" or name in self.names):
                hint = "ask for 127.0.0.1 or localhost, or start it with --allow-host NAME"
                return f"this server is not called {host[:80]!r}: {hint}"
        return self.foreign(headers)

    def foreign(self, headers: Headers) -> str:
        """What is wrong with the `Origin`, or "": it must be a page of this server."""
        hosts = [_HOST.fullmatch(host) for host in _values(headers, b"host")]
        for origin in _values(headers, b"origin"):
            page = _ORIGIN.fullmatch(origin)
            if page is None or not (_name(page) in self.names or any(host and _same(page, host) for host in hosts)):
                return "this request comes from another web page"
        return ""


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def bears(headers: Mapping[bytes, bytes], token: str) -> bool:
    """Whether the request has it: `Authorization: Bearer TOKEN`."""
    kind, _, given = headers.get(b"authorization", b"").partition(b" ")
    return kind.lower() == b"bearer" and same_secret(given.strip(), token)


def same_secret(given: bytes, secret: str) -> bool:
    """Takes as long for any guess."""
    return hmac.compare_digest(given, secret.encode())


def announced(headers: Mapping[bytes, bytes]) -> int | None:
    """Bytes of the body as its sender tells them, 0 where it does not; None for what is no number."""
    told = headers.get(b"content-length", b"0")
    return int(told) if told.isdigit() and len(told) <= 20 else None


async def refuse(send: Send, status: int, error: str, headers: list[tuple[bytes, bytes]] | None = None) -> None:
    """Answers with the error and closes the connection, since the rest of the request may still be on its way."""
    body = error_body(error)
    sized = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [*sized, (b"connection", b"close"), *(headers or [])],
        }
    )
    await send({"type": "http.response.body", "body": body})


def error_body(error: Any) -> bytes:
    """`{"error": ...}` in ASCII, so that no letter that a request held can break it."""
    return json.dumps({"error": str(error)}).encode("ascii")


def _values(headers: Headers, name: bytes) -> list[str]:
    return [value.decode("latin-1").lower() for key, value in headers if key == name]


def _name(match: re.Match[str]) -> str:
    return match["six"] or match["name"]


def _is_number(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _same(page: re.Match[str], host: re.Match[str]) -> bool:
    usual = _PORTS[page["scheme"]]
    return (_name(page), page["port"] or usual) == (_name(host), host["port"] or usual)


def _checked(name: str) -> str:
    try:
        plain = name.lower().encode("idna").decode("ascii")
    except UnicodeError:
        plain = ""
    if _NAME.fullmatch(plain) is None:
        raise UsageError(
            f"--allow-host {name[:80]!r} is no host name; give it alone, as in: --allow-host gan.example.org"
        )
    return plain
