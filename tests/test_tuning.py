"""Several seeds of one training, and the search for better settings."""

import json
import shutil

import pytest

from commands import ganvas as command
from commands import refused
from ganvas.training import Verdict, Watcher

VANILLA = ("vanilla", "--data", "ring", "--width", 8, "--latent", 4, "--quiet")


# -- seeds ------------------------------------------------------------------------------------------------------


def seeds_of(folder):
    return {path.parent.name: json.loads(path.read_text())["settings"]["seed"] for path in folder.glob("*/config.json")}


@pytest.fixture(scope="module")
def seeds(tmp_path_factory):
    """Two seeds of one training."""
    out = tmp_path_factory.mktemp("seeds") / "out"
    assert command("train", *VANILLA, "--steps", 20, "--seed", 5, "--seeds", 2, "--out", out) == 0
    return out


def test_each_seed_is_a_run_and_they_are_one_column(seeds):
    assert seeds_of(seeds) == {"seed-5": 5, "seed-6": 6}
    page = (seeds / "comparison.html").read_text()
    assert "vanilla (2 runs, seeds 5, 6)" in page and "coverage[coordinates]" in page
    assert (seeds / "seed-6" / "scores.json").is_file()


def test_the_same_command_goes_on_and_with_more_seeds_adds_to_them(seeds, tmp_path, capsys):
    out = tmp_path / "out"
    shutil.copytree(seeds, out)
    shutil.rmtree(out / "seed-6")
    before = (out / "seed-5" / "metrics.jsonl").read_bytes()
    assert command("train", *VANILLA, "--steps", 20, "--seed", 5, "--seeds", 3, "--out", out) == 0
    assert seeds_of(out) == {"seed-5": 5, "seed-6": 6, "seed-7": 7}
    assert (out / "seed-5" / "metrics.jsonl").read_bytes() == before
    configs = [json.loads((out / f"seed-{each}" / "config.json").read_text()) for each in (5, 7)]
    assert configs[0]["arguments"] == configs[1]["arguments"]
    assert {**configs[0]["settings"], "seed": 7} == configs[1]["settings"]
    assert "(3 runs, seeds 5, 6, 7)" in capsys.readouterr().out


def test_another_training_is_refused_in_the_same_folder(seeds, capsys):
    words = ("--seed", 5, "--seeds", 2, "--out", seeds)
    assert "was begun with steps 20, and not 30" in refused(capsys, "train", *VANILLA, "--steps", 30, *words)
    other = ("dcgan", "--data", "digits", "--steps", 20, "--quiet")
    assert "was begun with recipe 'vanilla', and not 'dcgan'" in refused(capsys, "train", *other, *words)
    assert "holds a run already" in refused(capsys, "train", *VANILLA, "--steps", 20, "--out", seeds / "seed-5")
    inside = refused(capsys, "train", *VANILLA, "--steps", 20, "--seeds", 2, "--out", seeds / "seed-5")
    assert "holds other files" in inside
    assert "--seeds must be 1 to 100" in refused(capsys, "train", *VANILLA, "--steps", 20, "--seeds", 0)
    assert "--seeds" in refused(capsys, "train", "--resume", seeds / "seed-5", "--seeds", 2)


def test_what_was_interrupted_goes_on_with_the_same_command(tmp_path, monkeypatch, capsys):
    from ganvas import api

    class Interrupts(Watcher):
        def stepped(self, training, results):
            training._asked_to_stop = training.steps_done == 7 and training.settings.seed == 1
            return Verdict.CONTINUE

    play = api.play
    monkeypatch.setattr("ganvas.tuning.seeds.play", lambda job, **more: play(job, watchers=[Interrupts()], **more))
    words = ("train", *VANILLA, "--steps", 20, "--seeds", 2, "--out", tmp_path / "out")
    assert command(*words) == 130 and "the same command goes on" in capsys.readouterr().out
    monkeypatch.undo()
    assert command(*words) == 0
    rows = [json.loads(line) for line in (tmp_path / "out" / "seed-1" / "metrics.jsonl").read_text().splitlines()]
    assert [row["event"] for row in rows if "event" in row] == ["interrupted", "resumed", "finished"]
    assert rows[-1]["step"] == 20
