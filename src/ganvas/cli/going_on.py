"""A training command that is started again goes on with the run that it began: by torchrun after a process was lost, or
by a cluster's scheduler, which starts a job again as it was."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ganvas import recipes
from ganvas.errors import UsageError
from ganvas.options import flag_of
from ganvas.run import read_config
from ganvas.text import command, quoted

if TYPE_CHECKING:
    from ganvas.api import Job
    from ganvas.thinking import Asked

RESTARTS, MOST_RESTARTS = "TORCHELASTIC_RESTART_COUNT", "TORCHELASTIC_MAX_RESTARTS"
"""What torchrun says of how often it has started the processes again, and how often it would."""


def may_go_on(out: str | None, said: bool, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether this command may have been started before. said: whether --go-on asks for it. Raises UsageError where a
    command that may be started again names no run to go on with."""
    if out is None and said:
        raise UsageError("--go-on goes on with the run of --out: name it")
    if out is None and _number(environment, MOST_RESTARTS):
        raise UsageError("torchrun --max-restarts starts this command again: name the run to go on with by --out")
    return out is not None and (said or _number(environment, RESTARTS) > 0)


def has_begun(run: Path) -> bool:
    """Whether the run is there, as the first of the processes that train together sees it."""
    from ganvas.training import Processes

    return bool(Processes.join().from_first(float((run / "config.json").is_file())))


def going_on(run: Path, asked: Asked) -> Job:
    """The training of the run at its newest checkpoint. Raises UsageError where it was begun by another command."""
    from ganvas.api import prepare_resume
    from ganvas.data.batches import BUILT_IN
    from ganvas.data.opening import second_sources

    config = read_config(run)
    accepts = () if asked.recipe is None else asked.recipe.accepts
    sources = {option.name for option in second_sources([*accepts, *BUILT_IN])}
    stored = {**config["data"].get("options", {}), **config["arguments"], **config["settings"]}
    said = {name: value for name, value in {**asked.reading, **asked.options}.items() if name not in sources}
    if asked.name is not None:
        said, stored = {"recipe": asked.name, **said}, {**stored, "recipe": config["recipe"]}
    for name, value in said.items():
        if json.loads(json.dumps(value)) != stored.get(name):
            what = "the recipe" if name == "recipe" else flag_of(name)
            raise UsageError(
                f"{run} was begun with {what} {quoted(stored.get(name))}, not {quoted(value)}: give the command that "
                f"it was begun with, another --out, or {command('--resume', run)} for a new length"
            )
    own = asked.name if asked.name is not None and recipes.is_path(asked.name) else None
    return prepare_resume(
        run,
        recipe=own,
        data=asked.source,
        data_root=asked.data_root,
        seconds={name: value for name, value in asked.reading.items() if name in sources},
        quiet=asked.quiet,
    )


def _number(environment: Mapping[str, str], name: str) -> int:
    text = environment.get(name, "")
    return int(text) if text.isdecimal() else 0
