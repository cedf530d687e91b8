"""Who trains a run: the process that is noted is stopped, and no other one, whatever a file says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ganvas.errors import RunError
from ganvas.locks import holding
from ganvas.run import LOCK, TRAINER, check_out, is_trained, only_trainer, stop_trainer
from ganvas.run.trainer import born
from processes import another_process
from test_serve import until

DEAF_NO_MORE = "import signal; signal.signal(signal.SIGINT, signal.SIG_DFL)"
"""What is started in the background may be deaf to Ctrl-C, and so are the tests and all that they start."""


@pytest.fixture
def other() -> Iterator[subprocess.Popen[str]]:
    """A process that Ctrl-C ends."""
    with another_process(f"{DEAF_NO_MORE}; here(); time.sleep(600)") as process:
        yield process


def noted(run: Path, **about: object) -> Path:
    run.mkdir(exist_ok=True)
    (run / TRAINER).write_text(json.dumps(about))
    return run


def test_a_training_that_was_started_elsewhere_finishes_its_step_and_saves(tmp_path):
    run = tmp_path / "ring"
    words = ["train", "vanilla", "--data", "ring", "--minutes", "30", "--quiet", "--out", str(run)]
    training = subprocess.Popen([sys.executable, "-m", "ganvas", *words], start_new_session=True)
    try:
        until(lambda: (run / "metrics.jsonl").exists() or (run / "first.json").exists(), seconds=300)
        assert json.loads((run / TRAINER).read_text()) == {"pid": training.pid, "born": born(training.pid)}
        stop_trainer(run)
        assert training.wait(timeout=300) == 130
    finally:
        training.kill()
        training.wait()
    last = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    assert last["event"] == "interrupted" and (run / "checkpoints" / f"step-{last['step']:08d}").is_dir()
    assert not (run / TRAINER).exists() and not is_trained(run)
    with pytest.raises(RunError, match="ring is not being trained"):
        stop_trainer(run)


def test_a_process_that_has_the_id_of_a_trainer_which_is_dead_is_not_signalled(other, tmp_path):
    birth = born(other.pid)
    earlier = birth[:-1] + ("0" if birth[-1] != "0" else "1")
    run = noted(tmp_path / "run", pid=other.pid, born=earlier)
    with holding(run / LOCK), pytest.raises(RunError, match="stop it where it was started"):
        stop_trainer(run)
    # Its own birth does not help where nobody holds the lock; with both it is the trainer, which shows that nothing
    # else has protected it.
    noted(run, pid=other.pid, born=birth)
    with pytest.raises(RunError, match="is not being trained"):
        stop_trainer(run)
    assert other.poll() is None
    with holding(run / LOCK):
        stop_trainer(run)
        assert other.wait(timeout=30) == -signal.SIGINT
        with pytest.raises(RunError, match="is stopping already"):
            stop_trainer(run)


def test_a_process_of_another_user_is_not_signalled(other, tmp_path, monkeypatch):
    run = noted(tmp_path / "run", pid=other.pid, born=born(other.pid))
    monkeypatch.setattr(os, "geteuid", lambda: int(born(other.pid).split()[0]) + 1)
    with holding(run / LOCK), pytest.raises(RunError, match="by another user"):
        stop_trainer(run)
    assert other.poll() is None


@pytest.mark.parametrize("pid", [0, -1, 1, True, None, "7", 2.5, [], 2**40])
def test_what_is_no_id_of_a_process_is_not_signalled(pid, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "kill", lambda *given: pytest.fail("signalled"))
    for birth in (born(os.getpid()), "", None):
        run = noted(tmp_path / "run", pid=pid, born=birth)
        with holding(run / LOCK), pytest.raises(RunError, match="stop it where it was started"):
            stop_trainer(run)
    for content in ("", "[]", "7", "{}"):
        (run / TRAINER).write_text(content)
        with holding(run / LOCK), pytest.raises(RunError, match="stop it where it was started"):
            stop_trainer(run)


def test_births_tell_processes_apart_also_where_the_system_has_no_proc(other, monkeypatch):
    assert born(os.getpid()) == born(os.getpid()) != born(other.pid)
    assert born(2**22 + 1) == ""  # which is more than Linux gives
    real = Path.read_text
    monkeypatch.setattr(
        Path, "read_text", lambda path, *given: real(Path("/nowhere") if "/proc" in str(path) else path)
    )
    told = born(other.pid)
    assert told.split()[0] == str(os.geteuid()) and len(told.split()) == 6 and told == born(other.pid)
    assert born(2**22 + 1) == ""


def test_a_training_that_was_killed_as_it_began_leaves_its_folder_free(tmp_path):
    with only_trainer(tmp_path / "run"):
        assert json.loads((tmp_path / "run" / TRAINER).read_text())["pid"] == os.getpid()
        check_out(tmp_path / "run")  # as if it were killed here
    assert not (tmp_path / "run" / TRAINER).exists()
