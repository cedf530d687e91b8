"""Holes in pictures: how they are cut, filled and blended, and how a mask of one's own is given."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import ganvas
from ganvas.data.batches import Masked
from ganvas.data.masked import LARGE
from ganvas.data.masks import random_mask
from ganvas.data.opening import open_data
from ganvas.errors import DataError, UsageError
from ganvas.inputs import given_of, inputs_from_json, inputs_to_json
from ganvas.model import Model
from ganvas.networks.filling import THIN, TILE, fill_any, guess_of, surroundings
from ganvas.recipes.inpainting import Inpainting
from ganvas.spaces import ImageSpace, MaskSpace, widened
from test_cli import ganvas as command
from test_cli import refused

SIDE = 16


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def box(height: int, width: int, rows: slice, columns: slice) -> np.ndarray:
    mask = np.zeros((height, width), bool)
    mask[rows, columns] = True
    return mask


def values(mask: np.ndarray) -> Tensor:
    """(1, 1, H, W): +1 where it is True, else -1."""
    return torch.where(torch.from_numpy(mask), 1.0, -1.0)[None, None]


@pytest.fixture(scope="module")
def recipe() -> Inpainting:
    """With random weights in its last layer too, which begins with zeros."""
    torch.manual_seed(0)
    made = Inpainting(channels=3, size=(SIDE, SIDE), width=4, d_width=4, content="none")
    nn.init.normal_(made.generator.tail.weight, std=0.1)
    return made.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def model(recipe: Inpainting) -> Model:
    return Model(recipe, ImageSpace(3, SIDE, SIDE), recipe.inputs(), step=1)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inpainting")
    (folder / "photos").mkdir()
    for number in range(4):
        Image.fromarray(noise(40, 50, 3, seed=number)).save(folder / "photos" / f"{number}.png")
    return ganvas.train(
        "inpainting", data=folder / "photos", out=folder / "run", size=SIDE, width=4, d_width=4, content="none",
        steps=3, warmup=0.0, batch_size=2, precision="float32", quiet=True,
    )  # fmt: skip


# -- masks of the training --------------------------------------------------------------------------------------------


def test_masks_cover_a_tenth_to_a_half_and_follow_from_their_seed() -> None:
    masks = [random_mask((3, number), 40, 56) for number in range(60)]
    shares = np.array([mask.mean() for mask in masks])
    assert 0.1 <= shares.min() < 0.2 and 0.4 < shares.max() <= 0.5
    assert len({mask.tobytes() for mask in masks}) == 60
    assert all((random_mask((3, number), 40, 56) == masks[number]).all() for number in range(5))
    assert 0.24 <= random_mask((5,), 64, 64, share=(0.24, 0.26)).mean() <= 0.26
    assert 0 < random_mask((0,), 4, 4).mean() <= 0.5  # ends on the smallest pictures too


def test_masks_are_wide_and_lie_everywhere() -> None:
    """Of the holes there are whole squares of an eighth of the side, and no place is left out."""
    masks = torch.from_numpy(np.stack([random_mask((number,), 64, 64) for number in range(80)]))[:, None]
    squares = -torch.nn.functional.max_pool2d(-masks.float(), 8, 1)
    assert bool((squares.flatten(1).amax(1) == 1).float().mean() > 0.9)
    often = masks.float().mean(0)
    assert often.min() > 0.1 and often.max() < 0.7


# -- the reader -------------------------------------------------------------------------------------------------------


def test_pieces_of_photos_come_with_their_masks(tmp_path: Path) -> None:
    pictures = [noise(40, 50, 3, seed=number) for number in range(3)]
    for number, each in enumerate(pictures):
        Image.fromarray(each).save(tmp_path / f"{number}.png")
    data = open_data(tmp_path, Masked, size=SIDE, progress=False)
    split = data.split("train")
    assert len(split) == 3 * 2 * 3 and data.space == ImageSpace(3, SIDE, SIDE)
    batch = split.gather(np.arange(len(split)))
    assert torch.equal(batch.image, batch.source) and batch.mask.shape == (18, 1, SIDE, SIDE)
    assert batch.mask.unique().tolist() == [-1, 1] and 0.1 <= (batch.mask > 0).float().mean() <= 0.5
    np.testing.assert_array_equal(data.space.to_uint8(batch.image)[1], pictures[0][:SIDE, SIDE : 2 * SIDE])
    assert torch.equal(split.gather(np.array([4])).mask[0], batch.mask[4])  # held-out masks stay what they are
    seeded = [split.gather(np.array([0, 0]), seeds=[(1, place), (1, 9)]) for place in (9, 9, 10)]
    assert torch.equal(seeded[0].image, seeded[1].image) and torch.equal(seeded[0].mask, seeded[1].mask)
    assert torch.equal(seeded[0].image[0], seeded[0].image[1])
    assert not torch.equal(seeded[2].image[0], seeded[0].image[0])
    assert not torch.equal(seeded[2].mask[0], seeded[0].mask[0])
    cut = data.space.to_uint8(seeded[2].image)[0]
    windows = np.lib.stride_tricks.sliding_window_view(pictures[0], (SIDE, SIDE, 3)).reshape(-1, SIDE, SIDE, 3)
    assert any((windows == turned).all((1, 2, 3)).any() for turned in (cut, cut[:, ::-1]))


def test_any_source_of_pictures_will_do(tmp_path: Path) -> None:
    np.savez(tmp_path / "small.npz", images=noise(6, 12, 12))
    data = open_data(tmp_path / "small.npz", Masked, channels=1, progress=False)
    assert data.space == ImageSpace(1, 12, 12) and len(data.split("train")) >= 5
    photos = tmp_path / "photos"
    photos.mkdir()
    for name, size in {"a": (LARGE + 40, 2 * LARGE + 80), "b": (70, 90), "c": (80, 64), "d": (30, 90)}.items():
        Image.fromarray(noise(*size, 3)).save(photos / f"{name}.png")
    data = open_data(photos, Masked, size=64, progress=False)
    assert "pictures left out because they are smaller than 64x64: 1" in data.notes
    assert sum(len(data.split(name)) for name in ("train", "validation", "test")) == (LARGE // 64) * (LARGE // 32) + 2
    with pytest.raises(DataError, match="no picture of 4 is as large as a piece of 500x500: give a smaller --size"):
        open_data(photos, Masked, size=500, progress=False)


# -- filling ----------------------------------------------------------------------------------------------------------


def test_a_hole_goes_on_from_what_is_around_it() -> None:
    hole = torch.from_numpy(box(20, 28, slice(5, 15), slice(8, 20)))[None, None]
    flat = torch.full((1, 3, 20, 28), 0.25)
    torch.testing.assert_close(surroundings(flat, hole, 16), flat)
    halves = torch.full((1, 1, 20, 28), -1.0)
    halves[..., 14:] = 1
    filled = surroundings(halves, hole, 16)
    torch.testing.assert_close(filled[~hole], halves[~hole])
    assert filled[0, 0, 10, 9] < -0.6 < 0.6 < filled[0, 0, 10, 18] and filled.abs().max() <= 1
    other = torch.where(hole, 0.5, halves)
    assert torch.equal(surroundings(other, hole, 16), filled)  # what is under the mask is not looked at


def test_outside_the_hole_a_picture_stays_bit_for_bit(recipe: Inpainting) -> None:
    mask = values(box(21, 30, slice(4, 12), slice(10, 18)))
    source = 2 * torch.rand(1, 3, 21, 30) - 1
    filled = recipe.generate(source=source, mask=mask)
    outside = (mask < 0).expand_as(source)
    assert torch.equal(filled[outside], source[outside])
    assert (filled[~outside] != source[~outside]).all()
    painted = torch.where(mask > 0, 1.0, source)
    assert torch.equal(recipe.generate(source=painted, mask=mask), filled)  # nor does it see what is there
    soft = torch.where(mask > 0, torch.tensor(0.25), mask)
    torch.testing.assert_close(recipe.generate(source=source, mask=soft), source + 0.25 * (filled - source))


def test_it_begins_with_what_is_around(recipe: Inpainting) -> None:
    new = Inpainting(channels=1, size=(SIDE, SIDE), width=4, content="none")
    source, mask = 2 * torch.rand(2, 1, SIDE, SIDE) - 1, values(random_mask((0,), SIDE, SIDE)).expand(2, -1, -1, -1)
    begun = new.generate(source=source, mask=mask)
    torch.testing.assert_close(begun, surroundings(source, mask > 0, SIDE).where(mask > 0, source))


def test_losses_are_of_the_hole_and_the_judge_sees_it_blended(recipe: Inpainting) -> None:
    masks = torch.cat([values(random_mask((number,), SIDE, SIDE)) for number in range(2)])
    image = 2 * torch.rand(2, 3, SIDE, SIDE) - 1
    real = Masked(image=image, source=image, mask=masks)
    hole = (masks > 0).expand_as(image)
    fake = torch.where(hole, image + 0.5, image - 7.0)
    terms = recipe.differences(torch.where(hole, fake, image), real)
    assert terms["difference"].item() == pytest.approx(recipe.answers.l1 * 0.5) and set(terms) == {"difference"}
    seen = []

    class Numbered(nn.Module):
        def forward(self, judged: Tensor) -> Tensor:
            seen.append(judged)
            return torch.arange(len(judged) * 16.0)

    judge, recipe.discriminator = recipe.discriminator, Numbered()
    try:
        logits = recipe.judge(masks, image).view(2, 16)
    finally:
        recipe.discriminator = judge
    assert torch.equal(seen[0], torch.cat([image, masks], dim=1))
    for number in range(2):
        blocks = masks[number, 0].view(4, 4, 4, 4).amax((1, 3)).flatten() > 0
        counts = torch.bincount(logits[number].long() - 16 * number, minlength=16)
        assert torch.equal(counts > 0, blocks) and counts[blocks].max() - counts[blocks].min() <= 1


def test_every_fourth_step_has_a_guess_of_the_true_picture(recipe: Inpainting) -> None:
    image, mask = 2 * torch.rand(1, 3, SIDE, SIDE) - 1, values(box(SIDE, SIDE, slice(4, 12), slice(4, 12)))
    real = Masked(image=image, source=image, mask=mask)
    guess = guess_of(image)
    assert torch.equal(recipe.filled(real, True), recipe.fill(image, mask, guess))
    torch.testing.assert_close(guess_of(torch.full((1, 1, 18, 21), 0.5)), torch.full((1, 1, 18, 21), 0.5))
    assert guess.var() < image.var() / 4
    steps = [ganvas.Progress(step, 8 * step, 0, 0.9) for step in range(8)]
    turns = [list(recipe.turns(step, iter([real]))) for step in steps]
    refined = [turn.losses.keywords["refine"] for pair in turns for turn in pair]  # type: ignore[attr-defined]
    assert refined == [False] * 6 + [True] * 2 + [False] * 6 + [True] * 2


def test_wide_holes_are_filled_from_coarse_to_fine_and_large_pictures_in_tiles() -> None:
    side, seen = 8, []

    def fill(picture: Tensor, mask: Tensor, guess: Tensor | None) -> Tensor:
        seen.append((tuple(picture.shape[2:]), guess is not None))
        return torch.where(mask > 0, 0.5 if guess is None else guess, picture)

    source = 2 * torch.rand(1, 3, 39, 30) - 1
    thin, wide = (values(box(39, 30, slice(10, 10 + high), slice(5, 25))) for high in (side // THIN - 1, 20))
    filled = fill_any(fill, source, thin, side)
    assert [guess for _, guess in seen] == [False] and torch.equal(filled, source.where(thin < 0, 0.5))
    seen.clear()
    filled = fill_any(fill, source, wide, side)
    assert [guess for _, guess in seen] == [False] + [True] * (len(seen) - 1) and len(seen) >= 3
    assert seen[0][0] == (10, 8)
    assert torch.equal(filled.where(wide < 0, 0), source.where(wide < 0, 0))
    assert filled[..., 15:25, 10:20].mean() > 0.3  # less what the soft guess has of the edge
    seen.clear()
    large = -torch.ones(1, 3, 100, 200)
    filled = fill_any(fill, large, values(box(100, 200, slice(50, 51), slice(20, 30))), side)
    tile = TILE * side
    assert [size for size, _ in seen] == [(tile + 2 * side, tile + side), (tile + 2 * side, tile + 2 * side)]
    assert (filled == 0.5).sum() == 3 * 10 and (filled[..., 50, 20:30] == 0.5).all()


def test_tiles_go_on_from_what_was_made_before() -> None:
    """Each place becomes one more than what is left of it, across the border of two tiles too."""
    side = 4

    def fill(picture: Tensor, mask: Tensor, guess: Tensor | None) -> Tensor:
        made = picture.where(mask < 0, -100)
        for column in range(1, picture.shape[3]):
            before = made[..., column - 1] + 1
            made[..., column] = torch.where(mask[..., column] > 0, before, made[..., column])
        return made

    filled = fill_any(fill, torch.zeros(1, 1, 1, 60), values(box(1, 60, slice(0, 1), slice(5, 55))), side)
    assert filled[0, 0, 0, 5:55].tolist() == list(range(1, 51))


# -- masks of one's own -----------------------------------------------------------------------------------------------


def test_a_mask_file_is_white_or_transparent_where_something_is_to_be_made() -> None:
    mask = box(12, 14, slice(4, 6), slice(5, 8))
    light = np.where(mask, 140, 110).astype(np.uint8)
    clear = np.dstack([noise(12, 14, 3), np.where(mask, 0, 255).astype(np.uint8)])
    opaque = np.dstack([*[light] * 3, np.full_like(light, 255)])
    space = MaskSpace()
    wanted = widened(torch.from_numpy(mask)[None, None])
    for pixels in (light, np.dstack([light] * 3), clear, opaque):
        assert torch.equal(space.read(png(pixels)), wanted)
    row = wanted[0, 0, 4].tolist()
    third = pytest.approx(1 / 3)
    assert row == [-1, -1, -1, third, pytest.approx(2 / 3), 1, 1, 1, pytest.approx(2 / 3), third, -1, -1, -1, -1]
    assert wanted[0, 0, 2, 3] == third and wanted[0, 0, 1, 3] == -1
    assert str(space) == "a mask as large as the picture, white where something is to be made, or transparent there"
    with pytest.raises(DataError, match="no image file"):
        space.read(b"no picture")


def test_the_declaration_travels(recipe: Inpainting) -> None:
    inputs = inputs_from_json(inputs_to_json(recipe.inputs()))
    assert inputs == recipe.inputs() and all(each.any_scale for each in given_of(inputs).values())
    assert isinstance(inputs["mask"].space, MaskSpace)  # type: ignore[attr-defined]


def test_values_are_taken_as_they_are_and_sizes_must_agree(model: Model) -> None:
    mask = box(20, 24, slice(6, 12), slice(8, 20))
    pixels = noise(20, 24, 3)
    made = model.space.to_uint8(model.transform(pixels, mask=values(mask)))[0]
    np.testing.assert_array_equal(made[~mask], pixels[~mask])
    assert (made[mask] != pixels[mask]).any()
    again = model.space.to_uint8(model.transform(pixels, mask=(mask * 255).astype(np.uint8)[:, :, None]))[0]
    np.testing.assert_array_equal(again, made)
    with pytest.raises(UsageError, match=r"mask: it is 20x25, and the picture 20x24 \(height x width\): give one as"):
        model.transform(pixels, mask=torch.ones(1, 1, 20, 25))
    with pytest.raises(UsageError, match="'mask' must be given"):
        model.transform(pixels)


def test_a_photo_keeps_its_size_and_all_that_is_not_masked(run: Path, tmp_path: Path, capsys) -> None:
    pixels, mask = noise(90, 130, 3), box(90, 130, slice(20, 60), slice(30, 90))
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    Image.fromarray(mask).save(tmp_path / "mask.png")
    words = ("translate", run, tmp_path / "photo.png", "--out", tmp_path / "made.png")
    assert command(*words, "--mask", tmp_path / "mask.png") == 0
    with Image.open(tmp_path / "made.png") as file:
        made = np.asarray(file)
    stays = widened(torch.from_numpy(mask)[None, None])[0, 0].numpy() < 0
    assert made.shape == pixels.shape and stays.sum() == 90 * 130 - 44 * 64
    np.testing.assert_array_equal(made[stays], pixels[stays])
    assert (made[mask] != pixels[mask]).any(1).mean() > 0.9
    (tmp_path / "made.png").unlink()
    Image.fromarray(mask[:50]).save(tmp_path / "low.png")
    said = refused(capsys, *words, "--mask", tmp_path / "low.png")
    assert "photo.png: mask: it is 50x130, and the picture 90x130 (height x width): give one as large" in said
    assert "'mask' must be given" in refused(capsys, *words)
    assert "mask: this is no image file" in refused(capsys, *words, "--mask", run / "config.json")
    assert not (tmp_path / "made.png").exists()


def test_a_mask_is_sent_with_a_picture(model: Model) -> None:
    pytest.importorskip("fastapi")
    pytest.importorskip("python_multipart")
    from test_serve_given import client_of

    pixels, mask = noise(20, 30, 3), box(20, 30, slice(5, 12), slice(8, 20))
    with client_of(model) as client:
        files = {"source": png(pixels), "mask": png(mask)}
        answer = client.post("/v1/transform", files=files)
        assert answer.status_code == 200, answer.text
        made = np.asarray(Image.open(io.BytesIO(answer.content)))
        wanted = model.transform(pixels, mask=widened(torch.from_numpy(mask)[None, None]))
        np.testing.assert_array_equal(made, model.space.to_uint8(wanted)[0])
        answer = client.post("/v1/transform", files=files | {"mask": png(mask[:-1])})
        assert answer.status_code == 422 and "mask: it is 19x30, and the picture 20x30" in answer.json()["error"]
        assert client.post("/v1/transform", files={"source": png(pixels)}).status_code == 422


def test_the_exported_graph_takes_picture_and_mask(model: Model) -> None:
    runtime = pytest.importorskip("onnxruntime")
    from ganvas.exporting.graph import largest_difference, onnx_bytes

    graph = onnx_bytes(model, "inpainting")
    assert largest_difference(model, graph) <= 1e-4
    session = runtime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    assert [(each.name, each.shape[1:]) for each in session.get_inputs()] == [
        ("source", [3, "height", "width"]), ("mask", [1, "height", "width"])
    ]  # fmt: skip
    source, mask = torch.rand(1, 3, 23, 37), values(random_mask((0,), 23, 37))
    (made,) = session.run(None, {"source": source.numpy(), "mask": mask.numpy()})
    wanted = model.recipe.generate(source=source, mask=mask)
    assert float((torch.from_numpy(made) - wanted).abs().max()) <= 1e-4
    outside = (mask < 0).expand_as(source)
    assert torch.equal(torch.from_numpy(made)[outside], source[outside])


def test_whoever_has_the_network_alone_is_told_which_holes_it_fills(model: Model, run: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    from ganvas.exporting.graph import metadata

    told = json.loads(metadata(model, "inpainting")["ganvas.alone"])
    assert "holes of up to about 5 pixels" in told and "pictures of 16" in told
    ganvas.export(run, "hub", tmp_path / "hub")
    assert "As an ONNX file or a page: The network alone fills holes" in (tmp_path / "hub" / "README.md").read_text()
    # It is so: of a picture larger than those of the training, narrow holes are filled by the network at once.
    source = torch.rand(1, 3, 30, 36) * 2 - 1
    for wide, alike in ((4, True), (9, False)):
        mask = torch.full((1, 1, 30, 36), -1.0)
        mask[..., 8 : 8 + wide, 12 : 12 + wide] = 1
        both = (make(source=source, mask=mask) for make in (model.recipe.applied, model.recipe.generate))
        assert torch.equal(*both) is alike


def test_a_mask_is_made_where_no_whole_number_of_pixels_has_the_wanted_share() -> None:
    # Of 63 pixels 0.26 are 16.4: what is wanted between 16 and 16.4 cannot be met, and 16 must do.
    covered = {int(random_mask((seed,), 7, 9, share=(0.24, 0.26)).sum()) for seed in range(40)}
    assert covered == {16}
