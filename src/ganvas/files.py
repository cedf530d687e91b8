"""Reading files that may be anybody's, and writing so that a crash, a full disk or a second reader never meets half a
file.

Whoever opens a FIFO waits for a writer that may never come, and a device may do anything. So what is read here is a
regular file, of a size that was meant, and where that matters one that lies in its folder and is no link out of it.
"""

import errno
import json
import os
import stat
import tempfile
from pathlib import Path
from typing import IO, Any

from ganvas.errors import TrainingError

MOST_BYTES = 1 << 26
"""Of a file that somebody names, where nothing else is said."""

MOST_DEPTH = 40
"""Lists and objects in one another in JSON. Python's own code recurses to some hundreds."""


def open_regular(path: Path, inside: Path | None = None) -> IO[bytes]:
    """The file, open for reading. Never waits, and never opens anything but a regular file or a link to one.

    inside: a folder, out of which a link must not lead. Raises OSError, whose `strerror` says what is wrong.
    """
    if inside is not None and not path.resolve().is_relative_to(inside.resolve()):
        raise _refused(errno.ELOOP, "it is a link that leads out of its folder", path)
    if not stat.S_ISREG(path.stat().st_mode):  # before it is opened, since opening a device may do something already
        raise _refused(errno.EINVAL, _NOT_REGULAR, path)
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    file = open(os.open(path, flags), "rb")  # noqa: SIM115 (the caller's)
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):  # somebody was quicker
        file.close()
        raise _refused(errno.EINVAL, _NOT_REGULAR, path)
    return file


def read_regular(path: Path, most_bytes: int = MOST_BYTES, inside: Path | None = None) -> bytes:
    """What a regular file holds; see `open_regular`. Raises OSError, for more than `most_bytes` too."""
    with open_regular(path, inside) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most_bytes:
            raise _refused(errno.EFBIG, f"it is larger than {most_bytes:,} bytes", path)
        content = file.read(size + 1)
    if len(content) > size:
        raise _refused(errno.EFBIG, "it grows while it is read", path)
    return content


def read_json(path: Path, most_bytes: int = MOST_BYTES, inside: Path | None = None) -> Any:
    """The JSON of a regular file. Raises OSError as `read_regular` does, ValueError as `parse_json` does."""
    return parse_json(read_regular(path, most_bytes, inside))


def parse_json(content: bytes | str) -> Any:
    """The value that JSON holds, at most `MOST_DEPTH` deep. Raises ValueError for anything else."""
    try:
        value = json.loads(content)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    level, depth = [[value]], 0
    while level := [inner for outer in level for inner in _inside(outer)]:
        depth += 1
        if depth > MOST_DEPTH:
            raise ValueError(_TOO_DEEP)
    return value


_NOT_REGULAR = "it is not a regular file"
_TOO_DEEP = f"lists and objects more than {MOST_DEPTH} deep"


def _inside(value: Any) -> list[Any]:
    """The lists and objects in a list or an object."""
    values = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [each for each in values if isinstance(each, (dict, list))]


def _refused(number: int, why: str, path: Path) -> OSError:
    return OSError(number, why, str(path))


def at_home(path: str | Path) -> Path:
    """The path, with a home folder for its ~, where there is one; `Path.expanduser` fails where there is none."""
    return Path(os.path.expanduser(path))


def write_atomically(path: Path, content: bytes | str) -> None:
    """Writes under a temporary name in the same folder, flushes to the disk, renames. Makes parent folders. Text is
    written as UTF-8, and what that cannot hold (halves of letters, as in names of files) is escaped.

    Raises TrainingError when the disk is full; whatever `path` held before is then still there.
    """
    data = content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                os.chmod(temporary, 0o644)
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise TrainingError(f"cannot write {path}: {error.strerror or error}") from error


def sweep(folder: Path, pattern: str = "*") -> None:
    """Removes what `write_atomically` left in the folder when it was killed, of files whose names match the pattern.
    For whoever alone writes these."""
    for left in folder.glob(f".{pattern}.*.tmp"):
        if left.is_file() and not left.is_symlink():
            left.unlink(missing_ok=True)


def flush_folder(folder: Path) -> None:
    """Brings the names that a folder holds onto the disk, where the system has a way to. Raises OSError."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except PermissionError:  # Windows opens no folders
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_json(path: Path, content: Any) -> None:
    write_atomically(path, json.dumps(content, indent=2) + "\n")
