"""What a discriminator is shown in place of samples as they are, so that few items don't teach it them by heart.

Functions that draw and apply at once, for recipes that use them in their losses: `at_random`. Operations whose draws
are made apart from being applied, for `--augment`, which works in any recipe: `operations`, and those of images:
`pictures`.
"""

from ganvas.augment.at_random import (
    POLICIES,
    Name,
    brightness,
    chained,
    contrast,
    cutout,
    flip,
    jitter,
    saturation,
    translation,
)
from ganvas.augment.operations import Decided, How, Operation, Operations, decided, drawn, shown

__all__ = [
    "POLICIES",
    "Decided",
    "How",
    "Name",
    "Operation",
    "Operations",
    "brightness",
    "chained",
    "contrast",
    "cutout",
    "decided",
    "drawn",
    "flip",
    "jitter",
    "saturation",
    "shown",
    "translation",
]
