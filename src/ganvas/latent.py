"""The public name of `ganvas.model.latent`: ways through a latent space."""

from ganvas.model import (
    Directions,
    closed_form_directions,
    decode,
    drawn,
    interpolate,
    moved,
    principal_directions,
    walk,
)

__all__ = [
    "Directions",
    "closed_form_directions",
    "decode",
    "drawn",
    "interpolate",
    "moved",
    "principal_directions",
    "walk",
]
