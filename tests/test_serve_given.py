"""What the server takes follows from the inputs that a model declares: fields of samples, files of transforms."""

from __future__ import annotations

import base64
import io
import struct
import threading
import wave
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import ganvas
from ganvas.attributes import Attribute
from ganvas.model import Model, PhotoTranslator, closed_form_directions, moved
from ganvas.recipes import find
from ganvas.spaces import FREE, ImageSpace
from test_editing import DIGITS
from test_export import SPACES, enlarger_of, model_of
from test_given import file_of, pixels
from test_vocoder import model_of as vocoder_model
from test_vocoder import tone, wav
from translators import translator_model

pytest.importorskip("fastapi")
pytest.importorskip("python_multipart")
pytest.importorskip("prometheus_client")
TestClient = pytest.importorskip("starlette.testclient").TestClient

from ganvas.upscaling import Upscaler  # noqa: E402
from ganvas.web.http.app import Limits, application  # noqa: E402
from test_serve import HERE, TOKEN, until  # noqa: E402

LIMITS = Limits(upload=300_000, pixels=20_000, pictures=2)


def client_of(model, **choices):
    chosen = {"limits": LIMITS} | choices
    return TestClient(
        application(model, name="pets", recipe="toy", **chosen), base_url=HERE, raise_server_exceptions=False
    )


@pytest.fixture(scope="module")
def model():
    return translator_model(FREE)


@pytest.fixture(scope="module")
def client(model):
    with client_of(model) as client:
        yield client


PHOTO = file_of(pixels(20, 30))


def sent(client, content: bytes = PHOTO, **fields):
    return client.post("/v1/transform", files={"source": ("photo.png", content)}, data=fields)


def decoded(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)))


# -- fields of samples -----------------------------------------------------------------------------------------------


def test_codes_are_fields_of_a_request():
    model = model_of("infogan", SPACES["digits"])
    with client_of(model) as client:
        told = client.post(
            "/v1/samples", json={"n": 2, "seed": 1, "category": "3", "codes": [0.5, -0.5], "format": "json"}
        ).json()
        assert [each["category"] for each in told["samples"]] == ["3", "3"] and told["samples"][0]["label"] is None
        answer = client.post("/v1/samples", json={"seed": 1, "category": 3, "codes": [0.5, -0.5]})
        wanted = model.space.to_uint8(model.sample(1, seed=1, category=3, codes=[0.5, -0.5]))[0, :, :, 0]
        assert np.abs(decoded(answer.content).astype(int) - wanted).max() <= 1
        assert answer.content != client.post("/v1/samples", json={"seed": 1, "category": 3}).content
        each = client.post("/v1/samples", json={"n": 2, "category": ["3", 4], "format": "json"}).json()
        assert [one["category"] for one in each["samples"]] == ["3", "4"]
        for body, said in (
            ({"categry": 3}, "categry: extra inputs are not permitted"),
            ({"label": "3"}, "label: extra inputs"),
            ({"category": "10"}, "category: there is no '10'"),
            ({"category": True}, "category: there is no True"),
            ({"codes": [2, 0]}, "codes: must be 2 numbers"),
            ({"codes": [[0, 0], [0, 0]]}, "codes: give one or 1, not 2"),
            ({"codes": "a"}, "codes: must be 2 numbers"),
            ({"latent": [0] * 62}, "latent: extra inputs"),
            ({"input_0": 3}, "input_0: extra inputs"),
        ):
            answer = client.post("/v1/samples", json=body)
            assert answer.status_code == 422 and said in answer.json()["error"] and "\n" not in answer.json()["error"]
        fields = client.get("/openapi.json").json()["components"]["schemas"]["Wanted"]["properties"]
        assert set(fields) == {"n", "seed", "truncation", "format", "category", "codes"}
        assert fields["codes"]["items"] == {"type": "number", "minimum": -1.0, "maximum": 1.0}
        assert fields["category"]["type"] == ["string", "integer"]
        assert [each["name"] for each in client.get("/v1/model").json()["inputs"]] == ["latent", "category", "codes"]


def test_a_model_without_a_latent_truncates_nothing():
    with client_of(enlarger_of("srgan")) as client:
        answer = client.post("/v1/transform", files={"low": PHOTO}, data={"truncation": "0.5"})
        assert answer.status_code == 422 and "nothing to truncate" in answer.json()["error"]


# -- files -----------------------------------------------------------------------------------------------------------


def test_a_file_is_transformed(client, model):
    answer = sent(client, mood="wild", seed=7, size="own")
    assert answer.status_code == 200 and answer.headers["content-type"] == "image/png", answer.text
    assert answer.headers["x-ganvas-seed"] == "7"
    wanted = model.space.to_uint8(model.transform(pixels(20, 30), seed=7, mood="wild"))[0]
    np.testing.assert_array_equal(decoded(answer.content), wanted)
    assert sent(client, mood="wild", seed=7, size="own").content == answer.content
    assert sent(client, mood="calm", seed=7, size="own").content != answer.content
    assert sent(client, mood="wild", seed=7, size="own", truncation="0").content != answer.content
    free = sent(client)
    assert free.status_code == 200 and int(free.headers["x-ganvas-seed"]) >= 0
    jpeg = sent(client, file_of(pixels(16, 16), "JPEG"))
    assert jpeg.status_code == 200 and decoded(jpeg.content).shape == (16, 16, 3)


def test_a_photo_is_changed_as_the_command_does_it(client, model):
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "A camera", 6
    content = io.BytesIO()
    Image.fromarray(pixels(20, 30, 4)).save(content, "PNG", exif=exif)
    translator = PhotoTranslator(model, seed=7, given={"mood": "wild"})
    wanted = np.concatenate(list(translator.strips(np.rot90(pixels(20, 30, 4), 3))))
    answer = sent(client, content.getvalue(), mood="wild", seed=7)
    np.testing.assert_array_equal(decoded(answer.content), wanted)
    found = Image.open(io.BytesIO(answer.content)).getexif()
    assert found[0x010F] == "A camera" and found.get(0x0112, 1) == 1
    small = sent(client, content.getvalue(), mood="wild", seed=7, size="training", format="webp")
    assert small.headers["content-type"] == "image/webp" and decoded(small.content).shape == (18, 12, 4)


def test_attributes_are_a_field_as_they_are_declared():
    facts = {"channels": 3, "size": (8, 8), "width": 4, "d_width": 4}
    told = (Attribute("smile"), Attribute("hair", choices=("red", "black")))
    recipe = find("stargan")(attributes=[each.to_json() for each in told], **facts).eval().requires_grad_(False)
    model = Model(recipe, ImageSpace(3, 8, 8), recipe.inputs(), 1, "faces")
    with client_of(model) as client:
        fields = client.get("/openapi.json").json()["components"]["schemas"]["Body_transform_v1_transform_post"]
        told = recipe.inputs()["change"].schema()["description"]
        assert fields["properties"]["change"]["description"] == told
        answer = sent(client, change="smile=1,hair=red", size="own")
        wanted = model.space.to_uint8(model.transform(pixels(20, 30), change="smile=1,hair=red"))[0]
        np.testing.assert_array_equal(decoded(answer.content), wanted)
        refused = sent(client, change="smiel=1")
        assert refused.status_code == 422 and "did you mean 'smile'" in refused.json()["error"]


def test_a_file_is_brought_to_the_size_that_the_model_takes():
    model = translator_model(12)
    with client_of(model) as client:
        answer = sent(client, seed=1, mood="odd")
        assert decoded(answer.content).shape == (12, 12, 3)
        wanted = model.space.to_uint8(model.sample(1, seed=1, source=PHOTO, mood="odd"))[0]
        np.testing.assert_array_equal(decoded(answer.content), wanted)


def test_it_is_told_of_like_every_route(client):
    assert client.post("/v1/samples", json={}).status_code == 404
    about = client.get("/v1/model").json()
    assert [each["kind"] for each in about["inputs"]] == ["normal", "given", "class"]
    assert about["space"] is None and about["upscaler"] is None  # as large as what is sent
    document = client.get("/openapi.json").json()
    assert "/v1/transform" in document["paths"] and "/v1/upscale" not in document["paths"]
    fields = document["components"]["schemas"]["Body_transform_v1_transform_post"]["properties"]
    assert set(fields) == {"source", "mood", "seed", "truncation", "format", "size"}
    assert fields["mood"]["description"] == "one of calm, wild, odd; by default all in turn"
    page = client.get("/docs").text
    assert "POST /v1/transform" in page and "-F source=@FILE" in page
    before = client.get("/metrics").text
    assert sent(client).status_code == 200
    after = client.get("/metrics").text
    count = [float(text.split("\nganvas_transforms_total ")[1].split("\n")[0]) for text in (before, after)]
    assert count[1] == count[0] + 1 and 'path="/v1/transform",status="200"' in after


def test_an_enlarger_transforms_too_and_upscales_as_before():
    model = enlarger_of("srgan", scale=2)
    with client_of(model, upscaler=Upscaler(model)) as client:
        small = pixels(20, 30)
        one = client.post("/v1/transform", files={"low": file_of(small)})
        other = client.post("/v1/upscale", files={"image": file_of(small)})
        assert decoded(one.content).shape == decoded(other.content).shape == (40, 60, 3)
        assert np.abs(decoded(one.content).astype(int) - decoded(other.content)).max() <= 2  # which may compute in bf16


def png_that_says(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


BAD = {
    "text with the name of a picture": (b"dear reader", {}, "source: this is no image file that can be read"),
    "nothing": (b"", {}, "source: "),
    "a header that claims too much": (
        png_that_says(9_000, 9_000),
        {},
        "source: 9,000 x 9,000 pixels, and at most 20,000 are taken",
    ),
    "a photo that was cut": (PHOTO[:-900], {}, "source: "),
    "a mood that is none": (PHOTO, {"mood": "clam"}, "mood: there is no 'clam'; did you mean 'calm'?"),
    "a field that is none": (PHOTO, {"moood": "calm"}, "there is no field 'moood'; did you mean 'mood'?"),
    "a seed below 0": (PHOTO, {"seed": "-1"}, "seed: "),
    "a seed that is none": (PHOTO, {"seed": "x"}, "seed: "),
    "a truncation beyond what is drawn": (PHOTO, {"truncation": "2"}, "truncation: "),
    "a truncation that is no number": (PHOTO, {"truncation": "nan"}, "truncation"),
    "a size that is none": (PHOTO, {"size": "large"}, "size: "),
    "a format that is none": (PHOTO, {"format": "tiff"}, "format: "),
    "transparency in a JPEG": (file_of(pixels(9, 9, 4)), {"format": "jpeg"}, "JPEG holds no transparency"),
    "a latent": (PHOTO, {"amount": "1"}, "there is no field 'amount'"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_requests_are_refused_in_one_line(client, case):
    content, fields, said = BAD[case]
    answer = sent(client, content, **fields)
    assert answer.status_code == 422, answer.text
    error = answer.json()["error"]
    assert said in error and "\n" not in error and "/tmp" not in error and "Traceback" not in error
    assert sent(client).status_code == 200


def test_the_limits_of_uploads_are_those_of_upscale(client):
    assert client.post("/v1/transform", data={"source": "/etc/passwd"}).status_code == 422
    assert client.post("/v1/transform", json={"source": "x.png"}).status_code == 422
    assert client.post("/v1/transform", files={"picture": PHOTO}).status_code == 422
    large = sent(client, bytes(400_000))
    assert large.status_code == 413 and "300,000 bytes" in large.json()["error"]
    with client_of(translator_model(), token=TOKEN) as closed:
        assert sent(closed).status_code == 401


def test_a_full_queue_is_told_and_who_waits_too_long_is_given_up():
    model, gate = translator_model(FREE), threading.Event()
    generate, made = model.recipe.generate, []
    model.recipe.generate = lambda **inputs: (gate.wait(20) and made.append(1)) or generate(**inputs)
    with client_of(model) as client, ThreadPoolExecutor(4) as threads:
        going = [threads.submit(sent, client) for _ in range(2)]
        until(lambda: "ganvas_waiting_pictures 2.0" in client.get("/metrics").text)
        refused = sent(client)
        assert refused.status_code == 429 and int(refused.headers["retry-after"]) >= 1
        gate.set()
        assert [each.result().status_code for each in going] == [200, 200] and len(made) == 2
    gate.clear()
    with client_of(model, limits=Limits(pictures=5, picture_seconds=0.3)) as client, ThreadPoolExecutor(4) as threads:
        late = list(threads.map(lambda _: sent(client).status_code, range(3)))
        assert late == [503] * 3
        gate.set()
        until(lambda: "ganvas_waiting_pictures 0.0" in client.get("/metrics").text)
    assert len(made) == 3  # of these three, the one that was begun


def test_samples_and_transforms_leave_each_others_seeds_alone(model):
    """Both draw from the process's random state."""
    with client_of(model) as client, ThreadPoolExecutor(6) as threads:
        alone = [sent(client, seed=seed, mood="calm").content for seed in range(2)]
        crowd = list(threads.map(lambda i: sent(client, seed=i % 2, mood="calm"), range(12)))
    assert all(answer.content == alone[i % 2] for i, answer in enumerate(crowd) if answer.status_code == 200)
    assert {answer.status_code for answer in crowd} <= {200, 429}
    assert torch.equal(model.transform(pixels(20, 30), seed=0, mood="calm"), model.transform(PHOTO, seed=0, mood=0))


# -- inversion -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def digits():
    return ganvas.load(DIGITS)


@pytest.fixture(scope="module")
def inverting(digits):
    limits = Limits(upload=300_000, pixels=20_000, pictures=2, inversion_seconds=3.0)
    with client_of(digits, limits=limits) as client:
        yield client


@pytest.fixture(scope="module")
def digit(digits) -> bytes:
    return digits.space.file(digits.sample(1, seed=4, label=digits.labels[0]))


def inverted(client, content: bytes, **fields):
    return client.post("/v1/invert", files={"file": ("mine.png", content)}, data={"seconds": "0.2"} | fields)


def changed(client, inputs, **changes):
    return client.post("/v1/edit", json={"inputs": inputs, "set": changes})


def levels(content: bytes) -> np.ndarray:
    return decoded(content).astype(int)


def test_a_picture_is_inverted_and_what_was_found_is_changed(inverting, digits, digit, monkeypatch):
    first, second = digits.labels[:2]
    invert, asked = Model.invert, []

    def by_steps(model, values, *, seconds, **more):
        asked.append(seconds)
        return invert(model, values, steps=20, **more)

    monkeypatch.setattr(Model, "invert", by_steps)  # so that the same is found on a busy machine
    answer = inverted(inverting, digit, label=first, seed=3, seconds="1.5")
    assert answer.status_code == 200 and answer.headers["content-type"] == "application/json", answer.text
    told = answer.json()
    assert answer.headers["x-ganvas-seed"] == "3" and told["seed"] == 3 and told["classes"] == {"label": first}
    assert set(told["inputs"]) == set(digits.inputs) and told["inputs"]["label"] == 0
    values = {"latent": torch.tensor([told["inputs"]["latent"]]), "label": torch.tensor([0])}
    expected = invert(digits, digit, steps=20, seed=3, label=first)
    assert torch.equal(values["latent"], expected.inputs["latent"]) and asked == [1.5]
    assert told["told"] == expected.told() and told["scores"] == expected.scores()
    assert (told["measure"], told["draws"], told["steps"]) == (expected.measure, 1000, 20)
    rebuilt = digits.decode(values)
    again = levels(base64.b64decode(told["sample"]["png"]))
    wanted = digits.space.to_uint8(rebuilt)[0].squeeze(-1)
    assert np.abs(again - wanted).max() <= 1
    # What follows needs no second search.
    same = changed(inverting, told["inputs"])
    assert same.headers["content-type"] == "image/png" and np.abs(levels(same.content) - again).max() <= 1
    nine = changed(inverting, told["inputs"], direction2=-3, label=second)
    inputs = moved(values, closed_form_directions(digits, 2), [0.0, -3.0]) | {"label": torch.tensor([1])}
    wanted = digits.space.to_uint8(digits.decode(inputs))[0].squeeze(-1)
    assert np.abs(levels(nine.content) - wanted).max() <= 1 and np.abs(wanted - again).max() > 10


def test_inversion_is_told_of_like_every_route(inverting, digit):
    document = inverting.get("/openapi.json").json()
    fields = document["components"]["schemas"]["Body_invert_v1_invert_post"]["properties"]
    assert set(fields) == {"file", "label", "seconds", "seed"}
    assert fields["seconds"]["maximum"] == 3.0 and fields["seconds"]["default"] == 3.0
    assert "20,000 pixels" in fields["file"]["description"]
    told = inverted(inverting, digit).json()
    assert set(document["components"]["schemas"]["Found"]["properties"]) == set(told)
    page = inverting.get("/docs").text
    assert "POST /v1/invert" in page and "POST /v1/edit" in page and "-F file=@mine.png" in page
    assert inverting.get("/v1/model").json()["limits"]["inversion_seconds"] == 3.0
    metrics = inverting.get("/metrics").text
    assert "ganvas_inversions_total " in metrics and 'path="/v1/invert",status="200"' in metrics


def test_only_what_is_drawn_and_can_be_searched_is_inverted(client):
    """Told by what is declared: a translator is given its picture, though it draws something too."""
    assert "/v1/invert" not in client.get("/openapi.json").json()["paths"]
    assert inverted(client, PHOTO).status_code == 404 and changed(client, {}).status_code == 404
    with client_of(model_of("infogan", SPACES["digits"])) as other:
        told = inverted(other, file_of(pixels(9, 9)), category="3", codes="0.5,-0.25").json()
        assert told["classes"] == {"category": "3"} and told["inputs"]["codes"] == [0.5, -0.25]


NOT_INVERTED = {
    "text with the name of a picture": (b"dear reader", {}, "file: this is no image file that can be read"),
    "a header that claims too much": (png_that_says(9_000, 9_000), {}, "file: 9,000 x 9,000 pixels, and at most"),
    "more seconds than there are": (None, {"seconds": "3.1"}, "seconds: "),
    "no seconds": (None, {"seconds": "0"}, "seconds: "),
    "seconds that are none": (None, {"seconds": "nan"}, "seconds: "),
    "a label that is none": (None, {"label": "zwei"}, "label: there is no 'zwei'"),
    "a latent": (None, {"latent": "1"}, "there is no field 'latent'"),
    "a field that is none": (None, {"lable": "1"}, "there is no field 'lable'; did you mean 'label'?"),
    "a photo that was cut": (PHOTO[:-900], {}, "what is to be inverted: "),
}


@pytest.mark.parametrize("case", NOT_INVERTED)
def test_what_cannot_be_inverted_is_one_line(inverting, digit, case):
    content, fields, said = NOT_INVERTED[case]
    answer = inverted(inverting, digit if content is None else content, **fields)
    assert answer.status_code == 422, answer.text
    error = answer.json()["error"]
    assert said in error and "\n" not in error and "/tmp" not in error


@pytest.mark.parametrize(
    ("inputs", "changes", "said"),
    [
        ({"latent": None}, {}, "inputs: latent must be numbers"),
        ({"latent": "word"}, {}, "inputs: latent must be numbers"),
        ({"latent": [[1.0], [1.0, 2.0]]}, {}, "inputs: latent must be numbers"),
        ({"latent": [1e39] * 8}, {}, "inputs: latent must be numbers"),
        ({"latent": [1.0] * 3}, {}, "inputs: latent: must be of shape (8)"),
        ({"latent": [[1.0] * 8] * 2}, {}, "inputs: latent: give those of one sample, not of 2"),
        ({"label": 0.5}, {}, "inputs: label must be numbers"),
        ({"label": 10}, {}, "inputs: label: a tensor of classes holds whole numbers from 0 to 9"),
        ({"lable": 1}, {}, "inputs: there is no 'lable'; did you mean 'label'?"),
        ({}, {"lable": 1}, "there is no 'lable' to set; did you mean 'label'?"),
        ({}, {"label": "zwei"}, "label: there is no 'zwei'"),
        ({}, {"label": ["0", "1"]}, "label: give one, not 2"),
        ({}, {"direction2": "far"}, "direction2 must be a number from -100 to 100"),
        ({}, {"direction17": 1}, "there is no direction17: the first 16 can be set"),
        ({}, {"x" * 300: 1}, "set."),
    ],
)
def test_what_cannot_be_edited_is_one_line(inverting, digits, inputs, changes, said):
    good = {"latent": [0.5] * 8, "label": 0}
    answer = changed(inverting, good | inputs, **changes)
    assert answer.status_code == 422, answer.text
    assert said in answer.json()["error"] and "\n" not in answer.json()["error"]
    missing = changed(inverting, {"label": 0}).json()["error"]
    assert missing == "inputs: latent is missing; send all of them, as /v1/invert gave them"


def test_an_inversion_waits_in_the_queue_hands_on_its_turn_and_ends_with_who_waits(digits, digit, monkeypatch):
    """The queue is that of pictures; who samples meanwhile is served between two of its steps."""
    invert, gate = Model.invert, threading.Event()

    def stepping(model, values, *, seconds, seed, tick):
        while not gate.is_set():
            tick()
        return invert(model, values, steps=1, seed=seed)

    monkeypatch.setattr(Model, "invert", stepping)
    limits = Limits(pictures=2, inversion_seconds=60)
    with client_of(digits, limits=limits) as client, ThreadPoolExecutor(4) as threads:
        try:
            going = [threads.submit(inverted, client, digit, seconds=seconds) for seconds in ("40", "2.5")]
            until(lambda: "ganvas_waiting_pictures 2.0" in client.get("/metrics").text)
            full = inverted(client, digit)
            assert full.status_code == 429 and full.headers["retry-after"] == "43"  # what both may take
            assert client.post("/v1/samples", json={"n": 1}).status_code == 200
        finally:
            gate.set()
        assert [each.result().status_code for each in going] == [200, 200]
    gate.clear()
    with client_of(digits, limits=Limits(inversion_seconds=60, picture_seconds=0.3)) as client:
        try:
            late = inverted(client, digit, seconds="50")
            assert late.status_code == 503 and late.headers["retry-after"]
            until(lambda: "ganvas_waiting_pictures 0.0" in client.get("/metrics").text)
        finally:
            gate.set()


# -- sounds ----------------------------------------------------------------------------------------------------------


def test_a_sound_is_transformed_each_channel_by_itself_and_others_are_told():
    model = vocoder_model(turns=0)
    both = np.stack([tone(300, 4000, rate=11025), 0.2 * tone(900, 4000, rate=11025)], axis=1)
    with client_of(model, limits=replace(LIMITS, pixels=8_000)) as client:
        answer = client.post("/v1/transform", files={"source": ("sound.wav", content := wav(both, 11025))})
        assert answer.status_code == 200 and answer.headers["content-type"] == "audio/wav", answer.text
        layers = model.given["source"].space.layers(content)
        assert answer.content == model.space.file(model.space.joined(model.transform(layers)))
        with wave.open(io.BytesIO(answer.content)) as file:
            assert (file.getframerate(), file.getnchannels(), file.getnframes()) == (8000, 2, 2903)
        silence = client.post("/v1/transform", files={"source": ("silence.wav", wav(np.zeros((900, 1)), 8000))})
        assert silence.status_code == 200
        for wrong, said in (
            (wav(np.zeros((8001, 1)), 8000), "source: 8,001 amplitudes at 8,000 Hz, and at most 8,000 are taken here"),
            (wav(np.zeros((1400, 6)), 8000), "source: 8,400 amplitudes"),
            (content[:-100], "source: this WAV file is cut short"),
            (PHOTO, "source: this is no WAV file"),
        ):
            answer = client.post("/v1/transform", files={"source": ("sound.wav", wrong)})
            assert answer.status_code == 422 and answer.json()["error"].startswith(said), answer.text
            assert "\n" not in answer.json()["error"]
