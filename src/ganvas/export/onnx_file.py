"""`--format onnx`: one file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ganvas.export.graph import largest_difference, onnx_bytes
from ganvas.export.inputs import inputs_of
from ganvas.export.source import Source
from ganvas.files import write_atomically


def write_onnx(source: Source, out: Path, check: Callable[[float], None]) -> None:
    graph = onnx_bytes(source.model, inputs_of(source.model), source.config()["recipe"])
    check(largest_difference(source.model, graph))
    write_atomically(out, graph)
