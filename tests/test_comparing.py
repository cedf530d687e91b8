"""Runs compared: what is beyond noise, which scores may stand side by side, and what the tables and the page say."""

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import ganvas
from commands import ganvas as command
from commands import refused
from ganvas.comparing import Summary, Value, summed_up, verdict
from ganvas.comparing.noise import t_quantile
from ganvas.comparing.reading import letter_of
from test_html import Tags

GOLDEN = Path(__file__).parent / "golden" / "format-1" / "vanilla"


# -- noise ------------------------------------------------------------------------------------------------------


def test_the_quantiles_are_those_of_students_t():
    for degrees in (*range(1, 31), 35, 60, 200):
        assert t_quantile(degrees) == pytest.approx(stats.t.ppf(0.975, degrees), abs=2e-3), degrees


def test_seeds_are_summed_up_by_their_mean_and_its_interval():
    values = [3.0, 5.0, 7.0]
    found = summed_up([Value(each, (0.0, 99.0)) for each in values])
    low, high = stats.t.interval(0.95, 2, np.mean(values), stats.sem(values))
    assert (found.mean, found.spread) == (5.0, 2.0) and found.values == tuple(values)
    assert found.interval == pytest.approx((low, high), abs=1e-3)
    assert summed_up([Value(4.0, (3.0, 5.0))]) == Summary((4.0,), 4.0, None, (3.0, 5.0))


def test_two_groups_of_seeds_differ_where_the_interval_of_their_difference_leaves_out_0():
    a, b = ([Value(each) for each in values] for values in ([1.0, 1.1, 1.2], [2.0, 2.1, 2.2]))
    apart = verdict(summed_up(a), summed_up(b))
    around = stats.t.ppf(0.975, 2) * math.sqrt(0.01 / 3 + 0.01 / 3)  # by the smaller group's degrees of freedom
    assert apart.beyond is True and apart.how == "seeds" and apart.difference == pytest.approx(1.0)
    assert apart.interval == pytest.approx((1 - around, 1 + around), rel=1e-3)
    noisy = verdict(summed_up([Value(1.0), Value(3.0)]), summed_up([Value(2.0), Value(6.0)]))
    assert noisy.beyond is False and noisy.interval[0] < 0 < noisy.interval[1]


def test_one_run_beside_seeds_differs_where_no_other_seed_would_lie():
    seeds = summed_up([Value(1.0), Value(1.2), Value(1.4)])
    reach = stats.t.ppf(0.975, 2) * 0.2 * math.sqrt(4 / 3)
    for one, beyond in ((1.2 + 0.99 * reach, False), (1.2 + 1.01 * reach, True)):
        for found in (verdict(seeds, summed_up([Value(one)])), verdict(summed_up([Value(one)]), seeds)):
            assert (found.beyond, found.how) == (beyond, "one with seeds")


def test_one_run_on_each_side_is_told_apart_by_intervals_of_judging_or_not_at_all():
    one = summed_up([Value(1.0, (0.8, 1.2))])
    assert verdict(one, summed_up([Value(1.5, (1.3, 1.7))])).beyond is True
    assert verdict(one, summed_up([Value(1.3, (1.1, 1.5))])).beyond is False
    assert verdict(one, summed_up([Value(9.0)])).beyond is None


def test_there_are_letters_for_any_number_of_groups():
    assert [letter_of(place) for place in (0, 25, 26, 53)] == ["A", "Z", "A2", "B3"]


# -- runs -------------------------------------------------------------------------------------------------------


def passport(value, *, key="FID[lite0]", split="validation", samples=500, **data):
    """As `ganvas evaluate` writes it."""
    extractor = key.rpartition("[")[2].rstrip("]")
    score = {
        "value": value, "interval": [value - 0.1, value + 0.1], "better": "lower", "extractor": extractor,
        "samples": samples, "references": 400,
    }  # fmt: skip
    return {
        "ganvas passport": 1,
        "scores": {key: score},
        "judged": {"count": samples},
        "data": {"name": "ring", "fingerprint": "f", "split": split, "references": 400, "drawn_by_seed": 0, **data},
        "extractors": {extractor: {"weights": "w", "resizing": "r", "precision": "float32"}},
        "versions": {},
        "date": "2026-01-01T00:00:00+00:00",
    }


@pytest.fixture
def made(tmp_path):
    """Makes a run by its name: other arguments and seed, other scores."""

    def make(name, lr=0.001, seed=0, told=None, fingerprint=None):
        run = tmp_path / name
        shutil.copytree(GOLDEN, run)
        config = json.loads((run / "config.json").read_text())
        config["arguments"]["lr"] = lr
        config["settings"]["seed"] = seed
        config["data"]["fingerprint"] = fingerprint or config["data"]["fingerprint"]
        (run / "config.json").write_text(json.dumps(config))
        if told is not None:
            (run / "scores.json").write_text(json.dumps(told))
        return run

    return make


@pytest.fixture
def four(made):
    """Two configurations with two seeds each, far apart."""
    return [made(f"{lr}-{seed}", lr, seed, passport(lr * 100 + seed / 100)) for lr in (0.01, 0.001) for seed in (1, 0)]


def test_runs_of_one_configuration_are_one_group_whatever_their_seed(four):
    found = ganvas.compare(*four)
    assert [(group.letter, group.seeds) for group in found.groups] == [("A", [0, 1]), ("B", [0, 1])]
    assert [group.title for group in found.groups] == ["vanilla, lr 0.01", "vanilla, lr 0.001"]
    assert found.differs == [("arguments.lr", ["0.01", "0.001"])]


def test_scores_have_means_over_seeds_and_verdicts(four):
    (fid, _), text = ganvas.compare(*four).scores, str(ganvas.compare(*four))
    assert (fid.key, fid.best) == ("FID[lite0]", "B")
    assert (fid.summaries["A"].mean, fid.summaries["B"].mean) == (pytest.approx(1.005), pytest.approx(0.105))
    assert fid.verdicts["A"].beyond is True and fid.verdicts["A"].how == "seeds"
    assert "B is better than A" in text and "Welch" in text
    assert "Scores, 500 samples beside 400 of ring, validation" in text


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (passport(1.0, split="train"), "another split (validation and train)"),
        (passport(1.0, samples=100), "another number of samples (500 and 100)"),
        (passport(1.0, key="FID[native]"), "another extractor (lite0; native)"),
        (passport(1.0, fingerprint="g"), "other data"),
    ],
)
def test_other_scores_are_not_compared_and_it_is_said_why(made, other, why):
    runs = [made("a", told=passport(1.0)), made("b", 0.1, told=passport(2.0)), made("c", 0.2, told=other)]
    found = ganvas.compare(*runs)
    assert [each.summaries.keys() for each in found.scores if each.key == "FID[lite0]"] == [{"A", "B"}]
    (note,) = found.notes
    assert note.startswith("the scores of c are not comparable with those of a: ") and why in note


def test_a_run_that_has_scores_of_both_kinds_is_compared_by_those_that_most_share(made):
    a, b, c = (made(name, lr) for name, lr in (("a", 0.1), ("b", 0.2), ("c", 0.3)))
    for run, value in ((a, 1.0), (b, 2.0), (c, 3.0)):
        (run / "validation.json").write_text(json.dumps(passport(value)))
    (a / "train.json").write_text(json.dumps(passport(9.0, split="train") | {"date": "2027-01-01"}))
    (fid, _), notes = ganvas.compare(a, b, c).scores, ganvas.compare(a, b, c).notes
    assert {letter: each.mean for letter, each in fid.summaries.items()} == {"A": 1.0, "B": 2.0, "C": 3.0} and not notes


def test_runs_without_scores_are_told_so_and_those_of_training_stand_alone(made):
    found = ganvas.compare(made("a"), made("b", 0.1))
    assert found.notes == ["a, b have no saved scores: add --evaluate"]
    assert [each.about for each in found.scores] == ["while training, the best moment"]


def test_judging_now_gives_every_run_the_same_scores_and_keeps_them(made, capsys):
    runs = [made("a"), made("b", 0.1)]
    words = ("--evaluate", "--metrics", "fid,modes", "-n", 200, "--split", "validation")
    assert command("compare", *runs, *words, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert {each["key"] for each in told["scores"] if each["about"].startswith("200")} == {
        "FID[coordinates]", "modes[coordinates]", "good[coordinates]"
    }  # fmt: skip
    kept = json.loads((runs[0] / "scores.json").read_text())["scores"]["FID[coordinates]"]
    first = next(each for each in told["scores"] if each["key"] == "FID[coordinates]")
    assert first["summaries"]["A"]["mean"] == kept["value"]
    assert command("compare", *runs) == 0 and "good[coordinates]" in capsys.readouterr().out


def test_the_page_has_samples_of_one_seed_and_curves_over_steps_and_time(four, tmp_path):
    found = ganvas.compare(*four)
    found.save(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert page.count("data:image/png;base64,") == 4 and "B is better than A" in Tags(page).words
    assert "over steps" in page and "over seconds" in page and "at second" in page
    assert "<script" not in page and "default-src 'none'" in page
    found.save(tmp_path / "table.md")
    lines = (tmp_path / "table.md").read_text().splitlines()
    assert "| option | A | B |" in lines and "| arguments.lr | 0.01 | 0.001 |" in lines


def test_a_run_that_cannot_be_sampled_is_shown_by_its_last_picture(four, tmp_path):
    shutil.rmtree(four[0] / "checkpoints")
    shutil.rmtree(four[0] / "best", ignore_errors=True)
    page = ganvas.compare(*four).html()
    assert f"{four[0].name} could not be sampled" in page and page.count("data:image/png") == 4
    assert page.count("the last picture of its training") == 1


def test_what_cannot_be_compared_ends_in_one_line(made, capsys, tmp_path):
    a, b = made("a"), made("b", 0.1, fingerprint="0" * 64)
    assert "are of other data (ring" in refused(capsys, "compare", a, b)
    assert "name two runs" in refused(capsys, "compare", a) and "name two runs" in refused(capsys, "compare")
    assert "is named twice" in refused(capsys, "compare", a, a / ".")
    (tmp_path / "empty").mkdir()
    assert "is not a run" in refused(capsys, "compare", a, tmp_path / "empty")
    assert "saved as .html, .md, .json" in refused(capsys, "compare", a, b, "--out", tmp_path / "x.pdf")
    (tmp_path / "mine.md").write_text("mine")
    assert "--overwrite" in refused(capsys, "compare", a, made("c", 0.2), "--out", tmp_path / "mine.md")
    assert (tmp_path / "mine.md").read_text() == "mine"
    assert "goes with --evaluate" in refused(capsys, "compare", a, b, "-n", 5)
    (a / "config.json").write_text("{}")
    assert "cannot be read" in refused(capsys, "compare", a, b)
