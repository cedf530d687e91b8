"""Intervals, by simulation: of 95% intervals, about 95% must hold what they are about."""

import numpy as np
import pytest
import torch

from ganvas.metrics import bootstrap, distributions
from ganvas.metrics.distributions import Moments

REPEATS = 50


def simulated(score, interval):
    """The share of intervals that hold the mean of the scores, and their standard deviation over that of the scores."""
    generator = torch.Generator().manual_seed(0)
    values, lows, highs = [], [], []
    for seed in range(REPEATS):
        real = torch.randn(250, 6, generator=generator)
        fake = torch.randn(200, 6, generator=generator) * 0.8 + 0.3
        values.append(score(real, fake))
        low, high = interval(real, fake, seed)
        lows.append(low)
        highs.append(high)
    mean = np.mean(values)
    held = np.mean((np.array(lows) <= mean) & (mean <= np.array(highs)))
    return held, np.mean(np.array(highs) - lows) / 3.92 / np.std(values)


@pytest.fixture(autouse=True)
def _fewer_replicates(monkeypatch):
    monkeypatch.setattr(bootstrap, "REPLICATES", 200)


@pytest.mark.parametrize(
    ("score", "interval"),
    [
        (
            lambda real, fake: distributions.frechet_distance(Moments.of(real), Moments.of(fake)),
            lambda real, fake, seed: bootstrap.frechet_interval(real, fake, seed=seed),
        ),
        (
            lambda real, fake: distributions.kernel_distance(real, fake, 20, 150)[0],
            lambda real, fake, seed: bootstrap.kernel_interval(real, fake, seed=seed),
        ),
        (
            lambda real, fake: distributions.inception_score(2 * fake, 2)[0],
            lambda real, fake, seed: bootstrap.inception_interval(2 * fake, splits=2, seed=seed),
        ),
        (
            lambda real, fake: distributions.diversity(fake, real),
            lambda real, fake, seed: bootstrap.diversity_interval(fake, real, seed=seed),
        ),
        (
            lambda real, fake: float(fake.mean()),
            lambda real, fake, seed: bootstrap.mean_interval(fake.mean(1), seed=seed),
        ),
    ],
    ids=["FID", "KID", "IS", "diversity", "mean"],
)
def test_intervals_hold_what_they_should(score, interval):
    held, width = simulated(score, interval)
    # Four standard deviations of a share of 95% of 50, and three of a deviation that 50 values tell.
    assert held >= 0.82
    assert 0.7 < width < 1.5


@pytest.mark.parametrize("which", [0, 1])
def test_intervals_of_neighbourhoods_are_somewhat_narrow(which):
    """With the neighbourhoods held fixed, part of the variance is missing; the documentation says so."""
    for score, each in (
        (distributions.precision_recall, distributions.precision_recall_each),
        (distributions.density_coverage, distributions.density_coverage_each),
    ):
        held, width = simulated(
            lambda real, fake, score=score: score(real, fake)[which],
            lambda real, fake, seed, each=each: bootstrap.mean_interval(each(real, fake)[which], seed=seed),
        )
        assert held >= 0.7
        assert 0.5 < width < 1.2


def test_contributions_to_fid_are_its_derivative():
    """Adding a little weight to one sample moves FID by its contribution: the definition of an influence function."""
    generator = torch.Generator().manual_seed(1)
    real = torch.randn(40, 5, generator=generator, dtype=torch.float64)
    fake = torch.randn(30, 5, generator=generator, dtype=torch.float64) * 1.5 + 1

    def weighted(weights):
        mean = weights @ fake
        centred = fake - mean
        # The unbiased covariance's factor is a constant, which the derivative keeps.
        moments = Moments(30, mean, (centred.T * weights) @ centred * 30)
        return distributions.frechet_distance(Moments.of(real), moments)

    even = torch.full((30,), 1 / 30, dtype=torch.float64)
    step = 1e-5
    slopes = []
    for i in range(30):
        towards = torch.zeros(30, dtype=torch.float64)
        towards[i] = 1
        slopes.append(
            (weighted(even + step * (towards - even)) - weighted(even - step * (towards - even))) / (2 * step)
        )
    contributions = bootstrap.frechet_contributions(Moments.of(real), Moments.of(fake), real, fake)[1]
    centred = contributions - contributions.mean()
    assert np.corrcoef(slopes, centred)[0, 1] > 0.999
    assert float(centred.std()) == pytest.approx(np.std(slopes, ddof=1), rel=0.05)


def test_the_interval_of_fid_needs_no_full_rank():
    generator = torch.Generator().manual_seed(2)
    real, fake = torch.randn(20, 50, generator=generator), torch.randn(15, 50, generator=generator) + 1
    low, high = bootstrap.frechet_interval(real, fake)
    value = distributions.frechet_distance(Moments.of(real), Moments.of(fake))
    assert 0 <= low < value < high < 2 * value


def test_the_same_seed_gives_the_same_interval():
    values = torch.randn(50, generator=torch.Generator().manual_seed(3))
    assert bootstrap.mean_interval(values, seed=1) == bootstrap.mean_interval(values, seed=1)
    assert bootstrap.mean_interval(values, seed=1) != bootstrap.mean_interval(values, seed=2)
    assert bootstrap.mean_interval(torch.ones(9)) == (1, 1)
