"""What is exported."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ganvas.model import Model, load
from ganvas.recipe import Recipe


@dataclass(frozen=True)
class Source:
    """A run, its model, and the recipe that the user named to load it."""

    run: Path
    model: Model
    recipe: str | type[Recipe] | None

    def load(self, folder: Path) -> Model:
        """The model of another folder that holds the same recipe."""
        return load(folder, recipe=self.recipe)
