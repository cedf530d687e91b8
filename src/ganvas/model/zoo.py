"""The zoo: small trained networks that ship inside the package. `zoo:NAME` stands wherever a run can stand.

    zoo/photo-x4/card.json                 what it is, what it was trained on, its scores and limits
    zoo/photo-x4/faithful.safetensors      weights in half precision, one file for each style

Where a card names `networks`, there is one style, and its file holds the weights of all these; else the generator's.

Nothing is downloaded. Every file is checked by the SHA-256 in the card before it is used.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

from ganvas.errors import RunError, near_miss

if TYPE_CHECKING:
    from torch import Tensor

PREFIX = "zoo:"
FORMAT = 1


def is_zoo(name: object) -> TypeGuard[str]:
    return isinstance(name, str) and name.startswith(PREFIX)


def names() -> list[str]:
    """What is in the zoo, without the prefix."""
    return sorted(path.parent.name for path in _folder().glob("*/card.json"))


@dataclass(frozen=True)
class Entry:
    """One network of the zoo. card: as JSON holds it (docs/zoo.md explains the fields)."""

    folder: Path
    card: dict[str, Any]

    @property
    def styles(self) -> list[str]:
        return list(self.card["styles"])

    @property
    def networks(self) -> list[str]:
        """Those whose weights the only style's file holds under their names; [] where it is the generator alone."""
        return list(self.card.get("networks", []))

    def weights(self, style: str) -> dict[str, Tensor]:
        """The weights of a style, float32. Raises RunError where the file is not the card's."""
        from safetensors.torch import load

        about = self.card["styles"][style]
        path = self.folder / about["file"]
        try:
            content = path.read_bytes()
        except OSError as error:
            raise RunError(f"{path} cannot be read ({error.strerror}): install ganvas again") from None
        if hashlib.sha256(content).hexdigest() != about["sha256"]:
            raise RunError(f"{path} was altered: its checksum is not the card's; install ganvas again")
        return {
            name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in load(content).items()
        }


def entry(name: str) -> Entry:
    """The entry of `zoo:NAME`. Raises RunError, with the nearest name, where there is none."""
    plain = name.removeprefix(PREFIX)
    if plain not in names():
        raise RunError(f"there is no {name} in the zoo{near_miss(plain, names())}")
    folder = _folder() / plain
    card = json.loads((folder / "card.json").read_bytes())
    if card["format"] != FORMAT:
        raise RunError(f"{folder}/card.json has format {card['format']!r}; this Ganvas reads {FORMAT}")
    return Entry(folder, card)


def _folder() -> Path:
    return Path(__file__).parents[1] / "zoo"
