"""Our convolutions against PyTorch's own, which is the independent implementation."""

import pytest
import torch
from torch import nn

from ganvas.networks.convolution import Conv2d, ConvTranspose2d
from ganvas.networks.convolutional import ConvolutionalGenerator

# Sides below and above the size where the matrix product takes over, odd ones, and kernels that do not divide.
GEOMETRIES = [(4, 2, 1), (3, 1, 1), (3, 2, 1), (1, 1, 0), (5, 2, 2)]


def _pair(kind: str, geometry: tuple[int, int, int], channels: int) -> tuple[nn.Module, nn.Module]:
    kernel, stride, padding = geometry
    ours = (Conv2d if kind == "convolution" else ConvTranspose2d)(channels, 6, kernel, stride, padding)
    theirs = (nn.Conv2d if kind == "convolution" else nn.ConvTranspose2d)(channels, 6, kernel, stride, padding)
    theirs.load_state_dict(ours.state_dict())
    return ours.double(), theirs.double()


@pytest.mark.parametrize("kind", ["convolution", "transposed"])
@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("side", [(5, 7), (16, 12)])
def test_output_and_first_and_second_derivatives_are_pytorchs(kind, geometry, side):
    ours, theirs = _pair(kind, geometry, channels=5)
    x = torch.randn(3, 5, *side, dtype=torch.float64)
    results = []
    for module in (ours, theirs):
        inputs = x.clone().requires_grad_(True)
        output = module(inputs)
        (gradient,) = torch.autograd.grad(output.pow(3).sum(), inputs, create_graph=True)
        loss = output.square().sum() + gradient.square().sum()
        seconds = torch.autograd.grad(loss, [inputs, module.weight, module.bias])
        results.append([output, gradient, *seconds])
    for mine, reference in zip(*results, strict=True):
        torch.testing.assert_close(mine, reference, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", ["convolution", "transposed"])
def test_autocast_gives_what_it_gives_pytorchs(kind):
    kernel = (64, 64, 4, 2, 1)
    ours, theirs = (Conv2d(*kernel), nn.Conv2d(*kernel))
    if kind == "transposed":
        ours, theirs = ConvTranspose2d(*kernel), nn.ConvTranspose2d(*kernel)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(2, 64, 8, 8).contiguous(memory_format=torch.channels_last)
    gradients = []
    for module in (ours, theirs):
        with torch.autocast("cpu", torch.bfloat16):
            output = module(x)
        assert output.dtype == torch.bfloat16
        output.float().square().mean().backward()
        gradients.append(module.weight.grad)
    torch.testing.assert_close(gradients[0], gradients[1], rtol=3e-2, atol=3e-4)


def test_a_label_cannot_grow_louder_than_the_latent_vector():
    torch.manual_seed(0)
    generator = ConvolutionalGenerator(latent=16, channels=1, size=(8, 8), width=4, classes=2).eval()
    latent, label = torch.randn(4, 16), torch.tensor([0, 1, 0, 1])
    before = generator(latent, label)
    assert (before != generator(latent, 1 - label)).flatten(1).any(1).all()
    with torch.no_grad():
        generator.embedding.weight.mul_(1000)
    torch.testing.assert_close(generator(latent, label), before)
