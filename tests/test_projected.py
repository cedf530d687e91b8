"""Recipe `projected`: what its judges see and learn, and how a step is played."""

import json

import numpy as np
import pytest
import torch

import ganvas
from ganvas.data.batches import Images
from ganvas.errors import UsageError
from ganvas.features import extractor
from ganvas.metrics.leakage import trained_on
from ganvas.recipes.projected import Maps, Projected
from ganvas.testing import Subject, tiny_images
from ganvas.training import checkpoint

SMALL = {"width": 4, "d_width": 4, "mixed": 2, "view": 32, "latent": 8}


@pytest.fixture
def recipe():
    torch.manual_seed(0)
    return Projected(channels=3, size=(32, 32), classes=2, **SMALL)


def some(count=4, channels=3):
    return Images(image=torch.rand(count, channels, 32, 32) * 2 - 1, label=torch.arange(count) % 2)


@pytest.mark.parametrize("objective", ["hinge", "relativistic"])
def test_its_losses_are_the_mean_of_each_judges(objective):
    torch.manual_seed(0)
    recipe = Projected(channels=3, size=(32, 32), classes=2, objective=objective, **SMALL)
    made = recipe.g_losses(some())
    maps = Maps(**made.kept)
    real, fake = (recipe.judges(recipe.features.parted(each), maps.label) for each in (maps.real, maps.fake))
    pairs = list(zip(real, fake, strict=True))
    assert len(pairs) == 4
    if objective == "hinge":
        of_judges = sum((1 - r).relu().mean() + (1 + f).relu().mean() for r, f in pairs) / 4
        of_generator = -sum(f.mean() for _, f in pairs) / 4
    else:
        of_judges = sum(torch.log1p(torch.exp(f - r)).mean() for r, f in pairs) / 4
        of_generator = sum(torch.log1p(torch.exp(r - f)).mean() for r, f in pairs) / 4
    torch.testing.assert_close(made.total(), of_generator)
    torch.testing.assert_close(recipe.d_losses(maps, strength=0).total(), of_judges)


def test_its_penalties_are_of_maps_in_units_of_their_length():
    torch.manual_seed(0)
    recipe = Projected(channels=3, size=(32, 32), classes=2, r1=0.5, r2=0.25, **SMALL)
    maps = Maps(**recipe.g_losses(some()).kept)
    terms = recipe.d_losses(maps, strength=4).terms
    for name, weight, seen in (("r1", 0.5, maps.real), ("r2", 0.25, maps.fake)):
        flat = seen.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(recipe.judged(flat, maps.label).sum(), flat)
        expected = 4 * weight / 2 * (gradient.square().sum(1) * flat.shape[1]).mean()
        torch.testing.assert_close(terms[name], expected)


def test_a_step_generates_once_and_looks_once_at_what_is_real_and_at_what_is_made():
    training = Subject(Projected, tiny_images(), SMALL, fit_steps=1).training(augment="diff")
    network, calls = training.recipe.features.extractor.network, []
    network._conv_stem.register_forward_hook(lambda layer, given, made: calls.append(given[0].requires_grad))
    training.recipe.generator.register_forward_hook(lambda *_: calls.append("made"))
    before = {name: each.clone() for name, each in training.recipe.features.state_dict().items()}
    training.step()
    assert calls == ["made", False, True]  # no gradient is kept of what is real
    after = training.recipe.features.state_dict()
    assert all(torch.equal(each, after[name]) for name, each in before.items())


@pytest.mark.parametrize("channels", [1, 4])
def test_it_learns_from_gray_and_from_transparent_images(channels):
    training = Subject(Projected, tiny_images(12, channels), SMALL, fit_steps=1).training()
    for _ in range(2):
        training.step()
    assert training.meter.finite() and training.recipe.generate(**training.recipe.draw(2)).shape[1] == channels


@pytest.mark.parametrize("channels", [2, 5])
def test_what_the_network_cannot_see_is_refused(channels):
    with pytest.raises(UsageError, match=f"RGBA, and these images have {channels} channels: .*--channels 3.*r3gan$"):
        Projected(channels=channels, size=(32, 32), **SMALL)


def test_the_run_tells_by_whose_weights_it_was_judged_and_holds_none_of_them(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3), np.uint8)
    run = ganvas.train(
        "projected", data=images, out=tmp_path / "run", steps=2, quiet=True, batch_size=4, looks=False, **SMALL
    )
    config = json.loads((run / "config.json").read_text())
    assert config["settings"]["augment"] == "diff"
    told = f"note: judged through lite0 at 32x32, whose weights are {extractor('lite0').weights_hash}"
    assert told in config["plan"]
    names = checkpoint.read(checkpoint.found(run / "checkpoints")[0])["model"]
    assert names and not any(name.startswith("features") for name in names)


def test_scores_in_its_own_features_are_said_to_flatter_it(recipe):
    (warning,) = trained_on(recipe, [extractor("lite0")], {})
    assert "'features' has the same weights" in warning and "--extractor lite2" in warning
