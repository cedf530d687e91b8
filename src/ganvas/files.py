"""Writing so that a crash, a full disk or a second reader never meets half a file."""

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from ganvas.errors import TrainingError


def write_atomically(path: Path, content: bytes | str) -> None:
    """Writes under a temporary name in the same folder, flushes to the disk, renames. Makes parent folders.

    Raises TrainingError when the disk is full; whatever `path` held before is then still there.
    """
    data = content.encode() if isinstance(content, str) else content
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
