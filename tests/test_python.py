"""What Python gives back: a model that tells what it is, and pictures of what it makes."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ganvas

GOLDEN = Path(__file__).parent / "golden" / "format-1"


@pytest.fixture(scope="module")
def model():
    return ganvas.load(GOLDEN / "r3gan")


def test_a_model_says_what_it_is_on_one_line(model):
    told = repr(model)
    assert told.startswith("Model(") and "R3GAN at step 100, images from latent" in told
    assert "\n" not in told and len(told) < 400


def test_a_grid_is_the_picture_of_the_same_samples(model):
    grid, samples = model.grid(4, seed=3, columns=2), model.sample(4, seed=3)
    assert isinstance(grid, Image.Image)
    assert np.array_equal(np.asarray(grid), np.asarray(model.space.show(samples, columns=2)))
    assert np.array_equal(np.asarray(model.grid(seed=1)), np.asarray(model.grid(64, seed=1, columns=model.columns())))
    pictures = model.to_pil(samples)
    height, width = samples.shape[2:]
    assert len(pictures) == 4 and {picture.size for picture in pictures} == {(width, height)}
    light = np.asarray(pictures[1].convert("L"), np.float32).mean()
    assert light == pytest.approx(float((samples[1].mean() + 1) * 127.5), abs=2)
    with pytest.raises(ganvas.GanvasError, match="no input"):
        model.grid(4, nothing=1)
