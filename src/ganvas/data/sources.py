"""What a SOURCE is: a built-in name, a folder, an archive, an array file, or an array in memory."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ganvas.data.arrays import from_file, from_memory
from ganvas.data.builtin import MADE, NAMES, known_as, open_builtin
from ganvas.data.cache import cache_folder
from ganvas.data.containers import Container, Folder, Single, is_archive
from ganvas.data.decode import Damaged, header, quiet
from ganvas.data.image_files import Files
from ganvas.data.rows import Source
from ganvas.data.shards import find_shards
from ganvas.data.table_files import BINARY, Frame, is_frame
from ganvas.errors import DataError, UsageError, near_miss
from ganvas.files import at_home
from ganvas.text import cut, quoted, shown

_KINDS = "a folder or a zip or tar archive of images, a .npy or .npz file, or a .txt or .csv file"


def find(source: str | Path | np.ndarray | None, data_root: str | Path | None = None) -> Source:
    """What is to be read. Raises DataError, with the nearest name, where there is no such thing, and UsageError for
    None and whatever else is neither a name nor an array.

    A built-in name wins over a folder of that name, which `./name` reaches. A path may go on into an archive:
    `photos.zip/train`.
    """
    if isinstance(source, np.ndarray):
        return from_memory(source)
    if is_frame(source):
        return Frame(source)
    if not isinstance(source, (str, os.PathLike)):
        what = "no data is named" if source is None else f"data cannot be given as {type(source).__name__}"
        raise UsageError(f"{what}: give {_KINDS}, an array, or one of {', '.join(NAMES)}")
    text = os.fspath(source)
    if not text:
        raise DataError(f"no data is named: give {_KINDS}, or one of {', '.join(NAMES)}")
    builtin = known_as(text) if isinstance(source, str) else None
    if builtin is not None:
        root = at_home(data_root) if data_root is not None else cache_folder() / "downloads"
        if data_root is not None and builtin not in MADE and not root.is_dir():
            raise DataError(f"the data root {shown(str(root))} is not a folder")
        return open_builtin(builtin, root)
    path = at_home(text)
    try:
        if path.is_dir():
            if (shards := find_shards(path)) is not None:
                return shards
            return Files(Folder(path), path.resolve().name or "data")
        if path.is_file():
            return _file(path)
        archive = next((parent for parent in path.parents if parent.is_file()), None)
        if archive is not None and (kind := is_archive(archive)) is not None:
            inside = path.relative_to(archive).as_posix()
            return Files(kind(archive, inside), f"{_stem(archive)}/{inside}")
        if path.exists():
            raise DataError(f"{cut(shown(text))} is neither a file nor a folder: give {_KINDS}")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise DataError(f"{cut(shown(text))} cannot be read: {why}") from error
    raise DataError(f"there is no data {quoted(text)}{_suggestion(text, path)}")


def find_files(source: str | Path, noun: str, wants: str) -> Files:
    """A source of files. Raises DataError as `find` does, and for arrays, which hold no `noun`: give what it wants."""
    found = find(source)
    if not isinstance(found, Files):
        found.close()
        raise DataError(f"{shown(str(source))} holds no {noun}: give {wants}")
    return found


def _file(path: Path) -> Source:
    if path.suffix.lower() in (".npy", ".npz"):
        with path.open("rb"):  # a file that must not be read is said to be so here
            return from_file(path)
    if path.suffix.lower() in BINARY:  # one of them is a zip archive too
        return Files(Single(path), path.stem)
    kind: type[Container] | None = is_archive(path)
    if kind is not None:
        return Files(kind(path), _stem(path))
    if path.suffix.lower() in (".txt", ".csv", ".tsv"):
        return Files(Single(path), path.stem)
    with quiet(), path.open("rb") as file:
        try:
            header(file)
        except Damaged:
            raise DataError(f"{shown(str(path))} holds no data that is known here: give {_KINDS}") from None
    raise DataError(f"{shown(str(path))} is a single image: at least 2 are needed to train on; give {_KINDS}")


def _stem(path: Path) -> str:
    return path.name.split(".tar")[0] if ".tar" in path.name else path.stem


def _suggestion(text: str, path: Path) -> str:
    bare = path.name == text
    try:
        beside = [entry.name for entry in path.parent.iterdir() if not entry.name.startswith(".")]
    except OSError:
        beside = []
    close = near_miss(path.name, [*beside, *(NAMES if bare else ())])
    if close.startswith("; did you mean"):
        return close
    return near_miss(text, NAMES) + f"; or give {_KINDS}" if bare else f": give {_KINDS}"
