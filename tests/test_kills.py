"""A power cut, `kill -9` and Ctrl-C cost nothing but time. `benchmarks/kills.py` does the same at length."""

import importlib.util
import random
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

TRAINING = "train dcgan --data digits --width 4 --batch-size 8 --steps 105 --checkpoint-every 7 --sample-every 50"


@pytest.fixture(scope="module")
def kills() -> ModuleType:
    path = Path(__file__).resolve().parents[1] / "benchmarks" / "kills.py"
    specification = importlib.util.spec_from_file_location("kills", path)
    assert specification is not None and specification.loader is not None
    module = sys.modules["kills"] = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def undisturbed(kills, tmp_path_factory) -> Path:
    run = tmp_path_factory.mktemp("undisturbed") / "run"
    kills.undisturbed(run, TRAINING)
    return run


@pytest.fixture(scope="module")
def commands(kills, tmp_path_factory) -> Iterator:
    with kills.Commands(tmp_path_factory.mktemp("commands")) as commands:
        yield commands


def test_a_dozen_kills_change_nothing(kills, commands, undisturbed, tmp_path):
    draws, left, trainings = random.Random(1), 12, 0
    while left > 0:
        run = tmp_path / f"run-{trainings}"
        tally = kills.disturb(commands, run, left, draws, TRAINING)
        assert kills.differences(run, undisturbed) == []
        left -= sum(tally.kills.values())
        trainings += 1


def test_ctrl_c_saves_and_says_how_to_go_on(kills, commands, undisturbed, tmp_path):
    run = tmp_path / "run"
    commands.start([*TRAINING.split(), "--out", str(run)])
    while not kills.steps(run / "checkpoints"):
        assert not commands.ended(), commands.output()
        time.sleep(0.001)
    time.sleep(0.05)
    commands.send(signal.SIGINT)
    assert commands.code() == 130
    *_, line = commands.output().splitlines()
    said, _, command = line.partition("; go on with: ")
    stopped = max(kills.steps(run / "checkpoints"))
    assert said == f"interrupted after {stopped} steps, and saved"
    assert 7 <= stopped < 105

    program, *words = shlex.split(command)
    assert program == "ganvas" and words == ["train", "--resume", str(run)]
    commands.start(words)
    assert commands.code() == 0, commands.output()
    assert f"step-{stopped:08d}" in commands.output()
    assert kills.differences(run, undisturbed) == []


def test_a_kill_behind_the_last_step_costs_neither_the_last_picture_nor_the_report(
    kills, commands, undisturbed, tmp_path
):
    run = tmp_path / "run"
    shutil.copytree(undisturbed, run)
    for name in ("report.html", "samples/step-00000105.png", "samples/strip.png"):
        (run / name).unlink()
    commands.start(["train", "--resume", str(run)])
    assert commands.code() == 0, commands.output()
    assert (run / "report.html").exists()
    assert kills.differences(run, undisturbed) == []

    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    commands.start(["train", "--resume", str(run)])
    assert commands.code() == 0 and "finished already" in commands.output()
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before


def test_the_comparison_notices_a_single_changed_byte(kills, undisturbed, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(undisturbed, run)
    assert kills.differences(run, undisturbed) == []
    weights = run / "checkpoints" / "step-00000105" / "averaged.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    (run / "samples" / "step-00000050.png").unlink()
    assert kills.differences(run, undisturbed) == [
        "checkpoints/step-00000105/averaged.safetensors",
        "samples/step-00000050.png",
        "the names in samples/",
    ]
