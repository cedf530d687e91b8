"""A run, as something that is exported."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganvas.inputs import inputs_to_json
from ganvas.model import Model, load, shared_config, zoo
from ganvas.recipe import Recipe


@dataclass(frozen=True)
class Exportable:
    """A run or `zoo:NAME`, its model, and the recipe that the user named to load it."""

    run: str | Path
    model: Model
    recipe: str | type[Recipe] | None

    @property
    def name(self) -> str:
        return self.run.removeprefix(zoo.PREFIX) if zoo.is_zoo(self.run) else Path(self.run).resolve().name

    def config(self) -> dict[str, Any]:
        """What of its configuration may leave this machine."""
        return shared_config(self.run) | {"inputs": inputs_to_json(self.model.inputs)}

    def load(self, folder: Path) -> Model:
        """The model of another folder that holds the same recipe."""
        return load(folder, recipe=self.recipe)
