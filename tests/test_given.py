"""What is given to a model, everywhere: a recipe with a picture and a class that nothing outside knows, and InfoGAN's
codes, in Python, on the command line, over HTTP and in ONNX."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import ganvas
from ganvas.errors import UsageError
from ganvas.latent import decode, drawn, walk
from ganvas.model import TILE, Model
from ganvas.model.tiles import count, multiple_of, strips
from ganvas.recipes import find
from ganvas.spaces import FREE, ImageSpace
from ganvas.upscaling import Upscaler
from test_cli import ganvas as command
from test_cli import refused
from test_export import SPACES, enlarger_of, model_of
from translators import MOODS, TRANSLATOR, run_of, translator_model


def pictures(n: int, height: int, width: int, channels: int = 3, seed: int = 0) -> torch.Tensor:
    torch.manual_seed(seed)
    return 2 * torch.rand(n, channels, height, width) - 1


def pixels(height: int, width: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


def file_of(array: np.ndarray, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array).save(buffer, kind)
    return buffer.getvalue()


def by_hand(model: Model, source: torch.Tensor, mood: int, amount: torch.Tensor) -> torch.Tensor:
    """What the translator makes of one picture, worked out without it."""
    recipe = model.recipe
    padded = torch.nn.functional.pad(source, (2, 2, 2, 2), mode="replicate")
    moved = torch.nn.functional.conv2d(padded, recipe.generator.weight, recipe.generator.bias)
    return (moved + 0.3 * (recipe.mood.weight[mood] + 0.1 * amount)[:, :, None, None]).clamp(-1, 1)


def translating_model(name: str) -> Model:
    """Of a recipe that translates, for pictures of 8 x 8 pixels, with random weights that show."""
    torch.manual_seed(3)
    chosen = find(name)
    facts = {"source_channels": 3} if name == "pix2pix" else {}
    recipe = chosen(channels=3, size=(8, 8), width=8, d_width=4, **facts).eval().requires_grad_(False)
    network = recipe.get_submodule(recipe.averaged[0])
    torch.nn.init.normal_(network.tail.weight, std=0.05)
    return Model(recipe, ImageSpace(3, 8, 8), recipe.inputs(), 1, name)


# -- in Python -------------------------------------------------------------------------------------------------------


def test_classes_go_on_in_turn_from_block_to_block():
    model = model_of("infogan", SPACES["digits"])
    assert model.classes(70, {})["category"].tolist() == [i % 10 for i in range(70)]
    whole = model.sample(70, seed=4)
    torch.testing.assert_close(whole[64:], model.sample(70, seed=4, category=[i % 10 for i in range(70)])[64:])
    with torch.random.fork_rng():
        second = model.block(1, 4, None, {})
    assert second["category"][:6].tolist() == [4, 5, 6, 7, 8, 9] and len(second["codes"]) == model.space.block
    torch.testing.assert_close(model.decode(second)[:6], whole[64:])


def test_what_is_given_is_what_generate_gets_and_the_rest_stays_as_drawn():
    model = model_of("infogan", SPACES["digits"])
    seen = []
    generate = model.recipe.generate
    model.recipe.generate = lambda **inputs: seen.append(inputs) or generate(**inputs)
    model.sample(3, seed=1)
    model.sample(3, seed=1, category="3", codes=[0.5, -0.5])
    model.sample(3, seed=1, category=[3, "1", 9], codes=torch.tensor([[0.0, 1], [1, 0], [0, 0]]))
    free, one, each = seen
    assert one["category"][:3].tolist() == [3, 3, 3] and one["codes"][:3].tolist() == [[0.5, -0.5]] * 3
    assert each["category"][:3].tolist() == [3, 1, 9] and each["codes"][:3].tolist() == [[0, 1], [1, 0], [0, 0]]
    assert torch.equal(free["latent"], one["latent"]) and torch.equal(free["latent"], each["latent"])
    latent = torch.full((62,), 0.25)
    model.sample(2, seed=1, latent=latent, truncation=0.5)
    assert torch.equal(seen[-1]["latent"][:2], torch.full((2, 62), 0.125))


def test_a_condition_is_never_ignored():
    infogan, plain = model_of("infogan", SPACES["digits"]), model_of("dcgan", SPACES["digits"], conditional=False)
    for model, given, said in (
        (infogan, {"categry": 3}, "InfoGAN has no input 'categry'; did you mean 'category'?"),
        (infogan, {"label": "3"}, "InfoGAN has no input 'label'; known: category, codes, latent"),
        (plain, {"label": "7"}, "DCGAN has no input 'label'; known: latent"),
        (infogan, {"category": "10"}, "category: there is no '10'"),
        (infogan, {"category": [1, 2]}, "category: give one or 3, not 2"),
        (infogan, {"codes": "2,0"}, "codes: must be 2 numbers"),
    ):
        for act in (model.sample, lambda n, of=model, **more: list(of.blocks(n, **more))):
            with pytest.raises(UsageError) as refused_:
                act(3, **given)
            assert said in str(refused_.value)
        if "give one" not in said:
            with pytest.raises(UsageError):
                drawn(model, 1, **given)
    assert plain.sample(2, label=None).shape == (2, 1, 28, 28)  # nothing is given


def test_truncation_is_a_share_of_the_way_from_the_mean():
    model = model_of("dcgan", SPACES["digits"])
    assert torch.equal(model.sample(3, seed=1, truncation=1), model.sample(3, seed=1))
    average = model.decode({"latent": torch.zeros(3, 100), "label": torch.arange(3)})
    torch.testing.assert_close(model.sample(3, seed=1, truncation=0), average, rtol=0, atol=1e-6)
    inputs, half = drawn(model, 1), drawn(model, 1, truncation=0.5)
    torch.testing.assert_close(half["latent"], inputs["latent"] / 2)
    for wrong in (-0.1, 1.01, float("nan")):
        with pytest.raises(UsageError, match="--truncation must be 0 to 1, where 1 is as drawn"):
            model.sample(1, truncation=wrong)


def test_without_a_latent_there_is_nothing_to_truncate():
    model = enlarger_of("srgan")
    with pytest.raises(UsageError, match="SRGAN draws no latent vector, so there is nothing to truncate"):
        model.transform(pictures(1, 8, 8), truncation=0.5)


def test_a_picture_is_sampled_and_transformed():
    model = translator_model()
    given = pictures(3, 12, 12)
    with pytest.raises(UsageError, match="its input 'source' must be given: images 12x12 RGB"):
        model.sample(2)
    made = model.transform(given, seed=5, mood="wild")
    assert torch.equal(made, model.sample(3, seed=5, source=given, mood=1))
    amounts = torch.cat([drawn(model, 5, source=given[:1])["amount"]])
    torch.testing.assert_close(made[:1], by_hand(model, given[:1], 1, amounts), rtol=0, atol=1e-6)
    # Moods in turn; one picture for all samples; bytes and arrays are pictures too.
    variants = model.sample(4, seed=5, source=given[0])
    for place in range(4):
        torch.testing.assert_close(
            variants[place : place + 1], model.sample(4, seed=5, source=given[0], mood=place % 3)[place : place + 1]
        )
    array = pixels(12, 12)
    wanted = model.transform(array, seed=1)
    assert torch.equal(wanted, model.transform(array[None], seed=1))
    assert torch.equal(wanted, model.transform(file_of(array), seed=1))
    many = model.transform(given[torch.arange(70) % 3], seed=5, mood="wild")  # more than a block
    torch.testing.assert_close(many[:3], made, rtol=0, atol=1e-6)
    for act, said in (
        (lambda: model.transform(pictures(1, 9, 12)), "source: must be of shape (3, 12, 12)"),
        (lambda: model.transform(given, source=given), "the values are 'source' already"),
        (lambda: model.transform(given, moood="calm"), "did you mean 'mood'"),
        (lambda: model.transform(given, mood=["calm"] * 2), "mood: give one or 3, not 2"),
        (lambda: model_of("dcgan", SPACES["digits"]).transform(given), "makes samples of nothing that is given"),
    ):
        with pytest.raises(UsageError) as refused_:
            act()
        assert said in str(refused_.value)


def test_what_is_large_is_made_in_tiles_without_seams(monkeypatch):
    model = translator_model(FREE)
    given = pictures(2, 41, 30)
    whole = model.transform(given, seed=2)
    seen, generate = [], model.recipe.generate
    model.recipe.generate = lambda **inputs: seen.append(tuple(inputs["source"].shape)) or generate(**inputs)
    monkeypatch.setattr("ganvas.model.trained.TILE", 16)
    torch.testing.assert_close(model.transform(given, seed=2), whole, rtol=0, atol=1e-6)
    assert len(seen) == 2 * 3 * 2 and max(map(max, (shape[2:] for shape in seen))) == 16 + 2 * 2
    # Where nobody says how far the network can see, it sees all of it.
    whole_only, seen[:] = translator_model(FREE, whole=True), []
    generate = whole_only.recipe.generate
    whole_only.recipe.generate = lambda **inputs: seen.append(tuple(inputs["source"].shape)) or generate(**inputs)
    assert torch.equal(whole_only.transform(given, seed=2), whole) and seen == [(1, 3, 41, 30)] * 2


@pytest.mark.parametrize(("name", "changes"), [("srgan", {"fold": 2, "scale": 3}), ("esrgan", {"scale": 2})])
def test_an_enlarger_transforms_in_tiles_as_it_does_as_a_whole(name, changes, monkeypatch):
    model = enlarger_of(name, **changes)
    given, ticks = pixels(125, 121), []
    whole = model.transform(given)
    assert whole.shape == (1, 3, 125 * changes["scale"], 121 * changes["scale"]) and max(given.shape) < TILE
    monkeypatch.setattr("ganvas.model.trained.TILE", 42)
    monkeypatch.setattr("ganvas.model.trained.MARGINS", 0)
    tiled = model.transform(given, tick=lambda: ticks.append(1))
    assert len(ticks) == 9
    level = 2 / 255
    assert float((tiled - whole).abs().max()) <= level  # one grey level, and in float32 far less
    upscaled = Upscaler(model, precision="float32").enlarge(given)
    made = model.space.to_uint8(tiled)[0]
    assert np.abs(made.astype(int) - upscaled).max() <= 1


def test_tiles_of_any_number_of_dimensions():
    """Each place tells its index, so a strip that is put together wrongly shows."""
    for sizes in ((7,), (5, 9), (4, 5, 6)):
        values = torch.arange(torch.Size(sizes).numel()).reshape(1, *sizes)
        ticks = []

        def make(window, values=values):
            part = values[(slice(None), *window)]
            for dimension in range(1, part.dim()):
                part = part.repeat_interleave(2, dimension)
            return part

        pieces = list(strips(sizes, make, scale=2, tile=3, margin=1, tick=lambda ticks=ticks: ticks.append(1)))
        assert torch.equal(torch.cat(pieces, 1), make(tuple(slice(0, size) for size in sizes)))
        assert len(ticks) == count(sizes, 3)


def test_a_model_is_styled_between_its_sets_of_weights():
    model = ganvas.load("zoo:photo-x4")
    assert list(model.weights) == ["faithful", "perceptual"] and model.style == "faithful"
    faithful, between, perceptual = (model.styled(style) for style in ("faithful", 0.3, 1))
    for name, weight in between.recipe.generator.state_dict().items():
        ends = [each.recipe.generator.state_dict()[name] for each in (faithful, perceptual)]
        torch.testing.assert_close(weight, torch.lerp(*ends, 0.3))
    given = pixels(9, 11)
    assert torch.equal(model.transform(given), faithful.transform(given))
    assert not torch.equal(faithful.transform(given), perceptual.transform(given))
    assert between.style == 0.3 and between.inputs == model.inputs


# -- in a latent space -----------------------------------------------------------------------------------------------


def test_a_walk_of_something_given_stays_with_it():
    model, given = translator_model(), pictures(1, 12, 12)
    first, second = (drawn(model, seed, source=given, mood=mood) for seed, mood in ((1, "calm"), (2, "odd")))
    way = walk(model, first, second, torch.tensor([0.0, 0.4, 1.0]))
    torch.testing.assert_close(way[:1], model.sample(1, seed=1, source=given, mood="calm"))
    torch.testing.assert_close(way[2:], model.sample(1, seed=2, source=given, mood="odd"))
    torch.testing.assert_close(decode(model, first), way[:1])


# -- on the command line ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def infogan(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("infogan")
    for number in range(8):
        Image.fromarray(pixels(8, 8, seed=number)[:, :, 0]).save(root / f"{number}.png")
    small = {"width": 4, "latent": 4, "steps": 2, "batch_size": 4, "categories": 5}
    return ganvas.train("infogan", data=root, out=root / "run", quiet=True, **small)


@pytest.fixture(scope="module")
def translator(tmp_path_factory) -> Path:
    return run_of(translator_model(FREE), tmp_path_factory.mktemp("translator") / "run")


def test_a_run_says_what_can_be_given_to_it(infogan):
    assert json.loads((infogan / "config.json").read_text())["inputs"] == [
        {"name": "latent", "kind": "normal", "shape": [4]},
        {"name": "category", "kind": "class", "shape": [], "classes": 5, "names": []},
        {"name": "codes", "kind": "uniform", "shape": [2], "low": -1.0, "high": 1.0},
    ]


def test_codes_are_flags(infogan, tmp_path, capsys):
    words = ["--category", "3", "--codes", "0.5,-0.5", "--seed", "2", "-n", "4"]
    assert command("sample", infogan, *words, "--out", tmp_path / "grid.png") == 0
    model = ganvas.load(infogan)
    wanted = model.space.show(model.sample(4, seed=2, category=3, codes=[0.5, -0.5]))
    with Image.open(tmp_path / "grid.png") as made:
        assert np.array_equal(np.asarray(made), np.asarray(wanted))
    # A number below 0 is no flag, and flags may come before the run.
    assert command("sample", "--codes", "-0.5,1", infogan, "-n", "1", "--out", tmp_path / "x.png") == 0
    for flags, said in (
        (["--categry", "3"], "has no flag --categry; did you mean '--category'?"),
        (["--category", "5"], "category: there is no '5'"),
        (["--codes", "0.5"], "codes: must be 2 numbers with commas between them, each from -1 to 1"),
        (["--label", "3"], "has no flag --label"),
        (["--latent", "0"], "has no flag --latent"),
        (["--truncation", "1.5"], "--truncation must be 0 to 1"),
    ):
        assert said in refused(capsys, "sample", infogan, *flags, "--out", tmp_path / "y.png")
    assert not (tmp_path / "y.png").exists()


def test_help_of_a_run_lists_its_flags_without_torch(infogan):
    code = f"from ganvas.cli import main\ntry: main(['sample', {str(infogan)!r}, '--help'])\nexcept SystemExit: pass"
    code += "\nimport sys; assert 'torch' not in sys.modules"
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert "--category CATEGORY" in told and "a number from 0 to 4 (default: all in turn)" in " ".join(told.split())
    assert "2 numbers with commas between them, each from -1 to 1 (default: drawn)" in " ".join(told.split())
    assert "--latent" not in told and "--label L" not in told


def test_a_run_from_before_runs_said_their_inputs_is_as_it_was(infogan, tmp_path, capsys):
    old = shutil.copytree(infogan, tmp_path / "old")
    config = json.loads((old / "config.json").read_text())
    del config["inputs"]
    (old / "config.json").write_text(json.dumps(config))
    assert command("sample", old, "--help") == 0 and "--category" in capsys.readouterr().out
    assert command("sample", old, "--category", "2", "-n", "2", "--seed", "1", "--out", tmp_path / "a.png") == 0
    assert torch.equal(ganvas.load(old).sample(3, seed=1), ganvas.load(infogan).sample(3, seed=1))
    assert "is not a run" in refused(capsys, "sample", tmp_path / "none")
    assert command("sample", tmp_path / "none", "--help") == 0


def test_a_picture_is_a_flag_that_takes_a_file(translator, tmp_path, capsys):
    array = pixels(20, 14)
    (tmp_path / "photo.png").write_bytes(file_of(array))
    words = ["sample", translator, "--recipe", TRANSLATOR, "--source", tmp_path / "photo.png", "--mood", "odd"]
    assert command(*words, "--seed", "3", "-n", "1", "--out", tmp_path / "made.png") == 0
    model = ganvas.load(translator, recipe=TRANSLATOR)
    assert model.inputs["mood"].choices == MOODS and model.labels == ()
    with Image.open(tmp_path / "made.png") as made:
        wanted = model.space.to_uint8(model.transform(array, seed=3, mood="odd"))[0]
        assert np.array_equal(np.asarray(made), wanted)
    assert command(*words, "-n", "3", "--out", tmp_path / "folder") == 0
    assert sorted(path.name for path in (tmp_path / "folder").iterdir()) == [f"0000{i}.png" for i in range(3)]
    (tmp_path / "text.png").write_text("dear reader")
    lacking = refused(capsys, "sample", translator, "--recipe", TRANSLATOR)
    assert "so give source: --source FILE" in lacking and "upscale" not in lacking
    for flags, said in (
        (["--source", tmp_path / "text.png"], "source: this is no image"),
        (["--source", tmp_path / "nothing.png"], "nothing.png cannot be read: No such file"),
        (["--sourc", tmp_path / "photo.png"], "did you mean '--source'"),
        (["--source", tmp_path / "photo.png", "--mood", "clam"], "did you mean 'calm'"),
    ):
        assert said in refused(
            capsys, "sample", translator, "--recipe", TRANSLATOR, *flags, "--out", tmp_path / "z.png"
        )
    assert command("sample", translator, "--help") == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "--source FILE a file: images of any size RGB" in told and "--mood MOOD calm, wild, odd (default" in told


def test_an_enlarger_is_sampled_by_its_picture(tmp_path, capsys):
    (tmp_path / "photo.png").write_bytes(file_of(pixels(9, 12)))
    assert command("sample", "zoo:photo-x4", "--low", tmp_path / "photo.png", "--out", tmp_path / "large.png") == 0
    assert "1 sample in" in (said := capsys.readouterr().out) and "seed" not in said  # nothing is drawn
    with Image.open(tmp_path / "large.png") as made:
        assert made.size == (48, 36)
    told = refused(capsys, "sample", "zoo:photo-x4")
    assert "--low FILE, or for files and folders: ganvas upscale FILE --out large.png --model zoo:photo-x4" in told
    told = refused(capsys, "sample", "zoo:photo-x4", "--low", tmp_path / "photo.png", "--truncation", "0.5")
    assert "nothing to truncate" in told


@pytest.mark.parametrize("name", ["pix2pix", "cyclegan", "cut"])
def test_tiles_share_the_statistics_of_the_whole_picture(name, monkeypatch):
    """Their normalisations look at all places, and half of this picture is dark."""
    model = translating_model(name)
    torch.manual_seed(0)
    given = torch.nn.functional.interpolate(torch.rand(1, 3, 15, 17), (150, 170), mode="bilinear") * 0.4 + 0.4
    given[:, :, :, :80] -= 1.2
    monkeypatch.setattr("ganvas.model.trained.TILE", 32)
    made = {}
    first = next(iter(model.given.values()))
    larger = 3 * multiple_of(first, first.reach)
    for margins, tile in ((0, 32), (3, larger)):
        monkeypatch.setattr("ganvas.model.trained.MARGINS", margins)
        ticks = []
        made[tile] = model.transform(given, tick=lambda ticks=ticks: ticks.append(1))
        assert len(ticks) == count((150, 170), tile)
    level = 2 / 255
    assert float((made[32] - made[larger]).abs().max()) < level / 4 and float(made[32].std()) > 10 * level
    # What a picture that fits at once is made into is what its own statistics make of it, and tiles are near that.
    monkeypatch.setattr("ganvas.model.trained.TILE", 200)
    assert torch.equal(model.transform(given), model.recipe.generate(source=given))
    alone = torch.cat([model.recipe.generate(source=half) for half in given.split(80, dim=3)], dim=3)
    whole = model.transform(given)
    assert (made[32] - whole).abs().mean() < 0.5 * (alone - whole).abs().mean()
