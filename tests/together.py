"""Processes that train together, for tests: real ones, which exchange tensors by gloo."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

TESTS = Path(__file__).parent


def together(
    commands: Sequence[Sequence[object]], environments: Sequence[Mapping[str, str]] = ({}, {}), seconds: float = 600
) -> list[subprocess.CompletedProcess[str]]:
    """Runs a Python command as each of the processes of one training, without torchrun, which would end all when one
    ends. Killed after so many seconds."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    meeting = {"WORLD_SIZE": str(len(commands)), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    common = {**os.environ, "OMP_NUM_THREADS": "1", **meeting}
    started = [
        subprocess.Popen(
            [sys.executable, *map(str, command)],
            env={**common, "RANK": str(rank), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank, (command, environment) in enumerate(zip(commands, environments, strict=True))
    ]
    try:
        said = [each.communicate(timeout=seconds) for each in started]
    finally:
        for each in started:
            each.kill()
    return [
        subprocess.CompletedProcess(each.args, each.returncode, out, err)
        for each, (out, err) in zip(started, said, strict=True)
    ]


def torchrun(words: Sequence[object], *, restarts: int = 0, seconds: float = 600) -> subprocess.CompletedProcess[str]:
    """Two processes of a Python script, or of `-m MODULE`, and its words."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    return subprocess.run(
        [*command, f"--max-restarts={restarts}", *map(str, words)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=seconds,
    )
