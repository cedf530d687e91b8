"""`--format onnx`: one file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ganvas.export.graph import largest_difference, onnx_bytes
from ganvas.export.inputs import inputs_of
from ganvas.files import write_atomically
from ganvas.model import Model
from ganvas.runs import shared_config


def write_onnx(run: Path, model: Model, out: Path, check: Callable[[float], None]) -> None:
    graph = onnx_bytes(model, inputs_of(model), shared_config(run)["recipe"])
    check(largest_difference(model, graph))
    write_atomically(out, graph)
