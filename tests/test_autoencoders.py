"""vae and vaegan: losses beside distributions that are known, who learns from what, and what encoding serves."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

import ganvas
from ganvas.cli import main
from ganvas.data.batches import Images
from ganvas.data.opening import open_data
from ganvas.features.likeness import Likeness
from ganvas.networks.autoencoder import SLACK, Encoder, divergence, drawn, unlikeliness
from ganvas.networks.plain import PlainDiscriminator
from ganvas.recipe import Progress, Recipe
from ganvas.recipes.vae import VAE
from ganvas.recipes.vaegan import VAEGAN, pixels

SMALL = {"channels": 1, "size": (8, 8), "latent": 6, "width": 4}
RECIPES = [VAE, VAEGAN]


def made(recipe: type[Recipe], **changes) -> Recipe:
    torch.manual_seed(0)
    return recipe(**{**SMALL, **changes})


def number(value: Tensor) -> float:
    return float(value.detach())


def pictures(count: int = 6, channels: int = 1, height: int = 8, width: int = 8) -> Images:
    torch.manual_seed(1)
    return Images(torch.rand(count, channels, height, width) * 2 - 1)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small training of `vae`, on pictures of a bar that is anywhere and of any brightness."""
    folder = tmp_path_factory.mktemp("vae")
    random, bars = np.random.default_rng(0), np.zeros((240, 8, 8, 1), np.uint8)
    for picture in bars:
        place = random.integers(0, 6)
        picture[:, place : place + 3] = random.integers(90, 256)
    np.save(folder / "bars.npy", bars)
    small = {"width": 8, "latent": 8, "steps": 300, "batch_size": 16, "precision": "float32"}
    ganvas.train("vae", data=folder / "bars.npy", out=folder / "run", quiet=True, **small)
    return folder / "run"


def held_out(run: Path) -> Tensor:
    return open_data(run.parent / "bars.npy", progress=False).for_show(8).value


def test_the_divergence_is_that_of_known_distributions() -> None:
    mean, log_variance = torch.tensor([[0.0, 1.0, -2.0]]), torch.tensor([[0.0, math.log(4), -1.0]])
    found = divergence(mean, log_variance)
    assert found[0, 0] == 0 and number(found[0, 1]) == pytest.approx((1 + 4 - 1 - math.log(4)) / 2)
    known = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0))
    torch.testing.assert_close(found, known)


def test_what_is_drawn_has_the_mean_and_the_variance() -> None:
    torch.manual_seed(0)
    found = drawn(torch.full((100_000,), 3.0), torch.full((100_000,), math.log(4.0)))
    assert number(found.mean()) == pytest.approx(3, abs=0.03) and number(found.std()) == pytest.approx(2, abs=0.03)


def test_what_is_unlikely_is_told_by_the_most_likely_deviation_of_each_map_of_each_item() -> None:
    torch.manual_seed(0)
    made, wanted = (torch.zeros(2, 3), torch.ones(2, 5, 2)), (torch.randn(2, 3), 7 * torch.rand(2, 5, 2))
    nats = []
    for one, other in zip(made, wanted, strict=True):
        for mean, values in zip(one, other, strict=True):
            deviations = (values - mean).square().mean().sqrt() * torch.linspace(0.5, 2, 301)
            nats.append(min(number(-Normal(mean, deviation).log_prob(values).mean()) for deviation in deviations))
    assert number(unlikeliness(made, wanted)) == pytest.approx(sum(nats) / 4, abs=2e-3)


def test_errors_far_below_what_there_is_count_no_more() -> None:
    wanted = torch.full((1, 4), 2.0)
    exact, near = (unlikeliness([wanted + error], [wanted]) for error in (0.0, 1e-4))
    assert math.isfinite(number(exact)) and number(near) == pytest.approx(number(exact), abs=1e-4)
    assert number(exact) == pytest.approx(math.log(4 * SLACK) / 2 + math.log(2 * math.pi * math.e) / 2)
    assert math.isfinite(number(unlikeliness([torch.zeros(1, 4)], [torch.zeros(1, 4)])))


def test_a_map_of_another_scale_moves_the_decoder_as_much() -> None:
    slopes = []
    for scale in (1.0, 1000.0):
        made = torch.full((2, 4), 3.0, requires_grad=True)
        unlikeliness([made * scale], [torch.arange(8.0).reshape(2, 4) * scale]).backward()
        slopes.append(made.grad)
    torch.testing.assert_close(slopes[0], slopes[1])


def test_the_loss_is_the_negative_bound() -> None:
    vae, real = made(VAE), pictures()
    torch.manual_seed(5)
    terms = vae.losses(real).terms
    with torch.no_grad():
        mean, log_variance = vae.encoder(real.image)
        torch.manual_seed(5)
        latent = mean + (log_variance / 2).exp() * torch.randn(mean.shape)
        back = vae.generator(latent)
        deviation = (back - real.image).square().mean((1, 2, 3), keepdim=True).sqrt()
        likely = Normal(back, deviation).log_prob(real.image).sum((1, 2, 3))
        apart = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0)).sum(1)
    assert number(terms["reconstruction"]) == pytest.approx(-number(likely.mean()) / 64, rel=2e-3)
    assert number(terms["divergence"]) == pytest.approx(number(apart.mean()) / 64, rel=1e-5)


def turns_at(recipe: Recipe, fraction: float, step: int = 0) -> list:
    batches = iter([pictures() for _ in range(9)])
    return list(recipe.turns(Progress(step=step, items=0, epoch=0, fraction=fraction), batches))


def moved(losses, recipe: Recipe) -> set[str]:
    """The networks that these losses have a gradient for, were nobody frozen."""
    recipe.zero_grad()
    losses.total().backward()
    return {
        name
        for name, child in recipe.named_children()
        if any(p.grad is not None and p.grad.any() for p in child.parameters())
    }


def test_the_game_begins_behind_the_warm_up_and_has_three_players() -> None:
    recipe = made(VAEGAN, warmup=0.25)
    assert [turn.optimizer for turn in turns_at(recipe, 0.24)] == ["generator", "encoder"]
    game = turns_at(recipe, 0.25)
    assert [turn.optimizer for turn in game] == ["discriminator", "generator", "encoder"]
    assert len({id(turn.batch) for turn in game}) == 1
    for turn in turns_at(recipe, 0.24):
        assert moved(turn.losses(turn.batch), recipe) == {"generator", "encoder"}  # no discriminator


def test_the_encoder_moves_in_each_step_of_the_warm_up_and_then_now_and_again() -> None:
    recipe = made(VAEGAN, warmup=0.25, encoder_every=3)
    moves = [
        [turn.optimizer for turn in turns_at(recipe, at, step)].count("encoder") for at in (0, 1) for step in range(6)
    ]
    assert moves == [1, 1, 1, 1, 1, 1, 1, 0, 0, 1, 0, 0]


def test_the_warm_up_is_the_plain_autoencoder() -> None:
    plain, recipe = made(VAE), made(VAEGAN, doubling="transposed")  # as VAE has it
    for name in ("encoder", "generator"):
        recipe.get_submodule(name).load_state_dict(plain.get_submodule(name).state_dict())
    torch.manual_seed(3)
    wanted = plain.losses(pictures()).terms
    torch.manual_seed(3)
    found = recipe.bound(pictures(), see=pixels).terms
    assert {name: number(value) for name, value in found.items()} == {
        name: number(value) for name, value in wanted.items()
    }


def test_each_loss_is_of_its_own_players() -> None:
    """Larsen et al. 2016, Algorithm 1: the encoder hears nothing of real and fake, the discriminator nothing of errors,
    and only the decoder of both."""
    recipe, real = made(VAEGAN), pictures()
    with torch.no_grad():
        recipe.discriminator.head.weight.fill_(math.nan)  # what says real or fake
    assert math.isfinite(number(recipe.bound(real, see=recipe.seen).total()))
    terms = recipe.g_losses(real).terms
    assert math.isfinite(number(terms["reconstruction"])) and math.isnan(number(terms["adversarial"]))
    assert math.isnan(number(recipe.d_losses(real, strength=0).total()))


def test_gamma_weighs_the_reconstruction_against_the_game_in_the_decoder_alone() -> None:
    one, three = made(VAEGAN, gamma=1.0), made(VAEGAN, gamma=3.0)
    found = []
    for recipe in (one, three):
        torch.manual_seed(4)
        found.append({**recipe.g_losses(pictures()).terms, "bound": recipe.bound(pictures(), see=pixels).total()})
    assert number(found[1]["reconstruction"]) == pytest.approx(3 * number(found[0]["reconstruction"]), rel=1e-6)
    assert number(found[1]["adversarial"]) == number(found[0]["adversarial"])
    assert number(found[1]["bound"]) == number(found[0]["bound"])


def test_half_of_what_is_judged_are_reconstructions_each_beside_its_picture_and_half_are_samples() -> None:
    recipe, real = made(VAEGAN), pictures(5)
    torch.manual_seed(6)
    losses = recipe.d_losses(real, strength=0)
    torch.manual_seed(6)
    with torch.no_grad():
        latent = drawn(*recipe.encoder(real.image[:3]))
        fake = recipe.generator(torch.cat([latent, torch.randn(2, 6)]))
        wanted = torch.nn.functional.softplus(recipe.discriminator(fake) - recipe.discriminator(real.image))
    assert number(losses.terms["pair"]) == pytest.approx(number(wanted.mean()), rel=1e-5)


def test_the_decoder_plays_with_the_same_halves_and_errs_in_its_reconstructions_alone() -> None:
    recipe, real = made(VAEGAN, gamma=2.0), pictures(5)
    torch.manual_seed(6)
    terms = recipe.g_losses(real).terms
    torch.manual_seed(6)
    with torch.no_grad():
        latent = drawn(*recipe.encoder(real.image[:3]))
        fake, judge = recipe.generator(torch.cat([latent, torch.randn(2, 6)])), recipe.discriminator
        wanted = torch.nn.functional.softplus(judge(real.image) - judge(fake))
        seen, maps = ([images, *judge.features(images)] for images in (real.image, fake))
        errors = unlikeliness([each[:3] for each in maps], [each[:3] for each in seen])
    assert number(terms["adversarial"]) == pytest.approx(number(wanted.mean()), rel=1e-5)
    assert number(terms["reconstruction"]) == pytest.approx(2 * number(errors), rel=1e-5)


def test_a_discriminator_says_the_same_of_images_and_of_their_features() -> None:
    torch.manual_seed(0)
    network = PlainDiscriminator(channels=3, size=(20, 26), width=4, classes=2)
    images, label = torch.rand(2, 3, 20, 26), torch.tensor([0, 1])
    maps = network.features(images)
    assert len(maps) == network.maps and maps[-1].flatten(1).shape[1] == network.outputs
    assert torch.equal(network(images, label), network.judge(maps[-1], label))


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize(("channels", "size"), [(1, (5, 5)), (3, (20, 26)), (4, (33, 16))])
def test_images_of_any_size_are_encoded_and_come_back(
    recipe: type[Recipe], channels: int, size: tuple[int, int]
) -> None:
    own, real = made(recipe, channels=channels, size=size), pictures(3, channels, *size)
    own.eval()
    with torch.no_grad():
        told = own.encode(real.image)
        assert {name: each.shape for name, each in told.items()} == {"latent": (3, 6)}
        assert torch.equal(own.encode(real.image)["latent"], told["latent"])  # its mean, and not a draw
        torch.testing.assert_close(own.encode(real.image[1:2])["latent"], told["latent"][1:2])
        back = own.reconstructed(real)
        assert back.shape == real.image.shape and torch.equal(back, own.generate(**told))
        assert number(back.abs().max()) <= 1


def test_the_encoder_tells_mean_and_variance() -> None:
    torch.manual_seed(0)
    mean, log_variance = Encoder(latent=5, channels=1, size=(8, 8), width=4)(pictures().image)
    assert mean.shape == log_variance.shape == (6, 5) and not torch.equal(mean, log_variance)


def test_it_learns_to_rebuild_held_out_pictures(run: Path) -> None:
    model, bars = ganvas.load(run), held_out(run)
    with torch.no_grad():
        back = model.decode(model.recipe.encode(bars))
    assert number((back - bars).square().mean()) < 0.2 * number((bars.mean(0) - bars).square().mean())


def test_inversion_begins_at_the_encoding(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, target = ganvas.load(run), held_out(run)[1:2]
    found = model.invert(target, steps=1, draws=2)
    with torch.no_grad():
        encoding = model.recipe.encode(target)
        like = Likeness(model.space, target)
        own = model.decode(encoding)
        assert number(found.distances) <= 1.001 * number(like(own))
    monkeypatch.setattr(model.recipe, "encode", None)
    assert number(found.errors) < number(model.invert(target, steps=1, draws=2).errors)


def test_a_run_that_was_loaded_encodes_with_averaged_weights(run: Path) -> None:
    assert VAE.averaged == VAEGAN.averaged == ("generator", "encoder")
    model = ganvas.load(run)
    assert (run / "samples" / "reconstructions.png").is_file()
    assert torch.isfinite(model.recipe.encode(torch.zeros(1, *model.space.shape))["latent"]).all()


def test_the_report_and_the_studio_show_what_comes_back(run: Path) -> None:
    pytest.importorskip("gradio", reason="the studio's extra is not installed")
    from ganvas.web.studio.run_list import Shelf
    from ganvas.web.studio.run_panel import panel

    pages = (run / "report.html").read_text(), panel(Shelf(run.parent).run("run"))
    assert all("What comes back" in page and "images and their reconstructions" in page.lower() for page in pages)


@pytest.mark.parametrize(
    ("words", "told"),
    {
        "points": (["vae", "--data", "ring"], "points"),
        "gamma": (["vaegan", "--data", "{pictures}", "--gamma", "-1"], "--gamma"),
        "latent": (["vae", "--data", "{pictures}", "--latent", "0"], "--latent"),
        "flag": (["vae", "--data", "{pictures}", "--gama", "1"], "--gama"),
    }.values(),
)
def test_what_cannot_be_is_one_line(
    words: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "pictures.npy", np.zeros((40, 8, 8, 1), np.uint8))
    filled = [word.format(pictures=tmp_path / "pictures.npy") for word in words]
    with pytest.raises(SystemExit, match="2"):
        main(["train", *filled, "--out", str(tmp_path / "run")])
    error = capsys.readouterr().err.strip()
    assert told in error and "\n" not in error and "Traceback" not in error
    assert not (tmp_path / "run").exists()
