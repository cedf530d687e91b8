"""A recipe that changes a picture in a mood, for the tests: all outside is to serve it by its declaration alone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from ganvas import Losses, Progress, Recipe, Turn
from ganvas.data.batches import Images
from ganvas.files import write_atomically, write_json
from ganvas.inputs import Category, Given, Input, Normal, inputs_to_json
from ganvas.model import Model
from ganvas.recipe import play
from ganvas.run import FORMAT
from ganvas.spaces import FREE, ImageSpace, space_to_config
from ganvas.training import EXPORTED

MOODS = ("calm", "wild", "odd")
TRANSLATOR = f"{__file__}:Translator"
"""What `--recipe` and `ganvas.load(recipe=...)` take."""


class Translator(Recipe):
    """One convolution of the picture and a little noise, and a brightness for each mood.

    size: of the pictures; FREE takes any. reach: as declared: None for a recipe that wants to see all at once.
    """

    accepts = (Images,)

    def __init__(self, *, channels: int = 3, size: int = 12, whole: bool = False) -> None:
        super().__init__()
        self.space, self.whole = ImageSpace(channels, size, size), whole
        self.generator = nn.Conv2d(channels, channels, 5, padding=2, padding_mode="replicate")
        self.mood = nn.Embedding(len(MOODS), channels)
        self.judge = nn.Conv2d(channels, 1, 3)

    def inputs(self) -> dict[str, Input]:
        reach = None if self.whole else 2
        return {"amount": Normal((1,)), "source": Given(self.space, reach=reach), "mood": Category(len(MOODS))}

    def generate(self, *, amount: Tensor, source: Tensor, mood: Tensor) -> Tensor:
        brighter = (self.mood(mood) + 0.1 * amount).unsqueeze(2).unsqueeze(3)
        return (self.generator(source) + 0.3 * brighter).clamp(-1, 1)

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        made = [*self.generator.parameters(), *self.mood.parameters()]
        return {"discriminator": torch.optim.Adam(self.judge.parameters()), "generator": torch.optim.Adam(made)}

    def turns(self, progress: Progress, batches: Iterator[Images]) -> Iterator[Turn]:
        return play(progress, batches, {"discriminator": self.losses, "generator": self.losses})

    def losses(self, real: Images) -> Losses:
        given = {"source": real.image.flip(3)}
        fake = self.generate(**self.draw(len(real), given))
        return Losses({"adversarial": self.judge(fake).mean() - self.judge(real.image).mean()})


def translator_model(size: int = 12, channels: int = 3, whole: bool = False) -> Model:
    """With random weights and named moods."""
    torch.manual_seed(0)
    recipe = Translator(channels=channels, size=size, whole=whole).eval().requires_grad_(False)
    inputs = recipe.inputs() | {"mood": Category(len(MOODS), MOODS)}
    return Model(recipe, ImageSpace(channels, *([12] * 2 if size == FREE else [size] * 2)), inputs, 7, "a translator")


def run_of(model: Model, folder: Path, name: str = TRANSLATOR, arguments: dict[str, Any] | None = None) -> Path:
    """The model as a folder that `ganvas.load` reads. name, arguments: of its recipe, by default of this file's."""
    weights = save({name: tensor.contiguous() for name, tensor in model.recipe.state_dict().items()})
    recipe: Any = model.recipe
    write_atomically(folder / EXPORTED, weights)
    about = {"name": "pictures", "fingerprint": "0", "labels": [], "counts": {}, "space": space_to_config(model.space)}
    config = {
        "format": FORMAT,
        "ganvas": "0",
        "recipe": name,
        "arguments": arguments
        or {"channels": recipe.space.channels, "size": recipe.space.height, "whole": recipe.whole},
        "inputs": inputs_to_json(model.inputs),
        "settings": {},
        "data": about,
        "step": model.step,
        "weights": {"file": EXPORTED, "sha256": hashlib.sha256(weights).hexdigest()},
    }
    write_json(folder / "config.json", config)
    return folder
