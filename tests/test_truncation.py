"""Truncation brings samples nearer to the mean in all recipes that draw normal numbers, and they stay the same ones."""

import functools

import pytest
import torch

from ganvas import recipes
from ganvas.data.batches import Images
from ganvas.data.opening import open_data
from ganvas.errors import UsageError
from ganvas.inputs import Caption, Category, Normal
from ganvas.testing import Subject, tiny, tiny_images

COUNT = 16
GIVEN = ("adain", "ageing", "cut", "cyclegan", "esrgan", "inpainting", "pix2pix", "srgan", "stargan", "vocoder")
OTHERS = [name for name in recipes.names() if name not in GIVEN]


@functools.cache
def trained(name, source="images"):
    """The recipe after three steps, in which BatchNorm's statistics have moved, in evaluation mode."""
    recipe = recipes.find(name)
    kinds = {"images": lambda: tiny_images(16 if name == "lapgan" else 8), "ring": lambda: open_data("ring")}
    data = kinds[source]() if Images in recipe.accepts else tiny(recipe)
    training = Subject(recipe, data, {}, fit_steps=3).training()
    for _ in range(3):
        training.step()
    return training.recipe.eval()


@torch.no_grad()
def samples(recipe, truncation):
    """(COUNT, D) from one seed and, where there are classes or captions, of one of them."""
    torch.manual_seed(5)
    asked = {n: each for n, each in recipe.inputs().items() if isinstance(each, Category | Caption)}
    one = {n: each.draw(1, torch.device("cpu")).expand(COUNT, *each.shape) for n, each in asked.items()}
    return recipe.generate(**recipe.draw(COUNT, one, truncation)).flatten(1)


def test_every_recipe_is_here():
    for name in OTHERS:
        assert any(isinstance(each, Normal) for each in trained(name).inputs().values())


@pytest.mark.parametrize(("name", "source"), [*((name, "images") for name in OTHERS), ("vanilla", "ring")])
def test_variety_falls_with_truncation(name, source):
    recipe = trained(name, source)
    wide, half, narrow = (torch.pdist(samples(recipe, share)).mean().item() for share in (1.0, 0.5, 0.05))
    # Half the distance is what a linear generator gives, and a tenth of that; not all of infogan's variety is normal,
    # waves whose phases differ are as far apart as can be, however much these differ, and choices differ by 1 at least,
    # so that in three steps' training of a table, whose latents decide nearly all choices, most still do.
    most = 0.9 if name in ("istftgan", "tablegan") else 0.75
    least = 0.9 if name == "tablegan" else 0.3
    assert 0 < half < most * wide and narrow < least * half


# What follows a token depends on it, so a text of which the first one changes is another text; and rows of two choices
# are as near to others as to themselves.
@pytest.mark.parametrize("name", [name for name in OTHERS if name not in ("textgan", "tablegan")])
def test_a_truncated_sample_is_still_the_same_one(name):
    recipe = trained(name)
    nearest = torch.cdist(samples(recipe, 0.7), samples(recipe, 1.0)).argmin(1)
    assert (nearest == torch.arange(COUNT)).float().mean() > 0.9


@pytest.mark.parametrize("name", OTHERS)
def test_a_truncation_of_1_is_none(name):
    assert torch.equal(samples(trained(name), 1.0), samples(trained(name), None))


@pytest.mark.parametrize("name", GIVEN)
def test_what_draws_nothing_refuses_in_one_line(name):
    recipe = recipes.find(name)
    data = tiny(recipe)
    made = Subject(
        recipe, data, {"width": 8, **({"warmup": 1.0} if name not in ("adain", "cut", "cyclegan") else {})}, fit_steps=1
    ).made()
    with pytest.raises(UsageError) as caught:
        made.draw(2, made.conditions(data, 2), 0.5)
    assert str(caught.value) == f"{recipe.__name__} draws no latent vector, so there is nothing to truncate"
