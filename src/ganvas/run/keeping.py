"""Whole runs put away or called otherwise: never a folder that is no run, never one that is being trained, never
anything outside the folder of runs, and never half of one."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ganvas.errors import RunError, near_miss
from ganvas.locks import PATIENCE, holding, locked
from ganvas.run.folder import LOCK, OWN, is_export, read_config
from ganvas.text import command, quoted

_GOING = ".ganvas-deleted-"
"""What the name of a folder begins with that is being deleted."""

STUDIO = ".studio"
"""The folder beside the runs that the studio keeps what it needs in."""

JOBS = {"jobs": "trained", "evaluations": "evaluated", "exports": "exported"}
"""Folders in it: what it keeps of the work that it started, by the names of the runs; and what is done to them."""


def run_folders(folder: Path) -> list[Path]:
    """The runs in a folder, the one that was written to last first. Raises RunError where it is not a folder, or is a
    run itself."""
    if not folder.is_dir():
        raise RunError(f"{folder} is not a folder of runs; ganvas train writes them below runs/")
    if (folder / "config.json").is_file():
        where = command("ganvas", "runs", folder.parent)
        raise RunError(f"{folder} is a run itself; name the folder that it is in, as in: {where}")
    found = [path.parent for path in folder.glob("*/config.json")]
    return sorted((path for path in found if not path.name.startswith(".")), key=lambda path: (-written(path), path))


def written(run: Path) -> float:
    """When something was last told of the run, in seconds since the epoch; 0 where that cannot be seen."""
    for path in (run / "metrics.jsonl", run / "config.json"):
        try:
            return path.stat().st_mtime
        except OSError:
            continue
    return 0.0


def run_in(folder: Path, name: str) -> Path:
    """The run of this name in the folder; its path does as well. Raises RunError for all else: what is not there, is no
    run, or lies elsewhere."""
    runs = run_folders(folder)
    path = folder / name if len(Path(name).parts) == 1 else Path(name)
    if os.path.abspath(path.parent) != os.path.abspath(folder):
        where = command("ganvas", "runs", path.parent)
        raise RunError(f"{path} is not in {folder}; if you mean it, name the folder that it is in: {where}")
    if path.name in ("", ".", "..") or not os.path.lexists(path):
        hint = near_miss(path.name, [each.name for each in runs])
        raise RunError(f"there is no run {quoted(path.name)} in {folder}{hint}")
    if path.is_symlink():
        raise RunError(f"{path} is a link to a folder elsewhere, which is left alone")
    read_config(path)
    if is_export(path):
        raise RunError(f"{path} is an export and not a run, and is left alone")
    return path


def foreign(run: Path) -> list[str]:
    """Names in a run that no training writes."""
    return sorted(path.name for path in run.iterdir() if path.name not in OWN)


def size_of(run: Path) -> tuple[int, int]:
    """How many files a run has, and their bytes."""
    files = [path for path in run.rglob("*") if path.is_file() and not path.is_symlink()]
    return len(files), sum(path.stat().st_size for path in files)


def remove(run: Path) -> None:
    """Deletes a run with all that is in it: its folder is moved away in one go first, so that there is a whole run or
    none, whenever this ends. run: as `run_in` gives it. Raises RunError where it is being trained or cannot be deleted.
    """
    with _left_alone(run):
        for left in run.parent.glob(f"{_GOING}*"):  # by somebody who was killed
            shutil.rmtree(left, ignore_errors=True)
        try:
            going = Path(tempfile.mkdtemp(prefix=_GOING, dir=run.parent))
            os.rename(run, going / "run")
        except OSError as error:
            raise RunError(f"cannot delete {run}: {error.strerror}") from error
        for path in _of_the_studio(run):
            path.unlink(missing_ok=True)
    try:
        shutil.rmtree(going)
    except OSError as error:
        raise RunError(f"{run} is no run any more, but {going} could not be deleted: {error.strerror}") from error


def rename(run: Path, name: str) -> Path:
    """Calls a run otherwise and returns its new path; `name` is one name, and not a path. run: as `run_in` gives it.
    Raises RunError where that name cannot be, is taken, or the run is being trained."""
    new = run.with_name(name) if name and Path(name).name == name and not name.startswith((".", "-")) else None
    if new is None or not name.isprintable():
        raise RunError(
            f"a run cannot be called {quoted(name)}: give one name, which begins with neither a dot nor a dash"
        )
    with _left_alone(run):
        if os.path.lexists(new):
            raise RunError(f"there is a {new} already, which is left as it is; choose another name")
        jobs = _of_the_studio(run)
        try:
            os.rename(run, new)
        except OSError as error:
            raise RunError(f"cannot rename {run} to {name}: {error.strerror}") from error
        for path in jobs:
            os.replace(path, path.with_name(name + path.suffix))
    return new


@contextmanager
def _left_alone(run: Path) -> Iterator[None]:
    """Inside, nobody begins to train the run. Raises RunError where somebody does already."""
    for path in _of_the_studio(run):
        if path.suffix == ".lock" and locked(path):
            raise RunError(f"{run} is being {JOBS[path.parent.name]}, and is left alone; stop that first")
    try:
        with holding(run / LOCK, PATIENCE):
            if os.name != "nt":
                yield
                return
    except TimeoutError:
        raise RunError(f"{run} is being trained, and is left alone; stop that first") from None
    yield  # Windows moves no folder with an open file in it


def _of_the_studio(run: Path) -> list[Path]:
    """What the studio keeps of the run, beside it."""
    folders = (run.parent / STUDIO / name for name in JOBS)
    paths = (folder / f"{run.name}{suffix}" for folder in folders for suffix in (".log", ".json", ".lock"))
    return [path for path in paths if path.is_file()]
