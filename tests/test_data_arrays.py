"""Array files and arrays in memory: what their shapes and ranges mean, and what is refused."""

import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ganvas.data import arrays as array_files
from ganvas.data.batches import Points
from ganvas.data.dataset import Data
from ganvas.data.opening import open_data
from ganvas.errors import DataError

RANDOM = np.random.default_rng(0)
GRAY = RANDOM.integers(0, 256, (30, 8, 10), np.uint8)
COLOUR = RANDOM.integers(0, 256, (30, 8, 10, 3), np.uint8)


def opened(source: Path | str | np.ndarray, **options: Any) -> Data:
    return open_data(source, progress=False, **options)


def levels(data: Data) -> np.ndarray:
    """All items in the order of their numbers, as (N, H, W, C) uint8."""
    found = {}
    for split, count in data.counts.items():
        batch = data.split(split).gather(np.arange(count))
        found |= {int(name.split("/")[-1]): x for name, x in zip(data.split(split).names, batch.value, strict=True)}
    return data.space.to_uint8(torch.stack([found[number] for number in sorted(found)]))


def refusal(source: Path | np.ndarray) -> str:
    with pytest.raises(DataError) as caught:
        opened(source)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("array", "shape"),
    [
        (GRAY, (1, 8, 10)),
        (COLOUR, (3, 8, 10)),
        (COLOUR.transpose(0, 3, 1, 2), (3, 8, 10)),
        (GRAY[:, None], (1, 8, 10)),
        (GRAY[..., None], (1, 8, 10)),
        (RANDOM.integers(0, 256, (30, 8, 10, 4), np.uint8), (4, 8, 10)),
        (RANDOM.integers(0, 256, (30, 3, 8, 3), np.uint8), (3, 3, 8)),  # either reading: the last axis wins
    ],
)
def test_shapes(tmp_path: Path, array: np.ndarray, shape: tuple[int, ...]) -> None:
    np.save(tmp_path / "a.npy", array)
    data = opened(tmp_path / "a.npy")
    assert data.space.shape == shape and data.name == "a" and data.notes == ()
    last = array[..., None] if array.ndim == 3 else array
    expected = last if last.shape[3] == shape[0] else last.transpose(0, 2, 3, 1)
    assert (levels(data) == expected).all()
    assert opened(array).fingerprint == data.fingerprint


def test_float_ranges() -> None:
    unit = GRAY / 255.0
    for kind in (np.float16, np.float32, np.float64):
        data = opened(unit.astype(kind))
        assert data.notes == ("floats in [0, 1], mapped to [-1, 1] in 256 levels",)
        assert (levels(data)[..., 0] == GRAY).all()
    signed = opened((GRAY / 127.5 - 1).astype(np.float32))
    assert signed.notes == ("floats in [-1, 1], kept in 256 levels",)
    assert (levels(signed)[..., 0] == GRAY).all()
    assert opened(unit).fingerprint == signed.fingerprint == opened(GRAY).fingerprint


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (GRAY.astype(np.float32), "float32 from 0 to 255, but must be uint8, or floats in [0, 1] or [-1, 1]; convert"),
        (GRAY.astype(np.int64), "int64 from 0 to 255"),
        (np.array([-3.5, 7.25]).repeat(50).reshape(2, 5, 10), "float64 from -3.5 to 7.25, but"),
        (np.zeros((5, 8, 10), bool), "bool from 0 to 0"),
        (np.where(GRAY < 3, np.nan, 0.5), f"{(GRAY < 3).sum()} values not finite"),
        (np.array([[0.0, np.inf], [0.0, 1.0]]), "1 value not finite"),
        (np.zeros((5, 8, 10), complex), "complex128, not numbers"),
        (np.zeros((8, 10, 3), np.uint8), "(one image? a whole set is needed)"),
        (np.zeros((5, 8, 10, 7), np.uint8), "neither 1, 3 nor 4 channels"),
        (np.zeros((5, 784), np.uint8), "points must be floats of shape (N, D), not uint8 of shape (5, 784)"),
        (np.zeros(5), "an array of shape (5,)"),
        (np.zeros((5, 0, 4), np.uint8), "is empty"),
        (np.zeros((0, 8, 10), np.uint8), "holds 0 items: at least 2"),
        (np.zeros((1, 8, 10), np.uint8), "holds 1 item: at least 2"),
        (np.array([np.zeros(3), np.zeros(4)], dtype=object), "holds Python objects"),
    ],
)
def test_what_is_refused(array: np.ndarray, says: str) -> None:
    assert says in refusal(array)


def test_points_keep_their_units() -> None:
    points = (RANDOM.standard_normal((500, 3)) * 40).astype(np.float64)
    data = opened(points)
    assert data.space.shape == (3,) and data.batch_type is Points and data.facts() == {"shape": (3,), "classes": 0}
    assert data.options() == {}
    train = data.split("train")
    got = train.gather(np.arange(len(train)))
    assert got.value.dtype == torch.float32 and got.label is None  # type: ignore[attr-defined]
    np.testing.assert_array_equal(got.value, points[[int(name) for name in train.names]].astype(np.float32))


def test_labels_in_npz(tmp_path: Path) -> None:
    np.savez(tmp_path / "numbers.npz", images=GRAY, labels=np.arange(30) % 11)
    data = opened(tmp_path / "numbers.npz")
    assert data.labels == tuple(map(str, range(11))) and data.label_counts["0"] == 3
    train = data.split("train")
    batch = train.gather(np.arange(len(train)))
    assert batch.label.dtype == torch.int64  # type: ignore[attr-defined]
    assert [data.labels[n] for n in batch.label] == [str(int(name) % 11) for name in train.names]  # type: ignore[attr-defined]
    np.savez_compressed(tmp_path / "text.npz", x=COLOUR, y=np.array(["b", "a"] * 15)[:, None])
    assert opened(tmp_path / "text.npz").labels == ("a", "b")
    np.savez(tmp_path / "bare.npz", GRAY)
    assert opened(tmp_path / "bare.npz").labels == ()
    np.savez(tmp_path / "one.npz", whatever=GRAY)
    assert len(opened(tmp_path / "one.npz")) == 30


def test_splits_in_npz(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x_train=GRAY, y_train=np.arange(30) % 2, x_test=GRAY[:5], y_test=np.arange(5) % 2)
    data = opened(tmp_path / "a.npz")
    assert data.counts["test"] == 5 and data.split("test").names == [f"test/{n}" for n in range(5)]
    assert data.counts["train"] + data.counts["validation"] == 30 and data.labels == ("0", "1")
    np.savez(tmp_path / "b.npz", train_images=GRAY, val_images=GRAY[:3], test_images=GRAY[:4])
    assert opened(tmp_path / "b.npz").counts == {"train": 30, "validation": 3, "test": 4}
    np.savez(tmp_path / "c.npz", x_train=GRAY, y_train=np.arange(30) % 2, x_test=GRAY[:5])
    data = opened(tmp_path / "c.npz")
    assert data.labels == () and "no labels: 5 items of 35 have none" in data.notes


def test_npz_that_makes_no_sense(tmp_path: Path) -> None:
    for arrays, says in (
        ({"foo": GRAY, "bar": GRAY}, "no array named images, x or data; it has foo, bar"),
        ({"x": GRAY, "y": np.arange(29)}, "labels have the shape (29,), but there are 30 items"),
        ({"x": GRAY, "y": np.full(30, 0.5)}, "labels are float64"),
        ({"x_test": GRAY}, "no training images; it has x_test"),
        ({"x_train": GRAY, "x_test": np.zeros((5, 16))}, "an array of shape (5, 16); images have"),
        (
            {"x_train": np.zeros((5, 2)), "x_test": GRAY},
            "points must be floats of shape (N, D), not uint8 of shape (30,",
        ),
        ({"x_train": np.zeros((5, 2)), "x_test": np.zeros((5, 3))}, "its arrays hold points of 2 and of 3 coordinates"),
        ({"x_train": np.zeros((0, 2)), "x_test": np.zeros(5)}, "points must be floats of shape (N, D), not float64 of"),
        (
            {"x_train": GRAY[:0], "x_test": GRAY},
            "no item for training can be used: the 30 that can are of other splits",
        ),
    ):
        np.savez(tmp_path / "a.npz", **arrays)
        assert says in refusal(tmp_path / "a.npz")


class Trap:
    sprung = False

    def __reduce__(self) -> tuple[Any, ...]:
        return (setattr, (Trap, "sprung", True))


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(pickle.dumps(Trap()))
    assert "is no array file" in refusal(tmp_path / "a.npy")
    np.save(tmp_path / "b.npy", np.array([Trap(), Trap()], dtype=object), allow_pickle=True)
    assert "pickled Python objects, which are never loaded" in refusal(tmp_path / "b.npy")
    np.savez(tmp_path / "c.npz", images=GRAY, labels=np.array([Trap()] * 30, dtype=object))
    assert "pickled Python objects, which are never loaded" in refusal(tmp_path / "c.npz")
    assert not Trap.sprung


def test_array_files_that_are_cut_short(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", GRAY)
    np.savez(tmp_path / "b.npz", images=GRAY)
    for path in (tmp_path / "a.npy", tmp_path / "b.npz"):
        path.write_bytes(path.read_bytes()[:500])
        assert "cannot be read as an array file" in refusal(path)
    np.save(tmp_path / "c.npy", GRAY)
    content = (tmp_path / "c.npy").read_bytes().replace(b"{", b"(", 1)  # NumPy's reader fails with a TokenError
    (tmp_path / "c.npy").write_bytes(content)
    assert "cannot be read as an array file" in refusal(tmp_path / "c.npy")
    header = b"'shape': (30, 8, 10), }" + b" " * 12
    forged = (tmp_path / "a.npy", b"'shape': (3000000000000, 8, 10), }" + b" ")
    np.save(forged[0], GRAY)
    forged[0].write_bytes(forged[0].read_bytes().replace(header, forged[1]))
    assert "cannot be read as an array file" in refusal(forged[0])


def test_sizes_and_channels_of_arrays() -> None:
    halves = np.zeros((20, 16, 16, 3), np.uint8)
    halves[:, :, 8:] = (255, 0, 0)
    data = opened(halves, size=(8, 8))
    assert data.notes == ("images of 16x16 (height x width) resized to 8x8",)
    far = levels(data)[:, :, [0, 1, 6, 7]].astype(int)  # from the edge, where the filter rings
    assert np.abs(far - halves[:, :8, [0, 1, 14, 15]]).max() <= 4
    assert (levels(opened(halves, channels=1))[:, :, 8:] == 76).all()  # 0.299 of 255
    assert (levels(opened(GRAY, channels=3)) == GRAY[..., None]).all()
    assert opened(np.zeros((4, 300, 600), np.uint8)).space.shape == (1, 64, 128)
    clear = np.zeros((20, 8, 8, 4), np.uint8)
    assert (levels(opened(clear, channels=3)) == 255).all()


# -- headers that lie, and arrays too large for the memory -----------------------------------------------------------


def headed(
    described: str, shape: tuple[int, ...], body: bytes = b"", version: int = 1, length: int | None = None
) -> bytes:
    """A .npy file with this header and whatever follows."""
    header = f"{{'descr': {described!r}, 'fortran_order': False, 'shape': {shape}, }}".ljust(117).encode() + b"\n"
    size = struct.pack("<H" if version == 1 else "<I", len(header) if length is None else length)
    return b"\x93NUMPY" + bytes((version, 0)) + size + header + body


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (headed("|V0", (10**12, 6, 6, 3), bytes(324)), "values are |V0, not numbers"),
        (headed("<U0", (10**12, 6, 6, 3), bytes(324)), "values are <U0, not numbers"),
        (headed("<U9", (2, 3), bytes(216)), "values are <U9, not numbers"),
        (headed("<c8", (2, 8, 8), bytes(1024)), "values are complex64, not numbers"),
        (headed("|u1", (10**12, 6, 6, 3), bytes(324)), "tells of 108,000,000,000,000 bytes, and there are 324"),
        (headed("|u1", (2, 8, 8), bytes(127)), "its header tells of 128 bytes, and there are 127"),
        (headed("|u1", (-2, 8, 8), bytes(128)), "there are no arrays of shape (-2, 8, 8)"),
        (headed("|u1", (10**12, 0, 3)), "an array of shape (1000000000000, 0, 3) is empty"),
        (headed("|u1", (2, 2**20, 2**20), bytes(8)), "has items of more than 134,217,728 numbers"),
        (headed("|u1", (2, 8, 8), bytes(128), 2, 2**32 - 1), "cannot be read as an array file"),
        (headed("|u1", (2, 8, 8), bytes(128), 3), "holds no plain numbers"),
    ],
)
def test_a_header_is_judged_by_what_follows_it(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "a.npy").write_bytes(content)
    assert says in refusal(tmp_path / "a.npy")
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images.npy", content)
    assert says in refusal(tmp_path / "a.npz")


def test_labels_of_no_size_are_none(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("labels.npy", headed("<U0", (10**12,)))
        with archive.open("images.npy", "w") as file:
            np.save(file, GRAY)
    assert "values are <U0, not numbers" in refusal(tmp_path / "a.npz")


def test_an_archive_that_would_unpack_to_hundreds_of_times_its_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez_compressed(tmp_path / "a.npz", images=np.zeros((40, 64, 64), np.uint8))
    assert len(opened(tmp_path / "a.npz")) == 40  # 160 KB, which may be what is meant
    monkeypatch.setattr(array_files, "_LARGE", 100_000)
    monkeypatch.setenv("GANVAS_CACHE", str(tmp_path / "cache"))
    assert "would unpack to 163,968 bytes from " in refusal(tmp_path / "a.npz")


@pytest.mark.parametrize("array", [GRAY, COLOUR, np.asfortranarray(COLOUR), GRAY / 255.0])
def test_large_arrays_are_unpacked_piece_by_piece(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, array: np.ndarray
) -> None:
    np.savez_compressed(tmp_path / "a.npz", images=array, labels=np.arange(30) % 2)
    small = opened(tmp_path / "a.npz")
    monkeypatch.setattr(array_files, "_IN_MEMORY", 0)
    monkeypatch.setattr(array_files, "_PIECE", 100)
    monkeypatch.setattr(array_files, "_NUMBERS", 200)  # two rows at a time
    (part,) = array_files.from_file(tmp_path / "a.npz").parts()
    assert isinstance(part.values, np.memmap) and (part.values == array).all()
    monkeypatch.setenv("GANVAS_CACHE", str(tmp_path / "cache"))
    large = opened(tmp_path / "a.npz")
    assert large.fingerprint == small.fingerprint and (levels(large) == levels(small)).all()
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == ["data"]  # nothing else is left there


@pytest.mark.parametrize(
    ("splits", "says"),
    [
        ({"x_train": np.zeros((4, 2)), "x_test": np.zeros((4, 3))}, "its arrays hold points of 2 and of 3 coordinates"),
        ({"x_train": np.zeros((4, 2)), "x_test": np.zeros(4)}, "points must be floats of shape (N, D)"),
        ({"x_train": np.zeros((0, 2)), "x_test": np.zeros(4)}, "points must be floats of shape (N, D)"),
        ({"x_train": GRAY, "x_test": np.zeros((4, 2), np.uint8)}, "images have the shape (N, H, W)"),
        ({"x_train": GRAY, "x_test": COLOUR}, "its arrays differ in their channels"),
    ],
)
def test_splits_of_different_dimensions_are_one_line(tmp_path: Path, splits: dict[str, np.ndarray], says: str) -> None:
    np.savez(tmp_path / "a.npz", **splits)  # type: ignore[arg-type]
    assert says in refusal(tmp_path / "a.npz")
