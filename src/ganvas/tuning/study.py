"""A study: which trials there were, which is next, and what they say.

    STUDY/study.json       what is searched and how it is judged; the same command goes on, another one is refused
    STUDY/journal.log      every trial, as Optuna keeps it (with --storage a database has them)
    STUDY/trials/0007/     the run of a trial
    STUDY/seeds/0007-1/    the run of one of the best trials with another seed
    STUDY/best.yaml        the best settings, for `ganvas train --config`
    STUDY/study.html       the page

A trial that is being trained has a lock, which the system sets free when its process ends, however it ends. So a worker
sees which trials were left, and goes on with them from their last checkpoints.
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganvas.comparing import Summary, Value, Verdict, summed_up, verdict
from ganvas.errors import RunError
from ganvas.files import read_json, write_json
from ganvas.locks import PATIENCE, holding
from ganvas.run import number
from ganvas.text import plain, quoted
from ganvas.tuning.seeds import difference
from ganvas.tuning.space import Dimension
from ganvas.tuning.storage import opened, optuna_here, speaking

if TYPE_CHECKING:
    import optuna

NOTE = "study.json"
FORMAT = 1
_SEEDS_OF_TRIALS = 10_007


@dataclass(frozen=True)
class Trial:
    """A trial as it is told. settings: what it tried. state: `running`, `waiting`, `finished`, `stopped early` or
    `failed`. loss: what is made low, None without a score. word: why it ended without one. seconds: of its training."""

    number: int
    settings: Mapping[str, Any]
    state: str
    key: str = ""
    value: float | None = None
    interval: tuple[float, float] | None = None
    loss: float | None = None
    word: str = ""
    seconds: float | None = None
    looks: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True)
class Finalist:
    """One of the best trials with all its seeds. summary: of the score. loss: mean over seeds. broken: why a seed has
    no score, "" where all have. verdict: beside what the study began with; None of that itself."""

    trial: Trial
    seeds: tuple[int, ...]
    summary: Summary
    loss: float
    broken: str
    verdict: Verdict | None


class Study:
    """A study in its folder. note: what `study.json` says. Raises RunError where the folder, or the storage, has one of
    this name with other settings."""

    def __init__(
        self, folder: Path, note: Mapping[str, Any], dimensions: Sequence[Dimension], seed: int, url: str | None
    ) -> None:
        self.folder, self.note, self.dimensions, self.seed, self.url = folder, dict(note), list(dimensions), seed, url
        optuna_here()
        self._settle()
        with self.alone():
            self.kept = opened(folder, folder.resolve().name, url)
            with speaking(url, folder):
                self._begin()

    def alone(self) -> Any:
        """Inside, no other worker asks for a trial or writes into the study's folder."""
        return holding(self.folder / ".lock")

    def _settle(self) -> None:
        path = self.folder / NOTE
        if not path.is_file():
            if self.folder.exists() and (not self.folder.is_dir() or any(_foreign(self.folder))):
                raise RunError(f"{self.folder} holds other files; choose another --out for the study")
            write_json(path, self.note)
            return
        try:
            before = read_json(path, 1 << 20, inside=self.folder)
            if not isinstance(before, dict):
                raise ValueError("no object")
        except (OSError, ValueError) as error:
            raise RunError(f"{path} cannot be read ({getattr(error, 'strerror', None) or error})") from None
        now = json.loads(json.dumps(self.note))
        if before != now:
            raise RunError(
                f"{self.folder} is a study with other settings: {difference(before, now)}; say the same, or choose "
                "another --out"
            )

    def _begin(self) -> None:
        """The first trial is what would be trained without a search, so the best is never worse than that."""
        known = self.kept.user_attrs.get("settings")
        text = json.dumps(self.note, sort_keys=True)
        if known is None:
            self.kept.set_user_attr("settings", text)
            start: dict[str, Any] = {}
            for each in self.dimensions:
                start |= each.beginning
            self.kept.enqueue_trial(start)
        elif known != text:
            raise RunError(
                f"the storage has a study {quoted(self.kept.study_name)} with other settings; choose another --out"
            )

    # -- trials -------------------------------------------------------------------------------------------------

    def take(self, stack: ExitStack, most: int | None) -> optuna.trial.Trial | None:
        """A trial to train, held until the stack is closed: one that a worker left, or a new one. None where there are
        `most` already, or where no new one is wanted (`most` 0) and none is left."""
        with self.alone(), speaking(self.url, self.folder):
            trials = self.kept.get_trials(deepcopy=False)
            states = optuna_here().trial.TrialState
            for each in trials:
                if each.state == states.RUNNING and self.hold(stack, self.lock_of(each.number)):
                    return self._trial(each._trial_id, each.number)
            begun = sum(each.state != states.WAITING for each in trials)
            if most is not None and begun >= most:
                return None
            self._seed(begun)
            trial = self.kept.ask()
            if not self.hold(stack, self.lock_of(trial.number)):
                raise RunError(f"{self.lock_of(trial.number)} cannot be locked: a study needs a folder with locks")
            return trial

    def _trial(self, identity: int, number: int) -> optuna.trial.Trial:
        self._seed(number)
        trial: optuna.trial.Trial = optuna_here().trial.Trial(self.kept, identity)
        return trial

    def _seed(self, number: int) -> None:
        """The sampler's draws are a function of the seed and of the trial's number, and of the trials before."""
        seed = (self.seed * _SEEDS_OF_TRIALS + number) % 2**31
        self.kept.sampler = optuna_here().samplers.TPESampler(seed=seed, n_startup_trials=8)

    def hold(self, stack: ExitStack, path: Path) -> bool:
        """Whether the lock could be had, which is held until the stack is closed."""
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            return bool(stack.enter_context(holding(path, PATIENCE)))
        except TimeoutError:
            return False

    def lock_of(self, number: int) -> Path:
        return self.folder / "trials" / f"{number:04d}.lock"

    def run_of(self, number: int, seed: int | None = None) -> Path:
        """The folder of a trial's run, or of one with another seed."""
        if seed is None:
            return self.folder / "trials" / f"{number:04d}"
        return self.folder / "seeds" / f"{number:04d}-{seed}"

    def tell(self, trial: optuna.trial.Trial, judged: Mapping[str, Any] | None, word: str = "") -> None:
        """How a trial ended: by a score, or without one. The sampler takes those without for the worst."""
        states = optuna_here().trial.TrialState
        with speaking(self.url, self.folder):
            if judged is None:
                trial.set_user_attr("word", word)
                self.kept.tell(trial, state=states.PRUNED)
            else:
                trial.set_user_attr("score", dict(judged))
                self.kept.tell(trial, judged["loss"])

    def tell_seed(self, trial: int, seed: int, judged: Mapping[str, Any]) -> None:
        with speaking(self.url, self.folder):
            self.kept.set_user_attr(f"seed {trial} {seed}", dict(judged))

    def told_seed(self, trial: int, seed: int) -> dict[str, Any] | None:
        """What is known of a trial with another seed; None where it was not trained."""
        return _judged(self.kept.user_attrs.get(f"seed {trial} {seed}"))

    def trials(self) -> list[Trial]:
        with speaking(self.url, self.folder):
            return [_told(each, self.dimensions) for each in self.kept.get_trials(deepcopy=False)]

    @property
    def best_loss(self) -> float | None:
        losses = [each.loss for each in self.trials() if each.loss is not None]
        return min(losses, default=None)

    def importances(self) -> dict[str, float]:
        """The share that each option has in how good a trial is, the largest first (PED-ANOVA: Watanabe, Bansal and
        Hutter 2023); {} of few trials."""
        module = optuna_here()
        names = {each.name for each in self.dimensions} | {each.switch for each in self.dimensions}
        if len([each for each in self.trials() if each.loss is not None]) < 4:
            return {}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # that there are few trials, which the page shows
                found = module.importance.get_param_importances(self.kept)
        except (ValueError, RuntimeError, ZeroDivisionError):  # as where all trials tried the same
            return {}
        return {name: float(share) for name, share in found.items() if name in names and math.isfinite(share)}

    # -- the best -----------------------------------------------------------------------------------------------

    def ranked(self, count: int) -> list[Trial]:
        """The best trials, and what the study began with: those that are trained with more seeds."""
        finished = [each for each in self.trials() if each.loss is not None]
        best = sorted(finished, key=lambda each: (each.loss, each.number))[:count]
        return [*best, *(each for each in finished if each.number == 0 and each not in best)]

    def finalists(self, count: int, seeds: Sequence[int]) -> list[Finalist]:
        """The best trials by the mean over their seeds. seeds: beside the trial's own one. Of each those seeds count
        that are known; where only some finalists have them the others stand behind."""
        found = []
        for trial in self.ranked(count):
            assert trial.value is not None and trial.loss is not None
            told: list[dict[str, Any]] = [{"value": trial.value, "interval": trial.interval, "loss": trial.loss}]
            known = [(seed, each) for seed in seeds if (each := self.told_seed(trial.number, seed)) is not None]
            told += [each for _, each in known]
            good = [each for each in told if each.get("loss") is not None]
            summary = summed_up([Value(each["value"], each["interval"]) for each in good])
            broken = next((plain(each.get("word")) for _, each in known if each.get("loss") is None), "")
            loss = math.inf if broken else sum(each["loss"] for each in good) / len(good)
            found.append(Finalist(trial, (self.seed, *(seed for seed, _ in known)), summary, loss, broken, None))
        start = next((each for each in found if each.trial.number == 0), None)
        found = [
            each if start is None or each is start else _beside(each, verdict(start.summary, each.summary))
            for each in found
        ]
        return sorted(found, key=lambda each: (-len(each.seeds), each.loss, each.trial.number))


def _beside(finalist: Finalist, found: Verdict) -> Finalist:
    return Finalist(finalist.trial, finalist.seeds, finalist.summary, finalist.loss, finalist.broken, found)


def settings_of(params: Mapping[str, Any], dimensions: Sequence[Dimension]) -> dict[str, Any]:
    """What a trial's parameters stand for."""
    found: dict[str, Any] = {}
    for each in dimensions:
        if each.off and params.get(each.switch) is False:
            found[each.name] = 0.0
        elif each.name in params:  # a worker may have been killed before all were drawn
            found[each.name] = each.rounded(params[each.name])
    return found


def _told(trial: Any, dimensions: Sequence[Dimension]) -> Trial:
    states = optuna_here().trial.TrialState
    score = _judged(trial.user_attrs.get("score"))
    word = plain(trial.user_attrs.get("word"), "")
    names = {states.COMPLETE: "finished", states.RUNNING: "running", states.WAITING: "waiting"}
    state = names.get(trial.state, "stopped early" if trial.intermediate_values else "failed")
    seconds = number(trial.user_attrs.get("seconds"))
    looks = tuple(sorted((int(at), float(each)) for at, each in trial.intermediate_values.items()))
    about: dict[str, Any] = {"word": word, "seconds": seconds, "looks": looks}
    if score is not None and trial.state == states.COMPLETE:
        about |= {name: score[name] for name in ("key", "value", "interval", "loss")}
    return Trial(trial.number, settings_of(trial.params, dimensions), state, **about)


def _judged(told: Any) -> dict[str, Any] | None:
    """A score as a storage has it, which may be anybody's."""
    if not isinstance(told, dict):
        return None
    bounds = told.get("interval")
    ends = [number(each) for each in bounds] if isinstance(bounds, (list, tuple)) and len(bounds) == 2 else []
    value, loss = number(told.get("value")), number(told.get("loss"))
    return {
        "key": plain(told.get("key"), "score"),
        "value": value,
        "loss": None if value is None else loss,
        "interval": (ends[0], ends[1]) if len(ends) == 2 and None not in ends else None,
        "word": plain(told.get("word"), ""),
    }


def _foreign(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if not path.name.startswith((".lock", f".{NOTE}."))]
