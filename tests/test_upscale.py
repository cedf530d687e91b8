"""ganvas upscale: files and folders, seams, metadata, memory, and everything that cannot be enlarged."""

import io
import json
import os
import re
import resource
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import ganvas
from chromium import browser_page
from games import Linear
from ganvas.data.bicubic import resized
from ganvas.errors import DataError, RunError, UsageError
from ganvas.inputs import Category, Given
from ganvas.model import Model, jobs
from ganvas.networks.rrdb import RRDBNet
from ganvas.networks.srresnet import SRResNet
from ganvas.networks.upscaling import Bicubic, CompactUpscaler
from ganvas.photos.files import PNG, Photo, Writer, enlarged_exif, read_photo, shortened_exif
from ganvas.photos.film import film_of
from ganvas.recipe import Recipe
from ganvas.spaces import FREE, ImageSpace
from ganvas.upscaling.files import upscale_files
from ganvas.upscaling.upscaler import Upscaler, upscale, varied
from test_cli import ganvas as command
from test_cli import refused


def smooth(height, width, channels=3, seed=0):
    """A picture with structure at several sizes."""
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 256, (height, width, channels), dtype=np.uint8)
    for side in (3, 9):
        small = random.integers(0, 256, (-(-height // side), -(-width // side), channels), dtype=np.uint8)
        pixels = pixels // 2 + np.repeat(np.repeat(small, side, 0), side, 1)[:height, :width] // 2
    return pixels


class Holder(Recipe):
    """What an upscaler needs of a recipe."""

    def __init__(self, generator):
        super().__init__()
        self.generator = generator

    def inputs(self):
        network = self.generator
        space = ImageSpace(network.channels, FREE, FREE)
        return {"low": Given(space, scale=network.scale, reach=network.reach, multiple=network.fold)}

    def generate(self, *, low):
        return self.generator(low).clamp(-1, 1)


def model_of(generator, **weights):
    torch.manual_seed(0)
    for parameter in generator.parameters():
        if parameter.ndim > 1 and not parameter.any():
            torch.nn.init.normal_(parameter, std=0.05)
    holder = Holder(generator.requires_grad_(False))
    styles = {"faithful": generator.state_dict(), **weights}
    space = ImageSpace(generator.channels, 8, 8)
    return Model(holder.eval(), space, holder.inputs(), 0, "a network", styles, "faithful")


def compact(**changes):
    return CompactUpscaler(**({"channels": 3, "scale": 4, "width": 8, "blocks": 2} | changes))


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    Image.fromarray(smooth(20, 30)).save(folder / "colour.png")
    Image.fromarray(smooth(21, 16, 1)[:, :, 0]).save(folder / "gray.jpg", quality=95)
    (folder / "more").mkdir()
    Image.fromarray(smooth(16, 17, 4)).save(folder / "more" / "clear.webp", lossless=True)
    return folder


# -- the network's parts --


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_interpolation_of_the_network_is_bicubic(scale):
    pixels = smooth(9, 12)
    tensor = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1
    made = ((Bicubic(3, scale)(tensor)[0] + 1) * 127.5).clamp(0, 255).round().detach().permute(1, 2, 0).numpy()
    assert np.abs(made - resized(pixels, (9 * scale, 12 * scale)).astype(float)).max() <= 1  # which rounds in between


@pytest.mark.parametrize(
    "generator",
    [
        compact(), compact(fold=2), compact(scale=3), compact(scale=2, channels=1), compact(scale=2, first=True),
        SRResNet(channels=3, scale=4, width=8, blocks=2), SRResNet(channels=3, scale=3, width=8, blocks=1, first=True),
        RRDBNet(channels=3, scale=4, width=8, growth=4, blocks=1),
        RRDBNet(channels=1, scale=3, width=8, growth=4, blocks=1, first=True),
    ],
)  # fmt: skip
@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_tiles_leave_no_seam(generator, precision):
    pixels = smooth(44, 37)
    model = model_of(generator)
    whole = Upscaler(model, precision=precision, tile=1024).enlarge(pixels)
    tiled = Upscaler(model, precision=precision, tile=16).enlarge(pixels)
    assert whole.shape == (44 * generator.scale, 37 * generator.scale, 3)
    assert np.abs(whole.astype(int) - tiled).max() <= (1 if precision == "float32" else 2)


def test_no_output_pixel_sees_further_than_the_network_says():
    for generator in (compact(), compact(fold=2), compact(first=True), SRResNet(channels=3, scale=4, width=4, blocks=1),
                      SRResNet(channels=3, scale=2, width=4, blocks=1, first=True),
                      RRDBNet(channels=3, scale=4, width=4, growth=2, blocks=1),
                      RRDBNet(channels=3, scale=2, width=4, growth=2, blocks=1, first=True)):  # fmt: skip
        generator = model_of(generator).recipe.generator.eval()
        low = torch.rand(1, 3, 81, 81, requires_grad=True)
        high = generator(low)
        row = column = high.shape[2] // 2
        (gradient,) = torch.autograd.grad(high[0, :, row, column].sum(), low)
        seen = gradient[0].abs().sum(0).nonzero() - 40
        assert seen.abs().max() <= generator.reach


def test_gray_and_alpha_and_other_scales():
    upscaler = Upscaler(model_of(compact()), precision="float32")
    gray = smooth(12, 9, 1)
    made = upscaler.enlarge(gray)
    assert made.shape == (48, 36, 1)
    coloured = upscaler.enlarge(np.repeat(gray, 3, 2)).astype(int)
    assert np.abs(made[:, :, 0] - coloured.mean(2)).max() <= 1
    clear = smooth(12, 9, 4)
    made = upscaler.enlarge(clear)
    assert np.array_equal(made[:, :, :3], upscaler.enlarge(clear[:, :, :3]))
    assert np.abs(made[:, :, 3:].astype(int) - resized(clear[:, :, 3:], (48, 36))).max() <= 1
    for scale in (2, 3):
        half = Upscaler(model_of(compact()), scale=scale, precision="float32", tile=16).enlarge(smooth(40, 50))
        full = Upscaler(model_of(compact()), precision="float32").enlarge(smooth(40, 50))
        expected = resized(full, (40 * scale, 50 * scale))
        assert half.shape == (40 * scale, 50 * scale, 3) and np.abs(half.astype(int) - expected).max() <= 1


def test_a_network_of_gray_photos_enlarges_each_colour_alone():
    upscaler = Upscaler(model_of(compact(channels=1)), precision="float32")
    pixels = smooth(10, 11)
    made = upscaler.enlarge(pixels)
    alone = np.concatenate([upscaler.enlarge(pixels[:, :, [c]]) for c in range(3)], 2)
    assert np.abs(made.astype(int) - alone).max() <= 1


def test_styles_between_the_two_have_weights_between_theirs():
    one, other = compact(), compact()
    torch.nn.init.normal_(one.tail.weight, std=0.05)
    torch.nn.init.normal_(other.tail.weight, std=0.05)
    model = model_of(one, perceptual=other.state_dict())
    for share, style in ((0, 0), (0.25, 0.25), (0.25, "0.25"), (1, "perceptual")):
        weight = Upscaler(model, style=style, precision="float32").model.recipe.generator.tail.weight
        assert torch.allclose(weight, (1 - share) * one.tail.weight + share * other.tail.weight, atol=1e-6)
    before = one.tail.weight.clone()
    unasked = Upscaler(model, precision="bf16").model.recipe.generator.tail.weight
    assert torch.equal(unasked, before.bfloat16()) and unasked.dtype == torch.bfloat16
    assert torch.equal(one.tail.weight, before) and one.tail.weight.dtype == torch.float32  # the model is as it was
    with pytest.raises(UsageError, match=r"must be 'faithful', the only one of a network, not 0.5"):
        Upscaler(model_of(compact()), style=0.5)


@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize("style", ["faithful", "perceptual"])
def test_plain_areas_stay_plain(style, precision):
    """Also at the picture's border, beside an edge, in gray, and at a smaller scale."""
    model = ganvas.load("zoo:photo-x4")
    upscaler = Upscaler(model, style=style, precision=precision, tile=16)
    for colour in ((200, 30, 30), (255, 0, 0), (0, 0, 0), (10, 10, 240)):
        made = upscaler.enlarge(np.full((32, 20, 3), colour, np.uint8))
        assert np.abs(made.astype(int) - colour).max() <= 1
    halves = np.full((16, 40, 3), (200, 30, 30), np.uint8)
    halves[:, 20:] = (30, 60, 200)
    made = upscaler.enlarge(halves).astype(int)
    assert np.abs(made[:, : 4 * 17] - (200, 30, 30)).max() <= 1 and np.abs(made[:, 4 * 23 :] - (30, 60, 200)).max() <= 1
    assert np.abs(made[:, 4 * 18 : 4 * 22] - np.repeat(np.repeat(halves, 4, 0), 4, 1)[:, 72:88]).max() > 1
    nearly = np.random.default_rng(0).integers(90, 92, (24, 24, 1), dtype=np.uint8)
    made = Upscaler(model, style=style, precision=precision, scale=2).enlarge(nearly)
    assert made.min() >= 89 and made.max() <= 92


def test_where_a_picture_is_plain():
    levels = torch.zeros(2, 7, 9)
    levels[1, 3, 4] = 2
    assert varied(levels)[3].tolist() == [0, 0, 0.5, 0.5, 0.5, 0.5, 0.5, 0, 0]
    assert varied(levels)[:, 4].tolist() == [0, 0.5, 0.5, 0.5, 0.5, 0.5, 0]
    levels[0, 0, 0] = -9
    assert varied(levels)[0].tolist() == [1, 1, 1, 0, 0, 0, 0, 0, 0]


# -- files --


def test_a_folder_becomes_a_folder_with_stems_sizes_alpha_and_gray_kept(photos, tmp_path, capsys):
    out = tmp_path / "out"
    assert command("upscale", photos, "--out", out, "--json") == 0
    told = {entry["source"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert {str(path.relative_to(out)) for path in out.rglob("*.*")} == {"colour.png", "gray.jpg", "more/clear.webp"}
    for name, size, mode in (("colour.png", (120, 80), "RGB"), ("gray.jpg", (64, 84), "L"),
                             ("more/clear.webp", (68, 64), "RGBA")):  # fmt: skip
        with Image.open(out / name) as picture:
            assert picture.size == size and picture.mode == mode
        assert told[str(photos / name)]["error"] == "" and told[str(photos / name)]["megapixels_per_second"] > 0
    with Image.open(out / "colour.png") as picture:
        assert np.array_equal(np.asarray(picture), upscale(smooth(20, 30)))


def test_exif_and_profile_are_kept_with_the_new_size(tmp_path, photos):
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "A camera", 6
    inner = exif.get_ifd(0x8769)
    inner[0xA002], inner[0xA003], inner[0x9003] = 16, 12, "2024:05:06 07:08:09"
    profile = b"\0\0\0\x14not a real profile" + bytes(40)
    for ending in ("jpg", "png", "webp"):
        source, target = tmp_path / f"in.{ending}", tmp_path / f"out.{ending}"
        Image.fromarray(smooth(12, 16)).save(source, exif=exif, icc_profile=profile)
        assert command("upscale", source, "--out", target, "--scale", "2", "--quiet") == 0
        with Image.open(target) as picture:
            found = picture.getexif()
            assert found[0x010F] == "A camera" and found[0x0112] == 6 and picture.size == (32, 24)
            assert (found.get_ifd(0x8769)[0xA002], found.get_ifd(0x8769)[0xA003]) == (32, 24)
            assert found.get_ifd(0x8769)[0x9003] == "2024:05:06 07:08:09"
            assert picture.info["icc_profile"] == profile
    assert enlarged_exif(b"nonsense", (4, 4)) == b""


def long_exif(length=70_000):
    """A description of so many letters, a camera's note of more than half as many, and what else a photo has."""
    exif = Image.Exif()
    exif[0x010E], exif[0x010F], exif[0x0112] = "d" * length, "A camera", 6
    exif.get_ifd(0x8769)[0x9286] = b"n" * (length // 2 + 1)
    return exif


def test_more_metadata_than_jpeg_holds_becomes_less(tmp_path, capsys):
    Image.fromarray(smooth(12, 16)).save(tmp_path / "in.png", exif=long_exif().tobytes())
    assert command("upscale", tmp_path / "in.png", "--out", tmp_path / "out.jpg") == 0
    told = "note: its EXIF is longer than JPEG holds: the longest entries were left out"
    assert capsys.readouterr().out.strip().endswith(told)
    with Image.open(tmp_path / "out.jpg") as picture:
        found = picture.getexif()
        assert picture.size == (64, 48) and 0x010E not in found
        assert found[0x010F] == "A camera" and found[0x0112] == 6
        assert found.get_ifd(0x8769)[0x9286] == b"n" * 35_001  # which fits, since the longest went first
    assert command("upscale", tmp_path / "in.png", "--out", tmp_path / "out.webp") == 0
    assert "note" not in capsys.readouterr().out
    with Image.open(tmp_path / "out.webp") as picture:
        assert picture.getexif()[0x010E] == "d" * 70_000
    assert len(shortened_exif(long_exif(200_000).tobytes(), 65_533)) < 200
    assert shortened_exif(b"Exif\0\0nonsense" * 9_000, 65_533) == b""


def test_a_profile_that_jpeg_cannot_hold_is_left_out(tmp_path):
    target = tmp_path / "out.jpg"
    with Writer(target, (8, 8, 3), Photo(smooth(2, 2), profile=bytes(255 * 65_519 + 1))) as writer:
        writer.add(smooth(8, 8))
    assert writer.notes == ["its colour profile is longer than JPEG holds, and was left out"]
    with Image.open(target) as picture:
        assert "icc_profile" not in picture.info


def film(path, frames, **options):
    first, *rest = (Image.fromarray(frame) for frame in frames)
    first.save(path, save_all=True, append_images=rest, **options)


@pytest.mark.parametrize(
    ("source", "loop", "plays"), [("film.gif", 0, 0), ("film.gif", 2, 3), ("film.png", 2, 2), ("film.webp", 0, 0)]
)
def test_all_frames_are_enlarged_where_the_result_can_move(source, loop, plays, tmp_path, capsys):
    frames = [np.repeat(np.repeat(smooth(3, 4, seed=k) // 64 * 64, 4, 0), 4, 1) for k in range(3)]
    exact = {"lossless": True} if source.endswith("webp") else {}
    film(tmp_path / source, frames, duration=[100, 250, 40], loop=loop, **exact)
    assert film_of(tmp_path / source).plays == plays
    with Image.open(tmp_path / source) as picture:
        seen = []
        for number in range(3):
            picture.seek(number)
            seen.append(np.asarray(picture.convert("RGB")))
    for target in ("out.png", "out.webp"):
        assert command("upscale", tmp_path / source, "--out", tmp_path / target) == 0
        assert "note" not in capsys.readouterr().out
        with Image.open(tmp_path / target) as picture:
            assert picture.n_frames == 3 and picture.size == (64, 48) and picture.info["loop"] == plays
            for number, (frame, duration) in enumerate(zip(seen, (100, 250, 40), strict=True)):
                picture.seek(number)
                picture.load()
                assert picture.info["duration"] == duration
                apart = np.abs(np.asarray(picture.convert("RGB")).astype(int) - upscale(frame))
                assert apart.max() == 0 if target == "out.png" else apart.mean() < 6
    if source.endswith("gif"):
        assert command("upscale", tmp_path / source, "--out", tmp_path / "out.jpg") == 0
        assert "note: only the first of its frames or pages" in capsys.readouterr().out


def test_frames_keep_their_transparency(tmp_path):
    clear = smooth(8, 8, 4)
    clear[:, :4, 3] = 0
    film(tmp_path / "in.png", [smooth(8, 8, 4), clear], duration=100)
    assert command("upscale", tmp_path / "in.png", "--out", tmp_path / "out.png", "--quiet") == 0
    with Image.open(tmp_path / "out.png") as picture:
        assert picture.mode == "RGBA"
        picture.seek(1)
        assert not np.asarray(picture)[:, :12, 3].any()


def test_of_pages_and_of_broken_films_the_first_is_enlarged(tmp_path, capsys):
    film(tmp_path / "pages.tif", [smooth(8, 8), smooth(9, 7)])
    film(tmp_path / "whole.gif", [smooth(24, 24, seed=k) for k in range(4)])
    content = (tmp_path / "whole.gif").read_bytes()
    (tmp_path / "cut.gif").write_bytes(content[: len(content) * 5 // 8])
    for name in ("pages.tif", "cut.gif"):
        assert command("upscale", tmp_path / name, "--out", tmp_path / "out.png", "--overwrite") == 0
        told = capsys.readouterr().out
        with Image.open(tmp_path / "out.png") as picture:
            assert "n_frames" not in vars(picture) or picture.n_frames == 1
        assert told.strip().endswith("note: only the first of its frames or pages"), told


def test_what_is_no_picture_by_its_name_is_counted_and_named(tmp_path, capsys):
    folder = tmp_path / "in"
    folder.mkdir()
    Image.fromarray(smooth(8, 8)).save(folder / "a.png")
    for name in ("README", "b.txt", "c.docx", "d.zip"):
        (folder / name).write_text("words")
    assert command("upscale", folder, "--out", tmp_path / "out", "--json") == 0
    captured = capsys.readouterr()
    told = "4 files passed over, no pictures by their names: README, b.txt, c.docx and 1 more"
    assert captured.err == f"note: {told}\n" and len(json.loads(captured.out)) == 1
    (folder / "a.png").unlink()
    assert told in refused(capsys, "upscale", folder, "--out", tmp_path / "out")


def test_names_that_are_not_utf8_are_escaped_and_everything_is_made(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    Image.fromarray(smooth(8, 8)).save(folder / "a.png")
    for name in (b"caf\xe9.png", b"z\n[red].png"):
        (folder / os.fsdecode(name)).write_bytes((folder / "a.png").read_bytes())
    out = os.fsdecode(os.fsencode(tmp_path) + b"/\xff")
    words = ["upscale", str(folder), "--out", out, "--report", f"{out}.html"]
    done = subprocess.run(
        [sys.executable, "-m", "ganvas", *words],
        capture_output=True, env={**os.environ, "PYTHONIOENCODING": "utf-8:strict"}, check=False,
    )  # fmt: skip
    assert done.returncode == 0 and done.stderr.decode() == f"enlarging {folder}\n", done.stderr
    assert {os.fsencode(path.name) for path in Path(out).iterdir()} == {b"a.png", b"caf\xe9.png", b"z\n[red].png"}
    lines = done.stdout.decode().splitlines()
    assert len(lines) == 4 and lines[1].startswith(f"{tmp_path}/\\udcff/caf\\udce9.png: 32 x 32")
    assert lines[2].startswith(f"{tmp_path}/\\udcff/z\\n[red].png: ")
    assert "caf\\udce9.png" in Path(f"{out}.html").read_text(encoding="utf-8")


def test_the_png_writer_agrees_with_pillow(tmp_path):
    for channels in (1, 2, 3, 4):
        pixels = smooth(50, 37, channels)
        buffer = io.BytesIO()
        writer = PNG(buffer, pixels.shape, b"", b"")
        for start in range(0, 50, 13):
            writer.add(pixels[start : start + 13])
        writer.finish()
        with Image.open(buffer) as picture:
            picture.load()
            assert np.array_equal(np.asarray(picture).reshape(pixels.shape), pixels)


def test_what_is_interrupted_leaves_nothing_behind(tmp_path):
    target = tmp_path / "half.png"

    def half():
        with Writer(target, (8, 8, 3), Photo(smooth(2, 2))) as writer:
            writer.add(smooth(4, 8))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half()
    assert list(tmp_path.iterdir()) == []


def test_palettes_and_many_bits_are_read(tmp_path):
    picture = Image.fromarray(smooth(8, 8)).quantize(16)
    picture.save(tmp_path / "palette.png", transparency=3)
    assert read_photo(tmp_path / "palette.png").pixels.shape == (8, 8, 4)
    Image.fromarray(smooth(8, 8, 1)[:, :, 0].astype(np.uint16) * 257).save(tmp_path / "deep.png")
    assert np.array_equal(read_photo(tmp_path / "deep.png").pixels, smooth(8, 8, 1))


def test_the_page_holds_both_pictures_and_needs_nothing_else(photos, tmp_path):
    page = tmp_path / "compare.html"
    assert command("upscale", photos, "--out", tmp_path / "out", "--report", page, "--quiet") == 0
    text = page.read_text()
    assert text.count("data:image/webp;base64,") == 6 and text.count('type="range"') == 3
    assert not re.search(r"(src|href)=\"(?!data:)", text) and 'http-equiv="Content-Security-Policy"' in text
    assert "colour.png" in text and "30 x 20 pixels to 120 x 80, shown 2 times as large" in text


def test_the_page_tells_the_size_of_the_photo_and_not_of_its_piece(tmp_path):
    upscaler = Upscaler(model_of(compact(scale=2, blocks=1)), precision="float32")
    Image.fromarray(smooth(20, 500)).save(tmp_path / "wide.png")
    list(upscale_files(jobs([tmp_path / "wide.png"], tmp_path / "out").jobs, upscaler, report=tmp_path / "page.html"))
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "500 x 20 pixels to 1000 x 40, of which the middle 768 x 40 is shown" in text


def test_the_page_names_each_half_above_the_picture_and_its_slider_moves_the_line(photos, tmp_path):
    page = tmp_path / "compare.html"
    assert command("upscale", photos, "--out", tmp_path / "out", "--report", page, "--quiet") == 0
    with browser_page() as seen:
        seen.page.goto(page.as_uri())
        for figure in seen.page.locator("figure").all():
            name, ends, picture = (
                figure.locator(inside).first.bounding_box() for inside in ("figcaption", ".ends", ".both img")
            )
            assert name["y"] + name["height"] <= ends["y"] and ends["y"] + ends["height"] <= picture["y"]
            assert ends["x"] == picture["x"] and ends["width"] == picture["width"] >= 192
        both = seen.page.locator(".both").first
        both.locator("input").fill("20")
        assert both.evaluate("element => getComputedStyle(element).getPropertyValue('--at')") == "20%"
        assert seen.console == [] and seen.requests[0] == page.as_uri()
        assert all(each.startswith("data:") for each in seen.requests[1:])


def header_of(width, height):
    """A PNG that claims to be so large and has no pixels."""
    body = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + body + struct.pack(">I", zlib.crc32(b"IHDR" + body))
    return b"\x89PNG\r\n\x1a\n" + chunk + b"\0\0\0\0IEND\xaeB`\x82"


def test_one_bad_file_of_a_folder_is_reported_and_the_others_go_on(photos, tmp_path, capsys):
    folder = tmp_path / "in"
    folder.mkdir()
    Image.fromarray(smooth(8, 8)).save(folder / "a.png")
    (folder / "b.png").write_text("this is text")
    Image.fromarray(smooth(1, 1)).save(folder / "c.png")
    (folder / "d.png").write_bytes(header_of(30_000, 30_000))
    Image.fromarray(smooth(8, 8)).save(folder / "e.png")
    assert command("upscale", folder, "--out", tmp_path / "out", "--json") == 2
    captured = capsys.readouterr()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "e.png"]
    lines = captured.err.strip().splitlines()
    assert "b.png cannot be enlarged: not an image" in lines[0]
    assert "c.png cannot be enlarged: 1 x 1 pixels are too few" in lines[1]
    assert "d.png cannot be enlarged: more than 100,000,000 pixels" in lines[2]
    assert lines[3] == "ganvas: 3 of 5 pictures could not be enlarged"
    assert [bool(entry["error"]) for entry in json.loads(captured.out)] == [False, True, True, True, False]


def test_bad_input_is_one_line_and_nothing_is_written(photos, tmp_path, capsys):
    (tmp_path / "text.png").write_text("this is text")
    Image.fromarray(smooth(1, 1)).save(tmp_path / "dot.png")
    (tmp_path / "bomb.png").write_bytes(header_of(30_000, 30_000))
    (tmp_path / "empty").mkdir()
    exists, colour, out = tmp_path / "exists.png", photos / "colour.png", tmp_path / "out.png"
    exists.write_text("kept")
    before = sorted(tmp_path.rglob("*"))
    for words, told in (
        ((tmp_path / "text.png", "--out", out), "not an image"),
        ((tmp_path / "dot.png", "--out", out), "1 x 1 pixels are too few"),
        ((tmp_path / "bomb.png", "--out", out), "more than 100,000,000 pixels"),
        ((tmp_path / "empty", "--out", tmp_path / "o"), "holds no images"),
        ((colour, "--out", exists), "add --overwrite"),
        ((colour, "--out", out, "--scale", "7"), "--scale can be 2, 3 or 4, not 7"),
        ((colour, "--out", out, "--scale", "two"), "takes a whole number"),
        ((colour, "--out", out, "--style", "faithfull"), "did you mean 'faithful'?"),
        ((colour, "--out", out, "--style", "1.5"), "0 (faithful) to 1"),
        ((colour, "--out", out, "--tile", "3"), "--tile must be 16"),
        ((colour, "--out", tmp_path / "out.gif"), "pictures are written as"),
        ((colour, photos / "gray.jpg", "--out", out), "need a folder"),
        ((colour, colour, "--out", tmp_path / "o"), "would both become"),
        ((photos / "colour.pgn", "--out", out), "did you mean 'colour.png'?"),
        ((photos / "more" / "clear.webp", "--out", tmp_path / "o.jpg"), "JPEG holds no transparency"),
        ((colour, "--out", colour, "--overwrite"), "would replace its own original"),
        ((colour, "--out", out, "--model", "zoo:photo-x5"), "did you mean 'photo-x4'?"),
        ((colour, "--out", out, "--model", tmp_path / "no-run"), "is not a run"),
        ((colour,), "say where to write"),
        ((), "say what to enlarge"),
    ):
        assert told in refused(capsys, "upscale", *words), words
    assert sorted(tmp_path.rglob("*")) == before and exists.read_text() == "kept"
    assert command("upscale", colour, "--out", exists, "--overwrite", "--quiet") == 0
    with Image.open(exists) as picture:
        assert picture.size == (120, 80)


class Moods(Holder):
    """It enlarges, in a mood: nothing that `ganvas upscale` can ask for."""

    def inputs(self):
        return super().inputs() | {"mood": Category(2)}


def test_a_model_of_another_kind_is_refused():
    linear = Linear()
    with pytest.raises(RunError, match=r"^runs/ring was trained with Linear, which does not enlarge images"):
        Upscaler(Model(linear, ImageSpace(1, 1, 2), linear.inputs(), 0, "runs/ring"))
    moods = Moods(compact())
    assert Model(moods, ImageSpace(3, 8, 8), moods.inputs(), 0).use == "transform"
    assert model_of(compact()).use == "enlarge"


# -- from Python --


def test_upscale_in_python_is_the_command(photos):
    assert ganvas.upscale is upscale
    pixels = smooth(12, 10)
    assert upscale(pixels, scale=2).shape == (24, 20, 3)
    assert upscale(pixels[:, :, 0]).shape == (48, 40)
    for wrong in (pixels.astype(float), pixels[None]):
        with pytest.raises(UsageError, match="is uint8"):
            upscale(wrong)
    with pytest.raises(UsageError, match="too few"):
        upscale(pixels[:2])


def test_styles_are_words_or_shares():
    model = model_of(compact(), perceptual=compact().state_dict())
    assert model.styled("faithful").style == "faithful" and model.styled("0.25").style == 0.25
    assert model.styled(None) is model
    with pytest.raises(UsageError, match="must be faithful or perceptual, not 'sharp'"):
        model.styled("sharp")
    for wrong in (1.5, "nan", -1):
        with pytest.raises(UsageError, match=r"must be 0 \(faithful\) to 1 \(perceptual\), not"):
            model.styled(wrong)


def test_a_picture_that_cannot_be_read_is_a_data_error(tmp_path):
    with pytest.raises(DataError, match="gone"):
        read_photo(tmp_path / "nothing.png")
    with pytest.raises(RunError, match="in the zoo"):
        upscale(smooth(8, 8), model="zoo:nothing")


@pytest.mark.long
def test_fifty_megapixels_stay_within_two_gibibytes(tmp_path):
    Image.fromarray(smooth(1450, 2160)).save(tmp_path / "in.png")
    code = f"from ganvas import cli; cli.main(['upscale', '{tmp_path}/in.png', '--out', '{tmp_path}/out.png'])"
    subprocess.run([sys.executable, "-c", code], check=True)
    with Image.open(tmp_path / "out.png") as picture:
        assert picture.size == (8640, 5800)
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 2 * 2**20  # kilobytes
