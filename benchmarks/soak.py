"""The server for an hour, with clients that are slow, drip, hang up and die among those that behave.

    python -m benchmarks.soak runs/demo [--minutes 60] [--connections 64]       (`make bench-soak`)

Of the connections, a process of their own, five eighths ask for one sample after the other, each after a thirtieth of a
second of its client's own. The others take the answer in small pieces, send a head or a body letter by letter, hang up
behind a request, or send one and never read. Every minute the server's resident memory and its open files are told.

Every request that was let in must get its whole answer: the length that was announced, and a picture that decodes. A
429 or 503 counts only with `Retry-After`. Memory is flat where the second half of the time has no more than 3% above
the first, the first tenth left out. Linux only.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import multiprocessing
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.trainings import table

PAUSE = 1 / 30
"""Seconds between an honest client's answer and its next request: they ask for less than two cores can give."""

PIECE = 512
"""Bytes that a slow client takes at a time, ten times a second."""


@dataclass
class Seen:
    """What the clients saw. lost: requests that were sent whole, on a connection that was read, and had no whole
    answer. wrong: answers that are not what they say. ends: how the server ended what never became a request."""

    statuses: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    wrong: list[str] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--connections", type=int, default=64)
    arguments = parser.parse_args()
    with tempfile.TemporaryFile("w+") as log:
        command = [sys.executable, "-m", "ganvas", "serve", arguments.run, "--port", "0", "--upscaler", "none"]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            assert server.stdout is not None
            line = server.stdout.readline()
            if not line:
                raise SystemExit(server.wait())
            port = int(line.rpartition(":")[2].partition("/")[0])
            seen, memory = soaked(server.pid, port, arguments.connections, 60 * arguments.minutes)
            server.send_signal(signal.SIGTERM)
            code = server.wait(60)
        finally:
            server.kill()
        log.seek(0)
        raise SystemExit(told(seen, memory, code, log.read()))


def soaked(server: int, port: int, connections: int, seconds: float) -> tuple[Seen, list[float]]:
    """What the clients saw, and the server's memory in MiB, once every five seconds."""
    ours, theirs = multiprocessing.Pipe()
    clients = multiprocessing.get_context("spawn").Process(target=_clients, args=(port, connections, seconds, theirs))
    clients.start()
    memory: list[float] = []
    began = time.monotonic()
    while not ours.poll(5):
        memory.append(resident(server))
        if len(memory) % 12 == 0:
            files = len(os.listdir(f"/proc/{server}/fd"))
            minutes = (time.monotonic() - began) / 60
            print(f"{minutes:5.1f} min: {memory[-1]:7.1f} MiB resident, {files} files open", flush=True)
    seen: Seen = ours.recv()
    clients.join()
    return seen, memory


def told(seen: Seen, memory: list[float], code: int, log: str) -> int:
    """Prints how it went. 0 where all is as it must be."""
    kept = memory[len(memory) // 10 :]
    first, second = kept[: len(kept) // 2] or [0.0], kept[len(kept) // 2 :] or [0.0]
    grown = statistics.mean(second) / max(statistics.mean(first), 1e-9) - 1
    slope = statistics.linear_regression([5 * n / 3600 for n in range(len(kept))], kept).slope if len(kept) > 1 else 0.0
    ordered = sorted(seen.latencies) or [float("nan")]
    print(table(["answer or end", "count"], [[name, f"{count:,}"] for name, count in sorted(seen.statuses.items())]))
    print(table(["what was no request", "count"], [[name, f"{count:,}"] for name, count in sorted(seen.ends.items())]))
    print(f"\nmedian {1000 * statistics.median(ordered):.0f} ms, ", end="")
    print(f"p99 {1000 * ordered[int(0.99 * (len(ordered) - 1))]:.0f} ms of the clients that behave")
    print(f"memory: {min(memory, default=0):.1f} to {max(memory, default=0):.1f} MiB; behind the first tenth ", end="")
    print(f"{slope:+.1f} MiB an hour, {100 * grown:+.2f}% from the first half to the second")
    print(f"lost: {seen.lost}; wrong answers: {len(seen.wrong)} {seen.wrong[:3]}; exit code {code}")
    print(f"log: {log.strip()[:2000] or 'empty'}")
    return int(bool(seen.lost or seen.wrong or code or log.strip() or grown > 0.03))


def resident(process: int) -> float:
    """MiB."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _clients(port: int, connections: int, seconds: float, pipe: Any) -> None:
    pipe.send(asyncio.run(_all(port, connections, seconds)))


async def _all(port: int, connections: int, seconds: float) -> Seen:
    """Every client goes on until the time is over, with a new connection wherever the old one ended."""
    seen, until = Seen(), time.monotonic() + seconds
    clients = [CLIENTS[number % len(CLIENTS)] for number in range(connections)]

    async def go(client: Client) -> None:
        while time.monotonic() < until:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 14)
            except OSError:
                seen.lost += 1
                await asyncio.sleep(1)
                continue
            try:
                await client(reader, writer, seen, until)
            except OSError:
                pass  # the server closed what was no whole request yet
            finally:
                writer.transport.abort()

    await asyncio.gather(*map(go, clients))
    return seen


Client = Callable[[asyncio.StreamReader, asyncio.StreamWriter, Seen, float], Awaitable[None]]


def request_of(n: int, kind: str = "png") -> bytes:
    body = json.dumps({"n": n, "format": kind}).encode()
    head = "POST /v1/samples HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def honest(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seen: Seen, until: float) -> None:
    await _asking(reader, writer, seen, until, request_of(1), 0)


async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seen: Seen, until: float) -> None:
    await _asking(reader, writer, seen, until, request_of(64), PIECE)


async def _asking(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seen: Seen, until: float, request: bytes, piece: int
) -> None:
    """One request after the other. piece: bytes that are taken ten times a second, or 0."""
    answered, took = time.monotonic(), 0.0
    while time.monotonic() < until and not reader.at_eof():  # who takes long has its connection closed behind an answer
        began = time.monotonic()
        try:
            writer.write(request)
            async with asyncio.timeout(60):
                status, headers, body = await _answer(reader, piece)
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
            told = f"{type(error).__name__} with {len(getattr(error, 'partial', b''))} bytes"
            waited, idle = time.monotonic() - began, began - answered
            before = f"{idle:.0f} s after the answer before it, which took {took:.0f} s"
            seen.ends[f"lost: {told}, {waited:.0f} s after it, {before}"] += 1
            seen.lost += 1
            return
        answered = time.monotonic()
        took = answered - began
        seen.statuses[str(status)] += 1
        if not piece:
            seen.latencies.append(time.monotonic() - began)
        if fault := _fault(status, headers, body):
            seen.wrong.append(fault)
        if headers.get(b"connection") == b"close":
            return
        await asyncio.sleep(float(headers.get(b"retry-after", b"0")) or PAUSE)


async def _answer(reader: asyncio.StreamReader, piece: int) -> tuple[int, dict[bytes, bytes], bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.lower().rstrip().split(b"\r\n")
    headers = {name: value.strip() for name, _, value in (line.partition(b":") for line in lines)}
    left, body = int(headers[b"content-length"]), b""
    while left:
        part = await reader.readexactly(min(piece or left, left))
        body, left = body + part, left - len(part)
        if piece:
            await asyncio.sleep(0.1)
    return int(first.split()[1]), headers, body


def _fault(status: int, headers: dict[bytes, bytes], body: bytes) -> str:
    if status in (429, 503):
        return "" if b"retry-after" in headers else f"{status} without Retry-After"
    if status != 200:
        return f"{status}: {body[:100]!r}"
    try:
        Image.open(io.BytesIO(body)).load()
    except (OSError, SyntaxError) as error:  # Pillow's words for a broken PNG
        return f"no picture: {error}"
    return ""


async def dripping_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seen: Seen, until: float) -> None:
    head = b"GET /v1/model HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"x" * 600
    await _dripping(reader, writer, seen, until, head, "head")


async def dripping_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seen: Seen, until: float) -> None:
    request = request_of(1).replace(b"Content-Length: ", b"Content-Length: 60")
    writer.write(request)
    await _dripping(reader, writer, seen, until, b" " * 600, "body")


async def _dripping(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seen: Seen, until: float, content: bytes, name: str
) -> None:
    for letter in content:
        if time.monotonic() > until:
            return
        writer.write(bytes([letter]))
        with suppress(TimeoutError):
            async with asyncio.timeout(0.5):
                answer = await reader.read(1000)
                seen.ends[f"dripping {name}: {answer[9:12].decode('ascii', 'replace') or 'closed'}"] += 1
                return


async def gone(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seen: Seen, until: float) -> None:
    """Hangs up behind a request, or in the midst of it."""
    request = request_of(random.choice((1, 16)))
    writer.write(request[: random.choice((len(request), len(request) // 2, 20))])
    await writer.drain()
    await asyncio.sleep(random.random() / 2)
    seen.ends["hung up"] += 1


async def dead(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seen: Seen, until: float) -> None:
    """Sends requests and reads nothing; or says nothing at all."""
    reader._transport.pause_reading()  # type: ignore[attr-defined]
    if random.random() < 0.7:
        writer.write(request_of(64, "zip"))
    with suppress(TimeoutError):
        async with asyncio.timeout(min(20, max(0.1, until - time.monotonic()))):
            await writer.drain()
            await asyncio.Event().wait()
    seen.ends["dead"] += 1


CLIENTS: tuple[Client, ...] = (*(honest,) * 10, slow, slow, dripping_head, dripping_body, gone, dead)


if __name__ == "__main__":
    main()
