"""What the server takes follows from the inputs that a model declares: fields of samples, files of transforms."""

from __future__ import annotations

import io
import struct
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image

from ganvas.attributes import Attribute
from ganvas.model import Model, PhotoTranslator
from ganvas.recipes import find
from ganvas.spaces import FREE, ImageSpace
from test_export import SPACES, enlarger_of, model_of
from test_given import file_of, pixels
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
