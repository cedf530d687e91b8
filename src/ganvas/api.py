"""The entry layer behind both the Python API and the command line: names become recipes, sources become data."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganvas import __version__, checkpoint, hardware, recipes
from ganvas.data.prepare import Data, open_data
from ganvas.display import Display
from ganvas.errors import DataError, RunError, UsageError, near_miss
from ganvas.files import write_json
from ganvas.options import checked, read_options
from ganvas.plan import environment, plan
from ganvas.recipe import Recipe, Watcher
from ganvas.record import Recorder
from ganvas.report import write_report
from ganvas.settings import Settings
from ganvas.spaces import Space, space_from_config, space_to_config
from ganvas.train import Training, seed_from

FORMAT = 1
DURATIONS = ("steps", "epochs", "minutes")
BLOCK = 64
"""Samples are drawn in blocks of this many, each from a seed of its own, so the first n never depend on n."""


@dataclass(frozen=True)
class Job:
    """A training that is ready to run: what `prepare` and `prepare_resume` give, and `play` plays."""

    training: Training
    recipe_name: str
    arguments: dict[str, Any]
    plan: list[str]
    run: Path | None = None
    messages: tuple[str, ...] = ()


def train(
    recipe: str | type[Recipe] | None = None,
    *,
    data: str | Path | np.ndarray,
    out: str | Path | None = None,
    size: tuple[int, int] | int | None = None,
    channels: int | None = None,
    data_root: str | Path | None = None,
    preset: str | None = None,
    watchers: Sequence[Watcher] = (),
    quiet: bool = False,
    **options: Any,
) -> Path:
    """Trains a GAN and returns its run folder (`ganvas.load` reads it, `report.html` in it tells how it went).

    recipe: a name (`ganvas recipes` lists them), `path/to/file.py:Class`, a class, or None for the default.
    data: a built-in name, a folder, an archive, an array file, or a uint8 array (N, H, W[, C]).
    out: the run folder; by default a new one under `runs/`. size: height and width of the images, or one number.
    options: the recipe's arguments and the fields of `Settings`, such as `width=64, minutes=10`.

    Raises UsageError, DataError, RunError or TrainingError, each of one line.
    """
    name = recipe if isinstance(recipe, str) else None
    chosen = recipe if isinstance(recipe, type) else None
    opened = open_data(data, size=_pair(size), channels=channels, data_root=data_root, progress=not quiet)
    job = prepare(name, opened, options, preset=preset, recipe_class=chosen)
    return play(job, out=Path(out) if out is not None else None, watchers=watchers, quiet=quiet)


def prepare(
    name: str | None,
    data: Data,
    options: Mapping[str, Any],
    *,
    preset: str | None = None,
    recipe_class: type[Recipe] | None = None,
) -> Job:
    """The training that these choices describe, and its plan; nothing is written yet.

    Choices weigh in this order: `options`, the preset, what the recipe recommends, the defaults.
    """
    chosen = recipe_class or recipes.find(name or recipes.DEFAULT)
    name = name or recipes.name_of(chosen)
    if preset is not None and preset not in chosen.presets:
        hint = near_miss(preset, chosen.presets) or "; this recipe has none"
        raise UsageError(f"{name} has no preset {preset!r}{hint}")
    settled = {**chosen.training_defaults, **(chosen.presets[preset] if preset else {})}
    if any(options.get(duration) is not None for duration in DURATIONS):
        settled = {key: value for key, value in settled.items() if key not in DURATIONS}
    elif preset and any(duration in chosen.presets[preset] for duration in DURATIONS):
        settled = {k: v for k, v in settled.items() if k not in DURATIONS or k in chosen.presets[preset]}
    settled |= options
    arguments, settings = _settle(chosen, data, settled, name)
    training = _build(chosen, data, arguments, settings, name)
    return Job(training, name, arguments, plan(training, data, name, arguments))


def prepare_resume(
    run: Path, *, recipe: str | None = None, changes: Mapping[str, Any] | None = None, quiet: bool = False
) -> Job:
    """The training of a run, at its newest good checkpoint, or at its start where it has none yet.

    recipe: must name the file and class again where the run was trained with a user's own recipe.
    changes: a new total `steps`, `epochs` or `minutes`.
    """
    config = read_config(run)
    name, chosen = _recipe_of(run, config, recipe)
    try:
        source, opened = config["data"]["source"], dict(config["data"]["options"])
        fingerprint, stored = config["data"]["fingerprint"], dict(config["settings"])
    except (KeyError, TypeError, ValueError):
        raise RunError(f"{run}/config.json is not complete; it is not a run that Ganvas wrote") from None
    data = open_data(source, progress=not quiet, **{**opened, "size": _pair(opened.get("size"))})
    if data.fingerprint != fingerprint:
        raise DataError(
            f"{source} is not what it was when {run} began (its contents changed); restore it, or train "
            "into a new --out"
        )
    changed = {key: value for key, value in (changes or {}).items() if value is not None}
    if changed:
        stored = {**stored, **dict.fromkeys(DURATIONS), **changed}
    arguments, settings = _settle(chosen, data, {**config["arguments"], **stored}, name)
    training = _build(chosen, data, arguments, settings, name)
    state, newest, refused = checkpoint.newest(run / "checkpoints", name)
    if state is None and refused:
        raise RunError(f"no checkpoint of {run} can be used: {'; '.join(refused)}")
    messages = [f"passed over a checkpoint: {line}" for line in refused]
    if state is not None and newest is not None:
        checkpoint.check_fits(state, training.recipe, newest)
        training.load_state(state)
        messages.append(f"going on from {newest}")
    else:
        messages.append(f"{run} has no checkpoint yet: starting again from its config.json")
    return Job(training, name, arguments, plan(training, data, name, arguments), run, tuple(messages))


def play(job: Job, *, out: Path | None = None, watchers: Sequence[Watcher] = (), quiet: bool = False) -> Path:
    """Trains the job into its run folder, which it returns. A run that is finished already is left as it is."""
    training = job.training
    run = job.run or _new_run(out, job, training)
    training.processes.wait()  # until all have looked at the folder, so that none sees what the first one writes
    if training.fraction() >= 1 and training.steps_done:
        training.outcome = "finished"
        return run
    with _only_trainer(run, training):
        if training.processes.first:
            write_json(run / "config.json", _config(job))
        training.processes.wait()
        about = {"recipe": job.recipe_name, "ganvas": __version__}
        training.watchers = [
            *watchers,
            Display(quiet=quiet, arguments=job.arguments),
            Recorder(run, training.settings.sample_every),
            checkpoint.Checkpoints(
                run / "checkpoints",
                every=training.settings.checkpoint_every,
                keep=training.settings.keep,
                about=about,
            ),
        ]
        training.restore_watchers()
        hardware.keep_freed_memory()
        try:
            training.run()
        finally:
            if training.processes.first and training.outcome != "crashed":
                write_report(run)
    return run


@dataclass(frozen=True)
class Model:
    """A trained GAN, ready to sample: `ganvas.load` makes it. `labels` are names, () where it is unconditional."""

    recipe: Recipe
    space: Space
    labels: tuple[str, ...]
    step: int

    def sample(
        self,
        n: int,
        label: str | Sequence[str] | None = None,
        seed: int | None = None,
        truncation: float | None = None,
    ) -> Tensor:
        """(n, C, H, W) float32 in [-1, 1] for images, (n, D) for points.

        label: one name, or n of them; by default all labels in turn. seed: the same seed gives the same samples, and
        the first ones whatever n is; None takes a new one. truncation: cut the latent distribution off here.
        Raises UsageError for a label that does not exist, or an n that is not positive.
        """
        return torch.cat(list(self.blocks(n, label, seed, truncation)))

    def blocks(
        self,
        n: int,
        label: str | Sequence[str] | None = None,
        seed: int | None = None,
        truncation: float | None = None,
    ) -> Iterator[Tensor]:
        """The same samples in pieces of at most 64, so that any n fits into memory."""
        if n < 1:
            raise UsageError(f"-n must be 1 or more, not {n}")
        if truncation is not None and not truncation > 0:
            raise UsageError(f"--truncation must be above 0, not {truncation}")
        seed = int.from_bytes(os.urandom(4), "little") if seed is None else seed
        wanted = self.label_numbers(n, label)
        return self._blocks(n, wanted, seed, truncation)

    def label_numbers(self, n: int, label: str | Sequence[str] | None = None) -> Tensor | None:
        """(n,) int64: the class of each sample, or None for an unconditional model. Raises UsageError."""
        if not self.labels:
            if label is not None:
                raise UsageError(f"this model is not conditional, so it has no label {label!r}")
            return None
        if label is None:
            return torch.arange(n) % len(self.labels)
        given = [label] if isinstance(label, str) else list(label)
        for each in given:
            if each not in self.labels:
                raise UsageError(f"there is no label {each!r}{near_miss(each, self.labels)}")
        if len(given) not in (1, n):
            raise UsageError(f"give one label or {n}, not {len(given)}")
        numbers = torch.tensor([self.labels.index(each) for each in given])
        return numbers.expand(n) if len(given) == 1 else numbers

    def _blocks(self, n: int, wanted: Tensor | None, seed: int, truncation: float | None) -> Iterator[Tensor]:
        self.recipe.eval()
        device = self.recipe.device
        for index, start in enumerate(range(0, n, BLOCK)):
            given: dict[str, Any] = {"truncation": truncation}
            if wanted is not None:
                part = wanted[start : start + BLOCK]
                given["label"] = torch.cat([part, part.new_zeros(BLOCK - len(part))]).to(device)
            with torch.no_grad(), torch.random.fork_rng():
                seed_from(seed, index)
                samples = self.recipe.generate(**self.recipe.draw(BLOCK, given))
            yield samples[: n - start].float().cpu()


def load(run: str | Path, *, recipe: str | type[Recipe] | None = None, device: str = "cpu") -> Model:
    """The model of a run: the averaged weights of `best/` where a score picked one, else of the newest checkpoint.

    recipe: must name `path/to/file.py:Class` again, or be the class, for a run that was trained with a user's own
    recipe, since loading runs that file.

    Raises RunError for a folder that is not a run, or whose checkpoints cannot be used.
    """
    run = Path(run)
    config = read_config(run)
    name, chosen = _recipe_of(run, config, recipe)
    try:
        labels = tuple(str(label) for label in config["data"]["labels"])
        space = space_from_config(config["data"]["space"])
        arguments = checked(chosen, config["arguments"])
    except (KeyError, TypeError):
        raise RunError(f"{run}/config.json is not complete; it is not a run that Ganvas wrote") from None
    model = chosen(**arguments)
    if (run / "best").is_dir():
        state, newest = checkpoint.read(run / "best", name), run / "best"
    else:
        found, path, refused = checkpoint.newest(run / "checkpoints", name)
        if found is None or path is None:
            why = "; ".join(refused) or "it has none yet: train on with --resume"
            raise RunError(f"no checkpoint of {run} can be used ({why})")
        state, newest = found, path
    checkpoint.check_fits(state, model, newest)
    weights = {**state["model"], **state["averaged"]}
    model.load_state_dict(weights, strict=False)
    return Model(
        recipe=model.to(device).eval().requires_grad_(False),
        space=space,
        labels=labels if model.classes else (),
        step=int(state["values"]["step"]),
    )


def read_config(run: Path) -> dict[str, Any]:
    """A run's `config.json`. Raises RunError for a folder that is not a run, with the nearest one beside it."""
    path = run / "config.json"
    if not path.is_file():
        others = [each.parent.name for each in run.parent.glob("*/config.json")] if run.parent.is_dir() else []
        hint = near_miss(run.name, others) if others else ""
        raise RunError(f"{run} is not a run: it has no config.json{hint}")
    try:
        config = json.loads(path.read_bytes())
        if config["format"] != FORMAT:
            raise RunError(f"{path} has format {config['format']!r}; this Ganvas reads {FORMAT}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path} cannot be read as a run's configuration ({error})") from error
    return dict(config)


def _recipe_of(run: Path, config: dict[str, Any], given: str | type[Recipe] | None) -> tuple[str, type[Recipe]]:
    """The recipe that a run names. A run folder may come from anywhere, so a file that it names is never run unless
    the user names the same file too."""
    name = config.get("recipe")
    if not isinstance(name, str):
        raise RunError(f"{run}/config.json names no recipe")
    if isinstance(given, type):
        if recipes.name_of(given) != name:
            raise RunError(f"{run} was trained with the recipe {name}, not {recipes.name_of(given)}")
        return name, given
    if given is not None and not recipes.is_path(given) and given != name:
        raise RunError(f"{run} was trained with the recipe {name}, not {given}")
    if name in recipes.names():
        return name, recipes.find(name)
    if given is None:
        raise RunError(
            f"{run} was trained with a recipe of your own, {name}; using the run executes that file, so name it "
            f"again, as in: ganvas train {name} --resume {run}, or: ganvas sample {run} --recipe {name}"
        )
    return name, recipes.find(given)


def _settle(chosen: type[Recipe], data: Data, given: Mapping[str, Any], name: str) -> tuple[dict[str, Any], Settings]:
    """Everything that was chosen, divided into the recipe's arguments (with the data's facts) and settings; checked."""
    own = {option.name: option for option in read_options(chosen)}
    general = {field.name for field in fields(Settings)}
    for key in given:
        if key not in own and key not in general:
            raise UsageError(f"neither {name} nor training has an option {key!r}{near_miss(key, [*own, *general])}")
    if chosen.accepts and data.batch_type not in chosen.accepts:
        takes = " or ".join(batch.__name__.lower() for batch in chosen.accepts)
        raise UsageError(f"{name} trains on {takes}, and {data.source} holds {data.batch_type.__name__.lower()}")
    facts = {key: value for key, value in data.facts().items() if key in own and own[key].from_data}
    arguments = checked(chosen, {**{k: v for k, v in given.items() if k in own}, **facts})
    settings = Settings(**checked(Settings, {k: v for k, v in given.items() if k in general}))
    if not any(getattr(settings, duration) for duration in DURATIONS):
        raise UsageError("say how long to train: --steps N, --epochs N or --minutes M")
    return arguments, settings


def _build(chosen: type[Recipe], data: Data, arguments: Mapping[str, Any], settings: Settings, name: str) -> Training:
    with torch.random.fork_rng():
        seed_from(settings.seed)
        recipe = chosen(**arguments)
    return Training(recipe, data, settings)


def _config(job: Job) -> dict[str, Any]:
    training, data = job.training, job.training.data
    previous = read_config(job.run) if job.run else {}
    return {
        "format": FORMAT,
        "ganvas": __version__,
        "recipe": job.recipe_name,
        "arguments": job.arguments,
        "settings": asdict(training.settings),
        "data": {
            "source": _absolute(data.source),
            "name": data.name,
            "options": data.options(),
            "fingerprint": data.fingerprint,
            "labels": list(data.labels),
            "space": space_to_config(data.space),
            "counts": data.counts,
        },
        "plan": job.plan,
        "hardware": environment(training),
        "created": previous.get("created") or datetime.now().isoformat(timespec="seconds"),
    }


def _absolute(source: str) -> str:
    """A path that still leads there when the run is resumed from another folder; names stay names."""
    return str(Path(source).resolve()) if Path(source).exists() else source


def _new_run(out: Path | None, job: Job, training: Training) -> Path:
    """A folder that holds nothing yet. Raises RunError where `out` holds anything."""
    if out is None:
        stem = f"{Path(job.recipe_name.rpartition(':')[0] or job.recipe_name).stem}-{training.data.name}"
        candidates = (Path("runs") / (stem if number == 1 else f"{stem}-{number}") for number in range(1, 10_000))
        out = next(path for path in candidates if not path.exists())
    check_out(out)
    return out


def check_out(out: Path) -> None:
    """Raises RunError unless a new run may be written to `out`."""
    if out.exists() and not out.is_dir():
        raise RunError(f"{out} is a file, not a folder for a run; choose another --out")
    if (out / "config.json").is_file():
        raise RunError(f"{out} holds a run already; go on with it by --resume {out}, or choose another --out")
    if out.is_dir() and any(path.name != ".lock" for path in out.iterdir()):
        raise RunError(f"{out} holds other files; choose another --out, so that nothing of yours is overwritten")


@contextmanager
def _only_trainer(run: Path, training: Training) -> Iterator[None]:
    """Holds the run's lock, which the system releases however this process ends. Raises RunError if it is held."""
    try:
        import fcntl
    except ImportError:  # not on Windows; there two trainers of one run are the user's to avoid
        run.mkdir(parents=True, exist_ok=True)
        yield
        return
    try:
        run.mkdir(parents=True, exist_ok=True)
        handle = os.open(run / ".lock", os.O_CREAT | os.O_RDWR, 0o644)
    except OSError as error:
        raise RunError(f"cannot write into {run}: {error.strerror}") from error
    try:
        if training.processes.first:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise RunError(f"{run} is being trained by another process") from None
        yield
    finally:
        os.close(handle)


def _pair(size: Any) -> tuple[int, int] | None:
    if size is None:
        return None
    return (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))


__all__ = ["Job", "Model", "load", "play", "prepare", "prepare_resume", "read_config", "train"]
