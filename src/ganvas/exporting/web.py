"""`--format web`: one page that holds the model and ONNX Runtime for browsers, and asks nothing of any host.

It works from `file://`, where a page may fetch nothing, and its content security policy forbids every request anyway.
Model and runtime are compressed and inside it as base64. Sliders move along the latent space: between two samples, and
along the directions that change the pictures most. The page of a model that enlarges takes a photo from its visitor.
"""

from __future__ import annotations

import base64
import gzip
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from ganvas.errors import UsageError
from ganvas.exporting.graph import ENLARGED, OUTPUT, largest_difference, onnx_bytes
from ganvas.exporting.run import Exportable
from ganvas.files import write_atomically
from ganvas.html import render
from ganvas.model import BLOCK, Input, Model, draws, inputs_of
from ganvas.spaces import kinds, space_to_config
from ganvas.version import __version__

DIRECTIONS = 6
LARGEST_LATENT = 1024
"""Numbers of a latent vector beyond which no directions are computed: each costs a few samples."""


def write_page(source: Exportable, out: Path, check: Callable[[float], None]) -> None:
    model = source.model
    if model.space.canvas is None:
        shown = " and ".join(sorted({each.noun for each in kinds.values() if each.canvas}))
        raise UsageError(f"a page cannot show {model.space.noun} yet, only {shown}: export to onnx or hub")
    inputs = inputs_of(model)
    for each in inputs:
        if each.kind == "other":
            raise UsageError(f"the page cannot draw this recipe's input {each.name!r}: it is neither normal nor even")
    recipe_name = source.config()["recipe"]
    graph = onnx_bytes(model, inputs, recipe_name)
    check(largest_difference(model, graph))
    about = {
        "name": source.name,
        "recipe": recipe_name,
        "step": model.step,
        "version": __version__,
    }
    about |= about_enlarging(model) if model.enlarges else _sampling(model, inputs)
    write_atomically(out, page(about, graph))


def about_enlarging(model: Model) -> dict[str, Any]:
    """What the script of a model that enlarges must know of it."""
    generator = cast(Any, model.recipe.generator)
    return {
        "output": ENLARGED,
        "scale": generator.scale,
        "channels": generator.channels,
        "reach": generator.reach,
    }


def _sampling(model: Model, inputs: list[Input]) -> dict[str, Any]:
    return {
        "space": space_to_config(model.space),
        "shape": list(model.space.shape),
        "canvas": model.space.canvas,
        "labels": list(model.labels),
        "inputs": [each.to_json() for each in inputs],
        "output": OUTPUT,
        "directions": directions(model, inputs),
    }


def page(about: dict[str, Any], graph: bytes) -> str:
    """The whole page. about: what its script must know, of any origin: it is escaped."""
    runtime = files("ganvas.exporting").joinpath("assets", "onnxruntime-web", "ort.wasm.gz")
    return render(
        "exporting/page.html.jinja",
        about=about,
        kind="enlarge" if about["output"] == ENLARGED else "sample",
        model=_packed(gzip.compress(graph, 6, mtime=0)),
        runtime=_packed(runtime.read_bytes()),
    )


def directions(model: Model, inputs: list[Input], count: int = DIRECTIONS) -> dict[str, Any] | None:
    """The unit vectors in the first latent vector's space along which samples change most, on average: the leading
    eigenvectors of the mean of J J^T, with J the derivative of `generate` at a few draws, by finite differences.

    None for a latent vector that is too long or not there.
    """
    latent = next((each for each in inputs if each.kind == "normal" and len(each.shape) == 1), None)
    if latent is None or latent.shape[0] > LARGEST_LATENT:
        return None
    size, distance = latent.shape[0], 0.1
    total = torch.zeros(size, size)
    drawn = draws(model, 4, seed=1)
    for index in range(4):
        base = {name: each[index : index + 1] for name, each in drawn.items()}
        moved = base[latent.name] + distance * torch.eye(size)
        rows = [_sampled(model, base, latent.name, part) for part in moved.split(BLOCK)]
        jacobian = (torch.cat(rows) - _sampled(model, base, latent.name, base[latent.name])) / distance
        total += jacobian @ jacobian.t()
    vectors = torch.linalg.eigh(total).eigenvectors.flip(1)[:, :count].t()  # of the largest first
    signs = vectors.gather(1, vectors.abs().argmax(1, keepdim=True)).sign()
    return {"input": latent.name, "vectors": [[round(v, 5) for v in row] for row in (vectors * signs).tolist()]}


def _sampled(model: Model, base: dict[str, Tensor], name: str, latent: Tensor) -> Tensor:
    """(n, numbers of a sample): of n latent vectors, the other inputs being those of `base`."""
    drawn = {key: each.expand(len(latent), *each.shape[1:]) for key, each in base.items()} | {name: latent}
    device = model.recipe.device
    with torch.no_grad():
        return model.recipe.generate(**{key: each.to(device) for key, each in drawn.items()}).flatten(1).float().cpu()


def _packed(content: bytes) -> str:
    return base64.b64encode(content).decode()
