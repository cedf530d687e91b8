"""How far samples are from one that they shall be like, differentiable: what a search for it goes by."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

from ganvas.features.content import unit_distance
from ganvas.features.lite import Lite, at_hand
from ganvas.spaces import Space

NETWORK = "lite2"
"""What looks at images, where its package is installed. Scores look with another one, `lite0`."""

_STEP, _MOST = 32, 128


class Likeness:
    """Distances to a target (1, *shape) of this space, a number for each sample (B, *shape): (B,).

    network: what looks at images of 1 or 3 channels, with sides that are brought to the next multiple of 32, at most
    128; `unit_distance` compares its maps. measure: whose distance calling it gives: the network's, or `look`, which is
    `plain`, for other kinds and where the network's package is not installed.
    """

    def __init__(self, space: Space, target: Tensor, network: str = NETWORK) -> None:
        self.space, self.target = space, target
        self.seen = space.look(target)
        self.network = _network(network, str(target.device)) if space.photos and at_hand(network) else None
        self.measure = "look" if self.network is None else network
        with torch.no_grad():
            self.maps = self._maps(target)

    def plain(self, samples: Tensor) -> Tensor:
        """(B,): the mean square difference of all numbers, and that of what the space's own look sees, added up: for
        images pixels of two sizes."""
        apart = (samples - self.target).square().flatten(1).mean(1)
        return apart + (self.space.look(samples) - self.seen).square().mean(1)

    def __call__(self, samples: Tensor) -> Tensor:
        return unit_distance(self._maps(samples), self.maps) if self.maps else self.plain(samples)

    def _maps(self, samples: Tensor) -> list[Tensor]:
        if self.network is None:
            return []
        sides = tuple(min(_MOST, -(-side // _STEP) * _STEP) for side in samples.shape[2:])
        if samples.shape[2:] != sides:
            samples = functional.interpolate(samples, sides, mode="bilinear", align_corners=False, antialias=True)
        return self.network.maps_of(self.network.scaled((samples + 1) * 127.5))


@lru_cache(maxsize=2)
def _network(name: str, device: str) -> Lite:
    return Lite(name, device=device)
