"""Which files are read, and which is written for each: of commands that make one file of another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ganvas.data.containers import IMAGES, Folder
from ganvas.errors import UsageError, near_miss
from ganvas.files import at_home
from ganvas.text import counted, listed, natural, shown


@dataclass(frozen=True)
class Job:
    """One file to make of another."""

    source: Path
    target: Path


@dataclass(frozen=True)
class Found:
    """What there is to make, the names of the files in folders that by their endings are of other kinds, and how many
    results were there already."""

    jobs: list[Job]
    passed_over: list[str]
    there: int = 0


@dataclass(frozen=True)
class Kinds:
    """noun: what is read, many of it. reads: endings of what is taken from folders. writes: endings of what can be
    written, the first where a source has none of them. what: the same in words."""

    noun: str
    reads: frozenset[str]
    writes: tuple[str, ...]
    what: str


PICTURES = (".png", ".jpg", ".jpeg", ".webp")
PHOTOS = Kinds("images", IMAGES, PICTURES, "pictures")


def jobs(
    sources: Sequence[str | Path],
    out: str | Path,
    *,
    kinds: Kinds = PHOTOS,
    overwrite: bool = False,
    skip: bool = False,
) -> Found:
    """What is to be written where: a file to `out` itself where that ends like one of them, all else into the folder
    `out`, by the source's stem and ending, sub-folders kept. skip: leaves out those whose result exists.

    Raises UsageError where there is no such source, nothing in it, two for one result, or a result exists.
    """
    out = Path(out)
    paths = [at_home(source) for source in sources]
    for path in paths:
        if not path.exists():
            beside = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
            close = near_miss(path.name, beside)
            raise UsageError(f"there is no {shown(str(path))}{close if close.startswith('; did') else ''}")
    single = len(paths) == 1 and paths[0].is_file() and out.suffix != "" and not out.is_dir()
    passed_over: list[str] = []
    if single:
        if out.suffix.lower() not in kinds.writes:
            raise UsageError(f"--out {out}: {kinds.what} are written as {', '.join(kinds.writes)}, or into a folder")
        found = [Job(paths[0], out)]
    else:
        if out.is_file() or out.suffix.lower() in kinds.writes:
            raise UsageError(f"--out {out}: several {kinds.what} need a folder to be written into")
        found = [job for path in paths for job in _of(path, out, kinds, passed_over)]
    _check(found, overwrite or skip)
    lacking = [job for job in found if not (skip and job.target.exists())]
    return Found(lacking, passed_over, len(found) - len(lacking))


def others_in_words(names: Sequence[str], kinds: Kinds = PHOTOS) -> str:
    return f"{counted(len(names), 'file')} passed over, no {kinds.what} by their names: {listed(map(shown, names))}"


def _of(path: Path, out: Path, kinds: Kinds, passed_over: list[str]) -> Iterator[Job]:
    if path.is_file():
        yield Job(path, out / _named(path.name, kinds))
        return
    container = Folder(path, endings=kinds.reads)
    inside = out.resolve()
    names = [name for name in container.names() if not (path / name).resolve().is_relative_to(inside)]
    others = [name for name in container.others if not (path / name).resolve().is_relative_to(inside)]
    if not names:
        told = f"; {others_in_words(others, kinds)}" if others else ""
        raise UsageError(f"{shown(str(path))} holds no {kinds.noun}{told}")
    passed_over += others
    for name in sorted(names, key=natural):
        yield Job(path / name, out / _named(name, kinds))


def _named(name: str, kinds: Kinds) -> str:
    path = Path(name)
    return str(path if path.suffix.lower() in kinds.writes else path.with_suffix(kinds.writes[0]))


def _check(found: Sequence[Job], overwrite: bool) -> None:
    seen: dict[Path, Path] = {}
    for job in found:
        if job.target in seen:
            raise UsageError(f"{seen[job.target]} and {job.source} would both become {job.target}")
        seen[job.target] = job.source
        if job.target.exists():
            if job.target.resolve() == job.source.resolve():
                raise UsageError(f"{job.target} would replace its own original; choose another --out")
            if not overwrite:
                raise UsageError(f"{job.target} exists; add --overwrite to replace it, or choose another --out")
