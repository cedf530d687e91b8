"""Recipes that change a picture, in a mood or under a mask, for the tests: all outside is to serve them by their
declarations alone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from ganvas import Losses, Progress, Recipe, Turn
from ganvas.attributes import Attribute
from ganvas.data.batches import Images
from ganvas.files import write_atomically, write_json
from ganvas.inputs import Attributes, Category, Given, Input, Normal, Number, inputs_to_json
from ganvas.model import Model
from ganvas.recipe import play
from ganvas.run import FORMAT
from ganvas.spaces import FREE, ImageSpace, space_to_config
from ganvas.training import EXPORTED

MOODS = ("calm", "wild", "odd")
ATTRIBUTES = (Attribute("smile"), Attribute("age", 18, 80), Attribute("hair", choices=("black", "pink")))
TRANSLATOR, CHANGER, FILLER = (f"{__file__}:{name}" for name in ("Translator", "Changer", "Filler"))
"""What `--recipe` and `ganvas.load(recipe=...)` take."""


class Translator(Recipe):
    """One convolution of the picture and a little noise, and a brightness for each mood.

    size: of the pictures; FREE takes any. reach: as declared: None for a recipe that wants to see all at once.
    """

    accepts = (Images,)

    def __init__(self, *, channels: int = 3, size: int = 12, whole: bool = False) -> None:
        super().__init__()
        self.told = {"channels": channels, "size": size, "whole": whole}
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


class Changer(Recipe):
    """One convolution of the picture that is added by as much as the attributes say; what stays adds nothing."""

    accepts = (Images,)

    def __init__(self, *, channels: int = 3, size: int = FREE) -> None:
        super().__init__()
        self.told = {"channels": channels, "size": size}
        self.space = ImageSpace(channels, size, size)
        self.generator = nn.Conv2d(channels, channels * len(ATTRIBUTES), 3, padding=1, padding_mode="replicate")

    def inputs(self) -> dict[str, Input]:
        return {"source": Given(self.space), "change": Attributes(ATTRIBUTES), "strength": Number(0, 2, 1)}

    def generate(self, *, source: Tensor, change: Tensor, strength: Tensor) -> Tensor:
        low, high = (source.new_tensor([getattr(each, end) for each in ATTRIBUTES]) for end in ("low", "high"))
        told = torch.where(change.isnan(), torch.zeros_like(change), 0.2 + (change - low) / (high - low))
        added = self.generator(source).unflatten(1, (len(ATTRIBUTES), -1))
        by = (strength.unsqueeze(1) * told).reshape(*told.shape, 1, 1, 1)
        return (source + (0.5 * by * added).sum(1)).clamp(-1, 1)

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {"generator": torch.optim.Adam(self.generator.parameters())}

    def turns(self, progress: Progress, batches: Iterator[Images]) -> Iterator[Turn]:
        return play(progress, batches, {"generator": self.losses})

    def losses(self, real: Images) -> Losses:
        return Losses({"difference": self.generator(real.image).mean()})


def changer_model(size: int = FREE) -> Model:
    """With random weights, trained on pictures of 12 pixels."""
    torch.manual_seed(0)
    recipe = Changer(size=size).eval().requires_grad_(False)
    return Model(recipe, ImageSpace(3, 12, 12), recipe.inputs(), 7, "a changer")


class Filler(Recipe):
    """One convolution of the picture where the mask says so; elsewhere the picture as it is."""

    accepts = (Images,)

    def __init__(self, *, channels: int = 3, size: int = 12) -> None:
        super().__init__()
        self.told = {"channels": channels, "size": size}
        self.generator = nn.Conv2d(channels, channels, 5, padding=2, padding_mode="replicate")

    def inputs(self) -> dict[str, Input]:
        size = self.told["size"]
        spaces = {"source": ImageSpace(self.told["channels"], size, size), "mask": ImageSpace(1, size, size)}
        return {name: Given(space) for name, space in spaces.items()}

    def generate(self, *, source: Tensor, mask: Tensor) -> Tensor:
        return torch.where(mask > 0, self.generator(source).clamp(-1, 1), source)

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {"generator": torch.optim.Adam(self.generator.parameters())}

    def turns(self, progress: Progress, batches: Iterator[Images]) -> Iterator[Turn]:
        return play(progress, batches, {"generator": self.losses})

    def losses(self, real: Images) -> Losses:
        return Losses({"difference": self.generator(real.image).mean()})


def filler_model(size: int = FREE) -> Model:
    """With random weights, trained on pictures of 12 pixels."""
    torch.manual_seed(0)
    recipe = Filler(size=size).eval().requires_grad_(False)
    return Model(recipe, ImageSpace(3, 12, 12), recipe.inputs(), 7, "a filler")


def translator_model(size: int = 12, channels: int = 3, whole: bool = False) -> Model:
    """With random weights and named moods."""
    torch.manual_seed(0)
    recipe = Translator(channels=channels, size=size, whole=whole).eval().requires_grad_(False)
    inputs = recipe.inputs() | {"mood": Category(len(MOODS), MOODS)}
    return Model(recipe, ImageSpace(channels, *([12] * 2 if size == FREE else [size] * 2)), inputs, 7, "a translator")


def run_of(model: Model, folder: Path, name: str | None = None, arguments: dict[str, Any] | None = None) -> Path:
    """The model as a folder that `ganvas.load` reads. name, arguments: of its recipe, by default of this file's."""
    weights = save({name: tensor.contiguous() for name, tensor in model.recipe.state_dict().items()})
    recipe: Any = model.recipe
    write_atomically(folder / EXPORTED, weights)
    about = {"name": "pictures", "fingerprint": "0", "labels": [], "counts": {}, "space": space_to_config(model.space)}
    config = {
        "format": FORMAT,
        "ganvas": "0",
        "recipe": name or f"{__file__}:{type(recipe).__name__}",
        "arguments": arguments or recipe.told,
        "inputs": inputs_to_json(model.inputs),
        "settings": {},
        "data": about,
        "step": model.step,
        "weights": {"file": EXPORTED, "sha256": hashlib.sha256(weights).hexdigest()},
    }
    write_json(folder / "config.json", config)
    return folder
