"""Signatures become flags, and values are checked where they enter."""

import json
from typing import Annotated, Literal

import pytest

from ganvas import recipes
from ganvas.errors import UsageError, near_miss
from ganvas.options import FromData, Range, Size2D, checked, read_options
from ganvas.settings import Settings


class Example:
    def __init__(
        self,
        *,
        channels: Annotated[int, FromData()],
        lr: Annotated[float, Range(1e-5, 1e-2, log=True), "learning rate"] = 2e-4,
        width: Annotated[int, Range(1)] = 8,
        loss: Literal["hinge", "minimax"] = "hinge",
        fast: bool = False,
        name: str | None = None,
        size: Annotated[Size2D | None, Range(4, 4096), "height and width"] = None,
    ) -> None: ...


def test_a_signature_is_read():
    options = {option.name: option for option in read_options(Example)}
    assert options["channels"].from_data and not options["lr"].from_data
    assert (options["lr"].kind, options["lr"].default, options["lr"].help) == (float, 2e-4, "learning rate")
    assert options["lr"].range == Range(1e-5, 1e-2, log=True) and options["lr"].flag == "--lr"
    assert options["loss"].choices == ("hinge", "minimax")
    assert options["fast"].kind is bool and options["name"].optional


def test_defaults_complete_what_is_given_and_text_is_converted():
    values = checked(Example, {"channels": 3, "lr": "0.001", "width": "16", "fast": True})
    assert values == {
        "channels": 3,
        "lr": 0.001,
        "width": 16,
        "loss": "hinge",
        "fast": True,
        "name": None,
        "size": None,
    }


def test_a_size_is_a_number_or_a_pair_and_comes_back_from_json():
    (size,) = (option for option in read_options(Example) if option.name == "size")
    assert size.metavar == "N|HxW" and size.optional
    for given, expected in (("64", (64, 64)), ("48X64", (48, 64)), (7, (7, 7)), ((5, 9), (5, 9)), ([4, 4.0], (4, 4))):
        assert checked(Example, {"channels": 1, "size": given})["size"] == expected
    made = size.check("48x64")
    assert str(made) == "48x64" and size.check(json.loads(json.dumps(made))) == made == (48, 64)


def test_the_edges_of_a_range_are_admitted():
    assert checked(Example, {"channels": 1, "lr": 1e-5})["lr"] == 1e-5
    assert checked(Example, {"channels": 1, "lr": 1e-2})["lr"] == 1e-2


BAD = {
    "above the range": ({"lr": 0.011}, "--lr must be 1e-05 to 0.01, not 0.011"),
    "below an open range": ({"width": 0}, "--width must be 1 or more, not 0"),
    "not a number": ({"lr": "fast"}, "--lr takes a number, not 'fast'"),
    "not finite": ({"lr": float("inf")}, "--lr takes a number"),
    "not whole": ({"width": 2.5}, "--width takes a whole number, not 2.5"),
    "a truth for a number": ({"width": True}, "--width takes a whole number, not True"),
    "a number for a truth": ({"fast": 1}, "--fast takes true or false, not 1"),
    "no size": ({"size": "big"}, "--size takes a number of pixels, or HEIGHTxWIDTH such as 48x64, not 'big'"),
    "a size of three": ({"size": "8x8x8"}, "--size takes a number of pixels"),
    "a size of fractions": ({"size": (8, 8.5)}, "--size takes a number of pixels"),
    "a size without end": ({"size": float("inf")}, "--size takes a number of pixels"),
    "a size of nothing": ({"size": []}, "--size takes a number of pixels"),
    "a side that is too small": ({"size": "64x3"}, "--size must be 4 to 4096, not 64x3"),
    "no such choice": ({"loss": "hing"}, "--loss cannot be 'hing'; did you mean 'hinge'?"),
    "no such name": ({"widht": 4}, "has no option 'widht'; did you mean 'width'?"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_is_refused_by_name(case):
    given, expected = BAD[case]
    with pytest.raises(UsageError) as caught:
        checked(Example, {"channels": 1, **given})
    assert expected in str(caught.value)


def test_a_fact_that_the_data_does_not_tell_is_missed_by_name():
    with pytest.raises(UsageError, match="needs 'channels'"):
        checked(Example, {})


def test_near_misses():
    assert near_miss("DCGN", ["dcgan", "cgan"]) == "; did you mean 'dcgan'?"
    assert near_miss("zebra", ["dcgan", "cgan"]) == "; known: cgan, dcgan"
    assert near_miss("zebra", map(str, range(100))) == ""


@pytest.mark.parametrize("name", recipes.names())
def test_every_flag_of_every_recipe_has_a_help_text_and_every_preset_is_valid(name):
    recipe = recipes.find(name)
    options = {option.name: option for option in read_options(recipe)}
    assert all(option.help for option in options.values() if not option.from_data)
    settings = {option.name: option for option in read_options(Settings)}
    for values in (*recipe.presets.values(), recipe.training_defaults):
        for key, value in values.items():
            assert (options | settings)[key].check(value) == value


@pytest.mark.parametrize("name", ["vanilla", "cgan", "dcgan"])
def test_the_tutorial_preset_is_the_textbooks(name):
    recipe = recipes.find(name)
    assert recipe.presets["tutorial"] == {
        "lr": 2e-4, "beta1": 0.5, "beta2": 0.999, "flipping": 0.35, "batch_size": 128, "epochs": 500,
        "sample_every": 100,
    }  # fmt: skip
    flags = {option.flag for option in [*read_options(recipe), *read_options(Settings)]}
    assert {"--lr", "--beta1", "--flipping", "--smoothing", "--batch-size", "--epochs", "--sample-every"} <= flags
