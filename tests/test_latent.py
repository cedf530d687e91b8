"""Ways through a latent space, beside closed forms and NumPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from games import Linear, few_images, made, training_of
from ganvas import recipes
from ganvas.data.batches import Images, Photos
from ganvas.errors import UsageError
from ganvas.inputs import with_names
from ganvas.model.latent import (
    closed_form_directions,
    decode,
    drawn,
    interpolate,
    label_directions,
    moved,
    principal_directions,
    regressed_directions,
    walk,
)
from ganvas.model.trained import Model
from ganvas.spaces import ImageSpace, PointSpace


def linear_model() -> Model:
    recipe = made(Linear)
    with torch.no_grad():
        recipe.generator.weight.copy_(torch.tensor([[2.0, 0.5, 0.1], [0.0, 1.0, 0.3]]))
        recipe.generator.bias.copy_(torch.tensor([5.0, -3.0]))
    return Model(recipe.eval(), PointSpace(2), recipe.inputs(), 0)


def image_model(name: str) -> Model:
    data = few_images(12, 8)
    training = training_of(recipes.find(name), LabelledLike(data))
    recipe = training.recipe.eval().requires_grad_(False)
    return Model(recipe, ImageSpace(1, 8, 8), with_names(recipe.inputs(), {"label": tuple("abc")}), 0)


class LabelledLike:
    """The same data, said to have three classes."""

    def __init__(self, data):
        self.data = data

    def __getattr__(self, name):
        return getattr(self.data, name)

    def facts(self):
        return self.data.facts() | {"classes": 3}


IMAGE_RECIPES = [
    name
    for name in recipes.names()
    if Images in recipes.find(name).accepts and Photos not in recipes.find(name).accepts
]


def test_the_way_between_two_latents_is_the_arc_of_a_circle():
    a, b = torch.tensor([[3.0, 0.0]]), torch.tensor([[0.0, 3.0]])
    shares = torch.tensor([0.0, 1 / 3, 0.5, 1.0])
    expected = [[3, 0], [3 * math.cos(math.pi / 6), 1.5], [3 / math.sqrt(2)] * 2, [0, 3]]
    torch.testing.assert_close(interpolate(a, b, shares), torch.tensor(expected))


def test_between_latents_of_one_direction_it_is_a_line():
    a = torch.tensor([[1.0, 2.0]])
    torch.testing.assert_close(interpolate(a, 3 * a, torch.tensor([0.5])), 2 * a)
    torch.testing.assert_close(interpolate(a, -a, torch.tensor([0.25])), 0.5 * a)


def test_interpolation_keeps_the_length_of_normal_latents_of_any_shape():
    torch.manual_seed(0)
    a, b = torch.randn(2, 1, 1, 16, 16).unbind()
    middle = interpolate(a, b, torch.tensor([0.5]))
    assert middle.shape == (1, 1, 16, 16)
    length = (a.norm() + b.norm()) / 2
    assert abs(float(middle.norm() / length) - 1) < 0.05  # a straight line would be at 0.71


def test_closed_form_directions_are_the_right_singular_vectors_of_the_first_weight():
    model = linear_model()
    weight = model.recipe.generator.weight.numpy(force=True).astype(np.float64)
    _, sizes, right = np.linalg.svd(weight)
    found = closed_form_directions(model, count=2)
    assert found.input == "latent" and found.vectors.shape == (2, 3)
    for mine, theirs in zip(found.vectors.numpy(), right, strict=False):
        assert abs(abs(mine @ theirs) - 1) < 1e-6
    np.testing.assert_allclose(found.shares, sizes**2 / (sizes**2).sum(), rtol=1e-5)


@pytest.mark.parametrize(("outputs", "samples"), [(2, 4096), (40, 24)])
def test_principal_directions_are_those_of_numpy(outputs, samples):
    model = linear_model()
    torch.manual_seed(1)
    model.recipe.generator = torch.nn.Linear(3, outputs)
    seen = {}
    model.recipe.generator.register_forward_pre_hook(lambda _, given: seen.update(z=given[0]))
    found = principal_directions(model, count=2, samples=samples, seed=3)
    z = seen["z"].numpy(force=True).astype(np.float64)
    y = z @ model.recipe.generator.weight.numpy(force=True).astype(np.float64).T
    y -= y.mean(0)
    _, sizes, components = np.linalg.svd(y, full_matrices=False)
    ways, *_ = np.linalg.lstsq(y @ components[:3].T, z - z.mean(0), rcond=None)  # the paper's regression
    for mine, theirs in zip(found.vectors.numpy(), ways, strict=False):
        assert abs(abs(mine @ theirs) / np.linalg.norm(theirs) - 1) < 1e-5
    np.testing.assert_allclose(found.shares, (sizes**2 / (sizes**2).sum())[:2], rtol=1e-4)


def test_of_a_linear_generator_principal_directions_are_near_the_closed_form():
    model = linear_model()
    found, closed = principal_directions(model, 2, samples=4096), closed_form_directions(model, 2)
    for mine, theirs in zip(found.vectors, closed.vectors, strict=True):
        assert abs(float(mine @ theirs)) > 0.99


def test_a_move_is_so_many_standard_deviations_along_a_direction():
    model = linear_model()
    directions = closed_form_directions(model, count=2)
    inputs = drawn(model, seed=4)
    there = moved(inputs, directions, [2.0, -1.0])["latent"]
    expected = inputs["latent"] + 2 * directions.vectors[0] - directions.vectors[1]
    torch.testing.assert_close(there, expected)
    change = decode(model, moved(inputs, directions, [1.0])) - decode(model, inputs)
    largest = torch.linalg.svdvals(model.recipe.generator.weight)[0]
    torch.testing.assert_close(change.norm(), largest)


def test_the_direction_of_a_label_is_where_its_score_rises_most():
    model = linear_model()
    weight = model.recipe.generator.weight.detach()
    found = label_directions(model, lambda made: torch.stack([made[:, 0], -2 * made[:, 1]], 1), samples=200)
    expected = torch.nn.functional.normalize(torch.stack([weight[0], -weight[1]]))
    torch.testing.assert_close(found.vectors, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(found.shares, torch.ones(2), atol=1e-5, rtol=0)
    above = label_directions(model, lambda made: (made[:, :1] > 5).float(), samples=4000, seed=2)
    assert float(above.vectors[0] @ expected[0]) > 0.99
    assert 0.55 < float(above.shares) < 0.7  # 2 / pi of a sign's variance is linear in what it is the sign of


def test_known_latents_and_labels_give_the_same_directions():
    model = linear_model()
    random = np.random.default_rng(0)
    latents = random.normal(size=(50, 3)) + 4
    scores = latents @ np.array([[0.0], [3.0], [4.0]]) + 7
    found = regressed_directions(model, torch.from_numpy(latents), torch.from_numpy(scores))
    torch.testing.assert_close(found.vectors, torch.tensor([[0.0, 0.6, 0.8]]), atol=1e-5, rtol=0)
    with pytest.raises(UsageError, match=r"latents must be \(n, 3\) and scores \(n, labels\), not \(50, 2\)"):
        regressed_directions(model, torch.zeros(50, 2), torch.zeros(50, 1))
    with pytest.raises(UsageError, match="the same for all samples has no direction"):
        label_directions(model, lambda made: torch.ones(len(made), 1), samples=64)


@pytest.mark.parametrize("name", IMAGE_RECIPES)
def test_every_recipe_of_images_walks_and_has_directions(name):
    model = image_model(name)
    labels = ("a", "c") if model.labels else (None, None)
    first, second = (drawn(model, seed, label=label) for seed, label in zip((1, 2), labels, strict=True))
    way = walk(model, first, second, torch.tensor([0.0, 0.5, 1.0]))
    # Its ends are the samples that everybody else gets of these seeds.
    torch.testing.assert_close(way[:1], model.sample(1, label=labels[0], seed=1), atol=1e-5, rtol=0)
    torch.testing.assert_close(way[2:], model.sample(1, label=labels[1], seed=2), atol=1e-5, rtol=0)
    assert (way[1] != way[0]).any() and (way[1] != way[2]).any()
    for directions in (closed_form_directions(model, 3), principal_directions(model, 3, samples=64)):
        vectors = directions.vectors.double()
        torch.testing.assert_close(vectors.norm(dim=1), torch.ones(3, dtype=torch.float64), atol=1e-5, rtol=0)
        assert (directions.shares.diff() <= 1e-6).all() and 0 < directions.shares.sum() <= 1.001
        assert (decode(model, moved(first, directions, [3.0])) != way[:1]).any()


def test_labels_fade_where_they_are_embedded():
    model = image_model("r3gan")
    first, second = drawn(model, 1, label="a"), drawn(model, 1, label="b")
    shares = torch.tensor([0.0, 0.4, 0.45, 1.0])
    way = walk(model, first, second, shares)
    assert (way[1] != way[0]).any() and (way[2] != way[1]).any()  # not a jump half-way
    embedding = model.recipe.generator.embedding
    with torch.no_grad():
        embedding.weight[0].copy_(torch.lerp(embedding.weight[0], embedding.weight[1], 0.4))
    torch.testing.assert_close(way[1:2], decode(model, first), atol=1e-5, rtol=0)


def test_what_draws_no_latent_vector_is_refused():
    recipe = made(recipes.find("srgan"), channels=3, size=(16, 16), width=8, blocks=1, scale=2)
    model = Model(recipe.eval(), ImageSpace(3, 16, 16), recipe.inputs(), 0)
    for act in (closed_form_directions, principal_directions):
        with pytest.raises(UsageError, match="draws no normal latent vector"):
            act(model)
    with pytest.raises(UsageError, match="at least one"):
        closed_form_directions(linear_model(), count=0)
