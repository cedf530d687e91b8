"""Is there a hostile file that Ganvas does not refuse in one line? (`fuzz_requests.py` asks the same of requests.)

    python -m benchmarks.fuzz [--tries 100000] [--minutes M] [--seed 0] [--only KIND ...]      (`make bench-fuzz`)
    python -m benchmarks.fuzz --replay KIND:NUMBER                                one try, with its traceback

Good images, arrays, archives, configurations, checkpoints, passports and metrics are changed at random, and read as
users would have them read; `fuzz_files.py` says how. Try number N of a kind is the same try on every machine and
whatever else is tried. A finding is

    a traceback     of anything but a `GanvasError` (or `Damaged`, of a single item), or an error of several lines
    a hang          more than 10 s of the processor for a try, or a minute on the clock
    memory          a try after which the process has had more than 2 GiB
    an act          a write outside of the suite's own folder, a process, a socket, an unpickled class
    a crash         of the interpreter

Tries run in child processes, one after the other, so that one that hangs or dies is one finding and ends nothing else.
An audit hook in the child sees every write, process, socket and unpickled class. The exit status is 1 where anything
was found.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import os
import random
import resource
import select
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HANG, LONG_HANG = 10.0, 60.0
"""Seconds of a try: of the processor, and on the clock, since the machine may be busy."""

MEMORY = 2 << 30
BATCH = 200
"""Tries that a child is given at a time."""

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGING = {"os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.truncate", "os.link", "os.symlink", "os.chmod"}
_ACTS = (
    *("subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "pickle.find_class"),
    *(
        "socket.connect",
        "socket.bind",
        "socket.sendto",
        "socket.getaddrinfo",
        "urllib.Request",
        "shutil.unpack_archive",
    ),
)


@dataclass
class Report:
    """What came of it. findings: by what is common to alike ones, how many there are and one of them."""

    tries: Counter[str] = field(default_factory=Counter)
    findings: dict[str, tuple[int, str]] = field(default_factory=dict)
    seconds: float = 0.0
    slowest: float = 0.0
    peak: int = 0

    def add(self, key: str, which: str) -> None:
        count, first = self.findings.get(key, (0, which))
        if not count:
            print(f"  {key} ({which})", file=sys.stderr, flush=True)
        self.findings[key] = (count + 1, first)

    def __str__(self) -> str:
        kinds = ", ".join(f"{kind} {count:,}" for kind, count in sorted(self.tries.items()))
        lines = [
            f"{self.tries.total():,} tries ({kinds})",
            f"{len(self.findings)} findings in {self.seconds:,.0f} s; the slowest try took {self.slowest:.1f} s of the "
            f"processor, a process had at most {self.peak / 2**20:,.0f} MiB",
        ]
        return "\n".join([*lines, *(f"  {n} x {key} (first: {which})" for key, (n, which) in self.findings.items())])


# -- the parent --------------------------------------------------------------------------------------------------------


def fuzz(tries: int, seed: int = 0, only: list[str] | None = None, seconds: float = float("inf")) -> Report:
    """Tries that many, fewer where the time is up, divided among the kinds."""
    from benchmarks.fuzz_files import SHARES

    began, report = time.monotonic(), Report()
    shares = {kind: share for kind, share in SHARES.items() if not only or kind in only}
    wanted = {kind: max(1, round(tries * share / sum(shares.values()))) for kind, share in shares.items()}
    child: Child | None = None
    try:
        while any(report.tries[kind] < wanted[kind] for kind in wanted) and time.monotonic() - began < seconds:
            # The kind that is furthest behind, so that all are tried alike wherever it ends.
            kind = min(wanted, key=lambda each: report.tries[each] / wanted[each])
            first = report.tries[kind]
            count = min(BATCH, wanted[kind] - first)
            child = child or Child(seed)
            done = child.run(kind, first, count, report)
            report.tries[kind] += done
            if done < count or child.tired:
                if done < count:  # the one that ended it has been tried as well
                    report.tries[kind] += 1
                child.end()
                child = None
    finally:
        if child is not None:
            child.end()
    report.seconds = time.monotonic() - began
    return report


class Child:
    """A process that tries. tired: it has had much memory, and another one should go on."""

    def __init__(self, seed: int) -> None:
        self.folder = Path(
            tempfile.mkdtemp(prefix="ganvas-fuzz-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None)
        )
        root = Path(__file__).resolve().parents[1]
        paths = os.pathsep.join([str(root), *filter(None, [os.environ.get("PYTHONPATH")])])
        names = ("GANVAS_CACHE", "TORCHINDUCTOR_CACHE_DIR", "TMPDIR", "MPLCONFIGDIR")
        own = {name: str(self.folder / name.lower()) for name in names}
        (self.folder / "tmpdir").mkdir()
        quiet = {"OMP_NUM_THREADS": "1", "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"}
        self.errors = (self.folder / "stderr").open("w+b")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.fuzz", "--child", str(self.folder), "--seed", str(seed)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            env={**os.environ, **own, **quiet},
            cwd=self.folder,
        )
        self.tired = False

    def run(self, kind: str, first: int, count: int, report: Report) -> int:
        """How many were tried; fewer than `count` where the process hung or died at the next one."""
        assert self.process.stdin is not None and self.process.stdout is not None
        try:
            self.process.stdin.write(f"{json.dumps([kind, first, count])}\n".encode())
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        done, used, since = 0, self._used(), time.monotonic()
        ready = False  # importing and making the good inputs count for no try
        buffer = b""
        while done < count:
            if select.select([self.process.stdout], [], [], 0.5)[0]:
                piece = os.read(self.process.stdout.fileno(), 1 << 16)
                if not piece:
                    self.process.wait()
                    why = self._last_words() or f"it ended with {self.process.returncode}"
                    report.add(f"{kind}: crash: {why}", f"{kind}:{first + done}")
                    return done
                *lines, buffer = (buffer + piece).split(b"\n")
                for line in lines:
                    done += self._take(json.loads(line), kind, first + done, report)
                    ready = True
                used, since = self._used(), time.monotonic()
                continue
            spent = self._used() - used
            waited = time.monotonic() - since
            if (ready and (spent > HANG or waited > LONG_HANG)) or waited > 300:
                self.process.send_signal(6)  # SIGABRT: faulthandler tells where it is
                self.process.wait()
                report.add(f"{kind}: hang: {self._last_words()}", f"{kind}:{first + done}")
                report.slowest = max(report.slowest, spent)
                return done
        return done

    def _take(self, told: dict[str, Any], kind: str, number: int, report: Report) -> int:
        """Counts what the child tells of a try, 1, or of being ready, 0."""
        if "ready" in told:
            return 0
        for finding in told["findings"]:
            report.add(f"{kind}: {finding}", f"{kind}:{number}")
        report.slowest = max(report.slowest, told["seconds"])
        report.peak = max(report.peak, told["peak"])
        self.tired = self.tired or told["peak"] > MEMORY
        return 1

    def _used(self) -> float:
        """Seconds of the processor that it has had."""
        try:
            fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _last_words(self) -> str:
        """The innermost lines of ours in what faulthandler wrote."""
        self.errors.seek(0)
        lines = self.errors.read().decode(errors="replace").splitlines()
        ours = [line.strip() for line in lines if "/ganvas/" in line or "Error" in line]
        return "; ".join(ours[:2])[:300] or (lines[-1][:200] if lines else "")

    def end(self) -> None:
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.errors.close()
        shutil.rmtree(self.folder, ignore_errors=True)


# -- the child ---------------------------------------------------------------------------------------------------------


class Watch:
    """Sees what a try does beside reading."""

    def __init__(self, folder: Path) -> None:
        self.inside = (str(folder), os.path.realpath(folder))
        self.acts: list[str] = []
        self.on = False
        sys.addaudithook(self._see)

    def _see(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event == "open":
            path, mode, flags = arguments
            by_flags = isinstance(flags, int) and flags & _WRITING
            if (by_flags or (isinstance(mode, str) and set(mode) & set("wxa+"))) and self._outside(path):
                self.acts.append(f"writes {path!r}")
        elif event in _CHANGING and self._outside(arguments[0]):
            self.acts.append(f"{event} {arguments[0]!r}")
        elif event.startswith(_ACTS):
            self.acts.append(f"{event} {str(arguments)[:100]}")

    def _outside(self, path: Any) -> bool:
        if isinstance(path, int) or path == os.devnull:
            return False
        text = os.path.abspath(os.fsdecode(path))
        return not text.startswith(self.inside)


def child(folder: Path, seed: int) -> None:
    """Tries what it is told on stdin, and tells a line of JSON for each."""
    faulthandler.enable()
    warnings.simplefilter("ignore")
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a try prints
    import torch

    from benchmarks.fuzz_files import KINDS

    torch.set_num_threads(1)
    watch, made = Watch(folder), {}
    for line in sys.stdin:
        kind, first, count = json.loads(line)
        if kind not in made:
            (folder / kind).mkdir()
            made[kind] = KINDS[kind](folder / kind)
            try_one(made[kind], kind, seed, -1)  # what is imported and prepared only once counts for none
        print(json.dumps({"ready": kind}), file=out, flush=True)
        for number in range(first, first + count):
            watch.acts, watch.on = [], True
            began = time.process_time()
            finding = try_one(made[kind], kind, seed, number)
            spent = time.process_time() - began
            watch.on = False
            findings = [finding] if finding else []
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
            if peak > MEMORY:
                findings.append("memory")
            if spent > HANG:
                findings.append("hang")
            findings += [f"act: {act}" for act in watch.acts]
            print(json.dumps({"findings": findings, "seconds": spent, "peak": peak}), file=out, flush=True)


def try_one(attempt: Any, kind: str, seed: int, number: int) -> str:
    """What is wrong with how it ends, "" where nothing is."""
    from ganvas.data.decode import Damaged
    from ganvas.errors import GanvasError

    try:
        attempt(random.Random(f"{seed} {kind} {number}"))
    except (GanvasError, Damaged) as error:
        return f"several lines: {type(error).__name__}" if "\n" in str(error) else ""
    except Exception as error:
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/ganvas/" in frame.filename]
        last = frames[-1] if frames else traceback.extract_tb(error.__traceback__)[-1]
        file = "/".join(Path(last.filename).parts[-2:])
        return f"{type(error).__name__} at {file}:{last.lineno} in {last.name}: {' '.join(str(error).split())[:120]}"
    return ""


def replay(kind: str, number: int, seed: int) -> None:
    """One try in this process, with its traceback."""
    from benchmarks.fuzz_files import KINDS

    with tempfile.TemporaryDirectory() as folder:
        os.environ["GANVAS_CACHE"] = f"{folder}/cache"
        KINDS[kind](Path(folder))(random.Random(f"{seed} {kind} {number}"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tries", type=int, default=100_000)
    parser.add_argument("--minutes", type=float, default=float("inf"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", metavar="KIND")
    parser.add_argument("--replay", metavar="KIND:NUMBER")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child is not None:
        child(given.child, given.seed)
    elif given.replay:
        kind, _, number = given.replay.partition(":")
        replay(kind, int(number), given.seed)
    else:
        report = fuzz(given.tries, given.seed, given.only, 60 * given.minutes)
        print(report)
        sys.exit(bool(report.findings))


if __name__ == "__main__":
    main()
