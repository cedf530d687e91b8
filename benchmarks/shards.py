"""Are a million pictures in shards read as quickly as from the memory-mapped file, with the memory flat?

    python -m benchmarks.shards [--count 1000000] [--steps 300] [--folder FOLDER]         (`make bench-shards`; minutes)

Pictures of 16 x 16 pixels that tell their own numbers are made, prepared as one memory-mapped column, and written as
shards (`ganvas data`). Then, each in a process of its own:

speed    training steps of dcgan (`--width`, batch 64) on both sources, by turns of 20 steps, in CPU seconds of the
         process; the ratio is of the medians. Reading alone, without a network, stands beside it.
memory   the resident memory after 1, 2, ... tenths of an epoch that is read and not trained on.
kill     a process that writes down the numbers of each batch is killed by SIGKILL in the middle, and goes on from the
         last position that it has kept: all numbers must be those of an undisturbed one.
lost     the same reading with one shard altered and one gone: what is said, and how many other items change.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

SIDE, BATCH = 16, 64


def write_source(path: Path, count: int) -> None:
    """Pictures whose first three values are their number, over noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    out = np.lib.format.open_memmap(path, "w+", np.uint8, (count, SIDE, SIDE, 3))
    random = np.random.default_rng(0)
    for start in range(0, count, 1 << 14):
        some = random.integers(0, 256, (min(1 << 14, count - start), SIDE, SIDE, 3), np.uint8)
        numbers = np.arange(start, start + len(some))
        some[:, 0, 0] = np.stack([numbers >> 16, numbers >> 8 & 255, numbers & 255], 1)
        out[start : start + len(some)] = some
    out.flush()


def numbers_of(pictures: Any) -> list[int]:
    import torch

    levels = torch.round((pictures[:, :, 0, 0] + 1) * 127.5).long()
    return [int(number) for number in (levels[:, 0] << 16) + (levels[:, 1] << 8) + levels[:, 2]]


def resident() -> float:
    """MiB, without what the disk's cache holds for the process."""
    status = Path("/proc/self/status").read_text()
    return sum(int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon")) / 1024


def train_of(source: str) -> Any:
    from ganvas.data.batches import Images
    from ganvas.data.opening import open_data

    return open_data(source, Images, progress=False)


def speed(plain: str, shards: str, steps: int, width: int) -> dict[str, float]:
    import torch

    from ganvas import recipes
    from ganvas.data.stream import Stream
    from ganvas.settings import Settings
    from ganvas.training import Training

    torch.manual_seed(0)
    told: dict[str, float] = {}
    trainings, streams = {}, {}
    for name, source in {"mapped": plain, "shards": shards}.items():
        data = train_of(source)
        recipe = recipes.find("dcgan")(channels=3, size=(SIDE, SIDE), width=width)
        trainings[name] = Training(recipe, data, Settings(steps=10**6, batch_size=BATCH, precision="float32"))
        trainings[name]._train_mode()
        streams[name] = Stream(data.split("train"), BATCH, seed=1)
    doing = {"trained": lambda name: trainings[name].step(), "read": lambda name: next(streams[name])}
    for what, each in doing.items():
        rounds: dict[str, list[float]] = {name: [] for name in trainings}
        for number in range(1 + steps // 20):
            for name in trainings:
                began = time.process_time()
                for _ in range(20):
                    each(name)
                if number:  # the first one opens shards and warms up
                    rounds[name].append(time.process_time() - began)
        rates = {name: 20 * BATCH / statistics.median(seconds) for name, seconds in rounds.items()}
        told |= {f"{what}, {name}": rate for name, rate in rates.items()}
        told[f"{what}, ratio"] = rates["shards"] / rates["mapped"]
        told[f"{what}, ratio of all"] = sum(rounds["mapped"]) / sum(rounds["shards"])
    return told


def memory(source: str) -> dict[str, Any]:
    from ganvas.data.stream import Stream

    data = train_of(source)
    split = data.split("train")
    stream, tenths = Stream(split, 512, seed=1), []
    began = time.process_time()
    for tenth in range(1, 11):
        while stream.position < tenth * len(split) // 10:
            next(stream)
        tenths.append(round(resident(), 1))
    seconds = time.process_time() - began
    return {"MiB": tenths, "items": len(split), "microseconds": 1e6 * seconds / len(split)}


def read_on(source: str, log: str, batches: int) -> None:
    """Reads batches, from the place that the file `log.at` says, and writes down what they are; the place is moved
    after every tenth one, as a checkpoint would be."""
    from ganvas.data.stream import Stream

    stream = Stream(train_of(source).split("train"), BATCH, seed=5)
    at, out = Path(f"{log}.at"), Path(log)
    first = int(at.read_text()) if at.exists() else 0
    stream.position = first * BATCH
    lines = out.read_text().splitlines()[:first] if out.exists() else []
    out.write_text("".join(f"{line}\n" for line in lines))
    with open(out, "a") as file:
        for number in range(first, batches):
            file.write(" ".join(map(str, numbers_of(next(stream).value))) + "\n")
            if number % 10 == 9:
                file.flush()
                os.fsync(file.fileno())
                at.write_text(str(number + 1))


def apart(*words: str) -> Any:
    """What this module prints when it is run with these words in a process of its own, and what it says on stderr."""
    ended = subprocess.run([sys.executable, "-m", __spec__.name, *words], capture_output=True, text=True)
    if ended.returncode:
        raise SystemExit(ended.stderr)
    return json.loads(ended.stdout or "null"), ended.stderr


def killed(source: str, folder: Path, batches: int) -> tuple[bool, int]:
    """Whether what a process reads that is killed once is what an undisturbed one reads; and where it was killed."""
    whole, cut = folder / "whole.txt", folder / "cut.txt"
    apart("read-on", source, str(whole), str(batches))
    child = subprocess.Popen([sys.executable, "-m", __spec__.name, "read-on", source, str(cut), str(10 * batches)])
    at = Path(f"{cut}.at")
    while not at.exists() or int(at.read_text() or 0) < batches // 3:
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.wait()
    place = int(at.read_text())
    apart("read-on", source, str(cut), str(batches))
    return whole.read_text() == cut.read_text() and place < batches, place


def lost(source: Path, folder: Path, batches: int) -> dict[str, Any]:
    """What is said where a shard is altered and another gone, and how many items are others then."""
    harmed = folder / "harmed"
    harmed.mkdir()
    for path in source.iterdir():
        os.link(path, harmed / path.name)
    split = train_of(str(source)).split("train")
    first = split.items.order(5, BATCH)(0, 0, BATCH)
    altered, gone, *_ = dict.fromkeys(harmed / split.names[item].partition("/")[0] for item in first)
    content = bytearray(altered.read_bytes())
    content[len(content) // 2] ^= 1
    altered.unlink()
    altered.write_bytes(content)
    gone.unlink()
    _, said = apart("read-on", str(harmed), str(folder / "harmed.txt"), str(batches))
    before, after = ((folder / name).read_text().split() for name in ("whole.txt", "harmed.txt"))
    own = {each["name"]: each["count"] for each in json.loads((source / "shards.json").read_text())["shards"]}
    share = (own[altered.name] + own[gone.name]) / sum(own.values())
    changed = sum(one != other for one, other in zip(before, after, strict=True))
    return {"said": said.splitlines(), "share of items in them": share, "changed": changed / len(before)}


def main(words: list[str]) -> None:
    if words[:1] == ["speed"]:
        return print(json.dumps(speed(words[1], words[2], int(words[3]), int(words[4]))))
    if words[:1] == ["memory"]:
        return print(json.dumps(memory(words[1])))
    if words[:1] == ["read-on"]:
        return read_on(words[1], words[2], int(words[3]))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--shard", default="16MB")
    parser.add_argument("--folder", type=Path, help="kept; by default a temporary one")
    chosen = parser.parse_args(words)
    from ganvas.data.batches import Images
    from ganvas.data.opening import shard
    from ganvas.data.sharding import size_of

    folder = chosen.folder or Path(tempfile.mkdtemp(prefix="ganvas-shards-"))
    try:
        source, shards = folder / "pictures.npy", folder / "shards"
        if not shards.exists():
            write_source(source, chosen.count)
            began = time.process_time()
            shard(source, Images, bytes_=size_of(chosen.shard), out=shards, progress=False)
            seconds = time.process_time() - began
            files = len(list(shards.glob("*.tar")))
            print(f"written: {chosen.count:,} pictures in {files} shards, {seconds:.0f} s", flush=True)
        batches = min(300, chosen.count // BATCH // 2)
        exact, place = killed(str(shards), folder, batches)
        print(
            f"killed after {place} batches of {batches}, the order afterwards: {'exact' if exact else 'NOT THE SAME'}"
        )
        for name, value in lost(shards, folder, batches).items():
            print(f"two shards lost, {name}: {value}")
        for name, path in {"shards": shards, "mapped": source}.items():
            print(f"memory, {name}: {apart('memory', str(path))[0]}")
        told, _ = apart("speed", str(source), str(shards), str(chosen.steps), str(chosen.width))
        for name, rate in told.items():
            print(f"{name}: {rate:,.3f}" if "ratio" in name else f"{name}: {rate:,.0f} pictures a CPU second")
    finally:
        if chosen.folder is None:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1:])
