"""Running a Python file that the user has named, and only such a file."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from pathlib import Path
from types import ModuleType

from ganvas.errors import UsageError

_RUN: dict[tuple[str, int, int], ModuleType] = {}
"""The modules of files that were run, by path, time and size."""


def module_from(file: str, what: str) -> ModuleType:
    """Runs the file and returns it as a module. A file that is as it was when it was run is not run again, so that its
    classes are the same ones wherever it is named.

    Raises UsageError where there is none, or where it fails, with the line. what: what it should hold, as `a recipe`.
    """
    path = Path(file)
    if not path.is_file():
        raise UsageError(f"there is no file {file} with {what} in it")
    status = path.stat()
    key = (str(path.resolve()), status.st_mtime_ns, status.st_size)
    if key in _RUN:
        return _RUN[key]
    specification = importlib.util.spec_from_file_location(f"ganvas_user_{path.stem}", path)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module
    try:
        specification.loader.exec_module(module)
    except Exception as error:
        frames = inspect.getinnerframes(error.__traceback__) if error.__traceback__ else []
        line = next((f.lineno for f in reversed(frames) if f.filename == str(path)), getattr(error, "lineno", "?"))
        raise UsageError(f"{file}, line {line}: {type(error).__name__}: {error}") from error
    _RUN[key] = module
    return module
