"""The server: what it gives, what it refuses, and that nobody's samples depend on who else asks."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import http.client
import importlib.util
import io
import itertools
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import ganvas
from ganvas.errors import RunError, UsageError
from ganvas.inputs import with_names
from test_export import SPACES, enlarger_of, model_of

pytest.importorskip("fastapi")
pytest.importorskip("prometheus_client")
TestClient = pytest.importorskip("starlette.testclient").TestClient

from ganvas.cli import serve as command  # noqa: E402
from ganvas.upscaling import Upscaler  # noqa: E402
from ganvas.web.guard import Hosts, is_loopback  # noqa: E402
from ganvas.web.http.app import Limits, application  # noqa: E402
from ganvas.web.http.batching import Batcher  # noqa: E402
from ganvas.web.server import Bounds, Server, State, listening, most_connections, read_token  # noqa: E402

TOKEN = "0123456789abcdef-secret"
HERE = "http://127.0.0.1:8000"


def client_of(model=None, **choices):
    model = model or model_of("dcgan", SPACES["digits"])
    return TestClient(
        application(model, name="pets", recipe="dcgan", **choices), base_url=HERE, raise_server_exceptions=False
    )


@pytest.fixture(scope="module")
def client():
    with client_of() as client:
        yield client


def picture(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)))


# -- what it gives ---------------------------------------------------------------------------------------------------


def test_a_sample_is_the_models_own(client):
    model = model_of("dcgan", SPACES["digits"])
    answer = client.post("/v1/samples", json={"label": "bee", "seed": 5})
    assert answer.status_code == 200 and answer.headers["content-type"] == "image/png"
    assert answer.headers["x-ganvas-seed"] == "5"
    wanted = model.space.to_uint8(model.sample(1, label="bee", seed=5))[0, :, :, 0]
    # The batch has another size than `sample`'s block, so rounding may differ by the last bit before it is rounded.
    assert np.abs(picture(answer.content).astype(int) - wanted).max() <= 1
    assert picture(client.post("/v1/samples", json={"n": 4, "seed": 5}).content).shape == (57, 57)
    assert client.post("/v1/samples", json={"label": "bee", "seed": 5}).content == answer.content
    assert client.post("/v1/samples", json={"n": 1.0, "label": "bee", "seed": 5.0}).content == answer.content
    assert client.post("/v1/samples", json={"label": "bee", "seed": 6}).content != answer.content
    assert client.post("/v1/samples", json={"label": "bee", "seed": 5, "truncation": 0.1}).content != answer.content
    again = client.post("/v1/samples", json={"label": "bee"}).headers["x-ganvas-seed"]
    assert again != client.post("/v1/samples", json={"label": "bee"}).headers["x-ganvas-seed"]


def test_json_and_zip_hold_the_same_pictures(client):
    told = client.post("/v1/samples", json={"n": 5, "seed": 1, "format": "json"}).json()
    assert told["seed"] == 1 and [one["label"] for one in told["samples"]] == ["ant", "bee", "cat", "ant", "bee"]
    packed = client.post("/v1/samples", json={"n": 5, "seed": 1, "format": "zip"}).content
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert archive.namelist() == [
            "ant/00000.png",
            "bee/00001.png",
            "cat/00002.png",
            "ant/00003.png",
            "bee/00004.png",
        ]
        for one, name in zip(told["samples"], archive.namelist(), strict=True):
            assert base64.b64decode(one["png"]) == archive.read(name)


def test_no_two_labels_share_a_folder_of_a_zip():
    labels = ("a/b", "a_b", "A_B")
    model = model_of("dcgan", SPACES["digits"])
    with client_of(replace(model, inputs=with_names(model.inputs, {"label": labels}))) as client:
        packed = client.post("/v1/samples", json={"n": 3, "seed": 1, "format": "zip"}).content
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert archive.namelist() == ["a_b-3/00000.png", "a_b/00001.png", "A_B-2/00002.png"]


def test_points_are_numbers():
    model = model_of("vanilla", SPACES["points"], conditional=False)
    with client_of(model) as client:
        told = client.post("/v1/samples", json={"n": 3, "seed": 2, "format": "json"}).json()
        values = torch.tensor([one["values"] for one in told["samples"]])
        torch.testing.assert_close(values, model.sample(3, seed=2), rtol=0, atol=1e-5)
        assert client.post("/v1/samples", json={"label": "bee"}).status_code == 422


def test_the_same_seed_gives_the_same_image_whoever_shares_the_batch():
    """Bit for bit: alone, in a crowd, spread over several batches, and at any place in them."""
    model = model_of("sngan", SPACES["digits"])
    batcher = Batcher(model, slots=8, most_waiting=10_000)
    alone = {seed: batcher.submit(3, {}, seed, None).result() for seed in range(6)}
    long = batcher.submit(70, {}, 99, None).result()
    crowd = [(seed, batcher.submit(3, {}, seed, None)) for seed in (5, 0, 3, 1, 4, 2) for _ in range(3)]
    others = [batcher.submit(n, {}, 1000 + n, None) for n in (1, 11, 2, 5)]
    again = batcher.submit(70, {}, 99, None)
    for seed, future in crowd:
        assert torch.equal(future.result(), alone[seed])
    assert torch.equal(again.result(), long)
    assert [len(future.result()) for future in others] == [1, 11, 2, 5]
    torch.testing.assert_close(long, model.sample(70, seed=99), rtol=0, atol=1e-4)
    batcher.close()


def until(true, seconds=60):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)


def test_requests_that_wait_share_a_batch():
    used: list[int] = []
    model = model_of("vanilla", SPACES["points"], conditional=False)
    batcher = Batcher(model, slots=8, most_waiting=100, on_batch=lambda count, seconds: used.append(count))
    with batcher._changed:  # the thread cannot take the first before all are there
        futures = [submit_unlocked(batcher, 2, seed) for seed in range(9)]
        batcher._changed.notify()
    wait_for(futures)
    batcher.close()
    assert used == [8, 8, 2] and batcher.waiting == 0


def submit_unlocked(batcher, n, seed):
    lock, batcher._changed = batcher._changed, threading.Condition()
    try:
        return batcher.submit(n, {}, seed, None)
    finally:
        batcher._changed = lock


def test_a_full_queue_says_when_to_come_again():
    model = model_of("vanilla", SPACES["points"], conditional=False)
    begun, gate = threading.Event(), threading.Event()
    generate = model.recipe.generate
    model.recipe.generate = lambda **inputs: begun.set() or (gate.wait() and generate(**inputs))
    with client_of(model, limits=Limits(waiting=4, batch=2)) as client, ThreadPoolExecutor(8) as threads:
        first = threads.submit(client.post, "/v1/samples", json={"n": 2})
        assert begun.wait(30)  # it is being made, and no longer waits
        waiting = [threads.submit(client.post, "/v1/samples", json={"n": 2}) for _ in range(2)]
        until(lambda: "ganvas_waiting_samples 4.0" in client.get("/metrics").text)
        refused = client.post("/v1/samples", json={"n": 2})
        assert refused.status_code == 429 and int(refused.headers["retry-after"]) >= 1
        assert "ganvas_waiting_samples 4.0" in client.get("/metrics").text
        gate.set()
        assert [each.result().status_code for each in (first, *waiting)] == [200, 200, 200]
        assert client.post("/v1/samples", json={"n": 2}).status_code == 200


def test_the_largest_request_is_let_in_even_where_the_queue_is_shorter():
    batcher = Batcher(model_of("vanilla", SPACES["points"], conditional=False), slots=2, most_waiting=1)
    assert len(batcher.submit(5, {}, 0, None).result()) == 5
    batcher.close()
    with pytest.raises(RuntimeError):
        batcher.submit(1, {}, 0, None)


def test_who_waits_too_long_is_told_and_no_longer_worked_for():
    model = model_of("vanilla", SPACES["points"], conditional=False)
    gate = threading.Event()
    made: list[int] = []
    generate = model.recipe.generate

    def slowly(**inputs):
        gate.wait()
        made.append(1)
        return generate(**inputs)

    model.recipe.generate = slowly
    with client_of(model, limits=Limits(batch=1, seconds=1.5)) as client, ThreadPoolExecutor(4) as threads:
        late = list(threads.map(lambda _: client.post("/v1/samples", json={}).status_code, range(3)))
        gate.set()
        assert late == [503, 503, 503]
        assert client.post("/v1/samples", json={}).status_code == 200
    assert len(made) == 2  # the one that was begun, and the last


def test_a_network_that_fails_fails_one_batch_and_not_the_server():
    model = model_of("vanilla", SPACES["points"], conditional=False)
    generate, fail = model.recipe.generate, [True]

    def sometimes(**inputs):
        if fail.pop() if fail else False:
            raise RuntimeError("no memory")
        return generate(**inputs)

    model.recipe.generate = sometimes
    with client_of(model) as client:
        failed = client.post("/v1/samples", json={})
        assert failed.status_code == 500 and "memory" not in failed.text
        assert client.post("/v1/samples", json={}).status_code == 200


def test_what_is_served_and_how_it_goes(client):
    about = client.get("/v1/model").json()
    assert about["labels"] == ["ant", "bee", "cat"] and about["step"] == 7 and about["limits"]["samples"] == 64
    assert client.get("/healthz").json() == {"status": "ok"}
    client.post("/v1/samples", json={"n": 2})
    client.get("/nowhere")
    told = client.get("/metrics").text
    assert 'ganvas_requests_total{path="/v1/samples",status="200"}' in told
    assert 'ganvas_requests_total{path="other",status="404"}' in told and "/nowhere" not in told
    document = client.get("/openapi.json").json()
    assert set(document["paths"]) == {
        "/v1/samples",
        "/v1/invert",
        "/v1/edit",
        "/v1/model",
        "/healthz",
        "/metrics",
    }
    wanted = document["components"]["schemas"]["Wanted"]["properties"]
    assert wanted["n"]["maximum"] == 64 and wanted["n"]["minimum"] == 1
    page = client.get("/docs").text
    assert "POST /v1/samples" in page and "src=" not in page and "https:" not in page


# -- what it refuses -------------------------------------------------------------------------------------------------

BAD = {
    "n of a billion": ({"n": 10**9}, 422, "n: "),
    "n of nothing": ({"n": 0}, 422, "n: "),
    "n as text": ({"n": "3"}, 422, "n: "),
    "n as a fraction": ({"n": 1.5}, 422, "n: "),
    "a label that is none": ({"label": "catt"}, 422, "did you mean 'cat'"),
    "a label that is a path": ({"label": "../../etc/passwd"}, 422, "label: there is no '../../etc/passwd'"),
    "a label of half a letter": ({"label": "\ud800"}, 422, "label: there is no"),
    "a label that is an object": ({"label": {"cat": 1}}, 422, "label: there is no"),
    "two labels for one sample": ({"label": ["cat", "bee"]}, 422, "label: give one or 1, not 2"),
    "a class beyond the last": ({"label": 3}, 422, "label: there is no 3"),
    "a negative seed": ({"seed": -1}, 422, "seed: "),
    "a seed without end": ({"seed": 10**300}, 422, "seed: "),
    "a truncation below the mean": ({"truncation": -0.1}, 422, "truncation: "),
    "a truncation beyond what is drawn": ({"truncation": 1.5}, 422, "truncation: "),
    "a format that is none": ({"format": "exe"}, 422, "format: "),
    "a field that is none": ({"count": 3}, 422, "count: "),
    "a list": ([1, 2], 422, "the body"),
    "nothing": (None, 422, "the body"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_values_are_refused(client, case):
    body, status, said = BAD[case]
    answer = client.post("/v1/samples", content=json.dumps(body), headers={"content-type": "application/json"})
    assert answer.status_code == status and said in answer.json()["error"] and "\n" not in answer.json()["error"]
    assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff\xfe\x00",
        b'{"truncation": NaN}',
        b'{"truncation": Infinity}',
        b'{"seed": ' + b"9" * 5000 + b"}",
        b"[" * 20_000,
        b'{"n": 1}' * 100,
    ],
)
def test_what_is_not_json_is_refused(client, body):
    answer = client.post("/v1/samples", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422) and answer.json()["error"]


def test_a_body_that_is_too_large_is_refused(client):
    headers = {"content-type": "application/json"}
    large = client.post("/v1/samples", content=b" " * 70_000, headers=headers)
    assert large.status_code == 413 and "65,536 bytes" in large.json()["error"]
    announced = client.post("/v1/samples", content=iter([b" " * 40_000] * 3), headers=headers)  # of unknown length
    assert announced.status_code == 413


def test_unknown_paths_and_methods_are_refused(client):
    for method, path, status in (
        ("GET", "/../../etc/passwd", 404),
        ("GET", "/v1/samples", 405),
        ("POST", "/v1/model", 405),
    ):
        answer = client.request(method, path)
        assert answer.status_code == status and answer.json()["error"]


def test_a_token_is_needed_where_there_is_one():
    with client_of(token=TOKEN) as client:
        for path in ("/v1/model", "/metrics", "/openapi.json", "/docs", "/nowhere"):
            assert client.get(path).status_code == 401, path
        for given in ("Bearer wrong", TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer ", "Bearer \xe9"):
            refused = client.post("/v1/samples", json={}, headers={"authorization": given.encode("latin-1")})
            assert refused.status_code == 401 and refused.headers["www-authenticate"] == "Bearer"
        assert client.get("/healthz").status_code == 200
        assert client.post("/v1/samples", json={}, headers={"authorization": f"bearer {TOKEN}"}).status_code == 200


def test_elsewhere_than_on_this_machine_a_token_is_needed(tmp_path):
    assert all(map(is_loopback, ("127.0.0.1", "127.9.9.9", "::1", "localhost")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "192.168.1.2", "example.org", "")))
    for words in (["nowhere", "--host", "0.0.0.0"], ["nowhere", "--host", "::"]):
        with pytest.raises(UsageError, match="--token-file"):
            command.run(words)
    short, good = tmp_path / "short", tmp_path / "good"
    short.write_text("secret\n")
    good.write_text(f"{TOKEN}\n")
    assert read_token(good) == TOKEN
    for path in (short, tmp_path / "none", Path(os.devnull)):
        with pytest.raises(UsageError, match="--token-file"):
            read_token(path)
    with pytest.raises(RunError, match="is not a run"):
        command.run([str(tmp_path / ".." / ".." / "etc")])
    for flag, value in (("--batch", "0"), ("--port", "many"), ("--seconds", "-1")):
        with pytest.raises(UsageError, match=flag):
            command.run(["run", flag, value])
    with pytest.raises(UsageError, match="which run"):
        command.run([])


def test_a_missing_package_names_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "fastapi", None)
    with pytest.raises(UsageError, match=r"pip install \"ganvas\[serve\]\""):
        command.run(["run"])


def test_every_answer_closes_its_connection_once_the_server_stops():
    state = State()
    with client_of(state=state) as client:
        assert "connection" not in client.get("/v1/model").headers
        state.closing = True
        assert client.post("/v1/samples", json={}).headers["connection"] == "close"
        assert client.get("/healthz").status_code == 503


# -- whose requests it answers ---------------------------------------------------------------------------------------

ASKED = {
    "the address": ({"host": "127.0.0.1:8000"}, 200),
    "without a port": ({"host": "127.0.0.1"}, 200),
    "another port, as behind a tunnel": ({"host": "localhost:9"}, 200),
    "in large letters": ({"host": "LocalHost:8000"}, 200),
    "IPv6": ({"host": "[::1]:8000"}, 200),
    "a number of a network, as a load balancer sends": ({"host": "192.168.1.7"}, 200),
    "a name that was allowed": ({"host": "gan.example.org"}, 200),
    "its own page": ({"host": "localhost:8000", "origin": "http://localhost:8000"}, 200),
    "its own page through TLS": ({"host": "gan.example.org", "origin": "https://gan.example.org"}, 200),
    "its page where the usual port is left out": ({"host": "localhost:80", "origin": "http://localhost"}, 200),
    "an allowed page through a proxy": ({"host": "127.0.0.1:8000", "origin": "https://gan.example.org"}, 200),
    "a name of another page": ({"host": "evil.com"}, 403),
    "a name that begins as ours": ({"host": "localhost.evil.com"}, 403),
    "a name that begins as an address": ({"host": "127.0.0.1.evil.com:8000"}, 403),
    "a part of an allowed name": ({"host": "example.org"}, 403),
    "a name below an allowed one": ({"host": "x.gan.example.org"}, 403),
    "half an address": ({"host": "[::1"}, 403),
    "a user before a name": ({"host": "localhost@evil.com"}, 403),
    "a path behind it": ({"host": "localhost/evil.com"}, 403),
    "nothing": ({"host": ""}, 403),
    "another page": ({"origin": "http://evil.com"}, 403),
    "another page by our name with another port": ({"host": "localhost:8000", "origin": "http://localhost:3000"}, 403),
    "another page on the usual port": ({"host": "localhost:8000", "origin": "http://localhost"}, 403),
    "a page without an origin, such as a file": ({"origin": "null"}, 403),
    "an origin that is none": ({"origin": "//127.0.0.1:8000"}, 403),
}


@pytest.fixture(scope="module")
def known():
    with client_of(hosts=Hosts.of(["GAN.example.org"])) as client:
        yield client


@pytest.mark.parametrize("case", ASKED)
def test_no_other_web_page_reads_the_model_or_keeps_it_busy(known, case):
    headers, status = ASKED[case]
    for method, path in (("GET", "/v1/model"), ("POST", "/v1/samples"), ("GET", "/healthz")):
        answer = known.request(method, path, json={} if method == "POST" else None, headers=headers)
        assert answer.status_code == status, path
        assert status == 200 or set(answer.json()) == {"error"}


def test_where_there_is_a_token_no_other_page_knows_it():
    with client_of(token=TOKEN) as client:
        strange = {"host": "gan.example.org", "origin": "https://app.example.org"}
        assert client.get("/v1/model", headers=strange).status_code == 401
        assert client.get("/v1/model", headers=strange | {"authorization": f"Bearer {TOKEN}"}).status_code == 200


def test_a_host_that_is_allowed_is_a_name_alone():
    assert Hosts.of(["Bücher.example"]).names == {"xn--bcher-kva.example"} and Hosts.of([]).names == frozenset()
    for name in ("http://gan.example.org", "gan.example.org:80", "*.example.org", "a b", "", "a/b", "." * 300, "a..b"):
        with pytest.raises(UsageError, match="--allow-host"):
            command.run(["run", "--allow-host", name])


def test_web_sockets_are_refused_at_the_door(client):
    from starlette.websockets import WebSocketDisconnect

    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/v1/model"):
        pass


# -- clients that keep it waiting ------------------------------------------------------------------------------------


@contextmanager
def listening_to(app, **bounds):
    """A server in a thread of its own, and its port."""
    bound = listening("127.0.0.1", 0)
    server = Server(app, State(), ending=5, bounds=Bounds(**bounds))
    thread = threading.Thread(target=server.run, args=([bound],))
    thread.start()
    try:
        until(lambda: server.started)
        yield bound.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


class Toy:
    """Answers `/slow` behind its gate, `/large` with 32 MB, and all else at once."""

    def __init__(self) -> None:
        self.gate, self.begun = threading.Event(), threading.Semaphore(0)

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return
        while (await receive()).get("more_body"):
            pass
        if scope["path"] == "/slow":
            self.begun.release()
            while not self.gate.is_set():
                await asyncio.sleep(0.01)
        body = bytes(32_000_000 if scope["path"] == "/large" else 2)
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def sending(port: int, content: bytes = b"") -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    connection.sendall(content)
    return connection


def rest_of(connection: socket.socket) -> bytes:
    """All that still comes, until it is closed."""
    answer = b""
    with connection, suppress(ConnectionResetError):
        while part := connection.recv(1 << 20):
            answer += part
    return answer


HALF = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n1234"
SLOW = b"GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def test_a_head_has_a_deadline_however_it_drips():
    with listening_to(Toy(), head=0.4) as port:
        silent, half, dripping = sending(port), sending(port, b"GET / HT"), sending(port)
        again = sending(port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")  # answered, and then it begins another
        answer = b""
        while not answer.endswith(b"\0\0"):
            answer += again.recv(10_000)
        again.sendall(b"GET /")
        for letter in b"GET / HTTP/1.1\r\nHost: " + b"x" * 300:
            dripping.sendall(bytes([letter]))
            if select.select([dripping], [], [], 0.02)[0]:
                break
        else:
            pytest.fail("it may go on for ever")
        assert rest_of(silent) == b""
        for each in (half, dripping, again):
            head, _, body = rest_of(each).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 408 Request Timeout\r\n") and b"connection: close" in head
            assert "0.4 seconds" in json.loads(body)["error"]


def test_a_connection_may_rest_longer_than_a_head_may_take():
    def answered(connection: socket.socket) -> None:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = b""
        while not answer.endswith(b"\0\0"):
            answer += connection.recv(10_000)

    with listening_to(Toy(), head=0.2, idle=30) as port, sending(port) as connection:
        answered(connection)
        time.sleep(0.6)
        answered(connection)
    with listening_to(Toy(), head=30, idle=0.2) as port:
        connection = sending(port)
        answered(connection)
        assert rest_of(connection) == b""


def test_a_request_that_takes_longer_than_a_head_may_is_answered():
    toy = Toy()
    with listening_to(toy, head=0.2, taking=0.2) as port:
        slow = sending(port, SLOW)
        time.sleep(0.6)
        toy.gate.set()
        assert rest_of(slow).startswith(b"HTTP/1.1 200 ")


def test_what_is_not_taken_is_not_kept():
    with listening_to(Toy(), head=0.2, taking=0.4) as port:
        large = sending(port, b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(1)
        assert len(rest_of(large)) < 32_000_000
        taken = sending(port, b"GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert len(rest_of(taken)) > 32_000_000


def test_who_comes_last_is_let_in_and_who_was_let_in_is_answered():
    """Of more connections than there may be, those go that the server waits for, the longest first."""
    toy = Toy()
    with listening_to(toy, connections=8) as port:
        slow = [sending(port, SLOW) for _ in range(4)]
        assert all(toy.begun.acquire(timeout=20) for _ in slow)
        waiting = [sending(port, (b"", b"GET /", HALF)[number % 3]) for number in range(40)]
        assert rest_of(sending(port, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).endswith(b"\0\0")
        assert all(rest_of(each) == b"" for each in waiting[:37])
        waiting[-1].sendall(b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")  # it has only just come
        toy.gate.set()
        assert all(rest_of(each).startswith(b"HTTP/1.1 200 ") for each in slow)
        for each in waiting:
            each.close()


def test_where_too_many_are_worked_on_it_says_when_to_come_again_and_lives():
    model = model_of("vanilla", SPACES["points"], conditional=False)
    begun, gate = threading.Event(), threading.Event()
    generate = model.recipe.generate
    model.recipe.generate = lambda **inputs: begun.set() or (gate.wait() and generate(**inputs))
    with client_of(model, most_requests=1) as client, ThreadPoolExecutor(1) as threads:
        first = threads.submit(client.post, "/v1/samples", json={})
        assert begun.wait(30)
        refused = client.get("/v1/model")
        assert refused.status_code == 503 and refused.headers["retry-after"] == "5"
        assert refused.headers["connection"] == "close" and "come again" in refused.json()["error"]
        assert client.get("/healthz").status_code == 200
        gate.set()
        assert first.result().status_code == 200 and client.get("/v1/model").status_code == 200


def test_there_are_no_more_connections_than_files_that_may_be_open(monkeypatch):
    resource = pytest.importorskip("resource")
    for files, connections in ((64, 32), (256, 128), (1024, 864), (20_000, 1000), (resource.RLIM_INFINITY, 1000)):
        monkeypatch.setattr(resource, "getrlimit", lambda which, files=files: (files, files))
        assert most_connections() == connections


def test_a_request_that_breaks_ends_its_connection_and_nothing_else(caplog):
    toy = Toy()
    chunked = b"POST /%s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    with listening_to(toy) as port:
        for wild in (b"\0\r\n\r\n", chunked % b"" + b"zz\r\n", chunked % b"" + b"-1\r\n\r\n", b"GET / HTTP/9\r\n\r\n"):
            head, _, body = rest_of(sending(port, wild)).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n") and json.loads(body)["error"]
        late = sending(port, chunked % b"slow" + b"2\r\nxx\r\n")
        time.sleep(0.1)
        late.sendall(b"zz\r\n")
        assert rest_of(late).startswith(b"HTTP/1.1 400 ")
        toy.gate.set()
    assert not caplog.records


@pytest.fixture(scope="module")
def fuzzing():
    path = Path(__file__).resolve().parents[1] / "benchmarks" / "fuzz_requests.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = sys.modules[path.stem] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# Starlette leaves the files of a broken form to the garbage collector.
@pytest.mark.filterwarnings("ignore:Unclosed file <tempfile.Spooled:ResourceWarning")
def test_wild_requests_are_refused_as_documented(fuzzing, caplog):
    limits = Limits(seconds=0.5, upload=200_000, pixels=1000)
    upscaler = Upscaler(enlarger_of("srgan"))
    app = application(
        model_of("dcgan", SPACES["digits"]), name="pets", recipe="dcgan", upscaler=upscaler, limits=limits
    )
    with listening_to(app, head=0.5, connections=20) as port:
        found = fuzzing.run(port, seed=1, count=500)
    assert found.faults == [] and not caplog.records
    assert {"200", "400", "403", "404", "405", "408", "413", "422"} <= found.answers.keys(), found.answers
    assert sum(found.answers.values()) == 500


def test_wild_requests_are_the_same_again(fuzzing):
    first, again, others = (list(itertools.islice(fuzzing.requests(seed), 50)) for seed in (3, 3, 4))
    assert first == again and first != others


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b'HTTP/1.1 500 x\r\nContent-Length: 13\r\n\r\n{"error": ""}', "500"),
        (b'HTTP/1.1 503 x\r\nContent-Length: 14\r\n\r\n{"error": "x"}', "without Retry-After"),
        (b"HTTP/1.1 400 x\r\nContent-Length: 4\r\n\r\noops", "not JSON"),
        (b'HTTP/1.1 400 x\r\nContent-Length: 17\r\n\r\n{"error": "a\\nb"}', "one line"),
        (b"HTTP/1.1 200 x\r\nContent-Length: 9\r\n\r\nshort", "half an answer"),
        (b"oops\r\n\r\n", "no HTTP"),
    ],
)
def test_what_is_not_as_documented_is_found(fuzzing, answer, said):
    def answering(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(1 << 20)
            connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as threads:
        threads.submit(answering, listener)
        (fault,) = fuzzing.run(listener.getsockname()[1], count=1).faults
    assert said in fault


# -- a real server ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("serve") / "run"
    return ganvas.train("vanilla", data="ring", width=8, steps=2, out=out, quiet=True)


def started(run: Path, *words: str, before: tuple[str, ...] = ()) -> tuple[subprocess.Popen[str], int]:
    command = [*before, sys.executable, "-m", "ganvas", "serve", str(run), "--port", "0", *words]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert server.stdout is not None
    line = server.stdout.readline()
    assert "/docs" in line, server.communicate()[1]
    return server, int(line.rpartition(":")[2].partition("/")[0])


def asked(port: int, head: str, body: bytes = b"") -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)
        answer = b""
        while part := connection.recv(65536):
            answer += part
            if b"\r\n\r\n" in answer and b"connection: close" not in answer.lower():
                break
        return answer


def test_a_server_stands_hostile_requests_and_drops_none_when_it_ends(run):
    server, port = started(run)
    try:
        post = "POST /v1/samples HTTP/1.1\nHost: localhost\nContent-Type: application/json"
        # Ten gigabytes are announced: refused before any of them is sent.
        assert b" 413 " in asked(port, f"{post}\nContent-Length: 10000000000")
        assert b" 400 " in asked(port, "NONSENSE\n")
        assert b" 40" in asked(port, f"{post}\nContent-Length: -5")
        with suppress(ConnectionResetError):  # it may have hung up before all of that head was sent
            assert b" 400 " in asked(port, "GET / HTTP/1.1\nHost: localhost\n" + "A: " + "b" * 200_000)
        assert b" 404 " in asked(port, "GET /../../../etc/passwd HTTP/1.1\nHost: localhost")
        assert b" 200 " in asked(port, f"{post}\nContent-Length: 8", b'{"n": 1}')
        # SIGTERM while many ask: every request that went out on an open connection is answered.
        lost, answered = hammered(port, server)
        assert lost == 0 and answered > 0
        assert server.wait(20) == 0
        with pytest.raises(ConnectionRefusedError):
            asked(port, "GET /healthz HTTP/1.1\nHost: localhost")
    finally:
        server.kill()
        server.communicate()


def test_more_connections_than_files_lock_nobody_out(run):
    few = ("sh", "-c", 'ulimit -n 96; exec "$@"', "sh")
    server, port = started(run, "--upscaler", "none", before=few)
    try:
        held = [sending(port, (b"", b"GET / HT", HALF)[number % 3]) for number in range(400)]
        assert b" 200 " in asked(port, "GET /healthz HTTP/1.1\nHost: localhost")
        assert b" 200 " in asked(port, "GET /v1/model HTTP/1.1\nHost: localhost")
        for each in held:
            each.close()
        server.send_signal(signal.SIGTERM)
        assert server.communicate(timeout=30)[1] == f"loading {run}\n" and server.returncode == 0
    finally:
        server.kill()
        server.communicate()


def hammered(port: int, server: subprocess.Popen[str], clients: int = 8) -> tuple[int, int]:
    """Requests without an answer, and with one, of clients that go on until the server closes their connection."""
    begun, ended = threading.Event(), threading.Event()

    def go() -> tuple[int, int]:
        lost = answered = 0
        while not ended.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            try:
                connection.connect()
            except OSError:
                break  # it takes nobody in any more
            while True:
                try:
                    connection.request("POST", "/v1/samples", b'{"n": 4}', {"Content-Type": "application/json"})
                    answer = connection.getresponse()
                    answer.read()
                except OSError:
                    lost += 1
                    break
                answered += answer.status == 200
                begun.set()
                if answer.will_close:
                    break
            connection.close()
        return lost, answered

    with ThreadPoolExecutor(clients) as threads:
        going = [threads.submit(go) for _ in range(clients)]
        begun.wait(20)
        time.sleep(0.3)
        server.send_signal(signal.SIGTERM)
        wait_for(going, timeout=20)
        ended.set()
        results = [each.result() for each in going]
    return sum(lost for lost, _ in results), sum(answered for _, answered in results)


def test_a_busy_port_is_one_line(run):
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(UsageError, match="cannot listen"):
        command.run([str(run), "--port", str(taken.getsockname()[1])])


def test_a_checkpoint_that_holds_a_pickle_is_refused(run, tmp_path):
    copy = shutil.copytree(run, tmp_path / "run")
    (newest,) = (copy / "checkpoints").iterdir()
    bomb = b"cos\nsystem\n(S'touch " + str(tmp_path / "ran").encode() + b"'\ntR."
    (newest / "model.safetensors").write_bytes(bomb)
    manifest = json.loads((newest / "manifest.json").read_text())
    manifest["files"]["model.safetensors"] = {"bytes": len(bomb), "sha256": hashlib.sha256(bomb).hexdigest()}
    (newest / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(RunError, match="not a safetensors file"):
        command.run([str(copy)])
    assert not (tmp_path / "ran").exists()
