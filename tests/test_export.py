"""Exports: every recipe gives PyTorch's samples elsewhere, and what is bad leaves nothing behind."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import nn

import ganvas
from ganvas import recipes
from ganvas.data.batches import Images, Photos
from ganvas.errors import RunError, UsageError
from ganvas.exporting import MOST_DIFFERENCE
from ganvas.exporting.examples import compared, traced
from ganvas.exporting.graph import largest_difference, metadata, onnx_bytes
from ganvas.exporting.web import directions, kind_of
from ganvas.inputs import Category, Given, Normal, Uniform, with_names
from ganvas.model import Model, drawn
from ganvas.options import checked, read_options
from ganvas.recipe import Recipe
from ganvas.spaces import FREE, ImageSpace, PointSpace, WaveSpace
from ganvas.testing import tiny
from translators import MOODS, TRANSLATOR, changer_model, run_of, translator_model

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

SPACES = {
    "digits": ImageSpace(1, 28, 28),
    "odd colours": ImageSpace(3, 20, 26),
    "points": PointSpace(2),
}
LABELS = ("ant", "bee", "cat")


def model_of(name: str, space: ImageSpace | PointSpace, conditional: bool = True) -> Model:
    """A model with random weights, whose BatchNorms have seen something, as after a training."""
    chosen = recipes.find(name)
    own = {option.name for option in read_options(chosen)}
    facts = {**space.facts(), "classes": len(LABELS) if conditional else 0, "conditional": conditional, "width": 8}
    torch.manual_seed(0)
    recipe = chosen(**checked(chosen, {key: value for key, value in facts.items() if key in own}))
    with torch.no_grad():
        for module in recipe.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.running_mean.normal_(0, 0.2)  # type: ignore[union-attr]
                module.running_var.uniform_(0.5, 1.5)  # type: ignore[union-attr]
    return Model(recipe.eval().requires_grad_(False), space, with_names(recipe.inputs(), {"label": LABELS}), step=7)


SAMPLING = [name for name in recipes.names() if Images in recipes.find(name).accepts]
ENLARGING = [name for name in recipes.names() if Photos in recipes.find(name).accepts]
OTHERS = [
    *("adain", "ageing", "cut", "cyclegan", "inpainting", "istftgan"),
    *("pix2pix", "stargan", "tablegan", "text2image", "textgan", "vocoder", "wavegan"),
]
CASES = [
    *((name, "digits", True) for name in SAMPLING),
    *((name, "odd colours", False) for name in SAMPLING if name not in ("cgan", "acgan")),
    ("vanilla", "points", False),
]
ENLARGERS = [  # every recipe as it is by default, and what else its generator can be
    *((name, {}) for name in ENLARGING),
    ("srgan", {"fold": 2, "scale": 3}),
    ("srgan", {"fold": 2, "upsample": "first"}),
    ("srgan", {"architecture": "srresnet", "scale": 2, "channels": 1}),
    ("esrgan", {"upsample": "first", "scale": 2}),
]


@pytest.mark.parametrize(("name", "space", "conditional"), CASES)
def test_every_recipe_gives_the_same_samples_in_onnx_runtime(name, space, conditional):
    model = model_of(name, SPACES[space], conditional)
    graph = onnx_bytes(model, name)
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    for n in (1, 7, 33):  # none of them the batch that was traced
        torch.manual_seed(n)
        drawn = model.recipe.draw(n)
        (made,) = session.run(None, {key: value.numpy() for key, value in drawn.items()})
        with torch.no_grad():
            wanted = model.recipe.generate(**drawn).numpy()
        assert wanted.std() > 0.001  # a picture, not a constant
        assert made.dtype == np.float32 and made.shape == (n, *model.space.shape)
        assert np.abs(made - wanted).max() <= 1e-4
    assert largest_difference(model, graph) <= 1e-4


def enlarger_of(name: str, **changes) -> Model:
    """A model that enlarges, with random weights everywhere: training begins with zeros in the last layer."""
    arguments = {"channels": 3, "size": (24, 24), "width": 8, "blocks": 2, "content": "none", "scale": 4} | changes
    torch.manual_seed(0)
    recipe = recipes.find(name)(**arguments).eval().requires_grad_(False)
    for parameter in recipe.generator.parameters():
        if parameter.ndim > 1 and not parameter.any():
            nn.init.normal_(parameter, std=0.05)
    return Model(recipe, ImageSpace(arguments["channels"], *arguments["size"]), recipe.inputs(), step=7)


def test_no_recipe_is_left_out():
    assert {name for name, *_ in (*CASES, *ENLARGERS)} | set(OTHERS) == set(recipes.names())
    assert ENLARGING == ["esrgan", "srgan"]


@pytest.mark.parametrize("name", OTHERS)
def test_recipes_of_other_data_give_the_same_in_onnx_runtime(name):
    """Pictures of any size where they are translated, sounds by label."""
    recipe = recipes.find(name)
    data = tiny(recipe)
    torch.manual_seed(0)
    facts = {key: value for key, value in data.facts().items() if key in {each.name for each in read_options(recipe)}}
    made = recipe(**checked(recipe, facts | {"width": 4})).eval().requires_grad_(False)
    for parameter in made.parameters():
        if parameter.ndim > 1 and not parameter.any():
            nn.init.normal_(parameter, std=0.05)
    model = Model(made, data.space, with_names(made.inputs(), {"label": data.labels}), step=7)
    assert largest_difference(model, onnx_bytes(model, name)) <= 1e-4


@pytest.mark.parametrize(("name", "changes"), ENLARGERS)
def test_every_recipe_that_enlarges_gives_the_same_pictures_in_onnx_runtime(name, changes):
    model = enlarger_of(name, **changes)
    scale, channels = changes.get("scale", 4), changes.get("channels", 3)
    graph = onnx_bytes(model, name)
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    (given,), (output,) = session.get_inputs(), session.get_outputs()
    assert given.name == "low" and given.shape == ["batch", channels, "height", "width"]
    assert output.name == "enlarged" and output.shape[:2] == ["batch", channels]
    for n, height, width in ((1, 9, 31), (2, 40, 17), (1, 4, 4)):  # none of them the size that was traced
        low = 2 * torch.rand(n, channels, height, width) - 1
        (made,) = session.run(None, {"low": low.numpy()})
        wanted = model.recipe.generate(low=low).numpy()
        assert made.dtype == np.float32 and made.shape == (n, channels, scale * height, scale * width)
        assert np.abs(made - wanted).max() <= 1e-4
    assert largest_difference(model, graph) <= 1e-4
    told = session.get_modelmeta().custom_metadata_map
    assert json.loads(told["ganvas.scale"]) == scale and json.loads(told["ganvas.channels"]) == channels
    (low,) = json.loads(told["ganvas.inputs"])
    assert low["name"] == "low" and low["kind"] == "given" and low["shape"] == [channels, -1, -1]
    assert low["space"] == {"kind": "images", "channels": channels, "height": -1, "width": -1}
    assert low["scale"] == scale and low["reach"] == json.loads(told["ganvas.reach"])
    assert json.loads(told["ganvas.range"]) == [-1, 1] and "ganvas.labels" not in told
    reach = json.loads(told["ganvas.reach"])
    # What the metadata calls the reach is how far a pixel can see: what lies beyond it changes nothing.
    low = 2 * torch.rand(1, channels, 8, reach + 12) - 1
    other = low.clone()
    other[..., reach + 8 :] *= -1
    one, two = (session.run(None, {"low": each.numpy()})[0][..., : 8 * scale] for each in (low, other))
    np.testing.assert_allclose(one, two, rtol=0, atol=1e-6)


def test_a_model_of_the_zoo_is_exported_in_the_style_that_is_asked_for(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 26, 3), dtype=np.uint8)
    low = (pixels / np.float32(127.5) - 1).transpose(2, 0, 1)[None]
    made = []
    for style in (None, "perceptual", "0.5"):
        out = tmp_path / f"{style}.onnx"
        assert ganvas.export("zoo:photo-x4", "onnx", out, style=style).difference <= 1e-4
        (enlarged,) = onnxruntime.InferenceSession(out).run(None, {"low": low})
        made.append(np.rint((enlarged[0].transpose(1, 2, 0) + 1) * 127.5))
        # `ganvas upscale` may compute in bf16, and then differs by some levels: less than the styles do.
        levels = np.abs(made[-1] - ganvas.upscale(pixels, style=style)).mean()
        assert levels < 1
    assert min(np.abs(made[0] - made[1]).mean(), np.abs(made[1] - made[2]).mean()) > 1.5
    for style, format, said in (
        ("perceptive", "onnx", "did you mean 'perceptual'"),
        ("1.5", "onnx", "0 .faithful. to 1"),
        ("faithful", "hub", "--style is for onnx and web"),
    ):
        with pytest.raises(UsageError, match=said):
            ganvas.export("zoo:photo-x4", format, tmp_path / ("x.onnx" if format == "onnx" else "x"), style=style)
    with pytest.raises(RunError, match="there is no zoo:photos"):
        ganvas.export("zoo:photos", "onnx", tmp_path / "x.onnx")
    assert len(list(tmp_path.iterdir())) == 3


def test_a_style_is_for_models_with_several_sets_of_weights(run, tmp_path):
    with pytest.raises(UsageError, match="has one set of weights, so there is no style 'faithful'"):
        ganvas.export(run, "onnx", tmp_path / "x.onnx", style="faithful")


@pytest.fixture(scope="module")
def enlarging_run(tmp_path_factory) -> Path:
    """A run of both stages, so that it has both styles."""
    photos, out = tmp_path_factory.mktemp("photos"), tmp_path_factory.mktemp("enlarging") / "run"
    random = np.random.default_rng(0)
    for number in range(4):
        Image.fromarray(random.integers(0, 256, (40, 52, 3), dtype=np.uint8)).save(photos / f"{number}.png")
    small = {"scale": 2, "width": 8, "blocks": 1, "discriminator_width": 4, "content": "none", "lr": 0.01}
    return ganvas.train("srgan", data=photos, size=16, steps=4, batch_size=2, out=out, quiet=True, **small)


@pytest.mark.parametrize("which", ["run", "zoo"])
def test_a_hub_folder_enlarges_as_its_model_does(enlarging_run, tmp_path, which):
    source = enlarging_run if which == "run" else "zoo:photo-x4"
    out = tmp_path / "given"
    assert ganvas.export(source, "hub", out).difference == 0
    assert sorted(path.name for path in out.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    pixels = np.random.default_rng(0).integers(0, 256, (12, 17, 3), dtype=np.uint8)
    for style in ("faithful", "perceptual") if which == "run" else ("faithful",):
        wanted = ganvas.upscale(pixels, model=source, style=style)
        np.testing.assert_array_equal(ganvas.upscale(pixels, model=out, style=style), wanted)
    assert ganvas.load(out).step == ganvas.load(source).step
    assert ganvas.export(out, "onnx", tmp_path / "again.onnx").difference <= 1e-4
    card = (out / "README.md").read_text()
    assert 'pipeline_tag: "image-to-image"' in card and "ganvas upscale photo.jpg" in card
    assert f"enlarges photos {2 if which == 'run' else 4} times" in card and "repeat single training items" not in card
    if which == "run":
        assert str(enlarging_run.parent) not in card + (out / "config.json").read_text()
        assert "None was measured" in card
    else:
        assert "Berkeley" in card and "non-commercial" in card and "| `PSNR[Y]` | 31.3" in card


def test_the_inputs_are_told_as_they_are_declared():
    assert model_of("dcgan", SPACES["digits"]).inputs == {"latent": Normal((100,)), "label": Category(3, LABELS)}
    model = model_of("infogan", SPACES["digits"])
    assert model.inputs == {"latent": Normal((62,)), "category": Category(10), "codes": Uniform((2,))}
    assert json.loads(metadata(model, "infogan")["ganvas.inputs"]) == [
        {"name": "latent", "kind": "normal", "shape": [62]},
        {"name": "category", "kind": "class", "shape": [], "classes": 10, "names": []},
        {"name": "codes", "kind": "uniform", "shape": [2], "low": -1, "high": 1},
    ]
    assert model_of("lapgan", SPACES["digits"], conditional=False).inputs["noise_0"] == Normal((1, 28, 28))


def test_the_metadata_says_what_a_user_of_the_file_must_know():
    model = model_of("dcgan", SPACES["digits"])
    file = onnx.load_from_string(onnx_bytes(model, "dcgan"))
    told = {each.key: each.value for each in file.metadata_props}
    assert told == metadata(model, "dcgan")
    assert told["ganvas.recipe"] == "dcgan" and told["ganvas.step"] == "7"
    assert json.loads(told["ganvas.latent"]) == {"latent": [100]}
    assert json.loads(told["ganvas.labels"]) == list(LABELS)
    assert json.loads(told["ganvas.range"]) == [-1, 1]
    assert json.loads(told["ganvas.space"]) == {"kind": "images", "channels": 1, "height": 28, "width": 28}
    for value in (*file.graph.input, *file.graph.output):
        assert value.type.tensor_type.shape.dim[0].dim_param == "batch"


def test_a_changed_weight_is_a_difference():
    model = model_of("vanilla", SPACES["points"])
    file = onnx.load_from_string(onnx_bytes(model, "vanilla"))
    bias = next(each for each in file.graph.initializer if list(each.dims) == [2])
    moved = onnx.numpy_helper.to_array(bias) + np.float32(0.25)
    bias.CopyFrom(onnx.numpy_helper.from_array(moved, bias.name))
    assert largest_difference(model, file.SerializeToString()) == pytest.approx(0.25, abs=1e-5)


class Stretch(Recipe):
    """A linear generator: sample = latent @ [[3, 0], [0, 0.1], [0, 0]]."""

    def __init__(self) -> None:
        super().__init__()
        self.generator = nn.Linear(3, 2, bias=False)
        self.generator.weight.data = torch.tensor([[3.0, 0, 0], [0, 0.1, 0]])

    def inputs(self):
        return {"latent": Normal((3,))}

    def generate(self, *, latent):
        return self.generator(latent)


class CountsItsBatch(Stretch):
    """What tracing freezes: the batch size, read in Python."""

    def generate(self, *, latent):
        return self.generator(latent) + len(latent)


def test_directions_are_those_that_change_the_sample_most():
    model = Model(Stretch().eval(), PointSpace(2), Stretch().inputs(), 1)
    found = directions(model)
    assert found is not None and found["input"] == "latent"
    np.testing.assert_allclose(found["vectors"][:2], [[1, 0, 0], [0, 1, 0]], atol=1e-3)


def test_infogans_codes_are_inputs_of_the_graph():
    model = model_of("infogan", SPACES["digits"])
    session = onnxruntime.InferenceSession(onnx_bytes(model, "infogan"), providers=["CPUExecutionProvider"])
    inputs = drawn(model, 3, category=3, codes=[0.5, -0.5])
    (made,) = session.run(None, {name: each.numpy() for name, each in inputs.items()})
    assert inputs["category"].tolist() == [3] and inputs["codes"].tolist() == [[0.5, -0.5]]
    np.testing.assert_allclose(made, model.sample(1, seed=3, category=3, codes=[0.5, -0.5]).numpy(), rtol=0, atol=1e-4)


@pytest.mark.parametrize("size", [12, FREE])
def test_what_is_given_with_a_class_is_exported_by_its_declaration(size, tmp_path):
    model = translator_model(size)
    graph = onnx_bytes(model, "translators.py:Translator")
    assert largest_difference(model, graph) <= 1e-4
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    sides = ["height", "width"] if size == FREE else [12, 12]
    assert {each.name: each.shape for each in session.get_inputs()} == {
        "amount": ["batch", 1],
        "source": ["batch", 3, *sides],
        "mood": ["batch"],
    }
    assert session.get_outputs()[0].name == "samples"
    source = 2 * torch.rand(1, 3, 17 if size == FREE else 12, 12) - 1
    inputs = drawn(model, 3, source=source, mood="odd")
    (made,) = session.run(None, {name: each.numpy() for name, each in inputs.items()})
    wanted = model.transform(source, seed=3, mood="odd").numpy()
    assert made.shape == wanted.shape and np.abs(made - wanted).max() <= 1e-4
    told = {key.removeprefix("ganvas."): value for key, value in session.get_modelmeta().custom_metadata_map.items()}
    assert [each["kind"] for each in json.loads(told["inputs"])] == ["normal", "given", "class"]
    assert json.loads(told["inputs"])[2] == {
        "name": "mood", "kind": "class", "shape": [], "classes": 3, "names": list(MOODS)
    }  # fmt: skip
    assert json.loads(told["latent"]) == {"amount": [1]} and "labels" not in told
    assert json.loads(told["reach"]) == 2 and json.loads(told["scale"]) == 1 and json.loads(told["channels"]) == 3
    assert ("space" in told) == (size != FREE)
    # The same as a folder of files, and by `export` itself.
    run = run_of(model, tmp_path / "run")
    for format, name in (("onnx", "x.onnx"), ("hub", "hub")):
        assert ganvas.export(run, format, tmp_path / name, recipe=TRANSLATOR).difference <= 1e-4
    card = (tmp_path / "hub" / "README.md").read_text()
    assert "samples.png" not in card and not (tmp_path / "hub" / "samples.png").exists()
    sides, what = ("any, any", "changes images of any size") if size == FREE else ("12, 12", "makes images 12x12")
    assert f"model.transform(source)  # (n, 3, {sides}) in [-1, 1]" in card and f"network that {what}" in card
    assert "changed = model.transform(" in card and "`ganvas translate`, `ganvas serve`" in card
    assert "`mood` (calm, wild, odd)" in card
    again = ganvas.load(tmp_path / "hub", recipe=TRANSLATOR)
    assert again.inputs == model.inputs
    assert torch.equal(again.transform(source, seed=1, mood="calm"), model.transform(source, seed=1, mood="calm"))


def test_attributes_and_numbers_are_exported_and_nan_is_what_stays(tmp_path):
    model = changer_model()
    graph = onnx_bytes(model, "translators.py:Changer")
    assert largest_difference(model, graph) <= 1e-4
    tried = [drawn["change"] for drawn in compared(model)]
    for value in (*tried, traced(model)["change"]):
        assert value.isnan().any() and not value.isnan().all()
    assert any(each["strength"].unique().numel() > 1 for each in compared(model))
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    shapes = {each.name: each.shape for each in session.get_inputs()}
    assert shapes == {"source": ["batch", 3, "height", "width"], "change": ["batch", 3], "strength": ["batch"]}
    source = 2 * torch.rand(2, 3, 19, 30) - 1
    wanted = model.transform(source, change=[{"smile": 0.5, "hair": "pink"}, {"age": 30}], strength=1.5)
    given = {"change": np.array([[0.5, np.nan, 1], [np.nan, 30, np.nan]], np.float32), "strength": np.full(2, 1.5)}
    (made,) = session.run(None, {"source": source.numpy(), **{k: v.astype(np.float32) for k, v in given.items()}})
    np.testing.assert_allclose(made, wanted.numpy(), rtol=0, atol=1e-4)
    (same,) = session.run(
        None,
        {
            "source": source.numpy(),
            "change": np.full((2, 3), np.nan, np.float32),
            "strength": np.ones(2, np.float32),
        },
    )
    np.testing.assert_allclose(same, source.numpy(), rtol=0, atol=1e-6)  # its generator adds nothing to what stays


def test_what_no_page_can_ask_for_is_refused(tmp_path):
    model = translator_model(FREE)
    sounds = replace(model, inputs={**model.inputs, "source": Given(WaveSpace(8000, 64))})
    with pytest.raises(UsageError, match=r"this model images of 'source' .*: take --format onnx or hub"):
        kind_of(sounds)

    class Odd(Uniform):
        kind = "odd"

    with pytest.raises(UsageError, match="no field for an input of kind odd: take --format onnx or hub"):
        kind_of(replace(model, inputs={**model.inputs, "odd": Odd(())}))


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("export") / "run"
    labelled = tmp_path_factory.mktemp("data")
    pixels = np.random.default_rng(0).integers(0, 256, (12, 8, 8), dtype=np.uint8)
    for number in range(12):
        folder = labelled / ("cats" if number % 2 else "dogs")
        folder.mkdir(exist_ok=True)
        Image.fromarray(pixels[number]).save(folder / f"{number}.png")
    return ganvas.train("dcgan", data=labelled, conditional=True, width=4, steps=2, batch_size=4, out=out, quiet=True)


def test_an_onnx_file_of_a_run(run, tmp_path):
    made = ganvas.export(run, "onnx", tmp_path / "run.onnx")
    assert made.difference <= 1e-4 and "largest difference to PyTorch" in str(made)
    assert [path.name for path in tmp_path.iterdir()] == ["run.onnx"]
    with pytest.raises(UsageError, match="--overwrite"):
        ganvas.export(run, "onnx", tmp_path / "run.onnx")
    ganvas.export(run, "onnx", tmp_path / "run.onnx", overwrite=True)


def test_a_hub_folder_is_a_model_again(run, tmp_path):
    (run / "scores.json").write_text(json.dumps(PASSPORT))
    out = tmp_path / "given" / "away"
    made = ganvas.export(run, "hub", out)
    assert made.difference == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
        "samples.png",
    ]
    assert [path.name for path in out.parent.iterdir()] == ["away"]
    assert torch.equal(ganvas.load(out).sample(5, seed=3), ganvas.load(run).sample(5, seed=3))
    averaged = load_file(out / "model.safetensors")
    assert all(torch.equal(value, ganvas.load(run).recipe.state_dict()[key]) for key, value in averaged.items())
    again = ganvas.export(out, "onnx", tmp_path / "again.onnx")
    assert again.difference <= 1e-4
    # Nothing of this machine leaves it.
    for name in ("README.md", "config.json"):
        assert str(run.parent) not in (out / name).read_text() and "hardware" not in (out / name).read_text()
    card = (out / "README.md").read_text()
    assert card.startswith('---\nlibrary_name: "ganvas"\n')
    assert "| `FID[lite0]` | 12.5 | 11 to 14 | 50 samples, 60 references; data pets, split train, today |" in card
    assert "`cats`, `dogs`" in card


def test_a_recipe_of_ones_own_is_named_for_every_format(tmp_path):
    own = f"{Path(__file__).parents[1] / 'docs' / 'examples' / 'clipped_gan.py'}:ClippedGAN"
    run = ganvas.train(own, data="ring", steps=1, out=tmp_path / "run", quiet=True)
    for format, name in (("onnx", "own.onnx"), ("hub", "own"), ("web", "own.html")):
        assert ganvas.export(run, format, tmp_path / name, recipe=own).difference <= 1e-4
        with pytest.raises(RunError, match="recipe of your own"):
            ganvas.export(run, format, tmp_path / f"again-{name}")
    config = (tmp_path / "own" / "config.json").read_text()
    assert '"recipe": "clipped_gan.py:ClippedGAN"' in config and str(Path(own).parent) not in config
    assert ganvas.load(tmp_path / "own", recipe=own).sample(2).shape == (2, 2)


def test_an_altered_hub_folder_is_refused(run, tmp_path):
    ganvas.export(run, "hub", tmp_path / "hub")
    weights = tmp_path / "hub" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(RunError, match="altered"):
        ganvas.load(tmp_path / "hub")
    # A pickle that claims to be the weights, with the right checksum: it is refused, and nothing of it runs.
    bomb = b"cos\nsystem\n(S'touch " + str(tmp_path / "ran").encode() + b"'\ntR."
    weights.write_bytes(bomb)
    config = json.loads((tmp_path / "hub" / "config.json").read_text())
    config["weights"]["sha256"] = hashlib.sha256(bomb).hexdigest()
    (tmp_path / "hub" / "config.json").write_text(json.dumps(config))
    with pytest.raises(RunError, match="not a safetensors file"):
        ganvas.load(tmp_path / "hub")
    assert not (tmp_path / "ran").exists()


def test_bad_outputs_are_refused(run, tmp_path, monkeypatch):
    for format, out, said in (
        ("onxx", "x.onnx", "did you mean 'onnx'"),
        ("onnx", "x.html", "ends in .onnx"),
        ("web", "folder", "ends in .html"),
        ("hub", "x.onnx", "has the name of a file"),
    ):
        with pytest.raises(UsageError, match=said):
            ganvas.export(run, format, tmp_path / out)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(UsageError, match="--overwrite"):
        ganvas.export(run, "hub", tmp_path / "mine")
    with pytest.raises(UsageError, match="other files than an export"):
        ganvas.export(run, "hub", tmp_path / "mine", overwrite=True)
    with pytest.raises(RunError, match="is not a run"):
        ganvas.export(tmp_path / ".." / ".." / "etc", "onnx", tmp_path / "x.onnx")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UsageError, match=r"pip install \"ganvas\[export\]\""):
        ganvas.export(run, "onnx", tmp_path / "x.onnx")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine"]


@pytest.mark.parametrize(("format", "name"), [("onnx", "x.onnx"), ("web", "x.html")])
def test_what_is_not_pytorchs_samples_is_not_written(run, tmp_path, monkeypatch, format, name):
    wrong = Model(CountsItsBatch().eval(), PointSpace(2), Stretch().inputs(), 1)
    monkeypatch.setattr(sys.modules["ganvas.exporting"], "load", lambda *_, **__: wrong)
    with pytest.raises(RunError, match=rf"more than {MOST_DIFFERENCE:g}"):
        ganvas.export(run, format, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_hub_folder_that_loads_as_something_else_is_not_written(run, tmp_path, monkeypatch):
    other = shutil.copytree(run, tmp_path / "other")
    model = ganvas.load(other)
    with torch.no_grad():
        next(model.recipe.generator.parameters()).add_(1)
    monkeypatch.setattr(sys.modules["ganvas.exporting.run"], "load", lambda *_, **__: model)
    with pytest.raises(RunError, match="nothing was written"):
        ganvas.export(run, "hub", tmp_path / "hub")
    assert [path.name for path in tmp_path.iterdir()] == ["other"]


PASSPORT = {
    "ganvas passport": 1,
    "scores": {
        "FID[lite0]": {
            "value": 12.5,
            "interval": [11.0, 14.0],
            "better": "lower",
            "extractor": "lite0",
            "samples": 50,
            "references": 60,
        }
    },
    "judged": {"step": 2},
    "data": {"name": "pets", "split": "train"},
    "extractors": {"lite0": {}},
    "versions": {},
    "date": "today",
}


def test_a_balanced_folder_is_what_loaders_read_and_tells_what_it_is(run, tmp_path, capsys):
    from torchvision.datasets import ImageFolder

    from ganvas.cli import main

    def said(*words: object) -> str:
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in ("sample", run, *words)])
        told = capsys.readouterr()
        assert ended.value.code == (2 if told.err else 0)
        return told.out + told.err

    out = tmp_path / "synthetic"
    assert "35 of each of 2 labels" in said("--balanced", 35, "--seed", 4, "--out", out)
    data = ImageFolder(str(out))
    assert data.classes == ["cats", "dogs"] and [target for _, target in data.samples].count(0) == 35 == len(data) / 2
    passport = json.loads((tmp_path / "synthetic.json").read_text())
    assert passport["seed"] == 4 and passport["step"] == 2 and passport["recipe"] == "dcgan"
    assert passport["labels"] == {label: {"folder": label, "samples": 35} for label in ("cats", "dogs")}
    assert passport["trained on"]["fingerprint"] and str(run.parent) not in json.dumps(passport)
    model = ganvas.load(run)
    wanted = model.space.to_uint8(model.sample(70, seed=4))
    for index in (0, 1, 69):
        with Image.open(out / model.labels[index % 2] / f"{index:05d}.png") as picture:
            np.testing.assert_array_equal(np.asarray(picture), wanted[index, :, :, 0])
    assert "writes a new folder" in said("--balanced", 1, "--out", out)
    assert "no -n, --label" in said("--balanced", 1, "-n", 3, "--out", tmp_path / "x")
    assert "takes the folder" in said("--balanced", 1)
    assert "has the name of a file" in said("--balanced", 1, "--out", tmp_path / "x.png")
    assert "1 or more" in said("--balanced", 0, "--out", tmp_path / "x")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["synthetic", "synthetic.json"]
