"""What a space itself sees in its samples, as an extractor: for any kind of data, without weights."""

from __future__ import annotations

import hashlib
import inspect
import json

import torch
from torch import Tensor

from ganvas.errors import DataError
from ganvas.features.base import Extractor, Features
from ganvas.spaces import Space, space_to_config


class Look(Extractor):
    """A space's `look`, at samples (B, *shape) as the space encodes them. Its hash covers the space and the text of the
    class's file, so that features kept of another `look` are never taken for those of this one."""

    def __init__(self, space: Space) -> None:
        super().__init__()
        self.name, self.space = "look", space
        self.resizing = f"{space}, by the look of their own space"
        try:
            text = inspect.getsource(inspect.getmodule(type(space)) or type(space))
        except (OSError, TypeError):  # of a class that was typed into a console
            text = ""
        told = json.dumps([space_to_config(space), text], sort_keys=True)
        self.weights_hash = hashlib.sha256(told.encode()).hexdigest()

    def forward(self, samples: Tensor) -> Features:
        floats = self.space.samples_of(samples)
        if tuple(floats.shape[1:]) != self.space.shape:
            raise DataError(f"look is at {self.space}, of shape {self.space.shape}, not {tuple(floats.shape[1:])}")
        with torch.no_grad():
            return Features(self.space.look(floats).float(), None)
