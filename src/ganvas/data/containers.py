"""Folders and archives of image files, read where they are: nothing is ever extracted to the disk.

A container lists the names of its images, with `/` between folders, and opens them in the order that is quick for it.
An archive with a name that points outside itself is refused whole, because it was made to do harm.
"""

from __future__ import annotations

import lzma
import os
import stat
import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any, Self

from ganvas.data.decode import MAX_BYTES, Damaged
from ganvas.errors import DataError
from ganvas.files import open_regular
from ganvas.text import counted, listed, quoted, shown

IMAGES = frozenset(
    {
        *(".apng", ".avif", ".bmp", ".dib", ".gif", ".ico", ".j2k", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".mpo"),
        *(".pbm", ".pcx", ".pgm", ".png", ".pnm", ".ppm", ".qoi", ".sgi", ".tga", ".tif", ".tiff", ".webp"),
    }
)
_ABOUT_OTHERS = frozenset(
    {tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK}
)
_MOST_ABOUT = 1 << 20  # bytes of such a header
BESIDE = "dataset.json"
"""What describes the files beside it; see `dataset_json.py`."""
_DAMAGED = (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, OSError, ValueError)
_SYSTEM = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini"})

Opener = Callable[[], IO[bytes]]


class Container:
    """Base of the three: what to pass over, and how to say so."""

    def __init__(self, path: Path, inside: str = "", endings: frozenset[str] = IMAGES, most: int = MAX_BYTES) -> None:
        self.path = path
        self.inside = inside  # only what lies in this folder of an archive
        self.endings = endings  # of the names of the files that are meant
        self.most = most  # bytes of a file outside archives
        self._other: Counter[str] = Counter()
        self.others: list[str] = []  # names of the files that were counted so
        self._links = 0
        self._twice: list[str] = []
        self._names: list[str] | None = None
        self._siblings: dict[frozenset[str], Self] = {}

    def identity(self) -> object:
        """Path, size and times of the archive."""
        status = self.path.stat()
        return [type(self).__name__, str(self.path.resolve()), self.inside, *_stamp(status)]

    def names(self) -> list[str]:
        """Of the files that are meant. Raises DataError where the container cannot be read or is hostile."""
        return [name for name in self._listed() if not _is_beside(name)]

    def beside(self) -> list[str]:
        """The names of the files that describe others. Raises DataError as `names` does."""
        return [name for name in self._listed() if _is_beside(name)]

    def _listed(self) -> list[str]:
        if self._names is None:
            self._names = self._list()
        return self._names

    def _list(self) -> list[str]:
        raise NotImplementedError

    def holds_any(self) -> bool:
        """Whether there is any file that is meant."""
        return bool(self.names())

    def passes_over(self, endings: frozenset[str]) -> bool:
        """Whether files with these endings lie among those that are meant, by the list that there is of them."""
        self._listed()
        return any(_ending(name) in endings for name in self.others)

    def files(self, wanted: set[str]) -> Iterator[tuple[str, Opener]]:
        """Each wanted file with what opens it; to be opened before the next is asked for."""
        raise NotImplementedError

    def reading(self, endings: frozenset[str], most: int = MAX_BYTES) -> Self:
        """The same container, of files with these endings; it is closed with this one. most: bytes of a file that is
        no member of an archive, for readers that never hold a whole one."""
        if endings not in self._siblings:
            self._siblings[endings] = type(self)(self.path, self.inside, endings, most)
        return self._siblings[endings]

    def close(self) -> None:
        """Lets go of the file."""
        for sibling in self._siblings.values():
            sibling.close()

    def notes(self) -> list[str]:
        notes = []
        if self._other:
            kinds = listed([ending or "no ending" for ending, _ in self._other.most_common()])
            notes.append(f"{counted(self._other.total(), 'file')} passed over, of other kinds by their names ({kinds})")
        if self._links:
            notes.append(
                f"{counted(self._links, 'entry')} passed over, links or special files".replace("entrys", "entries")
            )
        if self._twice:
            names = counted(len(self._twice), "file")
            first = listed(map(shown, dict.fromkeys(self._twice)))
            notes.append(f"{names} passed over, because a later one in the archive has the same name ({first})")
        return notes

    def _is_meant(self, name: str) -> bool:
        """Whether a file is; one of another kind is counted."""
        ending = _ending(name)
        if ending is not None and _is_beside(name):
            return True
        if ending is not None and ending not in self.endings:
            self._other[ending] += 1
            self.others.append(name)
        return ending in self.endings

    def _within(self, name: str) -> str | None:
        """The name below `inside`, or None where it lies elsewhere."""
        prefix = f"{self.inside}/" if self.inside else ""
        return name.removeprefix(prefix) if name.startswith(prefix) else None

    def _count_twice(self, name: str, members: Mapping[str, object]) -> None:
        if name in members:
            self._twice.append(name)

    def _check_inside(self, folders: set[str]) -> None:
        if self.inside and not any(f"{folder}/".startswith(f"{self.inside}/") for folder in folders):
            known = sorted({folder.split("/")[0] for folder in folders if folder})
            has = f"its folders are {listed(map(shown, known), 8)}" if known else "it has no folders"
            raise DataError(f"{shown(str(self.path))} has no folder {quoted(self.inside)}; {has}")


class Folder(Container):
    """A folder and everything below it; links to folders are followed, each folder being visited once."""

    def __init__(self, path: Path, inside: str = "", endings: frozenset[str] = IMAGES, most: int = MAX_BYTES) -> None:
        super().__init__(path, inside, endings, most)
        self._found: dict[str, tuple[int, ...]] | None = None

    def identity(self) -> object:
        return ["Folder", str(self.path.resolve()), *([name, *stamp] for name, stamp in self._scan().items())]

    def _list(self) -> list[str]:
        return list(self._scan())

    def files(self, wanted: set[str]) -> Iterator[tuple[str, Opener]]:
        for name in self._scan():
            if name in wanted:
                yield name, lambda file=self.path / name: _small_enough(file, self.most)  # type: ignore[misc]

    def _scan(self) -> dict[str, tuple[int, ...]]:
        if self._found is None:
            found = {name: _stamp(status) for name, status in self._walk(self.path, "", set()) if self._is_meant(name)}
            self._found = dict(sorted(found.items()))
        return self._found

    def _walk(self, folder: Path, prefix: str, seen: set[tuple[int, int]]) -> Iterator[tuple[str, os.stat_result]]:
        try:
            status = folder.stat()
            if (status.st_dev, status.st_ino) in seen:
                return
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as scan:
                entries = sorted(scan, key=lambda entry: entry.name)
        except OSError as error:
            raise DataError(f"the folder {shown(str(folder))} cannot be read: {error.strerror}") from error
        for entry in entries:
            if entry.name.startswith(".") or entry.name in _SYSTEM:
                continue
            try:
                if entry.is_dir():
                    yield from self._walk(folder / entry.name, f"{prefix}{entry.name}/", seen)
                elif entry.is_file():
                    yield prefix + entry.name, entry.stat()
                else:
                    self._links += 1
            except OSError:
                self._links += 1  # a link in a circle, or one that vanished meanwhile


class Single(Container):
    """One file, as a folder that holds nothing else."""

    def _list(self) -> list[str]:
        return [self.path.name] if self._is_meant(self.path.name) else []

    def files(self, wanted: set[str]) -> Iterator[tuple[str, Opener]]:
        if self.path.name in wanted:
            yield self.path.name, lambda: _small_enough(self.path, self.most)


class Zip(Container):
    """A zip archive."""

    _archive: zipfile.ZipFile | None = None

    def _list(self) -> list[str]:
        with _archive_errors(self.path):
            self._archive = zipfile.ZipFile(self.path)
            self._members: dict[str, zipfile.ZipInfo] = {}
            folders = set()
            for member in self._archive.infolist():
                _refuse_escape(self.path, member.filename)
                if member.filename.endswith("/"):  # `is_dir` fails where there is no name
                    continue
                plain = PurePosixPath(member.filename.replace("\\", "/"))  # as some Windows programs write
                folders.add(str(plain.parent))
                name = self._within(str(plain))
                if name is None:
                    continue
                if not plain.parts or stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG):
                    self._links += 1
                elif self._is_meant(name):
                    if member.flag_bits & 1:
                        raise DataError(
                            f"{shown(str(self.path))} is encrypted (such as {shown(name)}): "
                            "unpack it with its password and give the folder"
                        )
                    self._count_twice(name, self._members)
                    self._members[name] = member
            self._check_inside(folders)
        return sorted(self._members)

    def files(self, wanted: set[str]) -> Iterator[tuple[str, Opener]]:
        for name, member in sorted(self._members.items(), key=lambda pair: pair[1].header_offset):
            if name in wanted:
                yield name, lambda member=member: self._open(member)  # type: ignore[misc]

    def _open(self, member: zipfile.ZipInfo) -> IO[bytes]:
        assert self._archive is not None
        if member.file_size > MAX_BYTES:
            raise Damaged(f"larger than {MAX_BYTES >> 20} MB")
        return self._archive.open(member)  # reads no more than the size it declares

    def close(self) -> None:
        super().close()
        if self._archive is not None:
            self._archive.close()


class Tar(Container):
    """A tar archive, plain or compressed with gzip, bzip2 or xz."""

    _archive: tarfile.TarFile | None = None

    def _list(self) -> list[str]:
        with _archive_errors(self.path):
            self._archive = tarfile.open(self.path, tarinfo=_Member)  # noqa: SIM115 (close)
            self._members: dict[str, tarfile.TarInfo] = {}
            folders = set()
            for member in self._archive:
                _refuse_escape(self.path, member.name)
                if member.isdir():
                    continue
                plain = PurePosixPath(member.name)  # `./a.png` as `tar -C folder .` writes it becomes `a.png`
                folders.add(str(plain.parent))
                name = self._within(str(plain))
                if name is None:
                    continue
                if not member.isreg():
                    self._links += 1
                elif self._is_meant(name):
                    self._count_twice(name, self._members)
                    self._members[name] = member
            self._check_inside(folders)
        return sorted(self._members)

    def holds_any(self) -> bool:
        """By the first: to list all of a compressed archive is to unpack it."""
        with _archive_errors(self.path), tarfile.open(self.path, tarinfo=_Member) as archive:
            names = (self._within(str(PurePosixPath(member.name))) for member in archive if member.isreg())
            return any(name is not None and _ending(name) in self.endings for name in names)

    def files(self, wanted: set[str]) -> Iterator[tuple[str, Opener]]:
        # In the order of the archive: going back in a compressed one means unpacking it again from its beginning.
        for name, member in sorted(self._members.items(), key=lambda pair: pair[1].offset):
            if name in wanted:
                yield name, lambda member=member: self._open(member)  # type: ignore[misc]

    def _open(self, member: tarfile.TarInfo) -> IO[bytes]:
        assert self._archive is not None
        if member.size > MAX_BYTES:
            raise Damaged(f"larger than {MAX_BYTES >> 20} MB")
        file = self._archive.extractfile(member)
        assert file is not None  # it is a regular file
        return file

    def close(self) -> None:
        super().close()
        if self._archive is not None:
            self._archive.close()


def is_archive(path: Path) -> type[Zip] | type[Tar] | None:
    """Which kind of archive the file is, by its content. Raises OSError where it cannot be read."""
    with open_regular(path) as file:
        beginning = file.read(512)
    if beginning[:4] in (b"PK\x03\x04", b"PK\x05\x06") or (zipfile.is_zipfile(path) and beginning[:2] == b"PK"):
        return Zip
    try:
        with tarfile.open(path, tarinfo=_Member):
            return Tar
    except (*_DAMAGED, MemoryError):
        return None


@contextmanager
def _archive_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (*_DAMAGED, NotImplementedError) as e:
        if isinstance(e, OSError) and e.errno is not None:
            raise DataError(f"{shown(str(path))} cannot be read: {e.strerror}") from e
        raise DataError(f"{shown(str(path))} is damaged or cut short ({e}): copy or download it again") from e


def _ending(name: str) -> str | None:
    """Of a file's name, in small letters; None of what systems leave behind."""
    path = PurePosixPath(name)
    hidden = any(part.startswith(".") or part in _SYSTEM for part in path.parts)
    return None if hidden or not path.parts else path.suffix.lower()


def _is_beside(name: str) -> bool:
    return name == BESIDE or name.endswith(f"/{BESIDE}")


def _refuse_escape(path: Path, name: str) -> None:
    plain = name.replace("\\", "/")
    if plain.startswith("/") or plain[1:3] == ":/" or ".." in plain.split("/"):
        raise DataError(f"{shown(str(path))} is refused: its member {quoted(name)} points outside the archive")


def _small_enough(path: Path, most: int) -> IO[bytes]:
    file = open_regular(path)
    if os.fstat(file.fileno()).st_size > most:
        file.close()
        raise Damaged(f"larger than {most >> 20} MB")
    return file


class _Member(tarfile.TarInfo):
    """A member of a tar archive, the long names and the like before which are of a sane size: Python reads them whole,
    and a compressed archive of a few megabytes may have gigabytes of them."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        member = super().frombuf(buf, encoding, errors)
        if member.type in _ABOUT_OTHERS and member.size > _MOST_ABOUT:
            raise tarfile.HeaderError(f"a header of {member.size:,} bytes")
        return member


def _stamp(status: Any) -> tuple[int, ...]:
    # The change time too: unpacking a newer archive over an older one may keep both size and modification time.
    return (status.st_size, status.st_mtime_ns, status.st_ctime_ns)
