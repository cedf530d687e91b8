"""Pictures of two domains that belong together by their looks: found by a pretrained network, without anybody's names.

A picture and its partner show much the same in the same places. So the maps of an EfficientNet-Lite at an eighth and a
sixteenth of the size, averaged over 4 x 4 places, are compared, each channel centred and scaled by domain: what is
common to a design is no likeness. Two belong together where each is the other's best, by a likeness from which the mean
of each one's ten best is taken, as pictures that are like everything are like nothing (cross-domain similarity local
scaling: Conneau et al. 2018, eq. 3).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from ganvas.data.rows import spread

if TYPE_CHECKING:
    from torch import Tensor

Looks = Literal["lite0", "lite2"]

MOST = 10_000
"""Pictures of one domain at most, spread evenly over all: each is compared with each of the other."""

_MAPS, _PLACES = slice(2, 4), 4
_BEST = 10
_AT_ONCE = 64


class Looking:
    """Takes pictures one by one, and says of all at the end which belong together."""

    def __init__(self, name: Looks) -> None:
        from ganvas.features.lite import Lite

        self._extractor = Lite(name)
        self._waiting: list[np.ndarray] = []
        self._seen: list[list[Tensor]] = []

    def add(self, picture: np.ndarray) -> None:
        """(H, W, C) uint8."""
        self._waiting.append(picture)
        if len(self._waiting) == _AT_ONCE:
            self._see()

    def partners(self, one: Sequence[int], other: Sequence[int]) -> dict[int, int]:
        """By the number, in the order in which they were added, of a picture of the one domain that of its partner."""
        import torch

        self._see()
        if not one or not other:
            return {}
        sides = [np.asarray(spread(numbers, MOST)) for numbers in (one, other)]
        likeness = torch.zeros(len(sides[0]), len(sides[1]))
        for maps in zip(*self._seen, strict=True):
            whole = torch.cat(maps).float()
            likeness += _unit(whole[sides[0]]) @ _unit(whole[sides[1]]).T
        likeness = 2 * likeness - _best(likeness) - _best(likeness.T).T
        ahead, back = likeness.argmax(1), likeness.argmax(0)
        mutual = torch.nonzero(back[ahead] == torch.arange(len(ahead))).flatten()
        return {int(sides[0][at]): int(sides[1][ahead[at]]) for at in mutual}

    def _see(self) -> None:
        import torch
        from torch.nn.functional import adaptive_avg_pool2d

        if not self._waiting:
            return
        levels = torch.from_numpy(np.stack(self._waiting)).permute(0, 3, 1, 2).float()
        self._waiting.clear()
        with torch.no_grad():
            maps = self._extractor.maps_of(self._extractor.prepare(levels))[_MAPS]
        self._seen.append([adaptive_avg_pool2d(each, _PLACES).flatten(1).half() for each in maps])


def _unit(features: Tensor) -> Tensor:
    """Each channel centred and scaled over the pictures, then each picture brought to length 1."""
    from torch.nn.functional import normalize

    spread = features.std(0, correction=0).clamp(min=1e-3)
    return normalize((features - features.mean(0)) / spread, dim=1)


def _best(likeness: Tensor) -> Tensor:
    """(N, 1): the mean of each row's highest."""
    return likeness.topk(min(_BEST, likeness.shape[1]), dim=1).values.mean(1, keepdim=True)
