"""The entry layer behind both the Python API and the command line: names become recipes, sources become data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from ganvas import recipes
from ganvas.building import DURATIONS, build, open_for, preset_of, reader_options, settle
from ganvas.choosing import Choice
from ganvas.data.batches import BUILT_IN, reading_options
from ganvas.data.builtin import known_as
from ganvas.data.dataset import Data
from ganvas.data.opening import Given, reopen, second_sources
from ganvas.data.preview import preview
from ganvas.doctor import Healer, Looks
from ganvas.errors import RunError, UsageError, near_miss
from ganvas.files import at_home, write_json
from ganvas.inputs import inputs_to_json, with_names
from ganvas.metrics.reconstruction import Reconstruction
from ganvas.metrics.scorer import Scorer
from ganvas.model import zoo
from ganvas.opened import Run, run_of
from ganvas.options import read_options
from ganvas.recipe import Recipe
from ganvas.recipes import recipe_of
from ganvas.report import Display, write_report
from ganvas.run import FORMAT, Recorder, check_out, only_trainer, read_config, timeline
from ganvas.schema import Misfit, check
from ganvas.settings import Settings
from ganvas.spaces import save_picture, space_to_config
from ganvas.text import quoted
from ganvas.thinking import Asked, think
from ganvas.tracking import TRACKERS
from ganvas.training import Checkpoints, Training, Watcher, check_alike, checkpoint, environment, hardware, plan
from ganvas.version import __version__

_SHARED = "put the run on a disk that all machines see alike"


@dataclass(frozen=True)
class Job:
    """A training that is ready to run: what `prepare` and `prepare_resume` give, and `play` plays."""

    training: Training
    recipe_name: str
    arguments: dict[str, Any]
    plan: list[str]
    run: Path | None = None
    messages: tuple[str, ...] = ()
    start: str | None = None


def train(
    recipe: str | type[Recipe] | None = None,
    *,
    data: Given | None = None,
    out: str | Path | None = None,
    data_root: str | Path | None = None,
    start: str | Path | None = None,
    preset: str | None = None,
    budget: str | None = None,
    measure: bool = True,
    watchers: Sequence[Watcher] = (),
    quiet: bool = False,
    steps: int | None = None,
    epochs: float | None = None,
    minutes: float | None = None,
    batch_size: int | None = None,
    accumulate: int | None = None,
    seed: int | None = None,
    precision: Literal["auto", "bf16", "float32"] | None = None,
    device: str | None = None,
    ema: float | None = None,
    checkpoint_every: int | None = None,
    sample_every: int | None = None,
    keep: int | None = None,
    score_every: int | None = None,
    stop_when_flat: int | None = None,
    looks: bool | None = None,
    augment: Literal["none", "diff", "ada"] | None = None,
    augment_operations: str | Sequence[str] | None = None,
    augment_target: float | None = None,
    augment_speed: int | None = None,
    augment_most: float | None = None,
    log: Literal["none", "wandb", "mlflow"] | None = None,
    heal: bool | None = None,
    **options: Any,
) -> Run:
    """Trains a GAN and returns its run: a path of its folder that knows what is in it (`Run.model`, `Run.scores`,
    `Run.report`).

    recipe: a name (`ganvas recipes` lists them), `path/to/file.py:Class`, a class, or None for the one that suits the
    data. What is not said is then chosen, too, by the data and by some steps that are measured.
    data: a built-in name, a folder, an archive, an array file, or a uint8 array (N, H, W[, C]).
    out: the run folder; by default a new one under `runs/`. data_root: where torchvision's sets lie.
    start: a run, or `zoo:NAME`, whose averaged networks this training begins with.
    budget: `quick`, `good` or `best`: about 5 minutes, an hour, a night; all else that is not said is then chosen, for
    a recipe that is named as well. measure: False chooses without measuring.
    watchers: that look on, beside those of every training. quiet: no progress.
    steps ... heal: the fields of `Settings`, which says what each means (`ganvas train --help` does, too); None is what
    suits the recipe. options: the recipe's arguments, and the fields of the reader of its data, such as
    `width=64, size=32`.

    Raises UsageError, DataError, RunError or TrainingError, each of one line.
    """
    told = {name: value for name, value in locals().items() if name in Settings.__dataclass_fields__}
    said = {"preset": preset, "start": start, "budget": budget, "measure": measure}
    asked = asked_of(recipe, data, {**told, **options}, data_root=data_root, quiet=quiet, **said)
    job = prepare_asked(asked)
    run = play(job, out=Path(out) if out is not None else None, watchers=watchers, quiet=quiet)
    return run_of(run, type(job.training.recipe))


def asked_of(recipe: str | type[Recipe] | None, data: Given | None, options: Mapping[str, Any], **said: Any) -> Asked:
    """What `train` is asked for: its options divided into those of how the data are read and the rest. said: of the
    fields of `Asked`."""
    name = recipe if isinstance(recipe, str) else None
    chosen = recipe if isinstance(recipe, type) else None if name is None else recipes.find(name)
    names = reader_options(chosen) if chosen else {option.name for option in reading_options(BUILT_IN)}
    given = {key: value for key, value in options.items() if value is not None}
    reading, rest = ({k: v for k, v in given.items() if (k in names) == theirs} for theirs in (True, False))
    return Asked(source=data, recipe=chosen, name=name, reading=reading, options=rest, **said)


def prepare_asked(asked: Asked) -> Job:
    """The training that is asked for; where no recipe is named, or a budget is, with all that is not said chosen."""
    about: dict[str, Any] = {"preset": asked.preset, "start": asked.start}
    if asked.recipe is None or asked.budget is not None:
        thought = think(asked)
        about |= {"recipe_class": thought.recipe, "choice": thought.choice}
        return prepare(thought.name, thought.data, asked.options, **about)
    about |= {"recipe_class": asked.recipe}
    opening = {"preset": asked.preset, "data_root": asked.data_root, "progress": not asked.quiet}
    return prepare(asked.name, open_for(asked.recipe, asked.source, asked.reading, **opening), asked.options, **about)


def resume(
    run: str | Path,
    *,
    data: Given | None = None,
    data_root: str | Path | None = None,
    recipe: str | type[Recipe] | None = None,
    watchers: Sequence[Watcher] = (),
    quiet: bool = False,
    steps: int | None = None,
    epochs: float | None = None,
    minutes: float | None = None,
    **others: Any,
) -> Run:
    """Goes on with a training where it stopped, and returns its run. The result is what an undisturbed training
    would have given, bit for bit on the same machine. One that is finished already is left as it is, unless a
    larger total is given.

    steps, epochs, minutes: a new total. others: where second sources such as `other` and `low` lie now, if they lie
    elsewhere. data, data_root: the same of the first. recipe: `path/to/file.py:Class`, or the class,
    where the run was trained with a recipe of one's own.

    Raises UsageError, DataError, RunError or TrainingError, each of one line.
    """
    total = {"steps": steps, "epochs": epochs, "minutes": minutes}
    changes = {**others, **{name: value for name, value in total.items() if value is not None}}
    folder = Path(run)
    _, chosen = recipe_of(folder, read_config(folder), recipe)
    sources = {option.name for option in second_sources(chosen.accepts)}
    for name in changes:
        if name not in sources and name not in DURATIONS:
            known = [*DURATIONS, *sorted(sources)]
            raise UsageError(
                f"a run keeps what it was begun with, so {quoted(name)} cannot change{near_miss(name, known)}"
            )
    general = {option.name: option for option in read_options(Settings)}
    job = prepare_resume(
        folder,
        recipe=recipe,
        changes={name: general[name].check(changes[name]) for name in changes.keys() & set(DURATIONS)},
        data=data,
        data_root=data_root,
        seconds={name: changes[name] for name in changes.keys() & sources},
        quiet=quiet,
    )
    return run_of(play(job, watchers=watchers, quiet=quiet), type(job.training.recipe))


def prepare(
    name: str | None,
    data: Data,
    options: Mapping[str, Any],
    *,
    preset: str | None = None,
    recipe_class: type[Recipe] | None = None,
    start: str | Path | None = None,
    choice: Choice | None = None,
) -> Job:
    """The training that these choices describe, and its plan; nothing is written yet.

    Choices weigh in this order: `options`, the preset, what was chosen for nobody said it, what the recipe recommends,
    the defaults.
    """
    chosen = recipe_class or recipes.find(name or recipes.DEFAULT)
    name = name or recipes.name_of(chosen)
    named = preset_of(chosen, name, preset)
    thought = {} if choice is None else choice.options
    settled = {**chosen.training_defaults, **named}
    for said in (named, thought, options):  # whoever says how long to train says all of it
        if any(said.get(duration) is not None for duration in DURATIONS):
            settled = {key: value for key, value in settled.items() if key not in DURATIONS or key in said}
        settled |= said
    arguments, settings = settle(chosen, data, settled, name)
    training = build(chosen, data, arguments, settings, start)
    lines = plan(training, data, name, arguments, choice)
    return Job(training, name, arguments, lines, start=None if start is None else str(start))


def prepare_resume(
    run: Path,
    *,
    recipe: str | type[Recipe] | None = None,
    changes: Mapping[str, Any] | None = None,
    data: Given | None = None,
    data_root: str | Path | None = None,
    seconds: Mapping[str, Any] | None = None,
    quiet: bool = False,
) -> Job:
    """The training of a run, at its newest good checkpoint, or at its start where it has none yet.

    recipe: must name the file and class again, or be the class, where the run was trained with a user's own recipe.
    changes: a new total `steps`, `epochs` or `minutes`. data, data_root, seconds: where the data lies now, if not where
    it lay when the run began; second sources by the names of their options.
    """
    config = read_config(run)
    name, chosen = recipe_of(run, config, recipe)
    try:
        about, stored = config["data"], dict(config["settings"])
    except (KeyError, TypeError, ValueError):
        raise RunError(f"{run}/config.json is not complete; it is not a run that Ganvas wrote") from None
    opened = reopen(
        about,
        accepts=chosen.accepts,
        data_root=data_root,
        progress=not quiet,
        source=data,
        seconds=seconds,
        run=run,
        otherwise="give the same data, or train into a new --out",
    )
    changed = {key: value for key, value in (changes or {}).items() if value is not None}
    if changed:
        stored = {**stored, **dict.fromkeys(DURATIONS), **changed}
    arguments, settings = settle(
        chosen, opened, {**recipes.stored_arguments(chosen, config["arguments"]), **stored}, name
    )
    start = config.get("start")
    blueprint = recipes.blueprint(run, chosen, arguments)
    usable = _usable(run, name, lambda state, place: checkpoint.check_fits(state, blueprint, place))
    training = build(chosen, opened, arguments, settings, None if usable else start)
    messages = []
    if usable:

        def fits(state: dict[str, Any], place: Path) -> None:
            checkpoint.check_fits(state, blueprint, place)
            checkpoint.check_resumable(state, training.optimizers, training.recipe, place)
            _check_memories(state, place)

        state, newest, refused = _usable(run, name, fits) or usable
        training.load_state(state)
        messages = [*(f"passed over a checkpoint: {line}" for line in refused), f"going on from {newest}"]
    else:
        messages.append(f"{run} has no checkpoint yet: starting again from its config.json")
    check_alike(training.processes, {"the step of the newest checkpoint": training.steps_done}, _SHARED)
    return Job(training, name, arguments, plan(training, opened, name, arguments), run, tuple(messages), start)


def _usable(
    run: Path, recipe: str, fits: Callable[[dict[str, Any], Path], None]
) -> tuple[dict[str, Any], Path, list[str]] | None:
    """The newest state of a run that fits, its checkpoint, and why newer ones do not; None where the run has none yet.
    Raises RunError where it has some and none can be used."""
    state, newest, refused = checkpoint.newest(run / "checkpoints", recipe, fits)
    if state is not None and newest is not None:
        return state, newest, refused
    if refused:
        raise RunError(f"no checkpoint of {run} can be used: {'; '.join(refused)}")
    return None


def _check_memories(state: Mapping[str, Any], place: Path) -> None:
    """Raises RunError where a watcher of those that `play` attaches would find a memory that is none of its own."""
    attached: list[type[Watcher]] = [Looks, Reconstruction, Display, Scorer, Recorder, Healer, Checkpoints]
    for watcher in (*attached, *TRACKERS.values()):
        try:
            check(watcher.memory, state["values"]["watchers"].get(watcher.__name__, {}))
        except Misfit as error:
            raise RunError(f"{place}/values.json is damaged: the memory of {watcher.__name__}: {error}") from None


def play(job: Job, *, out: Path | None = None, watchers: Sequence[Watcher] = (), quiet: bool = False) -> Path:
    """Trains the job into its run folder, which it returns. A run that is finished already is left as it is, unless it
    was killed behind its last step: then its last picture and its report are made."""
    training = job.training
    run = job.run or _new_run(out, job, training)
    training.processes.wait()  # until all have looked at the folder, so that none sees what the first one writes
    over = training.fraction() >= 1 and training.steps_done > 0
    if over and not training.processes.any(not _reported(run)):
        training.outcome = "finished"
        return run
    with only_trainer(run, training.processes.first):
        about = {"recipe": job.recipe_name, "ganvas": __version__}
        recorder = Recorder(run, training.settings.sample_every)
        checkpoints = Checkpoints(
            run / "checkpoints", every=training.settings.checkpoint_every, keep=training.settings.keep, about=about
        )
        config = _config(job)
        if training.processes.first:
            shown = preview(training.data)
            config["data"]["shown"] = {"rows": list(shown.rows), "columns": list(shown.columns)}
            save_picture(shown.picture, run / timeline.DATA)
        training.watchers = [
            *watchers,
            *([Looks()] if training.settings.looks else []),
            Reconstruction(),
            Display(quiet=quiet, config=config, run=run),
            *_scorers(run, recorder, training, about, quiet),
            recorder,
            *([TRACKERS[name](run, config)] if (name := training.settings.log) in TRACKERS else []),
            *([Healer(checkpoints, config)] if training.settings.heal else []),
            checkpoints,
        ]
        if training.processes.first:
            write_json(run / "config.json", config)
        training.processes.wait()
        training.restore_watchers()
        hardware.keep_freed_memory()
        try:
            training.run()
        finally:
            if training.processes.first and training.outcome != "crashed":
                write_report(run)
    return run


def _scorers(run: Path, recorder: Recorder, training: Training, about: Mapping[str, Any], quiet: bool) -> list[Watcher]:
    every, flat = training.settings.score_every, training.settings.stop_when_flat
    if not every and not flat:
        return []
    return [Scorer(run, recorder, training, every=every, stop_when_flat=flat, about=about, progress=not quiet)]


def _reported(run: Path) -> bool:
    """Whether the report, the last thing that a training writes, is not older than the newest checkpoint."""
    report, checkpoints = run / "report.html", checkpoint.found(run / "checkpoints")
    return report.exists() and bool(checkpoints) and report.stat().st_mtime_ns >= checkpoints[0].stat().st_mtime_ns


def _config(job: Job) -> dict[str, Any]:
    training, data = job.training, job.training.data
    previous = read_config(job.run) if job.run else {}
    return {
        "format": FORMAT,
        "ganvas": __version__,
        "recipe": job.recipe_name,
        "arguments": job.arguments,
        "inputs": inputs_to_json(with_names(training.recipe.inputs(), {"label": data.labels})),
        "settings": asdict(training.settings),
        "data": {
            "source": _absolute(data.source),
            "name": data.name,
            "kind": data.batch_type.kind,
            "options": data.options(),
            "fingerprint": data.fingerprint,
            "labels": list(data.labels),
            "space": space_to_config(data.space),
            "counts": data.counts,
        },
        **({} if job.start is None else {"start": _start(job.start)}),
        "plan": job.plan,
        "hardware": environment(training),
        "created": previous.get("created") or datetime.now().isoformat(timespec="seconds"),
    }


def _start(start: str) -> str:
    return start if zoo.is_zoo(start) else str(Path(start).resolve())


def _absolute(source: str) -> str:
    """A path that still leads there when the run is resumed from another folder; names stay names."""
    path = at_home(source)
    inside = any(parent.is_file() for parent in path.parents)  # of an archive
    return str(path.resolve()) if known_as(source) is None and (path.exists() or inside) else source


def _new_run(out: Path | None, job: Job, training: Training) -> Path:
    """A folder that holds nothing yet. Raises RunError where `out` holds anything."""
    if out is None:
        stem = f"{Path(job.recipe_name.rpartition(':')[0] or job.recipe_name).stem}-{training.data.name}"
        candidates = (Path("runs") / (stem if number == 1 else f"{stem}-{number}") for number in range(1, 10_000))
        out = next(path for path in candidates if not path.exists())
    check_out(out)
    return out
