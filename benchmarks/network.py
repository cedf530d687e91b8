"""Two machines on one: network namespaces joined by a cable of a given rate. As root, with `ip` and `tc`."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

CARD = "eth0"
"""The name of the network's card in each of the two, as gloo's GLOO_SOCKET_IFNAME wants it."""


@contextmanager
def two_machines(gigabits: float) -> Iterator[tuple[list[list[str]], str]]:
    """What to put before a command to run it on each of the two, and the first one's address. Both are gone afterwards.

    gigabits: a second, each way.
    """
    names = [f"ganvas-{os.getpid()}-{side}" for side in "ab"]
    addresses = ["10.213.0.1", "10.213.0.2"]
    try:
        for name in names:
            _run("ip", "netns", "add", name)
        _run("ip", "link", "add", CARD, "netns", names[0], "type", "veth", "peer", "name", CARD, "netns", names[1])
        limit = ("rate", f"{round(1000 * gigabits)}mbit", "burst", "256kb", "latency", "100ms")
        for name, address in zip(names, addresses, strict=True):
            _run("ip", "-n", name, "address", "add", f"{address}/24", "dev", CARD)
            for card in ("lo", CARD):
                _run("ip", "-n", name, "link", "set", card, "up")
            _run("tc", "-n", name, "qdisc", "add", "dev", CARD, "root", "tbf", *limit)
        yield [["ip", "netns", "exec", name] for name in names], addresses[0]
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "delete", name], stderr=subprocess.DEVNULL)


def _run(*words: str) -> None:
    subprocess.run(words, check=True)
