"""Are large photos translated within the memory and the time that they should take, and without seams?

    python -m benchmarks.large [--threads 2]            (`make bench-large`; minutes)

Each translation is `ganvas translate` in a process of its own, of a network with the default widths and random weights
that show, as made for pictures of 64 pixels: a photo of 4000 x 3000 pixels and one of 512 x 512. The peak of the
resident memory is the process's own (VmHWM), PyTorch included; the seconds are of the translation, decoding and
encoding included, of the fastest of some tries for the small photo; the processor's are those of all threads, which are
what says something on a busy machine. The seams are the largest difference, in grey levels, between results with tiles
of two sizes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

MEMORY, SECONDS, LEVELS = 2048, 2.0, 1
"""MiB of a photo of 12 megapixels; seconds of one of 512 x 512 pixels; grey levels between tiles of two sizes."""

PRESETS: dict[str, dict[str, Any]] = {"pix2pix": {"source_channels": 3}, "cyclegan": {}}
SIDE = 64


def write_run(name: str, folder: Path) -> None:
    """A run of the recipe that was never trained: its last layer is drawn anew, so that it changes what it is shown."""
    import torch
    from safetensors.torch import save

    from ganvas.files import write_atomically, write_json
    from ganvas.inputs import inputs_to_json
    from ganvas.recipes import find
    from ganvas.run import FORMAT
    from ganvas.spaces import ImageSpace, space_to_config
    from ganvas.training import EXPORTED

    torch.manual_seed(0)
    arguments = {"channels": 3, "size": (SIDE, SIDE), **PRESETS[name]}
    recipe = find(name)(**arguments)
    network: Any = recipe.get_submodule(recipe.averaged[0])
    torch.nn.init.normal_(network.tail.weight, std=0.02)
    weights = save({key: value.contiguous() for key, value in recipe.state_dict().items()})
    space = space_to_config(ImageSpace(3, SIDE, SIDE))
    write_atomically(folder / EXPORTED, weights)
    write_json(
        folder / "config.json",
        {
            "format": FORMAT,
            "ganvas": "0",
            "recipe": name,
            "arguments": arguments,
            "inputs": inputs_to_json(recipe.inputs()),
            "settings": {},
            "data": {"name": "photos", "fingerprint": "0", "labels": [], "counts": {}, "space": space},
            "step": 0,
            "weights": {"file": EXPORTED, "sha256": hashlib.sha256(weights).hexdigest()},
        },
    )


def write_photo(path: Path, height: int, width: int) -> None:
    """Structure at all sizes, as photos have it."""
    random = np.random.default_rng(0)
    pixels = np.zeros((height, width, 3), np.float32)
    for side in (4, 8, 16, 32, 64, 128, 256, 512):
        size = (max(2, height // side), max(2, width // side), 3)
        small = Image.fromarray(random.integers(0, 256, size, dtype=np.uint8))
        pixels += np.asarray(small.resize((width, height), Image.Resampling.BICUBIC)) * (side**0.5)
    low, high = pixels.min(), pixels.max()
    Image.fromarray(((pixels - low) / (high - low) * 255).astype(np.uint8)).save(path)


def translated(run: Path, source: Path, target: Path, size: Any, tries: int, margins: int | None) -> dict[str, float]:
    """Translates here, and returns the seconds and the peak of this process's memory in MiB."""
    from ganvas.model import Job, load, trained, translate_files

    if margins is not None:
        trained.MARGINS = margins  # type: ignore[attr-defined]
    model = load(run)
    seconds, processor = [], []
    for _ in range(tries):
        began = time.process_time()
        (outcome,) = translate_files([Job(source, target)], model, seed=0, size=size, progress=False)
        seconds.append(outcome.seconds)
        processor.append(time.process_time() - began)
    status = Path("/proc/self/status").read_text()
    told = {"seconds": min(seconds), "processor": min(processor)}
    return told | {"memory": int(status.split("VmHWM:")[1].split()[0]) / 1024}


def in_a_child(threads: int, *words: object) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.large", "--only", *map(str, words)]
    done = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, env={**os.environ, "OMP_NUM_THREADS": str(threads)}
    )
    told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        run, source, target, size, tries, margins = arguments.only
        made = translated(
            Path(run), Path(source), Path(target), size, int(tries), int(margins) if int(margins) else None
        )
        print(json.dumps(made))
        return
    missed = []
    print(f"{arguments.threads} threads; peak of the resident memory in MiB")
    print(f"{'':<10}{'photo':>12}{'size':>8}{'seconds':>10}{'processor':>11}{'memory':>9}{'seams':>7}")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_photo(folder / "large.png", 3000, 4000)
        write_photo(folder / "small.png", 512, 512)
        for name in PRESETS:
            write_run(name, folder / name)
            for photo, size, tries in (
                ("small", "photo", 3),
                ("small", "own", 3),
                ("large", "photo", 1),
                ("large", "own", 1),
            ):
                words = (folder / name, folder / f"{photo}.png", folder / f"{size}.png", size, tries)
                told = in_a_child(arguments.threads, *words, 0)
                seams = "-"
                if photo == "large" and size == "own":
                    in_a_child(arguments.threads, folder / name, folder / "large.png", folder / "other.png", size, 1, 6)
                    one, other = (
                        np.asarray(Image.open(folder / f"{each}.png")).astype(np.int16) for each in ("own", "other")
                    )
                    apart = int(np.abs(one - other).max())
                    seams = str(apart)
                    missed += [f"{name}: {apart} levels between tiles"] if apart > LEVELS else []
                numbers = f"{told['seconds']:10.2f}{told['processor']:11.2f}{told['memory']:9.0f}"
                print(f"{name:<10}{photo:>12}{size:>8}{numbers}{seams:>7}", flush=True)
                if photo == "large" and told["memory"] > MEMORY:
                    missed.append(f"{name}, {size}: {told['memory']:.0f} MiB")
                if photo == "small" and told["seconds"] > SECONDS:
                    missed.append(f"{name}, {size}: {told['seconds']:.2f} s")
    print("missed: " + "; ".join(missed) if missed else "all reached")


if __name__ == "__main__":
    main()
