"""How threads wait is chosen before PyTorch is loaded, by the machine's load, and a user's setting wins."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from ganvas.waiting import MARK, SETTINGS, Moment, choice, others, settle

from ganvas import waiting

CLEAN = {name: value for name, value in os.environ.items() if name not in (*SETTINGS, MARK, "OMP_NUM_THREADS")}

STAT = """cpu  10 10 10 10 10 10 10 10 10 10
cpu0 1000 200 300 5000 70 8 9 11 400 0
cpu1 2000 0 100 9000 30 0 0 0 0 0
cpu12 9 9 9 9 9 9 9 9 9 9
intr 1 2 3
"""


def test_busy_is_all_but_idle_and_waiting_for_the_disk_of_the_cores_that_may_be_used() -> None:
    assert waiting._busy(STAT, {0}) == 1000 + 200 + 300 + 8 + 9 + 11  # steal counts; guests are in the first already
    assert waiting._busy(STAT, {0, 1}) == 1528 + 2100
    assert waiting._busy(STAT, {2}) == 0


def test_what_this_process_does_itself_is_no_other_work() -> None:
    assert others(Moment(10, 100, 5), Moment(12, 103, 5.5)) == pytest.approx(1.25)
    assert others(Moment(10, 100, 5), Moment(12, 100.4, 5.5)) == 0


@pytest.mark.parametrize(
    ("environment", "busy", "cores", "limit", "asleep", "words"),
    [
        ({}, 0.1, 2, None, False, "spin"),
        ({}, 0.9, 2, None, True, "other work keeps 0.9 of 2 cores busy"),
        ({}, 0.9, 64, None, False, "spin"),  # noise among so many
        ({}, 3.0, 64, None, True, "other work keeps 3.0 of 64 cores busy"),
        ({}, None, 2, None, False, "spin"),
        ({}, 0.0, 8, 2.5, True, "time for 2.5 of 8 cores"),
        ({}, 0.0, 8, 8.0, False, "spin"),
        ({"OMP_NUM_THREADS": "1"}, 2.0, 2, None, False, ""),
        ({}, 2.0, 1, None, False, ""),
        ({"OMP_NUM_THREADS": "2,1"}, 1.0, 2, None, True, "1.0 of 2"),
        ({"OMP_WAIT_POLICY": "active"}, 2.0, 2, 1.0, False, "OMP_WAIT_POLICY=active"),
        ({"GOMP_SPINCOUNT": "10000"}, 2.0, 2, None, False, "GOMP_SPINCOUNT=10000"),
        ({"KMP_BLOCKTIME": "200"}, 2.0, 2, None, False, "KMP_BLOCKTIME=200"),
    ],
)
def test_the_choice(environment, busy, cores, limit, asleep, words) -> None:
    made, said = choice(environment, busy, cores, limit)
    assert made is asleep and (words in said if words else said == "")


def test_a_choice_is_made_anew_by_a_process_that_inherits_it(monkeypatch) -> None:
    monkeypatch.setattr(waiting, "said", "")
    monkeypatch.setattr(waiting, "quota", lambda: None)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    environment = {"OMP_NUM_THREADS": "2"}
    settle(environment, lambda: 1.0)
    assert environment["OMP_WAIT_POLICY"] == "passive" and environment["KMP_BLOCKTIME"] == "0" and MARK in environment
    settle(environment, lambda: 0.0)
    assert environment == {"OMP_NUM_THREADS": "2"} and "spin" in waiting.said
    own = {"OMP_WAIT_POLICY": "passive"}
    settle(own, lambda: pytest.fail("a user's setting needs no measurement"))
    assert own == {"OMP_WAIT_POLICY": "passive"}


def run(code: str, **environment: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], env=CLEAN | environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems tell no load")
def test_it_is_made_just_before_torch_is_loaded_and_not_at_all_behind_it() -> None:
    """The counters are those of a machine where other work takes two cores, of two."""
    code = """
import os, sys
os.sched_getaffinity = lambda _: {0, 1}
import ganvas
from ganvas import waiting
assert "OMP_WAIT_POLICY" not in os.environ and len([f for f in sys.meta_path if isinstance(f, waiting.Chooser)]) == 1
waiting.quota = lambda: None
waiting.others = lambda before, now: 1.5
import torch
assert not any(isinstance(f, waiting.Chooser) for f in sys.meta_path)
print(os.environ.get("OMP_WAIT_POLICY"), waiting.said)
"""
    assert run(code).startswith("passive threads sleep while they wait, as other work keeps 1.5 of 2 cores busy")
    late = (
        "import torch, ganvas, os; from ganvas import waiting; print(os.environ.get('OMP_WAIT_POLICY'), waiting.said)"
    )
    assert run(late) == "None threads wait as PyTorch has it, which was loaded before Ganvas could choose"
