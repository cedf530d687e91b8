"""Samples of a run as files: one grid, a folder of single samples, or a labelled folder with its passport."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import torch

from ganvas.errors import UsageError
from ganvas.files import write_atomically, write_json
from ganvas.model.about import shared_config
from ganvas.model.targets import PICTURES
from ganvas.model.trained import load
from ganvas.spaces import save_picture
from ganvas.text import counted, listed, shown
from ganvas.version import __version__

MOST_IN_A_GRID = 10_000
LONGEST = 60
"""Letters of a label in its folder's name, so that no system finds it too long."""

_SIGNS = frozenset('<>:"/\\|?*')
"""What no name of a file holds on Windows."""

_DEVICES = frozenset({"con", "prn", "aux", "nul", *(f"{kind}{n}" for kind in ("com", "lpt") for n in range(1, 10))})
"""Names that Windows has for devices."""


def sample_to(
    run: str | Path,
    out: Path | None,
    *,
    n: int | None = None,
    seed: int | None = None,
    truncation: float | None = None,
    recipe: str | None = None,
    overwrite: bool = False,
    given: Mapping[str, Any] | None = None,
    columns: int | None = None,
    format: str | None = None,
    tell: Callable[[str], None] = lambda note: None,
) -> str:
    """Writes `n` samples of the run and returns a sentence that says where, and with which seed.

    A path that ends in .png, .jpg or .webp becomes one grid; any other a folder of `00000.png` (or .wav, as their
    space has it), ..., with a sub-folder for each label where the model is conditional, which is how Ganvas and others
    read labelled data. What is written, texts and rows of tables, can also be the lines of one file, .txt or .csv.
    Without a path it is grid.png, and what is written is returned in the place of the sentence, a line each.
    n: by default 64, or 1 where nothing is drawn. given: values of inputs by name, as `Model.sample` takes them.
    columns: of a grid; by default as `Model.columns` has it. format: of single samples, one of their space's
    `formats`. tell: is called with each note on how the run was loaded.
    Raises UsageError for an output that exists, unless `overwrite`, and for a grid of more than 10,000.
    """
    model = load(run, recipe=recipe)
    for note in model.notes:
        tell(note)
    given = given or {}
    if n is None:
        n = 1 if model.given.keys() == model.inputs.keys() else 64
    seed = int.from_bytes(os.urandom(4), "little") if seed is None else seed
    values = model.checked(n, given, truncation)  # what is wrong is reported before anything is made
    drawn = "" if model.given.keys() == model.inputs.keys() else f", seed {seed}"
    space = model.space
    if space.written and format is None and (out is None or out.suffix.lower() == space.suffix):
        if out is not None and out.exists() and not overwrite:
            raise UsageError(f"{out} exists; add --overwrite to replace it, or choose another --out")
        blocks = model.blocks(n, seed=seed, truncation=truncation, **values)
        if out is None:
            return "\n".join(space.document(blocks))
        write_atomically(out, "".join(f"{line}\n" for line in space.document(blocks)))
        return f"{counted(n, 'sample')} in {out} (step {model.step:,}{drawn})"
    out = Path("grid.png") if out is None else out
    grid = out.suffix.lower() in PICTURES
    if out.suffix and not grid:
        kinds = ", ".join([*PICTURES, *([space.suffix] if space.written else [])])
        what = space.noun if space.written else "pictures"
        raise UsageError(f"--out {out}: {what} are written as {kinds}, or into a folder")
    if grid and n > MOST_IN_A_GRID:
        raise UsageError(f"a grid holds at most {MOST_IN_A_GRID:,} samples, not {n:,}; give a folder as --out instead")
    formats = model.space.formats
    if format is not None and (grid or format not in formats):
        one = "a grid is a picture, and --format is for single samples: give a folder as --out"
        known = f"--format {shown(format)}: {model.space.noun} are written as {', '.join(formats)}"
        raise UsageError(one if grid else known)
    exists = out.exists() if grid else out.is_file() or (out.is_dir() and any(out.iterdir()))
    if exists and not overwrite:
        raise UsageError(f"{out} exists; add --overwrite to replace it, or choose another --out")
    if grid:
        samples = model.sample(n, seed=seed, truncation=truncation, **values)
        save_picture(model.space.show(samples, columns=columns or model.columns(values)), out)
        return f"{counted(n, 'sample')} in {out} (step {model.step:,}{drawn})"
    done, folders = 0, folders_of(model.labels)
    labels = model.classes(n, values).get("label")
    for block in model.blocks(n, seed=seed, truncation=truncation, **values):
        for number, sample in enumerate(block.split(1), done):
            folder = out if labels is None else out / folders[int(labels[number])]
            kind = format or formats[0]
            write_atomically(folder / f"{number:05d}.{kind}", model.space.file_as(sample, kind))
        done += len(block)
    called = [
        f"{shown(label)!r} in {folder}"
        for number, (label, folder) in enumerate(zip(model.labels, folders, strict=True))
        if labels is not None and label != folder and bool((labels == number).any())
    ]
    renamed = f"; labels under other names: {listed(called, 8)}" if called else ""
    return f"{counted(n, 'sample')} in the folder {out} (step {model.step:,}{drawn}){renamed}"


def balanced_to(
    run: str | Path,
    out: Path,
    *,
    each: int,
    seed: int | None = None,
    truncation: float | None = None,
    recipe: str | None = None,
    given: Mapping[str, Any] | None = None,
    tell: Callable[[str], None] = lambda note: None,
) -> str:
    """Writes `each` samples of every label into `out`/LABEL/00000.png, ..., for whatever reads labelled folders, and
    returns a sentence that says so. Beside the folder, in `out`.json, stands what the pictures are: from which run,
    weights, data and seed. Raises UsageError for a model without labels, and where either exists: what an older folder
    holds beside would upset the balance.
    """
    model = load(run, recipe=recipe)
    labels = model.labels
    if not labels:
        raise UsageError(f"{run} is not conditional, so it has no labels to balance; leave --balanced away")
    if each < 1:
        raise UsageError(f"--balanced must be 1 or more, not {each}")
    if out.suffix:
        raise UsageError(f"--balanced writes a folder, and --out {out} has the name of a file")
    seed = int.from_bytes(os.urandom(4), "little") if seed is None else seed
    passport = out.with_name(f"{out.name}.json")
    for path in (out, passport):
        if path.exists():
            raise UsageError(f"{path} exists, and --balanced writes a new folder; choose another --out")
    count = each * len(labels)
    said = sample_to(run, out, n=count, seed=seed, truncation=truncation, recipe=recipe, given=given, tell=tell)
    about = shared_config(run)
    write_json(
        passport,
        {
            "ganvas synthetic": 1,
            "folder": out.name,
            "labels": {
                label: {"folder": folder, "samples": each}
                for label, folder in zip(labels, folders_of(labels), strict=True)
            },
            "seed": seed,
            "truncation": truncation,
            "run": Path(run).resolve().name,
            "recipe": about["recipe"],
            "arguments": about["arguments"],
            "step": model.step,
            "trained on": about["data"],
            "versions": {"ganvas": __version__, "torch": torch.__version__},
            "date": datetime.now().astimezone().isoformat(timespec="seconds"),
        },
    )
    return f"{said}, {each:,} of each of {len(labels)} labels; what they are: {passport}"


def folders_of(labels: Sequence[str]) -> list[str]:
    """The name of each label's folder: the label itself, or what is nearest to it of what every system takes. No two
    are the same, also where case does not count; the later one then has a number behind it.

    A run may come from anywhere, and its labels must not lead out of the folder, nor into a hidden one.
    """
    names = [_safe(label) for label in labels]
    folders, taken = [""] * len(labels), set[str]()
    for place in sorted(range(len(labels)), key=lambda place: names[place] != labels[place]):  # their own names first
        folder, number = names[place], 1
        while (key := unicodedata.normalize("NFC", folder).casefold()) in taken:
            number += 1
            folder = f"{names[place]}-{number}"
        taken.add(key)
        folders[place] = folder
    return folders


def _safe(label: str) -> str:
    name = "".join(letter if letter.isprintable() and letter not in _SIGNS else "_" for letter in label)[:LONGEST]
    name = re.sub(r"^\.|[. ]$", "_", name)
    return f"label-{name}" if not name.strip("_ ") or name.partition(".")[0].lower() in _DEVICES else name
