"""Transformers as players, and the recipe that plays them: attention by hand, patches, levels, sizes, rates."""

import math

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from ganvas.data.batches import Images
from ganvas.errors import UsageError
from ganvas.networks.plain import LEAK
from ganvas.networks.transformers import (
    Block,
    TransformerDiscriminator,
    TransformerGenerator,
    _cut,
    _joined,
    _spread,
    attention,
    automatic,
    patches,
)
from ganvas.recipe import Progress
from ganvas.recipes.gat import GAT, noise_of_levels

SMALL = {"width": 16, "depth": 2, "patch": 0, "maps": 4}
RECIPE = {"width": 16, "d_width": 16, "depth": 2, "maps": 4, "latent": 8}


def made(size=(8, 8), channels=1, **changes):
    return GAT(channels=channels, size=size, **RECIPE | changes)


@pytest.mark.parametrize("heads", [1, 4])
def test_attention_is_pytorchs(heads):
    torch.manual_seed(0)
    asked = torch.randn(3, 5, 3 * 8, dtype=torch.float64)
    query, key, value = (each.unflatten(2, (heads, -1)).transpose(1, 2) for each in asked.chunk(3, dim=2))
    expected = scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
    torch.testing.assert_close(attention(asked, heads), expected)


def test_a_block_sees_neighbours_by_its_convolution_and_all_by_attention():
    torch.manual_seed(0)
    block = Block(8, (4, 4), depth=1)
    tokens = torch.randn(1, 16, 8, requires_grad=True)

    def seen():
        (gradient,) = torch.autograd.grad(block(tokens)[0, 5].sum(), tokens)
        return {token for token in range(16) if gradient[0, token].abs().sum() > 0}

    assert seen() == set(range(16))
    torch.nn.init.zeros_(block.mix.weight)
    assert seen() == {0, 1, 2, 4, 5, 6, 8, 9, 10}


def test_patches_are_cut_by_hand_and_joined_again():
    maps = torch.arange(2 * 4 * 6, dtype=torch.float32).reshape(1, 2, 4, 6)
    cut = _cut(maps, (2, 3), 2)
    assert cut.shape == (1, 6, 8)
    by_hand = maps[0, :, 2:4, 2:4].permute(1, 2, 0).flatten()  # the second row's second patch
    assert torch.equal(cut[0, 4], by_hand) and torch.equal(_joined(cut, (2, 3), 2), maps)


def test_a_coarse_grid_is_spread_bilinearly():
    spread = _spread((2, 2), (4, 4))
    assert spread.shape == (16, 4)
    torch.testing.assert_close(spread.sum(1), torch.ones(16))
    torch.testing.assert_close(spread[5], torch.tensor([9.0, 3.0, 3.0, 1.0]) / 16)  # a quarter of the way, both ways


@pytest.mark.parametrize(
    ("size", "side"), [((32, 32), 4), ((64, 64), 8), ((28, 28), 4), ((48, 64), 8), ((128, 128), 16), ((8, 8), 2)]
)
def test_patches_are_chosen_for_about_eight_on_a_side(size, side):
    assert automatic(size) == side and patches(size, 0) == (size[0] // side, size[1] // side)


@pytest.mark.parametrize(
    ("size", "patch", "words"),
    [
        ((32, 48), 5, r"patches of 5 pixels do not fill images of 32x48; take --patch 2 or 4 or 8 or 16$"),
        ((31, 32), 4, r"patches of 4 pixels do not fill images of 31x32; take a --size that 4 or 8 divides"),
        ((31, 32), 0, r"no patches of 2 to 8 pixels fill images of 31x32; take a --size that 4 or 8 divides"),
    ],
)
def test_patches_that_do_not_fill_the_image_are_refused_in_one_line(size, patch, words):
    with pytest.raises(UsageError, match=words):
        made(size, patch=patch)


@pytest.mark.parametrize(
    ("size", "channels", "patch"), [((32, 32), 3, 0), ((24, 16), 1, 0), ((30, 20), 16, 5), ((64, 96), 2, 8)]
)
def test_images_of_any_size_that_patches_fill(size, channels, patch):
    recipe = made(size, channels, patch=patch, classes=3)
    batch = Images(torch.zeros(2, channels, *size), torch.tensor([0, 2]))
    assert recipe.fake(batch).shape == (2, channels, *size)
    for losses in (recipe.d_losses(batch, strength=4.0), recipe.g_losses(batch)):
        assert math.isfinite(losses.total().item())
    assert set(recipe.d_losses(batch, strength=4.0).terms) == {"pair", "r1", "r2"}
    assert set(recipe.d_losses(batch, strength=0.0).terms) == {"pair"}


def test_every_level_adds_to_the_image_of_the_last():
    torch.manual_seed(0)
    network = TransformerGenerator(latent=4, channels=3, size=(16, 16), levels=3, **SMALL | {"depth": 6})
    assert network.ends == [2, 4, 6]
    latent = torch.randn(2, 4)
    levels = network.levels(latent)
    assert torch.equal(levels[-1], network(latent)) and len(levels) == 3
    torch.nn.init.zeros_(network.outputs[1].last.weight)
    torch.nn.init.zeros_(network.outputs[1].last.bias)
    first, second, _ = network.levels(latent)
    assert torch.equal(first, second)
    torch.nn.init.zeros_(network.outputs[0].last.weight)
    torch.nn.init.constant_(network.outputs[0].last.bias, 2.0)
    torch.testing.assert_close(network.levels(latent)[0].unique(), torch.tensor([math.tanh(2.0) + LEAK * 2.0]))


def test_levels_are_spread_over_the_blocks_and_need_as_many():
    def ends(levels, depth):
        return TransformerGenerator(latent=4, channels=1, size=(8, 8), levels=levels, **SMALL | {"depth": depth}).ends

    assert ends(1, 1) == [1] and ends(2, 3) == [1, 3] and ends(4, 7) == [1, 3, 5, 7]
    with pytest.raises(UsageError, match="--levels 3 needs as many blocks, and --depth is 2; raise it"):
        ends(3, 2)


def test_the_first_block_learns_from_its_own_image():
    network = TransformerGenerator(latent=4, channels=1, size=(8, 8), levels=2, **SMALL)
    network.levels(torch.randn(2, 4))[0].sum().backward()
    assert network.blocks[0].inward.weight.grad.abs().sum() > 0 and network.blocks[1].inward.weight.grad is None


def test_noise_falls_from_level_to_level_and_the_last_has_none():
    assert noise_of_levels(1, 0.5) == [0.0] and noise_of_levels(3, 0.5) == [0.5, 0.25, 0.0]
    recipe = made(levels=3, depth=3, noise=0.5)
    torch.manual_seed(0)
    seen = recipe.seen_of(Images(torch.ones(400, 1, 8, 8)))
    assert seen.shape == (400, 3, 8, 8) and torch.equal(seen[:, 2], torch.ones(400, 8, 8))
    for level, amount in enumerate((0.5, 0.25)):
        assert (seen[:, level] - 1).std().item() == pytest.approx(amount, rel=0.03)
    assert not torch.allclose(seen[:, 0] - 1, 2 * (seen[:, 1] - 1))  # each level's noise is its own


def test_learning_rates_are_inverse_to_the_width():
    recipe = made(width=96, d_width=384, pace=0.5)
    begun, late = (recipe.rates(Progress(0, 0, 0, fraction)) for fraction in (0.2, 0.75))
    assert begun == {"generator": 1.0, "discriminator": 0.5} and late == {"generator": 0.5, "discriminator": 0.25}


def test_a_label_moves_the_logit():
    torch.manual_seed(0)
    network = TransformerDiscriminator(channels=1, size=(8, 8), classes=3, **SMALL)
    images = torch.randn(1, 1, 8, 8).expand(3, -1, -1, -1)
    logits = network(images, torch.arange(3))
    assert logits.shape == (3,) and len(logits.unique()) == 3


def test_logits_are_not_rounded_under_autocast():
    network = TransformerDiscriminator(channels=1, size=(8, 8), **SMALL)
    with torch.autocast("cpu", torch.bfloat16):
        assert network(torch.randn(2, 1, 8, 8)).dtype == torch.float32
