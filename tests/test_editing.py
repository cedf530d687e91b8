"""`ganvas edit` and `ganvas.model.edited`: pictures changed by what a model declares, or by inversion."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import ganvas
from ganvas import recipes
from ganvas.attributes import Attribute, attributes_to_json
from ganvas.errors import UsageError
from ganvas.model import Model, closed_form_directions, edited, main_directions, moved
from ganvas.spaces import FREE, ImageSpace
from test_cli import ganvas as command
from test_cli import refused
from translators import TRANSLATOR, run_of, translator_model

GOLDEN = Path(__file__).parent / "golden" / "format-1"
DIGITS = GOLDEN / "r3gan"
FACES = (Attribute("smile"), Attribute("age", 20, 90), Attribute("hair", choices=("black", "pink")))


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that takes attributes, with random weights."""
    arguments = {"channels": 3, "size": [16, 16], "attributes": attributes_to_json(FACES), "width": 8, "d_width": 8}
    torch.manual_seed(0)
    recipe = recipes.find("stargan")(**arguments).eval().requires_grad_(False)
    for weight in recipe.parameters():
        weight.add_(0.05 * torch.randn_like(weight))
    model = Model(recipe, ImageSpace(3, 16, 16), recipe.inputs(), 3)
    return run_of(model, tmp_path_factory.mktemp("run") / "faces", "stargan", arguments)


@pytest.fixture(scope="module")
def digits() -> Model:
    return ganvas.load(DIGITS)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (16, 20, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


@pytest.fixture
def digit(tmp_path: Path, digits: Model) -> Path:
    path = tmp_path / "digit.png"
    path.write_bytes(digits.space.file(digits.sample(1, seed=4, label=digits.labels[0])))
    return path


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture)


def test_attributes_are_set_one_by_one(faces: Path, photo: Path, tmp_path: Path) -> None:
    out = ("--out", tmp_path / "out.png", "--overwrite")
    model = ganvas.load(faces)
    content = photo.read_bytes()

    def wanted(**given) -> np.ndarray:
        return model.space.to_uint8(model.transform(content, **given))[0]

    assert command("edit", faces, photo, "--set", "smile=1", "--set", "hair = pink", *out) == 0
    smiling = wanted(change={"smile": 1, "hair": "pink"})
    np.testing.assert_array_equal(pixels(tmp_path / "out.png"), smiling)
    assert command("edit", faces, photo, "--set", "age=30", "--strength", "1.5", *out) == 0
    np.testing.assert_array_equal(pixels(tmp_path / "out.png"), wanted(change={"age": 30}, strength=1.5))
    assert command("edit", faces, photo, "--set", "age=30", "--set", "strength=1.5", *out) == 0
    np.testing.assert_array_equal(pixels(tmp_path / "out.png"), wanted(change={"age": 30}, strength=1.5))
    assert (smiling != wanted(change={"age": 30}, strength=1.5)).any()
    in_python = edited(model, content, {"smile": 1, "hair": "pink"})
    np.testing.assert_array_equal(model.space.to_uint8(in_python.samples)[0], smiling)
    assert in_python.inversion is None


def test_what_cannot_be_set_is_one_line(faces: Path, photo: Path, tmp_path: Path, capsys) -> None:
    out = ("--out", tmp_path / "x.png")
    for words, told in {
        ("--set", "smyle=1"): "there is no 'smyle' to set; did you mean 'smile'?",
        ("--set", "age=91"): "age must be 20 to 90, not '91'",
        ("--set", "hair=pinc"): "hair must be one of black, pink, not 'pinc'; did you mean 'pink'?",
        ("--set", "change=smile"): "set its parts, one by one: smile, age, hair",
        ("--set", "source=1"): "there is no 'source' to set",
        ("--set", "direction=2"): "there is no 'direction' to set",
        ("--set", "smile"): "--set takes NAME=VALUE, as in --set smile=1, not 'smile'",
        ("--set", "smile=1", "--set", "smile=0"): "--set smile is given twice",
        ("--set", "strength=1", "--strength", "2"): "'strength' is given twice",
        ("--set", "strength=9"): "strength: must be a number from 0 to 3",
        ("--set", "smile=1", "--invert"): "leave out --invert",
        ("--set", "smile=1", "--steps", "3"): "the length of an inversion; leave them out",
        (): "say what to change: --set NAME=VALUE (here smile, age, hair, strength)",
        ("--mask", photo, "--set", "smile=1"): "has no flag --mask",
    }.items():
        assert told in refused(capsys, "edit", faces, photo, *words, *out), words
    assert not (tmp_path / "x.png").exists()
    assert "say which run edits" in refused(capsys, "edit")
    assert "say what to edit" in refused(capsys, "edit", faces, *out)
    assert "say where to write" in refused(capsys, "edit", faces, photo)


def test_help_tells_what_can_be_set(faces: Path, capsys) -> None:
    assert command("edit", faces, "--help") == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "here smile, age, hair, strength" in told and "direction" not in told.split("examples:")[0]
    assert command("edit", DIGITS, "--help") == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "here label, direction1 to direction16" in told


def test_inputs_of_any_kind_are_set(photo: Path, tmp_path: Path) -> None:
    run, out = run_of(translator_model(FREE), tmp_path / "moods"), tmp_path / "out.png"
    words = ("--set", "mood=wild", "--seed", 3, "--own-size", "--recipe", TRANSLATOR)
    assert command("edit", run, photo, "--out", out, *words) == 0
    model = ganvas.load(run, recipe=TRANSLATOR)
    wanted = model.space.to_uint8(model.transform(photo.read_bytes(), seed=3, mood="wild"))[0]
    np.testing.assert_array_equal(pixels(out), wanted)


def test_a_picture_is_inverted_and_made_again(digits: Model, digit: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "again.png"
    words = ("edit", DIGITS, digit, "--invert", "--steps", 20, "--out", out)
    assert "add --invert" in refused(capsys, *(word for word in words if word not in ("--invert", "--steps", 20)))
    assert command(*words) == 0
    found = digits.invert(digit.read_bytes(), steps=20)
    assert capsys.readouterr().out.strip() == f"{out}; {found.told()}"
    np.testing.assert_array_equal(pixels(out), digits.space.to_uint8(found.samples)[0].squeeze(-1))
    assert command(*words, "--overwrite", "--json") == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert told["scores"]["psnr"] == pytest.approx(float(found.psnr)) and told["note"] == found.told()
    assert told["scores"]["drawn_distance"] == pytest.approx(float(found.drawn_distances))


def test_what_was_found_is_moved_and_made_another_class(digits: Model, digit: Path, tmp_path: Path, capsys) -> None:
    first, second = digits.labels[:2]
    out, words = (
        tmp_path / "out.png",
        ("edit", DIGITS, digit, "--invert", "--steps", 5, "--overwrite", "--label", first),
    )
    changes = ("--set", "direction2=-3", "--set", f"label={second}", "--set", "direction=1")
    assert command(*words, *changes, "--out", out) == 0
    found = digits.invert(digit.read_bytes(), steps=5, label=first)
    inputs = moved(found.inputs, closed_form_directions(digits, 2), [1.0, -3.0]) | {"label": torch.tensor([1])}
    wanted = digits.decode(inputs)
    np.testing.assert_array_equal(pixels(out), digits.space.to_uint8(wanted)[0].squeeze(-1))
    assert (wanted != found.samples).any() and found.inputs["label"].tolist() == [0]
    in_python = edited(
        digits, digit.read_bytes(), {"direction2": -3, "label": second, "direction": 1}, steps=5, label=first
    )
    assert torch.equal(in_python.samples, wanted) and in_python.inversion is not None
    for change, told in {
        "lable=1": "there is no 'lable' to set; did you mean 'label'?",
        "smile=1": "there is no 'smile' to set; known: direction1, direction2, label",
        "label=12x": "label: there is no '12x'",
        "latent=0": "there is no 'latent' to set",
        "direction=far": "direction must be a number from -100 to 100, such as 2.5",
        "direction3=nan": "direction3 must be a number",
        "direction17=1": "there is no direction17: the first 16 can be set",
        "direction0=1": "there is no 'direction0' to set",
    }.items():
        assert told in refused(capsys, *words, "--set", change, "--out", out), change


def test_of_several_files_one_that_fails_stops_no_other(digit: Path, tmp_path: Path, capsys) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    assert command("edit", DIGITS, tmp_path, "--invert", "--steps", 1, "--out", tmp_path / "made", "--json") == 2
    told = {Path(each["source"]).name: each for each in json.loads(capsys.readouterr().out)}
    assert "what is to be inverted: this is no image file" in told["broken.png"]["error"]
    assert not told["digit.png"]["error"] and (tmp_path / "made" / "digit.png").exists()


def test_where_there_is_no_closed_form_directions_are_the_principal_ones(digits: Model, monkeypatch) -> None:
    from ganvas.model import editing

    def none(model: Model, count: int) -> None:
        raise UsageError("no closed form")

    monkeypatch.setattr(editing, "closed_form_directions", none)
    found = main_directions(digits, 2)
    assert found.input == "latent" and len(found.vectors) == 2
