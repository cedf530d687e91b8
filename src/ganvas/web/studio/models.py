"""Loaded models. One is used at a time: drawing uses the process's random state, and the machine has few cores."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ganvas.errors import GanvasError, RunError
from ganvas.inputs import Input, inputs_from_json
from ganvas.model import Model, load, zoo
from ganvas.run import mapping
from ganvas.spaces import Space, space_from_config
from ganvas.web.studio.run_list import Shelf

KEPT = 4
"""Models that are kept in memory."""


class Models:
    """The models of the runs on the shelf, each loaded when it is first asked for and anew when its weights change."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self.busy = threading.RLock()
        self._kept: OrderedDict[tuple[Path | str, float], Model] = OrderedDict()

    def names(self) -> list[str]:
        """What samples are made with: the runs, and after them the networks that come with Ganvas."""
        return [*self.shelf.names(), *(f"{zoo.PREFIX}{name}" for name in zoo.names())]

    def warm(self) -> None:
        """Loads the latest run's model meanwhile, so that the first visitor need not wait for it."""

        def first() -> None:
            with suppress(GanvasError), self.use(next(iter(self.shelf.names()), None)) as model:
                model.sample(1)

        threading.Thread(target=first, daemon=True).start()

    @contextmanager
    def use(self, name: object) -> Iterator[Model]:
        """The model of a run or of the zoo, for this caller alone while the block lasts. Raises RunError."""
        path = name if zoo.is_zoo(name) else self.shelf.path(name)
        with self.busy:
            key = (path, _written(path) if isinstance(path, Path) else 0.0)
            if key not in self._kept:
                try:
                    self._kept[key] = load(path)
                except RunError as error:  # visitors need not know where on the machine the runs are
                    raise RunError(self.shelf.hidden(error)) from None
                while len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(key)
            yield self._kept[key]

    def inputs(self, name: object) -> dict[str, Input]:
        """What the run's model takes, by name; {} where nobody knows it yet, and where there is no such run."""
        with suppress(GanvasError):
            config = {} if zoo.is_zoo(name) else self.shelf.run(name).config
            if "inputs" in config:
                return inputs_from_json(config["inputs"])
            with self.use(name) as model:  # of the zoo, or of a run from before runs said so
                return dict(model.inputs)
        return {}

    def space(self, name: object) -> Space | None:
        """What the run's model makes; None where nobody knows it yet, and where there is no such run."""
        with suppress(GanvasError):
            if zoo.is_zoo(name):
                with self.use(name) as model:
                    return model.space
            return space_from_config(mapping(mapping(self.shelf.run(name).config.get("data")).get("space")))
        return None


def _written(run: Path) -> float:
    """When its weights were last written."""
    manifests = [*run.glob("checkpoints/*/manifest.json"), *run.glob("best/manifest.json"), run / "config.json"]
    return max((path.stat().st_mtime for path in manifests if path.exists()), default=0.0)
