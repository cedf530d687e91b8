"""What is chosen where nobody says it: the rules as tables of cases, and the command that goes by them."""

from __future__ import annotations

import inspect
import itertools
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import ganvas
from games import assert_identical
from ganvas import recipes, thinking
from ganvas.building import build, settle
from ganvas.choosing import BUDGETS, Budget, Choice, Effort, Enough, Facts, choose, rounded
from ganvas.data import batches
from ganvas.data.batches import BUILT_IN
from ganvas.data.images import write_halves
from ganvas.data.opening import meant, open_data, shrinking
from ganvas.errors import UsageError
from ganvas.recipes.r3gan import R3GAN
from ganvas.recipes.vanilla import Vanilla
from ganvas.training import LENGTH, checkpoint, seconds_a_step
from test_cli import ganvas as command
from test_cli import refused

DEFAULTS = {"batch_size": 64, "augment": "none"}
EFFORTS = (Effort({"width": 16, "batch_size": 32}), Effort({"batch_size": 32}, 1000), Effort(needs=3000),
           Effort({"width": 64}, 20_000))  # fmt: skip
MANY = Facts(items=45_000, noun="images", augments=True)
DIGITS = Facts(items=4518, noun="images", augments=True)
FEW = Facts(items=500, noun="images", augments=True)


def paced(seconds: float) -> Any:
    """A machine on which a step of 64 with width 32 takes so long, in proportion to the arithmetic."""
    return lambda options: seconds * options.get("batch_size", 64) / 64 * (options.get("width", 32) / 32) ** 2


def chosen(facts: Facts = MANY, given: Mapping[str, Any] | None = None, **more: Any) -> Choice:
    return choose(facts, given or {}, DEFAULTS, **{"efforts": EFFORTS, **more})


@pytest.mark.parametrize(
    ("seconds", "minutes", "options"),
    [  # 0.9 x 60 x minutes / seconds are the steps of 64 at the usual width: twice as many of 32, eight times with 16
        (0.33, 5, {"batch_size": 32, "steps": 1600}),  # 818 of 64
        (0.33, 20, {"steps": 3200}),
        (0.33, 60, {"steps": 9800}),
        (0.33, 480, {"steps": 78_000}),  # 19,636 with width 64
        (0.015, 60, {"width": 64, "steps": 54_000}),
        (1.3, 5, {"width": 16, "batch_size": 32, "steps": 1600}),  # 415 with width 32
    ],
)
def test_effort_and_length_follow_from_what_steps_take(seconds: float, minutes: float, options: Any) -> None:
    found = chosen(budget=Budget(minutes), seconds=paced(seconds))
    assert found.options == options and not found.cramped


def test_where_the_lightest_effort_is_too_much_it_says_so() -> None:
    found = chosen(budget=Budget(5), seconds=paced(5))
    assert found.options == {"width": 16, "batch_size": 32, "steps": 430} and found.cramped
    assert found.seconds == 5 / 8


def test_what_comes_too_late_is_taken_to_be_in_proportion_to_the_batch() -> None:
    times = iter([1.0, float("inf"), float("inf")])
    found = chosen(budget=Budget(20), seconds=lambda options: next(times))
    assert found.options == {"batch_size": 32, "steps": 2100} and found.seconds == 0.5


def test_little_is_measured() -> None:
    """The usual effort first, nothing heavier where even that has too few steps for it, and nothing twice."""
    tried: list[Any] = []

    def counting(seconds: float) -> Any:
        return lambda options: tried.append(dict(options)) or paced(seconds)(options)

    chosen(budget=Budget(60), seconds=counting(0.33))
    assert tried == [{}]
    chosen(budget=Budget(480), seconds=counting(0.33))
    assert tried[1:] == [{}, {"width": 64}]
    chosen(budget=Budget(5), seconds=counting(1.3))
    assert tried[3:] == [{}, {"batch_size": 32}, {"width": 16, "batch_size": 32}]


def test_a_glance_is_over_once_there_is_enough_to_see() -> None:
    enough = Enough(passes=18, items=80_000)
    quick = BUDGETS["quick"]
    assert chosen(DIGITS, budget=quick, enough=enough, seconds=paced(0.05)).options == {"batch_size": 32, "steps": 2500}
    assert chosen(MANY, budget=quick, enough=enough, seconds=paced(0.02)).options == {"steps": 12_000}
    assert chosen(FEW, budget=quick, enough=enough, seconds=paced(0.05)).options["steps"] == 2500  # of 32: 80,000
    assert chosen(DIGITS, budget=BUDGETS["good"], enough=enough, seconds=paced(0.05)).options["steps"] == 64_000


def test_few_items_are_augmented_where_that_is_known_to_be_right() -> None:
    assert chosen(FEW).options == {"augment": "diff"}
    assert chosen(Facts(items=500)).options == {} and chosen(MANY).options == {}
    assert chosen(FEW, {"augment": "none"}).options == {}


def test_what_is_seen_many_times_is_augmented_and_measured_so() -> None:
    def slower(options: Mapping[str, Any]) -> float:
        return (1.15 if options.get("augment") == "diff" else 1.0) * 0.33

    tiles = Facts(items=3787, noun="images", augments=True)
    assert "augment" not in chosen(tiles, budget=Budget(60), seconds=slower).options  # 166 times
    found = chosen(tiles, budget=Budget(480), seconds=slower)  # 1,328 times without
    assert found.options["augment"] == "diff" and found.seconds == 0.33 * 1.15
    assert "augment" not in chosen(MANY, budget=Budget(480), seconds=slower).options
    assert chosen(tiles, {"epochs": 301}).options == chosen(tiles, {"steps": 18_000}).options == {"augment": "diff"}
    assert chosen(tiles, {"epochs": 299}).options == chosen(tiles, {"steps": 17_000}).options == {}


@pytest.mark.parametrize(
    ("seconds", "minutes", "speed"), [(0.33, 20, 3200 * 64 // 4), (0.33, 480, 500_000), (0.33, 5, 1600 * 32 // 4)]
)
def test_adaptive_augmentation_is_as_fast_as_the_length_asks_for(seconds: float, minutes: float, speed: int) -> None:
    found = chosen(given={"augment": "ada"}, budget=Budget(minutes), seconds=paced(seconds))
    assert found.options["augment_speed"] == speed
    assert (
        "augment_speed"
        not in chosen(given={"augment": "ada", "augment_speed": 7}, budget=Budget(5), seconds=paced(1)).options
    )
    assert chosen(given={"augment": "ada", "steps": 100}).options == {"augment_speed": 1600}


def test_without_measuring_a_budget_goes_by_the_clock_and_the_rest_is_as_usual() -> None:
    assert chosen(budget=BUDGETS["good"]).options == {"minutes": 60}
    assert chosen().options == {}
    assert chosen(FEW, budget=BUDGETS["quick"]).options == {"augment": "diff", "minutes": 5}


@pytest.mark.parametrize(("items", "batch"), [(2, 2), (3, 2), (20, 16), (40, 32), (63, 32), (64, None)])
def test_a_batch_is_no_larger_than_the_data(items: int, batch: int | None) -> None:
    for seconds in (None, paced(1e-4)):
        found = chosen(Facts(items=items), budget=Budget(60), seconds=seconds)
        assert found.options.get("batch_size") == batch
    assert "batch_size" not in chosen(Facts(items=items), {"batch_size": 64}, budget=Budget(5)).options


def test_what_is_given_is_never_changed_and_all_that_is_chosen_is_told() -> None:
    said = {"width": 48, "batch_size": 16, "steps": 10, "minutes": 3, "augment": "none", "augment_speed": 9}
    for names in itertools.chain.from_iterable(itertools.combinations(said, count) for count in range(4)):
        given = {name: said[name] for name in names}
        for facts, seconds in itertools.product((MANY, FEW, Facts(items=10)), (1e-3, 0.3, 9.0)):
            found = chosen(facts, given, budget=Budget(given.get("minutes", 5)), seconds=paced(seconds))
            assert not found.options.keys() & given.keys()
            assert ("steps" in found.options) == (not given.keys() & {"steps", "minutes"})
            told = " ".join(found.why)
            assert all(f"--{name.replace('_', '-')} {value}" in told for name, value in found.options.items())


def test_lengths_have_two_digits() -> None:
    assert [rounded(number) for number in (0.2, 1, 9.9, 10, 99, 101, 2541.4, 81_324)] == [
        1, 1, 9, 10, 99, 100, 2500, 81_000
    ]  # fmt: skip


# -- what recipes say of themselves ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "weight"), [((28, 28), None), ((32, 32), None), ((48, 64), 0.6), ((64, 64), 0.8), ((128, 128), 3.2)]
)
def test_r3gans_penalties_grow_with_the_pixels(size: tuple[int, int], weight: float | None) -> None:
    advice = R3GAN.suited(Facts(items=9000, of_data={"size": size, "channels": 3}, minutes=5))
    assert [each.options for each in advice] == ([] if weight is None else [{"r1": weight, "r2": weight}])


@pytest.mark.parametrize(("labels", "few"), [((), False), ((25,) * 40, False), ((24,) * 40, True), ((500, 2), False)])
def test_r3gan_leaves_labels_out_where_a_label_has_few_images(labels: tuple[int, ...], few: bool) -> None:
    facts = Facts(items=sum(labels) or 100, labels=labels, of_data={"size": (32, 32), "channels": 3})
    assert [each.options for each in R3GAN.suited(facts)] == ([{"conditional": False}] if few else [])


@pytest.mark.parametrize(
    ("minutes", "channels", "light"), [(5, 1, True), (60, 1, False), (math.inf, 1, False), (5, 3, False)]
)
def test_r3gan_is_light_for_gray_pictures_and_few_minutes(minutes: float, channels: int, light: bool) -> None:
    facts = Facts(items=9000, of_data={"size": (28, 28), "channels": channels}, minutes=minutes)
    assert [each.options.get("width") for each in R3GAN.suited(facts)] == ([16] if light else [])


def test_points_get_the_game_that_loses_none_of_their_modes() -> None:
    (advice,) = Vanilla.suited(Facts(items=9000, of_data={"shape": (2,)}))
    assert {"objective": "relativistic", "r1": 0.01, "r2": 0.01, "latent": 2}.items() <= advice.options.items()
    assert Vanilla.suited(Facts(items=9000, of_data={"shape": (1, 28, 28)})) == []


@pytest.mark.parametrize("kind", BUILT_IN, ids=lambda kind: kind.kind)
def test_each_kind_has_a_recipe_that_is_taken_for_it(kind: Any) -> None:
    name = recipes.usual(kind.kind)
    taken = recipes.find(name)
    assert kind in taken.accepts and kind.kind in recipes.usual_kinds(name)
    assert recipes.usual(kind.kind, 480) == name


@pytest.mark.parametrize("name", recipes.names())
def test_a_recipe_says_in_its_text_what_it_is_taken_for_and_has_a_usual_effort(name: str) -> None:
    recipe = recipes.find(name)
    assert {kind.kind for kind in recipe.usual_for} == set(recipes.usual_kinds(name))
    assert [dict(effort.options) for effort in recipe.efforts].count({}) == 1
    assert all(a.needs < b.needs for a, b in itertools.pairwise(recipe.efforts))
    assert recipe.efforts[0].needs == 0


def test_no_recipe_for_a_kind_is_one_line() -> None:
    with pytest.raises(UsageError, match="no usual recipe for smells: name one"):
        recipes.usual("smells")


# -- what a source is taken for --------------------------------------------------------------------------------------

OWN = {"Photos": "scale", "Unpaired": "partners", "SoundPairs": "low_rate"}
"""Options of kinds whose sources look like any other's."""


@pytest.mark.parametrize("kind", [each for each in BUILT_IN if each is not batches.Masked], ids=lambda kind: kind.kind)
def test_each_kinds_own_example_is_taken_for_it(kind: Any, tmp_path: Path) -> None:
    source, _ = kind.reader.example(tmp_path)
    own = OWN.get(kind.__name__)
    assert meant(source, [own] if own else []).kind is kind
    assert bool(meant(source).told) == (kind.__name__ in ("Texts", "Captioned", "Attributed", "Pairs", "Tables"))


def test_folders_of_two_domains_are_taken_for_them_and_an_option_narrows_the_kinds(tmp_path: Path) -> None:
    for place in ("trainA", "trainB", "testA", "testB"):
        (tmp_path / place).mkdir()
        for number in range(2):
            Image.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / place / f"{number}.png")
    assert meant(tmp_path).kind is batches.Unpaired and "cut" in meant(tmp_path).told
    assert meant(tmp_path, ["scale"]).kind is batches.Photos
    with pytest.raises(UsageError, match=r"--low-rate is for soundpairs, and .* is read as images"):
        meant(tmp_path, ["low_rate"])


@pytest.mark.parametrize(
    ("shape", "side", "size"),
    [((100, 100), 64, (64, 64)), ((96, 128), 64, (64, 88)), ((128, 96), 32, (40, 32)), ((64, 128), 64, None),
     ((28, 28), 32, None)],
)  # fmt: skip
def test_larger_pictures_shrink_and_keep_their_shape(shape: Any, side: int, size: Any) -> None:
    images = np.zeros((4, *shape, 3), np.uint8)
    images[::2] = 255
    found = shrinking(images, batches.Images, {}, side)
    assert found == ({} if size is None else {"size": size})
    assert shrinking(images, batches.Images, {"size": (90, 90)}, side) == {}
    assert all(str(value) == f"{size[0]}x{size[1]}" for value in found.values())


def test_pieces_of_photos_do_not_shrink(tmp_path: Path) -> None:
    source, _ = batches.Photos.reader.example(tmp_path)
    assert shrinking(source, batches.Photos, {}, 4) == {}


# -- the command ----------------------------------------------------------------------------------------------------


@pytest.fixture
def steady(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A machine on which each step takes 45 s, so that a quick training has 6; and what was measured there."""
    measured: list[Any] = []
    monkeypatch.setattr(thinking, "PATIENCE", float("inf"))
    monkeypatch.setattr(thinking, "seconds_a_step", lambda training: measured.append(training) or 45.0)
    return measured


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """40 colour pictures of 8 x 8 in two classes."""
    return write_halves(tmp_path / "tiny.npz", channels=3)


def test_the_plan_of_a_plain_command_tells_each_choice_and_how_long_it_takes(
    steady: list[Any], pictures: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(pictures.parent)
    assert command("train", "--data", pictures, "--dry-run", "--device", "cpu") == 0
    told = capsys.readouterr()
    chosen = [line for line in told.out.splitlines() if line.startswith("chosen: ")]
    assert chosen[0] == "chosen: r3gan, the usual one for images; name another with ganvas train RECIPE"
    assert "chosen: --no-conditional, as a label has 18 images on average, which are few" in chosen
    assert any(line.startswith("chosen: --augment diff, so that judges do not learn 3") for line in chosen)
    assert any(line.startswith("chosen: --batch-size 32, as there are only 3") for line in chosen)
    assert any(
        line.startswith(
            "chosen: --width 16, for 6 steps; networks and batch as usual would get 6 of the 1,000 that are wanted"
        )
        for line in chosen
    )
    assert any(line.startswith("chosen: --steps 6, what fits into 5 minutes") for line in chosen)
    assert "length: 6 steps (" in told.out and "about 5 minutes here" in told.out
    assert "measuring some steps" in told.err and [path.name for path in pictures.parent.iterdir()] == [pictures.name]
    assert len(steady) == 2 and {training.settings.steps for training in steady} == {LENGTH}


def test_what_is_chosen_is_as_if_it_had_been_given_and_is_never_chosen_again(
    steady: list[Any], pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, said, quiet = pictures.parent / "plain", pictures.parent / "said", ("--quiet", "--device", "cpu")
    assert command("train", "--data", pictures, "--out", plain, *quiet) == 0
    monkeypatch.setattr(thinking, "seconds_a_step", None)  # from here on nothing is measured
    words = ("--width", "16", "--batch-size", "32", "--augment", "diff", "--no-conditional", "--steps", "6")
    assert command("train", "r3gan", "--data", pictures, "--out", said, *words, *quiet) == 0
    configs = [json.loads((run / "config.json").read_text()) for run in (plain, said)]
    assert all(configs[0][key] == configs[1][key] for key in ("recipe", "arguments", "settings"))
    for run in (plain, said):
        assert command("train", "--resume", run, "--steps", "8", "--quiet") == 0
    states = [checkpoint.newest(run / "checkpoints")[0] for run in (plain, said)]
    assert states[0] is not None and states[1] is not None
    assert (plain / "checkpoints" / "step-00000008").is_dir()
    assert_identical(states[0]["model"], states[1]["model"])


def test_a_length_in_steps_measures_nothing_and_a_budget_chooses_for_a_named_recipe(
    steady: list[Any], pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("train", "--data", pictures, "--dry-run", "--device", "cpu")
    assert command(*words, "--steps", "7") == 0 and steady == []
    assert "length: 7 steps" in capsys.readouterr().out
    assert command(*words, "--no-measure") == 0 and steady == []
    assert "length: 2,200 steps" in capsys.readouterr().out
    assert command(*words, "--no-measure", "--best") == 0 and steady == []
    assert "length: 480 minutes\n" in capsys.readouterr().out
    assert command(*words[:1], "dcgan", *words[1:], "--good") == 0 and len(steady) == 1
    told = capsys.readouterr().out
    assert "length: 72 steps" in told and "usual one for" not in told and "--augment diff" in told
    preset = ("train", "vanilla", *words[1:], "--preset", "tutorial", "--no-measure")
    assert command(*preset, "--quick") == 0  # which is more than the preset's 500 passes
    assert "length: 5 minutes\n" in capsys.readouterr().out
    assert command(*words, "--minutes", "30") == 0
    assert "length: 30 minutes, about 36 steps here" in capsys.readouterr().out


def test_on_a_cpu_large_pictures_shrink_and_again_where_steps_are_too_few(
    steady: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "large.npy", np.arange(40 * 96 * 96, dtype=np.uint8).reshape(40, 96, 96))
    words = ("train", "--data", tmp_path / "large.npy", "--dry-run", "--device", "cpu")
    assert command(*words, "--steps", "4") == 0
    assert "chosen: --size 64x64, as on a CPU larger ones take long" in capsys.readouterr().out
    assert command(*words) == 0
    told = capsys.readouterr().out
    assert "images 32x32 gray" in told and "chosen: --size 32x32, as of images 64x64 gray the lightest" in told
    assert command(*words, "--size", "96") == 0
    assert "images 96x96 gray" in capsys.readouterr().out


def test_other_kinds_find_their_recipe_and_their_flags(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "names.txt").write_text("anna\nberta\nclara\ndora\n" * 10)
    words = ("train", "--data", tmp_path / "names.txt", "--steps", "3", "--device", "cpu", "--dry-run")
    assert command(*words, "--warmup", "0.25", "--length", "5") == 0
    told = capsys.readouterr().out
    assert "recipe: textgan with" in told and "chosen: textgan, as the data look like text; name" in told
    assert "textgan" in refused(capsys, *words, "--r1", "2")


REFUSED = {
    "two lengths": (["--data", "digits", "--quick", "--steps", "5"], "--quick is a length of 5 minutes"),
    "no such kind": (["--data", "digits", "--low-rate", "4000"], "--low-rate is for soundpairs, and digits is read as"),
    "resumed": (
        ["--resume", "{run}", "--good"],
        "does not take --out, --go-on, --preset, --start, --seeds or a budget",
    ),
    "negative": (["--data", "digits", "--best", "--batch-size", "-1"], "--batch-size must be"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_go_together_is_one_line(case: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words, told = REFUSED[case]
    assert told in refused(capsys, "train", *[word.format(run=tmp_path) for word in words])


def test_an_unknown_budget_is_one_line() -> None:
    with pytest.raises(UsageError, match="there is no budget 'quik'; did you mean 'quick'"):
        ganvas.train(data="digits", budget="quik", quiet=True)


def test_measuring_draws_nothing_from_anybodys_random_generator(pictures: Path) -> None:
    data = open_data(pictures, progress=False)
    options = {"width": 4, "batch_size": 8, "steps": LENGTH, "device": "cpu"}
    training = build(R3GAN, data, *settle(R3GAN, data, options, "r3gan"), None)
    before = torch.get_rng_state()
    assert seconds_a_step(training, patience=0.0) > 0
    assert torch.equal(before, torch.get_rng_state()) and training.steps_done in (1605, 4805)


def test_a_table_of_texts_is_no_table_and_captions_are_no_attributes(tmp_path: Path) -> None:
    (tmp_path / "texts.csv").write_text("text,label\none two,a\nthree four,b\n")
    (tmp_path / "goods.csv").write_text("size,sold\n1,yes\n2,no\n")
    assert meant(tmp_path / "texts.csv").kind is batches.Texts and meant(tmp_path / "goods.csv").kind is batches.Tables
    source, _ = batches.Captioned.reader.example(tmp_path)
    assert meant(source).kind is batches.Captioned


def test_recipes_are_listed_with_what_each_is_for_and_what_is_taken_where_none_is_named(capsys: Any) -> None:
    assert command("recipes") == 0
    taken, every = capsys.readouterr().out.split("\n\n")
    told = dict(line.split(maxsplit=1) for line in taken.splitlines()[1:])
    kinds = [batch.kind for batch in BUILT_IN if recipes.usual(batch.kind, 1e9)]
    assert sorted(told) == sorted(kinds) and told["images"] == "r3gan" and told["tables"] == "tablegan"
    lines = dict(line.split(maxsplit=1) for line in every.splitlines()[1:])
    assert list(lines) == recipes.names()
    for name, line in lines.items():
        assert line.startswith(inspect.getdoc(recipes.find(name)).splitlines()[0]) and len(line) < 150
        for kind in recipes.usual_kinds(name):
            assert kind in line and name in told[kind]
    assert command("recipes", "--json") == 0
    facts = json.loads(capsys.readouterr().out)["r3gan"]
    assert facts["default_for"] == ["images"] and "Huang" in facts["paper"] and "stable choice" in facts["for"]
