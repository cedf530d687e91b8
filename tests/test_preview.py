"""What a training will learn from, as it is shown before the first step: in pictures, in a terminal, on the page."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from ganvas.data.batches import Attributed, Masked, Pairs, Photos, Unpaired
from ganvas.data.opening import open_data
from ganvas.data.preview import preview
from ganvas.report import print_rows, write_report
from ganvas.run import timeline
from test_cli import TINY, ganvas, refused


def flat(path: Path, level: int, size: tuple[int, int] = (16, 16)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, level).save(path)


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """24 pairs of flat pictures: what is to be made is 100 levels lighter than what is given."""
    for number in range(24):
        flat(tmp_path / "pairs" / "given" / f"{number}.png", number)
        flat(tmp_path / "pairs" / "made" / f"{number}.png", 100 + number)
    return tmp_path / "pairs"


def test_of_each_pair_the_source_stands_above_what_is_made_of_it(pairs: Path) -> None:
    shown = preview(open_data(pairs, Pairs, progress=False))
    assert list(shown.rows) == ["source", "image"] and shown.columns == ()
    pixels = np.asarray(shown.picture.convert("L")).astype(int)
    sources, made = pixels[8, 8::17], pixels[8 + 17, 8::17]
    assert len(sources) == 8 and len(set(sources)) == 8  # of eight pairs, spread over all
    assert (made == sources + 100).all() and set(sources) <= set(range(24))
    below = pixels[8 + 2 * 17 - 1 + 6, 8::17]  # the next pairs begin behind a wider gap
    assert set(below) <= set(range(24)) and (pixels[2 * 17 - 1 : 2 * 17 + 5] == 255).all()
    assert [picture.getpixel((0, 0))[0] for picture in shown.rows["image"]] == list(made)  # type: ignore[index]


def test_two_domains_are_shown_as_training_has_them(pairs: Path) -> None:
    shown = preview(open_data(pairs, Unpaired, progress=False))
    assert list(shown.rows)[-1] == "image"
    others, made = (np.array([picture.convert("L").getpixel((0, 0)) for picture in row]) for row in shown.rows.values())
    assert set(others) <= set(range(24)) and set(made) <= set(range(100, 124))
    assert (made != others + 100).any()  # and not as if they were pairs


def test_labels_are_the_columns(tmp_path: Path) -> None:
    for place, label in enumerate(("a", "b", "c")):
        for number in range(30):
            flat(tmp_path / label / f"{number}.png", 80 * place + number)
    shown = preview(open_data(tmp_path, progress=False))
    assert shown.columns == ("a", "b", "c")
    pixels = np.asarray(shown.picture)
    assert pixels.shape == (8 * 17 - 1, 3 * 17 - 1)
    assert (pixels[8::17, 8::17] // 80 == [0, 1, 2]).all()


def test_what_is_small_is_shown_as_large_with_sharp_pixels(tmp_path: Path) -> None:
    for number in range(8):
        flat(tmp_path / f"{number}.png", 20 + number, (32, 32))
    shown = preview(open_data(tmp_path, Photos, scale=4, size=32, progress=False))
    assert {name: row[0].size for name, row in shown.rows.items()} == {"low": (8, 8), "image": (32, 32)}
    pixels = np.asarray(shown.picture.convert("L"))
    assert (pixels[:32, :32] == pixels[33:65, :32]).all()


def test_points_share_one_plot() -> None:
    shown = preview(open_data("ring", progress=False))
    assert shown.picture.size == (256, 256) and list(shown.rows) == ["point"]
    assert 0.002 < (np.asarray(shown.picture) == 0).mean() < 0.05


def test_of_attributes_the_pictures_are_shown_and_the_numbers_told(tmp_path: Path) -> None:
    for number in range(12):
        flat(tmp_path / f"{number}.png", 20 * number)
    rows = "".join(f"{number}.png,{number % 2}\n" for number in range(12))
    (tmp_path / "attributes.csv").write_text(f"name,smile\n{rows}")
    data = open_data(tmp_path, Attributed, progress=False)
    assert list(preview(data).rows) == ["source", "image"]  # which is another item, as in training
    assert any(note.startswith("attributes: smile") for note in data.notes)


def test_masks_are_shown_beside_what_they_hide(pairs: Path) -> None:
    shown = preview(open_data(pairs / "made", Masked, progress=False))
    assert list(shown.rows)[-1] == "image" and "mask" in shown.rows


def test_a_run_keeps_the_picture_and_its_report_shows_it(tmp_path: Path) -> None:
    for place, label in enumerate(("cats", "dogs")):
        for number in range(12):
            flat(tmp_path / "photos" / label / f"{number}.png", 80 * place + number, (8, 8))
    run = tmp_path / "run"
    assert ganvas("train", "vanilla", "--data", tmp_path / "photos", "--out", run, *TINY) == 0
    with Image.open(run / timeline.DATA) as kept:
        data = open_data(tmp_path / "photos", progress=False)
        assert kept.tobytes() == preview(data).picture.tobytes()
    assert json.loads((run / "config.json").read_text())["data"]["shown"] == {
        "rows": ["image"],
        "columns": ["cats", "dogs"],
    }
    page = (run / "report.html").read_text()
    assert "What it learns from" in page and "Each column is one label" in page


@pytest.mark.parametrize("shown", [None, 3, {"rows": "image", "columns": {"a": 1}}, {"rows": [["x"] * 50] * 500}])
def test_a_picture_that_anybody_may_have_written_does_no_harm(tmp_path: Path, shown: object) -> None:
    config = {"recipe": "dcgan", "data": {"name": "photos", "shown": shown}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    Image.new("L", (20, 20), 7).save(tmp_path / timeline.DATA)
    assert "What it learns from" in write_report(tmp_path).read_text()
    (tmp_path / timeline.DATA).write_bytes(b"\x89PNG nothing")
    assert "What it learns from" not in write_report(tmp_path).read_text()


def terminal(**options: object) -> Console:
    told: dict[str, object] = {"force_terminal": True, "color_system": "truecolor", "width": 80, "height": 40}
    file = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    return Console(file=file, legacy_windows=False, **{**told, **options})  # type: ignore[arg-type]


def printed(console: Console) -> str:
    console.file.flush()
    return console.file.buffer.getvalue().decode()  # type: ignore[attr-defined, no-any-return]


def test_a_terminal_shows_the_first_rows(pairs: Path) -> None:
    rows = preview(open_data(pairs, Pairs, progress=False)).rows
    console = terminal(_environ={"TERM": "xterm-256color"})
    print_rows(lambda: rows, console)
    told = printed(console)
    assert told.index("source:") < told.index("image:") and "▀" in told
    red, green, blue = rows["source"][1].getpixel((0, 0))  # type: ignore[misc]
    assert f"{red};{green};{blue}" in told
    for console in (terminal(force_terminal=False), terminal(height=10), terminal(_environ={"TERM": "dumb"})):
        print_rows(lambda: rows, console)
        assert printed(console) == ""


def test_data_are_shown_as_a_recipe_reads_them(pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "grid.png"
    assert ganvas("data", pairs, "--recipe", "pix2pix", "--given", "made", "--out", out) == 0
    told = capsys.readouterr().out
    assert "note: given: made, to be made: given" in told and "\nrecipes: pix2pix\n" in told and "▀" not in told
    with Image.open(out) as picture:
        first = picture.convert("L").getpixel((8, 8))
    assert isinstance(first, int) and first >= 100
    assert ganvas("data", pairs, "--json", "--out", out) == 0
    about = json.loads(capsys.readouterr().out)
    assert {"dcgan", "r3gan"} <= set(about["recipes"]["images"]) and about["picture"] == str(out)
    assert about["recipes"]["pairs"] == ["pix2pix"] and "cyclegan" in about["recipes"]["unpaired"]
    (pairs / "made" / "3.png").rename(pairs / "3.png")  # beside the folders, so that these mean nothing
    assert ganvas("data", pairs) == 0
    told = capsys.readouterr().out
    assert "\nwith --as photos: esrgan, srgan\n" in told and "with --as pairs" not in told
    assert "give one of them" in refused(capsys, "data", pairs, "--recipe", "pix2pix", "--as", "pairs")
    assert "did you mean 'pix2pix'?" in refused(capsys, "data", pairs, "--recipe", "pix2px")


def test_a_dry_run_writes_no_picture(pairs: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    words = ("train", "pix2pix", "--data", pairs, "--out", out)
    assert ganvas(*words, "--dry-run", *TINY) == 0 and not out.exists()
