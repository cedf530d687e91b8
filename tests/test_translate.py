"""`ganvas translate`: files and folders made into others, by whatever a run declares."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import ganvas
from ganvas.inputs import Given
from ganvas.spaces import FREE, ImageSpace, WaveSpace
from test_cli import ganvas as command
from test_cli import refused
from translators import TRANSLATOR, run_of, translator_model

OWN = ("--recipe", TRANSLATOR)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_of(translator_model(FREE), tmp_path_factory.mktemp("run") / "moods")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    random = np.random.default_rng(0)
    for name, size in {"a.png": (20, 24, 3), "more/b.jpg": (16, 16, 3)}.items():
        Image.fromarray(random.integers(0, 256, size, dtype=np.uint8)).save(folder / name)
    (folder / "notes.txt").write_text("not a picture")
    return folder


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture)


def test_a_file_becomes_what_the_model_makes_of_it(run: Path, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "made.png"
    assert (
        command("translate", run, photos / "a.png", "--out", out, "--seed", 3, "--mood", "wild", "--own-size", *OWN)
        == 0
    )
    model = ganvas.load(run, recipe=TRANSLATOR)
    wanted = model.space.to_uint8(model.transform((photos / "a.png").read_bytes(), seed=3, mood="wild"))[0]
    np.testing.assert_array_equal(pixels(out), wanted)


def test_a_folder_becomes_a_folder_and_others_are_told(run: Path, photos: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "made"
    assert command("translate", run, "--out", out, photos, "--seed", 1, *OWN) == 0  # flags between the words too
    said = capsys.readouterr()
    assert "1 file passed over, no images by their names: notes.txt" in said.err
    assert "2 in the folder" in said.out
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*.*")) == ["a.png", "more/b.jpg"]
    # At the scale of the training, which was on 12 x 12 pixels.
    assert pixels(out / "a.png").shape == (12, 14, 3) and pixels(out / "more" / "b.jpg").shape == (12, 12, 3)
    model = ganvas.load(run, recipe=TRANSLATOR)
    with Image.open(photos / "a.png") as photo:
        small = np.asarray(photo.resize((14, 12), Image.Resampling.BICUBIC))
    wanted = model.space.to_uint8(model.transform(small, seed=1))[0].astype(int)
    assert np.abs(pixels(out / "a.png") - wanted).max() <= 3  # Pillow rounds in between
    before = (out / "a.png").read_bytes()
    assert "exists; add --overwrite" in refused(capsys, "translate", run, photos, "--out", out, *OWN)
    assert command("translate", run, photos, "--out", out, "--seed", 1, "--overwrite", "--quiet", *OWN) == 0
    assert (out / "a.png").read_bytes() == before
    assert capsys.readouterr().out == ""


def test_of_several_files_one_that_fails_stops_no_other(run: Path, photos: Path, tmp_path: Path, capsys) -> None:
    (photos / "broken.png").write_bytes(b"no picture")
    assert command("translate", run, photos, "--out", tmp_path / "made", "--json", *OWN) == 2
    said = capsys.readouterr()
    told = {Path(each["source"]).name: each for each in json.loads(said.out)}
    assert "broken.png: source: this is no image file" in told["broken.png"]["error"]
    assert not told["a.png"]["error"] and (tmp_path / "made" / "a.png").exists()
    assert "1 of 3 files could not be translated" in said.err
    assert not (tmp_path / "made" / "broken.png").exists()
    one = refused(capsys, "translate", run, photos / "broken.png", "--out", tmp_path / "x.png", *OWN)
    assert "broken.png: source: this is no image file" in one and not (tmp_path / "x.png").exists()


def test_what_else_can_be_given_is_told_and_checked(run: Path, photos: Path, tmp_path: Path, capsys) -> None:
    assert command("translate", run, "--help", *OWN) == 0
    helped = capsys.readouterr().out
    assert "--mood MOOD" in helped and "--source" not in helped
    a, out = photos / "a.png", ("--out", tmp_path / "x.png")
    for words, told in {
        (a, *out, "--mood", "wlid"): "mood: there is no 'wlid'; did you mean 'wild'?",
        (a, *out, "--modo", "wild"): "has no flag --modo; did you mean '--mood'?",
        (a, "--out", tmp_path / "x.tiff"): "images are written as .png, .jpg, .jpeg, .webp, or into a folder",
        (a,): "say where to write",
        out: "say what to translate",
        (a, a.with_name("c.png"), *out): "there is no ",
        ("~nobody-here/a.png", *out): "there is no ~nobody-here/a.png",
        (a, *out, "--truncation", "2"): "--truncation must be 0 to 1",
    }.items():
        assert told in refused(capsys, "translate", run, *words, *OWN), words
    assert not (tmp_path / "x.png").exists()
    assert "say which run translates" in refused(capsys, "translate")
    plain = Path(__file__).parent / "golden" / "format-1" / "vanilla"
    assert "take ganvas sample" in refused(capsys, "translate", plain, a, *out)


def test_what_is_read_and_written_follows_from_the_spaces() -> None:
    from ganvas.model import kinds_of

    model = translator_model(FREE)
    assert kinds_of(model).writes == (".png", ".jpg", ".jpeg", ".webp") and ".gif" in kinds_of(model).reads
    heard = replace(model, space=WaveSpace(8000, 64), inputs={"sound": Given(WaveSpace(8000, FREE))})
    assert kinds_of(heard).writes == (".wav",) and kinds_of(heard).reads == {".wav", ".wave"}
    seen = replace(model, space=ImageSpace(3, 4, 4), inputs={"sound": Given(WaveSpace(8000, FREE))})
    assert kinds_of(seen).writes[0] == ".png" and kinds_of(seen).noun == "sounds"


def test_a_sound_becomes_a_sound(tmp_path: Path) -> None:
    from ganvas.model import Job, translate_files

    space = WaveSpace(8000, 64)

    class Louder:
        """What `translate_files` asks of a model."""

        given = {"sound": Given(WaveSpace(8000, FREE))}
        space, any_size = WaveSpace(8000, 64), True

        @staticmethod
        def parsed(name: str, content: bytes) -> torch.Tensor:
            return Louder.given[name].parse(content)

        @staticmethod
        def transform(sound: torch.Tensor, **more: object) -> torch.Tensor:
            return 2 * sound

    quiet = torch.full((1, 1, 64), 0.25)
    (tmp_path / "quiet.wav").write_bytes(space.file(quiet))
    job = Job(tmp_path / "quiet.wav", tmp_path / "loud.wav")
    assert [each.error for each in translate_files([job], Louder(), progress=False)] == [""]  # type: ignore[arg-type]
    assert torch.equal(space.read((tmp_path / "loud.wav").read_bytes()), 2 * quiet)
