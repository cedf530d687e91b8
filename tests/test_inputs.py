"""What people give, as text, JSON, files and tensors; and what is told of it."""

from __future__ import annotations

import io
import json
import math

import numpy as np
import pytest
import torch
from PIL import Image

from ganvas.errors import RunError, UsageError
from ganvas.inputs import (
    RESERVED,
    Attribute,
    Attributes,
    Category,
    Given,
    Noise,
    Normal,
    Number,
    Shift,
    Uniform,
    check_names,
    given_of,
    inputs_from_json,
    inputs_to_json,
    names_of,
    searched_of,
)
from ganvas.spaces import FREE, ImageSpace, PointSpace

CATS = Category(3, ("tabby", "tortie", "black"))
FACES = Attributes((Attribute("smile"), Attribute("age", 20, 90), Attribute("hair", choices=("black", "pink", "red"))))


def test_a_class_is_given_by_its_name_its_number_or_several():
    assert CATS.parse("tortie").tolist() == [1] and CATS.parse(2).tolist() == [2]
    assert CATS.parse(["black", 0, "tabby"]).tolist() == [2, 0, 0]
    assert CATS.parse(np.array([1, 2])).tolist() == [1, 2] and CATS.parse(torch.tensor(1)).tolist() == [1]
    assert Category(12).parse("11").tolist() == Category(12).parse(11).tolist() == [11]
    for value, said in (
        ("torty", "there is no 'torty'; did you mean 'tortie'?"),
        ("1", "there is no '1'; known: black, tabby, tortie"),
        (3, "there is no 3"),
        (True, "there is no True"),
        (1.0, "there is no 1.0"),
        ({"a": 1}, "there is no {'a': 1}"),
        (torch.tensor([3]), "whole numbers from 0 to 2"),
        (torch.tensor([0.5]), "whole numbers from 0 to 2"),
        (torch.zeros(2, 2, dtype=torch.int64), "whole numbers from 0 to 2"),
        ("x" * 10_000, "there is no 'xxx"),
    ):
        with pytest.raises(UsageError) as refused:
            CATS.parse(value)
        assert str(refused.value).startswith(said) or said in str(refused.value)
        assert "\n" not in str(refused.value) and len(str(refused.value)) < 200


def test_a_number_means_the_name_that_is_written_so():
    """Digits of which some are left out: 3 is the class of threes, and never the fourth class by accident."""
    some = Category(2, ("3", "7"))
    assert some.parse("3").tolist() == some.parse(3).tolist() == [0] and some.parse(7).tolist() == [1]
    with pytest.raises(UsageError, match="there is no 1"):
        some.parse(1)


def test_numbers_are_given_as_text_a_list_or_a_tensor():
    codes = Uniform((2,), -1, 1)
    for value in ("0.5,-1", " 0.5 , -1 ", [0.5, -1], (0.5, -1), torch.tensor([0.5, -1]), np.array([[0.5, -1.0]])):
        assert codes.parse(value).tolist() == [[0.5, -1]]
    assert codes.parse([[0, 1], [1, 0], [0.5, 0.5]]).shape == (3, 2)
    assert Uniform((), 0, 0.1).parse("0.1").tolist() == [pytest.approx(0.1)]  # which float32 rounds up
    assert Uniform((2, 3)).parse("1,0,0,0,0,1").shape == (1, 2, 3)
    for value in ("0.5", "1,2", "nan,0", "a,b", [0.5], [2, 0], ["a", 0], [[0.5]], None, {}, [10**400, 0], "inf,0"):
        with pytest.raises(UsageError, match="2 numbers with commas between them, each from -1 to 1"):
            codes.parse(value)


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def test_a_picture_is_given_as_a_file_as_pixels_or_as_a_tensor():
    any_size, small = Given(ImageSpace(3, FREE, FREE)), Given(ImageSpace(3, 8, 8))
    pixels = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)
    levels = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1
    for value in (png(pixels), pixels, pixels[None], torch.from_numpy(pixels), levels, levels[0], levels.numpy()):
        torch.testing.assert_close(any_size.parse(value), levels, rtol=0, atol=1e-6)
    assert any_size.parse(np.stack([pixels] * 4)).shape == (4, 3, 6, 9)
    assert small.parse(png(pixels)).shape == (1, 3, 8, 8)  # a file is brought to the size, an array never
    for value, said in (
        (pixels, "must be images 8x8 RGB, not of shape"),
        (levels, "must be of shape (3, 8, 8), or (n, 3, 8, 8) for n samples, not (1, 3, 6, 9)"),
        (b"no picture", "image"),
        ("/etc/passwd", "must be images 8x8 RGB: the content of a file, a tensor or an array, not '/etc/passwd'"),
        (None, "not None"),
    ):
        with pytest.raises(UsageError) as refused:
            small.parse(value)
        assert said in str(refused.value) and "\n" not in str(refused.value)
    torch.testing.assert_close(Given(PointSpace(2)).parse(np.array([1.0, 2.0])), torch.tensor([[1.0, 2.0]]))


def test_a_latent_is_given_as_a_tensor_and_in_no_other_way():
    assert Normal((4,)).parse(torch.zeros(4)).shape == (1, 4) and Normal((4,)).parse(np.zeros((3, 4))).shape == (3, 4)
    with pytest.raises(UsageError, match="--seed chooses it"):
        Normal((4,)).parse("0,0,0,0")
    with pytest.raises(UsageError, match=r"shape \(4\), or \(n, 4\) for n samples, not \(5,\)"):
        Normal((4,)).parse(torch.zeros(5))


def test_help_and_schema_tell_what_is_admitted():
    assert CATS.admits() == "tabby, tortie, black" and Category(10).admits() == "a number from 0 to 9"
    assert Category(40, tuple(f"c{i}" for i in range(40))).admits().endswith("c11 and 28 more")
    assert Uniform((2,), 0, 3).admits() == "2 numbers with commas between them, each from 0 to 3"
    assert Uniform(()).admits() == "a number from -1 to 1" and Normal((3,)).admits() == ""
    assert Given(ImageSpace(3, FREE, FREE)).admits() == "a file: images of any size RGB"
    assert Uniform((2,)).schema()["items"] == {"type": "number", "minimum": -1.0, "maximum": 1.0}
    assert CATS.schema()["type"] == ["string", "integer"] and "tortie" in CATS.schema()["description"]


def test_names_that_flags_have_are_not_taken_for_inputs():
    check_names(["latent", "label", "noise_0", "png"])
    for name in (*sorted(RESERVED), "_private", "two words", "--out", "class", "", "é!"):
        with pytest.raises(TypeError, match="rename it"):
            check_names([name])
        with pytest.raises(RunError, match="no inputs"):
            inputs_from_json([{"name": name, "kind": "normal", "shape": [2]}])


def test_damaged_inputs_are_one_line():
    told = inputs_to_json({"a": CATS, "b": Given(ImageSpace(3, 8, 8), scale=2, reach=3)})
    assert names_of(inputs_from_json(told)) == {"a": CATS.names} and list(given_of(inputs_from_json(told))) == ["b"]
    for change in ({"classes": 4}, {"classes": 10**12, "names": []}, {"classes": 0}, {"names": 7}, {"kind": ["class"]}):
        with pytest.raises(RunError, match="no inputs that are known here"):
            inputs_from_json([told[0] | change])
    for change in ({"scale": 0}, {"reach": -1}, {"multiple": 0}, {"space": {"kind": "teapots"}}, {"scale": None}):
        with pytest.raises(RunError):
            inputs_from_json([told[1] | change])


def test_the_nearest_values_that_can_be_drawn():
    values = torch.tensor([[3.0, 4.0], [0.3, 0.4]])
    root = 2**0.5
    torch.testing.assert_close(
        Normal((2,), sphere=True).nearest(values), torch.tensor([[0.6, 0.8], [0.6, 0.8]]) * root, atol=1e-6, rtol=1e-6
    )
    far = 10 * values  # of lengths 50 and 5; nearly all draws are shorter than the root of 2, and 3 more
    torch.testing.assert_close(
        Normal((2,)).nearest(far), torch.tensor([[0.6, 0.8], [0.6, 0.8]]) * torch.tensor([[root + 3], [root + 3]])
    )
    assert torch.equal(Normal((2,)).nearest(values[1:]), values[1:])
    assert Uniform((2,), -1, 2).nearest(values).tolist()[0] == [2, 2]
    assert CATS.nearest(torch.tensor([2])).tolist() == [2]
    torch.manual_seed(0)
    drawn = Normal((64,), sphere=True).draw(5, torch.device("cpu"))
    torch.testing.assert_close(drawn.square().mean(1), torch.ones(5))


def rows(values: torch.Tensor) -> list[list[float | None]]:
    """Numbers, None where there is NaN."""
    return [[None if math.isnan(number) else number for number in row] for row in values.tolist()]


def test_attributes_are_given_by_name_and_the_others_stay():
    assert rows(FACES.draw(2, torch.device("cpu"))) == [[None, None, None]] * 2
    for value in (
        {"hair": "pink", "smile": 1},
        "smile=1,hair=pink",
        " smile = 1 , hair = pink ,",
        {"hair": 1, "smile": True},
    ):
        assert rows(FACES.parse(value)) == [[1, None, 1]]
    assert rows(FACES.parse(["age=20", {"age": 90, "smile": None}])) == [[None, 20, None], [None, 90, None]]
    assert rows(FACES.parse("smile=0.25")) == [[0.25, None, None]]
    tensor = torch.tensor([math.nan, 33.5, 2])
    assert rows(FACES.parse(tensor)) == rows(FACES.parse(tensor[None])) == [[None, 33.5, 2]]
    assert rows(FACES.parse({})) == rows(FACES.parse("")) == [[None, None, None]]
    digits = Attributes((Attribute("digit", choices=("3", "7")),))
    assert rows(digits.parse("digit=7")) == [[1]]  # the word, and not the place in the list


def test_what_attributes_cannot_have_is_one_line():
    for value, said in (
        ("smyle=1", "there is no attribute 'smyle'; did you mean 'smile'?"),
        ({"x" * 10_000: 1}, "there is no attribute 'xxx"),
        ("age=19", "age must be 20 to 90, not '19'"),
        ({"age": "old"}, "age must be 20 to 90, not 'old'"),
        ({"age": 10**400}, "age must be 20 to 90, not 1000"),
        ({"age": True}, "age must be 20 to 90, not True"),
        ({"age": [30]}, "age must be 20 to 90, not [30]"),
        ("hair=pinc", "hair must be one of black, pink, red, not 'pinc'; did you mean 'pink'?"),
        ("hair=1", "hair must be one of black, pink, red, not '1'"),
        ({"hair": 3}, "hair must be one of black, pink, red, not 3"),
        ({"hair": 0.5}, "hair must be one of black, pink, red, not 0.5"),
        ("smile", "attributes are given as smile=1,age=90, not 'smile'"),
        ("smile=", "attributes are given as smile=1,age=90, not 'smile='"),
        ("smile=1,smile=0", "'smile' is given more than once"),
        (7, "attributes are given as smile=1,age=90, not 7"),
        ([], "attributes are given as smile=1,age=90, not []"),
        (torch.tensor([0.0, 100.0, 0.0]), "age must be 20 to 90, not 100.0"),
        (torch.tensor([0.0, math.inf, 0.0]), "age must be 20 to 90, not inf"),
        (torch.tensor([[math.nan, math.nan, 0.5]]), "hair must be one of black, pink, red, not 0.5"),
        (torch.zeros(2), "must be of shape (3), or (n, 3) for n samples, not (2,)"),
    ):
        with pytest.raises(UsageError) as refused:
            FACES.parse(value)
        assert said in str(refused.value) and "\n" not in str(refused.value) and len(str(refused.value)) < 400


def test_attributes_tell_what_they_admit():
    each = "smile (0 or 1, or between), age (20 to 90), hair (one of black, pink, red)"
    assert FACES.admits() == f"name=value with commas between them: {each}"
    told = FACES.schema()
    assert told["properties"]["age"] == {"type": "number", "minimum": 20, "maximum": 90}
    assert told["properties"]["hair"] == {"type": "string", "enum": ["black", "pink", "red"]}
    assert told["additionalProperties"] is False and told["description"].endswith("what is not named stays as it is")
    assert FACES.attributes[0].switch and not FACES.attributes[1].switch and not FACES.attributes[2].switch
    assert FACES.attributes[2].word(1) == "pink" and FACES.attributes[1].word(33) == "33"


def test_a_number_has_a_default_and_a_range():
    strength = Number(0, 2, default=1)
    assert strength.draw(3, torch.device("cpu")).tolist() == [1, 1, 1]
    assert strength.parse("1.5").tolist() == strength.parse(1.5).tolist() == strength.parse([1.5]).tolist() == [1.5]
    assert strength.parse(torch.tensor([0.5, 2])).tolist() == [0.5, 2] and strength.parse([0, 1]).tolist() == [0, 1]
    for value in ("2.1", "nan", "much", -1, None, {}, [], torch.zeros(2, 2), torch.zeros(0), [[1.0]]):
        with pytest.raises(UsageError, match="must be a number from 0 to 2, not"):
            strength.parse(value)
    assert strength.unless_given == "1" and CATS.unless_given == "all in turn" and Normal((3,)).unless_given == "drawn"
    assert strength.schema()["default"] == 1 and Given(ImageSpace(3, 8, 8)).unless_given == ""


def test_attributes_and_numbers_come_back_from_json():
    inputs = {"change": FACES, "strength": Number(0, 2, default=1)}
    told = json.loads(json.dumps(inputs_to_json(inputs), allow_nan=False))
    assert inputs_from_json(told) == inputs
    age, hair = told[0]["attributes"][1:]
    for damage in (
        *([], None, 7, "smile", [7], [{}], [age, age], [age] * 100_000, {"name": "age"}),
        *([age | {"low": 90}], [age | {"high": "inf"}], [age | {"low": math.nan}], [age | {"low": None}]),
        *([age | {"name": each}] for each in (7, "", "a=b", "a,b", "x" * 300)),
        *(
            [hair | {"choices": each}]
            for each in (["a"], ["a", "a"], [1, 2], "black", 7, None, [str(i) for i in range(2000)])
        ),
    ):
        with pytest.raises(RunError, match="no inputs that are known here"):
            inputs_from_json([told[0] | {"attributes": damage}])
    for change in ({"low": 2}, {"default": 3}, {"default": math.nan}, {"high": math.inf}, {"low": None}, {"high": "x"}):
        with pytest.raises(RunError, match="no inputs that are known here"):
            inputs_from_json([told[1] | change])


def test_a_shift_is_zero_unless_given_and_noise_is_not_searched():
    inputs = {"latent": Normal((4,), sphere=True), "noise": Noise((9,)), "shift": Shift((2, 4))}
    assert inputs_from_json(json.loads(json.dumps(inputs_to_json(inputs)))) == inputs
    assert list(searched_of(inputs)) == ["latent", "shift"]
    device = torch.device("cpu")
    assert not inputs["shift"].draw(3, device).any() and inputs["shift"].draw(3, device).shape == (3, 2, 4)
    assert inputs["shift"].example(3, device).std() > 0.5
    assert inputs["shift"].parse(torch.ones(2, 4)).shape == (1, 2, 4)
    for wrong in (torch.ones(4), "0.5"):
        with pytest.raises(UsageError):
            inputs["shift"].parse(wrong)
    assert inputs["shift"].admits() == "" and inputs["shift"].unless_given == "0"
    halved = inputs["noise"].truncated(torch.ones(1, 9), 0.5)  # noise is nearer to its mean too
    assert torch.equal(halved, torch.full((1, 9), 0.5))
