"""Labels in a file beside the images, as StyleGAN's tools write and read them.

    dataset.json    {"labels": [["00000/img00000000.png", 6], ...]}, or null where there are none

The folders of such a set only keep folders small. Any other `dataset.json` says nothing here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

from ganvas.data.decode import Damaged
from ganvas.errors import DataError
from ganvas.files import parse_json
from ganvas.text import counted, shown

_MOST_BYTES = 64 * 2**20
"""Of the file; ImageNet's has 41 MB. Parsed, it takes up to twenty times as much memory."""


def described(
    beside: Iterable[tuple[str, bytes | Damaged]], names: Iterable[str], source: str
) -> tuple[dict[str, str] | None, list[str]]:
    """Labels by the names of images, and notes; None where no such file is beside them, so that folders may be labels.

    beside: all files of this name, with their contents. names: of the images. source: how errors call it all.
    Raises DataError for a file that cannot be read.
    """
    labels: dict[str, str] = {}
    notes: list[str] = []
    found = False
    there = set(names)
    for name, content in beside:
        said = _said(f"{name} in {source}", content)
        if said is None:
            notes.append(f"{shown(name)} passed over: it says nothing of labels")
            continue
        found = True
        pairs, note = _classes(said)
        notes.append(note.format(shown(name)))
        own = {str(PurePosixPath(name).parent / each.replace("\\", "/")): label for each, label in pairs}
        labels |= {each: label for each, label in own.items() if each in there}
        strange = sum(each not in there for each in own)
        if strange:
            notes.append(f"{counted(strange, 'label')} in {shown(name)} of images that are not there")
    return (labels if found else None), notes


def _said(where: str, content: bytes | Damaged) -> Mapping[str, Any] | None:
    """The file's object; None where it has no `labels`."""
    if isinstance(content, bytes) and len(content) > _MOST_BYTES:
        content = Damaged(f"larger than {_MOST_BYTES >> 20} MB")
    if isinstance(content, Damaged):
        raise DataError(f"{shown(where)} cannot be read ({content}): repair it, or take it away")
    try:
        said = parse_json(content)
    except ValueError:
        raise DataError(f"{shown(where)} is no JSON: repair it, or take it away") from None
    return said if isinstance(said, Mapping) and "labels" in said else None


def _classes(said: Mapping[str, Any]) -> tuple[list[tuple[str, str]], str]:
    """(name, label) as text, and a note with a place for the file's name."""
    labels = said["labels"]
    if not labels:
        return [], "no labels: {} says that there are none, and folders beside it are none"
    pairs = list(labels.items()) if isinstance(labels, Mapping) else labels
    if not isinstance(pairs, list) or not all(map(_is_pair, pairs)):
        return [], "no labels: those in {} are no list of [name, class], and folders beside it are none"
    return [(name, str(label)) for name, label in pairs], "labels by {}, not by folders"


def _is_pair(pair: Any) -> bool:
    if not isinstance(pair, (list, tuple)) or len(pair) != 2:
        return False
    name, label = pair
    return isinstance(name, str) and isinstance(label, (str, int)) and not isinstance(label, bool)
