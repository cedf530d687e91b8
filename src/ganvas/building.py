"""From names and options to a training: the recipe's arguments and the settings, checked, and the networks made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import torch

from ganvas.data.batches import BUILT_IN
from ganvas.data.dataset import Data
from ganvas.data.opening import Given, open_data
from ganvas.errors import RunError, UsageError, near_miss
from ganvas.inputs import check_names
from ganvas.model import load
from ganvas.options import checked, read_options
from ganvas.recipe import Recipe
from ganvas.settings import Settings
from ganvas.text import quoted
from ganvas.tracking import check_tracker
from ganvas.training import Processes, Training, check_code_and_data, seed_from

DURATIONS = ("steps", "epochs", "minutes")


def open_for(
    recipe: type[Recipe],
    data: Given | None,
    options: Mapping[str, Any],
    *,
    preset: str | None = None,
    data_root: str | Path | None = None,
    progress: bool = True,
) -> Data:
    """The data, read as the recipe needs it. options: of the reader; they weigh more than what a preset says of it."""
    settled = reading_of(recipe, preset) | {key: value for key, value in options.items() if value is not None}
    return open_data(data, recipe.accepts, data_root=data_root, progress=progress, **settled)


def reading_of(recipe: type[Recipe], preset: str | None) -> dict[str, Any]:
    """What a preset says of how data are read."""
    names = reader_options(recipe)
    return {key: value for key, value in recipe.presets.get(preset or "", {}).items() if key in names}


def reader_options(recipe: type[Recipe]) -> set[str]:
    """Names of what can be said of how the recipe's data are read."""
    return {name for batch in recipe.accepts or BUILT_IN for name in batch.reader.option_names()}


def preset_of(chosen: type[Recipe], name: str, preset: str | None) -> dict[str, Any]:
    """What a preset says of everything but how data are read, which has its say when they are opened. Raises UsageError
    where the recipe has none of this name."""
    if preset is not None and preset not in chosen.presets:
        hint = near_miss(preset, chosen.presets) or "; this recipe has none"
        raise UsageError(f"{name} has no preset {quoted(preset)}{hint}")
    reading = reader_options(chosen)
    return {key: value for key, value in chosen.presets.get(preset or "", {}).items() if key not in reading}


def settle(chosen: type[Recipe], data: Data, given: Mapping[str, Any], name: str) -> tuple[dict[str, Any], Settings]:
    """Everything that was chosen, divided into the recipe's arguments (with the data's facts) and settings; checked."""
    own = {option.name: option for option in read_options(chosen)}
    general = {field.name for field in fields(Settings)}
    known = [*own, *general, *data.reader.option_names()]
    for key in given:
        if key not in own and key not in general:
            raise UsageError(f"neither {name} nor training has an option {quoted(key)}{near_miss(key, known)}")
    if chosen.accepts and data.batch_type not in chosen.accepts:
        takes = " or ".join(batch.kind for batch in chosen.accepts)
        raise UsageError(f"{name} trains on {takes}, and {data.source} holds {data.batch_type.kind}")
    facts = {key: value for key, value in data.facts().items() if key in own and own[key].from_data}
    arguments = checked(chosen, {**{k: v for k, v in given.items() if k in own}, **facts})
    settings = Settings(**checked(Settings, {k: v for k, v in given.items() if k in general}))
    if not any(getattr(settings, duration) for duration in DURATIONS):
        raise UsageError("say how long to train: --steps N, --epochs N or --minutes M")
    if (settings.score_every or settings.stop_when_flat) and data.batch_type.answers:
        raise UsageError(
            f"--score-every and --stop-when-flat judge samples of noise; {name} makes them from images, and its "
            "metrics.jsonl has their PSNR"
        )
    if settings.heal and not settings.looks:
        raise UsageError("--heal acts on what looks at samples find: leave out --no-looks, or --heal")
    check_tracker(settings.log)
    return arguments, settings


def build(
    chosen: type[Recipe],
    data: Data,
    arguments: Mapping[str, Any],
    settings: Settings,
    start: str | Path | None,
) -> Training:
    """Raises UsageError where a process that trains along is not about to train the same."""
    check_code_and_data(Processes.join(), chosen, data.fingerprint, {**arguments, **asdict(settings)})
    with torch.random.fork_rng():
        seed_from(settings.seed)
        recipe = chosen(**arguments)
    check_names(recipe.inputs())
    if start is not None:
        _begin_with(recipe, start)
    return Training(recipe, data, settings)


def _begin_with(recipe: Recipe, start: str | Path) -> None:
    """Gives the recipe the averaged networks of another training. Raises RunError where they are not made alike."""
    given = load(start).recipe
    for name in recipe.averaged:
        mine = recipe.get_submodule(name).state_dict()
        theirs = dict(given.named_modules()).get(name)
        others = {} if theirs is None else theirs.state_dict()
        different = [key for key in mine if key not in others or others[key].shape != mine[key].shape]
        if different or len(others) > len(mine):
            key = f"{name}.{(different or sorted(others.keys() - mine.keys()))[0]}"
            raise RunError(
                f"--start {start} has another {name} than this recipe ({key} differs): give it the same flags"
            )
        recipe.get_submodule(name).load_state_dict(others)
