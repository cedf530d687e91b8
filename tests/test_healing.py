"""`--heal`: training goes back to where it was healthy, plays on with a remedy, and is still resumed bit for bit."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from games import Linear, Rivals, made, ring, training_of
from ganvas.api import Job, play, prepare, prepare_resume
from ganvas.doctor import healing, looks
from ganvas.doctor.diagnosis import Finding
from ganvas.doctor.healing import MOST, Healer
from ganvas.doctor.looks import Looks
from ganvas.recipe import Results
from ganvas.run.history import read_rows
from ganvas.training.checkpoint import found, read
from ganvas.training.checkpointing import Checkpoints
from ganvas.training.loop import Training
from ganvas.training.watcher import Verdict, Watcher


class Penalised(Linear):
    """Lists its penalties, by which the healer knows them."""

    penalties = ("r1", "r2")

    def __init__(self) -> None:
        super().__init__()
        self.r1, self.r2 = 0.0, 3.0


class Calm(Linear):
    """Leaves nothing to calm: no momentum, no penalty."""

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        made = super().optimizers()
        for optimizer in made.values():
            healing.set_momentum(optimizer, 0.0)
        return made


class Events(Watcher):
    def __init__(self) -> None:
        super().__init__()
        self.told: list[tuple[int, str]] = []

    def measured(self, training: Training, row: Mapping[str, Any]) -> None:
        if "event" in row:
            self.told.append((row["step"], row["event"]))


class StopAt(Watcher):
    """Stops when training has reached this step for the n-th time."""

    def __init__(self, step: int, time: int) -> None:
        super().__init__()
        self.step, self.left = step, time

    def stepped(self, training: Training, results: Mapping[str, Results]) -> Verdict:
        self.left -= training.steps_done == self.step
        return Verdict.STOP if self.left == 0 else Verdict.CONTINUE


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks, "LOOK_EVERY", 50)
    monkeypatch.setattr(healing, "HOLD_EVERY", 150)


def ailing(monkeypatch: pytest.MonkeyPatch, name: str, steps: set[int], times: int) -> None:
    """The doctor finds this at these steps until training has been healed so many times, and nothing otherwise."""

    def diagnose(rows: Any, config: Any = None) -> list[Finding]:
        healings = sum("back at step" in str(row.get("event")) for row in rows)
        if rows[-1]["step"] in steps and healings < times:
            return [Finding(name, "bad", name.capitalize(), "as seen")]
        return [Finding("healthy", "good", "Healthy", "nothing")]

    monkeypatch.setattr(healing, "diagnose", diagnose)


def healed(folder: Path, steps: int, recipe: type[Linear] = Penalised) -> tuple[Training, Events]:
    events, checkpoints = Events(), Checkpoints(folder, every=10_000, keep=1, about={})
    watchers = [Looks(), events, Healer(checkpoints, {}), checkpoints]
    training = training_of(made(recipe), ring(), watchers, steps=steps)
    training.run()
    return training, events


def test_training_goes_back_to_what_was_healthy_and_on_with_less(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ailing(monkeypatch, "collapse", {350, 400}, times=1)
    training, events = healed(tmp_path, 450)
    # At step 300 it looked healthy, and a checkpoint was held; but the collapse may have been on its way.
    told = "collapse at step 400 (as seen): back at step 150 with r1 1, r2 6, no momentum"
    assert events.told == [(150, told)]
    assert (training.outcome, training.steps_done) == ("finished", 450)
    assert (training.recipe.r1, training.recipe.r2) == (1, 6)
    # The same game by other means: to step 100 undisturbed, on without momentum to the end.
    plain = training_of(made(Penalised), ring(), steps=450)
    for step in range(450):
        if step == 150:
            plain.optimizers["discriminator"].param_groups[0]["betas"] = (0.0, 0.999)
        plain.step()
    for name, tensor in plain.recipe.state_dict().items():
        assert torch.equal(tensor, training.recipe.state_dict()[name]), name


@pytest.mark.parametrize(
    ("name", "recipe", "times", "rate"),
    [
        ("oscillation", Penalised, 1, 1.0),
        ("oscillation", Penalised, 2, 0.3),  # that has not helped
        ("oscillation", Linear, 1, 1.0),
        ("oscillation", Calm, 1, 0.3),
        ("divergence", Penalised, 1, 0.2),  # steps are too large whatever the penalties
    ],
)
def test_learning_rates_are_lowered_where_calming_is_not_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, recipe: type[Linear], times: int, rate: float
) -> None:
    ailing(monkeypatch, name, set(range(50, 600, 50)), times)
    training, events = healed(tmp_path, 300, recipe)
    assert len(events.told) == times
    assert training.base_rates["discriminator"] == [pytest.approx(0.05 * rate)]


def test_one_look_is_not_enough_and_some_troubles_cannot_be_healed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ailing(monkeypatch, "collapse", {100, 200}, times=9)
    assert not healed(tmp_path / "a", 250)[1].told
    ailing(monkeypatch, "memorisation", {100, 150, 200}, times=9)
    assert not healed(tmp_path / "b", 250)[1].told


@pytest.mark.parametrize(
    ("name", "rates", "penalties"), [("weak", (1, 0.2), (0, 3)), ("overpowering", (0.2, 1), (0, 3))]
)
def test_the_remedy_is_for_the_player_that_is_too_strong(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    rates: tuple[float, float],
    penalties: tuple[float, float],
) -> None:
    ailing(monkeypatch, name, {50, 100}, times=1)
    training, events = healed(tmp_path, 120)
    assert training.base_rates == {"discriminator": [0.05 * rates[0]], "generator": [0.005 * rates[1]]}
    assert (training.recipe.r1, training.recipe.r2) == penalties
    assert events.told[0][0] == 0 and events.told[0][1].count(" x 0.2") == 1


@pytest.mark.parametrize(
    ("found", "slowed"),
    [
        ([("overpowering", "d_b")], {"d_b"}),
        ([("overpowering", "d_a"), ("overpowering", "d_b"), ("weak", "d_c")], {"d_a", "d_b"}),
        ([("weak", "d_b")], {"g_a", "g_b"}),
        ([("divergence", "d_b"), ("overpowering", "d_a")], {"d_a", "d_b", "g_a", "g_b"}),
    ],
)
def test_of_several_discriminators_the_right_one_is_slowed_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: list[tuple[str, str]], slowed: set[str]
) -> None:
    def diagnose(rows: Any, config: Any = None) -> list[Finding]:
        if rows[-1]["step"] in (50, 100) and not any("event" in row for row in rows):
            return [Finding(name, "bad", f"An ailing {player}", "as seen", player=player) for name, player in found]
        return [Finding("healthy", "good", "Healthy", "nothing")]

    monkeypatch.setattr(healing, "diagnose", diagnose)
    events, checkpoints = Events(), Checkpoints(tmp_path, every=10_000, keep=1, about={})
    watchers = [Looks(), events, Healer(checkpoints, {}), checkpoints]
    training = training_of(made(Rivals), ring(), watchers, steps=110)
    training.run()
    ((step, told),) = events.told
    assert (
        step == 0 and {name for name in training.optimizers if f"learning rate of the {name} x 0.2" in told} == slowed
    )
    rates = {name: pytest.approx(0.01 * (0.2 if name in slowed else 1)) for name in ("d_a", "d_b", "g_a", "g_b")}
    assert {name: rate for name, (rate,) in training.base_rates.items()} == rates


def test_penalties_that_a_recipe_does_not_list_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Other(Penalised):
        penalties = ("gradient_penalty",)

        def __init__(self) -> None:
            super().__init__()
            self.gradient_penalty = 10.0

    ailing(monkeypatch, "collapse", {50, 100}, times=1)
    training, events = healed(tmp_path, 110, Other)
    assert (training.recipe.r1, training.recipe.r2, training.recipe.gradient_penalty) == (0, 3, 20)
    assert "gradient_penalty 20, no momentum" in events.told[0][1]


def test_what_does_not_help_at_once_begins_anew_and_four_times_is_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def diagnose(rows: Any, config: Any = None) -> list[Finding]:
        healings = sum("back at step" in str(row.get("event")) for row in rows)
        if rows[-1]["step"] >= (350 if healings == 0 else 250):
            return [Finding("divergence", "bad", "Divergence", "as seen")]
        return [Finding("healthy", "good", "Healthy", "nothing")]

    monkeypatch.setattr(healing, "diagnose", diagnose)
    monkeypatch.setattr(healing, "PATIENCE", 1)
    training, events = healed(tmp_path, 600)
    # Waiting for 1, 2, 4 and 8 looks.
    assert [int(text.split(" ")[3]) for _, text in events.told] == [350, 300, 400, 600]
    assert [step for step, _ in events.told] == [150, 0, 0, 0]
    assert [text.endswith("this was the last healing") for _, text in events.told] == [False] * (MOST - 1) + [True]
    assert training.outcome == "finished"
    assert training.base_rates["discriminator"] == [pytest.approx(0.05 * 0.2**4)]


def job() -> Job:
    options = {"steps": 450, "batch_size": 16, "width": 4, "latent": 2, "precision": "float32", "heal": True}
    return prepare("vanilla", ring(), {**options, "checkpoint_every": 70, "keep": 1, "ema": 100})


def last_state(run: Path) -> dict[str, Any]:
    newest = found(run / "checkpoints")[0]
    assert newest.name == "step-00000450"
    return read(newest)


def test_a_healed_run_is_resumed_bit_for_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ailing(monkeypatch, "collapse", {350, 400}, times=1)
    whole = play(job(), out=tmp_path / "whole", quiet=True)
    expected = last_state(whole)
    assert len(expected["values"]["watchers"]["Healer"]["healings"]) == 1
    rows = read_rows(whole / "metrics.jsonl")
    (event,) = [row for row in rows if "back at step" in str(row.get("event"))]
    assert event["step"] == 150
    # What was undone is gone.
    assert [row["step"] for row in rows if "event" not in row] == list(range(50, 451, 50))
    assert "back at step 150" in (whole / "report.html").read_text()

    # Stopped in between, after the first look that found it ailing, and on the second way; killed before it was saved.
    for number, (step, time, lost) in enumerate(((370, 1, 1), (360, 2, 1))):
        run = play(job(), out=tmp_path / str(number), watchers=[StopAt(step, time)], quiet=True)
        for checkpoint in found(run / "checkpoints")[:lost]:  # as if killed before it was written
            shutil.rmtree(checkpoint)
        again = prepare_resume(run, quiet=True)
        assert play(again, quiet=True) == run
        mine = last_state(run)
        for part in ("model", "averaged", "optimizers"):
            assert mine[part].keys() == expected[part].keys()
            for name, tensor in mine[part].items():
                assert torch.equal(tensor, expected[part][name]), (step, time, name)
        healings = [state["values"]["watchers"]["Healer"]["healings"] for state in (mine, expected)]
        assert json.dumps(healings[0]) == json.dumps(healings[1])
