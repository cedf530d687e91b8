"""Is the judge right, and quick? Beside torch-fidelity, on the same images, weights and threads, in one process.

    python -m benchmarks.judge [--images 32] [--rounds 5] [--only speed|parity|memory]      (`make bench-judge`)

Inception's real weights are not needed: its architecture gets seeded Kaiming weights, with BatchNorm calibrated on the
pictures (without that its features would be the same for all of them).

- speed: uint8 images of 32x32 to features at 299x299, by turns; medians and ratios.
- parity: the scores of both, on these features, for real images beside others of which every other one is blurred.
- memory: the most that is resident while 10,000 and 100,000 images pass through a small extractor into `Moments`.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ganvas.data.builtin import digits
from ganvas.features.inception import Inception, shapes
from ganvas.features.weights import read_weights
from ganvas.metrics.distributions import Moments, frechet_distance, inception_score, kernel_distance, precision_recall
from ganvas.metrics.native import Native


def pictures(count: int) -> Tensor:
    """Digits as 32x32 colour images, each channel another digit: (count, 3, 32, 32) uint8."""
    (part,) = digits()
    pixels = torch.as_tensor(part.values).view(-1, 1, 28, 28)
    chosen = torch.randperm(len(pixels), generator=torch.Generator().manual_seed(0))[: 3 * count]
    return nn.functional.pad(pixels[chosen].view(count, 3, 28, 28), (2, 2, 2, 2)).contiguous()


def both(images: Tensor) -> tuple[Any, dict[str, Tensor]]:
    """torch-fidelity's extractor with seeded weights, calibrated on the images, and these weights."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    torch.manual_seed(0)
    weights = {}
    for name, shape in shapes().items():
        if name.endswith("conv.weight"):
            weights[name] = torch.randn(shape) * (2 / (shape[1] * shape[2] * shape[3])) ** 0.5
        elif name.startswith("fc"):
            weights[name] = torch.randn(shape) / 40
        else:
            weights[name] = torch.ones(shape) if name.endswith(("bn.weight", "var")) else torch.zeros(shape)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "seeded.pth"
        torch.save(weights, path)
        theirs = FeatureExtractorInceptionV3("seeded", ["2048", "logits_unbiased"], str(path))
        for module in theirs.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = None
                module.train()
        with torch.no_grad():
            theirs(images)
        torch.save(theirs.eval().state_dict(), path)
        return theirs, read_weights(path)


def extractors(count: int) -> tuple[dict[str, Callable[[Tensor], tuple[Tensor, Tensor]]], Tensor]:
    images = pictures(count)
    theirs, weights = both(images[:32])
    ours = Inception(weights)

    def look(extractor: Any, part: Tensor) -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            features, logits = extractor(part)
        return features, logits

    named = {"torch-fidelity": theirs, "Ganvas": ours}
    return {name: lambda part, each=each: look(each, part) for name, each in named.items()}, images  # type: ignore[misc]


def speed(count: int, rounds: int) -> None:
    sides, images = extractors(count)
    rates: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(rounds + 1):
        for name, look in sides.items():
            began = time.perf_counter()
            look(images)
            if turn:  # the first is warm-up
                rates[name].append(count / (time.perf_counter() - began))
    base = rates["torch-fidelity"]
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    print(f"speed: batches of {count}, {rounds} rounds by turns, {torch.get_num_threads()} threads, load {load}")
    print(f"{'':<56}{'images/s':>9}{'ratio':>8}   target")
    for (name, found), target in zip(rates.items(), ("", ">= 1.5"), strict=True):
        ratio = statistics.median(mine / other for mine, other in zip(found, base, strict=True))
        print(f"{name:<56}{statistics.median(found):9.1f}{ratio:8.2f}   {target}".rstrip(), flush=True)


def parity(count: int) -> None:
    sides, images = extractors(count)
    half = count // 2
    blurred = images[half:].clone()  # every other one, so that no score is 0
    blurred[::2] = nn.functional.avg_pool2d(blurred[::2].float(), 3, 1, 1).round().to(torch.uint8)
    print(f"parity: {half} images beside {count - half}, every other blurred; relative difference from torch-fidelity")
    found = {}
    for name, look in sides.items():
        (real, _), (fake, logits) = ([torch.cat(p) for p in zip(*map(look, x.split(32)), strict=True)]
                                     for x in (images[:half], blurred))  # fmt: skip
        scores = _theirs if name == "torch-fidelity" else _ours
        found[name] = scores(real, fake, logits, half // 2)
    base = found["torch-fidelity"]
    print(f"{'':<56}" + "".join(f"{name:>12}" for name in base))
    for name, values in found.items():
        row = (f"{value:12.5g}" if name == "torch-fidelity" else f"{abs(value / base[score] - 1):12.1e}"
               for score, value in values.items())  # fmt: skip
        print(f"{name:<56}" + "".join(row), flush=True)


def _ours(real: Tensor, fake: Tensor, logits: Tensor, size: int) -> dict[str, float]:
    precision, recall = precision_recall(real, fake)
    return {
        "FID": frechet_distance(Moments.of(real), Moments.of(fake)),
        "KID": kernel_distance(real, fake, 20, size)[0],
        "IS": inception_score(logits)[0],
        "precision": precision,
        "recall": recall,
    }


def _theirs(real: Tensor, fake: Tensor, logits: Tensor, size: int) -> dict[str, float]:
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
    from torch_fidelity.metric_isc import isc_features_to_metric
    from torch_fidelity.metric_kid import kid_features_to_metric
    from torch_fidelity.metric_prc import prc_features_to_metric

    fid = fid_statistics_to_metric(*(fid_features_to_statistics(each.double()) for each in (fake, real)), verbose=False)
    kid = kid_features_to_metric(
        fake.double(), real.double(), kid_subsets=20, kid_subset_size=size, rng_seed=0, verbose=False
    )
    near = prc_features_to_metric(fake, real, verbose=False)
    return {
        "FID": fid["frechet_inception_distance"],
        "KID": kid["kernel_inception_distance_mean"],
        "IS": isc_features_to_metric(logits)["inception_score_mean"],
        "precision": near["precision"],
        "recall": near["recall"],
    }


def streamed(count: int) -> None:
    """Passes images through an untrained `native` into moments, and prints the most that was resident, in MiB."""
    classifier = Native(3, 10).requires_grad_(False)
    moments = Moments()
    generator = torch.Generator().manual_seed(0)
    for _ in range(0, count, 250):
        moments.add(
            classifier(torch.randint(0, 256, (250, 3, 32, 32), dtype=torch.uint8, generator=generator)).features
        )
    assert moments.count == count and moments.covariance.isfinite().all()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def memory() -> None:
    print(
        "memory: most MiB resident while images of 32x32 pass through a small extractor into Moments (target: <= 1024)"
    )
    for count in (10_000, 100_000):
        command = [sys.executable, __file__, "--streamed", str(count)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        print(f"{count:>9,} images {float(done.stdout):9.1f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=32, help="in a batch, when speed is measured")
    parser.add_argument("--parity-images", type=int, default=800)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=("speed", "parity", "memory"))
    parser.add_argument("--streamed", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.streamed:
        streamed(arguments.streamed)
        return
    if arguments.only in (None, "speed"):
        speed(arguments.images, arguments.rounds)
    if arguments.only in (None, "parity"):
        parity(arguments.parity_images)
    if arguments.only in (None, "memory"):
        memory()


if __name__ == "__main__":
    main()
