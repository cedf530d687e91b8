"""Are the demo's digits readable, lifelike and varied? Two judges that never saw the generator answer.

    python -m benchmarks.demo RUN [--seed 1] [--mnist FOLDER]       (`make bench-demo` trains runs/demo first)

RUN is a training of a conditional recipe on `digits`. The judges are two small classifiers of different architectures,
each trained once on its own half of MNIST's training images, and kept in Ganvas's cache folder (some minutes each on
one core). Left out of their training are the 5,000 of `digits`, 5,000 that are the reference, and 1,000 that stand for
what cannot be told from real: so judges, generator and reference have no picture in common, and all are of the same
writers, as MNIST's test images are not. MNIST is looked for in --mnist, in $GANVAS_SHARED/data/mnist, and in
../shared/data/mnist beside the repository, in torchvision's layout.

Of 1,000 samples, 100 asked for by each label, rounded to 8 bits as in a picture file, and beside them of the 1,000 real
ones:

- Readable: the share that a judge reads as the label that was asked for.
- Lifelike: the Frechet distance, in the features below a judge's logits, to the reference; of the samples as a multiple
  of the real ones'. As many are compared on both sides, since the distance depends on the number.
- Varied: for each label, how many of 400 images of the reference are the nearest one, in those features, to any of the
  100. A generator that repeats itself finds few of them.
- Clean: the share of the pixels at least 3 pixels away from all strokes that are not black. Smears show in it.
- Not copied: the median distance, in pixels, to the nearest of the 5,000 digits that were learned from. Copies would be
  far nearer than the test images are.
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

REFERENCE = 500
"""Real images of each label that both sides are compared with."""

NEIGHBOURS = 400
"""Those of them among which the nearest is sought."""

STROKE, DARK, AWAY = 0.0, 0.06, 3
"""Values of [-1, 1] above which a pixel is of a stroke, by how much one is brighter than black, and pixels between."""

EPOCHS, BATCH = 6, 128


class Judge(nn.Module):
    """(B, 1, 28, 28) in [-1, 1] to 10 logits, by way of 128 features.

    The first is of convolutions of 3x3 with BatchNorm and the largest of neighbours, the second of strided ones of 5x5
    with GroupNorm.
    """

    def __init__(self, which: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        if which == 0:
            for before, after in ((1, 32), (32, 64), (64, 128)):
                layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU()]
                layers += [nn.MaxPool2d(2)] if after < 128 else []
            layers += [nn.Flatten(), nn.Linear(128 * 7 * 7, 128), nn.ReLU()]
        else:
            for before, after in ((1, 32), (32, 96), (96, 192)):
                layers += [nn.Conv2d(before, after, 5, stride=2, padding=2), nn.GroupNorm(8, after), nn.SiLU()]
            layers += [nn.Flatten(), nn.Dropout(0.3), nn.Linear(192 * 4 * 4, 128), nn.SiLU()]
        self.features, self.head = nn.Sequential(*layers), nn.Linear(128, 10)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.features(images))
        return logits

    @torch.no_grad()
    def look(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The labels it reads (B,), and the features (B, 128)."""
        features = torch.cat([self.features(part) for part in images.split(500)])
        return self.head(features).argmax(1), features


@dataclass(frozen=True)
class Digits:
    """Images (B, 1, 28, 28) in [-1, 1] and their labels (B,)."""

    images: Tensor
    labels: Tensor

    def of_each(self, first: int, last: int) -> Digits:
        """From the first-th to the last-th image of each label."""
        chosen = torch.cat([(self.labels == label).nonzero()[first:last, 0] for label in range(10)])
        return Digits(self.images[chosen], self.labels[chosen])

    def taken(self, chosen: Tensor) -> Digits:
        return Digits(self.images[chosen], self.labels[chosen])


@dataclass(frozen=True)
class Verdict:
    """What a judge says of some images. `varied`: how many nearest digits of the reference they find, of each label."""

    readable: float
    distance: float
    varied: list[int]

    @property
    def found(self) -> float:
        """Their mean."""
        return sum(self.varied) / len(self.varied)


def opinion(judge: Judge, asked: Digits, reference: Digits, known: Tensor) -> Verdict:
    """Of the digits that were asked for. known: the judge's features of the reference."""
    read, features = judge.look(asked.images)
    varied = []
    for label in range(10):
        candidates = known[reference.labels == label][:NEIGHBOURS]
        varied.append(len(torch.cdist(features[asked.labels == label], candidates).argmin(1).unique()))
    distance = frechet_distance(Moments.of(known), Moments.of(features))
    return Verdict((read == asked.labels).float().mean().item(), distance, varied)


def smeared(images: Tensor) -> float:
    """The share of the pixels away from all strokes that are not black."""
    near = nn.functional.max_pool2d((images > STROKE).float(), 2 * AWAY + 1, stride=1, padding=AWAY) > 0
    return ((images > -1 + DARK) & ~near).sum().item() / (~near).sum().item()


def apart(images: Tensor, learned: Tensor) -> float:
    """The median distance, over the 784 pixels in [-1, 1], to the nearest digit that was learned from."""
    return torch.cdist(images.flatten(1), learned.flatten(1)).amin(1).median().item()


def trained_judges(unknown: Digits) -> list[Judge]:
    """Both judges; they are trained where the cache has none."""
    judges = []
    for which, name in enumerate(("first", "second")):
        torch.manual_seed(which)
        judge = Judge(which).to(memory_format=torch.channels_last)
        kept = cache_folder() / "judge" / f"digits-3-{name}.safetensors"
        if kept.exists():
            judge.load_state_dict(load_file(kept))
        else:
            print(f"training the {name} judge, once, for {kept}", flush=True)
            _train(judge, unknown.taken(torch.arange(which, len(unknown.labels), 2)))
            write_atomically(kept, save({key: tensor.contiguous() for key, tensor in judge.state_dict().items()}))
        judges.append(judge.eval())
    return judges


def _train(judge: Judge, known: Digits) -> None:
    steps = len(known.images) // BATCH
    optimizer = torch.optim.AdamW(judge.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=EPOCHS * steps)
    began = time.monotonic()
    for epoch in range(EPOCHS):
        order = torch.randperm(len(known.images))
        for step in range(steps):
            part = known.taken(order[step * BATCH : (step + 1) * BATCH])
            with torch.autocast("cpu", torch.bfloat16, enabled=has_native_bf16(torch.device("cpu"))):
                logits = judge(part.images.contiguous(memory_format=torch.channels_last))
            optimizer.zero_grad()
            nn.functional.cross_entropy(logits.float(), part.labels).backward()
            optimizer.step()
            schedule.step()
        print(f"  pass {epoch + 1} of {EPOCHS}, {time.monotonic() - began:.0f} s", flush=True)


def _mnist(folder: Path | None) -> Digits:
    """The 60,000 of training."""
    from torchvision.datasets import MNIST

    shared = Path(os.environ.get("GANVAS_SHARED") or Path(__file__).resolve().parents[2] / "shared")
    root = folder or shared / "data" / "mnist"
    try:
        found = MNIST(str(root), train=True)
    except (RuntimeError, OSError) as error:
        raise UsageError(
            f"MNIST is not in {root}; say where it is with --mnist FOLDER (torchvision's layout)"
        ) from error
    return Digits(_values(found.data.numpy()[:, None]), found.targets)


def _digits() -> Digits:
    (part,) = digits()
    labels = torch.tensor([int(label) for label in part.labels or ()])
    return Digits(_values(np.asarray(part.values)[:, None]), labels)


def _values(pixels: np.ndarray) -> Tensor:
    """uint8 to [-1, 1]."""
    return torch.from_numpy(pixels).float() / 127.5 - 1


def _without(all_digits: Digits, known: Digits) -> Digits:
    """Those that are not among the known ones, pixel by pixel."""
    seen = {image.numpy().tobytes() for image in known.images}
    return all_digits.taken(torch.tensor([image.numpy().tobytes() not in seen for image in all_digits.images]))


def judged(run: Path, seed: int, mnist: Path | None) -> None:
    model = load(run)
    names = [str(label) for label in range(10)]
    if sorted(model.labels) != names or not isinstance(model.space, ImageSpace):
        raise UsageError(f"{run} is not a conditional model of the digits 0 to 9; train one with --data digits")
    learned = _digits()
    unknown = _without(_mnist(mnist), learned)
    reference, held_out = unknown.of_each(0, REFERENCE), unknown.of_each(REFERENCE, REFERENCE + EACH)
    judges = trained_judges(_without(_without(unknown, reference), held_out))

    asked = torch.arange(10).repeat(EACH)
    samples = model.sample(len(asked), label=[names[label] for label in asked], seed=seed)
    ours = Digits(_values(model.space.to_uint8(samples).transpose(0, 3, 1, 2)), asked)

    picture = run / "judged.png"
    save_picture(model.space.show(samples[:100], columns=10), picture)
    print(f"{run} at step {model.step:,}, {len(asked):,} samples, seed {seed}; the first hundred are in {picture}")
    print(f"{'':<48}{'samples':>9}{'real':>9}   target")
    for name, judge in zip(("the first judge:", "the second judge:"), judges, strict=True):
        read, known = judge.look(reference.images)
        mine, real = (opinion(judge, each, reference, known) for each in (ours, held_out))
        right = (read == reference.labels).float().mean().item()
        print(f"{name} it reads {100 * right:.2f}% of the reference correctly")
        _row("  read as the label asked for, %", 100 * mine.readable, 100 * real.readable, ">= 97")
        _row("  Frechet distance to 5,000 real ones", mine.distance, real.distance)
        _row("    as a multiple of as many real ones'", mine.distance / real.distance, 1, "<= 2", digits=2)
        _row("  nearest digits found by 100, mean of labels", mine.found, real.found, ">= 60")
        _row("    fewest of any label", min(mine.varied), min(real.varied), ">= 60", digits=0)
    _row("pixels away from strokes not black, %", 100 * smeared(ours.images), 100 * smeared(held_out.images), digits=2)
    near = [apart(each.images, learned.images) for each in (ours, held_out)]
    _row("pixel distance to the nearest learned, median", near[0], near[1], digits=2)


def _row(what: str, mine: float, real: float, target: str = "", digits: int = 1) -> None:
    print(f"{what:<48}{mine:>9.{digits}f}{real:>9.{digits}f}   {target}".rstrip())


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
