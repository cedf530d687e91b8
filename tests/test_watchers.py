"""Watchers are asked by phases: who looks, then who records, then who saves."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from games import Linear, made, ring, training_of
from ganvas.doctor import looks
from ganvas.doctor.looks import Looks
from ganvas.recipe import Results
from ganvas.training import checkpoint
from ganvas.training.checkpointing import Checkpoints
from ganvas.training.loop import Training
from ganvas.training.watcher import PHASES, Phase, Verdict, Watcher, in_phases

Calls = list[tuple[str, str, int]]


class Spy(Watcher):
    """Writes down when it was asked for what, and notes the step in its state."""

    def __init__(self, name: str, calls: Calls) -> None:
        super().__init__()
        self.name, self.calls = name, calls

    def asked(self, what: str, training: Training) -> None:
        self.calls.append((what, self.name, training.steps_done))

    def started(self, training: Training) -> None:
        self.asked("started", training)

    def measure(self, training: Training) -> Mapping[str, float]:
        self.asked("measure", training)
        return {f"value/{self.name}": 1.0}

    def measured(self, training: Training, row: Mapping[str, Any]) -> None:
        self.asked("measured", training)
        self.state["row"] = sorted(key for key in row if key.startswith("value/"))

    def stepped(self, training: Training, results: Mapping[str, Results]) -> Verdict:
        self.asked("stepped", training)
        self.state["step"] = training.steps_done
        return Verdict.CONTINUE

    def finished(self, training: Training) -> None:
        self.asked("finished", training)


def spy(name: str, phase: Phase, calls: Calls) -> Spy:
    kind: type[Spy] = type(name, (Spy,), {"phase": phase})
    return kind(name, calls)


def test_the_order_within_a_phase_is_the_one_they_were_given_in() -> None:
    calls: Calls = []
    given: list[tuple[str, Phase]] = [
        ("S1", "save"), ("L1", "look"), ("R1", "record"), ("L2", "look"), ("S2", "save"), ("R2", "record"),
        ("L3", "look"),
    ]  # fmt: skip
    watchers = [spy(name, phase, calls) for name, phase in given]
    order = ["L1", "L2", "L3", "R1", "R2", "S1", "S2"]
    assert PHASES == ("look", "record", "save") and Watcher().phase == "look"
    assert [watcher.name for watcher in in_phases(watchers)] == order  # type: ignore[attr-defined]
    training_of(made(Linear), ring(), watchers, steps=2).run()
    for what, step in (
        ("started", 0),
        ("stepped", 1),
        ("stepped", 2),
        ("measure", 2),
        ("measured", 2),
        ("finished", 2),
    ):
        assert [name for called, name, at in calls if (called, at) == (what, step)] == order, (what, step)
    # Of one moment all are asked for one thing before any is asked for the next.
    assert [what for what, name, at in calls if at == 2] == [
        what for what in ("measure", "measured", "stepped", "finished") for _ in order
    ]


@pytest.mark.parametrize("first", [True, False])
def test_a_checkpoint_stores_what_a_look_in_the_same_step_has_noted(tmp_path: Path, first: bool) -> None:
    calls: Calls = []
    saving, look = Checkpoints(tmp_path, every=50, keep=3, about={}), spy("Look", "look", calls)
    late = spy("Late", "record", calls)
    training_of(made(Linear), ring(), [saving, late, look] if first else [look, late, saving], steps=100).run()
    for step in (50, 100):
        kept = checkpoint.read(tmp_path / f"step-{step:08d}")["values"]["watchers"]
        assert kept["Look"]["step"] == kept["Late"]["step"] == step
        assert kept["Look"]["row"] == ["value/Late", "value/Look"]  # the row has everybody's numbers


def test_a_checkpoint_stores_where_the_doctor_last_saw_the_samples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looks, "LOOK_EVERY", 50)
    watcher = Looks()
    centres = []

    class After(Watcher):
        phase = "record"

        def measured(self, training: Training, row: Mapping[str, Any]) -> None:
            centres.append(list(watcher.state["centre"]))

    saving = Checkpoints(tmp_path, every=50, keep=3, about={})
    training_of(made(Linear), ring(), [saving, After(), watcher], steps=100).run()
    kept = [checkpoint.read(tmp_path / f"step-{step:08d}")["values"]["watchers"]["Looks"] for step in (50, 100)]
    assert [each["centre"] for each in kept] == centres and centres[0] != centres[1]
