"""`ganvas runs`: what a list tells of each run, and that nothing but a run in its folder is renamed or deleted."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from commands import ganvas, refused
from ganvas.errors import RunError
from ganvas.run import keeping
from processes import another_process

GOLDEN = Path(__file__).parent / "golden" / "format-1"


def rows_of(run, *rows):
    (run / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def runs(tmp_path):
    """Three runs, the middle one the latest, and things that are none."""
    folder = tmp_path / "runs"
    for name in ("old", "new", "mid"):
        shutil.copytree(GOLDEN / "vanilla", folder / name)
    score = "score/FID[native]"
    rows_of(folder / "old", {"step": 10, score: 9.0}, {"step": 20, score: 7.25}, {"step": 20, "event": "finished"})
    rows_of(folder / "mid", {"step": 1234567, "event": "interrupted"})
    for place, name in enumerate(("old", "mid", "new")):
        os.utime(folder / name / "metrics.jsonl", (1e9 + place, 1e9 + place))
    (folder / "notes").mkdir()
    (folder / ".studio" / "jobs").mkdir(parents=True)
    return folder


def state_of(folder):
    return {str(path.relative_to(folder)): path.stat().st_size for path in folder.rglob("*") if path.is_file()}


def test_the_list_tells_of_each_run_what_its_folder_says(runs, capsys):
    (runs / "broken").mkdir()
    (runs / "broken" / "config.json").write_text("{")
    os.utime(runs / "broken" / "config.json", (1, 1))
    assert ganvas("runs", runs, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert [line["name"] for line in told] == ["new", "mid", "old", "broken"]
    old, mid = told[2], told[1]
    assert (old["score"], old["value"], old["at"], old["state"]) == ("FID[native]", 7.25, 20, "finished")
    assert (old["recipe"], old["data"], old["steps"]) == ("vanilla", "ring", 20)
    assert (mid["score"], mid["value"], mid["state"], mid["steps"]) == (None, None, "interrupted", 1234567)
    assert told[3]["state"] == "unreadable" and "config.json" in told[3]["word"]
    assert ganvas("doctor", runs / "new", "--json") == 0
    main = json.loads(capsys.readouterr().out)["findings"][0]
    assert told[0]["word"] == main["title"] and told[0]["ailing"] == (main["mood"] == "bad")
    assert ganvas("runs", runs) == 0
    captured = capsys.readouterr()
    titles, *lines = captured.out.splitlines()
    assert captured.err == f"reading 4 runs in {runs}\n" and titles.startswith("NAME ")
    assert [line.split()[0] for line in lines] == ["new", "mid", "old", "broken"]
    assert "1,234,567  interrupted" in lines[1] and "FID[native] 7.25 at 20" in lines[2]
    assert lines[0][titles.index("THE DOCTOR SAYS") :] == main["title"]


def test_a_live_run_and_a_killed_one_are_told_apart(runs, capsys):
    rows_of(runs / "mid", {"step": 3, "items": 9})
    code = "from ganvas.locks import holding\n"
    with another_process(f"{code}with holding(Path({str(runs / 'mid' / '.lock')!r})): meet()"):
        assert ganvas("runs", runs, "--json") == 0
        assert {line["name"]: line["state"] for line in json.loads(capsys.readouterr().out)}["mid"] == "training"
    assert ganvas("runs", runs, "--json") == 0
    assert {line["name"]: line["state"] for line in json.loads(capsys.readouterr().out)}["mid"] == "killed"


def test_names_from_elsewhere_stay_on_one_line(runs, capsys):
    config = json.loads((runs / "new" / "config.json").read_text())
    config["data"]["name"] = "a\nb\x1b[31m" + "x" * 500
    (runs / "new" / "config.json").write_text(json.dumps(config))
    os.rename(runs / "old", runs / "o\nld")
    assert ganvas("runs", runs) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4 and all(line.isprintable() and len(line) < 300 for line in lines)


def test_no_run_yet_says_how_to_begin(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert ganvas("runs") == 0
    assert "ganvas train" in capsys.readouterr().out
    assert ganvas("runs", "--json") == 0
    assert json.loads(capsys.readouterr().out) == []
    assert "is not a folder of runs" in refused(capsys, "runs", "nowhere")
    assert "is a run itself" in refused(capsys, "runs", GOLDEN / "vanilla")
    assert list(tmp_path.iterdir()) == []


def test_the_list_needs_no_torch(runs):
    code = f"from ganvas import cli\ntry: cli.main(['runs', {str(runs)!r}])\nexcept SystemExit: pass"
    code += "\nimport sys; assert not {'torch', 'rich'} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_a_run_is_renamed_with_what_the_studio_keeps_of_it(runs, capsys):
    (runs / ".studio" / "jobs" / "old.log").write_text("said")
    before = state_of(runs / "old")
    assert ganvas("runs", runs, "--rename", "old", "good one") == 0
    assert "good one" in capsys.readouterr().out
    assert {**state_of(runs / "good one"), ".lock": 0} == {**before, ".lock": 0} and not (runs / "old").exists()
    assert [path.name for path in (runs / ".studio" / "jobs").iterdir()] == ["good one.log"]
    assert ganvas("runs", runs, "--rename", runs / "mid", "middle") == 0  # by its path, as a shell completes it
    assert (runs / "middle" / "config.json").is_file()


@pytest.mark.parametrize("name", ["../out", "a/b", "", ".", "..", ".hidden", "-x", "/tmp/x", "a\nb", "new", "notes"])
def test_names_that_cannot_be_are_refused(name, runs, capsys):
    before = state_of(runs)
    with pytest.raises(RunError):
        keeping.rename(keeping.run_in(runs, "old"), name)
    assert state_of(runs).keys() - {"old/.lock"} == before.keys()


def test_a_run_is_deleted_and_nothing_else(runs, tmp_path, capsys):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "mine.txt").write_text("mine")
    (runs / "old" / "link").symlink_to(outside)
    (runs / ".studio" / "jobs" / "old.log").write_text("said")
    (runs / f"{keeping._GOING}left").mkdir()
    assert ganvas("runs", runs, "--delete", "old", "--yes") == 0
    assert sorted(path.name for path in runs.iterdir()) == [".studio", "mid", "new", "notes"]
    assert list((runs / ".studio" / "jobs").iterdir()) == [] and (outside / "mine.txt").read_text() == "mine"


def test_what_is_no_run_of_the_folder_is_never_deleted(runs, tmp_path, capsys):
    shutil.copytree(GOLDEN / "vanilla", tmp_path / "elsewhere")
    (runs / "link").symlink_to(tmp_path / "elsewhere")
    shutil.copytree(GOLDEN / "vanilla", runs / "exported")
    (runs / "exported" / "model.safetensors").write_bytes(b"")
    before = state_of(tmp_path)
    for name, says in {
        "notes": "is not a run",
        "nwe": "did you mean 'new'",
        "link": "is a link",
        "exported": "is an export",
        str(tmp_path / "elsewhere"): f"is not in {runs}",
        "../elsewhere": f"is not in {runs}",
        str(runs / ".." / "runs" / ".."): "there is no run",
        "..": "there is no run",
        ".": "is not in",
        "": "is not in",
    }.items():
        assert says in refused(capsys, "runs", runs, "--delete", name, "--yes"), name
        assert refused(capsys, "runs", runs, "--rename", name, "other")
    assert state_of(tmp_path) == before


def test_a_run_that_is_being_trained_is_left_alone(runs, capsys):
    code = "from ganvas.locks import holding\n"
    for lock in (runs / "old" / ".lock", runs / ".studio" / "jobs" / "old.lock"):
        with another_process(f"{code}with holding(Path({str(lock)!r})): meet()"):
            assert "is being trained" in refused(capsys, "runs", runs, "--delete", "old", "--yes")
            assert "is being trained" in refused(capsys, "runs", runs, "--rename", "old", "other")
        assert (runs / "old" / "config.json").is_file() and not (runs / "other").exists()


def test_deleting_asks_first(runs, capsys, monkeypatch):
    (runs / "old" / "grid.png").write_bytes(b"mine")
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    assert "--delete old --yes" in refused(capsys, "runs", runs, "--delete", "old")
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    asked = []
    monkeypatch.setattr("builtins.input", lambda question: asked.append(question) or "n")
    assert ganvas("runs", runs, "--delete", "old") == 1
    assert "grid.png" in asked[0] and (runs / "old").is_dir()
    monkeypatch.setattr("builtins.input", lambda question: "y")
    assert ganvas("runs", runs, "--delete", "old") == 0
    assert not (runs / "old").exists()


def test_flags_that_do_not_go_together_are_refused(runs, capsys):
    assert "one at a time" in refused(capsys, "runs", "--delete", "a", "--rename", "b", "c")
    assert "--yes goes with" in refused(capsys, "runs", "--yes")
    assert "--json" in refused(capsys, "runs", "--json", "--delete", "a")
