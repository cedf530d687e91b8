"""Features of a data set, computed once and kept.

They lie in the cache folder under `references/`, as a safetensors file and a JSON file, and are found again by the
content of the data, the items chosen and everything about the extractor. The JSON is written last and holds the hash of
the other file, so whatever is damaged or half there is made anew.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from ganvas.data.cache import cache_folder
from ganvas.data.dataset import Data
from ganvas.errors import TrainingError
from ganvas.features import Extractor, Features
from ganvas.files import write_atomically, write_json
from ganvas.metrics.distributions import check_finite
from ganvas.metrics.samples import Samples, count_of, of_data
from ganvas.progress_bar import steps

FORMAT = 1
BLOCK = 64


@dataclass(frozen=True)
class Reference:
    """Features (N, D) and logits (N, K) or None of items of a data set, by their places in the split; found: whether
    they were in the cache."""

    features: Tensor
    logits: Tensor | None
    labels: Tensor | None
    places: Tensor
    found: bool


def reference(
    data: Data, split: str, n: int | None, seed: int, extractor: Extractor, *, progress: bool = False
) -> Reference:
    """Features of all items of the split, or of `n` drawn by `seed`: from the cache, or computed and kept there.

    split: or several, such as `validation+test`. A cache that cannot be written to is no error.
    """
    total = count_of(data, split)
    part = n is not None and n < total
    key = {
        "format": FORMAT,
        "data": data.fingerprint,
        "split": split,
        "count": n if part else total,
        "seed": seed if part else None,
        "extractor": extractor.name,
        "weights": extractor.weights_hash,
        "resizing": extractor.resizing,
        "precision": extractor.precision,
    }
    path = cache_folder() / "references" / hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:32]
    kept = _read(path, key)
    if kept is not None:
        return Reference(kept["features"], kept.get("logits"), kept.get("labels"), kept["places"], True)
    samples, places = of_data(data, split, n, seed)
    computed = features_of(samples, extractor, f"{data.name}, {split}", progress=progress)
    made = Reference(computed.features, computed.logits, samples.labels, torch.from_numpy(places), False)
    tensors = {"features": made.features, "logits": made.logits, "labels": made.labels, "places": made.places}
    _write(path, key, {name: tensor for name, tensor in tensors.items() if tensor is not None})
    return made


def features_of(samples: Samples, extractor: Extractor, what: str, *, progress: bool = False) -> Features:
    """Features of all samples. Raises DataError where one of them is not finite."""
    features, logits = [], []
    blocks = samples.values.split(BLOCK)
    for block in steps(blocks, len(blocks), f"{extractor.name} looks at {len(samples):,} of {what}", progress):
        found = extractor(block)
        features.append(found.features.float().cpu())
        if found.logits is not None:
            logits.append(found.logits.float().cpu())
    together = torch.cat(features)
    check_finite(together, what)
    return Features(together, torch.cat(logits) if logits else None)


def _read(path: Path, key: dict[str, Any]) -> dict[str, Tensor] | None:
    try:
        stated = json.loads(path.with_suffix(".json").read_bytes())
        content = path.with_suffix(".safetensors").read_bytes()
        if stated["key"] != key or stated["sha256"] != hashlib.sha256(content).hexdigest():
            return None
        tensors: dict[str, Tensor] = load(content)
    except (OSError, ValueError, KeyError, TypeError, RecursionError, SafetensorError):
        return None
    return tensors if {"features", "places"} <= tensors.keys() else None


def _write(path: Path, key: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    content = save({name: tensor.contiguous() for name, tensor in tensors.items()})
    try:
        write_atomically(path.with_suffix(".safetensors"), content)
        write_json(path.with_suffix(".json"), {"key": key, "sha256": hashlib.sha256(content).hexdigest()})
    except TrainingError:
        path.with_suffix(".json").unlink(missing_ok=True)
