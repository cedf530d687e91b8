"""Avatars of what captions say, with whole combinations of attributes held out, judged attribute by attribute.

    python -m benchmarks.captions --prepare avatars.zip FOLDER
    ganvas train text2image --data FOLDER --minutes 60 --out RUN
    python -m benchmarks.captions RUN... --folder FOLDER [--sheet SHEET.png]

--prepare writes the pictures with three captions each, made from their attributes by the phrasings below. What a
caption does not mention is not there. Hair is not mentioned under a hat, which hides it; a beard has its colour. The
pictures of some combinations (`HELD_OUT`) are the test split: each of their parts is seen in training, never all.

Attributes are read by a classifier that is trained on real pictures, all combinations among them. Its accuracy on real
pictures that it has not seen stands beside what it says of the made ones, and so does what it says where captions are
given to the wrong pictures. Whatever captions do not mention must still vary: the share of the most frequent colour of
skin, and the mean distance in the features of Lite0 of pictures of the same caption, beside those of real pictures
with the same attributes.
"""

from __future__ import annotations

import argparse
import csv
import io
import random
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

import ganvas
from ganvas.data.rows import split_of
from ganvas.features import extractor
from ganvas.metrics.distributions import kernel_distance
from ganvas.spaces import ImageSpace, save_picture

Spec = Mapping[str, str]

HELD_OUT: tuple[dict[str, str], ...] = (
    {"hair_colour": "red", "glasses": "1", "beard": "1"},
    {"hair_colour": "pink", "smile": "1", "long_hair": "1", "hat": "0"},
    {"hat": "1", "glasses": "1", "smile": "1"},
    {"hair_colour": "black", "long_hair": "0", "glasses": "1", "hat": "0"},
)
"""Combinations that no picture of the training has."""

SWITCHES = ("glasses", "beard", "hat", "smile", "long_hair")
COLOURS = ("black", "blond", "brown", "grey", "pink", "red")
SKINS = 6
PHRASINGS = 3
"""Captions of one picture."""


def held_out(spec: Spec) -> bool:
    return any(all(spec[name] == value for name, value in each.items()) for each in HELD_OUT)


def caption(spec: Spec, chance: random.Random) -> str:
    """One of many phrasings of what is to be seen."""
    on = {name: spec[name] == "1" for name in SWITCHES}
    colour, pick = spec["hair_colour"], chance.choice
    before, parts, after = list[str](), list[str](), list[str]()
    if on["smile"]:
        pick((before, before, parts, after)).append("smile")
    elif chance.random() < 0.4:
        before.append(pick(("serious", "unsmiling")))
    if on["beard"]:
        if not on["hat"] and chance.random() < 0.6:
            pick((before, parts, parts)).append("beard")
        else:
            parts.append(f"a {colour} beard")
    elif chance.random() < 0.25:
        before.append("clean-shaven")
    if not on["hat"]:
        length = "long" if on["long_hair"] else pick(("short", "short", ""))
        if chance.random() < 0.25 and not length:
            before.append(f"{colour}-haired")
        else:
            parts.append(pick((f"{length} {colour} hair", f"{colour} {length} hair")).replace("  ", " ").strip())
    if on["glasses"]:
        pick((parts, parts, after)).append("glasses")
    if on["hat"]:
        pick((parts, after, after)).append("hat")
    words: dict[str, dict[str, tuple[str, ...]]] = {
        "smile": {"before": ("smiling", "happy", "cheerful"), "parts": ("a smile",), "after": ("who smiles",)},
        "beard": {"before": ("bearded",), "parts": ("a beard",)},
        "glasses": {"parts": ("glasses", "spectacles"), "after": ("wearing glasses",)},
        "hat": {"parts": ("a hat", "a woolly hat"), "after": ("in a hat", "wearing a hat")},
    }
    said = {
        place: [pick(words[each][place]) if each in words else each for each in found]
        for place, found in {"before": before, "parts": parts, "after": after}.items()
    }
    for found in said.values():
        chance.shuffle(found)
    someone = pick(("man", "man", "person", "face")) if on["beard"] else pick(("person", "face", "character"))
    text = " ".join(["a", *said["before"], someone])
    if said["parts"]:
        text += f" {pick(('with', 'with', 'having'))} {_together(said['parts'])}"
    return " ".join([text, *([_together(said["after"])] if said["after"] else [])])


def _together(parts: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))


def prepare(archive: Path, folder: Path) -> dict[str, int]:
    """Writes the pictures, `captions.csv` and `attributes.csv`; how many pictures each split has."""
    counts = {"train": 0, "test": 0}
    said, known = list[list[str]](), list[list[str]]()
    with zipfile.ZipFile(archive) as opened:
        rows = list(csv.DictReader(io.TextIOWrapper(opened.open("attributes.csv"), "utf-8")))
        places = {Path(name).name: name for name in opened.namelist()}
        for row in (row for row in rows if not row["of"]):
            part = "test" if held_out(row) else "train"
            path = folder / part / row["name"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(opened.read(places[row["name"]]))
            chance = random.Random(row["name"])
            texts = dict.fromkeys(caption(row, chance) for _ in range(PHRASINGS))
            said += [[f"{part}/{row['name']}", text] for text in texts]
            known.append([f"{part}/{row['name']}", *(row[name] for name in (*SWITCHES, "hair_colour", "skin"))])
            counts[part] += 1
    _write(folder / "captions.csv", ["name", "caption"], said)
    _write(folder / "attributes.csv", ["name", *SWITCHES, "hair_colour", "skin"], known)
    return counts


def _write(path: Path, head: list[str], rows: list[list[str]]) -> None:
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([head, *rows])


def _rows(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


class Reader(nn.Module):
    """Pictures (B, 3, H, W) in [-1, 1], which it sees at 64 x 64, to logits of the switches, of hair and of skin."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in pairwise((3, 24, 48, 96, 128)):
            side = 5 if before == 3 else 3
            layers += [nn.Conv2d(before, after, side, 2, side // 2), nn.BatchNorm2d(after), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.3))
        self.heads = nn.Linear(128 * 16, len(SWITCHES) + len(COLOURS) + SKINS)

    def forward(self, images: Tensor) -> list[Tensor]:
        if images.shape[2:] != (64, 64):
            images = functional.interpolate(images, (64, 64), mode="bilinear", align_corners=False)
        said: Tensor = self.heads(self.layers(images))
        return list(said.split((len(SWITCHES), len(COLOURS), SKINS), dim=1))

    @torch.no_grad()
    def read(self, images: Tensor) -> Tensor:
        """(N, 7) int64: the switches, the colour of hair and of skin."""
        found = []
        for part in images.split(256):
            switches, hair, skin = self(part)
            found.append(torch.cat([(switches > 0).long(), hair.argmax(1)[:, None], skin.argmax(1)[:, None]], 1))
        return torch.cat(found)


class Real:
    """The prepared pictures: names, captions, attributes as `Reader.read` has them, and pixels."""

    def __init__(self, folder: Path) -> None:
        rows = _rows(folder / "attributes.csv")
        self.folder = folder
        self.names = [row["name"] for row in rows]
        numbers = [
            [*(int(row[name]) for name in SWITCHES), COLOURS.index(row["hair_colour"]), int(row["skin"])]
            for row in rows
        ]
        self.attributes = torch.tensor(numbers)
        self.tested = torch.tensor([name.startswith("test/") for name in self.names])
        self.unseen = torch.tensor([split_of(name) != "train" for name in self.names])
        """What the judge has not seen, a tenth of both kinds."""
        pixels = np.stack([np.asarray(Image.open(folder / name).convert("RGB")) for name in self.names])
        self.images = torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous()
        self.captions: dict[str, list[str]] = {}
        for row in _rows(folder / "captions.csv"):
            self.captions.setdefault(row["name"], []).append(row["caption"])

    def floats(self, chosen: Tensor) -> Tensor:
        return self.images[chosen].float() / 127.5 - 1


def judge_of(real: Real, epochs: int = 3) -> Reader:
    """Trained once on nine tenths of the real pictures, and kept beside them."""
    path, reader = real.folder / "judge.safetensors", Reader()
    if path.exists():
        reader.load_state_dict(load_file(path))
        return reader.eval()
    torch.manual_seed(0)
    reader = Reader()
    places = (~real.unseen).nonzero().flatten()
    steps = epochs * len(places) // 64
    optimizer = torch.optim.Adam(reader.parameters(), 2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps)
    for _ in range(steps):
        chosen = places[torch.randint(len(places), (64,))]
        switches, hair, skin = reader(real.floats(chosen))
        wanted = real.attributes[chosen]
        loss = functional.binary_cross_entropy_with_logits(switches, wanted[:, :5].float())
        loss = loss + functional.cross_entropy(hair, wanted[:, 5]) + functional.cross_entropy(skin, wanted[:, 6])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    save_file(reader.state_dict(), path)
    return reader.eval()


def asked(attributes: Tensor) -> Tensor:
    """(N, 6) bool: which attributes a caption asks for. A hat hides hair, and its colour but for a beard's."""
    free = attributes[:, 2] == 0
    told = torch.ones(len(attributes), 6, dtype=torch.bool)
    told[:, 4] = free
    told[:, 5] = free | (attributes[:, 1] == 1)
    return told


def accuracy(read: Tensor, wanted: Tensor) -> dict[str, float]:
    """Shares of the attributes asked for that are there: of each, of all, and of pictures in which all are."""
    told = asked(wanted)
    right = read[:, :6] == wanted[:, :6]
    found = {name: float(right[:, i][told[:, i]].double().mean()) for i, name in enumerate((*SWITCHES, "hair_colour"))}
    return found | {"all": float(right[told].double().mean()), "whole": float((right | ~told).all(1).double().mean())}


def made_of(run: str, captions: Sequence[str], seed: int) -> Tensor:
    model = ganvas.load(run)
    blocks = model.blocks(len(captions), seed=seed, caption=list(captions))
    return (torch.cat(list(blocks)).clamp(-1, 1) * 127.5).round() / 127.5


def features_of(values: Tensor) -> Tensor:
    judge = extractor("lite0")
    levels = ((values + 1) * 127.5).round().byte()
    with torch.no_grad():
        return torch.cat([judge(each).features for each in levels.split(64)])


def spread(features: Tensor) -> float:
    """The mean distance of two of them."""
    return float(torch.pdist(features.double()).mean())


def alike(real: Real, most: int = 4, of_each: int = 32) -> Iterator[Tensor]:
    """The places of pictures with the same attributes, of those combinations of the training that most have."""
    kinds, counts = real.attributes[~real.tested][:, :6].unique(dim=0, return_counts=True)
    for kind in kinds[counts.argsort(descending=True)[:most]]:
        yield ((real.attributes[:, :6] == kind).all(1) & ~real.tested).nonzero().flatten()[:of_each]


def judged(run: str, real: Real, judge: Reader, most: int, kid: bool) -> Iterator[str]:
    for title, places in _parts(real, most):
        captions = [real.captions[real.names[place]][0] for place in places]
        made = made_of(run, captions, seed=1)
        wanted, read = real.attributes[places], judge.read(made)
        yield told(f"{title} ({len(places):,})", accuracy(read, wanted))
        yield told("  given to the wrong captions", accuracy(read, wanted.roll(len(wanted) // 2, 0)))
        skins = torch.bincount(read[:, 6], minlength=SKINS) / len(read)
        of_real = torch.bincount(wanted[:, 6], minlength=SKINS) / len(read)
        yield f"  most frequent skin {skins.max():.2f} (real {of_real.max():.2f}), least {skins.min():.2f}"
        if kid and title == "seen":
            target = features_of(real.floats((~real.tested).nonzero().flatten()[:1000]))
            distance, _ = kernel_distance(target, features_of(made), subset_size=min(500, len(made)))
            yield f"  KID[lite0] {distance:.4f}"
    within = []
    for places in alike(real):
        captions = [real.captions[real.names[int(places[0])]][0]] * len(places)
        of_made = spread(features_of(made_of(run, captions, seed=2)))
        within.append(of_made / spread(features_of(real.floats(places))))
    yield f"diversity for one caption: {sum(within) / len(within):.2f} of real pictures with the same attributes"


def _parts(real: Real, most: int) -> list[tuple[str, Tensor]]:
    """Captions of pictures that were not trained on, of combinations that were seen and of those that were not."""
    seen = (real.unseen & ~real.tested).nonzero().flatten()
    return [("seen", seen[:most]), ("held out", real.tested.nonzero().flatten()[:most])]


def told(title: str, scores: Mapping[str, float]) -> str:
    return f"{title:<34}" + "".join(f"{name:>12} {value:5.3f}" for name, value in scores.items())


def sheet(run: str, path: Path, captions: Sequence[str], of_each: int = 8) -> None:
    made = made_of(run, [text for text in captions for _ in range(of_each)], seed=3)
    save_picture(ImageSpace(3, *made.shape[2:]).show(made, columns=of_each), path)


SHOWN = (
    "a smiling man with a red beard and glasses",
    "a person with long pink hair",
    "a smiling person with long pink hair",
    "a serious face with short black hair and glasses",
    "a happy face with short blond hair wearing a hat and glasses",
    "a bearded man with long grey hair",
    "a person with short brown hair",
    "a cheerful character in a hat",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*")
    parser.add_argument("--prepare", nargs=2, type=Path, metavar=("ARCHIVE", "FOLDER"))
    parser.add_argument("--folder", type=Path, help="what --prepare wrote")
    parser.add_argument("--most", type=int, default=1000, help="captions of each kind")
    parser.add_argument("--no-kid", action="store_true")
    parser.add_argument("--sheet", type=Path, help="a picture: 8 of each of some captions, two of them held out")
    arguments = parser.parse_args()
    if arguments.prepare is not None:
        print(prepare(*arguments.prepare))
        return
    real = Real(arguments.folder)
    judge = judge_of(real)
    for title, of_part in (("real, seen", ~real.tested), ("real, held out", real.tested)):
        places = (of_part & real.unseen).nonzero().flatten()
        print(told(f"{title} ({len(places):,})", accuracy(judge.read(real.floats(places)), real.attributes[places])))
    for run in arguments.runs:
        print(run)
        for line in judged(run, real, judge, arguments.most, not arguments.no_kid):
            print(line, flush=True)
        if arguments.sheet is not None:
            sheet(run, arguments.sheet, SHOWN)


if __name__ == "__main__":
    main()
