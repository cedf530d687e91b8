"""A model's `generate` as an ONNX graph, and how far ONNX Runtime's samples are from PyTorch's.

The random draw stays outside: the graph's inputs are those that the recipe declares, each with the batch as its first,
free dimension, so the same inputs give the same samples everywhere. Of a picture that is given, height and width are
free too where its space leaves them open. PyTorch's tracing exporter is used and not the newer one that goes by
torch.export; docs/decisions/0013-export.md says why. What tracing would freeze (a size that was read in Python) comes
to light, because the check uses other sizes than the trace.
"""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ganvas.errors import RunError, needed
from ganvas.exporting.examples import compared, traced
from ganvas.inputs import Normal, inputs_to_json
from ganvas.model import Model
from ganvas.spaces import FREE, space_to_config
from ganvas.version import __version__

OPSET = 17
OUTPUT = "samples"
ENLARGED = "enlarged"
"""The graph's output; where it is larger than what is given, and in general."""

SIDES = {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}
"""What free sides are called, by how many sides there are below the channels."""


def output_of(model: Model) -> str:
    """The name of the graph's output."""
    return ENLARGED if any(each.scale > 1 for each in model.given.values()) else OUTPUT


def onnx_bytes(model: Model, recipe_name: str) -> bytes:
    """The graph as an .onnx file holds it, with what a user of it must know as metadata. Raises RunError."""
    onnx = needed("onnx", "export")
    drawn = traced(model)
    output = output_of(model)
    generator = _Generator(model.recipe, list(drawn)).eval()
    buffer = io.BytesIO()
    try:
        with warnings.catch_warnings():  # of the exporter about itself, and of the tracer about what the check decides
            warnings.simplefilter("ignore")
            torch.onnx.export(
                generator,
                tuple(drawn.values()),
                buffer,  # type: ignore[arg-type]  # which the tracing exporter takes
                dynamo=False,
                opset_version=OPSET,
                input_names=list(drawn),
                output_names=[output],
                dynamic_axes=_free(model, output),
            )
    except (RuntimeError, torch.onnx.errors.OnnxExporterError) as error:
        reason = str(error).strip().splitlines()[0]
        raise RunError(f"PyTorch cannot export the recipe {recipe_name} to ONNX: {reason}") from error
    graph = onnx.load_from_string(buffer.getvalue())
    _share_constants(graph.graph)
    onnx.helper.set_model_props(graph, metadata(model, recipe_name))
    onnx.checker.check_model(graph)
    return bytes(graph.SerializeToString())


def _share_constants(graph: Any) -> None:
    """Constants that are alike become one, which is stored once: tracing repeats them in each turn of a loop."""
    kept: dict[bytes, str] = {}
    renamed: dict[str, str] = {}
    made = {each.name for each in graph.output}
    nodes = []
    for node in graph.node:
        constant = node.op_type == "Constant" and node.attribute[0].name == "value" and node.output[0] not in made
        if not constant:
            nodes.append(node)
            continue
        value, name = node.attribute[0].t, node.output[0]
        value.ClearField("name")
        renamed[name] = kept.setdefault(value.SerializeToString(deterministic=True), name)
        if renamed[name] == name:
            value.name = name
            graph.initializer.append(value)
    del graph.node[:]
    graph.node.extend(nodes)
    _rename(graph, renamed)


def _rename(graph: Any, names: Mapping[str, str]) -> None:
    """What nodes take, in parts of the graph as well."""
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        for attribute in node.attribute:
            for part in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
                _rename(part, names)


def metadata(model: Model, recipe_name: str) -> dict[str, str]:
    """The metadata of the file, JSON where it is more than a word: what each input is drawn from or given as, the sizes
    of the normal ones, the labels' names in the order of their numbers, the space and the range of what comes out, the
    recipe, and the step of the weights.

    Where something is given: how many times as large the output is (`scale`), the channels of what is given, and its
    reach, which is how many pixels of the input away an output pixel can see, and so how much tiles must overlap to
    have no seam. alone: what the network without its recipe falls short of, where it does.
    """
    told: dict[str, Any] = {"inputs": inputs_to_json(model.inputs), "range": model.space.bounds}
    if not model.any_size:
        told["space"] = space_to_config(model.space)
    latent = {name: list(each.shape) for name, each in model.inputs.items() if isinstance(each, Normal)}
    if latent or not model.given:
        told["latent"] = latent
    if model.labels or not model.given:
        told["labels"] = list(model.labels)
    for given in list(model.given.values())[:1]:
        told |= {"scale": given.scale, "channels": given.shape[0]}
        told |= {} if given.reach is None else {"reach": given.reach}
    if alone := model.recipe.alone():
        told["alone"] = alone
    words = {"version": __version__, "recipe": recipe_name, "step": str(model.step)}
    return {f"ganvas.{key}": value for key, value in (words | {k: json.dumps(v) for k, v in told.items()}).items()}


def _free(model: Model, output: str) -> dict[str, dict[int, str]]:
    """The dimensions that may have any size, by input and output."""
    free: dict[str, dict[int, str]] = {name: {0: "batch"} for name in (*model.inputs, output)}
    for name, each in model.given.items():
        sides = SIDES.get(len(each.shape) - 1, ())
        places = {place: side for place, side in enumerate(sides, 2) if each.shape[place - 1] == FREE}
        free[name] |= places
        free[output] |= {place: f"{output}_{side}" for place, side in places.items()}
    return free


def session_of(graph: bytes) -> Any:
    """An ONNX Runtime session on the CPU with as many threads as PyTorch has."""
    runtime = needed("onnxruntime", "export")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    return runtime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def largest_difference(model: Model, graph: bytes) -> float:
    """Between what ONNX Runtime and PyTorch make of the same inputs, over several sizes of them; infinite where there
    is no number to compare, or a shape differs."""
    session = session_of(graph)
    taken = {each.name for each in session.get_inputs()}
    worst = 0.0
    for drawn in compared(model):
        with torch.no_grad():
            wanted = model.recipe.generate(**{k: v.to(model.recipe.device) for k, v in drawn.items()}).cpu().numpy()
        try:
            (made,) = session.run(None, {name: each.numpy() for name, each in drawn.items() if name in taken})
        except Exception as error:  # its classes are not part of its interface
            reason = str(error).strip().splitlines()[0]
            sizes = ", ".join(f"{name} {tuple(each.shape)}" for name, each in drawn.items())
            raise RunError(f"ONNX Runtime cannot run the exported graph for {sizes}: {reason}") from error
        if made.shape != wanted.shape:
            return float("inf")
        difference = float(np.abs(made - wanted).max())
        worst = max(worst, difference if np.isfinite(difference) else float("inf"))
    return worst


class _Generator(nn.Module):
    """`recipe.generate` with inputs by position, which is how the exporter passes them."""

    def __init__(self, recipe: nn.Module, names: list[str]) -> None:
        super().__init__()
        self.recipe, self.names = recipe, names

    def forward(self, *inputs: Tensor) -> Tensor:
        samples: Tensor = self.recipe.generate(**dict(zip(self.names, inputs, strict=True)))  # type: ignore[operator]
        return samples
