"""How long the command line takes to answer, and importing the package.

    python -m benchmarks.startup [--rounds 9]           (part of `make bench`; about 10 seconds)

Each measurement is a fresh process; the sides take turns, and the median of each is reported beside that of a process
which does nothing, since starting Python is part of what a user waits for. Neither may import PyTorch, which would
cost seconds: that is asserted. Times are not, they are the machine's.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

SIDES = {
    "ganvas --help": ([sys.executable, "-m", "ganvas", "--help"], 0.4),
    "ganvas train --help": ([sys.executable, "-m", "ganvas", "train", "--help"], None),
    "ganvas recipes": ([sys.executable, "-m", "ganvas", "recipes"], None),
    "import ganvas": ([sys.executable, "-c", "import ganvas"], 0.15),
    "nothing (python -c pass)": ([sys.executable, "-c", "pass"], None),
}

_TORCHLESS = """
import contextlib, io, sys
from ganvas.cli import main
for words in ([], ["--help"], ["train", "--help"], ["recipes"], ["sample", "--help"], ["data", "--help"]):
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        main(words)
    sys.exit(f"ganvas {' '.join(words)} imports torch") if "torch" in sys.modules else None
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    subprocess.run([sys.executable, "-c", _TORCHLESS], check=True)
    taken: dict[str, list[float]] = {name: [] for name in SIDES}
    for _ in range(rounds):
        for name, (command, _target) in SIDES.items():
            began = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            taken[name].append(time.perf_counter() - began)
    print(f"{'seconds, median of ' + str(rounds) + ' fresh processes':<40}{'median':>8}{'slowest':>9}   target")
    for name, (_command, target) in SIDES.items():
        times = taken[name]
        goal = "" if target is None else f"<= {target:.2f}"
        print(f"  {name:<38}{statistics.median(times):8.2f}{max(times):9.2f}   {goal}".rstrip())
    print("none of them imports torch")


if __name__ == "__main__":
    main()
