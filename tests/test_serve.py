"""The server: what it gives, what it refuses, and that nobody's samples depend on who else asks."""

from __future__ import annotations

import base64
import hashlib
import http.client
import io
import json
import os
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
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import ganvas
from ganvas.errors import RunError, UsageError
from ganvas.inputs import with_names
from test_export import SPACES, model_of

pytest.importorskip("fastapi")
pytest.importorskip("prometheus_client")
TestClient = pytest.importorskip("starlette.testclient").TestClient

from ganvas.cli import serve as command  # noqa: E402
from ganvas.web.http import is_loopback, read_token  # noqa: E402
from ganvas.web.http.app import Limits, State, application  # noqa: E402
from ganvas.web.http.batching import Batcher  # noqa: E402

TOKEN = "0123456789abcdef-secret"


def client_of(model=None, **choices):
    model = model or model_of("dcgan", SPACES["digits"])
    return TestClient(application(model, name="pets", recipe="dcgan", **choices), raise_server_exceptions=False)


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
    assert set(document["paths"]) == {"/v1/samples", "/v1/model", "/healthz", "/metrics"}
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


# -- a real server ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("serve") / "run"
    return ganvas.train("vanilla", data="ring", width=8, steps=2, out=out, quiet=True)


def started(run: Path, *words: str) -> tuple[subprocess.Popen[str], int]:
    command = [sys.executable, "-m", "ganvas", "serve", str(run), "--port", "0", *words]
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
        post = "POST /v1/samples HTTP/1.1\nHost: x\nContent-Type: application/json"
        # Ten gigabytes are announced: refused before any of them is sent.
        assert b" 413 " in asked(port, f"{post}\nContent-Length: 10000000000")
        assert b" 400 " in asked(port, "NONSENSE\n")
        assert b" 40" in asked(port, f"{post}\nContent-Length: -5")
        with suppress(ConnectionResetError):  # it may have hung up before all of that head was sent
            assert b" 400 " in asked(port, "GET / HTTP/1.1\nHost: x\n" + "A: " + "b" * 200_000)
        assert b" 404 " in asked(port, "GET /../../../etc/passwd HTTP/1.1\nHost: x")
        assert b" 200 " in asked(port, f"{post}\nContent-Length: 8", b'{"n": 1}')
        # SIGTERM while many ask: every request that went out on an open connection is answered.
        lost, answered = hammered(port, server)
        assert lost == 0 and answered > 0
        assert server.wait(20) == 0
        with pytest.raises(ConnectionRefusedError):
            asked(port, "GET /healthz HTTP/1.1\nHost: x")
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
