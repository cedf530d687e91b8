"""The public name of `ganvas.model.latent`: ways through a latent space."""

from ganvas.model import (
    Directions,
    closed_form_directions,
    decode,
    drawn,
    interpolate,
    label_directions,
    moved,
    principal_directions,
    regressed_directions,
    walk,
)

__all__ = [
    "Directions",
    "closed_form_directions",
    "decode",
    "drawn",
    "interpolate",
    "label_directions",
    "moved",
    "principal_directions",
    "regressed_directions",
    "walk",
]
