"""Checkpoints: complete or ignored, refused by name when damaged, never unpickled."""

import errno
import json
import pickle
import shutil
import struct

import pytest
import torch

from games import Linear, assert_identical, made, ring, snapshot, training_of
from ganvas import files
from ganvas.errors import RunError, TrainingError
from ganvas.training import checkpoint
from ganvas.training.checkpointing import Checkpoints

ABOUT = {"recipe": "linear"}


@pytest.fixture
def training():
    training = training_of(made(Linear), ring(), steps=100)
    training.run()
    return training


def written(training, folder):
    return checkpoint.write(folder, training.state(), ABOUT)


def test_what_is_read_is_what_was_written(training, tmp_path):
    state = checkpoint.read(written(training, tmp_path), "linear")
    other = training_of(made(Linear), ring(), steps=100)
    other.load_state(state)
    assert_identical(snapshot(training), snapshot(other))
    assert (other.steps_done, other.batches.position) == (training.steps_done, training.batches.position) != (0, 0)


FILES = ["model.safetensors", "averaged.safetensors", "optimizers.safetensors", "meter.safetensors", "values.json"]


@pytest.mark.parametrize("name", FILES)
def test_a_truncated_file_is_refused_by_name(training, tmp_path, name):
    path = written(training, tmp_path) / name
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(RunError, match=f"{name} is truncated"):
        checkpoint.read(path.parent)


@pytest.mark.parametrize("name", FILES)
def test_an_altered_file_is_refused_by_name(training, tmp_path, name):
    path = written(training, tmp_path) / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(RunError, match=f"{name} was altered"):
        checkpoint.read(path.parent)


def test_a_missing_file_and_a_missing_manifest_are_refused_by_name(training, tmp_path):
    folder = written(training, tmp_path)
    (folder / "averaged.safetensors").unlink()
    with pytest.raises(RunError, match=r"averaged\.safetensors cannot be read"):
        checkpoint.read(folder)
    (folder / "manifest.json").unlink()
    with pytest.raises(RunError, match=r"manifest\.json cannot be read"):
        checkpoint.read(folder)


def test_a_checkpoint_of_another_recipe_is_refused(training, tmp_path):
    with pytest.raises(RunError, match="recipe 'linear', not of 'dcgan'"):
        checkpoint.read(written(training, tmp_path), "dcgan")


class Touch:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (self.path, "w"))


def test_a_pickle_in_a_checkpoint_is_refused_and_not_run(training, tmp_path):
    """Even with a manifest that vouches for it."""
    folder = written(training, tmp_path / "run")
    evil = pickle.dumps(Touch(str(tmp_path / "touched")))
    (folder / "model.safetensors").write_bytes(evil)
    manifest = json.loads((folder / "manifest.json").read_text())
    import hashlib

    manifest["files"]["model.safetensors"] = {"bytes": len(evil), "sha256": hashlib.sha256(evil).hexdigest()}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(RunError, match="not a safetensors file"):
        checkpoint.read(folder)
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{", b'{"format": 99}', b'{"format": 1}', b'{"format": 1, "files": 3}']
)
def test_a_foreign_manifest_is_refused(training, tmp_path, content):
    folder = written(training, tmp_path)
    (folder / "manifest.json").write_bytes(content)
    with pytest.raises(RunError, match=r"manifest\.json"):
        checkpoint.read(folder)


def test_a_safetensors_header_that_lies_is_refused(training, tmp_path):
    folder = written(training, tmp_path)
    data = struct.pack("<Q", 1 << 60) + b"{}"
    (folder / "model.safetensors").write_bytes(data)
    with pytest.raises(RunError, match=r"model\.safetensors"):
        checkpoint.read(folder)


def test_the_previous_good_checkpoint_is_used(training, tmp_path):
    first = written(training, tmp_path)
    training.steps_done += 5
    second = written(training, tmp_path)
    (second / "model.safetensors").write_bytes(b"junk")
    state, used, refused = checkpoint.newest(tmp_path, "linear")
    assert used == first and state["values"]["step"] == training.steps_done - 5
    assert len(refused) == 1 and str(second) in refused[0]


def test_a_folder_of_another_name_is_no_checkpoint(training, tmp_path):
    good = written(training, tmp_path)
    shutil.copytree(good, tmp_path / ".step-00000999.123.tmp")
    (tmp_path / "step-x").mkdir()
    assert checkpoint.found(tmp_path) == [good]
    assert checkpoint.found(tmp_path / "absent") == []


def test_tensors_of_another_shape_are_named(training, tmp_path):
    path = written(training, tmp_path)
    state = checkpoint.read(path)
    state["model"]["generator.weight"] = torch.zeros(4, 4)
    with pytest.raises(RunError, match=r"generator\.weight has shape \(4, 4\).* \(2, 3\)"):
        checkpoint.check_fits(state, made(Linear), path)


def test_a_checkpoint_that_lacks_a_tensor_is_refused(training, tmp_path):
    path = written(training, tmp_path)
    state = checkpoint.read(path)
    del state["model"]["generator.weight"]
    with pytest.raises(RunError, match=r"lacks generator\.weight"):
        checkpoint.check_fits(state, made(Linear), path)


def test_a_full_disk_leaves_the_previous_checkpoint_and_no_half(training, tmp_path, monkeypatch):
    first = written(training, tmp_path)
    training.steps_done += 1
    real_fsync, calls = files.os.fsync, []

    def full(handle):
        calls.append(handle)
        if len(calls) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        real_fsync(handle)

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(TrainingError, match="No space left on device") as caught:
        written(training, tmp_path)
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == [first.name]
    checkpoint.read(first)


def test_the_last_few_are_kept_and_a_stray_higher_number_pushes_none_out(tmp_path):
    stray = tmp_path / "step-99999999"
    stray.mkdir()
    watcher = Checkpoints(tmp_path, every=10, keep=3, about=ABOUT)
    training_of(made(Linear), ring(), [watcher], steps=65).run()
    assert [path.name for path in checkpoint.found(tmp_path)] == [
        "step-99999999",
        "step-00000065",
        "step-00000060",
        "step-00000050",
    ]


def test_values_that_are_not_finite_are_never_saved(tmp_path):
    watcher = Checkpoints(tmp_path, every=1, keep=100, about=ABOUT)
    training = training_of(made(Linear), ring(), [watcher], steps=10)
    watcher.started(training)
    training._train_mode()
    training.step()
    with torch.no_grad():
        training.recipe.generator.weight.fill_(float("nan"))
    training.step()
    watcher.stepped(training, {})
    assert checkpoint.found(tmp_path) == []
