"""Networks of translation and of sounds: shapes, identity, and phase shuffle by hand."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import nn

from ganvas.networks.convolution import ConvTranspose2d
from ganvas.networks.doubling import Doubling
from ganvas.networks.held import held
from ganvas.networks.projected import Mixed, ScaleJudges, grounded
from ganvas.networks.skipping import Excitation, SkippingGenerator
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


@pytest.mark.parametrize("size", [(8, 8), (28, 28), (33, 20), (64, 96)])
@pytest.mark.parametrize(("channels", "classes"), [(1, 0), (3, 4)])
def test_a_skipping_generator_makes_any_size(size: tuple[int, int], channels: int, classes: int) -> None:
    made = SkippingGenerator(latent=6, channels=channels, size=size, width=2, classes=classes)
    label = torch.arange(3) if classes else None
    images = made(torch.randn(3, 6), label)
    assert images.shape == (3, channels, *size)
    images.square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in made.parameters() if p.ndim > 1)


def test_coarse_maps_gate_those_that_are_four_doublings_finer() -> None:
    """At 256 pixels those of 4, 8 and 16 gate those of 64, 128 and 256 (Liu et al. 2021, figure 4)."""
    made = SkippingGenerator(latent=4, channels=1, size=(256, 256), width=1).eval()
    assert [gate.gather.in_channels for gate in made.gates] == [8, 8, 8] and made.apart == 4
    assert [gate.gather.out_channels for gate in made.gates] == [4, 2, 1]
    closed = made.gates[-1].decide
    nn.init.zeros_(closed.weight)
    nn.init.constant_(closed.bias, -1e9)  # the finest map is multiplied by 0, and the last layer's bias is left
    image = made(torch.randn(2, 4))
    assert image.std() < 1e-6


def test_mixing_is_fixed_never_trained_and_goes_from_deep_to_shallow() -> None:
    torch.manual_seed(1)
    one = Mixed("lite0", size=(24, 40), view=48, width=4)
    torch.manual_seed(2)
    other = Mixed("lite0", size=(24, 40), view=48, width=4)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    assert not any(parameter.requires_grad for parameter in one.parameters())
    assert one.size == (64, 96) and one.sizes == [(16, 24), (8, 12), (4, 6), (2, 3)]
    images = torch.rand(2, 3, 24, 40, requires_grad=True)
    maps = one(images)
    assert [tuple(each.shape[1:]) for each in maps] == [(4, 16, 24), (8, 8, 12), (16, 4, 6), (32, 2, 3)]
    maps[0].sum().backward()
    assert images.grad is not None and images.grad.abs().sum() > 0
    nn.init.zeros_(other.across[3].weight)  # the deepest map says nothing now
    changed = other(images)
    assert all(not torch.allclose(a, b) for a, b in zip(maps, changed, strict=True))


def test_an_excitation_is_its_formula() -> None:
    """sigmoid(1x1 convolution(LeakyReLU(4x4 convolution(means of 4x4 parts)))), Liu et al. 2021, eq. 2."""
    gate = Excitation(3, 2)
    coarse = torch.randn(5, 3, 8, 12)
    parts = coarse.reshape(5, 3, 4, 2, 4, 3).mean((3, 5)).double()
    weight, bias = gate.gather.weight.double(), gate.gather.bias.double()
    gathered = torch.einsum("bchw,ochw->bo", parts, weight) + bias
    gathered = torch.where(gathered > 0, gathered, 0.1 * gathered)
    decided = gathered @ gate.decide.weight.double().flatten(1).T + gate.decide.bias.double()
    expected = 1 / (1 + torch.exp(-decided))
    torch.testing.assert_close(gate(coarse), expected.float()[:, :, None, None])


def test_rgba_is_seen_on_a_ground_of_one_colour() -> None:
    torch.manual_seed(0)
    images = torch.rand(4, 4, 6, 6) * 2 - 1
    images[:, 3, 0], images[:, 3, 1], images[:, 3, 2] = 1, -1, 0
    seen = grounded(images)
    torch.testing.assert_close(seen[:, :, 0], images[:, :3, 0])  # opaque
    ground = seen[:, :, 1]
    assert torch.equal(ground, ground[..., :1].expand_as(ground)) and ground.std(0).min() > 0.1  # its own for each
    torch.testing.assert_close(seen[:, :, 2], (images[:, :3, 2] + ground) / 2)
    features = Mixed("lite0", size=(32, 32), view=32, width=2)
    assert [each.shape[1] for each in features(torch.rand(2, 4, 32, 32))] == [2, 4, 8, 16]


def test_maps_in_one_row_come_apart_again() -> None:
    features = Mixed("lite0", size=(33, 40), view=32, width=2)
    maps = features(torch.rand(3, 3, 33, 40))
    parted = features.parted(torch.cat([each.flatten(1) for each in maps], 1))
    assert all(torch.equal(a, b) for a, b in zip(maps, parted, strict=True))


def test_judges_of_all_scales_say_something_of_about_sixteen_places() -> None:
    features = Mixed("lite0", size=(64, 64), view=32, width=4)
    judges = ScaleJudges(features, width=8, classes=3)
    images = torch.rand(2, 1, 64, 64)
    said = judges(features(images), torch.tensor([0, 1]))
    assert [tuple(each.shape) for each in said] == [(2, 16), (2, 16), (2, 16), (2, 4)]
    others = judges(features(images), torch.tensor([0, 2]))
    assert torch.equal(said[0][0], others[0][0]) and not torch.allclose(said[0][1], others[0][1])


def test_even_doubling_is_each_pixel_four_times_and_a_convolution_and_leaves_what_is_plain_plain():
    torch.manual_seed(0)
    layer, like = Doubling(3, 5).double(), nn.Conv2d(3, 5, 3, padding=1).double()
    like.load_state_dict(layer.state_dict())
    x = torch.randn(2, 3, 6, 9, dtype=torch.float64)
    got = []
    for double in (layer, lambda x: like(torch.nn.functional.interpolate(x, scale_factor=2))):
        values = x.clone().requires_grad_(True)
        made = double(values)
        (gradient,) = torch.autograd.grad(made.pow(3).sum(), values, create_graph=True)
        module = layer if double is layer else like
        weights = torch.autograd.grad(made.square().sum() + gradient.square().sum(), [module.weight, module.bias])
        got.append([made, gradient, *weights])
    for mine, reference in zip(*got, strict=True):
        torch.testing.assert_close(mine, reference, rtol=1e-10, atol=1e-10)
    plain = layer(torch.ones(1, 3, 6, 6, dtype=torch.float64))[..., 2:-2, 2:-2]
    assert (plain - plain[..., :1, :1]).abs().max() < 1e-12
    woven = ConvTranspose2d(3, 5, 4, 2, 1)(torch.ones(1, 3, 6, 6))[..., 2:-2, 2:-2]
    assert (woven - woven[..., :1, :1]).abs().max() > 0.05
