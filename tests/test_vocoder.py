"""The vocoder: its transforms are exact, long sounds have no seams, files of all kinds are translated, and it is judged
beside Griffin-Lim."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

import ganvas
from ganvas import recipes
from ganvas.cli import main
from ganvas.data.batches import SoundPairs, Waves
from ganvas.data.opening import open_data
from ganvas.data.sound_pairs import lowered
from ganvas.errors import UsageError
from ganvas.exporting.graph import largest_difference, onnx_bytes
from ganvas.metrics.evaluate import evaluate
from ganvas.metrics.native import native
from ganvas.metrics.quantities import wasserstein
from ganvas.model import Model
from ganvas.networks.spectra import Grid, InverseTransform, Mel, Transform, griffin_lim
from ganvas.spaces import WaveSpace

SMALL = {"width": 8, "blocks": 1, "d_width": 1, "bands": 16, "turns": 1}


def wav(values: np.ndarray, rate: int) -> bytes:
    """(frames, channels) in [-1, 1] as a WAV file."""
    return WaveSpace(rate, len(values), values.shape[1]).file(torch.from_numpy(values.T.astype(np.float32))[None])


def tone(pitch: float, samples: int, loud: float = 0.5, rate: int = 8000) -> np.ndarray:
    return loud * np.sin(2 * np.pi * pitch * np.arange(samples) / rate)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 tones of 0.1 s and of several pitches."""
    place = tmp_path_factory.mktemp("tones")
    for number in range(60):
        (place / f"{number}.wav").write_bytes(wav(tone(150 + 5 * number, 800)[:, None], 8000))
    return place


@pytest.fixture(scope="module")
def run(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "vocoder"
    ganvas.train("vocoder", data=folder, steps=2, batch_size=4, out=out, **SMALL)
    return out


def model_of(turns: int = 2, low_rate: int = 0) -> Model:
    torch.manual_seed(0)
    arguments = SMALL | {"turns": turns, "samples": 4096, "rate": 8000, "low_rate": low_rate}
    recipe = recipes.find("vocoder")(**arguments).eval().requires_grad_(False)
    return Model(recipe, WaveSpace(8000, 4096), recipe.inputs(), 7)


# -- what it is made of ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "hop"), [(64, 16), (64, 32), (256, 64)])
def test_spectra_become_the_sound_that_they_are_of(size: int, hop: int) -> None:
    torch.manual_seed(0)
    transform, inverse = Transform(Grid(size, hop)), InverseTransform(Grid(size, hop))
    waves = torch.randn(2, 1, 777)
    real, imaginary = transform(waves).chunk(2, dim=1)
    assert torch.allclose(inverse.of(transform, real, imaginary)[:, :, :777], waves, atol=1e-5)


def test_a_sine_of_full_amplitude_is_loud_by_one_where_it_lies() -> None:
    waves = torch.from_numpy(tone(1000, 4000, loud=1.0)).float().reshape(1, 1, -1)
    magnitude = Transform(Grid(256, 64)).magnitude(waves)[0, :, 20]
    assert magnitude.argmax() == 32 and magnitude[32] == pytest.approx(1, abs=1e-3)
    mel = Mel(Grid(256, 64), 8000, 40)
    assert float(mel(waves)[0, :, 20].max()) == pytest.approx(0, abs=0.1)
    assert float(mel(torch.zeros(1, 1, 500)).max()) == pytest.approx(math.log(1e-4))


def test_griffin_lim_makes_a_sound_that_has_the_mel_spectrogram() -> None:
    torch.manual_seed(0)
    waves = torch.from_numpy(tone(400, 4000)).float().reshape(1, 1, -1) + 0.05 * torch.randn(1, 1, 4000)
    mel = Mel(Grid(256, 64), 8000, 40)
    wanted = mel(waves)
    apart = [float((mel(griffin_lim(mel, wanted, 4000, turns)) - wanted).abs().mean()) for turns in (0, 32)]
    assert apart[1] < 0.5 * apart[0]
    assert float((mel.of(mel.magnitude(wanted)) - wanted).abs().mean()) < 0.05


def test_a_lower_rate_leaves_low_tones_and_takes_high_ones() -> None:
    sounds = [(tone(pitch, 4000) * 32768).astype(np.int16) for pitch in (500, 3000)]
    low, high = (lowered(each, 8000, 4000).astype(float) for each in sounds)
    assert np.abs(low - sounds[0])[100:-100].max() < 40 and np.abs(high)[100:-100].max() < 40


def test_pairs_are_the_sound_and_what_is_given_of_it(folder: Path) -> None:
    same = open_data(folder, SoundPairs, progress=False)
    batch = same.split("train").gather(np.arange(3))
    assert torch.equal(batch.wave, batch.source) and same.facts()["low_rate"] == 0
    poor = open_data(folder, SoundPairs, progress=False, low_rate=2000, crops="random", seconds=0.05)
    assert poor.facts()["low_rate"] == 2000 and list(poor.columns) == ["wave", "source"]
    seeded = [poor.split("train").gather(np.arange(4), seeds=[(s, i) for i in range(4)]) for s in (0, 0, 1)]
    assert torch.equal(seeded[0].source, seeded[1].source) and not torch.equal(seeded[0].wave, seeded[2].wave)
    assert seeded[0].source.shape == seeded[0].wave.shape == (4, 1, 400)
    with pytest.raises(UsageError, match="--low-rate must be below the sounds' own 8,000 Hz, not 8,000"):
        open_data(folder, SoundPairs, progress=False, low_rate=8000)


def test_low_frequencies_that_are_given_stay() -> None:
    model = model_of(low_rate=4000)
    waves = torch.from_numpy(tone(500, 4096)).float().reshape(1, 1, -1)
    made = model.transform(waves)
    spectra = [torch.fft.rfft(each[0, 0, 512:3584]).abs() for each in (waves, made)]
    place = int(spectra[0].argmax())
    assert float(spectra[1][place]) == pytest.approx(float(spectra[0][place]), rel=0.01)


def test_turns_of_a_graph_share_their_constants() -> None:
    pytest.importorskip("onnxruntime")
    graphs = [onnx_bytes(model_of(turns), "vocoder") for turns in (1, 6)]
    assert len(graphs[1]) < 1.3 * len(graphs[0])
    assert largest_difference(model_of(1), graphs[0]) <= 1e-4


# -- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("turns", [0, 3])
def test_a_long_sound_is_made_in_pieces_without_seams(turns: int) -> None:
    model = model_of(turns)
    torch.manual_seed(1)
    waves = 0.3 * torch.randn(1, 1, 30_001)
    ticks: list[int] = []
    made = model.transform(waves, tick=lambda: ticks.append(1))
    assert len(ticks) > 2 and made.shape == waves.shape
    assert torch.allclose(made, model.recipe.generate(source=waves), atol=1e-4)


def test_files_of_any_length_rate_and_channels_are_translated(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = tmp_path / "given"
    given.mkdir()
    both = np.stack([tone(300, 22050, rate=22050), np.zeros(22050)], axis=1)
    (given / "stereo.wav").write_bytes(wav(both, 22050))
    (given / "silence.wav").write_bytes(wav(np.zeros((500, 1)), 8000))
    (given / "short.wav").write_bytes(wav(np.full((3, 1), 0.1), 8000))
    (given / "six.wav").write_bytes(wav(np.full((100, 6), 0.1), 8000))
    (given / "broken.wav").write_bytes(b"RIFF1234WAVEfmt xx")
    with pytest.raises(SystemExit) as ended:
        main(["translate", str(run), str(given), "--out", str(tmp_path / "made"), "--quiet"])
    assert ended.value.code == 2
    (told,) = [line for line in capsys.readouterr().err.splitlines() if "broken" in line]
    assert "this is no WAV file" in told
    read = {path.stem: WaveSpace(8000, -1).layers(path.read_bytes()) for path in (tmp_path / "made").iterdir()}
    lengths = {name: tuple(each.shape) for name, each in read.items()}
    assert lengths == {"stereo": (2, 1, 8000), "silence": (1, 1, 500), "short": (1, 1, 3), "six": (6, 1, 100)}
    alone = ganvas.load(run).transform(WaveSpace(8000, -1).layers((given / "stereo.wav").read_bytes())[:1])
    assert torch.allclose(read["stereo"][:1], alone, atol=1e-4)
    with pytest.raises(SystemExit) as ended:
        main(["translate", str(run), str(given / "silence.wav"), "--out", str(tmp_path / "made.wav")])
    assert not ended.value.code
    assert capsys.readouterr().out.endswith("made.wav; nothing is to be heard in it\n")


# -- judging ---------------------------------------------------------------------------------------------------------


def test_loudness_and_pitch_of_tones() -> None:
    space = WaveSpace(8000, 8000)
    tones = np.stack([tone(110, 8000), tone(440, 8000, 0.05)])[:, None]
    told = space.quantities(torch.from_numpy(tones).float())
    assert told["pitch"].nanmean(1).tolist() == pytest.approx([12, 36], abs=0.01)
    assert told["loudness"].mean(1).tolist() == pytest.approx([-6.02, -26.02], abs=0.05)
    torch.manual_seed(0)
    assert space.quantities(0.3 * torch.randn(1, 1, 8000))["pitch"].isnan().all()
    assert space.quantities(torch.zeros(1, 1, 8000))["loudness"].eq(-60).all()


def test_distances_of_distributions_are_in_their_unit() -> None:
    torch.manual_seed(0)
    real = torch.randn(200, 30)
    value, (low, high) = wasserstein(real, real + 2)
    assert value == pytest.approx(2, abs=0.02) and low < 2 < high and high - low < 0.2
    assert wasserstein(real, real)[0] == 0
    some = real.masked_fill(real > 0, math.nan)
    assert wasserstein(some, some - 1)[0] == pytest.approx(1, abs=0.02)
    assert math.isnan(wasserstein(real, torch.full((2, 3), math.nan))[0])


def test_mel_distance_is_in_decibels() -> None:
    space = WaveSpace(8000, 4000)
    torch.manual_seed(0)
    waves = 0.2 * torch.randn(2, 1, 4000)
    assert space.apart(waves, waves).eq(0).all()
    assert space.apart(waves, 2 * waves).tolist() == pytest.approx([6.02, 6.02], abs=0.01)


def test_it_is_judged_beside_griffin_lim(run: Path) -> None:
    report = evaluate(run, split="validation+test+train", progress=False)
    told = report.scores["mel distance[dB]"]
    assert set(told.more["beside"]) == {"floor", "Griffin-Lim"} and told.more["beside"]["floor"]["value"] == 0
    assert 0 < told.more["beside"]["Griffin-Lim"]["value"] < told.value
    assert {"loudness[dB]", "pitch[semitones]"} < set(report.scores)


def test_a_classifier_reads_sounds_and_hears_no_silence(tmp_path: Path) -> None:
    for number in range(600):
        pitch = 300 + number // 4 + 2000 * (number % 2)
        path = tmp_path / ("high" if number % 2 else "low") / f"{number}.wav"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(wav(tone(pitch, 400)[:, None], 8000))
    data = open_data(tmp_path, Waves, progress=False)
    judge = native(data, progress=False)
    assert judge.accuracy == 1 and judge is not native(data, progress=False)
    assert native(data, progress=False).weights_hash == judge.weights_hash
    silent = torch.zeros(1, 1, 1024)
    faint, loud = 2e-4 * torch.randn(1, 1, 1024), torch.from_numpy(tone(400, 1024)).float().reshape(1, 1, -1)
    noisy = data.space.levels(data.space.encode(silent))
    assert noisy.shape == (1, 1, 64, 9) and noisy.float().mean() > 10  # what lies there is heard above the quietest
    heard = [judge(data.space.encode(each)).features for each in (silent, faint, loud)]
    assert torch.dist(heard[0], heard[1]) < 0.05 * torch.dist(heard[0], heard[2])
    report = evaluate(tmp_path, data, extractor="native", metrics=["accuracy", "fid"], progress=False)
    assert report.scores["accuracy[native]"].value == 1 and report.scores["FID[native]"].value < 1e-3


def test_samples_of_sounds_are_told_apart_by_pitch(folder: Path, tmp_path: Path) -> None:
    for number in range(50):
        (tmp_path / f"{number}.wav").write_bytes(wav(tone(2 * (150 + 5 * number), 800)[:, None], 8000))
    report = evaluate(tmp_path, folder, metrics=["loudness", "pitch"], progress=False)
    assert report.scores["loudness[dB]"].value < 0.2
    assert report.scores["pitch[semitones]"].value > 3
    assert report.scores["pitch[semitones]"].more["beside"]["floor"]["value"] < 3


def test_the_server_makes_sounds_of_sounds() -> None:
    pytest.importorskip("fastapi")
    pytest.importorskip("python_multipart")
    from test_serve_given import client_of

    model = model_of()
    given = wav(tone(500, 3001)[:, None], 8000)
    with client_of(model) as client:
        answer = client.post("/v1/transform", files={"source": ("a.wav", given)}, data={"seed": 0})
        assert answer.status_code == 200 and answer.headers["content-type"] == "audio/wav"
        wanted = model.transform(given)
        assert torch.allclose(WaveSpace(8000, -1).read(answer.content), wanted, atol=1e-4)
        refused = client.post("/v1/transform", files={"source": ("a.wav", b"RIFF no")})
        assert refused.status_code == 422 and "no WAV file" in refused.text
