"""A kind of data that nobody knows goes all the way: trained, resumed, sampled, reported, judged, exported, served."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ganvas
from games import assert_identical
from ganvas.report import write_report
from ganvas.testing import check_recipe
from ganvas.training import checkpoint
from test_cli import ganvas as command
from test_cli import refused
from voxels import VoxelGAN, write_solids

RECIPE = f"{Path(__file__).with_name('voxels.py')}:VoxelGAN"
TINY = ("--batch-size", "8", "--width", "2", "--quiet", "--device", "cpu", "--precision", "float32")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("voxels")
    write_solids(folder / "solids.npz")
    out = folder / "run"
    assert command("train", RECIPE, "--data", folder / "solids.npz", "--out", out, "--steps", "120", *TINY) == 0
    return out


def test_it_trains_and_says_what_it_made(run: Path) -> None:
    config = json.loads((run / "config.json").read_text())
    assert config["data"]["space"] == {"kind": "voxels", "depth": 4, "height": 6, "width": 8}
    assert config["inputs"] == [{"name": "latent", "kind": "normal", "shape": [8]}]
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert any("signal/diversity" in row for row in rows) and not any("error" in row for row in rows)
    assert "solids" in (run / "report.html").read_text().lower()
    assert len(list((run / "samples").glob("step-*.png"))) > 2


def test_it_resumes_exactly(run: Path, tmp_path: Path) -> None:
    data, whole, halves = run.parent / "solids.npz", tmp_path / "whole", tmp_path / "halves"
    for out, steps in ((whole, "20"), (halves, "10")):
        assert command("train", RECIPE, "--data", data, "--out", out, "--steps", steps, *TINY) == 0
    assert command("train", RECIPE, "--resume", halves, "--steps", "20", "--quiet") == 0
    states = [checkpoint.newest(out / "checkpoints")[0] for out in (whole, halves)]
    assert states[0] is not None and states[1] is not None
    assert_identical(states[0]["model"], states[1]["model"])


def test_it_is_sampled_reported_and_judged_by_its_own_look(run: Path, tmp_path: Path) -> None:
    model = ganvas.load(run, recipe=RECIPE)
    samples = model.sample(5, seed=1)
    assert samples.shape == (5, 1, 4, 6, 8) and float(samples.min()) >= 0 and float(samples.max()) <= 1
    assert command("sample", run, "--recipe", RECIPE, "-n", "3", "--seed", "1", "--out", tmp_path / "solids") == 0
    assert [path.name for path in sorted((tmp_path / "solids").iterdir())] == ["00000.png", "00001.png", "00002.png"]
    write_report(run)
    report = ganvas.evaluate(run, recipe=RECIPE, n=54, metrics=["diversity", "precision"], progress=False)
    assert any(key.endswith("[look]") for key in report.scores)


def test_it_is_exported_and_served(run: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    exported = ganvas.export(run, "onnx", tmp_path / "solids.onnx", recipe=RECIPE)
    assert exported.difference <= 1e-4
    client = pytest.importorskip("starlette.testclient").TestClient
    from ganvas.web.http.app import application

    model = ganvas.load(run, recipe=RECIPE)
    with client(application(model, name="solids", recipe="VoxelGAN"), base_url="http://127.0.0.1") as asked:
        answer = asked.post("/v1/samples", json={"n": 2, "seed": 3, "format": "json"}).json()
        about = asked.get("/v1/model").json()
    assert about["space"]["kind"] == "voxels"
    pictures = [Image.open(io.BytesIO(base64.b64decode(each["png"]))) for each in answer["samples"]]
    assert [picture.size for picture in pictures] == [(8, 6), (8, 6)]
    expected = model.space.show(model.sample(2, seed=3)[:1])
    assert np.abs(np.asarray(expected).astype(int) - np.asarray(pictures[0]).astype(int)).max() <= 1


def test_its_recipe_keeps_the_contract() -> None:
    check_recipe(VoxelGAN, checks=["optimizers", "turns", "resume", "splitting", "sampling"])


def test_its_options_are_flags(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = run.parent / "solids.npz"
    assert command("train", RECIPE, "--data", data, "--every", "2", "--dry-run", "--device", "cpu") == 0
    assert "every 2th voxel" in capsys.readouterr().out
    assert "--every must be 1 to 8" in refused(capsys, "train", RECIPE, "--data", data, "--every", "9")
