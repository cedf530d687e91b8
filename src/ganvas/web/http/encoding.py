"""Samples as the body of an answer: a PNG, JSON, or a zip archive."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import Callable

from PIL import Image
from torch import Tensor

from ganvas.model import Model, folder_of
from ganvas.spaces import ImageSpace


def as_png(model: Model, samples: Tensor, labels: Tensor | None, seed: int) -> bytes:
    """One picture: the sample, or a grid of them."""
    if len(samples) == 1:
        return _png(model, samples)
    return _encoded(model.space.grid(samples))


def as_json(model: Model, samples: Tensor, labels: Tensor | None, seed: int) -> bytes:
    """`{"seed", "samples": [{"label", "png" | "values"}, ...]}`: pictures as base64 PNG, points as numbers."""
    told = []
    for index in range(len(samples)):
        one: dict[str, object] = {"label": None if labels is None else model.labels[int(labels[index])]}
        if isinstance(model.space, ImageSpace):
            one["png"] = base64.b64encode(_png(model, samples[index : index + 1])).decode()
        else:
            one["values"] = samples[index].tolist()
        told.append(one)
    return json.dumps({"seed": seed, "samples": told}).encode()


def as_zip(model: Model, samples: Tensor, labels: Tensor | None, seed: int) -> bytes:
    """`00000.png`, ..., in a folder for each label where there are labels, as `ganvas sample` writes them."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for index in range(len(samples)):
            folder = "" if labels is None else f"{folder_of(model.labels[int(labels[index])])}/"
            archive.writestr(zipfile.ZipInfo(f"{folder}{index:05d}.png"), _png(model, samples[index : index + 1]))
    return buffer.getvalue()


FORMATS: dict[str, tuple[str, Callable[[Model, Tensor, Tensor | None, int], bytes]]] = {
    "png": ("image/png", as_png),
    "json": ("application/json", as_json),
    "zip": ("application/zip", as_zip),
}


def _png(model: Model, sample: Tensor) -> bytes:
    (picture,) = model.space.pictures(sample)
    return _encoded(picture)


def _encoded(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    return buffer.getvalue()
