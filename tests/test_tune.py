"""The search for better settings: what is searched, how trials are judged, stopped and kept, and workers that are
killed."""

import json
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from types import SimpleNamespace

import pytest
import torch

import ganvas
from commands import ganvas as command
from commands import refused
from ganvas import recipes
from ganvas.data.opening import open_data
from ganvas.errors import DataError, RunError, UsageError
from ganvas.options import read_options
from ganvas.settings import Settings
from ganvas.tuning.best import best_yaml
from ganvas.tuning.judging import Judge, Judged, Pruning, judge_of
from ganvas.tuning.search import tune
from ganvas.tuning.space import Dimension, dimensions
from ganvas.tuning.storage import told_of
from ganvas.tuning.study import Study, settings_of

optuna = pytest.importorskip("optuna", reason="the extra tune is not installed")

TINY = {"width": 8, "latent": 4, "steps": 12, "looks": False}
WORDS = ("vanilla", "--data", "ring", "--width", 8, "--latent", 4, "--steps", 12, "--no-looks", "-n", 100)


# -- what is searched -------------------------------------------------------------------------------------------


def searched(recipe, asked=None, **start):
    options = [each for each in [*read_options(recipes.find(recipe)), *read_options(Settings)] if each.name != "seed"]
    defaults = {each.name: each.default for each in options}
    found = dimensions(options, asked, {**defaults, "steps": 400, **start}, "steps")
    return {each.name: each for each in found}


def test_the_usual_search_is_of_rates_batch_length_penalties_and_objective():
    assert set(searched("dcgan")) == {"lr", "batch_size", "objective", "steps"}
    assert set(searched("wgan-gp")) == {"lr", "batch_size", "objective", "steps", "penalty"}
    assert set(searched("infogan")) >= {"lr", "g_lr"}
    found = searched("r3gan")
    assert set(found) == {"lr", "batch_size", "objective", "steps", "r1", "r2"}
    assert found["lr"] == Dimension("lr", (), 1e-5, 1e-2, False, True, 1e-3)
    assert (found["steps"].low, found["steps"].high, found["steps"].whole) == (100, 400, True)
    assert found["r1"].off is False and "relativistic" in found["objective"].choices


def test_an_interval_reaches_what_the_search_begins_with():
    assert (searched("r3gan", lr=0.03)["lr"].high, searched("r3gan", lr=1e-6)["lr"].low) == (0.03, 1e-6)
    assert searched("dcgan", ["lr=1e-4..1e-3"], lr=0.1)["lr"].high == 0.1


def test_a_penalty_that_is_left_out_at_first_can_be_tried():
    r1 = searched("vanilla")["r1"]
    assert r1.off and r1.beginning == {"r1 in use": False}
    on = optuna.trial.FixedTrial({"r1 in use": True, "r1": 0.123456})
    assert r1.suggested(on) == 0.123 and r1.suggested(optuna.trial.FixedTrial({"r1 in use": False})) == 0.0
    assert settings_of({"r1 in use": True, "r1": 0.123456}, [r1]) == {"r1": 0.123}
    assert settings_of({"r1 in use": False}, [r1]) == {"r1": 0.0} and settings_of({"r1 in use": True}, [r1]) == {}


def test_what_is_named_is_searched_and_nothing_else():
    found = searched("dcgan", ["beta1", "width=16..64", "batch-size=32/64", "conditional"])
    assert list(found) == ["beta1", "width", "batch_size", "conditional"]
    assert (found["beta1"].low, found["beta1"].high, found["beta1"].log) == (0, 0.9999, False)
    assert found["batch_size"].choices == (32, 64) and found["conditional"].choices == (False, True)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("learning", "there is no option 'learning'"),
        ("lr=0.1..0.01", "LOW..HIGH, the lower end first"),
        ("lr=0..0.1", "--lr must be 1e-07 to 1"),
        ("r1=0..1", "logarithmic scale, so from more than 0"),
        ("lr=a..b", "--lr takes a number"),
        ("objective=hinge/best", "--objective cannot be 'best'"),
        ("objective=1..2", "objective has choices, as in objective=minimax/"),
        ("ema", "say between what, as in ema=LOW..HIGH"),
        ("epochs", "the budget of a trial is steps"),
        ("channels", "is decided by the data"),
        ("precision=auto", None),
        ("device", "neither a number nor one of some choices"),
    ],
)
def test_what_cannot_be_searched_is_told_in_one_line(asked, told):
    if told is None:
        assert searched("r3gan", [asked])["precision"].choices == ("auto",)
        return
    with pytest.raises(UsageError) as caught:
        searched("r3gan", [asked])
    assert told in str(caught.value)


# -- judging ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ring():
    return open_data("ring", progress=False)


def test_the_score_follows_from_the_features_and_the_items(ring):
    assert judge_of(ring, None, None, None, None) == Judge("coverage", "coordinates", 1000, "validation")
    assert judge_of(ring, "FID", None, 200, "test+validation") == Judge("fid", "coordinates", 200, "validation+test")
    with pytest.raises(UsageError, match="there is no metric 'fidd'; did you mean 'fid'"):
        judge_of(ring, "fidd", None, None, None)
    with pytest.raises(UsageError, match="does not look at"):
        judge_of(ring, None, "native", None, None)


def test_a_loss_is_low_where_the_score_is_good():
    from ganvas.metrics.passport import Score

    higher = Judged.of(Score("coverage", "x", 0.8, (0.7, 0.9), "higher", 10, 10))
    lower = Judged.of(Score("FID", "x", 5.0, (4.0, 6.0), "lower", 10, 10))
    assert (higher.loss, higher.bound, lower.loss, lower.bound) == (-0.8, -0.9, 5.0, 4.0)
    for bad in (Score("FID", "x", float("nan"), None, "lower", 1, 1), Score("n", "x", 1.0, None, "neither", 1, 1)):
        with pytest.raises(DataError, match="cannot be searched for"):
            Judged.of(bad)


class Watched:
    """Stands for Optuna's trial."""

    def __init__(self, prunes):
        self.prunes, self.reports = prunes, []

    def report(self, value, step):
        self.reports.append((step, value))

    def should_prune(self):
        return self.prunes


def played(tmp_path, ring, prunes, best, name="run", watch=True):
    trial = Watched(prunes)
    watcher = Pruning(trial, Judge("fid", "coordinates", 100, "validation"), ring, best)
    run = ganvas.train(
        "vanilla", data="ring", out=tmp_path / name, quiet=True, watchers=[watcher] if watch else [], **TINY
    )
    steps = [json.loads(line)["step"] for line in (run / "metrics.jsonl").read_text().splitlines()]
    return trial, watcher, steps[-1]


def test_a_trial_that_lags_is_stopped_unless_its_interval_reaches_the_best(tmp_path, ring):
    trial, watcher, last = played(tmp_path, ring, True, best=-1e9)
    assert [step for step, _ in trial.reports] == [1] and last == 3
    assert watcher.pruned.startswith("FID[coordinates]") and watcher.pruned.endswith("after 25% of its length")
    for name, best in (("reaches", 1e9), ("first", None)):
        trial, watcher, last = played(tmp_path, ring, best is not None, best, name)
        assert [step for step, _ in trial.reports] == [1, 2, 3] and last == 12 and not watcher.pruned


def test_a_look_leaves_no_trace_in_the_training(tmp_path, ring):
    played(tmp_path, ring, False, None, "watched")
    played(tmp_path, ring, False, None, "alone", watch=False)
    weights = [ganvas.load(tmp_path / name).recipe.state_dict() for name in ("watched", "alone")]
    assert all(torch.equal(value, weights[1][key]) for key, value in weights[0].items())


# -- a study ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Three trials, and the best one with one more seed."""
    out = tmp_path_factory.mktemp("tune") / "study"
    lines = []
    found = tune(
        "vanilla", data="ring", trials=3, finalists=1, seeds=2, n=100, out=out, quiet=True, tell=lines.append, **TINY
    )
    return found, lines


def test_the_first_trial_is_what_would_be_trained_without_a_search(study):
    found, lines = study
    config = json.loads((found.folder / "trials" / "0000" / "config.json").read_text())
    assert found.trials[0].settings == {
        "r1": 0.0, "r2": 0.0, "objective": "non-saturating", "lr": 0.001, "batch_size": 64, "steps": 12
    }  # fmt: skip
    assert {name: {**config["arguments"], **config["settings"]}[name] for name in found.trials[0].settings} == (
        found.trials[0].settings
    )
    assert len(found.trials) == 3 and found.over and lines[0].startswith("trial 1 of 3: r1 0, ")


def test_the_best_has_more_seeds_and_stands_beside_the_start(study):
    found, _ = study
    assert {each.seeds for each in found.finalists} == {(0, 1)}
    assert 0 in {each.trial.number for each in found.finalists} and len(found.finalists) <= 2
    assert [each.verdict is None for each in found.finalists] == [not each.trial.number for each in found.finalists]
    losses = [each.loss for each in found.finalists]
    assert losses == sorted(losses) and found.best["lr"] == found.finalists[0].trial.settings["lr"]
    run = found.folder / "seeds" / f"{found.finalists[0].trial.number:04d}-1"
    assert json.loads((run / "config.json").read_text())["settings"]["seed"] == 1
    assert (run / "scores.json").is_file() and "over 2 seeds" in str(found)


def test_best_yaml_trains_the_best_settings(study, tmp_path, capsys):
    pytest.importorskip("yaml")
    found, _ = study
    assert command("train", "--config", found.config, "--steps", 1, "--quiet", "--out", tmp_path / "run") == 0
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    both = {**config["arguments"], **config["settings"]}
    expected = {**found.best, "steps": 1}
    assert {name: both[name] for name in expected} == expected and config["recipe"] == "vanilla"
    assert both["keep"] == 3  # what trials spare is not part of the best settings


def test_numbers_in_yaml_stay_numbers():
    yaml = pytest.importorskip("yaml")
    asked = SimpleNamespace(preset=None, start=None)
    text = best_yaml("dcgan", "a: #b", asked, {"lr": 1e-05, "r1": 3.0, "batch_size": 32, "decay": True}, "x\ny")
    assert yaml.safe_load(text) == {
        "recipe": "dcgan", "data": "a: #b", "lr": 1e-05, "r1": 3.0, "batch-size": 32, "decay": True
    }  # fmt: skip


def test_the_page_tells_trials_choices_and_what_mattered(study):
    page = (study[0].folder / "study.html").read_text()
    for words in ("The best", "Trials", "Choices", "coverage[coordinates] by lr", "1 (the start)", "non-saturating"):
        assert words in page, words
    assert "<script" not in page and page.count("<circle") > 6


def test_the_same_call_goes_on_and_trains_nothing_twice(study):
    found, _ = study
    before = {path: path.stat().st_mtime_ns for path in found.folder.rglob("metrics.jsonl")}
    again = tune("vanilla", data="ring", trials=3, finalists=1, seeds=2, n=100, out=found.folder, quiet=True, **TINY)
    assert [each.settings for each in again.trials] == [each.settings for each in found.trials]
    assert {path: path.stat().st_mtime_ns for path in found.folder.rglob("metrics.jsonl")} == before


def test_another_search_is_refused_in_the_same_folder(study, capsys):
    words = ("tune", *WORDS, "--trials", 3, "--out", study[0].folder)
    assert "is a study with other settings: steps 12, and not 13" in refused(capsys, *words, "--steps", 13)
    assert "is a study with other settings" in refused(capsys, *words, "--search", "lr")
    assert "metric 'coverage', and not 'fid'" in refused(capsys, *words, "--score", "fid")
    assert "holds other files" in refused(capsys, *words[:-1], study[0].folder / "trials")


def test_two_studies_of_one_name_in_one_storage_are_refused(study, tmp_path):
    note, url = {"format": 1, "search": {}}, f"sqlite:///{tmp_path}/kept.db"
    one = [Dimension("lr", (), 0.1, 1.0, start=0.5)]
    Study(tmp_path / "a" / "same", note, one, 0, url)
    with pytest.raises(RunError, match="has a study 'same' with other settings"):
        Study(tmp_path / "b" / "same", {**note, "format": 2}, one, 0, url)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("sqlite:////nowhere/at/all.db", "--storage sqlite:////nowhere/at/all.db does not answer: "),
        ("nonsense", "--storage takes a URL such as postgresql://host/name"),
        ("ftp://host/x", "--storage knows no 'ftp'"),
        ("postgresql+nodriver://me:secret@host/x", "--storage postgresql+nodriver://host/x"),
    ],
)
def test_a_storage_that_does_not_answer_is_one_line_without_its_password(url, told, capsys, tmp_path):
    line = refused(capsys, "tune", *WORDS, "--trials", 1, "--out", tmp_path / "x", "--storage", url)
    assert told in line and "secret" not in line
    assert told_of("postgresql://me:secret@host/x?password=y") == "postgresql://host/x"


def test_what_else_is_wrong_is_one_line(capsys, tmp_path, monkeypatch):
    out = ("--out", tmp_path / "x")
    assert "say which recipe to tune" in refused(capsys, "tune", "--data", "ring")
    assert "say what to train on" in refused(capsys, "tune", "vanilla")
    assert "there is no recipe 'vanila'" in refused(capsys, "tune", "vanila", "--data", "ring")
    assert "--trials must be 1 to" in refused(capsys, "tune", *WORDS, *out, "--trials", 0)
    assert "a trial has one budget" in refused(capsys, "tune", *WORDS, *out, "--minutes", 1)
    assert "there is no option 'lrr'" in refused(capsys, "tune", *WORDS, *out, "--search", "lrr")
    assert not (tmp_path / "x").exists()
    (tmp_path / "y").mkdir()
    (tmp_path / "y" / "study.json").write_text("[")
    assert "cannot be read" in refused(capsys, "tune", *WORDS, "--out", tmp_path / "y")
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert 'pip install "ganvas[tune]"' in refused(capsys, "tune", *WORDS, *out)


def test_a_damaged_journal_is_one_line(tmp_path, capsys):
    words = ("tune", *WORDS, "--trials", 1, "--finalists", 1, "--seeds", 1, "--out", tmp_path / "x", "--quiet")
    assert command(*words) == 0
    (tmp_path / "x" / "journal.log").write_text('{"op_code": 99}\n{"no": 1}\n')
    assert "journal.log cannot be used" in refused(capsys, *words)


# -- workers ----------------------------------------------------------------------------------------------------


def begun(folder):
    return Study(folder, {"format": 1, "score": {}}, [Dimension("lr", (), 0.1, 1.0, start=0.5)], 0, None)


def test_a_trial_that_a_worker_left_is_taken_by_the_next_one_and_one_that_is_held_is_not(tmp_path):
    with ExitStack() as first, ExitStack() as second, ExitStack() as third:
        one = begun(tmp_path / "x").take(first, 5)
        value = one.suggest_float("lr", 0.1, 1.0)
        assert (one.number, value) == (0, 0.5)
        other = begun(tmp_path / "x").take(second, 5)
        assert other.number == 1
        drawn = other.suggest_float("lr", 0.1, 1.0)
        second.close()  # as the system does when a worker is killed
        again = begun(tmp_path / "x").take(third, 5)
        assert again.number == 1 and again.suggest_float("lr", 0.1, 1.0) == drawn
        assert [each.state for each in begun(tmp_path / "x").trials()] == ["running", "running"]
    study = begun(tmp_path / "x")
    for number in (0, 1):
        with ExitStack() as stack:
            study.tell(study.take(stack, 2), {"key": "k", "value": 1.0, "interval": None, "loss": float(number)})
    with ExitStack() as stack:
        assert study.take(stack, 2) is None and study.best_loss == 0.0


def test_a_trial_without_a_score_is_told_and_the_study_goes_on(tmp_path):
    """Smoothing goes with no objective that compares real with fake: such a trial is refused when it begins."""
    lines = []
    found = tune(
        "vanilla", data="ring", trials=6, finalists=1, seeds=1, n=100, out=tmp_path / "x", quiet=True,
        tell=lines.append, search=["objective=minimax/relativistic"], smoothing=0.1, objective="minimax",
        **{**TINY, "steps": 2},
    )  # fmt: skip
    bad = [each for each in found.trials if each.settings["objective"] == "relativistic"]
    assert len(found.trials) == 6 and found.over and bad
    assert all(each.state == "failed" and "has no labels to smooth" in each.word for each in bad)
    assert sum("has no labels to smooth" in line for line in lines) == len(bad)
    assert found.best["objective"] == "minimax"


def test_finalists_are_ranked_by_the_mean_over_their_seeds(tmp_path):
    study = begun(tmp_path / "x")
    for loss in (3.0, 1.0, 2.0):
        with ExitStack() as stack:
            trial = study.take(stack, 3)
            trial.suggest_float("lr", 0.1, 1.0)
            study.tell(trial, {"key": "k", "value": loss, "interval": None, "loss": loss})
    assert [each.number for each in study.ranked(2)] == [1, 2, 0]
    for number, values in ((0, (3.2, 3.1)), (1, (9.0, 9.5)), (2, (2.1, 1.9))):
        for seed, value in enumerate(values, 1):
            study.tell_seed(number, seed, {"key": "k", "value": value, "interval": None, "loss": value})
    found = study.finalists(2, (1, 2))
    assert [each.trial.number for each in found] == [2, 0, 1]  # the luckiest trial is the worst of the three
    assert found[0].summary.mean == pytest.approx(2.0) and found[0].verdict.beyond is True
    study.tell_seed(2, 1, {"word": "training diverged"})
    found = study.finalists(2, (1, 2))
    assert [each.trial.number for each in found] == [0, 1, 2] and found[-1].broken == "training diverged"


def test_a_killed_worker_loses_at_most_its_trial_which_the_same_command_goes_on_with(tmp_path, capsys):
    out, run = tmp_path / "x", tmp_path / "x" / "trials" / "0000"
    said = [*WORDS[:-4], 4000, "--no-looks", "-n", 100, "--search", "lr", "--checkpoint-every", 20]
    words = [str(word) for word in ("tune", *said, "--trials", 1, "--seeds", 1, "--out", out)]
    worker = subprocess.Popen([sys.executable, "-m", "ganvas", *words], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not list(run.glob("checkpoints/step-*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    reached = max(int(path.name.removeprefix("step-")) for path in run.glob("checkpoints/step-*"))
    config = json.loads((run / "config.json").read_text())
    config["settings"]["steps"] = reached + 20  # so that the test is quick
    (run / "config.json").write_text(json.dumps(config))
    assert command(*words) == 0
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    events = [(row["step"], row["event"]) for row in rows if "event" in row]
    assert [step for step, _ in events] == [reached, reached + 20] and events[0][1].startswith("resumed")
    assert "1 trial in" in capsys.readouterr().out and len(list(out.glob("trials/*/config.json"))) == 1
