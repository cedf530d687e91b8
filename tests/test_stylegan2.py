"""stylegan2 and its pieces, against float64 NumPy, closed forms and autograd by hand."""

from __future__ import annotations

import functools
import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ganvas.data.batches import Images
from ganvas.inputs import Shift
from ganvas.model.latent import closed_form_directions, moved
from ganvas.model.trained import Model
from ganvas.networks.equalised import EqualisedConv2d, EqualisedLinear
from ganvas.networks.resampling import doubled, halved
from ganvas.networks.running_mean import RunningMean
from ganvas.networks.style import GAIN, ModulatedConv2d, StyleDiscriminator, StyleGenerator
from ganvas.penalties import path_lengths, path_weight
from ganvas.recipe import Progress, Results
from ganvas.recipes.stylegan2 import StyleGAN2
from ganvas.spaces import ImageSpace

SMALL: dict[str, Any] = {"channels": 3, "size": (8, 8), "latent": 16, "width": 8, "widest": 16}


def made(**arguments: Any) -> StyleGAN2:
    torch.manual_seed(0)
    return StyleGAN2(**SMALL | arguments)


def louder(generator: StyleGenerator) -> None:
    """Noise that is seen, and a mean of w: both begin at 0."""
    for convolution in generator.synthesis.convolutions:
        nn.init.constant_(convolution.strength, 0.5)
    generator.mean.follow(torch.randn(64, 16), torch.arange(64) % len(generator.mean.value))


def images_of(recipe: StyleGAN2, count: int = 4) -> Images:
    classes = recipe.images.classes
    label = torch.arange(count) % classes if classes else None
    return Images(torch.rand(count, 3, *recipe.images.size) * 2 - 1, label)


# -- modulated convolutions --


def test_modulation_equals_weights_that_are_scaled_for_each_sample() -> None:
    """Karras et al. 2020, eq. 1 and 3, by loops in float64."""
    torch.manual_seed(0)
    layer = ModulatedConv2d(5, 4, 6, gain=1.5)
    x, w = torch.randn(3, 5, 4, 6), torch.randn(3, 6)
    maps, factors = layer(x, w)
    style = layer.style(w).detach().double().numpy()
    weight = layer.weight.detach().double().numpy() / math.sqrt(5 * 9)
    padded = np.pad(x.double().numpy(), ((0, 0), (0, 0), (1, 1), (1, 1)))
    wanted = np.zeros((3, 4, 4, 6))
    for sample in range(3):
        scaled = weight * style[sample][None, :, None, None]
        scaled /= np.sqrt((scaled**2).sum((1, 2, 3), keepdims=True) + 1e-8)
        for row, column in itertools.product(range(4), range(6)):
            window = padded[sample, :, row : row + 3, column : column + 3]
            wanted[sample, :, row, column] = 1.5 * (scaled * window).sum((1, 2, 3))
    np.testing.assert_allclose((maps * factors).detach().numpy(), wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("loudness", [0.1, 1.0, 30.0])
def test_demodulation_gives_unit_variance(loudness: float) -> None:
    """Of independent inputs of unit variance, whatever the style: the mean square of each map is 1 but for sampling."""
    torch.manual_seed(0)
    layer = ModulatedConv2d(16, 8, 4)
    maps, factors = layer(torch.randn(8, 16, 66, 66), loudness * torch.randn(8, 4))
    inside = (maps * factors)[:, :, 1:-1, 1:-1]
    assert (inside.square().mean((2, 3)) - 1).abs().max() < 0.15
    assert inside.square().mean().item() == pytest.approx(1, abs=0.02)


# -- equalised learning rates --


def test_an_equalised_layer_is_a_plain_one_with_hes_constant() -> None:
    torch.manual_seed(0)
    linear = EqualisedLinear(400, 300, multiplier=0.01, gain=GAIN, bias=1.0)
    used = linear.weight.detach().double() * 0.01 * math.sqrt(2 / 400)
    assert used.std().item() == pytest.approx(math.sqrt(2 / 400), rel=0.02)
    x = torch.randn(7, 400)
    torch.testing.assert_close(linear(x).double(), x.double() @ used.t() + 1, rtol=1e-4, atol=1e-5)
    convolution = EqualisedConv2d(50, 40, 3)
    plain = nn.functional.conv2d(x[:, :50, None, None], convolution.weight / math.sqrt(50 * 9), padding=1)
    torch.testing.assert_close(convolution(x[:, :50, None, None]), plain)


@pytest.mark.parametrize("multiplier", [1.0, 0.01])
def test_equalised_rates(multiplier: float) -> None:
    """A step of Adam moves each weight by the rate, so beside their size weights of all layers move alike: by the rate
    times the multiplier."""
    for inputs in (4, 1000):
        layer = EqualisedLinear(inputs, 3, multiplier=multiplier)
        before, bias = layer.weight.detach().clone(), layer.bias.detach().clone()
        adam = torch.optim.Adam(layer.parameters(), lr=2e-3, betas=(0.0, 0.99))
        layer(torch.randn(5, inputs)).square().sum().backward()
        adam.step()
        size = 1 / math.sqrt(inputs)  # of what is used at the start
        moved = (layer.weight.detach() - before).abs() * layer.scale / size
        torch.testing.assert_close(moved, torch.full_like(moved, 2e-3 * multiplier), rtol=5e-2, atol=0)
        torch.testing.assert_close(
            ((layer.bias.detach() - bias) * multiplier).abs(), torch.full((3,), 2e-3 * multiplier), rtol=1e-2, atol=0
        )


def test_the_mapping_network_learns_at_a_hundredth() -> None:
    assert {each.multiplier for each in made().generator.mapping.layers} == {0.01}


# -- resampling --


def filtered(x: np.ndarray, axis: int) -> np.ndarray:
    """[1, 3, 3, 1] / 8 and every second value, of what goes on beyond its border as the border is."""
    pads = [(1, 1) if each == axis else (0, 0) for each in range(x.ndim)]
    long = np.moveaxis(np.pad(x, pads, mode="edge"), axis, 0)
    short = (long[:-3:2] + 3 * long[1:-2:2] + 3 * long[2:-1:2] + long[3::2]) / 8
    return np.moveaxis(short, 0, axis)


def test_halving_is_the_low_pass_filter() -> None:
    x = torch.randn(2, 3, 8, 12)
    wanted = filtered(filtered(x.double().numpy(), 2), 3)
    np.testing.assert_allclose(halved(x).numpy(), wanted, rtol=1e-4, atol=1e-6)


def test_doubling_is_the_filter_on_zeros_between_the_pixels() -> None:
    x = torch.randn(1, 1, 5, 6).double()
    wide = nn.functional.pad(x, (1, 1, 1, 1), mode="replicate")
    spread = torch.zeros(1, 1, 14, 16).double()
    spread[:, :, ::2, ::2] = wide
    kernel = torch.tensor([1.0, 3.0, 3.0, 1.0]).double() / 4
    kernel = (kernel[:, None] * kernel)[None, None]
    wanted = nn.functional.conv2d(nn.functional.pad(spread, (1, 1, 1, 1)), kernel)[:, :, 1:11, 1:13]
    torch.testing.assert_close(doubled(x), wanted)


def test_halving_has_first_and_second_derivatives() -> None:
    x = torch.randn(1, 2, 4, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda each: halved(each).pow(3), x)
    assert torch.autograd.gradgradcheck(lambda each: halved(each).pow(3), x)


# -- running means --


def test_a_running_mean_is_plain_at_first_and_then_exponential() -> None:
    mean, values = RunningMean(2, 3, decay=0.75), torch.randn(9, 4, 3).double()
    rows = torch.tensor([0, 0, 1, 0])
    wanted = np.zeros((2, 3))
    for step, batch in enumerate(values):
        here = rows if step != 2 else torch.zeros(4, dtype=torch.int64)  # nothing of the second row
        mean.follow(batch, here)
        for row in range(2):
            own = batch[here == row].numpy()
            if len(own):
                seen = step if row == 0 or step < 3 else step - 1
                wanted[row] += (own.mean(0) - wanted[row]) / min(seen + 1, 4)
    np.testing.assert_allclose(mean.value.numpy(), wanted, rtol=1e-4, atol=1e-6)
    assert mean.seen.flatten().tolist() == [9, 8]


# -- the path length penalty --


def test_path_lengths_of_a_linear_generator_are_in_closed_form() -> None:
    """Images A w have the Jacobian A for each w: |A' y|, whose mean square is |A|^2 / (H W)."""
    torch.manual_seed(0)
    matrix = torch.randn(3 * 4 * 6, 5)
    w = torch.randn(4000, 5, requires_grad=True)
    images = (w @ matrix.t()).unflatten(1, (3, 4, 6))
    torch.manual_seed(1)
    lengths = path_lengths(images, w)
    torch.manual_seed(1)
    y = torch.randn_like(images).double().flatten(1).numpy() / math.sqrt(4 * 6)
    np.testing.assert_allclose(lengths.detach().numpy(), np.linalg.norm(y @ matrix.double().numpy(), axis=1), rtol=1e-4)
    assert lengths.square().mean().item() == pytest.approx(matrix.square().sum().item() / 24, rel=0.05)


def test_path_lengths_train_the_generator() -> None:
    """Images a w of one pixel: the length is |a y|, and the derivative of its square by a is 2 a y^2."""
    a, w = torch.tensor(3.0, requires_grad=True), torch.ones(1, 1, requires_grad=True)
    torch.manual_seed(1)
    path_lengths((a * w)[:, :, None, None], w).square().sum().backward()
    torch.manual_seed(1)
    y = torch.randn(1, 1, 1, 1).item()
    assert a.grad is not None and a.grad.item() == pytest.approx(2 * 3 * y * y, rel=1e-5)


def test_the_weight_of_path_lengths_is_the_papers() -> None:
    """gamma = ln 2 / (r^2 (ln r - ln 2)) for lengths with y from N(0, 1), which are r times as large."""
    for side in (32, 256, 1024):
        papers = math.log(2) / (side**2 * (math.log(side) - math.log(2)))
        assert path_weight((side, side)) == pytest.approx(papers * side**2)
    assert path_weight((16, 64)) == path_weight((32, 32))


def test_the_penalty_is_the_distance_from_the_mean_length(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = made(path_length=3.0, path_every=4)
    lengths = torch.tensor([1.0, 5.0])
    monkeypatch.setattr("ganvas.recipes.stylegan2.path_lengths", lambda images, w: lengths[: len(images)])
    weight = 4 * 3 * path_weight((8, 8))
    first = recipe.path_losses(images_of(recipe))  # half of the batch of 4
    assert first.terms["path_length"].item() == pytest.approx(weight * 4)  # from their own mean, which is 3
    recipe.lengths_seen(Results(terms={}, kept=first.kept))
    assert recipe.path_mean.value.item() == 3
    recipe.path_mean.value.fill_(2.0)
    assert recipe.path_losses(images_of(recipe)).terms["path_length"].item() == pytest.approx(weight * (1 + 9) / 2)
    recipe.path_mean.seen.fill_(1000)
    recipe.lengths_seen(Results(terms={}, kept=first.kept))
    assert recipe.path_mean.value.item() == pytest.approx(0.99 * 2 + 0.01 * 3)


# -- lazy penalties --


def test_penalties_have_turns_of_their_own() -> None:
    recipe = made(r1_every=3, path_every=2)
    moves = []
    for step in range(6):
        turns = recipe.turns(Progress(step, 0, 0, 0.0), itertools.repeat(images_of(recipe)))
        moves.append([turn.losses.__name__.partition("_")[0] for turn in turns])  # type: ignore[attr-defined]
    usual = ["d", "g"]
    assert moves == [usual, ["d", "g", "path"], ["d", "r1", "g"], ["d", "g", "path"], usual, ["d", "r1", "g", "path"]]
    without = made(r1=0.0, path_length=0.0, r1_every=1, path_every=1)
    assert len(list(without.turns(Progress(0, 0, 0, 0.0), itertools.repeat(images_of(without))))) == 2


def test_adams_constants_make_up_for_more_turns() -> None:
    """Appendix B: c = k / (k + 1); the rate times c, decays to the power of c."""
    optimizers = made(r1_every=16, path_every=8, lr=1e-3, beta1=0.5, beta2=0.99).optimizers()
    for player, c in (("discriminator", 16 / 17), ("generator", 8 / 9)):
        (group,) = optimizers[player].param_groups
        assert group["lr"] == pytest.approx(1e-3 * c)
        assert group["betas"] == pytest.approx((0.5**c, 0.99**c))
    (group,) = made(r1=0.0, lr=1e-3, beta1=0.5, beta2=0.99).optimizers()["discriminator"].param_groups
    assert group["lr"] == 1e-3 and group["betas"] == (0.5, 0.99)


def test_r1_is_every_times_half_gamma_times_the_mean_square_gradient() -> None:
    recipe = made(r1=0.4, r1_every=16, classes=2)
    real = images_of(recipe)
    image = real.image.clone().requires_grad_()
    logits = recipe.discriminator(image, real.label)
    (gradient,) = torch.autograd.grad(logits.sum(), image)
    wanted = 16 * 0.4 / 2 * (gradient.double().numpy() ** 2).sum((1, 2, 3)).mean()
    assert recipe.r1_losses(real).terms["r1"].item() == pytest.approx(wanted, rel=1e-4)


# -- truncation, style mixing, noise, labels --


@functools.cache
def drawn(classes: int = 0) -> tuple[StyleGAN2, dict[str, Tensor]]:
    recipe = made(classes=classes).eval().requires_grad_(False)
    louder(recipe.generator)
    torch.manual_seed(3)
    return recipe, recipe.draw(6)


@pytest.mark.parametrize("classes", [0, 3])
def test_truncation_goes_to_the_mean_of_w(classes: int) -> None:
    recipe, inputs = drawn(classes)
    generator, label = recipe.generator, inputs.get("label")
    mean = generator.mean.value[0 if label is None else label]
    whole = generator.mapping(inputs["latent"], label)
    torch.testing.assert_close(generator.w(inputs["latent"], label), whole)
    for share in (0.7, 0.0):
        nearer = generator.w(inputs["latent"] * share, label)
        torch.testing.assert_close(nearer, mean + share * (whole - mean), rtol=1e-4, atol=1e-5)
    samples = recipe.generate(**recipe.draw(6, inputs, truncation=0.0))
    torch.testing.assert_close(samples[0], samples[3])  # of one class
    assert classes == 0 or not torch.allclose(samples[0], samples[1], atol=1e-3)


def test_coarse_layers_of_one_latent_and_fine_layers_of_another() -> None:
    recipe, inputs = drawn()
    layers = recipe.generator.synthesis.layers
    other = inputs | {"latent": inputs["latent"].flip(0), "fine": inputs["fine"].flip(0)}

    def mixture(of: dict[str, Tensor], crossover: float) -> Tensor:
        return recipe.generate(**of | {"crossover": torch.full((6,), crossover)})

    assert recipe.inputs()["crossover"].draw(2, torch.device("cpu")).tolist() == [layers, layers]
    assert layers == 3
    # All of the first, all of the second, and each half-way.
    assert torch.equal(mixture(inputs, layers), mixture(inputs | {"fine": other["fine"]}, layers))
    assert torch.equal(mixture(inputs, 0), mixture(inputs | {"latent": inputs["fine"]}, layers))
    assert not torch.equal(mixture(inputs, 1), mixture(inputs | {"fine": other["fine"]}, 1))
    assert not torch.equal(mixture(inputs, 1), mixture(inputs | {"latent": other["latent"]}, 1))


@pytest.mark.parametrize(("mixing", "least", "most"), [(0.0, 0, 0), (0.5, 60, 140), (1.0, 200, 200)])
def test_a_share_of_the_training_is_mixed(
    mixing: float, least: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = made(mixing=mixing)
    seen: list[Tensor] = []

    def keep(w: Tensor, fine: Tensor, crossover: Tensor) -> list[Tensor]:
        seen.append(crossover)
        return [w] * recipe.generator.synthesis.layers

    monkeypatch.setattr(recipe.generator, "mixed", keep)
    recipe.mixed(images_of(recipe, 200))
    (crossover,) = seen
    assert least <= int((crossover < 3).sum()) <= most and crossover.min() >= 1 and crossover.max() <= 3


def test_noise_is_an_input() -> None:
    """The same noise gives the same samples; other noise, other ones; and a map is seen where it lies."""
    recipe, inputs = drawn()
    assert recipe.generator.synthesis.noises == 4 * 4 + 8 * 8 * 2 == recipe.inputs()["noise"].shape[0]
    base = recipe.generate(**inputs)
    assert torch.equal(base, recipe.generate(**inputs))
    assert not torch.allclose(base, recipe.generate(**inputs | {"noise": inputs["noise"].flip(0)}), atol=1e-2)
    dotted = inputs["noise"].clone()
    dotted[:, -64 + 8 * 2 + 5] += 0.5  # of the last map, row 2 and column 5
    assert (recipe.generate(**inputs | {"noise": dotted}) - base).abs().sum((0, 1)).nonzero().tolist() == [[2, 5]]


def test_labels_reach_both_players() -> None:
    recipe, inputs = drawn(3)
    one = inputs | {"label": torch.zeros(6, dtype=torch.int64)}
    other = inputs | {"label": torch.ones(6, dtype=torch.int64)}
    images = recipe.generate(**one)
    assert (images - recipe.generate(**other)).abs().mean() > 0.01
    assert (
        recipe.discriminator(images, one["label"]) - recipe.discriminator(images, other["label"])
    ).abs().min() > 1e-4


def test_the_mean_of_w_follows_the_generators_turn() -> None:
    recipe = made(classes=2)
    real = images_of(recipe)
    losses = recipe.g_losses(real)
    assert recipe.generator.mean.seen.sum() == 0  # no loss changes state
    recipe.w_seen(Results(terms={}, kept={name: each.detach() for name, each in losses.kept.items()}))
    torch.testing.assert_close(recipe.generator.mean.value[1], losses.kept["w"].detach()[1::2].mean(0))
    assert recipe.generator.mean.seen.flatten().tolist() == [1, 1]
    without = made(classes=2, conditional=False)  # one mean, whatever labels the data has
    assert list(without.g_losses(real).kept) == ["w"]
    assert without.generator.mean.value.shape == (1, 16)


# -- sizes --


@pytest.mark.parametrize(
    ("size", "channels", "layers"),
    [((32, 32), 16, 7), ((48, 48), 2, 7), ((64, 32), 1, 7), ((50, 70), 4, 7), ((5, 6), 3, 1), ((256, 256), 3, 13)],
)
def test_any_size_and_channel_count(size: tuple[int, int], channels: int, layers: int) -> None:
    recipe = made(size=size, channels=channels, width=4, widest=8)
    assert recipe.generator.synthesis.layers == layers
    with torch.no_grad():
        images = recipe.generate(**recipe.draw(2))
        assert images.shape == (2, channels, *size) and recipe.discriminator(images).shape == (2,)
    assert bool(recipe.generator.notes()) == (size == (50, 70))


def test_feature_maps_double_up_to_the_widest() -> None:
    layers = made(size=(64, 64), width=8, widest=40).generator.synthesis.convolutions
    assert [len(layers[i].bias) for i in (0, 2, 4, 6, 8)] == [40, 40, 32, 16, 8]


def test_variance_stays_through_the_discriminator() -> None:
    """With equalised layers and their gains, nothing explodes or vanishes at the start, however many blocks."""
    torch.manual_seed(0)
    network = StyleDiscriminator(channels=3, size=(128, 128), width=8, widest=64)
    features: list[Tensor] = []
    network.last.register_forward_pre_hook(lambda module, given: features.append(given[0]))
    network(torch.randn(4, 3, 128, 128))
    assert 0.05 < features[0].square().mean().item() < 5


def test_a_sample_does_not_depend_on_the_others() -> None:
    recipe, inputs = drawn()
    together = recipe.generate(**inputs)
    alone = recipe.generate(**{name: each[2:3] for name, each in inputs.items()})
    torch.testing.assert_close(together[2:3], alone, rtol=1e-4, atol=1e-5)


def test_presets_can_be_made() -> None:
    paper = {k: v for k, v in StyleGAN2.presets["paper"].items() if k not in ("batch_size", "steps")}
    assert len(made(**paper | {"width": 4, "widest": 8, "latent": 8}).generator.mapping.layers) == 8


# -- in w --


@functools.cache
def model() -> Model:
    recipe, _ = drawn()
    return Model(recipe, ImageSpace(3, 8, 8), recipe.inputs(), 0)


def test_a_shift_is_added_to_the_w_of_each_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, inputs = drawn()
    assert recipe.inputs()["shift"] == Shift((3, 16)) and not inputs["shift"].any()
    seen: list[list[Tensor]] = []
    monkeypatch.setattr(recipe.generator.synthesis, "forward", lambda w, noise: seen.append(w) or torch.zeros(6))
    shift = torch.randn(6, 3, 16)
    for way in (shift, inputs["shift"]):
        recipe.generate(**inputs | {"shift": way})
    for layer in range(3):
        torch.testing.assert_close(seen[0][layer], seen[1][layer] + shift[:, layer])


def test_directions_are_in_w_and_of_all_layers() -> None:
    """The eigenvectors of A' A of all affine maps A of w together (Shen and Zhou 2021, eq. 7)."""
    found = closed_form_directions(model(), count=3)
    synthesis = model().recipe.generator.synthesis
    layers = [each.convolution.style for each in synthesis.convolutions] + [each.style for each in synthesis.to_image]
    matrix = np.concatenate([each.weight.double().numpy() * each.scale for each in layers])
    values, vectors = np.linalg.eigh(matrix.T @ matrix)
    assert found.input == "shift" and found.vectors.shape == (3, 16)
    for place in range(3):
        assert abs(found.vectors[place].double().numpy() @ vectors[:, -1 - place]) == pytest.approx(1, abs=1e-4)
        assert found.shares[place].item() == pytest.approx(values[-1 - place] / values.sum(), rel=1e-4)
    changed = moved(model().recipe.draw(2), found, [0.0, 2.0])["shift"]
    torch.testing.assert_close(changed, (2 * found.vectors[1]).expand(2, 3, 16))


def test_inversion_goes_on_in_w_and_leaves_the_noise() -> None:
    target = model().sample(1, seed=9)
    found = model().invert(target, steps=30, draws=8, seed=2)
    assert found.inputs["shift"].abs().max() > 0
    assert torch.equal(found.inputs["fine"].square().mean(1).round(decimals=3), torch.ones(1))
    assert found.errors < 0.7 * found.drawn_errors
    torch.manual_seed(0)
    noises = model().recipe.draw(8)["noise"]
    assert found.inputs["noise"].shape == noises[:1].shape and abs(found.inputs["noise"].std().item() - 1) < 0.25
