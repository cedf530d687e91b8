"""Inversion: which inputs a picture is made of, beside models whose answer is known."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import ganvas
from ganvas.errors import UsageError
from ganvas.features import likeness
from ganvas.inputs import Category, Input, Normal, Uniform
from ganvas.model import Inversion, inversion
from ganvas.model.trained import Model
from ganvas.recipe import Recipe
from ganvas.spaces import PointSpace

GOLDEN = Path(__file__).parent / "golden" / "format-1"


class Known(Recipe):
    """A linear map of a latent vector on a sphere and of numbers from -1 to 1, to which a class adds 10 times its own
    number."""

    def __init__(self, *, sphere: bool = True) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.generator, self.sphere = nn.Linear(6, 4), sphere

    def inputs(self) -> dict[str, Input]:
        return {
            "latent": Normal((4,), sphere=self.sphere),
            "codes": Uniform((2,)),
            "label": Category(3, ("a", "b", "c")),
            "other": Category(3),
        }

    def generate(self, *, latent: Tensor, codes: Tensor, label: Tensor, other: Tensor) -> Tensor:
        moved = self.generator(torch.cat([latent, codes], 1))
        return moved + 10.0 * label.unsqueeze(1) + 100.0 * other.unsqueeze(1)


class Rounded(Known):
    def generate(self, **inputs: Tensor) -> Tensor:
        return super().generate(**inputs).round().detach()


class Encoding(Known):
    """Its own inverse, for the samples whose codes and classes are 0."""

    def encode(self, values: Tensor) -> dict[str, Tensor]:
        latent = (values - self.generator.bias) @ torch.linalg.inv(self.generator.weight[:, :4]).T
        zero = torch.zeros(len(values), dtype=torch.int64)
        return {"latent": latent, "codes": torch.zeros(len(values), 2), "label": zero, "other": zero}


class Fixed(Recipe):
    """Draws classes and nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.generator = nn.Linear(1, 4)

    def inputs(self) -> dict[str, Input]:
        return {"label": Category(3)}


def model_of(recipe: Recipe) -> Model:
    return Model(recipe.eval().requires_grad_(False), PointSpace(4), recipe.inputs(), 0)


@pytest.fixture(scope="module")
def known() -> Model:
    return model_of(Known())


@pytest.fixture(scope="module")
def digits() -> Model:
    return ganvas.load(GOLDEN / "r3gan")


@pytest.mark.parametrize("sphere", [True, False])
def test_what_a_model_made_is_found_again(sphere: bool) -> None:
    model = model_of(Known(sphere=sphere))
    made = model.sample(3, seed=5, label=["b", "c", "a"], other=[2, 0, 1])
    found = model.invert(made, steps=400)
    assert found.inputs["label"].tolist() == [1, 2, 0] and found.inputs["other"].tolist() == [2, 0, 1]
    torch.testing.assert_close(found.samples, made, atol=0.02, rtol=0)
    torch.testing.assert_close(model.decode(found.inputs), found.samples)
    assert (found.errors < 0.1 * found.drawn_errors).all() and (found.distances < 0.1 * found.drawn_distances).all()
    assert found.measure == "look" and found.steps.tolist() == [400] * 3 and found.psnr.isnan().all()


def test_inputs_that_are_found_could_have_been_drawn(known: Model) -> None:
    far = torch.full((1, 4), 40.0)
    found = known.invert(far, steps=50, other=0).inputs
    torch.testing.assert_close(found["latent"].square().mean(1), torch.ones(1), atol=1e-4, rtol=0)
    assert found["codes"].abs().max() <= 1 and found["label"].tolist() == [2] and found["other"].tolist() == [0]
    loose = model_of(Known(sphere=False)).invert(far, steps=300, label="a", other=0).inputs
    assert 4.9 < float(loose["latent"].norm()) <= 5.001  # the root of 4, and 3 beyond


def test_a_class_that_is_given_stays(known: Model) -> None:
    made = known.sample(1, seed=1, label="c", other=0)
    found = known.invert(made, steps=20, label="b", other=0)
    assert found.inputs["label"].tolist() == [1] and float(found.errors) > 3
    latent = torch.ones(1, 4)
    assert torch.equal(known.invert(made, steps=20, latent=latent).inputs["latent"], latent)


def test_the_same_seed_and_steps_find_the_same_and_leave_the_random_state_alone(known: Model) -> None:
    made = known.sample(1, seed=3)
    before = torch.random.get_rng_state()
    first, again, other = (known.invert(made, steps=9, draws=30, seed=seed) for seed in (7, 7, 8))
    assert torch.equal(before, torch.random.get_rng_state())
    assert all(torch.equal(first.inputs[name], again.inputs[name]) for name in first.inputs)
    assert not torch.equal(first.inputs["latent"], other.inputs["latent"])


def test_of_several_each_is_found_as_it_is_alone(known: Model) -> None:
    made = known.sample(2, seed=3)
    both, alone = known.invert(made, steps=9), known.invert(made[1:], steps=9)
    assert torch.equal(both.samples[1:], alone.samples) and both.distances[1] == alone.distances[0]


def test_an_encoder_is_where_it_begins_too() -> None:
    model = model_of(Encoding(sphere=False))
    made = model.sample(1, seed=2, codes=torch.zeros(2), label=0, other=0)
    found = model.invert(made, steps=1, draws=1)
    assert float(found.errors) < 1e-4 < float(found.drawn_errors)


def test_how_far_it_is_off_is_told() -> None:
    inversion = Inversion(
        inputs={},
        samples=torch.zeros(1, 1, 1, 1),
        measure="lite2",
        distances=torch.tensor([0.25]),
        errors=torch.tensor([0.2]),
        drawn_distances=torch.tensor([1.5]),
        drawn_errors=torch.tensor([0.632456]),
        draws=1000,
        steps=torch.tensor([5]),
        bounds=(-1, 1),
    )
    assert str(inversion) == "PSNR 20.0 dB (the nearest of 1,000 draws 10.0), distance[lite2] 0.25 (1.5)"
    points = replace(inversion, bounds=None, measure="look")
    assert points.told() == (
        "off by 0.2 (root mean square; the nearest of 1,000 draws by 0.632), distance[look] 0.25 (1.5)"
    )


@pytest.mark.parametrize("installed", [True, False])
def test_a_sample_of_a_trained_run_is_approached(digits: Model, installed: bool, monkeypatch) -> None:
    monkeypatch.setattr(likeness, "at_hand", lambda name: installed)
    label = digits.labels[1]
    made = digits.sample(1, seed=9, label=label)
    found = digits.invert(made, steps=60, draws=100, label=label)
    assert found.measure == ("lite2" if installed else "look")
    assert float(found.distances) < 0.5 * float(found.drawn_distances)
    assert float(found.psnr) > float(found.drawn_psnr) + 3
    mean_square = float((found.samples - made).square().mean())
    assert float(found.psnr) == pytest.approx(10 * math.log10(4 / mean_square), abs=0.01)


def test_pictures_are_taken_in_every_form(digits: Model) -> None:
    made = digits.sample(1, seed=9)
    file, levels = digits.space.file(made), digits.space.to_uint8(made)
    from_file, from_levels = (digits.invert(each, steps=1, draws=20).inputs["latent"] for each in (file, levels))
    assert torch.equal(from_file, from_levels)


def test_a_short_time_ends_the_draws_and_leaves_the_rest_for_the_descent(known: Model, monkeypatch) -> None:
    clock, ticks = iter(range(10_000)), list[int]()
    monkeypatch.setattr(inversion.time, "monotonic", lambda: float(next(clock)))  # a second at each look
    found = known.invert(torch.zeros(1, 4), seconds=20, tick=lambda: ticks.append(1))
    assert found.draws == 6 * 64  # the sixth look finds 6 of 20 seconds gone
    assert 5 < int(found.steps) < 14 and len(ticks) == 6 + int(found.steps)
    monkeypatch.undo()
    assert known.invert(torch.zeros(1, 4), steps=1).draws == 1000


@pytest.mark.parametrize(
    ("value", "more", "told"),
    [
        (torch.zeros(3, 28, 28), {}, "must be of shape"),
        (np.zeros((28, 28, 3), np.uint8), {}, "must be images"),
        (b"no picture", {}, "this is no image file"),
        (None, {"label": "zwei"}, "there is no 'zwei'"),
        (None, {"lable": 2}, "has no input 'lable'; did you mean 'label'?"),
        (None, {"steps": 0}, "1 step or more, not 0"),
        (None, {"steps": 3, "seconds": 1}, "--steps or --seconds, not both"),
        (None, {"seconds": math.nan}, "more than 0 seconds, not nan"),
        (None, {"draws": 0}, "1 draw or more, not 0"),
    ],
)
def test_what_cannot_be_inverted_is_one_line(digits: Model, value, more, told) -> None:
    with pytest.raises(UsageError) as refused:
        digits.invert(digits.sample(1, seed=1) if value is None else value, **more)
    assert told in str(refused.value) and "\n" not in str(refused.value)


def test_a_model_without_a_latent_or_a_gradient_says_so() -> None:
    with pytest.raises(UsageError, match="Fixed draws nothing that could be searched"):
        model_of(Fixed()).invert(torch.zeros(4))
    with pytest.raises(UsageError, match="samples of Rounded have no gradient"):
        model_of(Rounded()).invert(torch.zeros(4))
