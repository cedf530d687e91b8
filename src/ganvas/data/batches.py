"""The typed batches: what a recipe's `losses` receive. Each kind of data has a file of its own, with its batch and its
reader.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ganvas.data.attributes import Attributed
from ganvas.data.batch import Batch
from ganvas.data.captioned import Captioned
from ganvas.data.images import Images
from ganvas.data.masked import Masked
from ganvas.data.pairs import Pairs
from ganvas.data.photos import Photos
from ganvas.data.points import Points
from ganvas.data.sound_pairs import SoundPairs
from ganvas.data.table_rows import Tables
from ganvas.data.texts import Texts
from ganvas.data.unpaired import Unpaired
from ganvas.data.waves import Waves
from ganvas.options import Option

BUILT_IN: tuple[type[Batch], ...] = (
    Waves, Texts, Images, Points, Photos, Pairs, Unpaired, Masked, Attributed, Captioned, SoundPairs, Tables
)  # fmt: skip
"""All kinds, in the order in which they are tried on a source that nobody says the kind of."""

__all__ = [
    "BUILT_IN",
    "Attributed",
    "Batch",
    "Captioned",
    "Images",
    "Masked",
    "Pairs",
    "Photos",
    "Points",
    "SoundPairs",
    "Tables",
    "Texts",
    "Unpaired",
    "Waves",
    "reading_options",
]


def reading_options(kinds: Iterable[type[Batch]]) -> list[Option]:
    """What can be said of how data of these kinds are read, each option once and with no default of its own. Its help
    tells the kinds that it is for, where it is not for all or not the same for all."""
    kinds = list(kinds)
    found: dict[str, list[tuple[type[Batch], Option]]] = {}
    for kind in kinds:
        for option in kind.reader.flags():
            found.setdefault(option.name, []).append((kind, option))
    merged = []
    for same in found.values():
        helps: dict[str, list[str]] = {}
        for kind, option in same:
            helps.setdefault(option.explained, []).append(kind.kind)
        told = [text if len(names) == len(kinds) else f"{', '.join(names)}: {text}" for text, names in helps.items()]
        merged.append(replace(same[0][1], default=None, help="; ".join(told)))
    return merged
