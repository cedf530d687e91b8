"""Ganvas trains, judges and uses generative adversarial networks.

    import ganvas
    run = ganvas.train("dcgan", data="photos/", minutes=10)
    pictures = run.model().sample(64)                   # (64, C, H, W) in [-1, 1]

Importing this package imports no torch; the first use of a name does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganvas.lazy import lazily
from ganvas.version import __version__

if TYPE_CHECKING:
    from ganvas.api import resume, train
    from ganvas.comparing import Comparison, compare
    from ganvas.data.opening import open_data
    from ganvas.errors import GanvasError
    from ganvas.exporting import export
    from ganvas.metrics.evaluate import evaluate
    from ganvas.metrics.judgement import Report
    from ganvas.model import Model, load
    from ganvas.opened import Run, open_run
    from ganvas.recipe import Losses, Progress, Recipe, Results, Turn
    from ganvas.training import Verdict, Watcher
    from ganvas.tuning import Tuned, tune
    from ganvas.upscaling import upscale

__getattr__, __dir__ = lazily(__name__, __file__)
__all__ = [*__dir__(), "__version__"]
