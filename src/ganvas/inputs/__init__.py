"""What a recipe's `generate` takes, declared: the one place that everything outside reads.

    {"latent": Normal((100,)), "label": Category(10)}             a conditional GAN
    {"source": Given(ImageSpace(3, 64, 64))}                      image translation
    {"latent": Normal((62,)), "category": Category(10), "codes": Uniform((2,))}
    {"source": Given(...), "change": Attributes((Attribute("smile"),)), "strength": Number(0, 2, default=1)}
    {"latent": Normal((64,)), "caption": Caption(Words(...), examples)}              text to image
    {"latent": Normal((64,)), "where": Where(TableSpace(...))}                       rows of a table

Drawing, truncation, flags of the command line, the server's schema, the studio's fields and the inputs of exported
files follow from the declaration. Nothing looks at argument names or at what was drawn. Importing this needs no torch,
so that the flags of a run can be told from its `config.json`.

base            what every input has
numbers         noise and knobs
conditions      what a sample is to be: classes, captions, attributes, cells
given           what is to be changed
declared        all inputs of a recipe together
"""

from __future__ import annotations

from ganvas.attributes import Attribute
from ganvas.inputs.base import DRAWN, Input
from ganvas.inputs.conditions import MOST_CLASSES, Attributes, Caption, Category, Where
from ganvas.inputs.declared import (
    RESERVED,
    check_names,
    given_of,
    inputs_from_json,
    inputs_to_json,
    label,
    names_of,
    searched_of,
    with_names,
)
from ganvas.inputs.given import Given
from ganvas.inputs.numbers import Noise, Normal, Number, Shift, Uniform

__all__ = [
    "DRAWN",
    "MOST_CLASSES",
    "RESERVED",
    "Attribute",
    "Attributes",
    "Caption",
    "Category",
    "Given",
    "Input",
    "Noise",
    "Normal",
    "Number",
    "Shift",
    "Uniform",
    "Where",
    "check_names",
    "given_of",
    "inputs_from_json",
    "inputs_to_json",
    "label",
    "names_of",
    "searched_of",
    "with_names",
]
