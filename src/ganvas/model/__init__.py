"""A trained GAN: load it, sample it, give it something to change, walk through its latent space.

trained         `Model`, and `load` that makes it
tiles           what is too large to be made at once
files           samples as files
targets         which files are read, and which is written for each
photos          photos of any size made into others
translating     files made into others
editing         a picture changed, by what a model takes or by inversion
latent          ways through a latent space
inversion       the inputs that a picture is made of
zoo             the small networks that ship
about           what of a run may leave this machine
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganvas.lazy import lazily

if TYPE_CHECKING:
    from ganvas.model.about import shared_config
    from ganvas.model.editing import (
        MOST_DIRECTIONS,
        Edited,
        changed,
        changed_inputs,
        edit_by_inversion,
        edited,
        main_directions,
        together,
    )
    from ganvas.model.files import folders_of
    from ganvas.model.inversion import Inversion
    from ganvas.model.latent import (
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
    from ganvas.model.photos import PhotoTranslator, takes_photos
    from ganvas.model.targets import PICTURES, Job, Kinds, jobs, others_in_words
    from ganvas.model.tiles import TILE, count, multiple_of, strips
    from ganvas.model.trained import (
        ENLARGING,
        SAMPLING,
        TRANSFORMING,
        Model,
        load,
        own_network,
    )
    from ganvas.model.translating import Translated, kinds_between, kinds_of, translate_files

__getattr__, __dir__ = lazily(__name__, __file__)
