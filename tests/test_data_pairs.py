"""Pairs as people have them: which files go together, and what is said of those that do not."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter

from ganvas.data.batches import Images, Pairs, Unpaired
from ganvas.data.dataset import Data
from ganvas.data.opening import open_data
from ganvas.errors import DataError, UsageError
from ganvas.spaces import FREE, ImageSpace, by_majority
from test_cli import TINY, ganvas, refused


def flat(path: Path, level: int, size: tuple[int, int] = (16, 16)) -> None:
    """A picture of one level, (width, height)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, level).save(path)


def folders(root: Path, count: int = 12, given: str = "labels", made: str = "photos") -> Path:
    """Pairs whose photo is 100 levels lighter than its label."""
    for number in range(count):
        flat(root / given / f"{number}.png", number)
        flat(root / made / f"{number}.png", 100 + number)
    return root


def opened(source: Path, **options: Any) -> Data:
    return open_data(source, Pairs, progress=False, **options)


def levels(data: Data) -> dict[int, int]:
    """Of each pair, the level of what is given and of what is to be made."""
    found: dict[int, int] = {}
    for name in ("train", "validation", "test"):
        if len(split := data.split(name)):
            batch = split.gather(np.arange(len(split)))
            pixels = [
                ((each[:, 0, 8, 8] + 1) * 127.5).round().int().tolist()
                for each in (batch.source, batch.image)  # type: ignore[attr-defined]
            ]
            found |= dict(zip(*pixels, strict=True))
    return found


def test_a_pair_of_two_shapes_is_left_out_and_named(tmp_path: Path) -> None:
    folders(tmp_path)
    flat(tmp_path / "photos" / "3.png", 200, (16, 24))
    flat(tmp_path / "photos" / "4.png", 104, (32, 32))  # of another size and the same shape
    flat(tmp_path / "photos" / "5.png", 105, (200, 199))  # rounded to whole pixels
    data = opened(tmp_path)
    assert levels(data) == {number: 100 + number for number in range(12) if number != 3}
    assert "1 damaged item left out: photos/3.png (it is 24x16, and what is given for it 16x16)" in data.notes


def test_pairs_that_all_differ_in_shape_are_refused_by_the_first(tmp_path: Path) -> None:
    for number in range(6):
        flat(tmp_path / "a" / f"{number}.png", number, (16, 16))
        flat(tmp_path / "b" / f"{number}.png", number, (16, 24))
    with pytest.raises(DataError, match=r"such as b/0.png \(it is 24x16, and what is given for it 16x16\)"):
        opened(tmp_path)


def test_pictures_without_a_partner_are_counted_and_named_on_both_sides(tmp_path: Path) -> None:
    folders(tmp_path)
    for name in ("x.png", "y.png"):
        flat(tmp_path / "labels" / name, 1)
    flat(tmp_path / "photos" / "z.png", 1)
    notes = opened(tmp_path).notes
    assert "2 pictures in labels without a partner left out: labels/x.png, labels/y.png" in notes
    assert "1 picture in photos without a partner left out: photos/z.png" in notes


def test_names_go_together_whatever_their_endings_and_folders(tmp_path: Path) -> None:
    for number in range(6):
        flat(tmp_path / "labels" / "deep" / f"{number}.png", number)
        flat(tmp_path / "photos" / "deep" / f"{number}.bmp", 100 + number)
    assert levels(opened(tmp_path)) == {number: 100 + number for number in range(6)}
    flat(tmp_path / "photos" / "deep" / "2.png", 222)  # which has the ending of its label
    data = opened(tmp_path)
    assert levels(data)[2] == 222
    assert "1 picture in photos without a partner left out: photos/deep/2.bmp" in data.notes


def test_splits_below_the_two_folders_are_kept(tmp_path: Path) -> None:
    for split, start in (("train", 0), ("val", 50)):
        for number in range(start, start + 10):
            flat(tmp_path / "labels" / split / f"{number}.png", number)
            flat(tmp_path / "photos" / split / f"{number}.png", 100 + number)
    data = opened(tmp_path)
    assert data.counts["validation"] == 10 and data.counts["train"] + data.counts["test"] == 10
    assert "folders taken as splits: train, val (validation)" in data.notes
    held = data.split("validation")
    assert all("/val/" in name for name in held.names)


def test_of_a_damaged_pair_the_damaged_file_is_told(tmp_path: Path) -> None:
    folders(tmp_path)
    (tmp_path / "labels" / "2.png").write_bytes(b"nothing")
    (tmp_path / "photos" / "7.png").write_bytes((tmp_path / "photos" / "8.png").read_bytes()[:44])
    data = opened(tmp_path)
    assert set(levels(data)) == set(range(12)) - {2, 7}
    assert data.damaged["photos/2.png"] == "labels/2.png: not an image"
    assert set(data.damaged) == {"photos/2.png", "photos/7.png"} and "labels" not in data.damaged["photos/7.png"]


def test_many_pairs_are_read_a_part_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganvas.data.pairs._AT_ONCE", 5)
    assert levels(opened(folders(tmp_path))) == {number: 100 + number for number in range(12)}


# -- halves ---------------------------------------------------------------------------------------------------------


def halves(folder: Path, count: int = 12, size: tuple[int, int] = (32, 16)) -> Path:
    folder.mkdir(exist_ok=True)
    for number in range(count):
        picture = Image.new("L", size, number)
        picture.paste(100 + number, (size[0] // 2, 0, size[0], size[1]))
        picture.save(folder / f"{number}.png")
    return folder


def test_a_picture_among_halves_that_is_none_is_left_out(tmp_path: Path) -> None:
    halves(tmp_path)
    flat(tmp_path / "photo.png", 9)
    data = opened(tmp_path)
    assert levels(data) == {100 + number: number for number in range(12)}
    assert data.damaged == {"photo.png": "16x16 (height x width), which is not the shape of the others"}
    assert "given: the right half of each picture, to be made: the left one" in data.notes
    assert levels(opened(tmp_path, given="left")) == {number: 100 + number for number in range(12)}


def test_halves_of_an_odd_width_are_equally_wide(tmp_path: Path) -> None:
    for number in range(6):
        picture = Image.new("L", (33, 16), number)
        picture.paste(100 + number, (16, 0, 32, 16))
        picture.paste(255, (32, 0, 33, 16))  # belongs to neither
        picture.save(tmp_path / f"{number}.png")
    data = opened(tmp_path)
    assert (data.space.shape, levels(data)) == ((3, 16, 16), {100 + number: number for number in range(6)})
    batch = data.split("train").gather(np.arange(2))
    assert float(batch.source.max()) < 0  # type: ignore[attr-defined]


# -- nothing to learn -----------------------------------------------------------------------------------------------


def test_label_numbers_in_16_bits_which_become_black_are_refused(tmp_path: Path) -> None:
    folders(tmp_path)
    for number in range(12):
        Image.fromarray(np.full((16, 16), number, np.uint16)).save(tmp_path / "labels" / f"{number}.png")
    with pytest.raises(DataError, match=r"the pictures in labels are all the same, .*: save such in 8 bits"):
        opened(tmp_path)


def test_twice_the_same_pictures_are_no_pairs(tmp_path: Path) -> None:
    for number in range(6):
        flat(tmp_path / "a" / f"{number}.png", number)
        flat(tmp_path / "b" / f"{number}.png", number)
    with pytest.raises(DataError, match="the pictures in b and the pictures in a are the same, so there is nothing"):
        opened(tmp_path)


# -- label maps -----------------------------------------------------------------------------------------------------


def label_map(seed: int, side: int = 96) -> Image.Image:
    """Areas of three numbers, 0, 100 and 200, with borders anywhere."""
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=(side, side)), 10)
    return Image.fromarray((np.digitize(noise, np.quantile(noise, [0.3, 0.7])) * 100).astype(np.uint8))


def test_label_maps_keep_their_numbers_and_photos_are_smoothed(tmp_path: Path) -> None:
    for number in range(6):
        (tmp_path / "photos").mkdir(exist_ok=True)
        (tmp_path / "labels").mkdir(exist_ok=True)
        label_map(number).save(tmp_path / "labels" / f"{number}.png")
        noise = np.random.default_rng(number).integers(0, 256, (96, 96), dtype=np.uint8)
        Image.fromarray(noise).save(tmp_path / "photos" / f"{number}.png")
    data = opened(tmp_path, size=20)
    batch = data.split("train").gather(np.arange(4))
    source, image = (((each + 1) * 127.5).round().int() for each in (batch.source, batch.image))  # type: ignore[attr-defined]
    assert set(source.unique().tolist()) == {0, 100, 200}
    assert float(image.float().std()) < 30  # of 74
    assert "6 label maps brought to this size without mixing colours" in data.notes


def test_a_pixel_becomes_what_most_of_its_area_was() -> None:
    pixels = np.array([[1, 1, 5, 9], [1, 9, 5, 5], [9, 9, 5, 1], [9, 9, 1, 1]], np.uint8)
    made = by_majority(Image.fromarray(pixels), (2, 2))
    assert made is not None and np.asarray(made).tolist() == [[1, 5], [9, 1]]
    colours = np.array([[255, 0, 0], [0, 0, 255], [0, 255, 0]], np.uint8)[np.digitize(pixels, [3, 7])]
    made = by_majority(Image.fromarray(colours), (2, 2))
    assert made is not None
    assert np.asarray(made).tolist() == [[[255, 0, 0], [0, 0, 255]], [[0, 255, 0], [255, 0, 0]]]
    part = by_majority(Image.fromarray(pixels), (1, 1), (2, 0, 4, 2))
    assert part is not None and np.asarray(part).tolist() == [[5]]


def test_a_label_map_that_is_given_is_brought_to_the_scale_as_those_of_the_training_were() -> None:
    space, like = ImageSpace(3, FREE, FREE), ImageSpace(3, 20, 20)
    pixels = np.asarray(label_map(0).convert("RGB"))[None]
    made = space.to_uint8(space.brought(space.decode(pixels), like))[0]
    as_in_training = by_majority(Image.fromarray(pixels[0]), (20, 20))
    assert as_in_training is not None and (made == np.asarray(as_in_training)).all()


def test_drawings_of_thin_lines_and_photos_are_no_label_maps() -> None:
    drawing = Image.new("L", (128, 128), 255)
    pen = ImageDraw.Draw(drawing)
    for place in range(8, 128, 16):
        pen.line((place, 4, 124 - place, 120), fill=0)
    assert by_majority(drawing, (32, 32)) is None
    assert by_majority(Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)), (4, 4)) is None


# -- two sources ----------------------------------------------------------------------------------------------------


def test_two_sources_are_matched_by_their_names(tmp_path: Path) -> None:
    folders(tmp_path)
    flat(tmp_path / "photos" / "alone.png", 9)
    data = opened(tmp_path / "labels", other=tmp_path / "photos")
    assert levels(data) == {number: 100 + number for number in range(12)}
    assert "given: labels, to be made: photos" in data.notes
    assert "1 picture in photos without a partner left out: alone.png" in data.notes
    turned = opened(tmp_path / "photos", other=tmp_path / "labels")
    assert levels(turned) == {100 + number: number for number in range(12)}
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for file in (tmp_path / "photos").iterdir():
            archive.write(file, file.name)
    assert opened(tmp_path / "labels", other=tmp_path / "photos.zip").fingerprint == data.fingerprint
    with pytest.raises(UsageError, match="what is given lies in --data"):
        opened(tmp_path / "labels", other=tmp_path / "photos", given="photos")
    for number in range(4):
        flat((other := tmp_path / "other") / f"x{number}.png", number)
    with pytest.raises(DataError, match="no pairs; train on two domains without pairs with cut or cyclegan"):
        opened(tmp_path / "labels", other=other)


def test_a_second_source_that_changes_is_read_again(tmp_path: Path) -> None:
    folders(tmp_path)
    before = opened(tmp_path / "labels", other=tmp_path / "photos").fingerprint
    flat(tmp_path / "photos" / "5.png", 201)
    after = opened(tmp_path / "labels", other=tmp_path / "photos")
    assert after.fingerprint != before and levels(after)[5] == 201


def test_a_training_on_pairs_goes_on_where_both_sources_moved(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders(tmp_path / "then")
    run, then, now = tmp_path / "run", tmp_path / "then", tmp_path / "now"
    sources = ("--data", then / "labels", "--other", then / "photos")
    assert ganvas("train", "pix2pix", *sources, "--out", run, "--width", "8", "--d-width", "8", *TINY) == 0
    then.rename(now)
    told = refused(capsys, "train", "--resume", run, "--steps", "6")
    assert "say where with --data and --other" in told
    moved = ("--data", now / "labels", "--other", now / "photos")
    assert ganvas("train", "--resume", run, *moved, "--steps", "6", "--quiet") == 0
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert rows[-1]["step"] == 6 and json.loads((run / "config.json").read_text())["data"]["source"] == str(
        now / "labels"
    )


# -- the wrong recipe -----------------------------------------------------------------------------------------------


def scenes(folder: Path, kind: str) -> Path:
    """Pictures twice as wide as high: one scene each, or two halves of different ones."""
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(12):
        widths = (64,) if kind == "one" else (32, 32)
        parts = [gaussian_filter(random.normal(size=(32, width)), 4) for width in widths]
        spread = [((part - part.min()) / np.ptp(part) * 200 + 20 * place) for place, part in enumerate(parts)]
        Image.fromarray(np.concatenate(spread, axis=1).astype(np.uint8)).save(folder / f"{number}.png")
    return folder


def test_halves_are_recognised_where_they_are_read_as_something_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    two, one = scenes(tmp_path / "two", "two"), scenes(tmp_path / "one", "one")
    told = refused(capsys, "train", "cyclegan", "--data", two)
    assert "has no folders of two domains" in told and "it looks like pairs, two halves side by side" in told
    assert "looks like" not in refused(capsys, "train", "cyclegan", "--data", one)
    note = "the pictures look like pairs, two halves side by side, of which pix2pix learns"
    assert any(each.startswith(note) for each in open_data(two, Images, progress=False).notes)
    assert not any("look like" in each for each in open_data(one, Images, progress=False).notes)
    with pytest.raises(DataError, match="looks like pairs"):
        open_data(two, Unpaired, progress=False)
