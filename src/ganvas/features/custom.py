"""A user's own module as an extractor, `path/to/file.py:Class`."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from torch import Tensor, nn

from ganvas.errors import UsageError, near_miss
from ganvas.features.base import Features, ImageExtractor
from ganvas.features.weights import weights_hash
from ganvas.text import quoted
from ganvas.user_file import module_from


class Custom(ImageExtractor):
    """A module that is made without arguments and turns float images (B, C, H, W) in [-1, 1], of the data's own size
    and channels, into features (B, D), or into features and logits (B, K). Its hash covers its weights and the text of
    its file.

    Raises UsageError where the file, the class or what it gives is something else.
    """

    def __init__(self, name: str, *, device: torch.device | str = "cpu") -> None:
        super().__init__()
        file, _, wanted = name.rpartition(":")
        module = module_from(file, "an extractor")
        classes = {
            each.__name__: each
            for each in vars(module).values()
            if isinstance(each, type) and issubclass(each, nn.Module) and each.__module__ == module.__name__
        }
        if wanted not in classes:
            raise UsageError(f"{file} has no torch module {quoted(wanted)}{near_miss(wanted, classes)}")
        try:
            self.network = classes[wanted]().to(device).requires_grad_(False).eval()
        except Exception as error:
            raise _fault(name, error) from error
        self.name, self.resizing = f"{Path(file).name}:{wanted}", "images as they are, x / 127.5 - 1"
        self._device = torch.device(device)
        text = hashlib.sha256(Path(file).read_bytes()).hexdigest()
        self.weights_hash = hashlib.sha256((text + weights_hash(self.network.state_dict())).encode()).hexdigest()

    @property
    def device(self) -> torch.device:
        return self._device

    def _of_levels(self, levels: Tensor) -> Features:
        return self.look(levels / 127.5 - 1)

    def maps(self, images: Tensor) -> list[Tensor]:
        raise UsageError(f"{self.name} gives no feature maps; take lite0, lite2 or inception for distances in them")

    def look(self, images: Tensor) -> Features:
        try:
            found = self.network(images)
        except Exception as error:
            raise _fault(self.name, error) from error
        features, logits = found if isinstance(found, tuple) and len(found) == 2 else (found, None)
        for each in (features, features if logits is None else logits):
            if not isinstance(each, Tensor) or each.ndim != 2 or len(each) != len(images):
                shown = tuple(each.shape) if isinstance(each, Tensor) else type(each).__name__
                raise UsageError(f"{self.name} must give (B, D) features, or those and (B, K) logits, not {shown}")
        return Features(features.float(), None if logits is None else logits.float())


def _fault(name: str, error: Exception) -> UsageError:
    return UsageError(f"{name} fails with {type(error).__name__}: {(str(error).splitlines() or [''])[0]}")
