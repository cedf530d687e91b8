"""Judging: what the scores of known samples must be, what is kept, and what is refused with which words."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import ganvas
from ganvas.data.opening import open_data
from ganvas.errors import DataError, RunError, UsageError
from ganvas.features import Extractor, Features
from ganvas.inputs import Category, Input, Normal, with_names
from ganvas.metrics import distributions as d
from ganvas.metrics.leakage import trained_on
from ganvas.metrics.memorisation import memorisation
from ganvas.metrics.modes import modes, stacked_modes
from ganvas.metrics.native import Native
from ganvas.metrics.reference import reference
from ganvas.metrics.samples import count_of, in_order, of_data, of_model
from ganvas.model.trained import Model
from ganvas.recipe import Recipe
from ganvas.spaces import ImageSpace
from test_cli import ganvas as command
from test_cli import refused

EYE = """
import torch
from torch import nn

class Eye(nn.Module):
    def __init__(self):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(5)
            self.look = nn.Conv2d(1, 6, 4, 4)

    def forward(self, images):
        features = self.look(images[:, :1]).amax((2, 3))
        return features, 3 * features[:, :4]
"""


class Pixels(Extractor):
    """A mean of each quarter of a picture: four features whose values can be told by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.name, self.weights_hash, self.resizing, self.dimensions = "pixels", "0" * 64, "none", 4
        self.calls = 0

    def forward(self, samples: Tensor) -> Features:
        self.calls += len(samples)
        quarters = nn.functional.adaptive_avg_pool2d(samples.float().mean(1, keepdim=True), 2)
        return Features(quarters.flatten(1), None)


class Flat(Recipe):
    """Pictures of one gray level each, `level` of 255 on average; with classes, each has a level of its own."""

    def __init__(self, classes: int = 0, broken: bool = False) -> None:
        super().__init__()
        self.classes = classes
        self.level = nn.Parameter(torch.full((max(classes, 1),), math.nan if broken else 0.1))

    def inputs(self) -> dict[str, Input]:
        return {"latent": Normal((1, 1, 1)), "label": Category(max(self.classes, 1))}

    def generate(self, *, latent: Tensor, label: Tensor) -> Tensor:
        return (self.level[label][:, None, None, None] + latent / 3).expand(-1, 1, 8, 8)


def written(folder: Path, pictures: np.ndarray, first: int = 0) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number, pixels in enumerate(pictures):
        Image.fromarray(pixels).save(folder / f"{first + number:04d}.png")
    return folder


def read_by_hand(folder: Path) -> Tensor:
    """All pictures of a folder, (N, 1, H, W) uint8, read without Ganvas."""
    files = sorted(folder.rglob("*.png"))
    return torch.from_numpy(np.stack([np.asarray(Image.open(file)) for file in files]))[:, None]


def pictures(n: int, seed: int = 0, low: int = 0, high: int = 256, side: int = 8) -> np.ndarray:
    return np.random.default_rng(seed).integers(low, high, (n, side, side), dtype=np.uint8)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """400 pictures of noise."""
    return written(tmp_path_factory.mktemp("data") / "real", pictures(400))


@pytest.fixture(scope="module")
def labelled(tmp_path_factory) -> Path:
    """Two labels that are easy to tell apart: dark and bright noise, 250 of each."""
    root = tmp_path_factory.mktemp("labelled") / "real"
    written(root / "dark", pictures(250, 1, 0, 120))
    written(root / "bright", pictures(250, 2, 130, 256))
    return root


# -- the scores -------------------------------------------------------------------------------------------------


def test_scores_are_those_of_the_functions_on_the_same_features(data, tmp_path):
    fake = written(tmp_path / "fake", pictures(300, 3, 0, 200))
    eye = Pixels()
    report = ganvas.evaluate(fake, data, extractor=eye, progress=False)
    real, mine = (eye(read_by_hand(folder)).features for folder in (data, fake))
    expected = d.frechet_distance(d.Moments.of(real), d.Moments.of(mine))
    score = report.scores["FID[pixels]"]
    assert score.value == pytest.approx(expected, rel=1e-9)
    assert (score.samples, score.references) == (300, 400)
    # Worked out by hand: means of pixels are 127.5 and 99.5, so |m1 - m2|^2 is about 4 * 28^2, and little is added.
    assert 4 * 24**2 < score.value < 4 * 32**2
    assert score.interval is not None and score.interval.low < score.value < score.interval.high
    wanted = {"FID", "KID", "precision", "recall", "density", "coverage", "diversity", "memorised"}
    assert report.scores.keys() == {f"{name}[pixels]" for name in wanted}
    assert all(each.interval is not None for each in report.scores.values())
    assert any("Inception Score needs logits" in note for note in report.notes)


@pytest.mark.parametrize("name", ["fid", "kid", "precision", "recall", "density", "coverage", "diversity"])
def test_only_what_was_asked_for_is_told(name, data, tmp_path):
    report = ganvas.evaluate(
        written(tmp_path / "fake", pictures(120, 3)), data, extractor=Pixels(), metrics=[name], progress=False
    )
    wanted = f"{name.upper() if name in ('fid', 'kid') else name}[pixels]"
    assert list(report.scores) == [wanted] and str(report).count("[pixels]") == 1
    better = {"fid": "lower", "kid": "lower", "diversity": "nearer to 1"}.get(name, "higher")
    assert f"{better} is better" in str(report)


def test_the_same_distribution_scores_near_nothing_and_another_one_terribly(data, tmp_path):
    same = written(tmp_path / "same", pictures(300, 4))
    good = ganvas.evaluate(same, data, extractor=Pixels(), progress=False).scores
    flat = np.repeat(np.repeat(pictures(300, 5)[:, :1, :1], 8, 1), 8, 2)
    bad = ganvas.evaluate(written(tmp_path / "flat", flat), data, extractor=Pixels(), progress=False).scores
    assert good["FID[pixels]"].value < 30 and bad["FID[pixels]"].value > 1000
    assert good["precision[pixels]"].value > 0.8 and bad["precision[pixels]"].value < 0.3
    assert good["coverage[pixels]"].value > 0.8 and bad["coverage[pixels]"].value < 0.3


def test_a_model_is_judged_in_eight_bits_by_its_seed(data):
    model = Model(Flat(), ImageSpace(1, 8, 8), Flat().inputs(), 7)
    samples = of_model(model, "model", 100, seed=3)
    levels = (model.sample(100, seed=3).clamp(-1, 1) + 1) * 127.5
    assert samples.values.dtype == torch.uint8
    assert torch.equal(samples.values, levels.round().to(torch.uint8))
    first, again, other = (
        ganvas.evaluate(model, data, extractor=Pixels(), n=100, seed=s, metrics=["fid"], progress=False)
        for s in (1, 1, 2)
    )
    key = "FID[pixels]"
    assert first.scores[key].value == again.scores[key].value != other.scores[key].value
    judged = first.passport["judged"]
    assert (
        judged["step"] == 7 and judged["count"] == 100 and judged["recipe"] == "Flat" and len(judged["weights"]) == 64
    )


def test_conditional_samples_are_read_and_trained_on(labelled, tmp_path):
    names = with_names(Flat(classes=2).inputs(), {"label": ("bright", "dark")})
    right = Model(Flat(classes=2), ImageSpace(1, 8, 8), names, 1)
    with torch.no_grad():
        right.recipe.level.copy_(torch.tensor([0.9, -0.9]))  # within a sixth of bright and of dark
    metrics = ["accuracy", "tstr", "class-fid"]
    good = ganvas.evaluate(right, labelled, n=200, metrics=metrics, progress=False).scores
    with torch.no_grad():
        right.recipe.level.copy_(torch.tensor([-0.9, 0.9]))  # the labels are swapped
    bad = ganvas.evaluate(right, labelled, n=200, metrics=["accuracy", "class-fid"], progress=False).scores
    assert good["accuracy[native]"].value > 0.9 and bad["accuracy[native]"].value < 0.1
    assert good["TSTR[native]"].value > 0.8
    assert good["TRTR[native]"].value > 0.95 and good["TRTR[native]"].samples == good["TSTR[native]"].samples == 200
    assert good["FID of dark[native]"].value < bad["FID of dark[native]"].value
    assert good["FID of dark[native]"].samples == 100
    real = ganvas.evaluate(labelled, labelled, metrics=["accuracy"], progress=False)
    assert real.scores["accuracy[native]"].value > 0.97 and "native" in real.passport["extractors"]


def test_modes_of_the_mixtures_by_hand():
    ring = torch.tensor([[2.0, 0.0], [2.05, 0.0], [0.0, 2.0], [2.07, 0.0], [0.0, 0.0]])
    found = modes(ring, "ring")  # 0.06 is three standard deviations
    assert (found.found, found.total, found.good.tolist()) == (2, 8, [True, True, True, False, False])
    grid = torch.tensor([[-2.0, 1.0], [-2.0, 1.14], [-2.0, 1.16]])
    assert modes(grid, "grid")[:2] == (1, 25) and modes(grid, "grid").good.tolist() == [True, True, False]
    assert modes(grid, "grid").counts.sort(descending=True).values.tolist() == [2, *[0] * 24]


def test_modes_of_stacked_digits_by_hand():
    """Images whose channels say their digit: two of 007, one of 123 and one of 999, of data in which the first two are
    equally frequent and the third is missing."""
    images = torch.tensor([[0, 0, 7], [0, 0, 7], [1, 2, 3], [9, 9, 9]])[:, :, None, None].expand(4, 3, 2, 2)
    found = stacked_modes(images, lambda channel: channel[:, 0, 0, 0], {"007": 5, "123": 5, "456": 10})
    assert found[:2] == (2, 3) and found.read.tolist() == [7, 7, 123, 999]
    expected = 0.5 * math.log(0.5 / 0.25) + 0.25 * math.log(0.25 / 0.25) + 0.25 * math.log(0.25 / 0.05)
    assert found.kl == pytest.approx(expected)


def test_modes_of_stacked_digits_need_the_reader_of_single_digits_alone(monkeypatch):
    class Reader(Native):
        """Reads the digit that a channel is filled with."""

        weights_hash = "none"

        def forward(self, samples: Tensor) -> Features:
            read = samples[:, 0, 0, 0].long() // 25
            return Features(samples.flatten(1), nn.functional.one_hot(read, 10).float())

    def trained(data, progress):
        assert data.name == "digits"
        return Reader(1, 10)

    monkeypatch.setattr("ganvas.metrics.scores.native", trained)
    needless = lambda *_, **__: pytest.fail("the data need not be looked at")  # noqa: E731
    monkeypatch.setattr("ganvas.metrics.scores.reference", needless)
    filled = torch.tensor([[0, 0, 7], [0, 0, 7], [1, 2, 3]])[:, :, None, None].expand(3, 3, 28, 28)
    samples = (25 * filled).to(torch.uint8).numpy()
    report = ganvas.evaluate(samples, "stacked-digits", metrics=["modes"], progress=False)
    assert report.scores["modes[native-digit]"].value == 2
    assert report.scores["modes KL[native-digit]"].references == 20_000
    assert "native-digit" in report.passport["extractors"]


def test_points_are_judged_by_their_coordinates(tmp_path):
    ring = open_data("ring", progress=False)
    points = of_data(ring, "test")[0].values.numpy()
    np.save(tmp_path / "points.npy", points[np.abs(points[:, 0]) > 1])  # the modes at the top and the bottom are lost
    report = ganvas.evaluate(tmp_path / "points.npy", "ring", metrics=["modes", "fid", "memorisation"], progress=False)
    assert report.scores["modes[coordinates]"].value == 6
    assert report.scores["good[coordinates]"].value > 0.98
    assert report.nearest is None


def test_copies_of_the_training_set_are_found_and_only_they():
    draw = torch.Generator().manual_seed(0)
    trained, held_out, fresh = (torch.randn(n, 5, generator=draw) for n in (400, 100, 300))
    honest = memorisation(fresh, trained, held_out)
    assert honest.expected == 0.8 and abs(honest.excess) < 0.35 and honest.p > 0.01
    copied = memorisation(trained[:300] + 1e-3, trained, held_out)
    assert copied.share == 1 and copied.excess == 1 and copied.p == 1 / 10_000
    assert copied.place.tolist() == list(range(300))
    half = memorisation(torch.cat([fresh[:150], trained[:150]]), trained, held_out)
    assert 0.3 < half.excess < 0.7 and half.p < 0.01
    # By hand: of three samples, two are nearer to the training item, so 2/3 against an expected 1/2.
    tiny = memorisation(torch.tensor([[0.0], [1.0], [9.0]]), torch.tensor([[0.5]]), torch.tensor([[8.0]]))
    assert tiny.share == pytest.approx(2 / 3) and tiny.excess == pytest.approx(1 / 3)
    assert tiny.p == pytest.approx(0.5, abs=0.02)  # which of the two items was trained on is a coin's throw


def test_the_chance_of_a_share_is_a_chance():
    """Where nothing is copied, one in ten tests is below 0.1."""
    draw = torch.Generator().manual_seed(1)
    below = 0
    for _ in range(60):
        samples, trained, held_out = (torch.randn(n, 3, generator=draw) for n in (200, 100, 50))
        below += memorisation(samples, trained, held_out).p <= 0.1
    assert 1 <= below <= 13


def test_the_picture_shows_the_copies_above_their_items(data, tmp_path):
    items = of_data(open_data(data, progress=False), "train")[0].values[:12, 0].numpy()
    fake = written(tmp_path / "fake", np.concatenate([items, pictures(100, 9)]))
    report = ganvas.evaluate(fake, data, extractor=Pixels(), metrics=["memorisation"], progress=False)
    report.save_nearest(tmp_path / "nearest.png")
    picture = np.asarray(Image.open(tmp_path / "nearest.png"))
    assert picture.shape == (2 * 8 + 2, 10 * 8 + 9 * 2)
    assert (picture[:8, :8] == picture[10:, :8]).all()


# -- references -------------------------------------------------------------------------------------------------


def test_a_reference_is_computed_once_and_a_damaged_one_anew(data, tmp_path, monkeypatch):
    monkeypatch.setenv("GANVAS_CACHE", str(tmp_path))
    opened = open_data(data, progress=False)
    first = reference(opened, "train", 50, 0, Pixels())
    eye = Pixels()
    again = reference(opened, "train", 50, 0, eye)
    assert (first.found, again.found, eye.calls) == (False, True, 0)
    assert torch.equal(first.features, again.features) and torch.equal(first.places, again.places)
    (file,) = (tmp_path / "references").glob("*.safetensors")
    tensors = load_file(file)
    tensors["features"][0, 0] += 1
    save_file(tensors, file)
    mended = reference(opened, "train", 50, 0, Pixels())
    assert not mended.found and torch.equal(first.features, mended.features)
    file.write_bytes(file.read_bytes()[:100])
    assert not reference(opened, "train", 50, 0, Pixels()).found
    file.with_suffix(".json").write_text('{"key": ' + "[" * 100_000)
    assert not reference(opened, "train", 50, 0, Pixels()).found
    assert reference(opened, "train", 50, 0, Pixels()).found


def test_other_data_splits_counts_seeds_and_extractors_have_other_references(data, labelled, tmp_path, monkeypatch):
    monkeypatch.setenv("GANVAS_CACHE", str(tmp_path))
    opened, eye = open_data(data, progress=False), Pixels()
    other = Pixels()
    other.weights_hash = "1" * 64
    resized = Pixels()
    resized.resizing = "twice"
    asked: list[tuple[Any, ...]] = [
        (opened, "train", 50, 0, eye), (opened, "train", 50, 1, eye), (opened, "train", 60, 0, eye),
        (opened, "validation+test", None, 0, eye), (open_data(labelled, progress=False), "train", 50, 0, eye),
        (opened, "train", 50, 0, other), (opened, "train", 50, 0, resized),
    ]  # fmt: skip
    assert [reference(*each).found for each in asked] == [False] * len(asked)
    assert [reference(*each).found for each in asked] == [True] * len(asked)
    assert reference(opened, "validation+test", None, 9, eye).found  # all of a split: no draw, so no seed


def test_what_was_computed_and_what_was_found_is_said(data, tmp_path, monkeypatch):
    monkeypatch.setenv("GANVAS_CACHE", str(tmp_path))
    first, second = (
        ganvas.evaluate(data, data, extractor=Pixels(), metrics=["fid"], progress=False).notes for _ in range(2)
    )
    assert any("computed, and kept" in note for note in first)
    assert any("found in the cache" in note for note in second)


def test_splits_join(data):
    opened = open_data(data, progress=False)
    assert count_of(opened, "validation+test") == opened.counts["validation"] + opened.counts["test"]
    everything, places = of_data(opened, "train+validation+test")
    assert len(everything) == len(opened) == 400 and places.tolist() == list(range(400))
    assert count_of(opened, "all") == 400
    assert [in_order(split) for split in ("test+validation", "test+train+validation", "all", "test")] == [
        "validation+test", "all", "all", "test",
    ]  # fmt: skip
    with pytest.raises(UsageError, match="did you mean 'test'"):
        count_of(opened, "tests")


def test_of_two_folders_all_items_are_compared(data, tmp_path):
    """As other tools do: a folder of data has no test split that nobody asked for."""
    fake = written(tmp_path / "fake", pictures(120, 3, 0, 200))
    a, b = (Pixels()(read_by_hand(folder)).features.double().numpy() for folder in (data, fake))
    covariances = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    mixed = np.sqrt(np.linalg.eigvals(covariances[0] @ covariances[1]).real.clip(0)).sum()
    by_hand = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(covariances[0] + covariances[1]) - 2 * mixed

    def fid(**options: Any) -> tuple[float, dict[str, Any]]:
        report = ganvas.evaluate(fake, data, extractor=Pixels(), metrics=["fid"], progress=False, **options)
        return report.scores["FID[pixels]"].value, report.passport["data"]

    value, about = fid()
    assert value == pytest.approx(by_hand, rel=1e-6)
    assert (about["split"], about["references"], about["drawn_by_seed"]) == ("all", 400, None)
    assert fid(split="test+validation+train")[1] == about
    other, about = fid(split="train")
    assert about["split"] == "train" and about["references"] < 400 and abs(other - value) > 1
    assert ganvas.evaluate(data, data, extractor=Pixels(), metrics=["fid"], progress=False).scores[
        "FID[pixels]"
    ].value == pytest.approx(0, abs=1e-3)


def test_splits_that_the_data_brings_count_where_they_are_asked_for(tmp_path):
    for split, count in (("training", 60), ("testing", 70)):
        written(tmp_path / "real" / split, pictures(count, count))
    fake = written(tmp_path / "fake", pictures(60, 3))

    def about(**options: Any) -> tuple[str, int]:
        judged = ganvas.evaluate(
            fake, tmp_path / "real", extractor=Pixels(), metrics=["diversity"], progress=False, **options
        )
        return judged.passport["data"]["split"], judged.passport["data"]["references"]

    assert about() == ("all", 130) and about(split="test") == ("test", 70)


def test_a_draw_of_two_folders_is_told(data, monkeypatch):
    monkeypatch.setattr("ganvas.metrics.evaluate.COUNT", 150)
    drawn = ganvas.evaluate(data, data, extractor=Pixels(), metrics=["fid"], progress=False)
    assert (drawn.scores["FID[pixels]"].samples, drawn.scores["FID[pixels]"].references) == (150, 150)
    told = "of 400 samples and 400 items of the data 150 each are drawn at most: -n 400 takes all"
    assert told in drawn.notes
    assert told not in ganvas.evaluate(data, data, extractor=Pixels(), metrics=["fid"], n=400, progress=False).notes


# -- warnings ---------------------------------------------------------------------------------------------------


class Projected(Recipe):
    frozen = ("eyes",)

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.eyes = nn.ModuleDict({"renamed": network})


def test_a_model_trained_on_its_judge_is_told_by_the_weights():
    torch.manual_seed(0)
    judge, stranger = Pixels(), Pixels()
    judge.layer, stranger.layer = nn.Linear(20, 20), nn.Linear(20, 20)
    copied = nn.Sequential(nn.Linear(20, 20))
    copied[0].load_state_dict(judge.layer.state_dict())  # under another name, in another module
    (warning,) = trained_on(Projected(copied), [judge], {})
    assert "trained on pixels" in warning and "'eyes'" in warning and "--extractor lite2" in warning
    stranger.weights_hash = "2" * 64
    assert trained_on(Projected(nn.Sequential(stranger.layer)), [judge], {}) == []
    assert "argument 'features'" in trained_on(Projected(stranger), [judge], {"features": "pixels"})[0]
    assert trained_on(Projected(stranger), [judge], {"features": "lite0"}) == []


# -- the command line, and what is refused ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def eye(tmp_path_factory) -> str:
    file = tmp_path_factory.mktemp("eye") / "eye.py"
    file.write_text(EYE)
    return f"{file}:Eye"


@pytest.fixture(scope="module")
def run(data, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("run") / "run"
    return ganvas.train("dcgan", data=data, out=out, steps=2, batch_size=16, width=4, precision="float32", quiet=True)


def test_a_run_is_judged_by_what_it_was_trained_on(run, eye, tmp_path, capsys):
    passport = tmp_path / "out.json"
    assert command("evaluate", run, "--extractor", eye, "-n", 120, "--json", passport, "--quiet") == 0
    captured = capsys.readouterr()
    content = json.loads(passport.read_text())
    assert "FID[eye.py:Eye]" in captured.out and "FID[eye.py:Eye]" in content["scores"]
    assert not any(line.split()[0] == "FID" for line in captured.out.splitlines() if line.strip())
    config = json.loads((run / "config.json").read_text())
    assert content["data"]["fingerprint"] == config["data"]["fingerprint"]
    assert content["judged"]["run"] == "run" and content["judged"]["step"] == 2
    assert (tmp_path / "out-nearest.png").is_file()
    assert command("evaluate", run, "--extractor", eye, "-n", 120, "--json", passport, "--quiet") == 0
    again = json.loads(passport.read_text())
    assert again["scores"] == content["scores"]
    other = tmp_path / "notes.json"
    other.write_text('{"mine": 1}')
    assert "add --overwrite" in refused(capsys, "evaluate", run, "--json", other)
    assert other.read_text() == '{"mine": 1}'


def test_a_run_is_judged_by_a_split_of_what_it_was_trained_on_and_by_all_of_other_data(run, data, tmp_path):
    counts = open_data(data, progress=False).counts
    other = written(tmp_path / "other", pictures(90, 8))

    def about(*source: Path, **options: Any) -> tuple[str, int]:
        judged = ganvas.evaluate(
            run, *source, extractor=Pixels(), metrics=["diversity"], n=400, progress=False, **options
        )
        return judged.passport["data"]["split"], judged.passport["data"]["references"]

    assert about() == about(data) == ("train", counts["train"])
    moved = Path(shutil.copytree(data, tmp_path / "moved"))
    assert about(moved) == ("train", counts["train"])  # the same data, wherever it lies
    assert about(other) == ("all", 90)
    assert about(split="all") == ("all", 400)
    assert about(other, split="train") == ("train", open_data(other, progress=False).counts["train"])


def test_data_that_changed_since_is_noticed(tmp_path, capsys):
    folder = written(tmp_path / "photos", pictures(80))
    run = ganvas.train("dcgan", data=folder, out=tmp_path / "run", steps=1, batch_size=8, width=4, quiet=True)
    written(folder, pictures(1, 99), first=500)
    assert "has changed since" in refused(capsys, "evaluate", run, "--quiet")


def test_one_broken_file_is_named_and_left_out(data, eye, tmp_path, capsys):
    folder = written(tmp_path / "thumbnails", pictures(120, 3))
    (folder / "0007.png").write_bytes((folder / "0007.png").read_bytes()[:60])
    assert command("evaluate", folder, "--data", data, "--extractor", eye, "--metrics", "fid", "--quiet") == 0
    out = capsys.readouterr().out
    assert "1 damaged item left out: 0007.png" in out and "FID[eye.py:Eye]" in out


def test_samples_that_are_no_numbers_are_named(data):
    model = Model(Flat(broken=True), ImageSpace(1, 8, 8), Flat().inputs(), 12)
    with pytest.raises(RunError, match=r"model \(step 12\) cannot be judged: 64 of its samples 1 to 64 hold NaN"):
        ganvas.evaluate(model, data, extractor=Pixels(), progress=False)


def test_too_few_images_are_refused_with_the_number(data, eye, tmp_path, capsys):
    few = written(tmp_path / "few", pictures(30, 3))
    line = refused(capsys, "evaluate", few, "--data", data, "--extractor", eye, "--metrics", "kid", "--quiet")
    assert "KID needs at least 100 on each side, and there are 30 samples" in line
    line = refused(capsys, "evaluate", few, "--data", data, "--extractor", eye, "--metrics", "fid", "--quiet")
    assert "FID needs at least 50" in line


def test_what_cannot_be_is_refused(data, labelled, run, eye, tmp_path, capsys):
    def line(*words: Any) -> str:
        return refused(capsys, "evaluate", *words, "--quiet")

    assert "did you mean 'kid'" in line(data, "--data", data, "--metrics", "kidd")
    assert "did you mean 'lite0'" in line(data, "--data", data, "--extractor", "lite00")
    assert "did you mean 'native'" in line(data, "--data", data, "--extractor", "natve")
    assert "it needs labels" in line(data, "--data", data, "--extractor", eye, "--metrics", "accuracy")
    assert "trained on labels" in line(data, "--data", data, "--extractor", "native")
    assert "take coordinates" in line("ring", "--data", "ring", "--extractor", "lite0")
    assert "say what to compare with" in line(data)
    assert "say what to judge" in line()
    assert "nothing to judge" in line(tmp_path / "missing", "--data", data)
    assert "did you mean 'train'" in line(data, "--data", data, "--split", "trian", "--extractor", eye)
    assert "models that enlarge photos and for --pairs" in line(data, "--data", data, "--border", 2)
    (tmp_path / "eye.py").write_text("this is no Python")
    assert "eye.py" in line(data, "--data", data, "--extractor", f"{tmp_path / 'eye.py'}:Eye")
    (tmp_path / "weights.pth").write_bytes(b"not weights")
    assert "weights.pth" in line(data, "--data", data, "--weights", tmp_path / "weights.pth")
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "config.json").write_bytes((run / "config.json").read_bytes())
    assert "no checkpoint of" in line(empty)
    assert "has no flag --metric" in line(data, "--metric", "fid")


# -- pairs ------------------------------------------------------------------------------------------------------


@pytest.fixture
def pair(tmp_path) -> tuple[Path, Path]:
    """Three pictures of 12x16 in colour, and the same with every level one higher."""
    random = np.random.default_rng(0)
    for number in range(3):
        pixels = random.integers(0, 255, (12, 16, 3), dtype=np.uint8)
        for folder, image in (("a", pixels), ("b", pixels + 1)):
            (tmp_path / folder).mkdir(exist_ok=True)
            Image.fromarray(image).save(tmp_path / folder / f"{number}.png")
    return tmp_path / "a", tmp_path / "b"


def test_pairs_by_hand(pair, tmp_path, capsys):
    words = [
        "evaluate",
        pair[0],
        "--pairs",
        pair[1],
        "--metrics",
        "psnr,ssim",
        "--json",
        tmp_path / "p.json",
        "--quiet",
    ]
    assert command(*words) == 0
    scores = json.loads((tmp_path / "p.json").read_text())["scores"]
    assert scores.keys() == {"PSNR[RGB]", "PSNR[Y]", "SSIM[RGB]", "SSIM[Y]"}
    assert scores["PSNR[RGB]"]["value"] == pytest.approx(20 * math.log10(255), abs=1e-9)  # an error of 1 everywhere
    # Y takes (65.481 + 128.553 + 24.966) / 255 of a common change.
    assert scores["PSNR[Y]"]["value"] == pytest.approx(20 * math.log10(255 / (219 / 255)), abs=1e-3)
    assert scores["SSIM[RGB]"]["value"] > 0.999


def test_equal_pairs_and_small_ones_are_said(pair, capsys):
    assert command("evaluate", pair[0], "--pairs", pair[0], "--metrics", "psnr", "--quiet") == 0
    assert "3 pairs without any difference" in capsys.readouterr().out
    line = refused(capsys, "evaluate", pair[0], "--pairs", pair[1], "--metrics", "ssim", "--border", 2, "--quiet")
    assert "SSIM needs pictures of at least 11 pixels a side" in line


def test_pairs_that_do_not_fit_are_refused(pair, capsys):
    a, b = pair

    def line() -> str:
        return refused(capsys, "evaluate", a, "--pairs", b, "--metrics", "psnr", "--quiet")

    Image.new("RGB", (16, 12)).save(a / "9.png")
    assert "a holds 4 images and b 3" in line() and "9 (only in a)" in line()
    (a / "9.png").unlink()
    (b / "2.png").rename(b / "two.png")
    assert "2 (only in a)" in line() and "two (only in b)" in line()
    (b / "two.png").rename(b / "2.png")
    Image.new("RGB", (16, 13)).save(b / "1.png")
    assert "named 1 have different sizes, 12x16 and 13x16" in line()
    (b / "1.png").write_bytes(b"\x89PNG nothing")
    assert "1.png in b is damaged" in line()
    assert "does not take --data" in refused(capsys, "evaluate", a, "--pairs", b, "--data", "digits")


def test_an_unequal_space_is_told(data, tmp_path):
    colours = tmp_path / "colours"
    colours.mkdir()
    for number in range(60):
        Image.fromarray(np.random.default_rng(number).integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(
            colours / f"{number}.png"
        )
    with pytest.raises(DataError, match=r"--channels 3"):
        ganvas.evaluate(colours, data, extractor=Pixels(), progress=False)
    report = ganvas.evaluate(colours, data, extractor=Pixels(), channels=3, metrics=["fid"], progress=False)
    assert report.passport["data"]["resizing"] == "images 8x8 RGB"
