"""What a training will learn from, as it is shown before the first step: in pictures, in a terminal, on the page."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from ganvas.data.batches import Attributed, Captioned, Masked, Pairs, Photos, Unpaired
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


def test_of_attributes_each_picture_is_shown_above_what_the_table_says_of_it(tmp_path: Path) -> None:
    rows = ["name,smile,age,hair"]
    for number in range(12):
        flat(tmp_path / f"{number}.png", 20 * number)
        rows.append(f"{number}.png,{number % 2},{20 + number},{('black', 'pink')[number // 6]}")
    (tmp_path / "attributes.csv").write_text("\n".join(rows))
    data = open_data(tmp_path, Attributed, progress=False)
    shown = preview(data)
    assert list(shown.rows) == ["image", "attributes"]
    numbers = [int(np.asarray(picture)[0, 0, 0]) // 20 for picture in shown.rows["image"]]  # type: ignore[call-overload]
    said = dict(zip(numbers, shown.rows["attributes"], strict=True))
    assert len(said) == 8
    for number, words in said.items():  # which are the picture's own, and a switch that is off is not said
        smile = "smile, " if number % 2 else ""
        assert words == f"{smile}age {20 + number}, hair {('black', 'pink')[number // 6]}"
    pixels = np.asarray(shown.picture.convert("L"))
    assert pixels.shape[1] == 8 * 129 - 1 and (pixels[:128, :128] == pixels[0, 0]).all()  # enlarged for the words
    below = pixels[129 : 129 + 52]
    assert (below[:, :128] < 128).any() and (below[:2] == 255).all()
    assert any(note.startswith("attributes: smile") for note in data.notes)


def test_captions_stand_below_their_pictures(tmp_path: Path) -> None:
    source, options = Captioned.reader.example(tmp_path)
    shown = preview(open_data(source, Captioned, progress=False, **options))
    assert list(shown.rows) == ["image", "caption"]
    for picture, words in zip(shown.rows["image"], shown.rows["caption"], strict=True):
        pixels = np.asarray(picture)[:, :, 0]
        assert words == ("light above" if pixels[0, -1] > 128 else "light on the left")


def test_masks_lie_over_what_they_hide(pairs: Path) -> None:
    data = open_data(pairs / "made", Masked, size=16, progress=False)
    shown = preview(data)
    assert list(shown.rows) == ["mask", "image"]
    split = data.split("train")
    chosen = np.linspace(0, len(split) - 1, 32 if len(split) > 32 else len(split)).astype(np.int64)
    batch = split.gather(chosen, seeds=[(0, place) for place in range(len(chosen))])
    assert isinstance(batch, Masked)
    for over, picture, mask in zip(shown.rows["mask"], shown.rows["image"], batch.mask, strict=False):
        seen, real = (np.asarray(each).astype(int) for each in (over, picture))  # type: ignore[call-overload]
        hidden = mask[0].numpy() > 0
        assert hidden.any() and (seen[~hidden] == real[~hidden]).all()
        red = (real[hidden] + np.array([230, 40, 40])) / 2
        assert np.abs(seen[hidden] - red).max() <= 1


def test_words_that_do_not_fit_end_with_dots_and_strange_ones_do_no_harm(tmp_path: Path) -> None:
    for number, told in enumerate(("word " * 300, "\x1b[31m\u202e" + "x" * 900, "\U0001f600 hat")):
        flat(tmp_path / f"{number}.png", 9 * number)
        (tmp_path / f"{number}.txt").write_text(told)
    shown = preview(open_data(tmp_path, Captioned, progress=False))
    assert shown.picture.height < 2000 and shown.picture.width < 2000


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
    console = terminal(_environ={"TERM": "xterm-256color"})
    print_rows(lambda: {"image": rows["image"], "caption": ["a red\x1b hat", "", "c", "d", "e"]}, console)
    told = printed(console)
    assert told.index("▀") < told.index("caption:") < told.index("1. a red\\x1b hat") < told.index("2. -")
    assert "4. d" in told and "5. e" not in told
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


def test_a_dry_run_writes_a_picture_where_it_is_told_to(
    pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, picture = tmp_path / "run", tmp_path / "grid.png"
    words = ("train", "pix2pix", "--data", pairs, "--given", "made", "--out", out, "--dry-run", *TINY)
    words = tuple(word for word in words if word != "--quiet")
    assert ganvas(*words) == 0 and not out.exists() and not picture.exists()
    assert "add --preview data.png" in capsys.readouterr().out
    assert ganvas(*words, "--preview", picture) == 0 and not out.exists()
    assert f"what it learns from: {picture}" in capsys.readouterr().out
    with Image.open(picture) as written:
        data = open_data(pairs, Pairs, given="made", progress=False)
        assert written.tobytes() == preview(data).picture.tobytes()
