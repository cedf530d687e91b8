"""One training with several seeds, one after another, and what they say together.

    OUT/seeds.json        what was asked for, so that the same command goes on and another one is refused
    OUT/seed-0/ ...       a run for each seed
    OUT/comparison.html   all of them, judged in the same way

What was chosen for the first seed, by measuring or by the data, holds for all: they differ by their seed alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganvas.api import Job, play, prepare, prepare_asked, prepare_resume
from ganvas.comparing import Comparison, compare
from ganvas.errors import GanvasError, RunError
from ganvas.files import at_home, read_json, write_json
from ganvas.recipes import is_path
from ganvas.run import read_config
from ganvas.text import plain, quoted
from ganvas.thinking import Asked

NOTE, PAGE = "seeds.json", "comparison.html"
MOST = 100


@dataclass(frozen=True)
class Seeds:
    """What `train_seeds` did. runs: a folder for each seed. comparison: None where it was interrupted before all were
    over."""

    folder: Path
    runs: list[Path]
    comparison: Comparison | None


def train_seeds(
    asked: Asked, seeds: int, out: Path | None = None, *, tell: Callable[[str], None] = lambda line: None
) -> Seeds:
    """Trains what is asked for with so many seeds, from the one that was asked for upwards, and compares them. The same
    call goes on where it was; with more seeds it adds to them.

    out: the folder; by default one below `runs/` that the recipe and the data name. tell: is called with lines for
    people. Raises RunError where the folder was begun with something else, and what `ganvas.train` raises.
    """
    first = int(asked.options.get("seed", 0))
    job = None
    if out is None:
        job = prepare_asked(asked)
        stem = Path(job.recipe_name.rpartition(":")[0] or job.recipe_name).stem
        out = Path("runs") / f"{stem}-{job.training.data.name}-seeds"
    _settle(out, _said(asked))
    runs = [out / f"seed-{seed}" for seed in range(first, first + seeds)]
    for place, run in enumerate(runs):
        tell(f"seed {first + place}, {place + 1} of {seeds}: {run}")
        going = _job(asked, runs[0], run, first + place, job if place == 0 else None)
        for line in (*going.messages, *(going.plan if place == 0 else ())):
            tell(line)
        play(going, out=run, quiet=asked.quiet)
        if going.training.outcome == "interrupted":
            return Seeds(out, runs, None)
    found = judged(runs, recipe=asked.name if _own(asked) else None, progress=not asked.quiet, tell=tell)
    found.save(out / PAGE)
    return Seeds(out, runs, found)


def judged(
    runs: list[Path], *, recipe: str | None, progress: bool, tell: Callable[[str], None] = lambda line: None
) -> Comparison:
    """The runs compared, each judged now; as they are, where they cannot be judged by themselves."""
    try:
        return compare(*runs, evaluate=True, recipe=recipe, progress=progress)
    except GanvasError as error:
        tell(f"not judged: {error}")
        return compare(*runs, recipe=recipe, progress=progress)


def _job(asked: Asked, first: Path, run: Path, seed: int, job: Job | None) -> Job:
    """The training of this seed: one that goes on, the first, or one as the first but for its seed."""
    named = asked.name if asked.name is not None and is_path(asked.name) else asked.recipe if _own(asked) else None
    where: dict[str, Any] = {"recipe": named, "data": asked.source, "data_root": asked.data_root, "quiet": asked.quiet}
    if (run / "config.json").is_file():
        return prepare_resume(run, **where)
    if run == first:
        return job or prepare_asked(asked)
    going = prepare_resume(first, **where)  # which opens the data as they were read then
    config = read_config(first)
    options = {**config["arguments"], **config["settings"], "seed": seed}
    start = config.get("start")
    return prepare(
        going.recipe_name, going.training.data, options, recipe_class=type(going.training.recipe), start=start
    )


def _own(asked: Asked) -> bool:
    """Whether the recipe is a user's own, which must be named again wherever a run of it is read."""
    return asked.recipe is not None and (asked.name is None or is_path(asked.name))


def _said(asked: Asked) -> dict[str, Any]:
    """What the folder's seeds have in common, as JSON keeps it. Arrays are known by the runs' fingerprints."""
    source = asked.source
    return {
        "recipe": asked.name or (None if asked.recipe is None else asked.recipe.__qualname__),
        "data": str(at_home(source)) if isinstance(source, (str, Path)) else None,
        "seed": int(asked.options.get("seed", 0)),
        "preset": asked.preset,
        "start": None if asked.start is None else str(asked.start),
        "budget": asked.budget,
        "options": {
            name: value if isinstance(value, (bool, int, float)) else str(value)
            for name, value in sorted({**asked.reading, **asked.options}.items())
            if name != "seed"
        },
    }


def _settle(out: Path, said: Mapping[str, Any]) -> None:
    """Writes down what the folder is for. Raises RunError where it is for something else."""
    path = out / NOTE
    if not path.is_file():
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise RunError(f"{out} holds other files; choose another --out for runs of several seeds")
        write_json(path, said)
        return
    try:
        before = read_json(path, 1 << 20, inside=out)
        if not isinstance(before, dict):
            raise ValueError("no object")
    except (OSError, ValueError) as error:
        raise RunError(f"{path} cannot be read ({getattr(error, 'strerror', None) or error})") from None
    if before != said:
        raise RunError(f"{out} was begun with {difference(before, said)}; choose another --out, or say the same")


def difference(before: Mapping[str, Any], said: Mapping[str, Any]) -> str:
    """The first thing that two such notes do not share, in words: `lr 0.001, and not 0.01`."""
    for name in dict.fromkeys([*before, *said]):
        mine, theirs = before.get(name), said.get(name)
        if isinstance(mine, dict) and isinstance(theirs, dict) and mine != theirs:
            return difference(mine, theirs)
        if mine != theirs:
            return f"{plain(name)} {_shown(mine)}, and not {_shown(theirs)}"
    return "the same"


def _shown(value: Any) -> str:
    return "unsaid" if value is None else quoted(value) if isinstance(value, str) else plain(value)
