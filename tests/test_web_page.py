"""The exported page, in a real browser: it samples, walks and picks labels, and asks nothing of anybody."""

from __future__ import annotations

import functools
import hashlib
import http.server
import io
import json
import threading
import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import ganvas
from chromium import browser_page
from ganvas import recipes
from ganvas.captions import Sentences, Words
from ganvas.exporting.graph import onnx_bytes
from ganvas.exporting.web import KINDS, kind_of, page
from ganvas.inputs import Uniform, with_names
from ganvas.model import Model
from ganvas.recipes.textgan import TextGAN
from ganvas.spaces import FREE, ImageSpace, TextSpace, WaveSpace, widened
from test_export import LABELS, SPACES, enlarger_of, model_of
from test_vocoder import model_of as vocoder_model
from translators import changer_model, filler_model, translator_model

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


def test_sounds_are_seen_and_what_is_heard_is_what_pytorch_makes(tmp_path):
    model = model_of("istftgan", WaveSpace(8000, 2048))
    path = written(tmp_path, model, "istftgan")
    with browser_page() as seen:
        opened(seen, path.as_uri())
        tile = picture(seen, "#sample-0 canvas")
        assert picture(seen, "#sample-1 canvas") != tile
        first = seen.page.eval_on_selector(
            "#sample-0 canvas", "c => Array.from(c.getContext('2d').getImageData(0, 0, c.width, c.height).data)"
        )
        assert len({tuple(first[at : at + 3]) for at in range(0, len(first), 4)}) > 50  # colours, from quiet to loud
        rate, heard, latent, label = seen.page.evaluate(
            """async () => {
              const drawn = ganvas.draw(3, 2), buffer = ganvas.heard(await ganvas.generate(drawn), 1);
              const { latent, label } = drawn[1];
              return [buffer.sampleRate, Array.from(buffer.getChannelData(0)), Array.from(latent), label];
            }"""
        )
        with torch.no_grad():
            wanted = model.recipe.generate(latent=torch.tensor([latent]), label=torch.tensor([label]))
        assert rate == 8000 and np.abs(np.array(heard) - wanted[0, 0].numpy()).max() < 1e-4
        seen.page.click("#sample-1")
        seen.page.click("#walk")
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


def smooth_file(path: Path, height: int, width: int) -> Path:
    """A PNG of colours that change slowly, so that neighbouring levels are near each other."""
    y, x = np.mgrid[:height, :width] / 9
    levels = np.stack([np.sin(x), np.cos(y), np.sin(x + y)], 2) * 120 + 127
    Image.fromarray(levels.astype(np.uint8)).save(path)
    return path


def changing(seen, act) -> str:
    """What is told once the picture has been changed anew after `act`."""
    before = int(seen.page.get_attribute("#after", "data-painted") or 0)
    act()
    seen.page.wait_for_function("n => document.getElementById('after').dataset.painted > n", arg=before)
    seen.page.evaluate("ganvas.settled()")
    return seen.page.text_content("#told")


def saved(seen, path: Path) -> tuple[str, np.ndarray]:
    """The picture that is changed, as the page saves it: its name and its pixels."""
    with seen.page.expect_download() as download:
        seen.page.click("#save")
    download.value.save_as(path)
    return download.value.suggested_filename, np.asarray(Image.open(path).convert("RGB")).astype(int)


def asked_by(seen) -> dict[str, list[float]]:
    told = "Object.fromEntries(Object.entries(ganvas.asked().values).map(([k, v]) => [k, v.length ? [...v] : v]))"
    return seen.page.evaluate(told)


@pytest.mark.parametrize("size", [12, FREE])
def test_a_picture_is_changed_in_the_browser_as_translate_changes_it(tmp_path, size):
    model = translator_model(size)
    path = written(tmp_path, model, "translator", "moods")
    photo = smooth_file(tmp_path / "photo.x.png", 40, 30)
    with browser_page() as seen:
        opened(seen, path.as_uri())
        assert seen.page.is_disabled("#save")
        told = changing(seen, lambda: seen.page.set_input_files("#file", photo))
        assert told.startswith(f"12 x {12 if size == 12 else 16} pixels in ")
        changing(seen, lambda: seen.page.select_option("#given-mood", label="odd"))
        amount = asked_by(seen)["amount"]
        name, made = saved(seen, tmp_path / "saved.png")
        assert name == "photo.x-moods.png"
        # Another seed draws another amount; the same one the same.
        changing(seen, lambda: (seen.page.fill("#seed", "9"), seen.page.press("#seed", "Enter")))
        assert asked_by(seen)["amount"] != amount
        assert np.any(saved(seen, tmp_path / "other.png")[1] != made)
        assert seen.page.is_visible("#own-size") == (size == FREE)
        at = "element => getComputedStyle(element).getPropertyValue('--at')"
        seen.page.fill("#line", "20")
        assert seen.page.eval_on_selector("#both", at) == "20%"
        assert seen.console == [] and [each for each in seen.requests if not each.startswith("blob:")] == [
            path.as_uri()
        ]
    source = model.parsed("source", photo.read_bytes())
    source = model.given["source"].space.brought(source, model.space)
    wanted = model.transform(source, amount=torch.tensor([amount]), mood="odd")
    levels = model.space.to_uint8(wanted)[0].astype(int)
    assert made.shape == levels.shape and levels.std() > 10
    assert np.abs(made - levels).max() <= 1  # which rounding may make


def test_a_picture_of_the_camera_is_changed(tmp_path):
    model = translator_model(FREE)
    path = written(tmp_path, model, "translator", "moods")
    with browser_page() as seen:
        opened(seen, path.as_uri())
        assert seen.page.is_hidden("#shooting") and seen.page.is_hidden("#alone")
        seen.page.click("#camera")
        seen.page.wait_for_function("() => document.getElementById('video').videoWidth > 0")
        track = seen.page.evaluate_handle("() => document.getElementById('video').srcObject.getTracks()[0]")
        told = changing(seen, lambda: seen.page.click("#shoot"))
        wide, high = (int(word) for word in told.split(" pixels")[0].split(" x "))
        asked = asked_by(seen)
        name, made = saved(seen, tmp_path / "saved.png")
        assert name == "camera-moods.png" and made.shape == (high, wide, 3)
        seen.page.wait_for_selector("#shooting", state="hidden")
        assert track.evaluate("track => track.readyState") == "ended"  # the camera is off again
        # Once more, and shut without a picture.
        seen.page.click("#camera")
        seen.page.wait_for_selector("#shooting", state="visible")
        seen.page.click("#shut")
        assert seen.page.is_hidden("#shooting") and seen.console == []
    source = torch.tensor(asked["source"]).reshape(1, 3, high, wide)
    assert min(high, wide) == 12 and float(source.std()) > 0.05  # the test picture is not of one colour
    wanted = model.transform(source, amount=torch.tensor([asked["amount"]]), mood="calm")
    assert np.abs(made - model.space.to_uint8(wanted)[0].astype(int)).max() <= 1


def test_attributes_are_sliders_and_words_that_stay_until_they_are_moved(tmp_path):
    model = changer_model()
    path = written(tmp_path, model, "changer", "a changer")
    photo = smooth_file(tmp_path / "photo.png", 24, 24)
    with browser_page() as seen:
        opened(seen, path.as_uri())
        changing(seen, lambda: seen.page.set_input_files("#file", photo))
        now = "() => [...ganvas.asked().values.change].map(each => isNaN(each) ? null : each)"
        assert seen.page.evaluate(now) == [None, None, None]
        before = saved(seen, tmp_path / "before.png")[1]
        row = "#fields .row:has(#given-change-smile)"
        assert seen.page.inner_text(f"{row} output") == "stays"
        changing(seen, lambda: set_slider(seen, "#given-change-smile", "0.4"))
        changing(seen, lambda: seen.page.select_option("#given-change-hair", label="pink"))
        changing(seen, lambda: set_slider(seen, "#given-strength", "1.5"))
        assert seen.page.evaluate(now) == [pytest.approx(0.4), None, 1] and seen.page.inner_text(row).count("0.4") == 1
        made = saved(seen, tmp_path / "made.png")[1]
        changing(seen, lambda: set_slider(seen, "#given-change-age", "30"))
        assert seen.page.evaluate(now)[1] == 30 and np.any(saved(seen, tmp_path / "aged.png")[1] != made)
        for name in ("smile", "age"):
            changing(seen, lambda name=name: seen.page.click(f"#fields .row:has(#given-change-{name}) button"))
        changing(seen, lambda: seen.page.select_option("#given-change-hair", value=""))
        assert seen.page.evaluate(now) == [None, None, None]
        assert np.array_equal(saved(seen, tmp_path / "again.png")[1], before)
        assert seen.console == []
    source = model.given["source"].space.brought(model.parsed("source", photo.read_bytes()), model.space)
    wanted = model.transform(source, change="smile=0.4,hair=pink", strength=1.5)
    assert np.abs(made - model.space.to_uint8(wanted)[0].astype(int)).max() <= 1 and np.any(made != before)


def test_what_is_painted_over_is_made_anew_and_the_rest_stays(tmp_path):
    model = filler_model()
    path = written(tmp_path, model, "filler")
    photo = smooth_file(tmp_path / "photo.png", 24, 36)
    with browser_page() as seen:
        opened(seen, path.as_uri())
        changing(seen, lambda: seen.page.set_input_files("#file", photo))
        given = np.array(asked_by(seen)["source"]).reshape(3, 12, 18)
        _, whole = saved(seen, tmp_path / "whole.png")
        assert np.array_equal(whole, model.space.to_uint8(torch.tensor(given)[None])[0])  # nothing is painted yet
        box = seen.page.locator("#mask").bounding_box()

        def stroke() -> None:
            seen.page.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 0.25 * box["height"])
            seen.page.mouse.down()
            seen.page.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 0.75 * box["height"], steps=4)
            seen.page.mouse.up()

        seen.page.fill("#brush", "30")
        changing(seen, stroke)
        mask = np.array(asked_by(seen)["mask"]).reshape(12, 18)
        assert set(mask.flat) == {-1, 1} and mask[6, 4] == 1 and mask[6, 9:].max() == -1 and 12 < (mask > 0).sum() < 60
        _, made = saved(seen, tmp_path / "made.png")
        changing(seen, lambda: seen.page.click("#undo"))
        assert np.array_equal(saved(seen, tmp_path / "undone.png")[1], whole)
        assert seen.console == []
    wanted = model.transform(torch.tensor(given).float(), mask=torch.tensor(mask).float()[None])
    assert np.abs(made - model.space.to_uint8(wanted)[0].astype(int)).max() <= 1
    assert np.array_equal(made[mask < 0], whole[mask < 0]) and np.any(made[mask > 0] != whole[mask > 0])


def test_a_mask_that_is_painted_fades_around_as_one_of_a_file_does(tmp_path):
    recipe = recipes.find("inpainting")(channels=3, size=(16, 16), width=4, d_width=4, content="none")
    model = Model(recipe.eval().requires_grad_(False), ImageSpace(3, 16, 16), recipe.inputs(), step=7)
    path = written(tmp_path, model, "inpainting")
    photo = smooth_file(tmp_path / "photo.png", 32, 40)
    with browser_page() as seen:
        opened(seen, path.as_uri())
        said = seen.page.inner_text("#alone")
        assert "holes of up to about 5 pixels" in said and "pictures of 16" in said and "ganvas edit" in said
        changing(seen, lambda: seen.page.set_input_files("#file", photo))
        seen.page.fill("#brush", "40")
        box = seen.page.locator("#mask").bounding_box()
        changing(seen, lambda: seen.page.mouse.click(box["x"] + 0.4 * box["width"], box["y"] + 0.5 * box["height"]))
        asked = asked_by(seen)
        _, made = saved(seen, tmp_path / "made.png")
        assert seen.console == []
    mask = torch.tensor(asked["mask"]).reshape(1, 1, 16, 20)
    assert 4 <= (mask == 1).sum() < 40
    torch.testing.assert_close(mask, widened(mask == 1), rtol=0, atol=1e-6)
    source = torch.tensor(asked["source"]).reshape(1, 3, 16, 20)
    wanted = model.space.to_uint8(model.recipe.generate(source=source, mask=mask))[0].astype(int)
    assert np.abs(made - wanted).max() <= 1


def test_a_page_is_exported_from_the_zoo(tmp_path):
    assert ganvas.export("zoo:photo-x4", "web", tmp_path / "page.html").difference <= 1e-4
    assert "<title>photo-x4</title>" in (tmp_path / "page.html").read_text()


def test_the_page_takes_captions_as_python_does(tmp_path):
    words = ("red", "hat", "schöne", "3", "a")
    captions = {"encoder": Words(words).to_json(), "examples": ["a red hat", "3"]}
    torch.manual_seed(0)
    recipe = recipes.find("text2image")(captions=captions, channels=3, size=(12, 12), width=4, d_width=4)
    model = Model(recipe.eval().requires_grad_(False), ImageSpace(3, 12, 12), recipe.inputs(), step=7)
    path = written(tmp_path, model, "text2image")
    with browser_page() as seen:
        opened(seen, path.as_uri())
        examples = seen.page.evaluate("ganvas.draw(1, 3).map((each) => Array.from(each.caption))")
        wanted = model.parsed("caption", ["a red hat", "3", "a red hat"])
        assert np.allclose(examples, wanted.numpy())
        at_first = picture(seen)
        seen.page.fill("#caption-caption", "SCHO\u0308NE, red-3 fish")
        moved(seen, lambda: seen.page.press("#caption-caption", "Enter"), "samples")
        drawn = seen.page.evaluate("ganvas.draw(1, 1).map((each) => Array.from(each.caption))")
        assert np.allclose(drawn, model.parsed("caption", "schöne red 3").numpy())
        assert seen.page.text_content("#caption-caption-told") == "It knows no fish."
        here = picture(seen)
        assert here != at_first
        # On the way to another caption, with the same noise where the start is also the end.
        seen.page.fill("#caption-caption-to", "hat")
        moved(seen, lambda: seen.page.press("#caption-caption-to", "Enter"))
        assert picture(seen) == here
        assert moved(seen, lambda: seen.page.fill("#between", "1")) != here
        assert not [line for line in seen.console if line.startswith("error")]


def test_a_page_that_can_encode_no_caption_offers_those_of_the_training(tmp_path, monkeypatch):
    monkeypatch.setattr(Sentences, "knows", lambda self, text: True)
    monkeypatch.setattr(Sentences, "rows", lambda self, texts: np.stack([np.full(384, len(t) / 10) for t in texts]))
    captions = {"encoder": Sentences("0" * 64).to_json(), "examples": ["a red hat", "none"]}
    torch.manual_seed(0)
    recipe = recipes.find("text2image")(captions=captions, channels=3, size=(12, 12), width=4, d_width=4)
    model = Model(recipe.eval().requires_grad_(False), ImageSpace(3, 12, 12), recipe.inputs(), step=7)
    with browser_page() as seen:
        opened(seen, written(tmp_path, model, "text2image").as_uri())
        first = seen.page.evaluate("ganvas.draw(1, 2).map((each) => each.caption[383])")
        assert first == pytest.approx([0.9, 0.4])
        moved(seen, lambda: seen.page.select_option("#caption-caption", "none"), "samples")
        assert seen.page.evaluate("ganvas.draw(1, 2).map((each) => each.caption[0])") == pytest.approx([0.4, 0.4])


def wav_file(path: Path, values: np.ndarray, rate: int) -> Path:
    """(frames, channels) in [-1, 1] as a WAV file."""
    space = WaveSpace(rate, len(values), values.shape[1])
    path.write_bytes(space.file(torch.from_numpy(values.T.astype(np.float32))[None]))
    return path


def chirp(seconds: float, rate: int, low: float = 200, high: float = 1500) -> np.ndarray:
    times = np.arange(int(seconds * rate)) / rate
    return 0.5 * np.sin(2 * np.pi * (low * times + (high - low) * times**2 / (2 * seconds)))


def heard_by(seen, path: Path) -> tuple[str, bytes]:
    """What the page saves: its name and its bytes."""
    with seen.page.expect_download() as download:
        seen.page.click("#save")
    download.value.save_as(path)
    return download.value.suggested_filename, path.read_bytes()


def amplitudes(content: bytes) -> tuple[int, np.ndarray]:
    """(rate, (frames, channels) whole numbers) of a WAV file."""
    with wave.open(io.BytesIO(content)) as file:
        numbers = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, file.getnchannels())
        return file.getframerate(), numbers.astype(int)


def made_by_python(model: Model, content: bytes) -> bytes:
    """As `ganvas translate` writes it."""
    made = model.transform(model.parsed("source", model.given["source"].space.layers(content)), seed=0)
    return model.space.file(model.space.joined(made))


def test_a_sound_is_changed_in_the_browser_as_translate_changes_it(tmp_path):
    """In turns, from another rate, and each of two channels by itself; and the page plays and shows it."""
    model = vocoder_model(turns=0)  # each turn of Griffin-Lim makes rounding count for more
    path = written(tmp_path, model, "vocoder", "voices")
    both = np.stack([chirp(3.5, 11025), 0.3 * chirp(3.5, 11025, 900, 100)], axis=1)
    sound = wav_file(tmp_path / "sound.x.wav", both, 11025)
    with browser_page() as seen:
        opened(seen, path.as_uri())
        assert seen.page.is_disabled("#save") and seen.page.is_hidden("#both") and seen.page.is_hidden("#seed-label")
        told = changing(seen, lambda: seen.page.set_input_files("#file", sound))
        assert told.startswith("3.5 s of sound in ") and seen.page.is_hidden("#stop")
        given = np.array(asked_by(seen)["source"]).reshape(2, -1)
        name, content = heard_by(seen, tmp_path / "saved.wav")
        assert name == "sound.x-voices.wav"
        for player in ("#before-heard", "#after-heard"):  # they can be played, and are as long
            seen.page.wait_for_function(f"Math.abs(document.querySelector('{player}').duration - 3.5) < 0.01")
        assert seen.page.evaluate("document.querySelector('#after-heard').play().then(() => true)")
        shades = [seen.page.eval_on_selector(f"#{each}", SHADES) for each in ("before", "after")]
        assert min(shades) > 50 and picture(seen, "#before") != picture(seen, "#after")
        assert seen.console == [] and [each for each in seen.requests if not each.startswith("blob:")] == [
            path.as_uri()
        ]
    wanted = made_by_python(model, sound.read_bytes())
    source = model.given["source"].space.layers(sound.read_bytes())
    assert np.abs(given - source[:, 0].numpy()).max() < 1e-5
    assert content[:44] == wanted[:44] and len(content) == len(wanted)
    (rate, made), (_, right) = amplitudes(content), amplitudes(wanted)
    assert rate == 8000 and made.shape == (28000, 2) and right.std() > 100
    assert np.abs(made - right).max() <= 1 and (made == right).mean() > 0.9  # of 32,768, which rounding makes


def test_a_sound_of_the_microphone_is_changed(tmp_path):
    model = vocoder_model(turns=0)
    with browser_page() as seen:
        opened(seen, written(tmp_path, model, "vocoder", "voices").as_uri())
        seen.page.click("#record")
        seen.page.wait_for_selector("#record:has-text('Stop')")
        seen.page.wait_for_timeout(1200)  # the test's microphone beeps twice a second
        changing(seen, lambda: seen.page.click("#record"))
        name, content = heard_by(seen, tmp_path / "saved.wav")
        channels = amplitudes(content)[1].shape[1]  # Chromium's own microphone has two
        given = torch.tensor(asked_by(seen)["source"]).reshape(channels, 1, -1)
        assert name == "recording-voices.wav" and seen.page.inner_text("#record") == "Record a sound"
        assert seen.console == []
    assert given.shape[2] > 6000 and float(given.abs().max()) > 0.05
    wanted = amplitudes(model.space.file(model.space.joined(model.transform(given))))[1]
    assert np.abs(amplitudes(content)[1] - wanted).max() <= 1


def test_what_is_no_sound_for_the_page_is_told_and_the_next_one_is_changed(tmp_path):
    soundfile = pytest.importorskip("soundfile")
    path = written(tmp_path, vocoder_model(turns=0), "vocoder")
    tone = chirp(0.2, 8000)[:, None]
    good = wav_file(tmp_path / "good.wav", tone, 8000).read_bytes()
    (tmp_path / "letter.wav").write_text("dear reader")
    (tmp_path / "short.wav").write_bytes(good[:-100])
    (tmp_path / "empty.wav").write_bytes(good[:40] + bytes(4))
    (tmp_path / "slow.wav").write_bytes(good[:24] + (999).to_bytes(4, "little") + good[28:])
    wav_file(tmp_path / "hours.wav", np.zeros((2**21 + 1, 1)), 1000)
    wav_file(tmp_path / "silence.wav", np.zeros((2000, 1)), 8000)
    wav_file(tmp_path / "six.wav", np.tile(tone, (1, 6)), 8000)
    soundfile.write(tmp_path / "other.flac", chirp(0.5, 16000), 16000)
    refused = {
        "letter.wav": "is no sound that this browser can read",
        "short.wav": "is cut short",
        "empty.wav": "has no samples",
        "slow.wav": "has a rate of 999 Hz",
        "hours.wav": "has 34:57 min of sound, more than a page can change",
    }
    with browser_page() as seen:
        opened(seen, path.as_uri())
        for name, said in refused.items():
            seen.page.set_input_files("#file", tmp_path / name)
            seen.page.wait_for_function("said => document.getElementById('told').textContent.includes(said)", arg=said)
            assert seen.page.is_disabled("#save") and seen.page.get_attribute("#told", "class") == "failed"
        told = changing(seen, lambda: seen.page.set_input_files("#file", tmp_path / "silence.wav"))
        assert told.startswith("Nothing is to be heard in it. 0.25 s of sound")
        changing(seen, lambda: seen.page.set_input_files("#file", tmp_path / "six.wav"))
        assert amplitudes(heard_by(seen, tmp_path / "saved.wav")[1])[1].shape == (1600, 6)
        changing(seen, lambda: seen.page.set_input_files("#file", tmp_path / "other.flac"))
        given = asked_by(seen)["source"]
        assert seen.console == []
    wanted = WaveSpace(8000, FREE).read((tmp_path / "other.flac").read_bytes())[0, 0]
    assert len(given) == 4000 and np.abs(np.array(given) - wanted.numpy()).max() < 1e-4  # browsers round otherwise


@pytest.mark.parametrize("tokens", ["words", "characters"])
def test_texts_are_written_in_the_browser_as_python_tells_them(tmp_path, tokens):
    known = ("the", "dog", "it's", ",", ".", "(") if tokens == "words" else ("a", "b", "é", " ", "<")
    space = TextSpace(tokens, 9, known)
    torch.manual_seed(0)
    recipe = TextGAN(shape=(9,), symbols=space.symbols, classes=2, width=16, latent=4, d_width=4)
    inputs = with_names(recipe.inputs(), {"label": ("early", "late")})
    model = Model(recipe.eval().requires_grad_(False), space, inputs, step=7)
    path = written(tmp_path, model, "textgan", "verses")
    with browser_page() as seen:
        opened(seen, path.as_uri())

        def now(act=None) -> tuple[list[str], list[str]]:
            """The texts of the page after `act`, and Python's of the numbers that it drew."""
            before = int(seen.page.get_attribute("#samples", "data-painted"))
            if act:
                act()
                seen.page.wait_for_function("n => document.getElementById('samples').dataset.painted > n", arg=before)
            drawn = seen.page.evaluate(DRAWN)
            inputs = {name: torch.tensor([one[name] for one in drawn]) for name in drawn[0]}
            inputs |= {"temperature": inputs["temperature"].flatten()}
            lines = space.lines(model.decode(inputs))
            return seen.page.eval_on_selector_all("#samples li", "all => all.map(each => each.textContent)"), lines

        first, right = now()
        assert first == right and len(first) == 40 and len(set(first)) > 20
        assert seen.page.input_value("#given-temperature") == "1"
        cold, right = now(lambda: set_slider(seen, "#given-temperature", "0.1"))
        assert cold == right and cold != first
        late, right = now(lambda: seen.page.select_option("#class-label", "1"))
        assert late == right and late != cold
        usual, right = now(lambda: set_slider(seen, "#truncation", "0"))
        assert usual == right and len(set(usual)) == 1
        with seen.page.expect_download() as download:
            seen.page.click("#save")
        download.value.save_as(tmp_path / "saved.txt")
        assert download.value.suggested_filename == "verses.txt"
        assert (tmp_path / "saved.txt").read_text(encoding="utf-8") == "".join(f"{line}\n" for line in usual)
        now(lambda: set_slider(seen, "#truncation", "1"))
        other, right = now(lambda: seen.page.click("#new"))
        assert other == right and other != late and seen.console == []
        assert [each for each in seen.requests if not each.startswith("blob:")] == [path.as_uri()]


DRAWN = """() => ganvas.draw(Number(document.getElementById("seed").value), 40).map(
  (one) => Object.fromEntries(Object.entries(one).map(([name, value]) => [name, value.length ? [...value] : value])))"""

SHADES = """canvas => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height), found = new Set();
  for (let at = 0; at < data.length; at += 4) found.add(data.slice(at, at + 3).join());
  return found.size;
}"""
