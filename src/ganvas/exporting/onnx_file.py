"""`--format onnx`: one file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ganvas.exporting.graph import largest_difference, onnx_bytes
from ganvas.exporting.run import Exportable
from ganvas.files import write_atomically


def write_onnx(source: Exportable, out: Path, check: Callable[[float], None]) -> None:
    graph = onnx_bytes(source.model, source.config()["recipe"])
    check(largest_difference(source.model, graph))
    write_atomically(out, graph)
