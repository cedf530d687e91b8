"""Photos at two sizes: shrunk as benchmarks do, kept at their own sizes, read in pieces."""

import io
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from ganvas.data.batches import Photos
from ganvas.data.bicubic import resized, shrunk, taps
from ganvas.data.degrade import blurred, compressed, degraded
from ganvas.data.opening import open_data
from ganvas.data.partners import matched
from ganvas.data.photos import turned
from ganvas.data.rows import SPLITS
from ganvas.data.stream import Stream
from ganvas.errors import DataError, UsageError


def noise(height, width, seed=0, channels=3):
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path):
    """Five photos of different sizes, one of them with sides that 4 does not divide."""
    for number, (height, width) in enumerate([(48, 40), (40, 64), (33, 51), (40, 40), (64, 64)]):
        Image.fromarray(noise(height, width, number)).save(tmp_path / f"photo-{number}.png")
    return tmp_path


def whereabouts(data, name):
    """The split that a photo is in, and the number of its first piece there."""
    return next((split, split.names.index(name)) for s in SPLITS if name in (split := data.split(s)).names)


def test_a_line_is_shrunk_by_the_kernel_worked_out_by_hand():
    """Halving: the cubic kernel with a = -1/2 at distances 1/4, 3/4, 5/4 and 7/4, halved."""

    def kernel(x):
        return 1.5 * x**3 - 2.5 * x**2 + 1 if x <= 1 else -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2

    half = [kernel(d) / 2 for d in (0.25, 0.75, 1.25, 1.75)]
    indices, weights = taps(16, 8)
    inside = dict(zip(indices[4].tolist(), weights[4].tolist(), strict=True))
    expected = dict(zip([8, 7, 6, 5], half, strict=True)) | dict(zip([9, 10, 11, 12], half, strict=True))
    for place, weight in expected.items():
        assert inside[place] == pytest.approx(weight, abs=1e-12)
    assert sum(half) * 2 == pytest.approx(1.0)


def test_flat_images_stay_flat_and_sizes_are_as_asked():
    flat = np.full((9, 12, 3), 77, np.uint8)
    for size in ((3, 4), (36, 48), (7, 5)):
        assert resized(flat, size).shape == (*size, 3) and (resized(flat, size) == 77).all()


def test_shrinking_equals_the_benchmark_level_for_level(shared_data):
    with zipfile.ZipFile(shared_data / "super-resolution.zip") as archive:
        for number in range(1, 6):
            high, low = (
                np.asarray(
                    Image.open(io.BytesIO(archive.read(f"Set5/img_{number:03}_SRF_4_{size}.png"))).convert("RGB")
                )
                for size in ("HR", "LR")
            )
            assert np.array_equal(shrunk(high, 4), low)


def test_photos_keep_their_sizes_and_come_in_pieces(folder):
    data = open_data(folder, Photos, scale=4, size=(16, 16), progress=False)
    # 3x2 + 2x4 + 2x3 (of 32x48) + 2x2 + 4x4 pieces, wherever the splits put the photos
    assert sum(len(data.split(name)) for name in ("train", "validation", "test")) == 6 + 8 + 6 + 4 + 16
    facts = {"channels": 3, "size": (16, 16), "shape": (3, 16, 16), "classes": 0, "scale": 4}
    assert data.facts() == facts
    split, first = whereabouts(data, "photo-4.png")
    batch = split.gather(np.array([first + 5]))  # row 1, column 1 of the grid
    photo = noise(64, 64, 4)
    low = shrunk(photo, 4)
    assert batch.image.shape == (1, 3, 16, 16) and batch.low.shape == (1, 3, 4, 4)
    for tensor, pixels in ((batch.image, photo[16:32, 16:32]), (batch.low, low[4:8, 4:8])):
        assert np.array_equal(((tensor[0] + 1) * 127.5).round().permute(1, 2, 0).numpy(), pixels)


def test_random_pieces_are_pieces_of_both_sizes_and_a_function_of_the_seed(folder):
    data = open_data(folder, Photos, scale=4, size=(16, 16), progress=False)
    split, first = whereabouts(data, "photo-4.png")
    index = np.array([first] * 8)
    seeds = [(3, place) for place in range(8)]
    batch, again = (split.gather(index, seeds=seeds) for _ in range(2))
    assert torch.equal(batch.image, again.image) and torch.equal(batch.low, again.low)
    photo, low = noise(64, 64, 4), shrunk(noise(64, 64, 4), 4)
    places = set()
    for high, small in zip(batch.image, batch.low, strict=True):
        pixels, levels = (((t + 1) * 127.5).round().permute(1, 2, 0).numpy().astype(np.uint8) for t in (high, small))
        found = [
            (top, left, turn)
            for top in range(13)
            for left in range(13)
            for turn in range(8)
            if np.array_equal(turned(low[top : top + 4, left : left + 4], turn), levels)
        ]
        ((top, left, turn),) = found
        assert np.array_equal(turned(photo[4 * top : 4 * top + 16, 4 * left : 4 * left + 16], turn), pixels)
        places.add((top, left, turn))
    assert len(places) == 8 and len({turn for _, _, turn in places}) > 2


def test_the_stream_gives_other_pieces_in_other_epochs_and_the_same_after_a_resumption(folder):
    data = open_data(folder, Photos, scale=2, size=(32, 32), progress=False)
    stream = Stream(data.split("train"), 2, seed=1)
    batches = [next(stream) for _ in range(8)]
    resumed = Stream(data.split("train"), 2, seed=1)
    resumed.position = 12
    assert torch.equal(next(resumed).image, batches[6].image)
    assert len({float(image.sum()) for batch in batches for image in batch.image}) > 12


def test_a_given_folder_of_low_resolution_is_taken_as_it_is(folder, tmp_path_factory):
    low = tmp_path_factory.mktemp("low")
    for number, (height, width) in enumerate([(48, 40), (40, 64), (33, 51), (40, 40), (64, 64)]):
        Image.fromarray(noise(height // 4, width // 4, 100 + number)).save(low / f"photo-{number}.bmp")
    with pytest.raises(DataError, match=r"photo-2.png is 8x12, and must be 1/4 of 33x51"):
        open_data(folder, Photos, scale=4, low=low, size=(16, 16), progress=False)
    (folder / "photo-2.png").unlink()
    data = open_data(folder, Photos, scale=4, low=low, size=(16, 16), progress=False)
    split, first = whereabouts(data, "photo-4.png")
    batch = split.gather(np.array([first]))
    assert np.array_equal(((batch.low[0] + 1) * 127.5).round().permute(1, 2, 0).numpy(), noise(16, 16, 104)[:4, :4])
    assert open_data(folder, Photos, progress=False, **data.options()).fingerprint == data.fingerprint
    (low / "photo-3.bmp").unlink()
    with pytest.raises(DataError, match=r"no low-resolution version of photo-3.png"):
        open_data(folder, Photos, scale=4, low=low, size=(16, 16), progress=False)


def test_low_resolution_is_found_by_the_names_of_data_sets(folder, tmp_path_factory):
    """As DIV2K has them, in one folder for several scales."""
    low = tmp_path_factory.mktemp("low")
    (folder / "photo-2.png").unlink()  # whose sides are no multiples
    for number, (height, width) in {0: (48, 40), 1: (40, 64), 3: (40, 40), 4: (64, 64)}.items():
        for scale in (2, 4):
            Image.fromarray(noise(height // scale, width // scale, scale)).save(low / f"photo-{number}x{scale}.png")
    for scale in (2, 4):
        data = open_data(folder, Photos, scale=scale, low=low, size=(16, 16), progress=False)
        split, first = whereabouts(data, "photo-4.png")
        levels = ((split.gather(np.array([first])).low[0] + 1) * 127.5).round().permute(1, 2, 0).numpy()
        assert np.array_equal(levels, noise(64 // scale, 64 // scale, scale)[: 16 // scale, : 16 // scale])
    with pytest.raises(DataError, match=r"no low-resolution version of photo-0.png"):
        open_data(folder, Photos, scale=3, low=low, size=(12, 12), progress=False)


@pytest.mark.parametrize(
    ("names", "others", "scale", "found"),
    [
        (["a.png", "b.png"], ["b.jpg", "a.bmp"], None, {"a.png": "a.bmp", "b.png": "b.jpg"}),
        (["0001.png"], ["0001x4.png"], 4, {"0001.png": "0001x4.png"}),
        (["0001.png"], ["0001x2.png", "0001x3.png"], 3, {"0001.png": "0001x3.png"}),
        (["0001.png"], ["0001x2.png", "0001x3.png"], 4, {}),
        (["i_HR.png"], ["i_LR.png"], None, {"i_HR.png": "i_LR.png"}),
        (["0001x4_SR.png"], ["0001.png"], None, {"0001x4_SR.png": "0001.png"}),
        (["i.png"], ["i_LRx4.png"], None, {"i.png": "i_LRx4.png"}),
        (["i.png"], ["i_LR_x4.png"], None, {"i.png": "i_LR_x4.png"}),
        (["box4.png", "bo.png"], ["bo.png"], None, {"bo.png": "bo.png"}),
        (["a.png", "a_SR.png"], ["a.png"], None, {"a.png": "a.png"}),
        (["x4.png"], ["x2.png"], None, {}),
        (["a/1.png", "b/1.png"], ["b/1x4.png", "a/1x4.png"], 4, {"a/1.png": "a/1x4.png", "b/1.png": "b/1x4.png"}),
    ],
)
def test_names_that_go_together(names, others, scale, found):
    assert matched(names, others, scale) == found


def test_pieces_are_48_low_pixels_a_side_or_as_many_as_most_photos_have(folder):
    assert open_data(folder, Photos, scale=2, progress=False).space.shape == (3, 32, 32)  # the smallest is 33 high
    for number in range(20):
        Image.fromarray(noise(100, 130, number)).save(folder / f"large-{number}.png")
    assert open_data(folder, Photos, scale=2, progress=False).space.shape == (3, 40, 40)
    for number in range(20, 60):
        Image.fromarray(noise(100, 130, number)).save(folder / f"large-{number}.png")
    assert open_data(folder, Photos, scale=2, progress=False).space.shape == (3, 96, 96)


def test_damaged_photos_are_left_out_and_small_ones_are_not_read(folder):
    (folder / "broken.png").write_text("no picture")
    Image.fromarray(noise(20, 90)).save(folder / "narrow.png")
    data = open_data(folder, Photos, scale=2, size=(32, 32), progress=False)
    assert "broken.png" in data.damaged
    assert any("smaller than 32x32: 1" in note for note in data.notes)
    with pytest.raises(DataError, match=r"no photo of .* is as large as a piece of 256x256"):
        open_data(folder, Photos, scale=2, size=(256, 256), progress=False)


def test_scales_sizes_and_sources_that_cannot_be(folder, tmp_path):
    with pytest.raises(UsageError, match="--scale cannot be 7; known: 2, 3, 4"):
        open_data(folder, Photos, scale=7)
    with pytest.raises(UsageError, match="multiple of the scale, 3"):
        open_data(folder, Photos, scale=3, size=(32, 32))
    with pytest.raises(UsageError, match="--channels cannot be 4; known: 1, 3"):
        open_data(folder, Photos, scale=2, channels=4)
    with pytest.raises(UsageError, match="pieces of 8x12 cannot be"):
        open_data(folder, Photos, scale=4, size=(8, 12))
    with pytest.raises(DataError, match="digits holds no photos: it holds images; give a folder or an archive"):
        open_data("digits", Photos, scale=2)
    with pytest.raises(DataError, match="digits holds no photos: give a folder or an archive"):
        open_data(folder, Photos, low="digits")
    with pytest.raises(UsageError, match=r"--low is for photos, and .* is read as images"):
        open_data(folder, low=folder)


def test_gray_is_read_as_gray(folder):
    data = open_data(folder, Photos, scale=2, size=(16, 16), channels=1, progress=False)
    assert data.split("train").gather(np.arange(2)).low.shape == (2, 1, 8, 8)


# -- the realistic degradation --


def test_compression_is_near_that_of_a_real_encoder():
    """The same tables and scaling as libjpeg: about as far from the original as Pillow's own files are."""
    rows, columns = np.mgrid[:64, :64]
    picture = (rows * 2 + 60 * np.sin(columns / 3) + 60).clip(0, 255).astype(np.uint8)
    coloured = np.stack([picture, picture[::-1], 255 - picture], 2)
    for pixels in (picture[:, :, None], coloured):
        tensor = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
        for quality in (30, 60, 90):
            buffer = io.BytesIO()
            Image.fromarray(pixels.squeeze()).save(buffer, "JPEG", quality=quality)
            theirs = np.asarray(Image.open(buffer)).astype(float).reshape(pixels.shape)
            ours = ((compressed(tensor, torch.tensor([float(quality)]))[0] + 1) * 127.5).permute(1, 2, 0).numpy()
            mine, other = np.abs(ours - pixels).mean(), np.abs(theirs - pixels).mean()
            assert mine / other == pytest.approx(1, abs=0.1)
            # A ramp has coefficients half-way between two steps, which the two round in different ways.
            assert np.abs(ours - theirs).mean() < 0.5 * other


def test_blur_keeps_the_mean_and_spreads_by_its_deviation():
    image = torch.zeros(1, 1, 31, 31)
    image[0, 0, 15, 15] = 1
    made = blurred(image, torch.tensor([2.0]), torch.tensor([1.0]), torch.tensor([0.0]))[0, 0].double()
    places = torch.arange(31, dtype=torch.float64) - 15
    assert made.sum() == pytest.approx(1.0, abs=1e-5)
    assert (made.sum(0) * places**2).sum().sqrt() == pytest.approx(2.0, rel=0.02)
    assert (made.sum(1) * places**2).sum().sqrt() == pytest.approx(1.0, rel=0.02)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_degraded_photos_are_small_in_range_and_a_function_of_the_seed(scale):
    images = torch.from_numpy(noise(48, 48)).permute(2, 0, 1)[None].float() / 127.5 - 1
    torch.manual_seed(0)
    low = degraded(images.expand(3, -1, -1, -1), scale)
    torch.manual_seed(0)
    assert torch.equal(low, degraded(images.expand(3, -1, -1, -1), scale))
    assert low.shape == (3, 3, 48 // scale, 48 // scale) and low.abs().max() <= 1
    assert not torch.equal(low[0], low[1])
    assert torch.allclose(((low + 1) * 127.5).round(), (low + 1) * 127.5, atol=1e-3)  # whole levels
