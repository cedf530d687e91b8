"""`--format web`: one page that holds the model and ONNX Runtime for browsers, and asks nothing of any host.

It works from `file://`, where a page may fetch nothing, and its content security policy forbids every request anyway.
Model and runtime are compressed and inside it as base64. Sliders move along the latent space: between two samples, and
along the directions that change the pictures most. The page of a model that is given photos takes one from its visitor,
and asks for what else the model takes.
"""

from __future__ import annotations

import base64
import gzip
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganvas.errors import UsageError
from ganvas.exporting.examples import draws
from ganvas.exporting.graph import largest_difference, onnx_bytes, output_of
from ganvas.exporting.run import Exportable
from ganvas.files import write_atomically
from ganvas.html import render
from ganvas.inputs import Input, Normal, inputs_to_json
from ganvas.model import ENLARGING, SAMPLING, TRANSFORMING, Model
from ganvas.spaces import kinds, space_to_config
from ganvas.version import __version__

WRITING = "lines"
"""The page of a model that makes texts, whose `Space.canvas` it is called by."""

FIELDS = {
    SAMPLING: frozenset({"attributes", "caption", "class", "normal", "number", "shift", "uniform"}),
    WRITING: frozenset({"class", "normal", "number", "shift", "uniform"}),
    ENLARGING: frozenset({"given"}),
    TRANSFORMING: frozenset({"attributes", "class", "given", "normal", "number", "shift", "uniform"}),
}
"""Kinds of inputs that the script of each page draws or asks for."""

CHANGED = frozenset({"pixels", "spectrogram"})
"""How what is given is drawn (`Space.canvas`) on pages that take it: each has a script and a template of its name."""

DIRECTIONS = 6
OFFERED = 64
"""Values of one input, such as captions, that a page offers at most."""
LARGEST_LATENT = 1024
"""Numbers of a latent vector beyond which no directions are computed: each costs a few samples."""


def write_page(source: Exportable, out: Path, check: Callable[[float], None]) -> None:
    """Raises UsageError for a model that no page suits."""
    model = source.model
    kind = kind_of(model)
    recipe_name = source.config()["recipe"]
    graph = onnx_bytes(model, recipe_name)
    check(largest_difference(model, graph))
    about = {
        "name": source.name,
        "recipe": recipe_name,
        "step": model.step,
        "version": __version__,
    }
    write_atomically(out, page(about | KINDS[kind](model), graph, kind))


def kind_of(model: Model) -> str:
    """Which page suits the model, a key of `KINDS`. Raises UsageError."""
    if model.space.canvas is None:
        shown = " and ".join(sorted({each.noun for each in kinds.values() if each.canvas}))
        raise UsageError(f"a page cannot show {model.space.noun} yet, only {shown}: export to onnx or hub")
    for place, (name, given) in enumerate(model.given.items()):
        painted = place > 0 and given.space.photos and given.shape[0] == 1
        if not painted and not given.space.canvas == model.space.canvas in CHANGED:
            raise UsageError(
                "a page makes pictures of pictures or sounds of sounds, and this model "
                f"{model.space.noun} of {name!r} ({given.space}): take --format onnx or hub"
            )
    kind = WRITING if model.use == SAMPLING and model.space.canvas == WRITING else model.use
    if strange := sorted({each.kind for each in model.inputs.values()} - FIELDS[kind]):
        raise UsageError(f"a page has no field for an input of kind {strange[0]}: take --format onnx or hub")
    return kind


def about_enlarging(model: Model) -> dict[str, Any]:
    """What the script of a model that enlarges must know of it."""
    ((name, given),) = model.given.items()
    return {
        "input": name,
        "output": output_of(model),
        "scale": given.scale,
        "channels": given.shape[0],
        "reach": given.reach,
    }


def about_sampling(model: Model) -> dict[str, Any]:
    """The same of one that samples."""
    return {
        "space": space_to_config(model.space),
        "shape": list(model.space.shape),
        "canvas": model.space.canvas,
        "labels": list(model.labels),
        "inputs": [told | _offered(model.inputs[told["name"]]) for told in inputs_to_json(model.inputs)],
        "output": output_of(model),
        "directions": directions(model),
    }


def about_writing(model: Model) -> dict[str, Any]:
    """The same of one that writes texts."""
    return {
        "space": space_to_config(model.space),
        "inputs": inputs_to_json(model.inputs),
        "output": output_of(model),
    }


def _offered(each: Input) -> dict[str, Any]:
    """What a page can offer of an input whose values it cannot make itself."""
    offered = [{"title": title, "values": values} for title, values in each.offered().items()]
    return {"offered": offered[:OFFERED]} if offered else {}


def about_transforming(model: Model) -> dict[str, Any]:
    """The same of one that changes pictures or sounds. side: how long the shorter side of a picture was in training,
    where any size fits. rim: pixels around what is painted over in which a mask fades. alone: what the network without
    its recipe falls short of."""
    first = next(iter(model.given.values()))
    free = model.any_size and first.scale == 1 and first.space.photos
    return {
        "canvas": model.space.canvas,
        "space": space_to_config(model.space),
        "inputs": inputs_to_json(model.inputs),
        "output": output_of(model),
        "side": min(model.space.shape[1:]) if free else None,
        "alone": model.recipe.alone(),
        "rim": max(each.space.rim for each in model.given.values()),
    }


KINDS: dict[str, Callable[[Model], dict[str, Any]]] = {
    SAMPLING: about_sampling,
    WRITING: about_writing,
    ENLARGING: about_enlarging,
    TRANSFORMING: about_transforming,
}
"""The pages there are, and what the script of each must know."""


def page(about: dict[str, Any], graph: bytes, kind: str) -> str:
    """The whole page. about: what its script must know, of any origin: it is escaped. kind: a key of `KINDS`."""
    runtime = files("ganvas.exporting").joinpath("assets", "onnxruntime-web", "ort.wasm.gz")
    return render(
        "exporting/page.html.jinja",
        about=about,
        kind=kind,
        model=_packed(gzip.compress(graph, 6, mtime=0)),
        runtime=_packed(runtime.read_bytes()),
    )


def directions(model: Model, count: int = DIRECTIONS) -> dict[str, Any] | None:
    """The unit vectors in the first latent vector's space along which samples change most, on average: the leading
    eigenvectors of the mean of J J^T, with J the derivative of `generate` at a few draws, by finite differences.

    None for a latent vector that is too long or not there.
    """
    vectors_of = {
        name: each for name, each in model.inputs.items() if isinstance(each, Normal) and len(each.shape) == 1
    }
    latent = next(iter(vectors_of), None)
    if latent is None or vectors_of[latent].shape[0] > LARGEST_LATENT:
        return None
    size, distance = vectors_of[latent].shape[0], 0.1
    total = torch.zeros(size, size)
    drawn = draws(model, 4, seed=1)
    for index in range(4):
        base = {name: each[index : index + 1] for name, each in drawn.items()}
        moved = base[latent] + distance * torch.eye(size)
        rows = [_sampled(model, base, latent, part) for part in moved.split(model.space.block)]
        jacobian = (torch.cat(rows) - _sampled(model, base, latent, base[latent])) / distance
        total += jacobian @ jacobian.t()
    vectors = torch.linalg.eigh(total).eigenvectors.flip(1)[:, :count].t()  # of the largest first
    signs = vectors.gather(1, vectors.abs().argmax(1, keepdim=True)).sign()
    return {"input": latent, "vectors": [[round(v, 5) for v in row] for row in (vectors * signs).tolist()]}


def _sampled(model: Model, base: dict[str, Tensor], name: str, latent: Tensor) -> Tensor:
    """(n, numbers of a sample): of n latent vectors, the other inputs being those of `base`."""
    drawn = {key: each.expand(len(latent), *each.shape[1:]) for key, each in base.items()} | {name: latent}
    device = model.recipe.device
    with torch.no_grad():
        return model.recipe.generate(**{key: each.to(device) for key, each in drawn.items()}).flatten(1).float().cpu()


def _packed(content: bytes) -> str:
    return base64.b64encode(content).decode()
