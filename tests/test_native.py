"""The classifier of the data's own labels: it learns them, it is kept, and it refuses what has none."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from ganvas.data.cache import cache_folder
from ganvas.data.opening import open_data
from ganvas.errors import DataError, UsageError
from ganvas.metrics import native as module
from ganvas.metrics.native import native, train_classifier


def bars(count, channels, height, width, seed=0):
    """Noisy images with a bright bar that stands (label 0) or lies (label 1)."""
    random = np.random.default_rng(seed)
    images = random.integers(0, 120, (count, height, width, channels), dtype=np.uint8)
    labels = np.arange(count) % 2
    for image, label in zip(images, labels, strict=True):
        at = random.integers(height // 4, 3 * height // 4 - 2)
        image[(slice(None), slice(at, at + 3)) if label == 0 else slice(at, at + 3)] = 255
    return images, labels


@pytest.fixture
def folder(tmp_path):
    for number, (image, label) in enumerate(zip(*bars(160, 1, 20, 24), strict=True)):
        path = tmp_path / "bars" / ("standing", "lying")[label] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[:, :, 0]).save(path)
    return tmp_path / "bars"


def test_it_learns_is_kept_and_is_trained_again_where_the_file_is_damaged(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("GANVAS_CACHE", str(tmp_path / "cache"))  # of its own: other tests keep theirs too
    data = open_data(folder)
    found = native(data, progress=True)
    assert found.accuracy >= 0.9 and found.name == "native"
    images = torch.from_numpy(bars(100, 1, 20, 24, seed=1)[0]).permute(0, 3, 1, 2)
    seen = found(images)
    assert seen.features.shape == (100, 128) and seen.logits.shape == (100, 2)
    read = [data.labels[i] for i in seen.logits.argmax(1)]
    assert np.mean([label == ("standing", "lying")[i % 2] for i, label in enumerate(read)]) >= 0.9
    assert "training native" in capsys.readouterr().err

    trained = []
    real = module.train_classifier
    monkeypatch.setattr(module, "train_classifier", lambda *a, **k: trained.append(1) or real(*a, **k))
    again = native(data)
    assert not trained and again.weights_hash == found.weights_hash and again.accuracy == found.accuracy
    assert torch.equal(again(images).features, seen.features)

    (weights,) = (cache_folder() / "native").glob("*.safetensors")
    about = json.loads(weights.with_suffix(".json").read_text())
    assert about["steps"] > 0 and about["seconds"] > 0
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\0\0")
    retrained = native(data, progress=False)
    assert trained == [1] and retrained.weights_hash == found.weights_hash  # the same seed gives the same weights
    weights.with_suffix(".json").write_text("{")
    assert native(data, progress=False).weights_hash == found.weights_hash and trained == [1, 1]
    weights.unlink(), weights.with_suffix(".json").unlink()


@pytest.mark.parametrize(("channels", "height", "width"), [(3, 9, 80), (1, 6, 6), (3, 100, 70)])
def test_any_size_and_channels(channels, height, width):
    images, labels = bars(16, channels, height, width)
    values = torch.from_numpy(images).permute(0, 3, 1, 2)
    found = train_classifier(values, torch.from_numpy(labels), 2, seed=3)
    assert found(values).logits.isfinite().all()
    assert found(values[:2, :1]).features.shape == (2, 128)
    assert not any(parameter.requires_grad for parameter in found.parameters())


def test_the_seed_decides():
    images, labels = bars(16, 1, 6, 6)
    values, numbers = torch.from_numpy(images).permute(0, 3, 1, 2), torch.from_numpy(labels)
    first, same, other = (train_classifier(values, numbers, 2, seed=seed).weights_hash for seed in (3, 3, 4))
    assert first == same != other


def test_data_without_labels_is_refused(folder):
    with pytest.raises(DataError, match="has no labels; take lite0"):
        native(open_data(folder / "lying"))
    with pytest.raises(UsageError, match="native is for images"):
        native(open_data("ring"))


def test_gray_classifiers_refuse_colour():
    images, labels = bars(16, 1, 8, 8)
    found = train_classifier(torch.from_numpy(images).permute(0, 3, 1, 2), torch.from_numpy(labels), 2)
    with pytest.raises(DataError, match="trained on gray images"):
        found(torch.zeros(1, 3, 8, 8, dtype=torch.uint8))
