"""Was a model trained on the extractor that judges it? Then its scores flatter it (Kynkaanniemi et al. 2023)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn

from ganvas.features import Extractor
from ganvas.recipe import Recipe, frozen_networks

_TELLING = 64
"""Numbers that a tensor must hold to be told apart: small ones are often the same everywhere."""


def trained_on(recipe: Recipe, extractors: Iterable[Extractor], arguments: Mapping[str, Any]) -> list[str]:
    """A warning for each extractor whose weights are among the recipe's frozen networks, under whatever names, or that
    one of the recipe's arguments names."""
    warnings = []
    for judge in extractors:
        mine = _hashes(judge)
        for name, network in frozen_networks(recipe).items():
            same = any(
                isinstance(each, Extractor) and each.weights_hash == judge.weights_hash for each in network.modules()
            )
            if same or mine & _hashes(network):
                warnings.append(_warning(judge.name, f"its frozen network {name!r} has the same weights"))
                break
        else:
            named = next((key for key, value in arguments.items() if value == judge.name), None)
            if named is not None:
                warnings.append(_warning(judge.name, f"its argument {named!r} names it"))
    return warnings


def _warning(judge: str, why: str) -> str:
    other = "lite2" if judge != "lite2" else "lite0"
    return (
        f"the model was trained on {judge}, which judges it here ({why}), so these scores flatter it: "
        f"take another, such as --extractor {other}"
    )


def _hashes(network: nn.Module) -> set[str]:
    found = set()
    for tensor in network.state_dict().values():
        if tensor.numel() >= _TELLING and tensor.is_floating_point() and bool((tensor != tensor.flatten()[0]).any()):
            content = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
            found.add(hashlib.sha256(f"{tuple(tensor.shape)} {tensor.dtype}".encode() + content).hexdigest())
    return found
