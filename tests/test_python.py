"""What Python gives back: a run that is a path and tells what is in it, a model that tells what it is, and pictures of
what it makes."""

import copy
import inspect
import json
import os
import pickle
import shutil
import typing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ganvas
from ganvas.recipes.vanilla import Vanilla
from ganvas.settings import Settings

GOLDEN = Path(__file__).parent / "golden" / "format-1"


@pytest.fixture(scope="module")
def model():
    return ganvas.load(GOLDEN / "r3gan")


def test_a_model_says_what_it_is_on_one_line(model):
    told = repr(model)
    assert told.startswith("Model(") and "R3GAN at step 100, images from latent" in told
    assert "\n" not in told and len(told) < 400


def test_a_grid_is_the_picture_of_the_same_samples(model):
    grid, samples = model.grid(4, seed=3, columns=2), model.sample(4, seed=3)
    assert isinstance(grid, Image.Image)
    assert np.array_equal(np.asarray(grid), np.asarray(model.space.show(samples, columns=2)))
    assert np.array_equal(np.asarray(model.grid(seed=1)), np.asarray(model.grid(64, seed=1, columns=model.columns())))
    pictures = model.to_pil(samples)
    height, width = samples.shape[2:]
    assert len(pictures) == 4 and {picture.size for picture in pictures} == {(width, height)}
    light = np.asarray(pictures[1].convert("L"), np.float32).mean()
    assert light == pytest.approx(float((samples[1].mean() + 1) * 127.5), abs=2)
    with pytest.raises(ganvas.GanvasError, match="no input"):
        model.grid(4, nothing=1)


class Own(Vanilla):
    """A recipe of one's own."""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "own"
    return ganvas.train(Own, data="ring", width=8, steps=60, seed=3, score_every=30, out=out, quiet=True)


def test_a_run_is_a_path_wherever_one_can_stand(run, tmp_path):
    plain = Path(os.fspath(run))
    assert isinstance(run, Path) and run == plain and hash(run) == hash(plain) and str(run) == str(plain)
    assert {type(each) for each in (run / "config.json", run.parent, *run.iterdir())} == {type(plain)}
    assert copy.copy(run) == pickle.loads(pickle.dumps(run)) == run
    assert {run: 1}[plain] == 1 and os.path.join(run, "x") == str(plain / "x")
    shutil.copytree(run, tmp_path / "moved")
    moved = ganvas.open_run(str(tmp_path / "moved"))
    assert type(moved) is ganvas.Run and moved.scores == run.scores
    assert type(ganvas.resume(moved, recipe=Own, quiet=True)) is ganvas.Run


def test_a_run_knows_its_model_its_report_and_its_numbers(run):
    assert repr(run) == f"Run({run}: {Own.__module__}:Own on ring, finished after 60 steps)"
    # Its recipe is ours, whose file nothing else would run.
    assert np.array_equal(run.model().sample(3, seed=1), ganvas.load(run, recipe=Own).sample(3, seed=1))
    with pytest.raises(ganvas.GanvasError, match="recipe of your own"):
        ganvas.open_run(run).model()
    assert ganvas.open_run(run, recipe=Own).model().step == run.model().step

    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    last = [row for row in rows if "generator/adversarial" in row][-1]
    (score,) = {key for row in rows for key in row if key.startswith("score/")}
    assert run.scores == {
        score: [row[score] for row in rows if score in row][-1],
        "loss/discriminator": last["discriminator/real"] + last["discriminator/fake"],
        "loss/generator": last["generator/adversarial"],
    }

    told = run.report.read_bytes()
    run.report.unlink()  # as a kill would have left it
    assert run.report == run / "report.html" and run.report.stat().st_size == pytest.approx(len(told), rel=0.1)


def test_what_evaluate_finds_stays_with_the_run(run):
    found = run.evaluate(n=200, metrics=["fid"], progress=False)
    (key,) = found.scores
    assert run.scores[key] == found.scores[key].value and ganvas.open_run(run).scores == run.scores
    (run / "scores.json").write_text("[" * 100_000)  # what cannot be read is left out
    assert key not in run.scores
    (run / "scores.json").unlink()


def test_a_notebook_shows_a_run_as_a_table_with_its_samples(run, tmp_path):
    html = run._repr_html_()
    assert html.count("data:image/png;base64,") == 1 and "<th>loss/generator</th>" in html
    assert "Own on ring, finished after 60 steps" in html
    shutil.copytree(run, tmp_path / "run")
    (tmp_path / "run" / "config.json").write_text("{}")
    broken = ganvas.Run(tmp_path / "run")
    assert repr(broken) == f"Run({broken}: not readable)" and "not readable" in broken._repr_html_()


def test_what_is_no_run_is_told_in_one_line(tmp_path):
    with pytest.raises(ganvas.GanvasError, match=r"is not a run: it has no config\.json"):
        ganvas.open_run(tmp_path)


def test_settings_are_keywords_that_an_editor_completes():
    """In their order, with the types of `Settings`, None standing for what is not said."""
    words = inspect.signature(ganvas.train).parameters
    hints, own = typing.get_type_hints(ganvas.train), typing.get_type_hints(Settings)
    assert [name for name in words if name in own] == list(own)
    for name, kind in own.items():
        if name != "augment_operations":  # Words takes text and lists of it
            assert hints[name] == kind | None, name
        assert words[name].default is None
    changed = inspect.signature(ganvas.resume).parameters
    assert [name for name in changed if name in own] == ["steps", "epochs", "minutes"]


def test_a_keyword_of_settings_arrives(run):
    settings = json.loads((run / "config.json").read_text())["settings"]
    assert (settings["steps"], settings["seed"], settings["score_every"]) == (60, 3, 30)
    with pytest.raises(ganvas.GanvasError, match="--precision cannot be 'half'"):
        ganvas.train("vanilla", data="ring", precision="half", quiet=True)
