"""Pretrained weights: read without executing anything, told apart by a hash, downloaded whole or not at all."""

from __future__ import annotations

import hashlib
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from ganvas.errors import DataError

_TIMEOUT = 30.0  # seconds without an answer before a download is given up


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a .safetensors file, or of a .pth that `torch.save` wrote.

    Nothing in the file is ever executed. Raises DataError, in one line, for anything but named tensors.
    """
    if not path.is_file():
        raise DataError(f"there is no file {path} with weights")
    try:
        if path.suffix == ".safetensors":
            found = load_file(path)
        else:
            found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a foreign file may fail in any way
        raise DataError(
            f"{path} holds no weights that can be read without executing what is in it ({type(error).__name__}); "
            "give a .safetensors file, or a .pth with nothing but named tensors"
        ) from None
    if not isinstance(found, dict) or not found or not all(isinstance(each, Tensor) for each in found.values()):
        raise DataError(f"{path} does not hold named tensors and nothing else")
    return {str(name): tensor for name, tensor in found.items()}


def weights_hash(weights: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, types, shapes and values, in the order of the names; the same whatever file they were in."""
    digest = hashlib.sha256()
    for name, tensor in sorted(weights.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def check_shapes(weights: Mapping[str, Tensor], expected: Mapping[str, tuple[int, ...]], what: str) -> None:
    """Raises DataError, naming the first difference, where these are not the weights of `what`.

    BatchNorm's counts of batches do not matter.
    """
    problem = ""
    for name in [*expected, *(name for name in weights if not name.endswith(".num_batches_tracked"))]:
        if name not in weights:
            problem = f"{name} is missing"
        elif name not in expected:
            problem = f"there is no {name!r} in it"
        elif tuple(weights[name].shape) != expected[name]:
            problem = f"{name} must be {expected[name]}, not {tuple(weights[name].shape)}"
        elif not weights[name].isfinite().all():
            problem = f"{name} has values that are not finite"
        if problem:
            raise DataError(f"these are not the weights of {what}: {problem}")


def fetch(url: str, path: Path, sha256: str) -> None:
    """Downloads a file to `path`, with a bar on a terminal. Its SHA-256 must begin with `sha256`.

    Raises DataError, leaving nothing behind, where it cannot be had or is another.
    """
    advice = f"download it elsewhere and name the file with --weights, or put it at {path}"
    missing = [folder for folder in path.parents if not folder.exists()]
    patience = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_TIMEOUT)  # torch.hub waits for ever otherwise
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(path), hash_prefix=sha256, progress=sys.stderr.isatty())
    except (OSError, ValueError, HTTPException) as error:
        reason = str(getattr(error, "reason", error) or type(error).__name__).splitlines()[0]
        raise DataError(f"{url} cannot be downloaded ({reason}); {advice}") from None
    except RuntimeError:
        raise DataError(
            f"what {url} gave is damaged or another file (its SHA-256 must begin with {sha256}); {advice}"
        ) from None
    finally:
        socket.setdefaulttimeout(patience)
        if not path.exists():
            for folder in missing:
                with suppress(OSError):
                    folder.rmdir()
