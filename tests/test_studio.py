"""The studio: its page in a real browser, what it lets through, and the folder that it reads everything from."""

from __future__ import annotations

import ast
import asyncio
import base64
import hashlib
import http.client
import io
import json
import logging
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import traceback
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import torch
from PIL import Image

pytest.importorskip("gradio", reason="the studio's extra is not installed")

import gradio as gr
import httpx

import ganvas
from chromium import Seen, browser_page
from ganvas.cli import studio as command
from ganvas.data.opening import open_data
from ganvas.data.preview import preview
from ganvas.errors import RunError, UsageError
from ganvas.inputs import Given, inputs_to_json, with_names
from ganvas.locks import holding
from ganvas.metrics.passport import number
from ganvas.model import Model
from ganvas.recipes.adain import AdaIN
from ganvas.recipes.textgan import TextGAN
from ganvas.report import line_of
from ganvas.report.pictures import frames_of
from ganvas.run import only_trainer
from ganvas.spaces import FREE, ImageSpace, MaskSpace, TextSpace, WaveSpace, space_to_config
from ganvas.web.guard import Hosts
from ganvas.web.http.encoding import as_zip
from ganvas.web.studio import guard, terminal
from ganvas.web.studio.change_tab import mask_input
from ganvas.web.studio.compare_tab import comparison
from ganvas.web.studio.errors import in_page
from ganvas.web.studio.guard import Guard
from ganvas.web.studio.models import Models
from ganvas.web.studio.painting import mask_of
from ganvas.web.studio.processes import MOST
from ganvas.web.studio.run_list import Shelf
from ganvas.web.studio.run_panel import panel
from ganvas.web.studio.train_tab import BY_DATA
from ganvas.web.studio.uploads import content_of
from ganvas.web.studio.widgets import enlarged
from test_serve import until
from test_vocoder import SMALL, tone, wav
from test_vocoder import model_of as vocoder_model
from translators import CHANGER, FILLER, TRANSLATOR, changer_model, filler_model, run_of, translator_model

PATIENCE = 60_000  # milliseconds


def labelled_zip(path: Path, side: int = 8, count: int = 12) -> Path:
    random = np.random.default_rng(0)
    with zipfile.ZipFile(path, "w") as archive:
        for label in ("dots", "lines"):
            for number in range(count):
                buffer = io.BytesIO()
                Image.fromarray(random.integers(0, 256, (side, side), dtype=np.uint8)).save(buffer, "PNG")
                archive.writestr(f"{label}/{number}.png", buffer.getvalue())
    return path


addresses: list[str] = []


@contextmanager
def streaming(address: str) -> Iterator[None]:
    """Inside, a stream of the page is open."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=20)
    connection.request("GET", "/gradio_api/heartbeat/somebody")
    assert connection.getresponse().status == 200
    yield
    connection.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[tuple[Path, subprocess.Popen[str]]]:
    """The folder of runs, and the studio over it, which begins while the runs are made."""
    folder = tmp_path_factory.mktemp("studio") / "runs"
    words = [sys.executable, "-m", "ganvas", "studio", "--runs", str(folder), "--port", "0"]
    server = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder.parent)
    try:
        yield folder, server
        if addresses:  # else no test has waited until it was there
            # Ctrl-C ends it in order, with a page still open.
            with streaming(addresses[-1]):
                server.send_signal(signal.SIGINT)
                errors = server.communicate(timeout=30)[1]
            assert server.returncode == 0 and errors == "starting the studio\n", errors
    finally:
        server.kill()
        server.wait()
        for pipe in (server.stdout, server.stderr):
            pipe.close()
        for name in Shelf(folder).trainings.names():
            if Shelf(folder).trainings.live(name):
                Shelf(folder).trainings.stop(name)


@pytest.fixture(scope="module")
def runs(server) -> Path:
    """A folder with two small runs of the same labelled data."""
    folder, _ = server
    data = labelled_zip(folder.parent / "marks.zip", count=40)
    shared = {"data": data, "width": 4, "latent": 8, "batch_size": 8, "quiet": True, "precision": "float32"}
    ganvas.train("r3gan", out=folder / "marks", steps=60, **shared)
    ganvas.train("r3gan", out=folder / "gentle", steps=60, r1=0.25, seed=1, **shared)
    os.utime(folder / "gentle" / "metrics.jsonl", (0, 0))  # the other one is the latest
    return folder


@pytest.fixture(scope="module")
def address(server, runs) -> str:
    _, process = server
    assert process.stdout is not None
    line = process.stdout.readline()
    assert " is at http://127.0.0.1:" in line, process.communicate()[1]
    addresses.append(line.split(" is at ")[1].strip().rstrip("/"))
    return addresses[-1]


@pytest.fixture(scope="module")
def seen(address) -> Iterator[Seen]:
    with browser_page() as seen:
        seen.page.set_default_timeout(PATIENCE)
        seen.page.goto(address)
        seen.page.wait_for_selector("#watch .panel")
        yield seen


@pytest.fixture
def page(seen):
    return seen.page


def open_tab(page, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).click()


def source(page, where: str, other_than: str = "") -> str:
    """The address of the picture that is shown there, once it is another one."""
    page.wait_for_function(
        "([where, old]) => { const image = document.querySelector(where + ' img'); return image && image.src !== old }",
        arg=[where, other_than],
    )
    return str(page.locator(f"{where} img").first.get_attribute("src"))


def move(page, slider: str, value: float) -> None:
    field = page.locator(f"{slider} input[type=number]")
    field.fill(str(value))
    field.press("Enter")


def pixels(page, address: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(page.request.get(address).body())))


# -- the page ---------------------------------------------------------------------------------------------------


def test_it_opens_on_the_latest_run_and_tells_how_it_went(page, tmp_path):
    assert page.locator("#run input").input_value() == "marks"
    told = page.locator("#watch").inner_text()
    assert "Finished after 60 steps" in told and "The doctor" in told and "Losses" in told
    assert page.locator("#watch .latest").get_attribute("src").startswith("data:image/png")
    assert "What it learns from" in told and "Each column is one label: dots, lines." in told
    assert page.locator("#watch .learned").evaluate("image => image.naturalWidth") == 2 * 9 - 1
    page.screenshot(path=tmp_path / "train.png")


def test_how_it_ended_is_said_once_and_labels_stand_over_their_columns(page):
    assert page.locator("#watch .head").inner_text().lower().count("finished") == 1
    before = page.viewport_size
    for width in (1600, 420):  # where the card is wider than its picture, and where it is not
        page.set_viewport_size({"width": width, "height": 900})
        picture, card = (page.locator(f"#watch {where}").bounding_box() for where in (".latest", ".card:has(.latest)"))
        assert (card["width"] > picture["width"] + 60) is (width == 1600)
        heads = page.locator("#watch .labels span").all()
        assert [head.inner_text() for head in heads] == ["dots", "lines"]
        for place, head in enumerate(heads):
            box, half = head.bounding_box(), picture["width"] / 2
            assert (box["x"], box["width"]) == pytest.approx((picture["x"] + place * half, half), abs=1)
            assert box["y"] + box["height"] <= picture["y"] + 1
    page.set_viewport_size(before)


def test_samples_are_those_of_the_run_and_the_seed(page, runs):
    open_tab(page, "Sample")
    before = source(page, "#sample-picture")  # it makes some at once
    page.locator("#sample-seed input").fill("5")
    page.click("#sample-go")
    first = source(page, "#sample-picture", before)
    model = ganvas.load(runs / "marks")
    assert np.array_equal(pixels(page, first), np.asarray(model.space.show(model.sample(36, seed=5))))
    page.wait_for_selector("#sample-zip")
    with page.expect_download() as download:
        page.click("#sample-zip")
    with zipfile.ZipFile(download.value.path()) as archive:
        assert len(archive.namelist()) == 36 and {name.split("/")[0] for name in archive.namelist()} == {
            "dots",
            "lines",
        }
    page.get_by_text("Another seed").click()
    assert source(page, "#sample-picture", first) != first


def choose(page, where: str, value: str) -> None:
    page.locator(f"{where} input").click()
    page.get_by_role("option", name=value, exact=True).click()


def test_a_class_is_chosen_from_those_of_the_run_and_truncated(page, runs):
    open_tab(page, "Sample")
    model = ganvas.load(runs / "marks")
    page.locator("#sample-seed input").fill("5")
    choose(page, "#given-label", "lines")
    before = source(page, "#sample-picture")
    page.click("#sample-go")
    lines = source(page, "#sample-picture", before)
    wanted = model.space.show(model.sample(36, seed=5, label="lines"))
    assert np.array_equal(pixels(page, lines), np.asarray(wanted))
    move(page, "#sample-truncation", 0.5)
    page.click("#sample-go")
    wanted = model.space.show(model.sample(36, seed=5, label="lines", truncation=0.5))
    assert np.array_equal(pixels(page, source(page, "#sample-picture", lines)), np.asarray(wanted))
    move(page, "#sample-truncation", 1)


@contextmanager
def forging(page, button: str, said: str, instead: str) -> Iterator[None]:
    """Inside, what the button asks for is sent with other words; all else that the page asks for is left alone."""
    listed = page.evaluate("fetch('/config').then(answer => answer.json())")["components"]
    number = next(each["id"] for each in listed if each["props"].get("elem_id") == button.removeprefix("#"))

    def forged(route):
        sent = route.request.post_data_json
        mine = sent["trigger_id"] == number
        text = json.dumps(sent, ensure_ascii=False)
        route.continue_(post_data=text.replace(json.dumps(said), json.dumps(instead))) if mine else route.continue_()

    page.route("**/queue/join*", forged)
    yield
    page.unroute("**/queue/join*")


def text_model() -> tuple[Model, dict[str, Any]]:
    """A model of short texts with random weights, and the arguments of its recipe."""
    space = TextSpace("words", 6, ("the", "dog", "<it's>", ",", "."))
    arguments = {"shape": [6], "symbols": space.symbols, "classes": 2, "width": 16, "latent": 4, "d_width": 4}
    torch.manual_seed(0)
    recipe = TextGAN(**arguments).eval().requires_grad_(False)
    return Model(recipe, space, with_names(recipe.inputs(), {"label": ("early", "late")}), step=7), arguments


def style_model() -> tuple[Model, dict[str, Any]]:
    """A model that takes the style of a second picture, with random weights, and the arguments of its recipe."""
    arguments = {"channels": 3, "size": [16, 16], "encoder": "lite0", "width": 8, "d_width": 4}
    torch.manual_seed(0)
    recipe = AdaIN(**arguments).eval().requires_grad_(False)
    return Model(recipe, ImageSpace(3, 16, 16), recipe.inputs(), step=7), arguments


@pytest.fixture(scope="module")
def others(seen, tmp_path_factory) -> Iterator[tuple[Path, Any]]:
    """A studio over a run of InfoGAN and one of a recipe that nobody knows, which is loaded as if it were ours; and its
    page."""
    folder = tmp_path_factory.mktemp("others") / "runs"
    data = labelled_zip(folder.parent / "marks.zip")
    small = {"width": 4, "latent": 4, "steps": 2, "batch_size": 4, "quiet": True}
    ganvas.train("infogan", data=data, out=folder / "codes", **small)
    for name, model in (("moods", translator_model(FREE)), ("change", changer_model()), ("fill", filler_model())):
        run_of(model, folder / name)
    arguments = SMALL | {"turns": 0, "samples": 4096, "rate": 8000, "low_rate": 0}
    run_of(vocoder_model(turns=0), folder / "voices", "vocoder", arguments)
    lent, arguments = style_model()
    run_of(lent, folder / "lent", "adain", arguments)
    verses, arguments = text_model()
    run_of(verses, folder / "verses", "textgan", arguments)
    code = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import ganvas.web.studio.models as models
from ganvas.model import load
own = {{"moods": {TRANSLATOR!r}, "change": {CHANGER!r}, "fill": {FILLER!r}}}
models.load = lambda path: load(path, recipe=own.get(path.name))
from ganvas.web.studio import studio
studio({str(folder)!r}, port=0)
"""
    server = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        line = server.stdout.readline()
        assert " is at http://127.0.0.1:" in line, server.communicate()[1]
        page = seen.page.context.browser.new_page()
        page.set_default_timeout(PATIENCE)
        page.goto(line.split(" is at ")[1].strip())
        page.wait_for_function("document.querySelector('#run input')?.value")  # the latest run, which it chooses itself
        yield folder, page
        page.close()
    finally:
        server.kill()
        server.communicate()


def test_numbers_are_sliders(others):
    folder, page = others
    choose(page, "#run", "codes")
    open_tab(page, "Sample")
    model = ganvas.load(folder / "codes")
    before = source(page, "#sample-picture")
    assert np.array_equal(pixels(page, before), np.asarray(model.space.show(model.sample(36, seed=0))))
    assert page.locator("#given-latent").count() == 0
    choose(page, "#given-category", "3")
    page.locator("#given-codes input").check()
    move(page, "#given-codes-0", 0.5)
    move(page, "#given-codes-1", -0.5)
    page.click("#sample-go")
    wanted = model.space.show(model.sample(36, seed=0, category=3, codes=[0.5, -0.5]))
    assert np.array_equal(pixels(page, source(page, "#sample-picture", before)), np.asarray(wanted))


def test_texts_are_read_copied_and_saved(others):
    _, page = others
    choose(page, "#run", "verses")
    open_tab(page, "Sample")
    model, _ = text_model()

    def texts(wanted: str) -> str:
        """What is read after a click; what the tab shows by itself may be it already."""
        page.click("#sample-go")
        page.wait_for_function("w => document.querySelector('#sample-texts textarea').value === w", arg=wanted)
        return page.locator("#sample-texts textarea").input_value()

    def told(**given: Any) -> str:
        return "".join(f"{line}\n" for line in model.space.lines(model.sample(36, seed=4, **given)))

    page.wait_for_selector("#given-temperature")
    page.locator("#sample-seed input").fill("4")
    page.wait_for_selector("#sample-texts textarea")
    assert page.locator("#sample-picture").is_hidden()
    assert texts(told()) == told()
    move(page, "#given-temperature", 0.3)
    choose(page, "#given-label", "late")
    made = texts(told(temperature=0.3, label="late"))
    assert made == told(temperature=0.3, label="late")
    assert page.locator("#sample-texts").get_by_label("Copy").is_visible()
    with page.expect_download() as download:
        page.click("#sample-zip")
    assert download.value.suggested_filename == "verses-seed-4.txt"
    assert Path(download.value.path()).read_text(encoding="utf-8") == made
    choose(page, "#run", "codes")  # which makes pictures again
    page.wait_for_selector("#sample-picture img")
    assert page.locator("#sample-texts").is_hidden()


def test_what_must_be_given_is_an_upload_without_any_code_that_knows_it(others, tmp_path):
    _, page = others
    open_tab(page, "Sample")
    choose(page, "#run", "moods")
    page.wait_for_selector("#given-source")
    assert page.locator("#given-codes").count() == 0
    page.click("#sample-go")
    page.wait_for_selector("text=choose a file for source first")
    photo = tmp_path / "photo.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 24, 3), dtype=np.uint8)).save(photo)
    page.set_input_files("#given-source input[type=file]", photo)
    page.wait_for_selector("#given-source .file-preview")
    choose(page, "#given-mood", "wild")
    page.locator("#sample-seed input").fill("4")
    move(page, "#sample-count", 2)
    page.click("#sample-go")
    model = translator_model(FREE)
    wanted = model.space.show(model.sample(2, seed=4, source=photo.read_bytes(), mood="wild"))
    assert np.array_equal(pixels(page, source(page, "#sample-picture")), np.asarray(wanted))


def changed(page, act: str | Callable[[], object] = "#change", name: str = "photo-") -> np.ndarray:
    """The picture that the page offers, once it is another one than before. act: the button that is pressed, or what
    is done. name: how that of its file begins."""
    shown = "[...document.querySelectorAll('#changed-both img')].map(image => image.src).join()"
    before = page.evaluate(shown)
    page.click(act) if isinstance(act, str) else act()
    page.wait_for_function(f"before => {shown} !== before && {shown} !== ''", arg=before)
    with page.expect_download() as download:
        page.click("#changed")
    assert download.value.suggested_filename.startswith(name)
    return np.asarray(Image.open(download.value.path()))


def at_training_scale(model, photo: Path):
    return model.given["source"].space.brought(model.parsed("source", photo.read_bytes()), model.space)


def wait_for_fields(page, run: str, field: str) -> None:
    choose(page, "#run", run)
    open_tab(page, "Change")
    page.wait_for_selector(field)


def photo_file(path: Path) -> Path:
    y, x = np.mgrid[:24, :36] / 9
    levels = np.stack([np.sin(x), np.cos(y), np.sin(x + y)], 2) * 120 + 127
    Image.fromarray(levels.astype(np.uint8)).save(path)
    return path


def test_a_picture_is_changed_by_attributes_that_else_stay(others, tmp_path):
    _, page = others
    wait_for_fields(page, "change", "#to-change-smile")
    assert page.locator("#change-seed").is_hidden()  # nothing is drawn
    told = page.get_by_text("choose a picture first")
    until(lambda: (page.click("#change"), page.wait_for_timeout(500), told.count())[-1])  # once all listens
    photo, model = photo_file(tmp_path / "photo.png"), changer_model()
    page.set_input_files("#change-picture input[type=file]", photo)
    page.wait_for_selector("#change-picture img")
    source = at_training_scale(model, photo)
    assert np.array_equal(changed(page), model.space.to_uint8(source)[0])  # all stays
    move(page, "#to-change-smile", 0.4)
    page.wait_for_selector("#to-change-smile-set input:checked")
    choose(page, "#to-change-hair", "pink")
    move(page, "#to-strength", 1.5)
    wanted = model.transform(source, change="smile=0.4,hair=pink", strength=1.5)
    assert np.array_equal(changed(page), model.space.to_uint8(wanted)[0])
    # At its own size; and what is no picture is refused in a line.
    page.locator("#change-own-size input").check()
    whole = model.transform(model.parsed("source", photo.read_bytes()), change="smile=0.4,hair=pink", strength=1.5)
    assert np.array_equal(changed(page), model.space.to_uint8(whole)[0])
    page.locator("#change-own-size input").uncheck()
    wrong = tmp_path / "wrong.png"
    wrong.write_bytes(b"no picture")
    page.locator("#change-picture").get_by_label("Remove Image").click()
    page.set_input_files("#change-picture input[type=file]", wrong)
    page.wait_for_selector("#change-picture img")
    page.click("#change")
    page.wait_for_selector("text=this is no image file that can be read")
    page.locator("#change-picture").get_by_label("Remove Image").click()


def test_a_picture_of_the_camera_is_changed(others):
    _, page = others
    wait_for_fields(page, "moods", "#to-mood")  # so that the fields of the other run are as they are at first
    wait_for_fields(page, "change", "#to-change-smile")
    photo = page.locator("#change-picture")
    for button in photo.get_by_label("Remove Image").all():  # of another test
        button.click()
    photo.get_by_label("Capture from camera").click()
    photo.get_by_text("Click to Access Webcam").click()
    page.wait_for_function("document.querySelector('#change-picture video')?.videoWidth > 0")
    photo.get_by_title("capture photo").click()
    page.wait_for_selector("#change-picture img")
    page.locator("#to-change-smile-set input").check()
    made = changed(page, name="")
    taken = page.request.get(photo.locator("img").first.get_attribute("src")).body()
    model = changer_model()
    small = model.given["source"].space.brought(model.parsed("source", taken), model.space)
    assert min(small.shape[2:]) == 12 and float(small.std()) > 0.05  # the test picture is not of one colour
    wanted = model.space.to_uint8(model.transform(small, change={"smile": 1}))[0]
    assert np.array_equal(made, wanted) and np.any(made != model.space.to_uint8(small)[0])
    page.locator("#to-change-smile-set input").uncheck()
    photo.get_by_label("Remove Image").click()


def test_what_is_painted_over_is_made_anew(others, tmp_path):
    _, page = others
    photo, model = photo_file(tmp_path / "photo.png"), filler_model()
    wait_for_fields(page, "fill", "#paint-mask")
    page.set_input_files("#change-picture input[type=file]", photo)
    page.wait_for_selector("#paint-mask img", state="visible")
    source = at_training_scale(model, photo)
    assert np.array_equal(changed(page), model.space.to_uint8(source)[0])  # nothing is painted over yet
    canvas = page.locator("#paint-mask canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    page.locator("#paint-mask input").fill("30")
    page.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 0.25 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 0.75 * box["height"], steps=4)
    page.mouse.up()
    made, before = changed(page), model.space.to_uint8(source)[0]
    anew = model.space.to_uint8(model.transform(source, mask=torch.ones(1, 1, 12, 18)))[0]
    where = (made != before).any(2)
    assert np.array_equal(made[where], anew[where])
    assert 8 < where.sum() < 60 and where[6, 4] and not where[:, 9:].any()
    mask = mask_of(json.dumps({"strokes": [{"width": 0.3, "places": [[0.25, 0.25], [0.25, 0.75]]}]}), 12, 18)
    assert (where != (np.asarray(Image.open(io.BytesIO(mask))) > 0)).sum() <= 12  # but for the edge
    page.click("#paint-mask .undo")
    assert np.array_equal(changed(page), model.space.to_uint8(source)[0])


def test_a_second_picture_lends_its_style(others, tmp_path):
    _, page = others
    photo, model = photo_file(tmp_path / "photo.png"), style_model()[0]
    wait_for_fields(page, "lent", "#to-style")
    assert page.locator("#paint-mask").count() == 0
    for button in page.locator("#change-picture").get_by_label("Remove Image").all():  # of another test
        button.click()
    page.set_input_files("#change-picture input[type=file]", photo)
    page.wait_for_selector("#change-picture img")
    told = page.get_by_text("choose a file for style first")
    until(lambda: (page.click("#change"), page.wait_for_timeout(500), told.count())[-1])  # once all listens
    source, made = at_training_scale(model, photo), []
    for seed in (1, 2):
        style = tmp_path / f"style-{seed}.png"
        levels = np.random.default_rng(seed).integers(0, 80 * seed, (40, 48, 3), dtype=np.uint8)
        Image.fromarray(levels).save(style)
        for button in page.locator("#to-style").get_by_label("Clear").all():
            button.click()
        page.set_input_files("#to-style input[type=file]", style)
        page.wait_for_selector(f"#to-style :text('style-{seed}')")
        made.append(changed(page))
        lent = model.given["style"].space.brought(model.parsed("style", style.read_bytes()), model.space)
        assert lent.shape[2:] == (16, 19)  # it is brought to the scale of the training, too
        assert np.array_equal(made[-1], model.space.to_uint8(model.transform(source, style=lent))[0])
    assert np.any(made[0] != made[1])
    page.locator("#change-picture").get_by_label("Remove Image").click()


def test_a_gray_picture_that_lends_its_style_is_not_taken_for_a_mask():
    gray, colours = ImageSpace(1, FREE, FREE), ImageSpace(3, FREE, FREE)
    for first, second, mask in (
        (gray, gray, None),
        (gray, MaskSpace(), "second"),
        (colours, gray, "second"),
        (colours, MaskSpace(), "second"),
        (colours, colours, None),
    ):
        assert mask_input({"first": Given(first), "second": Given(second)}) == mask


def test_a_run_of_noise_finds_the_picture_and_moves_it(others, tmp_path):
    _, page = others
    wait_for_fields(page, "codes", "#invert")
    for button in page.locator("#change-picture").get_by_label("Remove Image").all():  # of another test
        button.click()
    told = page.get_by_text("choose a picture first")
    until(lambda: (page.click("#invert"), page.wait_for_timeout(500), told.count())[-1])  # once all listens
    photo = tmp_path / "photo.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 8), dtype=np.uint8)).save(photo)
    page.set_input_files("#change-picture input[type=file]", photo)
    page.wait_for_selector("#change-picture img")
    assert page.locator("#move-1").is_hidden() and page.locator("#to-category").is_hidden()
    move(page, "#seconds", 2)
    choose(page, "#known-category", "2")
    begin = changed(page, "#invert")
    page.wait_for_selector("#inverted:has-text('PSNR')")
    assert "draws" in page.locator("#inverted").inner_text()
    near = begin.astype(int) - np.asarray(Image.open(photo))
    psnr = float(re.search(r"PSNR ([0-9.]+) dB", page.locator("#inverted").inner_text())[1])
    assert psnr == pytest.approx(10 * np.log10(255**2 / np.square(near).mean()), abs=0.5)
    further = changed(page, lambda: move(page, "#move-1", 4))
    assert np.abs(further.astype(int) - begin).max() > 0
    back = changed(page, lambda: move(page, "#move-1", 0))
    assert np.abs(back.astype(int) - begin).max() <= 1
    other = changed(page, lambda: choose(page, "#to-category", "1"))
    assert np.abs(other.astype(int) - begin).max() > 0


def heard(page, act: str | Callable[[], object] = "#change") -> tuple[str, bytes, bytes, bytes]:
    """Name and bytes of the sound that the page offers, once it is another one than before; and those of the two that
    it plays."""
    shown = "[...document.querySelectorAll('#changed-heard audio')].map(player => player.src).join()"
    before = page.evaluate(shown)
    page.click(act) if isinstance(act, str) else act()
    page.wait_for_function(f"before => {shown} !== before && {shown} !== ''", arg=before)
    assert page.locator("#changed-both").is_hidden()
    with page.expect_download() as download:
        page.click("#changed")
    played = [page.request.get(each).body() for each in page.evaluate(shown).split(",")]
    return download.value.suggested_filename, Path(download.value.path()).read_bytes(), *played


def test_a_sound_is_changed_heard_and_seen(others, tmp_path):
    _, page = others
    wait_for_fields(page, "voices", "#change")
    page.wait_for_selector("#change-sound", state="visible")
    assert page.locator("#change-picture").is_hidden() and page.locator("#change-own-size").is_hidden()
    told = page.get_by_text("choose a sound first")
    until(lambda: (page.click("#change"), page.wait_for_timeout(500), told.count())[-1])  # once all listens
    model, space = vocoder_model(turns=0), WaveSpace(8000, FREE)
    sound = tmp_path / "sound.wav"
    sound.write_bytes(wav(np.stack([tone(300, 44100, rate=22050), tone(900, 44100, rate=22050)], axis=1), 22050))
    page.set_input_files("#change-sound input[type=file]", sound)
    page.wait_for_selector("#change-sound audio, #change-sound .waveform-container", state="attached")
    name, content, before, after = heard(page)
    layers = space.layers(sound.read_bytes())
    assert name == "sound-voices.wav" and content == after
    assert content == model.space.file(model.space.joined(model.transform(layers))) and len(content) == 44 + 4 * 16000
    assert before == space.file(space.joined(layers))
    shown = [each.get_attribute("src").split("base64,")[1] for each in page.locator("#changed-heard img").all()]
    seen = [np.asarray(Image.open(io.BytesIO(base64.b64decode(each)))) for each in shown]
    assert np.array_equal(seen[0], np.asarray(space.show(space.joined(layers)))) and np.any(seen[0] != seen[1])
    lasting = page.evaluate("document.querySelectorAll('#changed-heard audio')[1].duration")
    assert lasting == pytest.approx(2, abs=0.01)  # the browser plays it
    # What is no sound, and a long one, are refused in a line; of silence there is a remark.
    wrong, long = tmp_path / "wrong.wav", tmp_path / "long.wav"
    wrong.write_bytes(b"no sound")
    long.write_bytes(wav(np.zeros((1_100_000, 1)), 1000))
    silence = tmp_path / "silence.wav"
    silence.write_bytes(wav(np.zeros((900, 1)), 8000))
    for path, said in (
        (wrong, "the sound: this is no WAV file"),
        (long, "these are 18.3 minutes, and the page changes"),
        (silence, "sound: nothing is to be heard in it"),
    ):
        page.locator("#change-sound").get_by_label("Clear").click()
        page.set_input_files("#change-sound input[type=file]", path)
        page.wait_for_selector("#change-sound audio, #change-sound .waveform-container", state="attached")
        page.click("#change")
        page.wait_for_selector(f"text={said}")
    page.locator("#change-sound").get_by_label("Clear").click()


def test_a_sound_of_the_microphone_is_changed(others):
    _, page = others
    wait_for_fields(page, "voices", "#change")
    sound = page.locator("#change-sound")
    sound.get_by_label("Record audio").click()
    page.wait_for_selector("#change-sound .record-button", state="visible")
    sound.locator(".record-button").click()
    page.wait_for_timeout(1500)  # the test's microphone beeps twice a second
    sound.locator(".stop-button").click()
    page.wait_for_selector("#change-sound .waveform-container", state="attached")
    _, content, before, after = heard(page)
    model, taken = vocoder_model(turns=0), WaveSpace(8000, FREE).layers(before)
    assert content == after and taken.shape[2] > 6000 and float(taken.abs().max()) > 0.05
    made = WaveSpace(8000, FREE).layers(content)
    # What is played as it was has been rounded to 16 bits.
    assert torch.allclose(made, model.transform(taken).clamp(-1, 1), atol=0.01)
    sound.get_by_label("Clear").click()


def test_a_run_that_takes_no_picture_says_so_in_change(others):
    folder, page = others
    space = WaveSpace(8000, 800)
    of_sounds = {
        "noises": ("codes", {"data": {"space": space_to_config(space)}}),  # sounds of noise
        "sounds": ("moods", {"inputs": inputs_to_json({"source": Given(space)})}),  # pictures of sounds
    }
    for name, (like, change) in of_sounds.items():
        shutil.copytree(folder / like, folder / name)
        config = json.loads((folder / name / "config.json").read_text())
        (folder / name / "config.json").write_text(json.dumps(config | change))
    for name in of_sounds:
        wait_for_fields(page, "codes", "#invert")
        until(lambda name=name: (page.locator("#run input").click(), page.get_by_role("option", name=name).count())[-1])
        page.get_by_role("option", name=name, exact=True).click()
        page.wait_for_selector("text=This run makes nothing of pictures")
    choose(page, "#run", "codes")
    for name in of_sounds:
        shutil.rmtree(folder / name)


def test_a_file_of_many_bytes_is_refused_unread(tmp_path, monkeypatch):
    path, space = tmp_path / "sound.wav", WaveSpace(8000, FREE)
    path.write_bytes(wav(np.zeros((900, 1)), 8000))
    assert content_of(path, space, "sound") == ("sound", path.read_bytes())
    monkeypatch.setattr("ganvas.web.studio.uploads.MOST_BYTES", 1000)
    with pytest.raises(UsageError, match="the sound has more than 0 MB, the most that is taken here"):
        content_of(path, space, "sound")
    monkeypatch.undo()
    monkeypatch.setattr("ganvas.web.studio.uploads.MOST_READ", 800)
    with pytest.raises(UsageError, match="the sound: 900 amplitudes at 8,000 Hz, and at most 800 are taken here"):
        content_of(path, space, "sound")


@pytest.mark.parametrize(
    "told",
    ["", "7", "[]", "{}", '{"strokes": 3}', '{"strokes": [{"width": 1}]}', "[" * 5000, None, 3]
    + [json.dumps({"strokes": [{"width": 0.1, "places": place}]}) for place in ([[1]], [["x", 1]], [[1e9, 0]], 5)]
    + ['{"strokes": [{"width": NaN, "places": [[0, 0]]}]}', '{"strokes": [{"width": 1e99, "places": [[0, 0]]}]}']
    + [json.dumps({"strokes": [{"width": 0.1, "places": [[0, 0]] * 30_000}]})],
)
def test_strokes_that_no_brush_gives_are_refused(told):
    with pytest.raises(UsageError, match="what was painted cannot be read"):
        mask_of(told, 12, 18)


def test_a_slider_walks_from_one_sample_to_another_and_the_walk_is_saved(page, runs):
    open_tab(page, "Walk")
    first = source(page, "#walk-picture")
    model = ganvas.load(runs / "marks")
    begin = np.asarray(model.space.pictures(model.sample(1, label="dots", seed=1))[0])
    assert np.abs(pixels(page, first).astype(int) - begin).max() <= 1
    move(page, "#walk-share", 0.5)
    middle = source(page, "#walk-picture", first)
    move(page, "#walk-share", 1)
    end = pixels(page, source(page, "#walk-picture", middle))
    expected = np.asarray(model.space.pictures(model.sample(1, label="lines", seed=2))[0])
    assert np.abs(end.astype(int) - expected).max() <= 1
    for kind, ending in (("GIF", "gif"), ("WebP", "webp")):
        page.locator("#walk-kind").get_by_text(kind, exact=True).click()
        page.click("#walk-film")
        page.wait_for_selector(f"#walk-file a[href$='.{ending}']")
        made = page.request.get(page.locator("#walk-file a").first.get_attribute("href")).body()
        with Image.open(io.BytesIO(made)) as film:
            assert film.n_frames == 62 and film.size == (256, 256)  # 32 there, and back without the two ends


def test_directions_have_sliders_and_a_row_of_pictures_each(page):
    open_tab(page, "Directions")
    strips, before = source(page, "#strips"), source(page, "#directions-picture")
    assert pixels(page, strips).shape == (6 * 10 - 2, 7 * 10 - 2)  # 8 pixels and a gap of 2
    move(page, "#direction-2", 2)
    assert source(page, "#directions-picture", before) != before
    page.get_by_text("what its samples say").click()
    assert source(page, "#strips", strips) != strips


def test_a_photo_is_enlarged_before_and_after(page, tmp_path):
    photo = tmp_path / "photo.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 24, 3), dtype=np.uint8)).save(photo)
    open_tab(page, "Upscale")
    page.set_input_files("#photo input[type=file]", photo)
    page.wait_for_selector("#photo img")
    page.click("#enlarge")
    page.wait_for_selector("#before-after img")
    with page.expect_download() as download:
        page.click("#enlarged")
    assert np.array_equal(np.asarray(Image.open(download.value.path())), ganvas.upscale(np.asarray(Image.open(photo))))
    # A run that makes pictures of noise enlarges none, and what is no picture is refused; both in one line.
    page.get_by_text("the run chosen above").click()
    page.click("#enlarge")
    page.wait_for_selector("text=does not enlarge photos")
    # What only has the name of a picture is refused where it is read.
    wrong = tmp_path / "wrong.png"
    wrong.write_bytes(b"no picture")
    page.get_by_text("the one that comes with Ganvas").click()
    page.get_by_label("Remove Image").click()
    page.set_input_files("#photo input[type=file]", wrong)
    page.wait_for_selector("#photo img")
    page.click("#enlarge")
    page.wait_for_selector("text=cannot be enlarged")


def test_two_runs_are_compared(page):
    open_tab(page, "Compare")
    page.wait_for_function("document.querySelector('#other input').value === 'gentle'")
    page.click("#compare")
    page.wait_for_selector("#comparison table")
    told = page.locator("#comparison").inner_text()
    assert re.search(r"r1\s+0\.2\s+0\.25", told) and re.search(r"seed\s+0\s+1", told) and "batch_size" not in told
    assert "Loss of the discriminator" in told
    assert source(page, "#left") != source(page, "#right")


def of_the_runs(page, name: str, what: str) -> str:
    """A cell of the list of runs."""
    row = page.locator("#runs tbody tr").filter(has=page.locator(f'button[data-run="{name}"]'))
    return str(row.locator(f'td[data-what="{what}"]').inner_text())


def test_all_runs_are_listed_and_one_is_renamed_and_deleted_after_a_question(page, runs):
    shutil.copytree(runs / "gentle", runs / "third")
    (runs / "third" / "notes.txt").write_text("mine")
    open_tab(page, "Runs")
    page.click('#runs button[data-run="third"]')
    page.wait_for_function("document.querySelector('#run input').value === 'third'")
    page.wait_for_selector('#runs tr.chosen button[data-run="third"]')
    line = line_of(runs / "third")
    wanted = {"Recipe": "r3gan", "Data": "marks", "Steps": "60", "State": "finished", "The doctor says": line.word}
    assert {what: of_the_runs(page, "third", what) for what in wanted} == wanted
    with page.context.expect_page() as opened:
        page.locator("#runs tr.chosen").get_by_text("Report").click()
    report = opened.value
    report.wait_for_selector("h1")
    assert "r3gan on marks" in report.locator("h1").inner_text() and report.evaluate("origin") == "null"
    report.locator("input[type=range]").fill("0")  # its own script runs
    assert report.locator("output").first.inner_text() == "step 0"
    report.close()

    page.locator("#new-name input, #new-name textarea").fill("../fourth")
    page.click("#rename")
    page.wait_for_selector("text=a run cannot be called '../fourth'")
    page.locator("#new-name input, #new-name textarea").fill("fourth")
    page.click("#rename")
    page.wait_for_function("document.querySelector('#run input').value === 'fourth'")
    assert (runs / "fourth" / "notes.txt").exists() and not (runs / "third").exists()

    page.click("#delete")
    page.wait_for_selector("text=no training wrote notes.txt")
    page.click("#keep-it")
    page.wait_for_selector("#delete-it", state="hidden")
    page.click("#delete")
    page.wait_for_selector("#delete-it")
    choose(page, "#run", "marks")  # what was asked about another run is not done to this one
    page.wait_for_selector("#delete-it", state="hidden")
    choose(page, "#run", "fourth")
    page.click("#delete")
    with holding(runs / ".studio" / "evaluations" / "fourth.lock"):
        page.click("#delete-it")
        page.wait_for_selector("text=fourth is being evaluated, and is left alone")
    page.click("#delete-it")
    page.wait_for_function("document.querySelector('#run input').value === 'marks'")
    page.wait_for_selector('#runs button[data-run="fourth"]', state="detached")
    assert not (runs / "fourth").exists() and {"marks", "gentle"} <= set(Shelf(runs).names())


def test_a_run_is_evaluated_meanwhile_and_its_scores_appear_with_their_extractor(page, runs):
    open_tab(page, "Evaluate")
    page.locator("#evaluate-count input").fill("60")
    look = page.get_by_role("option", name="look", exact=True)
    until(lambda: (page.click("#evaluate-extractor input"), page.wait_for_timeout(300), look.count())[-1])
    assert not any("custom" in each for each in page.get_by_role("option").all_inner_texts())
    look.click()
    page.locator("#evaluate-metrics input").fill("fid")
    page.locator("#evaluate-metrics input").press("Enter")

    with forging(page, "#evaluate-go", "look", "evil.py:Evil"):
        page.click("#evaluate-go")
        page.wait_for_selector("text=there is no extractor 'evil.py:Evil' here")
    assert page.locator("#scores table").count() == 0 and not Shelf(runs).evaluations.names()
    page.click("#evaluate-go")
    page.wait_for_selector("#evaluate-line .training")
    page.wait_for_selector("#evaluate-stop", state="visible")
    page.wait_for_selector("#scores table")
    scores = json.loads((runs / "marks" / "scores.json").read_text())["scores"]
    assert list(scores) == ["FID[look]"] and scores["FID[look]"]["samples"] == 60
    row = page.locator("#scores tr", has_text="FID[look]").inner_text().split("\t")
    assert row[1] == number(scores["FID[look]"]["value"]) and "lower is better" in row
    page.wait_for_selector("#evaluate-stop", state="hidden")
    open_tab(page, "Runs")
    page.wait_for_selector('#runs tr.chosen td[data-what="Score"]:has-text("FID[look]")')
    # What cannot be is a line, and so is what was stopped.
    open_tab(page, "Evaluate")
    Shelf(runs).evaluations.start("marks", [str(runs / "marks"), "--metrics=tstr", f"--data={runs}/none"])
    page.wait_for_selector("#evaluate-line .bad-line:has-text('The evaluation did not succeed: ')")
    told = page.locator("#evaluate-line .bad-line").inner_text()
    assert "no data 'none'" in told and str(runs) not in told and "\n" not in told
    page.click("#evaluate-go")
    page.click("#evaluate-stop")
    page.wait_for_selector("#evaluate-line .bad-line:has-text('interrupted')")
    assert page.locator("#scores table").count() == 1  # those of before


def test_a_late_answer_takes_no_choice_back(others):
    _, page = others
    choose(page, "#run", "codes")
    open_tab(page, "Evaluate")
    field, option = page.locator("#evaluate-extractor input"), page.get_by_role("option", name="lite0", exact=True)
    until(lambda: (field.click(), page.wait_for_timeout(300), option.count())[-1])
    option.click()
    late: list[Any] = []
    answered: list[bool] = []
    page.route("**/queue/join*", lambda route: route.continue_() if answered else late.append(route))
    choose(page, "#run", "voices")  # which lite0 cannot look at
    until(lambda: page.wait_for_timeout(100) or "voices" in str([each.request.post_data for each in late]))
    choose(page, "#evaluate-extractor", "look")
    answered.append(True)
    for each in late:
        each.continue_()
    until(lambda: (field.click(), page.wait_for_timeout(300), not option.count())[-1], seconds=300)
    page.unroute("**/queue/join*")
    page.keyboard.press("Escape")
    assert field.input_value() == "look"
    choose(page, "#run", "codes")
    until(lambda: (field.click(), page.wait_for_timeout(300), option.count())[-1])
    option.click()
    choose(page, "#run", "voices")
    page.wait_for_function("document.querySelector('#evaluate-extractor input').value === 'chosen by the data'")
    choose(page, "#run", "codes")


def test_a_run_is_exported_and_downloaded(page, runs, tmp_path):
    pytest.importorskip("onnx", reason="the extra export is not installed")
    open_tab(page, "Export")
    page.get_by_text("a network for other programs").click()
    page.click("#export-go")
    page.wait_for_selector("#exported")
    assert "marks.onnx" in page.locator("#exported").inner_text()
    with page.expect_download() as download:
        page.click("#exported")
    assert download.value.suggested_filename == "marks.onnx"
    import onnxruntime

    session = onnxruntime.InferenceSession(Path(download.value.path()).read_bytes())
    assert {each.name for each in session.get_inputs()} == {"latent", "label"}
    page.get_by_text("a folder for Hugging Face's Hub").click()
    page.click("#export-go")
    page.wait_for_selector("#exported:has-text('marks-hub.zip')")
    with page.expect_download() as download:
        page.click("#exported")
    with zipfile.ZipFile(download.value.path()) as archive:
        assert "marks-hub/model.safetensors" in archive.namelist()


def test_the_training_is_filmed(page, runs):
    open_tab(page, "Export")
    page.get_by_text("GIF, plays everywhere").click()
    page.locator("#film-width input, #film-width textarea").fill("wide")
    page.click("#film-go")
    page.wait_for_selector("text=takes a whole number, not 'wide'")
    page.locator("#film-width input, #film-width textarea").fill("64")
    page.locator("#film-seconds input, #film-seconds textarea").fill("2")
    page.click("#film-go")
    page.wait_for_selector("#film img")
    moments = len(frames_of(runs / "marks", 1000))
    assert moments > 1 and page.locator("#film figcaption").inner_text() == f"{moments} moments from step 0 to 60, 3 s"
    assert page.locator("#film img").evaluate("image => image.decode().then(() => image.naturalWidth)") == 64
    with page.expect_download() as download:
        page.click("#film-file")
    assert download.value.suggested_filename == "marks-training.gif"
    with Image.open(download.value.path()) as film:
        assert film.format == "GIF" and film.n_frames == moments
    before = page.viewport_size
    page.set_viewport_size({"width": 390, "height": 844})  # of a phone, where nothing goes beyond the edge
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.set_viewport_size(before)


def test_a_network_of_the_zoo_is_used_and_has_no_training(page):
    open_tab(page, "Sample")
    before = source(page, "#sample-picture")
    choose(page, "#run", "zoo:emoji")
    made = pixels(page, source(page, "#sample-picture", before))
    model = ganvas.load("zoo:emoji")
    wanted = np.asarray(model.space.show(model.sample(36, seed=int(page.locator("#sample-seed input").input_value()))))
    assert np.array_equal(made, wanted)
    open_tab(page, "Train")
    page.wait_for_selector("#watch :text('zoo:emoji comes with Ganvas')")
    assert page.locator("#stop").is_hidden() and page.locator("#resume").is_hidden()
    open_tab(page, "Export")
    page.click("#film-go")
    page.wait_for_selector("text='zoo:emoji' comes with Ganvas, to be used")
    choose(page, "#run", "marks")


def test_a_path_in_place_of_a_runs_name_is_refused_in_the_page(page):
    open_tab(page, "Sample")
    with forging(page, "#sample-go", "marks", "../../etc"):
        page.click("#sample-go")
        page.wait_for_selector("text=there is no run '../../etc' here")
    page.click("#sample-go")
    source(page, "#sample-picture")


def test_a_training_is_started_watched_stopped_and_resumed_by_two_visitors(page, runs, seen, address):
    open_tab(page, "Train")
    page.get_by_role("button", name="Start a training").click()
    page.locator("#recipe input").fill("vanilla")
    page.locator("#recipe input").press("Enter")
    page.wait_for_selector("#about-recipe:has-text('fully connected')")
    page.locator("#data input").click()
    page.get_by_role("option", name="ring: points").click()
    page.get_by_text("steps", exact=True).click()
    page.locator("#length input").fill("1000000")
    page.locator("#name input, #name textarea").fill("circle")
    # A look at the folder that was asked for before the start, and is answered after it, must not take the choice back.
    late: list[Any] = []
    page.route("**/queue/join*", lambda route: late.append(route) if len(late) < 2 else route.continue_())
    until(lambda: page.wait_for_timeout(100) or len(late) == 2)
    page.click("#start-training")
    page.wait_for_function("document.querySelector('#run input').value === 'circle'")
    for each in late:
        each.continue_()
    page.unroute("**/queue/join*")
    page.wait_for_selector("#watch .state.training")
    assert page.locator("#run input").input_value() == "circle"
    page.wait_for_selector("#watch .chart")
    shelf = Shelf(runs)
    assert shelf.run("circle").state == "training" and shelf.names()[0] == "circle"
    # A reload, and another visitor, see the same.
    said = list(seen.console)
    page.reload()
    page.wait_for_selector("#watch .state.training")
    # A page that is left gives up what it was asking for, and may say so.
    left = ("AbortError", "Connection errored out")
    seen.console[:] = said + [line for line in seen.console[len(said) :] if not any(word in line for word in left)]
    other = page.context.browser.new_page()
    other.set_default_timeout(PATIENCE)
    other.goto(address)
    other.wait_for_selector("#watch .state.training")
    assert other.locator("#run input").input_value() == "circle"
    # Each samples while the other trains.
    open_tab(other, "Sample")
    other.click("#sample-go")
    other.locator("#sample-picture img").or_(other.get_by_text("no checkpoint of circle")).first.wait_for()
    page.click("#stop")
    page.wait_for_selector("#watch .state.stopped")
    step = shelf.run("circle").rows[-1]["step"]
    assert (runs / "circle" / "checkpoints" / f"step-{step:08d}").is_dir()
    page.click("#resume")
    page.wait_for_selector("#watch .state.training")
    open_tab(other, "Train")
    other.wait_for_selector("#watch .state.training")
    other.close()
    until(lambda: any(row.get("event") == "resumed" for row in shelf.run("circle").rows))
    assert shelf.run("circle").rows[-1]["step"] >= step
    # Whoever comes with a new studio finds it too, and can stop it.
    shelf.trainings.stop("circle")
    until(lambda: not shelf.live("circle"))
    assert shelf.run("circle").state == "stopped"


def test_a_training_of_a_terminal_is_stopped_and_goes_on_for_some_steps(page, runs):
    words = ["train", "vanilla", "--data", "ring", "--steps", "10000000", "--quiet", "--out", str(runs / "own")]
    training = subprocess.Popen([sys.executable, "-m", "ganvas", *words], start_new_session=True)
    try:
        until(lambda: (runs / "own" / "metrics.jsonl").exists(), seconds=300)
        open_tab(page, "Train")
        until(lambda: (page.locator("#run input").click(), page.get_by_role("option", name="own").count())[-1])
        page.get_by_role("option", name="own", exact=True).click()
        page.wait_for_selector("#watch .state.training")
        page.click("#stop")
        assert training.wait(timeout=300) == 130
    finally:
        training.kill()
        training.wait()
    page.wait_for_selector("#watch .state.stopped")
    step = Shelf(runs).run("own").rows[-1]["step"]
    page.locator("#more input, #more textarea").fill("7")
    page.get_by_text("more steps").click()
    page.click("#resume")
    page.wait_for_selector("#watch .state.finished")
    assert Shelf(runs).run("own").rows[-1]["step"] == step + 7
    choose(page, "#run", "marks")
    shutil.rmtree(runs / "own")


def test_the_data_are_looked_at_before_a_training(page, runs, tmp_path):
    open_tab(page, "Train")
    if not page.locator("#start-training").is_visible():
        page.get_by_role("button", name="Start a training").click()
    archive = labelled_zip(tmp_path / "<b>marks.zip")
    page.set_input_files("#upload input[type=file]", archive)
    page.wait_for_selector("#upload :text('marks')")
    page.click("#look")
    shown = pixels(page, source(page, "#data-picture"))
    assert page.locator("#recipe input").input_value() == BY_DATA
    wanted = preview(open_data(archive))
    assert np.array_equal(shown, np.asarray(enlarged(wanted.picture, 640)))
    told = page.locator("#data-facts").inner_text()
    assert "labels: 2 (dots 12, lines 12)" in told and "each column is one label: dots, lines" in told
    assert str(runs) not in told and "uploads" not in told
    assert not (runs / "r3gan-marks").exists()  # nothing is trained


def test_a_training_that_cannot_begin_says_why(page, runs, tmp_path):
    open_tab(page, "Train")
    if not page.locator("#start-training").is_visible():
        page.get_by_role("button", name="Start a training").click()
    evil = tmp_path / "evil.zip"
    with zipfile.ZipFile(evil, "w") as archive:
        archive.writestr("../../outside.png", b"x")
    for button in page.locator("#upload").get_by_label("Clear").all():  # of another test
        button.click()
    page.set_input_files("#upload input[type=file]", evil)
    page.wait_for_selector("#upload :text('evil')")
    page.click("#start-training")
    page.wait_for_selector("text=points outside")
    assert not list(tmp_path.parent.glob("**/outside.png"))


def test_it_asked_nothing_of_any_other_host_and_said_nothing_to_the_console(seen, address):
    """Runs behind all the others of this page."""
    hosts = {urlsplit(each).netloc for each in seen.requests if each.startswith(("http", "ws"))}
    assert hosts == {urlsplit(address).netloc}
    assert not [line for line in seen.console if line.startswith("error")]


# -- the door ---------------------------------------------------------------------------------------------------


def asked(address: str, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=20)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_files_and_addresses_of_others_are_not_to_be_had(address, runs):
    for path in ("/etc/passwd", f"{runs}/marks/config.json", "http://localhost/", "../../../../etc/passwd"):
        assert asked(address, "GET", f"/gradio_api/file={path}")[0] == 404, path
    cache = runs / ".studio" / "cache"
    assert asked(address, "GET", f"/gradio_api/file={cache}/../../marks/config.json")[0] == 404
    for path in (
        "/gradio_api/proxy=http://localhost/",
        "/monitoring",
        "/gradio_api/vibe-code",
        "/runs",
        "/../etc/passwd",
    ):
        assert asked(address, "GET", path)[0] == 404, path
    for path in ("/etc/passwd", "http://localhost/secret", "https://example.com/x.png"):
        body = json.dumps({"data": [{"path": path, "meta": {"_type": "gradio.FileData"}}], "fn_index": 1})
        assert asked(address, "POST", "/gradio_api/queue/join?", body.encode())[0] == 403
    assert asked(address, "POST", "/gradio_api/queue/join?", b"{not json")[0] == 403
    assert asked(address, "GET", "/")[0] == 200


def test_a_report_is_a_stranger_to_the_studio(address, runs):
    evil = "<script>parent.alert(1)</script>"
    shutil.copytree(runs / "marks", runs / "evil")
    (runs / "evil" / "report.html").write_text(evil)
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=20)
    connection.request("GET", "/report/evil")
    answer = connection.getresponse()
    page, policies = answer.read().decode(), ", ".join(answer.headers.get_all("content-security-policy"))
    connection.close()
    assert answer.status == 200 and "r3gan" in page and evil not in page  # it is made anew
    assert "sandbox allow-scripts;" in policies and "allow-same-origin" not in policies
    shutil.rmtree(runs / "evil")
    for path in ("/report/nothing", "/report/..%2Fmarks", "/report/marks/config.json", "/report/", "/report/.studio"):
        status, told = asked(address, "GET", path)
        assert status == 404 and str(runs).encode() not in told, path
    assert asked(address, "GET", "/report/marks", Host="studio.example")[0] == 403


def test_too_much_is_refused_before_it_is_sent(address):
    for path in ("/gradio_api/upload", "/gradio_api/queue/join"):
        status, told = asked(address, "POST", path, Content_Length="10000000000")
        assert status == 413 and b"at most" in told
    assert asked(address, "GET", "/config")[0] == 200


def test_other_web_pages_do_not_reach_it(address):
    for host in ("studio.example", "127.0.0.1.studio.example", "[::1", "a@b", ""):
        assert asked(address, "GET", "/", Host=host)[0] == 403, host
    here = urlsplit(address).netloc
    for origin in ("http://evil.example", "null", f"http://{here}1", "http://localhost"):
        assert asked(address, "POST", "/gradio_api/queue/join", b"{}", Origin=origin)[0] == 403, origin
    assert asked(address, "GET", "/config", Origin=f"http://{here}")[0] == 200
    # A web socket is no way round: what asks for one is answered as any other request, and the log stays empty.
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec_WebSocket_Version": "13"}
    assert asked(address, "GET", "/gradio_api/queue/join", Origin="http://evil.example", **upgrade)[0] == 403


def test_who_hangs_up_in_the_midst_of_an_upload_leaves_nothing(address, runs):
    """What is left in its log is looked at when it ends."""
    cache = runs / ".studio" / "cache"
    before = set(cache.iterdir())
    head = "POST /gradio_api/upload HTTP/1.1\nHost: localhost\nContent-Type: multipart/form-data; boundary=b\n"
    part = '--b\nContent-Disposition: form-data; name="files"; filename="x.png"\n\nhalf of it'
    half = (head + "Content-Length: 5000\n\n" + part).replace("\n", "\r\n").encode()
    with socket.create_connection(("127.0.0.1", urlsplit(address).port), timeout=20) as connection:
        connection.sendall(half)
    with socket.create_connection(("127.0.0.1", urlsplit(address).port), timeout=20) as connection:
        connection.sendall(b"NONSENSE\r\n\r\n")
        assert b"400 Bad Request" in connection.recv(10_000)
    until(lambda: set(cache.iterdir()) <= before)
    assert asked(address, "GET", "/config")[0] == 200


def test_with_a_token_nothing_is_answered_without_it(tmp_path):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"inside"})

    token = "a-token-of-some-length"
    hosts = Hosts.of(["public.example"])
    door = httpx.ASGITransport(Guard(app, cache=tmp_path, token=token, hosts=hosts, closing=lambda: False))

    async def visits() -> None:
        async with httpx.AsyncClient(transport=door, base_url="http://studio.example") as client:
            for origin, status in (("http://evil.example", 403), ("null", 403), ("https://public.example", 200)):
                headers = {"Authorization": f"Bearer {token}", "Origin": origin}
                assert (await client.get("/", headers=headers)).status_code == status, origin
            asking = await client.get("/")
            assert asking.status_code == 401 and "token" in asking.text and "inside" not in asking.text
            for path in ("/config", "/assets/index.js", "/gradio_api/queue/join", "/theme.css"):
                assert (await client.get(path)).status_code == 401
            assert (await client.post("/enter", data={"token": "wrong"})).status_code == 401
            assert (await client.get("/", headers={"Authorization": f"Bearer {token}"})).text == "inside"
            assert (await client.get("/", headers={"Cookie": f"ganvas-studio={token}"})).status_code == 401
            entered = await client.post("/enter", data={"token": token})
            assert entered.status_code == 303 and "HttpOnly" in entered.headers["set-cookie"]
            assert (await client.get("/config")).text == "inside"

    with ThreadPoolExecutor(1) as elsewhere:  # in this thread the browser's event loop runs
        elsewhere.submit(lambda: asyncio.run(visits())).result()


UPLOAD = {"path": "/gradio_api/upload", "type": "http", "method": "POST"}


def uploads(
    tmp_path: Path, monkeypatch, announced: int | None, *parts: bytes, free: int = 2**40
) -> tuple[int, dict[str, str], bytes]:
    """The status, the error, and what the page got of an upload that ends behind these parts. Waits 0.2 s at most."""
    monkeypatch.setattr(guard, "SECONDS", 0.2)
    monkeypatch.setattr(guard.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(2**40, 0, free))
    taken, sent, coming = bytearray(), [], list(parts)

    async def app(scope, receive, send):
        more = True
        while more:
            message = await receive()
            taken.extend(message["body"])
            more = message["more_body"]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    async def receive():
        if not coming:
            await asyncio.Event().wait()
        body = coming.pop(0)
        return {"type": "http.request", "body": body, "more_body": len(taken) + len(body) < announced}

    async def send(message):
        sent.append(message)

    door = Guard(app, cache=tmp_path, token=None, hosts=Hosts(), largest=100, closing=lambda: False)
    headers = [] if announced is None else [(b"content-length", str(announced).encode())]
    with ThreadPoolExecutor(1) as elsewhere:  # in this thread the browser's event loop runs
        elsewhere.submit(lambda: asyncio.run(door(UPLOAD | {"headers": headers}, receive, send))).result()
    assert door.uploading == 0
    return sent[0]["status"], json.loads(sent[1]["body"]), bytes(taken)


def test_an_upload_must_say_its_size_fit_and_keep_coming(tmp_path, monkeypatch):
    assert uploads(tmp_path, monkeypatch, 100, b"a" * 60, b"b" * 40) == (200, {}, b"a" * 60 + b"b" * 40)
    for announced, parts, free, status, said in (
        (101, (), 2**40, 413, "at most"),
        (None, (), 2**40, 411, "Content-Length"),
        (0, (), 2**40, 411, "Content-Length"),
        (100, (), 2**30 + 99, 507, "no room for it on the disk"),
        (100, (b"a" * 60,), 2**40, 408, "nothing more of it came for 0.2 seconds"),
    ):
        got, told, taken = uploads(tmp_path, monkeypatch, announced, *parts, free=free)
        assert got == status and said in told["error"] and "\n" not in told["error"] and taken == b"".join(parts)
    assert uploads(tmp_path, monkeypatch, 100, b"a" * 100, free=2**30 + 100)[0] == 200
    for words in (["--upload", "12"], ["--upload", "much"], ["--allow-host", "http://x"]):
        with pytest.raises(UsageError, match=words[0]):
            command.run(["--runs", str(tmp_path), *words])


def test_it_listens_elsewhere_only_with_a_token_and_says_what_is_missing(tmp_path, monkeypatch):
    with pytest.raises(UsageError, match="--token-file"):
        command.run(["--runs", str(tmp_path), "--host", "0.0.0.0"])
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        Shelf(tmp_path / "file")
    monkeypatch.setitem(sys.modules, "gradio", None)
    with pytest.raises(UsageError, match=r'pip install "ganvas\[studio\]"'):
        command.run(["--runs", str(tmp_path)])


# -- the folder -------------------------------------------------------------------------------------------------


def test_a_name_is_only_looked_up_among_the_runs(runs):
    shelf = Shelf(runs)
    assert {"marks", "gentle"} <= set(shelf.names())
    for name in ("../runs/marks", "../../etc", str(runs / "marks"), "marks/", ".studio", "", None, 3, "mark"):
        with pytest.raises(RunError):
            shelf.path(name)
    with pytest.raises(RunError, match="did you mean 'marks'"):
        shelf.path("mark")
    for name in ("../x", "a/b", ".hidden", "a" * 65, "marks", "sp ace", "-x"):
        with pytest.raises(UsageError):
            shelf.new_name(name, "stem")
    assert shelf.new_name("", "marks") == "marks-2" and shelf.new_name(" fresh ", "") == "fresh"


def test_a_run_is_deleted_or_renamed_only_where_nothing_works_on_it_and_links_are_left_alone(runs, tmp_path):
    shelf = Shelf(tmp_path / "here")
    for name in ("one", "two"):
        shutil.copytree(runs / "marks", shelf.folder / name)
    (shelf.folder / "link").symlink_to(runs / "marks")
    for act in (shelf.delete, lambda name: shelf.rename(name, "other")):
        with pytest.raises(RunError, match=r"^link is a link to a folder elsewhere"):
            act("link")
        for name in ("../one", "three", None, str(shelf.folder / "one"), ""):
            with pytest.raises(RunError):
                act(name)
        with only_trainer(shelf.folder / "one"), pytest.raises(RunError, match=r"^one is being trained"):
            act("one")
        for jobs, done in ((shelf.evaluations, "evaluated"), (shelf.exports, "exported")):
            with holding(jobs.folder / "one.lock"), pytest.raises(RunError, match=f"^one is being {done}"):
                act("one")
    for new in ("two", "../three", "a/b", "", None, ".x"):
        with pytest.raises(UsageError):
            shelf.rename("one", new)
    (shelf.evaluations.folder / "one.log").write_text("said")
    assert shelf.rename("one", "three") == "three" and shelf.evaluations.last_line("three") == "said"
    assert shelf.line("three").steps == 60 and shelf.line("three") is shelf.line("three")
    shelf.delete("three")
    assert set(shelf.names()) == {"link", "two"}
    assert not shelf.evaluations.names() and (runs / "marks" / "config.json").is_file()
    # A training that failed before it wrote anything is forgotten, and what others laid there is left.
    for name in ("lost", "mine"):
        (shelf.trainings.folder / f"{name}.log").write_text("ganvas: nothing")
        (shelf.folder / name).mkdir()
    (shelf.folder / "mine" / "notes.txt").write_text("mine")
    assert shelf.line("lost").state == "failed"
    shelf.delete("lost")
    shelf.delete("mine")
    assert not (shelf.folder / "lost").exists() and (shelf.folder / "mine" / "notes.txt").exists()
    assert set(shelf.names()) == {"link", "two"}


def test_no_word_of_the_page_sends_anybody_to_a_terminal():
    for told, left in (
        ("marks is there already; go on with: ganvas train --resume runs/marks", "marks is there already"),
        ("it is run, so name it again, as in: ganvas train x.py, or: ganvas sample y", "it is run, so name it again"),
        ("no metric 'fidd'; did you mean 'fid'?", "no metric 'fidd'; did you mean 'fid'?"),
        ("take ganvas sample", "take ganvas sample"),
    ):
        assert in_page(told) == left
    folder = Path(guard.__file__).parent
    words = [(path, path.read_text("utf-8")) for path in folder.glob("templates/*")]
    for path in folder.glob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        comments = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        texts = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
        words += [(path, node.value) for node in texts if id(node) not in comments]
    assert len(words) > 300
    for path, text in words:
        assert not re.search(r"\bganvas [a-z]+\b|Ctrl-C|[Tt]erminal|command line", text), (path.name, text)


def test_an_empty_folder_says_what_to_do(tmp_path):
    shelf = Shelf(tmp_path / "new")
    assert shelf.names() == []
    with pytest.raises(RunError, match="start one in Train"):
        shelf.path(None)


def test_a_run_that_was_trained_from_a_terminal_is_live_as_long_as_it_is_locked(runs):
    shelf = Shelf(runs)
    assert not shelf.live("gentle")
    with only_trainer(runs / "gentle"):
        assert shelf.run("gentle").state == "training"
        assert shelf.names().index("gentle") < shelf.names().index("marks")
        with pytest.raises(RunError, match="no training of gentle is running"):
            shelf.trainings.stop("gentle")
    assert shelf.run("gentle").state == "finished"


def test_a_checkpoint_that_holds_a_pickle_is_refused(runs, tmp_path):
    run = shutil.copytree(runs / "marks", tmp_path / "runs" / "evil")
    bomb = b"cos\nsystem\n(S'touch " + str(tmp_path / "ran").encode() + b"'\ntR."
    for newest in (run / "checkpoints").iterdir():
        (newest / "model.safetensors").write_bytes(bomb)
        manifest = json.loads((newest / "manifest.json").read_text())
        manifest["files"]["model.safetensors"] = {"bytes": len(bomb), "sha256": hashlib.sha256(bomb).hexdigest()}
        (newest / "manifest.json").write_text(json.dumps(manifest))
    models = Models(Shelf(tmp_path / "runs"))
    with pytest.raises(RunError, match="not a safetensors file") as refused, models.use("evil"):
        pass
    assert str(tmp_path) not in str(refused.value) and not (tmp_path / "ran").exists()


def test_whatever_a_run_says_of_itself_is_only_text_on_the_page(runs, tmp_path):
    evil = "<img src=x onerror=alert(1)>"
    run = shutil.copytree(runs / "marks", tmp_path / evil)
    config = json.loads((run / "config.json").read_text())
    config |= {"recipe": evil, "created": evil}
    config["arguments"] |= {"objective": evil, evil: evil}
    config["data"] |= {"name": evil, "labels": [evil, evil]}
    config["settings"] |= {"steps": "many", "minutes": -1, "epochs": 1e308}
    (run / "config.json").write_text(json.dumps(config))
    with (run / "metrics.jsonl").open("a") as rows:
        rows.write(json.dumps({"step": 70, f"{evil}/adversarial": 1.0, "score/" + evil: 2.0}) + "\n[1\n")
        rows.write(json.dumps({"step": 71, "event": f"{evil} back with 0.5", "seconds": 1e308}) + "\n")
    (run / "scores.json").write_text(json.dumps({"ganvas passport": 1, "scores": [evil]}))
    shelf = Shelf(tmp_path)
    told = panel(shelf.run(evil)) + comparison(shelf.run(evil), Shelf(runs).run("gentle"))
    assert "&lt;img" in told and "<img src=x" not in told


def test_a_training_is_found_as_long_as_it_lives_and_its_error_behind_it(tmp_path):
    shelf = Shelf(tmp_path)
    shelf.trainings.start("lost", ["nonsense"])
    until(lambda: not shelf.live("lost"))
    # As long as its process would have held it, which ends too soon to be looked at.
    with holding(shelf.trainings.folder / "lost.lock"):
        assert shelf.run("lost").state == "starting" and Shelf(tmp_path).live("lost")
        with pytest.raises(RunError, match="already"):
            shelf.trainings.start("lost", [])
    run = shelf.run("lost")
    assert run.state == "failed" and "no recipe 'nonsense'" in run.message


def test_a_training_has_numbers_before_the_first_measurement(runs, tmp_path):
    run = shutil.copytree(runs / "marks", tmp_path / "marks")
    (run / "metrics.jsonl").unlink()
    shelf = Shelf(tmp_path)
    with only_trainer(run):
        assert "Numbers appear after the first step" in panel(shelf.run("marks"))
        before = shelf.stamp("marks")
        row = {
            "step": 5,
            "seconds": 1.5,
            "items": 40,
            "discriminator/real": 0.5,
            "discriminator/fake": 0.75,
            "generator/adversarial": 2,
        }
        (run / "first.json").write_text(json.dumps(row) + "\n")
        page = panel(shelf.run("marks"))
        assert "discriminator: loss 1.25" in page and "generator: loss 2" in page and shelf.stamp("marks") != before
        assert 'style="width:8.3%"' in page  # 5 of 60 steps
        shutil.copyfile(runs / "marks" / "metrics.jsonl", run / "metrics.jsonl")
        assert "loss 1.25" not in panel(shelf.run("marks"))  # there are others now


def test_a_run_that_was_killed_is_said_to_have_been(runs, tmp_path):
    run = shutil.copytree(runs / "marks", tmp_path / "marks")
    rows = (run / "metrics.jsonl").read_text().splitlines()
    assert json.loads(rows[-1])["event"] == "finished"
    (run / "metrics.jsonl").write_text("\n".join(rows[:-1]) + "\n")
    shelf = Shelf(tmp_path)
    told = "Killed, or the machine went off, after 60 steps in"
    with only_trainer(run):
        assert told not in panel(shelf.run("marks")) + comparison(shelf.run("marks"), shelf.run("marks"))
    page = panel(shelf.run("marks"))
    assert "Stopped; it can be resumed" in page and told in page and ": nothing was written at its end" in page
    assert comparison(shelf.run("marks"), shelf.run("marks")).count(told) == 2


def test_what_gradio_refuses_is_a_line_in_the_terminal_and_faults_of_ours_keep_their_traceback(capsys, caplog):
    queue = ModuleType("queue")
    queue.traceback = traceback  # type: ignore[attr-defined]
    terminal.brief(queue)
    log = logging.getLogger("uvicorn.error")
    try:
        gr.Number(precision=0).preprocess("\x1b[31m" + "x" * 5000)
    except Exception as error:
        queue.traceback.print_exc()  # type: ignore[attr-defined]
        log.error("Exception in ASGI application", exc_info=error)
    told = capsys.readouterr().err
    assert told.startswith("ganvas: a request that cannot be used: TypeError: ") and told.count("\n") == 1
    assert caplog.records[-1].getMessage() + "\n" == told and not caplog.records[-1].exc_info
    try:
        as_zip(None, None, None, 0)  # type: ignore[arg-type]
    except Exception as error:
        queue.traceback.print_exc()  # type: ignore[attr-defined]
        log.error("Exception in ASGI application", exc_info=error)
    assert capsys.readouterr().err.startswith("Traceback (most recent call last):")
    assert caplog.records[-1].exc_info
    assert queue.traceback.format_exc is traceback.format_exc  # type: ignore[attr-defined]


def test_no_more_than_some_trainings_run_at_once(tmp_path):
    shelf = Shelf(tmp_path)
    jobs = tmp_path / ".studio" / "jobs"
    with ExitStack() as stack:
        for number in range(MOST):
            (jobs / f"{number}.log").touch()
            stack.enter_context(holding(jobs / f"{number}.lock"))
        with pytest.raises(UsageError, match="running already"):
            shelf.trainings.start("more", ["--help"])
    shelf.trainings.start("more", ["--help"])


def test_a_training_is_live_from_the_start_until_its_process_is_gone_however_it_goes(tmp_path):
    trainings = Shelf(tmp_path).trainings
    trainings.start("killed", ["vanilla", "--data", "ring", "--out", str(tmp_path / "killed"), "--minutes", "5"])
    about = json.loads((trainings.folder / "killed.json").read_text())
    assert trainings.live("killed") and about["words"][:2] == ["vanilla", "--data"]
    with pytest.raises(RunError, match="killed is being trained already"):
        trainings.start("killed", ["--help"])
    os.kill(about["pid"], signal.SIGKILL)
    until(lambda: not trainings.live("killed"))
    trainings.start("killed", ["--help"])
    until(lambda: not trainings.live("killed"))
    assert "usage: ganvas train" in (trainings.folder / "killed.log").read_text()
