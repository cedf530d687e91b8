"""Samples as the body of an answer: a picture of them, JSON, or a zip archive of their files."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping

from torch import Tensor

from ganvas.model import Model, folders_of
from ganvas.spaces import encoded

Classes = Mapping[str, Tensor]
"""Of n samples: the numbers of their classes (n,), by the name of the input."""


def as_png(model: Model, samples: Tensor, classes: Classes, seed: int) -> bytes:
    """One picture: the sample, or a grid of them."""
    return encoded(model.space.show(samples))


def as_json(model: Model, samples: Tensor, classes: Classes, seed: int) -> bytes:
    """`{"seed", "samples": [{"label", "png" | "values"}, ...]}`: pictures as base64 PNG, points as numbers. `label` is
    null where there is none; the names of other classes stand beside it."""
    told = []
    for index, sample in enumerate(samples.split(1)):
        names = {name: model.inputs[name].choices[int(numbers[index])] for name, numbers in classes.items()}
        told.append({"label": None, **names, **model.space.values(sample)})
    return json.dumps({"seed": seed, "samples": told}).encode()


def as_zip(model: Model, samples: Tensor, classes: Classes, seed: int) -> bytes:
    """`00000.png`, ..., in a folder for each label where there are labels, as `ganvas sample` writes them."""
    buffer, labels, folders = io.BytesIO(), classes.get("label"), folders_of(model.labels)
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for index, sample in enumerate(samples.split(1)):
            folder = "" if labels is None else f"{folders[int(labels[index])]}/"
            name = f"{folder}{index:05d}{model.space.suffix}"
            archive.writestr(zipfile.ZipInfo(name), model.space.file(sample))
    return buffer.getvalue()


FORMATS: dict[str, tuple[str, Callable[[Model, Tensor, Classes, int], bytes]]] = {
    "png": ("image/png", as_png),
    "json": ("application/json", as_json),
    "zip": ("application/zip", as_zip),
}
