"""Extractors: frozen networks whose features scores, content losses and projected discriminators look at.

`extractor("lite0")` needs no download: a Python package carries its ImageNet weights. So does another for its larger
sister, with the extra `lite2`. A score always carries the name of its extractor, since numbers from two of them have
nothing to do with each other.
"""

from __future__ import annotations

from pathlib import Path

import torch

from ganvas.errors import UsageError, near_miss
from ganvas.features.base import Extractor, Features, ImageExtractor
from ganvas.features.coordinates import Coordinates
from ganvas.features.custom import Custom
from ganvas.features.inception import cached_weights, inception
from ganvas.features.lite import Lite
from ganvas.features.look import Look
from ganvas.features.sentences import SentenceFeatures
from ganvas.spaces import Space
from ganvas.text import quoted

__all__ = ["Extractor", "Features", "ImageExtractor", "default_extractor", "extractor"]

NAMES = ("inception", "lite0", "lite2", "coordinates", "look", "minilm")


def extractor(
    name: str, *, weights: Path | None = None, device: torch.device | str = "cpu", space: Space | None = None
) -> Extractor:
    """The extractor of this name, ready to be called.

    name: `inception`, `lite0`, `lite2`, `coordinates` (points as they are), `look` (what the `space` of the samples
    sees in them), `minilm` (what texts mean), or a user's own module as `path/to/file.py:Class`, which runs that file.
    weights: a file of Inception's weights (.pth or .safetensors) to take instead of torch-fidelity's cache or its
    download.

    Raises UsageError for a name that is not known, or that needs an extra which is not installed; DataError for weights
    that cannot be used.
    """
    if weights is not None and name != "inception":
        raise UsageError(f"--weights are for the extractor inception; {name} brings its own")
    if name == "inception":
        return inception(weights, device=device)
    if name in ("lite0", "lite2"):
        return Lite(name, device=device)
    if name == "coordinates":
        return Coordinates()
    if name == "look":
        if space is None:
            raise UsageError("the extractor look is that of a space of samples, and does not compare files")
        return Look(space)
    if name == "minilm":
        if space is None:
            raise UsageError("the extractor minilm reads texts, and does not compare files")
        return SentenceFeatures(space)
    if ".py:" in name:
        return Custom(name, device=device)
    if name.endswith(".py"):
        raise UsageError(f"name the extractor's class too, as in {name}:MyExtractor")
    raise UsageError(f"there is no extractor {quoted(name)}{near_miss(name, NAMES)}")


def default_extractor() -> str:
    """Of images: `inception` where its weights are at hand without a download (in torch-fidelity's cache), else
    `lite0`."""
    return "inception" if cached_weights().is_file() else "lite0"
