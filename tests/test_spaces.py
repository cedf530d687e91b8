"""Spaces: each gives back what it took, in values worked out by hand, and a new one needs no branch anywhere."""

from __future__ import annotations

import functools
import io
import json
import math
import struct
import subprocess
import sys
import tracemalloc
import wave
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from torch import Tensor, nn

import ganvas
from ganvas import Losses, Progress, Recipe, Turn, api
from ganvas.data.batches import Batch
from ganvas.data.dataset import Data, Split
from ganvas.data.opening import open_data
from ganvas.data.order import Shuffled
from ganvas.data.readers import Reader
from ganvas.data.rows import Source
from ganvas.doctor.real_features import RealFeatures
from ganvas.errors import DataError, GanvasError, RunError, UsageError
from ganvas.features import extractor
from ganvas.inputs import Input, Normal
from ganvas.metrics.evaluate import evaluate
from ganvas.model.files import sample_to
from ganvas.objectives import objective
from ganvas.recipe import play
from ganvas.run import timeline
from ganvas.spaces import (
    FREE,
    ImageSpace,
    PointSpace,
    Space,
    WaveSpace,
    kinds,
    space_from_config,
    space_to_config,
)
from ganvas.spaces.sound_files import resampled
from ganvas.training import hardware
from ganvas.web.http.encoding import FORMATS

ALPHABET = "abcdefghijklmnop"


@dataclass(frozen=True)
class WordSpace(Space):
    """Words of `length` letters: (length, 16) scores of each letter, of which a file holds the highest. Somebody's own
    kind, whose encoded form has another shape than its samples, and whose pictures are no grids."""

    kind = "words of a test"
    noun = "words"
    suffix = ".txt"
    media_type = "text/plain"
    element = "pre"
    length: int

    @property
    def shape(self) -> tuple[int, int]:
        return (self.length, len(ALPHABET))

    def __str__(self) -> str:
        return f"words of {self.length} letters"

    def stored(self) -> tuple[np.dtype[Any], tuple[int, ...]]:
        return np.dtype(np.uint8), (self.length,)

    def decode(self, rows: np.ndarray, device: torch.device | str = "cpu") -> Tensor:
        return self.samples_of(torch.from_numpy(rows).to(device))

    def encode(self, samples: Tensor) -> Tensor:
        return samples.argmax(2).to(torch.uint8).cpu()

    def samples_of(self, encoded: Tensor) -> Tensor:
        return nn.functional.one_hot(encoded.long(), len(ALPHABET)).float()

    def text(self, samples: Tensor) -> list[str]:
        return ["".join(ALPHABET[letter] for letter in word) for word in self.encode(samples).tolist()]

    def show(self, samples: Tensor, columns: int | None = None, gap: int = 1) -> Image.Image:
        picture = Image.new("L", (120, 100), 255)
        ImageDraw.Draw(picture).multiline_text((2, 2), "\n".join(self.text(samples[:8])))
        return picture

    def file(self, sample: Tensor) -> bytes:
        return self.text(sample)[0].encode()

    def read(self, content: bytes) -> Tensor:
        letters = content.decode("ascii", "replace")
        if len(letters) != self.length or not set(letters) <= set(ALPHABET):
            raise DataError(f"a word is {self.length} letters of {ALPHABET}")
        return self.samples_of(torch.tensor([[ALPHABET.index(letter) for letter in letters]]))


SPACES: list[Space] = [ImageSpace(3, 20, 26), ImageSpace(1, 8, 8), ImageSpace(4, 5, 7), PointSpace(2), PointSpace(70),
                       WaveSpace(8000, 4000), WaveSpace(44100, 300, 2), WordSpace(6)]  # fmt: skip


def some(space: Space, count: int = 5) -> Tensor:
    """Samples that a file can hold exactly."""
    noise = torch.rand(count, *space.shape, generator=torch.Generator().manual_seed(1)) * 2 - 1
    return space.samples_of(space.encode(noise))


# -- what goes in comes out ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_samples_survive_rows_files_and_config(space: Space) -> None:
    samples = some(space)
    assert samples.dtype == torch.float32 and samples.shape[1:] == space.shape
    dtype, shape = space.stored()
    rows = space.encode(samples).numpy().astype(dtype)
    rows = rows.transpose(0, 2, 3, 1) if isinstance(space, ImageSpace) else rows
    assert rows.shape[1:] == shape
    torch.testing.assert_close(space.decode(np.ascontiguousarray(rows)), samples, rtol=0, atol=1e-6)
    assert torch.equal(space.encode(space.decode(np.ascontiguousarray(rows))), space.encode(samples))
    for one in samples.split(1):
        told = space.values(one)
        assert json.loads(json.dumps(told)) == told and len(told) == 1
        content = json.dumps(told["values"]).encode() if "values" in told else space.file(one)
        torch.testing.assert_close(space.read(content), one, rtol=0, atol=1e-6)
    assert space_from_config(json.loads(json.dumps(space_to_config(space)))) == space
    assert space.facts()["shape"] == space.shape


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_looks_are_small_and_tell_samples_apart(space: Space) -> None:
    samples = some(space)
    features = space.look(samples)
    assert features.dtype == torch.float32 and features.shape[0] == 5 and features.shape[1] <= 1024
    assert torch.pdist(features).min() > 0.01
    torch.testing.assert_close(space.look(samples[2:3]), features[2:3], rtol=1e-4, atol=1e-4)
    assert space.look(samples[:0]).shape == (0, features.shape[1])
    found = extractor("look", space=space)(space.encode(samples))
    torch.testing.assert_close(found.features, features, rtol=1e-3, atol=1e-3)
    assert found.logits is None


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_pictures_come_apart_again(space: Space) -> None:
    samples = some(space, 16)
    rows, columns = space.layout(0)
    assert rows * columns >= 4
    picture = space.show(samples, columns=8)
    if space.tile is None:
        assert space.columns_of(picture) == 1 and space.cells(picture, 1) == [picture]
        return
    assert (picture.height + 1, picture.width + 1) == (2 * (space.tile[0] + 1), 8 * (space.tile[1] + 1))
    assert space.columns_of(picture) == 8
    cells = space.cells(picture, 8)
    assert len(cells) == 8
    for cell, alone in zip(cells, space.pictures(samples), strict=False):
        assert np.array_equal(np.asarray(cell), np.asarray(alone))


def test_how_many_samples_are_followed() -> None:
    """A row where rows are long, of at most ten; else eight."""
    space, samples = ImageSpace(1, 2, 2), some(ImageSpace(1, 2, 2), 60)
    for columns, count in ((8, 8), (10, 10), (12, 10), (4, 8), (3, 8)):
        assert len(space.cells(space.show(samples, columns), columns)) == count
    assert len(space.cells(space.show(samples[:3], 3), 3)) == 3 and space.cells(Image.new("L", (1, 1)), 0) == []


def test_eight_bits_by_hand() -> None:
    space = ImageSpace(1, 1, 3)
    rows = np.array([[[[0], [51], [255]]]], np.uint8)
    assert space.decode(rows).tolist() == [[[[-1.0, pytest.approx(-0.6), 1.0]]]]
    # 0 lies between level 127 and 128, and goes to the even one; what is beyond 1 is clipped.
    assert space.encode(torch.tensor([[[[0.0, -0.6, 7.0]]]])).tolist() == [[[[128, 51, 255]]]]
    assert space.decode(rows).stride() == (3, 1, 3, 1)  # channels last
    given = torch.tensor([[[[0, 51, 255]]]], dtype=torch.uint8)
    assert torch.equal(space.samples_of(given), space.decode(rows))
    floats = torch.zeros(1, 1, 1, 3)
    assert space.samples_of(floats) is not floats and not floats.any()


def test_rows_become_what_prepared_data_gives() -> None:
    images = np.random.RandomState(0).randint(0, 256, (6, 9, 8, 3)).astype(np.uint8)
    data = open_data(images, progress=False)
    split = data.split("train")
    batch = split.gather(np.arange(len(split))).value
    mine = data.space.decode(images[[int(name) for name in split.names]])
    assert torch.equal(mine, batch) and mine.stride() == batch.stride()


def test_many_numbers_are_summed_so_that_distances_stay() -> None:
    space = PointSpace(20_000)
    points = torch.randn(40, 20_000, generator=torch.Generator().manual_seed(0))
    points[:20] += 1
    seen = space.look(points)
    assert seen.shape == (40, 1024)
    ratios = torch.pdist(seen) / torch.pdist(points)
    assert ratios.min() > 0.85 and ratios.max() < 1.15  # a deviation of about 1 / sqrt(2 * 1024)
    assert ImageSpace(10, 64, 64).look(torch.zeros(1, 10, 64, 64)).shape == (1, 1000)  # 10 x 10 pixels of 10 channels


# -- sounds ----------------------------------------------------------------------------------------------------------


def sine(frequency: float, rate: int, seconds: float = 1.0, amplitude: float = 1.0) -> np.ndarray:
    return amplitude * np.sin(2 * np.pi * frequency * np.arange(int(seconds * rate)) / rate)


def wav(values: np.ndarray, rate: int, width: int = 2) -> bytes:
    """(frames, channels) whole numbers as Python writes them."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(values.shape[1])
        file.setsampwidth(width)
        file.setframerate(rate)
        flat = values.reshape(-1)
        kept = flat.astype(np.uint8) if width == 1 else flat.astype("<i4").view(np.uint8).reshape(-1, 4)[:, :width]
        file.writeframes(kept.tobytes())
    return buffer.getvalue()


def test_sixteen_bits_by_hand() -> None:
    space = WaveSpace(8000, 3)
    rows = np.array([[[-32768, 0, 16384]]], np.int16)
    assert space.decode(rows).tolist() == [[[-1.0, 0.0, 0.5]]]
    assert space.encode(torch.tensor([[[-7.0, 0.25, 1.0]]])).tolist() == [[[-32768, 8192, 32767]]]
    content = space.file(torch.tensor([[[-1.0, 0.25, 1.0]]]))
    # RIFF, size, WAVE, fmt of 16 bytes: PCM, 1 channel, 8,000 frames and 16,000 bytes a second, 2 bytes of 16 bits.
    head = struct.unpack("<4sI4s4sIHHIIHH4sI", content[:44])
    assert head == (b"RIFF", 42, b"WAVE", b"fmt ", 16, 1, 1, 8000, 16000, 2, 16, b"data", 6)
    assert struct.unpack("<3h", content[44:]) == (-32768, 8192, 32767)


@pytest.mark.parametrize(
    ("width", "whole", "wanted"),
    [
        (1, [0, 128, 255], [-1.0, 0.0, 127 / 128]),
        (2, [-32768, 1, 16384], [-1.0, 1 / 32768, 0.5]),
        (3, [-(2**23), -1, 2**22], [-1.0, -1 / 2**23, 0.5]),
        (4, [-(2**31), -(2**24), 2**30], [-1.0, -(2**24) / 2**31, 0.5]),
    ],
)
def test_every_width_by_hand(width: int, whole: list[int], wanted: list[float]) -> None:
    content = wav(np.array(whole)[:, None], 8000, width)
    assert WaveSpace(8000, FREE).read(content).tolist() == [[wanted]]
    # The newer header, as programs write it: 24 more bytes, of which two say that these are whole numbers.
    guid = b"\x01\x00" + bytes.fromhex("000000001000800000aa00389b71")
    newer = (
        content[:4]
        + struct.pack("<I", len(content) + 16)
        + content[8:16]
        + struct.pack("<I", 40)
        + b"\xfe\xff"
        + content[22:36]
    )
    newer += struct.pack("<HHI", 22, 8 * width, 4) + guid + content[36:]
    assert WaveSpace(8000, FREE).read(newer).tolist() == [[wanted]]


def test_channels_become_as_many_as_are_needed() -> None:
    two = wav(np.array([[16384, 0], [8192, -8192]]), 8000)
    assert WaveSpace(8000, FREE).read(two).tolist() == [[[0.25, 0.0]]]
    assert WaveSpace(8000, 3, 2).read(two).tolist() == [[[0.5, 0.25, 0.0], [0.0, -0.25, 0.0]]]  # then silence
    one = wav(np.array([[16384], [8192], [4096]]), 8000)
    assert WaveSpace(8000, 2, 2).read(one).tolist() == [[[0.5, 0.25], [0.5, 0.25]]]  # what is longer is cut
    with pytest.raises(DataError, match=r"^this sound has 3 channels, and 2 are needed$"):
        WaveSpace(8000, 2, 2).read(wav(np.zeros((4, 3)), 8000))


@pytest.mark.parametrize(("given", "rate"), [(44100, 16000), (48000, 22050), (8000, 16000), (16000, 44100)])
def test_another_rate_keeps_what_both_can_hold_and_nothing_else(given: int, rate: int) -> None:
    for frequency in (440.0, 0.4 * min(given, rate)):
        made = resampled(sine(frequency, given).astype(np.float32), given, rate)
        assert made.dtype == np.float32 and len(made) == rate
        assert np.abs(made - sine(frequency, rate))[300:-300].max() < 1e-4
    if given > rate:  # a tone above the new rate's half would come back as another one
        assert np.abs(resampled(sine(0.55 * rate, given).astype(np.float32), given, rate))[300:-300].max() < 1e-4
    content = wav((sine(440, given, amplitude=0.5)[:, None] * 32768).round(), given)
    read = WaveSpace(rate, rate // 2).read(content)[0, 0].numpy()
    assert np.abs(read - sine(440, rate, 0.5, 0.5))[300:-1].max() < 1e-3


def changed(content: bytes, at: int, pattern: str, *values: int) -> bytes:
    return content[:at] + struct.pack(pattern, *values) + content[at + struct.calcsize(pattern) :]


GOOD = wav(np.arange(1000)[:, None], 8000)
HOSTILE = {
    "nothing": b"",
    "no WAV": b"\x00" * 200,
    "a name alone": b"RIFF\xff\xff\xff\xffWAVE",
    "no channels": changed(GOOD, 22, "<H", 0),
    "65,535 channels": changed(GOOD, 22, "<H", 65535),
    "no rate": changed(GOOD, 24, "<I", 0),
    "4 GHz": changed(GOOD, 24, "<I", 2**32 - 1),
    "a rate of no small ratio": changed(GOOD, 24, "<I", 383_999),
    "floats": changed(GOOD, 20, "<H", 3),
    "no bits": changed(GOOD, 34, "<H", 0),
    "64 bits": changed(GOOD, 34, "<H", 64),
    "4 GiB": changed(GOOD, 40, "<I", 2**32 - 1),
    "2**31 frames": changed(GOOD, 40, "<I", 2**32 - 2),
    "a frame too many": changed(GOOD, 40, "<I", 2002),
    "cut short": GOOD[:-1],
    "cut in its head": GOOD[:30],
    "no frames": wav(np.zeros((0, 1)), 8000),
    "a head of 4 GiB": changed(GOOD, 16, "<I", 2**32 - 1),
    "a head of 2 bytes": changed(GOOD, 16, "<I", 2),
    "no data": GOOD[:36],
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("space", [WaveSpace(8000, 500), WaveSpace(8000, FREE), WaveSpace(7919, FREE)], ids=str)
def test_hostile_sounds_are_one_line_and_no_memory(space: WaveSpace, name: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(DataError) as refused:
            space.read(HOSTILE[name])
        assert tracemalloc.get_traced_memory()[1] < 1 << 21
    finally:
        tracemalloc.stop()
    assert len(str(refused.value).splitlines()) == 1 and len(str(refused.value)) < 200
    if space.samples == FREE and name != "a rate of no small ratio":  # which only resampling finds
        with pytest.raises(DataError, match=r"^[^\n]{1,200}$"):
            space.size_of_file(HOSTILE[name], 10**6)


def test_the_size_of_a_sound_is_told_by_its_header() -> None:
    assert WaveSpace(16000, FREE).size_of_file(GOOD, 2000) == 2000 == WaveSpace(16000, FREE).read(GOOD).shape[2]
    assert WaveSpace(16000, FREE, 2).size_of_file(GOOD, 4000) == 4000
    with pytest.raises(DataError, match=r"^2,000 amplitudes at 16,000 Hz, and at most 1,999 are taken here$"):
        WaveSpace(16000, FREE).size_of_file(GOOD, 1999)
    assert WaveSpace(16000, 640).size_of_file(b"", 10) == 640  # what is longer is cut off


def test_a_tone_lies_where_its_frequency_is() -> None:
    """64 bands up to 8 kHz, evenly by the mel scale: 2595 log10(1 + 8000 / 700) = 2840.0, so 43.69 each; 1 kHz is
    1000.0 and nearest to the 23rd centre, which is row 64 - 23 = 41 from above."""
    space = WaveSpace(16000, 16384)
    tones = [(1000, 1.0), (1000, 0.01), (4000, 1.0)]
    samples = torch.tensor(np.stack([sine(f, 16000, 16384 / 16000, a) for f, a in tones]))[:, None]
    loud, quiet, high = (np.asarray(picture).astype(int) for picture in space.pictures(samples))
    assert loud.shape == (64, 96, 3)
    middle = slice(6, 90)
    assert set(loud.sum(2).argmax(0)[middle]) == {41} == set(quiet.sum(2).argmax(0)[middle])
    # 2595 log10(1 + 4000 / 700) = 2146.1, which is 49.1 of 43.69: the 49th.
    assert set(high.sum(2).argmax(0)[middle]) == {64 - 49}
    assert np.abs(loud[41, middle] - [255, 250, 220]).max() < 24  # 0 decibels
    assert np.abs(quiet[41, middle] - [206, 60, 92]).max() < 24  # 20 log10(0.01) = -40, in the middle of the colours
    assert (loud[10, middle] == [8, 8, 24]).all()  # silence


def test_a_louder_sound_and_a_higher_one_look_different() -> None:
    space = WaveSpace(16000, 16000)
    samples = torch.tensor(np.stack([sine(300, 16000), sine(300, 16000, amplitude=0.1), sine(3000, 16000)]))[:, None]
    seen = space.look(samples)
    assert seen.shape == (3, 192)
    # Ten times quieter is 20 decibels, 2 units, in the band that sounds: 2595 log10(1 + 300 / 700) / 43.69 = 9.2.
    assert float(seen[0, 8] - seen[1, 8]) == pytest.approx(2, abs=0.05)
    assert seen[0, :64].argmax() == 8 and seen[2, :64].argmax() == 42  # 2595 log10(1 + 3000 / 700) / 43.69 = 42.9
    with pytest.raises(UsageError, match="a rate of 999 Hz is not possible"):
        WaveSpace(999, 100)


@pytest.mark.parametrize("length", [1, 2, 63, 64, 65, 129, 1000])
def test_sounds_of_any_length_are_shown(length: int) -> None:
    space = WaveSpace(16000, length)
    samples = some(space, 2)
    assert space.look(samples).isfinite().all() and space.show(samples, 2).size[0] == 2 * space.tile[1] + 1
    broken = torch.full_like(samples, math.nan)
    assert np.asarray(space.show(broken, 1)).max() <= 255


# -- images and points that are given --------------------------------------------------------------------------------


def png(picture: Image.Image, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, options.pop("format", "PNG"), **options)
    return buffer.getvalue()


def test_images_of_any_size_are_read_as_they_are_and_others_brought_to_size() -> None:
    pixels = np.zeros((4, 6, 3), np.uint8)
    pixels[:, :2], pixels[:, 4:] = [255, 0, 0], [0, 255, 0]
    content = png(Image.fromarray(pixels))
    free = ImageSpace(3, FREE, FREE).read(content)
    assert free.shape == (1, 3, 4, 6) and free[0, :, 0, 0].tolist() == [1, -1, -1]
    assert ImageSpace(3, 4, 2).read(content).tolist() == (-torch.ones(1, 3, 4, 2)).tolist()  # the middle alone
    assert ImageSpace(3, 2, 3).read(content).shape == (1, 3, 2, 3)
    assert str(ImageSpace(3, FREE, FREE)) == "images of any size RGB"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "GIF"])
def test_images_are_read_whatever_their_format(kind: str) -> None:
    content = png(Image.new("RGB", (6, 4), (255, 0, 255)), format=kind)
    for space in (ImageSpace(3, FREE, FREE), ImageSpace(3, 4, 6)):
        assert space.size_of_file(content, 24) == 24
        assert (space.read(content) - torch.tensor([1.0, -1, 1])[:, None, None]).abs().max() < 0.03


def test_odd_images_are_read_as_people_see_them() -> None:
    clear = Image.new("RGBA", (2, 1), (255, 0, 0, 255))
    clear.putpixel((1, 0), (0, 0, 0, 0))
    assert ImageSpace(3, 1, 2).read(png(clear))[0, :, 0].T.tolist() == [[1, -1, -1], [1, 1, 1]]  # on white
    assert ImageSpace(4, 1, 2).read(png(clear))[0, 3, 0].tolist() == [1, -1]
    deep = Image.fromarray(np.array([[0, 65535, 257 * 51]], np.uint16))
    assert ImageSpace(1, 1, 3).read(png(deep))[0, 0, 0].tolist() == [-1, 1, pytest.approx(-0.6)]
    lying = Image.new("L", (8, 16))
    exif = Image.Exif()
    exif[0x0112] = 6
    assert ImageSpace(1, FREE, FREE).read(png(lying, exif=exif, format="JPEG")).shape == (1, 1, 8, 16)


def bomb(width: int, height: int) -> bytes:
    small = png(Image.new("L", (1, 1)))
    head = b"IHDR" + struct.pack(">II", width, height) + small[24:29]
    import zlib

    return small[:12] + head + struct.pack(">I", zlib.crc32(head)) + small[33:]


@pytest.mark.parametrize("content", [b"", b"GIF89a", png(Image.new("L", (9, 9)))[:48], bomb(9000, 9000),
                                     bomb(2**31 - 1, 2**31 - 1), b"%!PS-Adobe-3.0 EPSF-3.0", GOOD])  # fmt: skip
def test_hostile_images_are_one_line(content: bytes) -> None:
    for space in (ImageSpace(3, FREE, FREE), ImageSpace(1, 8, 8)):
        with pytest.raises(DataError) as refused:
            space.read(content)
        assert len(str(refused.value).splitlines()) == 1
        large = b"IHDR" in content and len(content) > 60
        assert ("pixels" in str(refused.value)) == large  # before it is decoded
        if large or b"IHDR" not in content:  # else only decoding finds what is wrong
            with pytest.raises(DataError, match=r"^[^\n]{1,200}$"):
                space.size_of_file(content, 10**6)
    with pytest.raises(DataError, match="no image file has 2 channels"):
        ImageSpace(2, 8, 8).read(content)


def test_the_size_of_an_image_is_told_by_its_header() -> None:
    space, content = ImageSpace(3, FREE, FREE), png(Image.new("L", (20, 30)))
    assert space.size_of_file(content, 600) == ImageSpace(3, 8, 8).size_of_file(content, 600) == 600
    with pytest.raises(DataError, match=r"^20 x 30 pixels, and at most 599 are taken here$"):
        space.size_of_file(content, 599)
    frames = [Image.new("L", (4, 4), level) for level in (0, 99, 200)]
    several = png(frames[0], format="GIF", save_all=True, append_images=frames[1:])
    with pytest.raises(DataError, match=r"^it holds 3 pictures; give one$"):
        space.size_of_file(several, 600)


def test_a_point_is_a_list_of_numbers() -> None:
    space = PointSpace(2)
    assert space.read(b"[1, -2.5]").tolist() == [[1.0, -2.5]]
    odd = [b"", b"[1]", b"[1, 2, 3]", b"[1, NaN]", b"[1, 1e999]", b'["a", 1]', b"[[1, 2]]", b"{}", b"7", b"[null, 1]"]
    for content in (*odd, b"\xff", b"[" * 100_000, b"[1, 2" + b" " * 10**6 + b"]", b"[1, " + b"9" * 60 + b"]"):
        with pytest.raises(DataError, match=r"^a point is a list of 2 (finite )?numbers in JSON$"):
            space.read(content)
    with pytest.raises(DataError, match=r"^words cannot be read from a file$"):
        Space.read(WordSpace(3), b"abc")


# -- kinds -----------------------------------------------------------------------------------------------------------


def test_a_kind_is_known_by_being_defined() -> None:
    assert kinds["words of a test"] is WordSpace
    assert space_from_config({"kind": "words of a test", "length": 4}) == WordSpace(4)
    with pytest.raises(TypeError, match=r"the kind 'points' is that of PointSpace: give .*Other another one"):

        class Other(Space):
            kind: ClassVar[str] = "points"

    again = type(
        "WordSpace", (WordSpace,), {"kind": WordSpace.kind, "__module__": __name__}
    )  # a file that is run twice
    assert kinds["words of a test"] is again
    kinds_of_tests: Any = Space.__init_subclass__.__globals__["_KINDS"]
    kinds_of_tests["words of a test"] = WordSpace


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"kind": "smells"},
        {"kind": ["images"]},
        {"kind": "images", "channels": 3},
        {"kind": "images", "channels": 3, "height": 0, "width": 4},
        {"kind": "images", "channels": 3, "height": -2, "width": 4},
        {"kind": "images", "channels": 3, "height": math.inf, "width": 4},
        {"kind": "images", "channels": 3, "height": "many", "width": 4},
        {"kind": "images", "channels": 2**20, "height": 2**20, "width": 4},
        {"kind": "images", "channels": 1, "height": 8, "width": 8, "depth": 8},
        {"kind": "waves", "rate": 7, "samples": 100, "channels": 1},
    ],
)
def test_what_describes_no_space_is_one_line(config: dict[str, Any]) -> None:
    with pytest.raises(RunError, match=r"^config\.json describes no space that is known here: ") as refused:
        space_from_config(config)
    assert len(str(refused.value).splitlines()) == 1


def test_runs_are_read_without_torch() -> None:
    code = (
        "import ganvas.spaces, ganvas.run.timeline, sys\n"
        "from ganvas.doctor import diagnose\n"
        "print(diagnose([], {'data': {'space': {'kind': 'images'}, 'counts': {'train': 9}}})[0].name)\n"
        "assert 'torch' not in sys.modules"
    )
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert told.stdout == "little data\n"


def test_what_a_kind_declares() -> None:
    assert hardware.pick_precision("auto", torch.device("cpu"), PointSpace(2)) == "float32"
    judges = [(space.judge(False), space.judge(True)) for space in (ImageSpace(1, 8, 8), PointSpace(2), WordSpace(3))]
    assert judges == [("lite0", "native"), ("coordinates", "coordinates"), ("look", "look")]
    for kind in kinds.values():
        assert kind.noun and kind.extractors and kind.suffix.startswith(".") and "/" in kind.media_type, kind
    with pytest.raises(UsageError, match="the extractor look is that of a space"):
        extractor("look")
    with pytest.raises(DataError, match="look is at points with 2 coordinates"):
        extractor("look", space=PointSpace(2))(torch.zeros(4, 3))


# -- the proof: two kinds that no other module knows go all the way ---------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class NoReader(Reader):
    """Of data that are in memory already."""

    wants = "what is in memory"

    @classmethod
    def reads(cls, source: Source) -> bool:
        return False


@dataclass(frozen=True)
class Items(Batch):
    reader: ClassVar[type[Reader]] = NoReader
    item: Tensor
    label: Tensor | None = None


class Held(Data):
    """Data of any space, in memory."""

    def __init__(self, space: Space, samples: Tensor) -> None:
        self.space, self.source, self.name = space, "held", "held"
        self.reader, self.data_root, self.columns = NoReader(), None, {"item": space}
        self.labels, self.notes = (), ()
        self.label_counts, self.damaged, self.sorts = {}, {}, {}
        self.fingerprint = f"held {space}"
        self.batch_type = Items
        self.rows = space.encode(samples).numpy()
        self.names = np.array(["train", "train", "train", "validation", "test"])[np.arange(len(self.rows)) % 5]
        self.counts = {name: int((self.names == name).sum()) for name in ("train", "validation", "test")}

    def split(self, name: str) -> Split:
        return HeldSplit(self, None, np.flatnonzero(self.names == name))  # type: ignore[arg-type]

    def options(self) -> dict[str, Any]:
        return {}


class HeldSplit(Split):
    labels = None

    def __len__(self) -> int:
        return len(self.places)

    def order(self, seed: int, batch_size: int) -> Shuffled:
        return Shuffled(len(self), seed)

    def gather(self, indices: np.ndarray, device: Any = "cpu", seeds: Any = None) -> Items:
        data: Any = self.data
        return Items(data.space.decode(data.rows[self.places[indices]], device))


class Any2Any(Recipe):
    """Two small networks for samples of any shape."""

    accepts = (Items,)

    def __init__(self, *, size: int = 8) -> None:
        super().__init__()
        self.size = size
        self.generator = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, size), nn.Tanh())
        self.discriminator = nn.Sequential(nn.Linear(size, 16), nn.ReLU(), nn.Linear(16, 1))
        self.objective = objective("non-saturating")

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {
            name: torch.optim.Adam(getattr(self, name).parameters(), 1e-3) for name in ("discriminator", "generator")
        }

    def turns(self, progress: Progress, batches: Iterator[Batch]) -> Iterator[Turn]:
        return play(progress, batches, {"discriminator": self.d_losses, "generator": self.g_losses})

    def judged(self, samples: Tensor) -> Tensor:
        logits: Tensor = self.discriminator(samples.flatten(1)).squeeze(1)
        return logits

    def d_losses(self, real: Batch) -> Losses:
        return self.objective.d_losses(self.judged, real.value, self.fake(real))

    def g_losses(self, real: Batch) -> Losses:
        return self.objective.g_losses(self.judged, self.fake(real), real.value)

    def inputs(self) -> dict[str, Input]:
        return {"latent": Normal((4,))}

    def generate(self, *, latent: Tensor) -> Tensor:
        raise NotImplementedError


class Sounds(Any2Any):
    def generate(self, *, latent: Tensor) -> Tensor:
        return self.generator(latent).unflatten(1, (1, -1))


class Words(Any2Any):
    def generate(self, *, latent: Tensor) -> Tensor:
        return self.generator(latent).unflatten(1, (-1, len(ALPHABET)))


def sounds() -> Tensor:
    random = np.random.RandomState(0)
    tones = [sine(f, 4000, 0.25, a) for f, a in zip(random.uniform(100, 1500, 400), random.uniform(0.1, 0.9, 400))]  # noqa: B905
    return torch.tensor(np.stack(tones), dtype=torch.float32)[:, None]


def words() -> Tensor:
    return WordSpace(5).samples_of(torch.tensor(np.random.RandomState(0).randint(0, 16, (400, 5))))


CASES = {"sounds": (WaveSpace(4000, 1000), sounds, Sounds, "wav"), "words": (WordSpace(5), words, Words, "txt")}


@pytest.fixture(scope="module", params=CASES)
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    space, samples, recipe, ending = CASES[request.param]
    data = Held(space, samples())
    run = tmp_path_factory.mktemp("runs") / "run"
    options = {
        "size": math.prod(space.shape),
        "steps": 400,
        "batch_size": 16,
        "score_every": 200,
        "sample_every": 200,
        "device": "cpu",
    }
    job = api.prepare(None, data, {**options, "device": "cpu"}, recipe_class=recipe)
    return space, data, recipe, api.play(job, out=run, quiet=True), ending


def test_another_kind_trains_is_looked_at_scored_and_reported(played: Any) -> None:
    space, _, _, run, _ = played
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    looks = [row for row in rows if "signal/diversity" in row]
    assert len(looks) == 4 and all(math.isfinite(row["signal/distance"]) for row in looks)
    assert not any("signal/checkerboard" in row for row in rows)
    scored = [row["score/FID[look]"] for row in rows if "score/FID[look]" in row]
    assert len(scored) == 2 and all(score > 0 for score in scored)
    assert ganvas.load(run, recipe=played[2]).space == space
    assert timeline.read(run / "samples" / "strip.png") is not None
    report = (run / "report.html").read_text()
    assert f"{space.noun.capitalize()} seen" in report and "Images" not in report
    assert ("Each row follows one sample" in report) == (space.tile is not None)


def test_another_kind_is_judged(played: Any) -> None:
    space, data, recipe, run, _ = played
    model = ganvas.load(run, recipe=recipe)
    report = evaluate(model, data, n=200, progress=False)
    assert {"FID[look]", "KID[look]", "precision[look]", "coverage[look]", "diversity[look]"} <= report.scores.keys()
    assert not any("native" in key or "IS" in key for key in report.scores)
    assert (report.nearest is not None) == (space.tile is not None)
    with pytest.raises(UsageError, match=f"{space}, which the extractor lite0 does not look at; take look"):
        evaluate(model, data, extractor="lite0", progress=False)


def test_another_kind_becomes_its_own_files(played: Any, tmp_path: Path) -> None:
    space, _, recipe, run, ending = played
    model = ganvas.load(run, recipe=recipe)
    name = f"{recipe.__module__}:{recipe.__qualname__}"
    samples = model.sample(3, seed=1)
    assert json.loads((run / "config.json").read_text())["recipe"] == name
    kind, encode = FORMATS["json"]
    told = json.loads(encode(model, samples, {}, 1))["samples"]
    assert kind == "application/json" and [set(one) for one in told] == [{"label", ending}] * 3
    with zipfile.ZipFile(io.BytesIO(FORMATS["zip"][1](model, samples, {}, 1))) as archive:
        assert archive.namelist() == [f"0000{i}.{ending}" for i in range(3)]
        for i, file in enumerate(archive.namelist()):
            torch.testing.assert_close(space.encode(space.read(archive.read(file))), space.encode(samples[i : i + 1]))
    assert FORMATS["png"][1](model, samples, {}, 1).startswith(b"\x89PNG")
    sample_to(run, tmp_path / "out", n=3, seed=1, recipe=recipe)  # type: ignore[arg-type]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [f"0000{i}.{ending}" for i in range(3)]
    page = functools.partial(ganvas.export, run, "web", tmp_path / "page.html", recipe=recipe)
    if space.played(samples):
        assert page().difference <= 1e-4
    else:
        shown = "images and points and sounds and texts"
        with pytest.raises(GanvasError, match=f"a page cannot show {space.noun} yet, only {shown}"):
            page()
    ganvas.export(run, "hub", tmp_path / "hub", recipe=recipe)
    card = (tmp_path / "hub" / "README.md").read_text()
    assert "pipeline_tag" not in card and f"(16, {', '.join(map(str, space.shape))})" in card


def test_a_long_sound_costs_a_look_little() -> None:
    """16,384 numbers must not become a covariance of 16,384 x 16,384."""
    space = WaveSpace(16000, 16384)
    data = Held(space, torch.randn(200, 1, 16384, generator=torch.Generator().manual_seed(0)) / 10)
    features = RealFeatures.of(data, torch.device("cpu"))
    assert features.components is not None and features.components.shape == (192, 64)
    assert features.train.shape == (120, 64)
    few = RealFeatures.of(Held(PointSpace(64), torch.randn(200, 64)), torch.device("cpu"))
    assert few.components is None and few.train.shape == (120, 64)
