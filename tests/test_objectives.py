"""Objectives against values worked out by hand."""

import math

import pytest
import torch

from ganvas.errors import UsageError
from ganvas.objectives import _OBJECTIVES, objective

# Logits chosen so that sigmoid is a plain fraction: sigmoid(ln 3) = 3/4, sigmoid(0) = 1/2, sigmoid(-ln 3) = 1/4.
LN3 = math.log(3)
REAL = torch.tensor([LN3, 0.0])  # D = 3/4, 1/2
FAKE = torch.tensor([-LN3, LN3])  # D = 1/4, 3/4

BY_HAND = {
    # name: (the discriminator's terms, the generator's term)
    "minimax": (
        {"real": -(math.log(3 / 4) + math.log(1 / 2)) / 2, "fake": -(math.log(3 / 4) + math.log(1 / 4)) / 2},
        (math.log(3 / 4) + math.log(1 / 4)) / 2,
    ),
    "non-saturating": (
        {"real": -(math.log(3 / 4) + math.log(1 / 2)) / 2, "fake": -(math.log(3 / 4) + math.log(1 / 4)) / 2},
        -(math.log(1 / 4) + math.log(3 / 4)) / 2,
    ),
    "least-squares": (
        {"real": ((LN3 - 1) ** 2 + 1) / 4, "fake": (LN3**2 + LN3**2) / 4},
        ((-LN3 - 1) ** 2 + (LN3 - 1) ** 2) / 4,
    ),
    # relu(1 - 1.0986) = 0, relu(1 - 0) = 1; relu(1 - 1.0986) = 0, relu(1 + 1.0986) = 2.0986
    "hinge": ({"real": 0.5, "fake": (1 + LN3) / 2}, 0.0),
    "wasserstein": ({"real": -LN3 / 2, "fake": 0.0}, 0.0),
    # Differences real - fake: 2 ln 3 (sigmoid 9/10) and -ln 3 (sigmoid 1/4).
    "relativistic": (
        {"pair": -(math.log(9 / 10) + math.log(1 / 4)) / 2},
        -(math.log(1 / 10) + math.log(3 / 4)) / 2,
    ),
    # mean(fake) = 0, so real logits stay: sigmoid 3/4, 1/2. mean(real) = ln 3 / 2: fake ones become -1.5 ln 3 and
    # 0.5 ln 3, whose odds are 3^-1.5 and 3^0.5.
    "relativistic-average": (
        {
            "real": -(math.log(3 / 4) + math.log(1 / 2)) / 2,
            "fake": (math.log(1 + 3**-1.5) + math.log(1 + 3**0.5)) / 2,
        },
        (math.log(1 + 3**1.5) + math.log(1 + 3**-0.5)) / 2 + (math.log(1 + 3) + math.log(1 + 1)) / 2,
    ),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_losses_are_the_hand_computed_ones(name):
    chosen, (discriminator, generator) = objective(name), BY_HAND[name]
    terms = {k: v.item() for k, v in chosen.discriminator(REAL, FAKE).items()}
    assert terms == pytest.approx(discriminator, abs=1e-6)
    assert {k: v.item() for k, v in chosen.generator(FAKE, REAL).items()} == {
        "adversarial": pytest.approx(generator, abs=1e-6)
    }


def test_every_objective_has_a_hand_computed_value():
    assert set(BY_HAND) == set(_OBJECTIVES)


@pytest.mark.parametrize("name", BY_HAND)
def test_high_logits_mean_real(name):
    """Higher real or lower fake logits never hurt the discriminator; higher fake ones help the generator."""
    chosen = objective(name)
    for real, fake in ((REAL, FAKE), (REAL - 1, FAKE), (REAL, FAKE + 1)):
        real, fake = real.clone().requires_grad_(True), fake.clone().requires_grad_(True)
        loss = sum(chosen.discriminator(real.clamp(max=0.9), fake.clamp(min=0.1)).values())
        slope_real, slope_fake = torch.autograd.grad(loss, (real, fake))
        assert (slope_real <= 0).all() and (slope_fake >= 0).all()
        (slope,) = torch.autograd.grad(chosen.generator(fake.clamp(max=0.9), REAL)["adversarial"], fake)
        assert (slope <= 0).all()


def test_smoothing_is_cross_entropy_with_a_smaller_target():
    loss = objective("non-saturating", smoothing=0.1).discriminator(REAL, FAKE)["real"].item()
    # Target 0.9 for D = 3/4 and 1/2.
    expected = -(0.9 * math.log(3 / 4) + 0.1 * math.log(1 / 4) + math.log(1 / 2)) / 2
    assert loss == pytest.approx(expected, abs=1e-6)


def test_smoothed_least_squares_pulls_to_the_smoothed_target():
    logits = torch.tensor([0.4], requires_grad=True)
    objective("least-squares", smoothing=0.1).discriminator(logits, FAKE)["real"].backward()
    assert logits.grad.item() == pytest.approx(0.4 - 0.9, abs=1e-6)  # d/dl of (l - 0.9)^2 / 2


def test_flipping_presents_that_share_of_real_samples_as_fake():
    torch.manual_seed(0)
    real = torch.full((20_000,), LN3)
    loss = objective("non-saturating", flipping=0.35).discriminator(real, FAKE)["real"].item()
    expected = -(0.65 * math.log(3 / 4) + 0.35 * math.log(1 / 4))
    assert loss == pytest.approx(expected, abs=0.02)  # 4 standard errors of 20,000 flips


@pytest.mark.parametrize("name", ["relativistic", "relativistic-average"])
def test_a_paired_objective_has_no_labels_to_change(name):
    with pytest.raises(UsageError, match="no labels"):
        objective(name, smoothing=0.1)


def test_an_averaged_objective_is_judged_by_the_distance_to_the_other_kinds_mean():
    real, fake, scale = objective("relativistic-average").judged(REAL, FAKE)
    torch.testing.assert_close(real, torch.tensor([LN3, 0.0]))
    torch.testing.assert_close(fake, torch.tensor([-1.5 * LN3, 0.5 * LN3]))
    assert scale == "decision"


def test_a_paired_objective_is_judged_by_differences():
    real, fake, scale = objective("relativistic").judged(REAL, FAKE)
    torch.testing.assert_close(real, torch.tensor([2 * LN3, -LN3]))
    assert fake is None and scale == "pair"  # the same differences once more would say nothing new


def test_least_squares_is_undecided_halfway_between_its_targets():
    real, fake, scale = objective("least-squares").judged(torch.tensor([1.0]), torch.tensor([0.0]))
    assert (real.item(), fake.item(), scale) == (0.5, -0.5, "decision")


def test_wasserstein_scores_have_no_dividing_line():
    real, fake, scale = objective("wasserstein").judged(REAL, FAKE)
    assert torch.equal(real, REAL) and torch.equal(fake, FAKE) and scale == "score"


@pytest.mark.parametrize("name", BY_HAND)
def test_extreme_logits_stay_finite(name):
    far = torch.tensor([1e4, -1e4])
    chosen = objective(name)
    assert all(torch.isfinite(v) for v in chosen.discriminator(far, -far).values())
    assert torch.isfinite(chosen.generator(far, -far)["adversarial"])
