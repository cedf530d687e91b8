"""Ganvas trains, judges and uses generative adversarial networks.

    import ganvas
    run = ganvas.train("dcgan", data="photos/", minutes=10)
    pictures = ganvas.load(run).sample(64)              # (64, C, H, W) in [-1, 1]

Importing this package imports no torch; the first use of a name does.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "train": "ganvas.api",
    "load": "ganvas.model",
    "evaluate": "ganvas.metrics.evaluate",
    "Report": "ganvas.metrics.evaluate",
    "export": "ganvas.export",
    "Model": "ganvas.model",
    "upscale": "ganvas.upscale",
    "open_data": "ganvas.data.prepare",
    "Recipe": "ganvas.recipe",
    "Turn": "ganvas.recipe",
    "Losses": "ganvas.recipe",
    "Progress": "ganvas.recipe",
    "Results": "ganvas.recipe",
    "Watcher": "ganvas.recipe",
    "Verdict": "ganvas.recipe",
    "GanvasError": "ganvas.errors",
}

__all__ = [*_HOMES, "__version__"]

if TYPE_CHECKING:
    from ganvas.api import train
    from ganvas.data.prepare import open_data
    from ganvas.errors import GanvasError
    from ganvas.export import export
    from ganvas.metrics.evaluate import Report, evaluate
    from ganvas.model import Model, load
    from ganvas.recipe import Losses, Progress, Recipe, Results, Turn, Verdict, Watcher
    from ganvas.upscale import upscale


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'ganvas' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


class _Package(ModuleType):
    """Importing the module `ganvas.train` must not hide the function `ganvas.train`, whichever comes first."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _HOMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __dir__() -> list[str]:
    return sorted(__all__)
