"""Scores of distributions, beside torch-fidelity, closed forms and float64 NumPy."""

import numpy as np
import pytest
import torch
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_isc import isc_features_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric
from torch_fidelity.metric_prc import prc_features_to_metric

from ganvas.errors import DataError, UsageError
from ganvas.metrics import distributions
from ganvas.metrics.distributions import (
    Moments,
    density_coverage,
    diversity,
    frechet_distance,
    inception_score,
    kernel_distance,
    nearest,
    precision_recall,
)


@pytest.fixture(scope="module")
def features():
    """Correlated features that differ in mean and covariance: real (700, 48) and fake (600, 48), float64."""
    random = np.random.default_rng(0)
    mixing = random.normal(size=(48, 48)) / 5
    real = random.normal(size=(700, 48)) @ mixing + 0.3
    fake = random.normal(size=(600, 48)) @ (mixing + random.normal(size=(48, 48)) / 40) * 0.9 + 0.4
    return torch.from_numpy(real), torch.from_numpy(fake)


def test_fid_is_torch_fidelitys(features):
    real, fake = features
    statistics = [fid_features_to_statistics(each) for each in features]
    theirs = fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"]
    assert frechet_distance(Moments.of(real), Moments.of(fake)) == pytest.approx(theirs, rel=1e-6)


def test_fid_is_the_closed_form_of_gaussians():
    """Of covariances that commute: |m1 - m2|^2 + sum of (s1 - s2)^2 along the common axes."""
    random = np.random.default_rng(1)
    axes = np.linalg.qr(random.normal(size=(30, 30)))[0]
    first, second = random.uniform(0.1, 3, 30), random.uniform(0.1, 3, 30)
    first[:3] = 0  # also where a covariance has not full rank
    means = random.normal(size=(2, 30))
    moments = [
        Moments(2, torch.from_numpy(mean), torch.from_numpy(axes * spread**2 @ axes.T))
        for mean, spread in zip(means, (first, second), strict=True)
    ]
    expected = ((means[0] - means[1]) ** 2).sum() + ((first - second) ** 2).sum()
    assert frechet_distance(*moments) == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(moments[1], moments[1]) == pytest.approx(0, abs=1e-10)


def test_moments_are_numpys_whatever_the_batches(features):
    values = features[0].float() + 1000  # far from the origin, where a sum of squares would lose everything
    moments = Moments()
    for part in values.split([1, 0, 299, 7, 393]):
        moments.add(part)
    exact = values.double().numpy()
    assert moments.count == 700
    np.testing.assert_allclose(moments.mean, exact.mean(0), rtol=1e-12)
    np.testing.assert_allclose(moments.covariance, np.cov(exact, rowvar=False), rtol=1e-9, atol=1e-12)


def test_kid_is_torch_fidelitys_with_the_same_seed(features):
    real, fake = features
    options = {"kid_subsets": 7, "kid_subset_size": 100, "rng_seed": 5, "verbose": False}
    theirs = kid_features_to_metric(fake, real, **options)
    mean, spread = kernel_distance(real, fake, subsets=7, subset_size=100, seed=5)
    assert mean == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-6)
    assert spread == pytest.approx(theirs["kernel_inception_distance_std"], rel=1e-6)


def test_inception_score_is_torch_fidelitys(features):
    theirs = isc_features_to_metric(features[1], splits=10, shuffle=True, rng_seed=2020)
    mean, spread = inception_score(features[1])
    assert mean == pytest.approx(theirs["inception_score_mean"], rel=1e-6)
    assert spread == pytest.approx(theirs["inception_score_std"], rel=1e-6)
    certain = torch.eye(10).repeat(10, 1) * 1000  # ten labels, each certain and equally frequent
    assert inception_score(certain, splits=1) == (pytest.approx(10), 0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("block", [2**24, 1000])
def test_precision_and_recall_are_torch_fidelitys(features, dtype, block, monkeypatch):
    monkeypatch.setattr(distributions, "BLOCK", block)
    real, fake = (each[:, :8].to(dtype) for each in features)
    theirs = prc_features_to_metric(fake, real, prc_neighborhood=3, verbose=False)
    assert 0.1 < theirs["recall"] < theirs["precision"] < 1
    found = precision_recall(real, fake)
    assert found == pytest.approx((theirs["precision"], theirs["recall"]), rel=1e-6)


@pytest.mark.parametrize("block", [2**24, 1000])
def test_density_and_coverage_in_numpy(features, block, monkeypatch):
    monkeypatch.setattr(distributions, "BLOCK", block)
    real, fake = (each[:, :8].numpy() for each in features)
    within = np.sqrt(((real[:, None] - real[None]) ** 2).sum(-1))
    radii = np.sort(within, axis=1)[:, 5]  # the first is the sample itself
    inside = np.sqrt(((fake[:, None] - real[None]) ** 2).sum(-1)) < radii
    expected = inside.sum() / (5 * len(fake)), inside.any(0).mean()
    assert 0.3 < expected[1] < 1
    assert density_coverage(torch.from_numpy(real), torch.from_numpy(fake)) == pytest.approx(expected, rel=1e-12)


def test_diversity_is_a_ratio_of_mean_distances(features):
    real, fake = features
    mean = [torch.nn.functional.pdist(each).mean() for each in (fake, real)]
    assert diversity(fake, real) == pytest.approx(float(mean[0] / mean[1]), rel=1e-6)
    assert diversity(fake[:1].repeat(10, 1), real) == pytest.approx(0, abs=1e-9)


def test_nearest_neighbours(features, monkeypatch):
    monkeypatch.setattr(distributions, "BLOCK", 5000)
    real, fake = features
    apart = np.sqrt(((fake.numpy()[:, None] - real.numpy()[None]) ** 2).sum(-1))
    distance, index = nearest(fake, real)
    np.testing.assert_allclose(distance, apart.min(1), rtol=1e-9)
    assert index.tolist() == apart.argmin(1).tolist()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: frechet_distance(Moments.of(x), Moments.of(x[:1])), "FID needs at least 2 .* one has 1"),
        (lambda x: kernel_distance(x, x[:99], subset_size=100), "subsets of 100 needs at least 100 .* one has 99"),
        (lambda x: inception_score(x[:9]), "10 splits needs 10 samples, and there are 9"),
        (lambda x: precision_recall(x, x[:3]), "3 neighbours needs at least 4 .* one has 3"),
        (lambda x: density_coverage(x[:5], x), "5 neighbours needs at least 6 .* one has 5"),
        (lambda x: diversity(x[:1], x), "diversity needs at least 2 .* one has 1"),
    ],
)
def test_too_few_samples_say_how_many_are_needed(features, call, message):
    with pytest.raises(DataError, match=message):
        call(features[0])


def test_features_that_are_not_finite_or_of_another_length(features):
    real, fake = features
    broken = fake.clone()
    broken[3, 4], broken[9, 0] = torch.nan, torch.inf
    for score in (
        lambda a, b: kernel_distance(a, b, 1, 100),
        precision_recall,
        density_coverage,
        nearest,
        lambda a, b: Moments.of(b),
    ):
        with pytest.raises(DataError, match="features of 2 of 600 samples are not finite"):
            score(real, broken)
    for score in (precision_recall, nearest, lambda a, b: frechet_distance(Moments.of(a), Moments.of(b))):
        with pytest.raises(UsageError, match="lengths 48 and 47 cannot be compared"):
            score(real, fake[:, :47])
