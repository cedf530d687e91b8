"""R3GAN's residual networks and schedules: fix-up by hand, sizes, cosines."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import avg_pool2d, interpolate

from ganvas.errors import UsageError
from ganvas.exporting.graph import onnx_bytes
from ganvas.model import Model
from ganvas.networks.bottleneck import Bottleneck, BottleneckDiscriminator, BottleneckGenerator, widths
from ganvas.networks.shapes import pyramid
from ganvas.recipe import Progress
from ganvas.recipes.r3gan import R3GAN, burned_in
from ganvas.settings import Settings
from ganvas.spaces import ImageSpace
from ganvas.testing import tiny_images
from ganvas.training import Training

RESIDUAL = {"architecture": "residual", "width": 8, "latent": 4}


def test_a_block_begins_as_the_identity_and_its_branch_is_the_three_convolutions():
    torch.manual_seed(0)
    block = Bottleneck(16, count=8)
    x = torch.randn(2, 16, 5, 5)
    assert torch.equal(block(x), x)
    assert block.two.groups == 2 and block.two.weight.shape == (32, 16, 3, 3)
    nn.init.normal_(block.three.weight)
    slope = nn.LeakyReLU(0.2)
    torch.testing.assert_close(block(x) - x, block.three(slope(block.two(slope(block.one(x))))))


def test_weights_begin_smaller_by_the_fourth_root_of_the_blocks():
    torch.manual_seed(0)
    block = Bottleneck(256, count=16)
    for layer, fan in ((block.one, 256), (block.two, 16 * 9)):
        assert layer.weight.std().item() == pytest.approx(math.sqrt(2 / 1.04 / fan) / 2, rel=0.02)
        assert not layer.bias.any()
    assert block.three.bias is None and not block.three.weight.any()


def test_widths_are_the_papers():
    """768 maps up to 32 pixels (its CIFAR-10), and then halves: 96 at 256 (its FFHQ-256)."""
    assert widths(pyramid((32, 32)), 768) == [768] * 4
    assert widths(pyramid((256, 256)), 768) == [768] * 4 + [384, 192, 96]


def test_half_the_size_by_bilinear_interpolation_is_the_mean_of_four():
    x = torch.randn(1, 2, 8, 6)
    torch.testing.assert_close(avg_pool2d(x, 2), interpolate(x, scale_factor=0.5, mode="bilinear"))


@pytest.mark.parametrize(("size", "channels"), [((32, 32), 3), ((20, 26), 1), ((5, 9), 16)])
def test_networks_of_any_size(size, channels):
    generator = BottleneckGenerator(latent=4, channels=channels, size=size, width=8, classes=2)
    discriminator = BottleneckDiscriminator(channels=channels, size=size, width=8, classes=2)
    label = torch.tensor([0, 1, 1])
    images = generator(torch.randn(3, 4), label)
    assert images.shape == (3, channels, *size) and discriminator(images, label).shape == (3,)


def test_an_untrained_generator_keeps_the_size_of_what_passes():
    torch.manual_seed(0)
    images = BottleneckGenerator(latent=64, channels=3, size=(64, 64), width=64)(torch.randn(32, 64))
    assert 0.3 < images.std() < 3


def test_the_schedule_is_half_a_cosine_over_a_fifth():
    assert burned_in(0.0, 0.25) == 1 and burned_in(0.1, 0.25) == pytest.approx(0.625)
    assert burned_in(0.05, 0.0) == pytest.approx((1 + math.cos(math.pi / 4)) / 2)
    assert burned_in(0.2, 0.25) == burned_in(1.0, 0.25) == 0.25


def test_the_papers_schedules_end_at_the_papers_values():
    """CIFAR-10: learning rate 2e-4 to 5e-5, beta2 0.9 to 0.99, weight of the penalties 0.05 to 0.005."""
    paper = {key: value for key, value in R3GAN.presets["paper"].items() if key not in ("batch_size", "ema")}
    recipe = R3GAN(channels=1, size=(8, 8), **paper | {"width": 8})
    begun, over = Progress(0, 0, 0, 0.0), Progress(9, 9, 0, 0.5)
    assert [2e-4 * recipe.rates(p)["generator"] for p in (begun, over)] == pytest.approx([2e-4, 5e-5])
    assert [recipe.decays(p)["discriminator"] for p in (begun, over)] == pytest.approx([0.9, 0.99])
    batch = tiny_images().split("train").gather(np.arange(4))
    weights = []
    for progress in (begun, over):
        turn = next(recipe.turns(progress, iter([batch])))
        torch.manual_seed(0)
        weights.append(turn.losses(batch).terms["r1"].item())
    assert weights[1] / weights[0] == pytest.approx(0.1, rel=1e-4)


def test_by_default_rates_fall_linearly_and_nothing_else_moves():
    recipe = R3GAN(channels=1, size=(8, 8), width=4)
    late = Progress(9, 9, 0, 0.75)
    assert recipe.rates(late) == {"discriminator": 0.25, "generator": 0.25} and recipe.decays(late) == {}


def test_the_loop_gives_optimizers_their_second_decay():
    recipe = R3GAN(channels=1, size=(8, 8), schedule="cosine", beta2=0.9, **RESIDUAL)
    training = Training(recipe, tiny_images(), Settings(steps=10, batch_size=4, precision="float32", device="cpu"))
    training._train_mode()
    for _ in range(2):
        training.step()
    wanted = 1 - 0.1 * burned_in(0.1, 0.1)
    for optimizer in training.optimizers.values():
        assert optimizer.param_groups[0]["betas"] == (0.0, pytest.approx(wanted))


def test_deviation_is_for_plain_networks():
    with pytest.raises(UsageError, match="--minibatch-deviation is for plain networks"):
        R3GAN(channels=1, size=(8, 8), minibatch_deviation=True, **RESIDUAL)


def test_a_residual_generator_gives_the_same_in_onnx_runtime():
    pytest.importorskip("onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    torch.manual_seed(0)
    recipe = R3GAN(channels=3, size=(20, 26), **RESIDUAL).eval().requires_grad_(False)
    for layer in recipe.generator.modules():
        if isinstance(layer, Bottleneck):
            nn.init.normal_(layer.three.weight, std=0.1)
    model = Model(recipe, ImageSpace(3, 20, 26), recipe.inputs(), step=1)
    session = onnxruntime.InferenceSession(onnx_bytes(model, "r3gan"), providers=["CPUExecutionProvider"])
    drawn = recipe.draw(5)
    (made,) = session.run(None, {name: each.numpy() for name, each in drawn.items()})
    assert np.abs(made - recipe.generate(**drawn).numpy()).max() <= 1e-4
