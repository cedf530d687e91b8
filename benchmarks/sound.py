"""How good the sounds of a run are that makes them by label: how many are read as asked, how far they are from held-out
ones, how much those of one label differ, how near the nearest training sound is, and which share of the other fields of
the names (speakers) they are read as.

    python -m benchmarks.sound RUN [--data SOURCE] [--n 1000] [--seed 1] [--sheet sheet.png]
    python -m benchmarks.sound --speed

The judge is a network on log-mel spectra that is trained on the labels, and on all other fields of the names, of the
training split (rolls, gains and noise), and kept in the cache. Exact silence fools such judges, as recordings have
none: all sounds that it hears, in training too, get the same faint noise. Each figure stands beside that of the
training split, which is the floor, and of one sound repeated for each label, which no figure but the first rejects.

`--speed` lets the generators of `istftgan` and of `wavegan`, by default and as in its paper, make the same sounds by
turns, and prints medians of seconds of sound a second.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

import ganvas
from ganvas.data.cache import cache_folder
from ganvas.data.dataset import Data
from ganvas.data.opening import reopen
from ganvas.data.waves import Waves
from ganvas.metrics.distributions import Moments, frechet_distance
from ganvas.recipes.istftgan import ISTFTGAN
from ganvas.recipes.wavegan import WaveGAN
from ganvas.run import read_config
from ganvas.spaces import WaveSpace, save_picture
from ganvas.spaces.wave import mel_bands

VERSION = 1
DITHER, PASSES, BATCH, DIMENSIONS = 0.003, 16, 64, 128

Fields = dict[str, Tensor]
"""Class numbers by the field's name."""


class Judge(nn.Module):
    """Sounds (B, channels, samples) to features (B, 128), and these to logits for each field."""

    bands: Tensor

    def __init__(self, space: WaveSpace, classes: dict[str, int]) -> None:
        super().__init__()
        self.size = int(2 ** round(np.log2(space.rate * 0.032)))
        self.register_buffer("bands", torch.from_numpy(mel_bands(space.rate, self.size)))
        widths = (1, 24, 48, 96, DIMENSIONS)
        self.blocks = nn.Sequential(
            *(
                nn.Sequential(nn.Conv2d(n, m, 3, 2, 1, bias=False), nn.BatchNorm2d(m), nn.ReLU())
                for n, m in pairwise(widths)
            )
        )
        self.hidden = nn.Linear(DIMENSIONS * 4, DIMENSIONS)
        self.heads = nn.ModuleDict({name: nn.Linear(DIMENSIONS, count) for name, count in classes.items()})

    def forward(self, waves: Tensor) -> Tensor:
        heard = waves.mean(1) + DITHER * torch.randn_like(waves[:, 0])
        window = torch.hann_window(self.size)
        power = (
            torch.view_as_real(
                torch.stft(heard, self.size, self.size // 2, window=window, pad_mode="constant", return_complex=True)
            )
            .square()
            .sum(3)
        )
        levels = (self.bands @ power + 1e-4).log()
        maps = self.blocks(levels.unsqueeze(1) / 4)
        features: Tensor = self.hidden(functional.adaptive_avg_pool2d(maps, 2).flatten(1)).relu()
        return features


def fields_of(data: Data, *splits: str) -> tuple[Tensor, Fields]:
    """The sounds of these splits, and what their names say of them."""
    waves: list[Tensor] = []
    told: Fields = {}
    for split in (data.split(name) for name in splits if len(data.split(name))):
        waves.append(split.gather(np.arange(len(split))).value)
        for name in ("label", *data.sorts):
            column = torch.from_numpy(np.array(split.entry.columns[name][split.items.stored_at]))
            told[name] = torch.cat([told[name], column]) if name in told else column
    return torch.cat(waves), told


def judge_of(data: Data) -> Judge:
    """Of this data, from the cache or trained now: some minutes on one thread."""
    assert isinstance(data.space, WaveSpace)
    counts = {"label": len(data.labels), **{name: len(each) for name, each in data.sorts.items()}}
    torch.manual_seed(0)
    judge = Judge(data.space, counts)
    key = hashlib.sha256(f"{VERSION} {data.fingerprint}".encode()).hexdigest()[:32]
    path = cache_folder() / "judge" / f"sound-{key}.safetensors"
    if path.is_file():
        judge.load_state_dict(load_file(path))
        return judge.eval().requires_grad_(False)
    waves, told = fields_of(data, "train")
    steps = PASSES * (len(waves) // BATCH)
    optimizer = torch.optim.AdamW(judge.parameters(), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps + 1)
    judge.train()
    for _ in range(PASSES):
        for chosen in torch.randperm(len(waves))[: len(waves) // BATCH * BATCH].split(BATCH):
            features = judge(varied(waves[chosen]))
            loss = sum(
                functional.cross_entropy(head(features), told[name][chosen], label_smoothing=0.05)
                for name, head in judge.heads.items()
            )
            optimizer.zero_grad()
            loss.backward()  # type: ignore[union-attr]
            optimizer.step()
            schedule.step()
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(judge.state_dict(), path)
    return judge.eval().requires_grad_(False)


def varied(waves: Tensor) -> Tensor:
    """Rolled by up to a sixteenth of their length, each louder or quieter by up to a factor of 2, with noise."""
    length = waves.shape[2]
    shift = int(torch.randint(-(length // 16), length // 16 + 1, ()))
    gain = 2 ** (2 * torch.rand(len(waves), 1, 1) - 1)
    noise = 0.01 * torch.rand(len(waves), 1, 1)
    return gain * waves.roll(shift, 2) + noise * torch.randn_like(waves)


@torch.no_grad()
def heard(judge: Judge, waves: Tensor) -> Tensor:
    torch.manual_seed(0)
    return torch.cat([judge(part) for part in waves.split(256)])


def spread(features: Tensor, labels: Tensor) -> float:
    """The mean distance of two sounds of one label."""
    each = [torch.pdist(features[labels == label]).mean() for label in labels.unique()]
    return float(torch.stack(each).mean())


def nearest(features: Tensor, known: Tensor, own: Tensor | None) -> float:
    """The median distance to the nearest of known sounds. own: places of the sounds among these, which do not count."""
    apart = torch.cdist(features, known)
    if own is not None:
        apart[torch.arange(len(own)), own] = torch.inf
    return float(apart.min(1).values.median())


@dataclass
class Table:
    """Rows of figures beside those of sounds that are held out. known: features of all training sounds."""

    judge: Judge
    held: Moments
    known: Tensor
    sorts: list[str]

    def row(self, name: str, waves: Tensor, label: Tensor, own: Tensor | None = None) -> str:
        features = heard(self.judge, waves)
        right = (self.judge.heads["label"](features).argmax(1) == label).double().mean()
        distance = max(0.0, frechet_distance(self.held, Moments.of(features)))
        shares = []
        for sort in self.sorts:
            head = self.judge.heads[sort]
            read = head(features).argmax(1).bincount(minlength=head.out_features)
            shares.append(" ".join(f"{share:.2f}" for share in (read / len(features)).tolist()))
        told = f"{right:8.1%} {distance:9.2f} {spread(features, label):7.2f} {nearest(features, self.known, own):8.2f}"
        return f"{name:14} {told}   {'; '.join(shares)}"


def judged(run: str, source: str | None, n: int, seed: int, sheet: str | None) -> None:
    about = read_config(Path(run))["data"]
    data = reopen(about, accepts=(Waves,), source=source, progress=False)
    judge, model = judge_of(data), ganvas.load(run)
    train, of_train = fields_of(data, "train")
    test, of_test = fields_of(data, "validation", "test")
    features = heard(judge, test)
    table = Table(judge, Moments.of(features), heard(judge, train), list(data.sorts))
    for name, head in judge.heads.items():
        right = (head(features).argmax(1) == of_test[name]).double().mean()
        print(f"judge: {name} of {len(test)} held-out sounds read rightly: {right:.1%}")
    labels = torch.arange(n) % len(data.labels)
    made = model.sample(n, seed=seed, label=labels)
    some = torch.randperm(len(train), generator=torch.Generator().manual_seed(0))[:n]
    print(f"{run}, step {model.step:,}, {n} sounds")
    print(f"{'':14} {'as asked':>8} {'FD':>9} {'spread':>7} {'nearest':>8}   {'; '.join(table.sorts)} as read")
    print(table.row("made", made, labels))
    print(table.row("training", train[some], of_train["label"][some], own=some))
    print(table.row("held out", test, of_test["label"]))
    firsts = torch.stack([train[of_train["label"] == label][0] for label in range(len(data.labels))])
    print(table.row("one a label", firsts[labels], labels))
    read = judge.heads["label"](heard(judge, made)).argmax(1) == labels
    shares = [f"{name} {read[labels == place].double().mean():.0%}" for place, name in enumerate(data.labels)]
    print(f"made, read as asked: {', '.join(shares)}")
    if sheet:
        columns = len(data.labels)
        real = torch.cat([train[of_train["label"] == label][:4] for label in range(columns)]).unflatten(0, (columns, 4))
        rows = torch.cat([made[: 6 * columns], real.transpose(0, 1).flatten(0, 1)])
        save_picture(data.space.show(rows, columns=columns), Path(sheet))


@torch.no_grad()
def speed(rounds: int = 7, count: int = 32) -> None:
    facts: dict[str, Any] = {"channels": 1, "samples": 8192, "classes": 10}
    sides: dict[str, ISTFTGAN | WaveGAN] = {
        "istftgan": ISTFTGAN(rate=8000, **facts),
        "wavegan": WaveGAN(**facts),
        "wavegan, paper": WaveGAN(**facts, width=WaveGAN.presets["paper"]["width"]),
    }
    seconds = count * facts["samples"] / 8000
    took: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(rounds + 1):
        for name, recipe in sides.items():
            drawn = recipe.eval().draw(count)
            began = time.process_time()
            recipe.generate(**drawn)
            if turn:  # the first one warms up
                took[name].append(time.process_time() - began)
    fast = {name: seconds / statistics.median(each) for name, each in took.items()}
    for name, each in fast.items():
        size = sum(parameter.numel() for parameter in sides[name].generator.parameters())
        times = fast["istftgan"] / each
        print(f"{name:14} {each:8,.0f} s of sound a CPU second, {size:,} parameters; istftgan: {times:.1f}x")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="?")
    parser.add_argument("--data", help="where the data lies now")
    parser.add_argument("--n", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sheet", help="a picture: six rows of made sounds above four of real ones, a column a label")
    parser.add_argument("--speed", action="store_true")
    asked = parser.parse_args()
    if asked.speed:
        speed()
    elif asked.run:
        judged(asked.run, asked.data, asked.n, asked.seed, asked.sheet)
    else:
        parser.error("name a run, or give --speed")


if __name__ == "__main__":
    main()
