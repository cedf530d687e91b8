"""Sharded sources: what is written is what is read, in an order of (seed, epoch, batch size), with any shard lost."""

import io
import itertools
import json
import random
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganvas.data.batches import Images, Points, Waves
from ganvas.data.opening import open_data, readable_as, reopen, shard
from ganvas.data.order import Sharded
from ganvas.data.shard_files import Lost, open_shard
from ganvas.data.sharding import size_of
from ganvas.data.stream import Stream
from ganvas.errors import DataError, UsageError

SIDE = 6


def numbered(count: int = 900) -> np.ndarray:
    """Gray pictures that tell their own numbers."""
    pictures = np.zeros((count, SIDE, SIDE, 1), np.uint8)
    pictures[:, 0, 0, 0], pictures[:, 0, 1, 0] = np.arange(count) % 256, np.arange(count) // 256
    return pictures


def numbers_of(pictures: torch.Tensor) -> list[int]:
    levels = torch.round((pictures + 1) * 127.5).long()
    return (levels[:, 0, 0, 0] + 256 * levels[:, 0, 0, 1]).tolist()


def flat(lists) -> list[int]:
    return list(itertools.chain.from_iterable(lists))


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("source") / "pictures.npz"
    labels = np.array(["cat", "dog", "cow"])[np.arange(900) % 3]
    np.savez(path, images=numbered(), labels=labels)
    return path


@pytest.fixture(scope="module")
def written(source) -> Path:
    out = source.parent / "shards"
    shard(source, Images, bytes_=100_000, out=out, progress=False)
    return out


@pytest.fixture
def shards(written, tmp_path) -> Path:
    """A copy that a test may harm."""
    out = tmp_path / "shards"
    out.mkdir()
    for path in written.iterdir():
        (out / path.name).write_bytes(path.read_bytes())
    return out


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("train-*.tar"))


def test_what_is_written_is_what_is_read(source, written):
    plain, mine = open_data(source, progress=False), open_data(written, progress=False)
    assert len(files(written)) > 16  # some are full
    assert (mine.batch_type, mine.space, mine.labels, mine.counts) == (
        Images, plain.space, plain.labels, plain.counts
    )  # fmt: skip
    assert mine.label_counts == plain.label_counts
    for split in ("train", "validation", "test"):
        theirs, own = (data.split(split).gather(np.arange(len(data.split(split)))) for data in (plain, mine))
        expected = dict(zip(numbers_of(theirs.image), theirs.label.tolist(), strict=True))
        assert dict(zip(numbers_of(own.image), own.label.tolist(), strict=True)) == expected
    assert (
        mine.split("train").labels.tolist()
        == mine.split("train").gather(np.arange(mine.counts["train"])).label.tolist()
    )


def test_members_are_named_as_webdataset_reads_them(written):
    with tarfile.open(files(written)[0]) as archive:
        first, second = archive.next(), archive.next()
        assert first.name.partition(".")[2] == "image.npy" and second.name == first.name.replace(
            "image.npy", "label.txt"
        )
        assert np.load(io.BytesIO(archive.extractfile(first).read())).shape == (SIDE, SIDE, 1)
        assert archive.extractfile(second).read() in (b"cat", b"dog", b"cow")


@pytest.mark.parametrize("seed", range(60))
def test_every_epoch_is_a_permutation_that_any_part_agrees_with(seed):
    draw = random.Random(seed)
    sizes = [draw.randint(1, 40) for _ in range(draw.randint(1, 20))]
    order = Sharded(sizes, [draw.randint(1, 12) for _ in sizes], seed, batch := draw.randint(1, 50))
    count, epochs = sum(sizes), []
    for epoch in range(3):
        epochs.append(order(epoch, 0, count).tolist())
        assert sorted(epochs[-1]) == list(range(count))
        start = draw.randrange(count)
        stop = draw.randint(start + 1, count)
        assert order(epoch, start, stop).tolist() == epochs[-1][start:stop]
    assert batch % order.lanes == 0
    assert count < 8 or len({tuple(epoch) for epoch in epochs}) == 3


def test_processes_read_shards_of_their_own():
    """16 shards of 64 items, 4 processes: in most batches of the second epoch too, whose first one is not full."""
    order = Sharded([64] * 15 + [70], [16] * 16, seed=3, batch_size=32)
    count, batches = 15 * 64 + 70, range(33, 63)
    stream = np.concatenate([order(0, 0, count), count + order(1, 0, count)])
    for number in batches:
        of_process = [
            set((part % count // 64).tolist()) for part in stream[number * 32 : number * 32 + 32].reshape(4, 8)
        ]
        alone = sum(len(one & other) for one in of_process for other in of_process if one is not other)
        assert alone <= 6, of_process  # a shard that two stretches share


def test_the_order_never_changes_between_releases():
    order = Sharded([5, 4], [2, 3], seed=1, batch_size=4)
    assert order(0, 0, 9).tolist() == [4, 0, 3, 8, 1, 2, 6, 5, 7]


def test_the_position_is_all_that_resuming_needs(written):
    split = open_data(written, progress=False).split("train")
    stream = Stream(split, 32, seed=7)
    batches = [numbers_of(next(stream).image) for _ in range(60)]
    again = Stream(open_data(written, progress=False).split("train"), 32, seed=7)
    again.position = 41 * 32
    assert [numbers_of(next(again).image) for _ in range(19)] == batches[41:]
    parts = [Stream(split, 32, seed=7, rank=rank, world=2) for rank in range(2)]
    assert [flat(numbers_of(next(part).image) for part in parts) for _ in range(60)] == batches
    seen = flat(batches)[: len(split)]
    assert len(set(seen)) == len(split)


@pytest.mark.parametrize("harm", ["gone", "cut short", "altered"])
def test_a_lost_shard_is_named_and_passed_over(shards, harm, capsys):
    whole = open_data(shards, progress=False)
    expected = [
        numbers_of(next(stream).image) for stream in [Stream(whole.split("train"), 32, seed=7)] for _ in range(30)
    ]
    lost = files(shards)[3]
    own = {
        int(np.load(io.BytesIO(content))[0, 0, 0]) + 256 * int(np.load(io.BytesIO(content))[0, 1, 0])
        for content in members(lost, "image.npy")
    }
    if harm == "gone":
        lost.unlink()
    else:
        content = bytearray(lost.read_bytes())
        content[700] ^= 1
        lost.write_bytes(content if harm == "altered" else content[:-20_000])
    data = open_data(shards, progress=False)
    assert data.fingerprint == whole.fingerprint and data.counts == whole.counts
    stream = Stream(data.split("train"), 32, seed=7)
    got = [numbers_of(next(stream).image) for _ in range(30)]
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and said.startswith(f"note: the shard {lost.name} is passed over: {harm}")
    for one, other in zip(flat(expected), flat(got), strict=True):
        assert one == other if one not in own else other not in own
    again = Stream(open_data(shards, progress=False).split("train"), 32, seed=7)
    assert [numbers_of(next(again).image) for _ in range(30)] == got


def members(path: Path, field: str) -> list[bytes]:
    with tarfile.open(path) as archive:
        return [archive.extractfile(each).read() for each in archive if each.name.endswith(field)]


def test_nothing_is_left_where_all_shards_are_lost(shards):
    data = open_data(shards, progress=False)
    for path in files(shards):
        path.unlink()
    with pytest.raises(DataError, match=r"no shard of train can be read any more: train-0000\d\d.tar is gone"):
        next(Stream(data.split("train"), 8, seed=0))


def test_a_training_on_shards_resumes_exactly(written, tmp_path):
    from ganvas import api

    def weights(run: Path) -> dict[str, torch.Tensor]:
        from safetensors.torch import load_file

        return load_file(run / "checkpoints" / "step-00000008" / "model.safetensors")

    whole, halved = tmp_path / "whole", tmp_path / "halved"
    for run, steps in ((whole, 8), (halved, 4)):
        api.train("vanilla", data=written, out=run, steps=steps, batch_size=64, width=4, quiet=True)
    api.resume(halved, steps=8, quiet=True)
    for name, tensor in weights(whole).items():
        assert torch.equal(tensor, weights(halved)[name]), name


def picture(number: int, side: int = 12) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (side, side), (number * 20, 40, 200)).save(buffer, "png")
    return buffer.getvalue()


def write_tar(path: Path, members: dict[str, bytes], **options) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w", **options) as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("label", ["cls", "json"])
def test_webdataset_shards_of_others_are_read_in_place(tmp_path, form, label):
    long = "d" * (60 if form == tarfile.USTAR_FORMAT else 120)
    for split, count in {"train": 3, "val": 1}.items():
        for number in range(count):
            told = {"cls": lambda n: str(n % 2).encode(), "json": lambda n: json.dumps({"label": n % 2}).encode()}[
                label
            ]
            content = {
                f"{long}/{n:04d}.{ending}": made(n)
                for n in range(5)
                for ending, made in (("png", picture), (label, told), ("txt", lambda n: b"a caption"))
            }
            write_tar(tmp_path / split / f"{number:03d}.tar", content, format=form)
    data = open_data(tmp_path, progress=False)
    assert data.counts == {"train": 10, "validation": 5, "test": 5}  # a shard of the three is kept for the test
    assert data.space.shape == (3, 12, 12) and data.labels == ("0", "1")
    batch = data.split("validation").gather(np.arange(5))
    assert torch.round((batch.image[:, 0, 0, 0] + 1) * 127.5).tolist() == [0, 20, 40, 60, 80]
    assert batch.label.tolist() == [0, 1, 0, 1, 0]
    assert data.split("validation").names[4] == "val/000.tar/4"
    small = open_data(tmp_path, size=4, channels=1, progress=False)
    assert small.split("train").gather(np.arange(10)).image.shape == (10, 1, 4, 4)


def test_a_damaged_sample_is_named_and_the_next_one_stands_for_it(tmp_path, capsys):
    for number in range(2):
        write_tar(tmp_path / f"train-{number}.tar", {f"{n}.jpg": picture(n) for n in range(6)} | {"3.jpg": b"nothing"})
    data = open_data(tmp_path, progress=False)
    got = data.split("train").gather(np.arange(6)).image
    assert torch.round((got[:, 0, 0, 0] + 1) * 127.5).tolist() == [0, 20, 40, 80, 80, 100]
    assert "sample 3 of the shard train-0.tar is passed over: not an image" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_tables_of_pictures_are_shards(tmp_path, kind):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    features = {"info": {"features": {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}}}
    for number in range(3):
        rows = [{"bytes": picture(n), "path": None} for n in range(7)]
        made = pyarrow.table({"image": rows, "label": [n % 2 for n in range(7)]})
        made = made.replace_schema_metadata({"huggingface": json.dumps(features)})
        path = tmp_path / f"data-{number:05d}-of-00003.{kind}"
        if kind == "parquet":
            parquet.write_table(made, path, row_group_size=3)
        else:
            with pyarrow.OSFile(str(path), "wb") as file, pyarrow.ipc.new_stream(file, made.schema) as stream:
                stream.write_table(made, max_chunksize=3)
    (tmp_path / "state.json").write_text("{}")
    data = open_data(tmp_path, progress=False)
    assert data.counts == {"train": 7, "validation": 7, "test": 7} and data.labels == ("cat", "dog")
    stream = Stream(data.split("train"), 7, seed=0)
    batch = next(stream)
    red = torch.round((batch.image[:, 0, 0, 0] + 1) * 127.5 / 20).long()
    assert sorted(red.tolist()) == list(range(7)) and batch.label.tolist() == (red % 2).tolist()


def test_other_kinds_of_one_shape_are_written_too(tmp_path):
    points = np.random.default_rng(0).normal(size=(300, 2)).astype(np.float32)
    plain = open_data(points, Points, progress=False)
    mine = shard(points, Points, bytes_=10**5, out=tmp_path / "shards", progress=False)
    assert mine.batch_type is Points and mine.space == plain.space and mine.counts == plain.counts
    one, other = (data.split("train").gather(np.arange(data.counts["train"])).value for data in (plain, mine))
    assert sorted(one.tolist()) == sorted(other.tolist())
    assert readable_as(tmp_path / "shards") == [Points]


def test_pictures_of_more_pixels_are_written_as_png(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (60, 72, 70, 3), np.uint8)
    mine = shard(noise, Images, bytes_=10**6, out=tmp_path / "shards", progress=False)
    plain = open_data(noise, Images, progress=False)
    first = next(Stream(mine.split("train"), mine.counts["train"], seed=0)).image
    every = plain.split("train").gather(np.arange(plain.counts["train"])).image
    assert {each.numpy().tobytes() for each in first} == {each.numpy().tobytes() for each in every}
    assert open_shard(files(tmp_path / "shards")[0]).fields == ["image.png"]


def test_what_cannot_be_is_refused_in_a_line(source, written, tmp_path):
    with pytest.raises(UsageError, match="is there already"):
        shard(source, Images, bytes_=10**6, out=written, progress=False)
    with pytest.raises(UsageError, match="holds shards already"):
        shard(written, Images, bytes_=10**6, out=tmp_path / "again", progress=False)
    with pytest.raises(UsageError, match="were written without --size"):
        open_data(written, Images, size=12, progress=False)
    assert open_data(written, Images, size=SIDE, progress=False).space.shape == (1, SIDE, SIDE)
    with pytest.raises(DataError, match="holds no waves: it holds images"):
        open_data(written, Waves, progress=False)
    for text in ("1 parsec", "12", "-1GB", "nan", "inf", "5TB"):
        with pytest.raises(UsageError, match="a size such as 1GB"):
            size_of(text)
    assert (size_of("1GB"), size_of("256 MiB"), size_of("1.5mb")) == (10**9, 2**28, 1_500_000)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "harm",
    [
        {"format": 2},
        {"columns": {"image": {"kind": "nothing"}}},
        {"columns": {}},
        {"shards": [{"name": "../a.tar", "split": "train", "count": 4, "bytes": 5, "sha256": "x"}]},
        {"shards": [{"name": "a.tar", "split": "other", "count": 4, "bytes": 5, "sha256": "x"}]},
        {"shards": []},
        {"label_counts": 7},
    ],
)
def test_a_hostile_list_of_shards_is_refused(shards, harm):
    path = shards / "shards.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | harm))
    with pytest.raises(DataError):
        open_data(shards, Images, progress=False)


def test_labels_that_are_none_are_refused(shards):
    for labels in (np.zeros(5, np.int64), np.full(900, 3, np.int64), np.zeros(900, np.float32)):
        np.save(shards / "labels.npy", labels)
        with pytest.raises(DataError, match=r"labels.npy does not hold the 900 labels"):
            open_data(shards, Images, progress=False)


def test_hostile_tar_files_are_lost_and_do_no_harm(tmp_path):
    write_tar(tmp_path / "good.tar", {f"{n}.png": picture(n) for n in range(3)})
    good = (tmp_path / "good.tar").read_bytes()
    size = slice(124, 136)

    def with_size(digits: bytes) -> bytes:
        return good[: size.start] + digits + good[size.stop :]

    for content, why in {
        b"": "empty",
        b"\x1f\x8b" + good: "no plain tar file",
        with_size(b"77777777777\0"): "cut short",
        with_size(b"\xff" * 12): "cut short",
        with_size(b"-0000000001\0"): "damaged",
        with_size(b"not a number"): "damaged",
        good[:900]: "cut short",
    }.items():
        (tmp_path / "bad.tar").write_bytes(content)
        with pytest.raises(Lost, match=why):
            open_shard(tmp_path / "bad.tar").close()
    with pytest.raises(Lost, match="gone"):
        open_shard(tmp_path / "none.tar")


def test_a_run_whose_shards_have_changed_is_told_so(shards):
    data = open_data(shards, Images, progress=False)
    about = data.to_json()
    assert reopen(about, accepts=[Images], progress=False).fingerprint == data.fingerprint
    path = shards / "shards.json"
    own = json.loads(path.read_text())
    own["shards"] = own["shards"][1:]
    path.write_text(json.dumps(own))
    np.save(shards / "labels.npy", np.load(shards / "labels.npy")[: sum(each["count"] for each in own["shards"])])
    with pytest.raises(DataError, match="is not what it was"):
        reopen(about, accepts=[Images], progress=False)
