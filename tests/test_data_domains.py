"""Two domains in one folder, `trainA trainB testA testB`: what each kind of data makes of them; fingerprints stay.

Pictures are plain PGM files, so that their bytes, and with them fingerprints, depend on no library.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganvas.data.batches import Images, Pairs, Photos, Unpaired
from ganvas.data.dataset import Data
from ganvas.data.opening import open_data
from ganvas.errors import DataError
from test_cli import ganvas, refused
from test_data_pairs import label_map

A, B = 40, 200
"""The levels of the two domains' pictures begin here; those of test pictures are 30 higher."""


def plain(path: Path, level: int, side: int = 16) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"P5\n%d %d\n255\n" % (side, side) + bytes([level]) * side * side)


def domains(folder: Path, names: str = "trainA trainB testA testB", form: str = "{number}.pgm") -> Path:
    for place, name in enumerate(names.split()):
        for number in range(10 if place < 2 else 5):
            plain(
                folder / name / form.format(number=number, letter="AB"[place % 2]),
                (A, B)[place % 2] + number + place // 2 * 30,
            )
    return folder


def levels(data: Data, column: str, split: str) -> set[int]:
    items = data.split(split)
    values = getattr(items.gather(np.arange(len(items))), column)
    return {round(float((value.flatten()[0] + 1) * 127.5)) for value in values}


@pytest.mark.parametrize(
    "names", ["trainA trainB testA testB", "TRAINa TrainB Testa TESTB", "train_A train_B val_A val_B"]
)
def test_translation_without_pairs_gets_both_domains_of_one_folder(tmp_path: Path, names: str) -> None:
    data = open_data(domains(tmp_path / "set", names), Unpaired, progress=False)
    held = "validation" if "val" in names else "test"
    assert levels(data, "image", "train") <= set(range(B, B + 10)) and levels(data, "other", "train") <= set(
        range(A, A + 10)
    )
    assert levels(data, "image", held) == set(range(B + 30, B + 35))
    assert levels(data, "other", held) == set(range(A + 30, A + 35))
    assert "given: A, to be made: B, without pairs" in data.notes
    turned = open_data(tmp_path / "set", Unpaired, given="B", progress=False)
    assert levels(turned, "image", held) == set(range(A + 30, A + 35))
    archive = Path(shutil.make_archive(str(tmp_path / "archive"), "gztar", tmp_path / "set"))
    assert open_data(archive, Unpaired, progress=False).fingerprint == data.fingerprint


@pytest.mark.parametrize("form", ["{number}.pgm", "{number}_{letter}.pgm"])
def test_translation_from_pairs_finds_them_within_each_split(tmp_path: Path, form: str) -> None:
    data = open_data(domains(tmp_path, form=form), Pairs, progress=False)
    assert len(data) == 15 and data.counts["test"] == 5
    for split in ("train", "test"):
        batch = data.split(split).gather(np.arange(data.counts[split]))
        apart = (batch.image - batch.source) * 127.5  # type: ignore[attr-defined]
        assert np.allclose(apart, B - A, atol=1e-3)  # of each number its own
    assert levels(data, "source", "test") == set(range(A + 30, A + 35))


def test_elsewhere_they_are_two_labels_and_test_pictures_are_kept(tmp_path: Path) -> None:
    data = open_data(domains(tmp_path), Images, progress=False)
    assert data.label_counts == {"A": 15, "B": 15} and data.counts["test"] == 10
    train = data.split("train")
    batch = train.gather(np.arange(len(train)))
    assert batch.label is not None  # type: ignore[attr-defined]
    of_b = batch.image[:, 0, 0, 0] > 0  # type: ignore[attr-defined]
    assert (batch.label.bool() == of_b).all()  # type: ignore[attr-defined]
    assert levels(data, "image", "test") == {*range(A + 30, A + 35), *range(B + 30, B + 35)}
    (note,) = (note for note in data.notes if note.startswith("domains"))
    assert "domains A, B, for recipes that translate such as cyclegan" in note and "such as trainA" in note
    alone = open_data(tmp_path / "trainA", Images, progress=False)
    assert alone.labels == () and len(alone) == 10


def test_two_domains_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = domains(tmp_path)
    assert ganvas("train", "cyclegan", "--data", folder, "--dry-run", "--steps", "1") == 0
    told = capsys.readouterr().out
    assert "note: given: A, to be made: B, without pairs" in told and "\ndomain: given 15, made 15\n" in told
    assert ganvas("train", "dcgan", "--data", folder, "--dry-run", "--steps", "1") == 0
    told = capsys.readouterr().out
    assert "labels: 2 (A 15, B 15)" in told and "note: domains A, B, for recipes that translate" in told
    for name in ("trainC", "testC"):
        plain(folder / name / "1.pgm", 3)
    assert "3 domains (A, B, C), and two are needed" in refused(capsys, "train", "cyclegan", "--data", folder)


def test_names_that_do_not_match_are_no_pairs(tmp_path: Path) -> None:
    domains(tmp_path)
    for file in (tmp_path / "trainB").iterdir():
        file.rename(file.with_name(f"b{file.name}"))
    shutil.rmtree(tmp_path / "testB")
    with pytest.raises(DataError, match=r"no picture in A has the name of one in B, .* with cut or cyclegan"):
        open_data(tmp_path, Pairs, progress=False)


# By layout: its folders, what it is read as, and the fingerprint that runs hold, which other versions must find again.
STAY = {
    "labels": ("0 1 10", Images, {}, "46c4d0cba39247f3"),
    "splits": ("train/cat train/dog val/cat test/dog", Images, {}, "8edaaf7a0d04cdf9"),
    "photos": ("train val", Photos, {"scale": 2}, "4f2bb9fbebff0568"),
    "domains": ("trainA trainB testA testB", Unpaired, {}, "9b98774942c32a1b"),
    "two folders": ("horses zebras", Unpaired, {}, "88754b74eb232c50"),
    "pairs": ("train/A train/B test/A test/B", Pairs, {}, "1a6f17f8a52ce389"),
}


@pytest.mark.parametrize("layout", STAY)
def test_fingerprints_stay_so_that_runs_find_their_data_again(tmp_path: Path, layout: str) -> None:
    folders, kind, options, fingerprint = STAY[layout]
    for place, folder in enumerate(folders.split()):
        for number in range(12):
            plain(tmp_path / folder / f"{number}.pgm", 20 * place + number)
    assert open_data(tmp_path, kind, progress=False, **options).fingerprint.startswith(fingerprint)


def test_domains_that_are_one_or_empty_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "set"
    for name in ("a", "b"):
        for number in range(4):
            plain(folder / name / f"{'x' * (name == 'b')}{number}.pgm", A + number)  # other names, the same bytes
    train = ("train", "cut", "--dry-run", "--steps", "1", "--data")
    assert "the domains a and b of set hold the same pictures" in refused(capsys, *train, folder)
    assert "hold the same pictures" in refused(capsys, *train, folder / "a", "--other", folder / "a")
    plain(folder / "b" / "4.pgm", B)
    assert ganvas(*train, folder) == 0  # most are the same, which may be meant
    capsys.readouterr()
    shutil.rmtree(folder / "b")
    (folder / "b").mkdir()
    assert "no folders of two domains" in refused(capsys, *train, folder)
    assert "b" in refused(capsys, *train, folder / "a", "--other", folder / "b")


def test_a_domain_without_training_pictures_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    domains(tmp_path)
    shutil.rmtree(tmp_path / "trainB")
    told = refused(capsys, "train", "cut", "--dry-run", "--steps", "1", "--data", tmp_path)
    assert "the domain B has no pictures to train on" in told


def test_label_maps_of_a_domain_keep_their_colours_and_photos_are_smoothed(tmp_path: Path) -> None:
    (tmp_path / "labels").mkdir()
    (tmp_path / "photos").mkdir()
    for number in range(6):
        colours = np.array([[255, 0, 0], [0, 0, 255], [0, 255, 0]], np.uint8)
        marked = Image.fromarray(colours[np.asarray(label_map(number)) // 100])
        marked.convert("P", palette=Image.Palette.ADAPTIVE, colors=3).save(tmp_path / "labels" / f"{number}.png")
        noise = np.random.default_rng(number).integers(0, 256, (96, 96, 3), dtype=np.uint8)
        Image.fromarray(noise).save(tmp_path / "photos" / f"{number}.png")
    data = open_data(tmp_path, Unpaired, size=20, progress=False)
    batch = data.split("train").gather(np.arange(4))
    assert isinstance(batch, Unpaired)
    given, made = (((each + 1) * 127.5).round().int() for each in (batch.other, batch.image))
    seen = set(map(tuple, given.permute(0, 2, 3, 1).reshape(-1, 3).tolist()))
    assert seen == {(255, 0, 0), (0, 0, 255), (0, 255, 0)}
    assert float(made.float().std()) < 30  # of 74
    assert "6 label maps brought to this size without mixing colours" in data.notes
