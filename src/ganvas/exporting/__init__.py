"""A run as something that other programs use: an ONNX file, a folder for Hugging Face's Hub, a web page.

    ganvas.export("runs/digits", "onnx", "digits.onnx")
    ganvas.export("zoo:photo-x4", "web", "enlarge.html", style="perceptual")

Every export is run beside PyTorch, on the same inputs, before its name appears: the largest difference is told, and
one above 1e-3 is an error that leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ganvas.errors import RunError, UsageError, near_miss
from ganvas.exporting.hub import write_hub
from ganvas.exporting.onnx_file import write_onnx
from ganvas.exporting.run import Exportable
from ganvas.exporting.web import write_page
from ganvas.model import load
from ganvas.recipe import Recipe
from ganvas.text import quoted

MOST_DIFFERENCE = 1e-3
"""Between what PyTorch and the export make, at values in [-1, 1]; more is an error."""

FORMATS: dict[str, tuple[str, Callable[[Exportable, Path, Callable[[float], None]], None]]] = {
    "onnx": (".onnx", write_onnx),
    "hub": ("", write_hub),
    "web": (".html", write_page),
}
"""What the output's name ends in ("" for a folder), and who writes it."""


@dataclass(frozen=True)
class Exported:
    """What `export` made. difference: the largest between what it and PyTorch make, over all values compared."""

    out: Path
    difference: float
    step: int

    def __str__(self) -> str:
        return f"{self.out} (step {self.step:,}; largest difference to PyTorch: {self.difference:.2g})"


def export(
    run: str | Path,
    format: str,
    out: str | Path,
    *,
    recipe: str | type[Recipe] | None = None,
    style: str | float | None = None,
    overwrite: bool = False,
) -> Exported:
    """Exports a run or `zoo:NAME`. format: `onnx` (a file .onnx), `hub` (a folder) or `web` (a file .html).

    recipe: the file and class of a run's own recipe, which is executed. style: the weights in an `onnx` or `web` export
    of a model that has several, such as `faithful`, `perceptual` or a number between 0 and 1; by default the first of a
    model of the zoo and the last weights of a run.

    Raises UsageError for an output that exists, unless `overwrite`, or a package that is missing, and RunError where
    the run cannot be exported or the export does not give PyTorch's samples; then nothing is written.
    """
    out = Path(out)
    if format not in FORMATS:
        raise UsageError(f"there is no format {quoted(format)}{near_miss(format, FORMATS)}")
    ending, write = FORMATS[format]
    _check_out(out, format, ending, overwrite)
    if style is not None and not ending:
        raise UsageError(f"--style is for onnx and web, which hold one network; --format {format} holds all of a run's")
    model = load(run, recipe=recipe).styled(style)
    found: list[float] = []

    def check(difference: float) -> None:
        if not difference <= MOST_DIFFERENCE:
            raise RunError(
                f"the export of {run} differs from PyTorch by {difference:.2g}, more than {MOST_DIFFERENCE:g}: nothing "
                "was written (a `generate` that depends on how many samples it makes cannot be exported)"
            )
        found.append(difference)

    write(Exportable(run, model, recipe), out, check)
    return Exported(out, found[-1], model.step)


def _check_out(out: Path, format: str, ending: str, overwrite: bool) -> None:
    if ending and out.suffix.lower() != ending:
        raise UsageError(f"--format {format} writes one file, whose name ends in {ending}; {out} does not")
    if not ending and out.suffix.lower() in {each for each, _ in FORMATS.values() if each}:
        raise UsageError(f"--format {format} writes a folder, and {out} has the name of a file")
    if ending and out.is_dir():
        raise UsageError(f"{out} is a folder; name a file in it")
    if not ending and out.is_file():
        raise UsageError(f"{out} is a file; choose another --out")
    full = out.exists() if ending else out.is_dir() and any(out.iterdir())
    if full and not overwrite:
        raise UsageError(f"{out} exists; add --overwrite to replace it, or choose another --out")
    if full and not ending and not (out / "model.safetensors").is_file():
        raise UsageError(f"{out} holds other files than an export; choose another --out")
