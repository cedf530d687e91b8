"""`tune`: searches the settings with which a recipe does best on a source of data."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganvas import recipes
from ganvas.api import Job, asked_of, play, prepare, prepare_resume
from ganvas.building import open_for, preset_of
from ganvas.data.dataset import Data
from ganvas.errors import DataError, GanvasError, RunError, TrainingError, UsageError
from ganvas.files import write_atomically
from ganvas.metrics.passport import number
from ganvas.options import read_options
from ganvas.run import mapping, read_config
from ganvas.settings import Settings
from ganvas.text import counted, plain, shown
from ganvas.thinking import Asked
from ganvas.tuning.best import best_yaml
from ganvas.tuning.judging import Judge, Pruning, judge_of
from ganvas.tuning.page import study_page
from ganvas.tuning.space import LENGTHS, dimensions
from ganvas.tuning.storage import check_url, optuna_here
from ganvas.tuning.study import FORMAT, Finalist, Study, Trial

if TYPE_CHECKING:
    import optuna

BEST, PAGE = "best.yaml", "study.html"
TRIALS, FINALISTS, SEEDS = 20, 5, 3
SPARING = {"keep": 1, "sample_every": 10**9}
"""Settings of trials where nobody says otherwise: one checkpoint to go on from is enough, and pictures of the end."""

_WAIT = 1.0


@dataclass(frozen=True)
class Tuned:
    """What `tune` found. best: the options of the best settings, for `ganvas.train`. finalists: the best trials, by
    their mean over seeds. trials: all of them. over: whether nothing is left to do."""

    folder: Path
    best: Mapping[str, Any]
    finalists: Sequence[Finalist]
    trials: Sequence[Trial]
    over: bool

    @property
    def config(self) -> Path:
        """What `ganvas train --config` takes."""
        return self.folder / BEST

    def __str__(self) -> str:
        scored = sum(each.loss is not None for each in self.trials)
        lines = [f"{counted(len(self.trials), 'trial')} in {shown(str(self.folder))}, {scored} with a score"]
        lines += [told_of(each) for each in self.finalists]
        return "\n".join(lines)


def tune(
    recipe: Any,
    *,
    data: Any,
    trials: int | None = None,
    hours: float | None = None,
    out: str | Path | None = None,
    search: Sequence[str] | None = None,
    score: str | None = None,
    extractor: str | None = None,
    n: int | None = None,
    split: str | None = None,
    finalists: int = FINALISTS,
    seeds: int = SEEDS,
    storage: str | None = None,
    preset: str | None = None,
    start: str | Path | None = None,
    data_root: str | Path | None = None,
    quiet: bool = False,
    tell: Callable[[str], None] | None = None,
    **options: Any,
) -> Tuned:
    """Searches the settings with which the recipe does best, trains the best few with more seeds, and writes
    `best.yaml` for `ganvas train --config`. The same call goes on, beside others that do the same.

    recipe, data, preset, start, data_root: as `ganvas.train` takes them. trials: how many there are to be in all.
    hours: time for this call; trials are begun as long as the seeds of the best fit in behind them. out: the study's
    folder. search: names of options, `name=low..high` or `name=a/b/c`; by default learning rates, batch size, length,
    weights of penalties and the objective, where the recipe has them. score: a metric of `ganvas.evaluate`; extractor,
    n, split: as there, the split by default `validation`. finalists: how many of the best are trained with `seeds`
    seeds. storage: the URL of a database in place of the journal in the folder.
    options: as for `ganvas.train`: what the search begins with, and what is not searched. One of steps, epochs and
    minutes is the budget of a trial, by default the recipe's own length.

    Raises UsageError, DataError, RunError or TrainingError, each of one line.
    """
    asked = asked_of(recipe, data, options, preset=preset, start=start, data_root=data_root, quiet=quiet)
    _check(asked, trials, hours, finalists, seeds)
    optuna_here()
    if storage is not None:
        check_url(storage)
    say = tell or (lambda line: None)
    search = None if search is None else list(search)
    worker = _worker(asked, search, (score, extractor, n, split), Path(out) if out else None, storage, say)
    seeds_of = range(worker.study.seed + 1, worker.study.seed + seeds)
    most = None if trials is None and hours is not None else (trials or TRIALS)
    deadline = None if hours is None else time.monotonic() + 3600 * hours
    over = worker.play(most, deadline, finalists, seeds_of)
    best = worker.write(finalists, seeds_of)
    ranked = worker.study.finalists(finalists, seeds_of)
    return Tuned(worker.study.folder, best, ranked, worker.study.trials(), over)


def _check(asked: Asked, trials: int | None, hours: float | None, finalists: int, seeds: int) -> None:
    if asked.recipe is None:
        raise UsageError("say which recipe to tune, as in: ganvas tune dcgan --data photos/ --trials 20")
    for flag, value, low, high in (
        ("--trials", trials, 1, 100_000),
        ("--hours", hours, 0.001, 10_000),
        ("--finalists", finalists, 1, 100),
        ("--seeds", seeds, 1, 100),
    ):
        if value is not None and not low <= value <= high:
            raise UsageError(f"{flag} must be {low:g} to {high:g}, not {value:g}")


def _worker(
    asked: Asked,
    search: Sequence[str] | None,
    judged_by: tuple[str | None, str | None, int | None, str | None],
    out: Path | None,
    storage: str | None,
    say: Callable[[str], None],
) -> Worker:
    chosen = asked.recipe
    assert chosen is not None  # `_check` has looked
    name = asked.name or recipes.name_of(chosen)
    opening = {"preset": asked.preset, "data_root": asked.data_root, "progress": not asked.quiet}
    data = open_for(chosen, asked.source, asked.reading, **opening)
    # What would be trained without a search, checked: whatever is wrong with it is told before anything is begun.
    fixed = {**SPARING, **preset_of(chosen, name, asked.preset), **asked.options}
    first = prepare(name, data, fixed, recipe_class=chosen, start=asked.start)
    settings = vars(first.training.settings)
    lengths = [each for each in LENGTHS if settings[each] is not None]
    if len(lengths) != 1:
        raise UsageError(f"a trial has one budget: say one of --steps, --epochs and --minutes, not {len(lengths)}")
    known = [each for each in [*read_options(chosen), *read_options(Settings)] if each.name != "seed"]
    searched = dimensions(known, search, {**first.arguments, **settings}, lengths[0])
    judge = judge_of(data, *judged_by)
    folder = out or Path("runs") / f"{Path(name.rpartition(':')[0] or name).stem}-{data.name}-tuned"
    seed = int(settings["seed"])
    fixed |= {lengths[0]: settings[lengths[0]], "seed": seed}
    note = {
        "format": FORMAT,
        "recipe": name,
        "data": data.fingerprint,
        "preset": asked.preset,
        "start": None if asked.start is None else str(asked.start),
        "options": {
            each: value if isinstance(value, (bool, int, float)) else str(value) for each, value in fixed.items()
        },
        "search": {each.name: each.to_json() for each in searched},
        "score": judge.to_json(),
    }
    study = Study(folder, note, searched, seed, storage)
    return Worker(study, asked, name, data, fixed, judge, say)


@dataclass(frozen=True)
class Worker:
    """One process that works on a study; others may beside it. fixed: options of all trials, where the search does not
    say otherwise."""

    study: Study
    asked: Asked
    name: str
    data: Data
    fixed: Mapping[str, Any]
    judge: Judge
    say: Callable[[str], None]

    def play(self, most: int | None, deadline: float | None, finalists: int, seeds: Sequence[int]) -> bool:
        """Trials until there are enough or the time is over, then the seeds of the best. False where it was
        interrupted."""
        while True:
            enough = 0 if deadline is not None and self._late(deadline, finalists, seeds) else most
            with ExitStack() as stack:
                trial = self.study.take(stack, enough)
                if trial is not None:
                    if not self._trial(trial, most):
                        return False
                    continue
            if not any(each.state == "running" for each in self.study.trials()):
                break
            time.sleep(_WAIT)  # another worker's; this one would go on with it if that one were killed
        return self._seeds(finalists, seeds)

    def _late(self, deadline: float, finalists: int, seeds: Sequence[int]) -> bool:
        """Whether the seeds of the best need all the time that is left, and a trial does not fit in before."""
        spent = [each.seconds for each in self.study.trials() if each.seconds is not None]
        usual = sum(spent) / len(spent) if spent else 0.0
        return time.monotonic() + usual * (1 + (finalists + 1) * len(seeds)) > deadline

    # -- a trial ------------------------------------------------------------------------------------------------

    def _trial(self, trial: optuna.trial.Trial, most: int | None) -> bool:
        """Trains and judges one trial. False where it was interrupted."""
        params = {each.name: each.suggested(trial) for each in self.study.dimensions}
        run, of = self.study.run_of(trial.number), "" if most is None else f" of {most}"
        told = ", ".join(f"{name} {_short(value)}" for name, value in params.items())
        pruning = Pruning(trial, self.judge, self.data, self.study.best_loss)
        began = time.monotonic()
        judged, word = None, ""
        try:
            job = self._job(run, params)
            play(job, out=run, watchers=[pruning], quiet=True)
            if job.training.outcome == "interrupted":
                self.say(f"trial {trial.number + 1}{of} interrupted, and saved; the same command goes on")
                return False
            word = pruning.pruned
            if not word:
                judged = self.judge.of_run(run, self.data, self._recipe()).to_json()
        except (UsageError, TrainingError, DataError) as error:
            word = str(error)
        except RunError as error:  # broken weights; or a folder that others have used, which is no trial's fault
            if not (run / "checkpoints").is_dir():
                raise
            word = str(error)
        trial.set_user_attr("seconds", round(time.monotonic() - began, 2))
        self.study.tell(trial, judged, word)
        ended = f"stopped early, {word}" if pruning.pruned else word if judged is None else _score(judged)
        self.say(f"trial {trial.number + 1}{of}: {told}: {ended}")
        self.write(1, ())
        return True

    def _job(self, run: Path, changed: Mapping[str, Any], seed: int | None = None) -> Job:
        if (run / "config.json").is_file():
            where: dict[str, Any] = {"data": self.asked.source, "data_root": self.asked.data_root, "quiet": True}
            return prepare_resume(run, recipe=self._recipe(), **where)
        options = {**self.fixed, **changed, **({} if seed is None else {"seed": seed})}
        return prepare(self.name, self.data, options, recipe_class=self.asked.recipe, start=self.asked.start)

    def _recipe(self) -> Any:
        """The user's own recipe, which must be named wherever a run of it is read."""
        own = self.asked.name is None or recipes.is_path(self.asked.name)
        return (self.asked.name or self.asked.recipe) if own else None

    # -- the best with more seeds -------------------------------------------------------------------------------

    def _seeds(self, finalists: int, seeds: Sequence[int]) -> bool:
        """Trains the best trials with further seeds. False where it was interrupted."""
        left = [(each, seed) for seed in seeds for each in self.study.ranked(finalists)]
        while left:
            busy = []
            for trial, seed in left:
                run = self.study.run_of(trial.number, seed)
                with ExitStack() as stack:
                    if not self.study.hold(stack, run.with_suffix(".lock")):
                        busy.append((trial, seed))
                    elif self.study.told_seed(trial.number, seed) is None and not self._seed(trial, seed, run):
                        return False
            left = busy
            if left:
                time.sleep(_WAIT)
        return True

    def _seed(self, trial: Trial, seed: int, run: Path) -> bool:
        try:
            job = self._job(run, trial.settings, seed)
            play(job, out=run, quiet=True)
            if job.training.outcome == "interrupted":
                self.say("interrupted, and saved; the same command goes on")
                return False
            judged = self.judge.of_run(run, self.data, self._recipe()).to_json()
        except GanvasError as error:
            judged = {"word": str(error)}
        self.study.tell_seed(trial.number, seed, judged)
        self.say(f"trial {trial.number + 1} with seed {seed}: {_score(judged) if 'loss' in judged else judged['word']}")
        return True

    # -- what is left -------------------------------------------------------------------------------------------

    def write(self, finalists: int, seeds: Sequence[int]) -> dict[str, Any]:
        """Writes the page and, where a trial has a score, `best.yaml`; returns the options of the best."""
        with self.study.alone():
            ranked = self.study.finalists(finalists, seeds)
            page = study_page(self.study, self.name, self.data.name, ranked)
            write_atomically(self.study.folder / PAGE, page)
            if not ranked:
                return {}
            sparing = {name: value for name, value in self.fixed.items() if SPARING.get(name) != value}
            best = {**self.asked.reading, **sparing, **ranked[0].trial.settings}
            source = mapping(read_config(self.study.run_of(ranked[0].trial.number)).get("data")).get("source")
            text = best_yaml(self.name, plain(source), self.asked, best, told_of(ranked[0]))
            write_atomically(self.study.folder / BEST, text)
            return best


def told_of(finalist: Finalist) -> str:
    """A finalist in one line."""
    summary, trial = finalist.summary, finalist.trial
    around = "" if summary.spread is None else f" ± {number((summary.interval or (0, 0))[1] - summary.mean)}"
    who = "the start" if trial.number == 0 else f"trial {trial.number + 1}"
    beside = ""
    if finalist.verdict is not None and finalist.verdict.beyond is not None:
        beside = ", apart from the start beyond noise" if finalist.verdict.beyond else ", not apart from the start"
    broken = f"; {finalist.broken}" if finalist.broken else ""
    count = f"{len(finalist.seeds)} seed{'s' * (len(finalist.seeds) > 1)}"
    return f"{who}: {trial.key} {number(summary.mean)}{around} over {count}{beside}{broken}"


def _score(judged: Mapping[str, Any]) -> str:
    bounds = judged["interval"]
    within = "" if bounds is None else f" ({number(bounds[0])} to {number(bounds[1])})"
    return f"{judged['key']} {number(judged['value'])}{within}"


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else plain(value)
