"""What the folders of some files mean: labels, splits, domains, or drawers that only keep folders small.

cat/1.png  dog/2.png                            labels
training/cat/1.png  testing/cat/2.png           splits, with the labels below them
trainA/1.png  trainB/1.png  testA/2.png         splits and two domains at once, as CycleGAN's data sets have them
00000/00017.png  01000/01017.png                drawers, as FFHQ has them
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from ganvas.text import counted, listed, natural, shown

SPLIT_FOLDERS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}
_SPLIT_AND_DOMAIN = re.compile(rf"({'|'.join(SPLIT_FOLDERS)})[_-]?([a-z])", re.IGNORECASE)

Folders = dict[str, tuple[str, ...]]
"""By the name of a file, the folders that it lies in."""


@dataclass(frozen=True)
class Layout:
    """kinds: by name, the label or the domain, {} where there are no two. splits: by name, {} where folders say none.
    rests: by name, the path without what says the kind, which files of two kinds that belong together share. notes: of
    the splits; kind_notes: of the kinds, for readers that take them as labels. domains: whether the kinds are domains
    for certain."""

    kinds: dict[str, str]
    splits: dict[str, str]
    rests: dict[str, str]
    notes: list[str]
    kind_notes: list[str]
    domains: bool = False


def layout(names: Iterable[str]) -> Layout:
    """Folders that all files share say nothing. Top folders that are all splits, by any of `SPLIT_FOLDERS` and one of
    them for training, are splits; so are those that are all a split and a letter, which is the domain. The next folders
    are the labels, unless some files lie beside them or the folders are drawers."""
    folders = _below_shared({name: PurePosixPath(name).parts[:-1] for name in names})
    tops = {name: parts[0] if parts else "" for name, parts in folders.items()}
    plain = {top: SPLIT_FOLDERS.get(top.lower()) for top in set(tops.values())}
    if _are_splits(plain):
        splits, notes = _splits(tops, plain)
        return _of_labels({name: parts[1:] for name, parts in folders.items()}, splits, notes)
    lettered = {top: match for top in plain if (match := _SPLIT_AND_DOMAIN.fullmatch(top))}
    of_domains = {top: SPLIT_FOLDERS[lettered[top][1].lower()] if top in lettered else None for top in plain}
    if _are_splits(of_domains):
        splits, notes = _splits(tops, of_domains)
        return _of_domains(folders, {name: lettered[top][2].upper() for name, top in tops.items()}, splits, notes)
    return _of_labels(folders, {}, [])


def _are_splits(split_of: dict[str, str | None]) -> bool:
    return all(split_of.values()) and "train" in split_of.values()


def _splits(tops: dict[str, str], split_of: dict[str, str | None]) -> tuple[dict[str, str], list[str]]:
    """By name, and a note."""
    told = [
        shown(top) if top.lower() == split else f"{shown(top)} ({split})"
        for top, split in sorted(split_of.items(), key=lambda pair: natural(pair[0]))
    ]
    return {name: str(split_of[top]) for name, top in tops.items()}, [f"folders taken as splits: {listed(told, 8)}"]


def _of_domains(folders: Folders, domains: dict[str, str], splits: dict[str, str], notes: list[str]) -> Layout:
    letters = sorted(set(domains.values()))
    if len(letters) < 2:
        return Layout({}, splits, {}, notes, [])
    rests = {name: _rest(name, splits[name], parts[1:]) for name, parts in folders.items()}
    one = shown(min(parts[0] for name, parts in folders.items() if splits[name] == "train"))
    told = (
        f"domains {', '.join(letters)}, for recipes that translate such as cyclegan; others take them as labels: give "
        f"one folder, such as {one}, to train on one of them alone"
    )
    return Layout(domains, splits, rests, notes, [told], domains=True)


def _of_labels(folders: Folders, splits: dict[str, str], notes: list[str]) -> Layout:
    kinds = {parts[0] if parts else "" for parts in folders.values()}
    if len(kinds) < 2:
        return Layout({}, splits, {}, notes, [])
    if "" in kinds:
        beside = sum(not parts for parts in folders.values())
        have = "has" if beside == 1 else "have"
        return Layout({}, splits, {}, notes, [f"no labels: {counted(beside, 'image')} beside the folders {have} none"])
    if _are_drawers(folders):
        first = listed(map(shown, sorted(kinds)))
        return Layout({}, splits, {}, notes, [f"no labels: the folders {first} are drawers of a thousand numbers each"])
    rests = {name: _rest(name, splits.get(name, ""), parts[1:]) for name, parts in folders.items()}
    return Layout({name: parts[0] for name, parts in folders.items()}, splits, rests, notes, [])


def _rest(name: str, split: str, below: tuple[str, ...]) -> str:
    return "/".join([*([split] if split else []), *below, PurePosixPath(name).name])


def _are_drawers(folders: Folders) -> bool:
    """Whether each folder is the number of its files, rounded down to thousands, as 01000 is of 01234.png. That it is a
    number does not tell: so are the folders of digits and of traffic signs, which are labels."""
    for name, (drawer, *_) in folders.items():
        number = PurePosixPath(name).stem
        if not (re.fullmatch("[0-9]{4,18}", drawer) and re.fullmatch("[0-9]{4,18}", number)):
            return False
        if int(number) // 1000 * 1000 != int(drawer):
            return False
    return True


def _below_shared(folders: Folders) -> Folders:
    first = next(iter(folders.values()))
    shared = 0
    while shared < len(first) and all(parts[: shared + 1] == first[: shared + 1] for parts in folders.values()):
        shared += 1
    return {name: parts[shared:] for name, parts in folders.items()}
