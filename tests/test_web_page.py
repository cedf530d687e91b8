"""The exported page, in a real browser: it samples, walks and picks labels, and asks nothing of anybody."""

from __future__ import annotations

import functools
import hashlib
import http.server
import json
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import ganvas
from chromium import browser_page
from ganvas.exporting.graph import onnx_bytes
from ganvas.exporting.web import KINDS, kind_of, page
from ganvas.inputs import Uniform
from test_export import LABELS, SPACES, enlarger_of, model_of

pytest.importorskip("onnx")

RUNTIME = Path(__file__).parents[1] / "src" / "ganvas" / "exporting" / "assets" / "onnxruntime-web"


def written(folder: Path, model, name: str, title: str = "a <b>page</b>") -> Path:
    kind = kind_of(model)
    about = {"name": title, "recipe": name, "step": 7, "version": "0", **KINDS[kind](model)}
    path = folder / f"{name}.html"
    path.write_text(page(about, onnx_bytes(model, name), kind), encoding="utf-8")
    return path


def opened(seen, address: str) -> None:
    seen.page.goto(address)
    seen.page.wait_for_selector("body[data-ready=yes]", timeout=60_000)


def picture(seen, canvas: str = "#walk") -> str:
    return seen.page.eval_on_selector(canvas, "canvas => canvas.toDataURL()")


def moved(seen, act, what: str = "walk") -> str:
    """The walk's picture once it, or all `samples`, have been painted after `act`."""
    before = int(seen.page.eval_on_selector(f"#{what}", "element => element.dataset.painted"))
    act()
    seen.page.wait_for_function(f"n => document.getElementById('{what}').dataset.painted > n", arg=before)
    return picture(seen)


def test_the_page_samples_walks_and_picks_labels_from_a_file(tmp_path):
    model = model_of("dcgan", SPACES["digits"])
    path = written(tmp_path, model, "dcgan")
    with browser_page() as seen:
        opened(seen, path.as_uri())
        assert seen.page.title() == "a <b>page</b>"
        first, tile = picture(seen), picture(seen, "#sample-0 canvas")
        assert picture(seen, "#sample-1 canvas") != tile
        at_start = moved(seen, lambda: seen.page.fill("#between", "0"))
        assert at_start == first
        halfway = moved(seen, lambda: seen.page.fill("#between", "0.5"))
        assert halfway != first
        along = moved(seen, lambda: seen.page.fill("#direction-0", "4"))
        assert along not in (first, halfway)
        moved(seen, lambda: seen.page.click("#back"))
        seen.page.wait_for_timeout(300)
        assert picture(seen) == first
        # Another sample to start from, another label, another seed; and back to the same seed and label.
        assert moved(seen, lambda: seen.page.click("#sample-5")) != first
        options = seen.page.eval_on_selector_all("#class-label option", "all => all.map(each => each.textContent)")
        assert options == ["all in turn", *LABELS]
        moved(seen, lambda: seen.page.select_option("#class-label", "2"), "samples")
        assert picture(seen, "#sample-0 canvas") != tile
        moved(seen, lambda: seen.page.select_option("#class-label", "all"), "samples")
        assert picture(seen, "#sample-0 canvas") == tile
        moved(seen, lambda: seen.page.click("#new"), "samples")
        assert picture(seen, "#sample-0 canvas") != tile
        moved(seen, lambda: (seen.page.fill("#seed", "1"), seen.page.press("#seed", "Enter")), "samples")
        assert picture(seen, "#sample-0 canvas") == tile
        assert seen.console == []
        assert seen.requests == [path.as_uri()]


def test_the_browser_gives_pytorchs_samples(tmp_path):
    """And from an ordinary static host, where the page is the only thing that is asked for."""
    model = model_of("lapgan", SPACES["odd colours"])
    written(tmp_path, model, "lapgan")
    handler = functools.partial(Quiet, directory=tmp_path)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server, browser_page() as seen:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}/lapgan.html"
        opened(seen, address)
        torch.manual_seed(5)
        drawn = model.recipe.draw(3)
        told = [{name: each[index].flatten().tolist() for name, each in drawn.items()} for index in range(3)]
        for one, label in zip(told, drawn["label"].tolist(), strict=True):
            one["label"] = label
        values = seen.page.evaluate("async list => Array.from(await ganvas.generate(list))", told)
        server.shutdown()
        assert seen.console == [] and seen.requests == [address]
    with torch.no_grad():
        wanted = model.recipe.generate(**drawn).flatten().numpy()
    assert np.abs(np.array(values) - wanted).max() <= 1e-4


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize(("name", "space"), [("infogan", "digits"), ("vanilla", "points")])
def test_codes_and_points_have_sliders_and_pictures_too(tmp_path, name, space):
    path = written(tmp_path, model_of(name, SPACES[space], conditional=False), name)
    with browser_page() as seen:
        opened(seen, path.as_uri())
        before = picture(seen)
        slider = "#code-codes-1" if name == "infogan" else "#between"
        assert moved(seen, lambda: seen.page.fill(slider, "1")) != before
        if name == "vanilla":  # points that were drawn, and not an empty canvas
            ink = "canvas => canvas.getContext('2d').getImageData(0, 0, 512, 512).data.some(value => value > 0)"
            assert seen.page.eval_on_selector("#scatter", ink)
        assert seen.console == [] and seen.requests == [path.as_uri()]


def test_inputs_are_drawn_as_they_are_declared_and_truncated_towards_the_mean(tmp_path):
    """A latent on a sphere, as r3gan's, has unit mean square; codes lie within their bounds; the slider halves latents
    and leaves the rest."""
    model = model_of("r3gan", SPACES["digits"])
    inputs = {**model.inputs, "codes": Uniform((4,), 2, 5)}
    path = written(tmp_path, replace(model, inputs=inputs), "r3gan")
    with browser_page() as seen:
        opened(seen, path.as_uri())
        whole = drawn_by(seen, 1)
        assert seen.page.text_content("#truncation-value") == "1"
        size = inputs["latent"].shape[0]
        for one in whole:
            assert np.mean(np.square(one["latent"])) == pytest.approx(1, abs=1e-5) and len(one["latent"]) == size
            assert min(one["codes"]) >= 2 and max(one["codes"]) <= 5
        codes = np.array([one["codes"] for one in whole])
        assert codes.min() < 2.3 and codes.max() > 4.7 and abs(codes.mean() - 3.5) < 0.2
        assert [one["label"] for one in whole[:4]] == [0, 1, 2, 0]
        moved(seen, lambda: set_slider(seen, "#truncation", "0.5"), "samples")
        for one, half in zip(whole, drawn_by(seen, 1), strict=True):
            np.testing.assert_allclose(half["latent"], np.array(one["latent"]) / 2, rtol=0, atol=1e-6)
            assert half["codes"] == one["codes"] and half["label"] == one["label"]
        moved(seen, lambda: set_slider(seen, "#truncation", "0"), "samples")
        assert not np.any([one["latent"] for one in drawn_by(seen, 1)])
        assert picture(seen, "#sample-0 canvas") == picture(seen, "#sample-3 canvas")  # the average of one label
        assert picture(seen, "#sample-0 canvas") != picture(seen, "#sample-1 canvas")


def drawn_by(seen, seed: int) -> list[dict]:
    told = "each => Object.fromEntries(Object.entries(each).map(([k, v]) => [k, v.length ? Array.from(v) : v]))"
    return seen.page.evaluate(f"seed => ganvas.draw(seed, 60).map({told})", seed)


def set_slider(seen, where: str, value: str) -> None:
    seen.page.fill(where, value)
    seen.page.dispatch_event(where, "change")


def test_words_of_a_run_cannot_leave_their_place(tmp_path):
    model = model_of("vanilla", SPACES["points"], conditional=False)
    text = written(tmp_path, model, "vanilla", title="</script><script>alert(1)</script>@@SCRIPT@@").read_text()
    assert "<script>alert" not in text and text.count("</script>") == text.count("<script")
    assert text.count("globalThis.ganvas =") == 1


def test_the_runtime_is_what_its_source_says():
    source = json.loads((RUNTIME / "SOURCE.json").read_text())
    for name, digest in source["sha256"].items():
        assert hashlib.sha256((RUNTIME / name).read_bytes()).hexdigest() == digest, name
    assert {path.name for path in RUNTIME.iterdir()} == {*source["sha256"], "SOURCE.json"}
    assert "MIT License" in (RUNTIME / "LICENSE").read_text()


def enlarging(folder: Path, model) -> Path:
    return written(folder, model, "srgan", "larger")


def photo_file(path: Path, height: int, width: int, channels: int = 3) -> np.ndarray:
    """A PNG of noise, which is white where it is transparent to the page."""
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, channels), dtype=np.uint8)
    if channels == 4:
        pixels[:, :, 3] = 255 * (pixels[:, :, 3] > 127)
        pixels[pixels[:, :, 3] == 0] = (255, 255, 255, 0)
    Image.fromarray(pixels).save(path)
    return pixels[:, :, :3]


@pytest.mark.parametrize("channels", [3, 1])
def test_a_photo_is_enlarged_in_the_browser_as_pytorch_does_without_seams(tmp_path, channels):
    model = enlarger_of("srgan", scale=2, channels=channels)
    path = enlarging(tmp_path, model)
    pixels = photo_file(tmp_path / "photo.x.png", 120, 210, 4)  # two by three tiles
    with browser_page() as seen:
        opened(seen, path.as_uri())
        seen.page.set_input_files("#file", tmp_path / "photo.x.png")
        seen.page.wait_for_selector("#after[data-painted]", timeout=60_000, state="attached")
        with seen.page.expect_download() as saved:
            seen.page.click("#save")
        assert saved.value.suggested_filename == "photo.x-x2.png"
        saved.value.save_as(tmp_path / "saved.png")
        at = "element => getComputedStyle(element).getPropertyValue('--at')"
        assert seen.page.eval_on_selector("#both", at) == "50%"
        seen.page.fill("#line", "20")
        assert seen.page.eval_on_selector("#both", at) == "20%"
        assert seen.console == [] and [each for each in seen.requests if not each.startswith("blob:")] == [
            path.as_uri()
        ]
    made = np.asarray(Image.open(tmp_path / "saved.png").convert("RGB")).astype(int)
    low = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1
    wanted = model.recipe.generate(low=low if channels == 3 else low.transpose(0, 1))
    wanted = wanted if channels == 3 else wanted.transpose(0, 1)
    levels = ((wanted[0].permute(1, 2, 0) + 1) * 127.5).round().numpy()
    assert made.shape == (240, 420, 3) and levels.std() > 10
    assert np.abs(made - levels).max() <= 1  # which rounding may make


def test_what_cannot_be_enlarged_is_told_and_the_next_photo_is(tmp_path):
    path = enlarging(tmp_path, enlarger_of("srgan", scale=2))
    (tmp_path / "letter.png").write_text("dear reader")
    photo_file(tmp_path / "line.png", 3, 50)
    photo_file(tmp_path / "long.png", 4, 9_000)
    photo_file(tmp_path / "good.png", 20, 30)
    photo_file(tmp_path / "large.png", 700, 700)
    with browser_page() as seen:
        opened(seen, path.as_uri())
        for name, said in (("letter", "not a picture"), ("line", "too few"), ("long", "more than a page can")):
            seen.page.set_input_files("#file", tmp_path / f"{name}.png")
            seen.page.wait_for_function("said => document.getElementById('told').textContent.includes(said)", arg=said)
            assert seen.page.is_hidden("#save")
        seen.page.set_input_files("#file", tmp_path / "large.png")
        seen.page.wait_for_selector("#stop", state="visible")
        seen.page.click("#stop")
        assert seen.page.text_content("#told") == "Stopped."
        seen.page.set_input_files("#file", tmp_path / "large.png")
        seen.page.set_input_files("#file", tmp_path / "good.png")  # while the other is in work
        seen.page.wait_for_selector("#after[data-painted]", timeout=60_000, state="attached")
        assert "30 x 20 to 60 x 40 pixels in" in seen.page.text_content("#told")
        seen.page.wait_for_timeout(300)
        assert seen.page.get_attribute("#after", "data-painted") == "1" and seen.console == []


def test_a_page_is_exported_from_the_zoo(tmp_path):
    assert ganvas.export("zoo:photo-x4", "web", tmp_path / "page.html").difference <= 1e-4
    assert "<title>photo-x4</title>" in (tmp_path / "page.html").read_text()
