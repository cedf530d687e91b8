"""Wild requests against the server: whatever is sent, it answers as documented, or closes the connection.

    python -m benchmarks.fuzz_requests runs/demo [--count 5000 | --seconds 60] [--seed 0]

Requests that are right are spoiled: methods, targets, versions, headers, lengths, chunks, JSON, forms; bytes are
flipped, cut out, doubled. An answer may be anything below 500, and 429 or 503 with `Retry-After`; every refusal is JSON
with one line of `error`; a connection may be closed without an answer. It is a fault where an answer takes longer than
`PATIENCE`, `/healthz` does not answer in between, or the server writes anything to its log.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

PATIENCE = 45.0
"""Seconds for an answer: a body that does not come is waited for as long as `--seconds` says, 30 by default."""

AT_ONCE = 32

_METHODS = (
    b"GET",
    b"POST",
    b"HEAD",
    b"PUT",
    b"DELETE",
    b"OPTIONS",
    b"TRACE",
    b"CONNECT",
    b"PRI",
    b"get",
    b"G\xffT",
    b"",
)
_PATHS = (
    b"/v1/samples",
    b"/v1/model",
    b"/v1/upscale",
    b"/v1/transform",
    b"/healthz",
    b"/metrics",
    b"/docs",
    b"/openapi.json",
    b"/",
    b"*",
    b"//",
    b"/../../etc/passwd",
    b"/v1/invert",
    b"/v1/edit",
    b"/%2e%2e/%2e%2e/etc/passwd",
    b"/%ff%fe",
    b"/%00",
    b"/%",
    b"/\xff\xfe",
    b"/caf\xc3\xa9",
    b"http://evil.example/v1/model",
    b"evil.example:443",
    b"/v1/samples?" + b"a=1&" * 2000,
    b"/" + b"a" * 20_000,
    b"",
)
_VERSIONS = (b"HTTP/1.1", b"HTTP/1.0", b"HTTP/0.9", b"HTTP/2.0", b"HTTP/9.9", b"HTTP/1.1.1", b"HTTP", b"http/1.1", b"")
_LENGTHS = (b"0", b"-1", b"+5", b"5 5", b"0x10", b"1e3", b"9" * 30, b"00000000000000000000009", b"", b"\xb2", b"3, 4")
_CODINGS = (b"chunked", b"Chunked", b"gzip", b"chunked, chunked", b"identity", b"xchunked", b"chunked\x0b", b"")
_CHUNKS = (b"zz", b"-1", b"0x4", b"", b"f" * 30, b"4;" + b"x" * 20_000, b"4 ", b"7fffffffffffffff", b"4\x00", b"\xff")
_HEADERS = (
    b"Host: evil.example",
    b"Host: [::1",
    b"Host: \xff",
    b"Host:",
    b"Origin: null",
    b"Origin: http://evil.example",
    b"Connection: close",
    b"Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: eA==",
    b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__",
    b"Expect: 100-continue",
    b"Expect: 200-ok",
    b"Content-Length: 3",
    b"Transfer-Encoding: chunked",
    b"Content-Type: multipart/form-data",
    b"Content-Type: multipart/form-data; boundary=",
    b"Content-Type: application/json; charset=\xff",
    b"Content-Type: application/x-www-form-urlencoded",
    b"Content-Encoding: gzip",
    b"Authorization: Bearer \xff",
    b"Cookie: " + b"a=b;" * 1000,
    b"Range: bytes=0-1,5-,-9",
    b" folded: yes",
    b"no colon",
    b": nothing",
    b"a b: c",
    b"X: " + b"y" * 70_000,
    b"\r\n".join(b"X-%d: y" % number for number in range(900)),
    b"X: a\x00b",
    b"X: a\rb",
)
_VALUES = (
    "null", "true", "-1", "0", "1e400", "-0.0", "NaN", "Infinity", '""', '"\\ud800"', '"\\u0000"', "[]", "{}", "[[[]]]",
    "9" * 4000, '"' + "x" * 5000 + '"', "[" * 900 + "]" * 900, "[" * 30_000, '{"a":' * 900 + "1" + "}" * 900,
    "[" + "0," * 20_000 + "0]", "1.5", '"7"', "[1, 2, 3]", "9007199254740993",
)  # fmt: skip
_FIELDS = (
    "n",
    "seed",
    "truncation",
    "format",
    "label",
    "latent",
    "codes",
    "inputs",
    "set",
    "\\u0000",
    "__class__",
    "n",
)


def requests(seed: int) -> Iterator[bytes]:
    """Wild requests without end, the same ones for the same seed."""
    draw = random.Random(seed)
    kinds = tuple(_KINDS)
    while True:
        request = draw.choice(kinds)(draw)
        while draw.random() < 0.3:
            request = draw.choice(_SPOILERS)(draw, request)
        yield request


@dataclass
class Found:
    """answers: by status, or how it ended. faults: what is not as documented, with the request's number."""

    answers: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


def run(port: int, *, seed: int = 0, count: int | None = None, seconds: float | None = None) -> Found:
    """Sends `count` requests, or as many as there is time for, to a server on this machine."""
    return asyncio.run(_run(port, seed, count, seconds))


async def _run(port: int, seed: int, count: int | None, seconds: float | None) -> Found:
    found, until = Found(), time.monotonic() + (float("inf") if seconds is None else seconds)
    numbered = enumerate(itertools.islice(requests(seed), count))

    async def go() -> None:
        for number, request in numbered:
            if time.monotonic() > until:
                return
            ended, fault = await _tried(port, request)
            found.answers[ended] += 1
            if fault:
                found.faults.append(f"request {number} of seed {seed}, {request[:120]!r}...: {fault}")
            if number % 500 == 499 and (well := await _tried(port, _WELL)) != ("200", ""):
                found.faults.append(f"/healthz behind request {number} of seed {seed}: {well}")

    await asyncio.gather(*(go() for _ in range(AT_ONCE)))
    return found


_WELL = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


async def _tried(port: int, request: bytes) -> tuple[str, str]:
    """How it ended, and what is wrong with that or ""."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    began = time.monotonic()
    try:
        writer.write(request)
        async with asyncio.timeout(PATIENCE):
            head = b"HTTP/1.1 100 "
            while head.startswith(b"HTTP/1.1 100 "):
                head = await reader.readuntil(b"\r\n\r\n")
            status, headers = _head(head)
            bodiless = request.startswith(b"HEAD ") or status < 200
            body = b"" if bodiless else await reader.readexactly(int(headers[b"content-length"]))
    except asyncio.IncompleteReadError as error:
        return "closed", f"half an answer: {error.partial[:80]!r}" if error.partial else ""
    except ConnectionError:
        return "closed", ""
    except TimeoutError:
        return "hangs", f"no answer within {time.monotonic() - began:.0f} s"
    except (LookupError, ValueError, asyncio.LimitOverrunError) as error:
        return "no HTTP", f"no HTTP: {error!r}"
    finally:
        writer.transport.abort()
    return str(status), _fault(status, headers, body, bodiless)


def _head(head: bytes) -> tuple[int, dict[bytes, bytes]]:
    first, *lines = head.rstrip().split(b"\r\n")
    version, status, _ = first.split(b" ", 2)
    if version != b"HTTP/1.1":
        raise ValueError(first)
    pairs = (line.partition(b":") for line in lines)
    return int(status), {name.lower(): value.strip() for name, _, value in pairs}


def _fault(status: int, headers: dict[bytes, bytes], body: bytes, bodiless: bool) -> str:
    if status >= 500 and status != 503:
        return f"{status}: {body[:200]!r}"
    if status in (429, 503) and b"retry-after" not in headers:
        return f"{status} without Retry-After"
    if status >= 400 and not bodiless:
        try:
            told = json.loads(body)
        except ValueError:
            return f"{status} that is not JSON: {body[:200]!r}"
        if list(told) != ["error"] or not told["error"] or "\n" in told["error"]:
            return f"{status} without one line of error: {body[:200]!r}"
    return ""


# -- what is sent ----------------------------------------------------------------------------------------------------


def _request(
    method: bytes,
    path: bytes,
    headers: list[bytes],
    body: bytes = b"",
    version: bytes = b"HTTP/1.1",
    sized: bool = True,
) -> bytes:
    told = [b"Content-Length: %d" % len(body)] if body and sized else []
    return b"\r\n".join([b" ".join((method, path, version)), *headers, *told, b"", b""]) + body


def _line(draw: random.Random) -> bytes:
    """A strange first line, with all else as it should be."""
    parts = [b"GET", b"/v1/model", b"HTTP/1.1"]
    place = draw.randrange(3)
    parts[place] = draw.choice((_METHODS, _PATHS, _VERSIONS)[place])
    if draw.random() < 0.3:
        parts[0] = draw.choice(_METHODS)
    return _request(parts[0], parts[1], [b"Host: localhost"], version=parts[2])


def _head_of_all_kinds(draw: random.Random) -> bytes:
    headers = [b"Host: localhost", *(draw.choice(_HEADERS) for _ in range(draw.randrange(1, 4)))]
    draw.shuffle(headers)
    return _request(draw.choice((b"GET", b"POST")), draw.choice(_PATHS[:6]), headers, draw.choice((b"", b'{"n": 1}')))


def _json(draw: random.Random) -> bytes:
    chosen = ", ".join(f'"{draw.choice(_FIELDS)}": {draw.choice(_VALUES)}' for _ in range(draw.randrange(1, 4)))
    body = draw.choice((f"{{{chosen}}}", draw.choice(_VALUES), chosen, "")).encode()
    if draw.random() < 0.1:
        body = body.decode().encode(draw.choice(("utf-16", "utf-8-sig", "utf-32")))
    path = draw.choice((b"/v1/samples", b"/v1/samples", b"/v1/edit"))
    return _request(b"POST", path, [b"Host: localhost", b"Content-Type: application/json"], body)


def _form(draw: random.Random) -> bytes:
    names = (b"image", b"source", b"file", b"format", b"seed", b"truncation", b"\xff", b"", b"a" * 5000)
    contents = (b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"png", b"RIFF\0\0\0\0WEBPVP8 ", b"x" * 60_000, b"7", b"\0")
    parts = b""
    for _ in range(draw.choice((0, 1, 1, 2, 3, 1500))):
        file = draw.choice(
            (b"", b'; filename="x.png"', b'; filename="../../x\0"', b"; filename*=utf-8''%ff", b"; filename=")
        )
        parts += b'--b\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n' % (draw.choice(names), file)
        parts += draw.choice(contents if len(parts) < 200_000 else (b"",)) + b"\r\n"
    body = parts + draw.choice((b"--b--\r\n", b"--b--\r\n", b"", b"--b", b"--c--\r\n"))
    boundary = draw.choice((b"b", b"b", b"b", b'"b"', b"\xff", b"", b"b" * 300))
    headers = [b"Host: localhost", b"Content-Type: multipart/form-data; boundary=" + boundary]
    paths = (b"/v1/upscale", b"/v1/upscale", b"/v1/transform", b"/v1/invert", b"/v1/samples")
    return _request(b"POST", draw.choice(paths), headers, body)


def _length(draw: random.Random) -> bytes:
    headers = [b"Host: localhost", b"Content-Type: application/json", b"Content-Length: " + draw.choice(_LENGTHS)]
    if draw.random() < 0.4:
        headers.append(b"Transfer-Encoding: " + draw.choice(_CODINGS))
    if draw.random() < 0.3:
        headers.append(b"Content-Length: " + draw.choice(_LENGTHS))
    return _request(b"POST", b"/v1/samples", headers, b'{"n": 1}', sized=False)


def _chunked(draw: random.Random) -> bytes:
    good = b'4\r\n{"n"\r\n4\r\n: 1}\r\n'
    bad = (
        draw.choice(_CHUNKS)
        + draw.choice((b"\r\n", b"\n", b""))
        + draw.choice((b"abcd\r\n", b"abcd", b"", b"x" * 70_000))
    )
    end = draw.choice(
        (b"0\r\n\r\n", b"0\r\nX: y\r\n\r\n", b"0\r\n" + b"X: y\r\n" * 5000, b"0\r\nno colon\r\n\r\n", b"0\r\n\x00")
    )
    body = draw.choice((good + bad + end, bad + end, good + end, bad))
    coding = draw.choice(_CODINGS) if draw.random() < 0.3 else b"chunked"
    headers = [b"Host: localhost", b"Content-Type: application/json", b"Transfer-Encoding: " + coding]
    return _request(b"POST", draw.choice(_PATHS[:3]), headers, body, sized=False)


def _pipelined(draw: random.Random) -> bytes:
    return b"".join(draw.choice((_json, _line, _length, _chunked))(draw) for _ in range(draw.randrange(2, 6)))


def _noise(draw: random.Random) -> bytes:
    known = (
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\r\n" * 3000,
        b"SSH-2.0-x\r\n",
    )
    return draw.choice((*known, draw.randbytes(draw.randrange(1, 3000)))) + b"\r\n\r\n"


_KINDS: tuple[Callable[[random.Random], bytes], ...] = (
    _line, _head_of_all_kinds, _json, _json, _form, _length, _chunked, _pipelined, _noise,
)  # fmt: skip


def _flipped(draw: random.Random, request: bytes) -> bytes:
    spoiled = bytearray(request)
    for _ in range(draw.randrange(1, 6)):
        if spoiled:
            spoiled[draw.randrange(min(len(spoiled), 600))] = draw.randrange(256)
    return bytes(spoiled)


def _cut(draw: random.Random, request: bytes) -> bytes:
    begin = draw.randrange(len(request) + 1)
    return request[:begin] + request[begin + draw.randrange(1, 40) :]


def _doubled(draw: random.Random, request: bytes) -> bytes:
    begin = draw.randrange(len(request) + 1)
    return request[:begin] + request[begin : begin + draw.randrange(1, 200)] + request[begin:]


def _ended(draw: random.Random, request: bytes) -> bytes:
    return request[: draw.randrange(len(request) + 1)]


def _bare(draw: random.Random, request: bytes) -> bytes:
    return request.replace(b"\r\n", draw.choice((b"\n", b"\r", b"\n\r")))


_SPOILERS: tuple[Callable[[random.Random, bytes], bytes], ...] = (_flipped, _flipped, _cut, _doubled, _ended, _bare)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--count", type=int)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    count = 5000 if arguments.count is None and arguments.seconds is None else arguments.count
    with tempfile.TemporaryFile("w+") as log:
        command = [sys.executable, "-m", "ganvas", "serve", arguments.run, "--port", "0", "--seconds", "5"]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            assert server.stdout is not None
            port = int(server.stdout.readline().rpartition(":")[2].partition("/")[0])
            found = run(port, seed=arguments.seed, count=count, seconds=arguments.seconds)
            server.send_signal(signal.SIGTERM)
            code = server.wait(60)
        finally:
            server.kill()
        log.seek(0)
        told = log.read()
    print(", ".join(f"{ended}: {count:,}" for ended, count in sorted(found.answers.items())))
    print("\n".join(found.faults[:20]) or "no faults")
    print(f"exit code {code}; log: {told[:4000] or 'empty'}")
    raise SystemExit(bool(found.faults or code or told))


if __name__ == "__main__":
    main()
