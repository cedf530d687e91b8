"""The doctor: each signal measures what it says, and each diagnosis is made when, and only when, it should be."""

from __future__ import annotations

import html
import io
import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console
from torch import Tensor

from games import Linear, Rivals, assert_identical, few_images, made, ring, snapshot, training_of
from ganvas.api import prepare
from ganvas.cli import main
from ganvas.data.dataset import Data
from ganvas.data.opening import open_data
from ganvas.doctor import diagnosis, looks, real_features
from ganvas.doctor.diagnosis import Finding, diagnose, in_words
from ganvas.doctor.looks import Looks, compare, labels_shown
from ganvas.doctor.real_features import ITEMS, RealFeatures, affordable, chosen
from ganvas.errors import UsageError
from ganvas.recipes.dcgan import DCGAN
from ganvas.report import Display, write_report
from ganvas.run.history import judges
from ganvas.spaces import ImageSpace
from ganvas.training.processes import Processes
from ganvas.training.watcher import Watcher

CPU = torch.device("cpu")
CLIPPED = Path(__file__).parents[1] / "docs" / "examples" / "clipped_gan.py"


# -- signals ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def points() -> tuple[Data, RealFeatures]:
    return ring(), RealFeatures.of(ring(), CPU)


def held_out(data: Data, count: int = 256) -> tuple[Tensor, Tensor]:
    batch = data.split("test").gather(np.arange(count))
    return batch.value, batch.label  # type: ignore[attr-defined]


def test_fresh_items_are_as_good_as_the_data(points: tuple[Data, RealFeatures]) -> None:
    data, reference = points
    found = compare(held_out(data)[0], None, reference)
    assert found["diversity"] == pytest.approx(1, abs=0.06)
    assert found["spread"] == pytest.approx(1, abs=0.3)
    assert found["coverage"] > 0.9  # 1 - (1/2)^5 is expected
    assert found["missed"] == 0 and found["distance"] < 0.02
    assert found["copying"] == pytest.approx(1, abs=0.3)
    assert "checkerboard" not in found  # points have no pixels


def test_half_of_the_modes_give_about_half_of_the_coverage(points: tuple[Data, RealFeatures]) -> None:
    data, reference = points
    values, labels = held_out(data, 1000)
    found = compare(values[labels < 4][:256], None, reference)
    assert found["coverage"] == pytest.approx(0.5, abs=0.08)
    assert found["missed"] == pytest.approx(0.5, abs=0.08)
    # Four modes of a ring are its half: from the distances between eighths of a circle, by hand.
    chords = [[abs(np.exp(1j * np.pi * (a - b) / 4) - 1) for a in range(n)] for n in (4, 8) for b in range(n)]
    assert found["diversity"] == pytest.approx(np.mean(chords[:4]) / np.mean(chords[4:]), abs=0.05)


def test_one_point_is_a_collapse_and_a_copy_is_a_copy(points: tuple[Data, RealFeatures]) -> None:
    data, reference = points
    one = held_out(data, 1)[0].expand(256, 2) + 0.001 * torch.randn(256, 2, generator=torch.Generator().manual_seed(0))
    found = compare(one, None, reference)
    assert found["diversity"] < 0.01 and found["missed"] > 0.8
    copies = data.split("train").gather(chosen(len(data.split("train")), ITEMS)[:256]).value
    assert compare(copies, None, reference)["copying"] == 0


def test_copies_of_few_pictures_are_told_without_held_out_ones() -> None:
    data = few_images(24, size=8)
    reference = RealFeatures.of(data, CPU)
    assert not len(reference.held_out)
    train = data.split("train").gather(np.arange(len(data.split("train")))).value.float()
    noise = 1e-3 * torch.randn(256, *train.shape[1:], generator=torch.Generator().manual_seed(1))
    copies = train[torch.arange(256) % len(train)] + noise
    assert compare(copies, None, reference)["copying"] < 0.3
    between = (copies[torch.randperm(256, generator=torch.Generator().manual_seed(2))] + copies) / 2
    assert compare(between, None, reference)["copying"] > 0.5


def test_samples_that_are_not_finite_say_nothing_else(points: tuple[Data, RealFeatures]) -> None:
    samples = torch.zeros(8, 2)
    samples[:2, 1] = math.nan
    assert compare(samples, None, points[1]) == {"not_finite": 0.25}


def by_labels(data: Data, order: list[int]) -> tuple[Tensor, Tensor]:
    """Real points as if 30 latents each went with every label: sample k of a latent is an item of label order[k]."""
    values, labels = held_out(data, 2000)
    columns = [values[labels == label][:30] for label in order]
    return torch.stack(columns, 1).flatten(0, 1), torch.arange(8).repeat(30)


def test_labels_that_are_heeded_permuted_and_ignored(points: tuple[Data, RealFeatures]) -> None:
    data, reference = points
    heeded = compare(*by_labels(data, list(range(8))), reference)
    assert heeded["labels_agree"] == pytest.approx(1, abs=0.02) and heeded["labels_move"] > 0.95
    assert heeded["diversity_within"] == pytest.approx(1, abs=0.15)
    shifted = compare(*by_labels(data, [2, 3, 4, 5, 6, 7, 0, 1]), reference)  # a quarter of the circle: at right angles
    assert shifted["labels_agree"] == pytest.approx(0, abs=0.02) and shifted["labels_move"] > 0.95
    samples, labels = held_out(data, 30)[0].repeat_interleave(8, 0), torch.arange(8).repeat(30)
    ignored = compare(samples, labels, reference)
    assert ignored["labels_agree"] == pytest.approx(0, abs=1e-6) and ignored["labels_move"] < 1e-6


def test_a_label_with_one_sample_only_is_told_unless_its_real_items_are_one_too() -> None:
    data = ring()
    values, labels = by_labels(data, list(range(8)))
    assert compare(values, labels, RealFeatures.of(data, CPU))["diversity_least"] > 0.7
    same = torch.where((labels == 3)[:, None], values[3], values)
    assert compare(same, labels, RealFeatures.of(data, CPU))["diversity_least"] < 1e-3
    items, known = held_out(data, 2000)
    lone = torch.cat([(known != 3).nonzero()[:, 0], (known == 3).nonzero()[:1, 0]])
    reference = RealFeatures._made(data.space, items[lone], items[:0], known[lone], None, None, {}, CPU)
    assert compare(same, labels, reference)["diversity_least"] > 0.7


def pictures(side: int = 16, channels: int = 3) -> Tensor:
    """Smooth random pictures: noise with the spectrum of natural images, 1/f."""
    noise = torch.randn(64, channels, side, side, generator=torch.Generator().manual_seed(3))
    frequency = torch.fft.fftfreq(side)
    falling = 1 / (frequency[:, None].square() + frequency.square() + 1 / side**2).sqrt()
    smooth = torch.fft.ifft2(torch.fft.fft2(noise) * falling).real
    return smooth / smooth.abs().max()


@pytest.mark.parametrize(("side", "period"), [(16, 2), (16, 4), (32, 8), (28, 4), (28, 2)])
def test_a_checkerboard_on_pictures_is_seen(side: int, period: int) -> None:
    clean = pictures(side)
    board = torch.zeros(side, side)
    board[::period] += 0.07 * period
    board[:, ::period] += 0.07 * period
    space = ImageSpace(3, side, side)
    plain, boarded = space.patterns(clean), space.patterns(clean + board)
    # Lines this thin are as high at every multiple of their frequency, down to every other pixel.
    assert max(min(b / p for b, p in zip(boarded[k], plain[k], strict=True)) for k in plain) > diagnosis.CHECKERED
    for other in (pictures(side).flip(0), torch.randn(64, 1, side, side)):
        assert all(0.2 < value < 3 for _, value in space.patterns(other).values())


def test_noise_and_smoothness_are_no_checkerboard() -> None:
    random = np.random.RandomState(0)
    real = (pictures(16).permute(0, 2, 3, 1) * 127 + 128).round().clamp(0, 255).to(torch.uint8).numpy()
    data = open_data(np.tile(real, (4, 1, 1, 1))[random.permutation(256)], progress=False)
    reference = RealFeatures.of(data, CPU)
    fresh = data.split("train").gather(np.arange(200)).value
    board = 0.15 * (torch.arange(16) % 2 * 2 - 1).float()
    noisy = fresh + 0.3 * torch.randn(fresh.shape, generator=torch.Generator().manual_seed(0))
    smooth = torch.nn.functional.avg_pool2d(fresh, 3, 1, 1)
    found = [compare(each, None, reference)["checkerboard"] for each in (fresh, noisy, smooth, fresh + board)]
    assert max(found[:3]) < 3 and found[3] > diagnosis.CHECKERED, found


def test_small_pictures_have_no_large_grid() -> None:
    found = {side: set(ImageSpace(3, side, side).patterns(pictures(side))) for side in (7, 16, 32)}
    assert found == {7: set(), 16: {2, 4}, 32: {2, 4, 8}}


def test_labels_that_are_too_many_are_spread() -> None:
    assert labels_shown(0).tolist() == [] and labels_shown(3).tolist() == [0, 1, 2]
    assert labels_shown(100).tolist() == sorted({100 * k // 32 for k in range(32)})
    assert labels_shown(10, samples=32).tolist() == [0, 2, 5, 7]  # each at 8 latents


class Rows(Watcher):
    def __init__(self) -> None:
        super().__init__()
        self.rows: list[dict[str, Any]] = []

    def measured(self, training: Any, row: Any) -> None:
        self.rows.append(dict(row))


def test_looking_leaves_training_bit_for_bit_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks, "LOOK_EVERY", 50)
    data = few_images(64, channels=1)
    arguments = {"channels": 1, "size": (8, 8), "width": 4, "latent": 4}
    left, rows = [], Rows()
    for watchers in ([], [Looks(), rows]):
        training = training_of(made(DCGAN, **arguments), data, watchers, steps=101)
        training.run()
        assert training.recipe.training and all(m.training for m in training.recipe.generator.modules())
        left.append((snapshot(training), torch.get_rng_state()))
    assert_identical(left[0][0], left[1][0])
    assert torch.equal(left[0][1], left[1][1])
    looked = [row for row in rows.rows if "signal/diversity" in row]
    assert [row["step"] for row in looked] == [50, 100]
    assert "signal/shift" in looked[1] and looked[1]["signal/checkerboard"] > 0
    assert "discriminator/logit_fake" in looked[0]


def test_places_are_spread_and_take_no_longer_among_very_many() -> None:
    assert sorted(chosen(40, 64).tolist()) == list(range(40))  # all of few, mixed
    assert chosen(40, 64).tolist() != list(range(40)) and chosen(40, 64).tolist() == chosen(40, 64).tolist()
    among_many = chosen(10**15, 4096)  # a permutation of so many would need petabytes
    assert len(set(among_many.tolist())) == 4096
    assert np.histogram(among_many, 8, (0, 10**15))[0] == pytest.approx(512, abs=120)
    assert not len(chosen(0, 64))


@pytest.mark.parametrize(
    ("shape", "samples"), [((3, 32, 32), 256), ((3, 1024, 1024), 42), ((3, 1182, 1182), 32), ((3, 1183, 1183), 0)]
)
def test_of_large_samples_there_are_fewer_and_of_too_large_ones_none(shape: tuple[int, ...], samples: int) -> None:
    assert affordable(shape) == samples  # half a gigabyte of float32


class Counting(DCGAN):
    """Counts the samples that it makes."""

    made = 0

    def generate(self, **inputs: Any) -> Tensor:
        samples = super().generate(**inputs)
        Counting.made += len(samples)
        return samples


@pytest.mark.parametrize(("numbers", "samples"), [(40 * 64, 40), (31 * 64, 0), (10**9, 256)])
def test_a_look_makes_no_more_numbers_than_it_may(monkeypatch: pytest.MonkeyPatch, numbers: int, samples: int) -> None:
    monkeypatch.setattr(real_features, "NUMBERS", numbers)
    monkeypatch.setattr(real_features, "READ", 16 * 64)  # less than is needed, and never fewer items than that
    monkeypatch.setattr(real_features, "_PART", 64)  # an item at a time
    rows, watcher = Rows(), Looks()
    recipe = made(Counting, channels=1, size=(8, 8), width=4, latent=4)
    training = training_of(recipe, few_images(64, channels=1), [watcher, rows], steps=99)
    training.run()
    Counting.made, training.steps_done = 0, 100
    found = watcher.measure(training)
    assert Counting.made == samples + min(64, samples) and bool(found) == bool(samples)
    if samples:
        assert watcher._reference is not None and len(watcher._reference.train) == real_features.FEWEST
        assert {"signal/diversity", "signal/missed", "signal/checkerboard"} <= found.keys()


# -- diagnoses --------------------------------------------------------------------------------------------------

ARGUMENTS = {"lr": 1e-3, "r1": 0.0, "d_steps": 1, "g_steps": 1, "beta1": 0.5, "smoothing": 0.0, "objective": "minimax"}
CONFIG = {"arguments": ARGUMENTS, "data": {"counts": {"train": 5000}, "space": {"kind": "images"}}}
NORMAL = {
    "diversity": 0.95,
    "diversity_within": 0.9,
    "diversity_least": 0.7,
    "missed": 0.05,
    "distance": 0.2,
    "copying": 1.1,
    "labels_agree": 1.0,
    "labels_agree_error": 0.02,
    "labels_move": 0.5,
    "checkerboard": 1.5,
    "shift": 0.1,
}


def rows_of(game: dict[str, Any] | None = None, **unusual: float) -> list[dict[str, Any]]:
    """A run of 1,000 steps in good health but for what is given; `game` are values or functions of the row's number."""
    usual: dict[str, Any] = {
        "discriminator/real": 0.5,
        "discriminator/fake": 0.6,
        "discriminator/accuracy_real": 0.8,
        "discriminator/accuracy_fake": 0.75,
        "discriminator/logit_real": 1.0,
        "discriminator/logit_fake": -1.0,
        "discriminator/gradient_norm": 1.0,
        "generator/adversarial": 0.9,
        "generator/gradient_norm": 1.0,
    }
    rows = []
    for number in range(1, 21):
        values = {**usual, **(game or {})}
        row = {"step": 50 * number, **{k: v(number) if callable(v) else v for k, v in values.items()}}
        if number % 2 == 0:
            row |= {f"signal/{name}": value for name, value in {**NORMAL, **unusual}.items()}
        rows.append(row)
    return rows


def right(real: float, fake: float) -> dict[str, Any]:
    return {"discriminator/accuracy_real": real, "discriminator/accuracy_fake": fake}


FADING = {"generator/gradient_norm": lambda number: 2.0 if number < 5 else 0.01}
BACK = {"step": 500, "event": "discriminator/real was not finite near step 550; back with 0.5 of the step size"}

CASES: list[tuple[str, list[dict[str, Any]], list[dict[str, Any]], str]] = [
    # name, rows that show it, rows that nearly do, words of the evidence
    ("collapse", rows_of(diversity=0.1), rows_of(diversity=0.5), "is 10% of that between real items"),
    ("collapse", rows_of(diversity_within=0.1), rows_of(diversity_within=0.5), "within a label 10%"),
    ("partial collapse", rows_of(diversity_least=0.05), rows_of(diversity_least=0.3), "for one label at least 5%"),
    ("partial collapse", rows_of(missed=0.5), rows_of(missed=0.2), "and 50% of the data has hardly any sample"),
    (
        "overpowering",
        rows_of({**right(0.99, 0.98), **FADING}, distance=1.5, missed=0.3),
        rows_of(right(0.99, 0.98), distance=0.8, missed=0.3),
        "right on 99% of real and 98% of generated samples, and the generator's gradients have faded from 2 to 0.01",
    ),
    ("weak", rows_of(right(0.6, 0.1), distance=1.2), rows_of(right(0.6, 0.1)), "60% of real and 10% of generated"),
    ("weak", rows_of(right(0.5, 0.52), distance=1.2), rows_of(right(0.5, 0.52)), "far from the data"),
    ("oscillation", rows_of(shift=1.2), rows_of(shift=0.4), "moves by 1.2 standard deviations"),
    (
        "oscillation",
        rows_of({k: lambda n: 0.95 if n % 2 else 0.4 for k in right(0, 0)}),
        rows_of({k: lambda n: 0.8 if n % 2 else 0.6 for k in right(0, 0)}),
        "to and fro between 40% and 95%",
    ),
    ("divergence", [*rows_of(), BACK, BACK], [*rows_of(), BACK], "stopped being finite 2 times"),
    ("divergence", [*rows_of(), BACK, {"step": 500, "event": "failed"}], rows_of(), "smaller steps did not help"),
    ("divergence", rows_of(not_finite=0.5), rows_of(), "50% of the samples are not finite"),
    ("divergence", rows_of(distance=40.0), rows_of(distance=0.4), "40 times the data's whole variance"),
    ("divergence", rows_of({"discriminator/logit_real": 5e4}), rows_of({"discriminator/logit_real": 50.0}), "5e+04"),
    ("memorisation", rows_of(copying=0.2), rows_of(copying=0.9), "0.20 times as far"),
    ("labels", rows_of(labels_move=0.001, labels_agree=0.0), rows_of(labels_move=0.2), "does not move a sample"),
    ("labels", rows_of(labels_agree=0.05), rows_of(labels_agree=0.5), "by 0.05 +- 0.02"),
    ("checkerboard", rows_of(checkerboard=40.0), rows_of(checkerboard=3.0), "have 40 times the energy"),
]


@pytest.mark.parametrize(("name", "ailing", "nearly", "told"), CASES)
def test_what_ails_a_run(name: str, ailing: list[Any], nearly: list[Any], told: str) -> None:
    main_finding = diagnose(ailing, CONFIG)[0]
    assert (main_finding.name, main_finding.mood) == (name, "bad"), main_finding
    assert told in main_finding.evidence and main_finding.cause and main_finding.advice
    assert [finding.name for finding in diagnose(nearly, CONFIG)] == ["healthy"]
    # Only flags that the recipe has.
    bare = {**CONFIG, "arguments": {"other": 1}}
    assert not any("--" in advice for advice in diagnose(ailing, bare)[0].advice)


def test_a_classifier_that_is_not_heard_is_to_be_louder() -> None:
    deaf = rows_of(labels_move=0.001, labels_agree=0.0)
    weighed = {**CONFIG, "arguments": {**ARGUMENTS, "auxiliary": 0.1}}
    assert "--auxiliary" in diagnose(deaf, weighed)[0].advice[0]
    assert not any("--auxiliary" in advice for advice in diagnose(deaf, CONFIG)[0].advice)


def test_too_little_data_is_for_pictures_and_comes_after_what_it_leads_to() -> None:
    few = {**CONFIG, "data": {"counts": {"train": 24}, "space": {"kind": "images"}}}
    assert [finding.name for finding in diagnose(rows_of(), few)] == ["little data"]
    both = diagnose(rows_of(copying=0.2), few)
    assert [finding.name for finding in both] == ["memorisation", "little data"]
    assert "there are 24 of them" in both[0].evidence
    assert diagnose(rows_of(), {**few, "data": {**few["data"], "space": {"kind": "points"}}})[0].name == "healthy"


@pytest.mark.parametrize(
    ("kind", "told"), [("images", True), ("points", False), ("holograms", False), (None, False), ([], False)]
)
def test_a_recipe_is_named_for_the_data_that_it_was_made_for(kind: Any, told: bool) -> None:
    config = {**CONFIG, "data": {"space": {"kind": kind}}}
    (finding,) = diagnose(rows_of(diversity=0.1), config)
    assert ("the r3gan recipe, which was made against this" in finding.advice) == told


def test_young_and_empty_runs_are_not_accused() -> None:
    assert diagnose([])[0].name == "early"
    young = rows_of(diversity=0.01, missed=1.0, checkerboard=500.0, labels_agree=0.0)[:4]
    assert [finding.name for finding in diagnose(young, CONFIG)] == ["early"]
    blind = [{k: v for k, v in row.items() if not k.startswith("signal/")} for row in rows_of()]
    assert (diagnose(blind, CONFIG)[0].name, diagnose(blind, CONFIG)[0].mood) == ("unseen", "note")
    assert diagnose([{"step": i, "generator/adversarial": 1.0} for i in range(9)])[0].name == "unknown"


def test_one_odd_look_says_nothing() -> None:
    rows = rows_of()
    rows[-1]["signal/diversity"] = 0.0
    assert diagnose(rows, CONFIG)[0].name == "healthy"
    rows[-3]["signal/diversity"] = 0.0
    assert diagnose(rows, CONFIG)[0].name == "healthy"  # two bad ones and a good one: on its way
    rows[-5]["signal/diversity"] = 0.0
    assert diagnose(rows, CONFIG)[0].name == "collapse"


def told_as(scale: str, rows: list[dict[str, Any]], player: str = "discriminator") -> list[dict[str, Any]]:
    """Rows as the meter writes them where that player's logits are scores, or of pairs."""
    changed = []
    for row in rows:
        views = {key: row[key] for key in row if key.startswith((f"{player}/accuracy_", f"{player}/logit_"))}
        kept = {key: value for key, value in row.items() if key not in views}
        for key, value in views.items():
            if scale == "pair" and key.endswith("_real"):
                kept[key.removesuffix("real") + "pair"] = value
            elif scale == "score" and "/logit_" in key:
                kept[key] = value
        changed.append(kept)
    return changed


def test_logits_without_a_dividing_line_are_not_read_as_decisions() -> None:
    rows = rows_of({**right(1.0, 1.0), **FADING}, distance=0.8)
    assert diagnose(rows, CONFIG)[0].name == "overpowering"
    (finding,) = diagnose(told_as("score", rows), CONFIG)
    assert finding.name == "healthy" and finding.evidence.startswith("the discriminator's scores have no dividing line")
    assert "%" not in finding.evidence.split(";")[0]
    guessing = rows_of(right(0.5, 0.0), distance=0.8)
    assert diagnose(guessing, CONFIG)[0].name == "weak"
    assert diagnose(told_as("score", guessing), CONFIG)[0].name == "healthy"
    to_and_fro = rows_of({k: lambda n: 0.95 if n % 2 else 0.4 for k in right(0, 0)})
    assert diagnose(told_as("score", to_and_fro), CONFIG)[0].name == "healthy"
    large = rows_of({"discriminator/logit_real": 5e4})
    assert "logits have grown to 5e+04" in diagnose(told_as("score", large), CONFIG)[0].evidence


def test_what_is_said_of_scores_does_not_hang_on_an_arguments_name() -> None:
    """The documentation's own critic, and the same rows under the arguments of one whose objective is named."""
    job = prepare(f"{CLIPPED}:ClippedGAN", ring(), {"steps": 300, "batch_size": 64, "precision": "float32"})
    rows = Rows()
    job.training.watchers = [Looks(), rows]
    job.training.run()
    assert judges(rows.rows) == ["critic"] and not any("accuracy" in key for row in rows.rows for key in row)
    told = [
        [(each.name, each.title, each.evidence, each.player) for each in diagnose(rows.rows, {"arguments": arguments})]
        for arguments in (job.arguments, {"objective": "wasserstein", "lr": 1e-3, "clip": 0.05}, {})
    ]
    assert told[0] == told[1] == told[2]
    # Its weights are clipped to 0.05, so it can tell little and samples are far off; it is not accused of guessing.
    assert not {"weak", "overpowering"} & {name for name, *_ in told[0]}
    scored = [finding for finding in diagnose(told_as("score", rows_of()), CONFIG) if finding.name == "healthy"]
    assert scored and "the discriminator's scores have no dividing line" in scored[0].evidence


def test_pairs_are_called_pairs() -> None:
    rows = told_as("pair", rows_of(right(0.7, 0.2)))
    assert "scores the real one of a pair higher in 70% of pairs" in diagnose(rows, CONFIG)[0].evidence
    guessing = told_as("pair", rows_of(right(0.5, 0.0), distance=0.8))
    assert diagnose(guessing, CONFIG)[0].name == "weak" and "50% of pairs" in diagnose(guessing, CONFIG)[0].evidence
    swinging = told_as("pair", rows_of({"discriminator/accuracy_real": lambda n: 0.95 if n % 2 else 0.4}))
    assert "the share of pairs that the discriminator gets right" in diagnose(swinging, CONFIG)[0].evidence
    overpowering = told_as("pair", rows_of({**right(0.99, 0.0), **FADING}, distance=1.5))
    assert diagnose(overpowering, CONFIG)[0].name == "overpowering"


# -- several discriminators -------------------------------------------------------------------------------------


def rivals(game: dict[str, Any] | None = None, **unusual: float) -> list[dict[str, Any]]:
    """A healthy run of two generators and two discriminators but for what is given."""
    usual: dict[str, Any] = {}
    for side in ("a", "b"):
        usual |= {f"d_{side}/accuracy_real": 0.8, f"d_{side}/accuracy_fake": 0.75, f"d_{side}/logit_real": 1.0}
        usual |= {f"d_{side}/gradient_norm": 1.0, f"g_{side}/adversarial": 0.9, f"g_{side}/gradient_norm": 1.0}
    rows = rows_of({**usual, **(game or {})}, **unusual)
    return [{key: value for key, value in row.items() if "discriminator/" not in key and "generator/" not in key}
            for row in rows]  # fmt: skip


def sure(player: str, share: float = 0.99) -> dict[str, Any]:
    return {f"{player}/accuracy_real": share, f"{player}/accuracy_fake": share}


FADED_B = {"g_b/gradient_norm": lambda number: 2.0 if number < 5 else 0.01}
FADED_D = {"d_b/gradient_norm": lambda number: 2.0 if number < 5 else 0.01}


def test_every_discriminator_is_examined_and_the_one_that_ails_is_named() -> None:
    (healthy,) = diagnose(rivals(), CONFIG)
    assert healthy.name == "healthy" and healthy.player == ""
    assert "the d_a is right on 80% of real and 75% of generated samples; the d_b is right on 80%" in healthy.evidence
    (strong,) = diagnose(rivals({**sure("d_b"), **FADED_B}, distance=1.5, missed=0.3), CONFIG)
    assert (strong.name, strong.title, strong.player) == ("overpowering", "An overpowering d_b", "d_b")
    assert (
        "the d_b is right on 99%" in strong.evidence and "the g_b's gradients have faded from 2 to" in strong.evidence
    )
    (weak,) = diagnose(rivals(sure("d_b", 0.3), distance=1.2), CONFIG)
    assert (weak.name, weak.title, weak.player) == ("weak", "The d_b cannot keep up", "d_b")
    swinging = {key: lambda n: 0.95 if n % 2 else 0.4 for key in sure("d_b")}
    (swing,) = diagnose(rivals(swinging), CONFIG)
    assert (swing.name, swing.player) == ("oscillation", "d_b") and "that the d_b gets right" in swing.evidence
    (far,) = diagnose(rivals({"d_b/logit_real": 5e4}), CONFIG)
    assert (far.name, far.player) == ("divergence", "d_b") and "the d_b's logits" in far.evidence


def test_a_discriminator_whose_gradients_fade_is_no_generator_that_does() -> None:
    sure_of_all = {**sure("d_a"), **sure("d_b")}
    assert diagnose(rivals({**sure_of_all, **FADED_D}, distance=0.8), CONFIG)[0].name == "healthy"
    assert diagnose(rivals({**sure_of_all, **FADED_D, **FADED_B}, distance=0.8), CONFIG)[0].name == "overpowering"


def test_a_discriminator_that_rests_is_not_taken_for_one_that_scores() -> None:
    rows = rivals()
    for row in rows[-5:]:
        for name in [key for key in row if key.startswith("d_a/")]:
            del row[name]
    assert "the d_a has not moved lately; the d_b is right on 80%" in diagnose(rows, CONFIG)[0].evidence


def test_a_critic_beside_a_discriminator_is_not_read_as_one() -> None:
    rows = told_as("score", rivals({**sure("d_a"), **FADED_B}, distance=0.8), "d_a")
    (finding,) = diagnose(rows, CONFIG)
    assert finding.name == "healthy"
    assert "the d_a's scores have no dividing line" in finding.evidence
    assert "the d_b is right on 80%" in finding.evidence


def test_what_two_have_is_said_once_and_kept_for_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = rivals({**sure("d_a"), **sure("d_b", 0.98), **FADED_B}, distance=1.5, missed=0.3)
    found = diagnose(rows, CONFIG)
    assert [(each.name, each.player, each.title) for each in found] == [
        ("overpowering", "d_a", "An overpowering d_a"),
        ("overpowering", "d_b", "An overpowering d_b"),
    ]
    (told,) = in_words(found)
    assert (told.title, told.player) == ("An overpowering d_a and d_b", "d_a and d_b")
    assert "the d_a is right on 99%" in told.evidence and "the d_b is right on 98%" in told.evidence
    assert told.advice == found[0].advice and told.cause == found[0].cause
    run = stored(tmp_path / "run", rows)
    assert command(str(run)) == 0
    assert capsys.readouterr().out.count("All samples are told apart") == 1
    assert command(str(run), "--json") == 0
    content = json.loads(capsys.readouterr().out)
    assert [(each["name"], each["player"]) for each in content["findings"]] == [
        ("overpowering", "d_a"), ("overpowering", "d_b")]  # fmt: skip
    other = Finding("collapse", "bad", "Mode collapse", "as seen")
    three = [Finding("weak", "bad", f"The {name} cannot keep up", name, "", [name], name) for name in ("x", "y", "z")]
    assert [each.title for each in in_words([*three, other])] == ["The x, y and z cannot keep up", "Mode collapse"]
    assert in_words([*three, other])[0].advice == ["x", "y", "z"] and in_words([other]) == [other]


def test_a_recipe_with_two_discriminators_is_told_of_both() -> None:
    rows = Rows()
    training_of(made(Rivals), ring(), [rows], steps=150).run()
    assert judges(rows.rows) == ["d_a", "d_b"]
    (finding,) = diagnose(rows.rows, {})
    shares = [
        sum(row[f"{player}/accuracy_{kind}"] for row in rows.rows) / 3
        for player in ("d_a", "d_b")
        for kind in ("real", "fake")
    ]
    a, b = (f"is right on {shares[i]:.0%} of real and {shares[i + 1]:.0%} of generated samples" for i in (0, 2))
    assert finding.evidence == f"the d_a {a}; the d_b {b}; the samples have not been looked at yet"


# -- runs that say less -----------------------------------------------------------------------------------------


def test_it_is_early_until_samples_were_looked_at_and_said_where_they_never_are() -> None:
    blind = [{k: v for k, v in row.items() if not k.startswith("signal/")} for row in rows_of()]
    looking, not_looking = ({**CONFIG, "settings": {"looks": looks}} for looks in (True, False))
    (early,) = diagnose(blind[:3], looking)
    assert (early.name, early.mood) == ("early", "note") and "have not been looked at yet" in early.evidence
    (seen,) = diagnose(rows_of()[:3], looking)  # one look, at step 100
    assert seen.name == "early" and seen.title == "Too early to judge the samples"
    assert diagnose(blind[:3], CONFIG) == [early]  # where it is not known whether anybody will look
    for rows, config in ((blind[:3], not_looking), (blind, not_looking), (blind, looking), (blind, CONFIG)):
        (finding,) = diagnose(rows, config)
        assert (finding.name, finding.mood) == ("unseen", "note")
        assert finding.title == "Nothing wrong is seen in the game"
        assert finding.evidence.endswith("; nobody looked at the samples")
        # A recipe that is given its images is never looked at, whatever the setting.
        assert len(finding.advice) == 1 and ("--no-looks" in finding.advice[0]) == (config is not_looking)
    assert diagnose(rows_of(), looking)[0].name == diagnose(rows_of(), not_looking)[0].name == "healthy"
    # What the game alone shows is seen without a look.
    strong = [{k: v for k, v in row.items() if "signal" not in k} for row in rows_of({**right(1.0, 1.0), **FADING})]
    assert diagnose(strong, not_looking)[0].name == "overpowering"


@pytest.mark.parametrize(("distance", "name"), [(0.2, "healthy"), (0.99, "healthy"), (1.3, "far"), (4.9, "far")])
def test_samples_further_from_the_data_than_its_average_item_are_not_called_healthy(distance: float, name: str) -> None:
    """Varied ones that nothing else is said of, such as a chequered blob in many colours."""
    (finding,) = diagnose(rows_of(distance=distance), CONFIG)
    assert finding.name == name and finding.mood == ("good" if name == "healthy" else "note")
    assert (f"{distance:.2g} times the data's variance" in finding.evidence) == (name == "far")


def test_a_red_chequered_blob_is_told_by_its_looks() -> None:
    """The looks of `dcgan --lr 0.01 --beta1 0.9` at photos of cats and dogs."""
    seen = {"diversity": 0.32, "missed": 0.94, "distance": 2.83, "checkerboard": 239.6, "shift": 0.09}
    rows = [{k: v for k, v in row.items() if "labels" not in k and "diversity_" not in k} for row in rows_of(**seen)]
    assert [each.name for each in diagnose(rows, CONFIG)] == ["partial collapse", "checkerboard"]
    assert diagnose(rows[:4], CONFIG)[0].name == "early"


def test_a_generator_that_makes_the_datas_average_item_has_the_distance_1() -> None:
    data = ring()
    reference = RealFeatures.of(data, CPU)
    average = reference.train.mean(0).expand(256, 2)
    assert compare(average, None, reference)["distance"] == pytest.approx(1, rel=1e-3)


def test_every_place_says_the_same_of_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Text, JSON, the report and the live display, before and after the first looks and where there are none."""
    blind = [{k: v for k, v in row.items() if not k.startswith("signal/")} for row in rows_of()]
    for number, rows in enumerate((blind[:3], rows_of()[:4], rows_of(distance=1.5), rows_of(diversity=0.1), blind)):
        (finding, *_) = diagnose(rows, CONFIG)
        run = stored(tmp_path / str(number), rows)
        assert command(str(run)) == 0
        assert f"\n{finding.title}: {finding.evidence}.\n" in capsys.readouterr().out
        assert command(str(run), "--json") == 0
        assert json.loads(capsys.readouterr().out)["main"] == finding.name
        page = html.unescape(write_report(run).read_text())
        assert f">{finding.title}<" in page and finding.evidence[1:] in page
        assert "Healthy" not in page
        display = Display(console=Console(file=io.StringIO()), config=CONFIG)
        game = SimpleNamespace(processes=Processes(), steps_done=0, batch_size=8, elapsed=lambda: 1.0, data=ring())
        for row in rows:
            display.measured(game, row)  # type: ignore[arg-type]
        assert display._main == finding


def test_healing_needs_looks() -> None:
    with pytest.raises(UsageError, match="--heal acts on what looks at samples find"):
        prepare("vanilla", ring(), {"steps": 1, "heal": True, "looks": False})


def test_a_run_without_looks_has_no_signals(tmp_path: Path) -> None:
    run, words = tmp_path / "run", ["vanilla", "--data", "ring", "--steps", "100", "--width", "4", "--quiet"]
    with pytest.raises(SystemExit) as ended:
        main(["train", *words, "--no-looks", "--out", str(run)])
    assert ended.value.code == 0
    rows = (run / "metrics.jsonl").read_text()
    assert "discriminator/accuracy_real" in rows and "signal/" not in rows
    assert json.loads((run / "config.json").read_text())["settings"]["looks"] is False


def test_unconditional_runs_have_no_labels_to_lose() -> None:
    rows = rows_of()
    for row in rows:
        for name in [key for key in row if "labels" in key or "diversity_" in key]:
            del row[name]
    assert diagnose(rows, CONFIG)[0].name == "healthy"


@pytest.mark.parametrize("value", [None, "text", [], {}, math.nan, math.inf, 10**400, True])
def test_what_is_no_number_in_rows_and_configs_is_as_if_it_were_not_there(value: Any) -> None:
    rows = rows_of(diversity=0.1)
    for key in [key for row in rows[:2] for key in row if key != "step"]:
        without = [{name: each for name, each in row.items() if name != key} for row in rows]
        spoilt = [{**row, key: value} if key in row else row for row in rows]
        assert diagnose(spoilt, CONFIG) == diagnose(without, CONFIG), key
    for key in ("arguments", "data", "settings"):
        without = {name: each for name, each in CONFIG.items() if name != key}
        assert diagnose(rows, {**CONFIG, key: value}) == diagnose(rows, without)
    data = {"data": {"counts": value, "space": value}, "settings": {"looks": value}}
    assert diagnose(rows, data) == diagnose(rows, {})


# -- the command ------------------------------------------------------------------------------------------------


def stored(folder: Path, rows: list[dict[str, Any]]) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"format": 1, **CONFIG}))
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"step": 10')
    return folder


def command(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["doctor", *words])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_the_command_says_what_ails_a_run_and_exits_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = stored(tmp_path / "run", rows_of(diversity=0.1, checkerboard=40.0))
    assert command(str(run)) == 0
    told = capsys.readouterr().out
    assert told.index("Mode collapse: ") < told.index("Checkerboard artefacts: ")
    assert "Try: --lr 3 to 10 times lower" in told and diagnosis.CAVEAT in told and "Not finished: 1,000 steps" in told
    assert command(str(run), "--json") == 0
    content = json.loads(capsys.readouterr().out)
    assert content["main"] == "collapse" and content["ailing"] is True
    assert [finding["name"] for finding in content["findings"]] == ["collapse", "checkerboard"]


def test_the_users_errors_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = stored(tmp_path / "run", rows_of())
    (run / "config.json").write_text("{")
    for words in ((), (str(tmp_path / "none"),), (str(run),), (str(run), "--jason")):
        assert command(*words) == 2
        error = capsys.readouterr().err
        assert error.startswith("ganvas: ") and error.count("\n") == 1


def test_a_training_without_averages_is_looked_at_too() -> None:
    rows = Rows()
    training = training_of(made(Linear), open_data("ring", progress=False), [Looks(), rows], steps=100, ema=0)
    training.run()
    (row,) = [row for row in rows.rows if "signal/diversity" in row]
    assert row["signal/diversity"] > 0 and "signal/labels_agree" not in row


def test_what_was_not_finite_long_ago_is_over() -> None:
    rows = [BACK, BACK, *({**row, "step": row["step"] + 500} for row in rows_of())]
    assert diagnose(rows, CONFIG)[0].name == "healthy"
    assert diagnose(rows[:8], CONFIG)[0].name == "divergence"
