"""`ganvas translate`: files and folders made into others, by whatever a run declares."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

import ganvas
from ganvas.data.bicubic import resized
from ganvas.inputs import Given
from ganvas.model import Job, Model, PhotoTranslator, translate_files
from ganvas.model.photos import Size
from ganvas.photos.files import turned
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
    small_ones = ("--training-size", *OWN)
    assert command("translate", run, "--out", out, photos, "--seed", 1, *small_ones) == 0  # flags between the words too
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
    assert command("translate", run, photos, "--out", out, "--seed", 1, "--overwrite", "--quiet", *small_ones) == 0
    assert (out / "a.png").read_bytes() == before
    assert capsys.readouterr().out == ""


def test_of_several_files_one_that_fails_stops_no_other(run: Path, photos: Path, tmp_path: Path, capsys) -> None:
    (photos / "broken.png").write_bytes(b"no picture")
    assert command("translate", run, photos, "--out", tmp_path / "made", "--json", *OWN) == 2
    said = capsys.readouterr()
    told = {Path(each["source"]).name: each for each in json.loads(said.out)}
    assert "broken.png: not an image" in told["broken.png"]["error"]
    assert not told["a.png"]["error"] and (tmp_path / "made" / "a.png").exists()
    assert "1 of 3 files could not be translated" in said.err
    assert not (tmp_path / "made" / "broken.png").exists()
    one = refused(capsys, "translate", run, photos / "broken.png", "--out", tmp_path / "x.png", *OWN)
    assert "broken.png: not an image" in one and not (tmp_path / "x.png").exists()


def test_what_is_there_already_can_be_left_out(run: Path, photos: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "made"
    assert command("translate", run, photos / "a.png", "--out", out / "a.png", "--seed", 1, *OWN) == 0
    (out / "a.png").write_bytes(b"as it was")
    assert command("translate", run, photos, "--out", out, "--skip-existing", "--json", *OWN) == 0
    said = capsys.readouterr()
    assert "1 result there already" in said.err and (out / "a.png").read_bytes() == b"as it was"
    assert [Path(each["target"]).name for each in json.loads(said.out.partition("\n")[2])] == ["b.jpg"]
    assert command("translate", run, photos, "--out", out, "--skip-existing", *OWN) == 0
    own = ("--out", photos / "a.png", "--skip-existing")
    assert "would replace its own original" in refused(capsys, "translate", run, photos / "a.png", *own, *OWN)


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
        (a, *out, "--own-size", "--training-size"): "exclude one another",
        (a, *out, "--report", photos / "notes.txt"): "exists; add --overwrite",
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
    assert kinds_of(heard).writes == (".wav",) and {".wav", ".flac", ".mp3"} < kinds_of(heard).reads
    seen = replace(model, space=ImageSpace(3, 4, 4), inputs={"sound": Given(WaveSpace(8000, FREE))})
    assert kinds_of(seen).writes[0] == ".png" and kinds_of(seen).noun == "sounds"


def test_a_sound_becomes_a_sound(tmp_path: Path) -> None:
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


# -- photos ----------------------------------------------------------------------------------------------------------


def photo(height: int, width: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    """With structure at several sizes."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (-(-height // 8), -(-width // 8), channels), dtype=np.uint8)
    fine = random.integers(0, 32, (height, width, channels), dtype=np.uint8)
    return np.repeat(np.repeat(coarse, 8, 0), 8, 1)[:height, :width] // 8 * 7 + fine


def toning(gain: float = 1.0, shift: float = 0.0) -> Model:
    """A model that makes gain * picture + shift."""
    model = translator_model(FREE)
    model.recipe.generator.weight.zero_()
    model.recipe.generator.bias.fill_(shift)
    model.recipe.mood.weight.zero_()
    for channel in range(3):
        model.recipe.generator.weight[channel, channel, 2, 2] = gain
    return model


def made_of(model: Model, pixels: np.ndarray, size: Size = "photo") -> np.ndarray:
    given = {"amount": torch.zeros(1), "mood": 0}
    translator = PhotoTranslator(model, size=size, seed=0, given=given)
    made = np.concatenate(list(translator.strips(pixels)))
    assert made.shape == translator.shape(*pixels.shape)
    return made


def test_what_the_model_leaves_alone_comes_back_as_it_was() -> None:
    for size in ((75, 100, 3), (75, 100, 4), (12, 20, 3), (7, 9, 3)):
        before = photo(*size)
        if size[2] == 4:
            before[:, :, 3] = 255
        np.testing.assert_array_equal(made_of(toning(), before), before)


def test_fine_detail_is_carried_over_where_it_belongs() -> None:
    """The network sees 12 x 16 pixels of 150 x 200."""
    before = photo(150, 200)
    darker = made_of(toning(0.5, -0.25), before).astype(float)
    # (x / 127.5 - 1) / 2 - 0.25 in levels
    assert np.abs(darker - (before * 0.5 + 31.875)).mean() < 4
    detail = before - resized(resized(before, (12, 16)), (150, 200)).astype(float)
    carried = darker - resized(made_of(toning(0.5, -0.25), before, "training"), (150, 200)).astype(float)
    assert 0.4 < (carried * detail).sum() / (detail * detail).sum() < 0.6

    model = toning()  # upside down and inside out: nothing of the photo's detail belongs there
    model.recipe.generate = lambda *, amount, source, mood: -source.flip(2)
    other = made_of(model, before).astype(float)
    carried = other - resized(made_of(model, before, "training"), (150, 200)).astype(float)
    assert np.abs((carried * detail).sum() / (detail * detail).sum()) < 0.3


def test_the_size_of_the_result_is_what_was_asked_for(run: Path, tmp_path: Path, capsys) -> None:
    Image.fromarray(photo(30, 45)).save(tmp_path / "in.png")
    for flags, size in (((), (45, 30)), (("--own-size",), (45, 30)), (("--training-size",), (18, 12))):
        out = tmp_path / f"out{len(flags)}{''.join(flags)}.png"
        assert command("translate", run, tmp_path / "in.png", "--out", out, "--json", *flags, *OWN) == 0
        (told,) = json.loads(capsys.readouterr().out)
        with Image.open(out) as picture:
            assert picture.size == (told["width"], told["height"]) == size


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_is_turned_before_the_network_sees_it(orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "A camera", orientation
    lying = Image.fromarray(photo(16, 24))
    lying.save(tmp_path / "in.png", exif=exif, icc_profile=b"\0" * 16 + b"RGB " + bytes(60))
    upright = np.asarray(ImageOps.exif_transpose(Image.open(tmp_path / "in.png")))
    np.testing.assert_array_equal(turned(np.asarray(lying), orientation), upright)
    model, job = toning(0.5), Job(tmp_path / "in.png", tmp_path / "out.png")
    given = {"amount": torch.zeros(1), "mood": 0}
    assert [each.error for each in translate_files([job], model, given=given, progress=False)] == [""]
    np.testing.assert_array_equal(pixels(tmp_path / "out.png"), made_of(model, upright))
    with Image.open(tmp_path / "out.png") as picture:
        found = picture.getexif()
        assert (
            found[0x010F] == "A camera" and found.get(0x0112, 1) == 1 and picture.info["icc_profile"][16:20] == b"RGB "
        )


def test_transparency_is_kept_and_the_network_sees_white_behind_it() -> None:
    clear = photo(40, 30, 4)
    clear[:20, :, 3], clear[20:, :, 3] = 255, 100
    clear[:, :4, 3] = 0
    made = made_of(toning(), clear)
    np.testing.assert_array_equal(made[:, :, 3], clear[:, :, 3])
    seen = clear[:, :, 3] > 0
    assert np.abs(made[seen].astype(int) - clear[seen]).max() <= 3  # of a share of 100 / 255, rounding is 2.55 times
    assert (made[:, :2, :3] == 255).all()
    small = made_of(toning(), clear, "training")
    assert small.shape == (16, 12, 4) and small[0, 5, 3] == 255 and abs(int(small[-1, 5, 3]) - 100) <= 1


def test_gray_sixteen_bits_palettes_and_inks_are_pictures_too(run: Path, tmp_path: Path, capsys) -> None:
    colours = Image.fromarray(photo(20, 24))
    profile = bytes(16) + b"CMYK" + bytes(60)
    colours.convert("L").save(tmp_path / "gray.png", icc_profile=bytes(16) + b"GRAY" + bytes(60))
    colours.convert("P").save(tmp_path / "palette.gif")
    colours.convert("CMYK").save(tmp_path / "inks.jpg", icc_profile=profile)
    Image.fromarray(photo(20, 24, 1)[:, :, 0].astype(np.uint16) * 257).save(tmp_path / "deep.png")
    names = ("gray.png", "palette.gif", "inks.jpg", "deep.png")
    out = tmp_path / "made"
    assert command("translate", run, *(tmp_path / name for name in names), "--out", out, *OWN) == 0
    assert capsys.readouterr().out.count("its colour profile is not of the colours of the result") == 2
    for name in names:
        with Image.open(out / name.replace(".gif", ".png")) as picture:
            assert picture.mode == "RGB" and picture.size == (24, 20) and "icc_profile" not in picture.info


def test_a_gray_model_takes_colours_and_a_colour_model_gray() -> None:
    model = translator_model(FREE, channels=1)
    for channels in (1, 3):
        assert made_of(model, photo(20, 24, channels)).shape == (20, 24, 1)
    assert made_of(model, photo(20, 24, 4)).shape == (20, 24, 2)
    gray = photo(20, 24, 1)
    coloured = np.repeat(gray, 3, 2)
    np.testing.assert_array_equal(made_of(toning(0.7), gray), made_of(toning(0.7), coloured))
    np.testing.assert_array_equal(made_of(model, gray), made_of(model, coloured))


def test_all_frames_are_translated_where_the_result_can_move(run: Path, tmp_path: Path, capsys) -> None:
    first, *rest = (Image.fromarray(photo(16, 16, seed=number)) for number in range(3))
    first.save(tmp_path / "in.png", save_all=True, append_images=rest, duration=[100, 50, 20], loop=2)
    for ending, frames in ((".png", 3), (".webp", 3), (".jpg", 1)):
        out = tmp_path / f"out{ending}"
        assert command("translate", run, tmp_path / "in.png", "--out", out, "--seed", 1, *OWN) == 0
        assert ("only the first of its frames" in capsys.readouterr().out) == (frames == 1)
        with Image.open(out) as picture:
            assert getattr(picture, "n_frames", 1) == frames
    third = tmp_path / "third.png"
    rest[1].save(third)
    assert command("translate", run, third, "--out", tmp_path / "alone.png", "--seed", 1, *OWN) == 0
    with Image.open(tmp_path / "out.png") as picture:
        picture.seek(2)
        np.testing.assert_array_equal(np.asarray(picture.convert("RGB")), pixels(tmp_path / "alone.png"))


def test_what_cannot_be_written_is_refused_and_leaves_nothing(run: Path, tmp_path: Path, capsys) -> None:
    Image.fromarray(photo(16, 16, 4)).save(tmp_path / "in.png")
    said = refused(capsys, "translate", run, tmp_path / "in.png", "--out", tmp_path / "out.jpg", *OWN)
    assert "JPEG holds no transparency" in said and {path.name for path in tmp_path.iterdir()} == {"in.png"}


def test_a_network_that_sees_all_at_once_is_not_shown_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganvas.model.photos.MOST_AT_ONCE", 899)
    for whole in (False, True):
        translator = PhotoTranslator(translator_model(FREE, whole=whole), size="own", seed=0)
        assert len(next(translator.strips(photo(29, 31)))) == 29
        if whole:
            with pytest.raises(ganvas.errors.UsageError, match="sees pictures as wholes, and 30 x 30 pixels"):
                next(translator.strips(photo(30, 30)))
        else:
            next(translator.strips(photo(30, 30)))
    assert len(list(PhotoTranslator(translator_model(FREE, whole=True), seed=0).strips(photo(30, 30))))


def test_a_mask_is_brought_along_with_its_photo() -> None:
    """Whatever else is given and is as large as the photo."""
    model = toning()
    seen = []
    given = {"source": Given(ImageSpace(3, FREE, FREE)), "mask": Given(ImageSpace(1, FREE, FREE))}

    class Holding(type(model.recipe)):  # type: ignore[misc]
        def inputs(self):
            return given

        def generate(self, *, source, mask):
            seen.append((tuple(source.shape), tuple(mask.shape), mask.min().item(), mask.max().item()))
            return source

    recipe = Holding(size=FREE)
    masking = replace(model, recipe=recipe, inputs=given)
    mask = -torch.ones(1, 60, 48)
    mask[:, 30:] = 1
    translator = PhotoTranslator(masking, seed=0, given={"mask": mask})
    np.testing.assert_array_equal(np.concatenate(list(translator.strips(photo(60, 48)))), photo(60, 48))
    ((source, small, low, high),) = seen
    assert source == (1, 3, 15, 12) and small == (1, 1, 15, 12) and (low, high) == (-1, 1)


def test_the_page_compares_before_and_after(run: Path, photos: Path, tmp_path: Path, capsys) -> None:
    page = tmp_path / "page.html"
    Image.fromarray(photo(600, 900)).save(photos / "large.png")
    assert command("translate", run, photos, "--out", tmp_path / "made", "--report", page, *OWN) == 0
    assert f"compare: {page}" in capsys.readouterr().out
    text = page.read_text(encoding="utf-8")
    assert text.count("<figure>") == 3 and "Left of the line: as it was." in text and str(run) in text
    assert "900 x 600 pixels to 900 x 600, shown smaller" in text and 'width="768" height="512"' in text
    assert text.count('<input type="range"') == 3 and "<small>before</small><small>after</small>" in text
    assert "bicubic" not in text
