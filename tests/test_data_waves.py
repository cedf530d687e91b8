"""Sounds as data: formats, rates, lengths, labels in names, loudness, and what is left out."""

from __future__ import annotations

import io
import tracemalloc
import wave
import zipfile
from pathlib import Path

import numpy as np
import pytest

from ganvas.data.opening import open_data
from ganvas.data.sounds import LONG, PIECE
from ganvas.data.waves import Pattern, WaveReader, Waves
from ganvas.errors import DataError, UsageError
from ganvas.spaces import WaveSpace
from ganvas.spaces.sound_files import beginning, opened, pieces


def tone(frequency: float, rate: int, seconds: float, amplitude: float = 0.5) -> np.ndarray:
    return amplitude * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)


def write(path: Path, values: np.ndarray, rate: int = 8000) -> None:
    """(frames,) or (frames, channels) in [-1, 1] as a WAV file of 16 bits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = (values.reshape(len(values), -1) * 32767).round().astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(whole.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(whole.tobytes())


def values_of(data) -> np.ndarray:
    split = data.split("train")
    return split.gather(np.arange(len(split))).wave.numpy()


def opens(folder: Path, **options):
    return open_data(folder, Waves, progress=False, **options)


def test_fields_of_names_are_the_label_and_what_else_is_known(tmp_path):
    for digit in "0123":
        for speaker in ("ann", "bo"):
            for take in range(2):
                write(tmp_path / f"{digit}_{speaker}_{take}.wav", tone(200 + 100 * int(digit), 8000, 0.02))
    write(tmp_path / "readme.wav", tone(100, 8000, 0.02))
    data = opens(tmp_path, label_pattern="{digit}_{speaker}_*")
    assert data.labels == ("0", "1", "2", "3") and data.sorts == {"speaker": {"ann": 8, "bo": 8}}
    assert data.damaged == {"readme.wav": "its name does not fit {digit}_{speaker}_*"}
    split = data.split("train")
    told = split.entry.columns["speaker"][split.items.stored_at]
    assert [("ann", "bo")[each] for each in told] == [name.split("_")[1] for name in split.names]
    assert not hasattr(split.gather(np.arange(2)), "speaker")
    assert opens(tmp_path, label_pattern="{digit}_{label}_*").labels == ("ann", "bo")
    with pytest.raises(UsageError, match=r"^no name in .* fits --label-pattern \{a\}-\{b\}: one is 0_ann_0\.wav$"):
        opens(tmp_path, label_pattern="{a}-{b}")


@pytest.mark.parametrize("pattern", ["", "*", "{a}{a}", "{A}", "{a", "{wave}_*", 3])
def test_a_pattern_without_fields_or_with_one_twice_is_refused(pattern):
    with pytest.raises(ValueError, match=r".*"):
        Pattern(pattern)


def test_a_field_ends_where_what_follows_it_comes_next():
    assert Pattern("{a}_{b}_*").read("x/1_two_three_4.wav") == {"label": "1", "b": "two"}
    assert Pattern("take-{n}.{kind}").read("take-07.drum.wav") == {"label": "07", "kind": "drum"}
    assert Pattern("{a}_{b}_*").read("1_two.wav") == {}


def test_silence_is_left_out_and_other_rates_and_channels_are_brought_to_one(tmp_path):
    write(tmp_path / "a.wav", tone(440, 8000, 0.1))
    write(tmp_path / "b.wav", tone(440, 8000, 0.1))
    write(tmp_path / "fast.wav", tone(440, 44100, 0.1), 44100)
    six = np.zeros((800, 6))
    six[:, 2] = tone(440, 8000, 0.1, 0.9)
    write(tmp_path / "six.wav", six)
    write(tmp_path / "quiet.wav", tone(440, 8000, 0.1, 0.0009))
    write(tmp_path / "nothing.wav", np.zeros(800))
    (tmp_path / "broken.wav").write_bytes((tmp_path / "a.wav").read_bytes()[:60])
    data = opens(tmp_path)
    assert data.damaged.keys() == {"broken.wav", "quiet.wav", "nothing.wav"}
    assert data.damaged["nothing.wav"] == "silence" and "cut short" in data.damaged["broken.wav"]
    assert "1 sound of 44,100 Hz brought to 8,000 Hz" in data.notes
    assert data.space == WaveSpace(8000, 1024)
    rows = dict(zip(data.split("train").names, values_of(data)[:, 0], strict=True))
    wanted = tone(440, 8000, 0.1)
    assert np.abs(rows["fast.wav"][100:700] - wanted[100:700]).max() < 1e-3
    assert np.abs(rows["six.wav"][:800] - 0.9 / 0.5 * wanted / 6).max() < 1e-3
    assert not rows["a.wav"][800:].any()


def test_loudness_is_brought_to_the_peak(tmp_path):
    write(tmp_path / "quiet.wav", 0.3 + tone(400, 8000, 0.1, 0.01))
    write(tmp_path / "loud.wav", tone(400, 8000, 0.1, 0.99))
    kept = values_of(opens(tmp_path))
    level = values_of(opens(tmp_path, loudness="peak"))
    assert np.abs(kept).max((1, 2)) == pytest.approx([0.99, 0.31], abs=1e-3)
    assert np.abs(level).max((1, 2)) == pytest.approx([0.9, 0.9], abs=1e-4)
    assert level[:, :, :800].mean(2) == pytest.approx(0, abs=1e-4)


def test_long_sounds_are_taken_in_pieces(tmp_path):
    """Half a minute at 8 kHz in pieces of a second: 30 of them, and the half that is left over."""
    whole = np.concatenate([tone(100 + 20 * second, 8000, 1) for second in range(30)])
    whole[8000 * 12 : 8000 * 13] = 0
    write(tmp_path / "long.wav", np.concatenate([whole, whole[:4000]]))
    data = opens(tmp_path, seconds=1, crops="pieces")
    assert len(data) == 30 and "1 piece left out, silence" in data.notes
    rows = {name: row for split in ("train", "validation", "test") for name, row in
            zip(data.split(split).names, data.split(split).gather(np.arange(len(data.split(split)))).wave[:, 0].numpy(),
                strict=True)}  # fmt: skip
    assert "long.wav#12" not in rows and not rows["long.wav#30"][4000:].any()
    assert np.abs(rows["long.wav#7"] - whole[56_000:64_000]).max() < 1e-4
    assert np.abs(rows["long.wav"] - whole[:8000]).max() < 1e-4


def test_sounds_that_are_all_long_are_taken_in_pieces_unless_a_length_is_given(tmp_path):
    for number in range(2):
        write(tmp_path / f"{number}.wav", tone(300, 8000, LONG / 8000 + 2))
    data = opens(tmp_path)
    assert data.space == WaveSpace(8000, PIECE) and len(data) > 8
    assert any("pieces of 2.05 s are taken" in note for note in data.notes)
    assert len(opens(tmp_path, seconds=1)) == 2


def test_pieces_of_one_recording_are_all_for_training_or_all_held_out(tmp_path):
    for number in range(60):
        write(tmp_path / f"{number}.wav", tone(300, 1000, 0.5), 1000)
    data = opens(tmp_path, seconds=0.1, crops="pieces")
    of = {name: {each.partition("#")[0] for each in data.split(name).names} for name in ("train", "validation", "test")}
    assert len(data) == 300 and all(of.values())
    assert sum(map(len, of.values())) == 60


def test_random_crops_are_the_seeds_and_stay_within_the_sound(tmp_path):
    ramp = np.arange(1, 3001) / 4000
    write(tmp_path / "long.wav", ramp, 1000)
    write(tmp_path / "short.wav", np.full(400, 0.5), 1000)
    data = opens(tmp_path, seconds=1, crops="random")
    assert data.space == WaveSpace(1000, 1000) and len(data) == 3  # 0 to 2 s and 1 to 3 s of the long one
    split = data.split("train")
    everything = np.arange(len(split))
    plain, *drawn = (
        split.gather(everything, seeds=seeds).wave[:, 0].numpy()
        for seeds in (None, *([(seed, place) for place in range(len(split))] for seed in (0, 0, 1, 2)))
    )
    assert np.array_equal(drawn[0], drawn[1]) and not np.array_equal(drawn[0], drawn[2])
    for name, start, *others in zip(split.names, plain, *drawn, strict=True):
        for row in (start, *others):
            if name == "short.wav":
                assert np.count_nonzero(row) == 400 and np.ptp(np.flatnonzero(row)) == 399
            else:
                assert np.diff(row) == pytest.approx(np.full(999, 1 / 4000), abs=1e-4)
        first = int(name == "long.wav#1") * 0.25 if name != "short.wav" else None
        if first is not None:
            assert start[0] == pytest.approx(first, abs=1e-3)
            assert len({round(float(row[0]), 3) for row in others}) > 2
            assert all(first - 1e-3 <= row[0] <= first + 0.2505 for row in others)


@pytest.mark.parametrize(("given", "rate"), [(8000, 8000), (44100, 8000), (8000, 44100), (7919, 8000)])
def test_pieces_together_are_the_whole(tmp_path, given, rate):
    rng = np.random.default_rng(0)
    write(tmp_path / "a.wav", rng.uniform(-0.9, 0.9, (300_000, 2)), given)
    with open(tmp_path / "a.wav", "rb") as file, opened(file) as sound:
        whole = beginning(sound, rate, 1, None)
    with open(tmp_path / "a.wav", "rb") as file, opened(file) as sound:
        parts = list(pieces(sound, rate, 1, 5000))
    assert {each.shape[1] for each in parts[:-1]} == {5000}
    assert np.abs(np.concatenate(parts, axis=1) - whole).max() < 1e-5


def test_hours_of_sound_are_read_without_holding_them(tmp_path):
    """Three hours of 8 kHz, 173 MB; the file has a hole where it is silent, and takes no room."""
    path = tmp_path / "hours.wav"
    frames = 3 * 3600 * 8000
    with open(path, "wb") as file:
        head = io.BytesIO()
        with wave.open(head, "wb") as written:
            written.setparams((1, 2, 8000, frames, "NONE", ""))
            written.writeframes(b"")
        header = bytearray(head.getvalue())
        header[4:8], header[40:44] = (36 + 2 * frames).to_bytes(4, "little"), (2 * frames).to_bytes(4, "little")
        file.write(header)
        for hour in (0, 2):
            file.seek(44 + 2 * hour * 3600 * 8000)
            file.write((tone(300, 8000, 3) * 32767).astype("<i2").tobytes())
        file.truncate(44 + 2 * frames)
    tracemalloc.start()
    with open(path, "rb") as file, opened(file) as sound:
        loud = [place for place, piece in enumerate(pieces(sound, 8000, 1, 8000)) if np.abs(piece).max() > 0.1]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert loud == [0, 1, 2, 7200, 7201, 7202] and peak < 20 << 20


def test_archives_of_sounds_and_one_that_holds_none(tmp_path):
    write(tmp_path / "a" / "1.wav", tone(200, 8000, 0.1))
    write(tmp_path / "b" / "2.wav", tone(300, 8000, 0.1))
    with zipfile.ZipFile(tmp_path / "both.zip", "w") as archive:
        for name in ("a/1.wav", "b/2.wav"):
            archive.write(tmp_path / name, name)
    assert opens(tmp_path / "both.zip").labels == ("a", "b")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "x.wav").write_bytes(b"nothing")
    (tmp_path / "bad" / "y.wav").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"^no sound in .* can be read \(x\.wav: this is no WAV file[^\n]*$"):
        opens(tmp_path / "bad")


@pytest.mark.parametrize(("ending", "told"), [("flac", {}), ("ogg", {}), ("mp3", {}), ("wav", {"subtype": "FLOAT"})])
def test_other_formats_are_read_where_the_package_is_there(tmp_path, ending, told):
    soundfile = pytest.importorskip("soundfile", reason="the sound extra is not installed")
    for number in range(2):
        soundfile.write(tmp_path / f"{number}.{ending}", tone(440, 16000, 0.5), 16000, **told)
    data = opens(tmp_path)
    made = values_of(data)[0, 0, 1600:6400]
    spectrum = np.abs(np.fft.rfft(made * np.hanning(len(made))))
    assert data.space.rate == 16000 and spectrum.argmax() == round(440 * len(made) / 16000)
    assert np.abs(made).max() == pytest.approx(0.5, abs=0.05)
    for broken in (tmp_path / f"0.{ending}").read_bytes()[:60], b"fLaC" + bytes(99), b"\xff\xfb" + bytes(300):
        (tmp_path / f"0.{ending}").write_bytes(broken)
        with pytest.raises(DataError, match=r"^[^\n]{1,200}$"):
            WaveSpace(16000, 500).read(broken)


def test_without_the_package_other_formats_are_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr("ganvas.spaces.sound_files._soundfile", lambda: None)
    for number in range(2):
        (tmp_path / f"{number}.flac").write_bytes(b"fLaC" + bytes(99))
    with pytest.raises(DataError, match=r'this sound needs the package soundfile: pip install "ganvas\[sound\]"\)$'):
        opens(tmp_path)


def test_old_options_mean_what_they_meant(tmp_path):
    source, options = WaveReader.example(tmp_path)
    assert opens(source, **options).options() == {"seconds": 0.008, "labels": "folders"}
