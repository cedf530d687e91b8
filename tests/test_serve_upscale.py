"""`POST /v1/upscale`: it gives what `ganvas upscale` gives, and whatever is sent, the server stays up and answers."""

from __future__ import annotations

import asyncio
import io
import signal
import socket
import struct
import threading
import time
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait as wait_for

import numpy as np
import pytest
from PIL import Image

from ganvas.errors import RunError, UsageError
from test_export import SPACES, enlarger_of
from test_export import model_of as gan_of
from test_upscale import compact, model_of, smooth

pytest.importorskip("fastapi")
pytest.importorskip("python_multipart")
pytest.importorskip("prometheus_client")
TestClient = pytest.importorskip("starlette.testclient").TestClient

from ganvas.cli import serve as command  # noqa: E402
from ganvas.upscaling.upscaler import Upscaler  # noqa: E402
from ganvas.web.guard import Hosts  # noqa: E402
from ganvas.web.http.app import Limits, application  # noqa: E402
from ganvas.web.http.enlarger import Enlarger  # noqa: E402
from ganvas.web.http.fair_lock import FairLock  # noqa: E402
from ganvas.web.http.guard import Guard  # noqa: E402
from ganvas.web.http.uploads import Uploads  # noqa: E402
from test_serve import HERE, TOKEN, asked, run, started, until  # noqa: E402, F401

LIMITS = Limits(upload=300_000, pixels=20_000, pictures=2)


def upscaler_of(**changes) -> Upscaler:
    return Upscaler(model_of(compact(**changes)), tile=16)


def client_of(upscaler=None, limits=LIMITS, model=None, **choices):
    model = model or gan_of("vanilla", SPACES["points"], conditional=False)
    app = application(
        model, name="pets", recipe="vanilla", upscaler=upscaler or upscaler_of(), limits=limits, **choices
    )
    return TestClient(app, base_url=HERE, raise_server_exceptions=False)


@pytest.fixture(scope="module")
def upscaler():
    return upscaler_of()


@pytest.fixture(scope="module")
def client(upscaler):
    with client_of(upscaler) as client:
        yield client


def file_of(pixels: np.ndarray, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def sent(client, content: bytes, name: str = "photo.png", **fields):
    return client.post("/v1/upscale", files={"image": (name, content)}, data=fields)


def decoded(content: bytes) -> np.ndarray:
    pixels = np.asarray(Image.open(io.BytesIO(content)))
    return pixels.reshape(*pixels.shape[:2], -1)


# -- what it gives ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_the_picture_is_what_the_upscaler_makes(client, upscaler, channels):
    pixels = smooth(21, 37, channels)
    picture = Image.fromarray(
        pixels[:, :, 0] if channels == 1 else pixels, {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[channels]
    )
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    answer = sent(client, buffer.getvalue())
    assert answer.status_code == 200 and answer.headers["content-type"] == "image/png"
    np.testing.assert_array_equal(decoded(answer.content), upscaler.enlarge(pixels))


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
def test_every_format_goes_in_and_comes_out(client, kind):
    exif = Image.Exif()
    exif[0x010E] = "a lake"
    answer = sent(client, file_of(smooth(20, 30), kind.upper(), exif=exif), format=kind)
    assert answer.status_code == 200 and answer.headers["content-type"] == f"image/{kind}"
    made = Image.open(io.BytesIO(answer.content))
    assert made.format == kind.upper() and made.size == (120, 80) and made.getexif()[0x010E] == "a lake"


def test_more_metadata_than_the_format_holds_becomes_less(client):
    exif = Image.Exif()
    exif[0x010E], exif[0x010F] = "d" * 70_000, "A camera"
    answer = sent(client, file_of(smooth(20, 30), exif=exif.tobytes()), format="jpeg")
    assert answer.status_code == 200
    with Image.open(io.BytesIO(answer.content)) as made:
        assert made.size == (120, 80) and made.getexif()[0x010F] == "A camera" and 0x010E not in made.getexif()


def test_a_phones_photo_with_a_preview_behind_it_is_one_picture(client):
    first, second = (Image.fromarray(smooth(16, 20, seed=seed)) for seed in (1, 2))
    buffer = io.BytesIO()
    first.save(buffer, "MPO", save_all=True, append_images=[second])
    answer = sent(client, buffer.getvalue(), name="photo.jpg", format="jpeg")
    assert answer.status_code == 200 and decoded(answer.content).shape == (64, 80, 3)


def test_what_is_said_about_it(client):
    about = client.get("/v1/model").json()
    assert about["upscaler"] == {"name": "a network", "scale": 4, "style": "faithful"}
    assert about["limits"]["pixels"] == 20_000
    assert "POST /v1/upscale" in (page := client.get("/docs").text) and "image=@photo.jpg" in page
    before = client.get("/metrics").text
    assert sent(client, file_of(smooth(8, 9))).status_code == 200
    after = client.get("/metrics").text

    def count(text: str, name: str) -> float:
        return float(text.split(f"\n{name} ")[1].split("\n")[0])

    assert count(after, "ganvas_pictures_total") == count(before, "ganvas_pictures_total") + 1
    assert count(after, "ganvas_enlarged_pixels_total") == count(before, "ganvas_enlarged_pixels_total") + 16 * 72
    assert 'ganvas_requests_total{path="/v1/upscale",status="200"}' in after


def test_a_model_that_enlarges_has_no_samples_and_one_without_an_upscaler_no_pictures():
    with client_of(model=enlarger_of("srgan")) as client:
        assert client.post("/v1/samples", json={}).status_code == 404
        assert sent(client, file_of(smooth(8, 9))).status_code == 200
        assert client.get("/v1/model").json()["space"] is None
        assert "/v1/samples" not in client.get("/docs").text
    app = application(gan_of("vanilla", SPACES["points"], conditional=False), name="x", recipe="y")
    with TestClient(app, base_url=HERE) as client:
        assert sent(client, file_of(smooth(8, 9))).status_code == 404
        assert client.get("/v1/model").json()["upscaler"] is None


# -- what it refuses -------------------------------------------------------------------------------------------------


def png_of(width: int, height: int, content: bytes = b"") -> bytes:
    """A PNG of one bit a pixel whose header says whatever it is told to."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(content)) + chunk(b"IEND", b"")


def animated(kind: str) -> bytes:
    first, second = (Image.fromarray(smooth(16, 16, seed=seed)) for seed in (1, 2))
    buffer = io.BytesIO()
    first.save(buffer, kind, save_all=True, append_images=[second])
    return buffer.getvalue()


def zip_bomb() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("0.png", bytes(50_000_000))
    return buffer.getvalue()


def icon_with_more_in_it() -> bytes:
    """An icon that says 16 x 16 and holds a PNG of 13,000 x 13,000."""
    inner = png_of(13_000, 13_000, bytes(13_000 * 1626))
    return struct.pack("<HHHBBBBHHII", 0, 1, 1, 16, 16, 0, 0, 1, 32, len(inner), 22) + inner


PHOTO = file_of(smooth(20, 30))
BAD = {
    "text with the name of a picture": (b"dear reader", {}, "not an image"),
    "nothing": (b"", {}, "image: "),
    "a header of 30,000 x 30,000": (png_of(30_000, 30_000), {}, "image: "),
    "a header of 9,000 x 9,000": (png_of(9_000, 9_000), {}, "9,000 x 9,000 pixels"),
    "a header of no size": (png_of(0, 0), {}, "image: "),
    "a header of 2^31": (png_of(2**31 - 1, 1), {}, "image: "),
    "one pixel": (file_of(smooth(1, 1)), {}, "too few to enlarge"),
    "a line": (file_of(smooth(3, 500)), {}, "too few to enlarge"),
    "a photo that was cut": (PHOTO[:-900], {}, "image: "),
    "a photo with a changed byte": (PHOTO[:700] + bytes([PHOTO[700] ^ 255]) + PHOTO[701:], {}, "image: "),
    "only a head": (PHOTO[:40], {}, "image: "),
    "a film": (animated("WEBP"), {}, "holds 2 pictures"),
    "another film": (animated("PNG"), {}, "holds 2 pictures"),
    "a film of a format that is not taken": (animated("GIF"), {}, "PNG, JPEG and WebP"),
    "a zip bomb": (zip_bomb(), {}, "not an image"),
    "an icon with more in it": (icon_with_more_in_it(), {}, "PNG, JPEG and WebP"),
    "an SVG": (b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>', {}, "not an image"),
    "a pickle": (b"cos\nsystem\n(S'touch /tmp/ran'\ntR.", {}, "not an image"),
    "a format that is none": (PHOTO, {"format": "exe"}, "format: "),
    "a format that is a path": (PHOTO, {"format": "../../etc/x.png"}, "format: "),
    "transparency as JPEG": (file_of(smooth(9, 9, 4)), {"format": "jpeg"}, "format: JPEG holds no transparency"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_pictures_are_refused(client, case):
    content, fields, said = BAD[case]
    answer = sent(client, content, **fields)
    assert answer.status_code == 422, answer.text
    error = answer.json()["error"]
    assert said in error and "\n" not in error and "/tmp" not in error and "Traceback" not in error
    assert sent(client, PHOTO).status_code == 200


def test_pixels_that_the_header_does_not_tell_of_are_not_unpacked(client):
    answer = sent(client, png_of(20, 20, bytes(100_000_000)))
    assert answer.status_code == 200 and decoded(answer.content).shape == (80, 80, 1)


def test_a_side_that_the_format_cannot_hold_is_refused():
    with client_of(limits=Limits(pixels=10**6)) as client:
        answer = sent(client, file_of(smooth(4, 5_000, 1)), format="webp")
        assert answer.status_code == 422 and "20,000 x 16 pixels are more than WEBP holds" in answer.json()["error"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Starlette leaves half a part open
def test_requests_that_hold_no_picture_are_refused(client):
    headers = {"content-type": "multipart/form-data; boundary=b"}
    part = b'--b\r\nContent-Disposition: form-data; name="image"; filename="x.png"\r\n\r\n'
    for status, request in (
        (422, {"json": {"image": "x.png"}}),
        (422, {"data": {"image": "photo.png"}}),
        (422, {"data": {"image": "/etc/passwd", "format": "png"}}),
        (422, {"files": {"picture": PHOTO}}),
        (422, {}),
        (422, {"content": PHOTO, "headers": {"content-type": "image/png"}}),
        (400, {"content": b"nonsense", "headers": headers}),
        (400, {"content": PHOTO, "headers": {"content-type": "multipart/form-data"}}),
        (422, {"content": b"--b\r\nA", "headers": headers}),
        (400, {"content": b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n' * 4_000, "headers": headers}),
        (422, {"content": part + PHOTO[:100], "headers": headers}),  # the end is missing
    ):
        answer = client.post("/v1/upscale", **request)
        assert answer.status_code in (status, 400), (request, answer.text)
        assert answer.json()["error"] and "\n" not in answer.json()["error"]
    # A name is only a name.
    assert sent(client, PHOTO, name="../../../etc/passwd\x00.png").status_code in (200, 400)
    assert sent(client, PHOTO).status_code == 200


def test_an_upload_that_is_too_large_is_refused_whether_it_is_announced_or_not(client):
    announced = sent(client, bytes(400_000))
    assert announced.status_code == 413 and "300,000 bytes" in announced.json()["error"]
    headers = {"content-type": "multipart/form-data; boundary=b"}
    chunked = client.post("/v1/upscale", content=iter([bytes(100_000)] * 4), headers=headers)
    assert chunked.status_code == 413
    # What is large enough for a picture is still too large for anything else.
    assert client.post("/v1/samples", content=bytes(100_000)).status_code == 413


def test_the_token_is_asked_for_before_anything_is_read():
    with client_of(token=TOKEN) as client:
        assert sent(client, PHOTO).status_code == 401
        assert client.post("/v1/upscale", content=bytes(400_000)).status_code == 401
        files = {"image": ("x.png", PHOTO)}
        assert client.post("/v1/upscale", files=files, headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200


# -- one after the other, and in turns with the sampling -------------------------------------------------------------


def gated(upscaler: Upscaler, gate: threading.Event) -> Upscaler:
    """It waits for the gate before its first tile. made: the tiles."""
    tile, upscaler.made = upscaler._window, []

    def waiting(window):
        gate.wait(20)
        upscaler.made.append(window.shape)
        return tile(window)

    upscaler._window = waiting
    return upscaler


def test_a_full_queue_says_when_to_come_again():
    gate = threading.Event()
    with client_of(gated(upscaler_of(), gate)) as client, ThreadPoolExecutor(4) as threads:
        going = [threads.submit(sent, client, PHOTO) for _ in range(2)]
        until(lambda: "ganvas_waiting_pictures 2.0" in client.get("/metrics").text)
        refused = sent(client, PHOTO)
        assert refused.status_code == 429 and int(refused.headers["retry-after"]) >= 1
        assert "2 pictures are waiting already" in refused.json()["error"]
        gate.set()
        assert [each.result().status_code for each in going] == [200, 200]
        assert sent(client, PHOTO).status_code == 200


def test_who_waits_too_long_is_told_and_no_longer_worked_for():
    gate = threading.Event()
    upscaler = gated(upscaler_of(), gate)
    limits = Limits(pictures=5, picture_seconds=0.3)
    with client_of(upscaler, limits) as client, ThreadPoolExecutor(4) as threads:
        late = list(threads.map(lambda _: sent(client, PHOTO), range(3)))
        assert [each.status_code for each in late] == [503] * 3 and "0.3 seconds" in late[0].json()["error"]
        gate.set()
        until(lambda: "ganvas_waiting_pictures 0.0" in client.get("/metrics").text)
        assert len(upscaler.made) == 1  # of four tiles of three pictures: the one that was begun
    with client_of(upscaler) as client:
        assert sent(client, PHOTO).status_code == 200


def test_samples_are_made_between_the_tiles_of_a_picture():
    upscaler = upscaler_of()
    tile = upscaler._window
    made = []
    upscaler._window = lambda *given: made.append(given) or time.sleep(0.02) or tile(*given)
    with client_of(upscaler) as client, ThreadPoolExecutor(1) as threads:
        picture = threads.submit(sent, client, file_of(smooth(16, 1_250)))  # one strip of 79 tiles
        until(lambda: "ganvas_waiting_pictures 1.0" in client.get("/metrics").text)
        given = [client.post("/v1/samples", json={"format": "json"}).status_code for _ in range(5)]
        assert given == [200] * 5 and len(made) < 79
        assert picture.result().status_code == 200 and len(made) == 79


def test_turns_are_had_in_the_order_in_which_they_were_asked_for():
    turns, had, asking = FairLock(), [], []

    def ask(name: int) -> None:
        with turns:
            had.append(name)

    with turns:
        for name in range(5):
            asking.append(threading.Thread(target=ask, args=(name,)))
            asking[-1].start()
            while turns._asked < name + 2:
                time.sleep(0.001)
        assert had == []
        turns.pass_on()  # behind all who waited
        assert had == [0, 1, 2, 3, 4]
    for thread in asking:
        thread.join()


def test_a_network_that_fails_fails_one_picture_and_not_the_server():
    upscaler = upscaler_of()
    tile, fail = upscaler._window, [True]

    def sometimes(*given):
        if fail:
            raise RuntimeError(f"no memory {fail.pop()}")
        return tile(*given)

    upscaler._window = sometimes
    with client_of(upscaler) as client:
        failed = sent(client, PHOTO)
        assert failed.status_code == 500 and "memory" not in failed.text
        assert sent(client, PHOTO).status_code == 200
        assert client.post("/v1/samples", json={"format": "json"}).status_code == 200


def test_closing_finishes_what_was_let_in():
    gate = threading.Event()
    uploads = Uploads(most_waiting=3)
    enlarger = Enlarger(gated(upscaler_of(), gate), uploads, most_pixels=10_000)
    futures = [enlarger.submit(PHOTO, "png") for _ in range(3)]
    closing = threading.Thread(target=uploads.close)
    closing.start()
    gate.set()
    closing.join()
    for future in futures:
        with future.result() as file:
            assert decoded(file.read()).shape == (80, 120, 3)
    with pytest.raises(RuntimeError):
        enlarger.submit(PHOTO, "png")


# -- the guard -------------------------------------------------------------------------------------------------------


def guarded(app, **changes) -> Guard:
    chosen = {"token": None, "most_bytes": {"": 10, "/large": 1000}, "most_held": 1500, "seconds": 0.3}
    chosen |= {"hosts": Hosts(), "most_requests": 5}
    return Guard(app, **(chosen | changes), closing=lambda: False, seen=lambda path, status, seconds: None)


def scope(path: str) -> dict:
    return {"type": "http", "path": path, "headers": []}


def test_many_large_bodies_at_once_are_too_much():
    async def play() -> list[int]:
        may_end, statuses = asyncio.Event(), []

        async def app(scope, receive, send):
            await receive()
            await may_end.wait()
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})

        guard = guarded(app)

        async def ask(path: str, size: int) -> None:
            parts = iter([(bytes(size // 2), True), (bytes(size - size // 2), False)])

            async def receive():
                body, more = next(parts)
                return {"type": "http.request", "body": body, "more_body": more}

            async def send(message):
                if message["type"] == "http.response.start":
                    statuses.append(message["status"])

            await guard(scope(path), receive, send)

        first = [asyncio.create_task(ask("/large", 900)), asyncio.create_task(ask("/", 10))]
        await asyncio.sleep(0.05)
        await ask("/large", 900)
        assert statuses == [429]
        may_end.set()
        await asyncio.gather(*first, ask("/large", 900))
        assert guard.held == 0
        return statuses

    assert asyncio.run(play()) == [429, 200, 200, 200]


def test_who_does_not_take_its_answer_is_given_up():
    async def play() -> int:
        taken = 0

        async def app(scope, receive, send):
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for _ in range(5):
                await send({"type": "http.response.body", "body": b"x", "more_body": True})

        async def send(message):
            nonlocal taken
            taken += 1
            if taken == 3:
                await asyncio.Event().wait()

        async def receive():
            return {"type": "http.request"}

        await asyncio.wait_for(guarded(app)(scope("/"), receive, send), 5)
        return taken

    assert asyncio.run(play()) == 3


# -- a real server ---------------------------------------------------------------------------------------------------


def test_a_real_server_enlarges_and_finishes_what_it_began():
    server, port = started("zoo:photo-x4")
    try:
        head = "POST /v1/upscale HTTP/1.1\nHost: localhost\nContent-Type: multipart/form-data; boundary=b"
        assert b" 413 " in asked(port, f"{head}\nContent-Length: 10000000000")
        assert b" 404 " in asked(port, "POST /v1/samples HTTP/1.1\nHost: localhost\nContent-Length: 2", b"{}")
        with socket.create_connection(("127.0.0.1", port), timeout=20) as gone:  # announces much and hangs up
            gone.sendall(f"{head}\nContent-Length: 90000\n\n".replace("\n", "\r\n").encode() + b"--b\r\n")
        pixels = smooth(150, 150)
        part = b'--b\r\nContent-Disposition: form-data; name="image"; filename="x.png"\r\n\r\n'
        body = part + file_of(pixels) + b"\r\n--b--\r\n"
        with ThreadPoolExecutor(1) as threads:
            asking = threads.submit(asked, port, f"{head}\nConnection: close\nContent-Length: {len(body)}", body)
            metrics = "GET /metrics HTTP/1.1\nHost: localhost\nConnection: close"
            until(lambda: b"ganvas_waiting_pictures 1.0" in asked(port, metrics) or asking.done())
            server.send_signal(signal.SIGTERM)
            wait_for([asking], timeout=30)
            answer = asking.result()
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert decoded(answer.partition(b"\r\n\r\n")[2]).shape == (600, 600, 3)
        assert server.wait(20) == 0
    finally:
        server.kill()
        server.communicate()


def test_who_enlarges_is_checked_before_anything_listens(run, tmp_path):  # noqa: F811
    for words, error, said in (
        (["zoo:photo-x4", "--upscaler", "zoo:photo-x4"], UsageError, "leave --upscaler away"),
        ([str(run), "--upscaler", str(run)], RunError, "does not enlarge images"),
        ([str(run), "--upscaler", "zoo:photo"], RunError, "did you mean 'photo-x4'"),
        ([str(run), "--upscaler", str(tmp_path / ".." / ".." / "etc")], RunError, "is not a run"),
        (["zoo:nothing"], RunError, "there is no zoo:nothing"),
        ([str(run), "--pixels", "1"], UsageError, "--pixels"),
        ([str(run), "--picture-seconds", "0"], UsageError, "--picture-seconds"),
    ):
        with pytest.raises(error, match=said):
            command.run(words)
