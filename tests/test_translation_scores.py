"""Judging of what models make of what is given to them: known scores for known answers, and the three beside them."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import ganvas
from games import training_of
from ganvas.data.batches import Pairs, Unpaired
from ganvas.data.opening import open_data
from ganvas.errors import RunError, UsageError
from ganvas.features import Extractor, Features, ImageExtractor
from ganvas.inputs import Given, Input
from ganvas.metrics import answers, translation
from ganvas.metrics import scorer as scorer_module
from ganvas.metrics.answers import ranks
from ganvas.metrics.passport import Score
from ganvas.metrics.questions import as_made, questions_of
from ganvas.metrics.scorer import Scorer
from ganvas.model.trained import Model
from ganvas.recipe import Losses, Recipe, Turn
from ganvas.run.recorder import Recorder
from ganvas.spaces import FREE, ImageSpace, stronger

SIDE = 8
LOW, HIGH = 40, 200


class Quarters(ImageExtractor):
    """A mean of each quarter of a picture."""

    def __init__(self) -> None:
        super().__init__()
        self.name, self.weights_hash, self.resizing, self.dimensions = "quarters", "0" * 64, "none", 4
        self.eye = nn.Parameter(torch.ones(()), requires_grad=False)

    def prepare(self, levels: Tensor) -> Tensor:
        return levels * self.eye

    def maps_of(self, prepared: Tensor) -> list[Tensor]:
        return [nn.functional.adaptive_avg_pool2d(prepared.mean(1, keepdim=True), 2).flatten(1)[:, :, None, None]]

    def classify(self, features: Tensor) -> Tensor:
        return features


class Same(Extractor):
    """Numbers without feature maps."""

    def __init__(self) -> None:
        super().__init__()
        self.name, self.weights_hash, self.resizing, self.dimensions = "same", "0" * 64, "none", 64

    def forward(self, samples: Tensor) -> Features:
        return Features(samples.float().mean(1).flatten(1), None)


class Times(Recipe):
    """Each picture times one number: -1 turns light and dark round."""

    accepts = (Pairs,)

    def __init__(self, factor: float = -1.0, channels: int = 3) -> None:
        super().__init__()
        self.channels = channels
        self.generator = nn.Conv2d(1, 1, 1)
        self.generator.weight.data.fill_(factor)
        self.generator.bias.data.zero_()

    def inputs(self) -> dict[str, Input]:
        return {"source": Given(ImageSpace(self.channels, FREE, FREE))}

    def generate(self, *, source: Tensor) -> Tensor:
        return self.generator(source.flatten(0, 1)[:, None]).view_as(source).clamp(-1, 1)

    def optimizers(self):
        return {"generator": torch.optim.SGD(self.generator.parameters(), lr=1e-3)}

    def turns(self, progress, batches):
        yield Turn("generator", self.losses, next(batches))

    def losses(self, real):
        return Losses({"difference": (self.fake(real) - real.image).abs().mean()})


class Across(Times):
    """The same between two domains."""

    accepts = (Unpaired,)


def model_of(factor: float = -1.0, kind: type[Times] = Times) -> Model:
    recipe = kind(factor).eval().requires_grad_(False)
    return Model(recipe, ImageSpace(3, SIDE, SIDE), recipe.inputs(), 7, "times")


def squares(number: int) -> np.ndarray:
    """(8, 8, 3): two light patches on dark ground, in a way that belongs to the number."""
    pixels = np.full((SIDE, SIDE, 3), LOW, np.uint8)
    pixels[number % 7 : number % 7 + 2, number // 7 : number // 7 + 2] = HIGH
    return pixels


@pytest.fixture(scope="module")
def pairs(tmp_path_factory) -> Path:
    """What is given on the right, the same turned round on the left; 24 to train on and 14 held out."""
    root = tmp_path_factory.mktemp("pairs")
    for split, numbers in {"train": range(24), "val": range(24, 38)}.items():
        (root / split).mkdir()
        for number in numbers:
            given = squares(number)
            Image.fromarray(np.concatenate([255 - given, given], axis=1)).save(root / split / f"{number}.png")
    return root


@pytest.fixture(scope="module")
def domains(tmp_path_factory) -> Path:
    """Dark and light pictures; of the 12 dark ones that are held out, 11 have a light twin."""
    root = tmp_path_factory.mktemp("domains")
    for split, numbers in {"train": range(20), "test": range(20, 32)}.items():
        for letter in "AB":
            (root / f"{split}{letter}").mkdir()
        for number in numbers:
            Image.fromarray(squares(number)).save(root / f"{split}A" / f"{number}.png")
            name = "other" if number == 31 else str(number)
            Image.fromarray(255 - squares(number)).save(root / f"{split}B" / f"{name}.png")
    return root


def judged(model: Model, data: Path, **options):
    return ganvas.evaluate(model, data, extractor=options.pop("extractor", Quarters()), progress=False, **options)


def beside(report, key: str, name: str) -> float:
    return report.passport["scores"][key]["beside"][name]["value"]


def test_a_perfect_model_beside_those_who_need_none(pairs):
    report = judged(model_of(), pairs, split="validation")
    scores = report.scores
    assert scores["L1[RGB]"].value == 0 and scores["R@1[quarters]"].value == 1
    assert scores["perceptual[quarters]"].value == pytest.approx(0, abs=1e-6)
    assert scores["SSIM[RGB]" if "SSIM[RGB]" in scores else "PSNR[RGB]"].value == math.inf
    assert scores["sharpness[RGB]"].value == pytest.approx(1)
    assert scores["KID[quarters]"].value == pytest.approx(beside(report, "KID[quarters]", "floor"))
    assert scores["KID[quarters]"].more["subset_size"] == 14 and scores["KID[quarters]"].references == 24
    # Nothing done: dark where light is asked, 255 - 2 * 40 = 175 levels off, or 2 * 200 - 255 = 145 in 4 of 64 places.
    apart = (60 * 175 + 4 * 145) / 64
    assert beside(report, "L1[RGB]", "do nothing") == pytest.approx(apart)
    square = (60 * 175**2 + 4 * 145**2) / 64
    assert beside(report, "PSNR[RGB]", "do nothing") == pytest.approx(10 * math.log10(255**2 / square))
    assert beside(report, "sharpness[RGB]", "do nothing") == pytest.approx(1)
    assert beside(report, "KID[quarters]", "do nothing") > 10 * abs(beside(report, "KID[quarters]", "floor"))
    assert beside(report, "L1[RGB]", "floor") == 0 and beside(report, "R@1[quarters]", "floor") == 1
    mean = np.mean([255.0 - squares(number) for number in range(24)], axis=0).round()
    by_hand = np.mean([np.abs(mean - (255.0 - squares(number))).mean() for number in range(24, 38)])
    assert beside(report, "L1[RGB]", "mean of targets") == pytest.approx(by_hand, abs=0.05)
    assert any(note.startswith("no SSIM: it needs pictures of at least 11 pixels") for note in report.notes)


def test_one_that_does_nothing_is_told_as_much(pairs):
    report = judged(model_of(1.0), pairs, split="validation")
    for key, score in report.passport["scores"].items():
        assert score["value"] == pytest.approx(score["beside"]["do nothing"]["value"]), key
    lines = str(report).splitlines()
    assert lines[0].split()[:1] == ["score"] and "do nothing" in lines[0] and "mean of targets" in lines[0]
    assert json.loads(report.to_json())["judged"]["beside"] == ["do nothing", "floor", "mean of targets"]


def test_without_other_items_the_floor_of_kid_cannot_be_told(pairs):
    report = judged(model_of(), pairs, metrics=["kid"])
    assert list(report.scores) == ["KID[quarters]"] and report.passport["data"]["split"] == "all"
    assert report.passport["scores"]["KID[quarters]"]["beside"]["floor"] == {}
    assert any("KID's floor cannot be told" in note for note in report.notes)


def test_twins_of_unpaired_domains_by_their_names(domains):
    data = open_data(domains, Unpaired, size=SIDE, progress=False)
    found = questions_of(data, "test", None, 0, "source")
    assert len(found) == 12 and found.known.tolist() == list(range(11)) and not found.answered
    wanted = torch.from_numpy(np.stack([255 - squares(number) for number in range(20, 31)])).permute(0, 3, 1, 2)
    assert torch.equal(found.answers.values, wanted)
    assert found.nothing is not None and torch.equal(255 - found.nothing.values[:11], wanted)
    report = judged(model_of(kind=Across), domains, split="test", size=(SIDE, SIDE))
    assert report.scores["R@1[quarters]"].samples == 11 and report.scores["R@1[quarters]"].value == 1
    assert report.scores["KID[quarters]"].samples == 12
    assert not any(key.startswith(("L1", "PSNR")) for key in report.scores)
    assert any(note.startswith("11 right answers known by names") for note in report.notes)


def test_twins_need_not_lie_in_the_same_split(tmp_path):
    """Without folders of splits, names are cut into splits each by itself."""
    for domain, change in {"dark": 0, "light": 255}.items():
        (tmp_path / domain).mkdir()
        for number in range(40):
            Image.fromarray(np.abs(change - squares(number).astype(int)).astype(np.uint8)).save(
                tmp_path / domain / f"{number}.png"
            )
    data = open_data(tmp_path, Unpaired, size=SIDE, progress=False)
    for split in ("train", "validation+test"):
        found = questions_of(data, split, None, 0, "source")
        assert len(found.known) == len(found)
        assert torch.equal(255 - found.nothing.values, found.answers.values)


def test_ranks_by_hand():
    right = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 2.0], [1.0, 1.0]])
    mine = torch.tensor([[1.0, 0.1], [1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    # The second lies on the first's answer, and nearer to the fourth's; two and three have equal angles, no one nearer.
    assert ranks(mine, right).tolist() == [0, 2, 0, 1]


def test_what_is_given_in_the_form_of_what_is_made():
    gray = torch.full((2, 1, 8, 8), 0.5)
    made = as_made(gray, ImageSpace(3, 16, 16))
    assert made is not None and made.shape == (2, 3, 16, 16) and torch.allclose(made, torch.tensor(0.5))
    colours = torch.tensor([0.0, 0.3, 0.9]).view(1, 3, 1, 1).expand(1, 3, 4, 4)
    assert torch.allclose(as_made(colours, ImageSpace(1, 4, 4)), torch.full((1, 1, 4, 4), 0.4))
    assert as_made(torch.zeros(2, 5), ImageSpace(3, 8, 8)) is None


def test_a_grid_is_as_strong_as_both_of_its_numbers_allow():
    assert stronger({2: (6.0, 8.0), 4: (10.0, 1.0)}, {2: (2.0, 4.0), 4: (1.0, 2.0)}) == 2.0


def test_what_cannot_be_judged_is_one_line(pairs, domains):
    with pytest.raises(UsageError, match="psnr cannot be told: this data has no right answers"):
        judged(model_of(kind=Across), domains, metrics=["psnr"], split="test")
    with pytest.raises(UsageError, match=r"no metric 'percept' of a model .* did you mean 'perceptual'"):
        judged(model_of(), pairs, metrics=["percept"])
    with pytest.raises(UsageError, match="perceptual cannot be told: same has no feature maps"):
        judged(model_of(), pairs, metrics=["perceptual"], extractor=Same())
    with pytest.raises(UsageError, match="twins cannot be told: the data has no twins"):
        judged(model_of(), pairs, metrics=["twins"])
    with pytest.raises(UsageError, match="does not take --truncation"):
        judged(model_of(), pairs, truncation=0.5)
    with pytest.raises(RunError, match="makes NaN or infinities"):
        judged(model_of(math.nan), pairs, split="validation")


def test_only_what_the_metrics_need_is_made(pairs, monkeypatch):
    def unneeded(*_, **__):
        raise AssertionError("nobody needs this")

    monkeypatch.setattr(translation, "reference", unneeded)
    report = judged(model_of(), pairs, split="validation", metrics=["l1"])
    assert report.scores["L1[RGB]"].value == 0 and report.passport["data"]["references"] == 24
    monkeypatch.setattr(translation, "_answers", unneeded)
    monkeypatch.setattr(translation, "mean_of", unneeded)
    inside = Score("inside", "RGB", 0.4, None, "lower", 9, 9, {})
    monkeypatch.setattr(translation, "twin_scores", lambda model, data: {inside.key: inside})
    report = judged(model_of(), pairs, split="validation", metrics=["twins"])
    assert list(report.scores) == ["inside[RGB]"]
    assert report.passport["judged"]["count"] == 9 and report.passport["judged"]["beside"] == []
    with pytest.raises(UsageError, match="ages cannot be told"):
        judged(model_of(), pairs, split="validation", metrics=["ages"])


def test_scores_while_training_ask_for_every_held_out_thing_once(pairs, tmp_path, monkeypatch):
    data = open_data(pairs, Pairs, size=SIDE, progress=False)
    monkeypatch.setattr(scorer_module, "_judge", lambda *_: Quarters())
    told = {}
    for factor in (-1.0, -0.5, 1.0):
        training = training_of(Times(factor), data, steps=1, batch_size=4)
        scorer = Scorer(tmp_path, Recorder(tmp_path), training, every=1, stop_when_flat=None, about={}, progress=False)
        samples = scorer._samples(training)
        assert samples is not None and scorer.count == 14
        wanted = questions_of(data, "validation", None, 0, "source").given["source"]
        assert torch.equal(samples, data.space.encode(wanted * factor))
        told[factor], _ = scorer._score(samples)
    assert set(told[1.0]) == {"KID[quarters]", "perceptual[quarters]", "translation[quarters]"}
    assert told[1.0]["translation[quarters]"] == pytest.approx(1)  # it does nothing
    assert told[-1.0]["translation[quarters]"] < told[-0.5]["translation[quarters]"] < 1
    assert abs(told[-1.0]["translation[quarters]"]) < 0.1


def test_scores_of_unpaired_training_are_kernel_distances(domains, tmp_path, monkeypatch):
    data = open_data(domains, Unpaired, size=SIDE, progress=False)
    monkeypatch.setattr(scorer_module, "_judge", lambda *_: Quarters())
    training = training_of(Across(), data, steps=1, batch_size=4)
    scorer = Scorer(tmp_path, Recorder(tmp_path), training, every=1, stop_when_flat=None, about={}, progress=False)
    assert scorer.key == "KID[quarters]" and set(scorer._score(scorer._samples(training))[0]) == {"KID[quarters]"}


def test_every_metric_is_told_of_pairs(pairs):
    of_sounds = {"mel", "loudness", "pitch"}
    named = {name for name in answers.METRICS if name not in {"ssim", *of_sounds}}
    with pytest.raises(UsageError, match="loudness cannot be told: images have no loudness"):
        judged(model_of(), pairs, split="validation", metrics=["loudness"])
    report = judged(model_of(), pairs, split="validation", metrics=sorted(named - {"grid"}))
    assert {key.partition("[")[0] for key in report.scores} == {
        measure.name for name in named - {"grid"} for measure in answers.METRICS[name]
    }
