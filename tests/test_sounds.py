"""Sounds through a whole run: what is played in its folder, its report and the studio."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import shutil
import wave
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks import zoo as packing

import ganvas
from ganvas.cli import main
from ganvas.data.opening import open_data
from ganvas.data.waves import WaveReader, Waves
from ganvas.errors import DataError, UsageError
from ganvas.model import shared_config, zoo
from ganvas.model.files import sample_to
from ganvas.report import last_clips, write_report
from ganvas.run import only_trainer, read_config, timeline
from ganvas.spaces import ImageSpace, WaveSpace

SPACE = WaveSpace(8000, 64)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six steps on very short sounds with labels."""
    folder = tmp_path_factory.mktemp("sounds")
    data = folder / "data"
    data.mkdir()
    source, options = WaveReader.example(data)
    small = {"width": 2, "latent": 4, "batch_size": 4, "steps": 6, "sample_every": 3, "quiet": True}
    ganvas.train("wavegan", data=source, out=folder / "run", **options, **small)
    return folder / "run"


def heard(content: bytes) -> np.ndarray:
    with wave.open(io.BytesIO(content), "rb") as file:
        assert (file.getframerate(), file.getsampwidth(), file.getnchannels()) == (8000, 2, 1)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2")


def test_the_first_samples_of_every_moment_are_files(run: Path) -> None:
    assert [step for step, _ in timeline.pictures(run)] == [0, 3, 6]
    files = timeline.played(run)
    assert [step for step, _ in files] == [step for step in (0, 3, 6) for _ in range(8)]
    assert [path.name for _, path in files[8:10]] == ["step-00000003-1.wav", "step-00000003-2.wav"]
    sounds = [heard(path.read_bytes()) for _, path in files]
    assert all(len(sound) > 16 for sound in sounds)
    assert not np.array_equal(sounds[0], sounds[8])  # it learned something


def test_the_report_plays_the_last_ones_and_allows_nothing_else(run: Path) -> None:
    page = write_report(run).read_text(encoding="utf-8")
    assert "media-src data:;" in page
    sources = re.findall(r'<audio controls preload="metadata" src="data:audio/wav;base64,([^"]+)"', page)
    last = [path.read_bytes() for step, path in timeline.played(run) if step == 6]
    assert [base64.b64decode(source) for source in sources] == last


def test_what_lies_there_is_decoded_anew_and_left_out_where_it_cannot_be(run: Path) -> None:
    config = read_config(run)
    before = last_clips(run, config)
    first, second = (path for step, path in timeline.played(run)[-8:-6])
    kept = first.read_bytes(), second.read_bytes()
    try:
        first.write_bytes(b"<script>alert(1)</script>")
        second.write_bytes(kept[1] + b"LIST\x04\x00\x00\x00evil")
        clips = last_clips(run, config)
        assert [clip.source for clip in clips] == [clip.source for clip in before[1:]]
    finally:
        first.write_bytes(kept[0])
        second.write_bytes(kept[1])


def test_only_files_of_the_run_are_played_and_few(run: Path, tmp_path: Path) -> None:
    again = shutil.copytree(run, tmp_path / "run")
    (_, first), (_, second), *_ = [each for each in timeline.played(again) if each[0] == 6]
    sound = first.read_bytes()
    for number in range(9, 30):
        timeline.played_path(again, 6, number, ".wav").write_bytes(sound)
    assert len(last_clips(again, read_config(again))) == 8
    first.unlink()
    os.mkfifo(first)  # for which a reader waits for ever
    second.unlink()
    second.symlink_to(timeline.played(run)[0][1])  # out of the run
    assert len(last_clips(again, read_config(again))) == 6


def test_what_a_kill_left_of_a_sound_is_removed(run: Path, tmp_path: Path) -> None:
    again = shutil.copytree(run, tmp_path / "run")
    left = again / timeline.FOLDER / ".step-00000006-1.wav.x1y2.tmp"
    left.write_bytes(b"half")
    with only_trainer(again):
        assert not left.exists()


def test_what_was_undone_is_no_longer_played(run: Path, tmp_path: Path) -> None:
    """A resumed training takes away the moments after its checkpoint."""
    again = shutil.copytree(run, tmp_path / "run")
    stray = timeline.played_path(again, 9, 1, ".wav")
    shutil.copy(timeline.played(again)[0][1], stray)
    with pytest.raises(SystemExit, match=r"^0$"):
        main(["train", "--resume", str(again), "--steps", "8", "--quiet"])
    assert not stray.exists()
    assert max(step for step, _ in timeline.played(again)) == 8


def test_long_sounds_are_few_and_pictures_are_not_played() -> None:
    assert len(SPACE.played(torch.zeros(20, 1, 64))) == 8
    long = WaveSpace(44_100, 300_000)
    assert len(long.played(torch.zeros(20, 1, 300_000))) == 1  # 600 KB each, of 1 MB
    assert len(WaveSpace(44_100, 900_000).played(torch.zeros(20, 1, 900_000))) == 1
    assert ImageSpace(1, 4, 4).played(torch.zeros(2, 1, 4, 4)) == []
    with pytest.raises(DataError, match="images are not played"):
        ImageSpace(1, 4, 4).played_again(b"")


def test_a_sound_that_is_played_again_is_the_same() -> None:
    random = np.random.default_rng(0)
    sample = torch.tensor(random.uniform(-1.2, 1.2, (1, 1, 64)), dtype=torch.float32)
    assert SPACE.played_again(SPACE.file(sample)) == SPACE.file(sample)
    with pytest.raises(DataError, match="more than any that is played"):
        SPACE.played_again(bytes(1 << 22))


def test_the_studio_plays_them(run: Path) -> None:
    pytest.importorskip("gradio", reason="the studio's extra is not installed")
    from ganvas.web.studio.run_list import Shelf
    from ganvas.web.studio.run_panel import panel

    page = panel(Shelf(run.parent).run("run"))
    assert page.count("<audio controls") == 8


def test_samples_are_files_of_the_format_that_is_asked_for(run: Path, tmp_path: Path) -> None:
    soundfile = pytest.importorskip("soundfile", reason="the sound extra is not installed")
    for format, folder in ((None, "plain"), ("flac", "packed")):
        sample_to(run, tmp_path / folder, n=2, seed=1, format=format)
    (plain, *_), (packed, *_) = (sorted((tmp_path / folder).rglob("*.*")) for folder in ("plain", "packed"))
    assert (plain.suffix, packed.suffix) == (".wav", ".flac")
    numbers, rate = soundfile.read(packed, dtype="int16")
    assert rate == 8000 and np.array_equal(numbers, heard(plain.read_bytes()))


def test_a_format_that_there_is_not_is_one_line(run: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^--format mp3: sounds are written as wav, flac$"):
        sample_to(run, tmp_path / "sounds", n=2, format="mp3")
    with pytest.raises(UsageError, match="give a folder as --out"):
        sample_to(run, tmp_path / "grid.png", n=2, format="flac")
    assert not list(tmp_path.iterdir())


# -- the zoo --


def test_the_zoo_keeps_the_names_of_labels(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "tiny"
    folder.mkdir()
    about = {"title": "t", "trained_on": "tones", "licence": "l", "limits": "m"}
    (folder / "about.json").write_text(json.dumps(about))
    monkeypatch.setattr(zoo, "_folder", lambda: tmp_path)
    monkeypatch.setattr(packing, "ZOO", tmp_path)
    monkeypatch.setattr("sys.argv", ["zoo", "tiny", "--run", str(run)])
    packing.main()
    packed = ganvas.load("zoo:tiny")
    assert packed.labels == ("high", "low") and packed.space == SPACE
    assert shared_config("zoo:tiny")["data"]["labels"] == ["high", "low"]
    with torch.no_grad():
        alike = [model.sample(4, seed=1, label="low") for model in (packed, ganvas.load(run))]
    torch.testing.assert_close(*alike, atol=0.02, rtol=0)


def test_digits_of_the_zoo_are_sounds_that_differ(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["sample", "zoo:spoken-digits", "--label", "7", "-n", "3", "--seed", "1", "--out", str(tmp_path)])
    assert not ended.value.code
    assert [len(heard(path.read_bytes())) for path in tmp_path.glob("7/*.wav")] == [6144] * 3
    model = ganvas.load("zoo:spoken-digits")
    assert model.labels == tuple("0123456789") and "CC-BY-SA" in zoo.entry("zoo:spoken-digits").card["licence"]
    wave = model.sample(40, seed=1, label=torch.arange(40) % 10)
    loud = wave.square().mean(2).sqrt().flatten()
    assert (loud > 0.02).all() and (loud < 0.5).all()
    # Sounds of one digit differ, and by less than those of two do.
    looks = model.space.look(wave)
    apart, same = torch.cdist(looks, looks), torch.arange(40)[:, None] % 10 == torch.arange(40) % 10
    others = ~torch.eye(40, dtype=torch.bool)
    assert 1 < apart[same & others].mean() < 0.9 * apart[~same].mean()


def test_digits_of_the_zoo_are_read_as_asked(shared_data: Path) -> None:
    """By which recordings of the training are nearest in loudness by bands and moments: no judge is trained here."""
    data = open_data(
        shared_data / "spoken-digits.zip", Waves, label_pattern="{digit}_{speaker}_*", loudness="peak", progress=False
    )
    real = data.split("train").gather(np.arange(len(data.split("train"))))
    model = ganvas.load("zoo:spoken-digits")
    assert real.label is not None and model.space == data.space
    asked = torch.arange(100) % 10
    found = torch.cdist(*(model.space.look(each) for each in (model.sample(100, seed=2, label=asked), real.value)))
    read = real.label[found.topk(5, largest=False).indices].mode().values
    assert (read == asked).double().mean() > 0.7
