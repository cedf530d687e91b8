"""Tables: columns and their quantiles, constraints, the reader, the recipe, scores, and a whole run."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import ganvas
from ganvas.data.dataset import describe
from ganvas.data.opening import open_data
from ganvas.data.table_rows import TableReader, Tables, Types
from ganvas.errors import DataError, RunError, UsageError
from ganvas.exporting.graph import onnx_bytes
from ganvas.inputs import Where, inputs_from_json, inputs_to_json
from ganvas.metrics import rows
from ganvas.model import Model
from ganvas.model.files import sample_to
from ganvas.networks.tables import Rows
from ganvas.options import checked
from ganvas.recipes.tablegan import TableGAN
from ganvas.spaces import Field, TableColumn, TableSpace, quantiles, space_from_config, space_to_config
from ganvas.spaces.constraints import constraint
from test_cli import ganvas as command
from test_cli import refused

COLOUR = TableColumn("colour", "category", ("blue", "red"), missing=0.25, levels=(0.5, 0.5))
AGE = TableColumn("age", "whole", levels=(0.25, 0.75, 1.0), values=(18.0, 30.0, 70.0), steps=True)
PRICE = quantiles("price", "number", np.array([0.5, 1.25, 9.0]), np.array([1, 1, 2]), decimals=2, missing=0.5)
DAY = TableColumn("day", "date", levels=(0.0, 1.0), values=(0.0, 86400.0 * 9), form="%d.%m.%Y")
SPACE = TableSpace((COLOUR, AGE, PRICE, DAY), "colour")


def samples(*some: list[float]) -> torch.Tensor:
    return torch.tensor(some, dtype=torch.float32)


def written(folder: Path, lines: list[str], name: str = "table.csv") -> Path:
    (folder / name).write_text("\n".join(lines), encoding="utf-8")
    return folder / name


# -- columns and the space ---------------------------------------------------------------------------------------------


def test_a_row_is_numbers_and_back() -> None:
    assert SPACE.parts == (3, 0, 0, 2, 0) and SPACE.shape == (5,)
    made = samples([1, 0.0, 0.0, 0, -9.0], [2, 9.0, 3.0, 1, 9.0])  # ranks 0.5, and those at the ends
    assert SPACE.lines(made) == ["red,30,9.00,01.01.1970", ",70,,10.01.1970"]
    assert SPACE.head() == "colour,age,price,day"
    assert SPACE.values(made[1:]) == {"row": {"colour": None, "age": 70, "price": None, "day": "10.01.1970"}}
    assert SPACE.values(made[:1])["row"]["price"] == 9.0


def test_every_value_comes_back_from_every_rank_that_stands_for_it() -> None:
    """As many ranks as there are such rows, and all of them its own."""
    random = np.random.RandomState(0)
    numbers, counts = np.unique(np.round(np.exp(random.randn(20_000) * 2), 2), return_counts=True)
    for column in (
        quantiles("many", "number", numbers, counts, decimals=2),
        quantiles("few", "number", numbers[:900], counts[:900], decimals=2),
    ):
        low, high = column.span(numbers[:900])
        for share in (0.01, 0.5, 0.99):
            assert np.abs(column.value(low + share * (high - low)) - numbers[:900]).max() < 1e-9
    many = quantiles("many", "number", numbers, counts, decimals=2)
    assert len(many.values) < 1000 and not many.steps
    drawn = many.value(random.rand(20_000))
    assert rows.shapes({"a": Field(np.repeat(numbers, counts), 0)}, {"a": Field(drawn, 0)})[0] > 0.98


def test_dates_lie_on_days() -> None:
    days = np.arange(2000.0) * 86400
    column = quantiles("day", "date", days, np.ones(2000), form="%Y-%m-%d")
    low, high = column.span(days)
    assert [column.text(each) for each in column.value((low + high) / 2)[:3]] == [
        "1970-01-01",
        "1970-01-02",
        "1970-01-03",
    ]
    assert len({column.text(each) for each in column.value(np.linspace(0, 1, 50_000))}) == 2000


def test_the_space_lies_in_the_config_and_is_checked_there() -> None:
    space = TableSpace((COLOUR, AGE), "age", ("age >= 18",))
    config = json.loads(json.dumps(space_to_config(space)))
    assert space_from_config(config) == space
    age = config["columns"][1]
    for wrong in (
        {"columns": []}, {"columns": [age, age]}, {"target": "size"}, {"constraints": "age >= 18"},
        {"constraints": ["size >= 18"]}, {"columns": [age | {"values": [3, 2, 1]}]},
        {"columns": [age | {"levels": []}]}, {"columns": [age | {"kind": "x"}]},
        {"columns": [age | {"values": [1, 2, float("nan")]}]}, {"columns": [age | {"form": "%Y%Y%s" * 50}]},
        {"columns": [age | {"dtype": "os.system"}]}, {"columns": [age | {"name": ""}]},
        {"columns": [age | {"name": "a\x1b[1m"}]}, {"columns": [config["columns"][0] | {"choices": ["a", "\u202eb"]}]},
        {"columns": "age"}, {"columns": [age | {"choices": "ab"}]}, {"columns": [age | {"decimals": 10**6}]},
    ):  # fmt: skip
        with pytest.raises(RunError):
            space_from_config(config | wrong)


def test_conditions_are_met_by_what_they_become() -> None:
    where = Where(SPACE)
    asked = where.parse("colour=red,age=30")
    assert torch.isnan(asked).tolist() == [[False, False, True, True, True]] and asked[0, 0] == 1
    made = torch.where(asked.isnan(), samples([0, -2.0, 0.0, 0, 0.0]), asked)
    assert SPACE.lines(made) == ["red,30,9.00,05.01.1970"]
    assert where.parse({"colour": None})[0, 0] == 2 and where.parse("price=")[0, 3] == 1
    assert where.parse([{"age": 18}, {"age": 70}]).shape == (2, 5)
    assert inputs_from_json(json.loads(json.dumps(inputs_to_json({"where": where}))))["where"] == where
    for wrong, says in (
        ("colour=green", "must be one of blue, red"), ("age=31", "never '31' in the data: the nearest are 18, 30"),
        ("age=200", "18 to 70"), ("age=old", "18 to 70"), ("size=3", "no column 'size'"), ("age=", "no cell of 'age'"),
        ("age=18,age=30", "more than once"), ("red", "given as colour=VALUE"), (7, "given as colour=VALUE"),
    ):  # fmt: skip
        with pytest.raises(UsageError, match=says):
            where.parse(wrong)


def test_a_value_may_have_commas() -> None:
    column = TableColumn("city", "category", ("Bonn", "Washington, DC"), levels=(0.5, 0.5))
    assert TableSpace((column, AGE)).conditions("city=Washington, DC,age=18")[0] == 1


def test_looks_are_near_where_rows_are_alike() -> None:
    looks = SPACE.look(
        samples([0, 0.0, 1.0, 0, 0.0], [1, 0.0, 1.0, 0, 0.0], [0, 2.0, 1.0, 1, 0.0], [0, 2.0, 5.0, 1, 0.0])
    )
    apart = torch.cdist(looks, looks)
    assert apart[0, 1] == pytest.approx(1.0) and apart[2, 3] == 0  # what is missing has no other value


def test_columns_that_tell_each_other_are_dark_together() -> None:
    two = TableSpace((COLOUR, AGE, TableColumn("eye", "category", ("a", "b"), levels=(0.5, 0.5))))
    random = np.random.RandomState(0)
    colour = random.randint(0, 2, 500)
    made = torch.from_numpy(np.stack([colour, random.randn(500), colour], 1)).float()
    found = two.together(made)
    assert found[0, 2] == pytest.approx(1, abs=0.02) and found[0, 1] < 0.2 and np.allclose(np.diag(found), 1, atol=0.02)
    picture = two.show(made)
    assert picture.width > 3 * 150 and len(np.unique(np.asarray(picture))) > 3


# -- constraints -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("age >= 30", [False, True, True]),
        ("age + price == 39", [False, True, True]),
        ("'age' - 1 < 2 * 1", None),
        ("age != 18.0", [False, True, True]),
        ("day < '05.01.1970'", [True, False, False]),
        ("-5 < price - age", [False, False, True]),
    ],
)
def test_constraints_compare_sums(text: str, holds: list[bool] | None) -> None:
    if holds is None:
        with pytest.raises(UsageError, match=r"it has '\*' in it"):
            constraint(text, SPACE.columns)
        return
    values = {"age": [18.0, 30, 30], "price": [1.0, 9, np.nan], "day": [0.0, 86400 * 8, 86400 * 8], "colour": [0.0] * 3}
    fields = {name: np.array(each) for name, each in values.items()}
    assert constraint(text, SPACE.columns).holds(fields, SPACE.columns).tolist() == holds


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("age", "compares nothing"), ("age >", "lacks one side"), ("age > 1 > 2", "compares twice"), ("> 2", "should"),
        ("agee > 2", "no column 'agee'; did you mean 'age'"), ("colour > 2", "only numbers and dates"),
        ("age 30 > 2", "should"), ("age > " + "1+" * 500, "at most 500"), ("age + + price > 2", "lacks a column"),
    ],
)  # fmt: skip
def test_what_is_no_constraint_is_refused(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        TableSpace(SPACE.columns, constraints=(text,))


# -- networks ----------------------------------------------------------------------------------------------------------


def test_rows_are_laid_out_and_back() -> None:
    layout = Rows(SPACE)
    row = samples([2, 0.5, 0.0, 1, -1.0], [0, 0.5, 0.7, 0, -1.0])
    hot = layout.hot(row)
    assert layout.width == 3 + 2 + 3 and hot[0].tolist() == [0.5, 0.0, -1.0, 0, 1, 0, 0, 1]
    assert torch.equal(layout.samples(hot), row)
    assert layout.hot(samples([0, 0.5, 0.9, 1, -1.0]))[0, 1] == 0  # a score that is missing is none
    known = layout.known(samples([float("nan"), 1, float("nan"), float("nan"), 0]))
    assert known.tolist() == [[0, 1, 0, 1]] and layout.mask(known).tolist() == [[1, 0, 1, 0, 0, 0, 0, 0]]


def test_choices_are_drawn_as_often_as_logits_say() -> None:
    layout = Rows(TableSpace((COLOUR,)))
    wanted = torch.tensor([[0.2, 0.5, 0.3]])
    logits = wanted.log().expand(20_000, 3)
    torch.manual_seed(0)
    for drawn in (layout.picked(logits, torch.randn(20_000, 1)), layout.relaxed(logits, 0.5)):
        assert (drawn.sum(1) - 1).abs().max() < 1e-5
        assert (drawn.mean(0) - wanted).abs().max() < 0.015
    assert layout.picked(logits[:1], torch.zeros(1, 1)).tolist() == [[0, 1, 0]]  # the likeliest


def test_numbers_go_with_the_choices_that_chance_took() -> None:
    """From one latent vector and two draws of a choice come other numbers, unless they are made without looking."""
    for second, look in ((16, True), (0, False)):
        torch.manual_seed(0)
        recipe = TableGAN(table=SPACE.facts()["table"], width=16, second=second).eval()
        inputs = recipe.draw(1)
        # Of an untrained generator no choice is nearly certain, so draws at 0 and far off are two choices.
        ages = [recipe.generate(**inputs | {"noise": torch.full((1, 2), far)})[0, 1] for far in (0.0, 9.0)]
        assert bool(ages[0] != ages[1]) is look


def test_what_comes_too_often_is_corrected() -> None:
    """Of a generator that has learned nothing, and whose columns are far off by themselves."""
    torch.manual_seed(0)
    recipe = TableGAN(table=SPACE.facts()["table"], width=64).eval()
    with torch.no_grad():
        recipe.generator.body.leave.bias.copy_(torch.tensor([1.0, -2, 0, 3, 0, -3, 1, -1]))

    def made() -> dict[str, Field]:
        torch.manual_seed(1)
        with torch.no_grad():
            return SPACE.fields(recipe.generate(**recipe.draw(20_000)))

    random = np.random.RandomState(0)
    real = {
        "colour": Field(random.choice([0, 1, np.nan], 20_000, p=[0.375, 0.375, 0.25]), 2),
        "age": Field(AGE.value(random.rand(20_000)), 0),
        "price": Field(np.where(random.rand(20_000) < 0.5, np.nan, PRICE.value(random.rand(20_000))), 0),
        "day": Field(DAY.value(random.rand(20_000)), 0),
    }
    assert rows.shapes(real, made()).max() < 0.9
    state = torch.get_rng_state()
    recipe.settle()
    assert torch.equal(state, torch.get_rng_state())
    assert rows.shapes(real, made()).min() > 0.98
    asked = torch.full((5000, 5), torch.nan)
    asked[:, 0] = 1
    assert SPACE.fields(recipe.generate(**recipe.draw(5000, {"where": asked})))["colour"].values.tolist() == [1] * 5000


# -- reading -----------------------------------------------------------------------------------------------------------


def lines_of(count: int = 200) -> list[str]:
    """A table with a column of every kind."""
    random = np.random.RandomState(0)
    head = "id,age,income,country,member,joined,left,note,empty,one"
    told = [head]
    for number in range(count):
        start, stay = random.randint(0, 1000), random.randint(0, 500)
        joined, left = (np.datetime64("2020-01-01") + int(day) for day in (start, start + stay))
        income = "" if number % 5 == 0 else f"{np.exp(random.randn() + 7):.2f}"
        country = ("DE", "FR", "PL")[random.randint(3)]
        yes = "yes" if random.rand() < 0.3 else "no"
        told.append(
            f"{number + 1},{random.randint(18, 80)},{income},{country},{yes},{joined},{left},some words {number},,1"
        )
    return told


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("table"), lines_of(), "people.csv")


def test_kinds_are_told_by_cells(table: Path) -> None:
    data = open_data(table, Tables, progress=False)
    space = data.space
    assert isinstance(space, TableSpace)
    assert {each.name: each.kind for each in space.columns} == {
        "age": "whole", "income": "number", "country": "category", "member": "yes/no", "joined": "date",
        "left": "date", "one": "whole",
    }  # fmt: skip
    assert space.columns[1].missing == pytest.approx(0.2, abs=0.03) and space.columns[1].decimals == 2
    assert space.columns[6].choices == ("1",) and space.target == "member"
    told = "\n".join(describe(data))
    assert "age (whole number 18 to 79)" in told and "member (yes/no no/yes)" in told and "missing" in told
    assert "left out: id (identifier), note (text, 200 different), empty (empty)" in told
    kept = [row for row in csv.reader(io.StringIO("\n".join(lines_of()))) if row]
    names = dict(
        zip(data.split("train").names, space.lines(data.split("train").gather(np.arange(9)).value), strict=False)
    )
    for name, line in names.items():
        number, *cells = kept[int(name.rpartition(":")[2]) - 1]
        assert line.split(",") == [*cells[:6], "1"], number


def test_what_cannot_be_printed_is_a_space(tmp_path: Path) -> None:
    data = open_data(written(tmp_path, ["a\x07b,c", '"x\ny",1', "\x1b[31mz,2"]), Tables, progress=False)
    assert isinstance(data.space, TableSpace) and data.space.names == ("a b", "c")
    assert data.space.columns[0].choices == ("[31mz", "x y")


def test_kinds_can_be_chosen(table: Path) -> None:
    data = open_data(table, Tables, column="age=category,id=whole,joined=out", target="age", progress=False)
    space = data.space
    assert isinstance(space, TableSpace) and space.target == "age"
    kinds = {each.name: each.kind for each in space.columns}
    assert kinds["age"] == "category" and kinds["id"] == "whole" and "joined" not in kinds
    again = open_data(table, Tables, **data.options(), progress=False)
    assert again.fingerprint == data.fingerprint
    like = open_data(table, Tables, progress=False, **TableReader.form_of(space))
    assert like.space == space


def test_one_table_is_brought_to_the_form_of_another(table: Path, tmp_path: Path) -> None:
    space = open_data(table, Tables, progress=False).space
    lines = lines_of()
    other = written(tmp_path, [lines[0], *(line.replace("FR", "XX") for line in lines[1:])])
    data = open_data(other, Tables, progress=False, **TableReader.form_of(space))
    assert data.space == space and len(data.damaged) == sum(",FR," in line for line in lines)
    assert "country is 'XX'" in next(iter(data.damaged.values()))


def test_a_table_that_nobody_says_the_kind_of_is_no_text(table: Path, tmp_path: Path) -> None:
    assert open_data(table, progress=False).batch_type is Tables
    reviews = written(tmp_path, ["stars,review", "1,bad", "5,good", "3,so so"])
    assert open_data(reviews, progress=False).batch_type.kind == "texts"
    assert open_data(reviews, Tables, progress=False).batch_type is Tables
    data = open_data(table, text_column="country", progress=False)  # an option of the other kind says it too
    assert data.batch_type.kind == "texts"


def test_folders_can_be_splits(tmp_path: Path) -> None:
    lines = lines_of(90)
    for name, part in {"train": lines[:60], "test": [lines[0], *lines[60:]]}.items():
        (tmp_path / name).mkdir()
        written(tmp_path / name, part, "part.csv")
    data = open_data(tmp_path, Tables, progress=False)
    assert data.counts["test"] == 31 and data.counts["train"] + data.counts["validation"] == 59


def test_constraints_leave_out_what_breaks_them(table: Path) -> None:
    data = open_data(table, Tables, constraint="joined <= left; age >= 40", progress=False)
    assert data.damaged and all("age >= 40" in reason for reason in data.damaged.values())
    assert "constraint joined <= left: holds of 100% of the rows" in "\n".join(data.notes)
    with pytest.raises(DataError, match="holds of none of the 200 rows"):
        open_data(table, Tables, constraint="left < joined", progress=False)


@pytest.mark.parametrize(
    ("content", "options", "says"),
    [
        (b"", {}, "is empty"),
        (b"a,b\n", {}, "holds 0 rows"),
        (b"a,b\n1,2\n1\n", {}, "line 3 has 1 cell, and there are 2 columns"),
        (b"a,a\n1,2\n3,4\n", {}, "two columns called 'a'"),
        (b"a,\n1,2\n3,4\n", {}, "a column without a name"),
        (b"a,b\n1,\xff\n3,4\n", {}, "no text in UTF-8"),
        (b"a," + b"b" * 300 + b"\n1,2\n", {}, "name has 300 letters"),
        (b"a\n\n\n", {}, "holds 0 rows"),
        (b"a,b\n,\n,\n", {}, "no column that can be learned: a .empty., b .empty."),
        (b"a\n" + b"\n".join(b"word%d" % n for n in range(60)), {}, "no column that can be learned: a .identifier"),
        (b"day,b\n2020-01-01,1\n2020-02-30,2\n", {"column": "day=date"}, "'2020-02-30' is no date"),
        (b"a,b\n1,2\nx,4\n", {"column": "a=number"}, "'x' is no number"),
        (b"a,b\n1,2\n1.5,4\n", {"column": "a=whole"}, "'1.5' is no whole number"),
        (b"a,b\n1,2\n3,4\n", {"column": "c=number"}, "no column 'c'"),
        (b"a,b\n1,2\n3,4\n", {"target": "c"}, "no column 'c'"),
        (b",".join(b"c%d" % n for n in range(10_000)) + b"\n", {}, "10,000 columns: at most 1,000"),
        (b'a,b\n1,"' + b"x" * 200_000, {}, "line 2"),
        (b"a,b\n1," + b"x" * 20_000 + b"\n", {}, "has 20,000 letters"),
        (b'a,b\n1,"x\n', {}, "no table of comma-separated values"),
    ],
)  # fmt: skip
def test_bad_tables_are_refused_in_one_line(
    content: bytes, options: dict[str, str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.csv").write_bytes(content)
    flags = [word for name, value in options.items() for word in (f"--{name}", value)]
    line = refused(capsys, "train", "tablegan", "--data", tmp_path / "bad.csv", "--out", tmp_path / "run", *flags)
    assert re.search(says, line), line
    assert not (tmp_path / "run").exists()


def test_kinds_are_given_as_text_or_columns() -> None:
    assert Types("a b=number, c=out").kinds == {"a b": "number", "c": "out"} and Types({"a": "date"}).kinds == {
        "a": "date"
    }
    assert Types([COLOUR.to_json()]).columns == (COLOUR,)
    for wrong in ("a", "a=heavy", "=number", [["a", "number"], COLOUR.to_json()], [], [{}], [{"name": "a", "kind": 1}]):
        with pytest.raises(UsageError, match="--column takes columns with their kind"):
            checked(TableReader, {"column": wrong})


# -- scores ------------------------------------------------------------------------------------------------------------


def test_shapes_and_pairs_are_what_they_are_said_to_be() -> None:
    one = {"a": Field(np.array([0.0, 0, 1, 1]), 2), "b": Field(np.array([1.0, 2, 3, 4]), 0)}
    other = {"a": Field(np.array([0.0, 1, 1, np.nan]), 2), "b": Field(np.array([3.0, 4, 5, 6]), 0)}
    assert rows.shapes(one, other).tolist() == [0.75, 0.5]  # a quarter moves; half lies below the least
    assert rows.shapes(one, one).tolist() == [1, 1] and rows.pairs(one, one).tolist() == [1]
    turned = {"b": one["b"], "c": Field(-one["b"].values, 0)}
    straight = {"b": one["b"], "c": one["b"]}
    assert rows.pairs(straight, turned).tolist() == pytest.approx([0.0])
    tied = {"a": one["a"], "d": one["a"]}
    assert rows.pairs(tied, {"a": one["a"], "d": Field(1 - one["a"].values, 2)}).tolist() == [0]


def test_the_area_under_the_curve_counts_ties_as_half() -> None:
    scores = np.array([0.9, 0.5, 0.5, 0.1])
    value, ones, zeros = rows.auc(scores, np.array([True, True, False, False]))
    assert value == pytest.approx((1 + 1 + 1 + 0.5) / 4) and ones.mean() == pytest.approx(value) == zeros.mean()
    assert np.isnan(rows.auc(scores, np.ones(4, bool))[0])


def test_boosting_finds_what_there_is() -> None:
    random = np.random.RandomState(0)
    x, noise = random.randn(600), random.randn(600)
    both = {"x": Field(x, 0), "noise": Field(noise, 0), "y": Field((x > 0).astype(float), 2)}
    said = rows.learned(both, "y", both, 0)
    assert said.shape == (600, 2) and rows.auc(said[:, 1], x > 0)[0] > 0.99
    mixed = rows.shuffled(both, 0)
    assert Counter(mixed["y"].values) == Counter(both["y"].values)
    assert 0.65 < rows.auc(*rows.told_apart(both, mixed, 0))[0] < 0.8  # 0.75: half of the shuffled rows do not fit
    halves = [rows.chosen(both, np.arange(start, 600, 2)) for start in (0, 1)]
    assert abs(rows.auc(*rows.told_apart(*halves, 0))[0] - 0.5) < 0.1


# -- a whole run -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    lines = lines_of(700)
    out = folder / "run"
    tiny = ("--width", "32", "--batch-size", "64", "--steps", "60", "--quiet", "--device", "cpu")
    data = written(folder, lines, "people.csv")
    assert command("train", "tablegan", "--data", data, "--out", out, "--constraint", "joined <= left", *tiny) == 0
    return out


def test_rows_are_written_and_meet_what_was_asked(run: Path, tmp_path: Path) -> None:
    assert command("sample", run, "-n", "150", "--where", "country=DE,age=40", "--out", tmp_path / "rows.csv") == 0
    with open(tmp_path / "rows.csv", newline="") as file:
        made = list(csv.DictReader(file))
    assert len(made) == 150 and list(made[0]) == ["age", "income", "country", "member", "joined", "left", "one"]
    assert {(row["country"], row["age"]) for row in made} == {("DE", "40")}
    assert all(row["joined"] <= row["left"] for row in made)
    assert {row["member"] for row in made} <= {"yes", "no"} and all(len(row["joined"]) == 10 for row in made)
    assert any(not row["income"] for row in made) and any(row["income"] for row in made)


def test_the_first_rows_do_not_depend_on_how_many(run: Path) -> None:
    model = ganvas.load(run)
    assert torch.equal(model.sample(7, seed=3), model.sample(130, seed=3)[:7])
    assert sample_to(run, None, n=2, seed=3).splitlines()[0] == model.space.head()


def test_a_demand_that_nobody_meets_is_told(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = ganvas.load(run)
    monkeypatch.setattr(type(model.space), "admitted", lambda self, some: torch.zeros(len(some), dtype=torch.bool))
    with pytest.raises(UsageError, match="0 met what is demanded"):
        model.sample(1)


def test_a_frame_has_the_types_of_the_table(run: Path) -> None:
    pytest.importorskip("pandas")
    frame = ganvas.load(run).sample_frame(100, seed=0)
    kinds = {name: frame[name].dtype.kind for name in frame.columns}
    assert kinds["age"] == "i" and kinds["income"] == "f" and kinds["joined"] == "M" and kinds["one"] == "i"
    assert set(frame["country"]) <= {"DE", "FR", "PL"} and frame["income"].isna().any()


def test_a_run_is_judged_beside_real_and_shuffled_rows(run: Path) -> None:
    pytest.importorskip("sklearn")
    names = ["columns", "pairs", "boosting", "real-or-fake", "privacy"]
    report = ganvas.evaluate(run, n=300, metrics=names, progress=False)
    beside = {key.partition("[")[0]: score.more["beside"] for key, score in report.scores.items()}
    assert beside["column shapes"]["shuffled"]["value"] == 1
    assert beside["pairs of columns"]["shuffled"]["value"] < 0.97 < 1
    assert abs(beside["real or fake AUC"]["real"]["value"] - 0.5) < 0.15
    assert beside["membership AUC"]["published"]["value"] > 0.95
    told = {key.partition("[")[0]: score.value for key, score in report.scores.items()}
    assert 0 <= told["copies"] <= 1 and 0.3 < told["membership AUC"] < 0.7
    assert "column shapes[columns]" in str(report)


# -- elsewhere ---------------------------------------------------------------------------------------------------------


def a_frame(count: int = 120) -> Any:
    pandas = pytest.importorskip("pandas")
    random = np.random.RandomState(0)
    return pandas.DataFrame(
        {
            "number": random.randn(count).astype(np.float32),
            "whole": random.randint(0, 1000, count).astype(np.int32),
            "gap": pandas.Series([None if n % 4 == 0 else n for n in range(count)], dtype="Int64"),
            "choice": pandas.Categorical([("a", "b")[n % 2] for n in range(count)]),
            "truth": [n % 3 == 0 for n in range(count)],
            "day": pandas.Timestamp("2024-01-31") + pandas.to_timedelta(np.arange(count) % 40, unit="D"),
        }
    )


def test_a_frame_is_read_and_comes_back_with_its_types() -> None:
    frame = a_frame()
    data = open_data(frame, Tables, progress=False)
    assert isinstance(data.space, TableSpace)
    assert [each.kind for each in data.space.columns] == ["number", "whole", "whole", "category", "yes/no", "date"]
    rows_of = data.split("train")
    back = data.space.frame(rows_of.gather(np.arange(len(rows_of))).value)
    assert back.dtypes.astype(str).to_dict() == frame.dtypes.astype(str).to_dict()
    original = frame.iloc[[int(name.rpartition(":")[2]) - 1 for name in rows_of.names]].reset_index(drop=True)
    assert np.abs(back["number"] - original["number"]).max() < 1e-6
    for name in ("whole", "gap", "choice", "truth", "day"):
        assert back[name].equals(original[name]), name


@pytest.mark.parametrize(("ending", "needs"), [("parquet", "pyarrow"), ("xlsx", "openpyxl")])
def test_other_files_are_read_as_frames_are(ending: str, needs: str, tmp_path: Path) -> None:
    pytest.importorskip(needs)
    frame, path = a_frame(), tmp_path / f"rows.{ending}"
    (frame.to_parquet if ending == "parquet" else frame.to_excel)(path, index=False)
    data = open_data(path, Tables, progress=False)
    assert isinstance(data.space, TableSpace) and len(data) == 120
    assert [each.kind for each in data.space.columns][1:] == ["whole", "whole", "category", "yes/no", "date"]
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(DataError, match=f"rows.{ending} cannot be read"):
        open_data(path, Tables, progress=False)


def small() -> Model:
    torch.manual_seed(0)
    recipe = TableGAN(table=SPACE.facts()["table"], width=16, latent=8).eval().requires_grad_(False)
    return Model(recipe, SPACE, recipe.inputs(), step=7)


def test_the_same_rows_are_made_in_onnx_runtime() -> None:
    runtime = pytest.importorskip("onnxruntime")
    model = small()
    session = runtime.InferenceSession(onnx_bytes(model, "tablegan"), providers=["CPUExecutionProvider"])
    torch.manual_seed(1)
    drawn = model.recipe.draw(33, {"where": model.inputs["where"].example(33, torch.device("cpu"))})
    (made,) = session.run(None, {key: value.numpy() for key, value in drawn.items()})
    wanted = model.recipe.generate(**drawn)
    torch.testing.assert_close(torch.from_numpy(made), wanted, atol=1e-4, rtol=0)
    asked = ~drawn["where"].isnan()
    assert 0.2 < asked.float().mean() < 0.5 and torch.equal(wanted[asked], drawn["where"][asked])


def test_rows_are_served(monkeypatch: pytest.MonkeyPatch) -> None:
    client = pytest.importorskip("starlette.testclient").TestClient
    from ganvas.web.http.app import application

    model = small()
    with client(application(model, name="rows", recipe="tablegan"), base_url="http://127.0.0.1") as asked:
        answer = asked.post(
            "/v1/samples", json={"n": 3, "format": "json", "where": {"colour": "red", "age": 30}}
        ).json()
        wrong = asked.post("/v1/samples", json={"n": 1, "where": "colour=green"})
    told = [each["row"] for each in answer["samples"]]
    assert {(row["colour"], row["age"]) for row in told} == {("red", 30)} and set(told[0]) == {*SPACE.names}
    assert wrong.status_code == 422 and "blue, red" in wrong.text
    bound = replace(model, space=TableSpace(SPACE.columns, constraints=("age > 20",)))
    with pytest.raises(UsageError, match="a server answers with all"):
        application(bound, name="rows", recipe="tablegan")
