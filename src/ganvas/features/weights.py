"""Pretrained weights: read without executing anything, and told apart by a hash."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ganvas.errors import DataError


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a .safetensors file, or of a .pth that `torch.save` wrote (read with `weights_only`).

    Raises DataError for anything else, in one line. Nothing in the file is ever executed.
    """
    try:
        if path.suffix == ".safetensors":
            found = load_file(path)
        else:
            # An archive of tensors and plain values; whatever else its pickle asks for is refused, not executed.
            found = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise DataError(f"there is no file {path} with weights") from None
    except (SafetensorError, OSError, RuntimeError, ValueError, EOFError, KeyError, AttributeError, TypeError) as error:
        raise DataError(f"{path} holds no weights that can be read safely ({str(error).splitlines()[0]})") from None
    except Exception as error:  # the unpickler's own errors, whose class is only to be had by importing it
        raise DataError(f"{path} holds no weights that can be read safely ({type(error).__name__})") from None
    if not isinstance(found, dict) or not all(isinstance(each, Tensor) for each in found.values()):
        raise DataError(f"{path} holds something else than named tensors")
    return {str(name): tensor for name, tensor in found.items()}


def weights_hash(weights: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, types, shapes and values, in the order of the names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(weights.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
