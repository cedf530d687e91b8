"""Penalties against closed forms and a float64 NumPy oracle."""

import numpy as np
import pytest
import torch
from torch import nn

from ganvas.networks.minibatch import MinibatchDeviation
from ganvas.networks.spectral import advance, spectral_norm
from ganvas.penalties import (
    approximate_squared_gradient,
    approximately_zero_centred,
    clip_weights,
    consistency,
    gradient_penalty,
    lazily,
    squared_gradient,
    weight_decay,
    zero_centred,
)


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


def test_the_approximate_squared_gradient_of_linear_logits_is_theirs_on_average():
    """D(x) = w.x changes by w.e for noise e, whose mean square is |w|^2 times the noise's; its variance is 2 |w|^4."""
    torch.manual_seed(0)
    linear = nn.Linear(6, 1)
    x, count = torch.randn(20_000, 6), 20_000
    exact = linear.weight.square().sum().item()
    for noise in (0.1, 0.5):
        value = approximate_squared_gradient(lambda s: linear(s).squeeze(1), x, linear(x).squeeze(1), noise)
        assert value.item() == pytest.approx(exact, abs=5 * exact * (2 / count) ** 0.5)


def test_the_approximate_squared_gradient_is_near_the_exact_one_of_a_network_and_trains_it():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(5, 16), nn.Tanh(), nn.Linear(16, 1))
    x = torch.randn(50_000, 5)
    exact = squared_gradient(lambda s: network(s).squeeze(1), x)
    near = approximate_squared_gradient(lambda s: network(s).squeeze(1), x, network(x).squeeze(1), 0.02)
    assert near.item() == pytest.approx(exact.item(), rel=0.05)
    slopes = [torch.cat([g.flatten() for g in torch.autograd.grad(v, network[0].weight)]) for v in (exact, near)]
    assert torch.cosine_similarity(*slopes, dim=0) > 0.99


def test_the_approximate_penalties_carry_half_their_factor_and_are_left_out_without():
    constant = torch.zeros(4)
    terms = approximately_zero_centred(
        lambda s: s.new_full((len(s),), 0.1),
        {"r1": (torch.zeros(4, 2), constant, 3.0), "r2": (torch.zeros(4, 2), constant, 0.0)},
    )
    assert list(terms) == ["r1"] and terms["r1"].item() == pytest.approx(3.0 / 2 * (0.1 / 0.1) ** 2)


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


def test_zero_centred_penalties_are_half_their_factor_on_either_kind_of_samples():
    """D(x) = sum of x^2: 4 |x|^2 is 4 on real samples (1, 0) and 36 on fake ones (0, 3)."""
    real, fake = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 3.0]])
    terms = zero_centred(lambda x: x.square().sum(1), real, fake, r1=0.5, r2=0.1)
    assert {name: term.item() for name, term in terms.items()} == pytest.approx({"r1": 1.0, "r2": 1.8})
    assert zero_centred(lambda x: x.sum(1), real, fake, r1=0, r2=0) == {}


def test_lazy_penalties_keep_their_strength_over_time():
    assert [lazily(step, 4) for step in range(9)] == [4, 0, 0, 0, 4, 0, 0, 0, 4]
    assert {sum(lazily(step, every) for step in range(12)) for every in (1, 2, 3, 4, 6)} == {12}


def test_consistency_is_the_mean_squared_change_of_the_logits():
    """D(x) = 2x changes by 2 and by 6 when 1 and 3 are added; the samples themselves get no gradient from it."""
    weight = torch.tensor(2.0, requires_grad=True)
    samples = torch.tensor([1.0, 5.0], requires_grad=True)
    value = consistency(
        lambda x: weight * x, samples, weight * samples.detach(), lambda x: x + torch.tensor([1.0, 3.0])
    )
    assert value.item() == pytest.approx((4 + 36) / 2)
    value.backward()
    assert weight.grad.item() == pytest.approx(2 * 2 * (1 + 9) / 2) and samples.grad is None


def test_spectral_norm_divides_by_the_largest_singular_value():
    torch.manual_seed(0)
    layer = spectral_norm(nn.Conv2d(3, 8, 3))
    for _ in range(200):
        advance(layer)
    original = layer.parametrizations.weight.original.detach().double().numpy().reshape(8, 27)
    largest = np.linalg.svd(original, compute_uv=False)[0]
    np.testing.assert_allclose(layer.weight.detach().numpy().reshape(8, 27), original / largest, rtol=1e-4)


def test_spectral_norm_has_the_gradient_of_the_paper():
    """d/dW of W/sigma is (dL/dW_bar - <dL/dW_bar, W_bar> u v') / sigma (Miyato et al. 2018, eq. 9)."""
    torch.manual_seed(0)
    layer = spectral_norm(nn.Linear(5, 4, bias=False))
    for _ in range(500):
        advance(layer)
    slope = torch.randn(4, 5)
    (layer.weight * slope).sum().backward()
    original = layer.parametrizations.weight.original
    matrix, direction = original.detach().double().numpy(), slope.double().numpy()
    u, s, vt = np.linalg.svd(matrix)
    expected = (direction - (direction * matrix / s[0]).sum() * np.outer(u[:, 0], vt[0])) / s[0]
    np.testing.assert_allclose(original.grad.numpy(), expected, rtol=1e-3, atol=1e-4)


def test_a_forward_pass_leaves_the_power_iteration_where_it_is():
    layer = spectral_norm(nn.Linear(5, 4)).train()
    before = {name: tensor.clone() for name, tensor in layer.state_dict().items()}
    layer(torch.randn(3, 5))
    assert all(torch.equal(tensor, before[name]) for name, tensor in layer.state_dict().items())
    with torch.no_grad():
        layer.parametrizations.weight.original.add_(torch.randn(4, 5))
    advance(layer)
    assert not torch.equal(
        layer.state_dict()["parametrizations.weight.0.left"], before["parametrizations.weight.0.left"]
    )


def test_minibatch_deviation_is_the_mean_standard_deviation_over_the_batch():
    """Two samples: one feature of 0 and 2 (deviation 1), one of 5 and 11 (deviation 3), at a single place."""
    features = torch.tensor([[0.0, 5.0], [2.0, 11.0]])[:, :, None, None].requires_grad_(True)
    result = MinibatchDeviation()(features)
    torch.testing.assert_close(result[:, :2], features)
    torch.testing.assert_close(result[:, 2].flatten(), torch.full((2,), 2.0))
    equal = torch.ones(3, 2, 1, 1, requires_grad=True)
    MinibatchDeviation()(equal).sum().backward()
    assert torch.isfinite(equal.grad).all()
