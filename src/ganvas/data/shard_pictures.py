"""Shards of pictures that others have written: what is looked up in them once, and kept in the cache.

Of each shard the number of its samples and their labels are read (of a tar file its headers, of a table one column),
and the headers of some pictures, which decide on the size as those of a folder do (`choose_size`). No picture is
prepared. Where no shard's name or folder says which split it is, a twentieth of the shards is kept for validation and
as many for the test, where there are three or more.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from ganvas.data.cache import FORMAT, cache_folder, only_one
from ganvas.data.columns import Labels, column_to_config
from ganvas.data.decode import Damaged, decode, header
from ganvas.data.image_files import choose_size, resizing_notes
from ganvas.data.rows import SPLITS
from ganvas.data.shard_files import Lost, Shard, TableShard, open_shard
from ganvas.data.shards import ShardedEntry, ShardFile, Shards, fields_of, stored_labels
from ganvas.errors import DataError
from ganvas.files import parse_json, read_json, write_atomically
from ganvas.progress_bar import steps
from ganvas.schema import check, perhaps, record, several, table, text, truth, whole
from ganvas.spaces import ImageSpace
from ganvas.text import counted, listed, natural, shown

_LOOKED_AT = 400  # pictures whose headers are read, and of which a quarter is decoded to see whether any has a colour
_PICTURES = ("image", "img", "jpg", "jpeg", "png", "webp", "picture", "photo")
_LABELS = ("label", "labels", "cls", "class", "target")
_MOST_LABEL = 1 << 16  # bytes of a member with a label
_MOST_CLASSES = 100_000
_MOST_LOOKED = 1 << 26  # bytes of what is kept
_SCHEMA = record(
    {
        "counts": several(whole()),
        "lost": table(text()),
        "sizes": several(several(whole(1))),
        "coloured": truth,
        "names": several(text(1 << 16), _MOST_CLASSES),
        "notes": several(text(1 << 16)),
        "field": perhaps(text()),
    }
)


def open_pictures(shards: Shards, size: tuple[int, int] | None, channels: int | None, progress: bool) -> ShardedEntry:
    """Their samples with the columns `image` and, where all have one, `label`. Raises DataError."""
    key = json.dumps([FORMAT, "shards", str(shards.folder.resolve()), shards.identity()])
    folder = cache_folder() / "shards" / hashlib.sha256(key.encode()).hexdigest()[:32]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        looked = _kept(folder)
        if looked is None:
            with only_one(folder):
                looked = _kept(folder) or _look(shards, progress).write(folder)
    except OSError as error:
        raise DataError(f"{shown(str(folder))} cannot be written to: {error.strerror or error}") from error
    files = [replace(file, count=count) for file, count in zip(shards.files, looked["counts"], strict=True) if count]
    files, notes = _with_splits(files)
    order = sorted(range(len(files)), key=lambda place: SPLITS.index(files[place].split or SPLITS[0]))
    sizes = [(height, width) for height, width in looked["sizes"]]
    space = ImageSpace(channels or (3 if looked["coloured"] else 1), *(size or choose_size(sizes)))
    columns: dict[str, Any] = {"image": column_to_config(space)}
    labels, names, counts = None, tuple(looked["names"]), dict[str, dict[str, int]]()
    if names:
        columns["label"] = column_to_config(Labels(names))
        stored = stored_labels(folder / "labels.npy", sum(file.count for file in files), len(names))
        ends = np.cumsum([file.count for file in files])
        pieces = [stored[ends[place] - files[place].count : ends[place]] for place in order]
        labels = stored if order == sorted(order) else np.concatenate(pieces)
        told = np.bincount(stored, minlength=len(names))
        counts["label"] = {name: int(count) for name, count in zip(names, told, strict=True)}
    files = [files[place] for place in order]
    lost = [f"{shown(name)} ({why})" for name, why in looked["lost"].items()]
    if lost:
        notes.insert(0, f"{counted(len(lost), 'shard')} passed over: {listed(lost)}")
    identity = [columns, [[file.name, file.count, file.path.stat().st_size] for file in files]]
    manifest = {
        "columns": columns,
        "label_counts": counts,
        "notes": [*notes, *looked["notes"], *resizing_notes(Counter(sizes), (space.height, space.width))],
        "damaged": {},
        "fingerprint": hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest(),
    }
    fields = {"image": looked["field"]} if looked["field"] else {}
    return ShardedEntry.of(shards.folder, files, manifest, labels, fields)


@dataclass
class _Looked:
    contents: dict[str, Any]
    labels: np.ndarray | None

    def write(self, folder: Any) -> dict[str, Any]:
        if self.labels is not None:
            buffer = io.BytesIO()
            np.save(buffer, self.labels, allow_pickle=False)
            write_atomically(folder / "labels.npy", buffer.getvalue())
        write_atomically(folder / "looked.json", json.dumps(self.contents))
        return self.contents


def _kept(folder: Any) -> dict[str, Any] | None:
    try:
        looked: dict[str, Any] = read_json(folder / "looked.json", _MOST_LOOKED)
        check(_SCHEMA, looked)
    except (OSError, ValueError):
        return None
    return looked


def _look(shards: Shards, progress: bool) -> _Looked:
    counts, lost, sizes, coloured = [], dict[str, str](), list[tuple[int, int]](), False
    texts: list[list[str | None]] = []
    named, told = None, dict[int, str]()
    few = max(1, _LOOKED_AT // len(shards.files))
    title = f"looking through {shards.name}"
    for file in steps(shards.files, len(shards.files), title, progress, line=False):
        try:
            shard = open_shard(file.path)
            own = _field(shard)
            fields = fields_of(shard, "image", own)
            if not shard.count:
                raise Lost("empty")
            labels, names = _labels(shard)
        except Lost as error:
            counts.append(0)
            lost[file.name] = str(error)
            continue
        counts.append(shard.count)
        named = named or own
        told |= names
        texts.append(labels)
        for number, place in enumerate(np.linspace(0, shard.count - 1, min(few, shard.count)).astype(int).tolist()):
            try:
                content = next(each for each in (shard.read(place, field) for field, _ in fields) if each is not None)
                sizes.append(header(io.BytesIO(content)).size)
                if not coloured and number % 4 == 0:
                    coloured = not decode(content).gray
            except (Damaged, Lost, StopIteration, TypeError):
                continue
        shard.close()
    if not sizes:
        why = next(iter(lost.values()), "")
        raise DataError(f"no shard in {shown(str(shards.folder))} holds pictures that can be read ({why or 'damaged'})")
    every = [label for labels in texts for label in labels]
    numbers, kinds, notes = _numbered(every, told)
    contents = {
        "counts": counts,
        "lost": lost,
        "sizes": [list(size) for size in sizes],
        "coloured": coloured,
        "names": list(kinds),
        "notes": notes,
        "field": named,
    }
    return _Looked(contents, numbers)


def _numbered(
    labels: Sequence[str | None], told: Mapping[int, str]
) -> tuple[np.ndarray | None, tuple[str, ...], list[str]]:
    """Class numbers and their names, none where a sample has no label, and notes. told: names by the numbers that
    stand for them."""
    named = {text for text in labels if text is not None}
    bare = sum(text is None for text in labels)
    if bare or len(named) < 2:
        return None, (), [f"no labels: {counted(bare, 'item')} of {len(labels):,} have none"] if named and bare else []
    if len(named) > _MOST_CLASSES:
        return None, (), [f"no labels: they are {len(named):,} different ones"]
    shown_as = {text: told.get(int(text), text) if text.isdigit() and told else text for text in named}
    names = tuple(sorted(set(shown_as.values()), key=natural))
    places = {text: names.index(name) for text, name in shown_as.items()}
    return np.array([places[str(text)] for text in labels], np.int64), names, []


def _field(shard: Shard) -> str | None:
    """The column of a table in which its pictures are; None of tar files, whose fields say it by their endings."""
    if not isinstance(shard, TableShard):
        return None
    return next((name for name in _PICTURES if name in shard.fields), None) or _lone(shard)


def _lone(shard: Shard) -> str:
    """The only column of bytes. Raises Lost."""
    found = []
    for number, name in enumerate(shard.fields):
        try:
            if shard.count and isinstance(shard.read(0, number), bytes):
                found.append(name)
        except Damaged:
            continue
    if len(found) != 1:
        raise Lost(f"no column of pictures among {listed(map(shown, shard.fields), 6)}")
    return found[0]


def _labels(shard: Shard) -> tuple[list[str | None], dict[int, str]]:
    """The labels of all samples as text, and of a data set of Hugging Face what their numbers stand for."""
    column = next((number for name in _LABELS for number, each in enumerate(shard.fields) if each == name), None)
    if isinstance(shard, TableShard):
        if column is None:
            return [None] * shard.count, {}
        values = [None if value is None else str(value) for value in shard.column(column)]
        return values, _class_names(shard, shard.fields[column])
    told = column if column is not None else next((n for n, each in enumerate(shard.fields) if each == "json"), None)
    if told is None:
        return [None] * shard.count, {}
    return [_label_of(shard, place, told, column is None) for place in range(shard.count)], {}


def _label_of(shard: Shard, place: int, field: int, as_json: bool) -> str | None:
    try:
        content = shard.read(place, field)
        if content is None or len(content) > _MOST_LABEL:
            return None
        if not as_json:
            return str(content.decode("utf-8", "replace").strip())[:200] or None
        value = parse_json(content)
    except (Damaged, Lost, ValueError):
        return None
    said = next((value[name] for name in _LABELS if name in value), None) if isinstance(value, dict) else None
    return str(said)[:200] if isinstance(said, (int, str)) else None


def _class_names(shard: Any, column: str) -> dict[int, str]:
    try:
        names = parse_json(shard.metadata[b"huggingface"])["info"]["features"][column]["names"]
        return {number: str(name)[:200] for number, name in enumerate(names)}
    except (KeyError, TypeError, ValueError):
        return {}


def _with_splits(files: Sequence[ShardFile]) -> tuple[list[ShardFile], list[str]]:
    """The shards, each with its split, and notes."""
    told = {file.split for file in files if file.split}
    train = [file for file in files if file.split in (None, SPLITS[0])]
    missing = [split for split in SPLITS[1:] if split not in told]
    few = max(1, round(len(train) / 20))
    if not missing:
        return [replace(file, split=file.split or SPLITS[0]) for file in files], []
    if len(train) <= few * len(missing):
        only = [replace(file, split=file.split or SPLITS[0]) for file in files]
        return only, [f"too few shards to split: none is for {' or '.join(missing)}"]
    drawn = sorted(train, key=lambda file: hashlib.sha256(PurePosixPath(file.name).name.encode()).digest())
    place = {file.name: split for n, split in enumerate(missing) for file in drawn[n * few : (n + 1) * few]}
    splits = [replace(file, split=place.get(file.name) or file.split or SPLITS[0]) for file in files]
    return splits, [f"splits: {' and '.join(missing)} are {counted(few, 'shard')} each, cut from train"]
