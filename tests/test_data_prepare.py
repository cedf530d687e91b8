"""Inference, splits, fingerprints and the cache."""

import hashlib
import io
import json
import os
import resource
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganvas.data import cache, image_files
from ganvas.data.cache import cache_folder, only_one
from ganvas.data.dataset import Data, describe
from ganvas.data.image_files import choose_size
from ganvas.data.opening import open_data
from ganvas.data.rows import split_of
from ganvas.errors import DataError, UsageError


def write(path: Path, image: Image.Image | np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
    picture.save(path)


def folder_of(path: Path, count: int = 12, size: tuple[int, int] = (8, 8), mode: str = "L") -> Path:
    for number in range(count):
        colour = number if mode == "L" else (number, 2 * number, 3 * number)
        write(path / f"{number}.png", Image.new(mode, (size[1], size[0]), colour))
    return path


def opened(source: Path | str | np.ndarray, **options: object) -> Data:
    return open_data(source, progress=False, **options)  # type: ignore[arg-type]


def everything(data: Data) -> np.ndarray:
    return np.concatenate([data.split(name).gather(np.arange(n)).value.numpy() for name, n in data.counts.items()])


# Inference


@pytest.mark.parametrize(
    ("sizes", "chosen"),
    [
        ([(28, 28)] * 9, (28, 28)),
        ([(96, 128)] * 9, (96, 128)),
        ([(32, 32)] * 19 + [(40, 50)], (32, 32)),
        ([(256, 512)] * 9, (64, 128)),  # the shape is kept
        ([(218, 178)] * 9, (80, 64)),  # 1.22: to the nearest multiple of 8
        ([(300, 400), (600, 800), (150, 200)], (64, 88)),  # of one shape: 85.3
        ([(321, 481), (481, 321)] * 4, (64, 64)),
        ([(20, 30), (25, 17), (40, 19)], (16, 16)),  # the median of the shorter sides is 19
        ([(3, 5), (7, 2)], (2, 2)),
        ([(1080, 1920)] * 4, (64, 112)),
    ],
)
def test_the_size_that_the_data_suggests(sizes: list[tuple[int, int]], chosen: tuple[int, int]) -> None:
    assert choose_size(sizes) == chosen


def test_gray_images_in_colour_files_are_gray(tmp_path: Path) -> None:
    for number in range(5):
        write(tmp_path / f"{number}.png", Image.new("RGB", (8, 8), (number, number, number)))
    assert opened(tmp_path).space.shape == (1, 8, 8)
    assert opened(tmp_path, channels=3).space.shape == (3, 8, 8)
    assert sorted(np.rint((everything(opened(tmp_path))[:, 0, 0, 0] + 1) * 127.5)) == [0, 1, 2, 3, 4]


def test_one_colour_image_that_the_sample_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder_of(tmp_path, 30)
    write(tmp_path / "17.png", Image.new("RGB", (8, 8), (200, 10, 30)))
    monkeypatch.setattr(image_files, "_LOOKED_AT", 3)
    data = opened(tmp_path)
    assert data.space.shape == (3, 8, 8)
    assert [200, 10, 30] in np.rint((everything(data)[:, :, 0, 0] + 1) * 127.5).tolist()


def test_notes_say_what_was_done(tmp_path: Path) -> None:
    folder_of(tmp_path / "one", size=(256, 512))
    assert "images of 256x512 (height x width) resized to 64x128" in opened(tmp_path / "one").notes
    for number, size in enumerate([(20, 20), (30, 20), (40, 20), (50, 20), (10, 4)]):
        write(tmp_path / "many" / f"{number}.png", Image.new("L", size, 5))
    notes = opened(tmp_path / "many", size=(16, 16)).notes
    assert "images of 5 different sizes, 4x10 to 20x50 (height x width), resized and centre-cropped to 16x16" in notes
    assert "1 image smaller than 16x16 enlarged" in notes
    for number in range(3):
        write(tmp_path / "clear" / f"{number}.png", Image.new("RGBA", (8, 8), (9, 9, 9, 100 if number else 255)))
    assert opened(tmp_path / "clear").notes == ("transparency composited on white (2 images)",)


def test_values_layout_and_round_trip(tmp_path: Path) -> None:
    data = opened(folder_of(tmp_path, mode="RGB", size=(4, 6)))
    train = data.split("train")
    batch = train.gather(np.array([3, 0, 3]))
    assert batch.value.shape == (3, 3, 4, 6) and batch.value.dtype == torch.float32
    assert batch.value.is_contiguous(memory_format=torch.channels_last)
    number = int(train.names[3].split(".")[0])
    assert data.space.to_uint8(batch.value)[0, 0, 0].tolist() == [number, 2 * number, 3 * number]
    assert data.batch_type is type(batch) and train.labels is None
    levels = opened(np.arange(256, dtype=np.uint8).reshape(-1, 1, 1).repeat(5, 1).repeat(5, 2))
    values = np.sort(everything(levels)[:, 0, 0, 0])
    assert values.min() == -1 and values.max() == 1
    # 1 / 127.5, its product with a level, and the difference are each rounded at numbers of up to 2.
    np.testing.assert_allclose(values, np.arange(256) / 127.5 - 1, rtol=0, atol=3 * 2.0**-23)


def test_sizes_and_channels_that_cannot_be(tmp_path: Path) -> None:
    folder_of(tmp_path)
    for options, says in (({"size": (0, 8)}, "0x8"), ({"size": (8, 9999)}, "8x9999"), ({"channels": 2}, "cannot be 2")):
        with pytest.raises(UsageError, match=says):
            opened(tmp_path, **options)
    with pytest.raises(UsageError, match="there is no split 'tran'; did you mean 'train'"):
        opened(tmp_path).split("tran")
    with pytest.raises(UsageError, match="points"):
        opened("ring", size=(8, 8))


# Splits and fingerprints


def test_the_split_depends_on_the_name_alone(tmp_path: Path) -> None:
    place = int.from_bytes(hashlib.sha256(b"cat/7.png").digest()[:8], "big") / 2**64
    assert split_of("cat/7.png") == ("train" if place < 0.9 else "validation" if place < 0.95 else "test")
    drawn = [split_of(str(number)) for number in range(20_000)]
    assert abs(drawn.count("train") - 18_000) < 4 * 42.5  # four standard deviations
    assert abs(drawn.count("validation") - 1_000) < 4 * 31 and abs(drawn.count("test") - 1_000) < 4 * 31

    def splits(data: Data) -> dict[str, str]:
        return {name: split for split in data.counts for name in data.split(split).names}

    before = splits(opened(folder_of(tmp_path, 120)))
    after = splits(opened(folder_of(tmp_path, 180)))
    assert len(after) == 180 and before.items() <= after.items() and len(set(before.values())) == 3


def test_a_tiny_set_is_for_training(tmp_path: Path) -> None:
    lost = [name for name in map(str, range(500)) if split_of(f"{name}.png") != "train"][:2]
    for name in lost:
        write(tmp_path / f"{name}.png", Image.new("L", (8, 8), 3))
    data = opened(tmp_path)
    assert data.counts == {"train": 2, "validation": 0, "test": 0}
    assert data.notes == ("too few items to split: all of them are for training",)


def test_the_fingerprint_is_of_the_content_and_nothing_else(tmp_path: Path) -> None:
    first = folder_of(tmp_path / "a")
    original = opened(first).fingerprint
    moved = Path(shutil.copytree(first, tmp_path / "elsewhere" / "b"))
    os.utime(moved / "3.png", (1, 1))
    assert opened(moved).fingerprint == original and len(original) == 64
    assert opened(moved, size=(16, 16)).fingerprint != original
    assert opened(moved, channels=3).fingerprint != original
    (moved / "3.png").rename(moved / "3b.png")  # which keeps its place among the others
    assert opened(moved).fingerprint != original
    (moved / "3b.png").rename(moved / "3.png")
    assert opened(moved).fingerprint == original
    write(moved / "3.png", Image.new("L", (8, 8), 4))
    assert opened(moved).fingerprint != original


def test_options_give_the_same_data_again_without_preparing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder_of(tmp_path, size=(200, 100), mode="RGB")
    data = opened(tmp_path)
    assert data.space.shape == (3, 128, 64)
    options = json.loads(json.dumps(data.options()))
    assert options == {}  # nothing was asked for
    small = opened(tmp_path, size="32x16", channels=1)
    chosen = json.loads(json.dumps(small.options()))
    assert chosen == {"size": [32, 16], "channels": 1}
    _forbid_decoding(monkeypatch)
    again = opened(data.source, **options)
    assert again.fingerprint == data.fingerprint and again.notes == data.notes and again.options() == options
    again = opened(small.source, **chosen)
    assert again.fingerprint == small.fingerprint != data.fingerprint and again.space.shape == (1, 32, 16)


def test_what_the_plan_prints(tmp_path: Path) -> None:
    for number in range(40):
        write(tmp_path / f"class{number % 20}" / f"{number}.png", Image.new("L", (8, 8), number))
    data = opened(tmp_path)
    counts = ", ".join(f"{name} {count}" for name, count in data.counts.items())
    shown = ", ".join(f"class{number} 2" for number in range(12))
    assert describe(data) == [
        f"data: {tmp_path}, images 8x8 gray",
        f"items: {counts}",
        f"labels: 20 ({shown} and 8 more)",
    ]
    assert str(data) == "\n".join(describe(data)) and len(data) == 40
    assert json.loads(json.dumps(data.to_json()))["labels"]["class19"] == 2


# The cache


def _forbid_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("decoded again")

    monkeypatch.setattr(image_files, "decoding", never)


def entry_of(data: Data) -> Path:
    return data._entry.folder


def test_data_is_prepared_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder_of(tmp_path)
    data = opened(tmp_path)
    assert entry_of(data).parent.parent == cache_folder()
    with monkeypatch.context() as patch:
        _forbid_decoding(patch)
        assert opened(tmp_path).fingerprint == data.fingerprint
        write(tmp_path / "more.png", Image.new("L", (8, 8), 77))
        with pytest.raises(AssertionError, match="decoded again"):
            opened(tmp_path)  # somebody changed the folder
    assert len(opened(tmp_path)) == 13


@pytest.mark.parametrize("name", ["columns/image.npy", "index.npy", "items.json", "manifest.json"])
@pytest.mark.parametrize("how", ["cut", "flip", "gone", "empty"])
def test_a_damaged_entry_is_prepared_again(tmp_path: Path, name: str, how: str) -> None:
    folder_of(tmp_path)
    data = opened(tmp_path)
    values, names = everything(data), data.split("train").names
    file = entry_of(data) / name
    content = bytearray(file.read_bytes())
    if how == "gone":
        file.unlink()
    elif how == "flip":
        content[-9] ^= 4
        file.write_bytes(content)
    else:
        file.write_bytes(content[: len(content) // 2] if how == "cut" else b"")
    again = opened(tmp_path)
    assert (everything(again) == values).all() and again.split("train").names == names
    assert cache.open_entry(entry_of(again)) is not None
    assert not list(entry_of(again).parent.glob(".*.tmp"))


def test_damage_that_left_no_trace_in_the_times(tmp_path: Path) -> None:
    folder_of(tmp_path)
    data = opened(tmp_path)
    file = entry_of(data) / "columns" / "image.npy"
    times = file.stat()
    file.write_bytes(file.read_bytes()[:-20])
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert len(everything(opened(tmp_path))) == 12
    manifest = entry_of(data) / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"channels": 1', '"channels": 3'))
    assert opened(tmp_path).space.shape == (1, 8, 8)


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    images = np.random.default_rng(1).integers(0, 256, (400, 16, 16, 3), np.uint8)
    before = sorted((cache_folder() / "data").glob("*"))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(DataError, match=r"cannot be written to .*; make room there, or let GANVAS_CACHE") as caught:
            opened(images)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "\n" not in str(caught.value)
    assert sorted((cache_folder() / "data").glob("*")) == before
    assert len(opened(images)) == 400


def test_a_cache_that_is_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GANVAS_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match="prepared data cannot be written"):
        opened(np.zeros((9, 8, 8), np.uint8))


def test_what_a_killed_preparation_left_is_swept_away(tmp_path: Path) -> None:
    old, young = (cache_folder() / "data" / f".{name}.x.tmp" for name in ("old", "young"))
    for left in (old, young):
        left.mkdir(parents=True)
        (left / "data.npy").write_bytes(b"half")
    os.utime(old, (time.time() - 2 * 24 * 3600,) * 2)
    opened(folder_of(tmp_path))
    assert not old.exists() and young.exists()
    shutil.rmtree(young)


def test_preparing_at_the_same_time(tmp_path: Path) -> None:
    folder_of(tmp_path / "images", 300, size=(32, 32), mode="RGB")
    code = (
        "import contextlib, sys, numpy as np, ganvas.data.opening as p, ganvas.data.readers as r; "
        "r.only_one = lambda _: contextlib.nullcontext(); "  # as on a disk that cannot lock
        "data = p.open_data(sys.argv[1]); "
        "print(data.fingerprint, data.split('train').gather(np.arange(9)).value.sum().item())"
    )
    environment = os.environ | {"GANVAS_CACHE": str(tmp_path / "cache")}
    command = [sys.executable, "-c", code, str(tmp_path / "images")]
    running = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=60) for process in running]
    assert said[0][0] == said[1][0] and len(said[0][0]) > 64 and said[0][1] == said[1][1] == ""
    left = sorted(path.name for path in (tmp_path / "cache" / "data").iterdir())
    assert len(left) == 1


def test_one_prepares_while_the_others_wait(tmp_path: Path) -> None:
    events: list[str] = []

    def prepare() -> None:
        with only_one(tmp_path / "cache" / "entry"):
            events.append("in")
            time.sleep(0.05)
            events.append("out")

    threads = [threading.Thread(target=prepare) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert events == ["in", "out"] * 3


def test_nothing_is_printed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    open_data(folder_of(tmp_path))
    assert capfd.readouterr() == ("", "")


# Real data


def test_dungeon_tiles(shared_data: Path) -> None:
    data = opened(shared_data / "dungeon-tiles-cc0.zip")
    assert str(data.space) == "images 32x32 RGB" and len(data) == 4249 and not data.damaged
    assert data.labels[:3] == ("UNUSED", "dngn", "effect")
    import zipfile

    name = data.split("validation").names[0]
    with zipfile.ZipFile(shared_data / "dungeon-tiles-cc0.zip") as archive:
        rgba = np.asarray(Image.open(io.BytesIO(archive.read(name))).convert("RGBA")).astype(float)
    expected = rgba[..., :3] * rgba[..., 3:] / 255 + 255 - rgba[..., 3:]
    got = (data.split("validation").gather(np.array([0])).value[0].permute(1, 2, 0).numpy() + 1) * 127.5
    assert np.abs(got - expected).max() <= 1


def test_facades(shared_data: Path) -> None:
    data = opened(shared_data / "facades.zip")
    assert data.counts == {"train": 400, "validation": 100, "test": 106} and data.labels == ()
    assert data.space.shape == (3, 64, 128)
