"""Image files of every kind against pixels worked out by hand."""

import io
import struct
import subprocess
import sys
import threading
import time
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganvas.data import decode as decoding_module
from ganvas.data.decode import Damaged, decode, decoding, fit, header


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def pixels(content: bytes) -> list[object]:
    return np.asarray(decode(content).image).tolist()


def forged_png(width: int, height: int) -> bytes:
    """A PNG whose header is valid and lies about its size."""
    ihdr = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = b"IDAT" + zlib.compress(b"\0" * 10)
    chunks = [ihdr, data, b"IEND"]
    framed = [struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


# For each orientation, the stored picture that shows `seen`, from the EXIF standard's words: (what the stored rows
# run along, what the stored columns run along).
STORED = {
    1: lambda seen: seen,
    2: lambda seen: seen[:, ::-1],
    3: lambda seen: seen[::-1, ::-1],
    4: lambda seen: seen[::-1],
    5: lambda seen: seen.T,
    6: lambda seen: seen[:, ::-1].T,
    7: lambda seen: seen[::-1, ::-1].T,
    8: lambda seen: seen[::-1].T,
}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_orientation_of_the_metadata(kind: str, orientation: int) -> None:
    seen = np.array([[10, 20, 30], [40, 50, 60]], np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(Image.fromarray(np.ascontiguousarray(STORED[orientation](seen))), kind, exif=exif)
    picture = decode(content)
    assert np.asarray(picture.image).tolist() == seen.tolist()
    assert picture.size == (2, 3)
    assert header(io.BytesIO(content)).size == (2, 3)


def test_rotated_jpeg_with_reduced_decoding() -> None:
    seen = np.zeros((1600, 800), np.uint8)
    seen[:800] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    content = encoded(Image.fromarray(np.ascontiguousarray(STORED[6](seen))), "JPEG", exif=exif)
    picture = decode(content, about=16)
    assert picture.size == (1600, 800)
    assert picture.image.height < 1600  # decoded at a fraction, yet
    small = fit(picture.image, (16, 8), 1)[:, :, 0]
    assert small[:7].min() > 250 and small[9:].max() < 5


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_not_clipped(kind: str) -> None:
    values = np.array([[0, 257], [128 * 257, 65535]], np.uint16)
    assert pixels(encoded(Image.fromarray(values), kind)) == [[0, 1], [128, 255]]


def test_32_bit_integers_by_their_range() -> None:
    assert pixels(encoded(Image.fromarray(np.array([[0, 255]], np.int32)), "TIFF")) == [[0, 255]]
    assert pixels(encoded(Image.fromarray(np.array([[0, 65535]], np.int32)), "TIFF")) == [[0, 255]]
    with pytest.raises(Damaged, match="values from -5 to 7"):
        decode(encoded(Image.fromarray(np.array([[-5, 7]], np.int32)), "TIFF"))


def test_floats_by_their_range() -> None:
    assert pixels(encoded(Image.fromarray(np.array([[0, 0.2, 1]], np.float32)), "TIFF")) == [[0, 51, 255]]
    assert pixels(encoded(Image.fromarray(np.array([[0, 51.4, 255]], np.float32)), "TIFF")) == [[0, 51, 255]]
    for values, why in (([[0.0, 1e4]], "values from 0 to 10000"), ([[0.0, np.nan]], "not finite")):
        with pytest.raises(Damaged, match=why):
            decode(encoded(Image.fromarray(np.array(values, np.float32)), "TIFF"))


def test_alpha_is_composited_on_white() -> None:
    rgba = np.array([[[255, 0, 0, 255], [0, 0, 0, 0], [0, 0, 255, 51]]], np.uint8)
    red, hidden, blue = pixels(encoded(Image.fromarray(rgba)))[0]
    assert (red, hidden) == ([255, 0, 0], [255, 255, 255])
    assert blue == [204, 204, 255]  # a fifth of blue, four fifths of white
    assert decode(encoded(Image.fromarray(rgba))).transparent
    opaque = decode(encoded(Image.fromarray(rgba[:, :1])))
    assert not opaque.transparent and opaque.image.mode == "RGB"


def test_gray_with_alpha() -> None:
    la = Image.merge("LA", [Image.new("L", (1, 1), 0), Image.new("L", (1, 1), 51)])
    assert pixels(encoded(la)) == [[204]]
    keyed = Image.fromarray(np.array([[7, 8]], np.uint8))
    assert pixels(encoded(keyed, transparency=7)) == [[255, 8]]
    deep = Image.fromarray(np.array([[257, 514]], np.uint16))
    assert pixels(encoded(deep)) == [[1, 2]]


def test_palette_with_and_without_transparency() -> None:
    image = Image.new("P", (3, 1))
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    image.putdata([0, 1, 2])
    assert pixels(encoded(image)) == [[[255, 0, 0], [0, 255, 0], [0, 0, 255]]]
    assert pixels(encoded(image, transparency=1)) == [[[255, 0, 0], [255, 255, 255], [0, 0, 255]]]
    assert pixels(encoded(image, transparency=bytes([255, 0, 51]))) == [[[255, 0, 0], [255] * 3, [204, 204, 255]]]


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk(kind: str) -> None:
    inks = {(0, 0, 0, 0): (255, 255, 255), (0, 255, 255, 0): (255, 0, 0), (0, 0, 0, 255): (0, 0, 0)}
    for ink, colour in inks.items():
        found = np.asarray(decode(encoded(Image.new("CMYK", (8, 8), ink), kind)).image)
        assert np.abs(found.astype(int) - colour).max() <= 2


def test_one_bit() -> None:
    image = Image.new("1", (2, 1))
    image.putpixel((1, 0), 1)
    assert pixels(encoded(image)) == [[0, 255]]


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_first_frame_of_an_animation(kind: str) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    lossless = {"lossless": True} if kind == "WEBP" else {}
    picture = decode(encoded(frames[0], kind, save_all=True, append_images=frames[1:], **lossless))
    assert picture.animated
    assert np.asarray(picture.image)[0, 0].tolist() == [255, 0, 0]


def test_gray_is_seen_in_the_pixels_not_in_the_mode() -> None:
    gray = np.full((2, 2, 3), 90, np.uint8)
    assert decode(encoded(Image.fromarray(gray))).gray
    gray[1, 1, 2] = 91
    assert not decode(encoded(Image.fromarray(gray))).gray


def test_what_is_damaged_says_why() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    png, jpeg = encoded(Image.fromarray(noise)), encoded(Image.fromarray(noise), "JPEG")
    flipped = bytearray(encoded(Image.fromarray(noise), compress_level=0))
    flipped[-200] ^= 1  # a wrong pixel, which only the checksum tells
    for content, why in (
        (b"", "^empty$"),
        (b"once upon a time", "^not an image$"),
        (png[: len(png) // 2], "cut short|decoded"),
        (jpeg[: len(jpeg) // 2], "^cut short$"),
        (bytes(flipped), "decoded"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "^not an image$"),
    ):
        with pytest.raises(Damaged, match=why):
            decode(content)


@pytest.mark.parametrize(("side", "why"), [(9_500, "cut short|decoded"), (12_000, "pixels"), (100_000, "pixels")])
def test_forged_sizes_are_refused_before_decoding(side: int, why: str) -> None:
    with warnings.catch_warnings(record=True) as leaked:
        warnings.simplefilter("always")
        from ganvas.data.decode import quiet

        with quiet():
            with pytest.raises(Damaged, match=why):
                decode(forged_png(side, side))
            if side > 10_000:
                with pytest.raises(Damaged, match="pixels"):
                    header(io.BytesIO(forged_png(side, side)))
    assert not leaked


def test_fitting_cuts_evenly_and_antialiases() -> None:
    wide = np.full((8, 16, 3), 255, np.uint8)
    wide[:, :4], wide[:, 12:] = (255, 0, 0), (0, 0, 255)
    assert (fit(Image.fromarray(wide), (8, 8), 3) == 255).all()
    assert (fit(Image.fromarray(wide.transpose(1, 0, 2).copy()), (8, 8), 3) == 255).all()
    checks = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)
    small = fit(Image.fromarray(checks), (8, 8), 1)
    assert small.shape == (8, 8, 1) and abs(small.astype(int) - 127).max() <= 6
    assert fit(Image.new("L", (2, 2), 9), (4, 6), 3).tolist() == np.full((4, 6, 3), 9).tolist()


# -- large pictures, a few rows at a time and one after the other ----------------------------------------------------


def test_every_sixteen_bit_value_goes_to_the_nearest_level() -> None:
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)  # more rows than are looked at at a time
    expected = (values.astype(np.int64) + 128) // 257
    assert (np.asarray(decode(encoded(Image.fromarray(values))).image) == expected).all()


def test_a_colour_in_the_last_row_is_seen() -> None:
    picture = np.full((300, 5, 3), 7, np.uint8)
    assert decode(encoded(Image.fromarray(picture))).gray
    picture[-1, -1, 2] = 8
    assert not decode(encoded(Image.fromarray(picture))).gray


def test_all_rows_are_composited_on_white() -> None:
    random = np.random.default_rng(0)
    picture = random.integers(0, 256, (150, 9, 4), np.uint8)
    found = np.asarray(decode(encoded(Image.fromarray(picture))).image).astype(float)
    alpha = picture[..., 3:] / 255
    assert np.abs(found - (picture[..., :3] * alpha + 255 * (1 - alpha))).max() <= 0.5 + 1e-6


def test_huge_pictures_take_turns_and_small_ones_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Room for 100 pixels: of pictures of 60, 40 and 30, the first two go side by side, never all three; one of 10,000
    pixels goes alone."""
    room = decoding_module._Pixels(100)
    monkeypatch.setattr(decoding_module, "_PIXELS", room)
    sizes = {60: (6, 10), 40: (4, 10), 30: (3, 10), 10_000: (100, 100)}
    contents = {count: encoded(Image.new("L", size)) for count, size in sizes.items()}
    lock, now, seen = threading.Lock(), list[int](), list[tuple[int, ...]]()

    def read(count: int) -> None:
        with decoding(contents[count]) as picture:
            assert picture.image.width * picture.image.height == count
            with lock:
                now.append(count)
                seen.append(tuple(sorted(now)))
            time.sleep(0.01)
            with lock:
                now.remove(count)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(read, [60, 40, 30, 10_000] * 10))
    assert all(sum(together) <= 100 or together == (10_000,) for together in seen)
    assert (10_000,) in seen and any(len(together) > 1 for together in seen)
    assert room.free == 100
    with pytest.raises(Damaged), decoding(b"no picture"):
        pass
    assert room.free == 100  # given back whatever happens


@pytest.mark.long
def test_huge_pictures_fit_into_memory(tmp_path: Path) -> None:
    """Eight of 9,999 x 9,999 pixels, 389 KB each, which take 300 MB and more when they are decoded."""
    picture = Image.new("RGB", (9999, 9999))
    for number in range(8):
        picture.save(tmp_path / f"{number}.png")
    words = (
        "import resource, sys\nfrom ganvas.data.opening import open_data\n"
        "print(len(open_data(sys.argv[1], progress=False)), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    done = subprocess.run([sys.executable, "-c", words, str(tmp_path)], capture_output=True, text=True, check=True)
    count, peak = map(int, done.stdout.split())
    assert count == 8 and peak < 1.5 * 2**20  # KiB
