"""GANs with a fault that somebody might build in by mistake; what the doctor is tried on (`benchmarks/doctor.py`)."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d
from torch.optim import Optimizer

from ganvas.recipe import Recipe
from ganvas.recipes.dcgan import DCGAN
from ganvas.recipes.r3gan import R3GAN
from ganvas.recipes.vanilla import Vanilla


class DeafR3GAN(R3GAN):
    """Its generator loses the label on the way."""

    def generate(self, *, latent: Tensor, label: Tensor | None = None) -> Tensor:
        return super().generate(latent=latent, label=None if label is None else torch.zeros_like(label))


def built_with(fault: Callable[[Any, dict[str, Any]], None]) -> Callable[[type[Recipe]], type[Recipe]]:
    """A class decorator: once the recipe is made as usual, `fault(recipe, its arguments)` spoils it."""

    def decorate(recipe: type[Recipe]) -> type[Recipe]:
        sound: Any = recipe.__init__

        @wraps(sound)
        def __init__(self: Any, **arguments: Any) -> None:
            sound(self, **arguments)
            fault(self, arguments)

        recipe.__init__ = __init__  # type: ignore[method-assign]
        return recipe

    return decorate


def unlabel(recipe: Any, arguments: dict[str, Any]) -> None:
    """The discriminator is never told the label, so nobody asks the generator to heed it."""
    shape = {key: arguments[key] for key in ("channels", "size", "width")}
    recipe.discriminator = _Blind(type(recipe.discriminator)(**shape))


def slow_down(recipe: Any, arguments: dict[str, Any]) -> None:
    """The discriminator learns at a three-hundredth of the generator's rate."""
    sound = recipe.optimizers

    def optimizers() -> dict[str, Optimizer]:
        made: dict[str, Optimizer] = sound()
        for group in made["discriminator"].param_groups:
            group["lr"] /= 300
        return made

    recipe.optimizers = optimizers


def overlap(recipe: Any, arguments: dict[str, Any]) -> None:
    """Kernels that their stride does not divide (3 for 2), and a discriminator that looks at blurred pictures."""
    layers = recipe.generator.layers
    for place, layer in enumerate(layers):
        if isinstance(layer, nn.ConvTranspose2d):
            layers[place] = nn.ConvTranspose2d(
                layer.in_channels, layer.out_channels, 3, 2, 1, output_padding=1, bias=layer.bias is not None
            )
    if isinstance(layers[-1], nn.Conv2d):
        layers[-1] = nn.Conv2d(layers[-1].in_channels, arguments["channels"], 1)
    recipe.discriminator = _Blurred(recipe.discriminator)


@built_with(unlabel)
class UnlabelledR3GAN(R3GAN):
    pass


@built_with(unlabel)
class UnlabelledDCGAN(DCGAN):
    pass


@built_with(slow_down)
class SlowDCGAN(DCGAN):
    pass


@built_with(slow_down)
class SlowVanilla(Vanilla):
    pass


@built_with(overlap)
class CheckeredDCGAN(DCGAN):
    pass


@built_with(overlap)
class CheckeredR3GAN(R3GAN):
    pass


class _Blind(nn.Module):
    def __init__(self, discriminator: nn.Module) -> None:
        super().__init__()
        self.discriminator = discriminator

    def forward(self, images: Tensor, label: Tensor | None = None) -> Tensor:
        return self.discriminator(images)  # type: ignore[no-any-return]


class _Blurred(nn.Module):
    def __init__(self, discriminator: nn.Module) -> None:
        super().__init__()
        self.discriminator = discriminator

    def forward(self, images: Tensor, label: Tensor | None = None) -> Tensor:
        height, width = images.shape[2:]
        small = avg_pool2d(images, 2)
        blurred = small.repeat_interleave(2, 2).repeat_interleave(2, 3)[:, :, :height, :width]
        return self.discriminator(blurred, label)  # type: ignore[no-any-return]
