"""The gallery: every recipe for images on three sets of pictures, equally long, with a grid and a score of each.

    OMP_NUM_THREADS=1 python -m benchmarks.gallery [--minutes 5] [--out runs/gallery] [--docs docs]
    python -m benchmarks.gallery --only dcgan,vae --sets tiles --minutes 0.3 --docs /tmp/docs

Each training is one command of Ganvas's own, on one thread, with the recipe's defaults (`ADDED` has what is not), then
three samples of each label are drawn and judged by FID[native] of 1,000 samples. After each training the page
(gallery.md in --docs) and its picture (in --docs/grids) are written anew. What is finished is not trained again, and
what was interrupted goes on; another --minutes is another set of trainings. Of CIFAR-10 those recipes are not trained
whose grid is in docs/grids already, with its score in docs/benchmarks.md: their rows there are repeated in the page.
What fails says so in a line, is left out of the page, and is tried again the next time.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.trainings import kept, table, trained
from ganvas.files import write_atomically

RECIPES = (
    "vanilla", "cgan", "dcgan", "lsgan", "wgan", "wgan-gp", "sngan", "lapgan", "acgan", "infogan", "r3gan", "stylegan2",
    "projected", "gat", "vae", "vaegan",
)  # fmt: skip
"""In the order of the page."""

ADDED: Mapping[str, Mapping[str, Any]] = {"r3gan": {"batch_size": 32}, "projected": {"batch_size": 32}}
"""To the defaults: what is known to get further in minutes, or has been tried that way only (docs/choosing.md,
docs/projected.md)."""

SCORE, JUDGED, ROWS, SEED = "FID[native]", 1000, 3, 1
ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Pictures:
    """One set. file: in $GANVAS_SHARED/data, or ../shared/data beside the repository. labels: the columns of a grid.
    source: what the page has for it in its commands. flags: how it is read."""

    title: str
    file: str
    labels: int
    source: str
    flags: Mapping[str, Any]
    told: str

    def prepared(self, out: Path) -> str:
        """Where it lies, as `--data` takes it."""
        shared = Path(os.environ.get("GANVAS_SHARED") or ROOT.parent / "shared")
        archive = shared / "data" / self.file
        return str(archive) if self.source == self.file else str(by_category(archive, out / self.source))


SETS = {
    "tiles": Pictures(
        "Tiles of a dungeon", "dungeon-tiles-cc0.zip", 8, "dungeon-tiles-cc0.zip", {},
        "4,249 tiles of 32x32 pixels for a game (CC0), on white, in eight folders from floors to monsters.",
    ),
    "emoji": Pictures(
        "Emoji", "emoji-pairs.zip", 10, "emoji", {"size": 32},
        "Google's 3,786 emoji (Noto, Apache-2.0) at 32x32 pixels, on white, in a folder for each of Unicode's ten "
        "categories; more than half are people, in all skin tones. The folder is written by this page's command.",
    ),
    "cifar10": Pictures(
        "CIFAR-10", "cifar10-jpeg.zip", 10, "cifar10-jpeg.zip", {},
        "50,000 photos of 32x32 pixels in ten classes, and 10,000 that are held out, as JPEG files.",
    ),
}  # fmt: skip


def by_category(archive: Path, folder: Path) -> Path:
    """Google's emoji as files, in a folder for each category that the archive's table tells."""
    if not folder.exists():
        part = folder.with_name(f"{folder.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        with zipfile.ZipFile(archive) as opened:
            for row in csv.DictReader(io.StringIO(opened.read("captions.csv").decode())):
                path = part / row["category"].lower().replace(" & ", "-") / row["file_name"]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(opened.read(f"google/{row['file_name']}"))
        part.rename(folder)
    return folder


def finished(run: Path, recipe: str, pictures: Pictures, minutes: float, out: Path) -> dict[str, Any]:
    """What is known of the run when it is trained, judged and drawn: {"value", "interval", "step", "processor"}."""

    def make() -> dict[str, Any]:
        options = {**pictures.flags, **ADDED.get(recipe, {}), "minutes": minutes, "quiet": True}
        trained(run, recipe, pictures.prepared(out), options)
        count, passport = ROWS * pictures.labels, run / "score.json"
        _ganvas("sample", run, "-n", count, "--seed", SEED, "--out", run / "gallery", "--overwrite")
        files = sorted((run / "gallery").rglob("*.png"), key=lambda file: file.name)  # in folders of labels
        grid(files, pictures.labels, run.with_suffix(".jpg"))
        _ganvas("evaluate", run, *_judging(), "--json", passport, "--overwrite", "--quiet")
        said = json.loads(passport.read_bytes())
        score = said["scores"][SCORE]
        found = {"value": score["value"], "interval": score["interval"], "step": said["judged"]["step"]}
        return {**found, "processor": processor()}

    return kept(run.with_suffix(".json"), make)


def _judging() -> tuple[object, ...]:
    return "--metrics", "fid", "--extractor", "native", "-n", JUDGED, "--seed", SEED


def _ganvas(*words: object) -> None:
    subprocess.run([sys.executable, "-m", "ganvas", *map(str, words)], check=True, stdout=subprocess.DEVNULL)


def grid(files: Sequence[Path], columns: int, path: Path) -> None:
    """Samples of one size as one JPEG of a few kB, two pixels apart."""
    opened = [Image.open(file).convert("RGB") for file in files]
    width, height = (side + 2 for side in opened[0].size)
    whole = Image.new("RGB", (columns * width - 2, -(-len(opened) // columns) * height - 2), "white")
    for place, picture in enumerate(opened):
        whole.paste(picture, (place % columns * width, place // columns * height))
    buffer = io.BytesIO()
    whole.save(buffer, "JPEG", quality=75, optimize=True)
    write_atomically(path, buffer.getvalue())


def processor() -> str:
    """Its name, and whether it has units for bf16."""
    try:
        told = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return "another processor than Linux tells of"
    name = re.search(r"^model name\s*: (.*)$", told, re.MULTILINE)
    units = [flag for flag in ("amx_bf16", "avx512_bf16") if re.search(rf"\b{flag}\b", told)]
    return " with ".join(["a processor without a name" if name is None else name[1], *units[:1]])


def known(text: str) -> dict[str, list[str]]:
    """By recipe, the rows of docs/benchmarks.md that show a grid of CIFAR-10 of it, with the recipe in the first
    cell alone: [recipe, score, steps, grid]."""
    row = r"^\| (`([\w-]+)`) \| (.*) \| (.*) \| (!\[\]\(grids/cifar10-([\w-]+)\.jpg\)) \|$"
    rows = re.findall(row, text, re.MULTILINE)
    return {name: [first, score, steps, shown] for first, name, score, steps, shown, file in rows if file == name}


HEAD = """# A gallery: every recipe for images, on three sets of pictures

Each training took {minutes:g} minutes on one thread of {processors}, which other work shared, with seed 0 and the
recipe's defaults but for the flags in the first column. After so little time none is finished, one seed is no ranking,
and recipes whose steps cost more made fewer. {SCORE} is of {JUDGED:,} samples beside {JUDGED:,} training pictures, in
the features of a small classifier of these labels ([scores](judging.md)), with its 95% interval; lower is better.
Scores of two sets cannot be compared, nor with those of another number of samples. Where a recipe takes labels by
default, each column of its grid is a label.

`OMP_NUM_THREADS=1 python -m benchmarks.gallery --minutes {minutes:g}` makes this page, by the commands below.
"""

SET = """## {title}

{told}

```bash
ganvas train RECIPE --data {source}{flags} --minutes {minutes:g} --out RUN
ganvas sample RUN -n {count} --seed {SEED} --out RUN/gallery
ganvas evaluate RUN {judging}
```
"""

REPEATED = """The others were trained for twenty minutes each on another processor, by label wherever they can be, and
are judged by 10,000 samples: these rows are from [the benchmarks](benchmarks.md#real-colour-pictures).
"""


def page(
    results: Mapping[str, Mapping[str, Mapping[str, Any]]], minutes: float, repeated: Mapping[str, list[str]]
) -> str:
    """In Markdown. results: by set and recipe. repeated: rows of CIFAR-10 that are known from elsewhere."""
    constants = {"SCORE": SCORE, "JUDGED": JUDGED, "SEED": SEED, "minutes": minutes}
    processors = sorted({found["processor"] for every in results.values() for found in every.values()})
    parts = [HEAD.format(processors=" or ".join(processors), **constants)]
    for key, pictures in SETS.items():
        flags = "".join(f" --{name} {value}" for name, value in pictures.flags.items())
        count, judging = ROWS * pictures.labels, " ".join(map(str, _judging()))
        more = {"flags": flags, "count": count, "judging": judging}
        parts.append(SET.format(title=pictures.title, told=pictures.told, source=pictures.source, **more, **constants))
        rows = [_row(key, recipe, found) for recipe, found in results.get(key, {}).items()]
        parts.append(table([*COLUMNS, f"{count} samples"], rows) + "\n")
    if repeated:
        parts += [REPEATED, table([*COLUMNS, "60 samples"], list(repeated.values())) + "\n"]
    return "\n".join(parts)


COLUMNS = ("recipe", f"{SCORE} and its 95% interval", "steps")


def _row(key: str, recipe: str, found: Mapping[str, Any]) -> list[str]:
    flags = "".join(f" --{name.replace('_', '-')} {value}" for name, value in ADDED.get(recipe, {}).items())
    bounds = " ({:.0f} to {:.0f})".format(*found["interval"]) if found["interval"] else ""
    shown = f"![](grids/gallery-{key}-{recipe}.jpg)"
    return [f"`{recipe}{flags}`", f"{found['value']:.0f}{bounds}", f"{found['step']:,}", shown]


def chosen(text: str, among: Iterable[str], parser: argparse.ArgumentParser) -> list[str]:
    """Names with commas between them; ends the program where one is unknown."""
    names = text.split(",")
    if unknown := [name for name in names if name not in set(among)]:
        parser.error(f"{unknown[0]} is none of {', '.join(among)}")
    return names


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5, help="of each training (default: 5)")
    parser.add_argument("--out", type=Path, default=Path("runs/gallery"))
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="where the page and its grids/ are")
    parser.add_argument("--only", default=",".join(RECIPES), metavar="A,B", help="recipes (default: all)")
    parser.add_argument("--sets", default=",".join(SETS), metavar="A,B", help=f"of {', '.join(SETS)} (default: all)")
    arguments = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    out = arguments.out / f"{arguments.minutes:g}-minutes"
    grids = arguments.docs / "grids"
    repeated = known((ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8"))
    results: dict[str, dict[str, Any]] = {key: {} for key in SETS}
    wanted = {
        (key, recipe)
        for key in chosen(arguments.sets, SETS, parser)
        for recipe in chosen(arguments.only, RECIPES, parser)
        if key != "cifar10" or recipe not in repeated
    }
    for key, recipe in ((key, recipe) for key in SETS for recipe in RECIPES):
        run = out / f"{key}-{recipe}"
        if (key, recipe) not in wanted and not run.with_suffix(".json").exists():
            continue
        try:
            found = finished(run, recipe, SETS[key], arguments.minutes, arguments.out)
        except (subprocess.CalledProcessError, OSError, KeyError, ValueError) as error:
            print(f"{key}, {recipe}: failed, {' '.join(str(error).split())[-200:]}", flush=True)
            continue
        results[key][recipe] = found
        print(f"{key}, {recipe}: {SCORE} {found['value']:.1f} after {found['step']:,} steps", flush=True)
        grids.mkdir(parents=True, exist_ok=True)
        write_atomically(grids / f"gallery-{key}-{recipe}.jpg", run.with_suffix(".jpg").read_bytes())
        write_atomically(arguments.docs / "gallery.md", page(results, arguments.minutes, repeated))


if __name__ == "__main__":
    main()
