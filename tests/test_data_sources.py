"""Folders and archives: what is found in them, what is passed over, and what is refused."""

import io
import json
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganvas.data import containers, decode, image_files
from ganvas.data.dataset import Data, describe
from ganvas.data.layout import layout
from ganvas.data.opening import open_data
from ganvas.data.rows import split_of
from ganvas.errors import DataError, GanvasError, UsageError

Files = dict[str, bytes]


def png(level: int, side: int = 8) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (side, side), level).save(buffer, "PNG")
    return buffer.getvalue()


def images(names: str) -> Files:
    return {name: png(20 + place) for place, name in enumerate(names.split())}


def as_folder(path: Path, files: Files) -> Path:
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def as_zip(path: Path, files: Files) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def as_tar(path: Path, files: Files, mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in reversed(files.items()):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def opened(source: Path | str, **options: object) -> Data:
    return open_data(source, progress=False, **options)  # type: ignore[arg-type]


def names(data: Data) -> dict[str, list[str]]:
    return {split: list(data.split(split).names) for split in data.counts if data.counts[split]}


def all_names(data: Data) -> list[str]:
    return sorted(name for split in names(data).values() for name in split)


def refusal(source: Path | str, kind: type[GanvasError] = DataError) -> str:
    with pytest.raises(kind) as caught:
        opened(source)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_folder_and_archives_are_the_same_data(tmp_path: Path) -> None:
    files = images("cat/1.png cat/2.png cat/10.png dog/1.png dog/2.png dog/deep/er/3.png")
    folder = opened(as_folder(tmp_path / "pets", files))
    assert folder.labels == ("cat", "dog") and folder.label_counts == {"cat": 3, "dog": 3}
    assert str(folder.space) == "images 8x8 gray" and folder.name == "pets"
    assert folder.facts() == {"channels": 1, "size": (8, 8), "shape": (1, 8, 8), "classes": 2}
    train = folder.split("train")
    levels = dict(zip(train.names, train.gather(np.arange(len(train))).value, strict=True))
    for place, name in enumerate(files):
        if name in levels:
            assert float(levels[name][0, 0, 0]) == pytest.approx((20 + place) / 127.5 - 1, abs=1e-6)
    assert train.labels is not None and train.labels.dtype == np.int64
    assert [folder.labels[number] for number in train.labels] == [name[:3] for name in train.names]
    archives = [
        as_zip(tmp_path / "a.zip", files),
        as_tar(tmp_path / "a.tar", files),
        as_tar(tmp_path / "a.tar.gz", files, "w:gz"),
        as_tar(tmp_path / "a.tar.bz2", files, "w:bz2"),
        as_tar(tmp_path / "a.tar.xz", files, "w:xz"),
        as_tar(tmp_path / "dots.tar", {f"./{name}": content for name, content in files.items()}),
    ]
    for path in archives:
        data = opened(path)
        assert data.fingerprint == folder.fingerprint, path.name
        assert names(data) == names(folder) and data.labels == folder.labels
    assert opened(archives[2]).name == "a"


def test_an_archive_that_is_prepared_is_not_listed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = as_tar(tmp_path / "a.tar.gz", images("a.png b.png c.png"), "w:gz")
    before = opened(path)
    monkeypatch.setattr(containers.Tar, "_list", lambda archive: pytest.fail("it was listed"))
    assert opened(path).fingerprint == before.fingerprint


def test_an_archive_is_listed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed, whole = [], containers.Tar._list
    monkeypatch.setattr(containers.Tar, "_list", lambda archive: listed.append(archive.endings) or whole(archive))
    opened(as_tar(tmp_path / "a.tar", images("a.png b.png c.png")))
    assert listed == [containers.IMAGES]


def test_a_path_may_go_on_into_an_archive(tmp_path: Path) -> None:
    path = as_zip(tmp_path / "set.zip", images("train/a.png train/b.png train/c.png other/d.png"))
    assert all_names(opened(f"{path}/train")) == ["a.png", "b.png", "c.png"]
    assert "has no folder 'tran'; its folders are other, train" in refusal(f"{path}/tran")


def test_what_folders_mean() -> None:
    def read(text: str) -> tuple[dict[str, str], dict[str, str]]:
        found = layout(text.split())
        return found.kinds, found.splits

    assert read("a.png b.png") == ({}, {})
    assert read("all/a.png all/b.png") == ({}, {})
    assert read("set/cat/a.png set/dog/b.png")[0] == {"set/cat/a.png": "cat", "set/dog/b.png": "dog"}
    labels, splits = read("Train/cat/a.png Train/dog/b.png val/cat/c.png test/dog/x/d.png")
    assert labels == dict(zip(splits, ["cat", "dog", "cat", "dog"], strict=True))
    assert list(splits.values()) == ["train", "train", "validation", "test"]
    assert read("train/a.png valid/b.png")[1] == {"train/a.png": "train", "valid/b.png": "validation"}
    assert read("test/a.png val/b.png") == ({"test/a.png": "test", "val/b.png": "val"}, {})  # nothing to train on
    assert read("train/a.png mine/b.png")[0] == {"train/a.png": "train", "mine/b.png": "mine"}
    labels, splits = read("Training/0/a.png Training/1/b.png DEV/0/c.png testing/1/d.png")
    assert list(labels.values()) == ["0", "1", "0", "1"]
    assert list(splits.values()) == ["train", "train", "validation", "test"]
    assert read("training/a.png test/a.png other/a.png")[1] == {}
    assert layout(["cat/a.png", "b.png"]).kind_notes == ["no labels: 1 image beside the folders has none"]


def test_two_domains_are_told_by_the_names_of_folders() -> None:
    for text in ("trainA trainB testA testB", "TRAINa TrainB Testa TESTB", "train_a train_b test_a test_b"):
        names = [f"{folder}/1.png" for folder in text.split()]
        found = layout(names)
        assert list(found.kinds.values()) == ["A", "B", "A", "B"]
        assert list(found.splits.values()) == ["train", "train", "test", "test"]
        assert list(found.rests.values()) == ["train/1.png", "train/1.png", "test/1.png", "test/1.png"]
        assert "domains A, B" in found.kind_notes[0] and f"such as {names[0][:-6]}," in found.kind_notes[0]
    alone = layout(["trainA/1.png", "testA/1.png"])
    assert alone.kinds == {} and list(alone.splits.values()) == ["train", "test"]
    for text in ("trainA trainB testA testB results", "testA testB", "trainA cats"):
        names = [f"{folder}/1.png" for folder in text.split()]
        assert list(layout(names).kinds.values()) == text.split() and not layout(names).splits


def test_numbered_folders_are_labels_unless_they_are_drawers_of_their_files_numbers() -> None:
    def read(text: str) -> list[str]:
        return list(layout(text.split()).kinds.values())

    assert read("0/1.png 1/2.png 9/3.png") == ["0", "1", "9"]  # digits
    assert read("00000/00000_00001.ppm 00042/00000_00001.ppm") == ["00000", "00042"]  # traffic signs
    assert read("00000/00000.png 01000/00001.png") == ["00000", "01000"]
    assert read("00000/00000.png 00000/00999.png 01000/01000.png 69000/69999.png") == []  # FFHQ
    assert layout(["00000/00000.png", "01000/01000.png"]).kind_notes == [
        "no labels: the folders 00000, 01000 are drawers of a thousand numbers each"
    ]


def test_labels_by_dataset_json(tmp_path: Path) -> None:
    names = [f"{number // 10:05}/img{number:08}.png" for number in range(30)]
    files = images(" ".join(names))
    labels = [[name.replace("/", "\\") if place == 0 else name, place % 3 + 8] for place, name in enumerate(names)]
    files["dataset.json"] = json.dumps({"labels": [*labels, ["00009/gone.png", 8]]}).encode()
    folder = opened(as_folder(tmp_path / "a", files))
    assert folder.label_counts == {"8": 10, "9": 10, "10": 10}
    train = folder.split("train")
    assert train.labels is not None
    assert [folder.labels[number] for number in train.labels] == [str(int(name[-8:-4]) % 3 + 8) for name in train.names]
    assert "labels by dataset.json, not by folders" in folder.notes
    assert "1 label in dataset.json of images that are not there" in folder.notes
    assert not any("passed over" in note for note in folder.notes)
    within = {f"set/{name}": content for name, content in files.items()}  # below a folder that all share
    assert opened(as_zip(tmp_path / "a.zip", within)).label_counts == folder.label_counts
    assert opened(as_tar(tmp_path / "a.tar.gz", files, "w:gz")).fingerprint == folder.fingerprint


def test_dataset_json_changes_what_folders_say(tmp_path: Path) -> None:
    files = images("00000/a.png 00000/b.png 00001/c.png 00001/d.png")

    def read(content: object) -> Data:
        path = tmp_path / "a" / "dataset.json"
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return opened(tmp_path / "a")

    assert opened(as_folder(tmp_path / "a", files)).labels == ("00000", "00001")
    none = read({"labels": None})
    assert none.labels == () and "no labels: dataset.json says that there are none" in none.notes[-1]
    vectors = read({"labels": [[name, [0.5, 1.5]] for name in files]})
    assert vectors.labels == () and "no list of [name, class]" in vectors.notes[-1]
    some = read({"labels": [["00000/a.png", 0], ["00001/c.png", 1]]})
    assert some.labels == () and "no labels: 2 items of 4 have none" in some.notes
    other = read({"name": "another tool's"})
    assert other.labels == ("00000", "00001") and "dataset.json passed over: it says nothing of labels" in other.notes
    for damaged in (b"{", b"[" * 100_000, b"\xff\xfe"):
        (tmp_path / "a" / "dataset.json").write_bytes(damaged)
        assert refusal(tmp_path / "a").endswith("dataset.json in a is no JSON: repair it, or take it away")


def test_labels_are_in_natural_order(tmp_path: Path) -> None:
    assert opened(as_folder(tmp_path, images("10/a.png 9/a.png 2/a.png x1/a.png"))).labels == ("2", "9", "10", "x1")


def test_splits_of_the_data_are_respected(tmp_path: Path) -> None:
    files = {f"{split}/{number}.png": png(number) for split in ("train", "test") for number in range(200)}
    data = opened(as_folder(tmp_path, files))
    found = names(data)
    assert found["test"] == [f"test/{number}.png" for number in range(200)]
    assert 0 < len(found["validation"]) < 25 and len(found["train"]) + len(found["validation"]) == 200
    assert "splits: train and test as the data has them, validation cut from train" in data.notes


def test_test_pictures_are_never_trained_on(tmp_path: Path) -> None:
    files = {f"testing/{number}.png": png(number) for number in range(20)}
    hashed = next(f"training/{n}.png" for n in range(100) if split_of(f"training/{n}.png") == "validation")
    data = opened(as_folder(tmp_path / "a", files | {hashed: png(99)}))
    assert data.counts == {"train": 1, "validation": 0, "test": 20}
    assert "folders taken as splits: testing (test), training (train)" in data.notes
    (tmp_path / "a" / hashed).write_bytes(b"")
    assert "no item for training can be used: the 20 that can are of other splits" in refusal(tmp_path / "a")


def test_what_is_no_image_is_passed_over(tmp_path: Path) -> None:
    files = images("a.png b.png .hidden.png .git/c.png __MACOSX/a.png") | {"Thumbs.db": b"x", "about.txt": b"x"}
    files |= {"one.csv": b"x", "two.csv": b"x"}
    for path in (
        as_folder(tmp_path / "folder", files),
        as_zip(tmp_path / "a.zip", files),
        as_tar(tmp_path / "a.tar", files),
    ):
        data = opened(path)
        assert all_names(data) == ["a.png", "b.png"]
        assert "3 files passed over, of other kinds by their names (.csv, .txt)" in data.notes


def test_damaged_items_are_named_and_left_out(tmp_path: Path) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8))
    buffer = io.BytesIO()
    noise.save(buffer, "JPEG")
    jpeg = buffer.getvalue()
    files = {"a.png": jpeg, "b.jpg": jpeg, "cut.jpg": jpeg[:400], "empty.png": b"", "tale.png": b"once upon a time"}
    for path in (
        as_folder(tmp_path / "folder", files),
        as_zip(tmp_path / "a.zip", files),
        as_tar(tmp_path / "a.tar", files),
    ):
        data = opened(path)
        assert all_names(data) == ["a.png", "b.jpg"]  # the content decides, not the ending
        assert data.damaged == {"cut.jpg": "cut short", "empty.png": "empty", "tale.png": "not an image"}
        assert data.notes[0] == (
            "3 damaged items left out: cut.jpg (cut short), empty.png (empty), tale.png (not an image)"
        )
        assert data.to_json()["damaged"] == data.damaged
    (tmp_path / "folder" / "b.jpg").write_bytes(b"")
    assert "1 item that can be used, and 4 damaged, such as b.jpg (empty)" in refusal(tmp_path / "folder")
    (tmp_path / "folder" / "a.png").write_bytes(b"")
    assert "no image in" in refusal(tmp_path / "folder")


def test_a_wrong_checksum_in_an_archive_is_one_damaged_item(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:  # stored, so that the bytes can be found
        for name, content in images("a.png b.png c.png").items():
            archive.writestr(name, content)
    content = bytearray(path.read_bytes())
    content[content.index(b"IEND", content.index(b"c.png"))] ^= 1
    path.write_bytes(content)
    assert opened(path).damaged == {"c.png": "does not unpack"}


def test_members_that_point_outside_make_an_archive_refused(tmp_path: Path) -> None:
    for number, name in enumerate(["../x.png", "/etc/x.png", "a/../../x.png", "..\\x.png", "C:\\x.png", "../x.txt"]):
        files = images("a.png b.png") | {name: png(3)}
        for path in (as_zip(tmp_path / f"{number}.zip", files), as_tar(tmp_path / f"{number}.tar", files)):
            message = refusal(path)
            assert "is refused: its member" in message and "points outside" in message and name[-3:] in message
    assert sorted(tmp_path.iterdir()) == sorted(tmp_path.glob("*.*"))  # and nothing was unpacked


def test_links_and_devices_in_a_tar_are_passed_over(tmp_path: Path) -> None:
    path = as_tar(tmp_path / "a.tar", images("a.png b.png"))
    with tarfile.open(path, "a") as archive:
        for name, kind in (("l.png", tarfile.SYMTYPE), ("h.png", tarfile.LNKTYPE), ("d.png", tarfile.CHRTYPE)):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
    data = opened(path)
    assert all_names(data) == ["a.png", "b.png"]
    assert "3 entries passed over, links or special files" in data.notes


def test_links_in_a_zip_are_passed_over(tmp_path: Path) -> None:
    path = as_zip(tmp_path / "a.zip", images("a.png b.png"))
    with zipfile.ZipFile(path, "a") as archive:
        link = zipfile.ZipInfo("l.png")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    assert all_names(opened(path)) == ["a.png", "b.png"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_names_that_are_there_twice_are_told(tmp_path: Path) -> None:
    for path, add in ((tmp_path / "a.zip", as_zip), (tmp_path / "a.tar", as_tar)):
        add(path, images("a.png b.png c.png d.png"))
        if path.suffix == ".zip":
            with zipfile.ZipFile(path, "a") as archive:
                for level, name in enumerate(("a.png", "a.png", "b.png")):
                    archive.writestr(name, png(200 + level))
        else:
            with tarfile.open(path, "a") as archive:
                for level, name in enumerate(("a.png", "a.png", "b.png")):
                    member = tarfile.TarInfo(name)
                    member.size = len(png(200 + level))
                    archive.addfile(member, io.BytesIO(png(200 + level)))
        data = opened(path)
        told = "3 files passed over, because a later one in the archive has the same name (a.png, b.png)"
        assert told in data.notes and len(data) == 4
        levels = {
            name: int((value.flatten()[0] + 1) * 127.5 + 0.5)
            for split in ("train", "validation", "test")
            for name, value in zip(
                data.split(split).names, data.split(split).gather(np.arange(data.counts[split])).value, strict=True
            )
        }
        assert (levels["a.png"], levels["b.png"]) == (201, 202)


def test_members_without_a_name_are_passed_over(tmp_path: Path) -> None:
    path = as_zip(tmp_path / "a.zip", images("a.png b.png") | {"x": png(3)})
    content = bytearray(path.read_bytes())
    entry = content.rindex(b"PK\x01\x02")
    content[entry + 28 : entry + 30] = b"\0\0"  # the length of the name, in the directory
    del content[entry + 46]
    end = content.rindex(b"PK\x05\x06")
    content[end + 12 : end + 16] = (int.from_bytes(content[end + 12 : end + 16], "little") - 1).to_bytes(4, "little")
    path.write_bytes(content)
    data = opened(path)
    assert all_names(data) == ["a.png", "b.png"] and "1 entry passed over, links or special files" in data.notes


def test_an_encrypted_zip(tmp_path: Path) -> None:
    path = as_zip(tmp_path / "a.zip", images("a.png b.png"))
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + offset] |= 1
    path.write_bytes(content)
    assert "a.zip is encrypted (such as a.png): unpack it with its password" in refusal(path)


def test_a_member_that_unpacks_to_too_much_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (containers, image_files):
        monkeypatch.setattr(module, "MAX_BYTES", 2**20)
    files = images("a.png b.png") | {"bomb.png": bytes(2**20 + 1)}
    for path in (
        as_folder(tmp_path / "f", files),
        as_zip(tmp_path / "a.zip", files),
        as_tar(tmp_path / "a.tgz", files, "w:gz"),
    ):
        assert opened(path).damaged == {"bomb.png": "larger than 1 MB"}


def test_a_size_that_lies_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The directory of the zip declares 10 bytes for a member of a million: no more than 10 are unpacked.
    path = as_zip(tmp_path / "a.zip", images("a.png b.png") | {"z.png": bytes(10**6)})
    content = bytearray(path.read_bytes())
    entry = content.rindex(b"PK\x01\x02")
    content[entry + 24 : entry + 28] = (10).to_bytes(4, "little")
    path.write_bytes(content)
    assert list(opened(path).damaged) == ["z.png"]


def test_a_bomb_of_pixels_is_never_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from test_data_decode import forged_png

    files = images("a.png b.png") | {"bomb.png": forged_png(60_000, 60_000), "big.png": forged_png(12_000, 12_000)}
    damaged = opened(as_folder(tmp_path, files)).damaged
    assert damaged == {
        "big.png": "12,000 x 12,000 pixels, more than 100,000,000",
        "bomb.png": "more than 100,000,000 pixels",
    }
    assert decode.MAX_PIXELS == 100_000_000


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: path / "nowhere", "there is no data"),
        (lambda path: path, "holds no images: give a folder or archive"),
        (lambda path: as_folder(path, {"a.pdf": b"x"}), "holds no images (1 file passed over"),
        (lambda path: as_folder(path, {"a.txt": b"x"}), "holds 1 text: at least 2 are needed"),
        (lambda path: as_folder(path, images("only.png")), "holds 1 image: at least 2 are needed"),
        (lambda path: as_folder(path, images("only.png")) / "only.png", "is a single image: at least 2 are needed"),
        (lambda path: as_folder(path, {"a.zip": b"PK\x03\x04 and then nothing"}) / "a.zip", "is damaged or cut short"),
        (lambda path: as_folder(path, {"a.zip": b"Rar!"}) / "a.zip", "holds no data that is known here: give a folder"),
        (lambda path: as_folder(path, {"a.tgz": b"\x1f\x8b"}) / "a.tgz", "holds no data that is known here"),
        (lambda path: as_folder(path, {"a.doc": b"text"}) / "a.doc", "holds no data that is known here"),
        (lambda path: as_folder(path, {"a.npy": b"text"}) / "a.npy", "is no array file"),
        (lambda path: path / ("x" * 300), "x"),
    ],
)
def test_one_line_says_what_is_wrong(tmp_path: Path, make: Callable[[Path], Path], says: str) -> None:
    path = make(tmp_path)
    message = refusal(path)
    assert says in message and path.name[:20] in message


def test_near_misses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "there is no data 'digts'; did you mean 'digits'?" in refusal("digts")
    assert "did you mean 'fashion-mnist'?" in refusal("fasion-mnist")
    assert "known: cifar10," in refusal("zebra")
    as_folder(tmp_path / "photos", images("a.png b.png"))
    assert "did you mean 'photos'?" in refusal(tmp_path / "fotos")
    monkeypatch.chdir(tmp_path)
    assert "did you mean 'photos'?" in refusal("photo")
    assert "no data is named" in refusal("")
    assert "there is no data '~nobody-of-that-name/x'" in refusal("~nobody-of-that-name/x")


def test_an_archive_that_was_cut_short(tmp_path: Path) -> None:
    noise = {f"{n}.png": os.urandom(5000) for n in range(9)}
    for path in (as_zip(tmp_path / "a.zip", noise), as_tar(tmp_path / "a.tar.gz", noise, "w:gz")):
        path.write_bytes(path.read_bytes()[:20_000])
        assert "is damaged or cut short" in refusal(path)


def test_what_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = as_folder(tmp_path / "photos", images("a.png b.png c.png locked/d.png"))
    real_open, real_scan = os.open, os.scandir

    def no_open(path: str | Path, *args: int, **more: int) -> int:
        if Path(path).name in ("c.png", "a.zip"):
            raise PermissionError(13, "Permission denied")
        return real_open(path, *args, **more)

    def no_scan(path: Path) -> object:
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied")
        return real_scan(path)

    monkeypatch.setattr(os, "open", no_open)
    assert opened(folder).damaged == {"c.png": "permission denied"}
    assert refusal(as_zip(tmp_path / "a.zip", images("a.png b.png"))).endswith(
        "a.zip cannot be read: Permission denied"
    )
    monkeypatch.setattr(os, "scandir", no_scan)
    assert refusal(folder).endswith("locked cannot be read: Permission denied")


def test_links_between_folders_are_followed_once(tmp_path: Path) -> None:
    folder = as_folder(tmp_path / "here", images("a.png b.png"))
    (folder / "circle").symlink_to(folder)
    (folder / "there").symlink_to(as_folder(tmp_path / "elsewhere", images("c.png")))
    (folder / "broken.png").symlink_to(tmp_path / "gone.png")
    os.mkfifo(folder / "pipe.png")
    data = opened(folder)
    assert all_names(data) == ["a.png", "b.png", "there/c.png"]
    assert "2 entries passed over, links or special files" in data.notes


def test_names_of_any_bytes_stay_on_one_line(tmp_path: Path) -> None:
    files = images("a.png b.png") | {"new\nline\x1b[31m.png": b"", os.fsdecode(b"\xff.png"): b""}
    data = opened(as_folder(tmp_path, files))
    assert data.notes[0] == "2 damaged items left out: new\\nline\\x1b[31m.png (empty), \\udcff.png (empty)"
    assert all("\n" not in line for line in describe(data))


def test_files_give_no_alpha_channel(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="1 or 3 channels"):
        opened(as_folder(tmp_path, images("a.png b.png")), channels=4)
