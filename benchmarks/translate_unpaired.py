"""Emoji of one design into another, learned without pairs and judged by the pairs that are there.

    python -m benchmarks.translate_unpaired --prepare FOLDER --data emoji-pairs.zip
    ganvas train cut --data FOLDER --size 64 --minutes 30 --out RUN
    python -m benchmarks.translate_unpaired RUN... --folder FOLDER [--picture GRID.png]
    python -m benchmarks.translate_unpaired --folder FOLDER --partners lite2

--partners says how many pictures find a partner, and how often it is their twin. --prepare writes the folders trainA,
trainB, testA and testB. Google's pictures are given and Twitter's are to be made. Variants of skin tone share a design
and a name but for their code points, and are left out. Two figures count together, as each alone is easily had. R@1: of
the test pictures, how many are nearest to their own twin among the twins of all, by the angle of their features in
Lite0, which no training here uses, as `ganvas evaluate` has it. KID: the distance to Twitter's training pictures in the
same features, from subsets of 150. Beside every run stand doing nothing, a zoom to the size that the other design has,
fitted to the training pictures' extent, and the twins themselves.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

import ganvas
from ganvas.data.batches import Unpaired
from ganvas.data.opening import open_data
from ganvas.data.unpaired import TwoDomains
from ganvas.features import extractor
from ganvas.metrics.answers import ranks
from ganvas.metrics.distributions import kernel_distance
from ganvas.spaces import ImageSpace, save_picture

SKIN_TONES = frozenset(f"1f3f{digit}" for digit in "bcdef")
DOMAINS = {"google": "A", "twitter": "B"}
TESTED = 168
"""Names that are held out: those whose hash is least."""

SUBSET = 150


def plain(name: str) -> bool:
    """Whether an emoji's name, code points with hyphens between them, has no skin tone."""
    return not SKIN_TONES & set(name.split("-"))


def held_out(names: Iterable[str]) -> set[str]:
    return set(sorted(names, key=lambda name: hashlib.sha256(name.encode()).digest())[:TESTED])


def prepare(archive: Path, folder: Path) -> dict[str, int]:
    """Writes the plain emoji, without skin tones, as two domains with splits; how many pictures each folder has."""
    counts: dict[str, int] = {}
    with zipfile.ZipFile(archive) as opened:
        names = {Path(path).stem for path in opened.namelist() if path.endswith(".png")}
        tested = held_out(name for name in names if plain(name))
        for path in opened.namelist():
            design, _, file = path.partition("/")
            name = file.removesuffix(".png")
            if design not in DOMAINS or not plain(name):
                continue
            part = ("test" if name in tested else "train") + DOMAINS[design]
            (folder / part).mkdir(parents=True, exist_ok=True)
            with Image.open(io.BytesIO(opened.read(path))) as picture:
                clear = picture.convert("RGBA")
            white = Image.new("RGBA", clear.size, "white")
            Image.alpha_composite(white, clear).convert("RGB").save(folder / part / file)
            counts[part] = counts.get(part, 0) + 1
    return counts


def pictures(folder: Path, part: str) -> Tensor:
    """(N, 3, 64, 64) in [-1, 1], in the order of their names."""
    rows = [np.asarray(Image.open(path)) for path in sorted((folder / part).glob("*.png"))]
    return torch.from_numpy(np.stack(rows)).permute(0, 3, 1, 2).float() / 127.5 - 1


def levels(values: Tensor) -> Tensor:
    """As files hold them: uint8."""
    return ((values.clamp(-1, 1) + 1) * 127.5).round().byte()


class Judge:
    """Scores of pictures that were made of the test pictures of one design."""

    def __init__(self, folder: Path) -> None:
        self.extractor = extractor("lite0")
        self.target = self.features(pictures(folder, "trainB"))
        self.twins = self.features(pictures(folder, "testB"))

    def features(self, values: Tensor) -> Tensor:
        with torch.no_grad():
            return torch.cat([self.extractor(levels(each)).features for each in values.split(64)])

    def __call__(self, made: Tensor) -> dict[str, float]:
        features = self.features(made)
        rank = ranks(features, self.twins)
        kid, _ = kernel_distance(self.target, features, subset_size=min(SUBSET, len(made)))
        return {
            "R@1": float((rank < 1).double().mean()),
            "R@5": float((rank < 5).double().mean()),
            "KID": kid,
        }


def extent(values: Tensor) -> Tensor:
    """(2,): the mean height and width, in pixels, of what is not white."""
    ink = (values < 0.9).any(1)
    return torch.stack([ink.any(2).sum(1).float().mean(), ink.any(1).sum(1).float().mean()])


def zoomed(values: Tensor, factors: Tensor) -> Tensor:
    """Enlarged about the middle, (height, width); white comes in from outside."""
    down, right = factors.tolist()
    theta = torch.tensor([[1 / right, 0, 0], [0, 1 / down, 0]]).expand(len(values), 2, 3)
    places = functional.affine_grid(theta, list(values.shape), align_corners=False)
    return 1 - functional.grid_sample(1 - values, places, mode="bicubic", align_corners=False).clamp(0, 2)


def baselines(folder: Path) -> dict[str, Tensor]:
    given = pictures(folder, "testA")
    factors = extent(pictures(folder, "trainB")) / extent(pictures(folder, "trainA"))
    return {
        "do nothing": given,
        f"zoom of {factors[0]:.3f} x {factors[1]:.3f}": zoomed(given, factors),
        "floor: the twins": pictures(folder, "testB"),
    }


def translated(run: str, given: Tensor) -> Tensor:
    model = ganvas.load(run)
    return torch.cat([model.transform(each) for each in given.split(64)]).float().cpu().clamp(-1, 1)


def partners(folder: Path, looks: str) -> str:
    data = open_data(folder, Unpaired, size=(64, 64), partners=looks, progress=False)
    items = data.split("train").items
    assert isinstance(items, TwoDomains)
    given = [Path(name).name for name in items.given_names]
    made = [Path(name).name for name in items.names]
    right = [given[one] == made[place] for place, one in enumerate(items.partners) if one >= 0]
    return f"{len(right):,} of {len(made):,} pictures have a partner, {np.mean(right):.1%} of them their twin"


def report(found: Mapping[str, dict[str, float]]) -> None:
    for name, scores in found.items():
        print(f"  {name:<40}" + "".join(f"{key:>10} {value:6.3f}" for key, value in scores.items()), flush=True)


def compared(rows: Iterable[Tensor], count: int) -> Tensor:
    """A grid of as many columns: each row is one way to make the same pictures."""
    return torch.cat([row[:: max(1, len(row) // count)][:count] for row in rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*")
    parser.add_argument("--folder", type=Path, help="what --prepare wrote")
    parser.add_argument("--prepare", type=Path)
    parser.add_argument("--data", type=Path, help="emoji-pairs.zip")
    parser.add_argument("--partners", choices=("lite0", "lite2"))
    parser.add_argument("--picture", type=Path, help="a grid: given, made by each run, twins")
    arguments = parser.parse_args()
    if arguments.prepare is not None:
        print(prepare(arguments.data, arguments.prepare))
        return
    if arguments.partners is not None:
        print(partners(arguments.folder, arguments.partners))
        return
    rows = baselines(arguments.folder)
    judge = Judge(arguments.folder)
    given = rows["do nothing"]
    print(f"{len(given)} test pictures, {len(judge.target)} pictures to be like, KID in subsets of {SUBSET}")
    report({name: judge(values) for name, values in rows.items()})
    made = {run: translated(run, given) for run in arguments.runs}
    for run, values in made.items():
        report({run: judge(values)})
    if arguments.picture is not None:
        shown = compared([given, *made.values(), rows["floor: the twins"]], 16)
        save_picture(ImageSpace(3, *shown.shape[2:]).show(shown, columns=16), arguments.picture)


if __name__ == "__main__":
    main()
