"""The server under load: with batching and without, by turns; and SIGTERM under load.

    python -m benchmarks.serve runs/demo [--connections 64] [--seconds 60] [--rounds 1]       (`make bench-serve`)

The client is a process of its own whose connections all ask for one sample after the other (JSON body, PNG back,
keep-alive) from loopback. Reported are the answers by status, throughput, the median and the 99th percentile of
latency, and the ratio of the two throughputs. Then one more server gets SIGTERM while the same load is on: a request
that went out on an open connection and got no answer is a dropped one, and there may be none.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from benchmarks.trainings import table

BODY = json.dumps({"n": 1}).encode()
REQUEST = (
    b"POST /v1/samples HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: "
    + str(len(BODY)).encode()
    + b"\r\n\r\n"
    + BODY
)


@dataclass
class Load:
    """What the clients saw. dropped: requests that were sent and not answered. refused: connections not taken."""

    statuses: Counter[int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    dropped: int = 0
    refused: int = 0
    seconds: float = 0.0

    def row(self, name: str) -> list[str]:
        ordered = sorted(self.latencies) or [float("nan")]
        return [
            name,
            f"{self.statuses[200] / self.seconds:,.0f}",
            f"{1000 * statistics.median(ordered):.0f}",
            f"{1000 * ordered[int(0.99 * (len(ordered) - 1))]:.0f}",
            ", ".join(f"{status}: {count:,}" for status, count in sorted(self.statuses.items())),
            str(self.dropped),
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rounds", type=int, default=1)
    arguments = parser.parse_args()
    rows, ratios = [], []
    for _ in range(arguments.rounds):
        found = {}
        for name, flags in (("batching off", ["--batch", "1"]), ("batching", [])):
            server, port = started(arguments.run, flags)
            loaded(port, 4, 2)  # warm
            found[name] = loaded(port, arguments.connections, arguments.seconds)
            server.send_signal(signal.SIGTERM)
            server.wait(60)
            rows.append(found[name].row(name))
        ratios.append(found["batching"].statuses[200] / found["batching off"].statuses[200])
    server, port = started(arguments.run, [])
    ending = loaded(port, arguments.connections, min(arguments.seconds, 10), stop=server)
    code = server.wait(60)
    rows.append(ending.row("SIGTERM halfway"))
    print(f"{arguments.connections} connections, {arguments.seconds:g} s each, one sample a request\n")
    print(table(["server", "samples/s", "median ms", "p99 ms", "answers", "dropped"], rows))
    print(f"\nbatching gives {statistics.median(ratios):.2f} times the throughput")
    print(f"SIGTERM under load: {ending.dropped} requests dropped, exit code {code}")


def started(run: str, flags: list[str]) -> tuple[subprocess.Popen[str], int]:
    command = [sys.executable, "-m", "ganvas", "serve", run, "--port", "0", *flags]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    line = server.stdout.readline()
    return server, int(line.rpartition(":")[2].partition("/")[0])


def loaded(port: int, connections: int, seconds: float, stop: subprocess.Popen[str] | None = None) -> Load:
    """The load, from a process of its own. stop: a server that gets SIGTERM after half of the time."""
    ours, theirs = multiprocessing.Pipe()
    client = multiprocessing.get_context("spawn").Process(target=_client, args=(port, connections, seconds, theirs))
    client.start()
    assert ours.recv() == "started"
    if stop is not None:
        time.sleep(seconds / 2)
        stop.send_signal(signal.SIGTERM)
    result: Load = ours.recv()
    client.join()
    return result


def _client(port: int, connections: int, seconds: float, pipe: Any) -> None:
    pipe.send("started")
    pipe.send(asyncio.run(_load(port, connections, seconds)))


async def _load(port: int, connections: int, seconds: float) -> Load:
    load = Load()
    began = time.perf_counter()
    await asyncio.gather(*(_ask(port, began + seconds, load) for _ in range(connections)))
    load.seconds = time.perf_counter() - began
    return load


async def _ask(port: int, until: float, load: Load) -> None:
    """One client: a connection, and a new one where the server closed it with an answer."""
    while time.perf_counter() < until:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            load.refused += 1
            return
        try:
            closing = False
            while not closing and time.perf_counter() < until:
                began = time.perf_counter()
                writer.write(REQUEST)
                head = await reader.readuntil(b"\r\n\r\n")
                lines = head.lower().split(b"\r\n")
                (length,) = (int(line.partition(b":")[2]) for line in lines if line.startswith(b"content-length"))
                await reader.readexactly(length)
                load.latencies.append(time.perf_counter() - began)
                load.statuses[int(head.split(b" ", 2)[1])] += 1
                closing = b"connection: close" in lines
        except (OSError, asyncio.IncompleteReadError):
            load.dropped += 1
        finally:
            writer.close()


if __name__ == "__main__":
    main()
