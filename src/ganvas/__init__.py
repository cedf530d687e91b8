"""Ganvas trains, judges and uses generative adversarial networks.

    import ganvas
    run = ganvas.train("dcgan", data="photos/", minutes=10)
    pictures = ganvas.load(run).sample(64)              # (64, C, H, W) in [-1, 1]

Importing this package imports no torch; the first use of a name does.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "train": "ganvas.api",
    "load": "ganvas.api",
    "Model": "ganvas.api",
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

__all__ = [*_HOMES, "__version__"]  # noqa: PLE0604

if TYPE_CHECKING:
    from ganvas.api import Model, load, train
    from ganvas.data.prepare import open_data
    from ganvas.errors import GanvasError
    from ganvas.recipe import Losses, Progress, Recipe, Results, Turn, Verdict, Watcher


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'ganvas' has no attribute {name!r}")
    home = importlib.import_module(_HOMES[name])
    # All names of that module at once: importing `ganvas.api` for `ganvas.load` imports the module `ganvas.train`, and
    # that would otherwise hide the function of the same name.
    globals().update({each: getattr(home, each) for each, where in _HOMES.items() if where == home.__name__})
    return globals()[name]


def __dir__() -> list[str]:
    return sorted(__all__)
