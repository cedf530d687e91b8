"""Samples as the body of an answer: a picture of them, JSON, or a zip archive of their files."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable

from torch import Tensor

from ganvas.model import Model, folder_of


def as_png(model: Model, samples: Tensor, labels: Tensor | None, seed: int) -> bytes:
    """One picture of all of them, as their space shows them."""
    buffer = io.BytesIO()
    model.space.show(samples).save(buffer, format="PNG")
    return buffer.getvalue()


def as_json(model: Model, samples: Tensor, labels: Tensor | None, seed: int) -> bytes:
    """`{"seed", "samples": [{"label", "png" | "wav" | "values" | ...}, ...]}`: files as base64, points as numbers."""
    told = [
        {"label": None if labels is None else model.labels[int(labels[index])], **model.space.values(sample)}
        for index, sample in enumerate(samples.split(1))
    ]
    return json.dumps({"seed": seed, "samples": told}).encode()


def as_zip(model: Model, samples: Tensor, labels: Tensor | None, seed: int) -> bytes:
    """`00000.png` (or .wav, as the space has it), ..., in a folder for each label where there are labels, as
    `ganvas sample` writes them."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for index, sample in enumerate(samples.split(1)):
            folder = "" if labels is None else f"{folder_of(model.labels[int(labels[index])])}/"
            name = f"{folder}{index:05d}{model.space.suffix}"
            archive.writestr(zipfile.ZipInfo(name), model.space.file(sample))
    return buffer.getvalue()


FORMATS: dict[str, tuple[str, Callable[[Model, Tensor, Tensor | None, int], bytes]]] = {
    "png": ("image/png", as_png),
    "json": ("application/json", as_json),
    "zip": ("application/zip", as_zip),
}
