"""Locks between two processes, and those of prepared data and of a run, which are made of them."""

import errno
import fcntl
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

import ganvas
from ganvas.data.cache import only_one
from ganvas.errors import RunError
from ganvas.locks import holding, locked
from ganvas.run import is_over, is_trained, only_trainer
from processes import another_process


def test_a_lock_is_seen_waited_for_and_free_again_when_its_process_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file"
    assert locked(path) is None and not path.exists()
    code = f"from ganvas.locks import holding\nwith holding(Path({str(path)!r})):\n    meet()"
    with another_process(code) as other:
        assert locked(path)
        with pytest.raises(TimeoutError), holding(path, 0):
            raise AssertionError("two hold it")
        other.kill()
        with holding(path) as held:  # waits until the system has taken it from the dead
            assert held and locked(path)
        assert not locked(path)


def test_an_error_inside_is_no_refusal(tmp_path: Path) -> None:
    with pytest.raises(TimeoutError, match="mine"), holding(tmp_path / "file"):
        raise TimeoutError("mine")
    assert not locked(tmp_path / "file")


def test_a_module_runs_under_a_lock_and_is_refused_what_another_holds(tmp_path: Path) -> None:
    path = tmp_path / "file"
    (tmp_path / "code.py").write_text(
        f"import sys\nfrom pathlib import Path\nfrom ganvas.locks import locked\n"
        f"print(locked(Path({str(path)!r})), sys.argv[1:], __name__)"
    )
    command = [sys.executable, "-m", "ganvas.locks", str(path), "code", "word"]
    search = os.pathsep.join([str(tmp_path), str(Path(ganvas.__file__).parents[1])])
    run = partial(
        subprocess.run, command, env=os.environ | {"PYTHONPATH": search}, capture_output=True, text=True, timeout=60
    )
    assert run().stdout == "True ['word'] __main__\n" and not locked(path)
    with holding(path):
        refused = run()
    assert refused.returncode == 1 and refused.stdout == ""
    assert refused.stderr == f"ganvas: {path} is held by another process\n"


def test_one_process_prepares_data_while_another_waits(tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "entry"
    enter = f"from ganvas.data.cache import only_one\nfolder = Path({str(folder)!r})\n"
    first = enter + "with only_one(folder):\n    meet()\n    folder.mkdir()"
    second = enter + "here()\nwith only_one(folder):\n    print(folder.exists())"
    with another_process(first) as preparing, another_process(second) as waiting:
        time.sleep(0.3)
        assert waiting.poll() is None
        preparing.communicate("go on\n", timeout=60)
        assert waiting.communicate(timeout=60)[0] == "True\n"
    assert [path.name for path in folder.parent.iterdir()] == ["entry"]


def test_a_run_has_one_trainer_until_that_is_killed(tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert not is_trained(run) and not is_over(run)
    code = f"from ganvas.run import only_trainer\nwith only_trainer(Path({str(run)!r})):\n    meet()"
    with another_process(code) as other:
        assert is_trained(run)
        with pytest.raises(RunError, match="run is being trained by another process"), only_trainer(run):
            raise AssertionError("two train it")
        with only_trainer(run, first=False):  # one that trains together with the first one
            pass
        other.kill()
        other.wait()
        assert not is_trained(run)
        with only_trainer(run):
            assert is_trained(run) and not is_over(run)
        assert is_over(run)


def test_a_trainer_removes_what_a_killed_one_left_half_written(tmp_path: Path) -> None:
    run = tmp_path / "run"
    (run / "samples").mkdir(parents=True)
    left = [
        ".report.html.a1b2.tmp",
        ".metrics.jsonl.x.tmp",
        ".config.json.x.tmp",
        ".trainer.json.x.tmp",
        "samples/.step-00000009.png.x.tmp",
    ]
    others = [".scores.json.x.tmp", "report.html", ".report.html.tmp.txt", "samples/strip.png"]
    for name in [*left, *others]:
        (run / name).write_text("half")
    with only_trainer(run, first=False):
        assert (run / left[0]).exists()  # another process holds the run, and may be at it
    with only_trainer(run):
        found = {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()}
    assert found == {".lock", "trainer.json", *others}


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_where_the_file_system_cannot_lock_everything_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def flock(handle: int, operation: int) -> None:
        raise OSError(number, "no locks here")

    monkeypatch.setattr(fcntl, "flock", flock)
    with only_one(tmp_path / "cache" / "entry"), only_one(tmp_path / "cache" / "entry"):
        pass
    with only_trainer(tmp_path / "run"):
        assert not is_trained(tmp_path / "run") and not is_over(tmp_path / "run")


def test_a_run_that_cannot_be_written_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"cannot write into .*file"), only_trainer(tmp_path / "file" / "run"):
        pass
