"""Scores of pairs, beside scikit-image and a second way of computing them."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from ganvas.errors import DataError, UsageError
from ganvas.features import extractor
from ganvas.metrics.pairs import SCALE_WEIGHTS, luminance, ms_ssim, perceptual_distance, psnr, shaved, ssim


@pytest.fixture(scope="module")
def pairs():
    """Two smooth images (2, 3, 40, 52) in [-1, 1], and the same with noise."""
    random = np.random.default_rng(0)
    clean = np.stack([gaussian_filter(random.normal(size=(3, 40, 52)), (0, 3, 3)) * 4 for _ in range(2)]).clip(-1, 1)
    noisy = (clean + random.normal(size=clean.shape) * 0.1).clip(-1, 1)
    return torch.from_numpy(clean), torch.from_numpy(noisy)


def test_psnr_is_scikit_images(pairs):
    clean, noisy = pairs
    theirs = [peak_signal_noise_ratio(a, b, data_range=2) for a, b in zip(clean.numpy(), noisy.numpy(), strict=True)]
    np.testing.assert_allclose(psnr(noisy, clean), theirs, rtol=1e-12)
    levels = ((clean + 1) * 127.5).round()
    assert psnr(levels, levels + 1, 255)[0] == pytest.approx(20 * math.log10(255))
    assert psnr(clean, clean).tolist() == [math.inf, math.inf]


@pytest.mark.parametrize("data_range", [2.0, 255.0])
def test_ssim_is_scikit_images(pairs, data_range):
    clean, noisy = (each * data_range / 2 for each in pairs)
    theirs = [
        structural_similarity(
            a, b, channel_axis=0, data_range=data_range, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
        for a, b in zip(clean.numpy(), noisy.numpy(), strict=True)
    ]
    assert 0.2 < theirs[0] < 0.95
    np.testing.assert_allclose(ssim(noisy, clean, data_range), theirs, rtol=1e-9)


def test_ms_ssim_is_what_scipys_filters_give():
    random = np.random.default_rng(1)
    clean = gaussian_filter(random.normal(size=(2, 1, 200, 180)), (0, 0, 4, 4)) * 8
    noisy = clean + random.normal(size=clean.shape) * 0.2
    c1, c2 = 0.02**2, 0.06**2
    found = []
    for x, y in zip(clean[:, 0], noisy[:, 0], strict=True):
        product = 1.0
        for scale, weight in enumerate(SCALE_WEIGHTS):
            blurred = [gaussian_filter(each, 1.5, truncate=3.5)[5:-5, 5:-5] for each in (x, y, x * x, y * y, x * y)]
            mean_x, mean_y, xx, yy, xy = blurred
            contrast = (2 * (xy - mean_x * mean_y) + c2) / (xx - mean_x**2 + yy - mean_y**2 + c2)
            light = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
            product *= ((light * contrast).mean() if scale == 4 else contrast.mean()) ** weight
            x, y = (
                each[: each.shape[0] // 2 * 2, : each.shape[1] // 2 * 2]
                .reshape(each.shape[0] // 2, 2, each.shape[1] // 2, 2)
                .mean((1, 3))
                for each in (x, y)
            )
        found.append(product)
    assert 0.3 < found[0] < 0.99
    np.testing.assert_allclose(ms_ssim(torch.from_numpy(noisy), torch.from_numpy(clean)), found, rtol=1e-9)
    assert ms_ssim(torch.from_numpy(clean), torch.from_numpy(clean)).tolist() == pytest.approx([1, 1])


def test_luminance_of_known_colours():
    colours = torch.tensor([[1.0, 1, 1], [-1, -1, -1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]).view(5, 3, 1, 1)
    expected = [235, 16, 81.481, 144.553, 40.966]  # BT.601's table of 8-bit colour bars, before rounding
    assert luminance(colours).flatten().tolist() == pytest.approx(expected, abs=1e-3)
    assert luminance(torch.zeros(1, 1, 1, 1)).item() == pytest.approx(125.5)


def test_shaving():
    images = torch.arange(30.0).view(1, 1, 5, 6)
    assert shaved(images, 2).flatten().tolist() == [14, 15]
    assert shaved(images, 0).shape == images.shape
    with pytest.raises(UsageError, match="a border of 3 cannot be cut off images of 5x6"):
        shaved(images, 3)


def test_perceptual_distance_grows_with_the_difference_and_has_a_gradient(pairs):
    lite = extractor("lite0")
    clean, noisy = (each[:1, :, :32, :32].float() for each in pairs)
    halfway = (clean + noisy) / 2
    noisy = noisy.requires_grad_(True)
    near, far = (perceptual_distance(each, clean, lite) for each in (halfway, noisy))
    assert perceptual_distance(clean, clean, lite).item() == 0 < near.item() < far.item() < 4 * 6
    far.sum().backward()
    assert noisy.grad.abs().sum() > 0
    maps = zip(lite.maps(noisy.detach()), lite.maps(clean), strict=True)
    by_cosine = sum(float((2 - 2 * torch.cosine_similarity(a, b, dim=1)).mean()) for a, b in maps)
    assert far.item() == pytest.approx(by_cosine, rel=1e-3)  # |u - v|^2 = 2 - 2 u.v for unit vectors


def test_pairs_that_do_not_fit():
    with pytest.raises(DataError, match=r"equal shapes .* \(1, 3, 8, 8\), \(1, 3, 8, 9\)"):
        psnr(torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 9))
    with pytest.raises(DataError, match="at least 11 pixels"):
        ssim(torch.zeros(1, 3, 8, 80), torch.zeros(1, 3, 8, 80))
    with pytest.raises(DataError, match="at least 176 pixels"):
        ms_ssim(torch.zeros(1, 3, 170, 180), torch.zeros(1, 3, 170, 180))
