"""Networks of translation and of sounds: shapes, identity, and phase shuffle by hand."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import nn

from ganvas.networks.held import held
from ganvas.networks.spectra import (
    Grid,
    InverseTransform,
    SpectralGenerator,
    SpectrumDiscriminator,
    grid,
    log_spectra,
    moved,
    other,
    partners,
    windows,
)
from ganvas.networks.translation import Translator
from ganvas.networks.waves import WaveDiscriminator, WaveGenerator, ladder, shuffled


@pytest.mark.parametrize("size", [(8, 8), (13, 30), (64, 48)])
@pytest.mark.parametrize("shown", [(8, 8), (21, 16), (40, 64)])
def test_a_translator_takes_pictures_of_any_size(size: tuple[int, int], shown: tuple[int, int]) -> None:
    network = Translator(source=4, channels=3, size=size, width=4)
    made = network(torch.rand(2, 4, *shown) * 2 - 1)
    assert made.shape == (2, 3, *shown) and made.abs().max() <= 1


def test_a_residual_translator_starts_as_the_identity() -> None:
    source = torch.randn(2, 3, 17, 12)
    network = Translator(source=3, channels=3, size=(16, 16), width=4, residual=True)
    assert torch.equal(network(source), source)
    with pytest.raises(ValueError, match="1 channels must have as many, not 3"):
        Translator(source=1, channels=3, size=(16, 16), width=4, residual=True)


def test_a_translator_sees_far_and_passes_gradients_to_every_weight() -> None:
    network = Translator(source=1, channels=1, size=(32, 32), width=4)
    source = torch.rand(1, 1, 32, 32, requires_grad=True)
    network(source)[0, 0, 16, 16].backward()
    assert source.grad is not None and (source.grad != 0).float().mean() > 0.9
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for n, p in network.named_parameters() if "bias" not in n)


@pytest.mark.parametrize(
    ("size", "fold", "furthest"),
    [((8, 8), 1, 19), ((16, 20), 1, 43), ((64, 64), 1, 91), ((16, 16), 2, 39)],
)
def test_a_translator_sees_no_further_than_it_says(size: tuple[int, int], fold: int, furthest: int) -> None:
    """Found by gradients from every place within the coarsest pixel."""
    torch.manual_seed(0)
    network = Translator(source=1, channels=1, size=size, width=4, fold=fold).requires_grad_(False)
    source = torch.rand(1, 1, 224, 224)
    seeing = held(network, lambda own: own(source))
    torch.testing.assert_close(seeing(source), network(source), rtol=0, atol=1e-5)
    seen = []
    for place in range(104, 104 + network.multiple):
        given = source.clone().requires_grad_()
        seeing(given)[0, 0, place, place].backward()
        assert given.grad is not None
        seen.append(int((given.grad[0, 0].nonzero() - place).abs().max()))
    assert max(seen) == furthest == network.reach


def test_held_normalisations_stay_as_they_were_seen() -> None:
    torch.manual_seed(0)
    layers = nn.Sequential(nn.GroupNorm(2, 4), nn.Conv2d(4, 4, 1), nn.InstanceNorm2d(4), nn.GroupNorm(1, 4))
    layers[0].weight.data.uniform_(1, 2)
    layers[0].bias.data.uniform_(1, 2)
    seen, other = torch.randn(1, 4, 6, 6), 3 * torch.randn(1, 4, 5, 5) + 1
    fixed = held(layers, lambda own: own(seen))
    torch.testing.assert_close(fixed(seen), layers(seen), rtol=0, atol=1e-5)
    assert not torch.allclose(fixed(other), layers(other), atol=0.1)
    assert fixed[1].weight is layers[1].weight and isinstance(layers[0], nn.GroupNorm)
    # One group by hand: channels 0 and 1.
    part = seen[0, :2]
    by_hand = (other[0, 0] - part.mean()) / (part.var(correction=0) + 1e-5).sqrt()
    wanted = by_hand * layers[0].weight[0] + layers[0].bias[0]
    torch.testing.assert_close(fixed[0](other)[0, 0], wanted, rtol=0, atol=1e-5)
    plain = nn.Sequential(nn.Conv2d(4, 4, 1))
    assert held(plain, lambda own: own(seen)) is plain


@pytest.mark.parametrize(
    ("length", "base", "steps"), [(16384, 16, 5), (8192, 8, 5), (8000, 8, 5), (16, 16, 0), (100, 7, 2)]
)
def test_the_ladder_reaches_the_length(length: int, base: int, steps: int) -> None:
    found = ladder(length)
    assert (found.base, found.steps) == (base, steps) and found.made >= length > found.made - 4**steps
    waves = WaveGenerator(latent=5, channels=2, length=length, width=1)(torch.randn(3, 5))
    assert waves.shape == (3, 2, length)
    assert WaveDiscriminator(channels=2, length=length, width=1)(waves).shape == (3,)


def test_wavegan_has_the_layers_of_its_tables() -> None:
    """Tables 3 and 4 of the paper for 16,384 samples and d = 2: 16 samples of 16 d maps, then 8 d, 4 d, 2 d, d, 1."""
    generator = WaveGenerator(latent=100, channels=1, length=16384, width=2)
    judge = WaveDiscriminator(channels=1, length=16384, width=2)
    made = [tuple(each.weight.shape) for each in generator.layers if isinstance(each, torch.nn.ConvTranspose1d)]
    assert generator.project.weight.shape == (16 * 32, 100)
    assert made == [(32, 16, 25), (16, 8, 25), (8, 4, 25), (4, 2, 25), (2, 1, 25)]
    assert [tuple(each.weight.shape) for each in judge.layers] == [
        (n, m, 25) for m, n in pairwise((1, 2, 4, 8, 16, 32))
    ]
    assert judge.head.weight.shape == (1, 16 * 32)


def test_labels_reach_both_networks() -> None:
    generator = WaveGenerator(latent=4, channels=1, length=64, width=2, classes=3)
    discriminator = WaveDiscriminator(channels=1, length=64, width=2, classes=3).eval()
    latent, labels = torch.randn(1, 4).expand(2, 4), torch.tensor([0, 2])
    one, other = generator(latent, labels)
    assert not torch.allclose(one, other)
    first, second = discriminator(torch.stack([one, one]), labels)
    assert not torch.isclose(first, second)


def test_phase_shuffle_moves_each_sound_and_reflects_at_its_ends() -> None:
    maps = torch.arange(6.0).repeat(40, 2, 1)
    torch.manual_seed(0)
    moved = shuffled(maps, 2)
    allowed = {
        (2, 1, 0, 1, 2, 3), (1, 0, 1, 2, 3, 4), (0, 1, 2, 3, 4, 5), (1, 2, 3, 4, 5, 4), (2, 3, 4, 5, 4, 3)
    }  # fmt: skip
    seen = {tuple(int(v) for v in sound[0]) for sound in moved}
    assert seen == allowed and torch.equal(moved[:, 0], moved[:, 1])


@pytest.mark.parametrize("size", [8, 32, 256])
def test_the_inverse_transform_is_pytorchs(size: int) -> None:
    torch.manual_seed(0)
    real, imaginary = torch.randn(2, 3, 1, 9, size // 2 + 1)
    made = InverseTransform(Grid(size, size // 2))(real, imaginary)
    spectra = torch.complex(real, imaginary)[:, 0].transpose(1, 2)
    wanted = torch.istft(spectra, size, size // 2, window=torch.hann_window(size))
    assert made.shape == (3, 1, 8 * size // 2) and torch.allclose(made[:, 0], wanted, atol=1e-5)


@pytest.mark.parametrize(
    ("rate", "samples", "channels"), [(8000, 8192, 1), (44100, 5000, 2), (16000, 64, 1), (8000, 16, 1), (1000, 1001, 1)]
)
def test_a_generator_of_spectra_makes_any_length(rate: int, samples: int, channels: int) -> None:
    network = SpectralGenerator(latent=3, channels=channels, samples=samples, rate=rate, width=4, classes=2)
    waves = network(torch.randn(2, 3), torch.tensor([0, 1]))
    assert waves.shape == (2, channels, samples) and bool(waves.isfinite().all())
    made = grid(rate, samples)
    for seen in (made, other(made)):
        spectra = log_spectra(waves, seen)
        assert spectra.shape == (2, channels * seen.bins, 1 + samples // seen.hop)
        judge = SpectrumDiscriminator(bins=spectra.shape[1], frames=spectra.shape[2], width=4, classes=2)
        logits, read = judge.judged(spectra, torch.tensor([0, 1]), torch.tensor([1, 0]))
        assert logits.shape == (2,) and read is not None and read.shape == (2, 2)
    assert windows(waves, made).shape == (2, channels * made.size, 1 + samples // made.hop)


def test_grids_follow_the_rate() -> None:
    assert (grid(8000, 8192), other(grid(8000, 8192))) == (Grid(256, 128), Grid(64, 48))
    assert grid(44100, 65536) == Grid(1024, 512) and grid(8000, 64) == Grid(32, 16)


def test_log_spectra_of_a_tone_by_hand() -> None:
    """A sine of amplitude 0.5 in the middle of a bin: a quarter of the window's sum, 128, is 32."""
    tone = 0.5 * torch.sin(2 * torch.pi * 1000 * torch.arange(1024) / 8000)
    spectra = log_spectra(tone.reshape(1, 1, -1), Grid(256, 128))[0, :, 4].exp()
    assert spectra.argmax() == 32 and spectra[32] == pytest.approx(32.05, abs=0.01)
    assert spectra[60:].max() == pytest.approx(0.05, abs=1e-3)


def test_partners_are_the_next_of_the_label() -> None:
    labels = torch.tensor([0, 1, 0, 2, 0, 1])
    assert partners(6, labels, labels.device).tolist() == [2, 5, 4, 3, 0, 1]
    assert partners(3, None, labels.device).tolist() == [1, 2, 0]


def test_equal_sounds_of_a_label_are_told_by_their_distance() -> None:
    judge = SpectrumDiscriminator(bins=3, frames=9, width=4)
    spectra = torch.randn(1, 3, 9).expand(2, 3, 9)
    alike = judge(spectra, None, torch.tensor([1, 0]))
    apart = judge(torch.cat([spectra[:1], spectra[1:] + 1]), None, torch.tensor([1, 0]))
    assert torch.equal(alike[0], alike[1]) and not torch.isclose(alike[0], apart[0])


def test_sounds_are_moved_each_by_its_own_and_silence_comes_in() -> None:
    torch.manual_seed(0)
    sounds = torch.arange(1.0, 7).expand(60, 2, 6)
    seen = {tuple(each[0].int().tolist()) for each in moved(sounds, 1)}
    assert seen == {(0, 1, 2, 3, 4, 5), (1, 2, 3, 4, 5, 6), (2, 3, 4, 5, 6, 0)}
    assert moved(sounds, 0) is sounds
