"""Killing a training again and again, and going on: is the result what it would have been?

    python -m benchmarks.kills [--kills 50] [--seed 0] [--only pictures|scores]      (`make bench-kills`)

Two trainings, a small DCGAN on real digits, and a GAN on points with all that watches it (scores that pick `best/`, and
healing), are each trained by the command line, killed by `kill -9`, and resumed, until the kills are used up: at random
moments, inside the writing of a checkpoint, and just behind it, while older checkpoints are removed. When a training
gets to its end between two kills, another one of the same settings is begun. 1 to 3 minutes each.

What must hold is asserted, as it is a matter of right or wrong and not of speed: every resumption succeeds and goes on
from the newest checkpoint, and never from the start once there is one; at the end, the weights, their averages and the
optimizers' moments are byte for byte those of a training that nobody disturbed, and so are the logged numbers and the
sample pictures. The undisturbed one runs in a process of its own. The others are forked from a process that has
imported PyTorch already, which spares each of them the seconds of that import; what runs in the fork is the
`ganvas` command's own function.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

TRAINING = "train dcgan --data digits --width 4 --batch-size 8 --steps 210 --checkpoint-every 7 --sample-every 50"
SCORED = (
    "train vanilla --data ring --width 32 --batch-size 32 --beta1 0.95 --steps 700 --checkpoint-every 23 "
    "--sample-every 150 --score-every 60 --heal"
)
TRAININGS = {"pictures": TRAINING, "scores": SCORED}
"""What is trained: the numbers are prime to each other, so that few kills find the same state of the game."""

MOMENTS = ("anywhere", "writing", "pruning", "between")

_SERVER = """
import json, os, sys
import ganvas.api, ganvas.cli, torch.utils.tensorboard, torch._dynamo  # the last one comes with the first optimizer
from ganvas import recipes
for name in recipes.names():
    recipes.find(name)
for line in sys.stdin:
    order = json.loads(line)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            for stream in (1, 2):
                os.dup2(log, stream)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            ganvas.cli.main(order["words"])
        except SystemExit as leaving:
            code = leaving.code or 0
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Commands:
    """Runs `ganvas` commands one after the other, each in a fork of a process that has imported everything.

    folder: where their output goes. Use it as a context manager; leaving it ends the process.
    """

    def __init__(self, folder: Path) -> None:
        self.log = folder / "output.txt"
        # One thread: forking is then safe, and sums have one order.
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        self._server = subprocess.Popen(
            [sys.executable, "-c", _SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )
        self._pid: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pid is not None:
            self.send(signal.SIGKILL)
        assert self._server.stdin is not None and self._server.stdout is not None
        self._server.stdin.close()
        self._server.wait()
        self._server.stdout.close()

    def start(self, words: list[str]) -> None:
        assert self._server.stdin is not None
        self._server.stdin.write(json.dumps({"words": words, "log": str(self.log)}).encode() + b"\n")
        self._server.stdin.flush()
        self._pid = self._line()

    def ended(self, within: float = 0.0) -> bool:
        """Whether the command ends in so many seconds."""
        assert self._server.stdout is not None
        return bool(select.select([self._server.stdout], [], [], within)[0])

    def send(self, number: int) -> None:
        assert self._pid is not None
        os.kill(self._pid, number)  # it is not yet waited for, so the number cannot be another process's

    def code(self) -> int:
        """Waits for the command's end; its exit code, -9 for one that was killed."""
        self._pid = None
        return self._line()

    def output(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def _line(self) -> int:
        assert self._server.stdout is not None
        # Byte by byte, since `ended` must see what a buffer would have swallowed.
        line = b""
        while not line.endswith(b"\n"):
            byte = os.read(self._server.stdout.fileno(), 1)
            if not byte:
                raise RuntimeError("the process that forks the commands has died")
            line += byte
        return int(line)


@dataclass
class Tally:
    """What happened to a disturbed training (`disturb`)."""

    kills: Counter[str] = field(default_factory=Counter)
    resumptions: int = 0
    half_written: int = 0


def undisturbed(run: Path, training: str = TRAINING) -> None:
    """The training that the others are compared with, in a process of its own."""
    command = [sys.executable, "-m", "ganvas", *training.split(), "--out", str(run), "--quiet"]
    subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=subprocess.DEVNULL)


def disturb(commands: Commands, run: Path, most: int, draws: random.Random, training: str = TRAINING) -> Tally:
    """Trains into `run`, killing it at up to `most` moments and resuming it, until it is finished.

    Raises AssertionError where a resumption fails, or goes on from anything but the newest checkpoint.
    """
    tally = Tally()
    checkpoints = run / "checkpoints"
    while True:
        newest = max(steps(checkpoints), default=0)
        leftovers = set(checkpoints.glob(".step-*.tmp"))
        begun = (run / "config.json").exists()
        commands.start(["train", "--resume", str(run)] if begun else [*training.split(), "--out", str(run)])
        moment = draws.choice(MOMENTS) if sum(tally.kills.values()) < most else None
        in_time = moment is not None and _await(commands, moment, checkpoints, newest, draws)
        if in_time:
            commands.send(signal.SIGKILL)
        code, output = commands.code(), commands.output()
        resumed = re.search(r"going on from .*step-(\d+)", output)
        if resumed is not None:
            tally.resumptions += 1
            assert int(resumed[1]) == newest, f"went on from step {resumed[1]}, and {newest} was there:\n{output}"
        elif newest:
            # Killed before it said anything, or it has started again from nothing, which must not be.
            assert code == -signal.SIGKILL and "steps" not in output, f"did not go on from {newest}:\n{output}"
        assert "passed over" not in output, output
        tally.half_written += bool(set(checkpoints.glob(".step-*.tmp")) - leftovers)
        if in_time and code == -signal.SIGKILL:
            assert moment is not None
            tally.kills[moment] += 1
        else:
            assert code == 0, f"exit code {code}:\n{output}"
            assert not list(checkpoints.glob(".step-*.tmp")), "half-written checkpoints were left behind"
            return tally


def steps(checkpoints: Path) -> list[int]:
    """The steps of which there is a checkpoint."""
    return [int(path.name.removeprefix("step-")) for path in checkpoints.glob("step-*")]


def differences(run: Path, reference: Path) -> list[str]:
    """What is not byte for byte the same at the end of two runs, by name: weights, averages, moments, the averages not
    yet logged, the best weights by score, logged numbers but those of time, sample pictures."""
    last = f"checkpoints/step-{max(steps(reference / 'checkpoints')):08d}"
    names = [f"{last}/{part}.safetensors" for part in ("model", "averaged", "optimizers", "meter")]
    names += sorted(str(path.relative_to(reference)) for path in (reference / "best").glob("*.safetensors"))
    names += sorted(str(path.relative_to(reference)) for path in (reference / "samples").glob("*.png"))
    different = [name for name in names if not _same(run / name, reference / name)]
    if sorted(p.name for p in (run / "samples").glob("*.png")) != sorted(Path(n).name for n in names if ".png" in n):
        different.append("the names in samples/")
    if _numbers(run) != _numbers(reference):
        different.append("metrics.jsonl")
    return different


def _await(commands: Commands, moment: str, checkpoints: Path, newest: int, draws: random.Random) -> bool:
    """Waits for the moment to kill: False where the training ended before it came.

    anywhere: so many seconds behind the start, be it in the middle of the start-up. writing: while a checkpoint is
    written. pruning: just behind, while older ones are removed. between: some steps behind a checkpoint.
    """
    if moment == "anywhere":
        return not commands.ended(draws.uniform(0.0, 1.5))
    after = draws.choice((0, 0, 1, 2))  # checkpoints to let pass
    before = set(checkpoints.glob(".step-*.tmp"))  # left by an earlier kill
    while not commands.ended():
        there = [step for step in steps(checkpoints) if step > newest] if checkpoints.exists() else []
        if moment == "writing" and len(there) >= after and set(checkpoints.glob(".step-*.tmp")) - before:
            return not commands.ended(draws.uniform(0.0, 0.004))
        if moment != "writing" and len(there) > after:
            return not commands.ended(draws.uniform(0.0, 0.003 if moment == "pruning" else 0.1))
        time.sleep(0.0002)
    return False


def _same(one: Path, other: Path) -> bool:
    return one.exists() and other.exists() and one.read_bytes() == other.read_bytes()


def _numbers(run: Path) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [
        {key: value for key, value in row.items() if key not in ("seconds", "items_per_second")}
        for row in rows
        if "event" not in row
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50, help="of each training")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--only", choices=list(TRAININGS))
    arguments = parser.parse_args()
    for name, training in TRAININGS.items():
        if arguments.only in (None, name):
            kill(training, arguments.kills, random.Random(arguments.seed))


def kill(training: str, most: int, draws: random.Random) -> None:
    """Kills trainings `most` times and prints what happened."""
    total, trainings, began = Tally(), 0, time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        os.environ["GANVAS_CACHE"] = str(folder / "cache")
        undisturbed(folder / "reference", training)
        with Commands(folder) as commands:
            while (left := most - sum(total.kills.values())) > 0:
                run = folder / f"run-{trainings}"
                tally = disturb(commands, run, left, draws, training)
                different = differences(run, folder / "reference")
                assert not different, f"training {trainings} ended differently: {', '.join(different)}"
                trainings += 1
                total.kills += tally.kills
                total.resumptions += tally.resumptions
                total.half_written += tally.half_written
    print(f"ganvas {training}")
    print(f"{'moment of the kill':<34}kills")
    for moment in MOMENTS:
        print(f"  {moment:<32}{total.kills[moment]:5}")
    print(f"  {'all':<32}{sum(total.kills.values()):5}")
    print(f"resumptions that said where they went on from: {total.resumptions}, each from the newest checkpoint")
    print(f"kills that left a half-written checkpoint behind: {total.half_written}, all cleared away later")
    print(f"trainings played to the end: {trainings}, each byte for byte as the undisturbed one")
    print(f"{time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
