"""Spaces: what is generated, or given. A space says what a sample is, and all that depends on it.

base        `Space`, what every kind answers, and the kinds by name
image       pictures
mask        where a picture is to be made anew
point       points in the plane, and vectors of any length
wave        sounds
sound_files sounds in files
attributes  named properties of samples, one number each
caption     texts that say what is to be seen, encoded
texts       sequences of letters or words
tables      rows of a table: its columns (table_columns), and what must hold of them (constraints)
pictures    sheets of pixels, and files of them

A space is described by a handful of numbers, travels in `config.json`, and knows nothing of training. A new kind of
data needs one of its own and no branch anywhere else: deriving from `Space` with a `kind` registers it, in a user's
file too. Nothing here imports torch before a tensor is at hand, so that a run can be read without it.
"""

from __future__ import annotations

from ganvas.spaces.attributes import AttributeSpace
from ganvas.spaces.base import FREE, GAP, MOST_PLAYED, Field, Space, kinds, space_from_config, space_to_config, stronger
from ganvas.spaces.caption import CaptionSpace
from ganvas.spaces.image import ImageSpace
from ganvas.spaces.label_maps import by_majority
from ganvas.spaces.mask import MaskSpace, widened
from ganvas.spaces.pictures import encoded, save_picture
from ganvas.spaces.point import PointSpace
from ganvas.spaces.sound_files import ENDINGS as SOUNDS
from ganvas.spaces.sound_files import SoundFile, beginning, opened, pieces, resampled
from ganvas.spaces.table_columns import LONGEST_NAME, ColumnKind, TableColumn, quantiles, seconds_of
from ganvas.spaces.tables import MOST_COLUMNS, TableSpace
from ganvas.spaces.texts import LONGEST as MOST_TOKENS
from ganvas.spaces.texts import MOST_KNOWN, TextSpace, before_end, joined, split, vocabulary_of
from ganvas.spaces.wave import WaveSpace

__all__ = [
    "FREE",
    "GAP",
    "LONGEST_NAME",
    "MOST_COLUMNS",
    "MOST_KNOWN",
    "MOST_PLAYED",
    "MOST_TOKENS",
    "SOUNDS",
    "AttributeSpace",
    "CaptionSpace",
    "ColumnKind",
    "Field",
    "ImageSpace",
    "MaskSpace",
    "PointSpace",
    "SoundFile",
    "Space",
    "TableColumn",
    "TableSpace",
    "TextSpace",
    "WaveSpace",
    "before_end",
    "beginning",
    "by_majority",
    "encoded",
    "joined",
    "kinds",
    "opened",
    "pieces",
    "quantiles",
    "resampled",
    "save_picture",
    "seconds_of",
    "space_from_config",
    "space_to_config",
    "split",
    "stronger",
    "vocabulary_of",
    "widened",
]
