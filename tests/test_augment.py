"""Augmentations: what they may change, by hand, and that gradients pass through."""

import pytest
import torch

from ganvas import augment


def ramp(count=64, channels=3, side=8):
    """Images in which every pixel tells its row and column."""
    image = torch.arange(side * side, dtype=torch.float32).reshape(1, 1, side, side) / (side * side) - 0.5
    return image.expand(count, channels, side, side).clone()


def test_a_flip_mirrors_some_and_leaves_the_others():
    torch.manual_seed(0)
    images = ramp()
    mirrored = [torch.equal(image, images[0].flip(2)) for image in augment.flip(images)]
    untouched = [torch.equal(image, images[0]) for image in (lambda: (torch.manual_seed(0), augment.flip(images))[1])()]
    assert all(m != u for m, u in zip(mirrored, untouched, strict=True)) and 16 <= sum(mirrored) <= 48


def test_a_translation_moves_by_up_to_an_eighth_and_repeats_the_edge():
    torch.manual_seed(0)
    images = ramp()
    moved = augment.translation(images)
    padded = torch.nn.functional.pad(images[:1], (1, 1, 1, 1), mode="replicate")[0]
    allowed = [padded[:, row : row + 8, column : column + 8] for row in range(3) for column in range(3)]
    found = [next(i for i, each in enumerate(allowed) if torch.equal(image, each)) for image in moved]
    assert len(set(found)) == 9


def test_a_cutout_is_one_gray_rectangle_of_half_the_sides():
    torch.manual_seed(0)
    cut = augment.cutout(torch.ones(256, 3, 8, 6))
    assert set(cut.unique().tolist()) == {0.0, 1.0}
    holes = (cut[:, 0] == 0).sum((1, 2))
    assert holes.max() == 4 * 3
    inner = cut[holes == 12][0, 0] == 0
    rows, columns = inner.any(1).nonzero().flatten(), inner.any(0).nonzero().flatten()
    assert len(rows) == rows[-1] - rows[0] + 1 == 4 and len(columns) == columns[-1] - columns[0] + 1 == 3


def test_colours_change_as_said():
    torch.manual_seed(0)
    images = torch.rand(64, 3, 4, 4) - 0.5
    shift = (augment.brightness(images) - images).flatten(1)
    assert shift.std(1).max() < 1e-6 and shift.abs().max() <= 0.5 and shift.mean(1).std() > 0.2
    centred = images - images.mean((1, 2, 3), keepdim=True)
    changed = augment.contrast(images)
    factor = (changed - changed.mean((1, 2, 3), keepdim=True)).flatten(1).norm(dim=1) / centred.flatten(1).norm(dim=1)
    assert factor.min() >= 0.5 and factor.max() <= 1.5 and factor.std() > 0.2
    torch.testing.assert_close(augment.saturation(images).mean(1), images.mean(1))
    torch.testing.assert_close(augment.saturation(images[:, :1]), images[:, :1])


@pytest.mark.parametrize("name", augment.POLICIES)
def test_gradients_pass_through_and_one_channel_is_enough(name):
    images = torch.rand(4, 1, 9, 7, requires_grad=True)
    result = augment.POLICIES[name](images)
    assert result.shape == images.shape
    result.square().sum().backward()
    assert images.grad.abs().sum() > 0
