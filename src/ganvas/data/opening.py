"""`open_data`: any source becomes `Data`, prepared once into memory-mapped columns and found there ever after."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ganvas.data.batches import BUILT_IN, Batch, reading_options
from ganvas.data.builtin import known_as
from ganvas.data.cache import Entry
from ganvas.data.columns import value_space
from ganvas.data.dataset import Data
from ganvas.data.decode import quiet
from ganvas.data.readers import Reader, SourceName, is_there
from ganvas.data.rows import Source
from ganvas.data.sharding import write_shards
from ganvas.data.shards import Shards
from ganvas.data.sources import find
from ganvas.errors import DataError, RunError, UsageError, near_miss
from ganvas.files import at_home
from ganvas.options import Option, checked, flag_of
from ganvas.spaces import Space
from ganvas.text import quoted, shown

Given = str | Path | np.ndarray
"""A built-in name, a folder, an archive, an array file, or an array in memory."""


Kinds = type[Batch] | Sequence[type[Batch]] | None


def open_data(
    source: Given | None = None,
    as_: Kinds = None,
    *,
    data_root: str | Path | None = None,
    progress: bool = True,
    **options: Any,
) -> Data:
    """The data of a source, ready to train on.

    as_: the kind of data, such as `Images`, or several (a recipe's `accepts`), of which the first counts whose reader
    reads such a source; by default any that comes with Ganvas: arrays of 2 axes are points, everything else images.
    data_root: where torchvision's sets lie. progress: a bar on a terminal.
    options: fields of the kind's reader, such as `size=64` of `ImageReader`; None leaves one out.

    Raises DataError for a source that is missing, unreadable, hostile, of another kind, or holds fewer than 2 items;
    UsageError where no source is named, and for an option that there is not, or that cannot be.
    """
    return _opened(source, as_, lambda reader: options, data_root, progress)


def open_like(
    source: Given,
    space: Space,
    as_: Kinds = None,
    *,
    data_root: str | Path | None = None,
    progress: bool = True,
    **options: Any,
) -> Data:
    """The data of a source in the form of this space, as far as its kind can be brought to it and options do not say
    otherwise."""
    given = {name: value for name, value in options.items() if value is not None}
    return _opened(source, as_, lambda reader: reader.form_of(space) | given, data_root, progress)


def shard(
    source: Given | None,
    as_: Kinds = None,
    *,
    bytes_: int,
    out: Path,
    data_root: str | Path | None = None,
    progress: bool = True,
    **options: Any,
) -> Data:
    """Writes what `open_data` would read as shards of about `bytes_` bytes into the new folder `out`, without preparing
    it, and opens them. Raises as `open_data` and `write_shards` do."""
    found = find(source, data_root)
    try:
        batch, reader = _chosen(source, found, as_, lambda reader: options)
        with quiet():
            write_shards(reader, found, bytes_, out, progress)
    finally:
        found.close()
    return open_data(out, batch, progress=progress)


def reopen(
    about: Mapping[str, Any],
    *,
    accepts: Sequence[type[Batch]],
    data_root: str | Path | None = None,
    progress: bool = True,
    source: Given | None = None,
    seconds: Mapping[str, Any] | None = None,
    run: str | Path = "the run",
    otherwise: str = "give --data",
) -> Data:
    """What a run was trained on, by what `config.json` holds under `data`, read as it was then.

    accepts: what the run's recipe can be trained on, for runs that do not say the kind of their data.
    data_root, source, seconds: where the data lies now, if not where it lay then; seconds by the names of the options
    that name second sources, such as `low`.
    run: what errors call it; otherwise: what they advise where the data has changed.

    Raises RunError where it is not told what the run was trained on, DataError where that has changed since.
    """
    try:
        then, options, fingerprint = str(about["source"]), dict(about["options"]), about["fingerprint"]
        stored_root, kind = options.pop("data_root", None), about.get("kind")
    except (KeyError, TypeError, ValueError):
        raise RunError(f"{run}/config.json does not say what the run was trained on: {otherwise}") from None
    same = [batch for batch in accepts or BUILT_IN if batch.kind == kind] or accepts
    moved = {name: value for name, value in (seconds or {}).items() if value is not None}
    try:
        data = open_data(
            then if source is None else source,
            same,
            data_root=stored_root if data_root is None else data_root,
            progress=progress,
            **options | moved,
        )
    except DataError as error:
        stored = {
            "--data": then if source is None and known_as(then) is None else None,
            "--data-root": stored_root if data_root is None else None,
        }
        stored |= {each.flag: options.get(each.name) for each in second_sources(same) if each.name not in moved}
        gone = [flag for flag, path in stored.items() if path is not None and not is_there(str(path))]
        if not gone:
            raise
        raise DataError(f"{error}; if it lies elsewhere now, say where with {' and '.join(gone)}") from error
    if data.fingerprint == fingerprint:
        return data
    if source is None:
        raise DataError(
            f"{shown(then)} is not what it was when {run} was trained on it (it has changed since, or this Ganvas "
            f"reads it otherwise); {otherwise}"
        )
    raise DataError(f"{shown(data.source)} does not hold what {run} was trained on; {otherwise}")


@dataclass(frozen=True)
class Meant:
    """kind: what a source is taken for where nobody says it. told: what it looks like, "" where it could be anything
    that is read so."""

    kind: type[Batch]
    told: str = ""


def meant(source: Given | None, options: Collection[str] = (), data_root: str | Path | None = None) -> Meant:
    """The kind of a source of which only the names of some reading options are known, those that are given: of the
    kinds that have them all, the first that recognises it, else the first that reads it.

    Raises DataError as `open_data` does, UsageError where no kind that reads it has the options.
    """
    found = find(source, data_root)
    text = str(source) if isinstance(source, (str, Path)) else found.name
    try:
        reading = [batch for batch in BUILT_IN if batch.reader.takes(found)]
        fitting = [batch for batch in reading if set(options) <= set(batch.reader.option_names())]
        if not reading:
            _kind(found, text, BUILT_IN)
        if not fitting:
            lacking = next(each for each in options if each not in reading[0].reader.option_names())
            others = [batch.kind for batch in BUILT_IN if lacking in batch.reader.option_names()]
            raise UsageError(
                f"{flag_of(lacking)} is for {', '.join(others)}, and {shown(text)} is read as {reading[0].kind}"
            )
        for batch in fitting:
            if told := batch.reader.recognises(found):
                return Meant(batch, told)
        return Meant(fitting[0])
    finally:
        found.close()


def shrinking(
    source: Given | None, as_: Kinds, options: Mapping[str, Any], side: int, data_root: str | Path | None = None
) -> dict[str, Any]:
    """The options beside these with which the items of a source come with no shorter side above this one; {} where they
    have none, where the kind does not shrink, and where their size is given."""
    wanted = (as_,) if isinstance(as_, type) else tuple(as_ or BUILT_IN)
    found = find(source, data_root)
    try:
        kind = _kind(found, found.name, wanted)
        if not kind.reader.shrinks or isinstance(found, Shards):
            return {}
        reader = _reader(kind, found.name, options, wanted)
        with quiet():
            space = value_space(reader.read(found).columns)
    finally:
        found.close()
    own, smaller = (reader.form_of(each) for each in (space, space.within(side)))
    known = {option.name: option for option in reader.flags()}
    return {
        name: known[name].check(value)
        for name, value in smaller.items()
        if options.get(name) is None and value != own[name]
    }


def readable_as(source: Given, data_root: str | Path | None = None) -> list[type[Batch]]:
    """The kinds that the source can be read as with no options, as far as its form tells: no item is decoded for it."""
    found = find(source, data_root)
    try:
        return [batch for batch in BUILT_IN if batch.reader.takes(found) and _plain(batch.reader).has_form(found)]
    finally:
        found.close()


def _plain(kind: type[Reader]) -> Reader:
    """With no options."""
    return kind(**checked(kind, {}))


def second_sources(kinds: Iterable[type[Batch]]) -> list[Option]:
    """The options of these kinds that name other sources."""
    return [option for option in reading_options(kinds or BUILT_IN) if option.kind is SourceName]


def _opened(
    source: Given | None,
    as_: Kinds,
    options_of: Callable[[type[Reader]], Mapping[str, Any]],
    data_root: str | Path | None,
    progress: bool,
) -> Data:
    found = find(source, data_root)
    text = str(source) if isinstance(source, (str, Path)) else found.name
    try:
        batch, reader = _chosen(source, found, as_, options_of)
        with quiet():
            entry = _prepared(reader, found, progress)
    finally:
        found.close()
    if isinstance(source, Path) and known_as(text) is not None:
        text = f"./{text}"  # a path is never a built-in name, and must not become one when it is read again
    root = None if data_root is None else str(at_home(data_root).absolute())
    return Data(text, found.name, batch, reader, entry, root)


def _chosen(
    source: Given | None, found: Source, as_: Kinds, options_of: Callable[[type[Reader]], Mapping[str, Any]]
) -> tuple[type[Batch], Reader]:
    """The kind as which a source is read, and its reader with the options."""
    wanted = (as_,) if isinstance(as_, type) else tuple(as_ or BUILT_IN)
    text = str(source) if isinstance(source, (str, Path)) else found.name
    batch = _kind(found, text, wanted)
    if not as_:
        batch = _likelier(found, batch, options_of)
    return batch, _reader(batch, text, options_of(batch.reader), wanted)


def _prepared(reader: Reader, found: Source, progress: bool) -> Entry:
    """As `Reader.prepare`; where it fails and the source is certainly of another kind, the error says so."""
    try:
        return reader.prepare(found, progress)
    except DataError as error:
        others = (batch.reader for batch in BUILT_IN if not isinstance(reader, batch.reader))
        told = next((said for other in others if (said := other.recognises(found))), "")
        if not told:
            raise
        raise DataError(f"{error}; it looks like {told}") from error


def _kind(found: Source, text: str, wanted: Sequence[type[Batch]]) -> type[Batch]:
    """The first kind of those wanted that the source can be read as."""
    fitting = next((batch for batch in wanted if batch.reader.takes(found)), None)
    if fitting is not None:
        return fitting
    other = next((f": it holds {batch.kind}" for batch in BUILT_IN if batch.reader.takes(found)), "")
    kinds, needs = (" or ".join(words) for words in ([b.kind for b in wanted], [b.reader.wants for b in wanted]))
    raise DataError(f"{shown(text)} holds no {kinds}{other}; give {needs}")


def _likelier(
    found: Source, first: type[Batch], options_of: Callable[[type[Reader]], Mapping[str, Any]]
) -> type[Batch]:
    """The kind that a source most likely is which nobody says the kind of: another than the first that can be read,
    where that is not likely what is meant, and the other one has all options that are given."""
    if first.reader.is_likely(found):
        return first
    for other in BUILT_IN:
        named = {name for name, value in options_of(other.reader).items() if value is not None}
        if other.reader.recognises(found) and named <= {*other.reader.option_names()}:
            return other
    return first


def _reader(batch: type[Batch], text: str, options: Mapping[str, Any], wanted: Sequence[type[Batch]]) -> Reader:
    """The kind's reader with these options, checked."""
    given = {name: value for name, value in options.items() if value is not None}
    known = batch.reader.option_names()
    for name in given:
        if name in known:
            continue
        others = [other.kind for other in dict.fromkeys([*wanted, *BUILT_IN]) if name in other.reader.option_names()]
        if others:
            raise UsageError(f"{flag_of(name)} is for {', '.join(others)}, and {shown(text)} is read as {batch.kind}")
        hint = near_miss(name, known) or "; there are none"
        raise UsageError(f"{batch.kind} have no option {quoted(name)}{hint}")
    return batch.reader(**checked(batch.reader, given))
