"""Are the demo's digits readable, lifelike and varied? A judge that never saw the generator answers.

    python -m benchmarks.demo RUN [--seed 1] [--mnist FOLDER]       (`make bench-demo` trains runs/demo first)

RUN is a training of a conditional recipe on `digits`. The judge is a small convolutional classifier, trained once on
all of MNIST's 60,000 training images (3 to 5 minutes on 2 cores) and kept in Ganvas's cache folder; it reads about
99.4% of the 10,000 test images correctly. After that the answer takes some seconds. MNIST is looked for in --mnist, in
$GANVAS_SHARED/data/mnist, and in ../shared/data/mnist beside the repository, in torchvision's layout.

Of 1,000 samples, 100 asked for by each label, rounded to 8 bits as in a picture file:

- Readable: the share that the judge reads as the label that was asked for.
- Lifelike: the Frechet distance, in the 128 features below the judge's logits, between the samples and the 5,000 digits
  that `digits` is made of; as a multiple of the same distance for 1,000 of MNIST's test images, 100 of each class.
- Varied: for each label, how many of 400 real digits are the nearest one, in those features, to any of the 100
  samples. A generator that repeats itself finds few of them.

- Not copied: the median distance, in pixels, to the nearest of the 5,000 digits. Copies would be far nearer than the
  test images are.

The 5,000 digits are among MNIST's training images, so the judge knows them; the generator knows nine tenths of them.
The test images are new to both, so that a distance below theirs is possible, and says no more than one like theirs.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn

from ganvas.data.builtin import digits
from ganvas.data.cache import cache_folder
from ganvas.errors import GanvasError, UsageError
from ganvas.files import write_atomically
from ganvas.metrics.distributions import Moments, frechet_distance
from ganvas.model import load
from ganvas.spaces import ImageSpace, save_picture
from ganvas.training import has_native_bf16

EACH = 100
"""Samples asked for by each label."""

NEIGHBOURS = 400
"""Real digits of each label among which the nearest is sought."""

EPOCHS, BATCH = 4, 128


class Judge(nn.Module):
    """(B, 1, 28, 28) in [-1, 1] to 10 logits, by way of 128 features."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in ((1, 32), (32, 64), (64, 128)):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU()]
            layers += [nn.MaxPool2d(2)] if after < 128 else []
        self.features = nn.Sequential(*layers, nn.Flatten(), nn.Linear(128 * 7 * 7, 128), nn.ReLU())
        self.head = nn.Linear(128, 10)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.features(images))
        return logits

    @torch.no_grad()
    def look(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The labels it reads (B,), and the features (B, 128)."""
        features = torch.cat([self.features(part) for part in images.split(500)])
        return self.head(features).argmax(1), features


@dataclass(frozen=True)
class Verdict:
    """What the judge says of some images. `varied`: how many nearest real digits they find, for each label. `apart`:
    the median distance, over the 784 pixels in [-1, 1], to the nearest real digit."""

    readable: float
    distance: float
    varied: list[int]
    apart: float


def opinion(judge: Judge, images: Tensor, asked: Tensor, real: Tensor, real_labels: Tensor) -> Verdict:
    """Of images (B, 1, 28, 28) that were asked for by the labels `asked` (B,), beside real ones."""
    read, features = judge.look(images)
    real_features = judge.look(real)[1]
    varied = []
    for label in range(10):
        candidates = real_features[real_labels == label][:NEIGHBOURS]
        nearest = torch.cdist(features[asked == label], candidates).argmin(1)
        varied.append(len(nearest.unique()))
    apart = torch.cdist(images.flatten(1), real.flatten(1)).amin(1).median().item()
    distance = frechet_distance(Moments.of(real_features), Moments.of(features))
    return Verdict((read == asked).float().mean().item(), distance, varied, apart)


def trained_judge(mnist: Path | None) -> tuple[Judge, Tensor, Tensor]:
    """The judge, and MNIST's test images and labels. Trains it where the cache has none."""
    images, labels = _mnist(mnist, train=False)
    torch.manual_seed(0)
    judge = Judge().to(memory_format=torch.channels_last)
    kept = cache_folder() / "judge" / "digits-1.safetensors"
    if kept.exists():
        judge.load_state_dict(load_file(kept))
    else:
        print(f"training the judge, once, for {kept}", flush=True)
        _train(judge, *_mnist(mnist, train=True))
        write_atomically(kept, save({name: tensor.contiguous() for name, tensor in judge.state_dict().items()}))
    return judge.eval(), images, labels


def _train(judge: Judge, images: Tensor, labels: Tensor) -> None:
    steps = len(images) // BATCH
    optimizer = torch.optim.AdamW(judge.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=EPOCHS * steps)
    began = time.monotonic()
    for epoch in range(EPOCHS):
        order = torch.randperm(len(images))
        for step in range(steps):
            chosen = order[step * BATCH : (step + 1) * BATCH]
            with torch.autocast("cpu", torch.bfloat16, enabled=has_native_bf16(torch.device("cpu"))):
                logits = judge(images[chosen].contiguous(memory_format=torch.channels_last))
            optimizer.zero_grad()
            nn.functional.cross_entropy(logits.float(), labels[chosen]).backward()
            optimizer.step()
            schedule.step()
        print(f"  pass {epoch + 1} of {EPOCHS}, {time.monotonic() - began:.0f} s", flush=True)


def _mnist(folder: Path | None, train: bool) -> tuple[Tensor, Tensor]:
    from torchvision.datasets import MNIST

    shared = Path(os.environ.get("GANVAS_SHARED") or Path(__file__).resolve().parents[2] / "shared")
    root = folder or shared / "data" / "mnist"
    try:
        found = MNIST(str(root), train=train)
    except (RuntimeError, OSError) as error:
        raise UsageError(
            f"MNIST is not in {root}; say where it is with --mnist FOLDER (torchvision's layout)"
        ) from error
    return _values(found.data.numpy()[:, None]), found.targets


def _digits() -> tuple[Tensor, Tensor]:
    (part,) = digits()
    return _values(np.asarray(part.values)[:, None]), torch.tensor([int(label) for label in part.labels or ()])


def _values(pixels: np.ndarray) -> Tensor:
    """uint8 to [-1, 1]."""
    return torch.from_numpy(pixels).float() / 127.5 - 1


def judged(run: Path, seed: int, mnist: Path | None) -> None:
    model = load(run)
    names = [str(label) for label in range(10)]
    if sorted(model.labels) != names or not isinstance(model.space, ImageSpace):
        raise UsageError(f"{run} is not a conditional model of the digits 0 to 9; train one with --data digits")
    judge, test_images, test_labels = trained_judge(mnist)
    real, real_labels = _digits()

    asked = torch.arange(10).repeat(EACH)
    samples = model.sample(len(asked), label=[names[label] for label in asked], seed=seed)
    pixels = model.space.to_uint8(samples).transpose(0, 3, 1, 2)
    ours = opinion(judge, _values(pixels), asked, real, real_labels)

    chosen = torch.cat([(test_labels == label).nonzero()[:EACH, 0] for label in range(10)])
    held_out = opinion(judge, test_images[chosen], test_labels[chosen], real, real_labels)

    accuracy = (judge.look(test_images)[0] == test_labels).float().mean().item()
    picture = run / "judged.png"
    save_picture(model.space.show(samples[:100], columns=10), picture)
    print(f"{run} at step {model.step:,}, {len(asked):,} samples, seed {seed}; the first hundred are in {picture}")
    print(f"the judge reads {100 * accuracy:.2f}% of MNIST's 10,000 test images correctly")
    print(f"{'':<46}{'samples':>9}{'held-out':>10}   target")
    rows = [
        ("read as the label asked for, %", f"{100 * ours.readable:.1f}", f"{100 * held_out.readable:.1f}", ">= 96"),
        ("Frechet distance to the 5,000 digits", f"{ours.distance:.2f}", f"{held_out.distance:.2f}", ""),
        ("  as a multiple of the held-out digits'", f"{ours.distance / held_out.distance:.2f}", "1", "<= 3"),
        ("nearest digits found by 100, mean of labels", _mean(ours.varied), _mean(held_out.varied), ">= 55"),
        ("  fewest of any label", str(min(ours.varied)), str(min(held_out.varied)), ">= 55"),
        ("pixel distance to the nearest digit, median", f"{ours.apart:.2f}", f"{held_out.apart:.2f}", ""),
    ]
    for what, mine, theirs, target in rows:
        print(f"{what:<46}{mine:>9}{theirs:>10}   {target}".rstrip())


def _mean(counts: list[int]) -> str:
    return f"{sum(counts) / len(counts):.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--seed", type=int, default=1, help="of the samples")
    parser.add_argument("--mnist", type=Path, help="a folder that holds MNIST/raw")
    arguments = parser.parse_args()
    try:
        judged(arguments.run, arguments.seed, arguments.mnist)
    except GanvasError as error:
        sys.exit(f"demo.py: {error}")


if __name__ == "__main__":
    main()
