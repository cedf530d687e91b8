"""Kinds of data: a batch type with its reader is all that a new one needs, and a run finds its data again."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from ganvas.api import train
from ganvas.data.arrays import Arrays, Part
from ganvas.data.batches import BUILT_IN, Images, Photos, Points, Unpaired, reading_options
from ganvas.data.cache import Writer, open_entry
from ganvas.data.columns import Labels
from ganvas.data.dataset import Data, describe
from ganvas.data.images import ImageReader
from ganvas.data.opening import open_data, open_like, reopen
from ganvas.data.points import PointReader
from ganvas.data.readers import SourceName
from ganvas.data.stream import Stream
from ganvas.data.waves import WaveReader, Waves
from ganvas.errors import DataError, RunError, UsageError
from ganvas.metrics.evaluate import evaluate
from ganvas.spaces import ImageSpace, WaveSpace
from test_cli import TINY, ganvas, refused
from voxels import VoxelReader, Voxels, VoxelSpace

SOLIDS = np.random.default_rng(5).integers(0, 2, (60, 4, 6, 8), dtype=np.uint8)


@pytest.fixture
def solids(tmp_path):
    """60 solids in three classes, in a file; the 7th is empty."""
    values = SOLIDS.copy()
    values[7] = 0
    np.savez(tmp_path / "solids.npz", data=values, labels=np.array(["cube", "ball", "cone"])[np.arange(60) % 3])
    return tmp_path / "solids.npz"


def opened(source, as_=Voxels, **options):
    return open_data(source, as_, progress=False, **options)


def by_name(data: Data) -> dict[str, tuple[np.ndarray, str]]:
    found = {}
    for name in data.counts:
        split = data.split(name)
        if len(split):
            batch = split.gather(np.arange(len(split)))
            labels = [data.labels[number] for number in batch.label]
            found |= dict(zip(split.names, zip(batch.value.numpy(), labels, strict=True), strict=True))
    return found


def test_a_kind_of_ones_own_is_its_space_its_batch_and_its_reader(solids):
    data = opened(solids)
    assert data.batch_type is Voxels and Voxels.kind == "voxels" and data.space == VoxelSpace(4, 6, 8)
    assert data.columns == {"solid": VoxelSpace(4, 6, 8), "label": Labels(("ball", "cone", "cube"))}
    assert data.facts() == {"shape": (1, 4, 6, 8), "classes": 3} and data.labels == ("ball", "cone", "cube")
    assert data.damaged == {"7": "empty"} and data.notes[0] == "1 damaged item left out: 7 (empty)"
    found = by_name(data)
    assert found.keys() == {str(number) for number in range(60)} - {"7"}
    for name, (solid, label) in found.items():
        assert (solid[0] == SOLIDS[int(name)]).all() and label == ("cube", "ball", "cone")[int(name) % 3]
    assert data.label_counts == {"ball": 19, "cone": 20, "cube": 20}


def test_its_batches_are_streamed_sliced_and_moved(solids):
    split = opened(solids).split("train")
    stream = Stream(split, 12, seed=3)
    batch = next(stream)
    assert type(batch) is Voxels and batch.solid.shape == (12, 1, 4, 6, 8) and batch.label.dtype == torch.int64
    assert torch.equal(batch.value, batch.solid) and batch.given() == {}
    assert [len(part) for part in batch.chunk(3)] == [4, 4, 4]
    again = Stream(split, 12, seed=3)
    assert torch.equal(next(again).solid, batch.solid) and torch.equal(batch[3:5].solid, batch.solid[3:5])


def test_its_options_are_checked_prepared_apart_and_told(solids):
    plain, thin = opened(solids), opened(solids, every="2")
    assert thin.space == VoxelSpace(2, 3, 4) and thin.reader == VoxelReader(every=2)
    assert thin.fingerprint != plain.fingerprint and thin._entry.folder != plain._entry.folder
    assert (by_name(thin)["3"][0][0] == SOLIDS[3, ::2, ::2, ::2]).all()
    assert "every 2th voxel" in thin.notes
    assert describe(thin)[0] == f"data: {solids}, voxels 2x3x4, --every 2"
    with pytest.raises(UsageError, match=r"voxels have no option 'evrey'; did you mean 'every'\?"):
        opened(solids, evrey=2)
    with pytest.raises(UsageError, match="--every must be 1 to 8, not 9"):
        opened(solids, every=9)
    with pytest.raises(UsageError, match=r"--size is for .*images, .*photos.*, and .*solids.npz is read as voxels"):
        opened(solids, size=8)
    with pytest.raises(DataError, match=r"ring holds no voxels: it holds points; give an array of uint8"):
        opened("ring")


def _forbid_reading(monkeypatch):
    def never(*_):
        raise AssertionError("read again")

    monkeypatch.setattr(VoxelReader, "read", never)
    monkeypatch.setattr(ImageReader, "read", never)


def test_the_same_options_find_what_is_prepared(solids, monkeypatch):
    data, thin = opened(solids), opened(solids, every=2)
    options = json.loads(json.dumps(thin.options()))
    assert options == {"every": 2} and data.options() == {"every": 1}
    _forbid_reading(monkeypatch)
    assert opened(solids).fingerprint == opened(solids, every=None).fingerprint == data.fingerprint
    again = opened(thin.source, **options)
    assert again.fingerprint == thin.fingerprint and again.notes == thin.notes and again.damaged == thin.damaged
    with pytest.raises(AssertionError, match="read again"):
        opened(solids, every=4)


def about(data: Data, **changes: Any) -> dict[str, Any]:
    """What `config.json` says of the data."""
    told = {"source": data.source, "kind": data.batch_type.kind, "options": data.options()}
    return json.loads(json.dumps(told | {"fingerprint": data.fingerprint} | changes))


def test_a_run_reopens_its_data_with_all_options(solids, tmp_path, monkeypatch):
    thin = opened(solids, every=2)
    monkeypatch.setattr(VoxelReader, "read", None)  # nothing is prepared again
    for accepts in ((Voxels,), (Images, Voxels)):  # images would read such arrays too, and were not what it was
        again = reopen(about(thin), accepts=accepts, progress=False)
        assert again.fingerprint == thin.fingerprint and again.reader == thin.reader and again.batch_type is Voxels


def test_data_that_moved_is_reopened_where_it_is_the_same(solids, tmp_path):
    thin = opened(solids, every=2)
    moved = solids.rename(tmp_path / "moved.npz")
    with pytest.raises(DataError, match=r"no data .*solids.npz'.*; if it lies elsewhere now, say where with --data"):
        reopen(about(thin), accepts=(Voxels,), progress=False)
    again = reopen(about(thin), accepts=(Voxels,), source=moved, progress=False)
    assert again.fingerprint == thin.fingerprint and again.source == str(moved) and again.reader == thin.reader
    np.save(tmp_path / "other.npy", SOLIDS)
    other = tmp_path / "other.npy"
    with pytest.raises(DataError, match=r"other.npy does not hold what runs/a was trained on; stop"):
        reopen(about(thin), accepts=(Voxels,), source=other, run="runs/a", otherwise="stop", progress=False)
    np.savez(tmp_path / "solids.npz", data=1 - SOLIDS)
    with pytest.raises(DataError, match=r"solids.npz is not what it was when .*\(it has changed since, or .*\); stop"):
        reopen(about(thin), accepts=(Voxels,), otherwise="stop", progress=False)


def picture_folder(path: Path, seed: int = 0, count: int = 12) -> Path:
    """Two labels of pictures of 16 x 16."""
    for number in range(count):
        (path / f"{number % 2}").mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(seed + number).integers(0, 256, (16, 16, 3), np.uint8)
        Image.fromarray(pixels).save(path / f"{number % 2}" / f"{number}.png")
    return path


def zipped(folder: Path, path: Path) -> Path:
    return Path(shutil.make_archive(str(path.with_suffix("")), "zip", folder)).rename(path)


def test_folders_and_archives_that_moved_are_the_same_data(tmp_path):
    """Under another name, on another machine (nothing is left at the old path), in an archive, in one's folder."""
    then = open_data(picture_folder(tmp_path / "here" / "pets"), Images, progress=False)
    moved = Path(shutil.move(tmp_path / "here", tmp_path / "there")) / "pets"
    archive = zipped(moved, tmp_path / "a.zip")
    parent = zipped(tmp_path / "there", tmp_path / "deep.zip")
    with pytest.raises(DataError, match=r"no data .*pets'.*; if it lies elsewhere now, say where with --data"):
        reopen(about(then), accepts=(Images,), progress=False)
    renamed = Path(shutil.copy(archive, tmp_path / "renamed.zip"))
    for source in (moved, archive, renamed, f"{parent}/pets"):
        again = reopen(about(then), accepts=(Images,), source=source, progress=False)
        assert again.fingerprint == then.fingerprint and again.source == str(source), source
        assert list(again.split("train").names) == list(then.split("train").names)
    of_archive = open_data(f"{parent}/pets", Images, progress=False)
    lost = about(of_archive, source=f"{tmp_path}/gone/deep.zip/pets")
    assert reopen(lost, accepts=(Images,), source=archive, progress=False).fingerprint == then.fingerprint
    (moved / "0" / "0.png").unlink()
    for other in (moved, parent, picture_folder(tmp_path / "others", seed=50)):
        with pytest.raises(DataError, match=r"does not hold what the run was trained on; give --data") as caught:
            reopen(about(then), accepts=(Images,), source=other, progress=False)
        assert "\n" not in str(caught.value)


def test_a_second_source_that_moved_is_named_too(tmp_path):
    for name, seed in (("horses", 0), ("zebras", 100), ("lions", 200)):
        picture_folder(tmp_path / "here" / name, seed)
    then = open_data(tmp_path / "here" / "horses", Unpaired, other=tmp_path / "here" / "zebras", progress=False)
    there = Path(shutil.move(tmp_path / "here", tmp_path / "there"))
    told = {"accepts": (Unpaired,), "progress": False}
    with pytest.raises(DataError, match="say where with --data and --other"):
        reopen(about(then), **told)
    with pytest.raises(DataError, match="say where with --other"):
        reopen(about(then), source=there / "horses", **told)
    with pytest.raises(DataError, match=r"no data .*nowhere") as caught:
        reopen(about(then), source=there / "horses", seconds={"other": there / "nowhere"}, **told)
    assert "say where with" not in str(caught.value)
    again = reopen(about(then), source=there / "horses", seconds={"other": there / "zebras", "low": None}, **told)
    assert again.fingerprint == then.fingerprint and again.options()["other"] == str(there / "zebras")
    with pytest.raises(DataError, match="does not hold what the run was trained on"):
        reopen(about(then), source=there / "horses", seconds={"other": there / "lions"}, **told)
    with pytest.raises(UsageError, match="--low is for photos"):
        reopen(about(then), source=there / "horses", seconds={"low": there / "horses"}, **told)


def test_a_data_root_that_moved_is_asked_for(tmp_path):
    ring = open_data("ring", progress=False)
    lost = about(ring, source="mnist", options={"data_root": str(tmp_path / "gone")})
    with pytest.raises(DataError, match=r"gone is not a folder; if it lies elsewhere now, say where with --data-root$"):
        reopen(lost, accepts=(Images,), progress=False)


@pytest.mark.parametrize("source", ["x" * 5000, "x\0y", "~nobody-of-that-name/x"])
def test_an_old_path_of_any_text_is_told_in_one_line(source):
    ring = open_data("ring", progress=False)
    with pytest.raises(DataError) as caught:
        reopen(about(ring, source=source), accepts=(Points,), progress=False)
    assert "\n" not in str(caught.value) and "say where with --data" in str(caught.value)


@pytest.mark.parametrize("content", [None, {}, [], {"source": "ring"}, {"source": "ring", "options": 3}])
def test_what_tells_too_little_is_not_reopened(content):
    with pytest.raises(RunError, match="does not say what the run was trained on"):
        reopen(content, accepts=(), progress=False)


def test_runs_that_do_not_say_the_kind_of_their_data_are_reopened(tmp_path):
    """As they were written before kinds were: with the size and channels that had been decided."""
    for number in range(9):
        Image.new("RGB", (40, 24), (number, 9, 200)).save(tmp_path / f"{number}.png")
    options = {"size": [24, 40], "channels": 3}
    for accepts, more in (((Images,), {}), ((Points, Images), {}), ((Photos,), {"scale": 2}), ((), {})):
        now = open_data(tmp_path, accepts, progress=False, **more)
        then = {key: value for key, value in about(now).items() if key != "kind"} | {"options": options | more}
        if Photos in accepts:
            then["options"]["size"] = list(now.space.shape[1:])
        again = reopen(then, accepts=accepts, progress=False)
        assert again.fingerprint == now.fingerprint and again.space == now.space
    ring = open_data("ring", progress=False)
    assert reopen({"source": "ring", "options": {}, "fingerprint": ring.fingerprint}, accepts=(Images, Points)).labels


# -- the kinds that come with Ganvas --


def test_the_kind_is_the_first_whose_reader_reads_the_source(tmp_path):
    images, points = np.zeros((9, 8, 8), np.uint8), np.zeros((9, 3), np.float32)
    np.save(tmp_path / "images.npy", images)
    np.save(tmp_path / "points.npy", points)
    np.savez(tmp_path / "points.npz", x_train=points, y_train=np.arange(9), z=images)
    for source, kind in (
        ("digits", Images), ("ring", Points), (images, Images), (points, Points), (tmp_path / "images.npy", Images),
        (tmp_path / "points.npy", Points), (tmp_path / "points.npz", Points),
    ):  # fmt: skip
        assert open_data(source, progress=False).batch_type is kind
        assert open_data(source, (Points, Photos, Images), progress=False).batch_type is kind
    Image.new("L", (16, 16)).save(tmp_path / "a.png")
    Image.new("L", (16, 16)).save(tmp_path / "b.png")
    assert open_data(tmp_path, progress=False).batch_type is Images
    assert open_data(tmp_path, (Points, Photos, Images), scale=2, progress=False).batch_type is Photos
    with pytest.raises(DataError, match=r"ring holds no images or photos: it holds points; give a folder .* or a fold"):
        open_data("ring", (Images, Photos))


def test_options_of_images_are_forgiving_and_none_leaves_one_out():
    data = open_data("digits", size=14, channels=None, progress=False)
    assert data.space == ImageSpace(1, 14, 14) and about(data)["options"] == {"size": [14, 14]}
    for size in ((14, 14), [14, 14], "14", "14x14"):
        assert open_data("digits", size=size, progress=False)._entry.folder == data._entry.folder
    with pytest.raises(UsageError, match=r"images have no option 'sise'; did you mean 'size'\?"):
        open_data("digits", sise=14)
    with pytest.raises(UsageError, match="points have no option 'colour'; there are none"):
        open_data("ring", colour=3)


def test_files_with_colours_are_gray_where_gray_is_asked_for(tmp_path):
    for number in range(3):
        Image.new("RGB", (8, 8), (255, 0, 0)).save(tmp_path / f"{number}.png")
    data = open_data(tmp_path, channels=1, progress=False)
    assert data.space == ImageSpace(1, 8, 8)
    assert (data.space.to_uint8(data.split("train").gather(np.arange(2)).value) == 76).all()  # 0.299 of 255
    # Compared with gray images, those in colour stay what they are.
    assert open_like(tmp_path, ImageSpace(1, 4, 4), progress=False).space == ImageSpace(3, 4, 4)
    assert open_like(tmp_path, ImageSpace(1, 4, 4), channels="1", progress=False).space == ImageSpace(1, 4, 4)


def test_sounds_are_brought_to_the_rate_and_the_length_that_are_wanted(tmp_path):
    source, _ = WaveReader.example(tmp_path)
    for wanted in (WaveSpace(8000, 64), WaveSpace(4000, 96)):
        assert open_like(source, wanted, Waves, progress=False).space == wanted
    assert WaveSpace(8000, 64).matching(WaveSpace(4000, 96)) == "--rate 8000 --seconds 0.008"


def test_a_colour_among_gray_images_widens_those_before_and_changes_nothing_else(tmp_path):
    """Wherever it comes, the images are what they are where colour is asked for."""
    for place in (0, 5, 11):
        folder = tmp_path / str(place)
        folder.mkdir()
        for number in range(12):
            gray = Image.linear_gradient("L").rotate(30 * number).resize((20, 30))
            picture = Image.merge("RGB", (gray, gray, gray)) if number % 2 else gray
            if number == place:
                picture = Image.merge("RGB", (gray, gray, gray.transpose(Image.Transpose.ROTATE_180)))
            picture.save(folder / f"{number:02}.png")
        mixed = open_data(folder, size=(8, 8), progress=False)
        asked = open_data(folder, size=(8, 8), channels=3, progress=False)
        assert mixed.space == ImageSpace(3, 8, 8) and mixed.fingerprint == asked.fingerprint
        one, other = (data.split("train") for data in (mixed, asked))
        assert one.names == other.names and len(one) > 8
        assert torch.equal(one.gather(np.arange(len(one))).value, other.gather(np.arange(len(one))).value)


def test_a_column_grows_over_many_rows(tmp_path):
    rows = np.arange(9_000, dtype=np.uint8).reshape(-1, 1, 1)
    with Writer(tmp_path / "entry", {"x": (np.dtype(np.uint8), (2, 1))}) as writer:
        for row in rows:
            writer.add({"x": np.broadcast_to(row, (2, 1))})
        writer.add({"x": np.array([[1, 2, 3], [4, 5, 6]], np.uint8)})
        writer.add({"x": np.zeros((2, 3), np.uint8)})
        writer.finish({"y": np.arange(9_002)}, np.zeros((1, 2), np.int64), {"names": []}, {})
    entry = open_entry(tmp_path / "entry")
    assert entry is not None and entry.columns.keys() == {"x", "y"}
    expected = np.concatenate([rows.repeat(2, 1).repeat(3, 2), [[[1, 2, 3], [4, 5, 6]], [[0] * 3] * 2]])
    assert np.array_equal(entry.columns["x"], expected) and entry.columns["y"][-1] == 9_001
    assert sorted(path.name for path in (tmp_path / "entry" / "columns").iterdir()) == ["x.npy", "y.npy"]


def test_what_is_fetched_while_it_is_read_is_found_again(monkeypatch):
    """The files of a set that is downloaded are part of what identifies it, and are there only afterwards."""
    files: list[int] = []

    def load() -> list[Part]:
        files.append(len(files))
        return [Part(np.ones((5, 2), np.float32))]

    source = Arrays("far", lambda: ["far", bool(files)], load, lambda: 2, "far")
    first = PointReader().prepare(source, False)
    assert PointReader().prepare(source, False).folder == first.folder and files == [0]


def test_a_reader_tells_its_options_and_those_that_make_a_space():
    assert ImageReader.option_names() == ("size", "channels") and PointReader.option_names() == ()
    assert Photos.reader.option_names() == ("scale", "low", "size", "channels")
    space = ImageSpace(3, 4, 8)
    assert ImageReader.form_of(space) == {"size": (4, 8), "channels": 3} and PointReader.form_of(space) == {}
    assert {batch.kind for batch in BUILT_IN} >= {"images", "points", "photos"}
    helps = {option.name: option.help for option in reading_options([Images, Points, Photos])}
    assert helps["size"].startswith("images: ") and "; photos: " in helps["size"]
    assert helps["scale"].startswith("photos: ") and helps["scale"].endswith("(default: 4)")
    alone = {option.name: option for option in reading_options([Photos])}
    assert alone["scale"].help.startswith("how many times") and alone["scale"].default is None


def test_paths_among_options_lead_there_from_everywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("low").mkdir()
    assert SourceName("low") == SourceName(Path("low")) == str(tmp_path / "low")
    assert SourceName("somewhere else") == "somewhere else"
    with pytest.raises(UsageError, match="--beside takes a source, not 3"):
        opened(SOLIDS, beside=3)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (None, "no data is named: give a folder"),
        (3, "cannot be given as int: give"),
        ([1, 2], "cannot be given as list"),
    ],
)
def test_what_is_no_source_is_told(source, says):
    for opening in (lambda: open_data(source, size=28), lambda: train("dcgan", data=source, steps=1)):
        with pytest.raises(UsageError) as caught:
            opening()
        assert says in str(caught.value) and "\n" not in str(caught.value)


def test_a_source_that_is_forgotten_is_asked_for():
    for forgetful in (lambda: open_data(size=28), lambda: train("dcgan", minutes=1)):
        with pytest.raises(UsageError, match="no data is named: give a folder or a zip or tar archive of images"):
            forgetful()
    with pytest.raises(UsageError, match="say what to judge: a run, or a folder"):
        evaluate(data="digits")


# -- from the command line --


def test_a_run_whose_data_moved_goes_on_from_its_new_place(tmp_path, capsys):
    np.save(tmp_path / "a.npy", np.arange(40 * 64, dtype=np.uint8).reshape(40, 8, 8))
    run = tmp_path / "run"
    words = ["--data", tmp_path / "a.npy", "--size", "4x6", "--out", run, "--width", "8", *TINY]
    assert ganvas("train", "vanilla", *words) == 0
    told = json.loads((run / "config.json").read_text())["data"]
    assert (told["kind"], told["options"], told["source"]) == ("images", {"size": [4, 6]}, str(tmp_path / "a.npy"))
    (tmp_path / "there").mkdir()
    moved = shutil.move(tmp_path / "a.npy", tmp_path / "there" / "b.npy")
    assert "say where with --data" in refused(capsys, "train", "--resume", run, "--steps", "6")
    np.save(tmp_path / "other.npy", np.zeros((40, 8, 8), np.uint8))
    line = refused(capsys, "train", "--resume", run, "--data", tmp_path / "other.npy", "--steps", "6")
    assert f"other.npy does not hold what {run} was trained on" in line
    assert "--resume" in refused(capsys, "train", "--resume", run, "--data", moved, "--size", "4")
    assert ganvas("train", "--resume", run, "--data", moved, "--steps", "6", "--quiet") == 0
    assert json.loads((run / "config.json").read_text())["data"] == told | {"source": str(moved), "name": "b"}
    assert ganvas("train", "--resume", run, "--steps", "8", "--quiet") == 0  # it is remembered


def test_a_translation_whose_two_folders_moved_goes_on(tmp_path, capsys):
    for name, seed in (("horses", 0), ("zebras", 100)):
        picture_folder(tmp_path / name, seed)
    run = tmp_path / "run"
    words = [
        "--data",
        tmp_path / "horses",
        "--other",
        tmp_path / "zebras",
        "--width",
        "8",
        "--d-width",
        "4",
        "--out",
        run,
    ]
    assert ganvas("train", "cyclegan", *words, "--steps", "1", "--batch-size", "2", "--no-looks", "--quiet") == 0
    for name in ("horses", "zebras"):
        (tmp_path / name).rename(tmp_path / f"my-{name}")
    resume = ["train", "--resume", run, "--data", tmp_path / "my-horses", "--steps", "2", "--quiet"]
    assert "--other" in refused(capsys, *resume)
    assert ganvas(*resume, "--other", tmp_path / "my-zebras") == 0
    told = json.loads((run / "config.json").read_text())["data"]
    assert told["source"] == str(tmp_path / "my-horses") and told["options"]["other"] == str(tmp_path / "my-zebras")


def test_a_run_from_before_there_were_kinds_goes_on_and_is_judged(tmp_path, capsys):
    np.save(tmp_path / "a.npy", np.arange(40 * 64, dtype=np.uint8).reshape(40, 8, 8))
    run = tmp_path / "run"
    assert ganvas("train", "vanilla", "--data", tmp_path / "a.npy", "--out", run, "--width", "8", *TINY) == 0
    config = json.loads((run / "config.json").read_text())
    del config["data"]["kind"]
    config["data"]["options"] = {"size": [8, 8], "channels": 1}
    (run / "config.json").write_text(json.dumps(config))
    judged = ["evaluate", run, "--metrics", "diversity", "--extractor", "lite0", "-n", "20", "--quiet"]
    assert ganvas(*judged) == 0
    assert "--size: goes with --data" in refused(capsys, *judged, "--size", "8")
    line = refused(capsys, *judged, "--data", tmp_path / "a.npy", "--size", "4", "--channels", "3")
    assert line.endswith("not comparable; bring it to the same form with --size 8x8 --channels 1")
    assert ganvas("train", "--resume", run, "--steps", "6", "--quiet") == 0


def test_data_are_shown_as_the_kind_that_is_asked_for(tmp_path, capsys):
    for number in range(9):
        Image.fromarray(np.random.default_rng(number).integers(0, 256, (40, 32, 3), np.uint8)).save(
            tmp_path / f"{number}.png"
        )
    assert ganvas("data", tmp_path, "--as", "photos", "--scale", "2", "--size", "16", "--json") == 0
    seen = json.loads(capsys.readouterr().out)
    assert seen["kind"] == "photos" and seen["options"] == {"scale": 2, "size": [16, 16], "channels": 3}
    assert ganvas("data", tmp_path, "--as", "photos") == 0
    assert "images 32x32 RGB, --scale 4" in capsys.readouterr().out
    assert "did you mean 'photos'" in refused(capsys, "data", tmp_path, "--as", "photo")
    assert "--scale is for photos" in refused(capsys, "data", tmp_path, "--scale", "2")


def test_help_has_the_readers_flags(capsys):
    for words, flags, others in (
        (["train", "srgan"], ["--scale", "--low", "--size", "--channels"], []),
        (["train", "dcgan"], ["--size", "--channels"], ["--scale", "--low"]),
        (["data"], ["--scale", "--low", "--size", "--channels"], []),
        (["evaluate"], ["--scale", "--low", "--size", "--channels"], []),
        (["recipes", "srgan"], ["--scale", "--low", "--size", "--channels"], []),
    ):
        assert ganvas(*words, *([] if words[0] == "recipes" else ["--help"])) == 0
        told = capsys.readouterr().out
        assert all(f"  {flag} " in told for flag in flags) and not any(f" {flag} " in told for flag in others), words
