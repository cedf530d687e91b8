"""What the gallery's script reads and writes; its trainings are the command line's own."""

from __future__ import annotations

import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from benchmarks import gallery
from PIL import Image

from ganvas import recipes

FOUND = {"value": 31.6, "interval": [30.2, 33.4], "step": 1234, "processor": "an abacus"}


def test_emoji_lie_in_folders_of_their_category_and_of_one_design_only(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "pairs.zip", "w") as archive:
        archive.writestr("captions.csv", "file_name,caption,category\na.png,ant,Animals & Nature\nb.png,bag,Objects\n")
        for name in ("google/a.png", "google/b.png", "twitter/a.png", "twitter/b.png"):
            archive.writestr(name, name)
    folder = gallery.by_category(tmp_path / "pairs.zip", tmp_path / "emoji")
    found = {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*.png")}
    assert found == {"animals-nature/a.png": "google/a.png", "objects/b.png": "google/b.png"}


def test_rows_are_repeated_of_recipes_whose_grid_is_known() -> None:
    row = "| `dcgan` | 18.2 (17.3 to 19.1) | 7,172 | ![](grids/cifar10-dcgan.jpg) |"
    others = "| `cgan --width 32` | 81.3 | 3 | ![](grids/cifar10-cgan-as-lapgan.jpg) |\n| `wgan`: 2 | 5 | 4 | 1 | |"
    found = gallery.known(f"{others}\n{row}\n")
    assert found == {"dcgan": ["`dcgan`", "18.2 (17.3 to 19.1)", "7,172", "![](grids/cifar10-dcgan.jpg)"]}


def test_a_grid_has_rows_of_columns(tmp_path: Path) -> None:
    for number, colour in enumerate(["red", "lime", "blue", "black"]):
        Image.new("RGB", (8, 6), colour).save(tmp_path / f"{number}.png")
    gallery.grid(sorted(tmp_path.glob("*.png")), 3, tmp_path / "grid.jpg")
    with Image.open(tmp_path / "grid.jpg") as opened:
        assert opened.size == (3 * 10 - 2, 2 * 8 - 2) and opened.format == "JPEG"
        assert opened.convert("L").getpixel((4, 11)) < 10 < 200 < opened.convert("L").getpixel((24, 11))


def test_the_gallery_has_the_recipes_that_learn_from_images_alone() -> None:
    assert set(gallery.RECIPES) <= set(recipes.names()) and set(gallery.ADDED) <= set(gallery.RECIPES)


def test_what_fails_is_a_line_and_the_others_are_in_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def trained(run: Path, recipe: str, *_: Any) -> dict[str, Any]:
        if recipe == "vae":
            raise subprocess.CalledProcessError(2, ["ganvas", "train", "vae"])
        run.parent.mkdir(parents=True, exist_ok=True)
        run.with_suffix(".jpg").write_bytes(b"a grid")
        return FOUND

    says(monkeypatch, trained, "--only", "dcgan,vae,r3gan", "--sets", "emoji", "--out", tmp_path, "--docs", tmp_path)
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 3 and "emoji, vae: failed" in said[2]
    page = (tmp_path / "gallery.md").read_text(encoding="utf-8")
    assert "| `r3gan --batch-size 32` | 32 (30 to 33) | 1,234 | ![](grids/gallery-emoji-r3gan.jpg) |" in page
    assert "`vae`" not in page and "ganvas train RECIPE --data emoji --size 32 --minutes 5 --out RUN" in page
    assert (tmp_path / "grids" / "gallery-emoji-dcgan.jpg").read_bytes() == b"a grid"


def test_a_word_that_is_no_recipe_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        says(monkeypatch, lambda *_: FOUND, "--only", "dcgam")
    assert "dcgam is none of vanilla" in capsys.readouterr().err


def says(monkeypatch: pytest.MonkeyPatch, trained: Callable[..., dict[str, Any]], *words: object) -> None:
    """Runs the script with the words; its trainings are by `trained`."""
    monkeypatch.setattr(gallery, "finished", trained)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr("sys.argv", ["gallery", *map(str, words)])
    gallery.main()
