"""The page at `/` of `ganvas serve`, in a real browser."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

pytest.importorskip("fastapi", reason="the server's extra is not installed")
pytest.importorskip("prometheus_client")

import httpx

from chromium import Seen, browser_page
from ganvas.inputs import with_names
from ganvas.model import Model, load
from ganvas.recipes.textgan import TextGAN
from ganvas.spaces import FREE, TextSpace
from ganvas.upscaling import DEFAULT, Upscaler
from ganvas.web.http.app import application
from ganvas.web.server import Server, State, address_of, listening
from test_export import SPACES, model_of
from test_serve import until
from translators import translator_model


@pytest.fixture(scope="module")
def seen() -> Iterator[Seen]:
    with browser_page() as seen:
        seen.page.set_default_timeout(60_000)
        yield seen


@contextmanager
def served(model: Model, **choices: Any) -> Iterator[str]:
    """The address of a server of the model, in a thread of this process."""
    state, bound = State(), listening("127.0.0.1", 0)
    server = Server(application(model, name="it's <b>", recipe="some", state=state, **choices), state, ending=5)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
    thread.start()
    try:
        yield address_of("127.0.0.1", bound)
    finally:
        server.should_exit = True
        thread.join(30)


def test_samples_are_made_of_what_the_form_says(seen: Seen) -> None:
    model, page = model_of("dcgan", SPACES["digits"]), seen.page
    with served(model) as address:
        page.goto(f"{address}/")
        assert page.locator("h1").inner_text() == "it's <b>"
        assert page.locator("form").count() == 1  # nothing enlarges here
        page.locator("[name=n]").fill("3")
        page.locator("[name=label]").select_option("bee")
        page.locator("[name=seed]").fill("5")
        page.locator("form button").first.click()
        page.wait_for_selector(".made figure:nth-child(3) img")
        assert page.locator(".made figcaption").all_inner_texts() == ["bee"] * 3
        assert page.locator(".said").inner_text() == "Seed 5"
        asked = {"n": 3, "label": "bee", "seed": 5, "format": "json"}
        wanted = httpx.post(f"{address}/v1/samples", json=asked).json()["samples"]
        shown = [each.get_attribute("src") for each in page.locator(".made img").all()]
        assert shown == [f"data:image/png;base64,{each['png']}" for each in wanted]
        page.locator("[name=truncation]").evaluate("field => { field.removeAttribute('max'); field.value = 7; }")
        page.locator("form button").first.click()
        page.wait_for_selector(".said.failed:has-text('truncation: input should be less than or equal to 1')")
        page.set_viewport_size({"width": 390, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.goto(f"{address}/docs")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        cells = page.locator("tr", has=page.locator("code", has_text=re.compile("^truncation$"))).first.inner_text()
        assert "number, 0 to 1 or null" in cells and "less variety" in cells
        page.get_by_text("Try it in a page").click()
        page.wait_for_selector("[name=seed]")
        page.set_viewport_size({"width": 1200, "height": 900})


def test_points_and_texts_are_shown_as_what_they_are(seen: Seen) -> None:
    page = seen.page
    with served(model_of("vanilla", SPACES["points"], conditional=False)) as address:
        page.goto(f"{address}/")
        page.locator("form button").first.click()
        page.wait_for_selector(".made img")  # all in one plot
        until(lambda: page.locator(".made img").evaluate("image => image.naturalWidth > 20"))
    space = TextSpace("words", 6, ("the", "dog", "<it's>", ",", "."))
    torch.manual_seed(0)
    recipe = TextGAN(shape=[6], symbols=space.symbols, classes=2, width=16, latent=4, d_width=4)
    inputs = with_names(recipe.inputs(), {"label": ("early", "late")})
    model = Model(recipe.eval().requires_grad_(False), space, inputs, step=7)
    with served(model) as address:
        page.goto(f"{address}/")
        page.locator("[name=seed]").fill("4")
        page.locator("[name=temperature]").fill("0.5")
        page.locator("form button").first.click()
        page.wait_for_selector(".made p:nth-child(16)", state="attached")
        asked = {"n": 16, "seed": 4, "temperature": 0.5, "format": "json"}
        wanted = httpx.post(f"{address}/v1/samples", json=asked).json()["samples"]
        assert page.locator(".made p").all_text_contents() == [each["text"] for each in wanted]


def test_files_are_changed_and_photos_enlarged(seen: Seen, tmp_path: Path) -> None:
    model, page = translator_model(FREE), seen.page
    photo = tmp_path / "photo.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 24, 3), dtype=np.uint8)).save(photo)
    with served(model, upscaler=Upscaler(load(DEFAULT), tile=64)) as address:
        page.goto(f"{address}/")
        change, enlarge = page.locator("section").all()
        change.locator("[name=source]").set_input_files(photo)
        change.locator("[name=mood]").select_option("wild")
        change.locator("[name=seed]").fill("7")
        change.locator("form button").click()
        with page.expect_download() as download:
            change.get_by_text("Save it").click()
        assert download.value.suggested_filename == "made.png"
        sent = {"files": {"source": photo.read_bytes()}, "data": {"mood": "wild", "seed": "7"}}
        wanted = httpx.post(f"{address}/v1/transform", **sent).content  # type: ignore[arg-type]
        assert Path(download.value.path()).read_bytes() == wanted
        enlarge.locator("[name=image]").set_input_files(photo)
        enlarge.locator("form button").click()
        enlarge.locator("img").wait_for()
        until(lambda: enlarge.locator("img").evaluate("image => image.naturalWidth === 96"))
        wrong = tmp_path / "wrong.png"
        wrong.write_bytes(b"no picture")
        enlarge.locator("[name=image]").set_input_files(wrong)
        enlarge.locator("form button").click()
        enlarge.locator(".said.failed").wait_for()


def test_the_page_runs_its_own_script_alone_and_asks_nothing_of_others(seen: Seen) -> None:
    """Runs behind all the others of this page."""
    assert all(re.match(r"http://127\.0\.0\.1:|blob:http://127|data:", each) for each in seen.requests)
    refused = "the server responded with a status of 422"
    assert not [line for line in seen.console if line.startswith("error") and refused not in line]
    with served(model_of("dcgan", SPACES["digits"])) as address:
        policy = httpx.get(f"{address}/").headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy
        assert httpx.get(f"{address}/", headers={"Host": "evil.example"}).status_code == 403


def test_with_a_token_the_page_needs_it_as_all_else_does() -> None:
    token = "0123456789abcdef-secret"
    with served(model_of("dcgan", SPACES["digits"]), token=token) as address:
        assert httpx.get(f"{address}/").status_code == 401
        assert httpx.get(f"{address}/", headers={"Authorization": f"Bearer {token}"}).status_code == 200
