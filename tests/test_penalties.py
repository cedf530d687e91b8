"""Penalties against closed forms and a float64 NumPy oracle."""

import numpy as np
import pytest
import torch
from torch import nn

from ganvas.penalties import clip_weights, gradient_penalty, squared_gradient, weight_decay


@pytest.mark.parametrize("shape", [(4,), (3, 5), (2, 4, 4)])
def test_squared_gradient_of_a_quadratic_is_in_closed_form(shape):
    """D(x) = sum of x^2 has the gradient 2x, so the penalty is the mean of 4 |x|^2, whatever the rank."""
    x = torch.randn(6, *shape)
    value = squared_gradient(lambda samples: samples.square().flatten(1).sum(1), x)
    expected = 4 * (x.double().numpy().reshape(6, -1) ** 2).sum(1).mean()
    assert value.item() == pytest.approx(expected, rel=1e-6)


def test_squared_gradient_of_a_network_equals_numpys():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 1))
    x = torch.randn(4, 5)
    w1, b1, w2 = (p.detach().double().numpy() for p in (network[0].weight, network[0].bias, network[2].weight))
    hidden = np.tanh(x.double().numpy() @ w1.T + b1)
    gradient = ((1 - hidden**2) * w2) @ w1
    assert squared_gradient(lambda s: network(s).squeeze(1), x).item() == pytest.approx(
        (gradient**2).sum(1).mean(), rel=1e-5
    )


def test_squared_gradient_trains_the_discriminator():
    """D(x) = w.x has the penalty |w|^2, whose gradient is 2w."""
    linear = nn.Linear(3, 1, bias=False)
    squared_gradient(lambda x: linear(x).squeeze(1), torch.randn(5, 3)).backward()
    torch.testing.assert_close(linear.weight.grad, 2 * linear.weight.detach())


def test_squared_gradient_is_computed_in_float32_under_autocast():
    linear = nn.Linear(3, 1, bias=False)
    x = torch.randn(5, 3)
    with torch.autocast("cpu", torch.bfloat16):
        value = squared_gradient(lambda samples: linear(samples).squeeze(1), x.bfloat16())
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, linear.weight.detach().square().sum())


def test_gradient_penalty_of_a_linear_critic_is_in_closed_form():
    """The gradient of w.x is w everywhere, so the penalty is (|w| - 1)^2."""
    linear = nn.Linear(12, 1)
    with torch.no_grad():
        linear.weight.fill_(0.5)  # |w| = sqrt(12) / 2
    real, fake = torch.randn(4, 3, 2, 2), torch.randn(4, 3, 2, 2)
    value = gradient_penalty(lambda x: linear(x.flatten(1)), real, fake)
    assert value.item() == pytest.approx((12**0.5 / 2 - 1) ** 2, rel=1e-5)


def test_gradient_penalty_of_a_dead_critic_has_a_finite_slope():
    linear = nn.Linear(4, 1)
    nn.init.zeros_(linear.weight)
    gradient_penalty(linear, torch.randn(3, 4), torch.randn(3, 4)).backward()
    assert torch.isfinite(linear.weight.grad).all()


def test_weight_decay_counts_weights_and_not_biases():
    linear = nn.Linear(2, 1)
    with torch.no_grad():
        linear.weight.copy_(torch.tensor([[3.0, -4.0]]))
        linear.bias.fill_(100)
    terms = weight_decay([linear], l1=0.5, l2=0.1)
    assert terms["l1"].item() == pytest.approx(0.5 * 7)
    assert terms["l2"].item() == pytest.approx(0.1 * 25)
    assert weight_decay([linear], l1=0, l2=0) == {}


def test_clipping_bounds_every_parameter():
    linear = nn.Linear(2, 1)
    with torch.no_grad():
        linear.weight.copy_(torch.tensor([[3.0, -0.005]]))
    clip_weights(linear, 0.01)
    torch.testing.assert_close(linear.weight.detach(), torch.tensor([[0.01, -0.005]]))
