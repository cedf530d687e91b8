"""The threads of a training are chosen before PyTorch is loaded, by what else the machine does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ganvas import recipes, threads
from ganvas.cli.parsing import own_options
from ganvas.cli.train import _threads_of
from ganvas.threads import MARK, NUMBER, SETTINGS, Choice, Moment, choose, others, probed, settle
from test_cli import refused

CLEAN = {name: value for name, value in os.environ.items() if name not in (NUMBER, *SETTINGS, MARK)}

STAT = """cpu  10 10 10 10 10 10 10 10 10 10
cpu0 1000 200 300 5000 70 8 9 11 400 0
cpu1 2000 0 100 9000 30 0 0 0 0 0
cpu12 9 9 9 9 9 9 9 9 9 9
intr 1 2 3
"""


def test_busy_is_all_but_idle_and_waiting_for_the_disk_of_the_cores_that_may_be_used() -> None:
    assert threads._busy(STAT, {0}) == 1000 + 200 + 300 + 8 + 9 + 11  # steal counts; guests are in the first already
    assert threads._busy(STAT, {0, 1}) == 1528 + 2100
    assert threads._busy(STAT, {2}) == 0


def test_what_this_process_does_itself_is_no_other_work() -> None:
    assert others(Moment(10, 100, 5), Moment(12, 103, 5.5)) == pytest.approx(1.25)
    assert others(Moment(10, 100, 5), Moment(12, 100.4, 5.5)) == 0


class Machine:
    """In place of a measurement. rates: steps a second by the number of threads, awake and asleep."""

    def __init__(self, awake: dict[int, float], asleep: float) -> None:
        self.awake, self.asleep = awake, asleep
        self.asked: list[tuple[list[int], bool]] = []

    def probed(self, numbers: list[int], settings: dict[str, str]) -> dict[int, float]:
        self.asked.append((numbers, bool(settings)))
        return {each: self.asleep if settings else self.awake[each] for each in numbers}


ASLEEP = {"OMP_WAIT_POLICY": "passive", "KMP_BLOCKTIME": "0"}


@pytest.mark.parametrize(
    ("awake", "asleep", "settings", "words"),
    [
        (
            {4: 1.0, 3: 2.0},
            1.5,
            {NUMBER: "3"},
            "threads: 3 of 4, as other work keeps 1.0 of 4 cores busy (measured 2.0",
        ),
        ({4: 1.0, 3: 2.0}, 3.0, ASLEEP, "threads: 4 of 4, which sleep while they wait, as"),
        (
            {4: 1.0, 3: 1.1},
            1.0,
            {},
            "threads: 4 of 4, as other work keeps 1.0 of 4 cores busy (nothing else was quicker)",
        ),
    ],
)
def test_on_a_busy_machine_the_best_that_was_measured_is_taken(monkeypatch, awake, asleep, settings, words) -> None:
    machine = Machine(awake, asleep)
    monkeypatch.setattr(threads, "probed", machine.probed)
    told: list[str] = []
    made = choose(4, 4, 1.0, None, fixed=False, tell=told.append)
    assert made.settings == settings and made.said.startswith(words) and "OMP_NUM_THREADS overrules" in made.said
    assert machine.asked == [([4, 3], False), ([4], True)]
    assert len(told) == 1 and told[0].startswith("other work keeps 1.0 of 4 cores busy: measuring")


@pytest.fixture(autouse=True)
def _still_busy(monkeypatch) -> None:
    """Behind the measurement the machine is as busy as before, unless a test says otherwise."""
    monkeypatch.setattr(threads, "taken_by_others", lambda *_: 1.0)


def test_work_of_a_moment_decides_nothing(monkeypatch) -> None:
    monkeypatch.setattr(threads, "probed", Machine({2: 1.0, 1: 2.0}, 1.0).probed)
    assert choose(2, 2, 1.0, None, fixed=False).settings == {NUMBER: "1"}
    monkeypatch.setattr(threads, "taken_by_others", lambda *_: 0.1)
    made = choose(2, 2, 1.0, None, fixed=False)
    assert made.settings == {} and "other work kept 1.0 of 2 cores busy for a moment only" in made.said
    assert choose(2, 2, 1.0, 1.0, fixed=False).settings == {NUMBER: "1"}  # a limit stays


@pytest.mark.parametrize("busy", [0.1, None])
def test_on_a_quiet_one_nothing_is_measured_and_nothing_changed(monkeypatch, busy) -> None:
    monkeypatch.setattr(threads, "probed", lambda *_: pytest.fail("it was measured"))
    assert choose(2, 2, busy, None, fixed=False) == Choice({})
    assert choose(64, 64, 0.9, None, fixed=False) == Choice({})  # noise among so many
    assert choose(8, 8, 0.1, 8.0, fixed=False) == Choice({})


def test_a_container_that_allows_less_time_than_cores_is_busy_by_itself(monkeypatch) -> None:
    machine = Machine({8: 1.0, 2: 4.0}, 1.0)
    monkeypatch.setattr(threads, "probed", machine.probed)
    made = choose(8, 8, 0.0, 2.5, fixed=False)
    assert made.settings == {NUMBER: "2"} and "there is time for 2.5 of 8 cores" in made.said


def test_a_run_that_goes_on_keeps_its_number(monkeypatch) -> None:
    """Sums are rounded otherwise with another one. How threads wait changes no number."""
    machine = Machine({2: 1.0, 3: 5.0}, 2.0)
    monkeypatch.setattr(threads, "probed", machine.probed)
    assert choose(4, 2, 0.0, None, fixed=True).settings == {NUMBER: "2"}
    assert choose(4, 2, 1.0, None, fixed=True).settings == {NUMBER: "2", **ASLEEP}
    assert machine.asked == [([2], False), ([2], True)]
    monkeypatch.setattr(threads, "probed", lambda *_: {})  # which fails
    assert choose(4, 2, 1.0, None, fixed=True).settings == {NUMBER: "2"}
    assert choose(4, 4, 1.0, None, fixed=False) == Choice({})


@pytest.fixture
def two_cores(monkeypatch):
    """In a process that has not loaded PyTorch, without a GPU, beside one core of other work."""
    monkeypatch.setattr(threads, "core_count", lambda: 2)
    monkeypatch.setattr(threads, "quota", lambda: None)
    monkeypatch.setattr(threads, "taken_by_others", lambda *_: 1.0)
    monkeypatch.setattr(threads, "probed", Machine({2: 1.0, 1: 2.0}, 1.0).probed)
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setattr(Path, "exists", lambda path: False)


def test_a_choice_is_made_anew_by_a_process_that_inherits_it(two_cores, monkeypatch) -> None:
    environment: dict[str, str] = {}
    assert settle(environment).settings == {NUMBER: "1"}
    assert environment == {NUMBER: "1", MARK: NUMBER}
    monkeypatch.setattr(threads, "taken_by_others", lambda *_: 0.0)
    assert settle(environment) == Choice({}) and environment == {}


@pytest.mark.parametrize("own", [{"OMP_WAIT_POLICY": "active"}, {"GOMP_SPINCOUNT": "10000"}, {NUMBER: "2"}])
def test_a_users_own_setting_wins(two_cores, own) -> None:
    environment = dict(own)
    (name, value), *_ = own.items()
    assert settle(environment) == Choice({}, f"threads as {name}={value} has them") and environment == own


def test_behind_torch_nothing_is_chosen(two_cores, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", object())
    assert settle({}) == Choice({})


def test_what_is_measured_is_steps_by_the_number_of_threads() -> None:
    rates = probed([2, 1], {}, seconds=0.05)
    assert rates.keys() == {2, 1} and all(rate > 0 for rate in rates.values())
    assert probed([0], {}, seconds=0.05) == {}  # which PyTorch refuses


def test_the_number_of_a_run_is_read_and_a_hostile_one_is_not(tmp_path) -> None:
    def run(value) -> list[str]:
        (tmp_path / "config.json").write_text(json.dumps({"format": 1, "hardware": {"threads": value}}))
        return ["--resume", str(tmp_path), "--steps", "3"]

    assert _threads_of(run("3")) == 3 == _threads_of([f"--resume={tmp_path}"])
    for value in ("0", "-1", "many", 10**9, None, []):
        assert _threads_of(run(value)) is None
    assert _threads_of(["--resume"]) is None is _threads_of(["--resume", str(tmp_path / "none")])


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems tell no load")
def test_a_training_says_and_keeps_what_was_chosen(tmp_path) -> None:
    """In a process whose machine has two cores, one of them busy, where one thread is measured to be quicker."""
    code = f"""
import sys
from ganvas import recipes, threads
from ganvas.cli.parsing import own_options
from ganvas.cli import main
threads.core_count, threads.quota = lambda: 2, lambda: None
threads.taken_by_others = lambda *_: 1.0
threads.probed = lambda numbers, settings: {{each: 1.0 / each for each in numbers}}
assert "torch" not in sys.modules
main(["train", "vanilla", "--data", "ring", "--steps", "2", "--out", {str(tmp_path / "run")!r}])
"""
    done = subprocess.run([sys.executable, "-c", code], env=CLEAN, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "threads: 1 of 2, as other work keeps 1.0 of 2 cores busy (measured 2.0 times as quick)" in done.stdout
    assert "measuring which threads are best" in done.stderr
    assert json.loads((tmp_path / "run" / "config.json").read_text())["hardware"]["threads"] == "1"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--data", "digts"], "did you mean 'digits'"),
        (["dcgan"], "say what to train on"),
        (["dcgan", "--data", "digits", "--batch-size", "0"], "--batch-size must be"),
        (["dcgan", "--data", "digits", "--flippin", "0.1"], "did you mean '--flipping'"),
        (["r3gan", "--no-heel", "--data", "digits"], "no flag --no-heel"),
        (["--data", "digits", "--out", "{out}"], "holds other files"),
    ],
)
def test_nothing_is_measured_for_a_training_that_is_refused(
    words: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.txt").write_text("")
    monkeypatch.setattr(threads, "settle", lambda *_: pytest.fail("it was measured"))
    assert says in refused(capsys, "train", *(word.format(out=tmp_path) for word in words))


def test_all_flags_of_recipes_are_seen_without_loading_them() -> None:
    for name in recipes.names():
        unseen = [option.flag for option in own_options(recipes.find(name)) if not recipes.may_have(name, option.name)]
        assert not unseen, name
    assert not recipes.may_have("dcgan", "flippin")
